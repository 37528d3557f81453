//! A part of the table for text: the keys whose hashes begin alike.

mod divide;

use creel_kernels::{Huge, prefetch, reserve, reserve_exact};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::slot::{COUNT_BITS, Slot};
use super::waiting::Probe;
use super::{Seed, saved};

/// The slots of the smallest shard, and of the largest that is not divided: 2 MiB of them, which
/// are one huge page.
const LEAST: usize = 64;
const MOST: usize = if cfg!(test) { 128 } else { 1 << 17 };

/// The most leading bits of a hash that divide a table. What is not divided any more grows on: some
/// billions of keys, of whose hashes the bits run short.
const DEEPEST: u32 = 16;

/// The most leading bits of the shards of a table that is small.
const SMALL: u32 = 5;

/// Slots in a cache line.
const LINE: usize = 4;

/// What a search for a key came to.
pub(super) enum Found {
    /// It is here.
    There,
    /// It was not here, and now is.
    New,
    /// It is not here, and the shard is as full as it may be.
    Full,
}

/// Keys whose hashes have the same leading bits. It is whole in itself: it has its own long keys,
/// and goes from one table to another as it is.
#[derive(Clone, Default)]
pub(super) struct Shard {
    /// A power of two of them, or none yet; probed linearly from the last bits of a hash on.
    slots: Huge<Slot>,
    taken: usize,
    /// The long keys, each behind its length.
    arena: Vec<u8>,
    /// Of keys that were counted more often than a slot can hold, by their numbers, what was carried.
    carried: HashMap<u128, u64, RandomState>,
    /// How many leading bits its hashes have in common.
    pub(super) depth: u32,
}

impl Shard {
    /// Room for so many slots, which is a power of two.
    fn with_slots(slots: usize, depth: u32) -> Self {
        Self { slots: Huge::filled(Slot::EMPTY, slots), depth, ..Self::default() }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// The bytes of memory that it has.
    pub(super) fn weight(&self) -> usize {
        size_of_val(&self.slots[..]) + self.arena.capacity() + self.carried.allocation_size()
    }

    /// The same, and what it is about to ask for: when it is full, as much again.
    ///
    /// All shards of a table fill alike, so a table doubles while hardly more keys come; whoever bounds
    /// its memory has to know before.
    pub(super) fn held(&self) -> usize {
        let nearly = |used: usize, room: usize| used >= room / 8 * 7;
        let slots = if nearly(self.taken, self.most()) { size_of_val(&self.slots[..]) } else { 0 };
        let full = slots > 0 || nearly(self.arena.len(), self.arena.capacity());
        self.weight() + slots + if full { self.arena.capacity() } else { 0 }
    }

    /// The bytes of its long keys.
    pub(super) fn long(&self) -> usize {
        self.arena.len()
    }

    /// All slots, those without a key too: which have one is as good as chance, and whoever looks at
    /// many does well to ask something else first.
    pub(super) fn all_slots(&self) -> &[Slot] {
        &self.slots
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.is_taken())
    }

    /// All slots, in groups that do not follow one another.
    ///
    /// Keys that go to another table are taken in this order. By their places, they would come to the
    /// beginning of each of its shards first, and fill it past the slots that it has, long before the
    /// shard is full: a merge of two tables of 4.9 million keys each took twenty times as long.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Slot]> {
        (0..self.slots.len() / LEAST).map(|n| self.group(n))
    }

    fn group(&self, n: usize) -> &[Slot] {
        // All of them, since their number is a power of two and the step is odd; by the golden ratio, so
        // that however many were taken lie about evenly.
        let groups = self.slots.len() / LEAST;
        let step = ((groups as u64 * 0x9e37) >> 16) as usize | 1;
        let at = n.wrapping_mul(step) & (groups - 1);
        &self.slots[at * LEAST..][..LEAST]
    }

    /// The keys and their counts.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let slots = self.groups().flatten().filter(|slot| slot.is_taken());
        slots.map(|slot| self.row(slot))
    }

    /// Visits the hash of each key, the key and its count, in the order of [`groups`](Self::groups).
    pub(super) fn each_row(&self, seed: &Seed, mut visit: impl FnMut(u32, &[u8], u64)) {
        for group in self.groups() {
            self.ask_for_bytes(group);
            for slot in group.iter().filter(|slot| slot.is_taken()) {
                let (key, n) = self.row(slot);
                visit(Self::hash(slot, seed), key, n);
            }
        }
    }

    /// The key after so many slots, in the order of [`groups`](Self::groups), and its count. The number
    /// moves behind it.
    pub(super) fn row_from(&self, seen: &mut usize) -> Option<(&[u8], u64)> {
        while *seen < self.slots.len() {
            let rest = &self.group(*seen / LEAST)[*seen % LEAST..];
            let found = rest.iter().position(Slot::is_taken);
            *seen += found.map_or(rest.len(), |found| found + 1);
            if let Some(found) = found {
                return Some(self.row(&rest[found]));
            }
        }
        None
    }

    /// The key of a slot and its count.
    #[inline]
    pub(super) fn row<'k>(&'k self, slot: &'k Slot) -> (&'k [u8], u64) {
        (self.bytes(slot), self.count(slot))
    }

    #[inline]
    pub(super) fn bytes<'k>(&'k self, slot: &'k Slot) -> &'k [u8] {
        slot.bytes(&self.arena)
    }

    #[inline]
    pub(super) fn count(&self, slot: &Slot) -> u64 {
        if self.carried.is_empty() {
            return slot.count();
        }
        let carried = self.carried.get(&slot.key()).copied();
        carried.unwrap_or_default() << COUNT_BITS | slot.count()
    }

    /// Counts the key in a slot, which has one, `n` times more.
    #[inline]
    fn count_up(&mut self, at: usize, n: u64) {
        let carry = self.slots[at].add(n);
        if carry > 0 {
            self.carry(at, carry);
        }
    }

    /// Keeps what the count in a slot has no room for. A count past `u64::MAX` stays there.
    #[cold]
    fn carry(&mut self, at: usize, carry: u64) {
        const GREATEST: u64 = u64::MAX >> COUNT_BITS;
        let slot = &mut self.slots[at];
        let carried = self.carried.entry(slot.key()).or_default();
        *carried += carry;
        if *carried > GREATEST {
            *carried = GREATEST;
            slot.fill();
        }
    }

    /// The hash of the key in a slot.
    #[inline]
    fn hash(slot: &Slot, seed: &Seed) -> u32 {
        // Both, since which it is may be as good as chance.
        let short = seed.hash_short(slot.key());
        if slot.is_long() { slot.hash_of_long() } else { short }
    }

    /// Where a search for a hash begins.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        hash as usize & self.slots.len().wrapping_sub(1)
    }

    /// The slot of a key that is there, or the empty one where it would be.
    #[inline]
    fn find(&self, hash: u32, is_it: impl Fn(&Slot) -> bool) -> usize {
        self.find_from(self.home(hash), is_it)
    }

    /// The same, by a search that begins at a place that [`ask_for`](Self::ask_for) or [`glance`](Self::glance)
    /// gave.
    #[inline]
    fn find_from(&self, mut at: usize, is_it: impl Fn(&Slot) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        loop {
            let slot = &self.slots[at];
            if !slot.is_taken() || is_it(slot) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// Whether it may take no further key.
    ///
    /// It is at most three quarters full; less in a table of up to 64 MiB, where memory is worth less
    /// than time: at five eighths of 1.7 million words a count takes a tenth less, for there are fewer
    /// slots to look at, and that they are more than one is mispredicted. At seven eighths a count of 11
    /// million words took twice as long.
    #[inline]
    fn is_full(&self) -> bool {
        self.taken >= self.most()
    }

    /// The keys that it may have.
    #[inline]
    fn most(&self) -> usize {
        let eighths = if self.depth <= SMALL { 5 } else { 6 };
        self.slots.len() / 8 * eighths
    }

    /// Counts a key that lives in its slot, if it is in the one where a search for it is to begin.
    #[inline]
    pub(super) fn add_there(&mut self, probe: &Probe, n: u64) -> bool {
        debug_assert!(probe.key != 0, "an empty slot would have it");
        let at = probe.place as usize;
        let is_there = self.slots.get(at).is_some_and(|slot| slot.is(probe.key));
        if is_there {
            self.count_up(at, n);
        }
        is_there
    }

    /// Counts a key that lives in its slot, by a search from its place on.
    pub(super) fn add_short(&mut self, probe: &Probe, n: u64) -> Found {
        if self.slots.is_empty() {
            return Found::Full;
        }
        let at = self.find_from(probe.place as usize, |slot| slot.is(probe.key));
        self.add_at(at, n, |_| Slot::short(probe.key))
    }

    /// Counts a key that has no room in a slot, by a search from its place on.
    pub(super) fn add_long(&mut self, bytes: &[u8], probe: &Probe, n: u64) -> Found {
        if self.slots.is_empty() {
            return Found::Full;
        }
        let Probe { hash, place, .. } = *probe;
        let at = self.find_from(place as usize, |slot| self.has_long(slot, hash, bytes));
        self.add_at(at, n, |arena| {
            let place = arena.len();
            reserve(arena, bytes.len() + saved::LONGEST_NUMBER);
            saved::put_bytes(arena, bytes);
            Slot::long(hash, place)
        })
    }

    /// Counts the key in a slot, or this new one, if the slot is empty.
    #[inline]
    fn add_at(&mut self, at: usize, n: u64, new: impl FnOnce(&mut Vec<u8>) -> Slot) -> Found {
        let is_there = self.slots[at].is_taken();
        if !is_there {
            if self.is_full() {
                return Found::Full;
            }
            self.slots[at] = new(&mut self.arena);
            self.taken += 1;
        }
        self.count_up(at, n);
        if is_there { Found::There } else { Found::New }
    }

    /// Whether a slot has this key, which has no room in one.
    #[inline]
    fn has_long(&self, slot: &Slot, hash: u32, bytes: &[u8]) -> bool {
        slot.is_long() && slot.hash_of_long() == hash && self.bytes(slot) == bytes
    }

    /// How often a key was counted that lives in its slot.
    pub(super) fn get_short(&self, key: u128, hash: u32) -> u64 {
        self.get(hash, |slot| slot.is(key))
    }

    /// How often a key was counted that has no room in a slot.
    pub(super) fn get_long(&self, bytes: &[u8], hash: u32) -> u64 {
        self.get(hash, |slot| self.has_long(slot, hash, bytes))
    }

    fn get(&self, hash: u32, is_it: impl Fn(&Slot) -> bool) -> u64 {
        if self.slots.is_empty() { 0 } else { self.count(&self.slots[self.find(hash, is_it)]) }
    }

    /// Where a search for a hash begins, which is asked for.
    #[inline]
    pub(super) fn ask_for(&self, hash: u32) -> usize {
        let home = self.home(hash);
        if let Some(slot) = self.slots.get(home) {
            prefetch(slot);
        }
        home
    }

    /// A better place to begin the search for a key that lives in its slot than its home, which has come
    /// near: as [`glance`](Self::glance) finds it.
    #[inline]
    pub(super) fn glance_short(&self, key: u128, home: usize) -> usize {
        self.glance(home, |first| first == key as u64)
    }

    /// The same for a key that has no room in a slot.
    #[inline]
    pub(super) fn glance_long(&self, hash: u32, home: usize) -> usize {
        self.glance(home, |first| first as u32 == hash)
    }

    /// The first of two slots that is empty or begins as the key does, or the one behind them, which is
    /// asked for. They are neighbours in a cache line.
    ///
    /// Without a branch: how many slots there are to pass is a matter of chance. To look at all four of
    /// the line took a tenth longer.
    #[inline]
    fn glance(&self, home: usize, begins: impl Fn(u64) -> bool) -> usize {
        let next = usize::from(home % LINE != LINE - 1);
        let (Some(first), Some(second)) = (self.slots.get(home), self.slots.get(home + next))
        else {
            return 0;
        };
        let passed = |slot: &Slot| usize::from(!begins(slot.first()) & (slot.first() != 0));
        let both = passed(first) & passed(second) & next;
        let at = (home + passed(first) + both) & (self.slots.len() - 1);
        prefetch(&self.slots[at]);
        at
    }

    /// Has a long key come near, if its slot is the first that a search would look at.
    #[inline]
    pub(super) fn ask_for_long(&self, probe: &Probe) {
        if let Some(slot) = self.slots.get(probe.place as usize)
            && slot.is_long()
            && slot.hash_of_long() == probe.hash
            && let Some(first) = self.arena.get(slot.place())
        {
            prefetch(first);
        }
    }

    /// Has come near what these slots have in the arena.
    #[inline]
    pub(super) fn ask_for_bytes<'s>(&self, slots: impl IntoIterator<Item = &'s Slot>) {
        for slot in slots {
            // What a short key has where the place would be is past the end, as a rule; where it is not, a
            // line is asked for in vain.
            if let Some(first) = self.arena.get(slot.place()) {
                prefetch(first);
            }
        }
    }

    /// Makes room for so many keys, and bytes of long ones, if it has none yet.
    pub(super) fn reserve(&mut self, keys: usize, long: usize) {
        if self.slots.is_empty() && keys > 0 {
            // Somewhat less full than it may be, as there may be more keys.
            let slots = (keys / 10 * 14).next_power_of_two().clamp(LEAST, MOST);
            self.slots = Huge::filled(Slot::EMPTY, slots);
            reserve_exact(&mut self.arena, long + long / 16);
        }
    }

    /// Forgets all keys, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.slots.fill(Slot::EMPTY);
        self.arena.clear();
        self.carried.clear();
        self.taken = 0;
    }

    /// Whether it is to be divided, rather than to grow, when it is full.
    pub(super) fn divides(&self) -> bool {
        self.slots.len() >= MOST && self.depth < DEEPEST
    }

    /// Doubles its room.
    pub(super) fn grow(&mut self, seed: &Seed) {
        let slots = (self.slots.len() * 2).max(LEAST);
        let mut grown = Self::with_slots(slots, self.depth);
        for slot in self.slots() {
            grown.put(*slot, Self::hash(slot, seed));
        }
        grown.arena = std::mem::take(&mut self.arena);
        grown.carried = std::mem::take(&mut self.carried);
        *self = grown;
    }

    /// Puts in a key that is not there, and for which there is room.
    fn put(&mut self, slot: Slot, hash: u32) {
        let at = self.find(hash, |_| false);
        self.slots[at] = slot;
        self.taken += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_all_slots_and_those_that_come_first_lie_evenly() {
        for groups in [0, 1, 2, 4, 64, 1 << 9, 1 << 10, 1 << 11] {
            let shard = Shard::with_slots(groups * LEAST, 0);
            let place = |group: &[Slot]| group.as_ptr().addr() - shard.slots.as_ptr().addr();
            let places = shard.groups().map(|group| place(group) / size_of_val(group));
            let mut places: Vec<_> = places.collect();
            for seen in 0..groups {
                let mut eighths = [0; 8];
                places[..seen].iter().for_each(|at| eighths[at * 8 / groups] += 1);
                assert!(
                    eighths.iter().all(|&n| n <= seen / 4 + 4),
                    "{seen} of {groups}: {eighths:?}"
                );
            }
            // Neighbours are what keys of another table would crowd.
            let first = &mut places[..groups / 5];
            first.sort_unstable();
            let runs = first.chunk_by(|a, b| a + 1 == *b).map(<[_]>::len);
            assert!(runs.max().unwrap_or(0) <= 5, "{groups}");
            places.sort_unstable();
            assert!(places.into_iter().eq(0..groups));
        }
    }

    #[test]
    fn keys_are_given_in_the_order_of_groups() {
        let mut shard = Shard::with_slots(16 * LEAST, 0);
        for key in 1..400_u32 {
            let place = shard.home(key.wrapping_mul(0x9e37_79b1)) as u32;
            shard.add_short(&Probe { key: u128::from(key), place, ..Probe::NONE }, 1);
        }
        let slots = shard.groups().flatten().filter(|slot| slot.is_taken());
        let expected: Vec<_> = slots.map(|slot| shard.bytes(slot)).collect();
        assert!(shard.rows().map(|(key, _)| key).eq(expected.iter().copied()));
        let mut seen = 0;
        let given = std::iter::from_fn(|| shard.row_from(&mut seen).map(|(key, _)| key));
        assert!(given.eq(expected.iter().copied()) && expected.len() == 399);
    }
}
