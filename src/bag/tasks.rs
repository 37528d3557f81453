//! Bags whose partitions are the values of tasks: as handles again, and record after record.

use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Bag;
use super::chain::{Batch, Chunk};
use super::phases::Phase;
use crate::graph::{Delayed, Moved, Name, Node, Outcome, Shared, Sketch, take_in_turn};
use crate::run::Context;
use crate::{Error, Result};

/// Tasks whose values hold records: one a partition.
pub(super) struct Tasks {
    pub(super) nodes: Vec<Arc<Node>>,
    /// The records of a value, in batches.
    pub(super) records: fn(Shared) -> Box<dyn Iterator<Item = Batch> + Send>,
    /// The item whose value the only one is, if it is one.
    pub(super) phase: Option<Box<Phase>>,
}

/// How many partitions for each thread may be under way, or wait to be taken: one that is slow does
/// not stop the others at once, and what is done in vain for a taker that has enough is little.
const PARTITIONS_AHEAD: usize = 2;

/// Records of a partition that are made before it is their turn: all of most, but a value's
/// iterator may have no end.
const RECORDS_AHEAD: usize = 1 << 18;

/// Records of a partition: those that are made, and what the others are made of.
struct Part<T> {
    made: Vec<T>,
    /// How many are of use.
    most: usize,
    rest: Box<dyn Iterator<Item = Batch> + Send>,
    shared: Vec<Shared>,
}

impl<T: Send + Sync + 'static> Bag<T> {
    /// The handles of a bag that is made of handles.
    pub(super) fn over(&self, tasks: &Arc<Tasks>) -> Vec<Delayed<Vec<T>>> {
        let sketch = self.base.partition();
        let all =
            self.parts(tasks, sketch, usize::MAX, |bag: &Self, context: &Context, mut part| {
                bag.make(context, &mut part, usize::MAX)?;
                Ok(Outcome::value(part.made))
            });
        all.map(Delayed::of).collect()
    }
}

impl<T: Send + 'static> Bag<T> {
    /// Gives `take` the records of the tasks' values, in order, until it breaks. What it does not
    /// come to is not computed, but for a few partitions. More than `most` it does not take.
    pub(super) fn each_task(
        &self,
        context: &Context,
        tasks: &Arc<Tasks>,
        (name, most): (&'static str, usize),
        mut take: impl FnMut(&Context, Vec<T>) -> Result<ControlFlow<()>> + Send + 'static,
    ) -> Result<()> {
        let parts = self.parts(
            tasks,
            self.base.part(),
            most,
            move |bag: &Self, context: &Context, mut part| {
                bag.make(context, &mut part, most.min(RECORDS_AHEAD))?;
                Ok(Moved::outcome(part))
            },
        );
        let bag = self.clone();
        let ahead = PARTITIONS_AHEAD * context.threads.max(1);
        let handles = Arc::clone(tasks);
        let over = move |n: usize| handles.nodes.get(n).cloned();
        take_in_turn(context, (name, ahead), over, parts, &self.base.needs, move |context, part| {
            let mut part: Part<T> = Moved::out_of(part);
            loop {
                bag.make(context, &mut part, 1)?;
                if part.made.is_empty() {
                    return Ok(ControlFlow::Continue(()));
                }
                if take(context, std::mem::take(&mut part.made))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        })
    }

    /// A task over each task's value, which is given that as a part.
    fn parts(
        &self,
        tasks: &Arc<Tasks>,
        sketch: Sketch,
        most: usize,
        work: impl Fn(&Self, &Context, Part<T>) -> Result<Outcome> + Clone + Send + Sync + 'static,
    ) -> impl Iterator<Item = Arc<Node>> + Send + 'static {
        let (sketch, records) = (Arc::new(sketch), tasks.records);
        let (bag, tasks) = (self.clone(), Arc::clone(tasks));
        (0..tasks.nodes.len()).map(move |n| {
            let (bag, work) = (bag.clone(), work.clone());
            let inputs = [&tasks.nodes[n]].into_iter().chain(&bag.base.needs);
            let inputs: SmallVec<[_; 4]> = inputs.cloned().collect();
            let name = Name::Sketched(Arc::clone(&sketch), Some(n));
            Node::new(name, inputs, move |context, inputs| {
                let (rest, shared) = (records(inputs.take(0)), inputs.take_all());
                work(&bag, context, Part { made: Vec::new(), most, rest, shared })
            })
        })
    }

    /// Makes records of a part until so many are there, or no more can be.
    fn make(&self, context: &Context, part: &mut Part<T>, enough: usize) -> Result<()> {
        while part.made.len() < enough
            && let Some(batch) = part.rest.next()
        {
            if context.stop.is_set() {
                return Err(Error::Cancelled);
            }
            let Part { made, most, shared, .. } = part;
            self.append(context, shared, Chunk::Records(batch), *most, made)?;
        }
        Ok(())
    }
}
