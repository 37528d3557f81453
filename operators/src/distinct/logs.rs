//! Entries in logs by the hashes of their keys, in blocks that are used again.
//!
//! The blocks of all logs come from common slabs. A record is written to one of a thousand places, so the
//! positions of all logs lie side by side in 24 KiB. Rejected: a vector for each log, whose head misses
//! the first cache at each record, and which an allocator moves or leaves behind.

use creel_kernels::Huge;

use super::Form;
use super::entry::{self, Entry};

/// The sizes of blocks: the smallest, doubled so many times. Most logs of few records stay small, and a
/// block that is not full is a small fraction of its log.
const LEAST: usize = if cfg!(test) { 16 } else { 512 };
const SIZES: usize = if cfg!(test) { 3 } else { 6 };

/// The largest of these sizes.
const MOST: usize = LEAST << (SIZES - 1);

/// Bytes of a slab.
const SLAB: usize = if cfg!(test) { 256 } else { 1 << 20 };

/// Records with their keys, in logs by the hashes of the keys, as bytes.
///
/// ```
/// use creel_operators::distinct::{FirstRecords, Form, Place};
///
/// let mut first = FirstRecords::new(Form::Keys);
/// first.add_all(&mut Place::default(), [(b"cod".as_slice(), b"".as_slice())].into_iter());
/// first.flush();
/// let logs = first.logs();
/// assert_eq!((0..logs.len()).map(|log| logs.entries(log)).sum::<usize>(), 1);
/// assert!((0..logs.len()).flat_map(|log| logs.pieces(log)).eq([(b"\x03cod".as_slice(), 1)]));
/// ```
#[derive(Debug, Default)]
pub struct Logs {
    heads: Vec<Head>,
    /// The blocks of each log. The last is the one of its head, if that has an end.
    blocks: Vec<Vec<Block>>,
    slabs: Vec<Huge<u8>>,
    /// Slabs of the usual size that hold nothing.
    unused: Vec<usize>,
    /// The slab that blocks are cut from, and where its rest begins.
    open: Option<(usize, usize)>,
    /// Blocks of each size that hold nothing.
    free: [Vec<Block>; SIZES],
    /// The bytes of all blocks that hold something.
    used: usize,
}

/// Where a log goes on.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    /// The places of the next entry and of the end of the block.
    next: usize,
    end: usize,
    slab: u32,
    /// The entries of the block.
    entries: u32,
}

/// A part of a slab.
#[derive(Debug, Clone, Copy)]
struct Block {
    slab: usize,
    start: usize,
    /// The bytes that it has, and those that are entries.
    size: usize,
    len: usize,
    entries: usize,
}

impl Logs {
    /// So many logs.
    pub(super) fn new(logs: usize) -> Self {
        let mut new = Self::default();
        new.heads.resize(logs, Head::default());
        new.blocks.resize_with(logs, Vec::new);
        new
    }

    /// The number of logs.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Returns true if there are no logs.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The bytes of memory of all blocks that hold records.
    pub fn held(&self) -> usize {
        self.used
    }

    /// Appends an entry to a log.
    #[inline]
    pub(super) fn push(&mut self, log: usize, form: Form, entry: &Entry<'_>) {
        let head = &self.heads[log];
        if head.end - head.next < entry.room() {
            self.renew(log, entry.room());
        }
        let head = &mut self.heads[log];
        let room = &mut self.slabs[head.slab as usize][head.next..head.end];
        head.next += entry.write(form, room);
        head.entries += 1;
    }

    /// Appends bytes of entries, in pieces that blocks have room for. Rejected: all of them as one piece, for which
    /// an allocator finds a place between others.
    pub(super) fn push_all(&mut self, log: usize, form: Form, bytes: &[u8]) {
        let (mut rest, mut start, mut end, mut entries) = (bytes, 0, 0, 0);
        while entry::next(form, &mut rest).is_some() {
            let next = bytes.len() - rest.len();
            if next - start > MOST {
                self.push_bytes(log, &bytes[start..end], entries);
                (start, entries) = (end, 0);
            }
            (end, entries) = (next, entries + 1);
        }
        self.push_bytes(log, &bytes[start..], entries);
    }

    /// Appends bytes of so many entries, which stay together.
    fn push_bytes(&mut self, log: usize, bytes: &[u8], entries: usize) {
        if bytes.is_empty() {
            return;
        }
        self.close(log);
        let mut block = self.block(bytes.len());
        self.slabs[block.slab][block.start..][..bytes.len()].copy_from_slice(bytes);
        (block.len, block.entries) = (bytes.len(), entries);
        self.blocks[log].push(block);
    }

    /// Ends the block of a log, and begins one that has this much room.
    #[cold]
    fn renew(&mut self, log: usize, room: usize) {
        self.close(log);
        let has: usize = self.blocks[log].iter().map(|block| block.size).sum();
        let block = self.block(room.max((has / 4).min(MOST)));
        self.heads[log] = Head {
            next: block.start,
            end: block.start + block.size,
            slab: block.slab as u32,
            entries: 0,
        };
        self.blocks[log].push(block);
    }

    /// Ends the block of a log.
    fn close(&mut self, log: usize) {
        let head = std::mem::take(&mut self.heads[log]);
        if head.end > 0
            && let Some(block) = self.blocks[log].last_mut()
        {
            (block.len, block.entries) = (head.next - block.start, head.entries as usize);
        }
    }
}

impl Logs {
    /// A block of at least so many bytes.
    fn block(&mut self, bytes: usize) -> Block {
        let block = if bytes > MOST { self.own_slab(bytes) } else { self.small_block(bytes) };
        self.used += block.size;
        block
    }

    /// A slab that is one block.
    fn own_slab(&mut self, bytes: usize) -> Block {
        self.slabs.push(Huge::zeroed(bytes));
        Block { slab: self.slabs.len() - 1, start: 0, size: bytes, len: 0, entries: 0 }
    }

    /// A block of one of the sizes: one that is free, or the next of the open slab.
    fn small_block(&mut self, bytes: usize) -> Block {
        let n = size_of_block(bytes);
        if let Some(block) = self.free[n].pop() {
            return Block { len: 0, entries: 0, ..block };
        }
        let size = LEAST << n;
        let (slab, start) = match self.open {
            Some((slab, start)) if self.slabs[slab].len() - start >= size => (slab, start),
            _ => (self.slab(), 0),
        };
        self.open = Some((slab, start + size));
        Block { slab, start, size, len: 0, entries: 0 }
    }

    /// A slab of the usual size that holds nothing.
    fn slab(&mut self) -> usize {
        self.unused.pop().unwrap_or_else(|| {
            self.slabs.push(Huge::zeroed(SLAB));
            self.slabs.len() - 1
        })
    }

    /// The bytes of all slabs.
    fn weight(&self) -> usize {
        self.slabs.iter().map(|slab| slab.len()).sum()
    }

    /// The bytes of memory that hold no records, and are there for those that come.
    pub fn unused(&self) -> usize {
        self.weight() - self.used
    }

    /// Moves all records to slabs of their own, if they are a small part of those that there are: nothing of
    /// what has become free in these can be spilled.
    pub(super) fn compact(&mut self) {
        if self.weight() / 4 < self.used + SLAB {
            return;
        }
        let old = std::mem::replace(self, Self::new(self.len()));
        for log in 0..old.len() {
            old.pieces(log).for_each(|(piece, entries)| self.push_bytes(log, piece, entries));
        }
    }

    /// The number of records in a log.
    pub fn entries(&self, log: usize) -> usize {
        let open = self.heads[log].entries as usize;
        open + self.blocks[log].iter().map(|block| block.entries).sum::<usize>()
    }

    /// The bytes of a log, in pieces of whole records, and how many records each has.
    pub fn pieces(&self, log: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let head = self.heads[log];
        let last = self.blocks[log].len().wrapping_sub(1);
        self.blocks[log].iter().enumerate().map(move |(n, block)| {
            let is_open = n == last && head.end > 0;
            let (len, entries) = match is_open {
                true => (head.next - block.start, head.entries as usize),
                false => (block.len, block.entries),
            };
            (&self.slabs[block.slab][block.start..][..len], entries)
        })
    }

    /// Empties a log, whose blocks others may take.
    pub(super) fn clear(&mut self, log: usize) {
        self.heads[log] = Head::default();
        for block in self.blocks[log].drain(..) {
            self.used -= block.size;
            match block.size {
                ..=MOST => self.free[size_of_block(block.size)].push(block),
                _ => self.slabs[block.slab] = Huge::default(),
            }
        }
    }

    /// Gives back the memory that holds nothing.
    pub fn shrink(&mut self) {
        for slab in self.unused.drain(..) {
            self.slabs[slab] = Huge::default();
        }
    }

    /// Empties all logs. Of their memory, slabs of so many bytes are kept for what comes, and one at least.
    pub fn clear_all(&mut self, most: usize) {
        self.heads.fill(Head::default());
        self.blocks.iter_mut().for_each(Vec::clear);
        self.free.iter_mut().for_each(Vec::clear);
        (self.used, self.open) = (0, None);
        self.slabs.retain(|slab| slab.len() == SLAB);
        self.slabs.truncate((most / SLAB).max(1));
        self.unused = (0..self.slabs.len()).collect();
    }
}

/// The number of the least size that has room for so many bytes, which are not more than the largest.
fn size_of_block(bytes: usize) -> usize {
    bytes.div_ceil(LEAST).next_power_of_two().ilog2() as usize
}
