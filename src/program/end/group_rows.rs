//! Rows of groups that do not fit into memory: sorted by key in the spill file, a run for each part, and
//! merged as they are printed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use creel_operators::aggregate::{Damaged, Reader, Writer};

use super::super::away::PARTS;
use super::{Batch, LaneState, State};
use crate::Result;
use crate::run::Context;
use crate::sink::{Cell, Printer};
use crate::spill::{Budget, Extent};

/// The fewest and the most bytes of rows that are written, and read back, at a time.
const CHUNKS: (u64, u64) = (16 << 10, 256 << 10);

/// Rows of all groups, or of some, that were spilled.
#[derive(Debug, Default)]
pub(super) struct SpilledRows {
    /// The pieces of each run, in the order of their keys.
    runs: Vec<Vec<Extent>>,
}

impl SpilledRows {
    /// The rows that a writer was given.
    pub(super) fn new(writer: RowWriter<'_>) -> Result<Self> {
        Ok(Self { runs: vec![writer.finish()?] })
    }
}

impl LaneState for SpilledRows {
    fn fresh(&self) -> Self {
        Self::default()
    }

    fn feed(&mut self, _: &str, _: &mut Batch) -> ControlFlow<()> {
        unreachable!("lanes are fed before their states are settled")
    }

    fn merge(&mut self, other: Self) {
        self.runs.extend(other.runs);
    }

    fn held(&self) -> usize {
        0
    }

    fn name(&self) -> String {
        "groupby".to_owned()
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        let Some(budget) = context.budget.as_deref().filter(|_| self.runs.len() > 1) else {
            return Ok(Box::new(self));
        };
        let mut writer = RowWriter::new(budget);
        Merged::new(budget, self.runs)?.each(|key, row| writer.add(key, row))?;
        Ok(Box::new(Self::new(writer)?))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("states are encoded before they are settled")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("states that are encoded are not settled")
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        let Some(budget) = context.budget.as_deref() else { return Ok(()) };
        Merged::new(budget, self.runs)?.each(|_, row| out.value(Cell::Json(row)))
    }
}

/// Writes rows, which come in the order of their keys, in pieces.
pub(super) struct RowWriter<'b> {
    budget: &'b Budget,
    chunk: usize,
    bytes: Vec<u8>,
    extents: Vec<Extent>,
}

impl<'b> RowWriter<'b> {
    pub(super) fn new(budget: &'b Budget) -> Self {
        let chunk = (budget.limit() / 8 / PARTS).clamp(CHUNKS.0, CHUNKS.1) as usize;
        Self { budget, chunk, bytes: Vec::new(), extents: Vec::new() }
    }

    /// Adds a row: bytes that sort as its key does, and the row as JSON.
    pub(super) fn add(&mut self, key: &[u8], row: &str) -> Result<()> {
        self.bytes.put_bytes(key);
        self.bytes.put_bytes(row.as_bytes());
        if self.bytes.len() >= self.chunk { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        self.extents.push(self.budget.write(&self.bytes)?);
        self.bytes.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Extent>> {
        if !self.bytes.is_empty() {
            self.write()?;
        }
        Ok(self.extents)
    }
}

/// Rows of many runs in one order, of which a piece of each is in memory.
struct Merged<'b> {
    budget: &'b Budget,
    runs: Vec<Run>,
    /// The key of the next row of each run that has one.
    next: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
}

/// A run from its next row on.
struct Run {
    row: String,
    /// The piece that is in memory, and where the row after the next begins in it.
    bytes: Vec<u8>,
    at: usize,
    extent: Option<Extent>,
    /// Pieces that come after it, the next one at the end.
    left: Vec<Extent>,
}

impl<'b> Merged<'b> {
    fn new(budget: &'b Budget, runs: Vec<Vec<Extent>>) -> Result<Self> {
        let runs = runs.into_iter().map(|mut left| {
            left.reverse();
            Run { row: String::new(), bytes: Vec::new(), at: 0, extent: None, left }
        });
        let mut merged = Self { budget, runs: runs.collect(), next: BinaryHeap::new() };
        (0..merged.runs.len()).try_for_each(|run| merged.step(run))?;
        Ok(merged)
    }

    /// Visits all rows with their keys.
    fn each(mut self, mut visit: impl FnMut(&[u8], &str) -> Result<()>) -> Result<()> {
        while let Some(Reverse((key, run))) = self.next.pop() {
            visit(&key, &self.runs[run].row)?;
            self.step(run)?;
        }
        Ok(())
    }

    /// Goes on to the next row of a run, if there is one.
    fn step(&mut self, run: usize) -> Result<()> {
        let Run { row, bytes, at, extent, left } = &mut self.runs[run];
        if *at == bytes.len() {
            let Some(next) = left.pop() else { return Ok(()) };
            (*bytes, *at, *extent) = (self.budget.read(next)?, 0, Some(next));
        }
        let mut reader = Reader::new(&bytes[*at..]);
        let read = reader.bytes().and_then(|key| Ok((key, reader.text()?)));
        match (read, *extent) {
            (Ok((key, text)), _) => {
                row.clear();
                row.push_str(text);
                self.next.push(Reverse((key.to_vec(), run)));
                *at = bytes.len() - reader.left();
                Ok(())
            }
            (Err(_), Some(extent)) => Err(self.budget.damaged(extent, "these are no rows")),
            (Err(_), None) => unreachable!("no row is read before a piece is"),
        }
    }
}
