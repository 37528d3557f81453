//! The table for text and bytes: short keys inside the slots, long ones in an arena.
//!
//! Counting words is looking up keys in a table that is larger than any cache. So a key of up to
//! 13 bytes lives in its slot, and a lookup touches one cache line; and keys are looked up in
//! batches: a slot is asked for when its key comes, many keys before it is probed, so that cache
//! misses overlap one another, and what the keys take to come. Against slots that point into an arena
//! (hashbrown's, with a tag to compare first) a count of 1.66 million distinct words among 170
//! million takes less than half the time.
//!
//! A large table is many shards, each of the keys whose hashes begin with some bits. A shard that is
//! full is divided in two, which moves 2 MiB within the caches; a table that doubles moves all, and
//! touches twice the memory that it ends with (a quarter of the time of a count of 11 million
//! distinct words). And shards are what tables are cut along: to be merged by several threads, or
//! to be spilled.

use std::fmt;
use std::ops::Range;

use creel_kernels::padded_within;

use super::later::Look;
use super::logs::KeyLogs;
use super::shard::{Found, Shard};
use super::slot::{is_short, short};
use super::text_key::Text;
use super::waiting::{BATCH, LONG_BATCH, Long, Probe, Record, Waiting};
use super::{IntoIter, Ranks, Seed, Table, saved};
use crate::Key;

/// How many keys ahead one is glanced at: enough that what this asks for has come when it is looked up.
const GROUP: usize = 32;

/// A table of text keys, which allocates nothing for a key but the room it takes.
#[derive(Clone)]
pub struct TextTable<K> {
    /// For each value of the first bits of a hash, the shard that has such keys: a power of two.
    pub(super) directory: Vec<u32>,
    pub(super) shards: Vec<Shard>,
    pub(super) distinct: usize,
    /// How many leading bits all hashes have in common: of a table that is a part of another.
    pub(super) skip: u32,
    /// Keys that wait to be counted, where most are new.
    pub(super) logs: Option<Box<KeyLogs>>,
    pub(super) look: Look,
    pub(super) seed: Seed,
    pub(super) key: std::marker::PhantomData<fn() -> K>,
}

impl<K> TextTable<K> {
    /// A part of another table, of whose hashes so many leading bits are alike: no shards as yet.
    pub(super) fn part(skip: u32) -> Self {
        Self {
            directory: Vec::new(),
            shards: Vec::new(),
            distinct: 0,
            skip,
            logs: None,
            look: Look::default(),
            seed: Seed::default(),
            key: std::marker::PhantomData,
        }
    }

    /// A table of no keys, of whose hashes so many leading bits will be alike.
    pub(super) fn empty(skip: u32) -> Self {
        let mut shard = Shard::default();
        shard.depth = skip;
        Self { directory: vec![0], shards: vec![shard], ..Self::part(skip) }
    }

    /// A key that lives in its slot, which is asked for.
    #[inline]
    fn probe(&self, key: u128) -> Probe {
        self.asked(Probe { key, hash: self.seed.hash_short(key), ..Probe::NONE })
    }

    /// A key, with where to look for it, which is asked for.
    #[inline]
    fn asked(&self, probe: Probe) -> Probe {
        let shard = self.shard(probe.hash);
        let place = self.shards[shard].ask_for(probe.hash);
        Probe { shard: shard as u32, place: place as u32, ..probe }
    }

    #[inline]
    pub(super) fn ask_for_all(&self, probes: &mut [Probe]) {
        probes.iter_mut().for_each(|probe| *probe = self.asked(*probe));
    }

    /// The shard of a hash.
    #[inline]
    pub(super) fn shard(&self, hash: u32) -> usize {
        // As many leading bits, behind those that are skipped, as the directory has places for.
        let place = (u64::from(hash << self.skip) * self.directory.len() as u64) >> 32;
        self.directory[place as usize] as usize
    }

    /// Counts short keys, each `n` times as `counts` says. No key of the table may have been moved since their
    /// slots were asked for.
    ///
    /// A call for each batch: inlined, it takes the registers of whatever loop yields the keys.
    #[inline(never)]
    pub(super) fn add_batch(&mut self, batch: &mut [Probe], mut counts: impl Iterator<Item = u64>) {
        let all = batch.len();
        self.glance(&mut batch[..all.min(GROUP)]);
        for start in (0..all).step_by(GROUP) {
            let [end, glanced] = [1, 2].map(|n| all.min(start + n * GROUP));
            self.glance(&mut batch[end..glanced]);
            for at in start..end {
                let (probe, n) = (&batch[at], counts.next().unwrap_or(0));
                if !self.shards[probe.shard as usize].add_there(probe, n)
                    && self.add_short(*probe, n)
                {
                    self.ask_for_all(&mut batch[at + 1..]);
                }
            }
        }
    }

    /// Counts a short key, by a search from where it is looked for first. Whether keys were moved.
    #[inline(never)]
    fn add_short(&mut self, probe: Probe, n: u64) -> bool {
        self.add_from(probe, |shard, probe| shard.add_short(probe, n))
    }

    /// Adds a key to its shard, which is made larger, or divided, if it has no room. Whether keys were
    /// moved.
    #[inline]
    fn add_from(&mut self, mut probe: Probe, add: impl Fn(&mut Shard, &Probe) -> Found) -> bool {
        let mut moved = false;
        loop {
            match add(&mut self.shards[probe.shard as usize], &probe) {
                Found::There => return moved,
                Found::New => {
                    self.distinct += 1;
                    return moved;
                }
                Found::Full => self.make_room(probe.shard as usize, probe.hash),
            }
            moved = true;
            probe = self.asked(probe);
        }
    }

    /// Finds a better place to look for keys.
    #[inline]
    fn glance(&self, probes: &mut [Probe]) {
        for probe in probes {
            let shard = &self.shards[probe.shard as usize];
            probe.place = shard.glance_short(probe.key, probe.place as usize) as u32;
        }
    }

    /// Counts long keys. Each takes two cache misses, one after the other.
    #[inline(never)]
    pub(super) fn add_long(&mut self, waiting: &mut Vec<(Probe, impl Long, u64)>) {
        for (probe, ..) in &mut *waiting {
            *probe = self.asked(*probe);
        }
        for (probe, ..) in &mut *waiting {
            let shard = &self.shards[probe.shard as usize];
            probe.place = shard.glance_long(probe.hash, probe.place as usize) as u32;
        }
        for (probe, ..) in &*waiting {
            self.shards[probe.shard as usize].ask_for_long(probe);
        }
        let mut moved = false;
        for (mut probe, key, n) in waiting.drain(..) {
            if moved {
                probe = self.asked(probe);
            }
            moved |= self.add_from(probe, |shard, probe| shard.add_long(key.bytes(), probe, n));
        }
    }

    /// Counts a short key once, when enough of them are there.
    #[inline]
    fn push<Q>(&mut self, waiting: &mut Waiting<Q>, probe: Probe) {
        waiting.batch[waiting.len] = probe;
        waiting.len += 1;
        if waiting.len == BATCH {
            self.settle_short(waiting);
        }
    }

    /// Counts a long key once, when enough of them are there.
    #[inline(never)]
    fn push_long<Q: Long>(&mut self, waiting: &mut Waiting<Q>, key: Q) {
        let probe = Probe { hash: self.seed.hash_long(key.bytes()), ..Probe::NONE };
        waiting.long.push((probe, key, 1));
        if waiting.long.len() == LONG_BATCH {
            self.settle(waiting);
        }
    }

    fn settle_short<Q>(&mut self, waiting: &mut Waiting<Q>) {
        let batch = &mut waiting.batch[..std::mem::take(&mut waiting.len)];
        self.add_batch(batch, std::iter::repeat(1));
    }

    /// Counts what still waits: first the short keys, since long ones may move the slots that these asked for.
    fn settle(&mut self, waiting: &mut Waiting<impl Long>) {
        self.settle_short(waiting);
        self.add_long(&mut waiting.long);
    }

    fn add_bytes(&mut self, bytes: &[u8], n: u64) {
        if let Some(key) = short(bytes) {
            self.add_short(self.probe(key), n);
        } else {
            let probe = Probe { hash: self.seed.hash_long(bytes), ..Probe::NONE };
            self.add_from(self.asked(probe), |shard, probe| shard.add_long(bytes, probe, n));
        }
    }

    /// Makes the shard larger that is at this place, and has the keys of this hash; or divides it.
    #[cold]
    fn make_room(&mut self, at: usize, hash: u32) {
        if self.shards[at].divides() {
            self.divide(at, hash, Shard::divide);
        } else {
            self.shards[at].grow(&self.seed);
        }
    }

    /// Divides the shard at this place, which has the keys of this hash.
    pub(super) fn divide(
        &mut self,
        at: usize,
        hash: u32,
        divide: impl Fn(&mut Shard, &Seed) -> Shard,
    ) {
        let depth = self.shards[at].depth - self.skip;
        if 1 << depth == self.directory.len() {
            self.directory = self.directory.iter().flat_map(|&shard| [shard; 2]).collect();
        }
        let other = divide(&mut self.shards[at], &self.seed);
        let new = self.shards.len() as u32;
        self.shards.push(other);
        // The places of the shard are neighbours, and the second half of them is the new one's.
        let each = self.directory.len() >> depth;
        let prefix = (u64::from(hash << self.skip) << depth >> 32) as usize;
        self.directory[prefix * each + each / 2..(prefix + 1) * each].fill(new);
    }
}

impl TextTable<String> {
    /// Counts pieces of a text once each: as [`Table::add_all`], but a key is one load from the text.
    #[inline]
    pub(crate) fn add_pieces(&mut self, text: &str, pieces: impl Iterator<Item = Range<usize>>) {
        let mut waiting = Waiting::default();
        pieces.for_each(|Range { start, end }| {
            // As text first: a key is whole characters.
            let piece: &str = &text[start..end];
            if is_short(piece.as_bytes()) {
                let key = padded_within(text.as_bytes(), start, piece.len());
                self.push(&mut waiting, self.probe(key));
            } else {
                self.push_long(&mut waiting, piece.as_bytes());
            }
        });
        self.settle(&mut waiting);
    }
}

impl<K> Default for TextTable<K> {
    fn default() -> Self {
        // One shard, without room as yet.
        Self::empty(0)
    }
}

impl<K> fmt::Debug for TextTable<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextTable")
            .field("len", &self.distinct)
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}

impl<K: Text> Table<K> for TextTable<K> {
    type IntoIter = IntoIter<K>;
    const PARTS: bool = true;

    fn distinct(&self) -> usize {
        self.distinct
    }

    fn weight(&self) -> usize {
        self.shards.iter().map(Shard::weight).sum::<usize>() + self.waiting()
    }

    fn held(&self) -> usize {
        // One shard at a time is copied where the table is cut, and in that many long keys may lie.
        let longest = self.shards.iter().map(Shard::long).max().unwrap_or(0);
        self.shards.iter().map(Shard::held).sum::<usize>() + longest + self.waiting()
    }

    fn waiting(&self) -> usize {
        self.logs.as_ref().map_or(0, |logs| logs.held())
    }

    fn counted(&self) -> usize {
        Self::counted(self)
    }

    fn unused(&self) -> usize {
        self.logs.as_ref().map_or(0, |logs| logs.unused())
    }

    #[inline]
    fn add<Q: Key<Owned = K>>(&mut self, key: Q, n: u64) {
        match key.as_lent() {
            Some(lent) => self.add_bytes(K::bytes(lent), n),
            None => self.add_bytes(K::bytes(key.into_owned().lend()), n),
        }
    }

    #[inline]
    fn add_all<Q: Key<Owned = K>>(&mut self, keys: impl Iterator<Item = Q>) {
        let mut waiting = Waiting::default();
        keys.for_each(|key| match key.as_lent().map(|lent| short(K::bytes(lent))) {
            Some(Some(short)) => self.push(&mut waiting, self.probe(short)),
            Some(None) => self.push_long(&mut waiting, Record(key)),
            None => {
                self.settle(&mut waiting);
                self.add(key, 1);
            }
        });
        self.settle(&mut waiting);
    }

    fn add_later<Q: Key<Owned = K>>(&mut self, keys: impl Iterator<Item = Q>) {
        self.add_keys_later(keys);
    }

    fn settle(&mut self) {
        self.count_logs();
    }

    fn get<Q: Key<Owned = K>>(&self, key: Q) -> u64 {
        let Some(lent) = key.as_lent() else { return self.get(&key.into_owned()) };
        let bytes = K::bytes(lent);
        match short(bytes) {
            Some(key) => {
                let hash = self.seed.hash_short(key);
                self.shards[self.shard(hash)].get_short(key, hash)
            }
            None => {
                let hash = self.seed.hash_long(bytes);
                self.shards[self.shard(hash)].get_long(bytes, hash)
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (K::Lent<'_>, u64)> {
        self.shards.iter().flat_map(Shard::rows).map(|(bytes, n)| (K::lent(bytes), n))
    }

    fn topk(&self, k: usize) -> Vec<(K::Lent<'_>, u64)> {
        // By bytes, which sort as their text does: of all keys only these are looked at as text.
        let mut ranks = Ranks::new(k);
        for shard in &self.shards {
            for slot in shard.all_slots() {
                let n = shard.count(slot);
                if ranks.may_take(n) && slot.is_taken() {
                    ranks.add(shard.bytes(slot), n);
                }
            }
        }
        ranks.sorted().map(|(bytes, n)| (K::lent(bytes), n)).collect()
    }

    fn sorted(&self) -> Vec<(K::Lent<'_>, u64)> {
        self.rows().map(|(bytes, n)| (K::lent(bytes), n)).collect()
    }

    fn into_iter(self) -> IntoIter<K> {
        IntoIter::new(self.shards)
    }

    fn merge(&mut self, mut from: Self) {
        self.append_logs(from.logs.take());
        // A shard goes when it is merged, so that not all of both is there at the end.
        from.shards.into_iter().for_each(|shard| self.merge_shard(&shard));
    }

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        if self.logs.is_some() {
            self.save_logs(bytes);
        } else {
            self.shards
                .iter()
                .flat_map(Shard::rows)
                .for_each(|(key, n)| saved::save(bytes, key, n));
        }
        true
    }

    fn save_parts(self, bits: u32, write: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.save_cut(bits, write);
        true
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        self.load_later(bytes)
    }

    fn each_part(self, visit: &mut dyn FnMut(Self) -> Self) {
        self.count_each_log(visit);
    }

    fn parts(self, bits: u32) -> Vec<Self> {
        self.cut(bits)
    }

    fn join(parts: Vec<Self>) -> Self {
        Self::joined(parts)
    }
}
