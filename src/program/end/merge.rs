//! Many runs of chunks merged into one state in little memory.
//!
//! [`merge`] reads the chunks of many runs in the order of their first keys and adds each to one state. Where
//! that outgrows its part of the memory, its keys before the next chunk of any run are complete: they are handed
//! on, and the rest stays; of a key that has outgrown it alone, the values before that chunk are. So memory
//! holds a range of keys, and a chunk of each run that reaches beyond it; and a state that fits is merged as a
//! whole.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use creel_operators::aggregate::{Damaged, Reader};

use super::State;
use super::chunks::{ChunkWriter, Run, SpillWriter};
use crate::run::Context;
use crate::spill::Budget;
use crate::watch::bytes as shown;
use crate::{Error, Result};

/// How many chunks in the spill file are in memory at once, of runs that are merged: they take a part of the
/// budget, in tables several times as much as in bytes.
pub(super) const AT_ONCE: u64 = 64;

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

/// How much of the runs was merged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Merged {
    /// Bytes of the chunks that were read, and of all.
    bytes: u64,
    all: u64,
}

impl Merged {
    /// Estimates the bytes of the whole state from the `held` bytes of the chunks that were merged. A key that
    /// several runs have is counted as often.
    fn of_all(self, held: u64) -> u64 {
        let all = u128::from(held) * u128::from(self.all) / u128::from(self.bytes.max(1));
        u64::try_from(all).unwrap_or(u64::MAX).max(held)
    }
}

/// Merges runs into states whose keys follow each other, and visits each, with what follows, and how much was
/// merged. `empty` is a state of no records.
///
/// # Errors
/// If a chunk cannot be read or is damaged, if the run is told to stop, and if the state of all, or a chunk,
/// has to be in memory as a whole and does not fit.
pub(crate) fn merge(
    empty: &dyn State,
    runs: &[Run],
    context: &Context,
    visit: &mut dyn FnMut(Box<dyn State>, Follows, Merged) -> Result<()>,
) -> Result<()> {
    check_chunks(empty, runs, context.budget.as_deref())?;
    let fewer = fewer(empty, runs, context)?;
    let runs = fewer.as_deref().unwrap_or(runs);
    let mut merging = Merging::new(empty, runs, context);
    let mut chunks = FirstChunks::new(empty, runs, context)?;
    while let Some(first) = chunks.first() {
        if context.stop.is_set() {
            return Err(Error::Cancelled);
        }
        if merging.is_time
            && let Some((complete, follows)) = merging.complete(first)
        {
            visit(complete, follows, merging.merged)?;
        }
        chunks.take(|run, bytes| merging.add(run, bytes))?;
        merging.check()?;
    }
    let merged = merging.merged;
    visit(merging.all(), Follows::Nothing, merged)
}

/// The next chunk of each run, by their first keys.
///
/// The first key of a chunk is in the chunk. Rejected: the first keys of all chunks in memory, which take as
/// much as the state where keys are as long as chunks.
struct FirstChunks<'m> {
    empty: &'m dyn State,
    runs: &'m [Run],
    /// The first keys, and the numbers of the run and of the chunk.
    next: BinaryHeap<Reverse<(Vec<u8>, usize, usize)>>,
    /// The bytes of the next chunk of each run; none if it is to be read again.
    waiting: Vec<Vec<u8>>,
    /// The bytes of all that wait, and how many these may be.
    held: usize,
    most: usize,
}

impl<'m> FirstChunks<'m> {
    fn new(empty: &'m dyn State, runs: &'m [Run], context: &Context) -> Result<Self> {
        /// Bytes that may wait in a run of any memory.
        const MOST: u64 = if cfg!(test) { 256 } else { 64 << 20 };
        let most = context.budget.as_ref().map_or(MOST, |budget| (budget.limit() / 16).min(MOST));
        let mut new = Self {
            empty,
            runs,
            next: BinaryHeap::with_capacity(runs.len()),
            waiting: vec![Vec::new(); runs.len()],
            held: 0,
            most: most as usize,
        };
        (0..runs.len()).try_for_each(|run| new.go_to(run, 0, Vec::new()))?;
        Ok(new)
    }

    /// Reads a chunk into a buffer, if the run has so many, and keeps it if there is room.
    fn go_to(&mut self, run: usize, number: usize, mut bytes: Vec<u8>) -> Result<()> {
        let Run { number: all, chunks, .. } = &self.runs[run];
        if number >= *all {
            return Ok(());
        }
        chunks.read(number, &mut bytes)?;
        let first = self.empty.first_key(&bytes);
        let first = first.map_err(|damaged| chunks.damaged(number, &damaged))?;
        self.next.push(Reverse((first, run, number)));
        if self.held + bytes.capacity() <= self.most {
            self.held += bytes.capacity();
            self.waiting[run] = bytes;
        }
        Ok(())
    }

    /// The first of the first keys.
    fn first(&self) -> Option<&[u8]> {
        self.next.peek().map(|Reverse((first, ..))| &**first)
    }

    /// Hands on the chunk that begins with the first key.
    fn take(&mut self, add: impl FnOnce(usize, &[u8]) -> Result<(), Damaged>) -> Result<()> {
        let Some(Reverse((_, run, number))) = self.next.pop() else { return Ok(()) };
        let (chunks, mut bytes) = (&self.runs[run].chunks, std::mem::take(&mut self.waiting[run]));
        self.held -= bytes.capacity();
        if bytes.is_empty() {
            chunks.read(number, &mut bytes)?;
        }
        add(run, &bytes).map_err(|damaged| chunks.damaged(number, &damaged))?;
        self.go_to(run, number + 1, bytes)
    }
}

/// The states that chunks are added to.
struct Merging<'m> {
    /// One for all runs; or one for each, where it shows which of them comes first.
    states: Vec<Box<dyn State>>,
    cuts: bool,
    budget: Option<&'m Budget>,
    /// Bytes from which on complete keys are handed on, and what was held after that was done last.
    most: usize,
    rest: usize,
    /// Bytes of chunks that were added since it was asked last what is held, and whether it is time to ask
    /// again: that takes a look at each group.
    added: usize,
    is_time: bool,
    merged: Merged,
    /// Bytes of the largest chunks of all runs.
    largest: u64,
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
            is_time: false,
            merged: Merged { bytes: 0, all: runs.iter().map(|run| run.bytes).sum() },
            largest: runs.iter().map(|run| run.largest as u64).sum(),
        }
    }

    /// Adds a chunk of a run.
    fn add(&mut self, run: usize, bytes: &[u8]) -> Result<(), Damaged> {
        let at = if self.states.len() > 1 { run } else { 0 };
        let mut reader = Reader::new(bytes);
        self.states[at].absorb(&mut reader)?;
        reader.end()?;
        self.added += bytes.len();
        self.merged.bytes += bytes.len() as u64;
        self.is_time = self.added > self.most / 16;
        if self.is_time {
            self.added = 0;
        }
        Ok(())
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

    /// Fails if what cannot be cut takes more memory than there is, if it is time to ask.
    fn check(&self) -> Result<()> {
        if !self.is_time {
            return Ok(());
        }
        let held = self.states.iter().map(|state| state.uncut()).sum::<usize>() as u64;
        // If states are cut, each run has this in the chunk of the first key.
        let all = if self.cuts { self.largest } else { self.merged.all };
        check_whole(&*self.states[0], held, Merged { all, ..self.merged }, self.budget)
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

/// Fails if a state has to be in memory as a whole, and its `held` bytes take more than there is, when so much of
/// it is merged.
pub(crate) fn check_whole(
    state: &dyn State,
    held: u64,
    merged: Merged,
    budget: Option<&Budget>,
) -> Result<()> {
    let Some(budget) = budget.filter(|budget| !fits(budget, held)) else { return Ok(()) };
    Err(Error::Memory {
        task: state.name(),
        limit: budget.limit(),
        held: format!(
            "its states take {} when some of them are merged, and it has to be in memory as a whole; for all of \
             them, `--memory {}M` would do",
            shown(held),
            budget.least(merged.of_all(held).saturating_mul(2)) >> 20
        ),
    })
}

/// Returns true if twice as many bytes fit: reading the next chunk, or making the result, takes as much again.
fn fits(budget: &Budget, held: u64) -> bool {
    // No lane reads beside it.
    held <= budget.limit() / 2 || budget.retire(1) && held <= budget.limit() / 2
}

/// Fails if a chunk does not fit, before it is read: in memory it takes no less than its bytes. If states are
/// cut, one that is as large has one row, which may take a little more.
fn check_chunks(empty: &dyn State, runs: &[Run], budget: Option<&Budget>) -> Result<()> {
    /// The memory of a chunk's state as a multiple of its encoded bytes, estimated.
    const TIMES: u64 = 3;
    let largest = runs.iter().map(|run| run.largest as u64).max().unwrap_or(0);
    let is_cut = empty.can_cut();
    let takes = if is_cut { largest / 8 * 7 } else { largest };
    let Some(budget) = budget.filter(|budget| !fits(budget, takes)) else { return Ok(()) };
    let all: u64 = match is_cut {
        true => largest,
        false => runs.iter().map(|run| run.largest as u64).sum(),
    };
    let of = if is_cut { "a row" } else { "a part of a state that has to be in memory as a whole" };
    Err(Error::Memory {
        task: empty.name(),
        limit: budget.limit(),
        held: format!(
            "{of} takes {} in bytes, and more when it is read; `--memory {}M` may do",
            shown(largest),
            budget.least(all.saturating_mul(2 * TIMES)) >> 20
        ),
    })
}

/// The bytes of memory that the largest chunk of a run takes, going by one of them: in tables that is many
/// times what it takes in bytes, and how many depends on the aggregates.
fn in_memory(empty: &dyn State, run: &Run) -> Result<u64> {
    /// The least memory of a chunk, as a multiple of its bytes.
    const TIMES: u64 = 3;
    let (number, mut bytes) = (run.number / 2, Vec::new());
    if run.number == 0 {
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
        let mut write = |bytes: &[u8]| spill.add(bytes);
        let mut writer = ChunkWriter::to_spill(budget, &mut write);
        merge(empty, some, context, &mut |state, follows, _| writer.add(state, follows))?;
        spill.finish()
    });
    let all = fewer.collect::<Result<Vec<_>>>()?;
    // They may still be too many.
    Ok(Some(self::fewer(empty, &all, context)?.unwrap_or(all)))
}
