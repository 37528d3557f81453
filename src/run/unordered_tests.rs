//! The first failure in input order is the one that a run ends with, whatever the timing.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use super::dispatch::{Dispatch, LaneCursor};
use super::schedule::{Control, Made, Policy, Turn};
use super::tests::Numbers;
use super::unordered::FirstFailure;
use super::{READY, Stop};
use crate::{Error, Place, Result};

fn dispatch(input: Numbers) -> Dispatch<Numbers, FirstFailure> {
    Dispatch::new(Arc::new(input), 2, Policy::Any, FirstFailure::default())
}

/// A lane whose reader is that of a partition.
fn of_partition(partition: usize) -> LaneCursor {
    LaneCursor { partition: Some(partition), ..LaneCursor::default() }
}

#[test]
fn blocks_that_lie_ready_are_worked_on_when_the_run_is_stopped_and_not_when_it_is_cancelled() {
    for is_cancelled in [false, true] {
        let (dispatch, stop) = (dispatch(Numbers::new(1, 0)), Stop::default());
        let mut state = dispatch.lock();
        let open = |partition| dispatch.open(partition);
        let Turn::Read(reader) = state.schedule.turn((None, None), Control::Continue, false, open)
        else {
            unreachable!("nobody has read it")
        };
        let waits = state.schedule.turn((None, None), Control::Continue, false, open);
        assert!(matches!(waits, Turn::Wait));
        state.schedule.waits(true);
        let (made, _) = state.schedule.made(reader, READY, vec![1], false);
        state.schedule.waits(false);
        assert!(matches!(made, Made::ReadOn(_)), "a lane waits for the block");
        drop(state);
        let next = || dispatch.block(&mut LaneCursor::default(), &stop);
        if is_cancelled {
            stop.cancel();
            assert!(matches!(next(), Err(Error::Cancelled)));
        } else {
            stop.stop();
            assert_eq!(next().unwrap(), Some(vec![1]));
            assert_eq!(next().unwrap(), None, "nothing else is read");
        }
    }
}

#[test]
fn a_read_that_fails_keeps_the_blocks_before_it() {
    let stop = Stop::default();
    let dispatch = dispatch(Numbers::failing(1, 5, &[(0, 3)]));
    let mut mine = LaneCursor::default();
    for block in 0..3 {
        assert!(dispatch.block(&mut mine, &stop).unwrap().is_some());
        assert_eq!(mine.block(), Some((0, block)));
    }
    let raised = dispatch.block(&mut mine, &stop);
    assert!(matches!(raised, Err(Error::Changed { .. })));
}

#[test]
fn only_what_stands_before_a_failure_is_handed_out_and_then_it_is_raised() {
    let stop = Stop::default();
    let dispatch = dispatch(Numbers::new(4, 3));
    let (mut first, mut second) = (LaneCursor::default(), of_partition(1));
    let block = |mine: &mut LaneCursor| dispatch.block(mine, &stop).map(|_| mine.block());
    assert_eq!(block(&mut first).unwrap(), Some((0, 0)));
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
    let dispatch = dispatch(Numbers::new(4, 3));
    let (mut first, mut second) = (LaneCursor::default(), of_partition(1));
    dispatch.block(&mut first, &stop).unwrap();
    dispatch.block(&mut second, &stop).unwrap();
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

/// Two lanes, which work on the first blocks of two partitions.
fn two_lanes(
    dispatch: &Dispatch<Numbers, FirstFailure>,
    stop: &Stop,
) -> Result<(LaneCursor, LaneCursor)> {
    let (mut first, mut second) = (LaneCursor::default(), of_partition(1));
    dispatch.block(&mut first, stop)?;
    dispatch.block(&mut second, stop)?;
    assert_eq!((first.block(), second.block()), (Some((0, 0)), Some((1, 0))));
    Ok((first, second))
}

#[test]
fn of_failures_at_one_time_only_the_first_in_input_order_is_raised() {
    let stop = Stop::default();
    for _ in 0..500 {
        let dispatch = dispatch(Numbers::new(2, 3));
        let (mut first, mut second) = two_lanes(&dispatch, &stop).unwrap();
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
        let dispatch = dispatch(Numbers::failing(2, 3, &[(0, 1)]));
        let (mut first, mut second) = two_lanes(&dispatch, &stop).unwrap();
        let raised = together(
            || dispatch.block(&mut first, &stop).map(drop),
            || dispatch.fails(&mut second, Error::Cancelled),
        );
        assert!(matches!(raised, (Err(Error::Changed { .. }), Ok(()))), "{raised:?}");
    }
}

#[test]
fn a_failure_behind_one_that_was_raised_is_not_raised_too() {
    let stop = Stop::default();
    let dispatch = dispatch(Numbers::new(2, 3));
    let (mut first, mut second) = two_lanes(&dispatch, &stop).unwrap();
    assert!(dispatch.fails(&mut first, Error::Cancelled).is_err());
    dispatch.fails(&mut second, Error::Cancelled).expect("the run has failed before it");
    assert!(dispatch.block(&mut second, &stop).unwrap().is_none());
}
