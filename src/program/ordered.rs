//! A program from its first `take` on: on one thread, in input order.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::Program;
use super::batch::{Batch, Kind, Span};
use super::combine::{End, State};
use super::failure::Told;
use super::lane::{Lanes, Records, each_cell};
use super::stage::{Scratch, Stage, drive, scratch};
use crate::Result;
use crate::block::Block;
use crate::run::{Context, Text, stream};
use crate::sink::Printer;

/// Runs the stages before the first `take` on all lanes, and everything from there on here.
pub(super) fn run(
    program: &Program,
    input: &Text,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<State> {
    let lanes = Lanes::new(program, records.invalid);
    let most = match program.ordered.first() {
        Some(Stage::Take(n)) => usize::try_from(*n).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let emit = |block: Block| {
        let text = records.text(context, &block, program.input)?;
        let mut taken = Taken::new(program.lane_kind());
        let told = lanes.with(|lane| {
            records.drive(&text, program, lane, &mut |text, batch| taken.extend(text, batch, most))
        });
        let settled = records.settle(told, &block);
        if let Cow::Owned(_) = &text {
            let origins = taken.batch.origins.iter_mut();
            origins.for_each(|at| *at = records.offset(&block, *at as usize) as u32);
        }
        drop(text);
        Ok((taken, settled, block))
    };
    let mut state = program.end.start(program.end_kind());
    let mut buffers = scratch(&program.ordered, program.lane_kind(), records.invalid);
    if most > 0 {
        stream(context, input, emit, |(mut taken, settled, block): Ordered| {
            let flow = in_order(program, &mut buffers, &mut taken, &mut state, out)?;
            let mut told = Told::default();
            buffers.iter_mut().for_each(|buffers| told.add(buffers.told()));
            records.settle_at(told, &block)?;
            // Enough was taken before the bad record, or it is the next.
            if flow.is_continue() {
                settled?;
            }
            Ok(flow)
        })?;
    }
    Ok(state)
}

/// The records of a block, what went wrong behind them, and the block.
type Ordered = (Taken, Result<()>, Block);

/// Sends the records of one block through the stages that see all records in their order, and
/// prints at once what comes out.
fn in_order(
    program: &Program,
    buffers: &mut [Scratch],
    taken: &mut Taken,
    state: &mut State,
    out: &mut Printer<'_>,
) -> Result<ControlFlow<()>> {
    let mut written = Ok(());
    let Taken { text, batch } = taken;
    let flow = drive(&program.ordered, buffers, text, batch, &mut |text, batch| {
        if program.end != End::Records {
            program.end.feed(state, text, batch);
            return ControlFlow::Continue(());
        }
        each_cell(text, batch, |cell| {
            if written.is_ok() {
                written = out.value(cell);
            }
        });
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    if program.end == End::Records {
        out.flush()?;
    }
    Ok(flow)
}

/// The records of one block that a `take` may want, in a text of their own.
struct Taken {
    text: String,
    batch: Batch,
}

impl Taken {
    fn new(kind: Kind) -> Self {
        Self { text: String::new(), batch: Batch::new(kind) }
    }

    fn extend(&mut self, text: &str, batch: &mut Batch, most: usize) -> ControlFlow<()> {
        batch.truncate(most - self.batch.len());
        let pieces_before = self.batch.spans.len() as u32;
        self.batch.fields.resize(batch.fields.len(), Vec::new());
        self.batch.origins.extend_from_slice(&batch.origins);
        for (i, span) in batch.spans.iter().enumerate() {
            let start = self.text.len();
            for (fields, taken) in batch.fields.iter().zip(&mut self.batch.fields) {
                let at = start as u32 + fields[i].start.saturating_sub(span.start);
                taken.push(Span { start: at, len: fields[i].len });
            }
            self.text.push_str(span.of(text));
            self.batch.spans.push(Span::new(start, self.text.len()));
        }
        self.batch.ends.extend(batch.ends.iter().map(|end| end + pieces_before));
        self.batch.numbers.extend_from_slice(&batch.numbers);
        if self.batch.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}
