//! Results of a part of the sources: made in one process, and merged and finished in another.
//!
//! Each of the results of the first phase is carried by itself, by what its end says: as the chunks of a
//! [`State`], or as the rows that it gives of the part, which are records of the same end again: one that merges
//! takes the rows of all parts, in their order, and gives the rows of all. A phase without an end, or with a
//! `take`, which has to see the records of all parts, carries records instead. Rows and records are JSON,
//! one a line.

use std::sync::Arc;

use super::Program;
use super::end::{
    Carried, ChunkWriter, End, Follows, Run, ShardWriter, State, check_whole, each_result, merge,
    print_results,
};
use super::lane;
use super::phase::Phase;
use super::phases::{follow, read};
use super::records::Records;
use super::stage::Stage;
use crate::block::{Block, Delimiter};
use crate::record::Invalid;
use crate::run::{Context, Input, Reader};
use crate::sink::{Encoder, Format, Printer, Write};
use crate::watch::bytes;
use crate::{Error, Result};

/// One of the results of a program's first phase, as a partial result carries it.
#[derive(Debug)]
pub(crate) enum Carries {
    /// Chunks of a state; this one is of no records.
    State(Box<dyn State>),
    /// Rows of an end, which are records of the same end again.
    Rows,
    /// What the first phase would print; or, if there is a `take` in it, the records that reach the first
    /// one, no more than it takes.
    Records,
}

/// Where a partial result goes: result by result, by their numbers.
pub(crate) trait Carry: Send {
    /// Takes a chunk of a state.
    fn chunk(&mut self, result: usize, bytes: &[u8]) -> Result<()>;

    /// Takes rows, in pieces of any length.
    fn rows(&mut self, result: usize, lines: &[u8]) -> Result<()>;
}

/// What many partial results have for one of the results, in their order.
#[derive(Debug)]
pub(crate) enum Parts<I> {
    /// The chunks of the state of each.
    Chunks(Vec<Run>),
    /// Rows of all.
    Rows(Arc<I>),
}

impl Program {
    /// What a partial result of this program carries.
    pub(crate) fn carries(&self, invalid: Invalid) -> Vec<Carries> {
        let carries = self.results().into_iter().map(|merging| match merging {
            Merging::Chunks(end) => Carries::State(end.start(invalid)),
            Merging::Rows(_) => Carries::Rows,
            Merging::Records => Carries::Records,
        });
        carries.collect()
    }

    /// How many records the first `take` of the first phase takes, if there is one.
    pub(crate) fn first_take(&self) -> Option<u64> {
        match self.first().ordered.first() {
            Some(Stage::Take(n)) => Some(*n),
            _ => None,
        }
    }

    /// The results of the first phase, and how each is merged.
    fn results(&self) -> Vec<Merging> {
        results(self.first())
    }

    /// The first phase of the run of a part: of ends that carry rows, those are not counted.
    fn of_part(&self) -> Arc<Phase> {
        self.first().uncounted().map_or_else(|| Arc::clone(self.first()), Arc::new)
    }
}

/// How one of the results of a first phase is merged.
enum Merging {
    /// Chunks of the states of an end.
    Chunks(Arc<dyn End>),
    /// Rows, which are the records of this phase.
    Rows(Arc<Phase>),
    /// Records, one behind the other.
    Records,
}

fn results(phase: &Phase) -> Vec<Merging> {
    let mut results = Vec::new();
    match &phase.end {
        Some(end) if !phase.carries_records() => {
            each_result(end, phase.lane_kind(), &mut |end, kind| {
                results.push(match end.carried() {
                    Carried::State => Merging::Chunks(Arc::clone(end)),
                    Carried::Rows => Merging::Rows(Arc::new(phase.merging(end, kind))),
                });
            });
        }
        _ => results.push(Merging::Records),
    }
    results
}

/// Writes what is printed as the rows of a result.
struct RowsOf<'c> {
    to: &'c mut dyn Carry,
    result: usize,
}

impl Write for RowsOf<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.to.rows(self.result, bytes)
    }
}

fn carry_printed(
    to: &mut dyn Carry,
    result: usize,
    print: impl FnOnce(&mut Printer<'_>) -> Result<()>,
) -> Result<()> {
    let mut rows = RowsOf { to, result };
    let mut out = Printer::new(Encoder::new(Format::Jsonl, false), None, &mut rows);
    print(&mut out)?;
    out.flush()
}

/// Runs the first phase of a program over a part of the sources, and carries what comes of it: each shard of the keys
/// by one of these; what has no keys by the first.
///
/// # Errors
///
/// As of a run; and if a state does not fit into the memory for states and has no form for the disk.
pub(crate) fn run_part<I: Input<Reader: Reader<Block = Block>>>(
    program: &Program,
    input: &Arc<I>,
    records: &Records,
    context: &Context,
    to: &mut [&mut dyn Carry],
) -> Result<()> {
    let phase = &program.of_part();
    if phase.carries_records() {
        let phase = Arc::new(phase.carrying());
        return carry_printed(to[0], 0, |out| lane::run(&phase, input, records, context, out));
    }
    let state = lane::reduced(phase, input, records, context, false)?;
    let states = fitting(state, context)?.branches();
    // While one is written, the others hold what they have.
    let mut waiting: usize = states.iter().map(|state| state.held()).sum();
    let mut reserved = context.budget.as_ref().map(|budget| budget.reserve(0));
    for (result, (mut state, merging)) in states.into_iter().zip(results(phase)).enumerate() {
        waiting = waiting.saturating_sub(state.held());
        reserved.iter_mut().for_each(|reserved| reserved.set(waiting as u64));
        let Merging::Chunks(end) = merging else {
            carry_printed(to[0], result, |out| state.print(context, out))?;
            continue;
        };
        let writes = to.iter_mut().map(|to| |bytes: &[u8]| to.chunk(result, bytes));
        let mut writes: Vec<_> = writes.collect();
        let mut writer = ShardWriter::new(&mut writes);
        match state.runs() {
            None => writer.add(state, Follows::Nothing)?,
            // A run that is told to stop reading writes what it has read.
            Some(runs) => {
                let empty = end.start(records.invalid);
                merge(&*empty, &runs, &unstopped(context), &mut |state, follows, _| {
                    writer.add(state, follows)
                })?;
            }
        }
    }
    Ok(())
}

/// The state, or what it was spilled as: to put its rows in order takes about as much memory again.
fn fitting(mut state: Box<dyn State>, context: &Context) -> Result<Box<dyn State>> {
    /// The parts that it is spilled in, as a power of two.
    const BITS: u32 = 6;
    let Some(budget) = context.budget.as_deref() else { return Ok(state) };
    let is_large = |state: &dyn State| state.held().max(state.whole()) as u64 > budget.limit() / 2;
    // No lane reads any more.
    if !is_large(&*state) || budget.retire(1) && !is_large(&*state) {
        return Ok(state);
    }
    budget.spill();
    // Rows are spilled as they stand.
    if state.spill(budget)? && !is_large(&*state) {
        return Ok(state);
    }
    let mut parts = Vec::new();
    for part in state.parts(BITS) {
        // Values of one key are cut too: to write them takes as much again.
        let pieces = match part.grows() && part.held() as u64 > budget.limit() / 8 {
            true => part.pieces(BITS),
            false => vec![part],
        };
        for piece in pieces {
            parts.push(piece.store(context)?);
        }
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

/// Carries one partial result of what many have, for each result. Records are not merged: they are carried as
/// they stand.
///
/// # Errors
///
/// [`Error::Cancelled`] if the run is told to stop; if a chunk or a row cannot be read or is damaged, and if a
/// state does not fit into memory that has to be there as a whole.
pub(crate) fn merge_parts<I: Input<Reader: Reader<Block = Block>>>(
    program: &Program,
    parts: Vec<Parts<I>>,
    invalid: Invalid,
    context: &Context,
    to: &mut dyn Carry,
) -> Result<()> {
    let merging = results(&program.of_part());
    for (result, (merging, parts)) in merging.into_iter().zip(parts).enumerate() {
        match (merging, parts) {
            // Shards that have nothing of it make one that has nothing.
            (Merging::Chunks(_), Parts::Chunks(runs)) if runs.iter().all(|run| run.number == 0) => {
            }
            (Merging::Chunks(end), Parts::Chunks(runs)) => {
                let mut write = |bytes: &[u8]| to.chunk(result, bytes);
                let mut writer = ChunkWriter::new(&mut write);
                let empty = end.start(invalid);
                merge(&*empty, &runs, context, &mut |state, follows, _| {
                    writer.add(state, follows)
                })?;
            }
            (Merging::Rows(phase), Parts::Rows(rows)) => {
                let state = of_rows(&phase, &rows, context)?;
                // Rows that were read until then are not those of all.
                if context.stop.is_set() {
                    return Err(Error::Cancelled);
                }
                carry_printed(to, result, |out| state.print(context, out))?;
            }
            (Merging::Chunks(_) | Merging::Rows(_) | Merging::Records, _) => {
                unreachable!("what is merged is as the program carries it")
            }
        }
    }
    Ok(())
}

/// The state of the end of a phase over rows that this end has given.
fn of_rows<I: Input<Reader: Reader<Block = Block>>>(
    phase: &Arc<Phase>,
    rows: &Arc<I>,
    context: &Context,
) -> Result<Box<dyn State>> {
    context.budget.iter().for_each(|budget| budget.restore_lanes());
    // The end took them as records before: one that it does not take is damaged.
    let records = Records { delimiter: Delimiter::Line, invalid: Invalid::Fail };
    lane::reduced(phase, rows, &records, context, true)
}

/// Prints what a program makes of many partial results.
///
/// # Errors
///
/// As [`merge_parts`], and as of a run.
pub(crate) fn finish_parts<I: Input<Reader: Reader<Block = Block>>>(
    program: &Program,
    parts: Vec<Parts<I>>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let (first, invalid) = (program.first(), records.invalid);
    let mut parts = program.results().into_iter().zip(parts).peekable();
    follow(program.rest(), invalid, context, out, |out| {
        if let Some((Merging::Records, Parts::Rows(rows))) = parts.peek() {
            return read(&Arc::new(first.resumed()), rows, invalid, context, out);
        }
        let mut next = || match parts.next() {
            Some((Merging::Chunks(end), Parts::Chunks(runs))) => {
                settled(&*end.start(invalid), &runs, context)
            }
            Some((Merging::Rows(phase), Parts::Rows(rows))) => {
                of_rows(&phase, &rows, &context.after_reading())
            }
            _ => unreachable!("what is merged is as the program carries it"),
        };
        match &first.end {
            Some(end) => print_results(end, invalid, &mut next, context, out),
            None => unreachable!("a phase without an end carries records"),
        }
    })
}

/// What is wanted of the state of all runs; range of keys by range, if it does not fit into memory.
fn settled(empty: &dyn State, runs: &[Run], context: &Context) -> Result<Box<dyn State>> {
    /// So many ranges are settled before they are put together: each may hold some rows.
    const RANGES: usize = 32;
    let mut ranges: Vec<Box<dyn State>> = Vec::new();
    // Of a key whose values come one after another, all that is wanted of those that came.
    let mut open: Option<Box<dyn State>> = None;
    let budget = context.budget.as_deref();
    merge(empty, runs, context, &mut |mut state, follows, merged| {
        if let Some(budget) = budget.filter(|_| follows != Follows::Nothing) {
            budget.spill();
        }
        let more = match (follows, open.is_some()) {
            (Follows::Values, _) => Some(std::mem::replace(&mut state, empty.empty())),
            (Follows::Nothing | Follows::Keys, true) => {
                let (first, rest) = state.split_first();
                state = rest;
                Some(first)
            }
            (Follows::Nothing | Follows::Keys, false) => None,
        };
        if let Some(more) = more {
            let more = more.condensed();
            let all = match open.take() {
                None => more,
                Some(mut all) => {
                    all.merge(more);
                    all
                }
            };
            check_whole(&*all, all.whole() as u64, merged, budget)?;
            match follows {
                Follows::Values => {
                    open = Some(all);
                    return Ok(());
                }
                Follows::Nothing | Follows::Keys => ranges.push(all.settle(context)?),
            }
        }
        ranges.push(state.settle(context)?);
        if ranges.len() >= RANGES {
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
