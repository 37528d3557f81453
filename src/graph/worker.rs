//! A worker: does tasks one after another, and tries those again that may be.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, TryAcquireError};

use super::Context;
use super::crew::{Entered, Lineage};
use super::engine::Engine;
use super::node::{Inputs, Node, Outcome, Pending, Shared};
use super::plan::{Job, State, Ticket, Tried, Waste};
use super::policy::{Limit, Retry};
use super::seats::Seated;
use super::stop::Stop;
use super::sync::thread_local;
use super::waiting::{Inside, forget_stack, note_stack};
use crate::error::{refused, thrown};
use crate::watch::{self, What};
use crate::{Error, Result};

/// How far a worker got with a task.
pub(super) enum Step {
    /// Its value, and how many bytes that holds.
    Done(Shared, u64),
    Failed(Error),
    Forward(Arc<Node>),
    Wait(Waiting),
}

/// A task that waits for a future.
pub(super) struct Waiting {
    pub(super) future: Coming,
    pub(super) node: Arc<Node>,
    pub(super) number: u32,
    pub(super) tried: Tried,
}

/// The future of what a task waits for.
pub(super) type Coming = Pin<Box<dyn Future<Output = Result<Came>> + Send>>;

/// What a task can wait for.
pub(super) enum Came {
    /// Its value.
    Value(Shared),
    /// A place among the few that may run.
    Place(OwnedSemaphorePermit),
    /// The time of its next try.
    Time,
}

thread_local! {
    /// The engines that this thread is a worker of, one inside of a task of the other, and its seat
    /// in each.
    static ENGINES: RefCell<Vec<(Arc<Engine>, u32)>> = const { RefCell::new(Vec::new()) };
}

/// What a thread has while it works for an engine.
pub(super) struct Worker {
    engine: Arc<Engine>,
    pub(super) seat: u32,
    pub(super) shift: u32,
    /// What tasks are given: their stop is that of the seat.
    pub(super) context: Context,
    /// The task that it is on.
    pub(super) ticket: Option<Ticket>,
    /// Room for inputs, and for waste, that is used again.
    pub(super) spare: Inputs,
    pub(super) waste: Waste,
    /// Whether it helps a run within another, for as long as it finds work at once.
    pub(super) is_guest: bool,
    /// Whether its thread was started for the engine.
    pub(super) is_helper: bool,
    /// Whether it has a place of its own in the crew.
    has_place: bool,
    /// The stop of the task that called for this work, if the thread is on one.
    outer: Option<Stop>,
    _lineage: Entered,
    has_noted: bool,
}

/// What a worker is to its engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The thread that has started the run.
    Caller,
    /// A thread of its own, which has a place in the crew already.
    Helper,
    /// A thread that is a worker already, or works for a run within: for one task.
    Inside,
}

impl Worker {
    /// A worker on this thread.
    pub(super) fn new(engine: &Arc<Engine>, seated: Seated, role: Role) -> Self {
        let Seated { seat, shift, stop } = seated;
        let has_noted = note_stack();
        let outer = Stop::enter_thread(Some(stop.clone()));
        ENGINES.with(|engines| engines.borrow_mut().push((Arc::clone(engine), seat)));
        let is_nested = !engine.lineage.is_outermost();
        let lineage = match role {
            Role::Inside => Lineage::here(),
            Role::Caller | Role::Helper => engine.lineage.clone(),
        };
        let lineage = lineage.within(&engine.crew).enter();
        let has_place = match role {
            Role::Caller if !is_nested => {
                engine.crew.join();
                true
            }
            Role::Caller | Role::Inside => false,
            Role::Helper => true,
        };
        let context = Context { stop, ..engine.context.clone() };
        let (spare, waste) = (Inputs::default(), Waste::default());
        let engine = Arc::clone(engine);
        Self {
            engine,
            seat,
            shift,
            context,
            ticket: None,
            spare,
            waste,
            is_guest: is_nested && role == Role::Helper,
            is_helper: role == Role::Helper,
            has_place,
            outer,
            _lineage: lineage,
            has_noted,
        }
    }

    /// Does tasks until none is left for it.
    pub(super) fn work(mut self) {
        let engine = Arc::clone(&self.engine);
        let mut last = None;
        while let Some(job) = engine.next(&mut self, last.take()) {
            self.ticket = Some(job.ticket);
            last = Some(self.step(job));
        }
    }

    /// Does one task on a thread on which another waits.
    pub(super) fn run_inside(engine: &Arc<Engine>, inside: Inside) {
        let Inside { job, seated, counts } = inside;
        let mut worker = Self::new(engine, seated, Role::Inside);
        let ticket = job.ticket;
        let step = worker.step(*job);
        engine.returned_inside(worker.seat, counts, ticket, step);
    }

    /// Does what it can of a task; a panic is a failure of that.
    fn step(&mut self, job: Job) -> Step {
        let name = Arc::clone(&job.node);
        // Work is caught where it can be tried again; what panics here is a value of the
        // caller's as it is dropped, which must not take the worker with it.
        let step = caught(&name.name, || Ok(self.perform(job)));
        // If the plan has given the task up meanwhile, nobody else holds it.
        let held = (name, self.context.task.take());
        let dropped = caught("the drop of a task", || {
            drop(held);
            Ok(())
        });
        if let Err(error) = dropped {
            self.engine.with(|state| state.end(error));
        }
        step.unwrap_or_else(Step::Failed)
    }

    /// The client that this thread is a worker of, and the innermost seat there, if it is one. Of
    /// two it never is: a client starts its threads, and they run tasks of no other.
    pub(super) fn client_of_this_thread() -> Option<(Arc<Engine>, u32)> {
        ENGINES.with(|engines| {
            let engines = engines.borrow();
            let found = engines.iter().rfind(|(engine, _)| engine.is_client);
            found.map(|(engine, seat)| (Arc::clone(engine), *seat))
        })
    }

    /// Takes a stop for the tasks to come: that of an earlier one was told to end it.
    pub(super) fn sit(&mut self, stop: Stop) {
        Stop::enter_thread(Some(stop.clone()));
        self.context.stop = stop;
    }

    /// Goes on with a task, and tries it again where it may be.
    fn perform(&mut self, job: Job) -> Step {
        let Job { node, mut inputs, before, number, since, .. } = job;
        self.begin(&node, number, since);
        let (mut tried, mut arrived) = (Tried::default(), None);
        match before {
            State::Forwards => return self.done(&node, inputs.take(0)),
            State::Arrived(before) => {
                (tried, arrived) = (before.tried, before.failed.map(Err));
                if arrived.is_none() {
                    inputs = std::mem::take(&mut tried.inputs);
                }
            }
            _ => {}
        }
        loop {
            let outcome = match arrived.take() {
                Some(failed) => failed,
                None => {
                    if let Some(wait) = entered(&node, &mut tried) {
                        tried.inputs = inputs;
                        return self.wait(node, number, wait, tried);
                    }
                    // Work may take its inputs, so a task that can be tried again lends copies.
                    let again = node.retry().is_some_and(|retry| retry.is_left(tried.failed));
                    tried.inputs = if again { inputs.clone() } else { Inputs::default() };
                    let span = watch::span(node.task(self.engine.number(number)));
                    let _entered = span.enter();
                    let outcome = caught(&node.name, || node.run(&self.context, &mut inputs));
                    outcome.map_err(|error| failed(error, &node, &span))
                }
            };
            let error = match outcome {
                Ok(Outcome::Value(value)) => {
                    self.spare = inputs.cleared();
                    return self.done(&node, value);
                }
                Ok(Outcome::Node(node)) => {
                    // For the value of that one.
                    self.context.tell(What::Waiting);
                    return Step::Forward(node);
                }
                Ok(Outcome::Future(future)) => {
                    let future = self.spanned(&node, number, future);
                    return self.wait(node, number, future, tried);
                }
                Err(error) => error,
            };
            match self.pause(&node, tried.failed, error) {
                Ok(pause) => {
                    tried.failed += 1;
                    if !pause.is_zero() {
                        tried.permit = None;
                        let time = async move {
                            tokio::time::sleep(pause).await;
                            Ok(Came::Time)
                        };
                        return self.wait(node, number, Box::pin(time), tried);
                    }
                    inputs = std::mem::take(&mut tried.inputs);
                }
                Err(error) => return Step::Failed(error),
            }
        }
    }

    /// How long a task that failed waits for its next try; or why there is none.
    fn pause(&self, node: &Node, failed: u32, error: Error) -> Result<Duration> {
        let retry = node.retry().filter(|_| !self.context.stop.is_cancelled());
        let after = |retry: &Retry| caught(&node.name, || Ok(retry.after(failed, &error)));
        match retry.map_or(Ok(None), after)? {
            Some(after) => {
                self.context.tell(What::Retried { error: &error, after });
                Ok(after)
            }
            None => {
                self.context.tell(What::Failed { error: &error });
                Err(error)
            }
        }
    }

    fn begin(&mut self, node: &Arc<Node>, number: u32, since: Option<std::time::Instant>) {
        if !self.context.observers.is_empty() {
            self.context.task = Some((self.engine.number(number), Arc::clone(node)));
            if let Some(since) = since {
                self.context.tell_at(since, What::Ready);
            }
            self.context.tell(What::Started);
        }
    }

    fn done(&self, node: &Node, value: Shared) -> Step {
        match caught(&node.name, || Ok(node.weight(&value))) {
            Ok(weight) => {
                self.context.tell(What::Done);
                Step::Done(value, weight)
            }
            Err(error) => {
                self.context.tell(What::Failed { error: &error });
                Step::Failed(error)
            }
        }
    }

    /// The value of a future that is in the span of its task whenever it is polled.
    fn spanned(&self, node: &Arc<Node>, number: u32, mut future: Pending) -> Coming {
        let (node, span) = (Arc::clone(node), watch::span(node.task(self.engine.number(number))));
        Box::pin(poll_fn(move |context| {
            let _entered = span.enter();
            let polled = future.as_mut().poll(context).map_ok(Came::Value);
            polled.map_err(|error| failed(error, &node, &span))
        }))
    }

    /// Leaves a task to a future.
    fn wait(&self, node: Arc<Node>, number: u32, future: Coming, tried: Tried) -> Step {
        self.context.tell(What::Waiting);
        Step::Wait(Waiting { future, node, number, tried })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        Stop::enter_thread(self.outer.take());
        ENGINES.with(|engines| engines.borrow_mut().pop());
        if self.has_place {
            self.engine.crew.leave();
        }
        if self.has_noted {
            forget_stack();
        }
        self.engine.stand_up(self.seat);
    }
}

/// Notes in its span what a task failed with, and in that the name of the task.
fn failed(error: Error, node: &Node, span: &watch::Span) -> Error {
    let error = error.in_task(|| (node.name.to_string(), String::new()));
    span.failed(&error);
    error
}

/// Takes a place among the few of its kind that may run, or gives the future of one.
fn entered(node: &Node, tried: &mut Tried) -> Option<Coming> {
    let Limit(places) = node.limit().filter(|_| tried.permit.is_none())?;
    match Arc::clone(places).try_acquire_owned() {
        Ok(place) => {
            tried.permit = Some(place);
            None
        }
        Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
            let place = Arc::clone(places).acquire_owned();
            Some(Box::pin(async { place.await.map(Came::Place).map_err(|_| Error::Cancelled) }))
        }
    }
}

/// Runs a caller's code; a panic of it is an error that names the task.
pub(crate) fn caught<T>(task: impl Display, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What panics leaves nothing behind that another could see half done: a value that it had
    // taken is dropped, and one that it was lent can only be looked at.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(task, panic)))
}

/// The error of a panic.
pub(super) fn panicked(task: impl Display, panic: Box<dyn Any + Send>) -> Error {
    if let Some(error) = refused(&*panic) {
        return error;
    }
    Error::Panic {
        task: task.to_string(),
        path: String::new(),
        message: thrown(panic),
        place: None,
    }
}
