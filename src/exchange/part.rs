//! The rows of one range: chunks of bytes, in memory or in the temporary file.

use std::ops::{Deref, Range};

use creel_kernels::Buffer;
use creel_operators::sort::Row;

use crate::Result;
use crate::spill::{Budget, Extent};

/// Rows whose keys are of one range, in no order.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) chunks: Vec<Chunk>,
    /// The bytes of all chunks, and the number of rows, as far as that is known.
    pub(super) bytes: usize,
    pub(super) rows: usize,
    /// How often it was cut out of a larger one.
    pub(super) cuts: u32,
    /// Whether all rows are the same, so that any order is sorted.
    pub(super) is_uniform: bool,
}

/// Some rows of a part, one behind the other.
#[derive(Debug)]
pub(super) enum Chunk {
    Held(Buffer),
    Spilled(Extent),
}

impl Chunk {
    /// Its rows.
    pub(super) fn load(&self, budget: Option<&Budget>) -> Result<Loaded<'_>> {
        match (self, budget) {
            (Self::Held(bytes), _) => Ok(Loaded::Held(bytes)),
            (Self::Spilled(extent), Some(budget)) => budget.read(*extent).map(Loaded::Read),
            (Self::Spilled(_), None) => unreachable!("only a run with a budget spills"),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Held(bytes) => bytes.len(),
            Self::Spilled(extent) => extent.holds(),
        }
    }
}

/// The rows of a chunk, in memory.
pub(super) enum Loaded<'c> {
    Held(&'c Buffer),
    Read(Vec<u8>),
}

impl Deref for Loaded<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

impl Part {
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes();
        self.chunks.push(chunk);
    }

    pub(super) fn append(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.rows += other.rows;
        self.chunks.extend(other.chunks);
    }

    /// The bytes of memory that it takes to sort it.
    pub(super) fn weight(&self) -> usize {
        self.bytes + self.rows * size_of::<Row>()
    }

    /// Replaces `bytes` by its rows.
    pub(super) fn load(self, budget: Option<&Budget>, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.clear();
        bytes.reserve(self.bytes);
        for chunk in self.chunks {
            bytes.extend_from_slice(&chunk.load(budget)?);
        }
        Ok(())
    }
}

/// The most bytes that stand before a key or a row: its length.
pub(super) const HEAD: usize = 5;

/// Stands for a length that takes four bytes more.
const LONG: u8 = 0xff;

/// Appends bytes behind their length.
#[inline]
pub(super) fn put(out: &mut Buffer, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(len) if len < LONG => out.push(len),
        _ => {
            out.push(LONG);
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// The place of what [`put`] appended at `at`.
#[inline]
pub(super) fn take(bytes: &[u8], at: usize) -> Range<usize> {
    match bytes[at] {
        LONG => {
            let len = bytes[at + 1..].first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
            at + HEAD..at + HEAD + len as usize
        }
        len => at + 1..at + 1 + usize::from(len),
    }
}

/// The place of the key that stands at `at`, and where the row after it begins.
#[inline]
pub(super) fn next(bytes: &[u8], at: usize, has_rows: bool) -> (Range<usize>, usize) {
    let key = take(bytes, at);
    let end = if has_rows { take(bytes, key.end).end } else { key.end };
    (key, end)
}
