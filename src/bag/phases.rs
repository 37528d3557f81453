//! Reductions whose values bags are made of, in one run: what they read is read once.
//!
//! A bag that [`Item::into_bag`] made has one task, which computes the item by itself. A run that
//! has more to do with what the item reads would read it twice. So where reductions that bags are
//! made of, and items that are asked for, are over one source, they become one group with one pass
//! over it, and the tasks over their values are made anew.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::group::Group;
use super::item::{Erased, Reduced, Work};
use super::origin::Origin;
use super::tasks::Tasks;
use crate::Result;
use crate::graph::{Moved, Name, Node, Outcome, Shared, Value};

/// An item whose value is the records of a bag.
pub(super) struct Phase {
    pub(super) id: u64,
    pub(super) erased: Erased,
    /// The task that computes it by itself.
    pub(super) node: Arc<Node>,
    /// Makes a task's value of the item's.
    pub(super) share: fn(Value) -> Shared,
    /// The item's value, for who asks for the item too.
    pub(super) copy: fn(&Shared) -> Result<Value>,
    /// A `Direct` of the records of the bag, if these come to ends without the bag.
    pub(super) direct: Option<Box<dyn Any + Send + Sync>>,
}

impl Phase {
    /// What it combines, if it combines records.
    pub(super) fn reduced(&self) -> Option<&Arc<Reduced>> {
        if let Work::Reduce(reduced) = &self.erased.work { Some(reduced) } else { None }
    }

    /// The phase whose value it reads, if it does.
    fn before(&self) -> Option<(&Arc<Tasks>, &Self)> {
        let Origin::Tasks(tasks) = &self.reduced()?.base.origin else { return None };
        Some((tasks, tasks.phase.as_deref()?))
    }

    /// The phase whose value it read, of one that nothing else holds.
    fn into_before(self) -> Option<Box<Self>> {
        // These hold the reduction as well.
        drop((self.node, self.direct));
        let Work::Reduce(reduced) = self.erased.work else { return None };
        let Origin::Tasks(tasks) = Arc::into_inner(reduced)?.base.origin else { return None };
        Arc::into_inner(tasks)?.phase.take()
    }
}

/// Phases hold those before them: one by one, since there may be many.
impl Drop for Tasks {
    fn drop(&mut self) {
        let mut next = self.phase.take();
        while let Some(phase) = next {
            next = phase.into_before();
        }
    }
}

/// The phases that items of a run are made of, and the tasks that compute them.
#[derive(Default)]
pub(super) struct Phases<'p> {
    all: HashMap<u64, &'p Phase>,
    /// Those that read a source, and need nothing before it is read, in the order of the items.
    sharing: Vec<&'p Phase>,
    /// Of those that are not computed by their own task.
    made: HashMap<u64, Arc<Node>>,
}

impl<'p> Phases<'p> {
    pub(super) fn of(items: &'p [Erased]) -> Self {
        let mut phases = Self::default();
        // One alone shares nothing, and may have thousands of them behind it.
        for item in items.iter().filter(|_| items.len() > 1) {
            let Work::Reduce(reduced) = &item.work else { continue };
            let Origin::Tasks(tasks) = &reduced.base.origin else { continue };
            let mut next = tasks.phase.as_deref();
            while let Some(phase) = next
                && phases.all.insert(phase.id, phase).is_none()
            {
                let shares = |reduced: &Arc<Reduced>| {
                    let base = &reduced.base;
                    base.needs.is_empty() && base.origin.shares(&base.origin)
                };
                phases.sharing.extend(phase.reduced().is_some_and(shares).then_some(phase));
                next = phase.before().map(|(_, before)| before);
            }
        }
        phases
    }

    /// The phase that an item is.
    pub(super) fn find(&self, id: u64) -> Option<&'p Phase> {
        self.all.get(&id).copied()
    }

    /// Those that read a source, and may do so together with others.
    pub(super) fn sharing(&self) -> Vec<&'p Phase> {
        self.sharing.clone()
    }

    /// Whether one of them reads an origin.
    pub(super) fn read(&self, origin: &Origin) -> bool {
        let reads = |reduced: &Arc<Reduced>| reduced.base.origin.shares(origin);
        self.sharing.iter().any(|phase| phase.reduced().is_some_and(reads))
    }

    /// The task that computes a phase.
    pub(super) fn task(&mut self, phase: &Phase) -> Arc<Node> {
        // Upwards to the first whose task is known, and back.
        let mut chain = vec![phase];
        while let Some(last) = chain.last()
            && !self.made.contains_key(&last.id)
            && let Some((_, before)) = last.before()
        {
            chain.push(before);
        }
        while let Some(phase) = chain.pop() {
            if self.made.contains_key(&phase.id) {
                continue;
            }
            let node = self.over_another(phase).unwrap_or_else(|| Arc::clone(&phase.node));
            self.made.insert(phase.id, node);
        }
        self.made.get(&phase.id).map_or_else(|| Arc::clone(&phase.node), Arc::clone)
    }

    /// The task that computes a phase over another task than it was made over, if that is so. What
    /// computes the one before it is known.
    fn over_another(&self, phase: &Phase) -> Option<Arc<Node>> {
        let (tasks, before) = phase.before()?;
        let mut group = Group::default();
        group.add(phase.reduced()?, &phase.erased);
        group.tasks = Some(self.known(tasks, before)?);
        let share = phase.share;
        Some(Node::new(phase.node.name().clone(), [group.root()], move |_, inputs| {
            let values: Vec<Value> = Moved::out_of(inputs.take(0));
            let value = values.into_iter().next();
            Ok(Outcome::Value(share(value.unwrap_or_else(|| unreachable!("of one item")))))
        }))
    }

    /// The tasks of a bag over a phase's value, if that is known to be computed by another task than
    /// its own.
    fn known(&self, tasks: &Tasks, phase: &Phase) -> Option<Arc<Tasks>> {
        let task = self.made.get(&phase.id)?;
        let other = !Arc::ptr_eq(task, &phase.node);
        let nodes = vec![Arc::clone(task)];
        other.then(|| Arc::new(Tasks { nodes, records: tasks.records, phase: None }))
    }

    /// The tasks of a bag over a phase's value, if that is computed by another task than its own.
    pub(super) fn replaced(&mut self, tasks: &Tasks) -> Option<Arc<Tasks>> {
        let phase = tasks.phase.as_deref()?;
        if self.made.is_empty() {
            return None;
        }
        self.task(phase);
        self.known(tasks, phase)
    }

    /// The task of the values of items that are read in one pass with phases, which are the last of
    /// a group, in their order; those of the phases become known here.
    pub(super) fn apart(&mut self, items: usize, phases: &[&Phase], root: Arc<Node>) -> Arc<Node> {
        let values = Node::new(Name::Only("results"), [root], |_, inputs| {
            let values: Vec<Value> = Moved::out_of(inputs.take(0));
            Ok(Outcome::value(Results(Mutex::new(values.into_iter().map(Some).collect()))))
        });
        for (n, phase) in phases.iter().enumerate() {
            let (at, share) = (items + n, phase.share);
            let name = phase.node.name().clone();
            let made = Node::new(name, [Arc::clone(&values)], move |_, inputs| {
                Ok(Outcome::Value(share(Results::take(inputs.take(0), at))))
            });
            self.made.insert(phase.id, made);
        }
        Node::new(Name::Only("finish"), [values], move |_, inputs| {
            let results = inputs.take(0);
            let values = (0..items).map(|at| Results::take(Arc::clone(&results), at));
            Ok(Moved::outcome(values.collect::<Vec<Value>>()))
        })
    }
}

/// Values of which each goes to one task.
struct Results(Mutex<Vec<Option<Value>>>);

impl Results {
    fn take(results: Shared, at: usize) -> Value {
        let results: Arc<Self> = crate::graph::typed(results);
        let value = results.0.lock().unwrap_or_else(PoisonError::into_inner)[at].take();
        value.unwrap_or_else(|| unreachable!("each value goes to one task"))
    }
}
