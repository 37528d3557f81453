//! The reductions of one origin as one pass: each chunk is fed to all of them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::base::{self, Base, ValueForm};
use super::broadcast::Env;
use super::chain::Chunk;
use super::item::{Erased, Finish, Reduced, Spills};
use super::origin::{Chunks, Origin};
#[cfg(feature = "cli")]
use super::pass;
use super::reduction::Reduction;
use super::sketch;
use super::tasks::{Alone, Tasks};
use crate::graph::{Moved, Name, Node, Outcome, Shared, Sketch, Step, Value};
use crate::run::{Context, Held, Order, Pass, continued, fed, of_tasks, reduction, unfit};
use crate::spill::Budget;
use crate::{Error, Progress, Result};

/// Bags of one origin that are combined, and what is done with the value of each.
#[derive(Default)]
pub(super) struct Group {
    /// The place of each among the items.
    pub(super) items: Vec<usize>,
    pub(super) bags: Vec<Arc<Reduced>>,
    finishes: Vec<Finish>,
    /// The steps at the end, for each.
    steps: Vec<Vec<Step>>,
    /// The tasks whose values any of them needs.
    pub(super) needs: Vec<Arc<Node>>,
    /// How the value of each goes to another process.
    pub(super) forms: Vec<ValueForm>,
    /// True for each whose states are known to have no form for the disk, or that spill by themselves.
    formless: Vec<AtomicBool>,
    /// The tasks that are read in place of those of the origin.
    pub(super) tasks: Option<Arc<Tasks>>,
}

/// The length of a state that was not saved.
const ABSENT: u64 = u64::MAX;

/// The reduction of each bag with its state. A state is missing where the others were moved out to be spilled, and it
/// has no form for the disk.
pub(super) struct States(pub(super) Vec<(Arc<dyn Reduction>, Option<Value>)>);

impl States {
    /// The states that are here, each with its reduction.
    fn present(&self) -> impl Iterator<Item = (&dyn Reduction, &Value)> {
        self.0.iter().filter_map(|(reduction, state)| Some((&**reduction, state.as_ref()?)))
    }
}

impl Group {
    /// The group over an origin, of these or a new one.
    pub(super) fn over<'g>(groups: &'g mut Vec<Self>, origin: &Origin) -> &'g mut Self {
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
        self.formless.push(AtomicBool::new(reduced.spills == Spills::ByItself));
        for (task, form) in reduced.base.needs.iter().zip(&reduced.base.forms) {
            if base::add(&mut self.needs, task) {
                self.forms.push(*form);
            }
        }
    }

    pub(super) fn origin(&self) -> &Origin {
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
            return group.finished(of_tasks(lanes, Arc::clone(&group), needs));
        }
        let pass = sketch::pass(&bases, group.ordered(), &group.needs);
        let mut sketch = sketch::finish("read", &group.steps);
        sketch.from = Some(vec![pass]);
        #[cfg(feature = "cli")]
        let pass: Option<Shared> =
            matches!(group.origin(), Origin::Text(_)).then(|| Arc::clone(&group) as Shared);
        let root = Node::new(sketch::named(sketch), group.needs.clone(), move |context, inputs| {
            let shared = inputs.take_all();
            #[cfg(feature = "cli")]
            if let Some(states) = pass::made_elsewhere(context, &group, &shared) {
                return Ok(Outcome::Node(group.finished(states)));
            }
            let input = Arc::new(group.origin().open(context, Vec::new(), Order::Any)?);
            let states = reduction(context, input, Arc::clone(&group), shared);
            Ok(Outcome::Node(group.finished(states)))
        });
        #[cfg(feature = "cli")]
        if let Some(pass) = pass {
            return root.of_pass(pass);
        }
        root
    }

    /// A lane for each task, which feeds the records of its value to a state of its own; lanes on all threads
    /// feed those of a value that takes long.
    fn lanes_over(self: &Arc<Self>, tasks: &Arc<Tasks>, sketch: Arc<Sketch>) -> Vec<Arc<Node>> {
        let (values, reader) = (tasks.nodes.len(), tasks.reader());
        let left = Arc::new(AtomicUsize::new(values));
        let lanes = tasks.nodes.iter().enumerate().map(|(n, node)| {
            let (group, reader, left) = (Arc::clone(self), reader.clone(), Arc::clone(&left));
            let inputs = [node].into_iter().chain(&self.needs).cloned();
            let name = Name::Sketched(Arc::clone(&sketch), Some(n));
            Node::new(name, inputs, move |context, inputs| {
                let (value, shared) = (inputs.take(0), inputs.take_all());
                let mut held = Held::all(group.start(context, &shared));
                let mut batches = reader.open(value);
                let alone = Alone::new(values, context.threads);
                left.fetch_sub(1, Relaxed);
                // While there are many that nobody has begun, they are work for the other threads.
                let are_many = || values > context.threads && left.load(Relaxed) > 0;
                // Lanes begin with empty states, so a state that may become full keeps its value once it has seen
                // records.
                let (mut has_seen, may_fill) = (false, group.may_fill(&held.state));
                while are_many() || has_seen && may_fill || !alone.is_over() {
                    let batch = if group.full(&held.state) { None } else { batches.next() };
                    let Some(batch) = batch.filter(|_| !context.stop.is_set()) else {
                        return Ok(fed(held));
                    };
                    has_seen = true;
                    group.feed(context, &shared, &mut held.state, Chunk::Records(batch?))?;
                    held.weigh(context, &*group)?;
                }
                let rest = Arc::new(Chunks::rest(batches));
                Ok(Outcome::Node(continued(context, held, rest, &group, shared)))
            })
        });
        lanes.collect()
    }

    /// The task that makes values of the states of all.
    fn finished(self: &Arc<Self>, states: Arc<Node>) -> Arc<Node> {
        let group = Arc::clone(self);
        let sketch = sketch::finish("finish", &group.steps);
        Node::new(sketch::named(sketch), [states], move |context, inputs| {
            let states: States = Moved::out_of(inputs.take(0));
            // States that wait for their turn hold memory too.
            let held = |(reduction, state): &(Arc<dyn Reduction>, Option<Value>)| {
                state.as_ref().map_or(0, |state| reduction.held(state) as u64)
            };
            let mut waits: u64 = states.0.iter().map(held).sum();
            let mut reserved = context.budget.as_ref().map(|budget| budget.reserve(waits));
            let finishes = states.0.into_iter().zip(&group.finishes);
            let values = finishes.map(|(state, finish)| {
                waits -= held(&state);
                reserved.iter_mut().for_each(|reserved| reserved.set(waits));
                let (reduction, state) = state;
                let state = state.unwrap_or_else(|| reduction.start());
                finish(reduction.finish(context, state)?)
            });
            Ok(Moved::outcome(values.collect::<Result<Vec<Value>>>()?))
        })
    }

    pub(super) fn env<'a>(&'a self, progress: &'a Progress, shared: &'a [Shared]) -> Env<'a> {
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
            (reduction, Some(state))
        });
        States(started.collect())
    }

    fn emptied(&self, states: &States) -> States {
        let reductions = states.0.iter().map(|(reduction, _)| Arc::clone(reduction));
        States(
            reductions.map(|reduction| (Arc::clone(&reduction), Some(reduction.start()))).collect(),
        )
    }

    fn feed(
        &self,
        context: &Context,
        shared: &[Shared],
        states: &mut States,
        mut chunk: Chunk,
    ) -> Result<()> {
        context.read(|| self.origin().amount(&chunk));
        // The first reduction reports problems of a record; the others would report them again.
        let told = Progress::default();
        let (first, others) = (self.env(&context.progress, shared), self.env(&told, shared));
        // The task is named by the engine.
        chunk.with("", |chunk| {
            states.0.iter_mut().enumerate().try_for_each(|(n, (reduction, state))| {
                let state = state.get_or_insert_with(|| reduction.start());
                reduction.feed(state, chunk, if n == 0 { &first } else { &others })
            })
        })
    }

    fn full(&self, states: &States) -> bool {
        let is_full = |(reduction, state): &(Arc<dyn Reduction>, Option<Value>)| {
            state.as_ref().is_some_and(|state| reduction.full(state))
        };
        states.0.iter().all(is_full)
    }

    fn may_fill(&self, states: &States) -> bool {
        states.0.iter().all(|(reduction, _)| reduction.stops())
    }

    fn give_up(&self, states: &States) -> bool {
        states.0.iter().fold(false, |any, (reduction, _)| any | reduction.give_up())
    }

    fn merge(&self, into: &mut States, from: States) {
        for ((reduction, into), (_, from)) in into.0.iter_mut().zip(from.0) {
            match (into.as_mut(), from) {
                (Some(into), Some(from)) => reduction.merge(into, from),
                (None, from) => *into = from,
                (Some(_), None) => {}
            }
        }
    }

    fn weight(&self, states: &States) -> usize {
        states.present().map(|(reduction, state)| reduction.weight(state)).sum()
    }

    fn held(&self, states: &States) -> usize {
        states.present().map(|(reduction, state)| reduction.held(state)).sum()
    }

    fn parts(&self, states: States, bits: u32) -> Vec<States> {
        let mut parts: Vec<_> = (0..1 << bits).map(|_| States(Vec::new())).collect();
        for (reduction, state) in states.0 {
            let cut = state.map(|state| reduction.parts(state, bits));
            let mut cut = cut.map(Vec::into_iter);
            for part in &mut parts {
                part.0.push((Arc::clone(&reduction), cut.as_mut().and_then(Iterator::next)));
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
            let states: Vec<Value> = of_all.into_iter().filter_map(|(_, state)| state).collect();
            let state = (!states.is_empty()).then(|| reduction.join(states));
            Some((reduction, state))
        });
        States(joined.collect())
    }

    fn joint_weight(&self, states: &States) -> usize {
        let kinds = self.bags.iter().map(|bag| bag.spills);
        let weights = states.0.iter().zip(kinds).map(|((reduction, state), spills)| match state {
            Some(state) if spills == Spills::Parts => reduction.held(state),
            Some(state) => reduction.weight(state),
            None => 0,
        });
        weights.sum()
    }

    fn seal(&self, states: &mut States) {
        let present = states.0.iter_mut();
        present.for_each(|(reduction, state)| {
            state.iter_mut().for_each(|state| reduction.seal(state));
        });
    }

    fn settles(&self, states: &States) -> bool {
        // The results of the others stay in memory, into however many parts they are cut.
        let bags = self.bags.iter().zip(&states.0);
        let settled = bags.filter(|(bag, _)| bag.spills == Spills::Parts);
        let settled = settled
            .map(|(_, (reduction, state))| state.as_ref().map_or(0, |state| reduction.held(state)));
        let settled: usize = settled.sum();
        settled > 0 && settled >= self.held(states) / 2
    }

    fn settle(&self, context: &Context, mut states: States) -> Result<States> {
        for (reduction, state) in &mut states.0 {
            if let Some(state) = state {
                reduction.settle(context, state)?;
            }
        }
        Ok(states)
    }

    fn spill(&self, states: &mut States, budget: &Budget) -> Result<bool> {
        /// A state that is a smaller part of all, or of the largest, is spilled when there is more of it.
        const PART: usize = 4;
        let all = self.held(states);
        let by_itself = self.bags.iter().zip(&states.0).map(|(bag, (reduction, state))| {
            let state = state.as_ref().filter(|_| bag.spills == Spills::ByItself);
            state.map_or(0, |state| reduction.held(state))
        });
        let least = by_itself.max().unwrap_or(0).min(all / PART).max(1);
        let mut has_spilled = false;
        for (reduction, state) in &mut states.0 {
            if let Some(state) = state.as_mut().filter(|state| reduction.held(state) >= least) {
                has_spilled |= reduction.spill(state, budget)?;
            }
        }
        Ok(has_spilled)
    }

    fn unfit(&self, _: &Context, states: &States, budget: &Budget) -> Error {
        let needs_form = self.bags.iter().any(|bag| bag.spills == Spills::NeedsForm);
        let remedy = match needs_form {
            true => {
                "; records that are sorted or made distinct have one if `HAS_FORM` of `operators::Spill` is true for their type"
            }
            false => "",
        };
        unfit("lane", self.held(states), budget, remedy)
    }

    fn detach(&self, states: &mut States) -> Option<States> {
        let is_formless = || self.formless.iter().map(|formless| formless.load(Relaxed));
        if is_formless().all(|is_formless| is_formless) {
            return None;
        }
        let detached = states.0.iter_mut().zip(is_formless()).map(|((reduction, state), stays)| {
            let moved = if stays { None } else { state.replace(reduction.start()) };
            (Arc::clone(reduction), moved)
        });
        Some(States(detached.collect()))
    }

    fn detaches_less(&self) -> bool {
        true
    }

    fn spilled(&self, states: &States) -> States {
        let spilled = states.0.iter().zip(&self.formless).map(|((reduction, _), formless)| {
            let is_saved = !formless.load(Relaxed);
            (Arc::clone(reduction), is_saved.then(|| reduction.start()))
        });
        States(spilled.collect())
    }

    fn save(&self, states: &States, bytes: &mut Vec<u8>) -> bool {
        // Each behind its length, which is known once it is written.
        let start = bytes.len();
        for ((reduction, state), formless) in states.0.iter().zip(&self.formless) {
            let at = bytes.len();
            bytes.extend(ABSENT.to_le_bytes());
            let Some(state) = state else { continue };
            if !reduction.save(state, bytes) {
                formless.store(true, Relaxed);
                bytes.truncate(start);
                return false;
            }
            let len = (bytes.len() - at - size_of::<u64>()) as u64;
            bytes[at..][..size_of::<u64>()].copy_from_slice(&len.to_le_bytes());
        }
        true
    }

    fn load(&self, into: &mut States, mut bytes: &[u8]) -> bool {
        for (reduction, into) in &mut into.0 {
            let Some((len, rest)) = bytes.split_first_chunk() else { return false };
            bytes = rest;
            let len = u64::from_le_bytes(*len);
            if len == ABSENT {
                continue;
            }
            let len = usize::try_from(len).ok();
            let Some((state, rest)) = len.and_then(|len| bytes.split_at_checked(len)) else {
                return false;
            };
            bytes = rest;
            if !reduction.load(into.get_or_insert_with(|| reduction.start()), state) {
                return false;
            }
        }
        bytes.is_empty()
    }
}
