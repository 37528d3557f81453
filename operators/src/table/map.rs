//! The table for keys in general: each is stored in its slot.

use std::fmt;

use hashbrown::hash_table::{Entry, HashTable, IntoIter};

use super::{Seed, Table};
use crate::{Key, Stored, Value};

/// A hash table of keys and counts, for keys that are values of their own.
#[derive(Clone)]
pub struct Map<K> {
    slots: HashTable<(K, u64)>,
    seed: Seed,
}

impl<K: Stored> Map<K> {
    fn add_hashed<Q>(&mut self, hash: u64, key: Q, matches: impl Fn(&Q, &K) -> bool, n: u64)
    where
        Q: Value<Owned = K>,
    {
        let Self { slots, seed } = self;
        match slots.entry(hash, |(k, _)| matches(&key, k), |(k, _)| seed.hash_key(k)) {
            Entry::Occupied(mut slot) => {
                let (_, count) = slot.get_mut();
                *count = count.saturating_add(n);
            }
            Entry::Vacant(slot) => {
                slot.insert((key.into_owned(), n));
            }
        }
    }
}

impl<K> Default for Map<K> {
    fn default() -> Self {
        Self { slots: HashTable::new(), seed: Seed::default() }
    }
}

impl<K> fmt::Debug for Map<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("len", &self.slots.len()).finish_non_exhaustive()
    }
}

impl<K: Stored> Table<K> for Map<K> {
    type IntoIter = IntoIter<(K, u64)>;

    fn distinct(&self) -> usize {
        self.slots.len()
    }

    fn weight(&self) -> usize {
        self.slots.allocation_size()
    }

    fn held(&self) -> usize {
        // Of twice the size, into which the old one is moved.
        let doubles = self.slots.len() >= self.slots.capacity() / 8 * 7;
        self.weight() * if doubles { 3 } else { 1 }
    }

    fn add<Q: Key<Owned = K>>(&mut self, key: Q, n: u64) {
        let hash = self.seed.hash_key(&key);
        self.add_hashed(hash, key, Q::matches, n);
    }

    fn get<Q: Key<Owned = K>>(&self, key: Q) -> u64 {
        let hash = self.seed.hash_key(&key);
        self.slots.find(hash, |(k, _)| key.matches(k)).map_or(0, |(_, n)| *n)
    }

    fn iter(&self) -> impl Iterator<Item = (K::Lent<'_>, u64)> {
        self.slots.iter().map(|(key, n)| (key.lend(), *n))
    }

    fn into_iter(self) -> Self::IntoIter {
        self.slots.into_iter()
    }

    fn merge(&mut self, from: Self) {
        for (key, n) in from.slots {
            let hash = self.seed.hash_key(&key);
            self.add_hashed(hash, key, K::eq, n);
        }
    }
}
