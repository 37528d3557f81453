//! Running a graph: each task once, on as many threads as were asked for.
//!
//! One lock guards the plan. A worker takes it once for each task, to hand in what it has done
//! and to fetch what it does next; values and nodes are dropped, and tasks run, outside of it.
//! Rejected: a queue a thread with stealing, which loses the order that keeps few values alive,
//! and gains where tasks take less than a microsecond, which are not worth being tasks.
//!
//! A task that is a future is polled by whichever worker is free when it was woken; no thread
//! waits for it.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Scope, Thread};

use tokio::task::coop::unconstrained;

use super::Context;
use super::node::{Inputs, Node, Outcome, Pending, Shared};
use super::plan::{Id, Job, Plan, State, Waiting};
use crate::{Error, Result};

/// Runs what the roots need, each task once, on `context.threads` threads of which the caller's
/// is one, and gives the roots' values. Helpers are started only when there is work for them.
///
/// # Errors
///
/// The first that a task returned, [`Error::Panic`] for one that panicked, or
/// [`Error::Cancelled`]; tasks that had not started by then never do.
pub(crate) fn run(context: &Context, roots: &[Arc<Node>]) -> Result<Vec<Shared>> {
    let mut plan = Plan::default();
    let ids: Vec<Id> = roots.iter().map(|root| plan.add(root)).collect();
    let progress = Progress { plan, workers: 1, ..Progress::default() };
    let run = Arc::new(Run { context: context.clone(), progress: Mutex::new(progress) });
    thread::scope(|scope| run.work(scope));
    let Progress { mut plan, failure, .. } = std::mem::take(&mut *run.lock());
    if let Some(error) = failure {
        return Err(error);
    }
    let values: Option<Vec<Shared>> = ids.into_iter().map(|id| plan.root(id)).collect();
    values.ok_or_else(|| Error::Task {
        task: roots.first().map_or_else(String::new, |root| root.name.to_string()),
        path: String::new(),
        source: "it waits for itself: a task in it has the key of one that needs it".into(),
    })
}

/// What the workers share.
struct Run {
    context: Context,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    plan: Plan,
    /// Workers that look for work, parked.
    idle: Vec<Thread>,
    workers: usize,
    running: usize,
    /// Tasks whose future nobody has woken yet.
    pending: usize,
    failure: Option<Error>,
}

/// How far a worker got with a task.
enum Step {
    Done(Result<Shared>),
    Forward(Arc<Node>),
    Pend(Waiting),
}

impl Run {
    /// One worker: does tasks until none is left and none can become ready.
    fn work<'scope>(self: &Arc<Self>, scope: &'scope Scope<'scope, '_>) {
        let mut last = None;
        let mut spare = Inputs::default();
        while let Some(job) = self.next(last.take(), &mut spare, scope) {
            let (id, node) = (job.id, Arc::clone(&job.node));
            // Work is caught where it can be tried again; what panics here is a value of the
            // caller's as it is dropped, which must not take the worker with it.
            let step = caught(&node.name, || Ok(self.perform(job, &mut spare)));
            last = Some((id, step.unwrap_or_else(|error| Step::Done(Err(error)))));
        }
    }

    /// Hands in a step and fetches the next task; `None` when the run is over.
    fn next<'scope>(
        self: &Arc<Self>,
        last: Option<(Id, Step)>,
        spare: &mut Inputs,
        scope: &'scope Scope<'scope, '_>,
    ) -> Option<Job> {
        let mut progress = self.lock();
        if let Some((id, step)) = last {
            progress.settle(id, step);
        }
        loop {
            if self.context.stop.is_cancelled() {
                progress.failure.get_or_insert(Error::Cancelled);
            }
            if progress.failure.is_some() {
                break;
            }
            if let Some(job) = progress.plan.next(spare) {
                progress.running += 1;
                self.share(progress, scope);
                return Some(job);
            }
            if progress.running + progress.pending == 0 {
                break;
            }
            progress = self.wait(progress);
        }
        let (idle, failed) = (std::mem::take(&mut progress.idle), progress.failure.is_some());
        drop(progress);
        idle.iter().for_each(Thread::unpark);
        if failed {
            // What is in flight, lanes above all, is for nothing.
            self.context.stop.cancel();
        }
        None
    }

    /// Finds another worker for what else can be done, if there is one to be had.
    fn share<'scope>(
        self: &Arc<Self>,
        mut progress: MutexGuard<'_, Progress>,
        scope: &'scope Scope<'scope, '_>,
    ) {
        if progress.plan.is_ready() {
            if let Some(idle) = progress.idle.pop() {
                drop(progress);
                return idle.unpark();
            }
        } else if progress.pending == 0 {
            return;
        }
        // Somebody has to be there when a future is woken while this thread is busy.
        if progress.idle.is_empty() && progress.workers < self.context.threads {
            progress.workers += 1;
            let name = format!("creel {}", progress.workers - 1);
            drop(progress);
            let run = Arc::clone(self);
            // A thread that cannot be had is a slower run, not a failed one.
            let _ = thread::Builder::new().name(name).spawn_scoped(scope, move || run.work(scope));
        }
    }

    /// Waits until there may be something to do.
    fn wait<'r>(&'r self, mut progress: MutexGuard<'r, Progress>) -> MutexGuard<'r, Progress> {
        progress.idle.push(thread::current());
        drop(progress);
        let entry = self.context.stop.enter();
        if !self.context.stop.is_cancelled() {
            thread::park();
        }
        drop(entry);
        let mut progress = self.lock();
        let me = thread::current().id();
        progress.idle.retain(|thread| thread.id() != me);
        progress
    }

    /// Goes on with a task, and tries it again where it may be. Leaves the room of its inputs in
    /// `spare`.
    fn perform(self: &Arc<Self>, job: Job, spare: &mut Inputs) -> Step {
        let Job { id, node, state, mut inputs, released } = job;
        drop(released);
        let (mut future, mut failed) = (None, 0);
        match state {
            State::Forwards => return Step::Done(Ok(inputs.take(0))),
            State::Pending(waiting) => {
                (future, failed) = (Some(waiting.future), waiting.failed);
                inputs = waiting.inputs;
            }
            _ => {}
        }
        loop {
            // Work may take its inputs, so a task that can be tried again is lent copies.
            let again = if failed < node.retries { inputs.clone() } else { Inputs::default() };
            let outcome = caught(&node.name, || match future.take() {
                Some(future) => self.poll(id, future),
                None => match node.run(&self.context, &mut inputs)? {
                    Outcome::Future(future) => self.poll(id, future),
                    outcome => Ok(outcome),
                },
            });
            let step = match outcome {
                Ok(Outcome::Value(value)) => Step::Done(Ok(value)),
                Ok(Outcome::Node(node)) => Step::Forward(node),
                Ok(Outcome::Future(future)) => {
                    return Step::Pend(Waiting { future, inputs: again, failed, woken: false });
                }
                Err(_) if failed < node.retries && !self.context.stop.is_cancelled() => {
                    failed += 1;
                    inputs = again;
                    continue;
                }
                Err(error) => Step::Done(Err(error)),
            };
            *spare = inputs.cleared();
            return step;
        }
    }

    /// Polls the future of a task.
    fn poll(self: &Arc<Self>, id: Id, mut future: Pending) -> Result<Outcome> {
        let waker = Waker::from(Arc::new(Woken { run: Arc::downgrade(self), id }));
        let mut context = std::task::Context::from_waker(&waker);
        // Inside of a task of tokio, its budget would be spent and never given anew.
        let polled = pin!(unconstrained(future.as_mut())).poll(&mut context);
        match polled {
            Poll::Ready(value) => value.map(Outcome::Value),
            Poll::Pending => Ok(Outcome::Future(future)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Enters what became of a task.
    fn settle(&mut self, id: Id, step: Step) {
        self.running -= 1;
        match step {
            Step::Done(Ok(value)) => self.plan.done(id, value),
            Step::Forward(node) => self.plan.forward(id, &node),
            Step::Pend(waiting) => self.pending += usize::from(self.plan.pend(id, waiting)),
            // The tasks that were told to stop because of the first failure say so themselves:
            // that is not the cause.
            Step::Done(Err(error)) => {
                if matches!(self.failure, None | Some(Error::Cancelled)) {
                    self.failure = Some(error.in_task(|| self.plan.path(id)));
                }
            }
        }
    }
}

/// Wakes the future of a task.
struct Woken {
    /// The run is over when nobody works on it, whoever still has a waker.
    run: Weak<Run>,
    id: Id,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(run) = self.run.upgrade() else { return };
        let mut progress = run.lock();
        if progress.plan.wake(self.id) {
            progress.pending -= 1;
            let idle = progress.idle.pop();
            drop(progress);
            idle.iter().for_each(Thread::unpark);
        }
    }
}

/// Runs a caller's code; a panic of it is an error that names the task.
pub(crate) fn caught<T>(task: impl Display, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What panics leaves nothing behind that another could see half done: a value that it had
    // taken is dropped, and one that it was lent can only be looked at.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let (task, path) = (task.to_string(), String::new());
        Err(Error::Panic { task, path, message: message(&*panic) })
    })
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
