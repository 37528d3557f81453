//! Keys that wait to be counted, in logs by the first bits of their hashes.
//!
//! A row is a key and how often it occurred, as [`saved`] writes it: what a log holds is also what is written to a
//! file. The rows of a log are counted together, in a table that is small enough for the caches. Logs of
//! neighbouring hashes share slabs, so that their memory goes back to the system as soon as they are counted.

use creel_kernels::{Buffer, Slabs};

use super::saved;

/// Bits of a hash that tell its log.
pub(super) const LOG_BITS: u32 = if cfg!(test) { 4 } else { 10 };

/// Neighbouring logs that share slabs, as a power of two. Logs fill evenly, so all of their slabs are new at the same
/// time: there are few, as the rest of each is memory that holds nothing.
const NEIGHBOURS: u32 = if cfg!(test) { 2 } else { 8 };

/// The bytes of the smallest and of the largest buffer of a log, and of the largest slab.
const LEAST: usize = if cfg!(test) { 32 } else { 512 };
const MOST: usize = if cfg!(test) { 128 } else { 16 << 10 };
const SLAB: usize = 1 << 20;

/// The bytes of rows that are read back which are appended at a time: less than an eighth of a slab.
const PIECE: usize = if cfg!(test) { 64 } else { 64 << 10 };

/// The bytes of a row besides those of its key, at most.
const NUMBERS: usize = 2 * saved::LONGEST_NUMBER;

/// The mark before logs. No row begins like this: [`saved::put`] writes a zero in one byte.
const MARK: [u8; 2] = [0x80, 0];

/// Rows in logs.
#[derive(Debug)]
pub(super) struct KeyLogs {
    /// How many leading bits the hashes of all keys have in common, and how many bits behind them tell the log.
    skip: u32,
    bits: u32,
    /// Of each log the buffer that rows are appended to, and those that are full.
    open: Vec<Buffer>,
    full: Vec<Vec<Buffer>>,
    slabs: Vec<Slabs>,
    /// The rows of each log.
    rows: Vec<usize>,
    /// The bytes of all buffers.
    held: usize,
}

impl KeyLogs {
    /// No rows. The hashes of all that come have so many leading bits in common.
    pub(super) fn new(skip: u32) -> Self {
        let bits = LOG_BITS.saturating_sub(skip);
        let slabs = 1 << bits.saturating_sub(NEIGHBOURS);
        Self {
            skip,
            bits,
            open: std::iter::repeat_with(Buffer::default).take(1 << bits).collect(),
            full: std::iter::repeat_with(Vec::new).take(1 << bits).collect(),
            slabs: std::iter::repeat_with(|| Slabs::new(SLAB)).take(slabs).collect(),
            rows: vec![0; 1 << bits],
            held: 0,
        }
    }

    /// How many bits of a hash tell its log.
    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    /// The bytes of memory that rows take.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The bytes of memory that the rows of a log take.
    pub(super) fn held_of(&self, log: usize) -> usize {
        self.full[log].iter().map(Buffer::weight).sum::<usize>() + self.open[log].weight()
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows.iter().sum()
    }

    /// The bytes of memory that hold nothing, and are there for rows that come.
    pub(super) fn unused(&self) -> usize {
        self.slabs.iter().map(Slabs::unused).sum()
    }

    /// Appends a key that occurred `n` times, to the log of its hash.
    #[inline]
    pub(super) fn push(&mut self, hash: u32, key: &[u8], n: u64) {
        let log = (u64::from(hash << self.skip) << self.bits >> 32) as usize;
        let open = &self.open[log];
        if open.capacity() - open.len() < key.len() + NUMBERS {
            self.renew(log, key.len() + NUMBERS);
        }
        let open = &mut self.open[log];
        put(open, key.len() as u64);
        open.extend_from_slice(key);
        put(open, n);
        self.rows[log] += 1;
    }

    /// Begins another buffer of a log, with at least so much room.
    #[cold]
    fn renew(&mut self, log: usize, room: usize) {
        let has: usize = self.full[log].iter().map(Buffer::weight).sum();
        let size = room.max((has / 4).clamp(LEAST, MOST));
        let buffer = self.slabs[log >> NEIGHBOURS.min(self.bits)].buffer(size);
        self.held += buffer.weight();
        let last = std::mem::replace(&mut self.open[log], buffer);
        if last.capacity() > 0 {
            self.full[log].push(last);
        }
    }

    /// The rows of a log, in pieces of whole rows.
    pub(super) fn pieces(&self, log: usize) -> impl Iterator<Item = &[u8]> {
        self.full[log].iter().chain([&self.open[log]]).map(|buffer| &buffer[..])
    }

    /// Appends all logs to bytes: a mark, the bits that hashes have in common, and of each log its length and its rows.
    pub(super) fn save(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&MARK);
        bytes.push(self.skip as u8);
        for log in 0..self.open.len() {
            saved::put(bytes, self.pieces(log).map(<[u8]>::len).sum::<usize>() as u64);
            self.pieces(log).for_each(|rows| bytes.extend_from_slice(rows));
        }
    }

    /// Appends the rows of logs that were [saved](Self::save), of keys that `can_be`; returns how many there are. `None`
    /// if bytes are no such logs. `hash` tells that of a key, where the logs are cut in another way than these.
    pub(super) fn load(
        &mut self,
        bytes: &[u8],
        can_be: impl Fn(&[u8]) -> bool,
        hash: impl Fn(&[u8]) -> u32,
    ) -> Option<u64> {
        let (&skip, mut rest) = bytes.strip_prefix(&MARK)?.split_first()?;
        let (mut rows, mut log) = (0, 0);
        while !rest.is_empty() {
            let of_log = saved::take_bytes(&mut rest)?;
            if u32::from(skip) == self.skip && log < self.open.len() {
                rows += self.append_rows(log, of_log, &can_be)?;
            } else {
                rows += checked(of_log, &can_be, |key, n| self.push(hash(key), key, n))?;
            }
            log += 1;
        }
        Some(rows)
    }

    /// Appends rows of keys that `can_be` to the log that has their hashes, in pieces that slabs have room for.
    fn append_rows(
        &mut self,
        log: usize,
        mut rows: &[u8],
        can_be: impl Fn(&[u8]) -> bool,
    ) -> Option<u64> {
        let (mut piece, mut count) = (rows, 0);
        while !rows.is_empty() {
            saved::load(&mut rows).filter(|(key, _)| can_be(key))?;
            count += 1;
            let len = piece.len() - rows.len();
            if len >= PIECE || rows.is_empty() {
                self.append_bytes(log, &piece[..len]);
                piece = rows;
            }
        }
        self.rows[log] += count;
        Some(count as u64)
    }

    /// Appends whole rows to a log.
    fn append_bytes(&mut self, log: usize, rows: &[u8]) {
        let open = &self.open[log];
        if open.capacity() - open.len() < rows.len() {
            self.renew(log, rows.len());
        }
        self.open[log].extend_from_slice(rows);
    }

    /// Moves the rows of a log out.
    pub(super) fn take(&mut self, log: usize) -> impl Iterator<Item = Buffer> + use<> {
        let (full, open) = (std::mem::take(&mut self.full[log]), &mut self.open[log]);
        let taken = full.into_iter().chain([std::mem::take(open)]);
        let taken: Vec<_> = taken.collect();
        self.held -= taken.iter().map(Buffer::weight).sum::<usize>();
        self.rows[log] = 0;
        taken.into_iter()
    }

    /// Appends the rows of other logs, whose hashes have the same bits in common.
    pub(super) fn append(&mut self, mut other: Self) {
        for log in 0..self.open.len() {
            self.append_to(log, other.rows[log], other.take(log));
        }
    }

    fn append_to(&mut self, log: usize, rows: usize, buffers: impl Iterator<Item = Buffer>) {
        self.rows[log] += rows;
        for buffer in buffers.filter(|buffer| !buffer.is_empty()) {
            self.held += buffer.weight();
            self.full[log].push(buffer);
        }
    }

    /// Cuts them into `2^bits` parts by the bits of the hashes that come first; `hash` tells that of a key.
    pub(super) fn parts(mut self, bits: u32, hash: impl Fn(&[u8]) -> u32) -> Vec<Self> {
        let mut parts: Vec<_> = (0..1 << bits).map(|_| Self::new(self.skip + bits)).collect();
        if bits <= self.bits {
            for log in 0..self.open.len() {
                let part = &mut parts[log >> (self.bits - bits)];
                let into = log & (part.open.len() - 1);
                part.append_to(into, self.rows[log], self.take(log));
            }
            return parts;
        }
        for log in 0..self.open.len() {
            for rows in self.take(log) {
                let each = checked(
                    &rows,
                    |_| true,
                    |key, n| {
                        let hash = hash(key);
                        let part = u64::from(hash << self.skip) << bits >> 32;
                        parts[part as usize].push(hash, key, n);
                    },
                );
                debug_assert!(each.is_some(), "a log holds whole rows");
            }
        }
        parts
    }

    /// Makes logs of all [`parts`](Self::parts), in their order.
    pub(super) fn joined(parts: Vec<Self>) -> Self {
        let cut = parts.len().ilog2();
        let mut joined = Self::new(parts.first().map_or(0, |part| part.skip - cut));
        for (n, mut part) in parts.into_iter().enumerate() {
            for log in 0..part.open.len() {
                let all = (n << part.bits | log) as u64;
                let into = all >> (cut + part.bits - joined.bits);
                joined.append_to(into as usize, part.rows[log], part.take(log));
            }
        }
        joined
    }
}

impl Clone for KeyLogs {
    fn clone(&self) -> Self {
        let mut clone = Self::new(self.skip);
        for log in 0..self.open.len() {
            for piece in self.pieces(log) {
                let mut buffer = clone.slabs[log >> NEIGHBOURS.min(self.bits)].buffer(piece.len());
                buffer.extend_from_slice(piece);
                clone.append_to(log, 0, std::iter::once(buffer));
            }
            clone.rows[log] = self.rows[log];
        }
        clone
    }
}

/// Returns true if bytes are logs that were [saved](KeyLogs::save), and not rows.
pub(super) fn are_logs(bytes: &[u8]) -> bool {
    bytes.starts_with(&MARK)
}

/// Visits the key and the count of each row, of keys that `can_be`; returns how many there are. `None` if bytes are no
/// such rows.
pub(super) fn checked(
    mut rows: &[u8],
    can_be: impl Fn(&[u8]) -> bool,
    mut visit: impl FnMut(&[u8], u64),
) -> Option<u64> {
    let mut count = 0;
    while !rows.is_empty() {
        let (key, n) = saved::load(&mut rows).filter(|(key, _)| can_be(key))?;
        visit(key, n);
        count += 1;
    }
    Some(count)
}

/// Appends a number as [`saved::put`] does.
#[inline]
fn put(bytes: &mut Buffer, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}
