//! Results of a part of the sources: made in one process, and merged and finished in another.
//!
//! What a part carries is the [`State`] of the first phase. Where the first phase has none, or a `take`,
//! which has to see the records of all parts, it is rows: records as JSON, one a line.

use std::slice;
use std::sync::Arc;

use super::Program;
use super::end::State;
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
    /// first one, no more than it takes.
    Rows,
}

impl Program {
    /// What a partial result of this program carries.
    pub(crate) fn carries(&self) -> Carries {
        let first = self.first();
        match first.streams() || !first.ordered.is_empty() {
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

    /// The state of no records, of a program whose partial results [carry](Self::carries) a state.
    ///
    /// # Panics
    ///
    /// If they carry rows, and the first phase has no reduction.
    pub(crate) fn start(&self, invalid: Invalid) -> Box<dyn State> {
        self.first().start(invalid)
    }
}

/// Runs the first phase of a program whose partial results carry a state.
///
/// # Errors
///
/// As of a run; and if the state does not fit into the memory for states.
pub(crate) fn run_to_state<I: Input<Reader: Reader<Block = Block>>>(
    program: &Program,
    input: &Arc<I>,
    records: &Records,
    context: &Context,
) -> Result<Box<dyn State>> {
    let state = lane::reduced(program.first(), input, records, context, false)?;
    match context.budget.as_deref() {
        Some(budget) if state.held() as u64 > budget.limit() => Err(Error::Memory {
            task: state.name(),
            limit: budget.limit(),
            held: format!(
                "its state takes {}, and a state for --merge is made in memory; give a process fewer \
                     sources, or more --memory",
                bytes(state.held() as u64)
            ),
        }),
        _ => Ok(state),
    }
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
            ordered::print(first, slice::from_ref(take), &**input, records, context, &mut out)?;
        }
        None => lane::run(first, input, records, context, &mut out)?,
    }
    out.flush()
}

/// Prints what a program makes of the state of its first phase.
///
/// # Errors
///
/// As of a run.
pub(crate) fn finish_state(
    program: &Program,
    state: Box<dyn State>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    follow(program.rest(), records.invalid, context, out, |out| {
        state.settle(context)?.print(context, out)
    })
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
