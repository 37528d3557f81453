//! Readers whose bytes are on their way, and lanes that have other work meanwhile.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use super::dispatch::{Dispatch, LaneCursor};
use super::schedule::Policy;
use super::unordered::FirstFailure;
use super::{Context, Input, Reader, Stop, stream};
use crate::{Error, Result};

/// Partitions of so many blocks, of which the first have no bytes before a gate opens.
#[derive(Clone)]
struct Gated {
    partitions: usize,
    shut: usize,
    blocks: usize,
    gate: Arc<Mutex<(bool, Vec<Waker>)>>,
}

impl Gated {
    fn new(partitions: usize, shut: usize, blocks: usize) -> Self {
        Self { partitions, shut, blocks, gate: Arc::default() }
    }

    fn open_gate(&self) {
        let wakers = {
            let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            gate.0 = true;
            std::mem::take(&mut gate.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

struct Gate {
    of: Gated,
    at: (usize, usize),
}

impl Input for Gated {
    type Reader = Gate;

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn open(&self, partition: usize) -> Gate {
        Gate { of: self.clone(), at: (partition, 0) }
    }
}

impl Reader for Gate {
    type Block = (usize, usize);

    async fn next(&mut self) -> Result<Option<(usize, usize)>> {
        poll_fn(|cx| {
            let mut gate = self.of.gate.lock().unwrap_or_else(PoisonError::into_inner);
            if gate.0 || self.at.0 >= self.of.shut {
                return Poll::Ready(());
            }
            gate.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        let at = self.at;
        self.at.1 += 1;
        Ok((at.1 < self.of.blocks).then_some(at))
    }
}

fn dispatch(input: &Gated, lanes: usize) -> Dispatch<Gated, FirstFailure> {
    Dispatch::new(Arc::new(input.clone()), lanes, Policy::Any, FirstFailure::default())
}

#[test]
fn a_lane_whose_reader_waits_takes_the_blocks_of_other_partitions() {
    let (input, stop) = (Gated::new(3, 1, 2), Stop::default());
    let (dispatch, mut mine) = (dispatch(&input, 2), LaneCursor::default());
    let block = |mine: &mut LaneCursor| dispatch.block(mine, &stop).expect("nothing fails");
    for at in [(1, 0), (1, 1), (2, 0)] {
        assert_eq!(block(&mut mine), Some(at));
    }
    input.open_gate();
    for at in [(2, 1), (0, 0), (0, 1)] {
        assert_eq!(block(&mut mine), Some(at));
    }
    assert_eq!(block(&mut mine), None);
}

#[test]
fn no_more_partitions_are_open_than_there_are_lanes() {
    let (input, stop) = (Gated::new(9, 9, 1), Stop::default());
    let dispatch = dispatch(&input, 3);
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = LaneCursor::default();
                    let blocks = std::iter::from_fn(|| dispatch.block(&mut mine, &stop).ok()?);
                    blocks.count()
                })
            })
            .collect();
        let asked = || input.gate.lock().unwrap_or_else(PoisonError::into_inner).1.len();
        while asked() < 3 {
            thread::yield_now();
        }
        assert_eq!(asked(), 3);
        input.open_gate();
        let blocks = lanes.into_iter().map(|lane| lane.join().expect("it does not panic"));
        assert_eq!(blocks.sum::<usize>(), 9);
    });
}

#[test]
fn lanes_that_wait_for_bytes_hear_of_the_end_of_the_run() {
    for is_cancelled in [false, true] {
        let (input, stop) = (Gated::new(2, 2, 1), Stop::default());
        let dispatch = dispatch(&input, 2);
        thread::scope(|scope| {
            let lane = || dispatch.block(&mut LaneCursor::default(), &stop);
            let lanes = [scope.spawn(lane), scope.spawn(lane)];
            if is_cancelled {
                stop.cancel()
            } else {
                stop.stop()
            }
            for lane in lanes {
                match lane.join().expect("it does not panic") {
                    Ok(block) => assert!(!is_cancelled && block.is_none()),
                    Err(error) => assert!(is_cancelled && matches!(error, Error::Cancelled)),
                }
            }
        });
    }
}

#[test]
fn a_sink_that_has_enough_does_not_wait_for_bytes_and_drops_their_readers() {
    for threads in 1..4 {
        // The first partition is ready, and those behind it never are.
        let input = Arc::new(Reversed(Gated::new(4, 0, 3)));
        let context = Context { threads, ..Context::default() };
        let mut seen = Vec::new();
        let sink = |at: (usize, usize)| {
            seen.push(at);
            Ok(if seen.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        stream(&context, &input, |_, block| Ok(block), |_| 0, sink).expect("nothing fails");
        assert_eq!(seen, [(0, 0), (0, 1)]);
        let gate = input.0.gate.lock().unwrap_or_else(PoisonError::into_inner);
        // Each lane may have opened one, if the first partition was read to its end meanwhile.
        assert!(gate.1.len() <= threads, "{} readers wait", gate.1.len());
        assert_eq!(Arc::strong_count(&input.0.gate), 1, "readers are gone");
    }
}

/// The same, but those that are shut are the last.
struct Reversed(Gated);

impl Input for Reversed {
    type Reader = Gate;

    fn partitions(&self) -> usize {
        self.0.partitions
    }

    fn open(&self, partition: usize) -> Gate {
        let shut = if partition == 0 { 0 } else { usize::MAX };
        Gate { of: Gated { shut, ..self.0.clone() }, at: (partition, 0) }
    }
}
