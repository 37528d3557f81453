//! Bags and tasks are one graph: a bag through handles and back is the same bag.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use creel::delayed::{Delayed, all, delayed};
use creel::{Bag, Client, Error, Item, ReadOptions, Run};
use futures::StreamExt;
use futures::executor::block_on;

fn log() -> Bag<String> {
    ReadOptions::new().partition_size(50_000).read_text(["fixtures/*.log"]).expect("a pattern")
}

/// Handles of numbers, and how often they were made.
fn counted(parts: u32) -> (Vec<Delayed<Vec<u32>>>, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let part = |n| {
        let runs = Arc::clone(&runs);
        delayed(n).map(move |n| {
            runs.fetch_add(1, SeqCst);
            (0..3000).map(|i| n * 3000 + i).collect()
        })
    };
    ((0..parts).map(part).collect(), runs)
}

#[test]
fn a_bag_through_handles_and_back_is_the_same_bag() {
    let bag = log().filter(|line| line.contains("GET"));
    let records = bag.compute_blocking().expect("the log is there");
    let parts = bag.to_delayed_blocking().expect("the log is there");
    assert!(parts.len() > 3, "{} partitions", parts.len());
    for threads in 1..4 {
        let run = Run::new().threads(threads);
        let back = Bag::from_delayed(parts.clone());
        assert_eq!(run.compute_blocking(&back.clone().collect()).expect("the same"), records);
        let count = run.compute_blocking(&back.count()).expect("the same");
        assert_eq!(count, records.len() as u64);
    }
    // And once more through handles, which are tasks over those.
    let twice = Bag::from_delayed(parts).map(|line| line.len()).to_delayed_blocking();
    let twice = Bag::from_delayed(twice.expect("nothing is listed"));
    let lengths: Vec<usize> = records.iter().map(String::len).collect();
    assert_eq!(twice.compute_blocking().expect("the same"), lengths);
}

#[test]
fn take_and_stream_give_the_records_of_tasks_in_order() {
    let (parts, _) = counted(5);
    let bag = Bag::from_delayed(parts);
    let first = bag.clone().take(3001).compute_blocking().expect("nothing fails");
    assert_eq!(first, Vec::from_iter(0..3001));
    let all: Vec<_> = block_on(bag.stream().map(|n| n.expect("nothing fails")).collect());
    assert_eq!(all, Vec::from_iter(0..15_000));
}

#[test]
fn a_task_that_items_and_tasks_want_runs_once() {
    for threads in 1..4 {
        let (parts, runs) = counted(20);
        let bag = Bag::from_delayed(parts.clone());
        let lengths = all(parts).map(|parts| parts.iter().map(|part| part.len()).sum::<usize>());
        let asked = (bag.clone().count(), lengths, bag.clone().max(), Item::to_delayed(&bag.sum()));
        let given = Run::new().threads(threads).compute_blocking(&asked).expect("nothing fails");
        assert_eq!(given, (60_000, 60_000, Some(59_999), 1_799_970_000));
        assert_eq!(runs.load(SeqCst), 20, "on {threads} threads");
    }
}

#[test]
fn what_is_persisted_is_made_once() {
    let (parts, runs) = counted(4);
    let kept = block_on(Bag::from_delayed(parts).filter(|n| n % 2 == 0).persist());
    let kept = kept.expect("nothing fails");
    assert_eq!(kept.clone().count().compute_blocking().expect("nothing fails"), 6000);
    assert_eq!(kept.max().compute_blocking().expect("nothing fails"), Some(11_998));
    assert_eq!(runs.load(SeqCst), 4);
}

#[test]
fn an_item_that_is_persisted_is_made_once() {
    let (parts, runs) = counted(4);
    let kept = Bag::from_delayed(parts).max().persist_blocking().expect("nothing fails");
    assert_eq!(kept.compute_blocking().expect("it is there"), Some(11_999));
    assert_eq!(
        block_on(kept.map(|most| most.map(|n| n + 1)).compute()).expect("it is there"),
        Some(12_000)
    );
    assert_eq!(runs.load(SeqCst), 4);
}

#[test]
fn partitions_of_tasks_are_made_when_wanted_and_dropped_when_counted() {
    struct Alive(Arc<(AtomicUsize, AtomicUsize)>);
    impl Alive {
        fn new(counts: &Arc<(AtomicUsize, AtomicUsize)>) -> Self {
            counts.1.fetch_max(counts.0.fetch_add(1, SeqCst) + 1, SeqCst);
            Self(Arc::clone(counts))
        }
    }
    impl Clone for Alive {
        fn clone(&self) -> Self {
            Self::new(&self.0)
        }
    }
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.0.fetch_sub(1, SeqCst);
        }
    }
    let counts = Arc::default();
    let parts = (0..200).map(|n| {
        let counts = Arc::clone(&counts);
        delayed(n).map(move |_| vec![Alive::new(&counts); 10])
    });
    let count = Bag::from_delayed(parts).count();
    let count = Run::new().threads(2).compute_blocking(&count).expect("nothing fails");
    assert_eq!(count, 2000);
    // Two partitions that are worked on, two that are made, and the element each was filled with.
    assert!(counts.1.load(SeqCst) <= 44, "{} alive at once", counts.1.load(SeqCst));
}

#[test]
fn an_item_goes_to_a_handle_and_back() {
    let lines = log().count().to_delayed();
    let again = Item::from_delayed(&lines).map(|n| n + 1);
    let (lines, again) = creel::compute_all_blocking(&(lines, again)).expect("the log is there");
    assert_eq!(again, lines + 1);
}

#[test]
fn what_fails_in_a_bag_comes_out_of_the_tasks_over_it_as_it_was() {
    let missing = creel::read_text("fixtures/no-such-file.log").expect("a pattern").count();
    let task = missing.to_delayed().map(|n| n + 1);
    let error = task.compute_blocking().expect_err("it is not there");
    assert!(matches!(error, Error::NotFound { .. }), "{error}");

    let broken = log().map(|line| assert!(line.is_empty(), "not empty")).count().to_delayed();
    let error = broken.named("count").map(|n| n + 1).named("more").compute_blocking();
    let Err(Error::Panic { message, path, .. }) = error else { panic!("{error:?}") };
    assert_eq!(message, "not empty");
    assert!(path.starts_with("more > count > read > finish > "), "{path}");
}

#[test]
fn a_handle_of_items_has_one_try_whatever_its_policy() {
    /// Cannot be cloned.
    struct Whole(Arc<AtomicUsize>);
    impl Clone for Whole {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, SeqCst);
            panic!("it is one")
        }
    }
    let clones = Arc::new(AtomicUsize::new(0));
    let whole = delayed(Whole(Arc::clone(&clones)));
    let both = Delayed::together((log().count(), whole.clone())).retry(3).named("both");
    let error = creel::compute_all_blocking(&(both.map(|both| both.0), whole.map(|_| ())));
    assert!(
        matches!(&error, Err(Error::Panic { message, .. }) if message == "it is one"),
        "{error:?}"
    );
    assert_eq!(clones.load(SeqCst), 1);

    let count = log().count().compute_blocking().expect("the log is there");
    let again = (log().count().to_delayed().retry(3), Delayed::together(log().count()).retry(3));
    let again = creel::compute_all_blocking(&again).expect("the first try will do");
    assert_eq!(again, (count, count));
}

#[test]
fn a_partition_is_read_again_for_a_handle_that_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let fails = Arc::clone(&tries);
    let lengths = log().map(move |line| {
        assert_ne!(fails.fetch_add(1, SeqCst), 300, "once, in the middle");
        line.len()
    });
    let parts = lengths.to_delayed_blocking().expect("the log is there");
    let parts = parts.into_iter().map(|part| part.retry(1));
    let again = Bag::from_delayed(parts).compute_blocking().expect("the second try will do");
    assert_eq!(again, log().map(|line| line.len()).compute_blocking().expect("the log is there"));
    assert!(tries.load(SeqCst) > again.len());
}

#[cfg(feature = "zstd")]
#[test]
fn what_a_handle_reads_is_told_to_the_run_that_it_is_read_in() {
    let mut text = zstd::encode_all(&b"a line\n".repeat(1000)[..], 3).expect("it is in memory");
    text.truncate(text.len() - 3);
    let file = tempfile::NamedTempFile::with_suffix(".zst").expect("a file");
    std::fs::write(&file, &text).expect("it is written");

    let options = ReadOptions::new().damaged(creel::Damaged::Keep);
    let path = file.path().to_str().expect("a plain name");
    let parts = options.read_text([path]).expect("a pattern").to_delayed_blocking();
    let parts = parts.expect("the file is there");
    for _ in 0..2 {
        let run = Run::new();
        run.compute_blocking(&Bag::from_delayed(parts.clone()).count()).expect("it may be damaged");
        assert_eq!(run.progress().bytes_read(), text.len() as u64);
        let faults = run.progress().take_faults();
        assert!(matches!(faults[..], [Error::Truncated { .. }]), "{faults:?}");
    }
}

#[test]
fn the_handle_that_a_client_makes_of_an_item_is_named_by_the_callers_line() {
    let broken = log().map(|line| assert!(line.is_empty(), "not empty")).count();
    let (line, future) = (line!(), Client::local().compute(broken));
    let Err(Error::Panic { path, .. }) = future.wait() else { panic!("it fails") };
    assert!(path.starts_with(&format!("item (tests/delayed.rs:{line}) > ")), "{path}");
}

#[tokio::test]
async fn futures_go_on_inside_of_a_task_of_tokio_however_much_they_do() {
    // More than tokio lets one of its tasks do at a time.
    let busy = delayed(()).map_async(|_| async {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        (0..2000_u32).for_each(|n| send.send(n).expect("it is received"));
        drop(send);
        let mut sum = 0;
        while let Some(n) = receive.recv().await {
            sum += n;
        }
        sum
    });
    let run = tokio::spawn(async move { busy.compute_blocking() });
    assert_eq!(run.await.expect("no panic").expect("nothing fails"), 1_999_000);
}
