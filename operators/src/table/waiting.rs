//! Keys on their way to the table for text, which looks them up many at a time.

use super::text_key::Text;
use crate::Key;

/// Keys whose slots are asked for before the first is looked up: they stay in the nearest cache, and
/// so do the slots.
pub(super) const BATCH: usize = 128;
/// Long keys that wait to be looked up together: each takes two cache misses, one after the other.
pub(super) const LONG_BATCH: usize = 64;

/// A key on its way to the table.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    /// A short key as a number; of a long one 0.
    pub(super) key: u128,
    pub(super) hash: u32,
    /// Where it is looked for, as long as nothing is moved: a shard, and the slot in it.
    pub(super) shard: u32,
    pub(super) place: u32,
}

impl Probe {
    pub(super) const NONE: Self = Self { key: 0, hash: 0, shard: 0, place: 0 };
}

/// A long key that waits.
pub(super) trait Long {
    fn bytes(&self) -> &[u8];
}

impl Long for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// A record that is a key, and can be lent.
pub(super) struct Record<Q>(pub(super) Q);

impl<Q: Key<Owned: Text>> Long for Record<Q> {
    fn bytes(&self) -> &[u8] {
        self.0.as_lent().map_or(&[], Q::Owned::bytes)
    }
}

/// Keys that are looked up when there are enough of them. While short ones wait, nothing else is added to
/// their table: it might move what they have asked for. Long ones have asked for nothing yet.
pub(super) struct Waiting<Q> {
    pub(super) batch: [Probe; BATCH],
    pub(super) len: usize,
    pub(super) long: Vec<(Probe, Q, u64)>,
}

impl<Q> Default for Waiting<Q> {
    fn default() -> Self {
        Self { batch: [Probe::NONE; BATCH], len: 0, long: Vec::new() }
    }
}
