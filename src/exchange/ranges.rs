//! Rows on their way to the parts of their ranges.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use creel_kernels::{Buffer, Slabs};
use creel_operators::sort::{Row, Splitters, order};

use super::part::{Chunk, HEAD, Part, next, put, take};
use crate::Result;
use crate::spill::{Batch, Budget};

/// Bytes of a chunk, and of the first of a range, which may have few rows.
const CHUNK: usize = if cfg!(test) { 64 } else { 16 << 10 };
const FIRST_CHUNK: usize = CHUNK / 16;

/// Bytes of the slabs that chunks are cut from, of a sort of few rows, and the part of the memory of a run that the
/// lanes may have in slabs without rows.
const FEW_SLAB: usize = 256 << 10;
const SPARE: u64 = 64;

/// Bytes of rows that a lane keeps as they come, as a sample, before it sends them to ranges.
const SAMPLE: usize = if cfg!(test) { 512 } else { 4 << 20 };

/// The most keys of a sample that are looked at.
const KEYS: usize = 16 << 10;

/// The number of ranges, as a power of two: as many as make ranges of a gigabyte fit the cache.
const BITS: u32 = if cfg!(test) { 3 } else { 11 };

/// The most bytes of rows that are spilled together: whoever cuts a part again has as much of it in
/// memory. A longer row is spilled by itself.
const EXTENT: usize = if cfg!(test) { 200 } else { 1 << 20 };

/// The most bytes of rows of which the first are told apart, as places in them have 32 bits.
const MOST_TOLD_APART: usize = if cfg!(test) { 4000 } else { u32::MAX as usize };

/// Spilling less than this is not worth it.
const LEAST: usize = if cfg!(test) { 1 } else { 256 << 10 };

/// What the lanes of one sort have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Whether something stands behind each key.
    has_rows: bool,
    bits: u32,
    /// The bytes of the largest slab that chunks are cut from.
    slab: usize,
    /// The ranges, by the sample of the first lane that has one.
    splitters: OnceLock<Arc<Cutter>>,
}

impl Shared {
    /// A sort of keys alone, or of rows that belong to keys, in the memory of a run.
    pub(crate) fn new(has_rows: bool, budget: Option<&Budget>, lanes: usize) -> Self {
        // Of each range each lane has a chunk that is half full: those may take a quarter of the memory.
        let fit = budget
            .map_or(u64::MAX, |budget| budget.limit() / 2 / CHUNK as u64 / lanes.max(1) as u64);
        let bits = fit.max(2).ilog2().min(BITS);
        Self { has_rows, bits, slab: slab(budget, lanes), splitters: OnceLock::new() }
    }

    /// A sort of few rows, all of one range.
    pub(crate) fn of_few(has_rows: bool) -> Self {
        Self { has_rows, bits: 0, slab: FEW_SLAB, splitters: OnceLock::new() }
    }

    /// One of these, for ranges that are cut again.
    pub(super) fn cut(
        has_rows: bool,
        cutter: Cutter,
        budget: Option<&Budget>,
        lanes: usize,
    ) -> Self {
        let splitters = Arc::new(cutter).into();
        Self { has_rows, bits: 0, slab: slab(budget, lanes), splitters }
    }
}

/// The bytes of the largest slab of each lane.
fn slab(budget: Option<&Budget>, lanes: usize) -> usize {
    let share = |budget: &Budget| budget.limit() / SPARE / lanes.max(1) as u64;
    budget.map_or(usize::MAX, |budget| usize::try_from(share(budget)).unwrap_or(usize::MAX))
}

/// How keys are told apart.
#[derive(Debug)]
pub(super) enum Cutter {
    By(Splitters),
    /// Those before a key, the same as this, and behind it.
    Around(Vec<u8>),
    /// Keys that ranges begin with, in order, compared as they are.
    Keys(Vec<Vec<u8>>),
}

impl Cutter {
    fn ranges(&self) -> usize {
        match self {
            Self::By(splitters) => splitters.ranges(),
            Self::Around(_) => 3,
            Self::Keys(firsts) => firsts.len() + 1,
        }
    }

    fn each(
        &self,
        text: &[u8],
        keys: impl Iterator<Item = Range<usize>>,
        mut visit: impl FnMut(Range<usize>, usize),
    ) {
        match self {
            Self::By(splitters) => splitters.each(text, keys, visit),
            Self::Around(_) | Self::Keys(_) => keys.for_each(|key| {
                let range = self.range(&text[key.clone()]);
                visit(key, range);
            }),
        }
    }

    fn range(&self, key: &[u8]) -> usize {
        match self {
            Self::By(splitters) => splitters.range(key),
            Self::Around(middle) => (key.cmp(middle) as i8 + 1) as usize,
            Self::Keys(firsts) => firsts.partition_point(|first| first.as_slice() <= key),
        }
    }
}

/// The rows that a lane has seen.
#[derive(Debug)]
pub(crate) struct Ranges {
    shared: Arc<Shared>,
    /// `None` as long as all rows are of one range.
    cutter: Option<Arc<Cutter>>,
    parts: Vec<Part>,
    /// The chunk of each part that is being filled.
    open: Vec<Buffer>,
    /// How many rows each part has.
    rows: Vec<usize>,
    /// The memory of the chunks.
    slabs: Slabs,
    /// The bytes of all chunks that are in memory.
    held: usize,
}

impl Ranges {
    /// No rows.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self::of(shared, None)
    }

    fn of(shared: Arc<Shared>, cutter: Option<Arc<Cutter>>) -> Self {
        let ranges = cutter.as_ref().map_or(1, |cutter| cutter.ranges());
        let mut parts = Vec::new();
        parts.resize_with(ranges, Part::default);
        let mut open = Vec::new();
        open.resize_with(ranges, Buffer::default);
        let slabs = Slabs::new(shared.slab);
        Self { shared, cutter, parts, open, rows: vec![0; ranges], slabs, held: 0 }
    }

    /// No rows, for the ranges that are known.
    pub(super) fn cutting(shared: &Arc<Shared>) -> Self {
        Self::of(Arc::clone(shared), shared.splitters.get().cloned())
    }

    /// Adds keys, which are pieces of a text.
    pub(crate) fn add_keys(&mut self, text: &[u8], keys: impl Iterator<Item = Range<usize>>) {
        let cutter = self.cutter.clone();
        match cutter.as_deref() {
            None => keys.for_each(|key| self.push(0, [&text[key]])),
            Some(cutter) => cutter.each(text, keys, |key, range| self.push(range, [&text[key]])),
        }
        self.settle();
    }

    /// Adds a row behind its key.
    pub(crate) fn add(&mut self, key: &[u8], row: &[u8]) {
        let range = self.cutter.as_deref().map_or(0, |cutter| cutter.range(key));
        self.push(range, [key, row]);
        self.settle();
    }

    /// Adds rows as they stand in a chunk.
    pub(super) fn add_chunk(&mut self, bytes: &[u8]) {
        let has_rows = self.shared.has_rows;
        let cutter = self.cutter.clone();
        let Some(cutter) = cutter.as_deref() else { unreachable!("rows are sent to ranges") };
        let mut at = 0;
        let keys = std::iter::from_fn(|| {
            (at < bytes.len()).then(|| {
                let (key, end) = next(bytes, at, has_rows);
                at = end;
                key
            })
        });
        // A row goes from behind the one before to its own end.
        let mut start = 0;
        cutter.each(bytes, keys, |_, range| {
            let (_, end) = next(bytes, start, has_rows);
            self.push_stored(range, &bytes[start..end]);
            start = end;
        });
    }

    #[inline]
    fn push<const N: usize>(&mut self, range: usize, pieces: [&[u8]; N]) {
        let bytes = pieces.iter().map(|piece| piece.len() + HEAD).sum();
        let open = self.room(range, bytes);
        pieces.iter().for_each(|piece| put(open, piece));
    }

    fn push_stored(&mut self, range: usize, row: &[u8]) {
        self.room(range, row.len()).extend_from_slice(row);
    }

    /// The chunk of a range that has room for so many bytes of one more row.
    #[inline]
    fn room(&mut self, range: usize, bytes: usize) -> &mut Buffer {
        self.rows[range] += 1;
        let open = &self.open[range];
        if open.capacity() - open.len() < bytes {
            self.renew(range, bytes);
        }
        &mut self.open[range]
    }

    #[cold]
    fn renew(&mut self, range: usize, bytes: usize) {
        let twice = 2 * self.open[range].capacity();
        let fresh = self.slabs.buffer(twice.clamp(FIRST_CHUNK, CHUNK).max(bytes));
        self.held += fresh.weight();
        let full = std::mem::replace(&mut self.open[range], fresh);
        if !full.is_empty() {
            self.parts[range].push(Chunk::Held(full));
        }
    }

    /// Sends the rows to ranges, once they are a sample.
    fn settle(&mut self) {
        if self.cutter.is_none() && self.held >= SAMPLE && self.shared.bits > 0 {
            self.send();
        }
    }

    /// Sends the rows to the ranges of all lanes.
    fn send(&mut self) {
        let (shared, has_rows) = (Arc::clone(&self.shared), self.shared.has_rows);
        self.close();
        let chunks = std::mem::take(&mut self.parts[0]).chunks;
        let of_sample = || {
            let held = chunks.iter().filter_map(|chunk| match chunk {
                Chunk::Held(bytes) => Some(&**bytes),
                Chunk::Spilled(_) => None,
            });
            let mut keys = Vec::new();
            held.for_each(|bytes| keys.extend(keys_of(bytes, has_rows, 1)));
            let step = keys.len().div_ceil(KEYS).max(1);
            let mut keys: Vec<&[u8]> = keys.into_iter().step_by(step).collect();
            Arc::new(Cutter::By(Splitters::of(&mut keys, shared.bits)))
        };
        let cutter = Arc::clone(shared.splitters.get_or_init(of_sample));
        let mut sent = Self::of(Arc::clone(&shared), Some(cutter));
        for chunk in chunks {
            match chunk {
                Chunk::Held(bytes) => sent.add_chunk(&bytes),
                Chunk::Spilled(_) => unreachable!("what is spilled was sent before"),
            }
        }
        *self = sent;
    }

    /// Ends the chunks that are being filled.
    fn close(&mut self) {
        for (open, part) in self.open.iter_mut().zip(&mut self.parts) {
            let open = std::mem::take(open);
            if !open.is_empty() {
                part.push(Chunk::Held(open));
            }
        }
    }

    /// The bytes of memory that the rows take, and that sorting them will.
    pub(crate) fn held(&self) -> usize {
        self.held + self.held / 4
    }

    /// The bytes of memory that hold no rows, and are there for those that come.
    pub(crate) fn unused(&self) -> usize {
        self.slabs.unused()
    }

    /// Spills all rows, if they are worth it: part by part, one behind the other.
    pub(crate) fn spill(&mut self, budget: &Budget) -> Result<bool> {
        if self.held < LEAST {
            return Ok(false);
        }
        if self.cutter.is_none() && self.shared.bits > 0 {
            self.send();
        }
        self.close();
        let (mut batch, mut spilled) = (Batch::new(budget), Vec::new());
        let mut bytes = Vec::new();
        for (range, part) in self.parts.iter_mut().enumerate() {
            let mut kept = Vec::new();
            for chunk in std::mem::take(&mut part.chunks) {
                let held = match chunk {
                    Chunk::Held(held) => held,
                    spilled @ Chunk::Spilled(_) => {
                        kept.push(spilled);
                        continue;
                    }
                };
                if !bytes.is_empty() && bytes.len() + held.len() > EXTENT {
                    batch.add(&bytes)?;
                    spilled.push(range);
                    bytes.clear();
                }
                part.bytes -= held.len();
                bytes.extend_from_slice(&held);
            }
            part.chunks = kept;
            if !bytes.is_empty() {
                batch.add(&bytes)?;
                spilled.push(range);
                bytes.clear();
            }
        }
        for (range, extent) in spilled.into_iter().zip(batch.finish()?) {
            self.parts[range].push(Chunk::Spilled(extent));
        }
        // The run stays over its limit if all of it is kept, and each lane spills again when it holds a little.
        self.slabs.reuse(self.held / 8 * 7);
        self.held = 0;
        Ok(true)
    }

    /// The parts of all lanes, in order.
    pub(super) fn parts(lanes: Vec<Self>) -> Vec<Part> {
        let cutter = lanes.iter().find_map(|lane| lane.cutter.clone());
        let mut all: Vec<Part> = Vec::new();
        for mut lane in lanes {
            if lane.cutter.is_none() && cutter.is_some() {
                // What was spilled has been sent before.
                lane.send();
            }
            lane.close();
            lane.parts.iter_mut().zip(&lane.rows).for_each(|(part, rows)| part.rows = *rows);
            if all.is_empty() {
                all = lane.parts;
            } else {
                all.iter_mut().zip(lane.parts).for_each(|(part, other)| part.append(other));
            }
        }
        all
    }
}

/// The keys of rows in a chunk, every `step`th.
pub(super) fn keys_of(bytes: &[u8], has_rows: bool, step: usize) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    let keys = std::iter::from_fn(move || {
        (at < bytes.len()).then(|| {
            let (key, end) = next(bytes, at, has_rows);
            at = end;
            &bytes[key]
        })
    });
    keys.step_by(step)
}

impl Ranges {
    /// Drops the rows that are in memory and are not among the first `k` of these. Returns the key of the
    /// last that is left, if there are as many: rows that are not before it need not be added. Drops
    /// none where all of them take more than 4 GiB.
    pub(crate) fn keep_first(&mut self, k: usize) -> Option<Vec<u8>> {
        if self.held > MOST_TOLD_APART {
            return None;
        }
        self.close();
        let has_rows = self.shared.has_rows;
        let part = std::mem::take(&mut self.parts[0]);
        let (mut bytes, mut kept) = (Vec::new(), Part::default());
        for chunk in part.chunks {
            match chunk {
                Chunk::Held(held) => bytes.extend_from_slice(&held),
                spilled @ Chunk::Spilled(_) => kept.push(spilled),
            }
        }
        self.parts[0] = kept;
        self.slabs.reuse(usize::MAX);
        (self.held, self.rows[0]) = (0, 0);
        let (mut rows, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let (key, end) = next(&bytes, at, has_rows);
            rows.push(Row::new(key.start as u32, key.len() as u32));
            at = end;
        }
        order(&bytes, &mut rows);
        rows.truncate(k);
        for row in &rows {
            let key = row.key();
            match has_rows {
                true => self.push(0, [&bytes[key.clone()], &bytes[take(&bytes, key.end)]]),
                false => self.push(0, [&bytes[key]]),
            }
        }
        rows.last().filter(|_| rows.len() == k).map(|row| bytes[row.key()].to_vec())
    }
}
