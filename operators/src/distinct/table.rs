//! The entries of a buffer by their keys, in 8 bytes a slot.

use super::Form;
use super::entry::{Entry, next};
use crate::table::Seed;

/// Bits of a slot that hold where an entry begins, and one more; the others are of its hash.
const OFFSET_BITS: u32 = 40;

/// A slot of no entry is 0.
type Slot = u64;

/// A table that is at most three quarters full.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
}

/// The result of a look-up.
pub(super) enum Found {
    /// Where the entry begins, and its slot.
    There { at: usize, slot: usize },
    /// The slot where it would be.
    Free { slot: usize },
}

/// The bits of a hash that a slot holds, in their place. Logs are chosen by bits above, places in the table
/// by bits below.
#[inline]
fn tag(hash: u64) -> Slot {
    hash >> 16 << OFFSET_BITS
}

/// The hash of a key.
#[inline]
pub(super) fn hash_of(seed: &Seed, key: &[u8]) -> u64 {
    use std::hash::Hasher;
    let mut hasher = seed.hasher();
    hasher.write(key);
    hasher.finish()
}

impl Table {
    /// The bytes of memory that it takes.
    pub(super) fn weight(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    /// Makes it an empty table for so many entries.
    pub(super) fn clear(&mut self, entries: usize) {
        let slots = (entries.saturating_mul(4) / 3 + 1).next_power_of_two().max(4);
        self.slots.clear();
        creel_kernels::reserve_exact(&mut self.slots, slots);
        self.slots.resize(slots, 0);
    }

    /// How many entries it may hold.
    pub(super) fn most(&self) -> usize {
        self.slots.len() / 4 * 3
    }

    /// Looks up a key among entries of `bytes`.
    #[inline]
    pub(super) fn find(&self, form: Form, hash: u64, key: &[u8], bytes: &[u8]) -> Found {
        let (mask, tag) = (self.slots.len() - 1, tag(hash));
        let mut slot = hash as usize & mask;
        loop {
            let taken = self.slots[slot];
            if taken == 0 {
                return Found::Free { slot };
            }
            if taken >> OFFSET_BITS == tag >> OFFSET_BITS {
                let at = (taken & ((1 << OFFSET_BITS) - 1)) as usize - 1;
                if next(form, &mut &bytes[at..]).is_some_and(|entry| entry.key == key) {
                    return Found::There { at, slot };
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Puts an entry that begins at a place into a slot.
    #[inline]
    pub(super) fn set(&mut self, slot: usize, hash: u64, at: usize) {
        debug_assert!((at as u64) < (1 << OFFSET_BITS) - 1, "a buffer of more than a terabyte");
        self.slots[slot] = tag(hash) | (at as u64 + 1);
    }

    /// Counts the keys of so many entries. `None` if the bytes hold another number of entries.
    pub(super) fn count(
        &mut self,
        form: Form,
        seed: &Seed,
        bytes: &[u8],
        entries: usize,
    ) -> Option<usize> {
        self.clear(entries);
        let (mut at, mut left, mut keys) = (0, entries, 0);
        while let Some((entry, len)) = entry_at(form, bytes, at) {
            left = left.checked_sub(1)?;
            let hash = hash_of(seed, entry.key);
            if let Found::Free { slot } = self.find(form, hash, entry.key, bytes) {
                self.set(slot, hash, at);
                keys += 1;
            }
            at += len;
        }
        (left == 0).then_some(keys)
    }

    /// Leaves the first entry of each key, of so many entries. Returns how many are left; `None` if the
    /// bytes hold another number of entries.
    pub(super) fn reduce(
        &mut self,
        form: Form,
        seed: &Seed,
        bytes: &mut Vec<u8>,
        entries: usize,
    ) -> Option<usize> {
        self.clear(entries);
        let (mut at, mut end, mut left, mut keys) = (0, 0, entries, 0);
        // Entries of which another came that stands before them in the input.
        let mut replaced = Vec::new();
        while let Some((entry, len)) = entry_at(form, bytes, at) {
            left = left.checked_sub(1)?;
            let hash = hash_of(seed, entry.key);
            let (slot, stays) = match self.find(form, hash, entry.key, bytes) {
                Found::Free { slot } => {
                    keys += 1;
                    (slot, true)
                }
                Found::There { at: other, slot } => {
                    let is_first = form.is_placed()
                        && entry_at(form, bytes, other)
                            .is_some_and(|(other, _)| entry.place < other.place);
                    if is_first {
                        replaced.push(other);
                    }
                    (slot, is_first)
                }
            };
            if stays {
                self.set(slot, hash, end);
                if end < at {
                    bytes.copy_within(at..at + len, end);
                }
                end += len;
            }
            at += len;
        }
        bytes.truncate(end);
        if !replaced.is_empty() {
            without(form, bytes, replaced);
        }
        (left == 0).then_some(keys)
    }
}

/// The entry at a place, and how many bytes it has.
#[inline]
pub(super) fn entry_at(form: Form, bytes: &[u8], at: usize) -> Option<(Entry<'_>, usize)> {
    let all = &bytes[at..];
    let mut rest = all;
    let entry = next(form, &mut rest)?;
    Some((entry, all.len() - rest.len()))
}

/// Removes the entries that begin at these places.
fn without(form: Form, bytes: &mut Vec<u8>, mut removed: Vec<usize>) {
    removed.sort_unstable();
    let mut removed = removed.into_iter().peekable();
    let (mut at, mut end) = (0, 0);
    while let Some((_, len)) = entry_at(form, bytes, at) {
        if removed.next_if_eq(&at).is_none() {
            bytes.copy_within(at..at + len, end);
            end += len;
        }
        at += len;
    }
    bytes.truncate(end);
}
