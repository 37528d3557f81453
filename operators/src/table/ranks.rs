//! The commonest of many keys, a few kept at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The `k` commonest keys of those added; of equally common ones, those that sort first.
pub(super) struct Ranks<Q> {
    k: usize,
    /// The worst of the kept keys is on top: it is the first to go.
    kept: BinaryHeap<(Reverse<u64>, Q)>,
}

impl<Q: Ord> Ranks<Q> {
    pub(super) fn new(k: usize) -> Self {
        Self { k, kept: BinaryHeap::new() }
    }

    /// Whether a key of this count may be among them: most are not even looked at.
    #[inline]
    pub(super) fn may_take(&self, n: u64) -> bool {
        self.kept.len() < self.k || self.kept.peek().is_some_and(|(Reverse(least), _)| n >= *least)
    }

    pub(super) fn add(&mut self, key: Q, n: u64) {
        let entry = (Reverse(n), key);
        if self.kept.len() < self.k {
            self.kept.push(entry);
        } else if let Some(mut worst) = self.kept.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
    }

    /// Commonest first.
    pub(super) fn sorted(self) -> impl Iterator<Item = (Q, u64)> {
        self.kept.into_sorted_vec().into_iter().map(|(Reverse(n), key)| (key, n))
    }
}
