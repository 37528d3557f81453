//! What one computation asks for, as one graph.

use std::sync::Arc;

use super::Bag;
use super::group::Group;
use super::item::{Erased, Item, Made, Work};
use super::origin::Origin;
use super::phases::{Phase, Phases};
use super::sketch;
use crate::Result;
use crate::graph::{Delayed, Moved, Name, Node, Outcome, Shared, Step, Value, caught, run, typed};
use crate::run::Context;

/// The items and tasks of one computation.
#[derive(Default)]
pub struct Computation {
    items: Vec<Erased>,
    tasks: Vec<Arc<Node>>,
    order: Vec<Asked>,
}

/// What was asked for, by its place among its kind.
#[derive(Clone, Copy)]
enum Asked {
    Item(usize),
    Task(usize),
}

/// What a computation gave, in the order in which it was asked for.
pub struct Values(std::vec::IntoIter<Given>);

enum Given {
    Moved(Value),
    Shared(Shared),
}

impl std::fmt::Debug for Computation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Computation").field("asked", &self.order.len()).finish()
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").field("left", &self.0.len()).finish()
    }
}

impl Values {
    /// The value of an item.
    pub(super) fn moved<T: 'static>(&mut self) -> T {
        match self.0.next() {
            Some(Given::Moved(value)) => value.downcast().ok().map(|value| *value),
            _ => None,
        }
        .unwrap_or_else(|| unreachable!("a computation gives values in the order of its items"))
    }

    /// The value of a task.
    pub(super) fn shared<T: Send + Sync + 'static>(&mut self) -> Arc<T> {
        match self.0.next() {
            Some(Given::Shared(value)) => typed(value),
            _ => unreachable!("a computation gives values in the order of its tasks"),
        }
    }
}

impl Computation {
    pub(super) fn item<T: Send + 'static>(&mut self, item: &Item<T>) {
        self.order.push(Asked::Item(self.items.len()));
        self.items.push(item.erased());
    }

    pub(super) fn task<T>(&mut self, task: &Delayed<T>) {
        self.order.push(Asked::Task(self.tasks.len()));
        self.tasks.push(Arc::clone(task.node()));
    }

    /// The work of each item.
    #[cfg(feature = "cli")]
    pub(super) fn works(&self) -> impl Iterator<Item = &Work> {
        self.items.iter().map(|item| &item.work)
    }

    /// The bytes of the largest blocks that are read, if any are.
    pub(crate) fn blocksize(&self) -> Option<usize> {
        let blocks = self.items.iter().map(|item| match &item.work {
            Work::Reduce(reduced) => reduced.base.origin.blocksize(),
            Work::Alone(alone) => alone.blocksize,
            Work::Task(_) => None,
        });
        blocks.max().flatten()
    }

    /// Runs everything as one graph.
    pub(super) fn run(&self, context: &Context) -> Result<Values> {
        if let Some(value) = self.run_lazily(context) {
            return Ok(Values(vec![Given::Moved(value?)].into_iter()));
        }
        let (places, roots) = self.all_roots();
        self.run_roots(context, &places, &roots)
    }

    /// Runs these tasks of all that was asked for.
    pub(crate) fn run_roots(
        &self,
        context: &Context,
        places: &[Vec<usize>],
        roots: &[Arc<Node>],
    ) -> Result<Values> {
        Ok(self.given(places, run(context, roots)?))
    }

    /// What was asked for, of what the tasks of all gave.
    pub(super) fn given(&self, places: &[Vec<usize>], values: Vec<Shared>) -> Values {
        let mut values = values.into_iter();
        let mut items: Vec<Option<Value>> = self.items.iter().map(|_| None).collect();
        for (places, values) in places.iter().zip(&mut values) {
            let finished: Vec<Value> = Moved::out_of(values);
            places.iter().zip(finished).for_each(|(n, value)| items[*n] = Some(value));
        }
        let tasks: Vec<Shared> = values.collect();
        let given = self.order.iter().map(|asked| match *asked {
            Asked::Task(n) => Given::Shared(Arc::clone(&tasks[n])),
            Asked::Item(n) => {
                let value = items[n].take();
                Given::Moved(value.unwrap_or_else(|| unreachable!("every item has a root")))
            }
        });
        let given: Vec<Given> = given.collect();
        Values(given.into_iter())
    }

    /// The value of an item that can do with less than its inputs, if it is all that was asked for.
    fn run_lazily(&self, context: &Context) -> Option<Result<Value>> {
        let [Erased { work: Work::Alone(alone), finish, .. }] = &self.items[..] else {
            return None;
        };
        let work = alone.lazy.as_ref().filter(|_| self.tasks.is_empty())?;
        let finished = |value| caught(alone.operation, || finish(value));
        Some(work(context).and_then(finished))
    }

    /// The tasks of all that was asked for: those of groups of items, with the places of these, and
    /// after them those of handles.
    pub(crate) fn all_roots(&self) -> (Vec<Vec<usize>>, Vec<Arc<Node>>) {
        let (places, mut roots): (Vec<_>, Vec<_>) = self.roots().into_iter().unzip();
        roots.extend_from_slice(&self.tasks);
        (places, roots)
    }

    /// For each group of items their places, and the task that makes their [`Moved`] values.
    pub(super) fn roots(&self) -> Vec<(Vec<usize>, Arc<Node>)> {
        // Before the lanes, which would keep every thread to the end: these are mostly short.
        let mut roots = Vec::new();
        for (n, Erased { work, finish, steps, .. }) in self.items.iter().enumerate() {
            let finish = Arc::clone(finish);
            let root = match work {
                Work::Reduce(_) => continue,
                Work::Alone(alone) => {
                    let (alone, inputs) = (Arc::clone(alone), (alone.inputs)());
                    let mut sketch = (alone.sketch)();
                    sketch.steps.extend_from_slice(steps);
                    Node::new(sketch::named(sketch), inputs, move |context, inputs| {
                        Ok(match (alone.work)(context, inputs.take_all())? {
                            Made::Value(value) => Moved::outcome(vec![finish(value)?]),
                            Made::Tasks(last, made) => {
                                let finish = Arc::clone(&finish);
                                let name = Name::Only("finish");
                                Outcome::Node(Node::new(name, [last], move |_, _| {
                                    Ok(Moved::outcome(vec![finish(made())?]))
                                }))
                            }
                        })
                    })
                }
                Work::Task(node) => {
                    let input = [Arc::clone(node)];
                    let sketch = sketch::finish("finish", std::slice::from_ref(steps));
                    Node::new(sketch::named(sketch), input, move |_, inputs| {
                        Ok(Moved::outcome(vec![finish(Box::new(inputs.take(0)))?]))
                    })
                }
            };
            roots.push((vec![n], root));
        }
        self.add_reductions(&mut roots);
        roots
    }

    /// Adds the tasks of reductions: those over one origin together, also those of which bags are
    /// made.
    fn add_reductions(&self, roots: &mut Vec<(Vec<usize>, Arc<Node>)>) {
        let mut phases = Phases::of(&self.items);
        let (mut with_phases, mut others) = (Vec::new(), Vec::new());
        let mut copies = Vec::new();
        for (n, item) in self.items.iter().enumerate() {
            let Work::Reduce(reduced) = &item.work else { continue };
            if let Some(phase) = phases.find(item.id) {
                copies.push((n, phase));
                continue;
            }
            let origin = &reduced.base.origin;
            // What it needs may be made of one of them.
            let joins = reduced.base.needs.is_empty() && phases.read(origin);
            let group = Group::over(if joins { &mut with_phases } else { &mut others }, origin);
            group.items.push(n);
            group.add(reduced, item);
        }
        let mut of_groups: Vec<Vec<&Phase>> = vec![Vec::new(); with_phases.len()];
        for phase in phases.sharing() {
            let Some(reduced) = phase.reduced() else { continue };
            let group = Group::over(&mut with_phases, &reduced.base.origin);
            group.add(reduced, &phase.erased);
            let at =
                with_phases.iter().position(|group| group.origin().shares(&reduced.base.origin));
            of_groups.resize(with_phases.len(), Vec::new());
            of_groups[at.unwrap_or_default()].push(phase);
        }
        for (group, of) in with_phases.into_iter().zip(of_groups) {
            let items = group.items.clone();
            // One that is alone is computed by its own task.
            if items.len() + of.len() > 1 {
                let root = phases.apart(items.len(), &of, group.root());
                roots.extend((!items.is_empty()).then_some((items, root)));
            }
        }
        for mut group in others {
            if let Origin::Tasks(tasks) = group.origin() {
                group.tasks = phases.replaced(tasks);
            }
            roots.push((group.items.clone(), group.root()));
        }
        for (n, phase) in copies {
            let (copy, task) = (phase.copy, phases.task(phase));
            let copied = Node::new(Name::Only("finish"), [task], move |_, inputs| {
                Ok(Moved::outcome(vec![copy(&inputs.take(0))?]))
            });
            roots.push((vec![n], copied));
        }
    }
}

/// A value that a run computes: an [`Item`], a [`Delayed`], a [`Bag`], a reference to one, or a `Vec` or a tuple
/// of up to eight of these.
pub trait Compute {
    /// The value; of several, a `Vec` or a tuple of their values.
    type Output;

    /// Notes what has to run.
    #[doc(hidden)]
    fn add(&self, computation: &mut Computation);

    /// Takes what the plan gave for it.
    #[doc(hidden)]
    fn take(&self, values: &mut Values) -> Self::Output;
}

impl<C: Compute> Compute for &C {
    type Output = C::Output;

    fn add(&self, computation: &mut Computation) {
        C::add(self, computation);
    }

    fn take(&self, values: &mut Values) -> C::Output {
        C::take(self, values)
    }
}

impl<C: Compute> Compute for Vec<C> {
    type Output = Vec<C::Output>;

    fn add(&self, computation: &mut Computation) {
        self.iter().for_each(|one| one.add(computation));
    }

    fn take(&self, values: &mut Values) -> Self::Output {
        self.iter().map(|one| one.take(values)).collect()
    }
}

macro_rules! tuple {
    ($($name:ident $at:tt),+) => {
        impl<$($name: Compute),+> Compute for ($($name,)+) {
            type Output = ($($name::Output,)+);

            fn add(&self, computation: &mut Computation) {
                $(self.$at.add(computation);)+
            }

            fn take(&self, values: &mut Values) -> Self::Output {
                ($(self.$at.take(values),)+)
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

impl<T: Send + 'static> Compute for Item<T> {
    type Output = T;

    fn add(&self, computation: &mut Computation) {
        computation.item(self);
    }

    fn take(&self, values: &mut Values) -> T {
        values.moved()
    }
}

/// Its records, in input order.
impl<T: Send + 'static> Compute for Bag<T> {
    type Output = Vec<T>;

    fn add(&self, computation: &mut Computation) {
        computation.item(&self.clone().collected(Step::only("collect")));
    }

    fn take(&self, values: &mut Values) -> Vec<T> {
        values.moved()
    }
}

/// The value itself if nothing else holds it, else a clone.
impl<T: Clone + Send + Sync + 'static> Compute for Delayed<T> {
    type Output = T;

    fn add(&self, computation: &mut Computation) {
        computation.task(self);
    }

    fn take(&self, values: &mut Values) -> T {
        Arc::unwrap_or_clone(values.shared())
    }
}
