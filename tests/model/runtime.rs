//! Futures of tasks, each on a thread of the checker's.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::marker::PhantomData;

use futures::future::{AbortHandle, abortable};

loom::thread_local! {
    static OURS: Cell<bool> = Cell::new(false);
}

pub(crate) fn is_ours() -> bool {
    OURS.with(Cell::get)
}

/// What `src/runtime.rs` keeps a tokio runtime for.
pub(crate) struct Threads;

pub(crate) static TASKS: Threads = Threads;

/// A running future; dropping this aborts it.
pub(crate) struct Task<T>(AbortHandle, PhantomData<T>);

impl Threads {
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<Task<T>> {
        let (future, handle) = abortable(future);
        loom::thread::spawn(|| {
            OURS.with(|ours| ours.set(true));
            drop(loom::future::block_on(future));
        });
        Ok(Task(handle, PhantomData))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    work()
}
