//! Where the time of a run went, per kind of task, as a table of text.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::underway::{Stage, Stretch, Underway, thread, works};
use super::{Event, Observer, What};

/// Kinds that have a row of their own in memory; names may come from the input, and so be many.
const KINDS: usize = 1000;
/// What all further kinds are counted as.
const OTHERS: &str = "(others)";

/// Collects how long tasks worked and waited, and prints it as a table, a row for each kind of
/// task, the one that worked longest first.
///
/// ```
/// use std::sync::Arc;
///
/// use creel::watch::Profile;
///
/// let profile = Arc::new(Profile::new());
/// let squares = (0..100_u64).map(|n| creel::delayed(n).map(|n| n * n).named("square"));
/// let sum = creel::delayed::all(squares).map(|squares| squares.iter().map(|n| **n).sum::<u64>());
/// let run = creel::Run::new().observer(Arc::clone(&profile));
/// assert_eq!(run.compute_blocking(&sum)?, 328_350);
///
/// let kinds = profile.kinds();
/// let square = kinds.iter().find(|kind| kind.name == "square").unwrap();
/// assert_eq!((square.tasks, square.failed), (100, 0));
/// assert!(square.longest <= square.time && square.time <= profile.busy());
/// println!("{profile}");
/// # assert!(profile.to_string().starts_with("task"));
/// # Ok::<(), creel::Error>(())
/// ```
///
/// ```text
/// task    tasks      time      mean   longest   queued     bytes   share
/// lane       16     4.12s  257.50ms  291.02ms   1.21ms  1.00 GiB   97.2%
/// merge      15  116.85ms    7.79ms   50.01ms  24.10µs       0 B    2.8%
/// in all     31     4.24s  136.77ms  291.02ms   1.23ms  1.00 GiB  100.0%
/// 2.18s on 2 threads, 97% of them busy
/// ```
///
/// Columns in which all is zero are left out. `queued` is the time between a task's being ready
/// and a thread's taking it, summed over the tasks: of many that are ready at once it is more than
/// the run took. `waiting` is what they spent on futures, limits and pauses between tries.
///
/// It can be looked at while the run goes: then it shows the tasks that have ended. One profile
/// may watch several runs, and adds them up. Where a task runs another graph and the same profile
/// watches that, the time of the inner tasks is time of the outer one too, but a thread is busy
/// only once.
///
/// Its memory is some 100 bytes for each task under way, and a row for each kind, up to a thousand
/// (all further kinds are one). An event costs some 50 nanoseconds, a task 0.2 microseconds.
#[derive(Debug, Default)]
pub struct Profile(Mutex<Totals>);

#[derive(Debug, Default)]
struct Totals {
    underway: Underway,
    kinds: Vec<Kind>,
    /// Where each kind stands, by its name.
    places: HashMap<Box<str>, usize>,
    /// The threads that have worked.
    threads: HashSet<u64>,
    /// For each thread that works, at how many tasks, one within the other.
    depths: HashMap<u64, u32>,
    busy: Duration,
    /// The first event and the last.
    span: Option<(Instant, Instant)>,
}

/// What a [`Profile`] knows of the tasks of one kind that have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kind {
    /// What they are called.
    pub name: String,
    /// Tasks that have their value, or failed for good.
    pub tasks: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// How often one was tried again.
    pub retried: u64,
    /// How long threads worked on them.
    pub time: Duration,
    /// How long they worked on the one that took them longest.
    pub longest: Duration,
    /// How long they were ready before a thread took them.
    pub queued: Duration,
    /// How long they waited, keeping no thread, for futures, limits and the next try.
    pub waiting: Duration,
    /// Bytes read, decompressed.
    pub bytes: u64,
    /// Records read, by those who own theirs.
    pub records: u64,
}

impl Kind {
    /// How long threads worked on one of them, on average.
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.time.as_secs_f64() / self.tasks.max(1) as f64)
    }

    /// Adds what was seen of another kind.
    pub(super) fn add(&mut self, other: &Self) {
        self.tasks += other.tasks;
        self.failed += other.failed;
        self.retried += other.retried;
        self.time += other.time;
        self.longest = self.longest.max(other.longest);
        self.queued += other.queued;
        self.waiting += other.waiting;
        self.bytes += other.bytes;
        self.records += other.records;
    }
}

impl Profile {
    /// A profile that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was seen of each kind of task, the one that worked longest first.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = self.lock().kinds.clone();
        kinds.sort_by(|a, b| (Reverse(a.time), &a.name).cmp(&(Reverse(b.time), &b.name)));
        kinds
    }

    /// The time from the first event to the last.
    pub fn wall(&self) -> Duration {
        self.lock().wall()
    }

    /// How many threads have worked.
    pub fn threads(&self) -> usize {
        self.lock().threads.len()
    }

    /// How long all threads together have worked.
    pub fn busy(&self) -> Duration {
        self.lock().busy
    }

    /// The part of the time of all threads, from the first event to the last, that was work:
    /// between 0 and 1.
    pub fn utilisation(&self) -> f64 {
        self.lock().utilisation()
    }

    /// How many tasks are under way: they are counted when they end.
    pub fn under_way(&self) -> usize {
        self.lock().underway.len()
    }

    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Profile {
    fn event(&self, event: &Event<'_>) {
        self.lock().event(event);
    }
}

impl Totals {
    fn event(&mut self, event: &Event<'_>) {
        let (first, last) = self.span.unwrap_or((event.at, event.at));
        self.span = Some((first.min(event.at), last.max(event.at)));
        let past = self.underway.follow(event);
        if let Some(past) = past.filter(|past| past.stage == Stage::Working) {
            self.leave(&past, event.at);
        }
        if works(event.what) {
            self.threads.insert(thread());
            *self.depths.entry(thread()).or_default() += 1;
        }
        match event.what {
            What::Read { bytes, records } => {
                let kind = self.kind(event.task.kind);
                kind.bytes += bytes;
                kind.records += records;
            }
            What::Retried { .. } => self.kind(event.task.kind).retried += 1,
            What::Done => self.end(event, past, 0),
            What::Failed { .. } => self.end(event, past, 1),
            What::Planned | What::Ready | What::Started | What::Waiting | What::Dropped => {}
        }
    }

    /// A thread has stopped working on a task.
    fn leave(&mut self, past: &Stretch, at: Instant) {
        let Some(depth) = self.depths.get_mut(&past.thread) else { return };
        *depth -= 1;
        if *depth == 0 {
            self.depths.remove(&past.thread);
            self.busy += at.saturating_duration_since(past.since);
        }
    }

    /// A task has ended; there is nothing to say of one that this did not see begin.
    fn end(&mut self, event: &Event<'_>, past: Option<Stretch>, failed: u64) {
        let Some(past) = past else { return };
        let kind = self.kind(event.task.kind);
        kind.tasks += 1;
        kind.failed += failed;
        kind.time += past.worked;
        kind.longest = kind.longest.max(past.worked);
        kind.queued += past.queued;
        kind.waiting += past.waited;
    }

    fn kind(&mut self, name: &str) -> &mut Kind {
        let others = self.kinds.len() >= KINDS && !self.places.contains_key(name);
        let name = if others { OTHERS } else { name };
        let place = self.places.get(name).copied().unwrap_or_else(|| {
            self.kinds.push(Kind { name: name.to_owned(), ..Kind::default() });
            self.places.insert(name.into(), self.kinds.len() - 1);
            self.kinds.len() - 1
        });
        &mut self.kinds[place]
    }

    fn wall(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(first, last)| last - first)
    }

    fn utilisation(&self) -> f64 {
        let all = self.wall().as_secs_f64() * self.threads.len() as f64;
        if all > 0.0 { self.busy.as_secs_f64() / all } else { 0.0 }
    }
}
