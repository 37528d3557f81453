//! The tasks that are under way, and how long each stage of them takes.
//!
//! What every listener here needs: events are points in time, and what people ask for are
//! stretches of it. The state is that of tasks under way, and goes with them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{Event, What};

/// What a task under way is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits for a thread.
    Queued,
    /// A thread works on it.
    Working,
    /// It waits for something else, and keeps no thread.
    Waiting,
}

/// A stage that a task is in, or was in until now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) stage: Stage,
    pub(super) since: Instant,
    /// The thread on which it began, by its [`thread`] number.
    pub(super) thread: u64,
    /// Whether the task was dropped while a thread worked on it, which goes on for nothing.
    pub(super) dropped: bool,
    /// How long the task was in each stage, this stretch among them once it is over.
    pub(super) queued: Duration,
    pub(super) worked: Duration,
    pub(super) waited: Duration,
}

/// The tasks that are under way, by their number.
#[derive(Debug, Default)]
pub(super) struct Underway(HashMap<u64, Stretch>);

impl Underway {
    /// Follows an event; gives the stretch that it ended, if it ended one.
    pub(super) fn follow(&mut self, event: &Event<'_>) -> Option<Stretch> {
        let Some(stage) = stage(event.what) else { return self.end(event) };
        match self.0.entry(event.task.id) {
            Entry::Vacant(entry) => {
                entry.insert(Stretch {
                    stage,
                    since: event.at,
                    thread: thread(),
                    dropped: false,
                    queued: Duration::ZERO,
                    worked: Duration::ZERO,
                    waited: Duration::ZERO,
                });
                None
            }
            // A failed task waits from `Retried` on, whether `Waiting` says it again or not.
            Entry::Occupied(entry)
                if stage == Stage::Waiting && entry.get().stage == Stage::Waiting =>
            {
                None
            }
            Entry::Occupied(mut entry) => {
                let past = over(*entry.get(), event.at);
                match past.dropped {
                    true => _ = entry.remove(),
                    false => {
                        _ = entry.insert(Stretch {
                            stage,
                            since: event.at,
                            thread: thread(),
                            ..past
                        })
                    }
                }
                Some(past)
            }
        }
    }

    /// Ends a task, if the event does.
    fn end(&mut self, event: &Event<'_>) -> Option<Stretch> {
        let Entry::Occupied(mut entry) = self.0.entry(event.task.id) else { return None };
        match event.what {
            What::Planned | What::Read { .. } => None,
            // Its thread tells when it is through with it.
            What::Dropped if entry.get().stage == Stage::Working => {
                entry.get_mut().dropped = true;
                None
            }
            _ => Some(over(entry.remove(), event.at)),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The stage that begins with an event.
fn stage(what: What<'_>) -> Option<Stage> {
    match what {
        What::Ready => Some(Stage::Queued),
        // What is tried again at once does not start anew.
        What::Started => Some(Stage::Working),
        What::Retried { after: Duration::ZERO, .. } => Some(Stage::Working),
        What::Waiting | What::Retried { .. } => Some(Stage::Waiting),
        What::Planned | What::Read { .. } | What::Done | What::Failed { .. } | What::Dropped => {
            None
        }
    }
}

/// Whether a thread begins, with this event, to work on the task.
pub(super) fn works(what: What<'_>) -> bool {
    stage(what) == Some(Stage::Working)
}

/// A stretch with its time added to its stage.
fn over(mut stretch: Stretch, at: Instant) -> Stretch {
    let took = at.saturating_duration_since(stretch.since);
    *match stretch.stage {
        Stage::Queued => &mut stretch.queued,
        Stage::Working => &mut stretch.worked,
        Stage::Waiting => &mut stretch.waited,
    } += took;
    stretch
}

/// This thread's number: small, unlike [`ThreadId`](std::thread::ThreadId), which has none on
/// stable Rust.
pub(super) fn thread() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = THREADS.fetch_add(1, Relaxed));
    NUMBER.with(|number| *number)
}
