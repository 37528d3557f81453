//! The phases of a program, one after another: the rows of a reduction are the records of the next.
//!
//! Rows are handed on as JSON, one a line, in blocks, so that a phase reads them as it reads any input:
//! by all threads, within the same memory, and with the same faults. Rejected: batches handed on as they
//! are. They save the spelling of each row, but a phase then has two ways in, and rows that do not fit
//! into memory need a form for the disk anyway.

use std::sync::{Arc, Mutex, PoisonError};

use super::Program;
use super::lane;
use super::phase::Phase;
use super::records::Records;
use crate::Result;
use crate::block::{Block, Delimiter};
use crate::memory::Reservation;
use crate::record::Invalid;
use crate::run::{Context, Input, Reader};
use crate::sink::{Encoder, Format, Printer, Write};
use crate::spill::{Budget, Extent};

/// Bytes of rows that a block holds, about.
const BLOCK: usize = if cfg!(test) { 16 } else { 1 << 20 };

/// The part of the memory for states that rows may hold while they wait; more are spilled.
const SHARE: u64 = 16;

/// Runs a program over the blocks of an input and prints its result.
pub(crate) fn run<I: Input<Reader: Reader<Block = Block>>>(
    program: &Program,
    input: &Arc<I>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let first = |out: &mut Printer<'_>| lane::run(program.first(), input, records, context, out);
    follow(program.rest(), records.invalid, context, out, first)
}

/// Prints what phases make of the rows that are printed before.
pub(super) fn follow(
    phases: &[Arc<Phase>],
    invalid: Invalid,
    context: &Context,
    out: &mut Printer<'_>,
    first: impl FnOnce(&mut Printer<'_>) -> Result<()>,
) -> Result<()> {
    let mut phases = phases.iter().peekable();
    if phases.peek().is_none() {
        return first(out);
    }
    let mut rows = Rows::new(context);
    rows.printed(first)?;
    while let Some(phase) = phases.next() {
        let input = Arc::new(std::mem::replace(&mut rows, Rows::new(context)));
        match phases.peek() {
            Some(_) => rows.printed(|out| read(phase, &input, invalid, context, out))?,
            None => read(phase, &input, invalid, context, out)?,
        }
    }
    Ok(())
}

/// Runs a phase over rows.
pub(super) fn read<I: Input<Reader: Reader<Block = Block>>>(
    phase: &Arc<Phase>,
    rows: &Arc<I>,
    invalid: Invalid,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let records = Records { delimiter: Delimiter::Line, invalid };
    let context = context.after_reading();
    lane::run(phase, rows, &records, &context, out)
}

/// Rows of a phase in blocks, each of which is read once.
struct Rows {
    name: Arc<str>,
    blocks: Vec<Mutex<Option<Stored>>>,
    /// Rows of the block that is not full yet.
    open: Vec<u8>,
    held: u64,
    budget: Option<Arc<Budget>>,
}

/// A block that waits.
enum Stored {
    Held { bytes: Vec<u8>, _reserved: Option<Reservation> },
    Spilled(Arc<Budget>, Extent),
}

impl Rows {
    /// No rows; those that are added are spilled where they take too much of the memory of a run.
    fn new(context: &Context) -> Self {
        let budget = context.budget.clone();
        Self {
            name: "rows of the program".into(),
            blocks: Vec::new(),
            open: Vec::new(),
            held: 0,
            budget,
        }
    }

    /// Ends the last block.
    fn end(&mut self) -> Result<()> {
        self.close(self.open.len())
    }

    /// Takes the rows that are printed.
    fn printed(&mut self, print: impl FnOnce(&mut Printer<'_>) -> Result<()>) -> Result<()> {
        let mut printer = Printer::new(Encoder::new(Format::Jsonl, false), None, self);
        print(&mut printer)?;
        printer.flush()?;
        self.end()
    }

    /// Makes a block of the first bytes that are open.
    fn close(&mut self, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let rest = self.open.split_off(bytes);
        let block = std::mem::replace(&mut self.open, rest);
        self.held += block.len() as u64;
        let stored = match &self.budget {
            Some(budget) if self.held > budget.limit() / SHARE => {
                self.held -= block.len() as u64;
                Stored::Spilled(Arc::clone(budget), budget.write(&block)?)
            }
            budget => {
                let reserved = budget.as_ref().map(|budget| budget.reserve(block.len() as u64));
                Stored::Held { bytes: block, _reserved: reserved }
            }
        };
        self.blocks.push(Mutex::new(Some(stored)));
        Ok(())
    }
}

impl Write for Rows {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.open.extend_from_slice(bytes);
        if self.open.len() < BLOCK {
            return Ok(());
        }
        // Rows are printed in pieces that may end within a row.
        let end = self.open.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.close(end)
    }
}

impl Input for Rows {
    type Reader = RowReader;

    fn partitions(&self) -> usize {
        self.blocks.len()
    }

    fn open(&self, partition: usize) -> RowReader {
        let stored = self.blocks[partition].lock().unwrap_or_else(PoisonError::into_inner).take();
        RowReader { name: Arc::clone(&self.name), partition, stored }
    }
}

/// Gives the one block of a partition.
struct RowReader {
    name: Arc<str>,
    partition: usize,
    stored: Option<Stored>,
}

impl Reader for RowReader {
    type Block = Block;

    async fn next(&mut self) -> Result<Option<Block>> {
        let bytes = match self.stored.take() {
            None => return Ok(None),
            Some(Stored::Held { bytes, .. }) => bytes,
            Some(Stored::Spilled(budget, extent)) => budget.read(extent)?,
        };
        Ok(Some(Block::made(&bytes, &self.name, self.partition, 0)))
    }

    fn weight(block: &Block) -> usize {
        block.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that were printed, read back block by block.
    fn read_back(rows: &Rows) -> String {
        let blocks = (0..rows.partitions()).map(|partition| {
            let block = futures::executor::block_on(rows.open(partition).next()).unwrap();
            String::from_utf8(block.unwrap().bytes().to_vec()).unwrap()
        });
        blocks.collect()
    }

    #[test]
    fn rows_over_the_budget_are_spilled_and_come_back_in_order() {
        let expected: String = (0..1000).map(|n| format!("{n}\n")).collect();
        for limit in [None, Some(0), Some(16 * SHARE), Some(1 << 20)] {
            let budget = limit.map(|limit| Arc::new(Budget::new(limit, None)));
            let mut rows = Rows::new(&Context { budget: budget.clone(), ..Context::default() });
            rows.printed(|out| (0..1000).try_for_each(|n| out.value(crate::sink::Cell::Number(n))))
                .unwrap();
            assert_eq!(read_back(&rows), expected, "{limit:?}");
            let spilled = budget.is_some_and(|budget| budget.written() > 0);
            assert_eq!(spilled, limit.is_some_and(|limit| limit < 1 << 20), "{limit:?}");
            assert!(rows.held <= limit.map_or(u64::MAX, |limit| limit / SHARE));
        }
    }
}
