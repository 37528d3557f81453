//! Sorted and distinct records of bags: the same for any partitions, threads and memory.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};

use creel::{Bag, Delayed, Error, Run, delayed};
use futures::{FutureExt, StreamExt, TryStreamExt};
use proptest::prelude::*;

/// A record that is told apart and sorted by a few keys, and has a text of its own.
type Record = (u16, String);

/// The same records as a bag of each kind.
fn bags(records: &[Record], partitions: usize) -> Vec<Bag<Record>> {
    let handles = records.chunks(records.len().div_ceil(partitions).max(1));
    let handles: Vec<Delayed<Vec<Record>>> = handles.map(|part| delayed(part.to_vec())).collect();
    vec![
        Bag::from_sequence(records.to_vec(), partitions),
        Bag::from_iter(records.to_vec()),
        Bag::from_delayed(handles),
    ]
}

/// The first record of each key.
fn first_of<K: std::hash::Hash + Eq>(
    records: &[Record],
    key: impl Fn(&Record) -> K,
) -> Vec<Record> {
    let mut seen = HashSet::new();
    records.iter().filter(|record| seen.insert(key(record))).cloned().collect()
}

/// Records of so many keys, with so long texts; all of one key, and none of another's, too.
fn records() -> impl Strategy<Value = Vec<Record>> {
    let keys = prop::sample::select(vec![1_u16, 4, 300, u16::MAX]);
    let texts = prop::sample::select(vec![1_u32, 5, u32::MAX]);
    (keys, texts, 0..3_000_u32, prop::sample::select(vec![0_usize, 20, 400])).prop_map(
        |(keys, texts, records, long)| {
            let record = |n: u32| {
                let mixed = n.wrapping_mul(0x9E37_79B9) >> 7;
                let text = format!("{} {}", mixed % texts, "x".repeat(n as usize % 7 * long / 7));
                ((mixed % u32::from(keys)) as u16, text)
            };
            (0..records).map(record).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_partitions_threads_and_memory_give_the_same_sorted_and_distinct_records(
        records in records(),
        partitions in 1..9_usize,
        threads in 1..5_usize,
        memory in prop::sample::select(vec![None, Some(1_000), Some(30_000), Some(300_000)]),
        n in prop::sample::select(vec![0_usize, 1, 50, 2_500]),
    ) {
        let mut run = Run::new().threads(threads);
        if let Some(bytes) = memory {
            run = run.memory(bytes);
        }
        let mut sorted = records.clone();
        sorted.sort();
        let mut by_key = records.clone();
        by_key.sort_by_key(|record| record.0);
        let mut longest = records.clone();
        longest.sort_by_key(|record| Reverse(record.1.len()));
        let (distinct, of_keys) = (first_of(&records, Record::clone), first_of(&records, |record| record.0));
        for bag in bags(&records, partitions) {
            let all = (
                bag.clone().sort(),
                bag.clone().sort_by_key(|record| record.0),
                bag.clone().sort_by(|a, b| b.1.len().cmp(&a.1.len())).map(|record| record.1.len()),
                bag.clone().distinct(),
                bag.clone().distinct_by(|record| record.0),
                (bag.clone().sort_by_key(|record| record.0).take(n), bag.clone().distinct().take(n)),
            );
            let all = run.compute_blocking(&all).expect("it is spilled");
            prop_assert_eq!(&all.0, &sorted);
            prop_assert_eq!(&all.1, &by_key);
            prop_assert!(all.2.into_iter().eq(longest.iter().map(|record| record.1.len())));
            prop_assert_eq!(&all.3, &distinct);
            prop_assert_eq!(&all.4, &of_keys);
            prop_assert_eq!(&all.5.0, &by_key[..n.min(by_key.len())]);
            prop_assert_eq!(&all.5.1, &distinct[..n.min(distinct.len())]);
            // Each by itself, and records that are handed on.
            prop_assert_eq!(&run.compute_blocking(&bag.clone().sort()).expect("it is spilled"), &sorted);
            let streamed = run.stream(bag.clone().distinct()).try_collect::<Vec<_>>();
            prop_assert_eq!(&futures::executor::block_on(streamed).expect("it is spilled"), &distinct);
            let first = run.compute_blocking(&bag.sort_by_key(|record| record.0).take(n));
            prop_assert_eq!(&first.expect("it is spilled"), &by_key[..n.min(by_key.len())]);
        }
    }
}

/// Numbers in no order.
fn numbers(n: u64) -> Bag<u64> {
    Bag::from_iter(0..n).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[test]
fn several_ends_of_one_bag_in_order_sort_and_read_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let source = numbers(20_000).map(move |n| {
        counted.fetch_add(1, SeqCst);
        n % 5_000
    });
    for memory in [10_000, 1 << 30] {
        for (bag, rows) in [(source.clone().sort(), 20_000), (source.clone().distinct(), 5_000)] {
            calls.store(0, SeqCst);
            let run = Run::new().threads(2).memory(memory);
            let all = (
                bag.clone(),
                bag.clone().count(),
                bag.clone().map(|n| n % 10).frequencies(),
                bag.clone().filter(|n| n % 2 == 0).sort_by_key(|n| Reverse(*n)).take(3),
                bag.clone().sum(),
            );
            let (records, count, tens, last, sum) =
                run.compute_blocking(&all).expect("it is spilled");
            assert_eq!((records.len(), count, tens.len()), (rows, rows as u64, 10));
            assert_eq!(last[0], 4998);
            assert_eq!(records.iter().map(|n| i128::from(*n)).sum::<i128>(), sum);
            assert_eq!(calls.load(SeqCst), 20_000, "it is read once");
        }
    }
}

/// They share one pass, and none of them holds a large part of all.
#[test]
fn many_sorts_of_one_text_spill_where_all_of_them_do_not_fit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("numbers");
    let line = |n: u32| format!("{} {}\n", n.wrapping_mul(0x9E37_79B9) >> 8, "x".repeat(20));
    std::fs::write(&path, (0..20_000).map(line).collect::<String>()).expect("it is written");
    let text = creel::read_text(path.to_str().expect("a path")).expect("a pattern");
    let by_last = |modulus: usize| {
        text.clone().sort_by_key(move |line| line.len() % modulus).map(|line| line.len()).sum()
    };
    let all = (by_last(1), by_last(2), by_last(3), by_last(4), by_last(5), text.clone().count());
    let run = Run::new().threads(2).memory(1 << 20);
    let sums = run.compute_blocking(&all).expect("they are spilled");
    let expected = Run::new().compute_blocking(&all).expect("they fit");
    assert_eq!(sums, expected);
}

#[test]
fn handles_of_a_bag_in_order_have_its_records() {
    let run = Run::new().threads(2).memory(10_000);
    let parts = numbers(5_000).sort().to_delayed_blocking().expect("it is listed");
    let part = run.compute_blocking(&parts).expect("it is spilled").concat();
    assert!(part.len() == 5_000 && part.is_sorted());
    let halves =
        numbers(5_000).distinct().repartition(2).to_delayed_blocking().expect("it is listed");
    let halves = run.compute_blocking(&halves).expect("it is spilled");
    assert_eq!(halves.iter().map(Vec::len).collect::<Vec<_>>(), [2_500, 2_500]);
}

/// A record that has no form in bytes.
#[derive(Debug, Clone, Hash, PartialEq, Eq, PartialOrd, Ord)]
struct Seat(u64);
creel::operators::key!(Seat);

#[test]
fn records_without_a_form_are_refused_over_the_memory_of_the_run_and_the_first_are_taken_all_the_same()
 {
    let seats = numbers(100_000).map(Seat);
    let mut expected: Vec<u64> =
        (0..100_000_u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
    expected.sort_unstable();
    for threads in 1..4 {
        let run = Run::new().threads(threads).memory(200_000);
        for bag in [seats.clone().sort(), seats.clone().distinct()] {
            let error = run.compute_blocking(&bag.count()).expect_err("it does not fit");
            assert!(matches!(error, Error::Memory { limit: 200_000, .. }), "{error}");
            let told = error.to_string();
            assert!(
                told.contains("no form for the disk") && told.contains("`operators::Spill`"),
                "{told}"
            );
        }
        // A sort of which the first are taken keeps no others.
        let first = run.compute_blocking(&seats.clone().sort().take(5)).expect("they fit");
        assert!(first.iter().map(|seat| seat.0).eq(expected[..5].iter().copied()));
        let first = run.compute_blocking(&seats.clone().distinct().take(5)).expect("they fit");
        assert_eq!(first.len(), 5);
        // What fits is sorted in memory.
        let run = Run::new().threads(threads).memory(16 << 20);
        let sorted = run.compute_blocking(&seats.clone().sort()).expect("they fit");
        assert!(sorted.iter().map(|seat| seat.0).eq(expected.iter().copied()));
    }
}

/// A record with a form of its own.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    station: String,
    degrees: f64,
}

impl creel::operators::Spill for Reading {
    const HAS_FORM: bool = true;
    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.station.save(bytes) && self.degrees.save(bytes)
    }
    fn load(bytes: &mut &[u8]) -> Option<Self> {
        let (station, degrees) = creel::operators::Spill::load(bytes)?;
        Some(Self { station, degrees })
    }
    fn heap_size(&self) -> usize {
        self.station.heap_size()
    }
}

#[test]
fn records_with_a_form_of_their_own_are_spilled() {
    let reading = |n: u32| Reading {
        station: format!("station {}", n % 97),
        degrees: f64::from(n * 7919 % 1009) / 8.0,
    };
    let readings = Bag::from_iter(0..20_000).map(reading);
    let mut expected: Vec<Reading> = (0..20_000).map(reading).collect();
    expected.sort_by(|a, b| a.degrees.total_cmp(&b.degrees));
    let run = Run::new().threads(2).memory(50_000);
    let sorted =
        run.compute_blocking(&readings.clone().sort_by(|a, b| a.degrees.total_cmp(&b.degrees)));
    assert!(sorted.expect("it is spilled") == expected);
    let stations = run.compute_blocking(&readings.distinct_by(|reading| reading.station.clone()));
    assert_eq!(stations.expect("it is spilled"), (0..97).map(reading).collect::<Vec<_>>());
}

#[test]
fn records_of_a_megabyte_are_sorted_and_told_apart_in_less_memory() {
    let record = |n: u8| vec![n % 31; 1 << 20];
    let records = Bag::from_iter(0..64_u8).map(record);
    let run = Run::new().threads(2).memory(8 << 20);
    let heads = |records: Vec<Vec<u8>>| records.iter().map(|record| record[0]).collect::<Vec<_>>();
    let sorted = run.compute_blocking(&records.clone().sort()).expect("it is spilled");
    assert!(sorted.len() == 64 && sorted.is_sorted());
    let distinct = run.compute_blocking(&records.distinct()).expect("it is spilled");
    assert_eq!(heads(distinct), (0..31).collect::<Vec<_>>());
}

#[test]
fn a_temporary_file_that_may_not_grow_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run::new().threads(2).memory(100_000).tmpdir(folder.path()).spill_max(50_000);
    let texts = numbers(50_000).map(|n| format!("text {n}"));
    for bag in [texts.clone().sort(), texts.clone().distinct()] {
        let errors = [
            run.compute_blocking(&bag.clone().count()).expect_err("it is too small"),
            run.compute_blocking(&bag.clone()).map(drop).expect_err("it is too small"),
            futures::executor::block_on(run.stream(bag).try_collect::<Vec<_>>())
                .expect_err("it is too small"),
        ];
        for error in errors {
            assert!(matches!(&error, Error::Io { .. }), "{error}");
            let told = error.to_string();
            assert!(told.contains(&folder.path().display().to_string()), "{told}");
            assert!(told.contains("Run::spill_max") && told.contains("Run::memory"), "{told}");
        }
    }
    // Nothing is left behind.
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_run_that_is_cancelled_while_it_merges_ends() {
    const RECORDS: usize = 30_000;
    // All records are fed, and the runs of the file are merged, when so many are compared from then on.
    const MERGING: usize = 20_000;
    let (fed, compared) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (merges, is_merging) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = Mutex::new(goes_on);
    let feeds = Arc::clone(&fed);
    let compares = Arc::clone(&compared);
    let bag = numbers(RECORDS as u64).map(move |n| {
        feeds.fetch_add(1, SeqCst);
        n
    });
    let (fed, merges_to_end) = (Arc::clone(&fed), merges.clone());
    let sorted = bag.sort_by(move |a, b| {
        if fed.load(SeqCst) == RECORDS && compares.fetch_add(1, SeqCst) == MERGING {
            merges_to_end.send(()).expect("the test waits");
            // Until the run is cancelled.
            let _ = goes_on.lock().map(|goes_on| goes_on.recv());
        }
        a.cmp(b)
    });
    drop(merges);
    let run = Run::new().threads(2).memory(2_000);
    let mut computed = Box::pin(run.compute(sorted));
    assert!((&mut computed).now_or_never().is_none());
    is_merging.recv().expect("it merges");
    drop(computed);
    drop(go_on);
    // The comparison is dropped with the run.
    assert!(is_merging.recv().is_err());
    let more = compared.load(SeqCst) - MERGING;
    assert!(more < 30_000, "{more} records were compared after the run was cancelled");
}

#[test]
fn a_stream_of_records_in_order_that_is_dropped_ends() {
    let run = Run::new().threads(2).memory(10_000);
    let mut stream = run.stream(numbers(50_000).sort());
    let first = futures::executor::block_on(stream.next());
    assert_eq!(first.expect("there are records").expect("it is spilled"), 0);
    drop(stream);
    // Where records are endless, the first distinct ones are found all the same.
    let digits = Bag::from_iter(0_u64..).map(|n| n * n % 10).distinct();
    let first = futures::executor::block_on(
        Run::new().stream(digits.take(6).into_bag()).try_collect::<Vec<_>>(),
    );
    assert_eq!(first.expect("they are found"), [0, 1, 4, 9, 6, 5]);
}
