//! Keys in their own order, however common they are: for bytes that are the same in every process.
//!
//! A key that lives in its slot is sorted as the number that its bytes are, with its count behind them:
//! sixteen bytes that no other memory is looked at for, neither to compare nor to write them. The few others,
//! which are long or were counted many million times, are sorted by rank and merged in.

use creel_kernels::reserve_exact;

use super::order::sorted_by_key;
use super::saved;
use super::slot::{COUNT_BITS, INLINE};
use super::text::TextTable;

/// The bits of a number that are the count.
const COUNT: u128 = (1 << COUNT_BITS) - 1;

impl<K> TextTable<K> {
    /// Appends all keys and their counts in the order of the keys, as [`saved::save`] does each.
    pub(crate) fn save_by_key(&self, bytes: &mut Vec<u8>) {
        let (mut short, mut others) = (Vec::new(), Vec::new());
        reserve_exact(&mut short, self.distinct);
        for shard in &self.shards {
            for slot in shard.all_slots().iter().filter(|slot| slot.is_taken()) {
                let count = shard.count(slot);
                match slot.is_long() || count > COUNT as u64 {
                    true => others.push((shard.bytes(slot), count)),
                    // The last three bytes of a key's number are free.
                    false => short.push(slot.key().swap_bytes() | u128::from(count)),
                }
            }
        }
        short.sort_unstable();
        let mut short = short.into_iter().peekable();
        for (key, count) in sorted_by_key(others) {
            let mut first = [0; 16];
            let length = key.len().min(INLINE);
            first[..length].copy_from_slice(&key[..length]);
            let bound = u128::from_be_bytes(first);
            // Of those that begin alike, one by one: the numbers do not tell which is first.
            while let Some(next) = short.next_if(|&next| {
                next | COUNT < bound || next & !COUNT == bound && Row::of(next).key() < key
            }) {
                Row::of(next).save(bytes);
            }
            saved::save(bytes, key, count);
        }
        short.for_each(|row| Row::of(row).save(bytes));
    }
}

/// A key that lived in its slot, and its count.
struct Row {
    bytes: [u8; 16],
    length: usize,
    count: u64,
}

impl Row {
    fn of(number: u128) -> Self {
        let key = number & !COUNT;
        // A key that lives in its slot does not end in a zero.
        let length = 16 - key.trailing_zeros() as usize / 8;
        Self { bytes: key.to_be_bytes(), length, count: (number & COUNT) as u64 }
    }

    fn key(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn save(&self, bytes: &mut Vec<u8>) {
        saved::save(bytes, self.key(), self.count);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use crate::Counts;
    use crate::table::saved;

    proptest! {
        #[test]
        fn keys_are_saved_in_their_order_whatever_their_length_and_count(
            // Few bytes, zero among them, so that many keys begin alike and end in zeros.
            keys in prop::collection::vec(
                (prop::collection::vec(prop_oneof![0..3_u8, Just(255)], 0..20), 1..5_u64), 0..200
            ),
            common in prop::collection::vec(0..3_u8, 0..16),
        ) {
            let mut expected: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
            let mut counts = Counts::<Vec<u8>>::default();
            let alike = keys.iter().map(|(key, n)| ([&common[..], key].concat(), n << 23));
            for (key, n) in keys.iter().cloned().chain(alike) {
                counts.add(&key[..], n);
                *expected.entry(key).or_default() += n;
            }
            let mut bytes = Vec::new();
            counts.table.save_by_key(&mut bytes);
            let mut rest = &bytes[..];
            for (key, n) in &expected {
                prop_assert_eq!(saved::load(&mut rest), Some((&key[..], *n)));
            }
            prop_assert!(rest.is_empty());
        }
    }
}
