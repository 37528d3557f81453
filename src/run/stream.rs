//! Many blocks to many results, in input order, through a window.
//!
//! Lanes work ahead of what was given to the sink, but only so far: see [`Policy::Window`]. So memory is
//! bounded, and the reader of the first partition is never kept from making the block that all others
//! wait for.
//!
//! The lane that makes the result that is next gives it to the sink, and all that wait behind it.
//! Rejected: a thread of its own that takes the results. It is woken for each block, and where all
//! cores have work it is a lane that makes room for it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::dispatch::{Dispatch, EndState, Failure, LaneCursor, State, Step};
use super::lanes;
use super::schedule::{Policy, Position, Schedule, Wake};
use super::{BlockOf, Context, Input, Stop};
use crate::graph::sync::MutexGuard;
use crate::graph::{Name, Node, Outcome, Shared, caught};
use crate::memory::Reservation;
use crate::spill::Budget;
use crate::{Error, Result};

/// Results that wait for a lane of so many to go on: a few for each, so that a slow block does not
/// stop the others at once.
const ROOM: usize = 4;

/// What a window keeps.
pub(super) struct Results<T, S> {
    /// Results that wait, and the bytes that each takes.
    waiting: BTreeMap<Position, (usize, Result<T>)>,
    /// The bytes of all of these, reserved of the budget of a run that has one.
    weight: usize,
    reserved: Option<Reservation>,
    budget: Option<Arc<Budget>>,
    /// `None` while a lane gives it results.
    sink: Option<S>,
    /// How it ended, once the sink has what it wanted, or something failed.
    outcome: Option<Result<()>>,
}

impl<T, S> EndState for Results<T, S> {
    fn is_full(&self) -> bool {
        let Some(budget) = &self.budget else { return false };
        budget.has_retired() || self.weight > 0 && budget.is_over()
    }

    fn record_failure<R, B>(
        &mut self,
        schedule: &mut Schedule<R, B>,
        Failure { at, error }: Failure,
    ) {
        schedule.result();
        self.waiting.insert(at, (0, Err(error)));
    }
}

impl<T, S> Results<T, S> {
    /// A window for the lanes of a run.
    pub(super) fn new(context: &Context, sink: S) -> (Policy, Self) {
        let policy = Policy::Window { room: ROOM * context.threads.max(1) };
        let (waiting, budget) = (BTreeMap::new(), context.budget.clone());
        let reserved = budget.as_ref().map(|budget| budget.reserve(0));
        (policy, Self { waiting, weight: 0, reserved, budget, sink: Some(sink), outcome: None })
    }

    /// Enters what all results that wait take.
    fn weighs(&mut self, weight: usize) {
        self.weight = weight;
        self.reserved.iter_mut().for_each(|reserved| reserved.set(weight as u64));
    }

    /// How it ended, when no lane is left.
    pub(super) fn ended(&mut self, stop: &Stop) -> Result<()> {
        match self.outcome.take() {
            None if stop.is_cancelled() => Err(Error::Cancelled),
            outcome => outcome.unwrap_or(Ok(())),
        }
    }

    /// Ends it by an error, unless it has ended.
    #[cfg(feature = "cli")]
    pub(super) fn fails(&mut self, error: Error) {
        self.outcome.get_or_insert(Err(error));
    }
}

/// The tasks that run `work` over every block and give its results to `sink`, in input order and one
/// after another, until it breaks: lanes, which look at the shared values, and a last one that ends
/// when all has been given. `weigh` is that of [`stream`].
///
/// # Errors
///
/// A task fails with the first failure in input order: what comes before is given to `sink`.
pub(crate) fn streaming<I, T, W, S>(
    context: &Context,
    input: Arc<I>,
    shared: Vec<Shared>,
    work: W,
    weigh: fn(&T) -> usize,
    sink: S,
) -> Arc<Node>
where
    I: Input,
    T: Send + 'static,
    W: Fn(&Context, &[Shared], BlockOf<I>) -> Result<T> + Send + Sync + 'static,
    S: FnMut(&Context, T) -> Result<ControlFlow<()>> + Send + 'static,
{
    let (policy, results) = Results::new(context, sink);
    let dispatch = lanes::dispatch(context, input, policy, results);
    let needs: Vec<_> = shared.into_iter().map(lanes::ready).collect();
    let work = Arc::new(work);
    let lanes = lanes::tasks(&dispatch, &needs, move |_, context, dispatch, shared| {
        let work = |block| work(context, shared, block);
        lane(context, dispatch, &work, weigh, &|sink: &mut S, result| sink(context, result));
        // Not left to the last task: a lane that was not started yet may wait for a thread until
        // other passes end, and a failure ends these too.
        let failure = dispatch.lock().kept.outcome.take_if(|outcome| outcome.is_err());
        failure.unwrap_or(Ok(())).map(Outcome::value)
    });
    Node::new(Name::Only("end"), lanes, move |context, _| {
        dispatch.lock().kept.ended(&context.stop).map(Outcome::value)
    })
}

/// Runs `work` over every block on `context.threads` threads, of which the caller's is one, and
/// gives its results to `sink`, in input order and one after another, until it breaks. `work` is given the
/// context of its lane, by which observers hear of what it reads. `weigh` tells the bytes of a result: those
/// that wait take no more than the budget of states, if there is one.
///
/// # Errors
///
/// The first in input order, whatever lane met it first: what comes before is given to `sink`.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) fn stream<I, T, W, S>(
    context: &Context,
    input: &Arc<I>,
    work: W,
    weigh: fn(&T) -> usize,
    sink: S,
) -> Result<()>
where
    I: Input,
    T: Send,
    W: Fn(&Context, BlockOf<I>) -> Result<T> + Sync,
    S: FnMut(T) -> Result<ControlFlow<()>> + Send,
{
    let (policy, results) = Results::new(context, sink);
    let dispatch = lanes::dispatch(context, Arc::clone(input), policy, results);
    let give = |sink: &mut S, result| sink(result);
    let watched = lanes::scoped(context, |context| {
        lane(context, &dispatch, &|block| work(context, block), weigh, &give);
    });
    let ended = dispatch.lock().kept.ended(&context.stop);
    ended.and(watched)
}

/// One lane: block after block until none is left. `give` gives a result to the sink.
pub(super) fn lane<I: Input, T, S>(
    context: &Context,
    dispatch: &Dispatch<I, Results<T, S>>,
    work: &impl Fn(BlockOf<I>) -> Result<T>,
    weigh: fn(&T) -> usize,
    give: &impl Fn(&mut S, T) -> Result<ControlFlow<()>>,
) {
    let mut mine = LaneCursor::default();
    // A cancelled run is told so by the one that has called for it.
    while let Ok(Some(step)) = dispatch.step(&mut mine, &context.stop) {
        match step {
            Step::Read => hand_on(dispatch, dispatch.lock(), give),
            Step::Block(at, block) => {
                work_on(dispatch, &mut mine, at, || work(block), weigh, give);
            }
        }
    }
}

/// Works on the block at a position, and hands on what is next.
pub(super) fn work_on<I: Input, T, S>(
    dispatch: &Dispatch<I, Results<T, S>>,
    mine: &mut LaneCursor,
    at: Position,
    work: impl FnOnce() -> Result<T>,
    weigh: fn(&T) -> usize,
    give: &impl Fn(&mut S, T) -> Result<ControlFlow<()>>,
) {
    let result = caught("stream", work);
    let weight = result.as_ref().map_or(0, weigh);
    mine.is_working = false;
    let mut state = dispatch.lock();
    state.schedule.done(at);
    state.schedule.result();
    if result.is_err() {
        state.schedule.limit(at);
    }
    let waiting = state.kept.weight + weight;
    state.kept.weighs(waiting);
    state.kept.waiting.insert(at, (weight, result));
    hand_on(dispatch, state, give);
}

/// Gives the sink all results that are next, unless another lane does so already.
pub(super) fn hand_on<'s, I: Input, T, S>(
    dispatch: &'s Dispatch<I, Results<T, S>>,
    mut state: MutexGuard<'s, State<I, Results<T, S>>>,
    give: &impl Fn(&mut S, T) -> Result<ControlFlow<()>>,
) {
    while state.kept.outcome.is_none()
        && let Some(mut sink) = state.kept.sink.take()
    {
        let Some(result) = next(&mut state) else {
            state.kept.sink = Some(sink);
            break;
        };
        dispatch.notify(state, Wake::All);
        let flow = result.and_then(|result| caught("stream", || give(&mut sink, result)));
        state = dispatch.lock();
        state.kept.sink = Some(sink);
        state.kept.outcome = match flow {
            Ok(ControlFlow::Continue(())) => None,
            Ok(ControlFlow::Break(())) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        };
    }
    if state.kept.outcome.is_some() {
        // The rest is wanted by nobody, and the dispatch may be kept for as long as the run is.
        let unwanted = std::mem::take(&mut state.kept.waiting);
        state.kept.weighs(0);
        dispatch.end(state);
        drop(unwanted);
    } else {
        dispatch.notify(state, Wake::All);
    }
}

/// The next result in input order, if it waits.
fn next<I: Input, T, S>(state: &mut State<I, Results<T, S>>) -> Option<Result<T>> {
    let State { schedule, kept } = state;
    let (weight, result) = kept.waiting.remove(&schedule.next())?;
    kept.weighs(kept.weight - weight);
    schedule.handed_on();
    Some(result)
}
