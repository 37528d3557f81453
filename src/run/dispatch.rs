//! Which block a lane gets next, where the order of blocks does not matter.
//!
//! A lane stays with its partition while it has one, so that reads are sequential and as many
//! streams are decompressed at once as there are lanes. When no partition is left unopened it
//! helps with another lane's: readers are locked only while they make a block, so one
//! compressed stream is read by whichever lane is free while the others work on its blocks; and
//! where such a stream is in pieces, a lane is given one to decode, not locked by anything.
//!
//! Where reading is what takes longest, the lane that reads goes on reading, and gives its blocks to
//! the others: a lane that waits is given one, and from then on some may lie ready, so that a block that
//! takes long to work on, as where a table grows, stops nobody. As soon as as many lie ready as
//! may, the lane works on its block itself. Were it the reader that is given to a lane that waits, nobody would
//! decompress until it is awake (some tenths of a millisecond, a tenth of what a block of gzip takes).
//! Rejected: a thread that only reads, with a queue of blocks, which costs a copy through another
//! core's cache for each block and leaves one core idle whenever reading and working differ in speed.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{BlockOf, Input, Reader, Stop};
use crate::block::Next;
use crate::graph::caught;
use crate::{Error, Result};

/// How many blocks may lie ready. Those that a table's division holds up are about as many.
const READY: usize = 8;

/// Hands the blocks of an input to lanes.
pub(super) struct Dispatch<I: Input> {
    input: Arc<I>,
    lanes: usize,
    readers: Mutex<Readers<I::Reader>>,
    changed: Condvar,
}

struct Readers<R: Reader> {
    /// The first partition that nobody has opened.
    unopened: usize,
    /// Readers that nobody holds, and the partition of each.
    idle: Vec<(usize, R)>,
    /// How many are held by lanes that make a block right now.
    held: usize,
    /// Lanes that wait.
    waiting: usize,
    /// Blocks for others than the lane that has read them.
    given: VecDeque<R::Block>,
    /// Whether a lane has waited since too many of them lay ready: reading is what takes longest.
    behind: bool,
}

/// What a lane is to do.
enum Turn<R: Reader> {
    /// Read this partition, whose reader is now this lane's alone.
    Read(usize, R),
    /// Work on a block that another lane has read.
    Work(R::Block),
}

impl<I: Input> Dispatch<I> {
    pub(super) fn new(input: Arc<I>, lanes: usize) -> Self {
        let readers = Readers {
            unopened: 0,
            idle: Vec::new(),
            held: 0,
            waiting: 0,
            given: VecDeque::new(),
            behind: false,
        };
        Self { input, lanes, readers: Mutex::new(readers), changed: Condvar::new() }
    }

    /// The next block for a lane that last read partition `mine`, which is updated.
    ///
    /// `None` when nothing is left, or the run was told to end.
    pub(super) fn next(&self, mine: &mut Option<usize>, stop: &Stop) -> Result<Option<BlockOf<I>>> {
        while let Some(turn) = self.turn(*mine, stop) {
            let (partition, reader) = match turn {
                Turn::Work(block) => return Ok(Some(block)),
                Turn::Read(partition, reader) => (partition, reader),
            };
            *mine = Some(partition);
            match self.read(partition, reader, stop)? {
                Some(Next::Block(block)) => return Ok(Some(block)),
                Some(Next::Undecoded(piece)) => caught("decode", || {
                    piece.decode();
                    Ok(())
                })?,
                None => {}
            }
        }
        if stop.is_cancelled() { Err(Error::Cancelled) } else { Ok(None) }
    }

    /// What this lane is to do with the next of a partition; blocks go to lanes that wait, while
    /// there are any.
    fn read(
        &self,
        partition: usize,
        mut reader: I::Reader,
        stop: &Stop,
    ) -> Result<Option<Next<BlockOf<I>>>> {
        loop {
            // A reader that panics must not leave the others waiting for its return.
            let next = caught("read", || stop.wait(reader.step(self.lanes)).unwrap_or(Ok(None)));
            let next = match next {
                Ok(Some(Next::Block(block))) => match self.give(block) {
                    None => continue,
                    Some(block) => Ok(Some(Next::Block(block))),
                },
                next => next,
            };
            let last = !matches!(next, Ok(Some(_)));
            self.release((!last).then_some((partition, reader)));
            return next;
        }
    }

    /// A reader of the partition that the lane had, or of an unopened one, or of any other; before
    /// that a block that was given.
    fn turn(&self, mine: Option<usize>, stop: &Stop) -> Option<Turn<I::Reader>> {
        let mut readers = self.lock();
        loop {
            if stop.is_set() {
                return None;
            }
            if let Some(block) = readers.given.pop_front() {
                return Some(Turn::Work(block));
            }
            let own = readers.idle.iter().position(|(partition, _)| Some(*partition) == mine);
            let reader = if let Some(at) = own {
                Some(readers.idle.swap_remove(at))
            } else if readers.unopened < self.input.partitions() {
                readers.unopened += 1;
                Some((readers.unopened - 1, self.input.open(readers.unopened - 1)))
            } else {
                readers.idle.pop()
            };
            if let Some((partition, reader)) = reader {
                readers.held += 1;
                return Some(Turn::Read(partition, reader));
            }
            if readers.held == 0 {
                return None;
            }
            readers.behind = true;
            readers.waiting += 1;
            readers = self.changed.wait(readers).unwrap_or_else(PoisonError::into_inner);
            readers.waiting -= 1;
        }
    }

    /// Gives a block to the other lanes; or back, if they have enough to do.
    fn give(&self, block: BlockOf<I>) -> Option<BlockOf<I>> {
        let mut readers = self.lock();
        if readers.waiting <= readers.given.len() {
            readers.behind &= readers.given.len() < READY;
            if !readers.behind {
                return Some(block);
            }
        }
        readers.given.push_back(block);
        drop(readers);
        self.changed.notify_one();
        None
    }

    /// Gives a reader back for anyone to take, or `None` for one that has ended.
    fn release(&self, reader: Option<(usize, I::Reader)>) {
        let mut readers = self.lock();
        readers.held -= 1;
        readers.idle.extend(reader);
        let all = readers.held == 0;
        drop(readers);
        // One reader is one lane's work; the end concerns them all.
        if all { self.changed.notify_all() } else { self.changed.notify_one() }
    }

    fn lock(&self) -> MutexGuard<'_, Readers<I::Reader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
