//! Rows of any keys, sent to ranges by any lanes in any memory, come back as a stable sort gives them; and
//! the first record of each key comes back as one thread finds it.

use std::sync::Arc;

use std::collections::HashMap;

use creel_operators::distinct::{Form, Place};
use proptest::prelude::*;

use super::{Hashed, Ranges, Shared, count, first_records, in_order};
use crate::Result;
use crate::run::Context;
use crate::spill::Budget;

type KeyedRow = (Vec<u8>, Vec<u8>);

#[test]
fn rows_whose_places_do_not_fit_are_all_kept_where_the_first_are_wanted() {
    let mut few = Ranges::new(Arc::new(Shared::of_few(false)));
    let mut key = *b"a key of thirty-two bytes, 00000";
    for n in 0..1000_u32 {
        key[28..].copy_from_slice(&(1000 - n).to_be_bytes());
        few.add_keys(&key, std::iter::once(0..key.len()));
    }
    let held = few.held();
    assert_eq!(few.keep_first(3), None);
    assert_eq!(few.held(), held);
}

/// Sorts rows that lanes take in turns.
fn sorted(
    rows: &[KeyedRow],
    has_rows: bool,
    lanes: usize,
    memory: Option<u64>,
    limit: Option<u64>,
) -> Vec<KeyedRow> {
    let budget = memory.map(|memory| Arc::new(Budget::new(memory, None)));
    let context = Context { threads: lanes, budget: budget.clone(), ..Context::default() };
    let shared = Arc::new(Shared::new(has_rows, budget.as_deref(), lanes));
    let mut all: Vec<Ranges> = (0..lanes).map(|_| Ranges::new(Arc::clone(&shared))).collect();
    for (n, some) in rows.chunks(7).enumerate() {
        let lane = &mut all[n % lanes];
        for (key, row) in some {
            match has_rows {
                true => lane.add(key, row),
                false => lane.add_keys(key, std::iter::once(0..key.len())),
            }
        }
        if let Some(budget) = &budget
            && lane.held() as u64 > budget.limit() / lanes as u64
        {
            lane.spill(budget).expect("there is room");
        }
    }
    let mut seen = Vec::new();
    let encode = |key: &[u8], row: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(&(key.len() as u32).to_le_bytes());
        out.extend_from_slice(&(row.len() as u32).to_le_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(row);
        Ok(())
    };
    let mut write = |mut bytes: &[u8]| -> Result<()> {
        while let Some((lens, rest)) = bytes.split_first_chunk::<8>() {
            let (key, row) = lens.split_at(4);
            let len = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four")) as usize;
            let (key, rest) = rest.split_at(len(key));
            let (row, rest) = rest.split_at(len(row));
            seen.push((key.to_vec(), row.to_vec()));
            bytes = rest;
        }
        Ok(())
    };
    in_order(all, has_rows, limit, &context, encode, &mut write).expect("it is sorted");
    seen
}

/// Keys of several kinds: few, many, with much in common, long.
fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let bytes =
        |most| prop::collection::vec(prop::sample::select(vec![0, 1, 2, 0xfe, 0xff]), 0..most);
    let few = prop::collection::vec(bytes(3), 0..400);
    let many = prop::collection::vec(bytes(12), 0..400);
    let common = bytes(5).prop_map(|end| [vec![b'/'; 50], end].concat());
    let common = prop::collection::vec(common, 0..200);
    let long = prop::collection::vec(bytes(500), 0..20);
    let same = (bytes(20), 0..400_usize).prop_map(|(key, n)| vec![key; n]);
    prop_oneof![few, many, common, long, same]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn rows_come_back_as_a_stable_sort_gives_them(
        keys in keys(),
        order in 0..3_u8,
        lanes in 1..4_usize,
        memory in prop::sample::select(vec![None, Some(0), Some(1000), Some(20_000)]),
        limit in prop::sample::select(vec![None, Some(0), Some(1), Some(70), Some(1000)]),
    ) {
        let mut keys = keys;
        match order {
            0 => {}
            1 => keys.sort(),
            _ => keys.sort_by(|a, b| b.cmp(a)),
        }
        let taken = usize::try_from(limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let plain: Vec<KeyedRow> = keys.iter().map(|key| (key.clone(), Vec::new())).collect();
        let mut expected = plain.clone();
        expected.sort();
        expected.truncate(taken);
        prop_assert_eq!(sorted(&plain, false, lanes, memory, limit), expected);

        // Keys that end in the place of the row, as those of a sort do.
        let numbered = |(n, key): (usize, &Vec<u8>)| {
            ([key.as_slice(), b"\0\0", &(n as u32).to_be_bytes()].concat(), n.to_string().into())
        };
        let numbered: Vec<KeyedRow> = keys.iter().enumerate().map(numbered).collect();
        let mut expected = numbered.clone();
        expected.sort();
        expected.truncate(taken);
        prop_assert_eq!(sorted(&numbered, true, lanes, memory, limit), expected);
    }
}

#[test]
fn keys_of_a_mebibyte_are_sorted_in_any_memory() {
    let key = |n: u8| [vec![7; 1 << 20], vec![n]].concat();
    let rows: Vec<KeyedRow> = (0..20).rev().map(|n| (key(n), Vec::new())).collect();
    let mut expected = rows.clone();
    expected.sort();
    for memory in [None, Some(0), Some(4 << 20)] {
        assert!(sorted(&rows, false, 2, memory, None) == expected, "{memory:?}");
    }
}

#[test]
fn rows_that_are_all_the_same_are_never_cut_for_ever() {
    let rows: Vec<KeyedRow> = vec![(b"the same line".to_vec(), Vec::new()); 5000];
    for memory in [None, Some(0), Some(10_000)] {
        assert_eq!(sorted(&rows, false, 2, memory, None).len(), 5000);
    }
}

/// The records of lanes that take them in turns, some at a time.
fn hashed(
    form: Form,
    rows: &[KeyedRow],
    lanes: usize,
    memory: Option<u64>,
) -> (Vec<Hashed>, Context) {
    let budget = memory.map(|memory| Arc::new(Budget::new(memory, None)));
    let context = Context { threads: lanes, budget: budget.clone(), ..Context::default() };
    let mut all: Vec<Hashed> = (0..lanes).map(|_| Hashed::new(form)).collect();
    for (n, some) in rows.chunks(5).enumerate() {
        let lane = &mut all[n * 7 % 3 % lanes];
        let some = some.iter().map(|(key, row)| (key.as_slice(), row.as_slice()));
        lane.records_mut().add_all(&mut Place::new([n as u64]), some);
        if let Some(budget) = &budget
            && lane.records().held() as u64 > budget.limit() / lanes as u64
        {
            lane.spill(budget).expect("there is room");
        }
    }
    (all, context)
}

/// The first rows of their keys.
fn first_rows(
    rows: &[KeyedRow],
    lanes: usize,
    memory: Option<u64>,
    limit: Option<u64>,
) -> Vec<Vec<u8>> {
    let (lanes, context) = hashed(Form::Pairs, rows, lanes, memory);
    let ranges = first_records(Form::Pairs, lanes, &context).expect("they are found");
    let mut seen = Vec::new();
    let encode = |_: &[u8], row: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(&(row.len() as u32).to_le_bytes());
        out.extend_from_slice(row);
        Ok(())
    };
    let mut write = |mut bytes: &[u8]| -> Result<()> {
        while let Some((len, rest)) = bytes.split_first_chunk() {
            let (row, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
            seen.push(row.to_vec());
            bytes = rest;
        }
        Ok(())
    };
    in_order(ranges, true, limit, &context, encode, &mut write).expect("they are sorted");
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn first_records_are_those_of_one_thread_in_any_memory(
        keys in keys(),
        lanes in 1..4_usize,
        memory in prop::sample::select(vec![None, Some(0), Some(1000), Some(20_000)]),
        limit in prop::sample::select(vec![None, Some(0), Some(1), Some(70), Some(1000)]),
    ) {
        let rows: Vec<KeyedRow> =
            keys.into_iter().enumerate().map(|(n, key)| (key, n.to_string().into())).collect();
        let mut first = HashMap::new();
        for (key, row) in &rows {
            first.entry(key).or_insert(row);
        }
        let (fed, context) = hashed(Form::Keys, &rows, lanes, memory);
        let counted = count(Form::Keys, fed, &context).expect("they are counted");
        prop_assert_eq!(counted, first.len());
        let expected = rows.iter().filter(|(key, row)| first[key] == row);
        let taken = usize::try_from(limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let expected: Vec<Vec<u8>> = expected.map(|(_, row)| row.clone()).take(taken).collect();
        prop_assert_eq!(first_rows(&rows, lanes, memory, limit), expected);
    }
}

#[test]
fn keys_of_a_mebibyte_are_told_apart_in_any_memory() {
    let key = |n: u8| [vec![7; 1 << 20], vec![n]].concat();
    let rows: Vec<KeyedRow> = (0..20_u8).map(|n| (key(n / 4), vec![n])).collect();
    let expected: Vec<Vec<u8>> = (0..5).map(|n| vec![4 * n]).collect();
    for memory in [None, Some(0), Some(4 << 20)] {
        assert_eq!(first_rows(&rows, 2, memory, None), expected, "{memory:?}");
    }
}

#[test]
fn a_part_of_one_key_is_not_cut_for_ever() {
    let row = |n: u32| (b"the same long key ".repeat(30), n.to_string().into_bytes());
    let rows: Vec<KeyedRow> = (0..3000).map(row).collect();
    for memory in [None, Some(0), Some(10_000)] {
        assert_eq!(first_rows(&rows, 2, memory, None), [b"0"], "{memory:?}");
    }
}
