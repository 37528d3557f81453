//! An input of what a stage makes that sees the blocks of another input in their order.
//!
//! Lanes work on the blocks of that input in any order; one of them hands the results to the stage, in
//! input order, through a window as a [`stream`](super::stream()) does. What the stage makes of each are
//! blocks again, which any lane takes: so everything before the stage and behind it uses all threads.
//!
//! All of it is behind one reader. It never works itself: it hands out steps of the inner schedule as
//! work that any lane may do ([`Next::Undecoded`]), as readers of compressed data do, and the blocks that
//! have come of them.
//!
//! A run that is told to stop reading goes on with what was read: so lanes behind the stage hear of a
//! cancellation alone, and it is the inner schedule that hears of the stop, hands out what it has, and ends.
//!
//! Rejected: to write down what the stage lets through, and to read that as another input. It costs a
//! pass, and memory or disk for all of it, and errors lose their objects and offsets.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};
use std::task::{Context as Task, Poll};

use super::dispatch::{Dispatch, LaneCursor, Step, Tried, TurnOf};
use super::lanes;
use super::stream::{Results, hand_on, work_on};
use super::{BlockOf, Context, Input, Reader, Stop};
use crate::Result;
use crate::block::{Next, Undecoded};
use crate::graph::sync::{AtomicUsize, Mutex, MutexGuard, Ordering};
use crate::graph::{StopEntry, caught};

/// See the [module](self).
pub(crate) struct Staged<I: Input, T, U> {
    shared: Arc<Shared<I, T, U>>,
    /// None if nothing is wanted.
    partitions: usize,
}

/// What hands a result to the stage.
type Give<T> = Box<dyn FnMut(T) -> Result<ControlFlow<()>> + Send>;

/// What lanes make of a block.
type Work<B, T> = Box<dyn Fn(B) -> Result<T> + Send + Sync>;

struct Shared<I: Input, T, U> {
    dispatch: Arc<Dispatch<I, Results<T, Give<T>>>>,
    work: Work<BlockOf<I>, T>,
    weigh: fn(&T) -> usize,
    made: Arc<Made<U>>,
    /// Steps that lanes do right now.
    under_way: AtomicUsize,
    stop: Stop,
}

/// Blocks that the stage has made, until the reader gives them out.
type Made<U> = Mutex<VecDeque<U>>;

impl<I: Input, T, U> Staged<I, T, U>
where
    T: Send + 'static,
    U: Send + 'static,
{
    /// What `stage` makes of the results of `work` over the blocks of an input, until it breaks or fails: what
    /// it has made of the last result stands before its failure. `weigh` is that of a
    /// [`stream`](super::stream()).
    pub(crate) fn new(
        context: &Context,
        input: Arc<I>,
        work: impl Fn(BlockOf<I>) -> Result<T> + Send + Sync + 'static,
        weigh: fn(&T) -> usize,
        mut stage: impl FnMut(T) -> (U, Result<ControlFlow<()>>) + Send + 'static,
    ) -> Self {
        let made = Arc::new(Made::default());
        let into = Arc::clone(&made);
        let give = move |result| {
            let (block, flow) = stage(result);
            lock(&into).push_back(block);
            flow
        };
        let (policy, results) = Results::new(context, Box::new(give) as Give<T>);
        let dispatch = lanes::dispatch(context, input, policy, results);
        let (work, under_way) = (Box::new(work), AtomicUsize::new(0));
        let stop = context.stop.clone();
        let shared = Shared { dispatch, work, weigh, made, under_way, stop };
        Self { shared: Arc::new(shared), partitions: 1 }
    }

    /// The same without a block, which reads nothing.
    pub(crate) fn empty(self) -> Self {
        Self { partitions: 0, ..self }
    }
}

impl<I, T, U> Input for Staged<I, T, U>
where
    I: Input,
    T: Send + 'static,
    U: Weighed + Send + 'static,
{
    type Reader = StagedReader<I, T, U>;

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn open(&self, _: usize) -> Self::Reader {
        StagedReader { shared: Arc::clone(&self.shared), waits: false, stops: None }
    }
}

/// A block that knows the bytes of memory that it takes.
pub(crate) trait Weighed {
    fn weight(&self) -> usize;
}

/// Reads a [`Staged`] input.
pub(crate) struct StagedReader<I: Input, T, U> {
    shared: Arc<Shared<I, T, U>>,
    /// Whether it is among the lanes that wait for a turn.
    waits: bool,
    /// Its place among those that are woken when the run is told to end.
    stops: Option<StopEntry>,
}

impl<I, T, U> Reader for StagedReader<I, T, U>
where
    I: Input,
    T: Send + 'static,
    U: Weighed + Send + 'static,
{
    type Block = U;

    async fn next(&mut self) -> Result<Option<U>> {
        loop {
            match self.step(1).await? {
                None => return Ok(None),
                Some(Next::Block(block)) => return Ok(Some(block)),
                Some(Next::Undecoded(step)) => step.decode(),
            }
        }
    }

    fn weight(block: &U) -> usize {
        block.weight()
    }

    async fn step(&mut self, _: usize) -> Result<Option<Next<U>>> {
        poll_fn(|cx| self.poll_step(cx)).await
    }
}

impl<I, T, U> StagedReader<I, T, U>
where
    I: Input,
    T: Send + 'static,
    U: Send + 'static,
{
    fn poll_step(&mut self, cx: &mut Task<'_>) -> Poll<Result<Option<Next<U>>>> {
        // Before it looks, so that it misses nothing that comes meanwhile.
        self.shared.dispatch.listen(Some(cx.waker().clone()));
        // A reader has one waker for all of its life.
        self.stops.get_or_insert_with(|| self.shared.stop.enter(cx.waker().clone()));
        let next = self.next_step();
        if next.is_ready() {
            self.shared.dispatch.listen(None);
        }
        next
    }

    fn next_step(&mut self) -> Poll<Result<Option<Next<U>>>> {
        if let Some(block) = self.made() {
            return Poll::Ready(Ok(Some(Next::Block(block))));
        }
        let dispatch = &self.shared.dispatch;
        // Before the turn is taken: a step that ends behind this is seen by the listener.
        let under_way = self.shared.under_way.load(Ordering::SeqCst);
        match dispatch.try_turn(&mut self.waits, &self.shared.stop) {
            Tried::Turn(turn) => {
                let step = UnderWay::new(Arc::clone(&self.shared));
                let work = move || step.work_on(turn);
                Poll::Ready(Ok(Some(Next::Undecoded(Undecoded::new(work)))))
            }
            Tried::Wait => Poll::Pending,
            Tried::Exit if under_way > 0 => Poll::Pending,
            Tried::Exit => match self.made() {
                Some(block) => Poll::Ready(Ok(Some(Next::Block(block)))),
                None => Poll::Ready(self.shared.ended().map(|()| None)),
            },
        }
    }

    fn made(&self) -> Option<U> {
        lock(&self.shared.made).pop_front()
    }
}

impl<I: Input, T, U> Shared<I, T, U> {
    /// How the stage has ended, when there is no other step. A run that was cancelled has not come to its end.
    fn ended(&self) -> Result<()> {
        self.dispatch.lock().kept.ended(&self.stop)
    }

    /// Takes a step of the inner schedule.
    fn work_on(&self, turn: TurnOf<I>) {
        let mut mine = LaneCursor::default();
        match self.dispatch.take(turn, &mut mine) {
            // The end of the input keeps the failure of a reader.
            Err(_) => {}
            Ok(Step::Read) => hand_on(&self.dispatch, self.dispatch.lock(), &give),
            Ok(Step::Block(at, block)) => {
                work_on(&self.dispatch, &mut mine, at, || (self.work)(block), self.weigh, &give);
            }
        }
    }
}

fn give<T>(stage: &mut Give<T>, result: T) -> Result<ControlFlow<()>> {
    stage(result)
}

/// A step, counted until it is done, also by a panic.
struct UnderWay<I: Input, T, U> {
    shared: Arc<Shared<I, T, U>>,
}

impl<I: Input, T, U> UnderWay<I, T, U> {
    fn new(shared: Arc<Shared<I, T, U>>) -> Self {
        shared.under_way.fetch_add(1, Ordering::SeqCst);
        Self { shared }
    }

    /// Takes it. Were its block lost by a panic, the input would seem to be at its end.
    fn work_on(self, turn: TurnOf<I>) {
        let worked = caught("stream", || {
            self.shared.work_on(turn);
            Ok(())
        });
        if let Err(error) = worked {
            self.shared.dispatch.lock().kept.fails(error);
        }
    }
}

impl<I: Input, T, U> Drop for UnderWay<I, T, U> {
    fn drop(&mut self) {
        self.shared.under_way.fetch_sub(1, Ordering::SeqCst);
        self.shared.dispatch.wake_listener();
    }
}

fn lock<U>(made: &Made<U>) -> MutexGuard<'_, VecDeque<U>> {
    made.lock().unwrap_or_else(PoisonError::into_inner)
}
