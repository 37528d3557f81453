//! Futures in the order in which they end.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::Stream;

use super::TaskFuture;
use crate::graph::engine::Aside;
use crate::graph::waiting::next_key;

/// The futures as they end: done, failed or cancelled. More can be added while it is read.
///
/// A future costs the same however many there are.
///
/// ```
/// use creel::client::{Client, as_completed};
/// use futures::StreamExt;
///
/// # futures::executor::block_on(async {
/// let client = Client::local();
/// let mut done = as_completed(client.map(|n: &i32| n * n, [3, 5]));
/// let mut sum = 0;
/// while let Some(future) = done.next().await {
///     let square = future.await?;
///     if square > 1 {
///         done.add(client.submit(|n: &i32| n / 2, (square,)));
///     }
///     sum += square;
/// }
/// assert_eq!(sum, (9 + 4 + 2 + 1) + (25 + 12 + 6 + 3 + 1));
/// # Ok::<(), creel::Error>(()) }).unwrap();
/// ```
pub fn as_completed<T>(futures: impl IntoIterator<Item = TaskFuture<T>>) -> AsCompleted<T> {
    let mut completed = AsCompleted {
        futures: HashMap::new(),
        added: 0,
        ended: Arc::default(),
        aside: None,
        key: next_key(),
    };
    futures.into_iter().for_each(|future| completed.add(future));
    completed
}

/// A [`Stream`] of futures in the order in which they end. See [`as_completed`].
#[must_use = "a stream is read with `next`"]
pub struct AsCompleted<T> {
    /// Those that have not been given yet, by number.
    futures: HashMap<usize, TaskFuture<T>>,
    added: usize,
    ended: Arc<Ended>,
    /// While it is waited for in a task of a client; and the key of that wait.
    aside: Option<Aside>,
    key: u64,
}

/// The numbers of those that may have ended, and who waits for one.
#[derive(Default)]
struct Ended(Mutex<(VecDeque<usize>, Option<Waker>)>);

impl Ended {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<usize>, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Woken when one of them ends.
struct One {
    number: usize,
    ended: Arc<Ended>,
}

impl Wake for One {
    fn wake(self: Arc<Self>) {
        let mut ended = self.ended.lock();
        ended.0.push_back(self.number);
        let waker = ended.1.take();
        drop(ended);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> AsCompleted<T> {
    /// Adds a future, which may have ended.
    pub fn add(&mut self, future: TaskFuture<T>) {
        self.added += 1;
        self.futures.insert(self.added, future);
        // The stream looks at it for the first time.
        Arc::new(One { number: self.added, ended: Arc::clone(&self.ended) }).wake();
    }

    /// How many futures have not been given yet.
    pub fn len(&self) -> usize {
        self.futures.len()
    }

    /// Whether all were given.
    pub fn is_empty(&self) -> bool {
        self.futures.is_empty()
    }

    /// The rest of the futures, in the order in which they were added.
    fn into_rest(self) -> Vec<TaskFuture<T>> {
        let mut rest = Vec::from_iter(self.futures);
        rest.sort_by_key(|(number, _)| *number);
        rest.into_iter().map(|(_, future)| future).collect()
    }
}

impl<T> Stream for AsCompleted<T> {
    type Item = TaskFuture<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.futures.is_empty() {
                return Poll::Ready(None);
            }
            let mut ended = self.ended.lock();
            let Some(number) = ended.0.pop_front() else {
                ended.1 = Some(context.waker().clone());
                drop(ended);
                if self.aside.is_none() {
                    let key = self.key;
                    self.aside = self.futures.values().find_map(|one| one.step_aside(key));
                }
                TaskFuture::only_wait(self.futures.values());
                return Poll::Pending;
            };
            drop(ended);
            let one = Arc::new(One { number, ended: Arc::clone(&self.ended) });
            let waker = Waker::from(one);
            let Some(future) = self.futures.get(&number) else { continue };
            if future.poll_seen(&Context::from_waker(&waker), self.key).is_ready() {
                self.aside = None;
                return Poll::Ready(self.futures.remove(&number));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.futures.len(), None)
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsCompleted({} left)", self.futures.len())
    }
}

/// Futures that were waited for: those that have ended, in that order, and the rest. See
/// [`wait_any`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Waited<T> {
    /// Done, failed or cancelled.
    pub ended: Vec<TaskFuture<T>>,
    /// Those that have not ended.
    pub rest: Vec<TaskFuture<T>>,
}

/// Waits until all of the futures have ended, one way or another.
///
/// ```
/// use creel::client::{Client, Status, wait_all};
///
/// # futures::executor::block_on(async {
/// let client = Client::local();
/// let futures = client.map(|n: &u32| 10 / n, [1, 0]);
/// wait_all(&futures).await;
/// assert_eq!(futures[0].status(), Status::Done);
/// assert_eq!(futures[1].status(), Status::Failed);
/// # });
/// ```
pub async fn wait_all<'f, T: 'f>(futures: impl IntoIterator<Item = &'f TaskFuture<T>>) {
    for future in Vec::from_iter(futures) {
        // What it came to is for those who ask for it.
        let _ = future.ended().await;
    }
}

/// Waits until one of the futures has ended, one way or another; of none, not at all.
///
/// ```
/// use creel::client::{Client, wait_any};
///
/// # futures::executor::block_on(async {
/// let client = Client::local();
/// let quick = client.submit(|| 1, ());
/// let never = client.compute(creel::delayed(1).map_async(|_| std::future::pending::<i32>()));
/// let waited = wait_any([quick, never]).await;
/// assert_eq!((waited.ended.len(), waited.rest.len()), (1, 1));
/// # });
/// ```
pub async fn wait_any<T>(futures: impl IntoIterator<Item = TaskFuture<T>>) -> Waited<T> {
    let mut completed = as_completed(futures);
    let mut ended = Vec::new();
    poll_fn(|context| {
        while let Poll::Ready(Some(future)) = Pin::new(&mut completed).poll_next(context) {
            ended.push(future);
        }
        if ended.is_empty() && !completed.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    Waited { ended, rest: completed.into_rest() }
}
