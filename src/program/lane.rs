//! A phase run over blocks: a lane each, or printed in input order.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::batch::{BATCH, Batch, Kind, LONGEST_TEXT, Span};
use super::end::State;
use super::failure::Told;
use super::format::{InputFormat, Reading};
use super::ordered;
use super::phase::Phase;
use super::search::{Cache, Found, Search};
use super::stage::{Next, Scratch, Stage, drive, scratch};
use crate::block::{Block, Delimiter};
use crate::graph::Shared;
use crate::progress::Tally;
use crate::record::{Checked, Invalid, RawLines};
use crate::run::{self, Context, Pass, Reader, stream};
use crate::sink::{Cell, Printer};
use crate::spill::Budget;
use crate::watch::bytes;
use crate::{Error, Result};

/// How blocks become records.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) delimiter: Delimiter,
    pub(crate) invalid: Invalid,
}

/// Runs a phase over the blocks of an input and prints its result.
pub(super) fn run<I: run::Input<Reader: Reader<Block = Block>>>(
    phase: &Arc<Phase>,
    input: &Arc<I>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    context.budget.iter().for_each(|budget| budget.restore_lanes());
    match (phase.is_ordered(), phase.streams()) {
        (false, true) => stream_records(phase, input, records, context, out),
        (true, true) => ordered::print(phase, &phase.ordered, input, records, context, out),
        (_, false) => reduced(phase, input, records, context, true)?.print(context, out),
    }
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
    if phase.is_ordered() {
        return ordered::reduced(Arc::new(pass), input, context);
    }
    Ok(run::reduce(context, Arc::clone(input), pass)?.state)
}

/// What one lane of a reduction holds.
pub(super) struct Lane {
    buffers: Buffers,
    pub(super) state: Box<dyn State>,
}

/// Buffers of one lane, for each stage.
pub(super) struct Buffers {
    source: Batch,
    scratch: Vec<Scratch>,
    /// Made when a block is searched: parts of a state are lanes too.
    search: Option<Cache>,
    /// What reading the records had to say of bad ones; each stage has its own.
    told: Told,
}

impl Buffers {
    pub(super) fn new(phase: &Phase, policy: Invalid) -> Self {
        let kind = phase.format.reader().kind();
        Self {
            source: Batch::new(kind),
            scratch: scratch(&phase.stages, kind, policy),
            search: None,
            told: Told::default(),
        }
    }

    pub(super) fn told(&mut self) -> Told {
        let mut told = std::mem::take(&mut self.told);
        self.scratch.iter_mut().for_each(|scratch| told.add(scratch.told()));
        told
    }
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

    fn fed(&self, context: &Context, lane: &mut Lane, block: &Block) -> Result<()> {
        let phase = &*self.phase;
        let Checked { text, mut tally, wrong } = self.records.text(context, block, phase.format)?;
        let Lane { buffers, state } = lane;
        state.begin_block(block.order(0));
        let mut end = |text: &str, batch: &mut Batch| state.feed(text, batch);
        let _ = self.records.drive(&text, phase, buffers, &mut end);
        let mut told = buffers.told();
        told.add(state.told());
        // Of the records before the one that is no text.
        tally.add(self.records.settle(told, block)?);
        context.progress.add_tally(tally);
        wrong.map_or(Ok(()), Err)
    }
}

impl Pass<Block> for Reduce {
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

    fn feed(&self, context: &Context, _: &[Shared], lane: &mut Lane, block: Block) -> Result<()> {
        let fed = self.fed(context, lane, &block);
        fed.inspect_err(|_| context.progress.fails(block.order(0)))
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
    phase: &Phase,
    input: &Arc<impl run::Input<Reader: Reader<Block = Block>>>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let lanes = Lanes::new(phase, records.invalid);
    let encoder = out.encoder();
    // Buffers that were written are used again: fresh pages cost more than what is put into them.
    let written: Mutex<Vec<Vec<u8>>> = Mutex::default();
    let written = || written.lock().unwrap_or_else(PoisonError::into_inner);
    let emit = |block: Block| {
        let fails = |_: &Error| context.progress.fails(block.order(0));
        let text = records.text(context, &block, phase.format).inspect_err(fails)?;
        let Checked { text, mut tally, wrong } = text;
        let mut encoded = written().pop().unwrap_or_default();
        let told = lanes.with(|buffers| {
            records.drive(&text, phase, buffers, &mut |text, batch| {
                if batch.record.kind == Kind::Text {
                    let pieces = batch.record.spans.iter().map(|span| span.range());
                    encoder.texts(&mut encoded, text, pieces);
                } else {
                    each_cell(text, batch, |cell| encoder.value(&mut encoded, cell));
                }
                ControlFlow::Continue(())
            })
        });
        // What stands before a bad record is printed before the run fails.
        let settled = records.settle(told, &block).and_then(|left_out| {
            tally.add(left_out);
            wrong.map_or(Ok(tally), Err)
        });
        let settled = settled.inspect_err(fails);
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

/// Buffers lent to whichever thread has a block: as many as there are threads.
pub(super) struct Lanes<'p> {
    phase: &'p Phase,
    policy: Invalid,
    idle: Mutex<Vec<Buffers>>,
}

impl<'p> Lanes<'p> {
    pub(super) fn new(phase: &'p Phase, policy: Invalid) -> Self {
        Self { phase, policy, idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn with(&self, work: impl FnOnce(&mut Buffers) -> ControlFlow<()>) -> Told {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffers = idle().pop().unwrap_or_else(|| Buffers::new(self.phase, self.policy));
        let _ = work(&mut buffers);
        let told = buffers.told();
        idle().push(buffers);
        told
    }
}

impl Records {
    pub(super) fn text<'b>(
        &self,
        context: &Context,
        block: &'b Block,
        format: InputFormat,
    ) -> Result<Checked<'b>> {
        context.read(|| {
            let bytes = block.bytes();
            (bytes.len(), RawLines::new(bytes, &self.delimiter).count())
        });
        self.checked(block, format)
    }

    /// The text of a block.
    pub(super) fn checked<'b>(&self, block: &'b Block, format: InputFormat) -> Result<Checked<'b>> {
        let fits = |bytes: usize| match bytes <= LONGEST_TEXT {
            true => Ok(()),
            false => {
                let limit = LONGEST_TEXT as u64;
                Err(Error::RecordTooLong { place: block.place(0), limit })
            }
        };
        fits(block.bytes().len())?;
        let checked = format.reader().text(block, &self.delimiter, self.invalid)?;
        // What is put in the place of a wrong byte is three bytes long.
        fits(checked.text.len())?;
        Ok(checked)
    }

    /// Sends the records of a block's text through the stages of a phase.
    pub(super) fn drive(
        &self,
        text: &str,
        phase: &Phase,
        buffers: &mut Buffers,
        end: &mut Next<'_>,
    ) -> ControlFlow<()> {
        let Buffers { source, scratch, search, told } = buffers;
        if phase.format.reader().is_plain() && self.delimiter == Delimiter::Line {
            // Line ends are white space: the words of the lines are the words of the block.
            if let Some(Stage::Words) = phase.stages.first() {
                source.clear();
                source.record.spans.push(Span::new(0, text.len()));
                return drive(&phase.stages, scratch, text, source, end);
            }
            if let Some(by) = &phase.search {
                let cache = search.get_or_insert_with(|| by.cache());
                source.clear();
                return found(phase, by, cache, text, source, scratch, end);
            }
        }
        let Self { delimiter, invalid } = self;
        let reading = Reading { delimiter, fields: &phase.fields, invalid: *invalid };
        let mut next =
            |text: &str, batch: &mut Batch| drive(&phase.stages, scratch, text, batch, end);
        phase.format.reader().read(text, &reading, source, told, &mut next)
    }
}

/// Sends the lines of a text that a search finds through the stages of a phase.
fn found(
    phase: &Phase,
    search: &Search,
    cache: &mut Cache,
    text: &str,
    source: &mut Batch,
    scratch: &mut [Scratch],
    end: &mut Next<'_>,
) -> ControlFlow<()> {
    let mut flow = ControlFlow::Continue(());
    // Lines that are known to meet the first condition need not be asked.
    let mut all_met = true;
    let mut send = |source: &mut Batch, all_met: &mut bool| {
        let met = usize::from(std::mem::replace(all_met, true));
        drive(&phase.stages[met..], &mut scratch[met..], text, source, end)
    };
    search.each_line(text, cache, |Found { start, end, met }| {
        source.record.spans.push(Span::new(start, end));
        all_met &= met;
        if source.record.spans.len() >= BATCH {
            flow = send(source, &mut all_met);
            source.clear();
        }
        flow.is_continue()
    });
    flow?;
    send(source, &mut all_met)
}

/// The records of a batch, one after another.
pub(super) fn each_cell(text: &str, batch: &Batch, mut visit: impl FnMut(Cell<'_>)) {
    match batch.record.kind {
        Kind::Text => batch.record.spans.iter().for_each(|span| visit(Cell::Text(span.of(text)))),
        Kind::Key => batch.record.spans.iter().for_each(|span| visit(Cell::Key(span.of(text)))),
        Kind::Json => batch.record.spans.iter().for_each(|span| visit(Cell::Json(span.of(text)))),
        Kind::Number => {
            batch.record.numbers.iter().for_each(|&number| visit(Cell::Number(i128::from(number))));
        }
        Kind::Bool => batch.record.bools.iter().for_each(|&met| visit(Cell::Bool(met))),
        Kind::List => {
            let mut members = Vec::new();
            for list in batch.record.lists() {
                members.clear();
                members.extend(list.iter().map(|span| span.of(text)));
                visit(Cell::List(&members));
            }
        }
    }
}
