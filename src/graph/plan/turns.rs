//! Roots that take turns: only the next few of them are in the plan.
//!
//! A root that is not the first lacks an input more than it has: its turn. The next is added as the
//! first has had it, so that a plan of a million of which three are taken is small.
//!
//! What roots share is run once all the same: the value of a task that a later root needs is kept
//! until that is there. Whether there is such a root is only looked for where it can be: once a task
//! comes up to which there are more references than those known, or which has a key. Then the graphs
//! of all roots that are left are walked, once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::slot::{Id, State};
use super::{AddressHasher, Plan, address};
use crate::graph::node::{Key, Node};

/// Roots, made one after another.
pub(in crate::graph) struct Roots {
    pub(in crate::graph) next: Box<dyn Iterator<Item = Arc<Node>> + Send>,
    /// Of each root the task that it is made over, by number.
    pub(in crate::graph) over: Box<dyn Fn(usize) -> Option<Arc<Node>> + Send>,
}

/// Roots that take turns.
pub(super) struct Turns {
    roots: Roots,
    /// Those that are in the plan, the next first.
    window: VecDeque<Id>,
    /// How many that may be.
    ahead: usize,
    /// How many were made.
    made: usize,
    /// Tasks that are new since it was last looked whether they are shared.
    pub(super) fresh: Vec<u32>,
    /// Tasks that roots share, if that was looked for, and the last that needs each.
    shared: Option<Shared>,
    /// Tasks that are kept until a root is there.
    kept: BTreeMap<usize, Vec<Id>>,
}

/// The last root that needs a task, by what is to know that task by.
#[derive(Default)]
struct Shared {
    by_key: HashMap<Key, usize>,
    by_address: HashMap<usize, usize, BuildHasherDefault<AddressHasher>>,
}

impl Shared {
    fn last(&self, node: &Arc<Node>) -> Option<usize> {
        match node.key() {
            Some(key) => self.by_key.get(key).copied(),
            None => self.by_address.get(&address(node)).copied(),
        }
    }

    /// Notes that a root needs a task; says whether an earlier one does.
    fn note(&mut self, node: &Arc<Node>, root: usize) -> bool {
        match node.key() {
            Some(key) => self.by_key.insert(*key, root),
            None => self.by_address.insert(address(node), root),
        }
        .is_some()
    }
}

impl Turns {
    /// Whether a task may be one that other roots need, too: `over` is what the last one is made
    /// over.
    fn may_be_shared(plan: &Plan, at: u32, over: Option<&Arc<Node>>) -> bool {
        let slot = &plan.slots[at as usize];
        let Some(node) = &slot.node else { return false };
        // The slot and each user hold it; and whoever gives what a root is made over, and who has
        // been given that.
        let given = if over.is_some_and(|over| Arc::ptr_eq(over, node)) { 2 } else { 0 };
        node.key().is_some() || Arc::strong_count(node) > 1 + slot.uses as usize + given
    }

    /// What roots need from this one on, as far as another may need it, too.
    fn find_shared(&self, first: usize) -> Shared {
        let (mut shared, mut path) = (Shared::default(), Vec::new());
        let roots = (first..).map_while(|root| (self.roots.over)(root).map(|over| (root, over)));
        for (root, over) in roots {
            path.push(over);
            while let Some(node) = path.pop() {
                // One who needs or gives it holds it, and so is it held here.
                let is_alone = node.key().is_none() && Arc::strong_count(&node) == 2;
                if is_alone || !shared.note(&node, root) {
                    path.extend(node.inputs.iter().cloned());
                }
            }
        }
        shared
    }
}

impl Plan {
    /// Adds roots that take turns, of which so many go on at once. All of them need these tasks.
    pub(crate) fn add_in_turn(&mut self, roots: Roots, needs: &[Arc<Node>], ahead: usize) {
        let (window, fresh, kept) = (VecDeque::new(), Vec::new(), BTreeMap::new());
        let ahead = ahead.max(1);
        self.turns = Some(Turns { roots, window, ahead, made: 0, fresh, shared: None, kept });
        let needs: Vec<Id> = needs.iter().map(|node| self.add(node)).collect();
        if let Some(turns) = &mut self.turns {
            // Kept to the end, whoever needs them.
            turns.fresh.retain(|at| needs.iter().all(|id| id.at != *at));
            turns.kept.insert(usize::MAX, needs);
        }
        self.begin_turn();
    }

    /// The root whose turn it is.
    pub(crate) fn turn(&self) -> Option<Id> {
        self.turns.as_ref()?.window.front().copied()
    }

    /// It is done: the next has its turn.
    pub(crate) fn next_turn(&mut self) {
        if let Some(done) = self.turns.as_mut().and_then(|turns| turns.window.pop_front()) {
            self.release(done);
        }
        self.begin_turn();
    }

    /// No more is wanted of them.
    pub(crate) fn end_turns(&mut self) {
        let Some(turns) = self.turns.take() else { return };
        let kept = turns.kept.into_values().flatten();
        turns.window.into_iter().chain(kept).for_each(|root| self.release(root));
        self.waste.late.push(Box::new(turns.roots));
    }

    fn begin_turn(&mut self) {
        while let Some(turns) = &mut self.turns
            && turns.window.len() < turns.ahead
            && let Some(root) = turns.roots.next.next()
        {
            let root = self.begin_walk(&root);
            self.slot(root).missing += 1;
            if let Some(turns) = &mut self.turns {
                turns.window.push_back(root);
                turns.made += 1;
            }
            // Before tasks fail over others that have failed: those are kept for later roots, too.
            self.keep_shared();
            self.end_walk();
        }
        let Some(first) = self.turn() else { return };
        let slot = self.slot(first);
        if let State::New = slot.state {
            slot.missing -= 1;
            if slot.missing == 0 {
                self.push(first);
            }
        }
    }

    /// Keeps the values of tasks that are new and that later roots need, and no longer those that were
    /// kept for roots that are there.
    pub(super) fn keep_shared(&mut self) {
        let Some(mut turns) = self.turns.take() else { return };
        let fresh = std::mem::take(&mut turns.fresh);
        if turns.shared.is_none() && turns.made > 0 {
            let over = (turns.roots.over)(turns.made - 1);
            let over = over.as_ref();
            if fresh.iter().any(|at| Turns::may_be_shared(self, *at, over)) {
                turns.shared =
                    Some(turns.find_shared(turns.made.saturating_sub(turns.window.len())));
            }
        }
        for at in fresh {
            let (Some(shared), Some(node)) = (&turns.shared, &self.slots[at as usize].node) else {
                continue;
            };
            if let Some(last) = shared.last(node).filter(|last| *last >= turns.made) {
                let id = self.entry(at).1;
                self.at(at).uses += 1;
                turns.kept.entry(last).or_default().push(id);
            }
        }
        let later = turns.kept.split_off(&turns.made);
        let there = std::mem::replace(&mut turns.kept, later);
        self.turns = Some(turns);
        there.into_values().flatten().for_each(|id| self.release(id));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::graph::Context;
    use crate::graph::delayed::{call, delayed};
    use crate::graph::node::{Inputs, Outcome};

    #[test]
    fn a_task_that_fails_as_it_is_added_is_kept_for_later_roots() {
        let runs = delayed(1_u32).map(|n| *n);
        let fails = delayed(1_u32).try_map(|_| Err::<u32, _>("fails"));
        let both = call(|a: &u32, b: &u32| a + b, (&runs, &fails));
        let tasks = [runs, fails, both.clone(), both];
        let over = tasks.clone().map(|task| Arc::clone(task.node()));
        let roots = tasks.map(|task| Arc::clone(task.map(|n| *n).node()));
        let mut plan = Plan { number: 1, ..Plan::default() };
        let roots = Roots {
            next: Box::new(roots.into_iter()),
            over: Box::new(move |n| over.get(n).cloned()),
        };
        plan.add_in_turn(roots, &[], 1);
        let mut begun: HashMap<usize, u32> = HashMap::new();
        for _ in 0..4 {
            while let Some(job) = plan.next(0, true, &mut Inputs::default()) {
                *begun.entry(address(&job.node)).or_default() += 1;
                let mut inputs = job.inputs;
                let run = job.node.run(&Context::default(), &mut inputs);
                assert!(plan.returned(job.ticket));
                match run {
                    Ok(Outcome::Value(value)) => plan.done(job.ticket.id, value, 0),
                    Ok(_) => unreachable!("functions of values"),
                    Err(error) => plan.fail(job.ticket.id, error),
                }
                plan.waste.clear();
            }
            plan.next_turn();
        }
        assert!(begun.values().all(|times| *times == 1), "{begun:?}");
    }
}
