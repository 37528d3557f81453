//! Many blocks to many results, in input order, through a window.
//!
//! Lanes work ahead of what was given to the sink, but only so far: a result waits until those
//! before it were given, and while [`Window::room`] are waiting only the partition that is next
//! goes on. So memory is bounded, and the reader of the first partition is never kept from making
//! the block that all others wait for.
//!
//! The lane that makes the result that is next gives it to the sink, and all that wait behind it.
//! Rejected: a thread of its own that takes the results. It is woken for each block, and where all
//! cores have work it is a lane that makes room for it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures::future::{Either, select};
use tokio::sync::Semaphore;

use super::{BlockOf, Context, Input, Reader};
use crate::block::Next;
use crate::graph::{Lineage, caught};
use crate::{Error, Result};

/// Where a block stands: partition, and block in it.
type Position = (usize, usize);

struct Window<'i, I: Input, T, S> {
    context: &'i Context,
    input: &'i I,
    weigh: fn(&T) -> usize,
    state: Mutex<State<I::Reader, T, S>>,
    changed: Condvar,
    /// Never has a permit, and is closed when the sink wants no more: that wakes the lanes that
    /// wait for bytes, which may never come.
    wanted: Semaphore,
}

struct State<R, T, S> {
    /// Partitions that are open, first to last; the first is the one whose results are next.
    open: VecDeque<Open<R>>,
    unopened: usize,
    /// Results that wait, and blocks that are being worked on.
    waiting: BTreeMap<Position, (usize, Result<T>)>,
    /// The bytes of those that wait.
    weight: usize,
    working: usize,
    /// Lanes that wait for a change: if there are none, nobody needs to be told.
    idle: usize,
    /// `None` while a lane gives it results.
    sink: Option<S>,
    /// How it ended, once the sink has what it wanted, or something failed.
    outcome: Option<Result<()>>,
}

struct Open<R> {
    partition: usize,
    /// `None` while a lane makes a block of it, and after its end.
    reader: Option<R>,
    /// How many blocks it has made.
    made: usize,
    ended: bool,
    /// How many of its results were given to the sink.
    given: usize,
}

/// Runs `work` over every block on `context.threads` threads, of which the caller's is one, and
/// gives its results to `sink`, in input order and one after another, until it breaks. `weigh` tells the
/// bytes of a result: those that wait take no more than the budget of states, if there is one.
///
/// # Errors
///
/// The first in input order, whatever lane met it first: what comes before is given to `sink`.
pub(crate) fn stream<I, T, W, S>(
    context: &Context,
    input: &I,
    work: W,
    weigh: fn(&T) -> usize,
    sink: S,
) -> Result<()>
where
    I: Input,
    T: Send,
    W: Fn(BlockOf<I>) -> Result<T> + Sync,
    S: FnMut(T) -> Result<ControlFlow<()>> + Send,
{
    let window = Window::new(context, input, weigh, sink);
    let lineage = Lineage::of_this_thread();
    thread::scope(|scope| {
        for n in 2..=context.threads {
            // Within a task there is a helper for each thread that the run has idle. One thread can
            // do it all, also where no other can be started.
            let Some(helper) = lineage.help(context.threads) else { break };
            let named = thread::Builder::new().name(format!("creel {n}"));
            let _ = named.spawn_scoped(scope, || helper.work(|| window.work(&work)));
        }
        window.work(&work);
    });
    let state = window.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.outcome {
        Some(outcome) => outcome,
        None if context.stop.is_cancelled() => Err(Error::Cancelled),
        None => Ok(()),
    }
}

/// What a lane finds to do.
enum Turn<R> {
    Work(usize, R),
    Wait,
    Home,
}

impl<R, T, S> State<R, T, S> {
    /// The next result in input order, if it waits.
    fn next(&mut self) -> Option<Result<T>> {
        while self.open.front().is_some_and(|open| open.ended && open.given == open.made) {
            self.open.pop_front();
        }
        let open = self.open.front_mut()?;
        let (weight, result) = self.waiting.remove(&(open.partition, open.given))?;
        self.weight -= weight;
        open.given += 1;
        Some(result)
    }
}

impl<'i, I, T, S> Window<'i, I, T, S>
where
    I: Input,
    T: Send,
    S: FnMut(T) -> Result<ControlFlow<()>> + Send,
{
    fn new(context: &'i Context, input: &'i I, weigh: fn(&T) -> usize, sink: S) -> Self {
        let state = State {
            open: VecDeque::new(),
            unopened: 0,
            waiting: BTreeMap::new(),
            weight: 0,
            working: 0,
            idle: 0,
            sink: Some(sink),
            outcome: None,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Self { context, input, weigh, state, changed, wanted: Semaphore::const_new(0) }
    }

    /// How many results may wait before lanes do: a few for each thread, so that a slow block
    /// does not stop the others at once.
    fn room(&self) -> usize {
        4 * self.context.threads.max(1)
    }

    /// One lane: block after block until none is left.
    fn work(&self, work: &(impl Fn(BlockOf<I>) -> Result<T> + Sync)) {
        while let Some((partition, mut reader)) = self.hold() {
            let made = match caught("read", || self.read(&mut reader)).transpose() {
                Some(Ok(Next::Undecoded(piece))) => {
                    self.release(partition, Some(reader), false);
                    // The reader hears of a panic: nothing comes of the piece.
                    let _ = caught("decode", || {
                        piece.decode();
                        Ok(())
                    });
                    continue;
                }
                Some(Ok(Next::Block(block))) => Some(Ok(block)),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            };
            let reader = matches!(made, Some(Ok(_))).then_some(reader);
            let position = self.release(partition, reader, made.is_some());
            let result = made.map(|block| block.and_then(|block| caught("stream", || work(block))));
            let mut state = self.lock();
            if let Some(result) = result {
                state.working -= 1;
                let weight = result.as_ref().map_or(0, self.weigh);
                state.weight += weight;
                state.waiting.insert(position, (weight, result));
            }
            self.give(state);
        }
    }

    /// Gives the sink all results that are next, unless another lane does so already.
    fn give<'s>(&'s self, mut state: MutexGuard<'s, State<I::Reader, T, S>>) {
        while state.outcome.is_none()
            && let Some(mut sink) = state.sink.take()
        {
            let Some(result) = state.next() else {
                state.sink = Some(sink);
                break;
            };
            drop(state);
            let flow = result.and_then(|result| caught("stream", || sink(result)));
            state = self.lock();
            state.sink = Some(sink);
            state.outcome = match flow {
                Ok(ControlFlow::Continue(())) => None,
                Ok(ControlFlow::Break(())) => Some(Ok(())),
                Err(error) => Some(Err(error)),
            };
            self.tell(&state);
        }
        if state.outcome.is_some() {
            self.wanted.close();
        }
        self.tell(&state);
    }

    /// The next block of a reader; `None` after its last, and when nobody wants it any more.
    fn read(&self, reader: &mut I::Reader) -> Result<Option<Next<BlockOf<I>>>> {
        let next = pin!(reader.step(self.context.threads));
        let unwanted = pin!(self.wanted.acquire());
        match self.context.stop.wait(select(next, unwanted)) {
            Some(Either::Left((next, _))) => next,
            Some(Either::Right(_)) | None => Ok(None),
        }
    }

    /// A reader for this lane alone: of the first open partition that is free.
    fn hold(&self) -> Option<(usize, I::Reader)> {
        let mut state = self.lock();
        loop {
            match self.turn(&mut state) {
                Turn::Work(partition, reader) => {
                    state.working += 1;
                    return Some((partition, reader));
                }
                Turn::Home => {
                    // The others may have looked before the run was told to end.
                    self.tell(&state);
                    return None;
                }
                Turn::Wait => {
                    state.idle += 1;
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.idle -= 1;
                }
            }
        }
    }

    fn turn(&self, state: &mut State<I::Reader, T, S>) -> Turn<I::Reader> {
        if state.outcome.is_some() || self.context.stop.is_set() {
            return Turn::Home;
        }
        let ahead = state.waiting.len() + state.working;
        let partitions = self.input.partitions();
        if state.open.iter().all(|open| open.ended) && state.unopened == partitions {
            return Turn::Home;
        }
        // Where results take much memory, only the first partition goes on: all of them wait for it, and
        // the readers of others may wait too, for a window that it has.
        let budget = self.context.budget.as_deref();
        let most = budget.map_or(u64::MAX, |budget| budget.limit().saturating_sub(budget.held()));
        let is_full = state.weight as u64 > most;
        // The first partition may go on for longer: its next block may be the one all wait for.
        let room = |n: usize| if n == 0 { 2 * self.room() } else { self.room() };
        for (n, open) in state.open.iter_mut().enumerate() {
            if ahead < room(n)
                && (n == 0 || !is_full)
                && let Some(reader) = open.reader.take()
            {
                return Turn::Work(open.partition, reader);
            }
        }
        let opens = !is_full || state.open.is_empty();
        if opens && state.unopened < partitions && ahead < room(state.open.len()) {
            let partition = state.unopened;
            state.unopened += 1;
            state.open.push_back(Open { partition, reader: None, made: 0, ended: false, given: 0 });
            return Turn::Work(partition, self.input.open(partition));
        }
        Turn::Wait
    }

    /// Gives a reader back, or `None` for one that has ended; says where the block stands that it
    /// has made, if it has.
    fn release(&self, partition: usize, reader: Option<I::Reader>, made: bool) -> Position {
        let mut state = self.lock();
        let first = state.open.front().map_or(0, |open| open.partition);
        let open = &mut state.open[partition - first];
        open.ended = reader.is_none();
        open.reader = reader;
        let position = (partition, open.made);
        open.made += usize::from(made);
        state.working -= usize::from(!made);
        self.tell(&state);
        position
    }

    /// Wakes the lanes that wait for a change, if there are some: telling nobody costs as much.
    fn tell(&self, state: &State<I::Reader, T, S>) {
        if state.idle > 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<I::Reader, T, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::task::Poll;

    use super::*;
    use crate::run::tests::Numbers;
    use crate::spill::Budget;

    fn streamed(input: &Numbers, threads: usize, most: usize) -> Result<Vec<u32>> {
        let context = Context { threads, ..Context::default() };
        let mut seen = Vec::new();
        stream(&context, input, Ok, Vec::len, |block: Vec<u32>| {
            seen.extend(block);
            Ok(if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(seen)
    }

    /// Partitions of five blocks, of which those behind the second wait until the first is read.
    struct Gated(Arc<AtomicBool>);

    struct Gate {
        partition: usize,
        left: usize,
        is_open: Arc<AtomicBool>,
    }

    impl Input for Gated {
        type Reader = Gate;

        fn partitions(&self) -> usize {
            4
        }

        fn open(&self, partition: usize) -> Gate {
            Gate { partition, left: 5, is_open: Arc::clone(&self.0) }
        }
    }

    impl Reader for Gate {
        type Block = Vec<u32>;

        async fn next(&mut self) -> Result<Option<Vec<u32>>> {
            poll_fn(|cx| {
                if self.partition < 2 || self.is_open.load(SeqCst) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            if self.left == 0 {
                self.is_open.fetch_or(self.partition == 0, SeqCst);
                return Ok(None);
            }
            self.left -= 1;
            Ok(Some(vec![self.partition as u32]))
        }
    }

    #[test]
    fn the_first_partition_goes_on_while_results_fill_the_memory_and_readers_wait_for_it() {
        for threads in 1..6 {
            let budget = Some(Arc::new(Budget::new(0, None)));
            let context = Context { threads, budget, ..Context::default() };
            let mut seen = Vec::new();
            let sink = |block: Vec<u32>| {
                seen.extend(block);
                Ok(ControlFlow::Continue(()))
            };
            stream(&context, &Gated(Arc::default()), Ok, Vec::len, sink).expect("nothing fails");
            let expected: Vec<u32> = (0..4).flat_map(|partition| [partition; 5]).collect();
            assert_eq!(seen, expected, "{threads} threads");
        }
    }

    #[test]
    fn results_come_in_input_order_on_any_number_of_threads() {
        for threads in 1..6 {
            for (partitions, blocks) in [(0, 0), (1, 0), (1, 100), (100, 1), (7, 13)] {
                let input = Numbers::new(partitions, blocks);
                let seen = streamed(&input, threads, usize::MAX).expect("nothing fails");
                assert_eq!(seen, input.all(), "{partitions} x {blocks} on {threads}");
            }
        }
    }

    #[test]
    fn a_sink_that_breaks_stops_the_reading() {
        for threads in 1..4 {
            let input = Numbers::new(1000, 10);
            assert_eq!(streamed(&input, threads, 5).expect("nothing fails"), [0, 1, 2, 3, 4]);
            assert!(input.opened() <= 40, "{} partitions were opened", input.opened());
        }
    }

    #[test]
    fn the_first_error_in_input_order_is_the_one_reported() {
        for threads in 1..5 {
            let input = Numbers::failing(20, 5, &[(3, 2), (9, 0)]);
            let error = streamed(&input, threads, usize::MAX).expect_err("it fails");
            assert!(error.to_string().contains("block 2 of 3"), "{error}");
            // What stands before the error can still be had.
            assert_eq!(streamed(&input, threads, 17).expect("not reached").len(), 17);
        }
    }

    #[test]
    fn a_panic_in_the_work_is_an_error() {
        let (context, input) = (Context::default(), Numbers::new(3, 3));
        let work = |block: Vec<u32>| if block == [4] { panic!("four") } else { Ok(block) };
        let error = stream(&context, &input, work, Vec::len, |_| Ok(ControlFlow::Continue(())));
        assert!(matches!(error, Err(Error::Panic { message, .. }) if message == "four"));
    }
}
