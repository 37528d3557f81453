//! The records of one log, of which the first of each key are found.

use super::entry::{Form, next};
use super::logs::Logs;
use super::table::{Table, hash_of};
use super::{CUT_BITS, bits};
use crate::table::Seed;

/// Records whose hashes begin alike, in one buffer.
///
/// ```
/// use creel_operators::distinct::{FirstRecords, Form, Place, Unique};
///
/// let mut first = FirstRecords::new(Form::Pairs);
/// let records: [(&[u8], &[u8]); 3] = [(b"c", b"cod"), (b"e", b"eel"), (b"c", b"carp")];
/// first.add_all(&mut Place::new([0]), records.into_iter());
/// first.flush();
/// let mut unique = Unique::new(Form::Pairs);
/// for log in 0..first.logs().len() {
///     first.logs().pieces(log).for_each(|(piece, records)| unique.add(piece, records));
/// }
/// assert_eq!(unique.reduce(), Some(2));
/// let mut records: Vec<&[u8]> = unique.iter().map(|(_, record)| record).collect();
/// records.sort();
/// assert_eq!(records, [&b"cod"[..], b"eel"]);
/// ```
pub struct Unique {
    form: Form,
    seed: Seed,
    table: Table,
    bytes: Vec<u8>,
    entries: usize,
}

impl std::fmt::Debug for Unique {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unique").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl Unique {
    /// No records, of which this is kept.
    pub fn new(form: Form) -> Self {
        Self { form, seed: Seed::default(), table: Table::default(), bytes: Vec::new(), entries: 0 }
    }

    /// The bytes of the records.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of memory that are kept for other records.
    pub fn weight(&self) -> usize {
        self.bytes.capacity() + self.table.weight()
    }

    /// Forgets all records.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries = 0;
    }

    /// Adds so many records, as they stand in [`Logs`].
    pub fn add(&mut self, piece: &[u8], records: usize) {
        creel_kernels::reserve(&mut self.bytes, piece.len());
        self.bytes.extend_from_slice(piece);
        self.entries += records;
    }

    /// Adds so many records, whose bytes are appended to a buffer.
    ///
    /// # Errors
    ///
    /// If these cannot be had.
    pub fn add_by<E>(
        &mut self,
        records: usize,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.entries += records;
        append(&mut self.bytes)
    }

    /// The number of keys; `None` if the bytes are not those of as many records as were added.
    pub fn count(&mut self) -> Option<usize> {
        let Self { form, seed, table, bytes, entries } = self;
        table.count(*form, seed, bytes, *entries)
    }

    /// Leaves the first record of each key. Returns how many there are; `None` as [`count`](Self::count)
    /// does.
    pub fn reduce(&mut self) -> Option<usize> {
        let Self { form, seed, table, bytes, entries } = self;
        *entries = table.reduce(*form, seed, bytes, *entries)?;
        Some(*entries)
    }

    /// The places and the records, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let entry = next(self.form, &mut rest)?;
            Some((entry.place, entry.record))
        })
    }

    /// Moves all records to logs, by those bits of their hashes that come behind the first `depth`.
    pub fn split(&mut self, depth: u32, into: &mut Logs) {
        if into.is_empty() {
            *into = Logs::new(1 << CUT_BITS);
        }
        let mut rest = self.bytes.as_slice();
        while let Some(entry) = next(self.form, &mut rest) {
            let hash = hash_of(&self.seed, entry.key);
            into.push(bits(hash, depth, CUT_BITS), self.form, &entry);
        }
        self.clear();
    }
}
