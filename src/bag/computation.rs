//! What one computation asks for, as one graph.

use std::sync::Arc;

use super::base::{self, Base};
use super::broadcast::Env;
use super::chain::Chunk;
use super::item::{Erased, Finish, Item, Made, Reduced, Reduction, Work};
use super::origin::Origin;
use super::phases::{Phase, Phases};
use super::sketch;
use super::tasks::Tasks;
use crate::graph::{
    Delayed, Moved, Name, Node, Outcome, Shared, Sketch, Step, Value, caught, run, typed,
};
use crate::run::{Context, Order, Pass, completed, merged, reduction};
use crate::{Progress, Result};

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

/// Bags of one origin that are combined, and what is done with the value of each.
#[derive(Default)]
pub(super) struct Group {
    /// The place of each among the items.
    items: Vec<usize>,
    bags: Vec<Arc<Reduced>>,
    finishes: Vec<Finish>,
    /// What is done at the end, for each.
    steps: Vec<Vec<Step>>,
    /// The tasks whose values any of them needs.
    needs: Vec<Arc<Node>>,
    /// The tasks that are read in place of those of the origin.
    pub(super) tasks: Option<Arc<Tasks>>,
}

/// What a lane holds: a reduction of each bag, and its state.
pub(super) struct States(Vec<(Arc<dyn Reduction>, Value)>);

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

    /// Runs everything as one graph.
    pub(super) fn run(self, context: &Context) -> Result<Values> {
        if let Some(value) = self.run_lazily(context) {
            return Ok(Values(vec![Given::Moved(value?)].into_iter()));
        }
        let (places, roots) = self.all_roots();
        Ok(self.given(&places, run(context, &roots)?))
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
        let finished = |value| caught(alone.operation, || Ok(finish(value)));
        Some(work(context).and_then(finished))
    }

    /// The tasks of all that was asked for: those of groups of items, with the places of these, and
    /// after them those of handles.
    pub(super) fn all_roots(&self) -> (Vec<Vec<usize>>, Vec<Arc<Node>>) {
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
                    Node::new(named(sketch), inputs, move |context, inputs| {
                        Ok(match (alone.work)(context, inputs.take_all())? {
                            Made::Value(value) => Moved::outcome(vec![finish(value)]),
                            Made::Tasks(last, made) => {
                                let finish = Arc::clone(&finish);
                                let made = move || Moved::outcome(vec![finish(made())]);
                                let name = Name::Only("finish");
                                Outcome::Node(Node::new(name, [last], move |_, _| Ok(made())))
                            }
                        })
                    })
                }
                Work::Task(node) => {
                    let input = [Arc::clone(node)];
                    let sketch = sketch::finish("finish", std::slice::from_ref(steps));
                    Node::new(named(sketch), input, move |_, inputs| {
                        Ok(Moved::outcome(vec![finish(Box::new(inputs.take(0)))]))
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
                Ok(Moved::outcome(vec![copy(&inputs.take(0))]))
            });
            roots.push((vec![n], copied));
        }
    }
}

fn named(sketch: Sketch) -> Name {
    Name::Sketched(Arc::new(sketch), None)
}

impl Group {
    /// The group over an origin, of these or a new one.
    fn over<'g>(groups: &'g mut Vec<Self>, origin: &Origin) -> &'g mut Self {
        let shares = |group: &Self| group.origin().shares(origin);
        let at = groups.iter().position(shares).unwrap_or_else(|| {
            groups.push(Self::default());
            groups.len() - 1
        });
        &mut groups[at]
    }

    /// Adds what combines a bag, and what is done with its result.
    pub(super) fn add(&mut self, reduced: &Arc<Reduced>, item: &Erased) {
        self.bags.push(Arc::clone(reduced));
        self.finishes.push(Arc::clone(&item.finish));
        self.steps.push(item.steps.clone());
        reduced.base.needs.iter().for_each(|task| base::add(&mut self.needs, task));
    }

    fn origin(&self) -> &Origin {
        &self.bags[0].base.origin
    }

    /// The task that makes the values of the group. It lists the origin, and then grows into the
    /// lanes that read it; the records of tasks are read as these are done.
    pub(super) fn root(self) -> Arc<Node> {
        let group = Arc::new(self);
        let bases: Vec<&Base> = group.bags.iter().map(|bag| &bag.base).collect();
        if let Origin::Tasks(tasks) = group.origin() {
            let tasks = group.tasks.as_ref().unwrap_or(tasks);
            let lanes = group.lanes_over(tasks, Arc::new(sketch::lane(&bases)));
            let needs = group.needs.clone();
            let states = merged(lanes, Arc::clone(&group), needs);
            return group.finished(completed(states, Arc::clone(&group)));
        }
        let pass = sketch::pass(&bases, group.ordered(), &group.needs);
        let mut sketch = sketch::finish("read", &group.steps);
        sketch.from = Some(vec![pass]);
        Node::new(named(sketch), group.needs.clone(), move |context, inputs| {
            let input = Arc::new(group.origin().open(context, Vec::new(), Order::Any)?);
            let states = reduction(context, input, Arc::clone(&group), inputs.take_all());
            Ok(Outcome::Node(group.finished(states)))
        })
    }

    /// A lane for each task, which feeds the records of its value to a state of its own.
    fn lanes_over(self: &Arc<Self>, tasks: &Arc<Tasks>, sketch: Arc<Sketch>) -> Vec<Arc<Node>> {
        let lanes = tasks.nodes.iter().enumerate().map(|(n, node)| {
            let (group, records) = (Arc::clone(self), tasks.records);
            let inputs = [node].into_iter().chain(&self.needs).cloned();
            let name = Name::Sketched(Arc::clone(&sketch), Some(n));
            Node::new(name, inputs, move |context, inputs| {
                let (value, shared) = (inputs.take(0), inputs.take_all());
                let mut states = group.start(context, &shared);
                for batch in records(value) {
                    if context.stop.is_set() || group.full(&states) {
                        break;
                    }
                    group.feed(context, &shared, &mut states, Chunk::Records(batch))?;
                }
                Ok(Moved::outcome(states))
            })
        });
        lanes.collect()
    }

    /// The task that makes values of the states of all.
    fn finished(self: &Arc<Self>, states: Arc<Node>) -> Arc<Node> {
        let group = Arc::clone(self);
        let sketch = sketch::finish("finish", &group.steps);
        Node::new(named(sketch), [states], move |_, inputs| {
            let States(states) = Moved::out_of(inputs.take(0));
            let finishes = states.into_iter().zip(&group.finishes);
            let values = finishes.map(|((r, state), finish)| finish(r.finish(state)));
            Ok(Moved::outcome(values.collect::<Vec<Value>>()))
        })
    }

    fn env<'a>(&'a self, progress: &'a Progress, shared: &'a [Shared]) -> Env<'a> {
        Env { progress, needs: &self.needs, values: shared }
    }
}

/// One pass that feeds each chunk to all of the group's reductions.
impl Pass<Chunk> for Group {
    type State = States;

    fn ordered(&self) -> bool {
        self.bags.iter().any(|bag| bag.ordered)
    }

    fn start(&self, context: &Context, shared: &[Shared]) -> States {
        let env = self.env(&context.progress, shared);
        let started = self.bags.iter().map(|bag| {
            let reduction = (bag.make)(&env);
            let state = reduction.start();
            (reduction, state)
        });
        States(started.collect())
    }

    fn emptied(&self, states: &States) -> States {
        let reductions = states.0.iter().map(|(reduction, _)| Arc::clone(reduction));
        States(reductions.map(|reduction| (Arc::clone(&reduction), reduction.start())).collect())
    }

    fn feed(
        &self,
        context: &Context,
        shared: &[Shared],
        states: &mut States,
        mut chunk: Chunk,
    ) -> Result<()> {
        context.read(|| self.origin().amount(&chunk));
        // What is told of a record is told once, by the first that reads it.
        let told = Progress::default();
        let (first, others) = (self.env(&context.progress, shared), self.env(&told, shared));
        // The task is named by the engine.
        chunk.with("", |chunk| {
            states.0.iter_mut().enumerate().try_for_each(|(n, (reduction, state))| {
                reduction.feed(state, chunk, if n == 0 { &first } else { &others })
            })
        })
    }

    fn full(&self, states: &States) -> bool {
        states.0.iter().all(|(reduction, state)| reduction.full(state))
    }

    fn merge(&self, into: &mut States, from: States) {
        for ((reduction, into), (_, from)) in into.0.iter_mut().zip(from.0) {
            reduction.merge(into, from);
        }
    }

    fn weight(&self, states: &States) -> usize {
        states.0.iter().map(|(reduction, state)| reduction.weight(state)).sum()
    }

    fn held(&self, states: &States) -> usize {
        states.0.iter().map(|(reduction, state)| reduction.held(state)).sum()
    }

    fn parts(&self, states: States, bits: u32) -> Vec<States> {
        let mut parts: Vec<_> = (0..1 << bits).map(|_| States(Vec::new())).collect();
        for (reduction, state) in states.0 {
            for (part, state) in parts.iter_mut().zip(reduction.parts(state, bits)) {
                part.0.push((Arc::clone(&reduction), state));
            }
        }
        parts
    }

    fn join(&self, parts: Vec<States>) -> States {
        let mut parts: Vec<_> =
            parts.into_iter().map(|States(states)| states.into_iter()).collect();
        let joined = self.bags.iter().filter_map(|_| {
            let of_all: Vec<_> = parts.iter_mut().filter_map(Iterator::next).collect();
            let reduction = Arc::clone(&of_all.first()?.0);
            let state = reduction.join(of_all.into_iter().map(|(_, state)| state).collect());
            Some((reduction, state))
        });
        States(joined.collect())
    }

    fn settle(&self, _: &Context, mut states: States) -> Result<States> {
        states.0.iter_mut().for_each(|(reduction, state)| reduction.complete(state));
        Ok(states)
    }

    fn save(&self, states: &States, bytes: &mut Vec<u8>) -> bool {
        // Each behind its length, which is known once it is written.
        let start = bytes.len();
        let all = states.0.iter().all(|(reduction, state)| {
            let at = bytes.len();
            bytes.extend([0; size_of::<u64>()]);
            let has_form = reduction.save(state, bytes);
            let len = (bytes.len() - at - size_of::<u64>()) as u64;
            bytes[at..][..size_of::<u64>()].copy_from_slice(&len.to_le_bytes());
            has_form
        });
        if !all {
            bytes.truncate(start);
        }
        all
    }

    fn load(&self, into: &mut States, mut bytes: &[u8]) -> bool {
        let mut next = || {
            let (len, rest) = bytes.split_first_chunk()?;
            let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
            let (state, rest) = rest.split_at_checked(len)?;
            bytes = rest;
            Some(state)
        };
        let all = into
            .0
            .iter_mut()
            .all(|(reduction, state)| next().is_some_and(|bytes| reduction.load(state, bytes)));
        all && bytes.is_empty()
    }
}
