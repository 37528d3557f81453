//! What a task is allowed: tries, company, memory; and what makes it the same as another.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::node::{Key, Shared};
use crate::Error;

/// How often, and when, a task that failed or panicked is tried again.
///
/// ```
/// use std::io;
/// use std::time::Duration;
///
/// use creel::delayed::Retry;
///
/// // Three times, after 10, 20 and 40 milliseconds, if it timed out.
/// let timed_out = |error: &creel::Error| match error {
///     creel::Error::Task { source, .. } => source
///         .downcast_ref::<io::Error>()
///         .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut),
///     _ => false,
/// };
/// let retry = Retry::times(3).pause(Duration::from_millis(10)).when(timed_out);
/// let absent = creel::delayed("nowhere").try_map(|path| std::fs::read(path)).retry(retry);
/// assert!(absent.compute_blocking().is_err()); // at once: it did not time out
/// ```
#[derive(Clone)]
pub struct Retry {
    times: u32,
    pause: Duration,
    when: Option<Arc<Worth>>,
}

/// Whether an error is worth another try.
type Worth = dyn Fn(&Error) -> bool + Send + Sync;

/// Longer than this no task waits for its next try.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Retry {
    /// So many times, at once.
    pub fn times(times: u32) -> Self {
        Self { times, pause: Duration::ZERO, when: None }
    }

    /// Waits before the first retry, and twice as long before each that follows, but never more
    /// than a minute. No thread is kept meanwhile.
    pub fn pause(mut self, first: Duration) -> Self {
        self.pause = first;
        self
    }

    /// Only for errors that are worth it; what the task met is an [`Error::Task`] or an
    /// [`Error::Panic`], whose path is not known yet, or another error of a bag's.
    pub fn when(mut self, worth: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(worth));
        self
    }

    /// Whether there can be another try after so many that failed.
    pub(super) fn is_left(&self, failed: u32) -> bool {
        failed < self.times
    }

    /// The pause before the next try; `None` if there is none after so many that failed.
    pub(super) fn after(&self, failed: u32, error: &Error) -> Option<Duration> {
        let worth = || self.when.as_ref().is_none_or(|worth| worth(error));
        (self.is_left(failed) && !matches!(error, Error::Cancelled) && worth())
            .then(|| self.pause.saturating_mul(2_u32.saturating_pow(failed)).min(LONGEST_PAUSE))
    }
}

/// So many times, at once.
impl From<u32> for Retry {
    fn from(times: u32) -> Self {
        Self::times(times)
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Retry({} times, {:?} first)", self.times, self.pause)
    }
}

/// At most so many tasks of a kind at once, over all runs and clients that share this: a kind is
/// the tasks that were given a clone of it. See [`Delayed::limited`](super::Delayed::limited).
///
/// ```
/// use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
///
/// use creel::delayed::{Limit, all, delayed};
///
/// static CONNECTED: AtomicI32 = AtomicI32::new(0);
/// let connections = Limit::new(1);
/// let query = |n: i32| {
///     delayed(n).map(|n| {
///         assert_eq!(CONNECTED.fetch_add(1, SeqCst), 0, "nobody else is connected");
///         CONNECTED.fetch_sub(1, SeqCst);
///         n * 2
///     }).limited(&connections)
/// };
/// let sum = all((0..8).map(query)).map(|all| all.iter().map(|n| **n).sum::<i32>());
/// assert_eq!(sum.compute_blocking()?, 56);
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Limit(pub(super) Arc<Semaphore>);

impl Limit {
    /// At most `most` at once; at least one.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))))
    }
}

/// What most tasks are not given, so that a node has one pointer for it.
#[derive(Default, Clone)]
pub(super) struct Policy {
    pub(super) retry: Option<Retry>,
    pub(super) limit: Option<Limit>,
    /// Whether its inputs are gone once it has begun, so that it cannot be tried again.
    pub(super) once: bool,
    pub(super) weigh: Option<Arc<Weigh>>,
    pub(super) key: Option<Key>,
    /// The pass over a source that it begins, for those who make that elsewhere.
    #[cfg(feature = "cli")]
    pub(super) pass: Option<Shared>,
}

/// How many bytes a value holds.
pub(super) type Weigh = dyn Fn(&Shared) -> u64 + Send + Sync;
