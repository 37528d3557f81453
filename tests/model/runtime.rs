//! Futures of tasks, each on a thread of the checker's.

use std::future::Future;
use std::io;
use std::marker::PhantomData;

/// What `src/runtime.rs` keeps a tokio runtime for.
pub(crate) struct Threads;

pub(crate) static TASKS: Threads = Threads;

/// A future that goes on to its end also when nobody wants it any more: that is the later of the
/// two things that an abort can come to.
pub(crate) struct Task<T>(PhantomData<T>);

impl Threads {
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<Task<T>> {
        loom::thread::spawn(|| drop(loom::future::block_on(future)));
        Ok(Task(PhantomData))
    }
}

pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    work()
}
