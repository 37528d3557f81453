//! How blocks become batches of records, and what drives these through the stages of a phase.

use std::ops::ControlFlow;

use super::batch::{BATCH, Batch, Kind, LONGEST_TEXT, Span};
use super::failure::Told;
use super::format::{InputFormat, Reading};
use super::phase::Phase;
use super::search::{Cache, Found, Search};
use super::stage::{Next, Scratch, Stage, drive, scratch};
use super::taken::Taken;
use crate::block::{Block, Delimiter};
use crate::progress::{InputOrder, Tally};
use crate::record::{Checked, Invalid, RawLines};
use crate::run::Context;
use crate::sink::Cell;
use crate::{Error, Result};

/// How blocks become records.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) delimiter: Delimiter,
    pub(crate) invalid: Invalid,
}

/// Buffers of one lane, for each stage.
pub(super) struct Buffers {
    source: Batch,
    scratch: Vec<Scratch>,
    /// Of the stages behind the last `take`.
    behind: Vec<Scratch>,
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
            behind: scratch(&phase.behind, phase.ordered_kind(), policy),
            search: None,
            told: Told::default(),
        }
    }

    pub(super) fn told(&mut self) -> Told {
        let mut told = std::mem::take(&mut self.told);
        let scratch = self.scratch.iter_mut().chain(&mut self.behind);
        scratch.for_each(|scratch| told.add(scratch.told()));
        told
    }
}

/// A block that lanes work on: one of an input, or the records of one that a `take` let through.
pub(super) trait LaneBlock: Send + 'static {
    /// Sends its records through the stages of a phase that lanes run over such blocks.
    ///
    /// # Errors
    ///
    /// If it is no text.
    fn drive(
        &mut self,
        phase: &Phase,
        records: &Records,
        context: &Context,
        buffers: &mut Buffers,
        end: &mut Next<'_>,
    ) -> Result<Driven>;

    /// As [`Records::settle`].
    ///
    /// # Errors
    ///
    /// For a bad record, where none may be let pass.
    fn settle(&self, records: &Records, told: Told) -> Result<Tally>;

    /// Where it stands in the input.
    fn order(&self) -> InputOrder;
}

/// What driving a block has told.
pub(super) struct Driven {
    /// Of records that stages could not evaluate.
    pub(super) told: Told,
    /// Records that were let pass before any stage.
    pub(super) tally: Tally,
    /// What is wrong behind the records that were driven.
    pub(super) wrong: Option<Error>,
}

impl Driven {
    /// The records that were let pass.
    ///
    /// # Errors
    ///
    /// The first failure in the order of the records.
    pub(super) fn settle(self, block: &impl LaneBlock, records: &Records) -> Result<Tally> {
        let Self { told, mut tally, wrong } = self;
        tally.add(block.settle(records, told)?);
        wrong.map_or(Ok(tally), Err)
    }
}

impl LaneBlock for Block {
    fn drive(
        &mut self,
        phase: &Phase,
        records: &Records,
        context: &Context,
        buffers: &mut Buffers,
        end: &mut Next<'_>,
    ) -> Result<Driven> {
        let Checked { text, tally, wrong } = records.text(context, self, phase.format)?;
        let _ = records.drive(&text, phase, buffers, end);
        Ok(Driven { told: buffers.told(), tally, wrong })
    }

    fn settle(&self, records: &Records, told: Told) -> Result<Tally> {
        records.settle(told, self)
    }

    fn order(&self) -> InputOrder {
        Self::order(self, 0)
    }
}

impl Records {
    pub(super) fn text<'b>(
        &self,
        context: &Context,
        block: &'b Block,
        format: InputFormat,
    ) -> Result<Checked<'b>> {
        context.read(|| self.amount(block));
        self.checked(block, format)
    }

    /// The bytes and the records of a block, as those are told who watch.
    pub(super) fn amount(&self, block: &Block) -> (usize, usize) {
        let bytes = block.bytes();
        (bytes.len(), RawLines::new(bytes, &self.delimiter).count())
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
        let Buffers { source, scratch, search, told, .. } = buffers;
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
    /// Sends records that a `take` let through, and their text, through the stages behind it.
    pub(super) fn drive_behind(
        &self,
        Taken { text, batch }: &mut Taken,
        phase: &Phase,
        buffers: &mut Buffers,
        end: &mut Next<'_>,
    ) -> ControlFlow<()> {
        let Buffers { source, behind, .. } = buffers;
        if phase.behind.is_empty() {
            return drive(&[], &mut [], text, batch, end);
        }
        // So many at a time, as stages have them of an input.
        let all = batch.len();
        (0..all).step_by(BATCH).try_for_each(|start| {
            source.set_to_part_of(batch, start..all.min(start + BATCH));
            drive(&phase.behind, behind, text, source, end)
        })
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
