//! Bags are worked with values that are computed first: each once, and gone when it was used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use creel::client::Client;
use creel::delayed::{Argument, Delayed, call, delayed};
use creel::{Bag, Error, Item, ReadOptions, Result, Run};
use futures::StreamExt;
use futures::executor::block_on;
use proptest::prelude::*;

fn log() -> Bag<String> {
    ReadOptions::new().partition_size(20_000).read_text(["fixtures/*.log"]).expect("a pattern")
}

/// A number that is made by a task, and how often it was.
fn counted(n: usize) -> (Delayed<usize>, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let made = delayed(n).map(move |n| {
        counter.fetch_add(1, SeqCst);
        *n
    });
    (made, runs)
}

/// What is asked of any bag of text, with a value that is computed first.
fn with(bag: Bag<String>, least: impl Argument<usize>) -> Bag<String> {
    let least = least.into_delayed();
    bag.filter_with(&least, |line, least: &usize| line.len() >= *least)
        .map_with(&least, |line, least: &usize| format!("{least} {line}"))
        .flat_map_with(least, |line, least: &usize| {
            line.split(' ').take(*least).map(str::to_owned).collect::<Vec<_>>()
        })
}

/// The same with a value that is there.
fn captured(bag: Bag<String>, least: usize) -> Bag<String> {
    bag.filter(move |line| line.len() >= least)
        .map(move |line| format!("{least} {line}"))
        .flat_map(move |line| line.split(' ').take(least).map(str::to_owned).collect::<Vec<_>>())
}

/// Computes a bag in every way there is.
fn every_way(run: &Run, bag: &Bag<String>) -> Result<Vec<Vec<String>>> {
    let most = 1 << 20;
    let streamed = block_on(bag.clone().stream().collect::<Vec<_>>());
    let parts = bag.to_delayed_blocking()?;
    let kept = block_on(bag.clone().persist())?;
    Ok(vec![
        run.compute_blocking(&bag.clone().collect())?,
        run.compute_blocking(&bag.clone().take(most))?,
        streamed.into_iter().collect::<Result<_>>()?,
        run.compute_blocking(&parts)?.concat(),
        run.compute_blocking(&Bag::from_delayed(parts).collect())?,
        run.compute_blocking(&kept.collect())?,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_value_computed_first_is_as_good_as_one_that_is_there(
        lines in proptest::collection::vec("[a-c ]{0,12}", 0..40),
        parts in 1_usize..6,
        least in 0_usize..6,
        threads in 1_usize..4,
    ) {
        let run = Run::new().threads(threads);
        let memory = Bag::from_iter(lines.clone());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines");
        std::fs::write(&path, lines.join("\n")).expect("written");
        let read = ReadOptions::new().partition_size(50).blocksize(16)
            .read_text([path.to_string_lossy()]).expect("a pattern");
        let size = lines.len().div_ceil(parts).max(1);
        let tasks = Bag::from_delayed(lines.chunks(size).map(|part| delayed(part.to_vec())));
        for bag in [memory, read, tasks] {
            let wanted = captured(bag.clone(), least).compute_blocking().expect("no error");
            let (task, _) = counted(least);
            let item = Bag::from_iter(0..=least).count().map(|n| n as usize - 1);
            let lent = bag.clone().lend_with(&task, |lines, least: &usize| {
                lines.filter(|line| line.len() >= *least).map(str::to_owned).topk(*least)
            });
            let owned = bag.clone().filter(move |line| line.len() >= least).topk(least);
            let (lent, owned) = run.compute_blocking(&(lent, owned)).expect("no error");
            prop_assert_eq!(lent, owned);
            for with in [with(bag.clone(), task), with(bag.clone(), &item), with(bag, least)] {
                for given in every_way(&run, &with).expect("no error") {
                    prop_assert_eq!(&given, &wanted);
                }
            }
        }
    }
}

#[test]
fn a_bag_is_normalised_by_its_own_greatest() -> Result<()> {
    for threads in 1..4 {
        let run = Run::new().threads(threads);
        let lengths = log().map(|line| line.len() as u64);
        let longest = lengths.clone().max().map(|longest| longest.unwrap_or(1));
        let wanted = run.compute_blocking(&longest)?;
        let relative = lengths.map_with(&longest, |n, longest: &u64| n * 1000 / longest);
        let asked = (relative.clone().max(), relative.count(), log().count());
        let read = run.progress().bytes_read();
        let (max, count, lines) = run.compute_blocking(&asked)?;
        assert_eq!((max, count), (Some(1000), lines));
        // The file for the greatest, once for what becomes of it, and once for another bag.
        assert_eq!(run.progress().bytes_read() - read, 3 * read);
        assert!(wanted > 100);
    }
    Ok(())
}

#[test]
fn items_over_one_source_read_it_once_whatever_they_need() -> Result<()> {
    let bytes: u64 = std::fs::metadata("fixtures/access.log").expect("a file").len();
    let lines = creel::read_text("fixtures/access.log")?;
    let ((a, made_a), (b, made_b)) = (counted(100), counted(200));
    let longer = |than: &Delayed<usize>| {
        lines.clone().filter_with(than, |line, least: &usize| line.len() > *least)
    };
    let words = lines
        .clone()
        .lend_with(&a, |lines, least: &usize| lines.filter(|line| line.len() > *least).count());
    let run = Run::new();
    let asked = (longer(&a).count(), longer(&b).count(), lines.clone().count(), words, b, a);
    let (over_a, over_b, all, lent, _, _) = run.compute_blocking(&asked)?;
    assert!(over_b < over_a && over_a < all, "{over_b} {over_a} {all}");
    assert_eq!(lent, over_a);
    assert_eq!(run.progress().bytes_read(), bytes);
    assert_eq!((made_a.load(SeqCst), made_b.load(SeqCst)), (1, 1));
    Ok(())
}

#[test]
fn an_argument_of_several_bags_is_computed_once() -> Result<()> {
    for threads in 1..4 {
        let (ten, made) = counted(10);
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let item = Bag::from_iter(0..100_usize).count().map(move |n| {
            counter.fetch_add(1, SeqCst);
            n
        });
        let parts = (0..5).map(|n| delayed(vec![n; 10]));
        let shift = |bag: Bag<usize>| {
            let shifted = bag.map_with(&ten, |n, ten: &usize| n + ten);
            shifted.map_with(&item, |n, count: &u64| n + *count as usize)
        };
        let asked = (
            shift(Bag::from_iter(0..5000)).max(),
            shift(Bag::from_delayed(parts)).max(),
            shift(log().map(|line| line.len())).min(),
            shift(Bag::from_iter(0..5000)).take(1),
            call(|n: &u64, ten: &usize| *n as usize + ten, (&item, &ten)),
        );
        let given = Run::new().threads(threads).compute_blocking(&asked)?;
        assert_eq!((given.0, given.1, given.3, given.4), (Some(5109), Some(114), vec![110], 110));
        assert_eq!((made.load(SeqCst), runs.load(SeqCst)), (1, 1), "on {threads} threads");
    }
    Ok(())
}

#[test]
fn handles_on_partitions_compute_the_argument_with_them_and_not_before() -> Result<()> {
    let (least, made) = counted(100);
    let long = log().filter_with(&least, |line, least: &usize| line.len() > *least);
    let parts = long.to_delayed_blocking()?;
    assert!(parts.len() > 2);
    assert_eq!(made.load(SeqCst), 0);
    let records = creel::compute_all_blocking(&parts)?.concat();
    assert_eq!(made.load(SeqCst), 1);
    assert_eq!(records, long.compute_blocking()?);
    Ok(())
}

#[test]
fn a_combiner_may_depend_on_the_value() -> Result<()> {
    let empty = Bag::from_delayed(Vec::<Delayed<Vec<String>>>::new());
    for (bag, most) in [(log(), 3), (Bag::from_iter(Vec::<String>::new()), 0), (empty, 0)] {
        let (k, made) = counted(3);
        let top = bag.lend_with(k, |lines, k: &usize| lines.map(str::to_owned).topk(*k));
        assert_eq!(top.compute_blocking()?.len(), most);
        assert_eq!(made.load(SeqCst), 1);
    }
    Ok(())
}

#[test]
fn items_of_such_bags_are_arguments_too() -> Result<()> {
    let numbers = Bag::from_iter(1..=100_i64);
    let mut sum: Item<i128> = numbers.clone().sum();
    for _ in 0..4 {
        sum = numbers.clone().map_with(sum, |n, sum: &i128| n + (*sum % 7) as i64).sum();
    }
    let mut wanted = 5050;
    for _ in 0..4 {
        wanted = 5050 + 100 * (wanted % 7);
    }
    assert_eq!(sum.compute_blocking()?, wanted);
    Ok(())
}

#[test]
fn an_argument_that_fails_is_the_error_with_its_path() {
    let bad = delayed("4x").try_map(|text| text.parse::<usize>()).named("least");
    let panics = delayed(1_usize).map(|n| n / (n - 1)).named("ratio");
    let numbers = Bag::from_iter(0..10_usize);
    for (argument, name) in [(bad, "least"), (panics, "ratio")] {
        let bags = [numbers.clone(), Bag::from_delayed([delayed(vec![1_usize])])];
        for bag in bags.into_iter().chain([log().map(|line| line.len())]) {
            let bag = bag.map_with(&argument, |n, least: &usize| n + least);
            let errors = [
                bag.clone().count().compute_blocking().err(),
                bag.clone().take(1).compute_blocking().err(),
                bag.to_delayed_blocking().expect("listed")[0].compute_blocking().err(),
                block_on(bag.clone().stream().next()).and_then(Result::err),
            ];
            for error in errors {
                let (task, path) = match error.expect("it fails") {
                    Error::Task { task, path, .. } | Error::Panic { task, path, .. } => {
                        (task, path)
                    }
                    error => panic!("another error: {error}"),
                };
                assert_eq!(task, name);
                assert!(path.is_empty() || path.ends_with(name), "{path}");
            }
            let streamed: Vec<_> = block_on(bag.stream().collect());
            assert_eq!(streamed.len(), 1, "the error, once");
        }
    }
}

#[test]
fn a_value_is_neither_copied_nor_kept() -> Result<()> {
    /// Not `Clone`.
    struct Table(Arc<AtomicUsize>);
    impl Drop for Table {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&dropped);
    let table = delayed(()).map(move |()| Table(Arc::clone(&made)));
    let alive = Arc::clone(&dropped);
    let lines = log().map_with(&table, move |line, _: &Table| {
        assert_eq!(alive.load(SeqCst), 0, "records are left");
        line.len()
    });
    let gone = Arc::clone(&dropped);
    // What comes after the lanes finds it gone.
    let count = lines.clone().count().map(move |count| (count, gone.load(SeqCst)));
    let (count, gone) = Run::new().threads(2).compute_blocking(&count)?;
    assert_eq!((count, gone), (log().count().compute_blocking()?, 1));
    dropped.store(0, SeqCst);
    let gone = Arc::clone(&dropped);
    let longest = lines.collect().map(move |lines| (lines.len(), gone.load(SeqCst)));
    assert_eq!(longest.compute_blocking()?, (count as usize, 1));
    Ok(())
}

#[test]
fn a_client_computes_such_items_and_what_it_holds_is_not_made_again() -> Result<()> {
    let client = Client::local();
    let (ten, made) = counted(10);
    let held = client.compute(&ten);
    assert_eq!(held.wait()?, 10);
    for bag in [Bag::from_iter(0..100), Bag::from_delayed([delayed(vec![99_usize])])] {
        let most = bag.map_with(&ten, |n, ten: &usize| n + ten).max();
        assert_eq!(client.compute(most).wait()?, Some(109));
    }
    assert_eq!(made.load(SeqCst), 1);
    Ok(())
}

#[test]
fn a_client_tries_again_what_an_argument_made_fail() {
    let tries = AtomicUsize::new(0);
    let third = delayed(()).map(move |()| match tries.fetch_add(1, SeqCst) {
        2 => 3_u64,
        _ => panic!("not yet"),
    });
    let sum = log().map_with(third, |line, n: &u64| line.len() as u64 + n).sum();
    let future = Client::local().compute(sum);
    assert!(future.wait().is_err());
    future.retry();
    assert!(future.wait().is_err());
    future.retry();
    assert!(future.wait().is_ok_and(|sum| sum > 1500));
}

#[test]
fn a_client_tries_again_what_failed_over_records() {
    for threads in 1..4 {
        let (ten, made) = counted(10);
        let tries = AtomicUsize::new(0);
        let sum = log().map_with(&ten, move |line, n: &usize| {
            assert!(tries.fetch_add(1, SeqCst) > 0, "the first record");
            line.len() + n
        });
        let client = Run::new().threads(threads).client();
        let future = client.compute(sum.fold(|| 0, |a, n| a + n, |a, b| a + b));
        assert!(future.wait().is_err());
        future.retry();
        assert!(future.wait().is_ok_and(|sum| sum > 1500), "on {threads} threads");
        assert_eq!(made.load(SeqCst), 2, "on {threads} threads");
    }
}
