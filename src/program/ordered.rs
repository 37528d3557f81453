//! A phase from its first `take` on: on one thread, in input order.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::batch::{Batch, Kind};
use super::end::State;
use super::failure::Told;
use super::lane::{Buffers, Lanes, Records, Reduce, each_cell};
use super::phase::Phase;
use super::stage::{Next, Scratch, Stage, drive, scratch};
use crate::block::Block;
use crate::progress::{InputOrder, Tally};
use crate::record::{Checked, Invalid, RawLines};
use crate::run::{self, Context, Held, Input, Pass, Reader, stream};
use crate::sink::Printer;
use crate::spill::Budget;
use crate::{Error, Result};

/// Prints the records that some stages of a phase leave, of those that see all records in their order.
pub(super) fn print(
    phase: &Phase,
    stages: &[Stage],
    input: &Arc<impl Input<Reader: Reader<Block = Block>>>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let pass = InOrder { phase, stages, records, context };
    pass.run(input, |driven| {
        let mut written = Ok(());
        let flow = driven.through(&mut |text, batch| {
            each_cell(text, batch, |cell| {
                if written.is_ok() {
                    written = out.value(cell);
                }
            });
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        written?;
        out.flush()?;
        Ok((flow, Told::default()))
    })
}

/// Runs a reduction that has to see all records in their order: its state of all of them.
pub(super) fn reduced(
    pass: Arc<Reduce>,
    input: &Arc<impl Input<Reader: Reader<Block = Block>>>,
    context: &Context,
) -> Result<Box<dyn State>> {
    let mut held = Held::all(pass.empty());
    held.state.state.prepare(context);
    let mut share = context.budget.as_deref().map(Budget::share);
    let (phase, records) = (&*pass.phase, &pass.records);
    InOrder { phase, stages: &phase.ordered, records, context }.run(input, |driven| {
        let state = &mut held.state.state;
        state.begin_block(driven.order);
        let flow = driven.through(&mut |text, batch| state.feed(text, batch));
        let told = state.told();
        if let Some(share) = &mut share
            && share.is_over(pass.held(&held.state), pass.unused(&held.state), 1)
        {
            let budget = share.budget();
            let fits = |state: &_| pass.held(state) as u64 <= budget.limit();
            // Lanes that have no room for what they make wait: one of them is enough.
            if !held.spill(context, &*pass)? && !fits(&held.state) {
                budget.retire(1);
                if !fits(&held.state) {
                    return Err(pass.unfit(context, &held.state, budget));
                }
            }
            share.is_over(pass.held(&held.state), pass.unused(&held.state), 1);
        }
        Ok((flow, told))
    })?;
    Ok(run::whole_of(context, held, pass)?.state)
}

/// A phase of which lanes run the stages before the first `take`, and one thread what comes then.
struct InOrder<'p> {
    phase: &'p Phase,
    /// What the one thread runs: from the first `take` on.
    stages: &'p [Stage],
    records: &'p Records,
    context: &'p Context,
}

/// The records of a block, on their way through the stages that see all in their order.
struct Driven<'d> {
    stages: &'d [Stage],
    buffers: &'d mut [Scratch],
    taken: &'d mut Taken,
    one_by_one: bool,
    /// Where the block begins.
    order: InputOrder,
}

impl Driven<'_> {
    /// Sends them through the stages to an end. Says how many the stages have seen.
    fn through(self, end: &mut Next<'_>) -> ControlFlow<usize, usize> {
        let Self { stages, buffers, taken: Taken { text, batch }, one_by_one, .. } = self;
        let all = batch.len();
        let flow = if one_by_one {
            let mut one = Batch::new(batch.record.kind);
            let mut each = (0..all).map(|n| {
                one.set_to_one_of(batch, n);
                drive(stages, buffers, text, &mut one, end).map_break(|()| n + 1)
            });
            each.find(ControlFlow::is_break).unwrap_or(ControlFlow::Continue(()))
        } else {
            drive(stages, buffers, text, batch, end).map_break(|()| all)
        };
        flow.map_continue(|()| all)
    }
}

impl InOrder<'_> {
    /// Hands the records of each block on, in input order, until one has enough.
    fn run(
        &self,
        input: &Arc<impl Input<Reader: Reader<Block = Block>>>,
        mut consume: impl FnMut(Driven<'_>) -> Result<(ControlFlow<usize, usize>, Told)> + Send,
    ) -> Result<()> {
        let Self { phase, stages, records, context } = *self;
        let lanes = Lanes::new(phase, records.invalid);
        let most = match stages.first() {
            Some(Stage::Take(n)) => usize::try_from(*n).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        if most == 0 {
            return Ok(());
        }
        let emit = |block: Block| self.emit(&lanes, block, most);
        let mut buffers = scratch(stages, phase.lane_kind(), records.invalid);
        let one_by_one = records.invalid != Invalid::Fail;
        let mut enough = None;
        stream(context, input, emit, weight, |(mut taken, settled, block): Ordered| {
            let (buffers, order) = (&mut buffers, block.order(0));
            let driven = Driven { stages, buffers, taken: &mut taken, one_by_one, order };
            let (flow, told_behind) = consume(driven)?;
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
        if let Some(place) = enough {
            context.progress.forget_behind(place);
        }
        Ok(())
    }

    /// What lanes make of a block.
    fn emit(&self, lanes: &Lanes<'_>, block: Block, most: usize) -> Result<Ordered> {
        let Self { phase, records, context, .. } = *self;
        let fails = |_: &Error| context.progress.fails(block.order(0));
        let text = records.text(context, &block, phase.format).inspect_err(fails)?;
        let Checked { text, mut tally, wrong } = text;
        let mut taken = Taken::new(phase.lane_kind());
        let mut take = |text: &str, batch: &mut Batch| taken.extend(text, batch, most);
        let told = lanes.with(|buffers| records.drive(&text, phase, buffers, &mut take));
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
    }
}

/// The records of a block that are let pass, up to the one that gives the last of so many results of
/// the stages that lanes run.
fn passed_before(phase: &Phase, records: &Records, block: &Block, results: usize) -> Result<Tally> {
    let mut buffers = Buffers::new(phase, records.invalid);
    let mut tally = Tally::default();
    let mut seen = 0;
    for record in RawLines::new(block.bytes(), &records.delimiter) {
        if seen >= results {
            break;
        }
        let at = (record.as_ptr() as usize) - (block.bytes().as_ptr() as usize);
        let part = block.part(at..at + record.len());
        let Checked { text, tally: found, .. } = records.checked(&part, phase.format)?;
        tally.add(found);
        let _ = records.drive(&text, phase, &mut buffers, &mut |_, batch| {
            seen += batch.len();
            ControlFlow::Continue(())
        });
        tally.add(records.settle(buffers.told(), &part)?);
    }
    Ok(tally)
}

/// The records of a block, those that are let pass or what went wrong behind them, and the block.
type Ordered = (Taken, Result<Tally>, Block);

/// The bytes of memory that wait with it.
fn weight((taken, _, block): &Ordered) -> usize {
    taken.text.capacity() + taken.batch.weight() + block.weight()
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
        let Self { text: own, batch: taken } = self;
        batch.truncate(most - taken.len());
        let Batch { record, fields, origins } = &*batch;
        let before = taken.record.spans.len();
        taken.record.append(text, record, own);
        taken.set_fields(Kind::Json, fields.len());
        for (field, other) in taken.fields.iter_mut().zip(fields) {
            // Fields are within their records.
            field.append_within(other, |n, at| {
                let copy = taken.record.spans[before + n].start;
                copy + at.saturating_sub(record.spans[n].start)
            });
        }
        taken.origins.extend_from_slice(origins);
        if self.batch.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}
