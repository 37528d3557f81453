//! Hands the blocks of an input to lanes: the [schedule](super::schedule) behind a lock.

use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::stream::unfold;
use futures::{Stream, StreamExt};
use tokio::task::unconstrained;

use super::schedule::{Control, Made, Open, Policy, Position, Schedule, Turn, Wake};
use super::signal::Signal;
use super::{BlockOf, Input, Reader, Stop};
use crate::block::Next;
use crate::graph::sync::{Mutex, MutexGuard};
use crate::graph::{StopEntry, caught};
use crate::{Error, Result};

/// Where a run has failed, and of what.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) at: Position,
    pub(super) error: Error,
}

/// What an end keeps of the blocks that lanes have worked on, under the lock of the schedule.
pub(super) trait EndState {
    /// Returns true if results take all the memory that they may.
    fn is_full(&self) -> bool {
        false
    }

    /// Keeps a failure, behind which nothing is handed out any more.
    fn record_failure<R, B>(&mut self, schedule: &mut Schedule<R, B>, failure: Failure);

    /// Looks at what is left after a block or a partition has ended: the schedule may be told that
    /// there is enough.
    ///
    /// # Errors
    ///
    /// The failure that the run ends with, for the lane that ends what stands before it.
    fn check_end<R, B>(&mut self, _: &mut Schedule<R, B>) -> Result<()> {
        Ok(())
    }
}

/// The blocks of an input, and what an end keeps.
pub(super) struct Dispatch<I: Input, K> {
    pub(super) input: Arc<I>,
    lanes: usize,
    state: Mutex<State<I, K>>,
    signal: Arc<Signal>,
}

/// What the lock guards.
pub(super) struct State<I: Input, K> {
    pub(super) schedule: Schedule<OpenReader<BlockOf<I>>, BlockOf<I>>,
    pub(super) kept: K,
}

/// A reader, on any thread: what it makes, one after another, and what it calls when bytes have come
/// that it has waited for.
pub(super) struct OpenReader<B> {
    made: Pin<Box<dyn Stream<Item = Result<Next<B>>> + Send>>,
    waker: Waker,
}

/// A reader that has been opened of an input, and what a lane is to do with one.
type OpenOf<I> = Open<OpenReader<BlockOf<I>>>;
pub(super) type TurnOf<I> = Turn<OpenReader<BlockOf<I>>, BlockOf<I>>;

impl<B: Send> OpenReader<B> {
    /// A reader for this number of lanes.
    fn new<R: Reader<Block = B>>(reader: R, lanes: usize, waker: Waker) -> Self {
        // In a box, as it is large and moves into each step.
        let made = unfold(Box::new(reader), move |mut reader| async move {
            let next = reader.step(lanes).await.transpose()?;
            Some((next, reader))
        });
        Self { made: Box::pin(made), waker }
    }

    /// What it makes next; `None` after the last.
    ///
    /// Unconstrained, as this thread may be inside of a task of the caller's runtime: tokio would
    /// have that task yield after so many channel operations, which it cannot do from here.
    fn poll(&mut self) -> Poll<Result<Option<Next<B>>>> {
        let next = pin!(unconstrained(self.made.next()));
        next.poll(&mut Context::from_waker(&self.waker)).map(Option::transpose)
    }
}

/// What a lane has: the partition that it has read last, the block that it has worked on last, and
/// whether it still does.
#[derive(Debug, Default)]
pub(super) struct LaneCursor {
    pub(super) partition: Option<usize>,
    pub(super) last: Option<Position>,
    pub(super) is_working: bool,
    /// Its place among those that are woken when the run is told to end, once it has waited.
    pub(super) registration: Option<StopEntry>,
}

impl LaneCursor {
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

/// What [`Dispatch::try_turn`] comes to.
#[cfg(feature = "cli")]
pub(super) enum Tried<T> {
    Turn(T),
    /// There may be a turn later.
    Wait,
    /// There is none any more.
    Exit,
}

impl<I: Input, K: EndState> Dispatch<I, K> {
    pub(super) fn new(input: Arc<I>, lanes: usize, policy: Policy, kept: K) -> Self {
        let schedule = Schedule::new(input.partitions(), lanes, policy);
        Self { input, lanes, state: Mutex::new(State { schedule, kept }), signal: Arc::default() }
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
    /// As [`check_end`](EndState::check_end); and [`Error::Cancelled`].
    pub(super) fn step(
        &self,
        mine: &mut LaneCursor,
        stop: &Stop,
    ) -> Result<Option<Step<BlockOf<I>>>> {
        match self.turn(mine, stop)? {
            Some(turn) => self.take(turn, mine).map(Some),
            None if stop.is_cancelled() => Err(Error::Cancelled),
            None => Ok(None),
        }
    }

    /// What a turn comes to, for the lane that has it.
    ///
    /// # Errors
    ///
    /// As [`check_end`](EndState::check_end).
    pub(super) fn take(&self, turn: TurnOf<I>, mine: &mut LaneCursor) -> Result<Step<BlockOf<I>>> {
        match turn {
            Turn::Work(at, block) => {
                mine.works(at);
                Ok(Step::Block(at, block))
            }
            Turn::Read(open) => self.read(open, mine),
            Turn::Wait | Turn::Exit => Ok(Step::Read),
        }
    }

    fn turn(&self, mine: &mut LaneCursor, stop: &Stop) -> Result<Option<TurnOf<I>>> {
        let mut state = self.lock();
        if let Some(at) = mine.block() {
            mine.is_working = false;
            state.schedule.done(at);
            state = self.look(state)?;
        }
        loop {
            match self.next_turn(&mut state, (mine.partition, mine.last), stop) {
                Turn::Wait => {
                    mine.registration.get_or_insert_with(|| self.signal.register(stop));
                    state.schedule.waits(true);
                    self.signal.wait(state, stop);
                    state = self.lock();
                    state.schedule.waits(false);
                }
                Turn::Exit => {
                    let unwanted = state.schedule.take_unwanted();
                    // The others may have looked before the run was told to end.
                    self.notify(state, Wake::All);
                    // With them go their requests.
                    drop(unwanted);
                    return Ok(None);
                }
                turn => return Ok(Some(turn)),
            }
        }
    }

    fn next_turn(
        &self,
        state: &mut State<I, K>,
        last: (Option<usize>, Option<Position>),
        stop: &Stop,
    ) -> TurnOf<I> {
        let control = match () {
            () if stop.is_cancelled() => Control::Cancel,
            () if stop.is_set() => Control::Stop,
            () => Control::Continue,
        };
        self.enter_ready(state);
        let is_full = state.kept.is_full();
        state.schedule.turn(last, control, is_full, |partition| self.open(partition))
    }

    /// A turn for any thread, without waiting for one; `waits` is whether the caller waits since it has
    /// asked last. It is told by [`listen`](Self::listen) when to ask again.
    #[cfg(feature = "cli")]
    pub(super) fn try_turn(&self, waits: &mut bool, stop: &Stop) -> Tried<TurnOf<I>> {
        let mut state = self.lock();
        if std::mem::take(waits) {
            state.schedule.waits(false);
        }
        match self.next_turn(&mut state, (None, None), stop) {
            Turn::Wait => {
                state.schedule.waits(true);
                *waits = true;
                Tried::Wait
            }
            Turn::Exit => {
                let unwanted = state.schedule.take_unwanted();
                drop(state);
                // With them go their requests.
                drop(unwanted);
                Tried::Exit
            }
            turn => Tried::Turn(turn),
        }
    }

    /// Wakes somebody, once, when there may be another turn; or nobody any more.
    #[cfg(feature = "cli")]
    pub(super) fn listen(&self, listener: Option<Waker>) {
        self.signal.listen(listener);
    }

    /// Wakes who listens.
    #[cfg(feature = "cli")]
    pub(super) fn wake_listener(&self) {
        self.signal.wake_listener();
    }

    /// Opens a partition.
    pub(super) fn open(&self, partition: usize) -> OpenReader<BlockOf<I>> {
        OpenReader::new(self.input.open(partition), self.lanes, self.signal.waker(partition))
    }

    /// Enters which readers can go on.
    fn enter_ready(&self, state: &mut State<I, K>) {
        for partition in self.signal.take_ready() {
            state.schedule.set_ready(partition);
        }
    }

    /// Reads a partition, until there is a block for this lane or the reader is let go.
    fn read(&self, mut open: OpenOf<I>, mine: &mut LaneCursor) -> Result<Step<BlockOf<I>>> {
        mine.partition = Some(open.partition);
        loop {
            // A reader that panics must not leave the others waiting for its return.
            let next = caught("read", || match open.reader.poll() {
                Poll::Ready(next) => next.map(Poll::Ready),
                Poll::Pending => Ok(Poll::Pending),
            });
            match next {
                Ok(Poll::Pending) => {
                    let mut state = self.lock();
                    self.enter_ready(&mut state);
                    if let Some(wake) = state.schedule.pends(open) {
                        self.notify(state, wake);
                    }
                    break;
                }
                Ok(Poll::Ready(Some(Next::Block(block)))) => match self.made(open, block) {
                    Made::Work(at, block) => {
                        mine.works(at);
                        return Ok(Step::Block(at, block));
                    }
                    Made::ReadOn(again) => open = again,
                    Made::Queued | Made::Unwanted(_) => break,
                },
                Ok(Poll::Ready(Some(Next::Undecoded(piece)))) => {
                    let mut state = self.lock();
                    let wake = state.schedule.release(open);
                    self.notify(state, wake);
                    // The reader hears of a panic: nothing comes of the piece.
                    let _ = caught("decode", || {
                        piece.decode();
                        Ok(())
                    });
                    break;
                }
                Ok(Poll::Ready(None)) => {
                    let mut state = self.lock();
                    let wake = state.schedule.ended(open.partition, open.made);
                    let state = self.look(state)?;
                    self.notify(state, wake);
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

    fn made(&self, open: OpenOf<I>, block: BlockOf<I>) -> Made<OpenReader<BlockOf<I>>, BlockOf<I>> {
        let weight = I::Reader::weight(&block);
        let mut state = self.lock();
        let is_full = state.kept.is_full();
        let (made, wake) = state.schedule.made(open, weight, block, is_full);
        self.notify(state, wake);
        made
    }

    /// Enters a failure: nothing that stands behind it is handed out any more.
    ///
    /// The caller ends the work that has failed under the same lock. Were the lock released in
    /// between, another lane could raise a failure that stands behind this one.
    ///
    /// # Errors
    ///
    /// As [`check_end`](EndState::check_end).
    pub(super) fn enter(
        &self,
        mut state: MutexGuard<'_, State<I, K>>,
        failure: Failure,
    ) -> Result<()> {
        let State { schedule, kept } = &mut *state;
        schedule.limit(failure.at);
        kept.record_failure(schedule, failure);
        let state = self.look(state)?;
        self.notify(state, Wake::All);
        Ok(())
    }

    /// Looks at what is left.
    ///
    /// # Errors
    ///
    /// As [`check_end`](EndState::check_end).
    pub(super) fn look<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<I, K>>,
    ) -> Result<MutexGuard<'s, State<I, K>>> {
        let State { schedule, kept } = &mut *state;
        let had_enough = schedule.has_enough();
        let looked = kept.check_end(schedule);
        if looked.is_err() || schedule.has_enough() && !had_enough {
            self.signal.notify(Wake::All);
        }
        looked.map(|()| state)
    }

    /// No lane has use for another block.
    pub(super) fn end(&self, mut state: MutexGuard<'_, State<I, K>>) {
        state.schedule.end();
        self.notify(state, Wake::All);
    }

    /// Wakes lanes that wait for a change, if there are some: telling nobody costs as much.
    pub(super) fn notify(&self, state: MutexGuard<'_, State<I, K>>, wake: Wake) {
        let is_awaited = state.schedule.has_waiting();
        drop(state);
        if is_awaited {
            self.signal.notify(wake);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<I, K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
