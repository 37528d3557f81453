//! The table for keys in general: each is stored in its slot.
//!
//! A table that has outgrown the caches is cut into parts by the hashes of keys. Keys that are plain
//! values then wait with others of their part, and are counted many at a time: a part fits a cache.

mod bytes;

use std::fmt;

use creel_kernels::Scatter;
use hashbrown::hash_table::{Entry, HashTable};

use super::{Seed, Table};
use crate::{Key, Stored, Value};

/// Into how many parts a large table is cut, by their logarithm.
const BITS: u32 = if cfg!(test) { 4 } else { 10 };
const PARTS: usize = 1 << BITS;

/// The keys of a table that is not cut: with their counts they fit the caches.
const SMALL: usize = if cfg!(test) { 64 } else { 1 << 18 };

/// So many keys that wait are worth a look.
const WAITING: usize = if cfg!(test) { 256 } else { 1 << 22 };

/// A hash table of keys and counts, for keys that are values of their own.
#[derive(Clone)]
pub struct Map<K> {
    /// One, or all [`PARTS`].
    parts: Vec<HashTable<(K, u64)>>,
    /// For each part the keys that are not counted yet; `None` if the table has one part or keys own memory.
    waiting: Option<Scatter<K>>,
    /// How many wait in all, and how many may before they are looked at.
    waits: usize,
    most: usize,
    /// Whether it is one of several parts of a table, which are merged on several threads.
    is_part: bool,
    /// How many bits of the hashes of keys have been used to cut it into pieces, one of which it is.
    used: u32,
    /// Of the part that was counted last when it had few keys: how many waited, and how many of them were new.
    last: (usize, usize),
    seed: Seed,
}

/// The part of a hash: neither its first bits, which tell keys of a table apart, nor its last, which
/// place them.
#[inline]
fn part_of(hash: u64) -> usize {
    (hash >> 32) as usize % PARTS
}

/// The piece of a hash, of `2^bits`, where `used` of its bits have cut the table before. The bits that tell parts
/// come first, from the highest on, and then those behind them.
fn piece_of(hash: u64, used: u32, bits: u32) -> usize {
    const BEHIND: u32 = 12;
    let all = (part_of(hash) << BEHIND) | ((hash >> (32 + BITS)) as usize & ((1 << BEHIND) - 1));
    all >> (BITS + BEHIND).saturating_sub(used + bits) & ((1 << bits) - 1)
}

/// Counts a key in a part.
#[inline]
fn count<K, Q: Value<Owned = K>>(
    part: &mut HashTable<(K, u64)>,
    rehash: impl Fn(&(K, u64)) -> u64,
    (hash, key): (u64, Q),
    matches: impl Fn(&Q, &K) -> bool,
    n: u64,
) {
    match part.entry(hash, |(k, _)| matches(&key, k), rehash) {
        Entry::Occupied(mut slot) => {
            let (_, count) = slot.get_mut();
            *count = count.saturating_add(n);
        }
        Entry::Vacant(slot) => {
            slot.insert((key.into_owned(), n));
        }
    }
}

impl<K: Stored> Map<K> {
    /// True if keys own no memory: then a key is stored for each record at no cost.
    const PLAIN: bool = !std::mem::needs_drop::<K>() && size_of::<K>() > 0;

    #[inline]
    fn add_hashed<Q>(&mut self, hash: u64, key: Q, matches: impl Fn(&Q, &K) -> bool, n: u64)
    where
        Q: Value<Owned = K>,
    {
        let at = if self.parts.len() == 1 { 0 } else { part_of(hash) };
        let Self { parts, seed, .. } = self;
        count(&mut parts[at], |(k, _)| seed.hash_key(k), (hash, key), matches, n);
        if parts.len() == 1 && parts[0].len() > SMALL {
            self.cut(false);
        }
    }

    /// Cuts it into parts. If keys may wait, those that were seen once do: of many keys these are most, and they
    /// are then counted with the others of their part, in place of once for each of the tables that are merged.
    fn cut(&mut self, may_wait: bool) {
        if self.parts.len() > 1 {
            return;
        }
        let whole = std::mem::take(&mut self.parts);
        let keys: usize = whole.iter().map(HashTable::len).sum();
        let each = if may_wait { 0 } else { (keys + keys / 4) / PARTS };
        self.parts.resize_with(PARTS, || HashTable::with_capacity(each));
        self.waiting = Self::PLAIN.then(|| Scatter::new(PARTS));
        for (key, n) in whole.into_iter().flatten() {
            let hash = self.seed.hash_key(&key);
            match &mut self.waiting {
                Some(waiting) if may_wait && n == 1 => {
                    waiting.push(part_of(hash), key);
                    self.waits += 1;
                }
                _ => self.add_hashed(hash, key, K::eq, n),
            }
        }
    }

    /// Moves each key to the piece that its hash tells.
    fn move_into(self, pieces: &mut [Self], piece: impl Fn(u64) -> usize) {
        let seed = self.seed;
        for (key, n) in self.parts.into_iter().flatten() {
            let hash = seed.hash_key(&key);
            pieces[piece(hash)].add_hashed(hash, key, K::eq, n);
        }
        let Some(waiting) = self.waiting else { return };
        for key in (0..PARTS).flat_map(|at| waiting.runs(at)).flatten() {
            let hash = seed.hash_key(key);
            pieces[piece(hash)].add_hashed(hash, key.clone(), K::eq, 1);
        }
    }

    /// Counts the keys of a part that wait.
    fn settle_part(&mut self, at: usize) {
        let Some(mut waiting) = self.waiting.take() else { return };
        self.waits -= waiting.len_of(at);
        self.count_waiting(at, &mut waiting);
        self.waiting = Some(waiting);
    }

    /// Counts the waiting keys of a part, which are from this table or from another.
    fn count_waiting(&mut self, at: usize, waiting: &mut Scatter<K>) {
        let len = waiting.len_of(at);
        if len == 0 {
            return;
        }
        let Self { parts, seed, last, .. } = self;
        let part = &mut parts[at];
        let before = part.len();
        // Hashes spread keys evenly, so the ratio of new keys is about that of the last part. Room for all of them
        // saves a part from being rehashed as it grows: also one that has the few keys of before the table was cut.
        let (waited, new) = *last;
        let begins = before <= len / 8;
        let new = if begins { len.min(len * (new + new / 16) / waited.max(1)) } else { 0 };
        part.reserve(new, |(k, _)| seed.hash_key(k));
        for key in waiting.runs(at).flatten() {
            let hash = seed.hash_key(key);
            count(part, |(k, _)| seed.hash_key(k), (hash, key), |key, k| *key == k, 1);
        }
        if begins {
            *last = (len, part.len() - before);
        }
        waiting.clear(at);
    }

    /// Counts those that wait, if that makes them take less memory, as some parts show.
    #[cold]
    fn settle_some(&mut self) {
        const SOME: usize = PARTS.div_ceil(64);
        let waiting = self.waiting.iter();
        let before: usize = waiting.flat_map(|w| (0..SOME).map(|at| w.len_of(at))).sum();
        (0..SOME).for_each(|at| self.settle_part(at));
        let distinct: usize = self.parts[..SOME].iter().map(HashTable::len).sum();
        if before >= distinct * 5 / 2 {
            self.settle();
        }
        // As much as they are to shrink to, at least.
        self.most = (2 * self.waits).max(2 * self.distinct()).max(WAITING);
    }
}

impl<K> Default for Map<K> {
    fn default() -> Self {
        Self {
            parts: vec![HashTable::new()],
            waiting: None,
            waits: 0,
            most: WAITING,
            is_part: false,
            used: 0,
            last: (1, 0),
            seed: Seed::default(),
        }
    }
}

impl<K> fmt::Debug for Map<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

impl<K: Stored> Table<K> for Map<K> {
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<HashTable<(K, u64)>>>;

    const PARTS: bool = true;

    fn distinct(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    fn weight(&self) -> usize {
        let waiting = self.waiting.as_ref().map_or(0, Scatter::weight);
        self.parts.iter().map(HashTable::allocation_size).sum::<usize>() + waiting
    }

    fn held(&self) -> usize {
        // Of twice the size, into which the old one is moved.
        let doubles = |part: &HashTable<(K, u64)>| part.len() >= part.capacity() / 8 * 7;
        let more = self.parts.iter().filter(|part| doubles(part));
        self.weight() + more.map(|part| 2 * part.allocation_size()).sum::<usize>()
    }

    fn add<Q: Key<Owned = K>>(&mut self, key: Q, n: u64) {
        let hash = self.seed.hash_key(&key);
        self.add_hashed(hash, key, Q::matches, n);
    }

    fn add_later<Q: Key<Owned = K>>(&mut self, mut keys: impl Iterator<Item = Q>) {
        if !Self::PLAIN {
            return self.add_all(keys);
        }
        while let [whole] = self.parts.as_mut_slice() {
            let Some(key) = keys.next() else { return };
            let (seed, hash) = (&self.seed, self.seed.hash_key(&key));
            count(whole, |(k, _)| seed.hash_key(k), (hash, key), Q::matches, 1);
            if whole.len() > SMALL {
                self.cut(true);
            }
        }
        let Some(waiting) = &mut self.waiting else { return self.add_all(keys) };
        for key in keys {
            let hash = self.seed.hash_key(&key);
            waiting.push(part_of(hash), key.into_owned());
            self.waits += 1;
        }
        if self.waits >= self.most {
            self.settle_some();
        }
    }

    fn settle(&mut self) {
        (0..self.parts.len()).for_each(|at| self.settle_part(at));
    }

    fn get<Q: Key<Owned = K>>(&self, key: Q) -> u64 {
        let hash = self.seed.hash_key(&key);
        let at = if self.parts.len() == 1 { 0 } else { part_of(hash) };
        self.parts[at].find(hash, |(k, _)| key.matches(k)).map_or(0, |(_, n)| *n)
    }

    fn iter(&self) -> impl Iterator<Item = (K::Lent<'_>, u64)> {
        self.parts.iter().flatten().map(|(key, n)| (key.lend(), *n))
    }

    fn into_iter(self) -> Self::IntoIter {
        self.parts.into_iter().flatten()
    }

    fn merge(&mut self, mut from: Self) {
        if self.parts.len() == 1 && from.parts.len() > 1 {
            self.cut(from.waits > 0 && !self.is_part);
        }
        // A whole table is merged on one thread: keys that wait go on waiting, so that no key is counted more than
        // once for a table, and moved from there to another. Parts are merged on all threads, and counted there.
        if !self.is_part
            && let (Some(waiting), Some(others)) = (&mut self.waiting, from.waiting.take())
        {
            waiting.append(others);
            self.waits += from.waits;
        }
        for at in 0..from.parts.len() {
            // Part after part, so that each is in a cache.
            if self.parts.len() == from.parts.len() && self.parts[at].len() < from.parts[at].len() {
                std::mem::swap(&mut self.parts[at], &mut from.parts[at]);
            }
            if self.is_part {
                self.settle_part(at);
            }
            if let Some(waiting) = &mut from.waiting {
                self.count_waiting(at, waiting);
            }
            for (key, n) in std::mem::take(&mut from.parts[at]) {
                let hash = self.seed.hash_key(&key);
                self.add_hashed(hash, key, K::eq, n);
            }
        }
        if self.waits >= self.most {
            self.settle_some();
        }
    }

    fn parts(self, bits: u32) -> Vec<Self> {
        if bits == 0 {
            return vec![self];
        }
        let (used, all) = (self.used, self.used + bits);
        let fresh = || Self { used: all, ..Self::default() };
        let mut cut: Vec<Self> = std::iter::repeat_with(fresh).take(1 << bits).collect();
        if self.parts.len() == 1 || all > BITS {
            self.move_into(&mut cut, |hash| piece_of(hash, used, bits));
            return cut;
        }
        for part in &mut cut {
            part.cut(false);
            part.is_part = true;
        }
        // Parts of the table go to pieces as they are.
        let piece = |at: usize| at >> (BITS - all) & ((1 << bits) - 1);
        for (at, part) in self.parts.into_iter().enumerate() {
            cut[piece(at)].parts[at] = part;
        }
        if let Some(waiting) = self.waiting {
            let first = waiting.split(PARTS >> (BITS - all)).into_iter().enumerate();
            for (n, waiting) in first.filter(|(_, waiting)| !waiting.is_empty()) {
                let part = &mut cut[n & ((1 << bits) - 1)];
                (part.waits, part.waiting) = (waiting.len(), Some(waiting));
            }
        }
        cut
    }

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        K::HAS_FORM && self.write(bytes)
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        self.read(bytes)
    }

    fn join(parts: Vec<Self>) -> Self {
        let bits = parts.len().max(1).ilog2();
        let mut parts = parts.into_iter();
        let Some(mut into) = parts.next() else { return Self::default() };
        into.used = into.used.saturating_sub(bits);
        for mut part in parts {
            // No key is in two of them.
            for at in 0..part.parts.len() {
                if part.parts.len() == into.parts.len()
                    && part.parts.len() > 1
                    && into.parts[at].is_empty()
                {
                    part.settle_part(at);
                    into.settle_part(at);
                    std::mem::swap(&mut into.parts[at], &mut part.parts[at]);
                }
            }
            into.merge(part);
        }
        into
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use crate::{Combiner, Counts, Feed, Frequencies};

    proptest! {
        #[test]
        fn keys_that_wait_are_counted_as_by_a_plain_map(
            lanes in prop::collection::vec(prop::collection::vec(0..2000_u64, 0..3000), 1..4),
            batch in 1..700_usize,
            bits in 0..12_u32,
        ) {
            let combiner = Frequencies::<u64>::new();
            let mut expected = BTreeMap::new();
            lanes.iter().flatten().for_each(|key| *expected.entry(*key).or_insert(0) += 1);
            let fed = lanes.iter().map(|lane| {
                let mut state = Default::default();
                lane.chunks(batch).for_each(|keys| combiner.feed_all(&mut state, keys.iter()));
                combiner.parts(state, bits).into_iter()
            });
            let mut fed: Vec<_> = fed.collect();
            let parts = (0..1 << bits).map(|_| {
                let mut states = fed.iter_mut().filter_map(Iterator::next);
                let mut into = states.next().unwrap_or_default();
                states.for_each(|from| combiner.merge(&mut into, from));
                into
            });
            let counts = combiner.finish(combiner.join(parts.collect()));
            prop_assert_eq!(counts.len(), expected.len());
            prop_assert!(expected.iter().all(|(key, n)| counts.get(*key) == *n));
            prop_assert!(counts.into_iter().collect::<BTreeMap<_, _>>() == expected);
        }

        #[test]
        fn keys_that_wait_are_saved_and_loaded_part_by_part(
            lanes in prop::collection::vec(prop::collection::vec(0..900_u64, 0..3000), 1..4),
            bits in 0..12_u32,
        ) {
            let combiner = Frequencies::<u64>::new();
            let mut expected = BTreeMap::new();
            lanes.iter().flatten().for_each(|key| *expected.entry(*key).or_insert(0) += 1);
            let empty = combiner.parts(Default::default(), bits);
            let parts = lanes.iter().fold(empty, |mut parts, lane| {
                let mut state = Default::default();
                lane.chunks(500).for_each(|keys| combiner.feed_all(&mut state, keys.iter()));
                for (into, part) in parts.iter_mut().zip(combiner.parts(state, bits)) {
                    let mut bytes = Vec::new();
                    assert!(combiner.save(&part, &mut bytes) && combiner.load(into, &bytes));
                }
                parts
            });
            let counts = combiner.finish(combiner.join(parts));
            prop_assert!(counts.into_iter().collect::<BTreeMap<_, _>>() == expected);
        }

        #[test]
        fn a_piece_is_cut_by_other_bits_again(many: bool, bits in 1..4_u32) {
            let combiner = Frequencies::<u64>::new();
            let keys: Vec<u64> = (0..if many { 3000 } else { 60 }).collect();
            let mut state = Default::default();
            combiner.feed_all(&mut state, keys.iter());
            let pieces = combiner.parts(state, bits).into_iter();
            let again: Vec<Vec<_>> = pieces.map(|piece| combiner.parts(piece, bits)).collect();
            let joined = again.into_iter().map(|mut pieces| {
                pieces.iter_mut().for_each(|piece| combiner.complete(piece));
                let saved = pieces.iter().map(|piece| {
                    let mut bytes = Vec::new();
                    assert!(combiner.save(piece, &mut bytes));
                    bytes.len()
                });
                let (all, most) = (saved.clone().sum::<usize>(), saved.max().unwrap_or(0));
                assert!(!many || most < all, "all keys are in one piece");
                combiner.join(pieces)
            });
            let counts = combiner.finish(combiner.join(joined.collect()));
            prop_assert!(counts.iter().all(|(_, n)| n == 1));
            let mut seen: Vec<u64> = counts.into_iter().map(|(key, _)| key).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, keys);
        }

        #[test]
        fn bytes_that_are_no_table_are_refused(bytes: Vec<u8>) {
            let (combiner, mut state) = (Frequencies::<u64>::new(), Default::default());
            let _ = combiner.load(&mut state, &bytes);
            assert!(!combiner.load(&mut state, &[1]));
        }

        #[test]
        fn large_and_small_tables_are_merged_either_way(
            small in prop::collection::vec(0..500_u16, 0..40),
            large in prop::collection::vec(0..500_u16, 100..900),
        ) {
            let table = |keys: &[u16]| keys.iter().collect::<Counts<u16>>();
            let all = table(&[&small[..], &large[..]].concat());
            let (mut one, mut other) = (table(&small), table(&large));
            one.merge(table(&large));
            other.merge(table(&small));
            prop_assert_eq!(&one, &all);
            prop_assert_eq!(&other, &all);
            prop_assert_eq!(Counts::join(all.clone().parts(3)), all);
        }
    }
}
