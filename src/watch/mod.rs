//! Watching a run: everything that happens to a task is an event, and whoever wants to know
//! listens.
//!
//! An [`Observer`] is told of each event, on the thread on which it happens, as it happens. It is
//! given to a run by [`Run::observer`](crate::Run::observer). A run that nobody watches makes no
//! events.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//!
//! use creel::watch::{Event, Observer, What};
//!
//! #[derive(Debug, Default)]
//! struct Done(AtomicU64);
//!
//! impl Observer for Done {
//!     fn event(&self, event: &Event<'_>) {
//!         if matches!(event.what, What::Done) {
//!             self.0.fetch_add(1, Relaxed);
//!         }
//!     }
//! }
//!
//! let done = Arc::new(Done::default());
//! let chain = creel::delayed(1).map(|n| n + 1).map(|n| n * 10);
//! assert_eq!(creel::Run::new().observer(Arc::clone(&done)).compute_blocking(&chain)?, 20);
//! assert_eq!(done.0.load(Relaxed), 3);
//! # Ok::<(), creel::Error>(())
//! ```
//!
//! | listener | what it makes of events | feature |
//! |---|---|---|
//! | [`Bar`] | a progress bar on a terminal | `bar` |
//! | [`Profile`] | a table of where the time went, per kind of task | |
//! | [`Trace`] | a file that Perfetto shows on a time line | |
//!
//! # Spans
//!
//! With the feature `tracing` the work on each task, observed or not, goes on inside of a span of
//! the crate `tracing`: its name is `task`, its target `creel`, its level debug, its fields `kind`,
//! `name` and `id`, and `error` if the work failed. What a task logs says so which task it was. A
//! future has a span of its own, which it is in whenever it is polled. Where nobody subscribes, no name is formatted.
//!
//! # Runs within runs
//!
//! A task that computes another graph starts a run of its own: observers are told of the tasks of
//! the run that they were given to, and of no others.

#[cfg(feature = "bar")]
mod bar;
#[cfg(all(test, feature = "bar"))]
mod bar_tests;
mod json;
mod profile;
mod span;
#[cfg(all(test, feature = "tracing"))]
mod span_tests;
mod table;
#[cfg(test)]
mod tests;
mod trace;
#[cfg(test)]
mod trace_tests;
mod underway;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Error;
use crate::error::thrown;

#[cfg(feature = "bar")]
pub use bar::Bar;
pub use profile::{Kind, Profile};
pub(crate) use span::{Span, span};
pub(crate) use table::bytes;
pub use trace::Trace;

/// Who is told what happens to tasks.
///
/// It is called by the threads that work, between tasks, so it should be quick; it may be called
/// by several of them at once.
///
/// Where it panics, the task fails that it was told of, as if that had panicked: a run ends with an
/// [`Error::Panic`] that says so, and so does the future of a client's task. Where a client's task
/// has ended, or a run has its results and drops what is left, there is nothing to fail any more.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);

    /// The run is over, though values may still be dropped. A client never is.
    fn ended(&self) {}
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn event(&self, event: &Event<'_>) {
        O::event(self, event);
    }

    fn ended(&self) {
        O::ended(self);
    }
}

/// Something that happened to a task.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Event<'a> {
    /// When.
    pub at: Instant,
    /// To which task.
    pub task: Task<'a>,
    /// What.
    pub what: What<'a>,
}

/// A task, as those who watch see it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Task<'a> {
    /// Its number; no other task of this process has it.
    pub id: u64,
    /// What tasks of its kind have in common: the name that it was given, or its operation.
    pub kind: &'a str,
    /// What sets it apart, as errors name it: `lane 3`, `map (src/main.rs:7)`.
    pub name: &'a dyn fmt::Display,
}

impl fmt::Debug for Task<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({}, {})", self.id, self.name)
    }
}

/// What can happen to a task, in this order.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum What<'a> {
    /// It is part of a graph that runs now. Where others run already, this may be told late.
    Planned,
    /// All that it needed was there at this time, from when on it waited for a thread; told as it
    /// starts.
    Ready,
    /// This thread works on it.
    Started,
    /// It read this much, more than once perhaps.
    Read {
        /// Bytes, decompressed.
        bytes: u64,
        /// Records.
        records: u64,
    },
    /// It waits for a future, a limit, its next try, or the task that it became, and keeps no
    /// thread; `Started` or `Done` follows.
    Waiting,
    /// It failed and will be tried again.
    Retried {
        /// Why it failed.
        error: &'a Error,
        /// After which time.
        after: Duration,
    },
    /// It has its value.
    Done,
    /// It failed for good.
    Failed {
        /// Why.
        error: &'a Error,
    },
    /// Nobody needs its value any more, so that it was dropped, or never made.
    Dropped,
}

/// Those who watch a run.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Observer + 'static) {
        self.0.push(Arc::new(observer));
    }

    /// Whether nobody watches.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all of them.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.each(|observer| observer.event(event));
    }

    /// Tells all of them that the run is over.
    pub(crate) fn ended(&self) {
        self.each(|observer| observer.ended());
    }

    /// A panic goes on to whoever catches those of tasks, and says whose it was.
    fn each(&self, tell: impl Fn(&dyn Observer)) {
        for observer in &self.0 {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(&**observer))) {
                resume_unwind(Box::new(format!("in an observer: {}", thrown(panic))));
            }
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
