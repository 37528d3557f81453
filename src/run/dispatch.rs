//! Which block a lane gets next, where the order of blocks does not matter.
//!
//! A lane stays with its partition while it has one, so that reads are sequential and as many
//! streams are decompressed at once as there are lanes. When no partition is left unopened it
//! helps with another lane's: readers are locked only while they make a block, so one
//! compressed stream is read by whichever lane is free while the others work on its blocks; and
//! where such a stream is in pieces, a lane is given one to decode, not locked by anything.
//! Rejected: a reading thread with a queue of blocks, which costs a copy through another core's
//! cache for each block and leaves one core idle whenever reading and working differ in speed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{BlockOf, Input, Reader, Stop};
use crate::block::Next;
use crate::graph::caught;
use crate::{Error, Result};

/// Hands the blocks of an input to lanes.
pub(super) struct Dispatch<I: Input> {
    input: Arc<I>,
    lanes: usize,
    readers: Mutex<Readers<I::Reader>>,
    changed: Condvar,
}

struct Readers<R> {
    /// The first partition that nobody has opened.
    unopened: usize,
    /// Readers that nobody holds, and the partition of each.
    idle: Vec<(usize, R)>,
    /// How many are held by lanes that make a block right now.
    held: usize,
}

impl<I: Input> Dispatch<I> {
    pub(super) fn new(input: Arc<I>, lanes: usize) -> Self {
        let readers = Readers { unopened: 0, idle: Vec::new(), held: 0 };
        Self { input, lanes, readers: Mutex::new(readers), changed: Condvar::new() }
    }

    /// The next block for a lane that last had one of partition `mine`, which is updated.
    ///
    /// `None` when nothing is left, or the run was told to end.
    pub(super) fn next(&self, mine: &mut Option<usize>, stop: &Stop) -> Result<Option<BlockOf<I>>> {
        while let Some((partition, mut reader)) = self.hold(*mine, stop) {
            *mine = Some(partition);
            // A reader that panics must not leave the others waiting for its return.
            let next = caught("read", || stop.wait(reader.step(self.lanes)).unwrap_or(Ok(None)));
            let last = !matches!(next, Ok(Some(_)));
            self.release((!last).then_some((partition, reader)));
            match next? {
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

    /// A reader that is now this lane's alone: of the partition it had, or of an unopened one, or
    /// of any other.
    fn hold(&self, mine: Option<usize>, stop: &Stop) -> Option<(usize, I::Reader)> {
        let mut readers = self.lock();
        loop {
            if stop.is_set() {
                return None;
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
            if reader.is_some() || readers.held == 0 {
                readers.held += usize::from(reader.is_some());
                return reader;
            }
            readers = self.changed.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
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
