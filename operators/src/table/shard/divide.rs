//! A shard in two, by the next bit of its hashes.

use creel_kernels::reserve_exact;

use super::{LEAST, Shard};
use crate::table::slot::Slot;
use crate::table::{Seed, saved};

impl Shard {
    /// Keeps the keys whose next bit is 0, and gives away the others, as a shard of as many slots.
    ///
    /// A key stays where it was, or comes to the same place in the other shard, or a little before
    /// it: so all of it is read once from end to end, and nothing is looked for. Which slots have a
    /// key, and where it goes, is as good as chance: neither is asked by a branch, of which one in two
    /// would be mispredicted, and a division take two thirds more.
    pub(in crate::table) fn divide(&mut self, seed: &Seed) -> Self {
        self.depth += 1;
        let bit = 32 - self.depth;
        let from = self.take_long();
        let mut other = Self::with_slots(self.slots.len(), self.depth);
        // Until they are as full as this was, so that what is copied now is not copied again.
        reserve_exact(&mut self.arena, from.arena.len());
        reserve_exact(&mut other.arena, from.arena.len());
        self.taken = 0;
        // From an empty slot on, so that what is put back never passes what is still to come.
        let start = self.slots.iter().position(|slot| !slot.is_taken()).unwrap_or(0);
        let slots = self.slots.len();
        let mut both = [std::mem::take(self), other];
        for group in (start..start + slots).step_by(LEAST) {
            let (taken, count) = both[0].taken_from_on(group);
            from.ask_for_bytes(taken[..count].iter().map(|&at| &both[0].slots[at]));
            for &at in &taken[..count] {
                let slot = std::mem::replace(&mut both[0].slots[at], Slot::EMPTY);
                let hash = Self::hash(&slot, seed);
                both[(hash >> bit & 1) as usize].put_from(slot, hash, &from);
            }
        }
        let [first, other] = both;
        *self = first;
        other
    }

    /// Takes what is not in slots, for these to be put in again.
    fn take_long(&mut self) -> Self {
        let (arena, carried) = (std::mem::take(&mut self.arena), std::mem::take(&mut self.carried));
        Self { arena, carried, ..Self::default() }
    }

    /// The places from one on, as many as the smallest shard has, that have a key, and how many these are.
    fn taken_from_on(&self, first: usize) -> ([usize; LEAST], usize) {
        let (mut taken, mut count) = ([0; LEAST], 0);
        for at in (first..first + LEAST).map(|at| at & (self.slots.len() - 1)) {
            taken[count % LEAST] = at;
            count += usize::from(self.slots[at].is_taken());
        }
        (taken, count)
    }

    /// As [`divide`](Self::divide), into shards that are as large as what they hold asks for: parts of
    /// a table are many, and may hold little.
    pub(in crate::table) fn divide_to_fit(&mut self, seed: &Seed) -> Self {
        let whole = std::mem::take(self);
        let bit = 31 - whole.depth;
        let side = |hash: u32| (hash >> bit & 1) as usize;
        let second = |slot: &Slot| side(Self::hash(slot, seed)) & usize::from(slot.is_taken());
        let second: usize = whole.slots.iter().map(second).sum();
        let mut both = [whole.taken - second, second].map(|keys| {
            // As many as give it what is at most the load of a large table: parts together then take no
            // more memory than the whole did.
            let slots = (keys.div_ceil(6) * 8).next_power_of_two().max(LEAST);
            let slots = if keys == 0 { 0 } else { slots };
            Self::with_slots(slots, whole.depth + 1)
        });
        for half in &mut both {
            // Hashes divide long keys about evenly; what they do not is made room for as it comes.
            let long = whole.arena.len();
            reserve_exact(
                &mut half.arena,
                if half.slots.is_empty() { 0 } else { long / 2 + long / 16 },
            );
        }
        for group in (0..whole.slots.len()).step_by(LEAST) {
            let (taken, count) = whole.taken_from_on(group);
            whole.ask_for_bytes(taken[..count].iter().map(|&at| &whole.slots[at]));
            for slot in taken[..count].iter().map(|&at| whole.slots[at]) {
                let hash = Self::hash(&slot, seed);
                both[side(hash)].put_from(slot, hash, &whole);
            }
        }
        let [first, other] = both;
        *self = first;
        other
    }

    /// Puts in a key of another shard, which has what of it is not in the slot.
    fn put_from(&mut self, mut slot: Slot, hash: u32, from: &Self) {
        let carried = if from.carried.is_empty() { None } else { from.carried.get(&slot.key()) };
        if slot.is_long() {
            let place = self.arena.len();
            saved::put_bytes(&mut self.arena, from.bytes(&slot));
            slot = slot.moved(place);
        }
        self.carried.extend(carried.map(|&carried| (slot.key(), carried)));
        self.put(slot, hash);
    }
}
