//! Functions of a program as tasks on a cluster.

use std::fmt;
use std::sync::Arc;

use creel_operators::Spill;
use futures::channel::oneshot::Receiver;
use serde_json::{Value, json};

use super::connection::{Answer, Connection};
use super::functions::Registered;
use super::info::Info;
use super::scheduler::Scheduler;
use crate::graph::client::{Client, TaskFuture};
use crate::graph::delayed::{Arguments, Sent, called_elsewhere};
use crate::graph::{Shared, Stop};
use crate::runtime::blocking;
use crate::{Error, Result};

/// Runs registered functions on the workers of a Dask cluster, as they are submitted. Cheap to clone.
///
/// [`Client::connect`] makes it. Its futures are those of the local client: they can be awaited, gathered, handed to
/// further calls, read [as they are completed](crate::client::as_completed), cancelled and tried again. A call whose
/// worker is lost is made again by Dask. Arguments that are futures come here, and go out again.
///
/// Each call starts this program on a worker, which takes some milliseconds beside what `main` does before it connects;
/// a worker reads an executable once, to compare the builds. So a call should take longer than that. Arguments stand in
/// the memory of the scheduler: none should be a secret.
///
/// ```no_run
/// use creel::client::Client;
///
/// fn main() -> creel::Result<()> {
///     creel::worker::init();
///     let square = creel::worker::register("square", |n: &u64| n * n);
///     let cluster = Client::connect("tcp://127.0.0.1:8786")?;
///     println!("{}", cluster.info()?);
///     let squares = cluster.map(&square, 1..5);
///     let sum: u64 = cluster.gather_blocking(squares)?.iter().sum();
///     println!("{sum}");
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct ClusterClient {
    connection: Arc<Connection>,
    /// It waits for calls, and runs none of them.
    tasks: Client,
    address: String,
    /// Whether this process is on a worker, and does a step of something else than a call.
    is_absent: bool,
}

impl fmt::Debug for ClusterClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterClient({})", self.address)
    }
}

impl ClusterClient {
    /// Connects to a scheduler.
    pub(crate) fn open(scheduler: &Scheduler) -> Result<Self> {
        let (connection, address) = Connection::open(scheduler)?;
        Ok(Self { connection, tasks: Client::local(), address, is_absent: false })
    }

    /// One whose calls fail of this, and which has no workers.
    pub(crate) fn absent(error: Error) -> Self {
        let (connection, address) = (Connection::absent(error), String::new());
        Self { connection: Arc::new(connection), tasks: Client::local(), address, is_absent: true }
    }

    /// Starts a function of up to eight arguments: plain values, futures, or lazy handles.
    ///
    /// The future fails with [`Error::Cluster`] for what fails on the worker, with its address, and for a scheduler
    /// that goes away; and with the error of an argument that failed.
    ///
    /// ```no_run
    /// # fn main() -> creel::Result<()> {
    /// # creel::worker::init();
    /// let add = creel::worker::register("add", |a: &u64, b: &u64| a + b);
    /// let cluster = creel::Client::connect("tcp://127.0.0.1:8786")?;
    /// let three = cluster.submit(&add, (1, 2));
    /// assert_eq!(cluster.submit(&add, (&three, 4)).wait()?, 7);
    /// # Ok(()) }
    /// ```
    pub fn submit<A: Sent, U: Spill>(
        &self,
        function: &Registered<A, U>,
        arguments: impl Arguments<A>,
    ) -> TaskFuture<U> {
        let (connection, name) = (Arc::clone(&self.connection), Arc::clone(&function.name));
        let call = move |bytes: Vec<u8>| {
            let header = json!({"function": *name, "length": bytes.len()});
            let asked = connection.ask("call", header, &bytes);
            let connection = Arc::clone(&connection);
            // The call ends when the future is dropped, also before its first poll.
            let under_way = asked.map(|(number, answer)| (UnderWay { connection, number }, answer));
            async move {
                let (under_way, answer) = under_way?;
                let (_, body) = answered(answer).await?;
                drop(under_way);
                let mut bytes = &body[..];
                let value = U::load(&mut bytes).filter(|_| bytes.is_empty());
                Ok(Arc::new(value.ok_or_else(not_a_result)?) as Shared)
            }
        };
        self.tasks.compute(called_elsewhere::<A, U, _>(Arc::clone(&function.name), arguments, call))
    }

    /// Starts a function of each value. Each future fails as that of [`submit`](Self::submit).
    ///
    /// ```no_run
    /// # fn main() -> creel::Result<()> {
    /// # creel::worker::init();
    /// let square = creel::worker::register("square", |n: &u64| n * n);
    /// let cluster = creel::Client::connect("tcp://127.0.0.1:8786")?;
    /// let squares = cluster.map(&square, 1..4);
    /// assert_eq!(cluster.gather_blocking(squares)?, [1, 4, 9]);
    /// # Ok(()) }
    /// ```
    pub fn map<A: Spill, U: Spill>(
        &self,
        function: &Registered<(A,), U>,
        values: impl IntoIterator<Item = A>,
    ) -> Vec<TaskFuture<U>> {
        values.into_iter().map(|value| self.submit(function, (value,))).collect()
    }

    /// The values of futures, in their order, once all have theirs.
    ///
    /// # Errors
    ///
    /// The first, in the futures' order, of those that failed.
    pub async fn gather<T: Send>(
        &self,
        futures: impl IntoIterator<Item = impl IntoFuture<Output = Result<T>, IntoFuture: Send>>,
    ) -> Result<Vec<T>> {
        self.tasks.gather(futures).await
    }

    /// [`gather`](Self::gather), waiting for it on this thread.
    ///
    /// # Errors
    ///
    /// As [`gather`](Self::gather).
    pub fn gather_blocking<T: Send>(
        &self,
        futures: impl IntoIterator<Item = impl IntoFuture<Output = Result<T>, IntoFuture: Send>>,
    ) -> Result<Vec<T>> {
        waited(self.gather(futures))
    }

    /// The cluster: its workers, their threads and their memory.
    ///
    /// # Errors
    ///
    /// [`Error::Cluster`] if the scheduler is gone.
    pub fn info(&self) -> Result<Info> {
        if self.is_absent {
            return Ok(Info::of(&Value::Null));
        }
        let (_, answer) = self.connection.ask("info", json!({}), &[])?;
        let (header, _) = waited(answered(answer))?;
        Ok(Info::of(header.get("info").unwrap_or(&Value::Null)))
    }

    /// Restarts the workers, and forgets all calls: futures that are held are cancelled.
    ///
    /// # Errors
    ///
    /// [`Error::Cluster`] if the scheduler is gone, or the workers do not come back.
    pub fn restart(&self) -> Result<()> {
        self.tasks.restart();
        if self.is_absent {
            return Ok(());
        }
        let (_, answer) = self.connection.ask("restart", json!({}), &[])?;
        waited(answered(answer)).map(drop)
    }
}

/// A call that has no answer yet.
struct UnderWay {
    connection: Arc<Connection>,
    number: u64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.connection.cancel(self.number);
    }
}

/// Waits on this thread, for as long as its run goes on.
fn waited<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    blocking(|| Stop::of_this_thread().wait(future)).unwrap_or(Err(Error::Cancelled))
}

/// Waits for an answer.
async fn answered(answer: Receiver<Result<Answer>>) -> Result<Answer> {
    // The sender goes only with the process, which tells why before.
    answer.await.unwrap_or(Err(Error::Cancelled))
}

fn not_a_result() -> Error {
    Error::Plan { reason: "a worker gave bytes that are no result of the function".to_owned() }
}
