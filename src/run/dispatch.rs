//! Which block a lane gets next, where the order of blocks does not matter.
//!
//! A lane stays with its partition while it has one, so that reads are sequential and as many
//! streams are decompressed at once as there are lanes. When no partition is left unopened it
//! helps with another lane's; where a compressed stream is in pieces, by decoding one, not locked by
//! anything, and else by working on blocks that the other has read.
//!
//! A reader that all lanes share stays with the lane that has it, as long as others wait for blocks:
//! a lane that waits is given a block, and from then on some may lie ready, so that a block that
//! takes long to work on, as where a table grows, does not stop the reading. As soon as more would
//! lie ready than [`READY`], its lane works on a block itself, and whoever is free takes the reader.
//! So a stream that is slow to read, as most compressed ones are, is read all the time, and one that
//! is fast to read by turns.
//!
//! Rejected: to give the reader itself to a lane that waits. Nobody reads until that is awake, some
//! tenths of a millisecond, which is a tenth of what a block of gzip takes. And a thread that only
//! reads: one core is idle then whenever reading and working differ in speed.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{BlockOf, Input, READY, Reader, Stop};
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

struct Readers<R: Reader> {
    /// The first partition that nobody has opened.
    unopened: usize,
    /// Readers that nobody holds, and the partition of each.
    idle: Vec<(usize, R)>,
    /// How many are held by lanes that make a block right now.
    held: usize,
    /// Lanes that wait.
    waiting: usize,
    /// Blocks for others than the lane that has read them, and what each weighs.
    given: VecDeque<(usize, R::Block)>,
    /// What all of these weigh.
    ready: usize,
    /// Whether a lane has waited since there would have been too many of them.
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
            ready: 0,
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

    /// What this lane is to do with the next of a partition, of which blocks that others are to
    /// have are given away before.
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
            if stop.is_cancelled() {
                return None;
            }
            // Also if the run was told to end: what was read is what it comes to.
            if let Some((weight, block)) = readers.given.pop_front() {
                readers.ready -= weight;
                return Some(Turn::Work(block));
            }
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

    /// Gives a block to a lane that waits, or lays it ready for one; or gives it back, if none waits or
    /// has waited since enough lay ready.
    fn give(&self, block: BlockOf<I>) -> Option<BlockOf<I>> {
        let weight = I::Reader::weight(&block);
        let mut readers = self.lock();
        let wanted = readers.waiting > readers.given.len();
        readers.behind &= wanted || readers.ready + weight <= READY;
        if !readers.behind {
            return Some(block);
        }
        readers.ready += weight;
        readers.given.push_back((weight, block));
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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::run::tests::Numbers;

    /// A dispatch of one partition, whose reader is held here.
    fn held() -> (Dispatch<Numbers>, Stop) {
        let (dispatch, stop) = (Dispatch::new(Arc::new(Numbers::new(1, 0)), 2), Stop::default());
        assert!(matches!(dispatch.turn(None, &stop), Some(Turn::Read(0, _))));
        (dispatch, stop)
    }

    /// Until a lane waits.
    fn somebody_waits(dispatch: &Dispatch<Numbers>) {
        while dispatch.lock().waiting == 0 {
            thread::yield_now();
        }
    }

    /// Blocks that weigh a quarter of what may lie ready.
    fn quarter() -> Vec<u32> {
        vec![0; READY / 16]
    }

    #[test]
    fn a_lane_that_waits_is_given_a_block_and_then_some_lie_ready() {
        let (dispatch, stop) = held();
        assert!(dispatch.give(quarter()).is_some(), "nobody has waited");
        thread::scope(|scope| {
            let lane = scope.spawn(|| dispatch.next(&mut None, &stop));
            somebody_waits(&dispatch);
            // A lane that waits is given a block of any size.
            assert!(dispatch.give(vec![7; READY]).is_none());
            assert_eq!(lane.join().unwrap().unwrap().map(|block| block.len()), Some(READY));
        });
        for _ in 0..4 {
            assert!(dispatch.give(quarter()).is_none());
        }
        assert!(dispatch.give(quarter()).is_some(), "enough lies ready");
        assert!(dispatch.next(&mut None, &stop).unwrap().is_some());
        assert!(dispatch.give(quarter()).is_some(), "nobody has waited since");
    }

    #[test]
    fn what_lies_ready_is_worked_on_when_the_reader_has_ended_and_when_the_run_is_told_to() {
        for told in [false, true] {
            let (dispatch, stop) = held();
            dispatch.lock().behind = true;
            assert!(dispatch.give(vec![1]).is_none() && dispatch.give(vec![2]).is_none());
            if told {
                stop.stop();
            }
            assert_eq!(dispatch.next(&mut None, &stop).unwrap(), Some(vec![1]));
            dispatch.release(None);
            assert_eq!(dispatch.next(&mut None, &stop).unwrap(), Some(vec![2]));
            assert_eq!(dispatch.next(&mut None, &stop).unwrap(), None);
        }
        let (dispatch, stop) = held();
        dispatch.lock().behind = true;
        assert!(dispatch.give(vec![1]).is_none());
        stop.cancel();
        assert!(matches!(dispatch.next(&mut None, &stop), Err(Error::Cancelled)));
    }
}
