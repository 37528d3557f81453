//! Ending a run early, and waiting for I/O on a thread that must hear of it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::unconstrained;

use super::sync::{AtomicU8, Mutex, MutexGuard, Thread, current, park, thread_local};

/// Tells a run to end before its input does. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU8,
    /// Who is woken when the state changes.
    listeners: Mutex<Listeners>,
    /// The place among the listeners of the one that this follows.
    _follows: Option<Entry>,
}

#[derive(Debug, Default)]
struct Listeners {
    entered: u64,
    wakers: Vec<(u64, Waker)>,
}

const STOPPED: u8 = 1;
const CANCELLED: u8 = 2;

thread_local! {
    /// The stop of the task that this thread works on.
    static CURRENT: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

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
        self.state() != 0
    }

    /// Whether the run was abandoned.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.state() == CANCELLED
    }

    /// Whether the run goes on.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`](crate::Error::Cancelled), if it was abandoned.
    pub(crate) fn check(&self) -> crate::Result<()> {
        if self.is_cancelled() { Err(crate::Error::Cancelled) } else { Ok(()) }
    }

    /// Another, which is told what this is told.
    pub(crate) fn child(&self) -> Self {
        self.follower(STOPPED)
    }

    /// Another, which is told only that the run was abandoned: for what is done after reading.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn after_reading(&self) -> Self {
        self.follower(CANCELLED)
    }

    /// Another, which is told what this is told from this state on.
    fn follower(&self, least: u8) -> Self {
        let child = Self(Arc::new_cyclic(|child| {
            let (child, parent) = (Weak::clone(child), Arc::downgrade(&self.0));
            let follower = Follower { child, parent, least };
            let follows = Some(self.enter(Waker::from(Arc::new(follower))));
            Shared { _follows: follows, ..Shared::default() }
        }));
        // Only now, so that what happened before it listened is not missed.
        child.hear(self.state(), least);
        child
    }

    /// One for a run that this thread starts: the child of the task's that starts it, if any.
    pub(crate) fn of_this_thread() -> Self {
        CURRENT.with(|current| current.borrow().as_ref().map_or_else(Self::default, Self::child))
    }

    /// Makes this the stop of what the thread works on from now on, and returns what was.
    pub(super) fn enter_thread(stop: Option<Self>) -> Option<Self> {
        CURRENT.with(|current| current.replace(stop))
    }

    /// Whether two are clones of one.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
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
        let waker = Waker::from(Arc::new(Unpark(current())));
        let mut context = Context::from_waker(&waker);
        // Local files are ready here, so that nobody pays for what follows who does not wait.
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let _entry = self.enter(waker.clone());
        loop {
            if self.is_set() {
                return None;
            }
            park();
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
        }
    }

    /// Has this woken when the run is told to end, until the entry is dropped.
    pub(crate) fn enter(&self, waker: Waker) -> Entry {
        let mut listeners = self.listeners();
        listeners.entered += 1;
        let key = listeners.entered;
        listeners.wakers.push((key, waker));
        Entry { stop: self.clone(), key }
    }

    /// Takes over a state, if it is this one at least.
    fn hear(&self, state: u8, least: u8) {
        if state >= least {
            self.set(state);
        }
    }

    fn state(&self) -> u8 {
        self.0.state.load(Ordering::Acquire)
    }

    fn set(&self, state: u8) {
        if self.0.state.fetch_max(state, Ordering::AcqRel) >= state {
            return;
        }
        // Woken outside of the lock: a listener may have locks of its own.
        let wakers: Vec<Waker> =
            self.listeners().wakers.iter().map(|(_, waker)| waker.clone()).collect();
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those that are woken.
#[derive(Debug)]
pub(crate) struct Entry {
    stop: Stop,
    key: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut listeners = self.stop.listeners();
        if let Some(at) = listeners.wakers.iter().position(|(key, _)| *key == self.key) {
            let waker = listeners.wakers.swap_remove(at);
            drop(listeners);
            drop(waker);
        }
    }
}

/// Tells a child what its parent was told.
struct Follower {
    child: Weak<Shared>,
    parent: Weak<Shared>,
    least: u8,
}

impl Wake for Follower {
    fn wake(self: Arc<Self>) {
        if let (Some(child), Some(parent)) = (self.child.upgrade(), self.parent.upgrade()) {
            Stop(child).hear(Stop(parent).state(), self.least);
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
    use std::thread;

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

    #[test]
    fn a_child_hears_what_its_parent_was_told_before_and_after_it_was_born() {
        let (first, second) = (Stop::default(), Stop::default());
        let child = first.child();
        let grandchild = child.child();
        first.stop();
        assert!(grandchild.is_set() && !grandchild.is_cancelled());
        first.cancel();
        assert!(grandchild.is_cancelled() && first.child().is_cancelled());
        second.child().cancel();
        assert!(!second.is_set(), "a child's end is its own");
    }

    #[test]
    fn work_after_reading_goes_on_when_a_run_is_stopped_and_ends_when_it_is_cancelled() {
        let stop = Stop::default();
        let before = stop.after_reading();
        stop.stop();
        let after = stop.after_reading();
        assert!(!before.is_set() && !after.is_set());
        stop.cancel();
        assert!(before.is_cancelled() && after.is_cancelled());
    }
}
