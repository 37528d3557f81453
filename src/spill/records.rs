//! Records of any type with a form in bytes, in the temporary file: sorted runs, and the merge of them.
//!
//! A run stands in extents of about one size, each with whole records. The merge has one extent of each run in
//! memory, and compares records in their type. Of more runs than fit, neighbours are merged before, so that
//! equal records keep the order of the runs.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::Arc;
use std::vec::IntoIter;

use creel_operators::Spill;

use super::{Batch, Budget, Extent, FAN_IN};
use crate::Result;
use crate::memory::Reservation;

/// Sorted records in the temporary file.
#[derive(Debug)]
pub(crate) struct RecordRun<T> {
    /// The extents, and how many records each has.
    extents: Arc<[(Extent, usize)]>,
    /// The bytes of all extents, and of the largest.
    bytes: usize,
    largest: usize,
    records: PhantomData<fn() -> T>,
}

impl<T> Clone for RecordRun<T> {
    fn clone(&self) -> Self {
        Self { extents: Arc::clone(&self.extents), records: PhantomData, ..*self }
    }
}

/// Writes sorted records as a run.
pub(crate) struct RunWriter<'b, T> {
    batch: Batch<'b>,
    /// The bytes of an extent, and those of the one that is not full yet.
    piece: usize,
    bytes: Vec<u8>,
    /// The records of that one, and of those before it.
    records: usize,
    written: Vec<usize>,
    of: PhantomData<fn(T)>,
}

impl<'b, T: Spill> RunWriter<'b, T> {
    /// A writer of no records yet.
    pub(crate) fn new(budget: &'b Budget) -> Self {
        Self {
            batch: Batch::new(budget),
            piece: budget.piece(),
            bytes: Vec::new(),
            records: 0,
            written: Vec::new(),
            of: PhantomData,
        }
    }

    /// Adds a record, which is not before those that were added.
    ///
    /// # Errors
    ///
    /// If the folder cannot hold it, and if the run is cancelled.
    pub(crate) fn add(&mut self, record: &T) -> Result<()> {
        self.add_saved(|bytes| {
            let is_saved = record.save(bytes);
            let of = std::any::type_name::<T>();
            assert!(is_saved, "`Spill::save` of `{of}` gives false, and its `HAS_FORM` is true");
        })
    }

    /// Adds a record that `save` appends as [`Spill::save`] would.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub(crate) fn add_saved(&mut self, save: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        save(&mut self.bytes);
        self.records += 1;
        if self.bytes.len() >= self.piece { self.end_extent() } else { Ok(()) }
    }

    fn end_extent(&mut self) -> Result<()> {
        self.batch.add(&self.bytes)?;
        self.written.push(std::mem::take(&mut self.records));
        self.bytes.clear();
        // A single large record must not keep its memory.
        self.bytes.shrink_to(2 * self.piece);
        Ok(())
    }

    /// Writes the rest.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub(crate) fn finish(mut self) -> Result<RecordRun<T>> {
        if self.records > 0 {
            self.end_extent()?;
        }
        let extents: Arc<[_]> = self.batch.finish()?.into_iter().zip(self.written).collect();
        let sizes = extents.iter().map(|(extent, _)| extent.holds());
        let (bytes, largest) = (sizes.clone().sum(), sizes.max().unwrap_or(0));
        Ok(RecordRun { extents, bytes, largest, records: PhantomData })
    }
}

impl<T: Spill> RecordRun<T> {
    /// Writes sorted records as a run.
    ///
    /// # Errors
    ///
    /// Those of the records, if the folder cannot hold them, and if the run is cancelled.
    pub(crate) fn write(
        budget: &Budget,
        records: impl IntoIterator<Item = Result<T>>,
    ) -> Result<Self> {
        let mut writer = RunWriter::new(budget);
        for record in records {
            writer.add(&record?)?;
        }
        writer.finish()
    }
}

/// What a merge takes records from.
pub(crate) enum Head<T> {
    /// Sorted records in memory.
    Held(IntoIter<T>),
    /// A run in the file.
    Spilled(RunReader<T>),
}

impl<T: Spill> Head<T> {
    fn next(&mut self) -> Result<Option<T>> {
        match self {
            Self::Held(records) => Ok(records.next()),
            Self::Spilled(reader) => reader.next(),
        }
    }
}

/// A run from its next record on.
pub(crate) struct RunReader<T> {
    budget: Arc<Budget>,
    run: RecordRun<T>,
    /// How many extents were read, the last of them, where its next record stands, and how many it has from
    /// there on.
    read: usize,
    piece: Vec<u8>,
    at: usize,
    left: usize,
}

impl<T: Spill> RunReader<T> {
    fn next(&mut self) -> Result<Option<T>> {
        while self.left == 0 {
            let Some(&(extent, records)) = self.run.extents.get(self.read) else { return Ok(None) };
            // Before the next one is read.
            self.piece = Vec::new();
            self.piece = self.budget.read(extent)?;
            (self.read, self.at, self.left) = (self.read + 1, 0, records);
        }
        let mut rest = &self.piece[self.at..];
        let record = T::load(&mut rest);
        self.at = self.piece.len() - rest.len();
        self.left -= 1;
        match record {
            Some(record) if self.left > 0 || rest.is_empty() => Ok(Some(record)),
            _ => Err(self.budget.misread::<T>(self.run.extents[self.read - 1].0)),
        }
    }
}

/// The records of sorted runs in one order; equal ones in the order of the runs.
///
/// A tree of losers: each inner node has the run that lost the comparison there. So a step costs one comparison
/// a level.
pub(crate) struct MergedRecords<T, C> {
    heads: Vec<Head<T>>,
    next: Vec<Option<T>>,
    /// The losers of the nodes, from the second on; the first is the winner of all.
    nodes: Vec<usize>,
    compare: C,
    /// Set where no record can be read any more.
    has_failed: bool,
    /// The memory of an extent of each run in the file.
    _reserved: Option<Reservation>,
}

impl<T: Spill, C: Fn(&T, &T) -> Ordering> MergedRecords<T, C> {
    /// Merges runs in memory, or some that are few enough.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(crate) fn new(
        heads: Vec<Head<T>>,
        compare: C,
        reserved: Option<Reservation>,
    ) -> Result<Self> {
        let mut merged = Self {
            next: Vec::with_capacity(heads.len()),
            nodes: vec![0; heads.len().max(1)],
            heads,
            compare,
            has_failed: false,
            _reserved: reserved,
        };
        for head in &mut merged.heads {
            merged.next.push(head.next()?);
        }
        if !merged.heads.is_empty() {
            merged.nodes[0] = merged.play(1);
        }
        Ok(merged)
    }

    /// Merges runs in memory.
    pub(crate) fn of_vecs(runs: Vec<Vec<T>>, compare: C) -> impl Iterator<Item = T> {
        let heads = runs.into_iter().map(|records| Head::Held(records.into_iter()));
        let merged = Self::new(heads.collect(), compare, None).into_iter().flatten();
        merged.map(|record| record.unwrap_or_else(|_| unreachable!("no file is read")))
    }

    /// Merges runs of the file, which are no more than [fit](fan_in).
    pub(crate) fn of_runs(budget: &Arc<Budget>, runs: &[RecordRun<T>], compare: C) -> Result<Self> {
        let largest = runs.iter().map(|run| run.largest as u64);
        let reserved = budget.reserve(largest.map(|largest| 2 * largest).sum());
        let heads = runs.iter().map(|run| {
            let (budget, run) = (Arc::clone(budget), run.clone());
            Head::Spilled(RunReader { budget, run, read: 0, piece: Vec::new(), at: 0, left: 0 })
        });
        Self::new(heads.collect(), compare, Some(reserved))
    }

    /// Finds the winner below a node.
    fn play(&mut self, node: usize) -> usize {
        if node >= self.heads.len() {
            return node - self.heads.len();
        }
        let (a, b) = (self.play(2 * node), self.play(2 * node + 1));
        let (winner, loser) = if self.is_before(a, b) { (a, b) } else { (b, a) };
        self.nodes[node] = loser;
        winner
    }

    /// Returns true if the next record of a run comes before that of another one.
    #[inline]
    fn is_before(&self, a: usize, b: usize) -> bool {
        match (&self.next[a], &self.next[b]) {
            (Some(first), Some(second)) => (self.compare)(first, second).then(a.cmp(&b)).is_lt(),
            (first, _) => first.is_some(),
        }
    }

    /// Takes the first of the next records.
    fn step(&mut self) -> Result<Option<T>> {
        let Some(head) = self.nodes.first().filter(|_| !self.heads.is_empty()) else {
            return Ok(None);
        };
        let mut winner = *head;
        let Some(record) = self.next[winner].take() else { return Ok(None) };
        self.next[winner] = self.heads[winner].next()?;
        let mut node = (winner + self.heads.len()) / 2;
        while node > 0 {
            let loser = self.nodes[node];
            if self.is_before(loser, winner) {
                self.nodes[node] = std::mem::replace(&mut winner, loser);
            }
            node /= 2;
        }
        self.nodes[0] = winner;
        Ok(Some(record))
    }
}

impl<T: Spill, C: Fn(&T, &T) -> Ordering> Iterator for MergedRecords<T, C> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.has_failed {
            return None;
        }
        let step = self.step();
        self.has_failed = step.is_err();
        step.transpose()
    }
}

/// The memory that a merge may take: a quarter of the budget, unless two records need more.
pub(crate) fn most_of_merge(budget: &Budget) -> u64 {
    budget.limit() / 4
}

/// How many of these runs are merged at once: an extent of each, and what is made of it, is in memory.
fn fan_in<T>(budget: &Budget, runs: &[RecordRun<T>]) -> usize {
    let largest = runs.iter().map(|run| run.largest).max().unwrap_or(0) as u64;
    (most_of_merge(budget) / (2 * largest).max(1)).clamp(2, FAN_IN) as usize
}

/// Merges neighbours until there are so few runs that all of them are merged at once. No more than `limit`
/// records of a run are wanted.
///
/// # Errors
///
/// If the file cannot be read or written, and if the run is cancelled.
pub(crate) fn reduce_runs<T: Spill>(
    budget: &Arc<Budget>,
    mut runs: Vec<RecordRun<T>>,
    limit: usize,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Result<Vec<RecordRun<T>>> {
    runs.retain(|run| !run.extents.is_empty());
    loop {
        let fan_in = fan_in(budget, &runs);
        if runs.len() <= fan_in {
            return Ok(runs);
        }
        // No more than have to be, and the neighbours that are written soonest.
        let some = (runs.len() - fan_in + 1).min(fan_in);
        let at = least_neighbours(&runs, some);
        let merged = MergedRecords::of_runs(budget, &runs[at..at + some], &compare)?;
        let merged = RecordRun::write(budget, merged.take(limit))?;
        runs.splice(at..at + some, [merged]);
    }
}

/// Where so many neighbours begin that have the fewest bytes.
fn least_neighbours<T>(runs: &[RecordRun<T>], some: usize) -> usize {
    let mut bytes: usize = runs[..some].iter().map(|run| run.bytes).sum();
    let (mut least, mut at) = (bytes, 0);
    for behind in some..runs.len() {
        bytes = bytes + runs[behind].bytes - runs[behind - some].bytes;
        if bytes < least {
            (least, at) = (bytes, behind - some + 1);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use proptest::prelude::*;

    use super::*;
    use crate::Error;

    type Row = (u8, String);

    fn by_first(a: &Row, b: &Row) -> Ordering {
        a.0.cmp(&b.0)
    }

    fn written(budget: &Budget, mut rows: Vec<Row>) -> RecordRun<Row> {
        rows.sort_by(by_first);
        RecordRun::write(budget, rows.into_iter().map(Ok)).expect("there is room")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn merged_runs_are_what_a_stable_sort_gives(
            runs in prop::collection::vec(prop::collection::vec(0..4_u8, 0..40), 0..90),
            long in prop::sample::select(vec![0, 3, 5_000]),
            limit in prop::sample::select(vec![0, 5, usize::MAX]),
        ) {
            let budget = Arc::new(Budget::new(100_000, None));
            let (mut rows, mut written_runs) = (Vec::new(), Vec::new());
            for (n, keys) in runs.into_iter().enumerate() {
                let text = |at: usize| format!("{n} {at} {}", "x".repeat(long));
                let own: Vec<Row> = keys.into_iter().enumerate().map(|(at, key)| (key, text(at))).collect();
                rows.extend(own.clone());
                written_runs.push(written(&budget, own));
            }
            rows.sort_by(by_first);
            rows.truncate(limit);
            let runs = reduce_runs(&budget, written_runs, limit, by_first).unwrap();
            prop_assert!(runs.len() <= FAN_IN as usize);
            let merged = MergedRecords::of_runs(&budget, &runs, by_first).unwrap();
            let merged: Vec<Row> = merged.take(limit).map(Result::unwrap).collect();
            prop_assert_eq!(merged, rows);
        }
    }

    #[test]
    fn a_run_that_is_cancelled_neither_writes_nor_merges() {
        let cancelled = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&cancelled);
        let check = move || if heard.load(Relaxed) { Err(Error::Cancelled) } else { Ok(()) };
        let budget = Arc::new(Budget::new(100_000, None).checked(check));
        let runs: Vec<_> = (0..200).map(|n| written(&budget, vec![(n, String::new())])).collect();
        cancelled.store(true, Relaxed);
        let before = budget.written();
        let merged = reduce_runs(&budget, runs.clone(), usize::MAX, by_first);
        assert!(matches!(merged, Err(Error::Cancelled)));
        let read = MergedRecords::of_runs(&budget, &runs[..2], by_first);
        assert!(matches!(read.err(), Some(Error::Cancelled)));
        let endless = (0..).map(|n: u64| Ok((0_u8, n.to_string())));
        assert!(matches!(RecordRun::write(&budget, endless), Err(Error::Cancelled)));
        assert_eq!(budget.written(), before);
    }

    #[test]
    fn records_that_are_not_read_as_they_were_written_are_an_error_of_the_file() {
        #[derive(Debug, Clone)]
        struct Odd;
        impl Spill for Odd {
            const HAS_FORM: bool = true;
            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                bytes.push(1);
                true
            }
            fn load(_: &mut &[u8]) -> Option<Self> {
                None
            }
            fn heap_size(&self) -> usize {
                0
            }
        }
        let budget = Arc::new(Budget::new(0, None));
        let run = RecordRun::write(&budget, [Ok(Odd), Ok(Odd)]).expect("there is room");
        let merged = MergedRecords::of_runs(&budget, &[run], |_, _| Ordering::Equal);
        let error = merged.err().expect("none is read");
        assert!(matches!(&error, Error::Corrupt { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains("`Spill::load`") && told.contains("Odd"), "{told}");
    }
}
