//! The one merge of sorted runs: a heap over a piece of each, in several passes where there are many.

use std::cmp::Ordering;

use super::runs::{Stored, load};
use super::{Budget, Extent, FAN_IN, RowWriter, Run};
use crate::Result;
use crate::memory::Reservation;

/// The rows of many runs in the order of their keys; rows of equal keys in the order of the runs.
#[derive(Debug)]
pub(crate) struct Merged<'b> {
    budget: &'b Budget,
    heads: Vec<Head>,
    /// The numbers of the runs that have a row, as a heap: a run is not behind the two below it.
    heap: Vec<usize>,
    /// The memory of a piece of each run.
    _reserved: Reservation,
}

/// A run from its next row on.
#[derive(Debug)]
struct Head {
    run: Run,
    /// The number of the piece after the one in memory, and that one.
    next: usize,
    piece: Vec<u8>,
    /// Where the next row stands in it, and where the row after that does.
    at: usize,
    after: usize,
    /// The number of the next long row.
    long: usize,
    /// The first eight bytes of the key of the next row.
    word: u64,
}

/// A key, and what belongs to it.
pub(crate) type KeyedRow = (Vec<u8>, Vec<u8>);

impl Head {
    /// The row that is next.
    fn row(&self) -> Stored<'_> {
        match load(&self.piece, self.at) {
            Some((row, _)) => row,
            None => unreachable!("the row was found before"),
        }
    }

    /// Goes on to the row after; returns false if there is none.
    fn step(&mut self, budget: &Budget) -> Result<bool> {
        if self.after > 0 && matches!(self.row(), Stored::Long { .. }) {
            self.run.long[self.long] = Vec::new();
            self.long += 1;
        }
        self.at = self.after;
        if self.at == self.piece.len() {
            let Some(&(extent, _)) = self.run.pieces.get(self.next) else { return Ok(false) };
            // Before the next one is read.
            self.piece = Vec::new();
            self.piece = budget.read(extent)?;
            (self.next, self.at) = (self.next + 1, 0);
        }
        let (extent, long) = self.run.pieces[self.next - 1];
        match load(&self.piece, self.at) {
            Some((Stored::Long { .. }, _)) if self.long >= long => {
                Err(budget.damaged(extent, "these are no rows"))
            }
            Some((row, after)) => {
                self.word = word(row.first());
                self.after = after;
                Ok(true)
            }
            None => Err(budget.damaged(extent, "these are no rows")),
        }
    }

    /// The row that is next, whole.
    fn whole(&self, budget: &Budget) -> Result<KeyedRow> {
        match self.row() {
            Stored::Short { key, row } => Ok((key.to_vec(), row.to_vec())),
            Stored::Long { key: len, .. } => {
                let mut key = Vec::new();
                for extent in &self.run.long[self.long] {
                    key.extend_from_slice(&budget.read(*extent)?);
                }
                if key.len() < len {
                    let first: &Extent = &self.run.long[self.long][0];
                    return Err(budget.damaged(*first, "it is shorter than a row"));
                }
                let row = key.split_off(len);
                Ok((key, row))
            }
        }
    }
}

impl<'p> Stored<'p> {
    /// The first bytes of the key, or all of it.
    fn first(self) -> &'p [u8] {
        match self {
            Self::Short { key, .. } => key,
            Self::Long { prefix, .. } => prefix,
        }
    }
}

/// The first eight bytes of a key, zeros behind its end: in the order of the keys, as far as they differ.
fn word(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(first)
        }
    }
}

impl<'b> Merged<'b> {
    /// The rows of runs, of which a piece of each is in memory. Of more runs than [`FAN_IN`] fewer are made
    /// before, in the file. No more than `limit` rows are wanted.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written, or is damaged.
    pub(crate) fn new(budget: &'b Budget, mut runs: Vec<Run>, limit: usize) -> Result<Self> {
        let fan_in = FAN_IN as usize;
        while runs.len() > fan_in {
            // Neighbours, so that equal keys keep the order of their runs.
            let mut rest = std::mem::take(&mut runs).into_iter();
            loop {
                let some: Vec<Run> = rest.by_ref().take(fan_in).collect();
                if some.is_empty() {
                    break;
                }
                runs.push(merge_into_one(budget, some, limit)?);
            }
        }
        Self::of(budget, runs)
    }

    fn of(budget: &'b Budget, runs: Vec<Run>) -> Result<Self> {
        let first_of =
            |run: &Run| run.pieces.first().map_or(0, |(extent, _)| extent.holds() as u64);
        let reserved = budget.reserve(runs.iter().map(first_of).sum());
        let heads = runs.into_iter().map(|run| Head {
            run,
            next: 0,
            piece: Vec::new(),
            at: 0,
            after: 0,
            long: 0,
            word: 0,
        });
        let (heads, heap) = (heads.collect(), Vec::new());
        let mut merged = Self { budget, heads, heap, _reserved: reserved };
        for n in 0..merged.heads.len() {
            if merged.heads[n].step(budget)? {
                merged.heap.push(n);
            }
        }
        for at in (0..merged.heap.len() / 2).rev() {
            merged.sift(at)?;
        }
        Ok(merged)
    }

    /// Moves the run at a place of the heap down to where it belongs.
    fn sift(&mut self, mut at: usize) -> Result<()> {
        loop {
            let mut first = at;
            for below in [2 * at + 1, 2 * at + 2] {
                if below < self.heap.len()
                    && self.compare(self.heap[below], self.heap[first])?.is_lt()
                {
                    first = below;
                }
            }
            if first == at {
                return Ok(());
            }
            self.heap.swap(first, at);
            at = first;
        }
    }

    /// The order of the next rows of two runs.
    fn compare(&self, a: usize, b: usize) -> Result<Ordering> {
        let (first, second) = (&self.heads[a], &self.heads[b]);
        if first.word != second.word {
            return Ok(first.word.cmp(&second.word));
        }
        let by_key = match (first.row(), second.row()) {
            (Stored::Short { key, .. }, Stored::Short { key: other, .. }) => key.cmp(other),
            (row, other) => {
                let len = row.first().len().min(other.first().len());
                match row.first()[..len].cmp(&other.first()[..len]) {
                    Ordering::Equal => {
                        first.whole(self.budget)?.0.cmp(&second.whole(self.budget)?.0)
                    }
                    differs => differs,
                }
            }
        };
        Ok(by_key.then(a.cmp(&b)))
    }

    /// Goes on to the next row.
    fn step(&mut self) -> Result<()> {
        let Some(&top) = self.heap.first() else { return Ok(()) };
        if !self.heads[top].step(self.budget)? {
            self.heap.swap_remove(0);
        }
        self.sift(0)
    }
}

/// Merges runs into one, of no more than `limit` rows. Long rows stay where they are in the file.
///
/// # Errors
///
/// If the file cannot be read or written, or is damaged.
pub(crate) fn merge_into_one(budget: &Budget, runs: Vec<Run>, limit: usize) -> Result<Run> {
    let mut merged = Merged::of(budget, runs)?;
    let mut writer = RowWriter::new(budget);
    for _ in 0..limit {
        let Some(&top) = merged.heap.first() else { break };
        let head = &merged.heads[top];
        match head.row() {
            row @ Stored::Short { .. } => writer.add_stored(row)?,
            row @ Stored::Long { .. } => writer.add_long(row, head.run.long[head.long].clone())?,
        }
        merged.step()?;
    }
    writer.finish()
}

impl Iterator for Merged<'_> {
    type Item = Result<KeyedRow>;

    fn next(&mut self) -> Option<Result<KeyedRow>> {
        let top = *self.heap.first()?;
        let row = self.heads[top].whole(self.budget);
        Some(row.and_then(|row| self.step().map(|()| row)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::runs::LONG;
    use super::*;

    fn run(budget: &Budget, rows: &[KeyedRow]) -> Run {
        let mut writer = RowWriter::new(budget);
        rows.iter().try_for_each(|(key, row)| writer.add(key, row)).expect("there is room");
        writer.finish().expect("there is room")
    }

    fn all(budget: &Budget, runs: Vec<Run>) -> Vec<KeyedRow> {
        let merged = Merged::new(budget, runs, usize::MAX).expect("they are read");
        merged.map(|row| row.expect("it is read")).collect()
    }

    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let long = prop::collection::vec(prop::sample::select(vec![0, 7]), 2 * LONG..2 * LONG + 2);
        prop_oneof![prop::collection::vec(0..3_u8, 0..12), long]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn merged_runs_are_what_a_stable_sort_gives(
            runs in prop::collection::vec(prop::collection::vec(keys(), 0..20), 0..8),
            copies in prop::sample::select(vec![1, 3, 40]),
        ) {
            let budget = Budget::new(0, None);
            let (mut rows, mut written) = (Vec::new(), Vec::new());
            for n in 0..copies {
                for (m, keys) in runs.iter().enumerate() {
                    let row = |(at, key): (usize, &Vec<u8>)| (key.clone(), format!("{n} {m} {at}").into());
                    let mut own: Vec<KeyedRow> = keys.iter().enumerate().map(row).collect();
                    own.sort_by(|(a, _), (b, _)| a.cmp(b));
                    written.push(run(&budget, &own));
                    rows.extend(own);
                }
            }
            rows.sort_by(|(a, _), (b, _)| a.cmp(b));
            prop_assert_eq!(all(&budget, written.clone()), rows.clone());
            let limit = rows.len() / 2;
            let one = merge_into_one(&budget, written, limit).unwrap();
            prop_assert_eq!(all(&budget, vec![one]), &rows[..limit]);
        }
    }

    #[test]
    fn a_merge_of_long_rows_does_not_write_them_again() {
        let budget = Budget::new(0, None);
        let noise = |n: u64| -> Vec<u8> {
            let mut state = n;
            let next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u8
            };
            std::iter::repeat_with(next).take(100_000).collect()
        };
        let runs: Vec<Run> =
            (0..100).map(|n| run(&budget, &[(noise(n), b"row".to_vec())])).collect();
        let written = budget.written();
        assert!(written > 100 * 100_000);
        assert_eq!(all(&budget, runs).len(), 100);
        assert!(budget.written() - written < 100_000);
    }
}
