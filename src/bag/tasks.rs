//! Bags whose partitions are the values of tasks: as handles again, and record after record.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::Bag;
use super::chain::{BatchIter, Chunk};
use super::memory::Pace;
use super::origin::Chunks;
use super::phases::Phase;
use super::stream::Given;
use crate::graph::{Delayed, Moved, Name, Node, Outcome, Shared, Sketch, take_in_turn};
use crate::run::Context;
use crate::{Error, Result};

/// Tasks whose values hold records: one a partition.
pub(super) struct Tasks {
    pub(super) nodes: Vec<Arc<Node>>,
    /// The records of a value, in batches.
    pub(super) records: fn(Shared, Arc<Pace>) -> BatchIter,
    /// The item whose value the only one is, if it is one.
    pub(super) phase: Option<Box<Phase>>,
}

/// Reads the values of tasks. All values share one measure of the time that a record takes.
#[derive(Clone)]
pub(super) struct TaskReader {
    records: fn(Shared, Arc<Pace>) -> BatchIter,
    pace: Arc<Pace>,
}

impl Tasks {
    pub(super) fn reader(&self) -> TaskReader {
        TaskReader { records: self.records, pace: Arc::default() }
    }
}

impl TaskReader {
    /// The records of a value, in batches.
    pub(super) fn open(&self, value: Shared) -> BatchIter {
        (self.records)(value, Arc::clone(&self.pace))
    }
}

/// How long a task works on a value alone, before lanes on all threads help: so long that a lane a thread
/// costs nothing beside it. Where there are no more values than threads, they help from the first record on.
pub(super) struct Alone(Option<Instant>);

/// How many partitions for each thread may be under way, or wait to be taken: one that is slow does
/// not stop the others at once, and what is done in vain for a taker that has enough is little.
const PARTITIONS_AHEAD: usize = 2;

impl Alone {
    const TIME: Duration = Duration::from_millis(2);

    /// Begins with one of so many values.
    pub(super) fn new(values: usize, threads: usize) -> Self {
        let time = match threads {
            0 | 1 => return Self(None),
            _ if values <= threads => Duration::ZERO,
            _ => Self::TIME,
        };
        Self(Some(Instant::now() + time))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// Records of a partition: those that are made, why no more can be, and what the others are made of.
struct Part<T> {
    number: usize,
    made: Vec<T>,
    failed: Option<Error>,
    rest: Option<BatchIter>,
    shared: Vec<Shared>,
}

impl<T: Send + Sync + 'static> Bag<T> {
    /// The handles of a bag that is made of handles.
    pub(super) fn over(&self, tasks: &Arc<Tasks>) -> Vec<Delayed<Vec<T>>> {
        let sketch = self.base.partition();
        let all = self.parts(tasks, sketch, |bag: &Self, context: &Context, mut part| {
            bag.make(context, &mut part, usize::MAX, &Alone(None));
            part.failed.map_or_else(|| Ok(Outcome::value(part.made)), Err)
        });
        all.map(Delayed::of).collect()
    }
}

impl<T: Send + 'static> Bag<T> {
    /// Gives `take` the records of the tasks' values, in order, until it breaks. What it does not
    /// come to is not computed, but for a few partitions. More than `most` it does not take.
    ///
    /// Of the few partitions ahead the first records are made, so that many that are short are made side by
    /// side. All threads make what is left of the one whose turn it is.
    pub(super) fn each_task(
        &self,
        context: &Context,
        tasks: &Arc<Tasks>,
        (name, most): (&'static str, usize),
        take: impl FnMut(&Context, Given<T>) -> Result<ControlFlow<()>> + Send + 'static,
    ) -> Result<()> {
        let values = tasks.nodes.len();
        let parts = self.parts(tasks, self.base.part(), move |bag: &Self, context, mut part| {
            // At its turn one thread makes as much as can wait, and then more.
            let alone = Alone::new(values, context.threads.max(2));
            bag.make(context, &mut part, most, &alone);
            Ok(Moved::outcome(part))
        });
        let bag = self.clone();
        let ahead = PARTITIONS_AHEAD * context.threads.max(1);
        let handles = Arc::clone(tasks);
        let over = move |n: usize| handles.nodes.get(n).cloned();
        let take = Arc::new(Mutex::new(take));
        take_in_turn(context, (name, ahead), over, parts, &self.base.needs, move |context, part| {
            let Part { number, made, failed, rest, shared } = Moved::<Part<T>>::out_of(part);
            if !made.is_empty() {
                // Never contended: they take turns.
                let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
                if take(context, Given { records: made, text: 0 })?.is_break() {
                    return Ok(Outcome::value(ControlFlow::<()>::Break(())));
                }
            }
            match (failed, rest) {
                (Some(error), _) => Err(error),
                (None, None) => Ok(Outcome::value(ControlFlow::<()>::Continue(()))),
                (None, Some(rest)) => {
                    bag.each_of_rest(context, rest, shared, (number, most), &take)
                }
            }
        })
    }

    /// The tasks that give `take` the records of batches, in order, until it breaks. The last of them says
    /// whether it has.
    fn each_of_rest<F>(
        &self,
        context: &Context,
        rest: BatchIter,
        shared: Vec<Shared>,
        (number, most): (usize, usize),
        take: &Arc<Mutex<F>>,
    ) -> Result<Outcome>
    where
        F: FnMut(&Context, Given<T>) -> Result<ControlFlow<()>> + Send + 'static,
    {
        let (take, broke) = (Arc::clone(take), Arc::new(AtomicBool::new(false)));
        let breaks = Arc::clone(&broke);
        let sink = move |context: &Context, records| {
            let flow = take.lock().unwrap_or_else(PoisonError::into_inner)(context, records)?;
            breaks.store(flow.is_break(), Relaxed);
            Ok(flow)
        };
        let input = Arc::new(Chunks::rest(rest));
        let last = self.each_chunk(context, input, shared, (name_of(number), most), sink);
        Ok(Outcome::Node(Node::new(Name::Only("end"), [last], move |_, _| {
            let flow = if broke.load(Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            };
            Ok(Outcome::value(flow))
        })))
    }

    /// A task over each task's value, which is given that as a part.
    fn parts(
        &self,
        tasks: &Arc<Tasks>,
        sketch: Sketch,
        work: impl Fn(&Self, &Context, Part<T>) -> Result<Outcome> + Clone + Send + Sync + 'static,
    ) -> impl Iterator<Item = Arc<Node>> + Send + 'static {
        let (sketch, reader) = (Arc::new(sketch), tasks.reader());
        let (bag, tasks) = (self.clone(), Arc::clone(tasks));
        (0..tasks.nodes.len()).map(move |n| {
            let (bag, work, reader) = (bag.clone(), work.clone(), reader.clone());
            let inputs = [&tasks.nodes[n]].into_iter().chain(&bag.base.needs);
            let inputs: SmallVec<[_; 4]> = inputs.cloned().collect();
            let name = Name::Sketched(Arc::clone(&sketch), Some(n));
            Node::new(name, inputs, move |context, inputs| {
                let (rest, shared) = (Some(reader.open(inputs.take(0))), inputs.take_all());
                let (made, failed) = (Vec::new(), None);
                work(&bag, context, Part { number: n, made, failed, rest, shared })
            })
        })
    }

    /// Makes records of a part: so many, as long as it may work alone, or all.
    fn make(&self, context: &Context, part: &mut Part<T>, most: usize, alone: &Alone) {
        while part.made.len() < most && part.failed.is_none() && !alone.is_over() {
            let Some(batch) = part.rest.as_mut().and_then(Iterator::next) else {
                part.rest = None;
                return;
            };
            let appended = match context.stop.is_set() {
                true => Err(Error::Cancelled),
                false => batch.and_then(|batch| {
                    let chunk = Chunk::Records(batch);
                    self.append(context, &part.shared, chunk, most, &mut part.made)
                }),
            };
            let named = |error: Error| error.in_task(|| (name_of(part.number), String::new()));
            part.failed = appended.err().map(named);
        }
    }
}

/// The name of a partition in errors.
fn name_of(number: usize) -> String {
    format!("partition {number}")
}
