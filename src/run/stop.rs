//! Ending a run early, and waiting for I/O on a thread that must hear of it.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::task::unconstrained;

/// Tells a run to end before its input does. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU8,
    /// Threads that may be parked in [`Stop::wait`].
    waiting: Mutex<Vec<Thread>>,
}

const STOPPED: u8 = 1;
const CANCELLED: u8 = 2;

impl Stop {
    /// Treats what was read so far as the whole input: states are merged and returned.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn stop(&self) {
        self.set(STOPPED);
    }

    /// Abandons the run: it returns [`Error::Cancelled`](crate::Error::Cancelled).
    pub(crate) fn cancel(&self) {
        self.set(CANCELLED);
    }

    /// Whether the run is to end, one way or the other.
    pub(crate) fn is_set(&self) -> bool {
        self.0.state.load(Ordering::Acquire) != 0
    }

    /// Whether the run was abandoned.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.state.load(Ordering::Acquire) == CANCELLED
    }

    /// Waits on this thread for a future; `None` if the run was told to end before it was ready.
    ///
    /// The future is polled here and not on a runtime: those of local files are ready at once, and
    /// those of the network wait for a channel that tasks of our own runtime fill.
    ///
    /// Unconstrained, as this thread may be inside of a task of the caller's runtime: tokio would
    /// have that task yield after so many channel operations, which it cannot do from here.
    pub(crate) fn wait<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(unconstrained(future));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        // Local files are ready here, so that nobody pays for what follows who does not wait.
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let _entry = self.enter();
        loop {
            if self.is_set() {
                return None;
            }
            thread::park();
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
        }
    }

    fn set(&self, state: u8) {
        self.0.state.fetch_max(state, Ordering::AcqRel);
        self.threads().iter().for_each(Thread::unpark);
    }

    fn enter(&self) -> Entry<'_> {
        self.threads().push(thread::current());
        Entry(self)
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<Thread>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's place among those that are woken.
struct Entry<'a>(&'a Stop);

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let me = thread::current().id();
        let mut threads = self.0.threads();
        if let Some(at) = threads.iter().position(|thread| thread.id() == me) {
            threads.swap_remove(at);
        }
    }
}

/// A waker that unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_thread_hears_of_the_end() {
        let stop = Stop::default();
        let told = thread::spawn({
            let stop = stop.clone();
            move || stop.wait(std::future::pending::<()>())
        });
        stop.cancel();
        assert_eq!(told.join().expect("it does not panic"), None);
        assert!(stop.is_cancelled());
    }

    #[test]
    fn what_another_thread_sends_is_received() {
        let (send, receive) = tokio::sync::oneshot::channel();
        let sender = thread::spawn(move || send.send(7));
        assert_eq!(Stop::default().wait(receive), Some(Ok(7)));
        sender.join().expect("it does not panic").expect("somebody receives");
    }

    #[test]
    fn a_cancelled_run_stays_cancelled() {
        let stop = Stop::default();
        stop.cancel();
        stop.stop();
        assert!(stop.is_cancelled());
    }
}
