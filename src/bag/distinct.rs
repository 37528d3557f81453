//! The first record of each key of a bag.

use std::hash::Hash;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use creel_operators::distinct::{Distinct, Kept, KeysOf, Whole};
use creel_operators::{Combiner, Feed, Spill};

use super::base::Base;
use super::broadcast::Env;
use super::chain::{Chunk, Stage};
use super::item::{Reduced, Spills};
use super::ordered::{Memory, Ordered, RecordIter, Source};
#[cfg(feature = "cli")]
use super::reduction::Pieces;
use super::reduction::{Feeding, Reduction};
use super::verbs::{Code, Text, Verbs};
use super::{Bag, Item};
use crate::Result;
use crate::graph::{Step, Value};
use crate::run::Context;
use crate::spill::{Budget, MergedRecords, RecordRun, reduce_runs};

/// Distinct records. They are a bag of the same run.
///
/// They need no more than [`Run::memory`](crate::Run::memory): records that have a form in bytes, see
/// [`Spill`], go to the run's temporary file when they outgrow it, in parts by the hashes of their keys, and each part is
/// made distinct by itself. Records without a form have to fit. Several ends of one such bag compute it
/// once; where its records are in the file, each of them reads them.
impl<T: Send + 'static> Bag<T> {
    /// The first of equal records, in the order of the input.
    ///
    /// Of these, [`take`](Self::take) ends the reading as soon as it has its records, if they fit in the memory of
    /// the run; else all are read.
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["cod", "eel", "cod", "bass"]).distinct();
    /// assert_eq!(words.clone().compute_blocking()?, ["cod", "eel", "bass"]);
    /// assert_eq!(words.map(str::len).sum().compute_blocking()?, 10);
    ///
    /// let digits = creel::Bag::from_iter(0_u64..).map(|n| n * n % 10).distinct(); // without end
    /// assert_eq!(digits.take(6).compute_blocking()?, [0, 1, 4, 9, 6, 5]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn distinct(self) -> Self
    where
        T: Hash + Eq + Spill,
    {
        self.told_apart("distinct", (Text::of("distinct"), Code::default()), Whole)
    }

    /// The first record of each key, in the order of the input. See [`distinct`](Self::distinct).
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["cod", "eel", "bass"]).distinct_by(|word| word.len());
    /// assert_eq!(words.compute_blocking()?, ["cod", "bass"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn distinct_by<K: Hash + Eq>(self, key: impl Fn(&T) -> K + Send + Sync + 'static) -> Self
    where
        T: Spill,
    {
        let code = Code::of(&key);
        let key = Arc::new(key);
        self.told_apart("distinct_by", (Text::Closure, code), move |record: &T| key(record))
    }
}

impl<T: Spill> Bag<T> {
    #[track_caller]
    fn told_apart<K: KeysOf<T> + Clone>(
        self,
        name: &'static str,
        (text, code): (Text, Code),
        keys: K,
    ) -> Self {
        let base = self.base.named_with(Step::here(name), text, code);
        let stage = self.stage;
        let all = first_of(base.clone(), Arc::clone(&stage), keys.clone(), usize::MAX);
        let first = move |n, step, verbs: Verbs| {
            let mut base = base.clone();
            base.steps.push(step);
            base.verbs = verbs;
            let first = first_of(base, Arc::clone(&stage), keys.clone(), n);
            first.in_form(Ordered::into_vec)
        };
        Self::of_ordered(&all, name, first)
    }
}

/// The first records so far; those of parts that were merged are runs of the file.
struct Found<T> {
    kept: Kept<T>,
    /// In the order of their positions in the input.
    runs: Vec<RecordRun<(u64, T)>>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { kept: Kept::default(), runs: Vec::new() }
    }
}

/// Tells records apart, and spills those of parts.
struct FirstOf<T, K> {
    distinct: Distinct<T, K>,
    most: usize,
    /// Whether reading ends with the last that is wanted: it does not, where some are in the file.
    stops: AtomicBool,
}

/// Without a weight, so that states in memory are merged as a whole: to cut them into parts for all threads took
/// twice the time (10 M strings: 4.7 s beside 2.2).
impl<T: Spill, K: KeysOf<T>> Combiner for FirstOf<T, K> {
    type State = Found<T>;
    type Output = Found<T>;
    const ORDERED: bool = true;
    const STOPS: bool = true;

    fn merge(&self, into: &mut Found<T>, from: Found<T>) {
        self.distinct.merge(&mut into.kept, from.kept);
        into.runs.extend(from.runs);
    }

    fn full(&self, state: &Found<T>) -> bool {
        self.distinct.full(&state.kept)
    }

    fn finish(&self, state: Found<T>) -> Found<T> {
        state
    }

    fn held(&self, state: &Found<T>) -> usize {
        self.distinct.held(&state.kept)
    }

    fn parts(&self, state: Found<T>, bits: u32) -> Vec<Found<T>> {
        let parts = self.distinct.parts(state.kept, bits).into_iter();
        let mut parts: Vec<_> = parts.map(|kept| Found { kept, runs: Vec::new() }).collect();
        parts[0].runs = state.runs;
        parts
    }

    fn join(&self, parts: Vec<Found<T>>) -> Found<T> {
        let (kept, runs): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|part| (part.kept, part.runs)).unzip();
        Found { kept: self.distinct.join(kept), runs: runs.into_iter().flatten().collect() }
    }

    fn save(&self, state: &Found<T>, bytes: &mut Vec<u8>) -> bool {
        self.distinct.save(&state.kept, bytes)
    }

    fn load(&self, into: &mut Found<T>, bytes: &[u8]) -> bool {
        self.distinct.load(&mut into.kept, bytes)
    }
}

/// A chain of operators that ends in a distinct.
struct ToldApart<T, K> {
    stage: Arc<dyn Stage<T>>,
    combiner: FirstOf<T, K>,
}

impl<T: Spill, K: KeysOf<T>> ToldApart<T, K> {
    /// Writes the records in memory as a run.
    fn write(&self, budget: &Budget, found: &mut Found<T>) -> Result<()> {
        let records = std::mem::take(&mut found.kept).into_positioned();
        let run = RecordRun::write(budget, records.map(Ok))?;
        found.runs.push(run);
        Ok(())
    }
}

impl<T: Spill, K: KeysOf<T>> Feeding for ToldApart<T, K> {
    type Combiner = FirstOf<T, K>;

    fn combiner(&self) -> &FirstOf<T, K> {
        &self.combiner
    }

    fn feed(&self, state: &mut Found<T>, chunk: &mut Chunk, env: &Env<'_>) -> Result<()> {
        let feed = &mut |batch: &mut Vec<T>| {
            self.combiner.distinct.feed_all(&mut state.kept, batch.drain(..));
            Ok(ControlFlow::Continue(()))
        };
        self.stage.run(chunk, env, feed).map(drop)
    }

    fn stops(&self) -> bool {
        self.combiner.stops.load(Relaxed)
    }

    fn give_up(&self) -> bool {
        if T::HAS_FORM {
            self.combiner.stops.store(false, Relaxed);
        }
        T::HAS_FORM
    }

    fn settle(&self, context: &Context, part: &mut Found<T>) -> Result<()> {
        match context.budget.as_deref().filter(|_| part.kept.is_loaded()) {
            Some(budget) => self.write(budget, part),
            None => Ok(()),
        }
    }

    #[cfg(feature = "cli")]
    fn formless(&self) -> Option<&'static str> {
        (!T::HAS_FORM).then(std::any::type_name::<T>)
    }

    #[cfg(feature = "cli")]
    fn send(&self, context: &Context, state: Found<T>, out: &mut Pieces<'_>) -> Result<()> {
        self.first(context, state)?.send(out)
    }

    #[cfg(feature = "cli")]
    fn receive(&self, into: &mut Found<T>, mut bytes: &[u8]) -> bool {
        let records = Vec::<T>::load(&mut bytes).filter(|_| bytes.is_empty());
        let is_read = records.is_some();
        self.combiner.distinct.feed_all(&mut into.kept, records.into_iter().flatten());
        is_read
    }

    fn finish(&self, context: &Context, state: Found<T>) -> Result<Value> {
        Ok(Box::new(self.first(context, state)?))
    }
}

impl<T: Spill, K: KeysOf<T>> ToldApart<T, K> {
    /// The first records, in their order.
    fn first(&self, context: &Context, state: Found<T>) -> Result<Ordered<T>> {
        let most = self.combiner.most;
        let Some(budget) = context.budget.as_ref().filter(|_| !state.runs.is_empty()) else {
            let held = self.combiner.held(&state) as u64;
            let reserved = context.budget.as_ref().map(|budget| (budget, budget.reserve(held)));
            let mut records = self.combiner.distinct.finish(state.kept);
            records.truncate(most);
            let memory = reserved.map(|(budget, mut reserved)| {
                // The table of their keys is gone.
                let heap = records.iter().map(T::heap_size).sum::<usize>();
                reserved.set((records.capacity() * size_of::<T>() + heap) as u64);
                Memory::new(budget, reserved)
            });
            return Ok(Ordered::Held(records, memory));
        };
        let runs = reduce_runs(budget, state.runs, most, by_position)?;
        let source = Positioned { budget: Arc::clone(budget), runs, most };
        Ok(Ordered::Spilled(Box::new(source)))
    }
}

fn by_position<T>((a, _): &(u64, T), (b, _): &(u64, T)) -> std::cmp::Ordering {
    a.cmp(b)
}

/// Runs in the file, in the order of positions in the input.
struct Positioned<T> {
    budget: Arc<Budget>,
    runs: Vec<RecordRun<(u64, T)>>,
    most: usize,
}

impl<T: Spill> Source<T> for Positioned<T> {
    fn open(&self) -> Result<RecordIter<T>> {
        let merged = MergedRecords::of_runs(&self.budget, &self.runs, by_position)?;
        Ok(Box::new(merged.take(self.most).map(|record| record.map(|(_, record)| record))))
    }
}

/// The first `most` of a bag's distinct records, or all.
fn first_of<T: Spill, K: KeysOf<T> + Clone>(
    base: Base,
    stage: Arc<dyn Stage<T>>,
    keys: K,
    most: usize,
) -> Item<Ordered<T>> {
    let spills = if T::HAS_FORM { Spills::Parts } else { Spills::NeedsForm };
    let make = move |_: &Env<'_>| -> Arc<dyn Reduction> {
        let (distinct, stops) = (Distinct::by(keys.clone()).first(most), most < usize::MAX);
        let combiner = FirstOf { distinct, most, stops: AtomicBool::new(stops) };
        Arc::new(ToldApart { stage: Arc::clone(&stage), combiner })
    };
    Item::of_reduced(Reduced { base, ordered: true, spills, make: Box::new(make) })
}
