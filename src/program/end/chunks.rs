//! States in chunks, in the order of their keys: how they leave a process, and how they wait on the disk.
//!
//! A chunk is the encoding of a state of some neighbouring keys, or of one key and some of the values of a set
//! that it has. A [`Run`] is the chunks of one state, each of which is read when it is needed.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use creel_operators::aggregate::{Damaged, Reader};

use super::merge::{AT_ONCE, Follows};
use super::{Batch, LaneState, State};
use crate::run::Context;
use crate::sink::Printer;
use crate::spill::{self, Budget, Extent};
use crate::{Error, Result};

/// Bytes of a chunk that leaves the process, about.
const CHUNK: usize = if cfg!(test) { 64 } else { 128 << 10 };

/// The fewest bytes of a chunk in the spill file, about.
const LEAST_CHUNK: u64 = if cfg!(test) { 64 } else { 16 << 10 };

/// Reads the chunks of a run.
pub(crate) trait ReadChunks: std::fmt::Debug + Send + Sync {
    /// Reads a chunk, by its number, in place of what the buffer holds.
    ///
    /// # Errors
    /// If it cannot be read, or is not what was written.
    fn read(&self, number: usize, bytes: &mut Vec<u8>) -> Result<()>;

    /// The error for a chunk that is no part of a state.
    fn damaged(&self, number: usize, damaged: &Damaged) -> Error;
}

/// The chunks of one state, in the order of their keys.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// How many there are.
    pub(crate) number: usize,
    /// Bytes of the largest, and of all.
    pub(crate) largest: usize,
    pub(crate) bytes: u64,
    pub(crate) chunks: Arc<dyn ReadChunks>,
}

/// How many rows chunks have: as many as come to the bytes of a chunk, going by the one before, so that
/// where they are cut depends on nothing but the rows. The first has one row, since a row may be large:
/// with 64, up to 64 large rows were in memory at once, and were decoded again for each that came.
#[derive(Debug)]
pub(crate) struct Sizes {
    rows: usize,
    bytes: usize,
    /// True if the next state continues the group that the last state ended with.
    pub(super) within: bool,
}

impl Sizes {
    const FIRST: usize = 1;
    const MOST: usize = 1 << 14;

    /// Those of chunks that leave the process.
    pub(super) fn to_leave() -> Self {
        Self { rows: Self::FIRST, bytes: CHUNK, within: false }
    }

    /// Those of chunks that are spilled.
    fn to_spill(budget: &Budget) -> Self {
        let bytes = (budget.limit() / 32 / AT_ONCE).clamp(LEAST_CHUNK, CHUNK as u64);
        Self { rows: Self::FIRST, bytes: bytes as usize, within: false }
    }

    /// How many rows the next chunk has.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes of a chunk, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Goes by a chunk of so many rows and bytes.
    pub(super) fn go_by(&mut self, rows: usize, bytes: usize) {
        let fit = rows.saturating_mul(self.bytes) / bytes.max(1);
        self.rows = fit.clamp(1, (4 * self.rows).min(Self::MOST));
    }

    /// Encodes so many rows chunk by chunk. Returns the last one, if it is shorter and is not the `last`
    /// of all.
    pub(super) fn cut(
        &mut self,
        rows: usize,
        last: bool,
        mut encode: impl FnMut(Range<usize>, &mut Vec<u8>),
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        let (mut at, mut bytes) = (0, Vec::new());
        while at < rows {
            let end = rows.min(at + self.rows);
            bytes.clear();
            encode(at..end, &mut bytes);
            if end - at < self.rows && !last {
                return Ok(Some(bytes));
            }
            write(&bytes)?;
            self.go_by(end - at, bytes.len());
            at = end;
        }
        Ok(None)
    }
}

/// Writes states whose keys follow each other as the chunks of one.
pub(crate) struct ChunkWriter<'w> {
    sizes: Sizes,
    /// Rows that are less than a chunk, encoded.
    left: Option<Vec<u8>>,
    write: &'w mut dyn FnMut(&[u8]) -> Result<()>,
}

impl<'w> ChunkWriter<'w> {
    /// Writes chunks that leave the process.
    pub(crate) fn new(write: &'w mut dyn FnMut(&[u8]) -> Result<()>) -> Self {
        Self { sizes: Sizes::to_leave(), left: None, write }
    }

    /// Writes chunks that are spilled.
    pub(super) fn to_spill(budget: &Budget, write: &'w mut dyn FnMut(&[u8]) -> Result<()>) -> Self {
        Self { sizes: Sizes::to_spill(budget), left: None, write }
    }

    /// Writes a state, and keeps what may be less than a chunk for what follows.
    pub(crate) fn add(&mut self, mut state: Box<dyn State>, follows: Follows) -> Result<()> {
        let last = follows == Follows::Nothing;
        if let Some(left) = self.left.take() {
            let read = state.absorb(&mut Reader::new(&left));
            read.unwrap_or_else(|damaged| unreachable!("a chunk was encoded: {damaged}"));
        }
        self.left = state.write_chunks(&mut self.sizes, last, self.write)?;
        Ok(())
    }

    /// Writes what is left, if nothing follows; with a state of no records.
    pub(super) fn finish(&mut self, empty: Box<dyn State>) -> Result<()> {
        if self.left.is_some() { self.add(empty, Follows::Nothing) } else { Ok(()) }
    }
}

/// The chunks of a run in the spill file.
#[derive(Debug)]
struct Spilled {
    budget: Arc<Budget>,
    extents: Vec<Extent>,
}

impl ReadChunks for Spilled {
    fn read(&self, number: usize, bytes: &mut Vec<u8>) -> Result<()> {
        *bytes = self.budget.read(self.extents[number])?;
        Ok(())
    }

    fn damaged(&self, number: usize, damaged: &Damaged) -> Error {
        self.budget.damaged(self.extents[number], damaged.what)
    }
}

/// Spills chunks as they are made, many in one write.
pub(super) struct SpillWriter<'b> {
    budget: &'b Arc<Budget>,
    batch: spill::Batch<'b>,
    largest: usize,
    bytes: u64,
}

impl<'b> SpillWriter<'b> {
    pub(super) fn new(budget: &'b Arc<Budget>) -> Self {
        Self { budget, batch: spill::Batch::new(budget), largest: 0, bytes: 0 }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.largest = self.largest.max(bytes.len());
        self.bytes += bytes.len() as u64;
        self.batch.add(bytes)
    }

    /// The run of these chunks.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be written.
    pub(super) fn finish(self) -> Result<Run> {
        let Self { budget, batch, largest, bytes } = self;
        let spilled = Spilled { budget: Arc::clone(budget), extents: batch.finish()? };
        Ok(Run { number: spilled.extents.len(), largest, bytes, chunks: Arc::new(spilled) })
    }
}

/// Spills a state as a run, if states of this run of the program are spilled.
pub(super) fn store<S: LaneState>(state: S, context: &Context) -> Result<Box<dyn State>> {
    let Some(budget) = context.budget.as_ref().filter(|budget| budget.is_spilling()) else {
        return Ok(Box::new(state));
    };
    let name = state.name();
    let mut writer = SpillWriter::new(budget);
    state.write_chunks(&mut Sizes::to_spill(budget), true, &mut |bytes| writer.add(bytes))?;
    Ok(Box::new(SpilledRuns { name, runs: vec![writer.finish()?] }))
}

/// A state that was spilled, or several of other keys.
#[derive(Debug)]
struct SpilledRuns {
    name: String,
    runs: Vec<Run>,
}

impl LaneState for SpilledRuns {
    fn fresh(&self) -> Self {
        Self { name: self.name.clone(), runs: Vec::new() }
    }

    fn feed(&mut self, _: &str, _: &mut Batch) -> ControlFlow<()> {
        unreachable!("lanes are fed before their states are spilled")
    }

    fn merge(&mut self, other: Self) {
        self.runs.extend(other.runs);
    }

    fn held(&self) -> usize {
        0
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn runs(&mut self) -> Option<Vec<Run>> {
        Some(std::mem::take(&mut self.runs))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("runs are merged before they are encoded")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("runs are merged before they are encoded")
    }

    fn print(self, _: &Context, _: &mut Printer<'_>) -> Result<()> {
        unreachable!("runs are written")
    }
}

/// A state that was merged of no records, where others spill what they hold.
pub(super) fn nothing<S: LaneState>(state: &S) -> Box<dyn State> {
    Box::new(SpilledRuns { name: state.name(), runs: Vec::new() })
}
