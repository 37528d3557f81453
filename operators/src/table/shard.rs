//! A part of the table for text: the keys whose hashes begin alike.

use creel_kernels::{Huge, prefetch};

use super::waiting::Probe;

/// The longest key that lives in its slot.
pub(super) const INLINE: usize = 16;

/// The slots of the smallest shard, and of the largest that is not divided: 2 MiB of them, which
/// are one huge page.
const LEAST: usize = 64;
const MOST: usize = if cfg!(test) { 128 } else { 1 << 16 };

/// The most leading bits of a hash that divide a table. What is not divided any more grows on.
const DEEPEST: u32 = 16;

/// The most leading bits of the shards of a table that is small.
const SMALL: u32 = 5;

/// A key as a slot holds it: 16 bytes padded with zeros, or where it is in the arena.
pub(super) type Bytes = [u8; INLINE];

/// The length of a slot without a key.
pub(super) const EMPTY: u32 = u32::MAX;
/// The length of a slot whose key is in the arena: start and length stand where the key would.
pub(super) const LONG: u32 = u32::MAX - 1;

/// A key and its count. Half a cache line, and aligned so that it never lies in two.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub(super) struct Slot {
    pub(super) key: Bytes,
    pub(super) count: u64,
    pub(super) hash: u32,
    pub(super) len: u32,
}

impl Slot {
    pub(super) const EMPTY: Self = Self { key: [0; INLINE], count: 0, hash: 0, len: EMPTY };

    pub(super) fn is_taken(&self) -> bool {
        self.len != EMPTY
    }

    /// Start and length in the arena, of a long key.
    #[inline]
    fn place(&self) -> (usize, usize) {
        let both = u128::from_le_bytes(self.key);
        (both as u64 as usize, (both >> 64) as u64 as usize)
    }

    #[inline]
    pub(super) fn bytes<'k>(&'k self, arena: &'k [u8]) -> &'k [u8] {
        if self.len == LONG {
            let (start, len) = self.place();
            &arena[start..][..len]
        } else {
            &self.key[..self.len as usize]
        }
    }
}

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
    /// The long keys, end to end.
    arena: Vec<u8>,
    /// How many leading bits its hashes have in common.
    pub(super) depth: u32,
}

impl Shard {
    /// Room for so many slots, which is a power of two.
    fn with_slots(slots: usize, depth: u32) -> Self {
        Self { slots: Huge::filled(Slot::EMPTY, slots), taken: 0, arena: Vec::new(), depth }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// The bytes of memory that it has.
    pub(super) fn weight(&self) -> usize {
        size_of_val(&self.slots[..]) + self.arena.capacity()
    }

    /// All slots, those without a key too: which have one is as good as chance, and whoever looks at
    /// many does well to ask something else first.
    pub(super) fn all_slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.is_taken())
    }

    /// The next slot with a key, from a place on, which moves behind it.
    pub(super) fn taken_from(&self, at: &mut usize) -> Option<&Slot> {
        let rest = self.slots.get(*at..)?;
        let found = rest.iter().position(Slot::is_taken)?;
        *at += found + 1;
        rest.get(found)
    }

    pub(super) fn arena(&self) -> &[u8] {
        &self.arena
    }

    /// Where a search for a hash begins.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        hash as usize & self.slots.len().wrapping_sub(1)
    }

    /// The slot of a key that is there, or the empty one where it would be.
    #[inline]
    fn find(&self, hash: u32, is_it: impl Fn(&Slot) -> bool) -> usize {
        self.find_from(self.home(hash), hash, is_it)
    }

    /// The same, by a search that begins at a place that [`ask_for`](Self::ask_for) or [`glance`](Self::glance)
    /// gave.
    #[inline]
    fn find_from(&self, mut at: usize, hash: u32, is_it: impl Fn(&Slot) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        loop {
            let slot = &self.slots[at];
            if slot.len == EMPTY || slot.hash == hash && is_it(slot) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// Whether it may take no further key.
    ///
    /// It is at most three quarters full; less in a table of up to 128 MiB, where memory is worth less
    /// than time: at five eighths of 1.7 million words a count takes a tenth less, for there are fewer
    /// slots to look at, and that they are more than one is mispredicted. At seven eighths a count of 11
    /// million words took twice as long.
    #[inline]
    fn is_full(&self) -> bool {
        let eighths = if self.depth <= SMALL { 5 } else { 6 };
        self.taken >= self.slots.len() / 8 * eighths
    }

    /// Counts a key that lives in its slot, if it is in the one where a search for it is to begin.
    #[inline]
    pub(super) fn add_there(&mut self, probe: &Probe, n: u64) -> bool {
        match self.slots.get_mut(probe.place as usize) {
            Some(slot) if slot.len == probe.len && slot.key == probe.key => {
                slot.count = slot.count.saturating_add(n);
                true
            }
            _ => false,
        }
    }

    /// Counts a key that lives in its slot, by a search from its place on.
    pub(super) fn add_short(&mut self, probe: &Probe, n: u64) -> Found {
        if self.slots.is_empty() {
            return Found::Full;
        }
        let Probe { key, hash, len, place, .. } = *probe;
        let at = self.find_from(place as usize, hash, |slot| slot.len == len && slot.key == key);
        let full = self.is_full();
        let slot = &mut self.slots[at];
        if slot.is_taken() {
            slot.count = slot.count.saturating_add(n);
            return Found::There;
        }
        if full {
            return Found::Full;
        }
        *slot = Slot { key, count: n, hash, len };
        self.taken += 1;
        Found::New
    }

    /// Counts a key that is too long for a slot.
    #[inline]
    pub(super) fn add_long(&mut self, bytes: &[u8], hash: u32, n: u64) -> Found {
        if self.slots.is_empty() {
            return Found::Full;
        }
        let at = self.find(hash, |slot| slot.len == LONG && slot.bytes(&self.arena) == bytes);
        let full = self.is_full();
        let slot = &mut self.slots[at];
        if slot.is_taken() {
            slot.count = slot.count.saturating_add(n);
            return Found::There;
        }
        if full {
            return Found::Full;
        }
        let place = self.arena.len() as u128 | (bytes.len() as u128) << 64;
        *slot = Slot { key: place.to_le_bytes(), count: n, hash, len: LONG };
        self.arena.extend_from_slice(bytes);
        self.taken += 1;
        Found::New
    }

    /// How often a key was counted.
    pub(super) fn get(&self, hash: u32, is_it: impl Fn(&Slot) -> bool) -> u64 {
        if self.slots.is_empty() { 0 } else { self.slots[self.find(hash, is_it)].count }
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

    /// A better place to begin the search for a hash than its home, which has come near: the first
    /// slot in that cache line that is empty or has the hash, or the one behind them, which is asked for.
    ///
    /// Without a branch: how many slots there are to pass is a matter of chance.
    #[inline]
    pub(super) fn glance(&self, hash: u32, home: usize) -> usize {
        let (Some(first), Some(second)) = (self.slots.get(home), self.slots.get(home | 1)) else {
            return 0;
        };
        let passed = |slot: &Slot| (slot.hash != hash) & (slot.len != EMPTY);
        let both = passed(first) & passed(second) & (home & 1 == 0);
        let at = (home + usize::from(passed(first)) + usize::from(both)) & (self.slots.len() - 1);
        prefetch(&self.slots[at]);
        at
    }

    /// Has a long key come near, if its slot is the first that a search would look at.
    #[inline]
    pub(super) fn ask_for_long(&self, hash: u32) {
        if let Some(slot) = self.slots.get(self.home(hash))
            && (slot.hash, slot.len) == (hash, LONG)
            && let Some(first) = self.arena.get(slot.place().0)
        {
            prefetch(first);
        }
    }

    /// Whether it is to be divided, rather than to grow, when it is full.
    pub(super) fn divides(&self) -> bool {
        self.slots.len() >= MOST && self.depth < DEEPEST
    }

    /// Doubles its room.
    pub(super) fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(LEAST);
        let mut grown = Self::with_slots(slots, self.depth);
        for slot in self.slots() {
            grown.put(*slot);
        }
        grown.arena = std::mem::take(&mut self.arena);
        *self = grown;
    }

    /// Keeps the keys whose next bit is 0, and gives away the others, as a shard of as many slots.
    ///
    /// A key stays where it was, or comes to the same place in the other shard, or a little before
    /// it: so all of it is read once from end to end, and nothing is looked for. Which slots have a
    /// key, and where it goes, is as good as chance: neither is asked by a branch, of which one in two
    /// would be mispredicted, and a division take two thirds more.
    pub(super) fn divide(&mut self) -> Self {
        self.depth += 1;
        let bit = 32 - self.depth;
        let arena = std::mem::take(&mut self.arena);
        let mut other = Self::with_slots(self.slots.len(), self.depth);
        // Until they are as full as this was, so that what is copied now is not copied again.
        self.arena = Vec::with_capacity(arena.len());
        other.arena = Vec::with_capacity(arena.len());
        self.taken = 0;
        // From an empty slot on, so that what is put back never passes what is still to come.
        let start = self.slots.iter().position(|slot| !slot.is_taken()).unwrap_or(0);
        let slots = self.slots.len();
        let mut both = [std::mem::take(self), other];
        for group in (start..start + slots).step_by(LEAST) {
            let (taken, count) = both[0].taken_from_on(group);
            for &at in &taken[..count] {
                let slot = std::mem::replace(&mut both[0].slots[at], Slot::EMPTY);
                both[(slot.hash >> bit & 1) as usize].put_from(slot, &arena);
            }
        }
        let [first, other] = both;
        *self = first;
        other
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
    pub(super) fn divide_to_fit(&mut self) -> Self {
        let whole = std::mem::take(self);
        let bit = 31 - whole.depth;
        let side = |slot: &Slot| (slot.hash >> bit & 1) as usize;
        // The hash of an empty slot is 0.
        let second: usize = whole.slots.iter().map(side).sum();
        let mut both = [whole.taken - second, second].map(|keys| {
            let slots = if keys == 0 { 0 } else { (keys * 2).next_power_of_two().max(LEAST) };
            Self::with_slots(slots, whole.depth + 1)
        });
        for group in (0..whole.slots.len()).step_by(LEAST) {
            let (taken, count) = whole.taken_from_on(group);
            for slot in taken[..count].iter().map(|&at| whole.slots[at]) {
                both[side(&slot)].put_from(slot, &whole.arena);
            }
        }
        let [first, other] = both;
        *self = first;
        other
    }

    /// Puts in a key of another shard, which has its bytes if it is long.
    fn put_from(&mut self, mut slot: Slot, arena: &[u8]) {
        if slot.len == LONG {
            let (from, len) = slot.place();
            slot.key = (self.arena.len() as u128 | (len as u128) << 64).to_le_bytes();
            self.arena.extend_from_slice(&arena[from..][..len]);
        }
        self.put(slot);
    }

    /// Puts in a key that is not there, and for which there is room.
    fn put(&mut self, slot: Slot) {
        let at = self.find(slot.hash, |_| false);
        self.slots[at] = slot;
        self.taken += 1;
    }
}
