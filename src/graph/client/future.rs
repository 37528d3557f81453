//! The future of a task's value.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Lease;
use crate::graph::Lineage;
use crate::graph::delayed::{Argument, Delayed};
use crate::graph::engine::Aside;
use crate::graph::node::{Node, Shared, typed};
use crate::graph::pending;
use crate::graph::plan::{Id, Seen};
use crate::graph::stop::Stop;
use crate::graph::waiting::{Wait, next_key};
use crate::runtime::blocking;
use crate::{Error, Result};

/// What a task of a [`Client`](super::Client) will come to. Awaiting it gives the value.
///
/// Clones are futures of one task. It, or a reference to it, can stand where a task wants an
/// argument, of the same client; any other run computes it anew. When the last clone is dropped, and no other task
/// needs it, the value is dropped, or a task that has not ended is told to stop: one that has not
/// begun never does, a future of it and reading in flight are dropped, and a function that runs
/// goes on to its end, for nothing.
#[must_use = "a task is given up when its last future is dropped"]
pub struct TaskFuture<T> {
    task: Arc<Held>,
    value: PhantomData<fn() -> T>,
}

/// A use of a task, in its client.
struct Held {
    lease: Arc<Lease>,
    node: Arc<Node>,
    id: Id,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It waits for what it needs, or for a thread.
    Waiting,
    /// It runs, or waits for a future, a limit or its next try.
    Running,
    /// Its value is there.
    Done,
    /// It failed, or one that it needs did.
    Failed,
    /// It was cancelled, or one that it needs.
    Cancelled,
}

impl<T> TaskFuture<T> {
    pub(super) fn start(lease: &Arc<Lease>, node: Arc<Node>) -> Self {
        let id = lease.0.with(|state| state.plan.add(&node));
        let task = Held { lease: Arc::clone(lease), node, id };
        Self { task: Arc::new(task), value: PhantomData }
    }

    /// How far the task is.
    ///
    /// ```
    /// use creel::client::{Client, Status};
    ///
    /// let client = Client::local();
    /// let bad = client.try_submit(|text: &&str| text.parse::<u32>(), ("x",));
    /// let needs_it = client.submit(|n: &u32| n + 1, (&bad,));
    /// assert!(needs_it.wait().is_err());
    /// assert_eq!((bad.status(), needs_it.status()), (Status::Failed, Status::Failed));
    /// ```
    pub fn status(&self) -> Status {
        self.task.lease.0.with(|state| state.plan.status(self.task.id))
    }

    /// Gives the task up, for all who hold futures of it; so those that need it are cancelled
    /// too. Says whether it had not ended yet; if it had, nothing changes.
    ///
    /// ```
    /// use creel::{Error, client::Client};
    ///
    /// let client = Client::local();
    /// let never = client.compute(creel::delayed(1).map_async(|_| std::future::pending::<u32>()));
    /// let needs_it = client.submit(|n: &u32| n + 1, (&never,));
    /// assert!(never.cancel());
    /// assert!(matches!(needs_it.wait(), Err(Error::Cancelled)));
    /// ```
    pub fn cancel(&self) -> bool {
        self.task.lease.0.with(|state| {
            let was_under_way = state.cancel(self.task.id);
            // It may have been the last that went on.
            state.unstick(false);
            was_under_way
        })
    }

    /// Has a task that failed or was cancelled run again, and with it those that it needs and
    /// that failed. Does nothing to others.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    ///
    /// static UP: AtomicBool = AtomicBool::new(false);
    /// let client = creel::client::Client::local();
    /// let ask = || if UP.load(Relaxed) { Ok("here") } else { Err("the server is down") };
    /// let answer = client.try_submit(ask, ());
    /// assert!(answer.wait().is_err());
    /// UP.store(true, Relaxed);
    /// answer.retry();
    /// assert_eq!(answer.wait()?, "here");
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn retry(&self) {
        self.task.lease.0.with(|state| state.plan.retry(self.task.id));
    }

    /// Whoever waits for these has nothing else to do.
    pub(super) fn only_wait<'f>(futures: impl Iterator<Item = &'f Self> + Clone)
    where
        T: 'f,
    {
        // Mostly they are of one client; each is asked about its own.
        let (mut asked, is_inside): (Vec<u64>, _) = (Vec::new(), Lineage::is_inside());
        for future in futures.clone() {
            let engine = &future.task.lease.0;
            if !asked.contains(&engine.number) {
                asked.push(engine.number);
                let own =
                    futures.clone().filter(|future| future.task.lease.0.number == engine.number);
                let own = own.map(|future| future.task.id);
                let polled = pending::waits(engine.number);
                engine.with(|state| {
                    if let Some(ticket) = polled {
                        own.clone().for_each(|id| state.future_waits(ticket, id));
                    }
                    state.wait(own, is_inside);
                });
            }
        }
    }

    /// Waits for the end of the task.
    pub(super) async fn ended(&self) -> Result<Shared> {
        let (mut aside, key) = (None, next_key());
        poll_fn(|context| {
            let seen = self.poll_seen(context, key);
            if seen.is_pending() {
                aside = aside.take().or_else(|| self.step_aside(key));
                Self::only_wait(std::iter::once(self));
            }
            seen
        })
        .await
    }

    /// Has another thread take the place of this one, if it is at a task of a client: in whatever
    /// executor it waits, that client has one thread fewer.
    pub(super) fn step_aside(&self, key: u64) -> Option<Aside> {
        self.task.lease.0.step_aside(self.task.id, key)
    }

    pub(super) fn poll_seen(&self, context: &Context<'_>, key: u64) -> Poll<Result<Shared>> {
        match self.task.lease.0.watch(self.task.id, context.waker(), key) {
            Seen::UnderWay => Poll::Pending,
            Seen::Done(value) => Poll::Ready(Ok(value)),
            Seen::Failed(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<T: Send + Sync + 'static> TaskFuture<T> {
    /// A share of the value, once it is there; for values that cannot or should not be cloned.
    ///
    /// # Errors
    ///
    /// Why there is none: [`Error::Task`] or [`Error::Panic`] of the first task that failed, with
    /// the tasks that led to it, [`Error::Cancelled`], or what a bag met.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let client = creel::client::Client::local();
    /// let text = client.submit(|| "shared".to_owned(), ());
    /// assert_eq!(*text.shared().await?, "shared");
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn shared(&self) -> Result<Arc<T>> {
        self.ended().await.map(typed)
    }

    /// The value, waiting for it on this thread. A task may call this for a task of its own client:
    /// see [`Client`](super::Client) for the thread on which that runs. A task that is cancelled
    /// while it waits goes on as soon as the task has returned that its thread runs meanwhile.
    ///
    /// # Errors
    ///
    /// As [`shared`](Self::shared); and [`Error::Task`] where tasks wait for tasks too deep, or this
    /// one for itself.
    pub fn wait(&self) -> Result<T>
    where
        T: Clone,
    {
        let stop = Stop::of_this_thread();
        let waited = blocking(|| match Wait::new(&self.task.lease.0, self.task.id, &stop) {
            Some(mut wait) => {
                stop.wait(poll_fn(|context| wait.poll(context))).map(|ended| ended.map(typed::<T>))
            }
            None => stop.wait(self.shared()),
        });
        waited.unwrap_or(Err(Error::Cancelled)).map(Arc::unwrap_or_clone)
    }

    /// A lazy handle on the value, for tasks of the same client. It keeps the task as this does.
    pub fn to_delayed(&self) -> Delayed<T> {
        Delayed::of(Node::keeping(&self.task.node, self.clone()))
    }
}

impl<T: Send + Sync + 'static> Argument<T> for TaskFuture<T> {
    fn into_delayed(self) -> Delayed<T> {
        self.to_delayed()
    }
}

/// The task itself, and not a handle that keeps it: a task that was submitted keeps what it needs,
/// and only until it has run.
impl<T: Send + Sync + 'static> Argument<T> for &TaskFuture<T> {
    fn into_delayed(self) -> Delayed<T> {
        Delayed::of(Arc::clone(&self.task.node))
    }
}

/// The value; it is cloned only if something else holds it.
impl<T: Clone + Send + Sync + 'static> IntoFuture for TaskFuture<T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let value = self.shared().await;
            drop(self);
            value.map(Arc::unwrap_or_clone)
        })
    }
}

/// The value of a future that is still held.
impl<T: Clone + Send + Sync + 'static> IntoFuture for &TaskFuture<T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        self.clone().into_future()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.lease.0.with(|state| {
            state.plan.release(self.id);
            // It may have been the last that went on.
            state.unstick(false);
        });
    }
}

impl<T> Clone for TaskFuture<T> {
    fn clone(&self) -> Self {
        Self { task: Arc::clone(&self.task), value: PhantomData }
    }
}

impl<T> fmt::Debug for TaskFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskFuture({}, {:?})", self.task.node.name, self.status())
    }
}
