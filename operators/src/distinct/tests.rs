//! First records beside a map of all.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Records by number: a key of so many there are, and a text.
#[derive(Debug, Clone)]
struct Record {
    key: Vec<u8>,
    block: u64,
    /// Its number in the block.
    record: usize,
    text: Vec<u8>,
}

/// Records of a number of keys, of which one may be that of most records.
fn records(draws: &[(u16, bool)], keys: u16, length: usize, heavy: bool) -> Vec<Record> {
    let record = |(n, (draw, is_heavy)): (usize, &(u16, bool))| {
        let key = if heavy && *is_heavy { 0 } else { draw % keys };
        Record {
            key: format!("{key}").repeat(length).into_bytes(),
            block: n as u64 / 3,
            record: n % 3,
            text: format!("record {n}").into_bytes(),
        }
    };
    draws.iter().enumerate().map(record).collect()
}

fn add(first: &mut FirstRecords, records: &[Record]) {
    for some in records.chunk_by(|a, b| a.block == b.block && a.record + 1 == b.record) {
        let mut place = Place::new([0, some[0].block]);
        (0..some[0].record).for_each(|_| place.advance());
        first.add_all(&mut place, some.iter().map(|record| (&record.key[..], &record.text[..])));
    }
}

/// The first record of each key, in input order.
fn expected(form: Form, records: &[Record]) -> Vec<Vec<u8>> {
    let mut first = BTreeMap::new();
    for record in records {
        let known = first.entry(&record.key).or_insert(record);
        if (record.block, record.record) < (known.block, known.record) {
            *known = record;
        }
    }
    let mut rows: Vec<&Record> = first.into_values().collect();
    rows.sort_by_key(|record| (record.block, record.record));
    let row = |record: &Record| {
        if form == Form::Pairs { record.text.clone() } else { record.key.clone() }
    };
    rows.into_iter().map(row).collect()
}

/// The first records of all that lanes have seen, with their places, log by log.
fn reduced(lanes: &mut [FirstRecords], splits: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    lanes.iter_mut().for_each(FirstRecords::finish);
    let form = lanes[0].form();
    let mut rows = Vec::new();
    let mut take = |unique: &mut Unique| {
        assert_eq!(unique.count(), unique.reduce());
        rows.extend(unique.iter().map(|(place, record)| (place.to_vec(), record.to_vec())));
        unique.clear();
    };
    let mut unique = Unique::new(form);
    for log in 0..1 << LOG_BITS {
        for lane in &*lanes {
            lane.logs().pieces(log).for_each(|(piece, records)| unique.add(piece, records));
        }
        if !splits {
            take(&mut unique);
            continue;
        }
        let mut logs = Logs::default();
        unique.split(LOG_BITS, &mut logs);
        for log in 0..logs.len() {
            logs.pieces(log).for_each(|(piece, records)| unique.add(piece, records));
            assert_eq!(
                logs.pieces(log).map(|(_, records)| records).sum::<usize>(),
                logs.entries(log)
            );
            take(&mut unique);
        }
    }
    rows.sort();
    rows
}

fn sorted(first: FirstRecords) -> Vec<Vec<u8>> {
    reduced(&mut [first], false).into_iter().map(|(_, record)| record).collect()
}

fn form() -> impl Strategy<Value = Form> {
    prop::sample::select(vec![Form::Records, Form::Pairs])
}

proptest! {
    #[test]
    fn first_records_are_those_of_a_map_however_they_are_fed_merged_cleared_and_split(
        draws in prop::collection::vec(any::<(u16, bool)>(), 0..300),
        keys in prop::sample::select(vec![1_u16, 3, 20, 200, u16::MAX]),
        length in prop::sample::select(vec![1_usize, 1, 1, 30, 200]),
        heavy: bool,
        form in form(),
        lanes in 1..4_usize,
        merges: bool,
        clears: bool,
        splits: bool,
    ) {
        let records = records(&draws, keys, length, heavy);
        let expected = expected(form, &records);
        // Lanes have any records, and in any order.
        let mut fed: Vec<FirstRecords> = (0..lanes).map(|_| FirstRecords::new(form)).collect();
        if clears {
            for first in &mut fed {
                add(first, &records);
                first.flush();
                first.clear_logs();
                prop_assert_eq!(first.logs().held(), 0);
            }
        }
        let mut shuffled = records.clone();
        shuffled.sort_by_key(|record| record.text.iter().map(|byte| u32::from(*byte).pow(2)).sum::<u32>() % 7);
        for (n, some) in shuffled.chunks(10).enumerate() {
            add(&mut fed[n % lanes], some);
        }
        if merges {
            let mut others = fed.split_off(1);
            others.drain(..).for_each(|other| fed[0].merge(other));
        }
        let rows = reduced(&mut fed, splits);
        prop_assert_eq!(rows.into_iter().map(|(_, record)| record).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn keys_alone_are_counted_as_those_of_records(
        draws in prop::collection::vec(any::<(u16, bool)>(), 0..300),
        keys in prop::sample::select(vec![1_u16, 3, 20, 200, u16::MAX]),
        heavy: bool,
    ) {
        let records = records(&draws, keys, 1, heavy);
        let mut first = FirstRecords::new(Form::Keys);
        add(&mut first, &records);
        let counted = sorted(first).len();
        prop_assert_eq!(counted, expected(Form::Records, &records).len());
    }

    #[test]
    fn bytes_that_are_no_records_are_refused(bytes: Vec<u8>, entries in 0..4_usize, form in form()) {
        let mut unique = Unique::new(form);
        unique.add(&bytes, entries);
        prop_assert!(unique.count().is_none_or(|keys| keys <= entries));
        unique.reduce();

        let mut first = FirstRecords::new(form);
        add(&mut first, &records(&[(1, true), (2, false), (1, false)], 9, 40, false));
        first.flush();
        let mut unique = Unique::new(form);
        for log in 0..first.logs().len() {
            first.logs().pieces(log).for_each(|(piece, records)| unique.add(piece, records + 1));
        }
        prop_assert_eq!((unique.count(), unique.reduce()), (None, None));
    }
}

#[test]
fn records_that_repeat_do_not_pile_up() {
    // More keys than the front holds, each of them many times.
    let draws: Vec<(u16, bool)> =
        (0..20_000).map(|n: u32| ((n * 7919 % 97) as u16, false)).collect();
    let mut first = FirstRecords::new(Form::Keys);
    let mut most = 0;
    for some in records(&draws, 97, 1, false).chunks(10) {
        add(&mut first, some);
        most = most.max(first.logs().held());
    }
    assert!(most < 4_000, "{most} bytes for 97 keys");
    assert_eq!(sorted(first).len(), 97);
}

#[test]
fn few_records_are_counted_as_they_come() {
    let mut first = FirstRecords::new(Form::Records);
    let records = records(&[(1, false), (2, false), (1, false)], 9, 1, false);
    add(&mut first, &records);
    assert_eq!(first.few(), Some(2));
    assert_eq!(sorted(first), [b"1", b"2"]);
}
