//! The first record of each key, of any number of records.
//!
//! Records are appended to logs by the hashes of their keys, and told apart log by log in the end: each log
//! is small enough for a table that stays in the cache, and the logs of all threads, or of a part of them,
//! are worked on side by side. One table of all keys takes twice the time, for it misses the cache at each
//! key. What is written to a file is the logs as they are. So that records that repeat do not pile up, a
//! small table stands in front which drops those of the keys that came first, and logs of which much repeats
//! are cut down to the first records each time that they have doubled.

mod entry;
mod front;
mod log;
mod place;
mod sorted;
mod table;

use crate::aggregate::{Reader, Writer};
use crate::table::Seed;
use entry::Entry;
pub use entry::Form;
use front::Front;
use log::Log;
pub use place::Place;
pub use sorted::SortedRecords;
use sorted::each_sorted;
use table::{Table, hash_of};

/// Bits of a hash that tell its log, of all records.
const LOG_BITS: u32 = if cfg!(test) { 3 } else { 10 };

/// Bytes of logs from which on it is asked how much repeats; fewer of what was cut into parts.
const LEAST_CHECKED: usize = if cfg!(test) { 300 } else { 16 << 20 };

/// Logs of which it is asked. Much larger ones than others are asked by themselves: they may be of one key.
const CHECKED: usize = 8;
const MUCH_LARGER: usize = 4;

/// Bytes of a log from which on it is cut before its records are told apart, and into how many.
const LARGE: usize = if cfg!(test) { 400 } else { 8 << 20 };
const CUT_BITS: u32 = if cfg!(test) { 2 } else { 6 };

/// The first record of each key.
///
/// ```
/// use creel_operators::distinct::{FirstRecords, Form, Place};
///
/// let mut first = FirstRecords::new(Form::Keys);
/// first.add_all(&mut Place::default(), ["cod", "eel", "cod"].iter().map(|key| (key.as_bytes(), b"".as_slice())));
/// assert_eq!(first.count(), 2);
/// ```
pub struct FirstRecords {
    form: Form,
    seed: Seed,
    /// Bits of hashes that all keys have in common, since it is a part.
    cut: u32,
    front: Front,
    /// None as long as the front takes all.
    logs: Vec<Log>,
    /// The bytes of memory of all logs.
    weight: usize,
    /// From how many of them on it is asked how much repeats.
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
        Self::part(form, 0)
    }

    fn part(form: Form, cut: u32) -> Self {
        Self {
            form,
            seed: Seed::default(),
            cut,
            front: Front::default(),
            logs: Vec::new(),
            weight: 0,
            check_at: least_checked(cut),
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
        self.logs.is_empty() && self.front.keys() == 0
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

    /// The bytes of memory that it takes.
    pub fn held(&self) -> usize {
        self.front.weight() + self.weight + self.logs.capacity() * size_of::<Log>()
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
                self.add(hash_of(&self.seed, key), &Entry { key, place: place.as_bytes(), record });
                place.advance();
            }
        } else {
            for (key, record) in records {
                self.add(hash_of(&self.seed, key), &Entry { key, place: b"", record });
            }
        }
        if self.front.is_useless() {
            self.flush(true);
        }
        if self.weight > self.check_at {
            self.check();
        }
    }

    #[inline]
    fn add(&mut self, hash: u64, entry: &Entry<'_>) {
        if self.front.is_off() || !self.front.takes(self.form, &self.seed, hash, entry) {
            self.log(hash, entry);
        }
    }

    /// Appends a record to its log.
    #[inline]
    fn log(&mut self, hash: u64, entry: &Entry<'_>) {
        if self.logs.is_empty() {
            self.open();
        }
        let log = bits(hash, self.cut, LOG_BITS.saturating_sub(self.cut));
        self.weight += self.logs[log].push(self.form, entry);
    }

    #[cold]
    fn open(&mut self) {
        self.logs.resize_with(1 << LOG_BITS.saturating_sub(self.cut), Log::default);
    }

    /// Moves what is in front to the logs; it is asked no more, if it is to be `off`.
    #[cold]
    fn flush(&mut self, off: bool) {
        let mut front = std::mem::take(&mut self.front);
        front.drain(self.form, off, |entry| self.log(hash_of(&self.seed, entry.key), &entry));
        self.front = front;
    }

    /// Cuts logs down to the first records, if much of them repeats.
    #[cold]
    fn check(&mut self) {
        let (mut table, mut bytes) = (Table::default(), Vec::new());
        let mean = self.weight / self.logs.len().max(1);
        let (mut before, mut after) = (0, 0);
        for n in 0..self.logs.len() {
            let is_large = self.logs[n].weight() > MUCH_LARGER.saturating_mul(mean);
            if n < CHECKED || is_large {
                let (had, has) = self.cut_down(n, &mut table, &mut bytes);
                if n < CHECKED {
                    (before, after) = (before + had, after + has);
                }
            }
        }
        if after < before / 2 {
            (CHECKED..self.logs.len()).for_each(|n| {
                self.cut_down(n, &mut table, &mut bytes);
            });
            self.flush(false);
        }
        self.check_at = (2 * self.weight).max(least_checked(self.cut));
    }

    /// Leaves the first records of a log; returns how many there were, and are.
    fn cut_down(&mut self, n: usize, table: &mut Table, bytes: &mut Vec<u8>) -> (usize, usize) {
        let before = self.logs[n].entries();
        let log = std::mem::take(&mut self.logs[n]);
        self.weight -= log.weight();
        let depth = self.depth();
        let mut left = Log::default();
        each_small(self.form, &self.seed, log, depth, &mut |log| {
            let keys = table.unique(self.form, &self.seed, log, bytes);
            left.add_block(bytes.as_slice().into(), keys);
        });
        self.weight += left.weight();
        let after = left.entries();
        self.logs[n] = left;
        (before, after)
    }

    /// How many bits of hashes the keys of a log have in common.
    fn depth(&self) -> u32 {
        self.cut.max(LOG_BITS)
    }

    /// Adds all that another one has seen, of the same form.
    ///
    /// # Panics
    ///
    /// If one is a part and the other is not, or of another cut.
    pub fn merge(&mut self, mut other: Self) {
        assert_eq!((self.form, self.cut), (other.form, other.cut), "the same part of records");
        other.front.drain(self.form, true, |entry| {
            self.add(hash_of(&self.seed, entry.key), &entry);
        });
        if !other.logs.is_empty() {
            if self.logs.is_empty() {
                self.open();
            }
            self.weight += other.weight;
            self.logs.iter_mut().zip(other.logs).for_each(|(log, other)| log.append(other));
        }
        if self.weight > self.check_at {
            self.check();
        }
    }

    /// Cuts it into `2^bits` parts by the hashes of keys: a key is in the same part of all that are cut in
    /// the same way.
    pub fn parts(mut self, bits: u32) -> Vec<Self> {
        let (form, cut) = (self.form, self.cut);
        let mut parts: Vec<Self> = (0..1 << bits).map(|_| Self::part(form, cut + bits)).collect();
        let each = self.logs.len() >> bits;
        let mut logs = std::mem::take(&mut self.logs).into_iter();
        if each > 0 {
            for part in &mut parts {
                part.logs = logs.by_ref().take(each).collect();
                part.weight = part.logs.iter().map(Log::weight).sum();
            }
        }
        for log in logs {
            log.each(form, |entry| {
                let hash = hash_of(&self.seed, entry.key);
                parts[self::bits(hash, cut, bits)].log(hash, &entry);
            });
        }
        let Self { seed, mut front, .. } = self;
        front.drain(form, true, |entry| {
            let hash = hash_of(&seed, entry.key);
            parts[self::bits(hash, cut, bits)].add(hash, &entry);
        });
        parts
    }

    /// Appends it to bytes, for [`load`](Self::load) in the same process.
    pub fn save(&self, bytes: &mut Vec<u8>) {
        bytes.put_bytes(self.front.bytes());
        bytes.put_u64(u64::from(self.cut));
        bytes.put_u64(self.logs.len() as u64);
        for log in &self.logs {
            bytes.put_u64(log.entries() as u64);
            bytes.put_u64(log.bytes() as u64);
            log.blocks().for_each(|block| bytes.extend_from_slice(block));
        }
    }

    /// Adds what was [saved](Self::save) of the same part. Returns false if that is not what the bytes are.
    pub fn load(&mut self, bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        self.read(&mut reader).is_some_and(|()| reader.end().is_ok())
    }

    fn read(&mut self, bytes: &mut Reader<'_>) -> Option<()> {
        let mut front = bytes.bytes().ok()?;
        let logs_of = |cut: u32| 1 << LOG_BITS.saturating_sub(cut);
        (bytes.u64().ok()? == u64::from(self.cut)).then_some(())?;
        let logs = bytes.u64().ok()?;
        (logs == 0 || logs == logs_of(self.cut)).then_some(())?;
        for n in 0..logs as usize {
            let entries = usize::try_from(bytes.u64().ok()?).ok()?;
            let len = usize::try_from(bytes.u64().ok()?).ok()?;
            let block = bytes.take(len).ok()?;
            (count(self.form, block)? == entries).then_some(())?;
            if entries > 0 {
                if self.logs.is_empty() {
                    self.open();
                }
                let before = self.logs[n].weight();
                self.logs[n].add_block(block.into(), entries);
                self.weight += self.logs[n].weight() - before;
            }
        }
        while !front.is_empty() {
            let entry = Entry::take(self.form, &mut front)?;
            self.add(hash_of(&self.seed, entry.key), &entry);
        }
        if self.weight > self.check_at {
            self.check();
        }
        Some(())
    }

    /// How many keys there are.
    pub fn count(mut self) -> usize {
        if let Some(few) = self.few() {
            return few;
        }
        self.flush(true);
        let (mut table, mut bytes, mut keys) = (Table::default(), Vec::new(), 0);
        let (form, depth) = (self.form, self.depth());
        for log in self.logs {
            each_small(form, &self.seed, log, depth, &mut |log| {
                keys += table.count(form, &self.seed, log, &mut bytes);
            });
        }
        keys
    }

    /// The first records in the order of their places; no more than `limit` of them.
    ///
    /// # Panics
    ///
    /// If it keeps keys alone.
    ///
    /// ```
    /// use creel_operators::distinct::{FirstRecords, Form, Place};
    ///
    /// let mut first = FirstRecords::new(Form::Pairs);
    /// let records: [(&[u8], &[u8]); 3] = [(b"c", b"cod"), (b"e", b"eel"), (b"c", b"carp")];
    /// first.add_all(&mut Place::new([0]), records.into_iter());
    /// let sorted = first.into_sorted(None);
    /// let records: Vec<&[u8]> = sorted.iter().map(|(_, record)| record).collect();
    /// assert_eq!(records, [&b"cod"[..], b"eel"]);
    /// ```
    pub fn into_sorted(self, limit: Option<u64>) -> SortedRecords {
        let mut sorted = SortedRecords::default();
        let added = self.each_sorted(limit, |place, record| {
            sorted.add(place, record);
            Ok::<(), std::convert::Infallible>(())
        });
        added.unwrap_or_else(|never| match never {});
        sorted
    }

    /// Visits the first records in the order of their places, with these; no more than `limit` of them.
    ///
    /// # Errors
    ///
    /// The first that a visit returns.
    ///
    /// # Panics
    ///
    /// If it keeps keys alone.
    pub fn each_sorted<E>(
        mut self,
        limit: Option<u64>,
        visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        assert!(self.form.is_placed(), "keys alone have no place");
        self.flush(true);
        let (mut table, mut bytes) = (Table::default(), Vec::new());
        let (form, depth) = (self.form, self.depth());
        let mut unique = Vec::new();
        for log in self.logs {
            each_small(form, &self.seed, log, depth, &mut |log| {
                table.unique(form, &self.seed, log, &mut bytes);
                unique.push(bytes.as_slice().into());
            });
        }
        drop((table, bytes));
        each_sorted(form, &unique, limit, visit)
    }
}

/// Some bits of a hash, behind so many.
#[inline]
fn bits(hash: u64, behind: u32, bits: u32) -> usize {
    let hash = hash.checked_shl(behind).unwrap_or(0);
    hash.checked_shr(u64::BITS - bits).unwrap_or(0) as usize
}

/// How many entries there are in bytes; `None` if these are none.
fn count(form: Form, mut bytes: &[u8]) -> Option<usize> {
    let mut entries = 0;
    while !bytes.is_empty() {
        Entry::take(form, &mut bytes)?;
        entries += 1;
    }
    Some(entries)
}

/// The bytes from which on a part is asked how much of it repeats.
fn least_checked(cut: u32) -> usize {
    LEAST_CHECKED >> cut.min(4)
}

/// Visits a log, or the logs into which it is cut where it is too large for a table in the cache.
fn each_small(form: Form, seed: &Seed, log: Log, depth: u32, visit: &mut impl FnMut(&Log)) {
    let bytes = log.weight();
    if log.entries() == 0 {
        return;
    }
    if bytes <= LARGE || depth + CUT_BITS >= u64::BITS / 2 {
        return visit(&log);
    }
    let mut logs: Vec<Log> = Vec::new();
    logs.resize_with(1 << CUT_BITS, Log::default);
    log.each(form, |entry| {
        let hash = hash_of(seed, entry.key);
        logs[bits(hash, depth, CUT_BITS)].push(form, &entry);
    });
    // Records of one key do not come apart.
    let largest = logs.iter().map(Log::entries).max().unwrap_or(0);
    if largest > log.entries() / 10 * 9 {
        drop(logs);
        return visit(&log);
    }
    drop(log);
    logs.into_iter().for_each(|log| each_small(form, seed, log, depth + CUT_BITS, visit));
}

#[cfg(test)]
mod tests;
