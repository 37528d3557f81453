//! Bags of records out of memory: from an iterator, a function that makes one, or a slice.
//!
//! Records of a bag may take nanoseconds or hours of the caller's code, so batches are cut by time:
//! the first has one record, and each of the others as many as lanes were measured to work off in
//! [`TARGET`], at most twice as many as the one before it and at most [`BATCH`]. A hundred records
//! of ten milliseconds are a hundred batches, which any number of lanes share; a million cheap ones
//! are batches of a thousand from the eleventh on.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::Bag;
use super::base::Base;
use super::broadcast::Env;
use super::chain::{BATCH, Batch, BatchIter, Chunk, Emit, Stage, Take};
use super::lend::Lend;
use super::origin::{Batches, Origin, whole};
use crate::Result;
use crate::graph::Step;

/// The time that a batch takes, reading or work, where its records are not cheap: much longer than
/// it takes to wake a thread, and short beside a run that is worth more than one.
const TARGET: Duration = Duration::from_millis(1);

/// The time that a record takes, as measured last; shared by who cuts batches and the lanes that
/// work on them.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Nanoseconds; 0 while nothing was measured.
    each: AtomicU64,
}

impl Pace {
    /// So many records took so long.
    pub(super) fn took(&self, records: usize, time: Duration) {
        self.each.store(nanos(time, records), Relaxed);
    }

    /// How many records the next batch has, after one of `last` records that took `read` to make.
    fn next(&self, last: usize, read: Duration) -> usize {
        let each = match self.each.load(Relaxed) {
            0 => return 1,
            each => each.max(nanos(read, last)),
        };
        let target = usize::try_from(nanos(TARGET, 1) / each).unwrap_or(BATCH);
        target.clamp(1, BATCH.min(2 * last.max(1)))
    }
}

/// Nanoseconds a record, at least one.
fn nanos(time: Duration, records: usize) -> u64 {
    let each = time.as_nanos() / (records.max(1) as u128);
    u64::try_from(each).unwrap_or(u64::MAX).max(1)
}

/// Batches that `cut` makes of at most so many records each, until it makes none.
pub(super) fn paced(
    pace: Arc<Pace>,
    mut cut: impl FnMut(usize) -> Option<Result<Batch>> + Send + 'static,
) -> BatchIter {
    // Where records like these were measured before, the first batch has some: these may take longer.
    let (mut most, mut read) = (4, Duration::ZERO);
    Box::new(std::iter::from_fn(move || {
        most = pace.next(most, read);
        let began = Instant::now();
        let batch = cut(most)?;
        read = began.elapsed();
        Some(batch.map(|batch| Batch { pace: Some(Arc::clone(&pace)), ..batch }))
    }))
}

/// An iterator's records, some at a time; it is made as the first are wanted.
pub(super) fn batches<I>(pace: Arc<Pace>, open: impl FnOnce() -> I + Send + 'static) -> BatchIter
where
    I: Iterator<Item: Send + 'static> + Send + 'static,
{
    let mut records = std::iter::once_with(open).flatten();
    paced(pace, move |most| {
        let batch: Vec<_> = records.by_ref().take(most).collect();
        (!batch.is_empty()).then(|| Ok(Batch::of(batch)))
    })
}

/// The records of what a function makes, which is called as the first are wanted.
struct FromFn<F>(F);

impl<F, I> Batches for FromFn<F>
where
    F: Fn() -> I + Send + Sync + 'static,
    I: Iterator<Item: Send + 'static> + Send + 'static,
{
    fn open(self: Arc<Self>, _: usize) -> BatchIter {
        batches(Arc::default(), move || (self.0)())
    }
}

/// A slice in partitions, as the places of its records. A batch of it is a range of these, and so
/// the lane that works on the records clones them, if anybody takes them.
struct Places {
    records: usize,
    partitions: usize,
}

impl Batches for Places {
    fn partitions(&self) -> usize {
        self.partitions
    }

    fn open(self: Arc<Self>, partition: usize) -> BatchIter {
        // In 128 bits, as the product may not fit in fewer.
        let at = |n: usize| (n as u128 * self.records as u128 / self.partitions as u128) as usize;
        let Range { mut start, end } = at(partition)..at(partition + 1);
        paced(Arc::default(), move |most| {
            let batch = start..end.min(start.saturating_add(most));
            start = batch.end;
            let len = batch.len();
            (len > 0).then(|| Ok(Batch { records: Box::new(batch), len, pace: None }))
        })
    }
}

/// The first stage of a bag of a slice.
struct Sequence<T>(Arc<[T]>);

impl<T> Sequence<T> {
    fn records(&self, chunk: &mut Chunk) -> &[T] {
        &self.0[chunk.places()]
    }
}

impl<T: Clone + Send + Sync + 'static> Stage<T> for Sequence<T> {
    fn run(
        &self,
        chunk: &mut Chunk,
        _: &Env<'_>,
        emit: &mut Emit<'_, T>,
    ) -> Result<ControlFlow<()>> {
        emit(&mut self.records(chunk).to_vec())
    }

    fn lend(
        &self,
        chunk: &mut Chunk,
        _: &Env<'_>,
        take: &mut Take<'_, T>,
    ) -> Result<ControlFlow<()>>
    where
        T: Lend,
    {
        take(T::lend(self.records(chunk)))
    }
}

impl<T: Send + 'static> Bag<T> {
    /// A bag of what an iterator gives, anew in each run.
    ///
    /// The iterator is asked for some records at a time, at most a thousand and fewer where one takes
    /// long, and for some thousands ahead of who takes them: never for all, but for more than
    /// [`take`](Self::take) gives. It runs on one thread at a time; all that is done with its records
    /// is done on all threads, however few and expensive they are.
    ///
    /// ```
    /// let squares = creel::Bag::from_iter((0..).map(|n| n * n)); // without end
    /// assert_eq!(squares.take(4).compute_blocking()?, [0, 1, 4, 9]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    // Not the trait: a bag has to be able to run the iterator again, so it asks for `Clone`.
    #[allow(clippy::should_implement_trait)]
    #[track_caller]
    pub fn from_iter<I>(records: I) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: Send + 'static> + Clone + Send + Sync + 'static,
    {
        Self::iterating(Step::here("from_iter"), move || records.clone().into_iter())
    }

    /// A bag of what an iterator gives that `open` makes, anew in each run, in its own thread: for
    /// iterators that cannot be cloned, such as the rows of a query. Otherwise as
    /// [`from_iter`](Self::from_iter).
    ///
    /// ```
    /// use std::io::{BufRead, Cursor};
    ///
    /// let lines = creel::Bag::from_fn(|| Cursor::new("a\nbb\n").lines().map_while(Result::ok));
    /// assert_eq!(lines.map(|line| line.len()).compute_blocking()?, [1, 2]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn from_fn<I>(open: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: Iterator<Item = T> + Send + 'static,
    {
        Self::iterating(Step::here("from_fn"), open)
    }

    fn iterating<I>(step: Step, open: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: Iterator<Item = T> + Send + 'static,
    {
        let origin = Origin::Memory(Arc::new(FromFn(open)));
        Self { base: Base::new(origin, step), stage: whole() }
    }
}

impl<T: Clone + Send + Sync + 'static> Bag<T> {
    /// A bag of records that are in memory, in about equally long partitions: at least one, and at
    /// most one a record.
    ///
    /// A `Vec` is moved into place; an `Arc<[T]>` is shared as it is. Runs clone the records that are
    /// taken from the bag, each on the thread that works on it; [`lend`](Self::lend) lends them
    /// without a copy. All threads work on one partition too; their number shows only in
    /// [`to_delayed`](Self::to_delayed).
    ///
    /// ```
    /// let words = creel::Bag::from_sequence(["a", "bb", "a"].map(String::from).to_vec(), 2);
    /// assert_eq!(words.clone().take(2).compute_blocking()?, ["a", "bb"]);
    /// let counts = words.lend(|words| words.frequencies());
    /// assert_eq!(counts.topk(1).compute_blocking()?, [("a".to_string(), 2)]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn from_sequence(records: impl Into<Arc<[T]>>, partitions: usize) -> Self {
        let records: Arc<[T]> = records.into();
        let partitions = partitions.clamp(1, records.len().max(1));
        let places = Places { records: records.len(), partitions };
        let base = Base::new(Origin::Memory(Arc::new(places)), Step::here("from_sequence"));
        Self { base, stage: Arc::new(Sequence(records)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of the first batches, whose records take so long each to make and to work on.
    fn sizes(read: Duration, work: Duration) -> Vec<usize> {
        let (pace, mut last) = (Pace::default(), 0);
        let sizes = std::iter::from_fn(|| {
            last = pace.next(last, read * last as u32);
            pace.took(last, work * last as u32);
            Some(last)
        });
        sizes.take(12).collect()
    }

    #[test]
    fn batches_of_expensive_records_have_one_each() {
        let (short, long) = (Duration::from_nanos(10), Duration::from_millis(10));
        assert_eq!(sizes(short, long), [1; 12]);
        assert_eq!(sizes(long, short), [1; 12]);
    }

    #[test]
    fn batches_grow_to_the_measured_time_or_the_most_records() {
        let (short, some) = (Duration::from_nanos(10), Duration::from_micros(100));
        assert_eq!(sizes(short, some), [1, 2, 4, 8, 10, 10, 10, 10, 10, 10, 10, 10]);
        assert_eq!(sizes(some, short)[3..6], [8, 10, 10]);
        assert_eq!(sizes(short, short)[9..], [512, BATCH, BATCH]);
    }

    #[test]
    fn batches_stay_small_until_the_first_was_worked_on() {
        let mut open = Arc::new(FromFn(|| 0..100)).open(0);
        let mut next = || open.next().map(|batch| batch.expect("it is in memory"));
        assert!((0..9).all(|_| next().is_some_and(|batch| batch.len == 1)));
        let batch = next().expect("more records");
        batch.pace.expect("it is paced").took(1, Duration::from_nanos(10));
        assert!(next().is_some_and(|batch| batch.len == 2));
    }

    #[test]
    fn partitions_of_a_slice_cover_it_once_and_in_order() {
        for records in [0, 1, 5, 1000] {
            for partitions in 1..=records.clamp(1, 7) {
                let places = Arc::new(Places { records, partitions });
                let batches = (0..partitions).flat_map(|n| Arc::clone(&places).open(n));
                let ranges = batches.map(|batch| {
                    batch.expect("it is in memory").records.downcast::<Range<usize>>()
                });
                let all = ranges.flat_map(|range| *range.expect("places"));
                assert!(all.eq(0..records), "{records} records in {partitions}");
            }
        }
    }
}
