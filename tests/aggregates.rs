//! Aggregates of a bag: the same however the input is cut and however many threads there are.

use std::collections::BTreeMap;
use std::fs;

use creel::aggregate::{
    count, count_if, first, last, list, max, max_by, mean, min, nunique, p90, std, sum, topk, var,
};
use creel::{Bag, Error, ReadOptions, Run};
use proptest::prelude::*;

/// Keys and numbers of lines `key number`.
fn pairs(options: &ReadOptions, pattern: &str) -> Bag<(String, f64)> {
    let lines = options.read_text([pattern]).expect("a pattern");
    lines.filter_map(|line| {
        let (key, number) = line.split_once(' ')?;
        Some((key.to_owned(), number.parse().ok()?))
    })
}

type Row = (u64, f64, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Vec<f64>);

/// The bits of floats, so that results are compared to the last one.
fn bits(row: &Row) -> Vec<u64> {
    let options = [row.2, row.3, row.4, row.5].map(|x| x.map_or(0, f64::to_bits));
    let all = [row.0, row.1.to_bits()].into_iter().chain(options);
    all.chain(row.6.iter().map(|x| x.to_bits())).collect()
}

fn number(pair: &(String, f64)) -> f64 {
    pair.1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn aggregates_are_the_same_for_any_partitions_threads_and_blocks(
        files in prop::collection::vec(
            prop::collection::vec((0..4_u8, -1e12..1e12_f64), 0..60), 1..4),
        threads in 1..5_usize,
        blocksize in 16..400_usize,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        for (n, file) in files.iter().enumerate() {
            let text: String = file.iter().map(|(key, x)| format!("k{key} {x:?}\n")).collect();
            fs::write(folder.path().join(format!("{n}.txt")), text).expect("it is written");
        }
        let pattern = format!("{}/*.txt", folder.path().display());
        let all = || (
            count(), sum(number), mean(number), var(number), std(number), p90(number), topk(2, number),
        );
        let grouped = |options: &ReadOptions| {
            pairs(options, &pattern).group_by(|pair| pair.0.clone()).aggregate(all())
        };
        let ordered = |options: &ReadOptions| {
            let rows = pairs(options, &pattern).group_by(|pair| pair.0.clone());
            rows.aggregate((first(number), last(number), list(number), min(number), max(number)))
        };
        let folded = |options: &ReadOptions| {
            let digits = |text: String, pair: (String, f64)| text + &format!("{:?};", pair.1);
            pairs(options, &pattern).fold_by(|pair| pair.0.clone(), String::new, digits, |a, b| a + &b)
        };
        let (whole, cut) = (ReadOptions::default(), ReadOptions::default().blocksize(blocksize));
        let one = Run::new().threads(1);
        let run = Run::new().threads(threads);

        let expected = one.compute_blocking(&(grouped(&whole), ordered(&whole), folded(&whole))).unwrap();
        // Each alone, so that those that may take any block do.
        let rows = run.compute_blocking(&grouped(&cut)).unwrap();
        prop_assert_eq!(rows.len(), expected.0.len());
        for ((key, row), (same, other)) in rows.iter().zip(&expected.0) {
            prop_assert_eq!(key, same);
            prop_assert_eq!(bits(row), bits(other));
            // What the group is alone.
            let key = key.clone();
            let alone = pairs(&cut, &pattern).filter(move |pair| pair.0 == key).aggregate(all());
            prop_assert_eq!(bits(&run.compute_blocking(&alone).unwrap()), bits(row));
        }
        prop_assert_eq!(run.compute_blocking(&ordered(&cut)).unwrap(), expected.1);
        let by_hand = files.concat().into_iter().fold(BTreeMap::new(), |mut all, (key, x)| {
            let text: &mut String = all.entry(format!("k{key}")).or_default();
            text.push_str(&format!("{x:?};"));
            all
        });
        let folded = run.compute_blocking(&folded(&cut)).unwrap();
        prop_assert_eq!(&folded, &by_hand.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(folded, expected.2);
    }
}

#[test]
fn groups_over_the_memory_of_a_run_are_spilled_and_the_same() {
    let numbers = Bag::from_iter(0..12_000_u64);
    let by_text =
        numbers.clone().map(|n| (format!("text {}", n % 4001), n)).group_by(|pair| pair.0.clone());
    let by_text = by_text.aggregate((
        count(),
        mean(|pair: &(String, u64)| pair.1),
        nunique(|pair: &(String, u64)| pair.1 % 3),
    ));
    let by_pair = numbers.group_by(|n| (n % 4001, n % 2 == 0)).aggregate(count());
    let expected = creel::compute_all_blocking(&(by_text.clone(), by_pair.clone())).unwrap();
    assert_eq!((expected.0.len(), expected.1.len()), (4001, 8002));
    for threads in 1..4 {
        // A fraction of what they end with.
        let run = Run::new().threads(threads).memory(200_000);
        let rows = run.compute_blocking(&by_text).expect("it is spilled");
        assert!(rows == expected.0, "{threads} threads");
        let rows = run.compute_blocking(&by_pair).expect("it is spilled");
        assert!(rows == expected.1, "{threads} threads");
    }
}

/// A record without a form in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Seat(u64);
creel::operators::key!(Seat);

#[test]
fn lists_of_groups_over_the_memory_of_a_run_are_the_same() {
    let lists = Bag::from_iter(0..60_000_u64)
        .group_by(|n| n % 20_000)
        .aggregate(list(|n: &u64| n.to_string()));
    let expected = creel::compute_all_blocking(&lists).expect("it fits");
    for threads in 1..4 {
        let run = Run::new().threads(threads).memory(1 << 20);
        let found = run.compute_blocking(&lists).expect("it is spilled");
        assert!(found == expected, "{threads} threads");
    }
}

#[test]
fn groups_without_a_form_for_the_disk_are_refused_over_the_memory_of_a_run() {
    let numbers = Bag::from_iter(0..200_000_u64);
    let refused = |what: &dyn Fn(&Run) -> creel::Result<()>| {
        for threads in 1..4 {
            let run = Run::new().threads(threads).memory(1 << 20);
            let error = what(&run).expect_err("it does not fit");
            assert!(matches!(error, Error::Memory { limit: 0x0010_0000, .. }), "{error}");
            assert!(error.to_string().contains("has no form for the disk"), "{error}");
        }
    };
    let (seat, add) = (|n: &u64| Seat(*n), |a: Seat, b: u64| Seat(a.0 + b));
    let lists = numbers.clone().group_by(|n| n % 50_000).aggregate(list(seat));
    refused(&|run| run.compute_blocking(&lists).map(drop));
    let folds = numbers.clone().fold_by(|n| n % 50_000, || Seat(0), add, |a, b| Seat(a.0 + b.0));
    refused(&|run| run.compute_blocking(&folds).map(drop));
    let all = numbers.clone().aggregate(list(seat));
    refused(&|run| run.compute_blocking(&all).map(drop));
    // What fits is not refused.
    let run = Run::new().threads(2).memory(1 << 20);
    let few = numbers.group_by(|n| n % 100).aggregate((count(), max_by(|n: &u64| n / 10)));
    let rows = run.compute_blocking(&few).expect("it fits");
    assert_eq!((rows.len(), rows[7]), (100, (7, (2000, Some(199_907)))));
}

#[test]
fn short_methods_are_the_aggregates_of_their_name() {
    let numbers = Bag::from_iter([3.5, -1.0, 2.0, 2.0]);
    let n = |n: &f64| *n;
    let short = (
        numbers.clone().mean(),
        numbers.clone().var(),
        numbers.clone().std(),
        numbers.clone().quantile(0.9),
        numbers.clone().any(|n| *n > 3.0),
        numbers.clone().all(|n| *n > 3.0),
    );
    let long =
        numbers.clone().aggregate((mean(n), var(n), std(n), p90(n), count_if(|n: &f64| *n > 3.0)));
    let (short, long) = creel::compute_all_blocking(&(short, long)).unwrap();
    assert_eq!((short.0, short.1, short.2, short.3), (long.0, long.1, long.2, long.3));
    assert_eq!((short.4, short.5, long.4), (true, false, 1));
    let none = numbers.filter(|n| *n > 9.0);
    let none = (
        none.clone().mean(),
        none.clone().first(),
        none.clone().last(),
        none.clone().group_by(|n| *n > 0.0).aggregate(mean(n)),
        none.clone().fold_by(|n| *n > 0.0, || 0.0, |a, b| a + b, |a, b| a + b),
        none.any(|_| true),
    );
    let none = creel::compute_all_blocking(&none).unwrap();
    assert_eq!(none, (None, None, None, vec![], vec![], false));
}

#[test]
fn reading_stops_when_any_is_found() {
    let endless = Bag::from_iter(0_u64..);
    assert!(endless.clone().any(|n| *n == 70_000).compute_blocking().unwrap());
    assert!(!endless.all(|n| *n < 70_000).compute_blocking().unwrap());
}

#[test]
fn a_sample_is_the_same_for_any_threads_and_differs_by_its_seed() {
    let words = Bag::from_iter(0..5000).map(|n| format!("word {n}"));
    let drawn = |threads, seed| {
        let mut drawn =
            Run::new().threads(threads).compute_blocking(&words.clone().sample(20, seed)).unwrap();
        drawn.sort();
        drawn
    };
    let (one, other) = (drawn(1, 7), drawn(1, 8));
    assert_eq!(one.len(), 20);
    assert_ne!(one, other);
    assert_eq!(drawn(4, 7), one);
}

/// A log of three words, and how often a run of `what` read it.
fn read_by<C: creel::Compute>(make: impl Fn(Bag<String>) -> C) -> (C::Output, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    fs::write(&path, "a b a\nb c\n").expect("it is written");
    let run = Run::new().threads(2);
    let what = make(creel::read_text(path.display().to_string()).expect("a pattern"));
    let values = run.compute_blocking(&what).expect("it is computed");
    assert_eq!(run.progress().bytes_read() % 10, 0);
    (values, run.progress().bytes_read() / 10)
}

#[test]
fn a_source_under_bags_of_results_is_read_once_in_a_run() {
    let words = |log: &Bag<String>| log.clone().words().frequencies();
    let often = |log: &Bag<String>| words(log).filter(|_, n| n > 1).into_bag();

    // A bag of rows, beside another item over the same source.
    let (values, reads) = read_by(|log| (often(&log).count(), log.count()));
    assert_eq!((values, reads), ((2, 2), 1));
    // Bags of rows of two items.
    let (values, reads) = read_by(|log| {
        let lengths = log.clone().map(|line| line.len()).frequencies().into_bag();
        (often(&log).count(), lengths.map(|(length, _)| length).max())
    });
    assert_eq!((values, reads), ((2, Some(5)), 1));
    // The item itself, and two bags of its rows.
    let (values, reads) = read_by(|log| {
        let counts = words(&log).map(|counts| counts.sorted());
        let rows = counts.clone().into_bag();
        (counts, rows.clone().count(), rows.map(|(_, n)| n).sum())
    });
    let counts = vec![("a".to_owned(), 2), ("b".to_owned(), 2), ("c".to_owned(), 1)];
    assert_eq!((values, reads), ((counts, 3, 5), 1));
    // Rows of rows, of which one pass knows nothing; and a bag that needs a value of the source first.
    let (values, reads) = read_by(|log| {
        let of_counts = words(&log).into_bag().map(|(_, n)| n).frequencies().into_bag();
        let all = of_counts.clone().map(|(_, n)| n).frequencies().into_bag().count();
        (
            all,
            of_counts.collect().map(|mut rows| {
                rows.sort();
                rows
            }),
            log.count(),
        )
    });
    assert_eq!((values, reads), ((2, vec![(1, 1), (2, 2)], 2), 1));
    let (values, reads) = read_by(|log| {
        let most = log.clone().map(|line| line.len()).max();
        let longest = log.clone().filter_with(&most, |line, most| Some(line.len()) == *most);
        (
            longest.clone().count(),
            longest.map(|line| line.len()).frequencies().into_bag().count(),
            log.count(),
        )
    });
    assert_eq!(values, (1, 1, 2));
    assert!((2..=4).contains(&reads), "{reads}");
    // One alone.
    let (values, reads) = read_by(|log| often(&log).count());
    assert_eq!((values, reads), (2, 1));
}

#[test]
fn a_long_chain_of_phases_is_computed_and_dropped() {
    let numbers = Bag::from_iter(0..10_u64);
    let chain = (0..3000).fold(numbers, |bag, _| bag.map(|n| n + 1).collect().into_bag());
    assert_eq!(chain.max().compute_blocking().unwrap(), Some(3009));
    let path = "fixtures/access.log";
    let lines = creel::read_text(path).unwrap().map(|line| line.len());
    let chain = (0..3000).fold(lines.clone(), |bag, _| bag.map(|n| n + 1).topk(5).into_bag());
    let both = (chain.count(), lines.count());
    assert_eq!(creel::compute_all_blocking(&both).unwrap(), (5, 1500));
}

#[test]
fn several_items_over_the_memory_of_a_run_are_spilled_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let text: String = (0..12_000).map(|n| format!("word{} x{}\n", n % 4001, n % 7)).collect();
    fs::write(folder.path().join("log"), text).expect("it is written");
    let lines = creel::read_text(format!("{}/log", folder.path().display())).unwrap();
    let both = (
        lines.clone().words().frequencies(),
        lines.group_by(|line| line.split(' ').next().unwrap_or("").to_owned()).aggregate(count()),
    );
    let expected = creel::compute_all_blocking(&both).unwrap();
    for threads in 1..4 {
        let run = Run::new().threads(threads).memory(200_000);
        assert!(run.compute_blocking(&both).unwrap() == expected, "{threads} threads");
    }
}
