//! Tasks that start at once: a client, and futures of what they come to.
//!
//! A [`Client`] runs tasks on threads of its own as they are submitted, where
//! [`compute`](crate::Delayed::compute) runs one graph and returns. It is for work that is found
//! while other work goes on: searches, simulations, queues. What it gives are [`TaskFuture`]s.
//! They can be awaited, handed to further tasks, cancelled, tried again; the value of a task is
//! dropped with the last of its futures.
//!
//! ```
//! use creel::client::Client;
//! use futures::StreamExt;
//!
//! # futures::executor::block_on(async {
//! let client = Client::local();
//! let squares = client.map(|n: &u64| n * n, 0..10);
//! let sum = client.submit(|a: &u64, b: &u64| a + b, (&squares[3], &squares[4]));
//! assert_eq!(sum.await?, 25);
//!
//! // As they are done; what is found can lead to more.
//! let mut done = creel::client::as_completed(squares);
//! let mut seen = Vec::new();
//! while let Some(square) = done.next().await {
//!     let square = square.await?;
//!     if square == 81 {
//!         done.add(client.submit(|n: &u64| n * n, (square,)));
//!     }
//!     seen.push(square);
//! }
//! assert_eq!(seen.iter().max(), Some(&6561));
//! # Ok::<(), creel::Error>(()) }).unwrap();
//! ```

mod completed;
mod future;
mod info;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use futures::future::join_all;

pub use completed::{AsCompleted, Waited, as_completed, wait_all, wait_any};
pub use future::{Status, TaskFuture};
pub use info::{Info, Worker};

use super::Context;
use super::delayed::{Arguments, Delayed, Function, call, delayed, try_call};
use super::engine::Engine;
use super::node::Name;
use crate::Result;

/// Runs tasks as they are submitted, on threads of its own. Cheap to clone: all clones are one.
///
/// See [the module](self).
///
/// Its threads start with the first task. When the last clone and the last future are dropped,
/// what has not begun never does, and the threads end.
///
/// # Tasks that wait for tasks
///
/// A task may wait for others of its client, or of another client, by [`TaskFuture::wait`] or in an
/// executor of its own; and so may the tasks of a run that it starts.
///
/// A thread that waits by `wait` for a task of its own client runs that task, and what it needs, on
/// top of its own, while that takes less than 512 KiB of its stack; so such a task must not take a
/// lock which the one that waits for it holds, or look for what that keeps in a thread-local. Where
/// nothing can be run there, another thread takes the place of the one that waits, of which there
/// are at most 32 beside the client's own.
///
/// A thread that waits in an executor, or for a task of another client, can run nothing meanwhile.
/// For each of these, too, another thread takes its place, up to 512 more. The client's threads run
/// first what is waited for last, so that few are needed.
///
/// Where all of these threads wait, the task that is waited for last, and is ready, fails: an
/// [`Error::Task`](crate::Error::Task) says that tasks wait too deep. Tasks that make others by [`then`](Delayed::then)
/// keep no thread and go to any depth. A task that waits for itself by `wait` is an
/// [`Error::Task`](crate::Error::Task), also in a circle of tasks of one client; in a circle through an executor or
/// through several clients it waits for ever, as does one that waits for a thread of its own making
/// where that waits for the client's only thread: nobody else knows what such a thread waits for.
#[derive(Clone)]
pub struct Client(Arc<Lease>);

/// What keeps an engine open.
pub(super) struct Lease(Arc<Engine>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.with(|state| state.close());
    }
}

impl Client {
    /// A client with a thread for each core that this process may use, and no memory limit.
    ///
    /// [`Run::client`](crate::Run::client) makes one of so many threads, with a memory limit or
    /// with observers.
    ///
    /// ```
    /// let client = creel::client::Client::local();
    /// assert_eq!(client.submit(|n: &u32| n + 1, (41,)).wait()?, 42);
    ///
    /// let small = creel::Run::new().threads(1).memory(64 << 20).client();
    /// assert_eq!(small.info().threads, 1);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn local() -> Self {
        Self::of(Context::default())
    }

    pub(crate) fn of(context: Context) -> Self {
        Self(Arc::new(Lease(Engine::new(context))))
    }

    /// Starts a function of up to eight arguments: plain values, futures, or lazy handles. It
    /// runs when all of them have their values.
    ///
    /// ```
    /// use creel::client::Client;
    ///
    /// let client = Client::local();
    /// let text = client.submit(|n: &u32| "ab".repeat(*n as usize), (3,));
    /// let more = client.submit(|text: &String, end: &char| format!("{text}{end}"), (&text, '!'));
    /// assert_eq!(more.wait()?, "ababab!");
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn submit<A, U: Send + Sync + 'static>(
        &self,
        f: impl Function<A, U>,
        arguments: impl Arguments<A>,
    ) -> TaskFuture<U> {
        self.compute(call(f, arguments).called(Name::At("submit", Location::caller())))
    }

    /// [`submit`](Self::submit) for a function that can fail, with an error of yours.
    #[track_caller]
    pub fn try_submit<A, U, E>(
        &self,
        f: impl Function<A, Result<U, E>>,
        arguments: impl Arguments<A>,
    ) -> TaskFuture<U>
    where
        U: Send + Sync + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.compute(try_call(f, arguments).called(Name::At("try_submit", Location::caller())))
    }

    /// Starts a function of each value.
    ///
    /// ```
    /// let client = creel::client::Client::local();
    /// let lengths = client.map(|word: &&str| word.len(), ["one", "three"]);
    /// assert_eq!(futures::executor::block_on(client.gather(lengths))?, [3, 5]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn map<A, U>(
        &self,
        f: impl Fn(&A) -> U + Send + Sync + 'static,
        values: impl IntoIterator<Item = A>,
    ) -> Vec<TaskFuture<U>>
    where
        A: Send + Sync + 'static,
        U: Send + Sync + 'static,
    {
        let (f, name) = (Arc::new(f), Name::At("map", Location::caller()));
        let start = |value| {
            let f = Arc::clone(&f);
            self.compute(delayed(value).map(move |value| f(value)).called(name.clone()))
        };
        values.into_iter().map(start).collect()
    }

    /// Starts what a lazy handle or an item stands for, with all that it needs; tasks that are
    /// there already, as what other futures need, are not run again.
    ///
    /// ```
    /// let client = creel::client::Client::local();
    /// let lines = creel::read_text("fixtures/access.log")?;
    /// let count = client.compute(lines.count());
    /// let half = client.compute(creel::delayed(7).map(|n| n / 2));
    /// assert_eq!((count.wait()? > 0, half.wait()?), (true, 3));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn compute<T>(&self, what: impl Into<Delayed<T>>) -> TaskFuture<T> {
        TaskFuture::start(&self.0, what.into().into_node())
    }

    /// Keeps values for tasks to come, one future each.
    ///
    /// ```
    /// let client = creel::client::Client::local();
    /// let kept = client.scatter(["a".to_owned(), "b".to_owned()]);
    /// let both = client.submit(|a: &String, b: &String| format!("{a}{b}"), (&kept[0], &kept[1]));
    /// assert_eq!(both.wait()?, "ab");
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn scatter<T: Send + Sync + 'static>(
        &self,
        values: impl IntoIterator<Item = T>,
    ) -> Vec<TaskFuture<T>> {
        let name = Name::At("scatter", Location::caller());
        let keep = |value| self.compute(delayed(value).called(name.clone()));
        values.into_iter().map(keep).collect()
    }

    /// The values of futures, or of references to futures, in their order, once all have theirs.
    /// A value is cloned only if something else holds it.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let client = creel::client::Client::local();
    /// let squares = client.map(|n: &u32| n * n, 1..5);
    /// assert_eq!(client.gather(&squares[2..]).await?, [9, 16]);
    /// assert_eq!(client.gather([&squares[0], &squares[3]]).await?, [1, 16]);
    /// assert_eq!(client.gather(squares).await?, [1, 4, 9, 16]);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The first, in the futures' order, of those that failed; as soon as it is known that none
    /// before it did.
    pub async fn gather<T: Send>(
        &self,
        futures: impl IntoIterator<Item = impl IntoFuture<Output = Result<T>, IntoFuture: Send>>,
    ) -> Result<Vec<T>> {
        let futures: Vec<_> = futures.into_iter().map(IntoFuture::into_future).collect();
        let mut values = Vec::with_capacity(futures.len());
        for future in futures {
            values.push(future.await?);
        }
        Ok(values)
    }

    /// The values of those futures that have one, in their order, once all have come to their
    /// end; those that failed are left out.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let client = creel::client::Client::local();
    /// let tenths = client.map(|n: &u32| 10 / n, [5, 0, 2]);
    /// assert_eq!(client.gather_done(&tenths).await, [2, 5]);
    /// # });
    /// ```
    pub async fn gather_done<T: Send>(
        &self,
        futures: impl IntoIterator<Item = impl IntoFuture<Output = Result<T>, IntoFuture: Send>>,
    ) -> Vec<T> {
        let values = join_all(futures.into_iter().map(IntoFuture::into_future)).await;
        values.into_iter().flatten().collect()
    }

    /// Forgets all tasks: futures of this client that are still held are cancelled, also those
    /// that have values. New tasks run on new threads, so that one which never ends is got rid
    /// of; its thread is left to it.
    ///
    /// ```
    /// use creel::client::{Client, Status};
    ///
    /// let client = Client::local();
    /// let old = client.submit(|| 1, ());
    /// client.restart();
    /// assert_eq!(old.status(), Status::Cancelled);
    /// assert_eq!(client.submit(|| 2, ()).wait()?, 2);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn restart(&self) {
        self.0.0.with(|state| state.restart());
    }

    /// What the client is, and does right now.
    ///
    /// ```
    /// let client = creel::Run::new().threads(2).memory(1 << 30).client();
    /// let text = client.info().to_string();
    /// assert!(text.starts_with("a local client of 2 threads"), "{text}");
    /// ```
    pub fn info(&self) -> Info {
        Info::of(&self.0.0)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} threads)", self.0.0.context.threads)
    }
}
