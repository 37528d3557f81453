//! What wakes lanes that wait: other lanes, the bytes that a reader waits for, and the end of a run.
//!
//! A lane never waits for a network with a reader in its hands. A reader that has to wait is put
//! aside, and calls its [waker](Signal::waker) when its bytes have come, on whatever thread; that
//! takes none of the locks that lanes work under. The lane waits only when nothing else is ready,
//! and then for all readers at once.

use std::sync::{Arc, PoisonError};
use std::task::{Wake as Wakes, Waker};

use super::Stop;
use super::schedule::Wake;
use crate::graph::StopEntry;
use crate::graph::sync::{AtomicUsize, Condvar, Mutex, MutexGuard, Ordering};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    /// How many partitions can go on again: none, mostly.
    ready: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    /// Partitions whose readers can go on.
    ready: Vec<usize>,
    /// Lanes that wait.
    waiting: usize,
    /// Who waits and is no lane.
    listener: Option<Waker>,
}

impl Signal {
    /// The partitions whose readers can go on since this was asked last.
    pub(super) fn take_ready(&self) -> Vec<usize> {
        if self.ready.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut state = self.lock();
        self.ready.store(0, Ordering::Release);
        std::mem::take(&mut state.ready)
    }

    /// Waits until there may be something to do. `looked_at` is the lock under which the caller has
    /// found that there is nothing: it is released only when no signal can be missed any more.
    pub(super) fn wait<L>(&self, looked_at: L, stop: &Stop) {
        let mut state = self.lock();
        if !state.ready.is_empty() || stop.is_set() {
            return;
        }
        state.waiting += 1;
        drop(looked_at);
        state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
    }

    /// Wakes lanes that wait.
    pub(super) fn notify(&self, wake: Wake) {
        self.notify_locked(&mut self.lock(), wake);
    }

    /// Wakes somebody, once, at the next signal to a lane; or nobody any more.
    #[cfg(feature = "cli")]
    pub(super) fn listen(&self, listener: Option<Waker>) {
        self.lock().listener = listener;
    }

    /// Wakes who listens.
    #[cfg(feature = "cli")]
    pub(super) fn wake_listener(&self) {
        let listener = self.lock().listener.take();
        listener.into_iter().for_each(Waker::wake);
    }

    fn notify_locked(&self, state: &mut MutexGuard<'_, State>, wake: Wake) {
        if let Some(listener) = state.listener.take() {
            listener.wake();
        }
        match wake {
            // To notify nobody is a system call too.
            _ if state.waiting == 0 => {}
            Wake::One => self.changed.notify_one(),
            Wake::All => self.changed.notify_all(),
        }
    }

    /// What the reader of a partition is to call when it can go on.
    pub(super) fn waker(self: &Arc<Self>, partition: usize) -> Waker {
        Waker::from(Arc::new(Notifier { signal: Arc::clone(self), partition: Some(partition) }))
    }

    /// Wakes lanes when a run is told to end, until what this returns is dropped.
    pub(super) fn register(self: &Arc<Self>, stop: &Stop) -> StopEntry {
        stop.enter(Waker::from(Arc::new(Notifier { signal: Arc::clone(self), partition: None })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls for a reader, or for all lanes.
struct Notifier {
    signal: Arc<Signal>,
    partition: Option<usize>,
}

impl Wakes for Notifier {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.signal.lock();
        let wake = match self.partition {
            Some(partition) => {
                state.ready.push(partition);
                self.signal.ready.store(state.ready.len(), Ordering::Release);
                Wake::One
            }
            None => Wake::All,
        };
        self.signal.notify_locked(&mut state, wake);
    }
}
