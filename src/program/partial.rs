//! Results of a part of the sources: made in one process, and merged and finished in another.
//!
//! What a part carries is the [`State`] of the first phase. Where the first phase has none, or a `take`,
//! which has to see the records of all parts, it is rows: records as JSON, one a line. So it is where rows of
//! a part are records for the same reduction, and the order of the parts counts.

use std::slice;
use std::sync::Arc;

use super::Program;
use super::end::{Carried, ChunkWriter, Run, State, merge};
use super::lane::{self, Records};
use super::ordered;
use super::phases::{follow, read};
use super::stage::Stage;
use crate::block::Block;
use crate::record::Invalid;
use crate::run::{Context, Input, Reader};
use crate::sink::{Encoder, Format, Printer, Write};
use crate::watch::bytes;
use crate::{Error, Result};

/// What a partial result of a program carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// The state of the first phase.
    State,
    /// What the first phase would print; or, if there is a `take` in it, the records that reach the
    /// first one, no more than it takes. Or rows that its reduction takes as records.
    Rows,
}

impl Program {
    /// What a partial result of this program carries.
    pub(crate) fn carries(&self) -> Carries {
        let first = self.first();
        let carries_rows = first.carried() == Some(Carried::Rows);
        match first.streams() || !first.ordered.is_empty() || carries_rows {
            true => Carries::Rows,
            false => Carries::State,
        }
    }

    /// How many records the first `take` of the first phase takes, if there is one.
    pub(crate) fn first_take(&self) -> Option<u64> {
        match self.first().ordered.first() {
            Some(Stage::Take(n)) => Some(*n),
            _ => None,
        }
    }

    /// The states of no records that a partial result is made of, if it [carries](Self::carries) one: one for
    /// each of the results of `a, b`.
    ///
    /// # Panics
    ///
    /// If it carries rows, and the first phase has no reduction.
    pub(crate) fn branches(&self, invalid: Invalid) -> Vec<Box<dyn State>> {
        self.first().start(invalid).branches()
    }
}

/// Where the chunks of a state go: the number of the branch, and a chunk of it. They come branch by branch.
pub(crate) type WriteChunk<'w> = &'w mut dyn FnMut(usize, &[u8]) -> Result<()>;

/// Runs the first phase of a program whose partial results carry a state, and writes that in chunks.
///
/// # Errors
///
/// As of a run; and if the state does not fit into the memory for states and has no form for the disk.
pub(crate) fn run_to_state<I: Input<Reader: Reader<Block = Block>>>(
    program: &Program,
    input: &Arc<I>,
    records: &Records,
    context: &Context,
    write: WriteChunk<'_>,
) -> Result<()> {
    if program.first().carried() == Some(Carried::Nothing) {
        let reason = "--partial of several results of which one is a sort is not there yet; run the results one by one";
        return Err(Error::Plan { reason: reason.to_owned() });
    }
    let state = lane::reduced(program.first(), input, records, context, false)?;
    let state = fitting(state, context)?;
    let empty = program.branches(records.invalid);
    for (branch, (mut state, empty)) in state.branches().into_iter().zip(empty).enumerate() {
        let mut write = |bytes: &[u8]| write(branch, bytes);
        let mut writer = ChunkWriter::new(&mut write);
        match state.runs() {
            None => writer.add(state, true)?,
            // A run that is told to stop reading writes what it has read.
            Some(runs) => merge(&*empty, &runs, &unstopped(context), &mut |state, last| {
                writer.add(state, last)
            })?,
        }
    }
    Ok(())
}

/// The state, or what it was spilled as: to put its rows in order takes about as much memory again.
fn fitting(state: Box<dyn State>, context: &Context) -> Result<Box<dyn State>> {
    /// The parts that it is spilled in, as a power of two.
    const BITS: u32 = 6;
    let Some(budget) = context.budget.as_deref() else { return Ok(state) };
    let is_large = |state: &dyn State| state.held() as u64 > budget.limit() / 2;
    // No lane reads any more.
    if !is_large(&*state) || budget.retire(1) && !is_large(&*state) {
        return Ok(state);
    }
    budget.spill();
    let mut parts = Vec::new();
    for part in state.parts(BITS) {
        parts.push(part.store(context)?);
    }
    let first = parts.remove(0);
    let state = first.join(parts);
    if !is_large(&*state) {
        return Ok(state);
    }
    let held = state.held() as u64;
    Err(Error::Memory {
        task: state.name(),
        limit: budget.limit(),
        held: format!(
            "its state takes {}, and --partial needs as much again to write it; give the process fewer \
             sources, or `--memory {}M`",
            bytes(held),
            budget.least(2 * held) >> 20
        ),
    })
}

/// The context of a run that goes on with what it has when it is told to stop reading.
fn unstopped(context: &Context) -> Context {
    Context {
        threads: context.threads,
        budget: context.budget.clone(),
        progress: Arc::clone(&context.progress),
        ..Context::default()
    }
}

/// Writes one state of many: of their runs, for each branch.
///
/// # Errors
///
/// [`Error::Cancelled`] if the run is told to stop; if a chunk cannot be read or is damaged, and if a state
/// does not fit into memory that has to be there as a whole.
pub(crate) fn merge_to_state(
    program: &Program,
    runs: &[Vec<Run>],
    invalid: Invalid,
    context: &Context,
    write: WriteChunk<'_>,
) -> Result<()> {
    for (branch, (empty, runs)) in program.branches(invalid).iter().zip(runs).enumerate() {
        let mut write = |bytes: &[u8]| write(branch, bytes);
        let mut writer = ChunkWriter::new(&mut write);
        merge(&**empty, runs, context, &mut |state, last| writer.add(state, last))?;
    }
    Ok(())
}

/// Prints what a program makes of many states of its first phase: of their runs, for each branch.
///
/// # Errors
///
/// As [`merge_to_state`], and as of a run.
pub(crate) fn finish_states(
    program: &Program,
    runs: &[Vec<Run>],
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let empty = program.branches(records.invalid);
    let branches = empty.iter().zip(runs).map(|(empty, runs)| settled(&**empty, runs, context));
    let branches = branches.collect::<Result<Vec<_>>>()?;
    let state = program.first().start(records.invalid).of_branches(branches);
    follow(program.rest(), records.invalid, context, out, |out| state.print(context, out))
}

/// What is wanted of the state of all runs; range of keys by range, if it does not fit into memory.
fn settled(empty: &dyn State, runs: &[Run], context: &Context) -> Result<Box<dyn State>> {
    /// So many ranges are settled before they are put together: each may hold some rows.
    const RANGES: usize = 32;
    let mut ranges: Vec<Box<dyn State>> = Vec::new();
    merge(empty, runs, context, &mut |state, last| {
        if let Some(budget) = context.budget.as_deref().filter(|_| !last) {
            budget.spill();
        }
        ranges.push(state.settle(context)?);
        if ranges.len() == RANGES {
            let together = joined(std::mem::take(&mut ranges)).settle(context)?;
            ranges.push(together);
        }
        Ok(())
    })?;
    Ok(joined(ranges))
}

fn joined(states: Vec<Box<dyn State>>) -> Box<dyn State> {
    let mut states = states.into_iter();
    let first = states.next().unwrap_or_else(|| unreachable!("a merge visits a state"));
    first.join(states.collect())
}

/// Runs the first phase of a program whose partial results carry rows, and writes these: as JSON, one a
/// line, in pieces of any length.
///
/// # Errors
///
/// As of a run.
pub(crate) fn run_to_rows<I: Input<Reader: Reader<Block = Block>>>(
    program: &Program,
    input: &Arc<I>,
    records: &Records,
    context: &Context,
    rows: &mut dyn Write,
) -> Result<()> {
    let first = program.first();
    let mut out = Printer::new(Encoder::new(Format::Jsonl, false), None, rows);
    match first.ordered.first() {
        Some(take) => {
            ordered::print(first, slice::from_ref(take), input, records, context, &mut out)?;
        }
        None => {
            let part = first.uncounted().map(Arc::new);
            lane::run(part.as_ref().unwrap_or(first), input, records, context, &mut out)?;
        }
    }
    out.flush()
}

/// Prints what a program makes of the rows of its first phase.
///
/// # Errors
///
/// As of a run.
pub(crate) fn finish_rows<I: Input<Reader: Reader<Block = Block>>>(
    program: &Program,
    rows: &Arc<I>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let resumed = Arc::new(program.first().resumed());
    follow(program.rest(), records.invalid, context, out, |out| {
        read(&resumed, rows, records.invalid, context, out)
    })
}
