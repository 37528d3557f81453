//! The table for text counts as a plain map does, whole and in parts.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Table;
use super::text::TextTable;

fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    // Lengths around what fits a slot; few different bytes, zero among them.
    prop::collection::vec(prop::collection::vec(0..3_u8, 0..20), 0..400)
}

fn plain<'k>(keys: impl IntoIterator<Item = &'k Vec<u8>>) -> BTreeMap<Vec<u8>, u64> {
    keys.into_iter().fold(BTreeMap::new(), |mut counts, key| {
        *counts.entry(key.clone()).or_default() += 1;
        counts
    })
}

fn table(keys: &[Vec<u8>]) -> TextTable<Vec<u8>> {
    let mut table = TextTable::default();
    table.add_all(keys.iter().map(Vec::as_slice));
    table
}

fn lent(table: &TextTable<Vec<u8>>) -> BTreeMap<Vec<u8>, u64> {
    table.iter().map(|(k, n)| (k.to_vec(), n)).collect()
}

proptest! {
    #[test]
    fn a_table_that_was_saved_is_loaded(keys in keys(), there in keys()) {
        let mut bytes = Vec::new();
        table(&keys).save(&mut bytes);
        let mut loaded = table(&there);
        prop_assert!(loaded.load(&bytes));
        prop_assert_eq!(lent(&loaded), plain(keys.iter().chain(&there)));
    }

    #[test]
    fn it_counts_as_a_plain_map_does(first in keys(), second in keys()) {
        let mut table = table(&first);
        let mut other = TextTable::<Vec<u8>>::default();
        second.iter().for_each(|key| other.add(key.as_slice(), 1));
        table.merge(other);

        let expected = plain(first.iter().chain(&second));
        prop_assert_eq!(table.distinct(), expected.len());
        for (key, n) in &expected {
            prop_assert_eq!(table.get(key.as_slice()), *n);
        }
        prop_assert_eq!(table.get(&b"not there"[..]), 0);
        prop_assert_eq!(&lent(&table), &expected);
        prop_assert_eq!(table.into_iter().collect::<BTreeMap<_, _>>(), expected);
    }

    #[test]
    fn parts_take_little_more_than_the_table(keys in keys(), bits in 0..7_u32) {
        let table = table(&keys);
        let (distinct, weight) = (table.distinct(), table.weight());
        let parts: usize = table.parts(bits).iter().map(TextTable::weight).sum();
        // The smallest shard has 64 slots of 32 bytes.
        prop_assert!(parts <= 2 * weight + distinct.min(1 << bits) * 64 * 32);
    }

    #[test]
    fn parts_merged_apart_and_joined_are_the_table(
        first in keys(),
        second in keys(),
        bits in 0..4_u32,
    ) {
        let pairs = table(&first).parts(bits).into_iter().zip(table(&second).parts(bits));
        let merged = pairs.map(|(mut part, other)| {
            part.merge(other);
            part
        });
        let mut joined = TextTable::join(merged.collect());
        let expected = plain(first.iter().chain(&second));
        prop_assert_eq!(joined.distinct(), expected.len());
        prop_assert_eq!(&lent(&joined), &expected);
        // It goes on as any table does.
        joined.add_all(first.iter().map(Vec::as_slice));
        prop_assert_eq!(lent(&joined), plain(first.iter().chain(&second).chain(&first)));
    }
}
