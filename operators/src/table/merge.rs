//! Keys and their counts on their way from one table to another, or from a file to one.

use super::saved;
use super::shard::Shard;
use super::slot::short;
use super::text::TextTable;
use super::text_key::Text;
use super::waiting::{BATCH, LONG_BATCH, Probe};

/// Keys that are looked up when there are enough of them, and how often each was counted. None has
/// asked for its slot yet.
struct Counted<'k> {
    batch: [Probe; BATCH],
    counts: [u64; BATCH],
    len: usize,
    long: Vec<(Probe, &'k [u8], u64)>,
}

impl Counted<'_> {
    fn new() -> Self {
        let long = Vec::with_capacity(LONG_BATCH);
        Self { batch: [Probe::NONE; BATCH], counts: [0; BATCH], len: 0, long }
    }
}

impl<K> TextTable<K> {
    /// Counts what a shard of another table has.
    pub(super) fn merge_shard(&mut self, from: &Shard) {
        let mut counted = Counted::new();
        for slots in from.groups() {
            from.ask_for_bytes(slots);
            for slot in slots {
                let n = from.count(slot);
                if slot.is_long() {
                    self.count_long(&mut counted, slot.hash_of_long(), from.bytes(slot), n);
                } else {
                    self.count_short(&mut counted, slot.key(), n);
                    // An empty slot is written over by the next.
                    counted.len -= usize::from(!slot.is_taken());
                }
            }
        }
        self.settle_counted(&mut counted);
    }

    #[inline]
    fn count_short(&mut self, counted: &mut Counted<'_>, key: u128, n: u64) {
        if counted.len == BATCH {
            self.settle_short_counted(counted);
        }
        let hash = self.seed.hash_short(key);
        counted.batch[counted.len] = Probe { key, hash, ..Probe::NONE };
        counted.counts[counted.len] = n;
        counted.len += 1;
    }

    #[inline]
    fn count_long<'k>(&mut self, counted: &mut Counted<'k>, hash: u32, key: &'k [u8], n: u64) {
        counted.long.push((Probe { hash, ..Probe::NONE }, key, n));
        if counted.long.len() == LONG_BATCH {
            self.add_long(&mut counted.long);
        }
    }

    fn settle_short_counted(&mut self, counted: &mut Counted<'_>) {
        let batch = &mut counted.batch[..std::mem::take(&mut counted.len)];
        self.ask_for_all(batch);
        self.add_batch(batch, counted.counts.into_iter());
    }

    fn settle_counted(&mut self, counted: &mut Counted<'_>) {
        self.settle_short_counted(counted);
        self.add_long(&mut counted.long);
    }
}

impl<K: Text> TextTable<K> {
    /// As [`Table::load`](super::Table::load).
    pub(super) fn add_saved(&mut self, mut bytes: &[u8]) -> bool {
        let mut counted = Counted::new();
        while !bytes.is_empty() {
            match saved::load(&mut bytes) {
                Some((key, n)) if K::can_be(key) => match short(key) {
                    Some(short) => self.count_short(&mut counted, short, n),
                    None => self.count_long(&mut counted, self.seed.hash_long(key), key, n),
                },
                _ => return false,
            }
        }
        self.settle_counted(&mut counted);
        true
    }
}
