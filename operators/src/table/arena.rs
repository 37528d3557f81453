//! The table for text and bytes: all keys in one arena, and small slots that point into it.

use std::fmt;

use hashbrown::hash_table::{self, Entry, HashTable};

use super::{Seed, Table};
use crate::{Key, Stored};

/// Keys that are runs of bytes: `String` and `Vec<u8>`.
pub trait Text: Stored {
    /// What holds many keys end to end.
    type Buffer: AsRef<[u8]> + Default + Clone + Send + Sync + 'static;

    /// The bytes of a key.
    fn bytes(lent: Self::Lent<'_>) -> &[u8];
    /// Adds a key at the end of a buffer.
    fn append(buffer: &mut Self::Buffer, lent: Self::Lent<'_>);
    /// The key that was added from `start` to `end`.
    fn slice(buffer: &Self::Buffer, start: usize, end: usize) -> Self::Lent<'_>;
}

impl Text for String {
    // Not bytes, so that lending a key needs no second check that it is UTF-8.
    type Buffer = Self;

    #[inline]
    fn bytes(lent: Self::Lent<'_>) -> &[u8] {
        lent.as_bytes()
    }

    #[inline]
    fn append(buffer: &mut Self, lent: &str) {
        buffer.push_str(lent);
    }
    #[inline]
    fn slice(buffer: &Self, start: usize, end: usize) -> &str {
        &buffer[start..end]
    }
}

impl Text for Vec<u8> {
    type Buffer = Self;

    #[inline]
    fn bytes(lent: Self::Lent<'_>) -> &[u8] {
        lent
    }

    #[inline]
    fn append(buffer: &mut Self, lent: &[u8]) {
        buffer.extend_from_slice(lent);
    }
    #[inline]
    fn slice(buffer: &Self, start: usize, end: usize) -> &[u8] {
        &buffer[start..end]
    }
}

/// A key's place in the arena, its count and 32 bits of its hash, in 24 bytes.
///
/// The place is 48 bits of start and 48 of length, more than any memory holds, split so that
/// nothing is lost to alignment. The hash that the table uses is made from the tag alone: so
/// growing and merging never look at the arena.
#[derive(Clone, Copy)]
struct Slot {
    count: u64,
    start_low: u32,
    len_low: u32,
    tag: u32,
    start_high: u16,
    len_high: u16,
}

impl Slot {
    #[inline]
    fn new(tag: u32, start: usize, len: usize, count: u64) -> Self {
        Self {
            count,
            start_low: start as u32,
            len_low: len as u32,
            tag,
            start_high: (start as u64 >> 32) as u16,
            len_high: (len as u64 >> 32) as u16,
        }
    }

    #[inline]
    fn start(&self) -> usize {
        (u64::from(self.start_high) << 32 | u64::from(self.start_low)) as usize
    }

    #[inline]
    fn len(&self) -> usize {
        (u64::from(self.len_high) << 32 | u64::from(self.len_low)) as usize
    }

    fn lend<K: Text>(self, keys: &K::Buffer) -> K::Lent<'_> {
        K::slice(keys, self.start(), self.start() + self.len())
    }

    fn is<K: Text>(&self, keys: &K::Buffer, tag: u32, key: &[u8]) -> bool {
        self.tag == tag
            && self.len() == key.len()
            && keys.as_ref().get(self.start()..self.start() + key.len()) == Some(key)
    }
}

/// Spreads a tag over 64 bits: the table takes its position from the low ones (which an odd
/// factor permutes) and its filter byte from the high ones.
#[inline]
fn spread(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A table of text keys, which allocates nothing for a key but the room it takes in the arena.
#[derive(Clone)]
pub struct Arena<K: Text> {
    slots: HashTable<Slot>,
    keys: K::Buffer,
    seed: Seed,
}

impl<K: Text> Arena<K> {
    #[inline]
    fn tag(&self, key: &[u8]) -> u32 {
        let hash = self.seed.hash_bytes(key);
        (hash >> 32) as u32 ^ hash as u32
    }

    fn add_tagged(&mut self, tag: u32, key: K::Lent<'_>, n: u64) {
        let Self { slots, keys, .. } = self;
        let bytes = K::bytes(key);
        match slots.entry(spread(tag), |s| s.is::<K>(keys, tag, bytes), |s| spread(s.tag)) {
            Entry::Occupied(mut slot) => {
                let count = &mut slot.get_mut().count;
                *count = count.saturating_add(n);
            }
            Entry::Vacant(slot) => {
                let start = keys.as_ref().len();
                slot.insert(Slot::new(tag, start, bytes.len(), n));
                K::append(keys, key);
            }
        }
    }

    fn get_lent(&self, key: K::Lent<'_>) -> u64 {
        let bytes = K::bytes(key);
        let tag = self.tag(bytes);
        self.slots
            .find(spread(tag), |slot| slot.is::<K>(&self.keys, tag, bytes))
            .map_or(0, |slot| slot.count)
    }
}

impl<K: Text> Default for Arena<K> {
    fn default() -> Self {
        Self { slots: HashTable::new(), keys: K::Buffer::default(), seed: Seed::default() }
    }
}

impl<K: Text> fmt::Debug for Arena<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("len", &self.slots.len())
            .field("bytes", &self.keys.as_ref().len())
            .finish_non_exhaustive()
    }
}

impl<K: Text> Table<K> for Arena<K> {
    type IntoIter = IntoIter<K>;

    fn distinct(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    fn add<Q: Key<Owned = K>>(&mut self, key: Q, n: u64) {
        if let Some(lent) = key.as_lent() {
            self.add_tagged(self.tag(K::bytes(lent)), lent, n);
        } else {
            self.add(&key.into_owned(), n);
        }
    }

    fn get<Q: Key<Owned = K>>(&self, key: Q) -> u64 {
        match key.as_lent() {
            Some(lent) => self.get_lent(lent),
            None => self.get_lent(key.into_owned().lend()),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (K::Lent<'_>, u64)> {
        self.slots.iter().map(|slot| (slot.lend::<K>(&self.keys), slot.count))
    }

    fn into_iter(self) -> IntoIter<K> {
        IntoIter { slots: self.slots.into_iter(), keys: self.keys }
    }

    fn merge(&mut self, from: Self) {
        for slot in &from.slots {
            self.add_tagged(slot.tag, slot.lend::<K>(&from.keys), slot.count);
        }
    }
}

/// The keys and counts of an [`Arena`], each key copied out when it is asked for.
pub struct IntoIter<K: Text> {
    slots: hash_table::IntoIter<Slot>,
    keys: K::Buffer,
}

impl<K: Text> fmt::Debug for IntoIter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").field("len", &self.slots.len()).finish_non_exhaustive()
    }
}

impl<K: Text> Iterator for IntoIter<K> {
    type Item = (K, u64);

    fn next(&mut self) -> Option<(K, u64)> {
        let slot = self.slots.next()?;
        Some((K::from_lent(slot.lend::<K>(&self.keys)), slot.count))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}
