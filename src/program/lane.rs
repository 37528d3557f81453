//! A phase run over blocks: a lane each, or printed in input order.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::batch::{Batch, Kind};
use super::end::State;
use super::ordered;
use super::phase::Phase;
use super::records::{Buffers, LaneBlock, Records, each_cell};
use super::stage::Next;
use crate::block::Block;
use crate::graph::Shared;
use crate::progress::Tally;
use crate::record::Invalid;
use crate::run::{self, Context, Pass, Reader, stream};
use crate::sink::Printer;
use crate::spill::Budget;
use crate::watch::bytes;
use crate::{Error, Result};

/// Runs a phase over the blocks of an input and prints its result.
pub(super) fn run<I: run::Input<Reader: Reader<Block = Block>>>(
    phase: &Arc<Phase>,
    input: &Arc<I>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    context.budget.iter().for_each(|budget| budget.restore_lanes());
    if !phase.streams() {
        return reduced(phase, input, records, context, true)?.print(context, out);
    }
    if phase.ordered.is_empty() {
        return stream_records(phase, input, records, context, out);
    }
    let (admitted, enough) = ordered::admitted(phase, records, input, context);
    stream_records(phase, &admitted, records, &context.after_reading(), out)?;
    enough.forget_behind(context);
    Ok(())
}

/// Runs a phase that has a reduction: its state of all records, of which only what is wanted is kept
/// if it `settles`; or else the state as it is written.
pub(super) fn reduced<I: run::Input<Reader: Reader<Block = Block>>>(
    phase: &Arc<Phase>,
    input: &Arc<I>,
    records: &Records,
    context: &Context,
    settles: bool,
) -> Result<Box<dyn State>> {
    let pass = Reduce { phase: Arc::clone(phase), records: records.clone(), settles };
    if phase.ends_in_order() {
        return ordered::reduced(Arc::new(pass), phase, records, input, context);
    }
    if phase.ordered.is_empty() {
        return Ok(run::reduce(context, Arc::clone(input), pass)?.state);
    }
    let (admitted, enough) = ordered::admitted(phase, records, input, context);
    let lane = run::reduce(&context.after_reading(), admitted, pass)?;
    enough.forget_behind(context);
    Ok(lane.state)
}

/// What one lane of a reduction holds.
pub(super) struct Lane {
    buffers: Buffers,
    pub(super) state: Box<dyn State>,
}

/// A phase that makes one result of all records.
pub(super) struct Reduce {
    pub(super) phase: Arc<Phase>,
    pub(super) records: Records,
    /// Whether only what is wanted of the result is kept, of each part as it is known.
    settles: bool,
}

impl Reduce {
    /// A lane that has seen nothing.
    pub(super) fn empty(&self) -> Lane {
        self.lane(self.phase.start(self.records.invalid))
    }

    /// A lane of this state.
    fn lane(&self, state: Box<dyn State>) -> Lane {
        Lane { buffers: Buffers::new(&self.phase, self.records.invalid), state }
    }

    fn fed(&self, context: &Context, lane: &mut Lane, block: &mut impl LaneBlock) -> Result<()> {
        let Self { phase, records, .. } = self;
        let Lane { buffers, state } = lane;
        state.begin_block(block.order());
        let mut end = |text: &str, batch: &mut Batch| state.feed(text, batch);
        let mut driven = block.drive(phase, records, context, buffers, &mut end)?;
        driven.told.add(state.told());
        context.progress.add_tally(driven.settle(block, records)?);
        Ok(())
    }
}

impl<B: LaneBlock> Pass<B> for Reduce {
    type State = Lane;

    fn ordered(&self) -> bool {
        false
    }

    fn start(&self, context: &Context, _: &[Shared]) -> Lane {
        let mut lane = self.empty();
        lane.state.prepare(context);
        lane
    }

    fn emptied(&self, _: &Lane) -> Lane {
        self.empty()
    }

    fn feed(&self, context: &Context, _: &[Shared], lane: &mut Lane, mut block: B) -> Result<()> {
        let fed = self.fed(context, lane, &mut block);
        fed.inspect_err(|_| context.progress.fails(block.order()))
    }

    fn merge(&self, into: &mut Lane, from: Lane) {
        into.state.merge(from.state);
    }

    fn weight(&self, lane: &Lane) -> usize {
        lane.state.weight()
    }

    fn held(&self, lane: &Lane) -> usize {
        lane.state.held()
    }

    fn unused(&self, lane: &Lane) -> usize {
        lane.state.unused()
    }

    fn unfit(&self, context: &Context, lane: &Lane, budget: &Budget) -> Error {
        let held = lane.state.held();
        let least = |state: u64| budget.least(state) >> 20;
        let would_do = match (lane.state.needed(), context.progress.of_all(held as u64)) {
            (Some(most), _) => {
                format!("; for all that is kept, `--memory {}M` would do", least(most))
            }
            // Lists double as they grow.
            (None, Some(all)) => format!(
                "; if all of the input is like the part that was read, `--memory {}M` would do",
                least(all.saturating_mul(2))
            ),
            (None, None) => String::new(),
        };
        run::unfit(&lane.state.name(), held, budget, &would_do)
    }

    fn pieces(&self, lane: Lane, bits: u32) -> Vec<Lane> {
        lane.state.pieces(bits).into_iter().map(|state| self.lane(state)).collect()
    }

    fn condensed(&self, context: &Context, lane: Lane) -> Result<Lane> {
        match self.settles {
            true => Ok(self.lane(lane.state.condensed())),
            // A state that is written has all that it has seen.
            false => Ok(self.lane(lane.state.store(context)?)),
        }
    }

    fn merging(&self, lane: &Lane) -> usize {
        lane.state.merging()
    }

    fn grows(&self, lane: &Lane) -> bool {
        lane.state.grows()
    }

    fn too_large(&self, lane: &Lane, needs: u64, budget: &Budget) -> Error {
        let needs = lane.state.needed().map_or(needs, |most| needs.min(most));
        Error::Memory {
            task: lane.state.name(),
            limit: budget.limit(),
            held: format!(
                "what is merged of one key takes {}, and has to be in memory as a whole; for this, \
                 `--memory {}M` would do",
                bytes(needs),
                budget.least(needs) >> 20
            ),
        }
    }

    fn spill(&self, lane: &mut Lane, budget: &Budget) -> Result<bool> {
        lane.state.spill(budget)
    }

    fn detach(&self, lane: &mut Lane) -> Option<Lane> {
        Some(self.lane(lane.state.detach()))
    }

    fn parts(&self, lane: Lane, bits: u32) -> Vec<Lane> {
        lane.state.parts(bits).into_iter().map(|state| self.lane(state)).collect()
    }

    fn join(&self, parts: Vec<Lane>) -> Lane {
        let mut states = parts.into_iter().map(|lane| lane.state);
        match states.next() {
            Some(first) => self.lane(first.join(states.collect())),
            None => self.empty(),
        }
    }

    fn save_parts(
        &self,
        lane: Lane,
        bits: u32,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Lane>> {
        let left = lane.state.save_parts(bits, write)?;
        Ok(left.map(|state| self.lane(state)))
    }

    fn save(&self, lane: &Lane, bytes: &mut Vec<u8>) -> bool {
        lane.state.save(bytes)
    }

    fn load(&self, into: &mut Lane, bytes: &[u8]) -> bool {
        into.state.load(bytes)
    }

    fn settles(&self, _: &Self::State) -> bool {
        true
    }

    fn settle(&self, context: &Context, lane: Lane) -> Result<Lane> {
        match self.settles {
            true => Ok(self.lane(lane.state.settle(context)?)),
            false => Ok(self.lane(lane.state.store(context)?)),
        }
    }
}

/// The largest buffer that is used again: one of records that are not much longer than others.
const LARGEST_KEPT: usize = 4 << 20;

/// Prints the records as they come, in input order.
fn stream_records(
    phase: &Arc<Phase>,
    input: &Arc<impl run::Input<Reader: Reader<Block: LaneBlock>>>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let lanes = Lanes::new(phase, records.invalid);
    let encoder = out.encoder();
    // Buffers that were written are used again: fresh pages cost more than what is put into them.
    let written: Mutex<Vec<Vec<u8>>> = Mutex::default();
    let written = || written.lock().unwrap_or_else(PoisonError::into_inner);
    let emit = |context: &Context, mut block| {
        let mut encoded = written().pop().unwrap_or_default();
        let settled = lanes.with(|buffers| {
            let mut end = |text: &str, batch: &mut Batch| {
                if batch.record.kind == Kind::Text {
                    let pieces = batch.record.spans.iter().map(|span| span.range());
                    encoder.texts(&mut encoded, text, pieces);
                } else {
                    each_cell(text, batch, |cell| encoder.value(&mut encoded, cell));
                }
                ControlFlow::Continue(())
            };
            emitted(&mut block, phase, records, context, buffers, &mut end)
        })?;
        Ok((encoded, settled))
    };
    let weigh = |(encoded, _): &(Vec<u8>, Result<Tally>)| encoded.capacity();
    stream(context, input, emit, weigh, |(mut encoded, settled): (Vec<u8>, Result<Tally>)| {
        out.encoded(&encoded)?;
        encoded.clear();
        let mut written = written();
        if written.len() < 2 * context.threads && encoded.capacity() <= LARGEST_KEPT {
            written.push(encoded);
        }
        drop(written);
        context.progress.add_tally(settled?);
        Ok(ControlFlow::Continue(()))
    })
}

/// What stands before a bad record is printed before the run fails: of a block that can be read it says later
/// what went wrong.
fn emitted(
    block: &mut impl LaneBlock,
    phase: &Phase,
    records: &Records,
    context: &Context,
    buffers: &mut Buffers,
    end: &mut Next<'_>,
) -> Result<Result<Tally>> {
    let order = block.order();
    let fails = |_: &Error| context.progress.fails(order);
    let driven = block.drive(phase, records, context, buffers, end).inspect_err(fails)?;
    Ok(driven.settle(block, records).inspect_err(fails))
}

/// Buffers lent to whichever thread has a block: as many as there are threads.
pub(super) struct Lanes {
    pub(super) phase: Arc<Phase>,
    policy: Invalid,
    idle: Mutex<Vec<Buffers>>,
}

impl Lanes {
    pub(super) fn new(phase: &Arc<Phase>, policy: Invalid) -> Self {
        Self { phase: Arc::clone(phase), policy, idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Buffers) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffers = idle().pop().unwrap_or_else(|| Buffers::new(&self.phase, self.policy));
        let result = work(&mut buffers);
        idle().push(buffers);
        result
    }
}
