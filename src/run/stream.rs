//! Many blocks to many results, in input order, through a window.
//!
//! Lanes work ahead of the one who takes the results, but only so far: a result waits until
//! those before it were taken, and while [`Window::room`] are waiting only the partition that
//! is next to be taken goes on. So memory is bounded, and the reader of the first partition is
//! never kept from making the block that all others wait for.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures::future::{Either, select};
use tokio::sync::Semaphore;

use super::{BlockOf, Context, Input, Reader};
use crate::graph::caught;
use crate::{Error, Result};

/// Where a block stands: partition, and block in it.
type Position = (usize, usize);

struct Window<'i, I: Input, T> {
    context: &'i Context,
    input: &'i I,
    state: Mutex<State<I::Reader, T>>,
    changed: Condvar,
    /// Never has a permit, and is closed when the taker is gone: that wakes the lanes that wait
    /// for bytes, which may never come.
    taken: Semaphore,
}

struct State<R, T> {
    /// Partitions that are open, first to last; the first is the one being taken.
    open: VecDeque<Open<R>>,
    unopened: usize,
    /// Results that wait, and blocks that are being worked on.
    waiting: BTreeMap<Position, Result<T>>,
    working: usize,
    /// The taker is gone, or has what it wanted.
    closed: bool,
}

struct Open<R> {
    partition: usize,
    /// `None` while a lane makes a block of it, and after its end.
    reader: Option<R>,
    /// How many blocks it has made.
    made: usize,
    ended: bool,
    /// How many of its results were taken.
    taken: usize,
}

/// Runs `work` over every block on `context.threads` threads, and gives its results to `sink` on
/// the caller's thread, in input order, until it breaks.
///
/// # Errors
///
/// The first in input order, whatever lane met it first: what comes before is given to `sink`.
pub(crate) fn stream<I, T, W, S>(context: &Context, input: &I, work: W, mut sink: S) -> Result<()>
where
    I: Input,
    T: Send,
    W: Fn(BlockOf<I>) -> Result<T> + Sync,
    S: FnMut(T) -> Result<ControlFlow<()>>,
{
    let window = Window::new(context, input);
    thread::scope(|scope| {
        for n in 1..=context.threads.max(1) {
            let named = thread::Builder::new().name(format!("creel {n}"));
            let spawned = named.spawn_scoped(scope, || window.work(&work));
            if let (1, Err(source)) = (n, spawned) {
                let place = crate::Place::object("a thread to work on");
                return Err(Error::Io { place, source: source.into() });
            }
        }
        let _close = Close(&window);
        while let Some(result) = window.take() {
            if sink(result?)?.is_break() {
                return Ok(());
            }
        }
        if context.stop.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    })
}

/// Sends the lanes home, also when the sink fails or panics.
struct Close<'w, 'i, I: Input, T: Send>(&'w Window<'i, I, T>);

impl<I: Input, T: Send> Drop for Close<'_, '_, I, T> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.taken.close();
        self.0.changed.notify_all();
    }
}

/// What a lane finds to do.
enum Turn<R> {
    Work(usize, R),
    Wait,
    Home,
}

impl<'i, I: Input, T: Send> Window<'i, I, T> {
    fn new(context: &'i Context, input: &'i I) -> Self {
        let state = State {
            open: VecDeque::new(),
            unopened: 0,
            waiting: BTreeMap::new(),
            working: 0,
            closed: false,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Self { context, input, state, changed, taken: Semaphore::const_new(0) }
    }

    /// How many results may wait before lanes do: a few for each thread, so that a slow block
    /// does not stop the others at once.
    fn room(&self) -> usize {
        4 * self.context.threads.max(1)
    }

    /// One lane: block after block until none is left.
    fn work(&self, work: &(impl Fn(BlockOf<I>) -> Result<T> + Sync)) {
        while let Some((partition, mut reader)) = self.hold() {
            let made = caught("read", || self.read(&mut reader));
            let made = made.transpose();
            let reader = matches!(made, Some(Ok(_))).then_some(reader);
            let Some(position) = self.release(partition, reader, made.is_some()) else { continue };
            let result = made.unwrap_or_else(|| unreachable!("only a result has a position"));
            let result = result.and_then(|block| caught("stream", || work(block)));
            let mut state = self.lock();
            state.working -= 1;
            state.waiting.insert(position, result);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The next block of a reader; `None` after its last, and when nobody wants it any more.
    fn read(&self, reader: &mut I::Reader) -> Result<Option<BlockOf<I>>> {
        let (block, taken) = (pin!(reader.next()), pin!(self.taken.acquire()));
        match self.context.stop.wait(select(block, taken)) {
            Some(Either::Left((block, _))) => block,
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
                    // Whoever takes may have looked before the run was told to end, and waits for
                    // a result that this lane will not make.
                    drop(state);
                    self.changed.notify_all();
                    return None;
                }
                Turn::Wait => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn turn(&self, state: &mut State<I::Reader, T>) -> Turn<I::Reader> {
        if state.closed || self.context.stop.is_set() {
            return Turn::Home;
        }
        let ahead = state.waiting.len() + state.working;
        let partitions = self.input.partitions();
        if state.open.iter().all(|open| open.ended) && state.unopened == partitions {
            return Turn::Home;
        }
        // The first partition may go on for longer: its next block may be the one all wait for.
        let room = |n: usize| if n == 0 { 2 * self.room() } else { self.room() };
        for (n, open) in state.open.iter_mut().enumerate() {
            if ahead < room(n)
                && let Some(reader) = open.reader.take()
            {
                return Turn::Work(open.partition, reader);
            }
        }
        if state.unopened < partitions && ahead < room(state.open.len()) {
            let partition = state.unopened;
            state.unopened += 1;
            state.open.push_back(Open { partition, reader: None, made: 0, ended: false, taken: 0 });
            return Turn::Work(partition, self.input.open(partition));
        }
        Turn::Wait
    }

    /// Gives a reader back, or `None` for one that has ended; says where what it made stands.
    fn release(&self, partition: usize, reader: Option<I::Reader>, made: bool) -> Option<Position> {
        let mut state = self.lock();
        let first = state.open.front().map_or(0, |open| open.partition);
        let open = &mut state.open[partition - first];
        open.ended = reader.is_none();
        open.reader = reader;
        let position = made.then_some((partition, open.made));
        open.made += usize::from(made);
        state.working -= usize::from(!made);
        drop(state);
        self.changed.notify_all();
        position
    }

    /// The next result in input order; `None` after the last.
    fn take(&self) -> Option<Result<T>> {
        let mut state = self.lock();
        loop {
            while state.open.front().is_some_and(|open| open.ended && open.taken == open.made) {
                state.open.pop_front();
                self.changed.notify_all();
            }
            let next = state.open.front().map(|open| (open.partition, open.taken));
            if let Some(result) = next.and_then(|position| state.waiting.remove(&position)) {
                state.open[0].taken += 1;
                self.changed.notify_all();
                return Some(result);
            }
            let ended = state.open.is_empty() && state.unopened == self.input.partitions();
            let stopped = self.context.stop.is_set() && state.working == 0;
            if ended || stopped {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<I::Reader, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::Numbers;

    fn streamed(input: &Numbers, threads: usize, most: usize) -> Result<Vec<u32>> {
        let context = Context { threads, ..Context::default() };
        let mut seen = Vec::new();
        stream(&context, input, Ok, |block: Vec<u32>| {
            seen.extend(block);
            Ok(if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(seen)
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
        let error = stream(&context, &input, work, |_| Ok(ControlFlow::Continue(())));
        assert!(matches!(error, Err(Error::Panic { message, .. }) if message == "four"));
    }
}
