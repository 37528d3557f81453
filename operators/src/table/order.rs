//! Keys in order: the commonest first, and equally common ones by their bytes.
//!
//! To compare two keys is to look at both, which are anywhere in memory: a cache miss or two for each
//! comparison. So a key has numbers beside it that are compared in its stead: its count, and seven of
//! its bytes. Of keys for which they are the same the next seven bytes are taken, and so on: a key is
//! looked at once for each seven bytes that it has in common with others, in place of once for each
//! comparison. 11 million words are sorted in less than half of the time.

use creel_kernels::{padded, prefetch, reserve_exact};

use super::shard::Shard;
use super::slot::Slot;
use super::text::TextTable;

/// Fewer keys than this are compared with each other: there are not many comparisons.
const FEW: usize = if cfg!(test) { 3 } else { 12 };

/// Keys that have so many bytes in common are compared as well: their bytes are then read one after
/// another, and the calls are not as deep as a key is long.
const DEEP: usize = if cfg!(test) { 14 } else { 140 };

/// The bytes of a key that a number stands for.
const STEP: usize = 7;

/// Where a key is in a table: a shard, and the slot in it.
///
/// Aligned as ranks are: a vector of ranks becomes one of places without another beside it.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub(crate) struct Place {
    shard: u32,
    slot: u32,
}

/// A key by where it is, and what is compared in its stead: its count, the greatest first, and a number.
struct Rank<P> {
    rarity: u64,
    number: u64,
    place: P,
}

impl<P> Rank<P> {
    fn new(place: P, bytes: &[u8], count: u64) -> Self {
        Self { rarity: !count, number: number(bytes), place }
    }

    fn numbers(&self) -> (u64, u64) {
        (self.rarity, self.number)
    }
}

/// Seven bytes as a number that sorts as they do, and how many there are: one more if more follow.
fn number(bytes: &[u8]) -> u64 {
    (padded(bytes) as u64).swap_bytes() & !0xff | bytes.len().min(STEP + 1) as u64
}

/// Sorts different keys, whose bytes are found by where they are.
fn sorted<'k, P: Copy>(mut ranks: Vec<Rank<P>>, bytes: impl Fn(P) -> &'k [u8]) -> Vec<Rank<P>> {
    ranks.sort_unstable_by_key(Rank::numbers);
    for alike in ranks.chunk_by_mut(|a, b| a.numbers() == b.numbers()) {
        // More than one is alike only if it goes on.
        if alike.len() > 1 {
            sort_from(STEP, alike, &bytes);
        }
    }
    ranks
}

/// Sorts what different keys are found by, by the keys.
pub(super) fn by_key<'k, P: Copy>(
    places: impl Iterator<Item = P>,
    bytes: impl Fn(P) -> &'k [u8],
) -> impl Iterator<Item = P> {
    let rank = |place| Rank { rarity: 0, number: number(bytes(place)), place };
    let ranks = places.map(rank).collect();
    sorted(ranks, bytes).into_iter().map(|rank| rank.place)
}

/// Sorts different keys and their counts by the keys alone.
pub(super) fn sorted_by_key(rows: Vec<(&[u8], u64)>) -> impl Iterator<Item = (&[u8], u64)> {
    by_key(rows.into_iter(), |(key, _)| key)
}

/// Sorts keys that are equally common and the same up to a byte.
fn sort_from<'k, P: Copy>(at: usize, ranks: &mut [Rank<P>], bytes: &impl Fn(P) -> &'k [u8]) {
    let rest = |rank: &Rank<P>| &bytes(rank.place)[at..];
    if ranks.len() < FEW || at >= DEEP {
        return ranks.sort_unstable_by(|a, b| rest(a).cmp(rest(b)));
    }
    ranks.iter_mut().for_each(|rank| rank.number = number(rest(rank)));
    ranks.sort_unstable_by_key(|rank| rank.number);
    for alike in ranks.chunk_by_mut(|a, b| a.number == b.number) {
        if alike.len() > 1 {
            sort_from(at + STEP, alike, bytes);
        }
    }
}

impl<K> TextTable<K> {
    /// The keys, lent, and their counts, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let ranks = self.ranks(|_, bytes| bytes);
        sorted(ranks, |bytes| bytes).into_iter().map(|rank| (rank.place, !rank.rarity))
    }

    /// Where the keys are, in their order.
    pub(crate) fn order(&self) -> Vec<Place> {
        let ranks = sorted(self.ranks(|place, _| place), |place| self.bytes(place));
        ranks.into_iter().map(|rank| rank.place).collect()
    }

    /// All keys, by where they are or by their bytes.
    fn ranks<'k, P>(&'k self, choose: impl Fn(Place, &'k [u8]) -> P) -> Vec<Rank<P>> {
        let mut ranks = Vec::new();
        reserve_exact(&mut ranks, self.distinct);
        for (shard, keys) in (0..).zip(&self.shards) {
            let taken = (0..).zip(keys.all_slots()).filter(|(_, slot)| slot.is_taken());
            ranks.extend(taken.map(|(slot, key)| {
                let (bytes, count) = keys.row(key);
                Rank::new(choose(Place { shard, slot }, bytes), bytes, count)
            }));
        }
        ranks
    }

    /// The bytes of the key at a place, and its count.
    #[inline]
    pub(crate) fn row(&self, place: Place) -> (&[u8], u64) {
        let (shard, slot) = self.at(place);
        shard.row(slot)
    }

    #[inline]
    fn bytes(&self, place: Place) -> &[u8] {
        let (shard, slot) = self.at(place);
        shard.bytes(slot)
    }

    #[inline]
    fn at(&self, Place { shard, slot }: Place) -> (&Shard, &Slot) {
        let shard = &self.shards[shard as usize];
        (shard, &shard.all_slots()[slot as usize])
    }

    /// Has the slot at a place come near.
    #[inline]
    pub(crate) fn ask_for_slot(&self, place: Place) {
        prefetch(self.at(place).1);
    }

    /// Has the bytes come near that a slot points to, which was asked for before.
    #[inline]
    pub(crate) fn ask_for_bytes(&self, place: Place) {
        let (shard, slot) = self.at(place);
        shard.ask_for_bytes([slot]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_sorted_as_by_a_plain_sort(
            // Few bytes, zero among them, and few counts: much is alike, and much is cut off early.
            rows in prop::collection::btree_map(
                prop::collection::vec(prop_oneof![0..2_u8, Just(255)], 0..40),
                prop_oneof![0..3_u64, Just(u64::MAX)],
                0..300,
            ),
            alike in prop::collection::vec(0..2_u8, 0..40),
        ) {
            let begun_alike = rows.iter().map(|(key, n)| ([&alike[..], key].concat(), *n));
            let rows: BTreeMap<_, _> = begun_alike.chain(rows.clone()).collect();
            let ranks = rows.iter().map(|(key, n)| Rank::new((&key[..], *n), key, *n)).collect();
            let sorted: Vec<_> = sorted(ranks, |(key, _)| key).iter().map(|rank| rank.place).collect();
            let mut expected: Vec<_> = rows.iter().map(|(key, n)| (&key[..], *n)).collect();
            expected.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
            prop_assert_eq!(sorted, expected);
        }
    }
}
