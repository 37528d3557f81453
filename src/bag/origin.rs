//! The input of a bag: the blocks of a source, or batches of records.

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::Bag;
use super::base::Base;
use super::broadcast::Env;
use super::chain::{BatchIter, Chunk, Emit, Stage, Take, copied};
use super::tasks::{TaskReader, Tasks};
use super::verbs::Verbs;
use crate::block::{Block, Blocks, Delimiter, Next};
use crate::graph::{Shared, Step, caught};
use crate::record::{Checked, Invalid, Lines, RawLines, text};
use crate::run::{Context, Input, Job, Order, READY, Reader, Text};
use crate::{Progress, Result};

/// Where a bag's records come from. Two bags of one origin can be computed in one pass.
#[derive(Clone)]
pub(super) enum Origin {
    Text(Arc<Job>),
    Memory(Arc<dyn Batches>),
    Tasks(Arc<Tasks>),
}

/// Batches of records out of memory, made anew for each run.
pub(super) trait Batches: Send + Sync {
    /// How many partitions there are.
    fn partitions(&self) -> usize {
        1
    }

    /// The batches of a partition from the first on. Runs none of the caller's code before one is
    /// asked for: a run that opens partitions is not prepared for panics.
    fn open(self: Arc<Self>, partition: usize) -> BatchIter;
}

/// An origin, listed.
pub(super) enum Chunks {
    Text(Text),
    Memory(Arc<dyn Batches>),
    Values(TaskReader, Vec<Shared>),
    /// The batches that are left of a partition. They are read once.
    Rest(Mutex<Option<BatchIter>>),
}

pub(super) enum ChunkReader {
    Text(Box<Blocks>),
    Memory(BatchIter),
}

impl Origin {
    /// Lists it. Of tasks the values are given, and are all there.
    pub(super) fn open(
        &self,
        context: &Context,
        values: Vec<Shared>,
        order: Order,
    ) -> Result<Chunks> {
        Ok(match self {
            Self::Text(job) => Chunks::Text(job.open(context, order)?),
            Self::Memory(batches) => Chunks::Memory(Arc::clone(batches)),
            Self::Tasks(tasks) => Chunks::Values(tasks.reader(), values),
        })
    }

    /// The tasks whose values it is opened with.
    pub(super) fn tasks(&self) -> Option<&Arc<Tasks>> {
        match self {
            Self::Text(_) | Self::Memory(_) => None,
            Self::Tasks(tasks) => Some(tasks),
        }
    }

    /// The bytes of the blocks that are read for it, also for a bag of an item's value.
    pub(super) fn blocksize(&self) -> Option<usize> {
        let mut origin = self;
        loop {
            origin = match origin {
                Self::Text(job) => return Some(job.blocks.blocksize),
                Self::Memory(_) => return None,
                Self::Tasks(tasks) => &tasks.phase.as_deref()?.reduced()?.base.origin,
            };
        }
    }

    /// The bytes of text in a chunk of it, and the records.
    pub(super) fn amount(&self, chunk: &Chunk) -> (usize, usize) {
        match (self, chunk) {
            (Self::Text(job), Chunk::Text(block)) => {
                let records = RawLines::new(block.bytes(), &job.blocks.delimiter);
                (block.bytes().len(), records.count())
            }
            (_, Chunk::Text(block)) => (block.bytes().len(), 0),
            (_, Chunk::Records(batch)) => (0, batch.len),
        }
    }

    /// Whether one pass over one of them can feed both. An iterator's records are handed out
    /// owned, to one taker.
    pub(super) fn shares(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Text(a), Self::Text(b)) if Arc::ptr_eq(a, b))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(job) => job.fmt(f),
            Self::Memory(_) => f.write_str("Memory"),
            Self::Tasks(tasks) => tasks.nodes.fmt(f),
        }
    }
}

impl Chunks {
    /// The batches that are left of a partition.
    pub(super) fn rest(batches: BatchIter) -> Self {
        Self::Rest(Mutex::new(Some(batches)))
    }

    /// The same, for partitions that are opened in no order, or never.
    pub(super) fn apart(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(text.apart()),
            chunks => chunks,
        }
    }

    /// Opens a partition for another run than that which listed it.
    pub(super) fn open_for(&self, partition: usize, progress: &Arc<Progress>) -> ChunkReader {
        match self {
            Self::Text(text) => ChunkReader::Text(Box::new(text.open_for(partition, progress))),
            chunks => chunks.open(partition),
        }
    }
}

impl Input for Chunks {
    type Reader = ChunkReader;

    fn partitions(&self) -> usize {
        match self {
            Self::Text(text) => text.partitions(),
            Self::Memory(batches) => batches.partitions(),
            Self::Values(_, values) => values.len(),
            Self::Rest(_) => 1,
        }
    }

    fn open(&self, partition: usize) -> ChunkReader {
        match self {
            Self::Text(text) => ChunkReader::Text(Box::new(text.open(partition))),
            Self::Memory(batches) => ChunkReader::Memory(Arc::clone(batches).open(partition)),
            Self::Values(tasks, values) => {
                ChunkReader::Memory(tasks.open(Arc::clone(&values[partition])))
            }
            Self::Rest(rest) => {
                let rest = rest.lock().unwrap_or_else(PoisonError::into_inner).take();
                ChunkReader::Memory(rest.unwrap_or_else(|| unreachable!("a run opens it once")))
            }
        }
    }
}

impl Reader for ChunkReader {
    type Block = Chunk;

    async fn next(&mut self) -> Result<Option<Chunk>> {
        Ok(match self {
            Self::Text(blocks) => blocks.next().await?.map(Chunk::Text),
            Self::Memory(batches) => batches.next().transpose()?.map(Chunk::Records),
        })
    }

    fn weight(chunk: &Chunk) -> usize {
        match chunk {
            Chunk::Text(block) => Blocks::weight(block),
            // What owned records hold, nobody knows.
            Chunk::Records(_) => READY + 1,
        }
    }

    async fn step(&mut self, lanes: usize) -> Result<Option<Next<Chunk>>> {
        Ok(match self {
            Self::Text(blocks) => blocks.step(lanes).await?.map(|next| next.map(Chunk::Text)),
            Self::Memory(batches) => {
                batches.next().transpose()?.map(Chunk::Records).map(Next::Block)
            }
        })
    }
}

impl Chunk {
    /// Works with the records; a panic of that is an error which says where they stand.
    pub(super) fn with<T>(
        &mut self,
        task: &'static str,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let paced = match self {
            Self::Text(_) => None,
            Self::Records(batch) => batch.pace.clone().map(|pace| (pace, batch.len)),
        };
        let began = paced.is_some().then(Instant::now);
        let result = caught(task, || work(self));
        if let (Some((pace, records)), Some(began)) = (paced, began) {
            pace.took(records, began.elapsed());
        }
        result.map_err(|error| {
            error.over(|| match self {
                Self::Text(block) => Some(block.place(0)),
                Self::Records(_) => None,
            })
        })
    }

    fn block(&self) -> &Block {
        match self {
            Self::Text(block) => block,
            Self::Records(_) => unreachable!("a bag's first stage fits its origin"),
        }
    }

    /// The places of its records in what the bag's first stage has.
    pub(super) fn places(&self) -> Range<usize> {
        let range = match self {
            Self::Text(_) => None,
            Self::Records(batch) => batch.records.downcast_ref::<Range<usize>>(),
        };
        range.cloned().unwrap_or_else(|| unreachable!("a bag's first stage fits its origin"))
    }

    fn batch<T: 'static>(&mut self) -> &mut Vec<T> {
        let batch = match self {
            Self::Text(_) => None,
            Self::Records(batch) => batch.records.downcast_mut(),
        };
        batch.unwrap_or_else(|| unreachable!("a bag's first stage fits its origin"))
    }
}

/// The stage of a bag that was read: how records are cut out of blocks, and what becomes of
/// invalid ones.
pub(super) struct Read {
    delimiter: Delimiter,
    invalid: Invalid,
}

impl Stage<String> for Read {
    fn run(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        emit: &mut Emit<'_, String>,
    ) -> Result<ControlFlow<()>> {
        Stage::<String>::lend(self, chunk, env, &mut |lines| copied(lines, &mut Vec::new(), emit))
    }

    fn lend(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        take: &mut Take<'_, String>,
    ) -> Result<ControlFlow<()>> {
        let Checked { text, tally, wrong } = text(chunk.block(), &self.delimiter, self.invalid)?;
        env.progress.add_tally(tally);
        let flow = take(Lines::new(&text, &self.delimiter))?;
        // Who has enough of the records before it does not want the one that is wrong.
        match wrong {
            Some(wrong) if flow.is_continue() => Err(wrong),
            _ => Ok(flow),
        }
    }
}

impl Stage<Vec<u8>> for Read {
    fn run(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        emit: &mut Emit<'_, Vec<u8>>,
    ) -> Result<ControlFlow<()>> {
        Stage::<Vec<u8>>::lend(self, chunk, env, &mut |records| {
            copied(records, &mut Vec::new(), emit)
        })
    }

    fn lend(
        &self,
        chunk: &mut Chunk,
        _: &Env<'_>,
        take: &mut Take<'_, Vec<u8>>,
    ) -> Result<ControlFlow<()>> {
        take(RawLines::new(chunk.block().bytes(), &self.delimiter))
    }
}

impl<T> Bag<T> {
    /// A bag of what a job reads.
    pub(super) fn read(job: Job, invalid: Invalid, step: Step, verbs: Verbs) -> Self
    where
        Read: Stage<T>,
    {
        let stage = Arc::new(Read { delimiter: job.blocks.delimiter.clone(), invalid });
        let base = Base::new(Origin::Text(Arc::new(job)), step);
        Self { base: Base { verbs, ..base }, stage }
    }
}

/// The first stage of a bag whose chunks are batches of its records.
pub(super) fn whole<T: Send + 'static>() -> Arc<dyn Stage<T>> {
    Arc::new(|chunk: &mut Chunk, _: &Env<'_>, emit: &mut Emit<'_, T>| emit(chunk.batch()))
}
