//! Records sent to parts by the hashes of their keys, of which the first of each key are found.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use creel_operators::distinct::{CUT_BITS, FirstRecords, Form, LOG_BITS, Logs, Unique};

use super::parts::Parts;
use super::ranges::{Ranges, Shared};
use crate::Result;
use crate::memory::Reservation;
use crate::run::{Context, stream};
use crate::spill::{Batch, Budget, Extent};

/// Spilling less than this is not worth it.
const LEAST: usize = if cfg!(test) { 1 } else { 256 << 10 };

/// Bytes of one extent, about.
const EXTENT: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// Logs are worked on in groups of at least so many bytes.
const GROUP: usize = if cfg!(test) { 64 } else { 256 << 10 };

/// The largest part whose records are told apart at once, in bytes, and the least that may be asked for.
const LARGEST: usize = if cfg!(test) { 300 } else { 8 << 20 };
const SMALLEST: usize = if cfg!(test) { 100 } else { 256 << 10 };

/// As many bits of a hash as this tell parts apart. Tables use the others.
const MOST_BITS: u32 = 32;

/// The records that a lane has seen: in memory, and in the temporary file.
#[derive(Debug)]
pub(crate) struct Hashed {
    first: FirstRecords,
    spilled: Spilled,
}

/// What was spilled of each log, and how many records that is.
type Spilled = Vec<Vec<(Extent, usize)>>;

impl Hashed {
    /// No records, of which this is kept.
    pub(crate) fn new(form: Form) -> Self {
        Self { first: FirstRecords::new(form), spilled: Vec::new() }
    }

    /// No records, for a run that ends as soon as there are a few keys.
    pub(crate) fn of_few(form: Form) -> Self {
        Self { first: FirstRecords::of_few(form), spilled: Vec::new() }
    }

    /// The records in memory.
    pub(crate) fn records(&self) -> &FirstRecords {
        &self.first
    }

    /// The records in memory, to which others are added.
    pub(crate) fn records_mut(&mut self) -> &mut FirstRecords {
        &mut self.first
    }

    /// Adds the records of another lane.
    pub(crate) fn merge(&mut self, other: Self) {
        self.first.merge(other.first);
        if self.spilled.is_empty() {
            self.spilled = other.spilled;
        } else {
            self.spilled.iter_mut().zip(other.spilled).for_each(|(all, other)| all.extend(other));
        }
    }

    /// Spills the records in memory, if they are worth it.
    pub(crate) fn spill(&mut self, budget: &Budget) -> Result<bool> {
        if self.first.held() < LEAST {
            return Ok(false);
        }
        self.first.flush();
        spill(self.first.logs(), &mut self.spilled, budget)?;
        self.first.clear_logs();
        Ok(true)
    }

    /// The bytes of a log.
    fn bytes(&self, log: usize) -> usize {
        self.chunks(log).map(|chunk| chunk.bytes()).sum()
    }

    /// The records of a log.
    fn chunks(&self, log: usize) -> impl Iterator<Item = Chunk<'_>> {
        chunks(self.first.logs(), &self.spilled, log)
    }
}

/// Some records of a log.
enum Chunk<'l> {
    Held(&'l [u8], usize),
    Spilled(Extent, usize),
}

impl Chunk<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Held(bytes, _) => bytes.len(),
            Self::Spilled(extent, _) => extent.holds(),
        }
    }
}

/// The records of a log: those that were spilled, and those in memory.
fn chunks<'l>(logs: &'l Logs, spilled: &'l Spilled, log: usize) -> impl Iterator<Item = Chunk<'l>> {
    let spilled = spilled.get(log).into_iter().flatten();
    let spilled = spilled.map(|(extent, records)| Chunk::Spilled(*extent, *records));
    spilled.chain(logs.pieces(log).map(|(bytes, records)| Chunk::Held(bytes, records)))
}

/// Writes what logs hold, log after log.
fn spill(logs: &Logs, into: &mut Spilled, budget: &Budget) -> Result<()> {
    into.resize_with(logs.len(), Vec::new);
    let (mut batch, mut written) = (Batch::new(budget), Vec::new());
    let mut bytes = Vec::new();
    for log in 0..logs.len() {
        let mut records = 0;
        let mut pieces = logs.pieces(log).peekable();
        while let Some((piece, n)) = pieces.next() {
            bytes.extend_from_slice(piece);
            records += n;
            if bytes.len() >= EXTENT || pieces.peek().is_none() {
                batch.add(&bytes)?;
                written.push((log, records));
                bytes.clear();
                records = 0;
            }
        }
    }
    for ((log, records), extent) in written.into_iter().zip(batch.finish()?) {
        into[log].push((extent, records));
    }
    Ok(())
}

/// The number of keys of all lanes.
///
/// # Errors
///
/// If the temporary file cannot be read or written, and if the run is cancelled.
pub(crate) fn count(form: Form, lanes: Vec<Hashed>, context: &Context) -> Result<usize> {
    let keys = AtomicUsize::new(0);
    let finish = |unique: &mut Unique| {
        let counted = unique.count()?;
        keys.fetch_add(counted, Relaxed);
        Some(())
    };
    each_part(form, lanes, context, &|unique| finish(unique).ok_or_else(damaged))?;
    Ok(keys.into_inner())
}

/// The first record of each key of all lanes, behind their places, for [`in_order`](super::in_order).
///
/// # Errors
///
/// As [`count`].
pub(crate) fn first_records(
    form: Form,
    mut lanes: Vec<Hashed>,
    context: &Context,
) -> Result<Vec<Ranges>> {
    let budget = context.budget.as_deref();
    let threads = context.threads.max(1);
    let share = budget.map(|budget| budget.limit() / 4);
    let held: usize = lanes.iter().map(|lane| lane.first.held()).sum();
    if let Some(budget) = budget.filter(|_| share.is_some_and(|share| held as u64 > share)) {
        // What is in memory stays there until all is told apart, and the rows need as much again.
        lanes.iter_mut().try_for_each(|lane| lane.spill(budget).map(drop))?;
    }
    let shared = Arc::new(Shared::new(true, budget, threads));
    let idle: Mutex<Vec<Ranges>> = Mutex::default();
    let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
    each_part(form, lanes, context, &|unique| {
        unique.reduce().ok_or_else(damaged)?;
        let popped = idle().pop();
        let mut ranges = popped.unwrap_or_else(|| Ranges::new(Arc::clone(&shared)));
        unique.iter().for_each(|(place, record)| ranges.add(place, record));
        if let (Some(budget), Some(share)) = (budget, share)
            && ranges.held() as u64 > share / threads as u64
        {
            ranges.spill(budget)?;
        }
        idle().push(ranges);
        Ok(())
    })?;
    let ranges = std::mem::take(&mut *idle());
    Ok(ranges)
}

/// The error for records that are not as many as were written.
fn damaged() -> crate::Error {
    crate::Error::Corrupt {
        place: crate::Place::object("the temporary file"),
        reason: "it holds another number of records than were written".to_owned(),
    }
}

/// What is done with records whose keys are those of no others.
type Finish<'f> = &'f (dyn Fn(&mut Unique) -> Result<()> + Sync);

/// Calls `finish` with the records of each part of all lanes, on all threads.
fn each_part(
    form: Form,
    mut lanes: Vec<Hashed>,
    context: &Context,
    finish: Finish<'_>,
) -> Result<()> {
    lanes.iter_mut().for_each(|lane| lane.first.finish());
    let budget = context.budget.as_deref();
    let held: usize = lanes.iter().map(|lane| lane.first.held()).sum();
    let _reserved = budget.map(|budget| budget.reserve(held as u64));
    let threads = context.threads.max(1) as u64;
    let most = budget.map_or(LARGEST, |budget| {
        let share = usize::try_from(budget.limit() / 16 / threads).unwrap_or(LARGEST);
        share.clamp(SMALLEST, LARGEST)
    });
    let parts = Arc::new(Parts::new(groups(&lanes).into_iter()));
    let idle: Mutex<Vec<(Unique, Option<Reservation>)>> = Mutex::default();
    let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
    let work = |_: &Context, logs: Range<usize>| {
        let popped = idle().pop();
        let (mut unique, mut reserved) = popped.unwrap_or_else(|| {
            (Unique::new(form), budget.map(|budget| budget.reserve(most as u64)))
        });
        let lanes = &lanes;
        let mut chunks = logs.flat_map(|log| lanes.iter().flat_map(move |lane| lane.chunks(log)));
        let cutting = Cutting { budget, most, finish };
        cutting.tell_apart(&mut chunks, LOG_BITS, &mut unique)?;
        if unique.weight() <= 4 * most {
            let held = unique.weight().max(most) as u64;
            reserved.iter_mut().for_each(|reserved| reserved.set(held));
            idle().push((unique, reserved));
        }
        Ok(())
    };
    stream(context, &parts, work, |()| 0, |()| Ok(ControlFlow::Continue(())))
}

/// Neighbouring logs, so many that each group is worth the work of a thread.
fn groups(lanes: &[Hashed]) -> Vec<Range<usize>> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    let logs = 1 << LOG_BITS;
    for log in 0..logs {
        bytes += lanes.iter().map(|lane| lane.bytes(log)).sum::<usize>();
        if bytes >= GROUP || (bytes > 0 && log + 1 == logs) {
            groups.push(start..log + 1);
            (start, bytes) = (log + 1, 0);
        }
    }
    groups
}

/// How parts are told apart that may be too large.
struct Cutting<'c> {
    budget: Option<&'c Budget>,
    /// The bytes of records that are told apart at once.
    most: usize,
    finish: Finish<'c>,
}

impl Cutting<'_> {
    /// Tells records apart that have `depth` bits of their hashes in common.
    fn tell_apart<'l>(
        &self,
        chunks: &mut dyn Iterator<Item = Chunk<'l>>,
        depth: u32,
        unique: &mut Unique,
    ) -> Result<()> {
        while let Some(chunk) = chunks.next() {
            let is_full = |unique: &Unique, most| {
                unique.bytes() > 0 && unique.bytes() + chunk.bytes() > most && depth < MOST_BITS
            };
            if is_full(unique, self.most) {
                unique.reduce().ok_or_else(damaged)?;
                if is_full(unique, self.most / 2) {
                    return self.cut(chunk, chunks, depth, unique);
                }
            }
            self.add(chunk, unique)?;
        }
        (self.finish)(unique)?;
        unique.clear();
        Ok(())
    }

    fn add(&self, chunk: Chunk<'_>, unique: &mut Unique) -> Result<()> {
        match (chunk, self.budget) {
            (Chunk::Held(bytes, records), _) => unique.add(bytes, records),
            (Chunk::Spilled(extent, records), Some(budget)) => {
                unique.add_by(records, |bytes| budget.append(extent, bytes))?;
            }
            (Chunk::Spilled(..), None) => unreachable!("only a run with a budget spills"),
        }
        Ok(())
    }

    /// Cuts records by the next bits of their hashes, and tells those of each part apart.
    fn cut<'l>(
        &self,
        first: Chunk<'l>,
        rest: &mut dyn Iterator<Item = Chunk<'l>>,
        depth: u32,
        unique: &mut Unique,
    ) -> Result<()> {
        let (mut logs, mut spilled) = (Logs::default(), Spilled::new());
        unique.split(depth, &mut logs);
        for chunk in std::iter::once(first).chain(rest) {
            if let Some(budget) = self.budget.filter(|_| logs.held() > self.most) {
                spill(&logs, &mut spilled, budget)?;
                logs.clear_all(self.most);
            }
            self.add(chunk, unique)?;
            unique.split(depth, &mut logs);
        }
        let bytes = |log| chunks(&logs, &spilled, log).map(|chunk| chunk.bytes()).sum::<usize>();
        let all: usize = (0..logs.len()).map(bytes).sum();
        for log in 0..logs.len() {
            // Records of one key do not come apart.
            let depth = if bytes(log) > all / 10 * 9 { MOST_BITS } else { depth + CUT_BITS };
            self.tell_apart(&mut chunks(&logs, &spilled, log), depth, unique)?;
        }
        Ok(())
    }
}
