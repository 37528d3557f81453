//! Rows in the order of a key of bytes, of which long ones stand outside of their run.
//!
//! A run has the beginning of a long key and the end of a long row, and the places of the rest. So a merge moves
//! places, and reads a whole key where two keys begin alike.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use creel_operators::{Spill, save_bytes};

use super::records::RunWriter;
use super::{Batch, Budget, Extent, MergedRecords, RecordRun, reduce_runs};
use crate::{Error, Result};

/// A key with more bytes is long.
const LONG: usize = if cfg!(test) { 64 } else { 8 << 10 };

/// The bytes of a long key that a run has.
const PREFIX: usize = if cfg!(test) { 8 } else { 256 };

/// The bytes of a long key in one extent.
const PART: usize = 1 << 20;

/// A row in the temporary file.
#[derive(Debug, Clone)]
pub(crate) struct KeyedRow {
    /// The key, or its first bytes.
    key: Vec<u8>,
    /// Where all of a long key stands.
    long_key: Vec<Extent>,
    /// Where the first parts of a long row stand, and the rest of it.
    pub(crate) parts: Vec<Extent>,
    pub(crate) rest: String,
}

impl KeyedRow {
    fn save_lent(
        key: &[u8],
        long_key: &[Extent],
        parts: &[Extent],
        rest: &str,
        bytes: &mut Vec<u8>,
    ) {
        save_bytes(key, bytes);
        long_key.len().save(bytes);
        parts.len().save(bytes);
        Extent::save_all(long_key, bytes);
        Extent::save_all(parts, bytes);
        save_bytes(rest.as_bytes(), bytes);
    }

    /// The whole key.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read.
    pub(crate) fn into_key(self, budget: &Budget) -> Result<Vec<u8>> {
        if self.long_key.is_empty() { Ok(self.key) } else { self.read_key(budget) }
    }

    fn read_key(&self, budget: &Budget) -> Result<Vec<u8>> {
        let mut key = Vec::new();
        for extent in &self.long_key {
            key.extend_from_slice(&budget.read(*extent)?);
        }
        Ok(key)
    }
}

impl Spill for KeyedRow {
    const HAS_FORM: bool = true;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        Self::save_lent(&self.key, &self.long_key, &self.parts, &self.rest, bytes);
        true
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        let (key, of_key, of_row) = <(Vec<u8>, usize, usize)>::load(bytes)?;
        let mut extents = |count| {
            let mut extents = Vec::new();
            Extent::load_all(bytes, count, |extent| extents.push(extent)).map(|()| extents)
        };
        let (long_key, parts) = (extents(of_key)?, extents(of_row)?);
        Some(Self { key, long_key, parts, rest: String::load(bytes)? })
    }

    fn heap_size(&self) -> usize {
        let places = self.long_key.heap_size() + self.parts.heap_size();
        self.key.heap_size() + places + self.rest.heap_size()
    }
}

/// Writes rows, which come in the order of their keys, as a run.
pub(crate) struct KeyedWriter<'b> {
    budget: &'b Budget,
    rows: RunWriter<'b, KeyedRow>,
}

impl<'b> KeyedWriter<'b> {
    /// A writer of no rows yet.
    pub(crate) fn new(budget: &'b Budget) -> Self {
        Self { budget, rows: RunWriter::new(budget) }
    }

    /// Adds a row behind its key; of a long row the first parts were written before.
    ///
    /// # Errors
    ///
    /// If the folder cannot hold it, and if the run is cancelled.
    pub(crate) fn add(&mut self, key: &[u8], parts: &[Extent], rest: &str) -> Result<()> {
        if key.len() <= LONG {
            return self.rows.add_saved(|bytes| KeyedRow::save_lent(key, &[], parts, rest, bytes));
        }
        let mut batch = Batch::new(self.budget);
        key.chunks(PART).try_for_each(|part| batch.add(part))?;
        let long_key = batch.finish()?;
        let first = &key[..PREFIX];
        self.rows.add_saved(|bytes| KeyedRow::save_lent(first, &long_key, parts, rest, bytes))
    }

    /// Writes the rest.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub(crate) fn finish(self) -> Result<RecordRun<KeyedRow>> {
        self.rows.finish()
    }
}

/// The order of keys, which may have to be read.
struct KeyOrder {
    budget: Arc<Budget>,
    /// Why a key could not be read.
    failed: OnceLock<Error>,
}

impl KeyOrder {
    fn compare(&self, a: &KeyedRow, b: &KeyedRow) -> Ordering {
        if a.long_key.is_empty() && b.long_key.is_empty() {
            return a.key.cmp(&b.key);
        }
        let len = a.key.len().min(b.key.len());
        a.key[..len].cmp(&b.key[..len]).then_with(|| {
            let whole = |row: &KeyedRow| row.clone().into_key(&self.budget);
            let keys = whole(a).and_then(|a| Ok((a, whole(b)?)));
            keys.map_or_else(
                |error| {
                    let _ = self.failed.set(error);
                    Ordering::Equal
                },
                |(a, b)| a.cmp(&b),
            )
        })
    }

    fn check(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }
}

/// The first `most` rows of runs in the order of their keys; rows of equal keys in the order of the runs.
///
/// # Errors
///
/// If the file cannot be read or written, and if the run is cancelled; so are the rows.
pub(crate) fn merged_rows(
    budget: &Arc<Budget>,
    runs: Vec<RecordRun<KeyedRow>>,
    most: usize,
) -> Result<impl Iterator<Item = Result<KeyedRow>>> {
    let order = Arc::new(KeyOrder { budget: Arc::clone(budget), failed: OnceLock::new() });
    let runs = reduce_runs(budget, runs, most, |a, b| order.compare(a, b))?;
    let compare = {
        let order = Arc::clone(&order);
        move |a: &KeyedRow, b: &KeyedRow| order.compare(a, b)
    };
    let rows = MergedRecords::of_runs(budget, &runs, compare)?.take(most);
    order.check()?;
    Ok(rows.map(move |row| order.check().and(row)))
}

/// One run of several.
///
/// # Errors
///
/// As [`merged_rows`].
pub(crate) fn merge_rows(
    budget: &Arc<Budget>,
    runs: Vec<RecordRun<KeyedRow>>,
    most: usize,
) -> Result<RecordRun<KeyedRow>> {
    RecordRun::write(budget, merged_rows(budget, runs, most)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(budget: &Budget, rows: &[(Vec<u8>, String)]) -> RecordRun<KeyedRow> {
        let mut writer = KeyedWriter::new(budget);
        rows.iter().try_for_each(|(key, row)| writer.add(key, &[], row)).expect("there is room");
        writer.finish().expect("there is room")
    }

    fn all(
        budget: &Arc<Budget>,
        runs: Vec<RecordRun<KeyedRow>>,
        most: usize,
    ) -> Vec<(Vec<u8>, String)> {
        let rows = merged_rows(budget, runs, most).expect("they are read").map(|row| {
            let row = row.expect("it is read");
            let rest = row.rest.clone();
            (row.into_key(budget).expect("it is read"), rest)
        });
        rows.collect()
    }

    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let long = prop::collection::vec(prop::sample::select(vec![0, 7]), 2 * LONG..2 * LONG + 2);
        prop_oneof![prop::collection::vec(0..3_u8, 0..12), long]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn merged_rows_are_what_a_stable_sort_gives(
            runs in prop::collection::vec(prop::collection::vec(keys(), 0..20), 0..8),
            copies in prop::sample::select(vec![1, 3, 40]),
        ) {
            let budget = Arc::new(Budget::new(0, None));
            let (mut rows, mut written) = (Vec::new(), Vec::new());
            for n in 0..copies {
                for (m, keys) in runs.iter().enumerate() {
                    let row = |(at, key): (usize, &Vec<u8>)| (key.clone(), format!("{n} {m} {at}"));
                    let mut own: Vec<(Vec<u8>, String)> = keys.iter().enumerate().map(row).collect();
                    own.sort_by(|(a, _), (b, _)| a.cmp(b));
                    written.push(run(&budget, &own));
                    rows.extend(own);
                }
            }
            rows.sort_by(|(a, _), (b, _)| a.cmp(b));
            let half = rows.len() / 2;
            prop_assert_eq!(all(&budget, written.clone(), usize::MAX), rows.clone());
            let one = merge_rows(&budget, written, half).unwrap();
            prop_assert_eq!(all(&budget, vec![one], usize::MAX), &rows[..half]);
        }
    }

    #[test]
    fn a_merge_of_long_keys_does_not_write_them_again() {
        let budget = Arc::new(Budget::new(0, None));
        let noise = |n: u64| -> Vec<u8> {
            let mut state = n;
            let next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u8
            };
            std::iter::repeat_with(next).take(100_000).collect()
        };
        let runs: Vec<_> =
            (0..100).map(|n| run(&budget, &[(noise(n), "row".to_owned())])).collect();
        let written = budget.written();
        assert!(written > 100 * 100_000);
        assert_eq!(all(&budget, runs, usize::MAX).len(), 100);
        assert!(budget.written() - written < 1_000_000);
    }
}
