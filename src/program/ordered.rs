//! A phase from its first `take` on: on one thread, in input order.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::batch::{Batch, Kind, Span};
use super::combine::{End, State};
use super::failure::Told;
use super::lane::{Lane, Lanes, Records, Reduce, each_cell};
use super::phase::Phase;
use super::stage::{Scratch, Stage, drive, scratch};
use crate::block::Block;
use crate::progress::Tally;
use crate::record::{Checked, Invalid, RawLines};
use crate::run::{self, Context, Held, Input, Pass, Reader, stream};
use crate::sink::Printer;
use crate::spill::Budget;
use crate::{Error, Result};

/// Runs the stages before the first `take` on all lanes, and everything from there on here.
pub(super) fn run(
    phase: &Arc<Phase>,
    input: &impl Input<Reader: Reader<Block = Block>>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<State> {
    let lanes = Lanes::new(phase, records.invalid);
    let most = match phase.ordered.first() {
        Some(Stage::Take(n)) => usize::try_from(*n).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let emit = |block: Block| {
        let fails = |_: &Error| context.progress.fails(block.order(0));
        let text = records.text(context, &block, phase.input).inspect_err(fails)?;
        let Checked { text, mut tally, wrong } = text;
        let mut taken = Taken::new(phase.lane_kind());
        let told = lanes.with(|lane| {
            records.drive(&text, phase, lane, &mut |text, batch| taken.extend(text, batch, most))
        });
        let settled = records.settle(told, &block).and_then(|left_out| {
            tally.add(left_out);
            wrong.map_or(Ok(tally), Err)
        });
        let settled = settled.inspect_err(fails);
        if let Cow::Owned(_) = &text {
            let origins = taken.batch.origins.iter_mut();
            origins.for_each(|at| *at = records.offset(&block, *at as usize) as u32);
        }
        drop(text);
        Ok((taken, settled, block))
    };
    let pass = Arc::new(Reduce::new(phase, records));
    let mut held = Held::all(Lane::new(phase, records.invalid));
    let mut share = context.budget.as_deref().map(Budget::share);
    let mut buffers = scratch(&phase.ordered, phase.lane_kind(), records.invalid);
    let mut enough = None;
    if most > 0 {
        stream(context, input, emit, weight, |(mut taken, settled, block): Ordered| {
            let one_by_one = records.invalid != Invalid::Fail;
            let state = &mut held.state.state;
            let flow = in_order(phase, &mut buffers, &mut taken, state, one_by_one, out)?;
            let told_behind = state.told();
            if let Some(share) = &mut share
                && share.is_over(pass.held(&held.state), 1)
            {
                if !held.put_away(context, &*pass)? {
                    return Err(pass.unfit(&held.state, share.budget()));
                }
                share.is_over(pass.held(&held.state), 1);
            }
            let mut told = Told::default();
            buffers.iter_mut().for_each(|buffers| told.add(buffers.told()));
            told.add(told_behind);
            let tally = records.settle_at(told, &block);
            let mut tally = tally.inspect_err(|_| context.progress.fails(block.order(0)))?;
            match flow {
                ControlFlow::Continue(_) => tally.add(settled?),
                // Enough was taken before the bad record. Of those that are let pass the ones count
                // that stand before the last that was taken, however large the block.
                ControlFlow::Break(seen) => {
                    enough = Some(block.order(0));
                    if settled.is_ok_and(|tally| !tally.is_empty()) {
                        tally.add(passed_before(phase, records, &block, seen)?);
                    }
                }
            }
            context.progress.add_tally(tally);
            Ok(flow.map_break(drop).map_continue(drop))
        })?;
    }
    if let Some(place) = enough {
        context.progress.forget_behind(place);
    }
    Ok(run::whole_of(context, held, pass)?.state)
}

/// The records of a block that are let pass, up to the one that gives the last of so many results of
/// the stages that lanes run.
fn passed_before(phase: &Phase, records: &Records, block: &Block, results: usize) -> Result<Tally> {
    let mut lane = Lane::new(phase, records.invalid);
    let mut tally = Tally::default();
    let mut seen = 0;
    for record in RawLines::new(block.bytes(), &records.delimiter) {
        if seen >= results {
            break;
        }
        let at = (record.as_ptr() as usize) - (block.bytes().as_ptr() as usize);
        let part = block.part(at..at + record.len());
        let Checked { text, tally: found, .. } = records.checked(&part, phase.input)?;
        tally.add(found);
        let _ = records.drive(&text, phase, &mut lane, &mut |_, batch| {
            seen += batch.len();
            ControlFlow::Continue(())
        });
        tally.add(records.settle(lane.told(), &part)?);
    }
    Ok(tally)
}

/// The records of a block, those that are let pass or what went wrong behind them, and the block.
type Ordered = (Taken, Result<Tally>, Block);

/// The bytes of memory that wait with it.
fn weight((taken, _, block): &Ordered) -> usize {
    taken.text.capacity() + taken.batch.weight() + block.weight()
}

/// Sends the records of one block through the stages that see all records in their order, and
/// prints at once what comes out. Says how many they have seen.
fn in_order(
    phase: &Phase,
    buffers: &mut [Scratch],
    taken: &mut Taken,
    state: &mut State,
    one_by_one: bool,
    out: &mut Printer<'_>,
) -> Result<ControlFlow<usize, usize>> {
    let mut written = Ok(());
    let Taken { text, batch } = taken;
    let mut end = |text: &str, batch: &mut Batch| {
        if phase.end != End::Records {
            return phase.end.feed(state, text, batch);
        }
        each_cell(text, batch, |cell| {
            if written.is_ok() {
                written = out.value(cell);
            }
        });
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let all = batch.len();
    let flow = if one_by_one {
        let mut one = Batch::new(batch.kind);
        let mut each = (0..all).map(|n| {
            one.set_to_one_of(batch, n);
            drive(&phase.ordered, buffers, text, &mut one, &mut end).map_break(|()| n + 1)
        });
        each.find(ControlFlow::is_break).unwrap_or(ControlFlow::Continue(()))
    } else {
        drive(&phase.ordered, buffers, text, batch, &mut end).map_break(|()| all)
    };
    written?;
    if phase.end == End::Records {
        out.flush()?;
    }
    Ok(flow.map_continue(|()| all))
}

/// Records in a text of their own: those of one block that a `take` may want.
pub(super) struct Taken {
    pub(super) text: String,
    pub(super) batch: Batch,
}

impl Taken {
    pub(super) fn new(kind: Kind) -> Self {
        Self { text: String::new(), batch: Batch::new(kind) }
    }

    pub(super) fn extend(&mut self, text: &str, batch: &mut Batch, most: usize) -> ControlFlow<()> {
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
