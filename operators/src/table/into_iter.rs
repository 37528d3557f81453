//! The keys of a table for text, moved out.

use std::fmt;

use super::shard::Shard;
use super::text_key::Text;

/// The keys and counts of a [`TextTable`](super::TextTable), each key copied out when it is asked for.
pub struct IntoIter<K> {
    shards: std::vec::IntoIter<Shard>,
    shard: Shard,
    /// The slots of this shard that were looked at.
    at: usize,
    key: std::marker::PhantomData<fn() -> K>,
}

impl<K> IntoIter<K> {
    pub(super) fn new(shards: Vec<Shard>) -> Self {
        Self {
            shards: shards.into_iter(),
            shard: Shard::default(),
            at: 0,
            key: std::marker::PhantomData,
        }
    }
}

impl<K> fmt::Debug for IntoIter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").finish_non_exhaustive()
    }
}

impl<K: Text> Iterator for IntoIter<K> {
    type Item = (K, u64);

    fn next(&mut self) -> Option<(K, u64)> {
        loop {
            if let Some((key, n)) = self.shard.row_from(&mut self.at) {
                return Some((K::from_lent(K::lent(key)), n));
            }
            (self.shard, self.at) = (self.shards.next()?, 0);
        }
    }
}
