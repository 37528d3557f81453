//! Keys and their counts on their way from one table to another, or from a file to one.

use super::saved;
use super::shard::Shard;
use super::slot::short;
use super::text::TextTable;
use super::waiting::{BATCH, LONG_BATCH, Probe};

/// Keys that are looked up when there are enough of them, and how often each was counted. None has
/// asked for its slot yet.
struct Moving<'k> {
    batch: [Probe; BATCH],
    counts: [u64; BATCH],
    len: usize,
    long: Vec<(Probe, &'k [u8], u64)>,
}

impl Moving<'_> {
    fn new() -> Self {
        let long = Vec::with_capacity(LONG_BATCH);
        Self { batch: [Probe::NONE; BATCH], counts: [0; BATCH], len: 0, long }
    }
}

impl<K> TextTable<K> {
    /// Counts what a shard of another table has.
    pub(super) fn merge_shard(&mut self, from: &Shard) {
        let mut moving = Moving::new();
        for slots in from.groups() {
            from.ask_for_bytes(slots);
            for slot in slots {
                let n = from.count(slot);
                if slot.is_long() {
                    self.count_long(&mut moving, slot.hash_of_long(), from.bytes(slot), n);
                } else {
                    self.count_short(&mut moving, slot.key(), n);
                    // An empty slot is written over by the next.
                    moving.len -= usize::from(!slot.is_taken());
                }
            }
        }
        self.settle_moving(&mut moving);
    }

    #[inline]
    fn count_short(&mut self, moving: &mut Moving<'_>, key: u128, n: u64) {
        if moving.len == BATCH {
            self.settle_short_moving(moving);
        }
        let hash = self.seed.hash_short(key);
        moving.batch[moving.len] = Probe { key, hash, ..Probe::NONE };
        moving.counts[moving.len] = n;
        moving.len += 1;
    }

    #[inline]
    fn count_long<'k>(&mut self, moving: &mut Moving<'k>, hash: u32, key: &'k [u8], n: u64) {
        moving.long.push((Probe { hash, ..Probe::NONE }, key, n));
        if moving.long.len() == LONG_BATCH {
            self.add_long(&mut moving.long);
        }
    }

    fn settle_short_moving(&mut self, moving: &mut Moving<'_>) {
        let batch = &mut moving.batch[..std::mem::take(&mut moving.len)];
        self.ask_for_all(batch);
        self.add_batch(batch, moving.counts.into_iter());
    }

    fn settle_moving(&mut self, moving: &mut Moving<'_>) {
        self.settle_short_moving(moving);
        self.add_long(&mut moving.long);
    }
}

impl<K> TextTable<K> {
    /// Counts rows, as [`saved`] writes them, of keys that `can_be`; returns how many there are. `None` if bytes are no
    /// such rows: then some may have been counted.
    pub(crate) fn add_rows(
        &mut self,
        mut bytes: &[u8],
        can_be: impl Fn(&[u8]) -> bool,
    ) -> Option<u64> {
        let (mut moving, mut rows) = (Moving::new(), 0);
        while !bytes.is_empty() {
            let (key, n) = saved::load(&mut bytes).filter(|(key, _)| can_be(key))?;
            match short(key) {
                Some(short) => self.count_short(&mut moving, short, n),
                None => self.count_long(&mut moving, self.seed.hash_long(key), key, n),
            }
            rows += 1;
        }
        self.settle_moving(&mut moving);
        Some(rows)
    }
}
