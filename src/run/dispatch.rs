//! Hands the blocks of an input to lanes: the [schedule](super::schedule) behind a lock.

use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use futures::future::{Either, select};
use tokio::sync::Semaphore;

use super::schedule::{Made, Open, Policy, Position, Schedule, Told, Turn, Wake};
use super::{BlockOf, Input, Reader, Stop};
use crate::block::Next;
use crate::graph::caught;
use crate::{Error, Result};

/// Where a run has failed, and of what.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) at: Position,
    pub(super) error: Error,
}

/// What an end keeps of the blocks that lanes have worked on, under the lock of the schedule.
pub(super) trait Keep {
    /// Returns true if results take all the memory that they may.
    fn is_full(&self) -> bool {
        false
    }

    /// Keeps a failure, behind which nothing is handed out any more.
    fn fails<R, B>(&mut self, schedule: &mut Schedule<R, B>, failure: Failure);

    /// Looks at what is left after a block or a partition has ended: the schedule may be told that
    /// there is enough.
    ///
    /// # Errors
    ///
    /// The failure that the run ends with, for the lane that ends what stands before it.
    fn looks<R, B>(&mut self, _: &mut Schedule<R, B>) -> Result<()> {
        Ok(())
    }
}

/// The blocks of an input, and what an end keeps.
pub(super) struct Dispatch<I: Input, K> {
    input: Arc<I>,
    lanes: usize,
    state: Mutex<State<I, K>>,
    changed: Condvar,
    /// Never has a permit, and is closed when there is enough: that wakes the lanes that wait for
    /// bytes, which may never come.
    wanted: Semaphore,
}

/// What the lock guards.
pub(super) struct State<I: Input, K> {
    pub(super) schedule: Schedule<I::Reader, BlockOf<I>>,
    pub(super) kept: K,
}

/// What a lane has: the partition that it has read last, the block that it has worked on last, and
/// whether it still does.
#[derive(Debug, Default)]
pub(super) struct Mine {
    pub(super) partition: Option<usize>,
    pub(super) last: Option<Position>,
    pub(super) is_working: bool,
}

impl Mine {
    /// The block that it works on.
    pub(super) fn block(&self) -> Option<Position> {
        self.last.filter(|_| self.is_working)
    }

    fn works(&mut self, at: Position) {
        (self.last, self.is_working) = (Some(at), true);
    }
}

/// What a lane has come to.
pub(super) enum Step<B> {
    /// A block to work on.
    Block(Position, B),
    /// It has read, or decoded, for others: there may be something to hand on.
    Read,
}

impl<I: Input, K: Keep> Dispatch<I, K> {
    pub(super) fn new(input: Arc<I>, lanes: usize, policy: Policy, kept: K) -> Self {
        let schedule = Schedule::new(input.partitions(), policy);
        let (state, changed) = (Mutex::new(State { schedule, kept }), Condvar::new());
        Self { input, lanes, state, changed, wanted: Semaphore::const_new(0) }
    }

    /// How many lanes there are.
    pub(super) fn lanes(&self) -> usize {
        self.lanes
    }

    /// What a lane does next, which is done with the block that it had.
    ///
    /// `None` when nothing is left, or the run was told to end.
    ///
    /// # Errors
    ///
    /// As [`looks`](Keep::looks); and [`Error::Cancelled`].
    pub(super) fn step(&self, mine: &mut Mine, stop: &Stop) -> Result<Option<Step<BlockOf<I>>>> {
        match self.turn(mine, stop)? {
            Some(Turn::Work(at, block)) => {
                mine.works(at);
                Ok(Some(Step::Block(at, block)))
            }
            Some(Turn::Read(open)) => self.read(open, mine, stop).map(Some),
            _ if stop.is_cancelled() => Err(Error::Cancelled),
            _ => Ok(None),
        }
    }

    fn turn(&self, mine: &mut Mine, stop: &Stop) -> Result<Option<Turn<I::Reader, BlockOf<I>>>> {
        let mut state = self.lock();
        if let Some(at) = mine.block() {
            mine.is_working = false;
            state.schedule.done(at);
            state = self.look(state)?;
        }
        loop {
            let told = match () {
                () if stop.is_cancelled() => Told::Cancel,
                () if stop.is_set() => Told::Stop,
                () => Told::GoOn,
            };
            let is_full = state.kept.is_full();
            let open = |partition| self.input.open(partition);
            match state.schedule.turn((mine.partition, mine.last), told, is_full, open) {
                Turn::Wait => {
                    state.schedule.waits(true);
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.schedule.waits(false);
                }
                Turn::Home => {
                    // The others may have looked before the run was told to end.
                    self.tell(state, Wake::All);
                    return Ok(None);
                }
                turn => return Ok(Some(turn)),
            }
        }
    }

    /// Reads a partition, until there is a block for this lane or the reader is let go.
    fn read(
        &self,
        mut open: Open<I::Reader>,
        mine: &mut Mine,
        stop: &Stop,
    ) -> Result<Step<BlockOf<I>>> {
        mine.partition = Some(open.partition);
        loop {
            // A reader that panics must not leave the others waiting for its return.
            let next = caught("read", || self.next_of(&mut open.reader, stop));
            match next {
                Ok(Some(Next::Block(block))) => match self.made(open, block) {
                    Made::Work(at, block) => {
                        mine.works(at);
                        return Ok(Step::Block(at, block));
                    }
                    Made::ReadOn(again) => open = again,
                    Made::Given | Made::Unwanted(_) => break,
                },
                Ok(Some(Next::Undecoded(piece))) => {
                    let mut state = self.lock();
                    let wake = state.schedule.release(open);
                    self.tell(state, wake);
                    // The reader hears of a panic: nothing comes of the piece.
                    let _ = caught("decode", || {
                        piece.decode();
                        Ok(())
                    });
                    break;
                }
                Ok(None) => {
                    let mut state = self.lock();
                    let wake = state.schedule.ended(open.partition, open.made);
                    let state = self.look(state)?;
                    self.tell(state, wake);
                    break;
                }
                Err(error) => {
                    let at = (open.partition, open.made);
                    let mut state = self.lock();
                    state.schedule.failed(at);
                    self.enter(state, Failure { at, error })?;
                    break;
                }
            }
        }
        Ok(Step::Read)
    }

    /// The next block of a reader; `None` after its last, and when nobody wants it any more.
    fn next_of(&self, reader: &mut I::Reader, stop: &Stop) -> Result<Option<Next<BlockOf<I>>>> {
        let next = pin!(reader.step(self.lanes));
        let unwanted = pin!(self.wanted.acquire());
        match stop.wait(select(next, unwanted)) {
            Some(Either::Left((next, _))) => next,
            Some(Either::Right(_)) | None => Ok(None),
        }
    }

    fn made(&self, open: Open<I::Reader>, block: BlockOf<I>) -> Made<I::Reader, BlockOf<I>> {
        let weight = I::Reader::weight(&block);
        let mut state = self.lock();
        let is_full = state.kept.is_full();
        let (made, wake) = state.schedule.made(open, weight, block, is_full);
        self.tell(state, wake);
        made
    }

    /// Enters a failure: nothing that stands behind it is handed out any more.
    ///
    /// The caller ends the work that has failed under the same lock. Were the lock released in
    /// between, another lane could raise a failure that stands behind this one.
    ///
    /// # Errors
    ///
    /// As [`looks`](Keep::looks).
    pub(super) fn enter(
        &self,
        mut state: MutexGuard<'_, State<I, K>>,
        failure: Failure,
    ) -> Result<()> {
        let State { schedule, kept } = &mut *state;
        schedule.limit(failure.at);
        kept.fails(schedule, failure);
        let state = self.look(state)?;
        self.tell(state, Wake::All);
        Ok(())
    }

    /// Looks at what is left.
    ///
    /// # Errors
    ///
    /// As [`looks`](Keep::looks).
    pub(super) fn look<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<I, K>>,
    ) -> Result<MutexGuard<'s, State<I, K>>> {
        let State { schedule, kept } = &mut *state;
        let had_enough = schedule.has_enough();
        let looked = kept.looks(schedule);
        if looked.is_err() || schedule.has_enough() && !had_enough {
            self.wanted.close();
            self.changed.notify_all();
        }
        looked.map(|()| state)
    }

    /// No lane has use for another block.
    pub(super) fn end(&self, mut state: MutexGuard<'_, State<I, K>>) {
        state.schedule.end();
        drop(state);
        self.wanted.close();
        self.changed.notify_all();
    }

    /// Wakes lanes that wait for a change, if there are some: telling nobody costs as much.
    pub(super) fn tell(&self, state: MutexGuard<'_, State<I, K>>, wake: Wake) {
        let is_told = state.schedule.has_waiting();
        drop(state);
        match wake {
            Wake::One if is_told => self.changed.notify_one(),
            Wake::All if is_told => self.changed.notify_all(),
            _ => {}
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<I, K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was kept, once no lane has it any more.
    pub(super) fn into_kept(self) -> K {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).kept
    }
}
