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

fn sorted(first: FirstRecords) -> Vec<Vec<u8>> {
    first.into_sorted(None).iter().map(|(_, record)| record.to_vec()).collect()
}

fn form() -> impl Strategy<Value = Form> {
    prop::sample::select(vec![Form::Records, Form::Pairs])
}

proptest! {
    #[test]
    fn the_first_records_are_those_of_a_map_however_records_are_fed_cut_spilled_and_merged(
        draws in prop::collection::vec(any::<(u16, bool)>(), 0..300),
        keys in prop::sample::select(vec![1_u16, 3, 20, 200, u16::MAX]),
        length in prop::sample::select(vec![1_usize, 1, 1, 30, 200]),
        heavy: bool,
        form in form(),
        lanes in 1..4_usize,
        cuts in prop::collection::vec(1..4_u32, 0..4),
        spills: u8,
    ) {
        let records = records(&draws, keys, length, heavy);
        let expected = expected(form, &records);
        // Lanes have any records, and in any order.
        let mut fed: Vec<FirstRecords> = (0..lanes).map(|_| FirstRecords::new(form)).collect();
        let mut shuffled = records.clone();
        shuffled.sort_by_key(|record| record.text.iter().map(|byte| u32::from(*byte).pow(2)).sum::<u32>() % 7);
        for (n, some) in shuffled.chunks(10).enumerate() {
            add(&mut fed[n % lanes], some);
        }
        let mut counted = 0;
        let mut work: Vec<(Vec<FirstRecords>, usize)> = vec![(fed, 0)];
        let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        while let Some((fed, depth)) = work.pop() {
            if let Some(bits) = cuts.get(depth) {
                let mut parts: Vec<Vec<FirstRecords>> = (0..1 << bits).map(|_| Vec::new()).collect();
                for lane in fed {
                    lane.parts(*bits).into_iter().zip(&mut parts).for_each(|(part, parts)| parts.push(part));
                }
                work.extend(parts.into_iter().map(|part| (part, depth + 1)));
                continue;
            }
            let mut lanes = fed.into_iter();
            let mut all = lanes.next().unwrap();
            for (n, lane) in lanes.enumerate() {
                if spills >> n & 1 == 0 {
                    all.merge(lane);
                } else {
                    let mut bytes = Vec::new();
                    lane.save(&mut bytes);
                    prop_assert!(all.load(&bytes));
                }
            }
            let mut saved = Vec::new();
            all.save(&mut saved);
            let mut again = FirstRecords::part(form, all.cut);
            prop_assert!(again.load(&saved));
            counted += again.count();
            let part = all.into_sorted(None);
            rows.extend(part.iter().map(|(place, record)| (place.to_vec(), record.to_vec())));
        }
        rows.sort();
        prop_assert_eq!(counted, expected.len());
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
        let parts = first.parts(2).into_iter().map(FirstRecords::count).sum::<usize>();
        prop_assert_eq!(parts, expected(Form::Records, &records).len());
    }

    #[test]
    fn bytes_that_were_not_saved_are_refused(bytes: Vec<u8>, at: usize, form in form()) {
        let _ = FirstRecords::new(form).load(&bytes);
        let mut first = FirstRecords::new(form);
        let records = records(&[(1, true), (2, false), (1, false)], 9, 40, false);
        add(&mut first, &records);
        let mut saved = Vec::new();
        first.save(&mut saved);
        saved.truncate(at % saved.len());
        prop_assert!(!FirstRecords::new(form).load(&saved));
    }
}

#[test]
fn no_more_first_records_are_sorted_than_are_wanted() {
    let draws: Vec<(u16, bool)> = (0..200).map(|n| (n * 7 % 50, false)).collect();
    let records = records(&draws, 100, 1, false);
    for limit in [0, 1, 7, 50, 100] {
        let mut first = FirstRecords::new(Form::Records);
        add(&mut first, &records);
        let rows = first.into_sorted(Some(limit));
        let all = expected(Form::Records, &records);
        let most = all.len().min(limit as usize);
        assert!(rows.iter().map(|(_, record)| record).eq(all[..most].iter().map(Vec::as_slice)));
        assert_eq!((rows.len(), rows.is_empty()), (most, limit == 0));
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
        most = most.max(first.weight);
    }
    assert!(most < 4_000, "{most} bytes for 97 keys");
    assert_eq!(first.count(), 97);
}

#[test]
fn few_records_are_counted_as_they_come() {
    let mut first = FirstRecords::new(Form::Records);
    let records = records(&[(1, false), (2, false), (1, false)], 9, 1, false);
    add(&mut first, &records);
    assert_eq!(first.few(), Some(2));
    assert_eq!(sorted(first), [b"1", b"2"]);
}
