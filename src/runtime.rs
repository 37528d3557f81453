//! Where futures run: two runtimes for the process, each started by the first who needs it.
//!
//! Whoever waits is a compute thread with a small executor of its own, or a task on a runtime of
//! the caller's. Requests must make progress while neither polls, so they are tasks here, and so
//! are the caller's futures: these in a runtime of their own, so that one that blocks keeps no
//! request waiting.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::{catch_panics, caught, fault, thrown};

/// A runtime that is started when it is needed.
pub(crate) struct Started {
    runtime: OnceLock<Runtime>,
    name: &'static str,
    /// Whether a panic of its futures is an error of whoever waits for them. Others catch their own.
    catches: bool,
    /// Threads, on a machine of so many cores.
    threads: fn(usize) -> usize,
}

/// For requests. Enough threads to decrypt at the speed of a fast network; the other cores
/// compute.
#[cfg(feature = "cloud")]
pub(crate) static REQUESTS: Started =
    Started { runtime: OnceLock::new(), name: "creel-io", catches: true, threads: |_| 2 };

/// For tasks of a graph that are futures, which may compute: a thread a core, and two at least, so
/// that one that blocks does not stop all others.
pub(crate) static TASKS: Started = Started {
    runtime: OnceLock::new(),
    name: "creel-async",
    catches: false,
    threads: |cores| cores.max(2),
};

/// What to do where the system gives no thread.
const RAISE: &str = "the system gives no more threads: raise ulimit -u (threads) or ulimit -v \
                     (memory), or the limit of the container";

thread_local! {
    /// Whether this thread is one of a runtime of ours.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

impl Started {
    fn runtime(&self) -> io::Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let mut started = Builder::new_multi_thread();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (self.threads)(cores);
        let started = started.worker_threads(threads).thread_name(self.name);
        let catches = self.catches;
        let started = started.on_thread_start(move || {
            OURS.set(true);
            if catches {
                catch_panics();
            }
        });
        has_threads(threads)?;
        // It panics where the system gives it no thread.
        let started = caught(|| started.enable_all().build()).unwrap_or_else(|panic| {
            let said = format!("{panic}; {RAISE}");
            Err(io::Error::other(said))
        })?;
        // Of two that are started at once the second is let go, without waiting for its threads.
        if let Err(second) = self.runtime.set(started) {
            second.shutdown_background();
        }
        self.runtime.get().ok_or_else(|| io::Error::other("the runtime did not start"))
    }

    /// Runs a future beside the caller.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<Task<T>> {
        let caught = AssertUnwindSafe(future).catch_unwind();
        // On the thread where it was thrown, which knows more of it.
        let future = async move { caught.await.map_err(thrown) };
        Ok(Task(self.runtime()?.spawn(future)))
    }

    /// Runs a future to its end, whoever waits for it.
    pub(crate) fn spawn_detached(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        drop(self.runtime()?.spawn(future));
        Ok(())
    }
}

/// Looks whether the system gives so many threads at once, and one more for the names of hosts.
///
/// A runtime that gets its first thread and not its second waits for ever: tokio ends it by a panic,
/// and nobody tells the first thread to end.
///
/// # Errors
/// If it does not, with what to raise.
fn has_threads(threads: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        // All of them live until this is dropped.
        let _shut = gate.lock();
        for _ in 0..=threads {
            let thread = std::thread::Builder::new();
            let started = thread.spawn_scoped(scope, || drop(gate.lock()));
            started.map_err(|e| io::Error::new(e.kind(), format!("{e}; {RAISE}")))?;
        }
        Ok(())
    })
}

/// Whether this thread is one of a runtime of ours.
pub(crate) fn is_ours() -> bool {
    OURS.get()
}

/// Runs what blocks this thread. If that is one of a runtime of ours, another takes its place:
/// a future that waits here for others must not keep them from running.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    if OURS.get() { tokio::task::block_in_place(work) } else { work() }
}

/// A running future; dropping this aborts it, and with it its request.
#[derive(Debug)]
pub(crate) struct Task<T>(JoinHandle<Result<T, String>>);

impl<T> Future for Task<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(joined.map_err(io::Error::from)?.map_err(|said| io::Error::other(fault(&said))))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "cloud")]
    #[test]
    fn a_panic_of_a_request_is_an_error_of_whoever_waits() {
        let task = REQUESTS.spawn(async { assert_eq!(1, 2, "the client failed") });
        let error = futures::executor::block_on(task.expect("a runtime")).unwrap_err().to_string();
        assert!(error.contains("internal fault") && error.contains("the client failed"), "{error}");
    }

    #[test]
    fn futures_of_tasks_have_a_thread_a_core() {
        assert_eq!([1, 2, 64].map(TASKS.threads), [2, 2, 64]);
    }
}
