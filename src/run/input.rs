//! The objects of a source as an input: listed, cut into partitions, and read in blocks.

use std::sync::Arc;

use super::{Context, Input, Reader};
use crate::block::{Block, BlockOptions, Blocks, Next, Windows, splittable};
use crate::memory::{self, Reservation};
use crate::source::{Objects, Partition, Partitions, Pool, Source, partitions};
use crate::{Error, Progress, Result};

/// What to read and how, before anything was listed.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) source: Source,
    pub(crate) blocks: BlockOptions,
    /// Bytes a partition holds, about; `None` for what suits the input and the threads.
    pub(crate) partition_size: Option<u64>,
}

/// What the order of an input's blocks is to its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing: whatever lane is free takes the next block.
    Any,
    /// Theirs: results wait for those of the blocks before.
    Kept,
}

/// The largest partition that is made unasked: small enough that the last ones to run leave no
/// core idle for long, large enough that what is done once for each costs nothing.
const LARGEST_PARTITION: u64 = 64 << 20;
/// And the smallest: below it, opening costs more than another core saves.
const SMALLEST_PARTITION: u64 = 4 << 20;

/// Blocks of a partition of files whose results wait for those before them: lanes work on partitions of
/// their own, so that none waits for another to read, and end them before too many results wait.
const BLOCKS_IN_ORDER: u64 = 4;

/// The most partitions that large objects are cut into, however small they were asked to be: each
/// is a task, and takes memory before it is read.
const MOST_PARTITIONS: u64 = 1 << 16;

/// The blocks of text of a source.
#[derive(Debug)]
pub(crate) struct Text {
    partitions: Partitions,
    blocks: BlockOptions,
    pool: Pool,
    progress: Arc<Progress>,
    /// What the list of objects takes, for as long as it is there.
    _listed: Option<Reservation>,
}

impl Job {
    /// Lists the source and cuts it into partitions. Waits on this thread.
    pub(crate) fn open(&self, context: &Context, order: Order) -> Result<Text> {
        Ok(self.cut(&self.list(context)?, context, order))
    }

    /// The objects of the source. Waits on this thread.
    ///
    /// While it is made, the list may take what states may have later; half of that in the end.
    pub(crate) fn list(&self, context: &Context) -> Result<Objects> {
        let room = context.budget.as_ref().map(|budget| budget.limit());
        let listed = self.source.list_in(&context.progress, room);
        context.stop.wait(listed).unwrap_or(Err(Error::Cancelled))
    }

    /// Cuts objects into partitions; touches nothing.
    pub(crate) fn cut(&self, objects: &Objects, context: &Context, order: Order) -> Text {
        let total = objects.total();
        context.progress.add_total(total);
        let largest = match order {
            // In a store a short range costs as much time as a long one.
            Order::Kept if objects.are_files() => {
                let blocksize = self.blocks.blocksize as u64;
                (BLOCKS_IN_ORDER * blocksize).clamp(SMALLEST_PARTITION, LARGEST_PARTITION)
            }
            _ => LARGEST_PARTITION,
        };
        let size = self.partition_size.unwrap_or_else(|| {
            (total / (context.threads as u64 * 4)).clamp(SMALLEST_PARTITION, largest)
        });
        let size = size.max(total / MOST_PARTITIONS);
        let parts = partitions(objects, size, splittable(&self.blocks));
        let listed = context.budget.as_ref().map(|budget| budget.reserve(objects.weight() as u64));
        Text { _listed: listed, ..self.read_in(parts, context) }
    }

    /// These partitions as an input; touches nothing.
    pub(crate) fn read_in(&self, parts: Vec<Partition>, context: &Context) -> Text {
        let pool = Pool::new(self.blocks.blocksize, context.threads).within(context.budget.clone());
        let mut blocks = self.blocks.clone();
        let memory = || context.memory.or_else(memory::default_limit);
        blocks.windows = match context.memory {
            Some(memory) => Windows::each(memory, context.threads),
            None => blocks.windows.for_run(),
        };
        blocks.max_record = blocks.max_record.or_else(|| memory().map(memory::longest_record));
        Text {
            partitions: Partitions::new(parts, self.blocks.ahead, &pool),
            blocks,
            pool,
            progress: Arc::clone(&context.progress),
            _listed: None,
        }
    }
}

impl Text {
    /// The partitions, in input order.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn plan(&self) -> &[Partition] {
        &self.partitions
    }

    /// The same, for partitions that are opened in no order, or never: none is fetched ahead.
    pub(crate) fn apart(self) -> Self {
        Self { partitions: self.partitions.apart(self.blocks.ahead, &self.pool), ..self }
    }

    /// Opens a partition for another run than that which listed the source: what is read and what
    /// is wrong with it is told to that one.
    pub(crate) fn open_for(&self, partition: usize, progress: &Arc<Progress>) -> Blocks {
        let progress = Arc::clone(progress);
        Blocks::new(&self.partitions, partition, &self.blocks, &self.pool, progress)
    }
}

impl Input for Text {
    type Reader = Blocks;

    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn open(&self, partition: usize) -> Blocks {
        self.open_for(partition, &self.progress)
    }
}

impl Reader for Blocks {
    type Block = Block;

    async fn next(&mut self) -> Result<Option<Block>> {
        Self::next(self).await
    }

    fn weight(block: &Block) -> usize {
        block.weight()
    }

    async fn step(&mut self, lanes: usize) -> Result<Option<Next<Block>>> {
        Self::step(self, lanes).await
    }
}
