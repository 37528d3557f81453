//! The blocks of an input, handed to lanes whose readers wait for bytes.

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use super::{Witness, check};
use crate::block::Next;
use crate::{Error, Result};

#[path = "../../src/run/dispatch.rs"]
mod dispatch;
#[path = "../../src/run/lanes.rs"]
mod lanes;
#[path = "../../src/run/merge.rs"]
mod merge;
#[path = "../../src/run/parts.rs"]
mod parts;
#[path = "../../src/run/reduce.rs"]
mod reduce;
#[path = "../../src/run/schedule.rs"]
mod schedule;
#[path = "../../src/run/segments.rs"]
mod segments;
#[path = "../../src/run/shared_state.rs"]
mod shared_state;
#[path = "../../src/run/signal.rs"]
mod signal;
#[path = "../../src/run/spilled.rs"]
mod spilled;
#[path = "../../src/run/staged.rs"]
mod staged;
#[path = "../../src/run/stream.rs"]
mod stream;
#[path = "../../src/run/unordered.rs"]
mod unordered;

use dispatch::{Dispatch, EndState, Failure, LaneCursor, Step};
use reduce::Pass;
use schedule::{Policy, Schedule};
use segments::Segments;
use shared_state::SharedState;
use staged::{Staged, Weighed};
use unordered::FirstFailure;

use super::graph::Shared;
pub(crate) use super::graph::{Context, Stop};

pub(super) const MODELS: [(&str, fn()); 11] = [
    ("bytes that come at any moment", bytes_that_come_at_any_moment),
    ("lanes that share one reader", lanes_that_share_one_reader),
    ("lanes that wait for bytes are told of the end", lanes_that_wait_are_told_of_the_end),
    ("a lane has enough while another waits for bytes", a_lane_that_has_enough),
    ("segments of two lanes are merged in input order", segments_in_input_order),
    ("results of two lanes are handed on in input order", results_in_input_order),
    ("the first failure in input order is raised once", the_first_failure_is_raised),
    ("an ordered end has enough before a failure", enough_before_a_failure),
    ("each end is cancelled at any moment", ends_that_are_cancelled),
    ("lanes behind a stage see its blocks in their order", blocks_of_a_stage_in_their_order),
    ("a stage is told to stop or cancelled at any moment", a_stage_that_is_told_to_end),
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
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Block>>> + Send {
        async { unreachable!("lanes ask for steps") }
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

impl EndState for Nothing {
    fn record_failure<R, B>(&mut self, _: &mut Schedule<R, B>, _: Failure) {
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
        let mut mine = LaneCursor::default();
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

/// Numbers of blocks in partitions, all of which are there.
struct Numbered {
    blocks: &'static [usize],
    /// The block that cannot be read.
    fails: Option<(usize, usize)>,
    witness: Witness,
}

struct NumberedReader {
    at: (usize, usize),
    blocks: usize,
    fails: Option<(usize, usize)>,
    _witness: Witness,
}

impl Input for Numbered {
    type Reader = NumberedReader;

    fn partitions(&self) -> usize {
        self.blocks.len()
    }

    fn open(&self, partition: usize) -> NumberedReader {
        let (blocks, fails) = (self.blocks[partition], self.fails);
        NumberedReader { at: (partition, 0), blocks, fails, _witness: self.witness.clone() }
    }
}

impl Reader for NumberedReader {
    type Block = (usize, usize);

    async fn step(&mut self, _: usize) -> Result<Option<Next<(usize, usize)>>> {
        let at = self.at;
        if self.fails == Some(at) {
            return Err(failure(at));
        }
        self.at.1 += 1;
        Ok((at.1 < self.blocks).then_some(Next::Block(at)))
    }
}

fn failure(at: (usize, usize)) -> Error {
    Error::Changed { place: crate::Place::object(format!("{at:?}")) }
}

/// The blocks in the order in which they were fed, up to so many.
#[derive(Clone, Copy)]
struct Blocks {
    ordered: bool,
    enough: usize,
}

impl Pass<(usize, usize)> for Blocks {
    type State = Vec<(usize, usize)>;

    fn ordered(&self) -> bool {
        self.ordered
    }

    fn start(&self, _: &Context, _: &[Shared]) -> Self::State {
        Vec::new()
    }

    fn emptied(&self, _: &Self::State) -> Self::State {
        Vec::new()
    }

    fn feed(
        &self,
        _: &Context,
        _: &[Shared],
        state: &mut Self::State,
        block: (usize, usize),
    ) -> Result<()> {
        state.push(block);
        Ok(())
    }

    fn full(&self, state: &Self::State) -> bool {
        state.len() >= self.enough
    }

    fn merge(&self, into: &mut Self::State, from: Self::State) {
        into.extend(from);
    }

    fn weight(&self, _: &Self::State) -> usize {
        0
    }

    fn parts(&self, state: Self::State, _: u32) -> Vec<Self::State> {
        vec![state]
    }

    fn join(&self, parts: Vec<Self::State>) -> Self::State {
        parts.concat()
    }

    fn save(&self, _: &Self::State, _: &mut Vec<u8>) -> bool {
        false
    }

    fn load(&self, _: &mut Self::State, _: &[u8]) -> bool {
        false
    }
}

/// What two lanes make of an input at one of the ends: the blocks, in the order that the end gives them.
fn two_lanes(end: End, input: Numbered, stop: &Stop) -> Result<Vec<(usize, usize)>> {
    let context = Context { threads: 2, stop: stop.clone(), ..Context::default() };
    let input = Arc::new(input);
    match end {
        End::Segments { enough } => in_segments(input, enough, context),
        End::Staged { enough } => {
            let mut seen = 0;
            let stage = move |block| {
                seen += 1;
                let is_enough = seen >= enough;
                (
                    block,
                    Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }),
                )
            };
            let behind = context.after_reading();
            let staged = Staged::new(&context, input, Ok, |_| 0, stage);
            in_segments(Arc::new(staged), usize::MAX, behind)
        }
        End::Stream { enough } => {
            let given: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
            let gives = Arc::clone(&given);
            let sink = move |block| {
                let mut given = gives.lock().expect("nothing panics");
                given.push(block);
                let is_enough = given.len() >= enough;
                Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            };
            let (policy, results) = stream::Results::new(&context, sink);
            let dispatch = Arc::new(Dispatch::new(input, 2, policy, results));
            let (kept, of_lane) = (Arc::clone(&dispatch), context.clone());
            in_two(move |_| {
                stream::lane(&of_lane, &dispatch, &Ok, |_| 0, &|sink, block| sink(block));
                Ok(())
            })?;
            kept.lock().kept.ended(&context.stop)?;
            let given = given.lock().expect("nothing panics");
            Ok(given.clone())
        }
        End::Unordered => {
            let pass = Blocks { ordered: false, enough: usize::MAX };
            let dispatch = Dispatch::new(input, 2, Policy::Any, FirstFailure::default());
            let (dispatch, common) = (Arc::new(dispatch), Arc::new(SharedState::new(2)));
            let all: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
            let adds = Arc::clone(&all);
            in_two(move |_| {
                let held = unordered::lane(&context, &dispatch, &pass, &[], &common)?;
                adds.lock().expect("nothing panics").extend(held.state);
                Ok(())
            })?;
            let mut all = all.lock().expect("nothing panics").clone();
            all.sort_unstable();
            Ok(all)
        }
    }
}

/// What two lanes make of an input at an ordered end.
fn in_segments<I>(input: Arc<I>, enough: usize, context: Context) -> Result<Vec<(usize, usize)>>
where
    I: Input<Reader: Reader<Block = (usize, usize)>>,
{
    let pass = Blocks { ordered: true, enough };
    let dispatch = Arc::new(Dispatch::new(input, 2, Policy::Runs, Segments::default()));
    let kept = Arc::clone(&dispatch);
    in_two(move |n| segments::lane(n, &context, &dispatch, &pass, &[]).map(drop))?;
    let whole = std::mem::take(&mut kept.lock().kept).whole();
    let mut all: Vec<_> = whole.into_iter().flat_map(|held| held.state).collect();
    all.truncate(enough);
    Ok(all)
}

impl Weighed for (usize, usize) {
    fn weight(&self) -> usize {
        1
    }
}

/// The three ends of a run, and one behind a stage that sees all blocks in their order.
#[derive(Clone, Copy)]
enum End {
    Segments { enough: usize },
    Staged { enough: usize },
    Stream { enough: usize },
    Unordered,
}

const ENDS: [End; 3] =
    [End::Segments { enough: usize::MAX }, End::Stream { enough: usize::MAX }, End::Unordered];

/// Runs a lane on this thread and one on another. The failure is that of one of them, and of no more.
fn in_two(lane: impl Fn(usize) -> Result<()> + Send + Sync + 'static) -> Result<()> {
    let lane = Arc::new(lane);
    let other = loom::thread::spawn({
        let lane = Arc::clone(&lane);
        move || lane(1)
    });
    let (own, other) = (lane(0), other.join().expect("no panic"));
    assert!(own.is_ok() || other.is_ok() || matches!(own, Err(Error::Cancelled)), "raised twice");
    own.and(other)
}

fn all_of(blocks: &[usize]) -> Vec<(usize, usize)> {
    let partitions = blocks.iter().enumerate();
    partitions.flat_map(|(partition, &blocks)| (0..blocks).map(move |n| (partition, n))).collect()
}

/// What an end gives of blocks of which none fails.
fn in_input_order(end: End, blocks: &'static [usize]) {
    check(2, move |witness| {
        let input = Numbered { blocks, fails: None, witness: witness.clone() };
        let all = two_lanes(end, input, &Stop::default()).expect("nothing fails");
        assert_eq!(all, all_of(blocks));
    });
}

fn segments_in_input_order() {
    in_input_order(ENDS[0], &[2, 1]);
    in_input_order(ENDS[0], &[3]);
}

fn results_in_input_order() {
    in_input_order(ENDS[1], &[2, 1]);
    in_input_order(ENDS[1], &[3]);
}

fn the_first_failure_is_raised() {
    for end in ENDS {
        check(2, move |witness| {
            let fails = Some((0, 1));
            let input = Numbered { blocks: &[2, 1], fails, witness: witness.clone() };
            let error = two_lanes(end, input, &Stop::default()).expect_err("it fails");
            assert!(error.to_string().contains("(0, 1)"), "{error}");
        });
    }
}

fn enough_before_a_failure() {
    for end in [End::Segments { enough: 1 }, End::Stream { enough: 1 }] {
        check(2, move |witness| {
            let fails = Some((1, 0));
            let input = Numbered { blocks: &[1, 1], fails, witness: witness.clone() };
            let enough = two_lanes(end, input, &Stop::default()).expect("it has enough before");
            assert_eq!(enough, [(0, 0)]);
        });
    }
}

fn ends_that_are_cancelled() {
    for end in ENDS {
        check(2, move |witness| {
            let stop = Stop::default();
            let input = Numbered { blocks: &[1, 1], fails: None, witness: witness.clone() };
            let cancels = loom::thread::spawn({
                let stop = stop.clone();
                move || stop.cancel()
            });
            match two_lanes(end, input, &stop) {
                Ok(all) => assert_eq!(all, [(0, 0), (1, 0)], "it was done before"),
                Err(error) => assert!(matches!(error, Error::Cancelled), "{error}"),
            }
            cancels.join().expect("no panic");
        });
    }
}

/// An ordered end behind a stage.
const STAGED: End = End::Staged { enough: usize::MAX };

fn blocks_of_a_stage_in_their_order() {
    in_input_order(STAGED, &[2]);
    in_input_order(STAGED, &[1, 1]);
    check(2, |witness| {
        let input = Numbered { blocks: &[2], fails: Some((0, 1)), witness: witness.clone() };
        let enough = two_lanes(End::Staged { enough: 1 }, input, &Stop::default());
        assert_eq!(enough.expect("it has enough before"), [(0, 0)]);
    });
    check(2, |witness| {
        let input = Numbered { blocks: &[2], fails: Some((0, 1)), witness: witness.clone() };
        let error = two_lanes(STAGED, input, &Stop::default()).expect_err("it fails");
        assert!(error.to_string().contains("(0, 1)"), "{error}");
    });
}

fn a_stage_that_is_told_to_end() {
    for cancels in [true, false] {
        check(2, move |witness| {
            let stop = Stop::default();
            let input = Numbered { blocks: &[1, 1], fails: None, witness: witness.clone() };
            let tells = loom::thread::spawn({
                let stop = stop.clone();
                move || if cancels { stop.cancel() } else { stop.stop() }
            });
            match two_lanes(STAGED, input, &stop) {
                // What was read when it was told to stop, of either partition.
                Ok(all) => assert!(all.is_sorted() && (!cancels || all.len() == 2), "{all:?}"),
                Err(error) => assert!(cancels && matches!(error, Error::Cancelled), "{error}"),
            }
            tells.join().expect("no panic");
        });
    }
}
