//! How many threads a run uses together with the runs that its tasks start.
//!
//! A run that a task starts works on that task's thread. Helpers it has only for threads that its
//! outermost run leaves idle: were each run to start all of its threads, a machine of `T` cores
//! would have `T` squared of them.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::sync::thread_local;

thread_local! {
    /// What this thread works for, from the outermost run inwards.
    static OUTER: RefCell<Lineage> = const { RefCell::new(Lineage { crew: None, engines: Vec::new() }) };
}

/// The threads that work for a run and for those within it.
#[derive(Debug)]
pub(crate) struct Crew {
    working: AtomicUsize,
    /// How many the outermost run may use.
    most: usize,
}

impl Crew {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { working: AtomicUsize::new(0), most })
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

/// The runs and clients that a thread works for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lineage {
    crew: Option<Arc<Crew>>,
    /// The numbers of engines of which a task is beneath what the thread does.
    engines: Vec<u64>,
}

impl Lineage {
    /// That of this thread, for threads that it starts.
    pub(crate) fn of_this_thread() -> Self {
        OUTER.with(|outer| outer.borrow().clone())
    }

    /// Whether it has a part in no run yet.
    pub(super) fn is_outermost(&self) -> bool {
        self.crew.is_none()
    }

    /// The crew of a run that begins here on so many threads.
    pub(super) fn crew(&self, threads: usize) -> Arc<Crew> {
        self.crew.clone().unwrap_or_else(|| Crew::new(threads))
    }

    /// The same, and within it an engine.
    pub(super) fn within(mut self, crew: &Arc<Crew>, engine: u64) -> Self {
        self.crew = Some(Arc::clone(crew));
        if !self.engines.contains(&engine) {
            self.engines.push(engine);
        }
        self
    }

    /// Whether a task of an engine is beneath what this thread does.
    pub(super) fn has(engine: u64) -> bool {
        OUTER.with(|outer| outer.borrow().engines.contains(&engine))
    }

    /// The thread of this lineage is idle.
    pub(super) fn idle(self) -> Self {
        self.crew.iter().for_each(|crew| crew.leave());
        self
    }

    /// It works again.
    pub(super) fn back(self) {
        self.crew.iter().for_each(|crew| crew.join());
    }

    /// Makes this the lineage of this thread, until what it returns is dropped.
    pub(crate) fn enter(self) -> Entered {
        Entered(OUTER.with(|outer| outer.replace(self)))
    }

    /// The same, for a thread that helps another of the run; `None` if there are enough of them.
    pub(crate) fn help(&self, threads: usize) -> Option<Helper> {
        let crew = self.crew.clone();
        let joined = crew.as_ref().is_none_or(|crew| crew.try_join(threads));
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
pub(crate) struct Helper {
    crew: Option<Arc<Crew>>,
    lineage: Lineage,
}

impl Helper {
    /// Does the work of the thread.
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
        let outer = Lineage::default().within(&crew, 1);
        let helpers: Vec<_> = (0..4).map_while(|_| outer.help(2)).collect();
        assert_eq!(helpers.len(), 2, "three work");
        assert!(outer.help(5).is_some(), "it asks for more than the outer one has");
        drop(helpers);
        let entered = outer.clone().enter();
        assert!(Lineage::has(1) && !Lineage::has(2));
        assert!(outer.help(2).is_some_and(|helper| helper.work(|| Lineage::has(1))));
        drop(entered);
        assert!(!Lineage::has(1) && Lineage::of_this_thread().is_outermost());
        assert_eq!(crew.working.load(Relaxed), 1);
    }
}
