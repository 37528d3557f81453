//! What sees all records in their order: stages from the first `take` to the last, and ends that are ordered.
//!
//! Lanes run the stages before the first `take`, one thread at a time those that see all in their order, and
//! lanes those behind the last `take`: the records that it lets through are an input of their own.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::batch::Batch;
use super::end::State;
use super::failure::Told;
use super::lane::{Lane, Lanes};
use super::phase::Phase;
use super::records::{Buffers, Driven, LaneBlock, Records};
use super::stage::{Next, Scratch, Stage, drive, scratch};
use super::taken::Taken;
use crate::block::Block;
use crate::memory::Reservation;
use crate::progress::{InputOrder, Tally};
use crate::record::{Checked, Invalid, RawLines};
use crate::run::{self, Context, Held, Input, Pass, Reader, Staged, Weighed, stream};
use crate::spill::Budget;
use crate::{Error, Result};

/// Runs a reduction that has to see all records in their order: its state of all of them.
pub(super) fn reduced<P: Pass<Block, State = Lane>>(
    pass: Arc<P>,
    phase: &Arc<Phase>,
    records: &Records,
    input: &Arc<impl Input<Reader: Reader<Block = Block>>>,
    context: &Context,
) -> Result<Box<dyn State>> {
    let mut held = Held::all(pass.start(context, &[]));
    let mut share = context.budget.as_deref().map(Budget::share);
    let (before, mut stages) = in_order(phase, records, context);
    if !before.takes_nothing() {
        let emit = |context: &Context, block| before.emit(context, block);
        stream(context, input, emit, Ordered::weight, |Ordered { mut taken, settled, block }| {
            let flow = stages.give(&mut taken, settled, &block, |in_order| {
                let state = &mut held.state.state;
                state.begin_block(block.order(0));
                let flow = in_order.through(&mut |text, batch| state.feed(text, batch));
                (flow, state.told())
            })?;
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
            Ok(flow)
        })?;
    }
    before.enough.forget_behind(context);
    Ok(run::whole_of(context, held, pass)?.state)
}

/// The records that the takes of a phase let through, as an input for the stages behind them; and where they
/// have enough, for when all of it was read.
pub(super) fn admitted<I: Input<Reader: Reader<Block = Block>>>(
    phase: &Arc<Phase>,
    records: &Records,
    input: &Arc<I>,
    context: &Context,
) -> (Arc<impl Input<Reader: Reader<Block = Admitted>> + use<I>>, Enough) {
    let (before, mut stages) = in_order(phase, records, context);
    let enough = before.enough.clone();
    let takes_nothing = before.takes_nothing();
    let own = context.clone();
    let emit = move |block| before.emit(&own, block);
    let budget = context.budget.clone();
    let staged = Staged::new(context, Arc::clone(input), emit, Ordered::weight, move |ordered| {
        let (taken, block, flow) = stages.admit(ordered);
        let weight = taken.weight() + block.weight();
        let reserved = budget.as_ref().map(|budget| budget.reserve(weight as u64));
        (Admitted { taken, block, _reserved: reserved }, flow)
    });
    (Arc::new(if takes_nothing { staged.empty() } else { staged }), enough)
}

/// Records that the takes of a phase let through, all of one block.
pub(super) struct Admitted {
    taken: Taken,
    /// Where they come from.
    block: Block,
    _reserved: Option<Reservation>,
}

impl Weighed for Admitted {
    fn weight(&self) -> usize {
        self.taken.weight() + self.block.weight()
    }
}

impl LaneBlock for Admitted {
    fn drive(
        &mut self,
        phase: &Phase,
        records: &Records,
        context: &Context,
        buffers: &mut Buffers,
        end: &mut Next<'_>,
    ) -> Result<Driven> {
        context.tell_read(|| records.amount(&self.block));
        let _ = records.drive_behind(&mut self.taken, phase, buffers, end);
        Ok(Driven { told: buffers.told(), tally: Tally::default(), wrong: None })
    }

    fn settle(&self, records: &Records, told: Told) -> Result<Tally> {
        records.settle_at(told, &self.block)
    }

    fn order(&self) -> InputOrder {
        self.block.order(0)
    }
}

/// Where a phase has enough, once it has.
#[derive(Debug, Clone, Default)]
pub(super) struct Enough(Arc<Mutex<Option<InputOrder>>>);

impl Enough {
    /// Forgets what was found behind that place, when nothing is read any more.
    pub(super) fn forget_behind(&self, context: &Context) {
        if let Some(place) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            context.progress.forget_behind(place);
        }
    }

    fn set(&self, place: InputOrder) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }
}

/// What lanes run of a phase, and what sees all records in their order.
fn in_order(phase: &Arc<Phase>, records: &Records, context: &Context) -> (Before, InOrder) {
    let most = match phase.ordered.first() {
        Some(Stage::Take(n)) => usize::try_from(*n).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let enough = Enough::default();
    let lanes = Lanes::new(phase, records.invalid);
    let (phase, own, context) = (Arc::clone(phase), records.clone(), context.clone());
    let records = own.clone();
    let buffers = scratch(&phase.ordered, phase.lane_kind(), records.invalid);
    let in_order = InOrder { phase, records, context, buffers, enough: enough.clone() };
    (Before { lanes, records: own, most, enough }, in_order)
}

/// The records of a block behind the stages that lanes run, those that are let pass or what went wrong behind
/// them, and the block.
struct Ordered {
    taken: Taken,
    settled: Result<Tally>,
    block: Block,
}

impl Ordered {
    /// The bytes of memory that wait with it.
    fn weight(&self) -> usize {
        self.taken.weight() + self.block.weight()
    }
}

/// The stages before the first `take`.
struct Before {
    lanes: Lanes,
    records: Records,
    /// The most records of a block that the `take` may want.
    most: usize,
    enough: Enough,
}

impl Before {
    fn takes_nothing(&self) -> bool {
        self.most == 0
    }

    /// What lanes make of a block.
    fn emit(&self, context: &Context, block: Block) -> Result<Ordered> {
        let Self { lanes, records, most, .. } = self;
        let phase = &*lanes.phase;
        let fails = |_: &Error| context.progress.fails(block.order(0));
        let text = match phase.behind_takes() {
            true => {
                context.progress.add_block();
                records.checked(&block, phase.format)
            }
            false => records.text(context, &block, phase.format),
        };
        let Checked { text, mut tally, wrong } = text.inspect_err(fails)?;
        let mut taken = Taken::new(phase.lane_kind());
        let mut take = |text: &str, batch: &mut Batch| taken.extend(text, batch, *most);
        let told = lanes.with(|buffers| {
            let _ = records.drive(&text, phase, buffers, &mut take);
            buffers.told()
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
        Ok(Ordered { taken, settled, block })
    }
}

/// The stages that see all records in their order.
struct InOrder {
    phase: Arc<Phase>,
    records: Records,
    context: Context,
    buffers: Vec<Scratch>,
    enough: Enough,
}

impl InOrder {
    /// Sends the records of a block, which come in input order, through the stages. `consume` says how many they
    /// have seen, and what the end has told. Breaks when they have enough.
    fn give(
        &mut self,
        taken: &mut Taken,
        settled: Result<Tally>,
        block: &Block,
        consume: impl FnOnce(Through<'_>) -> (ControlFlow<usize, usize>, Told),
    ) -> Result<ControlFlow<()>> {
        let Self { phase, records, context, buffers, enough } = self;
        let one_by_one = records.invalid != Invalid::Fail;
        let through = Through { stages: &phase.ordered, buffers, taken, one_by_one };
        let (flow, told_behind) = consume(through);
        let mut told = Told::default();
        buffers.iter_mut().for_each(|buffers| told.add(buffers.told()));
        told.add(told_behind);
        let tally = records.settle_at(told, block);
        let mut tally = tally.inspect_err(|_| context.progress.fails(block.order(0)))?;
        match flow {
            ControlFlow::Continue(_) => tally.add(settled?),
            // Enough was taken before the bad record. Of those that are let pass the ones count
            // that stand before the last that was taken, however large the block.
            ControlFlow::Break(seen) => {
                enough.set(block.order(0));
                if settled.is_ok_and(|tally| !tally.is_empty()) {
                    tally.add(passed_before(phase, records, block, seen)?);
                }
            }
        }
        context.progress.add_tally(tally);
        Ok(flow.map_break(drop).map_continue(drop))
    }

    /// The records of a block that go on to lanes, also where there is a bad one behind them.
    fn admit(&mut self, ordered: Ordered) -> (Taken, Block, Result<ControlFlow<()>>) {
        let Ordered { mut taken, settled, block } = ordered;
        let mut admitted = None;
        let kind = self.phase.ordered_kind();
        let flow = self.give(&mut taken, settled, &block, |through| {
            let flow = match through.stages {
                [Stage::Take(_)] => through.in_place(),
                _ => {
                    let all = admitted.insert(Taken::new(kind));
                    through.through(&mut |text, batch| all.extend(text, batch, usize::MAX))
                }
            };
            (flow, Told::default())
        });
        (admitted.unwrap_or(taken), block, flow)
    }
}

/// The records of a block, on their way through the stages that see all in their order.
struct Through<'d> {
    stages: &'d [Stage],
    buffers: &'d mut [Scratch],
    taken: &'d mut Taken,
    one_by_one: bool,
}

impl Through<'_> {
    /// Sends them through the stages to an end. Says how many the stages have seen.
    fn through(self, end: &mut Next<'_>) -> ControlFlow<usize, usize> {
        let Self { stages, buffers, taken: Taken { text, batch }, one_by_one } = self;
        let all = batch.len();
        let flow = if one_by_one {
            let mut one = Batch::new(batch.record.kind);
            let mut each = (0..all).map(|n| {
                one.set_to_part_of(batch, n..n + 1);
                drive(stages, buffers, text, &mut one, end).map_break(|()| n + 1)
            });
            each.find(ControlFlow::is_break).unwrap_or(ControlFlow::Continue(()))
        } else {
            drive(stages, buffers, text, batch, end).map_break(|()| all)
        };
        flow.map_continue(|()| all)
    }

    /// Sends them through a single `take`, which keeps the first of them.
    fn in_place(self) -> ControlFlow<usize, usize> {
        let Self { stages, buffers, taken: Taken { text, batch }, .. } = self;
        let flow = drive(stages, buffers, text, batch, &mut |_, _| ControlFlow::Continue(()));
        flow.map_break(|()| batch.len()).map_continue(|()| batch.len())
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
