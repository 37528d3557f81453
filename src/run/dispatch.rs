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
//! Where something fails, the run fails with what is first in input order, whatever lane met it and
//! when. So lanes go on with what stands before a failure, and with nothing behind it.
//!
//! Rejected: to give the reader itself to a lane that waits. Nobody reads until that is awake, some
//! tenths of a millisecond, which is a tenth of what a block of gzip takes. And a thread that only
//! reads: one core is idle then whenever reading and working differ in speed.

use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
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

/// Where a block stands: its partition, and which block of that it is.
pub(super) type Position = (usize, usize);

/// What a reader has made: a block, a piece that is to be decoded, or nothing at its end.
type Made<I> = Result<Option<Next<BlockOf<I>>>>;

/// Where a run has failed, and of what.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) at: Position,
    pub(super) error: Error,
}

/// What a lane has: the partition that it read last, and the block that it works on.
#[derive(Debug, Default)]
pub(super) struct Mine {
    partition: Option<usize>,
    block: Option<Position>,
}

/// A reader, its partition, and how many blocks it has made.
struct Open<R> {
    partition: usize,
    made: usize,
    /// In a box, as it is large and moves from lane to lane.
    reader: Box<R>,
}

struct Readers<R: Reader> {
    /// The first partition that nobody has opened.
    unopened: usize,
    /// Readers that nobody holds.
    idle: Vec<Open<R>>,
    /// How many are held by lanes that make a block right now.
    held: usize,
    /// Lanes that wait.
    waiting: usize,
    /// Blocks for others than the lane that has read them, and what each weighs.
    given: VecDeque<(usize, Position, R::Block)>,
    /// What all of these weigh.
    ready: usize,
    /// Whether a lane has waited since there would have been too many of them.
    behind: bool,
    /// Partitions that lanes read, and blocks that they work on.
    reading: Vec<usize>,
    working: BTreeSet<Position>,
    /// Whether a lane has all that the run is to come to.
    enough: bool,
    /// Where the first has failed so far, and of what, until that is raised.
    failed: Option<(Position, Option<Error>)>,
}

impl<R: Reader> Readers<R> {
    /// The failure that the run ends with, once nothing can come to one that stands before it.
    fn verdict(&mut self) -> Result<()> {
        let Some((at, error)) = &mut self.failed else { return Ok(()) };
        let before = self.working.first().is_some_and(|first| first < at)
            || self.given.iter().any(|(_, given, _)| given < at)
            || self.reading.iter().any(|&partition| partition < at.0)
            || self.idle.iter().any(|open| open.partition < at.0);
        error.take_if(|_| !before).map_or(Ok(()), Err)
    }
}

/// What a lane is to do.
enum Turn<R: Reader> {
    /// Read a partition, whose reader is now this lane's alone.
    Read(Open<R>),
    /// Work on a block that another lane has read.
    Work(Position, R::Block),
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
            reading: Vec::new(),
            working: BTreeSet::new(),
            enough: false,
            failed: None,
        };
        Self { input, lanes, readers: Mutex::new(readers), changed: Condvar::new() }
    }

    /// The next block for a lane, which is done with the one that it had.
    ///
    /// `None` when nothing is left, or the run was told to end.
    ///
    /// # Errors
    ///
    /// The first failure in input order, for the lane that ends what stands before it.
    pub(super) fn next(&self, mine: &mut Mine, stop: &Stop) -> Result<Option<BlockOf<I>>> {
        self.done(mine)?;
        while let Some(turn) = self.turn(mine.partition, stop) {
            let open = match turn {
                Turn::Work(at, block) => {
                    mine.block = Some(at);
                    return Ok(Some(block));
                }
                Turn::Read(open) => open,
            };
            mine.partition = Some(open.partition);
            let (at, next) = self.read(open, stop);
            match next {
                Ok(Some(Next::Block(block))) => {
                    mine.block = Some(at);
                    return Ok(Some(block));
                }
                Ok(Some(Next::Undecoded(piece))) => caught("decode", || {
                    piece.decode();
                    Ok(())
                })?,
                Ok(None) => self.lock().verdict()?,
                Err(error) => {
                    let readers = self.release(at.0, None);
                    self.enter(readers, Failure { at, error })?;
                }
            }
        }
        if stop.is_cancelled() { Err(Error::Cancelled) } else { Ok(None) }
    }

    /// A lane is done with its block.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub(super) fn done(&self, mine: &mut Mine) -> Result<()> {
        let Some(at) = mine.block.take() else { return Ok(()) };
        let mut readers = self.lock();
        readers.working.remove(&at);
        readers.verdict()
    }

    /// A lane has failed over its block.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub(super) fn fails(&self, mine: &mut Mine, error: Error) -> Result<()> {
        let at = mine.block.take().unwrap_or_default();
        let mut readers = self.lock();
        readers.working.remove(&at);
        self.enter(readers, Failure { at, error })
    }

    /// Enters a failure: nothing that stands behind it is handed out any more.
    ///
    /// The caller ends the work that has failed under the same lock. Were the lock released in
    /// between, another lane could raise a failure that stands behind this one.
    fn enter(
        &self,
        mut readers: MutexGuard<'_, Readers<I::Reader>>,
        failure: Failure,
    ) -> Result<()> {
        let at = failure.at;
        if readers.failed.as_ref().is_none_or(|(first, _)| at < *first) {
            readers.failed = Some((at, Some(failure.error)));
            readers.idle.retain(|open| open.partition < at.0);
            readers.unopened = self.input.partitions();
            let mut dropped = 0;
            readers.given.retain(|(weight, given, _)| {
                let kept = *given < at;
                dropped += if kept { 0 } else { *weight };
                kept
            });
            readers.ready -= dropped;
        }
        let verdict = readers.verdict();
        self.tell_all(&readers);
        verdict
    }

    /// What this lane is to do with the next of a partition, of which blocks that others are to
    /// have are given away before, and the position of that, behind these. The reader is released
    /// then, unless it has failed.
    fn read(&self, mut open: Open<I::Reader>, stop: &Stop) -> (Position, Made<I>) {
        loop {
            // A reader that panics must not leave the others waiting for its return.
            let reader = &mut open.reader;
            let next =
                caught("read", || stop.wait(pin!(reader.step(self.lanes))).unwrap_or(Ok(None)));
            let at = (open.partition, open.made);
            open.made += usize::from(matches!(next, Ok(Some(Next::Block(_)))));
            let next = match next {
                Ok(Some(Next::Block(block))) => match self.give(at, block) {
                    None => continue,
                    Some(block) => Ok(Some(Next::Block(block))),
                },
                next => next,
            };
            match next {
                Ok(Some(_)) => drop(self.release(open.partition, Some(open))),
                Ok(None) => drop(self.release(open.partition, None)),
                // The failure is entered as the reader is released.
                Err(_) => {}
            }
            return (at, next);
        }
    }

    /// No lane has use for another block: what one has seen is all that the run comes to, unless it
    /// fails.
    pub(super) fn end(&self) {
        let mut readers = self.lock();
        readers.enough = readers.failed.is_none();
        self.tell_all(&readers);
    }

    /// A reader of the partition that the lane had, or of an unopened one, or of any other; before
    /// that a block that was given.
    fn turn(&self, mine: Option<usize>, stop: &Stop) -> Option<Turn<I::Reader>> {
        let mut readers = self.lock();
        loop {
            if stop.is_cancelled() || readers.enough {
                return None;
            }
            // Also if the run was told to end: what was read is what it comes to.
            if let Some((weight, at, block)) = readers.given.pop_front() {
                readers.ready -= weight;
                readers.working.insert(at);
                return Some(Turn::Work(at, block));
            }
            if stop.is_set() {
                return None;
            }
            let own = readers.idle.iter().position(|open| Some(open.partition) == mine);
            let open = if let Some(at) = own {
                Some(readers.idle.swap_remove(at))
            } else if readers.unopened < self.input.partitions() {
                let partition = readers.unopened;
                readers.unopened += 1;
                Some(Open { partition, made: 0, reader: Box::new(self.input.open(partition)) })
            } else {
                readers.idle.pop()
            };
            if let Some(open) = open {
                readers.held += 1;
                readers.reading.push(open.partition);
                return Some(Turn::Read(open));
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
    fn give(&self, at: Position, block: BlockOf<I>) -> Option<BlockOf<I>> {
        let weight = I::Reader::weight(&block);
        let mut readers = self.lock();
        let wanted = readers.waiting > readers.given.len();
        readers.behind &= wanted || readers.ready + weight <= READY;
        // Behind a failure nobody wants it, which this lane finds out.
        if !readers.behind || readers.failed.is_some() {
            readers.working.insert(at);
            return Some(block);
        }
        readers.ready += weight;
        readers.given.push_back((weight, at, block));
        self.tell_one(&readers);
        None
    }

    /// Gives a reader back for anyone to take, or `None` for one that has ended.
    fn release(
        &self,
        partition: usize,
        open: Option<Open<I::Reader>>,
    ) -> MutexGuard<'_, Readers<I::Reader>> {
        let mut readers = self.lock();
        readers.held -= 1;
        if let Some(n) = readers.reading.iter().position(|&reading| reading == partition) {
            readers.reading.swap_remove(n);
        }
        let failed = readers.failed.as_ref().map(|(at, _)| *at);
        let wanted = |open: &Open<_>| failed.is_none_or(|at| open.partition < at.0);
        readers.idle.extend(open.filter(wanted));
        // One reader is one lane's work; the end concerns them all.
        if readers.held == 0 {
            self.tell_all(&readers)
        } else {
            self.tell_one(&readers)
        }
        readers
    }

    /// Wakes a lane that waits. Where none waits this makes no system call, which a condition
    /// variable does all the same: one for each small file.
    fn tell_one(&self, readers: &Readers<I::Reader>) {
        if readers.waiting > 0 {
            self.changed.notify_one();
        }
    }

    /// Wakes all lanes that wait.
    fn tell_all(&self, readers: &Readers<I::Reader>) {
        if readers.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Readers<I::Reader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::hint;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread;

    use super::*;
    use crate::Place;
    use crate::run::tests::Numbers;

    /// A dispatch of one partition, whose reader is held here.
    fn held() -> (Dispatch<Numbers>, Stop) {
        let (dispatch, stop) = (Dispatch::new(Arc::new(Numbers::new(1, 0)), 2), Stop::default());
        assert!(matches!(dispatch.turn(None, &stop), Some(Turn::Read(Open { partition: 0, .. }))));
        (dispatch, stop)
    }

    /// The next block, which is read without failure.
    fn next(dispatch: &Dispatch<Numbers>, stop: &Stop) -> Result<Option<Vec<u32>>> {
        dispatch.next(&mut Mine::default(), stop)
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
        assert!(dispatch.give((0, 0), quarter()).is_some(), "nobody has waited");
        thread::scope(|scope| {
            let lane = scope.spawn(|| next(&dispatch, &stop));
            somebody_waits(&dispatch);
            // A lane that waits is given a block of any size.
            assert!(dispatch.give((0, 0), vec![7; READY]).is_none());
            assert_eq!(lane.join().unwrap().unwrap().map(|block| block.len()), Some(READY));
        });
        for _ in 0..4 {
            assert!(dispatch.give((0, 0), quarter()).is_none());
        }
        assert!(dispatch.give((0, 0), quarter()).is_some(), "enough lies ready");
        assert!(next(&dispatch, &stop).unwrap().is_some());
        assert!(dispatch.give((0, 0), quarter()).is_some(), "nobody has waited since");
    }

    #[test]
    fn what_lies_ready_is_worked_on_when_the_reader_has_ended_and_when_the_run_is_told_to() {
        for told in [false, true] {
            let (dispatch, stop) = held();
            dispatch.lock().behind = true;
            assert!(
                dispatch.give((0, 0), vec![1]).is_none()
                    && dispatch.give((0, 1), vec![2]).is_none()
            );
            if told {
                stop.stop();
            }
            assert_eq!(next(&dispatch, &stop).unwrap(), Some(vec![1]));
            drop(dispatch.release(0, None));
            assert_eq!(next(&dispatch, &stop).unwrap(), Some(vec![2]));
            assert_eq!(next(&dispatch, &stop).unwrap(), None);
        }
        let (dispatch, stop) = held();
        dispatch.lock().behind = true;
        assert!(dispatch.give((0, 0), vec![1]).is_none());
        stop.cancel();
        assert!(matches!(next(&dispatch, &stop), Err(Error::Cancelled)));
    }

    #[test]
    fn a_read_that_fails_keeps_the_blocks_before_it_that_lie_ready() {
        let stop = Stop::default();
        let dispatch = Dispatch::new(Arc::new(Numbers::failing(1, 5, &[(0, 3)])), 2);
        dispatch.lock().behind = true;
        // The lane reads until it fails, and works on what lies ready then.
        let mut mine = Mine::default();
        for block in 0..3 {
            assert!(dispatch.next(&mut mine, &stop).unwrap().is_some());
            assert_eq!(mine.block, Some((0, block)));
        }
        let raised = dispatch.next(&mut mine, &stop);
        assert!(matches!(raised, Err(Error::Changed { .. })));
    }

    #[test]
    fn only_what_stands_before_a_failure_is_handed_out_and_then_it_is_raised() {
        let stop = Stop::default();
        let dispatch = Dispatch::new(Arc::new(Numbers::new(4, 3)), 2);
        let (mut first, mut second) = (Mine::default(), Mine::default());
        let block = |mine: &mut Mine| dispatch.next(mine, &stop).map(|_| mine.block);
        assert_eq!(block(&mut first).unwrap(), Some((0, 0)));
        second.partition = Some(1);
        assert_eq!(block(&mut second).unwrap(), Some((1, 0)));
        dispatch.fails(&mut second, Error::Cancelled).expect("the first may fail as well");
        assert_eq!(block(&mut first).unwrap(), Some((0, 1)));
        assert_eq!(block(&mut first).unwrap(), Some((0, 2)));
        assert!(matches!(block(&mut first), Err(Error::Cancelled)));
        assert_eq!(block(&mut second).unwrap(), None);
    }

    #[test]
    fn the_failure_that_stands_first_is_raised_whichever_was_first_in_time() {
        let stop = Stop::default();
        let dispatch = Dispatch::new(Arc::new(Numbers::new(4, 3)), 2);
        let (mut first, mut second) = (Mine::default(), Mine { partition: Some(1), block: None });
        dispatch.next(&mut first, &stop).unwrap();
        dispatch.next(&mut second, &stop).unwrap();
        let place = || Place::object("x");
        dispatch.fails(&mut second, Error::Cancelled).expect("the first may fail as well");
        let raised = dispatch.fails(&mut first, Error::Changed { place: place() });
        assert!(matches!(raised, Err(Error::Changed { .. })));
    }

    /// Runs two closures at one time, as nearly as two threads can.
    fn together<T: Send>(first: impl FnOnce() -> T + Send, second: impl FnOnce() -> T) -> (T, T) {
        let arrived = AtomicUsize::new(0);
        let wait = || {
            arrived.fetch_add(1, SeqCst);
            while arrived.load(SeqCst) < 2 {
                hint::spin_loop();
            }
        };
        thread::scope(|scope| {
            let first = scope.spawn(|| {
                wait();
                first()
            });
            wait();
            let second = second();
            (first.join().unwrap(), second)
        })
    }

    #[test]
    fn of_failures_at_one_time_only_the_first_in_input_order_is_raised() {
        let stop = Stop::default();
        for _ in 0..500 {
            let dispatch = Dispatch::new(Arc::new(Numbers::new(2, 3)), 2);
            let (mut first, mut second) =
                (Mine::default(), Mine { partition: Some(1), block: None });
            dispatch.next(&mut first, &stop).unwrap();
            dispatch.next(&mut second, &stop).unwrap();
            let changed = Error::Changed { place: Place::object("x") };
            let raised = together(
                || dispatch.fails(&mut first, changed),
                || dispatch.fails(&mut second, Error::Cancelled),
            );
            assert!(matches!(raised, (Err(Error::Changed { .. }), Ok(()))), "{raised:?}");
        }
    }

    #[test]
    fn a_reader_that_fails_while_a_later_block_does_is_the_one_that_is_raised() {
        let stop = Stop::default();
        for _ in 0..500 {
            let dispatch = Dispatch::new(Arc::new(Numbers::failing(2, 3, &[(0, 1)])), 2);
            let (mut first, mut second) =
                (Mine::default(), Mine { partition: Some(1), block: None });
            dispatch.next(&mut first, &stop).unwrap();
            dispatch.next(&mut second, &stop).unwrap();
            let raised = together(
                || dispatch.next(&mut first, &stop).map(drop),
                || dispatch.fails(&mut second, Error::Cancelled),
            );
            assert!(matches!(raised, (Err(Error::Changed { .. }), Ok(()))), "{raised:?}");
        }
    }

    #[test]
    fn a_failure_behind_one_that_was_raised_is_not_raised_too() {
        let stop = Stop::default();
        let dispatch = Dispatch::new(Arc::new(Numbers::new(2, 3)), 2);
        let (mut first, mut second) = (Mine::default(), Mine { partition: Some(1), block: None });
        dispatch.next(&mut first, &stop).unwrap();
        dispatch.next(&mut second, &stop).unwrap();
        assert!(dispatch.fails(&mut first, Error::Cancelled).is_err());
        dispatch.fails(&mut second, Error::Cancelled).expect("the run has failed before it");
        assert!(dispatch.next(&mut second, &stop).unwrap().is_none());
    }
}
