//! States in chunks, in the order of their keys: how they leave a process, how they wait on the disk, and
//! how those of many runs become one in little memory.
//!
//! A chunk is the encoding of a state of some neighbouring keys, or of one key and some of the values of a set
//! that it has. A [`Run`] is the chunks of one state, each
//! of which is read when it is needed. [`merge`] reads the chunks of many runs in the order of their first
//! keys and adds each to one state. Where that outgrows its part of the memory, its keys before the next
//! chunk of any run are complete: they are handed on, and the rest stays; of a key that has outgrown it alone,
//! the values before that chunk are. So memory holds a range of keys, and a chunk of each run that reaches
//! beyond it; and a state that fits is merged as a whole.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use creel_operators::aggregate::{Damaged, Reader};

use super::{Batch, LaneState, State};
use crate::run::Context;
use crate::sink::Printer;
use crate::spill::{Budget, Extent};
use crate::watch::bytes as shown;
use crate::{Error, Result};

/// Bytes of a chunk that leaves the process, about.
const CHUNK: usize = if cfg!(test) { 64 } else { 128 << 10 };

/// The fewest bytes of a chunk in the spill file, about.
const LEAST_CHUNK: u64 = if cfg!(test) { 64 } else { 16 << 10 };

/// How many chunks in the spill file are in memory at once, of runs that are merged: they take a part of the
/// budget, in tables several times as much as in bytes.
const AT_ONCE: u64 = 64;

/// Reads the chunks of a run.
pub(crate) trait ReadChunks: std::fmt::Debug + Send + Sync {
    /// Reads a chunk, by its number, in place of what the buffer holds.
    ///
    /// # Errors
    /// If it cannot be read, or is not what was written.
    fn read(&self, number: usize, bytes: &mut Vec<u8>) -> Result<()>;

    /// The error for a chunk that is no part of a state.
    fn damaged(&self, number: usize, damaged: &Damaged) -> Error;
}

/// The chunks of one state, in the order of their keys.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The first key of each.
    pub(crate) firsts: Arc<[Box<[u8]>]>,
    /// Bytes of the largest.
    pub(crate) largest: usize,
    pub(crate) chunks: Arc<dyn ReadChunks>,
}

/// How many rows chunks have: as many as come to the bytes of a chunk, going by the one before, so that
/// where they are cut depends on nothing but the rows. The first has one row, since a row may be large:
/// with 64, up to 64 large rows were in memory at once, and were decoded again for each that came.
#[derive(Debug)]
pub(crate) struct Sizes {
    rows: usize,
    bytes: usize,
    /// True if the next state continues the group that the last state ended with.
    pub(super) within: bool,
}

impl Sizes {
    const FIRST: usize = 1;
    const MOST: usize = 1 << 14;

    /// Those of chunks that leave the process.
    pub(super) fn to_leave() -> Self {
        Self { rows: Self::FIRST, bytes: CHUNK, within: false }
    }

    /// Those of chunks that are spilled.
    fn to_spill(budget: &Budget) -> Self {
        let bytes = (budget.limit() / 32 / AT_ONCE).clamp(LEAST_CHUNK, CHUNK as u64);
        Self { rows: Self::FIRST, bytes: bytes as usize, within: false }
    }

    /// How many rows the next chunk has.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes of a chunk, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Goes by a chunk of so many rows and bytes.
    pub(super) fn go_by(&mut self, rows: usize, bytes: usize) {
        let fit = rows.saturating_mul(self.bytes) / bytes.max(1);
        self.rows = fit.clamp(1, (4 * self.rows).min(Self::MOST));
    }

    /// Encodes so many rows chunk by chunk. Returns the last one, if it is shorter and is not the `last`
    /// of all.
    pub(super) fn cut(
        &mut self,
        rows: usize,
        last: bool,
        mut encode: impl FnMut(Range<usize>, &mut Vec<u8>),
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        let (mut at, mut bytes) = (0, Vec::new());
        while at < rows {
            let end = rows.min(at + self.rows);
            bytes.clear();
            encode(at..end, &mut bytes);
            if end - at < self.rows && !last {
                return Ok(Some(bytes));
            }
            write(&bytes)?;
            self.go_by(end - at, bytes.len());
            at = end;
        }
        Ok(None)
    }
}

/// Writes states whose keys follow each other as the chunks of one.
pub(crate) struct ChunkWriter<'w> {
    sizes: Sizes,
    /// Rows that are less than a chunk, encoded.
    left: Option<Vec<u8>>,
    write: &'w mut dyn FnMut(&[u8]) -> Result<()>,
}

impl<'w> ChunkWriter<'w> {
    /// Writes chunks that leave the process.
    pub(crate) fn new(write: &'w mut dyn FnMut(&[u8]) -> Result<()>) -> Self {
        Self { sizes: Sizes::to_leave(), left: None, write }
    }

    /// Writes a state, and keeps what may be less than a chunk for what follows.
    pub(crate) fn add(&mut self, mut state: Box<dyn State>, follows: Follows) -> Result<()> {
        let last = follows == Follows::Nothing;
        if let Some(left) = self.left.take() {
            let read = state.absorb(&mut Reader::new(&left));
            read.unwrap_or_else(|damaged| unreachable!("a chunk was encoded: {damaged}"));
        }
        self.left = state.write_chunks(&mut self.sizes, last, self.write)?;
        Ok(())
    }
}

/// The chunks of a run in the spill file.
#[derive(Debug)]
struct Spilled {
    budget: Arc<Budget>,
    extents: Vec<Extent>,
}

impl ReadChunks for Spilled {
    fn read(&self, number: usize, bytes: &mut Vec<u8>) -> Result<()> {
        *bytes = self.budget.read(self.extents[number])?;
        Ok(())
    }

    fn damaged(&self, number: usize, damaged: &Damaged) -> Error {
        self.budget.damaged(self.extents[number], damaged.what)
    }
}

/// Spills chunks as they are written.
struct SpillWriter {
    spilled: Spilled,
    firsts: Vec<Box<[u8]>>,
    largest: usize,
}

impl SpillWriter {
    fn new(budget: &Arc<Budget>) -> Self {
        let spilled = Spilled { budget: Arc::clone(budget), extents: Vec::new() };
        Self { spilled, firsts: Vec::new(), largest: 0 }
    }

    fn add(&mut self, first: Result<Vec<u8>, Damaged>, bytes: &[u8]) -> Result<()> {
        let first = first.unwrap_or_else(|damaged| unreachable!("a chunk was encoded: {damaged}"));
        self.firsts.push(first.into());
        self.largest = self.largest.max(bytes.len());
        self.spilled.extents.push(self.spilled.budget.write(bytes)?);
        Ok(())
    }

    fn finish(self) -> Run {
        let Self { spilled, firsts, largest } = self;
        Run { firsts: firsts.into(), largest, chunks: Arc::new(spilled) }
    }
}

/// Spills a state as a run, if states of this run of the program are spilled.
pub(super) fn store<S: LaneState>(state: S, context: &Context) -> Result<Box<dyn State>> {
    let Some(budget) = context.budget.as_ref().filter(|budget| budget.is_spilling()) else {
        return Ok(Box::new(state));
    };
    let (empty, name) = (state.fresh(), state.name());
    let mut writer = SpillWriter::new(budget);
    let mut write = |bytes: &[u8]| writer.add(empty.first_key(bytes), bytes);
    state.write_chunks(&mut Sizes::to_spill(budget), true, &mut write)?;
    Ok(Box::new(SpilledRuns { name, runs: vec![writer.finish()] }))
}

/// A state that was spilled, or several of other keys.
#[derive(Debug)]
struct SpilledRuns {
    name: String,
    runs: Vec<Run>,
}

impl LaneState for SpilledRuns {
    fn fresh(&self) -> Self {
        Self { name: self.name.clone(), runs: Vec::new() }
    }

    fn feed(&mut self, _: &str, _: &mut Batch) -> ControlFlow<()> {
        unreachable!("lanes are fed before their states are spilled")
    }

    fn merge(&mut self, other: Self) {
        self.runs.extend(other.runs);
    }

    fn held(&self) -> usize {
        0
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn runs(&mut self) -> Option<Vec<Run>> {
        Some(std::mem::take(&mut self.runs))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("runs are merged before they are encoded")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("runs are merged before they are encoded")
    }

    fn print(self, _: &Context, _: &mut Printer<'_>) -> Result<()> {
        unreachable!("runs are written")
    }
}

/// A state that was merged of no records, where others spill what they hold.
pub(super) fn nothing<S: LaneState>(state: &S) -> Box<dyn State> {
    Box::new(SpilledRuns { name: state.name(), runs: Vec::new() })
}

/// The keys that come after a state that [`merge`] visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// It is the last.
    Nothing,
    /// States of other keys.
    Keys,
    /// More values of its one key, and then states of other keys.
    Values,
}

/// Merges runs into states whose keys follow each other, and visits each, with what follows. `empty` is a
/// state of no records.
///
/// # Errors
/// If a chunk cannot be read or is damaged, if the run is told to stop, and if the state of all, or a chunk,
/// has to be in memory as a whole and does not fit.
pub(crate) fn merge(
    empty: &dyn State,
    runs: &[Run],
    context: &Context,
    visit: &mut dyn FnMut(Box<dyn State>, Follows) -> Result<()>,
) -> Result<()> {
    check_chunks(empty, runs, context.budget.as_deref())?;
    let fewer = fewer(empty, runs, context)?;
    let runs = fewer.as_deref().unwrap_or(runs);
    let mut merging = Merging::new(empty, runs, context);
    let firsts = runs.iter().enumerate().filter_map(|(n, run)| Some((run.firsts.first()?, n, 0)));
    let mut next: BinaryHeap<_> = firsts.map(Reverse).collect();
    let (mut bytes, mut is_time) = (Vec::new(), false);
    while let Some(Reverse((first, n, number))) = next.pop() {
        if context.stop.is_set() {
            return Err(Error::Cancelled);
        }
        if is_time && let Some((complete, follows)) = merging.complete(first) {
            visit(complete, follows)?;
        }
        let run = &runs[n];
        run.chunks.read(number, &mut bytes)?;
        let mut reader = Reader::new(&bytes);
        let absorbed = merging.state(n).absorb(&mut reader).and_then(|()| reader.end());
        absorbed.map_err(|damaged| run.chunks.damaged(number, &damaged))?;
        is_time = merging.add(bytes.len());
        if is_time {
            merging.check()?;
        }
        next.extend(run.firsts.get(number + 1).map(|first| Reverse((first, n, number + 1))));
    }
    visit(merging.all(), Follows::Nothing)
}

/// What chunks were added to.
struct Merging<'m> {
    /// One for all runs; or one for each, where it shows which of them comes first.
    states: Vec<Box<dyn State>>,
    cuts: bool,
    budget: Option<&'m Budget>,
    /// Bytes from which on complete keys are handed on, and what was held after that was done last.
    most: usize,
    rest: usize,
    /// Bytes of chunks that were added since it was asked last what is held.
    added: usize,
}

impl<'m> Merging<'m> {
    fn new(empty: &dyn State, runs: &[Run], context: &'m Context) -> Self {
        const LEAST: u64 = if cfg!(test) { 64 } else { 1 << 20 };
        let states = if empty.is_ordered() { runs.len().max(1) } else { 1 };
        let budget = context.budget.as_deref();
        // A state that is cut is there twice.
        let most = budget.map_or(u64::MAX, |budget| (budget.limit() / 6).max(LEAST));
        Self {
            states: (0..states).map(|_| empty.empty()).collect(),
            cuts: empty.can_cut(),
            budget,
            most: usize::try_from(most).unwrap_or(usize::MAX),
            rest: 0,
            added: 0,
        }
    }

    /// Adds bytes of a chunk. Returns true from time to time, when it is worth while to ask what is held: that
    /// takes a look at each group.
    fn add(&mut self, bytes: usize) -> bool {
        self.added += bytes;
        let is_time = self.added > self.most / 16;
        if is_time {
            self.added = 0;
        }
        is_time
    }

    /// The state that a run is added to.
    fn state(&mut self, run: usize) -> &mut dyn State {
        let at = if self.states.len() > 1 { run } else { 0 };
        &mut *self.states[at]
    }

    fn held(&self) -> usize {
        self.states.iter().map(|state| state.held()).sum()
    }

    /// The keys before this one, to which nothing will be added, if it is time to hand them on: whole groups if
    /// there are any, or else values of one.
    fn complete(&mut self, before: &[u8]) -> Option<(Box<dyn State>, Follows)> {
        if !self.cuts || self.budget.is_none() || self.held() <= self.most.max(2 * self.rest) {
            return None;
        }
        let group = self.states[0].group_of(before);
        let has_before = |key: &[u8]| self.states.iter().any(|state| state.has_before(key));
        let (before, follows) = match &group {
            Some(group) if has_before(group) => (&**group, Follows::Keys),
            Some(_) => (before, Follows::Values),
            None if has_before(before) => (before, Follows::Keys),
            None => return None,
        };
        let mut complete: Option<Box<dyn State>> = None;
        for state in std::mem::take(&mut self.states) {
            let (below, rest) = state.cut(before);
            match &mut complete {
                Some(complete) => complete.merge(below),
                none => *none = Some(below),
            }
            self.states.push(rest);
        }
        // The rest of a group that may be cut next does not have to double first.
        let is_cut_next = group.is_some() && follows == Follows::Keys;
        self.rest = if is_cut_next { 0 } else { self.held() };
        Some((complete?, follows))
    }

    /// Fails if what cannot be cut takes more memory than there is.
    fn check(&self) -> Result<()> {
        let held = self.states.iter().map(|state| state.uncut()).sum::<usize>() as u64;
        check_whole(&*self.states[0], held, self.budget)
    }

    /// All that is left.
    fn all(self) -> Box<dyn State> {
        let mut states = self.states.into_iter();
        let first = states.next().unwrap_or_else(|| unreachable!("there is a state"));
        states.fold(first, |mut all, state| {
            all.merge(state);
            all
        })
    }
}

/// Fails if a state has to be in memory as a whole, and its `held` bytes take more than there is.
pub(crate) fn check_whole(state: &dyn State, held: u64, budget: Option<&Budget>) -> Result<()> {
    let Some(budget) = budget.filter(|budget| !fits(budget, held)) else { return Ok(()) };
    Err(Error::Memory {
        task: state.name(),
        limit: budget.limit(),
        held: format!(
            "its states take {} when some of them are merged, and it has to be in memory as a whole; for these, \
             `--memory {}M` would do",
            shown(held),
            budget.least(2 * held) >> 20
        ),
    })
}

/// Returns true if twice as many bytes fit: reading the next chunk, or making the result, takes as much again.
fn fits(budget: &Budget, held: u64) -> bool {
    // No lane reads beside it.
    held <= budget.limit() / 2 || budget.retire(1) && held <= budget.limit() / 2
}

/// Fails if a chunk does not fit, before it is read: in memory it takes no less than its bytes.
fn check_chunks(empty: &dyn State, runs: &[Run], budget: Option<&Budget>) -> Result<()> {
    /// The memory of a chunk's state as a multiple of its encoded bytes, estimated.
    const TIMES: u64 = 3;
    let largest = runs.iter().map(|run| run.largest as u64).max().unwrap_or(0);
    let Some(budget) = budget.filter(|budget| !fits(budget, largest)) else { return Ok(()) };
    let all: u64 = runs.iter().map(|run| run.largest as u64).sum();
    Err(Error::Memory {
        task: empty.name(),
        limit: budget.limit(),
        held: format!(
            "a part of a state that has to be in memory as a whole takes {} in bytes, and more when it is read; \
             `--memory {}M` may do",
            shown(largest),
            budget.least(all.saturating_mul(2 * TIMES)) >> 20
        ),
    })
}

/// The bytes of memory that the largest chunk of a run takes, going by one of them: in tables that is many
/// times what it takes in bytes, and how many depends on the aggregates.
fn in_memory(empty: &dyn State, run: &Run) -> Result<u64> {
    /// What a chunk takes at least, in its bytes.
    const TIMES: u64 = 3;
    let (number, mut bytes) = (run.firsts.len() / 2, Vec::new());
    if run.firsts.is_empty() {
        return Ok(0);
    }
    run.chunks.read(number, &mut bytes)?;
    let (mut state, mut reader) = (empty.empty(), Reader::new(&bytes));
    let absorbed = state.absorb(&mut reader).and_then(|()| reader.end());
    absorbed.map_err(|damaged| run.chunks.damaged(number, &damaged))?;
    let times = (state.held() as u64).div_ceil(bytes.len().max(1) as u64).max(TIMES);
    Ok(times.saturating_mul(run.largest as u64))
}

/// As many runs as may have a chunk in memory at once, made of more in the spill file, if there are more.
fn fewer(empty: &dyn State, runs: &[Run], context: &Context) -> Result<Option<Vec<Run>>> {
    const FEWEST: usize = 4;
    let Some(budget) = context.budget.as_ref().filter(|_| empty.can_cut()) else { return Ok(None) };
    let Some(largest) = runs.iter().max_by_key(|run| run.largest) else { return Ok(None) };
    if runs.len() <= FEWEST {
        return Ok(None);
    }
    let fit = budget.limit() / 2 / in_memory(empty, largest)?.max(1);
    let fit = usize::try_from(fit).unwrap_or(usize::MAX).max(FEWEST);
    if runs.len() <= fit {
        return Ok(None);
    }
    let fewer = runs.chunks(fit).map(|some| {
        let mut spill = SpillWriter::new(budget);
        let mut write = |bytes: &[u8]| spill.add(empty.first_key(bytes), bytes);
        let sizes = Sizes::to_spill(budget);
        let mut writer = ChunkWriter { sizes, left: None, write: &mut write };
        merge(empty, some, context, &mut |state, follows| writer.add(state, follows))?;
        Ok(spill.finish())
    });
    let all = fewer.collect::<Result<Vec<_>>>()?;
    // They may still be too many.
    Ok(Some(self::fewer(empty, &all, context)?.unwrap_or(all)))
}
