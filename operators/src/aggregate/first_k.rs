//! The first `k` values by an order: what `topk`, `bottomk`, `min_by` and `max_by` hold, of typed records
//! and of groups.
//!
//! Not a heap: a heap pays its logarithm for each value that is kept for a while, where selecting from
//! twice as many as are wanted is linear. Once there are `k`, the one at `k - 1` is the last of the
//! first `k`, and what is behind it need not be stored at all.

use std::cmp::Ordering;

/// Keeps the first `k` values by an order, and for a while up to twice as many.
#[derive(Clone, Copy)]
pub(crate) struct FirstK<F> {
    k: usize,
    order: F,
}

impl<F> FirstK<F> {
    pub(crate) const fn new(k: usize, order: F) -> Self {
        Self { k, order }
    }

    /// The last of the first `k`, if there are so many. Of `k = 0` there is none.
    #[inline]
    pub(crate) fn last<'s, T>(&self, kept: &'s [T]) -> Option<&'s T> {
        kept.get(self.k.checked_sub(1)?)
    }

    /// Adds a value that is not behind the last.
    #[inline]
    pub(crate) fn push<T>(&self, kept: &mut Vec<T>, value: T)
    where
        F: Fn(&T, &T) -> Ordering,
    {
        kept.push(value);
        if kept.len() == self.k || kept.len() >= self.k.saturating_mul(2) {
            self.settle(kept);
        }
    }

    /// Adds the values of another state.
    pub(crate) fn merge<T>(&self, into: &mut Vec<T>, mut from: Vec<T>)
    where
        F: Fn(&T, &T) -> Ordering,
    {
        into.append(&mut from);
        self.settle(into);
    }

    /// Drops all but the first `k`, and puts the last of them at `k - 1`.
    pub(crate) fn settle<T>(&self, kept: &mut Vec<T>)
    where
        F: Fn(&T, &T) -> Ordering,
    {
        if kept.len() >= self.k && self.k > 0 {
            kept.select_nth_unstable_by(self.k - 1, &self.order);
            kept.truncate(self.k);
        }
    }

    /// The first `k` in their order.
    pub(crate) fn sorted<T>(&self, mut kept: Vec<T>) -> Vec<T>
    where
        F: Fn(&T, &T) -> Ordering,
    {
        kept.sort_unstable_by(&self.order);
        kept.truncate(self.k);
        kept
    }
}

/// The bytes of memory that values take, of which `heap` tells what one points to.
pub(crate) fn held<T>(kept: &Vec<T>, heap: impl Fn(&T) -> usize) -> usize {
    kept.capacity() * size_of::<T>() + behind(kept, heap)
}

/// The bytes of memory that values point to, about.
pub(crate) fn behind<T>(kept: &[T], heap: impl Fn(&T) -> usize) -> usize {
    /// So many values tell what the others point to.
    const ASKED: usize = 256;
    let step = (kept.len() / ASKED).max(1);
    let asked = || kept.iter().step_by(step);
    let all: usize = asked().map(heap).sum();
    all * kept.len() / asked().count().max(1)
}

/// What is allocated for so many bytes, about.
pub(crate) fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + 16 }
}
