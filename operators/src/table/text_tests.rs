//! The table for text counts as a plain map does, whole and in parts.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::Table;
use super::text::TextTable;
use super::text_key::Text;
use crate::Counts;

fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    // Lengths around what fits a slot; few different bytes, and among them those that cannot end a key
    // that lives in one.
    let byte = prop::sample::select(&[0, 1, 2, 255][..]);
    prop::collection::vec(prop::collection::vec(byte, 0..20), 0..400)
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
        loaded.settle();
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
        // The smallest shard has 64 slots of 16 bytes.
        prop_assert!(parts <= 2 * weight + distinct.min(1 << bits) * 64 * 16);
    }

    #[test]
    fn parts_that_are_saved_are_the_parts_also_of_a_part(
        keys in keys(),
        first in 0..4_u32,
        bits in 0..7_u32,
    ) {
        for part in table(&keys).parts(first) {
            let mut parts = part.clone().parts(bits).into_iter();
            part.save_parts(bits, &mut |bytes| {
                let mut loaded = TextTable::<Vec<u8>>::default();
                assert!(loaded.load(bytes));
                loaded.settle();
                assert_eq!(lent(&loaded), lent(&parts.next().expect("no more than there are")));
                true
            });
            prop_assert!(parts.next().is_none());
        }
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

/// What a table can be asked to do, on keys that are told by their numbers.
#[derive(Debug, Clone)]
enum Step {
    /// Each so many times.
    Add(Drawn, u64),
    AddAll(Drawn),
    AddPieces(Drawn),
    Merge(Drawn, Drawn),
    /// Cut into parts of so many bits, each of which may take what it saved, and joined.
    Parts(u32, bool),
    SaveAndLoad(Drawn),
}

/// So many of the first `distinct` keys, drawn by chance.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    count: usize,
    distinct: u64,
    seed: u64,
}

impl Drawn {
    fn keys<K: Text>(self) -> Vec<K> {
        let mut state = self.seed | 1;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
        };
        let text = |n: u64| match n % 8 {
            0..4 => format!("{n}"),
            // As long as a slot's room, one byte longer, and far longer.
            4 => format!("{n:013}"),
            5 => format!("{n:014}"),
            6 => format!("\u{e9} {n} {}", "long".repeat(n as usize % 30)),
            // The least number is no text at all.
            _ => "\0".repeat((n / 8 % 40) as usize),
        };
        let key = |n: u64| K::from_lent(K::lent(text(n).as_bytes()));
        (0..self.count).map(|_| key(draw() % self.distinct)).collect()
    }
}

fn some() -> impl Strategy<Value = Drawn> {
    let distinct = prop_oneof![1..10_u64, 10..400_u64, 400..20_000_u64];
    let count = prop_oneof![2 => 0..100_usize, 2 => 100..3_000_usize];
    (count, distinct, any::<u64>()).prop_map(|(count, distinct, seed)| Drawn {
        count,
        distinct,
        seed,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (some(), prop::sample::select(&[0, 1, 2, (1 << 24) - 1, 1 << 24, 1 << 40, u64::MAX << 24, u64::MAX - 1, u64::MAX][..])).prop_map(|(s, n)| Step::Add(s, n)),
        3 => some().prop_map(Step::AddAll),
        3 => some().prop_map(Step::AddPieces),
        1 => (some(), some()).prop_map(|(s, t)| Step::Merge(s, t)),
        1 => (0..6_u32, any::<bool>()).prop_map(|(bits, saved)| Step::Parts(bits, saved)),
        1 => some().prop_map(Step::SaveAndLoad),
    ];
    prop::collection::vec(step, 1..8)
}

/// Takes all steps with counts and with a plain map, and compares them after each.
fn walk<K: Text<Table = TextTable<K>>>(
    steps: &[Step],
    add_pieces: impl Fn(&mut Counts<K>, &[K]),
) -> Result<(), TestCaseError> {
    let mut counts = Counts::<K>::default();
    let mut plain = HashMap::<K, u64>::new();
    let count = |plain: &mut HashMap<K, u64>, keys: &[K], n: u64| {
        for key in keys {
            let count = plain.entry(key.clone()).or_default();
            *count = count.saturating_add(n);
        }
    };
    let all_of = |some: Drawn| {
        let mut counts = Counts::<K>::default();
        counts.add_all(&some.keys::<K>());
        counts
    };
    for step in steps {
        match *step {
            Step::Add(some, n) => {
                let keys = some.keys();
                keys.iter().for_each(|key| counts.add(key, n));
                count(&mut plain, &keys, n);
            }
            Step::AddAll(some) => {
                let keys = some.keys();
                counts.add_all(&keys);
                count(&mut plain, &keys, 1);
            }
            Step::AddPieces(some) => {
                let keys = some.keys();
                add_pieces(&mut counts, &keys);
                count(&mut plain, &keys, 1);
            }
            Step::Merge(some, twice) => {
                let mut other = all_of(some);
                other.merge(all_of(twice));
                other.merge(all_of(twice));
                counts.merge(other);
                count(&mut plain, &twice.keys(), 2);
                count(&mut plain, &some.keys(), 1);
            }
            Step::Parts(bits, twice) => {
                let parts = counts.parts(bits).into_iter().map(|mut part| {
                    let mut bytes = Vec::new();
                    assert!(part.save(&mut bytes));
                    assert!(!twice || part.load(&bytes));
                    part
                });
                counts = Counts::join(parts.collect());
                if twice {
                    plain.values_mut().for_each(|n| *n = n.saturating_add(*n));
                }
            }
            Step::SaveAndLoad(there) => {
                let mut bytes = Vec::new();
                prop_assert!(counts.save(&mut bytes));
                counts = all_of(there);
                prop_assert!(counts.load(&bytes));
                count(&mut plain, &there.keys(), 1);
            }
        }
        prop_assert_eq!(counts.len(), plain.len());
        for (key, n) in &plain {
            prop_assert_eq!(counts.get(key), *n);
        }
        prop_assert_eq!(counts.iter().count(), plain.len(), "a key is there twice");
        for (key, n) in counts.iter() {
            prop_assert_eq!(plain.get(&K::from_lent(key)).copied(), Some(n));
        }
        prop_assert_eq!(counts.get(&K::from_lent(K::lent(b"not there"))), 0);
    }
    let mut expected: Vec<_> = plain.into_iter().collect();
    expected.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    prop_assert_eq!(&counts.topk(7)[..], &expected[..expected.len().min(7)]);
    prop_assert_eq!(counts.clone().sorted(), &expected[..]);
    let sorted = counts.clone().into_sorted();
    let sorted = sorted.iter().map(|(key, n)| (K::from_lent(key), n));
    prop_assert_eq!(sorted.collect::<Vec<_>>(), &expected[..]);
    let mut moved_out: Vec<_> = counts.into_iter().collect();
    moved_out.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    prop_assert_eq!(moved_out, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_is_done_to_it_texts_are_counted_as_by_a_plain_map(steps in steps()) {
        walk::<String>(&steps, |counts, keys| {
            let text = keys.concat();
            let mut at = 0;
            counts.add_pieces(&text, keys.iter().map(|key| {
                at += key.len();
                at - key.len()..at
            }));
        })?;
    }

    #[test]
    fn whatever_is_done_to_it_bytes_are_counted_as_by_a_plain_map(steps in steps()) {
        walk::<Vec<u8>>(&steps, |counts, keys| counts.add_all(keys.iter().map(Vec::as_slice)))?;
    }
}

/// Keys ahead are looked for where they were seen to be, before those in front of them were added.
#[test]
fn keys_are_found_that_were_looked_for_before_their_shard_was_divided() {
    // Again and again all of them, so that what is ahead is there already and is in the way of what is
    // new; from one to very many at a time.
    for each in [1, 31, 32, 33, 53, 54, 55, 100, 118, 3000] {
        let keys: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
        let mut counts = Counts::<String>::default();
        for chunk in keys.chunks(each) {
            counts.add_all(chunk.iter().chain(chunk).chain(&keys[..20]));
        }
        let chunks = keys.chunks(each).count() as u64;
        assert_eq!(counts.len(), keys.len(), "{each} at a time");
        for (n, key) in keys.iter().enumerate() {
            let expected = if n < 20 { 2 + chunks } else { 2 };
            assert_eq!(counts.get(key), expected, "{key}, {each} at a time");
        }
    }
}

/// Short keys wait, and have asked for their slots, while long ones divide the shard.
#[test]
fn keys_are_found_that_waited_while_long_ones_moved_others() {
    let keys: Vec<String> = (0..3000).flat_map(|n| [n.to_string(), format!("{n:020}")]).collect();
    let [mut all, mut pieces] = [Counts::<String>::default(), Counts::default()];
    for _ in 0..2 {
        all.add_all(&keys);
        let mut at = 0;
        pieces.add_pieces(
            &keys.concat(),
            keys.iter().map(|key| {
                at += key.len();
                at - key.len()..at
            }),
        );
    }
    for counts in [all, pieces] {
        assert_eq!(counts.len(), keys.len());
        assert!(keys.iter().all(|key| counts.get(key) == 2));
    }
}

/// Whoever yields the keys may fail: what was counted by then is, and counting goes on.
#[test]
fn a_table_is_whole_after_a_panic_of_whoever_feeds_it() {
    let keys: Vec<String> = (0..1000).map(|n| format!("{n:0$}", n % 30)).collect();
    let mut counts = Counts::<String>::default();
    let fails = keys.iter().inspect(|key| assert_ne!(key.len(), 29, "as it is to"));
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| counts.add_all(fails)));
    assert!(failed.is_err() && counts.len() < 29);
    let before = counts.clone();
    counts.add_all(&keys);
    for key in &keys {
        assert_eq!(counts.get(key), before.get(key) + 1);
    }
}
