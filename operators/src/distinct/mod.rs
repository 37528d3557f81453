//! The first record of each key, of any number of records.
//!
//! [`FirstRecords`] appends records to logs by the hashes of their keys. In the end [`Unique`] tells the
//! records of one log apart: each log is small enough for a table that stays in the cache, and the logs of
//! all threads are worked on side by side. One table of all keys takes twice the time, for it misses the
//! cache at each key. The logs as they are can be written to a file, and read back. So that records that
//! repeat do not pile up, a small table stands in front which drops those of the keys that came first, and
//! logs of which much repeats are cut down to the first records each time that they have doubled.
//!
//! [`Distinct`] does the same for records of any type, in memory.

mod combiner;
mod entry;
mod front;
mod logs;
mod place;
mod table;
mod unique;

use crate::table::Seed;
pub use combiner::{Distinct, Kept, KeysOf, Whole};
use entry::Entry;
pub use entry::Form;
use front::Front;
pub use logs::Logs;
pub use place::Place;
use table::{Table, hash_of};
pub use unique::Unique;

/// Bits of a hash that tell its log.
pub const LOG_BITS: u32 = if cfg!(test) { 3 } else { 10 };

/// Bits of a hash by which a log is [split](Unique::split).
pub const CUT_BITS: u32 = if cfg!(test) { 2 } else { 6 };

/// Bytes of logs from which on it is asked how much repeats.
const LEAST_CHECKED: usize = if cfg!(test) { 300 } else { 16 << 20 };

/// Logs of which it is asked. Much larger ones than others are asked by themselves: they may be of one key.
const CHECKED: usize = 8;
const MUCH_LARGER: usize = 4;

/// Bytes of a log that are told apart at once, at least.
const LEAST_REDUCED: usize = if cfg!(test) { 64 } else { 256 << 10 };

/// The first record of each key, and others that may not be the first.
///
/// ```
/// use creel_operators::distinct::{FirstRecords, Form, Place};
///
/// let mut first = FirstRecords::new(Form::Keys);
/// let keys = ["cod", "eel", "cod"];
/// first.add_all(&mut Place::default(), keys.iter().map(|key| (key.as_bytes(), b"".as_slice())));
/// assert_eq!(first.few(), Some(2));
/// ```
pub struct FirstRecords {
    form: Form,
    seed: Seed,
    front: Front,
    /// None as long as the front takes all.
    logs: Logs,
    /// From how many bytes of logs on it is asked how much repeats.
    check_at: usize,
}

impl std::fmt::Debug for FirstRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FirstRecords").field("held", &self.held()).finish_non_exhaustive()
    }
}

impl FirstRecords {
    /// No records.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            seed: Seed::default(),
            front: Front::default(),
            logs: Logs::default(),
            check_at: LEAST_CHECKED,
        }
    }

    /// No records, for a run that ends as soon as there are a [`few`](Self::few) keys, however long their
    /// records are.
    ///
    /// ```
    /// use creel_operators::distinct::{FirstRecords, Form, Place};
    ///
    /// let mut first = FirstRecords::of_few(Form::Keys);
    /// let keys = ["cod", "eel"].map(|key| key.repeat(1 << 20));
    /// first.add_all(&mut Place::default(), keys.iter().map(|key| (key.as_bytes(), b"".as_slice())));
    /// assert_eq!(first.few(), Some(2));
    /// ```
    pub fn of_few(form: Form) -> Self {
        Self { front: Front::of_few(), ..Self::new(form) }
    }

    /// The part of each record that it keeps.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Returns true if it has seen no record.
    pub fn is_empty(&self) -> bool {
        self.logs.held() == 0 && self.front.keys() == 0
    }

    /// How many keys there are, if they are few.
    ///
    /// ```
    /// use creel_operators::distinct::{FirstRecords, Form};
    /// assert_eq!(FirstRecords::new(Form::Records).few(), Some(0));
    /// ```
    pub fn few(&self) -> Option<usize> {
        self.logs.is_empty().then(|| self.front.keys())
    }

    /// The bytes of memory that records take.
    pub fn held(&self) -> usize {
        self.front.weight() + self.logs.held()
    }

    /// The bytes of memory that hold no records, and are there for those that come.
    pub fn unused(&self) -> usize {
        self.logs.unused()
    }

    /// Adds records, keys and what they are, of which the first stands at a place and the others behind it;
    /// best many at a time. No two have the same place, unless keys alone are kept.
    #[inline]
    pub fn add_all<'a>(
        &mut self,
        place: &mut Place,
        records: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) {
        if self.form.is_placed() {
            for (key, record) in records {
                self.add(&Entry { key, place: place.as_bytes(), record });
                place.advance();
            }
        } else {
            for (key, record) in records {
                self.add(&Entry { key, place: b"", record });
            }
        }
        if self.front.is_useless() {
            self.empty_front(true);
        }
        if self.logs.held() > self.check_at {
            self.check();
        }
    }

    #[inline]
    fn add(&mut self, entry: &Entry<'_>) {
        let hash = hash_of(&self.seed, entry.key);
        if self.front.is_off() || !self.front.takes(self.form, &self.seed, hash, entry) {
            self.log(hash, entry);
        }
    }

    /// Appends a record to its log.
    #[inline]
    fn log(&mut self, hash: u64, entry: &Entry<'_>) {
        if self.logs.is_empty() {
            self.logs = Logs::new(1 << LOG_BITS);
        }
        self.logs.push(bits(hash, 0, LOG_BITS), self.form, entry);
    }

    /// Moves what is in front to the logs; it is asked no more, if it is to be `off`.
    #[cold]
    fn empty_front(&mut self, off: bool) {
        let mut front = std::mem::take(&mut self.front);
        front.drain(self.form, off, |entry| self.log(hash_of(&self.seed, entry.key), &entry));
        self.front = front;
    }

    /// Cuts logs down to the first records, if much of them repeats.
    #[cold]
    fn check(&mut self) {
        let (mut table, mut bytes) = (Table::default(), Vec::new());
        let mean = self.logs.held() / self.logs.len().max(1);
        let (mut before, mut after) = (0, 0);
        for log in 0..self.logs.len() {
            let weight: usize = self.logs.pieces(log).map(|(piece, _)| piece.len()).sum();
            if log < CHECKED || weight > MUCH_LARGER.saturating_mul(mean) {
                let (had, has) = self.cut_down(log, &mut table, &mut bytes);
                if log < CHECKED {
                    (before, after) = (before + had, after + has);
                }
            }
        }
        if after < before / 2 {
            (CHECKED..self.logs.len()).for_each(|log| {
                self.cut_down(log, &mut table, &mut bytes);
            });
            self.empty_front(false);
        }
        self.logs.compact();
        self.check_at = (2 * self.logs.held()).max(LEAST_CHECKED);
    }

    /// Leaves the first records of a log; returns how many there were, and are.
    ///
    /// They are told apart again whenever they have become twice as many bytes: a log in which one key repeats
    /// may be most of the memory, and to copy all of it would take as much again.
    fn cut_down(&mut self, log: usize, table: &mut Table, bytes: &mut Vec<u8>) -> (usize, usize) {
        let before = self.logs.entries(log);
        bytes.clear();
        let (mut entries, mut most) = (0, LEAST_REDUCED);
        let mut pieces = self.logs.pieces(log).peekable();
        while let Some((piece, of_piece)) = pieces.next() {
            bytes.extend_from_slice(piece);
            entries += of_piece;
            if bytes.len() < most && pieces.peek().is_some() {
                continue;
            }
            let Some(after) = table.reduce(self.form, &self.seed, bytes, entries) else {
                unreachable!("a log holds the entries that were appended to it")
            };
            (entries, most) = (after, (2 * bytes.len()).max(LEAST_REDUCED));
        }
        drop(pieces);
        self.logs.clear(log);
        self.logs.push_all(log, self.form, bytes);
        (before, entries)
    }

    /// Adds all that another one has seen, of the same form.
    ///
    /// # Panics
    ///
    /// If it is of another form.
    pub fn merge(&mut self, mut other: Self) {
        assert_eq!(self.form, other.form, "the same part of records");
        other.front.drain(self.form, true, |entry| self.add(&entry));
        for log in 0..other.logs.len() {
            for (mut piece, _) in other.logs.pieces(log) {
                while let Some(entry) = entry::next(self.form, &mut piece) {
                    self.add(&entry);
                }
            }
        }
        if self.logs.held() > self.check_at {
            self.check();
        }
    }

    /// Moves all records to the logs.
    pub fn flush(&mut self) {
        self.empty_front(self.front.is_off());
        if self.logs.is_empty() {
            self.logs = Logs::new(1 << LOG_BITS);
        }
    }

    /// Moves all records to the logs, to which none will be added, and gives back the memory that holds none.
    pub fn finish(&mut self) {
        self.flush();
        self.logs.shrink();
    }

    /// The logs, by the first [bits](LOG_BITS) of hashes: all records, if it is [flushed](Self::flush).
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Forgets what is in the logs. Most of their memory is kept for what comes: the system takes time to clear
    /// what it gives again.
    pub fn clear_logs(&mut self) {
        self.logs.clear_all(self.logs.held() / 8 * 7);
        self.check_at = LEAST_CHECKED;
    }
}

/// Some bits of a hash, behind so many.
#[inline]
fn bits(hash: u64, behind: u32, bits: u32) -> usize {
    let hash = hash.checked_shl(behind).unwrap_or(0);
    hash.checked_shr(u64::BITS - bits).unwrap_or(0) as usize
}

#[cfg(test)]
mod tests;
