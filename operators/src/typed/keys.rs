//! The numbers of groups by their keys.

use std::fmt;

use hashbrown::hash_table::{Entry, HashTable};

use crate::table::Seed;
use crate::{Key, Stored, Value};

/// Keys, numbered as they are first seen: looked up while they are lent, and stored once.
///
/// ```
/// use creel_operators::typed::Keys;
///
/// let mut keys = Keys::<String>::default();
/// assert_eq!(["cod", "eel", "cod"].map(|fish| keys.number(fish)), [0, 1, 0]);
/// assert_eq!(keys.all(), ["cod", "eel"]);
/// ```
#[derive(Clone)]
pub struct Keys<K> {
    table: HashTable<u32>,
    keys: Vec<K>,
    /// Of each key, so that none is hashed again when the table grows, or is merged or cut.
    hashes: Vec<u64>,
    /// The bytes that keys point to.
    heap: usize,
    seed: Seed,
}

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            keys: Vec::new(),
            hashes: Vec::new(),
            heap: 0,
            seed: Seed::default(),
        }
    }
}

impl<K> fmt::Debug for Keys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("len", &self.keys.len()).finish_non_exhaustive()
    }
}

impl<K: Stored> Keys<K> {
    /// The number of a key.
    ///
    /// # Panics
    ///
    /// If there are more than 2^32 keys.
    #[inline]
    pub fn number<Q: Key<Owned = K>>(&mut self, key: Q) -> u32 {
        let hash = self.seed.hash_key(&key);
        self.number_hashed(hash, key, Q::matches)
    }

    #[inline]
    fn number_hashed<Q: Value<Owned = K>>(
        &mut self,
        hash: u64,
        key: Q,
        matches: impl Fn(&Q, &K) -> bool,
    ) -> u32 {
        let Self { table, keys, hashes, heap, .. } = self;
        let entry = table.entry(
            hash,
            |&n| hashes[n as usize] == hash && matches(&key, &keys[n as usize]),
            |&n| hashes[n as usize],
        );
        match entry {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let Ok(number) = u32::try_from(keys.len()) else { panic!("more than 2^32 groups") };
                new.insert(number);
                *heap += key.heap();
                hashes.push(hash);
                keys.push(key.into_owned());
                number
            }
        }
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All keys, in the order of their numbers.
    pub fn all(&self) -> &[K] {
        &self.keys
    }

    /// Adds the keys of others; has for each its number here.
    ///
    /// ```
    /// use creel_operators::typed::Keys;
    ///
    /// let (mut keys, mut others) = (Keys::<u64>::default(), Keys::default());
    /// keys.number(7_u64);
    /// [8_u64, 7].map(|key| others.number(key));
    /// assert_eq!(keys.merge(others), [1, 0]);
    /// ```
    pub fn merge(&mut self, others: Self) -> Vec<u32> {
        let keys = others.hashes.into_iter().zip(others.keys);
        keys.map(|(hash, key)| self.number_hashed(hash, key, K::eq)).collect()
    }

    /// Cuts the keys into `2^bits` parts by their hashes: a key is in the same part of all in a
    /// process. Has for each key its part, in which keys are in their order.
    ///
    /// ```
    /// let mut keys = creel_operators::typed::Keys::<u64>::default();
    /// (0..9_u64).for_each(|key| drop(keys.number(key)));
    /// let (of, parts) = keys.split(1);
    /// assert_eq!(of.iter().filter(|&&part| part == 1).count(), parts[1].len());
    /// ```
    pub fn split(self, bits: u32) -> (Vec<u32>, Vec<Self>) {
        /// Neither the first bits of a hash, which tell keys of a table apart, nor the last, which place them.
        const FROM: u32 = 32;
        let mask = (1_u64 << bits) - 1;
        let part = |hash: u64| (hash >> FROM & mask) as u32;
        let of = self.hashes.iter().map(|&hash| part(hash)).collect();
        let mut parts: Vec<Self> = (0..1 << bits).map(|_| Self::default()).collect();
        for (hash, key) in self.hashes.into_iter().zip(self.keys) {
            parts[part(hash) as usize].number_hashed(hash, key, K::eq);
        }
        (of, parts)
    }

    /// The bytes of memory that it holds, and those that it is about to ask for.
    pub fn held(&self) -> usize {
        let vectors = self.keys.capacity() * size_of::<K>() + self.hashes.capacity() * 8;
        let nearly = |used: usize, room: usize| used >= room / 8 * 7;
        // Of twice the size, into which the old one is moved.
        let table = self.table.allocation_size();
        let table = if nearly(self.table.len(), self.table.capacity()) { 3 * table } else { table };
        let vectors =
            if nearly(self.keys.len(), self.keys.capacity()) { 3 * vectors } else { vectors };
        table + vectors + self.heap
    }

    /// Appends the keys to bytes, in their order. `false` if they have no form in bytes.
    pub(super) fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.keys.iter().all(|key| key.save(bytes))
    }

    /// So many keys that were saved; `None` if none were as these bytes.
    pub(super) fn load(groups: usize, bytes: &mut &[u8]) -> Option<Self> {
        let mut keys = Self::default();
        for n in 0..groups {
            let key = K::load(bytes)?;
            let hash = keys.seed.hash_key(&key);
            if keys.number_hashed(hash, key, K::eq) as usize != n {
                return None;
            }
        }
        Some(keys)
    }

    /// The keys with a value for each, in the order of the keys.
    pub(super) fn sorted<V>(self, values: impl IntoIterator<Item = V>) -> Vec<(K, V)> {
        let mut rows: Vec<(K, V)> = self.keys.into_iter().zip(values).collect();
        rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        rows
    }
}
