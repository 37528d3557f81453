//! The blocks of an input, handed to lanes whose readers wait for bytes.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use super::{Witness, check};
use crate::block::Next;
use crate::{Error, Result};

#[path = "../../src/run/dispatch.rs"]
mod dispatch;
#[path = "../../src/run/schedule.rs"]
mod schedule;
#[path = "../../src/run/signal.rs"]
mod signal;

use dispatch::{Dispatch, Failure, Keep, Mine, Step};
use schedule::{Policy, Schedule};

pub(crate) use super::graph::Stop;

pub(super) const MODELS: [(&str, fn()); 4] = [
    ("bytes that come at any moment", bytes_that_come_at_any_moment),
    ("lanes that share one reader", lanes_that_share_one_reader),
    ("lanes that wait for bytes are told of the end", lanes_that_wait_are_told_of_the_end),
    ("a lane has enough while another waits for bytes", a_lane_that_has_enough),
];

// As in `src/run/mod.rs`.
pub(crate) const READY: usize = 8 << 20;

pub(crate) trait Input: Send + Sync + 'static {
    type Reader: Reader;
    fn partitions(&self) -> usize;
    fn open(&self, partition: usize) -> Self::Reader;
}

pub(crate) trait Reader: Send + 'static {
    type Block: Send;
    fn weight(_: &Self::Block) -> usize {
        1
    }
    fn step(
        &mut self,
        lanes: usize,
    ) -> impl Future<Output = Result<Option<Next<Self::Block>>>> + Send;
}

pub(crate) type BlockOf<I> = <<I as Input>::Reader as Reader>::Block;

/// Partitions of so many blocks; the bytes of the first come when somebody opens the gate.
struct Gated {
    blocks: &'static [usize],
    gate: Arc<Mutex<(bool, Vec<Waker>)>>,
    witness: Witness,
}

/// A reader, and where it stands.
struct Gate {
    partition: usize,
    left: usize,
    gate: Arc<Mutex<(bool, Vec<Waker>)>>,
    _witness: Witness,
}

impl Input for Gated {
    type Reader = Gate;

    fn partitions(&self) -> usize {
        self.blocks.len()
    }

    fn open(&self, partition: usize) -> Gate {
        let (left, gate) = (self.blocks[partition], Arc::clone(&self.gate));
        Gate { partition, left, gate, _witness: self.witness.clone() }
    }
}

impl Reader for Gate {
    type Block = usize;

    async fn step(&mut self, _: usize) -> Result<Option<Next<usize>>> {
        poll_fn(|cx| {
            let mut gate = self.gate.lock().expect("nothing panics");
            if gate.0 || self.partition > 0 {
                return Poll::Ready(());
            }
            gate.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        let block = self.left.checked_sub(1);
        self.left = block.unwrap_or(0);
        Ok(block.map(|_| Next::Block(self.partition)))
    }
}

fn open(gate: &Mutex<(bool, Vec<Waker>)>) {
    let wakers = {
        let mut gate = gate.lock().expect("nothing panics");
        gate.0 = true;
        std::mem::take(&mut gate.1)
    };
    wakers.into_iter().for_each(Waker::wake);
}

/// An end that keeps nothing.
struct Nothing;

impl Keep for Nothing {
    fn fails<R, B>(&mut self, _: &mut Schedule<R, B>, _: Failure) {
        unreachable!("nothing fails")
    }
}

struct Lanes {
    dispatch: Dispatch<Gated, Nothing>,
    /// The blocks of each partition that were worked on.
    worked: [AtomicUsize; 2],
}

impl Lanes {
    fn new(blocks: &'static [usize], policy: Policy, witness: &Witness) -> Arc<Self> {
        let input = Gated { blocks, gate: Arc::default(), witness: witness.clone() };
        let dispatch = Dispatch::new(Arc::new(input), 2, policy, Nothing);
        Arc::new(Self { dispatch, worked: Default::default() })
    }

    /// A lane, which ends when it has worked on a block that is enough.
    fn lane(&self, stop: &Stop, is_enough: impl Fn(usize) -> bool) -> Result<()> {
        let mut mine = Mine::default();
        while let Some(step) = self.dispatch.step(&mut mine, stop)? {
            let Step::Block(_, partition) = step else { continue };
            self.worked[partition].fetch_add(1, SeqCst);
            if is_enough(partition) {
                self.dispatch.end(self.dispatch.lock());
                break;
            }
        }
        Ok(())
    }

    fn worked(&self) -> [usize; 2] {
        [0, 1].map(|partition| self.worked[partition].load(SeqCst))
    }
}

/// Two lanes over these blocks, while the gate is opened.
fn all_blocks(blocks: &'static [usize], preemptions: usize) {
    check(preemptions, move |witness| {
        let (lanes, stop) = (Lanes::new(blocks, Policy::Any, witness), Stop::default());
        let gate = Arc::clone(&lanes.dispatch.input.gate);
        let opens = loom::thread::spawn(move || open(&gate));
        let other = loom::thread::spawn({
            let (lanes, stop) = (Arc::clone(&lanes), stop.clone());
            move || lanes.lane(&stop, |_| false)
        });
        lanes.lane(&stop, |_| false).expect("nothing fails");
        other.join().expect("no panic").expect("nothing fails");
        opens.join().expect("no panic");
        assert_eq!(lanes.worked().into_iter().sum::<usize>(), blocks.iter().sum::<usize>());
    });
}

fn bytes_that_come_at_any_moment() {
    all_blocks(&[1, 1], 2);
}

fn lanes_that_share_one_reader() {
    all_blocks(&[2], 2);
}

fn lanes_that_wait_are_told_of_the_end() {
    for cancels in [true, false] {
        check(2, move |witness| {
            let (lanes, stop) = (Lanes::new(&[1, 1], Policy::Any, witness), Stop::default());
            let other = loom::thread::spawn({
                let (lanes, stop) = (Arc::clone(&lanes), stop.clone());
                move || lanes.lane(&stop, |_| false)
            });
            let tells = loom::thread::spawn({
                let stop = stop.clone();
                move || if cancels { stop.cancel() } else { stop.stop() }
            });
            for ended in [lanes.lane(&stop, |_| false), other.join().expect("no panic")] {
                match ended {
                    Ok(()) => assert!(!cancels),
                    Err(error) => assert!(cancels && matches!(error, Error::Cancelled)),
                }
            }
            tells.join().expect("no panic");
            let [shut, ready] = lanes.worked();
            assert!(shut == 0 && ready <= 1);
        });
    }
}

fn a_lane_that_has_enough() {
    check(2, |witness| {
        let (lanes, stop) = (Lanes::new(&[1, 1], Policy::Any, witness), Stop::default());
        let other = loom::thread::spawn({
            let (lanes, stop) = (Arc::clone(&lanes), stop.clone());
            move || lanes.lane(&stop, |partition| partition == 1)
        });
        lanes.lane(&stop, |partition| partition == 1).expect("nothing fails");
        other.join().expect("no panic").expect("nothing fails");
        assert_eq!(lanes.worked(), [0, 1], "what was waited for is not wanted");
    });
}
