//! The tasks that are under way, and how long each stage of them takes.
//!
//! What every listener here needs: events are points in time, and what people ask for are
//! stretches of it. The state is that of tasks under way, and goes with them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
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
    /// Whether it was told that the task is ready.
    was_ready: bool,
    /// How long the task was in each stage before this one.
    pub(super) queued: Duration,
    pub(super) worked: Duration,
    pub(super) waited: Duration,
}

/// The tasks that are under way, by their number.
#[derive(Debug, Default)]
pub(super) struct Underway {
    tasks: HashMap<u64, Stretch>,
    /// The last tasks that ended before somebody told that they were ready: the thread that finds
    /// a task ready tells so, and another may have done it by then.
    early: VecDeque<u64>,
}

/// So many are remembered: more than there are threads that could be late, and quickly searched.
const EARLY: usize = 64;

impl Underway {
    /// Follows an event; gives the stretch that it ended, if it ended one, with its own time added.
    pub(super) fn follow(&mut self, event: &Event<'_>) -> Option<Stretch> {
        let stage = match event.what {
            What::Ready => Stage::Queued,
            What::Started => Stage::Working,
            What::Waiting | What::Retried { .. } => Stage::Waiting,
            What::Read { .. } => return None,
            What::Done | What::Failed { .. } | What::Dropped => return self.end(event),
        };
        let zero = Duration::ZERO;
        let (since, thread) = (event.at, thread());
        match self.tasks.entry(event.task.id) {
            Entry::Vacant(entry) => {
                if stage == Stage::Queued
                    && let Some(at) = self.early.iter().position(|id| *id == event.task.id)
                {
                    self.early.remove(at);
                    return None;
                }
                let (queued, worked, waited) = (zero, zero, zero);
                let was_ready = stage == Stage::Queued;
                entry.insert(Stretch { stage, since, thread, was_ready, queued, worked, waited });
                None
            }
            // What has begun does not become ready, though another thread may say so late.
            Entry::Occupied(mut entry) if stage == Stage::Queued => {
                entry.get_mut().was_ready = true;
                None
            }
            // A failed task waits from `Retried` on, whether `Waiting` says it again or not.
            Entry::Occupied(entry) if entry.get().stage == stage => None,
            Entry::Occupied(mut entry) => {
                let past = ended(*entry.get(), event.at);
                entry.insert(Stretch { stage, since, thread, ..past });
                Some(past)
            }
        }
    }

    fn end(&mut self, event: &Event<'_>) -> Option<Stretch> {
        let past = self.tasks.remove(&event.task.id).map(|past| ended(past, event.at))?;
        if past.stage != Stage::Queued && !past.was_ready {
            self.early.truncate(EARLY - 1);
            self.early.push_front(event.task.id);
        }
        Some(past)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}

/// A stretch, its time added to its stage.
fn ended(mut stretch: Stretch, at: Instant) -> Stretch {
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
