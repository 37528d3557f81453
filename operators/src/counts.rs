//! How often each key was seen: what `frequencies` counts into, and what it returns.

use std::fmt;

use crate::table::Table;
use crate::{Key, Stored};

/// How often each key was seen.
///
/// Keys are looked up lent and stored when first seen; text and bytes go into the table itself, without
/// an allocation of their own. The order in which they are visited is arbitrary and differs from
/// one process to the next; [`sorted`](Self::sorted) and [`topk`](Self::topk) have one order.
///
/// ```
/// use creel_operators::Counts;
///
/// let mut counts = Counts::<String>::default();
/// counts.add("fish", 1);
/// counts.add("net", 1);
/// counts.add(String::from("fish"), 2);
/// assert_eq!(counts.get("fish"), 3);
/// assert_eq!(counts.topk(1), [(String::from("fish"), 3)]);
/// ```
#[derive(Clone)]
pub struct Counts<K: Stored> {
    pub(crate) table: K::Table,
}

/// A key, lent by [`Counts`], and how often it was seen.
pub type Counted<'a, K> = (<K as Stored>::Lent<'a>, u64);

impl<K: Stored> Counts<K> {
    /// How many distinct keys there are.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// assert_eq!(Counts::from_iter(["a", "b", "a"]).len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.table.distinct()
    }

    /// Whether nothing was counted.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// assert!(Counts::<u64>::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts a key `n` times more; a count stops at `u64::MAX`.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let mut counts = Counts::<Vec<u8>>::default();
    /// counts.add(&b"net"[..], 2);
    /// assert_eq!(counts.get(&b"net"[..]), 2);
    /// ```
    #[inline]
    pub fn add(&mut self, key: impl Key<Owned = K>, n: u64) {
        self.table.add(key, n);
    }

    /// Counts each of the keys once. For text and bytes this is much faster than [`add`](Self::add)
    /// for each: keys are looked up many at a time. (If the iterator panics, those that still waited,
    /// fewer than two hundred, are not counted.)
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let mut counts = Counts::<String>::default();
    /// counts.add_all("one fish two fish".split(' '));
    /// assert_eq!(counts.get("fish"), 2);
    /// ```
    #[inline]
    pub fn add_all<Q: Key<Owned = K>>(&mut self, keys: impl IntoIterator<Item = Q>) {
        self.table.add_all(keys.into_iter());
    }

    /// How often a key was counted: 0 if never.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let counts = Counts::from_iter([7_u64, 7]);
    /// assert_eq!((counts.get(7_u64), counts.get(8_u64)), (2, 0));
    /// ```
    pub fn get(&self, key: impl Key<Owned = K>) -> u64 {
        self.table.get(key)
    }

    /// The sum of all counts, which stops at `u64::MAX`.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// assert_eq!(Counts::from_iter(["a", "b", "a"]).total(), 3);
    /// ```
    pub fn total(&self) -> u64 {
        self.iter().fold(0, |total, (_, n)| total.saturating_add(n))
    }

    /// Visits every key, lent, and its count, in no particular order, without copying keys.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let counts = Counts::from_iter(["net", "net"]);
    /// for (word, n) in counts.iter() {
    ///     let word: &str = word;
    ///     assert_eq!((word, n), ("net", 2));
    /// }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Counted<'_, K>> {
        self.table.iter()
    }

    /// The `k` commonest keys, commonest first; keys that are equally common, by their own order.
    ///
    /// It keeps `k` keys at a time and copies only those; it does not sort all.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let counts = Counts::from_iter(["c", "b", "a", "c"]);
    /// assert_eq!(counts.topk(2), [(String::from("c"), 2), (String::from("a"), 1)]);
    /// ```
    pub fn topk(&self, k: usize) -> Vec<(K, u64)> {
        to_owned(self.topk_lent(k))
    }

    /// All keys, commonest first; keys that are equally common, by their own order.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let counts = Counts::from_iter([3_u64, 1, 3]);
    /// assert_eq!(counts.sorted(), [(3, 2), (1, 1)]);
    /// ```
    pub fn sorted(&self) -> Vec<(K, u64)> {
        to_owned(self.sorted_lent())
    }

    /// As [`topk`](Self::topk), with the keys lent: nothing is copied.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// assert_eq!(Counts::from_iter(["a", "b", "a"]).topk_lent(1), [("a", 2)]);
    /// ```
    pub fn topk_lent(&self, k: usize) -> Vec<Counted<'_, K>> {
        self.table.topk(k)
    }

    /// As [`sorted`](Self::sorted), with the keys lent: nothing is copied.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// assert_eq!(Counts::from_iter(["a", "b", "a"]).sorted_lent(), [("a", 2), ("b", 1)]);
    /// ```
    pub fn sorted_lent(&self) -> Vec<Counted<'_, K>> {
        self.table.sorted()
    }

    /// The counts of the keys for which `keep` says so.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let often = Counts::from_iter(["a", "b", "a"]).filter(|_, n| n > 1);
    /// assert_eq!(often.sorted_lent(), [("a", 2)]);
    /// ```
    pub fn filter(&self, keep: impl for<'k> Fn(K::Lent<'k>, u64) -> bool) -> Self
    where
        K: Key<Owned = K>,
    {
        let mut kept = Self::default();
        // Only those that are kept are copied.
        let rows = self.iter().filter(|(key, n)| keep(*key, *n));
        rows.for_each(|(key, n)| kept.add(K::from_lent(key), n));
        kept
    }

    /// Adds all counts of another table; the smaller of the two is moved into the larger.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let mut counts = Counts::from_iter(["a"]);
    /// counts.merge(Counts::from_iter(["a", "b"]));
    /// assert_eq!(counts.sorted_lent(), [("a", 2), ("b", 1)]);
    /// ```
    pub fn merge(&mut self, mut from: Self) {
        if self.len() < from.len() {
            std::mem::swap(self, &mut from);
        }
        self.table.merge(from.table);
    }

    /// True if [`parts`](Self::parts) gives more than one part.
    pub const HAS_PARTS: bool = <K::Table as Table<K>>::PARTS;

    /// The bytes of memory that it has, without what keys point to.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// assert!(Counts::from_iter(["net"]).weight() < 4096);
    /// ```
    pub fn weight(&self) -> usize {
        self.table.weight()
    }

    /// The same, and the memory that it is about to ask for: a table that is nearly full doubles.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let counts: Counts<u64> = (0..1000_u64).collect();
    /// assert!(counts.held() >= counts.weight());
    /// ```
    pub fn held(&self) -> usize {
        self.table.held()
    }

    /// Cuts it into `2^bits` parts by its keys; a key is in the same part of all counts of a process.
    ///
    /// Parts can be merged apart from others, on other threads. Where the table
    /// [has none](Self::HAS_PARTS), the first part is all.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let parts = Counts::from_iter(["a", "b", "c", "a"]).parts(1);
    /// assert_eq!(parts.len(), 2);
    /// assert_eq!(Counts::join(parts).get("a"), 2);
    /// ```
    pub fn parts(self, bits: u32) -> Vec<Self> {
        if !Self::HAS_PARTS {
            let empty = std::iter::repeat_with(Self::default).take((1 << bits) - 1);
            return std::iter::once(self).chain(empty).collect();
        }
        self.table.parts(bits).into_iter().map(|table| Self { table }).collect()
    }

    /// The counts of all [`parts`](Self::parts), in their order.
    pub fn join(parts: Vec<Self>) -> Self {
        if !Self::HAS_PARTS {
            return parts.into_iter().next().unwrap_or_default();
        }
        Self { table: Table::join(parts.into_iter().map(|part| part.table).collect()) }
    }

    /// Appends all keys and counts to bytes, for [`load`](Self::load). `false`, and nothing is
    /// appended, if these keys have no form in bytes: text and bytes have one.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let (mut bytes, mut counts) = (Vec::new(), Counts::from_iter(["a", "b"]));
    /// assert!(counts.save(&mut bytes) && counts.load(&bytes));
    /// assert_eq!(counts.sorted_lent(), [("a", 2), ("b", 2)]);
    /// assert!(!counts.load(b"something else"));
    /// ```
    pub fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.table.save(bytes)
    }

    /// [Saves](Self::save) each of the [parts](Self::parts) and gives their bytes in their order, until `write`
    /// returns `false`. Returns `false`, and gives none, if these keys have no form in bytes.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let mut parts = vec![Counts::<String>::default(); 4];
    /// let mut of_each = parts.iter_mut();
    /// let counts = Counts::from_iter(["a", "b", "c", "a"]);
    /// assert!(counts.save_parts(2, |bytes| of_each.next().is_some_and(|part| part.load(bytes))));
    /// assert_eq!(parts.iter().map(|part| part.get("a")).sum::<u64>(), 2);
    /// assert_eq!(parts.iter().map(Counts::len).sum::<usize>(), 3);
    /// ```
    pub fn save_parts(self, bits: u32, mut write: impl FnMut(&[u8]) -> bool) -> bool {
        if Self::HAS_PARTS {
            return self.table.save_parts(bits, &mut write);
        }
        let mut bytes = Vec::new();
        let saved = self.save(&mut bytes);
        if saved && write(&bytes) {
            let _ = (1..1 << bits).all(|_| write(&[]));
        }
        saved
    }

    /// Adds what was [`save`](Self::save)d. `false`, and some of it may have been added, if these
    /// are not the bytes of counts of such keys.
    pub fn load(&mut self, bytes: &[u8]) -> bool {
        let loaded = self.table.load(bytes);
        self.table.settle();
        loaded
    }
}

impl Counts<String> {
    /// Into how many parts, by their logarithm, it was cut to become what it is.
    pub(crate) fn part_bits(&self) -> u32 {
        self.table.part_bits()
    }

    /// As [`save`](Self::save), in the order of the texts: the bytes are the same in every process,
    /// however the counts were made.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let (mut one, mut other) = (Vec::new(), Vec::new());
    /// Counts::from_iter(["net", "eel", "net"]).save_by_key(&mut one);
    /// Counts::from_iter(["eel", "net", "net"]).save_by_key(&mut other);
    /// assert_eq!(one, other);
    /// assert_eq!(one, b"\x03eel\x01\x03net\x02");
    /// ```
    pub fn save_by_key(&self, bytes: &mut Vec<u8>) {
        self.table.save_by_key(bytes);
    }

    /// Counts pieces of a text once each, given by where they stand in it. It is somewhat faster
    /// than [`add_all`](Self::add_all) of the pieces, for what is behind a piece may be read too.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let mut counts = Counts::default();
    /// counts.add_pieces("one fish two fish", [4..8, 13..17]);
    /// assert_eq!(counts.sorted_lent(), [("fish", 2)]);
    /// ```
    ///
    /// # Panics
    ///
    /// If a piece is not within the text, or begins or ends inside a character.
    #[inline]
    pub fn add_pieces(
        &mut self,
        text: &str,
        pieces: impl IntoIterator<Item = std::ops::Range<usize>>,
    ) {
        self.table.add_pieces(text, pieces.into_iter());
    }
}

fn to_owned<K: Stored>(lent: Vec<Counted<'_, K>>) -> Vec<(K, u64)> {
    lent.into_iter().map(|(key, n)| (K::from_lent(key), n)).collect()
}

impl<K: Stored> Default for Counts<K> {
    fn default() -> Self {
        Self { table: K::Table::default() }
    }
}

impl<K: Stored> fmt::Debug for Counts<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.sorted_lent()).finish()
    }
}

/// Two tables are equal if they count the same keys equally often.
impl<K: Stored> PartialEq for Counts<K> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.sorted_lent() == other.sorted_lent()
    }
}

impl<K: Stored> Eq for Counts<K> {}

impl<K: Stored, Q: Key<Owned = K>> FromIterator<Q> for Counts<K> {
    fn from_iter<I: IntoIterator<Item = Q>>(keys: I) -> Self {
        let mut counts = Self::default();
        keys.into_iter().for_each(|key| counts.add(key, 1));
        counts
    }
}

impl<K: Stored> IntoIterator for Counts<K> {
    type Item = (K, u64);
    type IntoIter = <K::Table as Table<K>>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.table.into_iter()
    }
}

#[cfg(test)]
mod tests;
