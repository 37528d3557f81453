//! A program run over blocks: a lane each, or in input order where order shows.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::batch::{BATCH, Batch, Kind, Span};
use super::combine::{End, State};
use super::failure::Told;
use super::json;
use super::search::Found;
use super::stage::{Next, Scratch, Stage, drive, scratch};
use super::{Input, Program};
use crate::block::{Block, Delimiter};
use crate::graph::Shared;
use crate::progress::Progress;
use crate::record::{self, Invalid, Lines, RawLines};
use crate::run::{self, Context, Pass, Text};
use crate::sink::{Cell, Printer};
use crate::{Error, Result};

/// How blocks become records.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) delimiter: Delimiter,
    pub(crate) invalid: Invalid,
    pub(crate) progress: Arc<Progress>,
}

/// Runs a program over the blocks of an input and prints its result.
pub(crate) fn run(
    program: &Arc<Program>,
    input: &Arc<Text>,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let (kind, limit, counted) = (program.end_kind(), program.limit, program.rows_counted);
    let state = match (program.end, program.ordered.is_empty()) {
        (End::Records, true) => return stream_records(program, input, records, context, out),
        (_, false) => run_ordered(program, input, records, context, out)?,
        (_, true) => {
            let pass = Reduce { program: Arc::clone(program), records: records.clone() };
            run::reduce(context, Arc::clone(input), pass)?.state
        }
    };
    if program.end == End::Records {
        return Ok(());
    }
    program.end.print(state, kind, limit, counted, context, out)
}

/// What one lane holds: buffers for each stage, and the state of the end.
pub(crate) struct Lane {
    source: Batch,
    scratch: Vec<Scratch>,
    /// What reading the records had to say of bad ones; each stage has its own.
    told: Told,
    state: State,
}

impl Lane {
    fn new(program: &Program, policy: Invalid) -> Self {
        let kind = program.input.kind();
        Self {
            source: Batch::new(kind),
            scratch: scratch(&program.stages, kind, policy),
            told: Told::default(),
            state: program.end.start(program.end_kind()),
        }
    }

    fn told(&mut self) -> Told {
        let mut told = std::mem::take(&mut self.told);
        self.scratch.iter_mut().for_each(|scratch| told.add(scratch.told()));
        told
    }
}

/// A program that makes one result of all records.
struct Reduce {
    program: Arc<Program>,
    records: Records,
}

impl Reduce {
    /// A lane of this state.
    fn lane(&self, state: State) -> Lane {
        Lane { state, ..Lane::new(&self.program, self.records.invalid) }
    }
}

impl Pass<Block> for Reduce {
    type State = Lane;

    fn ordered(&self) -> bool {
        false
    }

    fn start(&self, _: &Context, _: &[Shared]) -> Lane {
        Lane::new(&self.program, self.records.invalid)
    }

    fn feed(&self, context: &Context, _: &[Shared], lane: &mut Lane, block: Block) -> Result<()> {
        let program = &*self.program;
        let text = self.records.text(context, &block, program.input)?;
        let mut state = std::mem::replace(&mut lane.state, State::Count(0));
        let _ = self.records.drive(&text, program, lane, &mut |text, batch| {
            program.end.feed(&mut state, text, batch);
            ControlFlow::Continue(())
        });
        lane.state = state;
        self.records.settle(lane.told(), &block)
    }

    fn merge(&self, into: &mut Lane, from: Lane) {
        self.program.end.merge(&mut into.state, from.state);
    }

    fn weight(&self, lane: &Lane) -> usize {
        lane.state.weight()
    }

    fn parts(&self, lane: Lane, bits: u32) -> Vec<Lane> {
        let parts = self.program.end.parts(lane.state, self.program.end_kind(), bits);
        parts.into_iter().map(|state| self.lane(state)).collect()
    }

    fn join(&self, parts: Vec<Lane>) -> Lane {
        let states = parts.into_iter().map(|lane| lane.state).collect();
        self.lane(self.program.end.join(states))
    }

    fn save(&self, lane: &Lane, bytes: &mut Vec<u8>) -> bool {
        lane.state.save(bytes)
    }

    fn load(&self, into: &mut Lane, bytes: &[u8]) -> bool {
        into.state.load(bytes)
    }

    fn settle(&self, context: &Context, lane: Lane) -> Result<Lane> {
        let Program { limit, rows_counted, .. } = *self.program;
        Ok(self.lane(lane.state.settle(context, limit, rows_counted)?))
    }
}

/// Prints the records as they come, in input order.
fn stream_records(
    program: &Program,
    input: &Text,
    records: &Records,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let lanes = Lanes::new(program, records.invalid);
    let encoder = out.encoder();
    // Buffers that were written are used again: fresh pages cost more than what is put into them.
    let written: Mutex<Vec<Vec<u8>>> = Mutex::default();
    let written = || written.lock().unwrap_or_else(PoisonError::into_inner);
    let emit = |block: Block| {
        let text = records.text(context, &block, program.input)?;
        let mut encoded = written().pop().unwrap_or_default();
        let told = lanes.with(|lane| {
            records.drive(&text, program, lane, &mut |text, batch| {
                each_cell(text, batch, |cell| encoder.value(&mut encoded, cell));
                ControlFlow::Continue(())
            })
        });
        // What stands before a bad record is printed before the run fails.
        Ok((encoded, records.settle(told, &block)))
    };
    run::stream(context, input, emit, |(mut encoded, settled): (Vec<u8>, Result<()>)| {
        out.encoded(&encoded)?;
        encoded.clear();
        written().push(encoded);
        settled.map(ControlFlow::Continue)
    })
}

/// Runs the stages before the first `take` on all lanes, and everything from there on here.
fn run_ordered(
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
        run::stream(context, input, emit, |(mut taken, settled, block): Ordered| {
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

/// Lanes lent to whichever thread has a block: as many as there are threads.
struct Lanes<'p> {
    program: &'p Program,
    policy: Invalid,
    idle: Mutex<Vec<Lane>>,
}

impl<'p> Lanes<'p> {
    fn new(program: &'p Program, policy: Invalid) -> Self {
        Self { program, policy, idle: Mutex::new(Vec::new()) }
    }

    fn with(&self, work: impl FnOnce(&mut Lane) -> ControlFlow<()>) -> Told {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lane = idle().pop().unwrap_or_else(|| Lane::new(self.program, self.policy));
        let _ = work(&mut lane);
        let told = lane.told();
        idle().push(lane);
        told
    }
}

impl Records {
    fn text<'b>(&self, context: &Context, block: &'b Block, input: Input) -> Result<Cow<'b, str>> {
        context.read(|| {
            let bytes = block.bytes();
            (bytes.len(), RawLines::new(bytes, &self.delimiter).count())
        });
        // Spans are 32 bits wide, which halves what goes through the caches.
        if u32::try_from(block.bytes().len()).is_err() {
            let limit = u64::from(u32::MAX);
            return Err(Error::RecordTooLong { place: block.place(0), limit });
        }
        let text = match input {
            Input::Text => record::text,
            Input::Json => record::text_in_place,
        };
        text(block, &self.delimiter, self.invalid, &self.progress)
    }

    /// Sends the records of a block's text through a program's stages.
    fn drive(
        &self,
        text: &str,
        program: &Program,
        lane: &mut Lane,
        end: &mut Next<'_>,
    ) -> ControlFlow<()> {
        let Lane { source, scratch, told, .. } = lane;
        if program.input == Input::Json {
            let mut next =
                |text: &str, batch: &mut Batch| drive(&program.stages, scratch, text, batch, end);
            let wanted = &program.fields;
            let (delimiter, policy) = (&self.delimiter, self.invalid);
            return json::records(text, delimiter, wanted, policy, source, told, &mut next);
        }
        // Line ends are white space: the words of the lines are the words of the block.
        if let (Some(Stage::Words), Delimiter::Line) = (program.stages.first(), &self.delimiter) {
            source.clear();
            source.spans.push(Span::new(0, text.len()));
            return drive(&program.stages, scratch, text, source, end);
        }
        source.clear();
        let search = program.search.as_ref().filter(|_| self.delimiter == Delimiter::Line);
        let search = search.and_then(|search| Some((search, search.finds(text)?)));
        // Lines that are known to meet the first condition need not be asked.
        let met = usize::from(matches!(search, Some((_, Found::Matches))));
        let (stages, scratch) = (&program.stages[met..], &mut scratch[met..]);
        let mut flow = ControlFlow::Continue(());
        let mut take = |line: &str| {
            let start = (line.as_ptr() as usize) - (text.as_ptr() as usize);
            source.spans.push(Span::new(start, start + line.len()));
            if source.spans.len() >= BATCH {
                flow = drive(stages, scratch, text, source, end);
                source.clear();
            }
            flow.is_continue()
        };
        match search {
            Some((search, _)) => search.each_line(text, &mut take),
            None => {
                Lines::new(text, &self.delimiter).all(&mut take);
            }
        }
        flow?;
        drive(stages, scratch, text, source, end)
    }
}

/// The records of a batch, one after another.
fn each_cell(text: &str, batch: &Batch, mut visit: impl FnMut(Cell<'_>)) {
    match batch.kind {
        Kind::Text => batch.spans.iter().for_each(|span| visit(Cell::Text(span.of(text)))),
        Kind::Key => batch.spans.iter().for_each(|span| visit(Cell::Key(span.of(text)))),
        Kind::Record | Kind::Json => {
            batch.spans.iter().for_each(|span| visit(Cell::Json(span.of(text))));
        }
        Kind::Number => {
            batch.numbers.iter().for_each(|&number| visit(Cell::Number(i128::from(number))));
        }
        Kind::Bool => batch.numbers.iter().for_each(|&number| visit(Cell::Bool(number != 0))),
        Kind::List => {
            let mut members = Vec::new();
            for list in batch.lists() {
                members.clear();
                members.extend(list.iter().map(|span| span.of(text)));
                visit(Cell::List(&members));
            }
        }
    }
}
