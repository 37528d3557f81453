//! The runtime that requests live on: one for the process, started by the first request.
//!
//! Whoever reads is a compute thread with a small executor of its own, or a task on a runtime of
//! the caller's. Requests must make progress while neither polls, so they are tasks here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Enough to decrypt at the speed of a fast network; the other cores compute.
const THREADS: usize = 2;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

fn runtime() -> io::Result<&'static Runtime> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let mut started = Builder::new_multi_thread();
    let started = started.worker_threads(THREADS).thread_name("creel-io").enable_all().build()?;
    // Of two that are started at once the second is let go, without waiting for its threads.
    if let Err(second) = RUNTIME.set(started) {
        second.shutdown_background();
    }
    RUNTIME.get().ok_or_else(|| io::Error::other("the runtime for requests did not start"))
}

/// Runs a future beside the caller.
pub(super) fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> io::Result<Task<T>> {
    Ok(Task(runtime()?.spawn(future)))
}

/// A running future; dropping this aborts it, and with it its request.
#[derive(Debug)]
pub(super) struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(io::Error::from)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
