//! What can be said of a task: its name, its key, its tries, its limit, its weight.

use std::any::TypeId;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{Delayed, Limit, Retry};
use crate::graph::node::{Name, Node, Shared};

impl<T: Send + Sync + 'static> Delayed<T> {
    /// The same task under a name of yours, for errors and for those who watch.
    ///
    /// ```
    /// let bad = creel::delayed(0).map(|n| 1 / n).named("ratio");
    /// let error = bad.compute_blocking().expect_err("it divides by zero");
    /// assert!(error.to_string().starts_with("the task ratio panicked"));
    /// ```
    pub fn named(self, name: impl Into<String>) -> Self {
        self.called(Name::Given(name.into().into()))
    }

    /// The same task under a name.
    pub(in crate::graph) fn called(self, name: Name) -> Self {
        self.with(|node| node.name = name)
    }

    /// Says what the task depends on: of tasks with equal keys and values of one type only one
    /// runs. The key must say all that the value depends on.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    ///
    /// static LOADS: AtomicU32 = AtomicU32::new(0);
    /// let load = |id: u32| {
    ///     creel::delayed(id).map(|id| id + LOADS.fetch_add(1, Relaxed)).keyed(("load", id))
    /// };
    /// let both = creel::delayed::join((load(7), load(7))).map(|(a, b)| **a + **b);
    /// assert_eq!(both.compute_blocking()?, 14);
    /// assert_eq!(LOADS.load(Relaxed), 1);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn keyed(self, key: impl Hash) -> Self {
        // Two halves of 64 bits: by chance alone, no two of a billion keys are taken for one.
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            (salt, &key).hash(&mut hasher);
            hasher.finish()
        };
        let key = (TypeId::of::<T>(), half(0), half(1));
        self.with(|node| node.policy_mut().key = Some(key))
    }

    /// Tries the task again when it fails or panics: so many times, or as a [`Retry`] says.
    ///
    /// The task by itself: what it needs has run, or has tries of its own, and so has the task that
    /// a function of [`then`](Self::then) gives. A handle of items reads nothing itself, and what it
    /// is given is given once: it has one try. To read again, compute the items in a task.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    ///
    /// let tries = AtomicU32::new(0);
    /// let third = creel::delayed(()).map(move |()| match tries.fetch_add(1, Relaxed) {
    ///     2 => "here",
    ///     _ => panic!("not yet"),
    /// });
    /// assert_eq!(third.retry(2).compute_blocking()?, "here");
    ///
    /// let lines = creel::read_text("fixtures/access.log")?.count();
    /// let read = creel::delayed(()).try_map(move |()| lines.compute_blocking()).retry(2);
    /// assert!(read.compute_blocking()? > 0);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn retry(self, retry: impl Into<Retry>) -> Self {
        self.with(|node| node.policy_mut().retry = Some(retry.into()))
    }

    /// Runs the task only when fewer than the limit's number of those that share it are running.
    /// A task that waits for that keeps no thread.
    ///
    /// A task keeps its place while it runs: one that computes others of the same limit, and waits
    /// for them, may wait for itself. [`then`](Self::then) does not.
    pub fn limited(self, limit: &Limit) -> Self {
        let limit = limit.clone();
        self.with(|node| node.policy_mut().limit = Some(limit))
    }

    /// Says how many bytes a value holds, for the limit of [`Run::memory`](crate::Run::memory);
    /// a value of which nobody said so counts as nothing.
    ///
    /// ```
    /// use creel::{Error, Run, delayed, delayed::all};
    ///
    /// let block = |n| delayed(n).map(|n| vec![*n; 1 << 20]).weighed(|v| v.len() as u64).named("block");
    /// let sums = (0..32).map(|n| block(n).map(|block: &Vec<u8>| block.iter().map(|b| *b as u64).sum()));
    /// let sum = all(sums).map(|sums| sums.iter().map(|sum: &std::sync::Arc<u64>| **sum).sum::<u64>());
    /// assert_eq!(Run::new().memory(2 << 20).compute_blocking(&sum)?, 496 << 20);
    ///
    /// let kept = all((0..32).map(block)).map(Vec::len);
    /// let error = Run::new().memory(2 << 20).compute_blocking(&kept).expect_err("they do not fit");
    /// assert!(matches!(error, Error::Memory { .. }), "{error}");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn weighed(self, bytes: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Self {
        let weigh = move |value: &Shared| value.downcast_ref().map_or(0, &bytes);
        self.with(|node| node.policy_mut().weigh = Some(Arc::new(weigh)))
    }

    /// Says what the task is: of those with one number, among tasks of one kind, only one runs.
    /// The kind is a type that is no value's.
    pub(crate) fn only(self, kind: TypeId, number: u64) -> Self {
        self.with(|node| node.policy_mut().key = Some((kind, number, 0)))
    }

    /// Says that the task takes its inputs to pieces: no try can follow the first.
    pub(crate) fn once(self) -> Self {
        self.with(|node| node.policy_mut().once = true)
    }

    /// This task, changed; or, if others have it as it is, one that hands on its value.
    fn with(mut self, change: impl FnOnce(&mut Node)) -> Self {
        if let Some(node) = Arc::get_mut(&mut self.node) {
            change(node);
            return self;
        }
        let mut node = Node::alias(&self.node);
        change(&mut node);
        Self::of(Arc::new(node))
    }
}
