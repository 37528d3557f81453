//! Entries of one part, appended as they come.

use super::Form;
use super::entry::Entry;

/// The fewest and the most bytes of a block. Most parts of few records stay small; a block that is not full
/// is a small fraction of a part.
const BLOCKS: (usize, usize) = if cfg!(test) { (16, 64) } else { (512, 32 << 10) };

/// Entries in blocks, none of which is moved when others follow.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Blocks to which nothing is added.
    full: Vec<Vec<u8>>,
    open: Vec<u8>,
    entries: usize,
    /// Bytes of memory of all blocks.
    weight: usize,
}

impl Log {
    /// How many entries there are.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The bytes of memory that it takes.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Bytes of all entries.
    pub(super) fn bytes(&self) -> usize {
        self.blocks().map(<[u8]>::len).sum()
    }

    /// The blocks, each of whole entries.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        self.full.iter().chain([&self.open]).map(Vec::as_slice)
    }

    /// Appends an entry. Returns the bytes of memory by which it has grown.
    #[inline]
    pub(super) fn push(&mut self, form: Form, entry: &Entry<'_>) -> usize {
        let room = entry.room();
        let grown = if self.open.capacity() - self.open.len() < room { self.grow(room) } else { 0 };
        entry.write(form, &mut self.open);
        self.entries += 1;
        grown
    }

    /// Begins a block, of this many bytes at least.
    #[cold]
    fn grow(&mut self, least: usize) -> usize {
        let size = (self.weight / 4).clamp(BLOCKS.0, BLOCKS.1).max(least);
        self.close();
        creel_kernels::reserve_exact(&mut self.open, size);
        self.weight += self.open.capacity();
        self.open.capacity()
    }

    /// Ends the block at hand.
    fn close(&mut self) {
        if self.open.capacity() > 0 {
            self.full.push(std::mem::take(&mut self.open));
        }
    }

    /// Adds bytes of so many entries as a block.
    pub(super) fn add_block(&mut self, block: Vec<u8>, entries: usize) {
        self.close();
        self.weight += block.capacity();
        self.entries += entries;
        self.open = block;
    }

    /// Adds the entries of another.
    pub(super) fn append(&mut self, mut other: Self) {
        if other.entries == 0 {
            return;
        }
        self.close();
        self.full.append(&mut other.full);
        self.open = other.open;
        self.entries += other.entries;
        self.weight += other.weight;
    }

    /// All entries, in place of what the buffer held.
    pub(super) fn gather(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        creel_kernels::reserve(bytes, self.bytes());
        self.blocks().for_each(|block| bytes.extend_from_slice(block));
    }

    /// Visits all entries.
    pub(super) fn each(&self, form: Form, mut visit: impl FnMut(Entry<'_>)) {
        for mut block in self.blocks() {
            while let Some(entry) = next(form, &mut block) {
                visit(entry);
            }
        }
    }
}

/// The next entry of a block, which holds whole entries.
#[inline]
pub(super) fn next<'b>(form: Form, block: &mut &'b [u8]) -> Option<Entry<'b>> {
    if block.is_empty() { None } else { Entry::take(form, block) }
}
