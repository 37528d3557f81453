//! How many threads a run uses together with the runs that its tasks start.
//!
//! A run that a task starts works on that task's thread. Helpers it has only for threads that its
//! outermost run leaves idle: were each run to start all of its threads, a machine of `T` cores
//! would have `T` squared of them. For each helper one of the idle threads ends, so that a run within
//! another does not double their number; the outermost run starts others when it has work again.
//!
//! The tasks of clients that called for the work of a thread cannot return while that thread
//! waits. The thread knows their seats, to have other workers take their place for so long.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, Weak};

use super::engine::Engine;
use super::seats::AtSeat;
use super::sync::{AtomicUsize, thread_local};
use super::worker::{Coming, Worker};
use crate::runtime::is_ours;

thread_local! {
    /// What this thread works for, from the outermost run inwards.
    static OUTER: RefCell<Lineage> = const { RefCell::new(Lineage { crew: None, beneath: Vec::new() }) };
}

/// The threads that work for a run and for those within it.
pub(crate) struct Crew {
    working: AtomicUsize,
    /// How many the outermost run may use.
    most: usize,
    /// The outermost run. A client is none: its threads end as it sees fit.
    outermost: OnceLock<Weak<Engine>>,
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.working.load(Relaxed), self.most)
    }
}

impl Crew {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { working: AtomicUsize::new(0), most, outermost: OnceLock::new() })
    }

    /// Names the run that these threads work for.
    pub(super) fn serves(&self, outermost: &Arc<Engine>) {
        // It is the first that comes.
        let _ = self.outermost.set(Arc::downgrade(outermost));
    }

    /// Another thread is about to start for a run within the outermost: one that is idle there is not
    /// needed beside it.
    pub(super) fn replace_idle(&self) {
        if let Some(outermost) = self.outermost.get().and_then(Weak::upgrade) {
            outermost.retire_idle();
        }
    }

    /// Another thread works.
    pub(super) fn join(&self) {
        self.working.fetch_add(1, Relaxed);
    }

    /// A thread has left, or is idle.
    pub(super) fn leave(&self) {
        self.working.fetch_sub(1, Relaxed);
    }

    /// Another thread works, if this run and the outermost one allow so many.
    pub(super) fn try_join(&self, most: usize) -> bool {
        let most = most.max(self.most);
        let joined = |working: usize| (working < most).then_some(working + 1);
        self.working.fetch_update(Relaxed, Relaxed, joined).is_ok()
    }
}

/// A task of a client that cannot return before another thread has done its work.
#[derive(Clone)]
pub(super) struct Beneath {
    pub(super) engine: Arc<Engine>,
    pub(super) at: AtSeat,
    /// Whether it is the thread's own task.
    pub(super) is_own: bool,
}

impl fmt::Debug for Beneath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.at, self.engine.number)
    }
}

/// The runs and clients that a thread works for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lineage {
    crew: Option<Arc<Crew>>,
    /// The tasks of clients that have called for the work of the thread.
    beneath: Vec<Beneath>,
}

impl Lineage {
    /// That of this thread, for threads that it starts: the tasks that it is on are beneath these.
    pub(crate) fn of_this_thread() -> Self {
        let mut beneath = Self::beneath();
        beneath.iter_mut().for_each(|beneath| beneath.is_own = false);
        Self { beneath, ..Self::here() }
    }

    /// What was handed to this thread.
    pub(super) fn here() -> Self {
        OUTER.with(|outer| outer.borrow().clone())
    }

    /// The tasks of clients that cannot return while this thread waits: that which it is on, and
    /// those that have called for its work.
    pub(super) fn beneath() -> Vec<Beneath> {
        let mut beneath = Self::here().beneath;
        if let Some((engine, seat)) = Worker::client_of_this_thread() {
            let at = engine.with_state(|state| state.at_seat(seat));
            beneath.insert(0, Beneath { engine, at, is_own: true });
        }
        beneath
    }

    /// Whether tasks of clients have called for the work of its threads.
    pub(super) fn has_beneath(&self) -> bool {
        !self.beneath.is_empty()
    }

    /// Whether a task cannot go on while this thread waits.
    pub(super) fn is_inside() -> bool {
        is_ours() || Worker::client_of_this_thread().is_some() || Self::here().has_beneath()
    }

    /// Returns true if this thread works for a run or for a task: one that waits here for another run
    /// keeps the first from its end.
    pub(crate) fn is_within_run() -> bool {
        Self::is_inside() || !Self::here().is_outermost()
    }

    /// Whether it has a part in no run yet.
    pub(crate) fn is_outermost(&self) -> bool {
        self.crew.is_none()
    }

    /// The crew of a run that begins here on so many threads.
    pub(super) fn crew(&self, threads: usize) -> Arc<Crew> {
        self.crew.clone().unwrap_or_else(|| Crew::new(threads))
    }

    /// The same, as a part of a crew.
    pub(super) fn within(mut self, crew: &Arc<Crew>) -> Self {
        self.crew = Some(Arc::clone(crew));
        self
    }

    /// Tells the crew of this thread that it waits; what this returns is to be told of the end.
    pub(super) fn leave_crew() -> Option<Arc<Crew>> {
        Self::here().crew.inspect(|crew| crew.leave())
    }

    /// A future that is polled as a part of this, wherever that is.
    pub(super) fn lend(&self, mut future: Coming) -> Coming {
        if !self.has_beneath() {
            return future;
        }
        let lineage = self.clone();
        Box::pin(poll_fn(move |context| {
            let _entered = lineage.clone().enter();
            future.as_mut().poll(context)
        }))
    }

    /// Makes this the lineage of this thread, until what it returns is dropped.
    pub(crate) fn enter(self) -> Entered {
        Entered(OUTER.with(|outer| outer.replace(self)))
    }

    /// The same, for a thread that helps another of the run; `None` if there are enough of them.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn help(&self, threads: usize) -> Option<Helper> {
        let crew = self.crew.clone();
        let joined = crew.as_ref().is_none_or(|crew| {
            let joined = crew.try_join(threads);
            if joined {
                crew.replace_idle();
            }
            joined
        });
        joined.then(|| Helper { crew, lineage: self.clone() })
    }
}

/// Gives a thread back the lineage that it had.
#[must_use]
pub(crate) struct Entered(Lineage);

impl Drop for Entered {
    fn drop(&mut self) {
        OUTER.with(|outer| outer.swap(&RefCell::new(std::mem::take(&mut self.0))));
    }
}

/// A place in a crew for a thread that is about to start.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) struct Helper {
    crew: Option<Arc<Crew>>,
    lineage: Lineage,
}

impl Helper {
    /// Does the work of the thread.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn work<T>(self, work: impl FnOnce() -> T) -> T {
        let _entered = self.lineage.clone().enter();
        work()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(crew) = &self.crew {
            crew.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_within_another_has_the_threads_that_are_idle_there() {
        let crew = Lineage::default().crew(3);
        crew.join();
        let outer = Lineage::default().within(&crew);
        let helpers: Vec<_> = (0..4).map_while(|_| outer.help(2)).collect();
        assert_eq!(helpers.len(), 2, "three work");
        assert!(outer.help(5).is_some(), "it asks for more than the outer one has");
        drop(helpers);
        let entered = outer.clone().enter();
        assert!(!Lineage::of_this_thread().is_outermost());
        let works = || !Lineage::of_this_thread().is_outermost();
        assert!(outer.help(2).is_some_and(|helper| helper.work(works)));
        drop(entered);
        assert!(Lineage::of_this_thread().is_outermost());
        assert_eq!(crew.working.load(Relaxed), 1);
    }
}
