//! The combiner of sorts: sorted runs of neighbouring records, in memory or in the temporary file.
//!
//! A state has runs in the order of the input, and unsorted records behind them. Lanes sort what they have fed,
//! side by side, and neighbours that have few records are sorted together. A state that spills merges its runs
//! in memory into one run of the file. Equal records keep the order of the input, as it is that of the runs. In
//! the end all runs in memory are merged into one, or those of the file are read side by side.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::{Combiner, Feed, Spill};

use super::base::Base;
use super::broadcast::Env;
use super::chain::{Chunk, Stage};
use super::item::{Item, Reduced, Spills};
use super::merging::{merged, merged_on_threads};
use super::ordered::{Memory, Ordered, RecordIter, Source};
#[cfg(feature = "cli")]
use super::reduction::Pieces;
use super::reduction::{Feeding, Reduction};
use crate::Result;
use crate::graph::Value;
use crate::run::Context;
use crate::spill::{Budget, Head, MergedRecords, RecordRun, reduce_runs};

/// Unsorted records that are put together, so that none of many small states is sorted by itself.
const FEW: usize = if cfg!(test) { 8 } else { 64 << 10 };

/// The first records that are wanted are told from the others when there are as many of these, at least.
const LEAST: usize = if cfg!(test) { 4 } else { 1 << 10 };

/// What states hold: sorted runs, and records behind them.
pub(super) struct Unsorted<T> {
    runs: Vec<Run<T>>,
    tail: Vec<T>,
    /// The bytes that records of the tail point to.
    heap: usize,
}

/// Sorted records of neighbouring places in the input.
enum Run<T> {
    Held { records: Vec<T>, heap: usize },
    Spilled(RecordRun<T>),
}

impl<T> Default for Unsorted<T> {
    fn default() -> Self {
        Self { runs: Vec::new(), tail: Vec::new(), heap: 0 }
    }
}

/// The bytes that some records take, with those that it takes to sort them.
fn held<T>(records: &Vec<T>, heap: usize) -> usize {
    (records.capacity() + records.len() / 2) * size_of::<T>() + heap
}

impl<T> Unsorted<T> {
    fn held(&self) -> usize {
        let runs = self.runs.iter().map(|run| match run {
            Run::Held { records, heap } => held(records, *heap),
            Run::Spilled(_) => 0,
        });
        runs.sum::<usize>() + held(&self.tail, self.heap)
    }

    fn has_spilled(&self) -> bool {
        self.runs.iter().any(|run| matches!(run, Run::Spilled(_)))
    }

    /// The bytes that it takes to make one run of all that is in memory.
    fn merging(&self) -> usize {
        let runs = self.runs.len() + usize::from(!self.tail.is_empty());
        self.held() * runs.clamp(1, 2)
    }
}

/// The records of runs in memory.
fn records_of<T>(runs: Vec<Run<T>>) -> Vec<Vec<T>> {
    let held = runs.into_iter().filter_map(|run| match run {
        Run::Held { records, .. } => Some(records),
        Run::Spilled(_) => None,
    });
    held.collect()
}

/// The bytes that records point to.
fn heap_of<T: Spill>(records: &[T]) -> usize {
    records.iter().map(T::heap_size).sum()
}

/// Puts records in the order of a comparison.
pub(super) struct Sorting<T, C> {
    compare: Arc<C>,
    /// The most records that are wanted.
    most: usize,
    records: PhantomData<fn() -> T>,
}

impl<T: Spill, C: Fn(&T, &T) -> Ordering + Send + Sync + 'static> Sorting<T, C> {
    /// Sorts the tail, of which those are left that are wanted.
    fn sort_tail(&self, state: &mut Unsorted<T>) {
        state.tail.sort_by(&*self.compare);
        if state.tail.len() > self.most {
            state.tail.truncate(self.most);
            state.heap = heap_of(&state.tail);
        }
    }

    /// Makes the tail a run.
    fn end_tail(&self, state: &mut Unsorted<T>) {
        if !state.tail.is_empty() {
            self.sort_tail(state);
            let records = std::mem::take(&mut state.tail);
            let heap = std::mem::take(&mut state.heap);
            state.runs.push(Run::Held { records, heap });
        }
    }

    /// Leaves the records that are wanted of those in memory behind the last run in the file, if these are many.
    fn keep_wanted(&self, state: &mut Unsorted<T>) {
        let held = |run: &Run<T>| match run {
            Run::Held { records, .. } => Some(records.len()),
            Run::Spilled(_) => None,
        };
        let behind = state.runs.iter().rev().map_while(held);
        let (runs, records) = behind.fold((0, 0), |(runs, all), records| (runs + 1, all + records));
        if (records + state.tail.len()) / 2 < self.most.max(LEAST) {
            return;
        }
        let runs = runs + usize::from(!state.tail.is_empty());
        self.end_tail(state);
        let behind = state.runs.split_off(state.runs.len() - runs);
        let records = merged(records_of(behind), self.most, &*self.compare);
        let heap = heap_of(&records);
        state.runs.push(Run::Held { records, heap });
    }

    /// Writes runs in memory as one.
    fn write(&self, held: &mut Vec<Head<T>>, budget: &Budget) -> Result<RecordRun<T>> {
        let merged = MergedRecords::new(std::mem::take(held), &*self.compare, None)?;
        RecordRun::write(budget, merged.take(self.most))
    }

    /// Spills all that is in memory.
    fn spill_all(&self, state: &mut Unsorted<T>, budget: &Budget) -> Result<()> {
        self.sort_tail(state);
        state.heap = 0;
        let tail = Run::Held { records: std::mem::take(&mut state.tail), heap: 0 };
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for run in std::mem::take(&mut state.runs).into_iter().chain([tail]) {
            match run {
                Run::Held { records, .. } if records.is_empty() => {}
                Run::Held { records, .. } => held.push(Head::Held(records.into_iter())),
                spilled @ Run::Spilled(_) => {
                    if !held.is_empty() {
                        kept.push(Run::Spilled(self.write(&mut held, budget)?));
                    }
                    kept.push(spilled);
                }
            }
        }
        if !held.is_empty() {
            kept.push(Run::Spilled(self.write(&mut held, budget)?));
        }
        state.runs = kept;
        Ok(())
    }

    /// All records in order.
    fn finished(&self, context: &Context, mut state: Unsorted<T>) -> Result<Ordered<T>> {
        let Some(budget) = &context.budget else {
            return Ok(Ordered::Held(self.merged(context, state)?, None));
        };
        let (mut reserved, needs) = (budget.reserve(0), state.merging() as u64);
        let fits = !state.has_spilled() && reserved.try_grow(needs);
        if T::HAS_FORM && !fits {
            self.spill_all(&mut state, budget)?;
            return self.in_file(budget, state);
        }
        // What has no form in bytes is merged all the same: it is there.
        reserved.set(needs);
        let records = self.merged(context, state)?;
        reserved.set(held(&records, heap_of(&records)) as u64);
        Ok(Ordered::Held(records, Some(Memory::new(budget, reserved))))
    }

    /// All records in memory in order.
    fn merged(&self, context: &Context, mut state: Unsorted<T>) -> Result<Vec<T>> {
        self.end_tail(&mut state);
        merged_on_threads(context, records_of(state.runs), self.most, &self.compare)
    }

    fn in_file(&self, budget: &Arc<Budget>, state: Unsorted<T>) -> Result<Ordered<T>> {
        let runs = state.runs.into_iter().filter_map(|run| match run {
            Run::Spilled(run) => Some(run),
            Run::Held { .. } => None,
        });
        let runs = reduce_runs(budget, runs.collect(), self.most, &*self.compare)?;
        let (budget, compare) = (Arc::clone(budget), Arc::clone(&self.compare));
        let source = SortedRuns { budget, runs, compare, most: self.most };
        Ok(Ordered::Spilled(Box::new(source)))
    }
}

/// Sorted runs in the file.
struct SortedRuns<T, C> {
    budget: Arc<Budget>,
    runs: Vec<RecordRun<T>>,
    compare: Arc<C>,
    most: usize,
}

impl<T, C> Source<T> for SortedRuns<T, C>
where
    T: Spill,
    C: Fn(&T, &T) -> Ordering + Send + Sync + 'static,
{
    fn open(&self) -> Result<RecordIter<T>> {
        let compare = Arc::clone(&self.compare);
        let compare = move |a: &T, b: &T| compare(a, b);
        let merged = MergedRecords::of_runs(&self.budget, &self.runs, compare)?;
        Ok(Box::new(merged.take(self.most)))
    }
}

impl<T, C> Combiner for Sorting<T, C>
where
    T: Spill,
    C: Fn(&T, &T) -> Ordering + Send + Sync + 'static,
{
    type State = Unsorted<T>;
    type Output = Unsorted<T>;
    const ORDERED: bool = true;

    fn merge(&self, into: &mut Unsorted<T>, mut from: Unsorted<T>) {
        if into.runs.is_empty() && into.tail.is_empty() {
            *into = from;
            return;
        }
        let is_few = |a: &Unsorted<T>, b: &Unsorted<T>| a.tail.len() + b.tail.len() <= FEW;
        if !from.runs.is_empty() || !is_few(into, &from) {
            self.end_tail(into);
        }
        if !is_few(into, &from) {
            self.end_tail(&mut from);
        }
        into.runs.append(&mut from.runs);
        into.tail.append(&mut from.tail);
        into.heap += std::mem::take(&mut from.heap);
        self.keep_wanted(into);
    }

    fn finish(&self, state: Unsorted<T>) -> Unsorted<T> {
        state
    }

    fn held(&self, state: &Unsorted<T>) -> usize {
        state.held()
    }
}

impl<T, C> Feed<T> for Sorting<T, C>
where
    T: Spill,
    C: Fn(&T, &T) -> Ordering + Send + Sync + 'static,
{
    #[inline]
    fn feed(&self, state: &mut Unsorted<T>, record: T) {
        state.heap += record.heap_size();
        state.tail.push(record);
    }

    fn feed_all(&self, state: &mut Unsorted<T>, records: impl Iterator<Item = T>) {
        records.for_each(|record| self.feed(state, record));
        if state.tail.len() / 2 >= self.most.max(LEAST) {
            self.sort_tail(state);
        }
    }
}

/// A chain of operators that ends in a sort.
struct Sorted<R, C> {
    stage: Arc<dyn Stage<R>>,
    combiner: Sorting<R, C>,
}

impl<T, C> Feeding for Sorted<T, C>
where
    T: Spill,
    C: Fn(&T, &T) -> Ordering + Send + Sync + 'static,
{
    type Combiner = Sorting<T, C>;

    fn combiner(&self) -> &Sorting<T, C> {
        &self.combiner
    }

    fn feed(&self, state: &mut Unsorted<T>, chunk: &mut Chunk, env: &Env<'_>) -> Result<()> {
        let feed = &mut |batch: &mut Vec<T>| {
            self.combiner.feed_all(state, batch.drain(..));
            Ok(ControlFlow::Continue(()))
        };
        self.stage.run(chunk, env, feed).map(drop)
    }

    fn seal(&self, state: &mut Unsorted<T>) {
        if state.tail.len() > FEW.min(self.combiner.most) {
            self.combiner.sort_tail(state);
            state.tail.shrink_to_fit();
        }
    }

    fn spill(&self, state: &mut Unsorted<T>, budget: &Budget) -> Result<bool> {
        if T::HAS_FORM {
            self.combiner.spill_all(state, budget)?;
        }
        Ok(T::HAS_FORM)
    }

    fn finish(&self, context: &Context, state: Unsorted<T>) -> Result<Value> {
        Ok(Box::new(self.combiner.finished(context, state)?))
    }

    #[cfg(feature = "cli")]
    fn formless(&self) -> Option<&'static str> {
        (!T::HAS_FORM).then(std::any::type_name::<T>)
    }

    #[cfg(feature = "cli")]
    fn send(&self, context: &Context, state: Unsorted<T>, out: &mut Pieces<'_>) -> Result<()> {
        self.combiner.finished(context, state)?.send(out)
    }

    #[cfg(feature = "cli")]
    fn receive(&self, into: &mut Unsorted<T>, mut bytes: &[u8]) -> bool {
        let records = Vec::<T>::load(&mut bytes).filter(|_| bytes.is_empty());
        let is_read = records.is_some();
        self.combiner.feed_all(into, records.into_iter().flatten());
        is_read
    }
}

/// The first `most` of a bag's records in an order, or all.
pub(super) fn sorted<T, C>(
    base: Base,
    stage: Arc<dyn Stage<T>>,
    compare: Arc<C>,
    most: usize,
) -> Item<Ordered<T>>
where
    T: Spill,
    C: Fn(&T, &T) -> Ordering + Send + Sync + 'static,
{
    let spills = if T::HAS_FORM { Spills::ByItself } else { Spills::NeedsForm };
    let make = move |_: &Env<'_>| -> Arc<dyn Reduction> {
        let combiner = Sorting { compare: Arc::clone(&compare), most, records: PhantomData };
        Arc::new(Sorted { stage: Arc::clone(&stage), combiner })
    };
    Item::of_reduced(Reduced { base, ordered: true, spills, make: Box::new(make) })
}
