//! Whatever the code of a caller does, wherever it runs, the run ends and says how.

use std::collections::HashSet;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use creel::operators::{Combiner, Feed};
use creel::{Bag, Error, ReadOptions, Result, Run};
use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt};

/// Records whose iterator cannot even be made.
#[derive(Clone)]
struct Unopened;

impl IntoIterator for Unopened {
    type Item = u32;
    type IntoIter = std::ops::Range<u32>;

    fn into_iter(self) -> Self::IntoIter {
        panic!("as it should")
    }
}

/// Where a combiner panics.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Feed,
    Merge,
    Finish,
}

impl Combiner for At {
    type State = u64;
    type Output = u64;
    const ORDERED: bool = false;

    fn merge(&self, into: &mut u64, from: u64) {
        assert!(*self != Self::Merge, "as it should");
        *into += from;
    }

    fn finish(&self, state: u64) -> u64 {
        assert!(*self != Self::Finish, "as it should");
        state
    }
}

impl<T> Feed<T> for At {
    fn feed(&self, state: &mut u64, _: T) {
        assert!(*self != Self::Feed, "as it should");
        *state += 1;
    }
}

/// A panic over records that were read says where these stand, on every way through a bag.
#[test]
fn a_panic_over_what_was_read_names_the_block() {
    let lines = ReadOptions::new().partition_size(50_000).blocksize(1000);
    let lines = lines.read_text(["fixtures/access.log"]).expect("a pattern").map(|line| {
        assert!(!line.contains(" 404 "), "as it should");
        line
    });
    let first = lines.to_delayed_blocking().expect("listed").remove(0);
    let errors = [
        lines.clone().count().compute_blocking().err(),
        lines.clone().collect().compute_blocking().err(),
        lines.clone().take(1 << 20).compute_blocking().err(),
        first.compute_blocking().err(),
        block_on(lines.stream().try_collect::<Vec<_>>()).err(),
    ];
    for error in errors {
        let error = error.expect("some request was for what is not there");
        let place = error.place().expect("the start of a block");
        assert_eq!(place.object, "fixtures/access.log");
        let text = std::fs::read("fixtures/access.log").expect("the log");
        let start = usize::try_from(place.offset.expect("a byte")).expect("a small file");
        let block = String::from_utf8_lossy(&text[start..]);
        let block: String = block.chars().take(2000).collect();
        assert!(block.contains(" 404 "), "{error}");
        assert!(error.to_string().contains("panicked: as it should, in the block at"), "{error}");
    }
}

#[track_caller]
fn panicked<T>(outcome: Result<T>) {
    match outcome {
        Err(Error::Panic { message, .. }) => assert_eq!(message, "as it should"),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("no error"),
    }
}

/// A log in many partitions, and what panics at some of its lines.
fn log() -> Result<Bag<String>> {
    ReadOptions::new().partition_size(5_000).read_text(["fixtures/access.log"])
}

fn some<T>(line: &str, value: T) -> T {
    assert!(!line.contains(" 404 "), "as it should");
    value
}

/// The threads that have come by.
#[derive(Default)]
struct Lanes(Mutex<HashSet<ThreadId>>, Condvar);

impl Lanes {
    /// Waits until two have, or for a while.
    fn wait_for_two(&self) {
        let mut threads = self.0.lock().expect("nobody panics");
        threads.insert(thread::current().id());
        self.1.notify_all();
        let alone = |threads: &mut HashSet<ThreadId>| threads.len() < 2;
        let waited = self.1.wait_timeout_while(threads, Duration::from_secs(20), alone);
        assert!(waited.is_ok_and(|(_, waited)| !waited.timed_out()), "two threads work");
    }
}

#[test]
fn a_panic_anywhere_is_an_error() -> Result<()> {
    for threads in [1, 3] {
        let run = Run::new().threads(threads);
        panicked(run.compute_blocking(&log()?.map(|line| some(&line, 1_u64)).sum()));
        panicked(run.compute_blocking(&log()?.filter(|line| some(line, true)).take(1_500)));
        panicked(run.compute_blocking(&log()?.lend(|l| l.map(|line| some(line, 1_u64)).sum())));
        panicked(run.compute_blocking(
            &log()?.lend_bag(|l| l.map(|line| some(line, 1)).collect()).collect(),
        ));
        panicked(run.compute_blocking(&log()?.topk_by(3, |line| some(line, line.len()))));
        // On one thread there is one state, and nothing to merge.
        if threads > 1 {
            let lanes = Lanes::default();
            panicked(run.compute_blocking(&log()?.fold(
                || 0,
                move |n, _| {
                    lanes.wait_for_two();
                    n + 1
                },
                |_, _| panic!("as it should"),
            )));
        }
        panicked(run.compute_blocking(&log()?.count().map(|_| -> u64 { panic!("as it should") })));
        panicked(run.compute_blocking(&log()?.take(1).map(|_| -> u64 { panic!("as it should") })));
        for at in [At::Feed, At::Merge, At::Finish] {
            // On one thread there is one lane, and nothing to merge.
            if threads > 1 || at != At::Merge {
                panicked(run.compute_blocking(&log()?.combine(at)));
            }
        }
    }
    Ok(())
}

#[test]
fn a_panic_of_an_iterator_is_an_error() -> Result<()> {
    let ends = (0..5_000_u32).map(|n| if n == 3_000 { panic!("as it should") } else { n });
    let unopened = Bag::from_iter(Unopened);
    for bag in [Bag::from_iter(ends), unopened] {
        panicked(bag.clone().count().compute_blocking());
        panicked(bag.compute_blocking());
        panicked(bag.clone().take(4_000).compute_blocking());
        panicked(block_on(bag.clone().stream().try_collect::<Vec<_>>()));
        panicked(block_on(bag.count().compute()));
    }
    Ok(())
}

#[test]
fn a_panic_beside_others_does_not_wait_for_them() -> Result<()> {
    let endless = || Bag::from_iter(0_u64..);
    let bad = |_| -> u64 { panic!("as it should") };
    panicked(creel::compute_all_blocking(&(endless().map(bad).take(1), endless().count())));
    panicked(creel::compute_all_blocking(&(endless().map(bad).sum(), endless().count())));
    panicked(creel::compute_all_blocking(&(endless().map(bad).collect(), endless().count())));
    Ok(())
}

#[test]
fn a_function_may_compute_something_itself() -> Result<()> {
    let lines = || log().expect("a pattern").count().compute_blocking().expect("a count");
    let nested = Bag::from_iter(0..5_u64).map(move |n| n + lines());
    assert_eq!(nested.clone().sum().compute_blocking()?, 10 + 5 * 1_500);
    assert_eq!(nested.take(1).compute_blocking()?, [1_500]);
    Ok(())
}

/// Tokio asks its tasks to yield after so many channel operations, which a blocking wait inside of
/// one cannot do.
#[cfg(unix)]
#[tokio::test]
async fn waiting_inside_a_task_of_tokio_ends() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    let text = "sixty-three letters and a line feed are a power of two in all..\n".repeat(1 << 18);
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || std::fs::write(fifo, text)
    });
    let lines = creel::read_text(fifo.to_string_lossy())?.lend(|lines| lines.count());
    assert_eq!(Run::new().threads(1).compute_blocking(&lines)?, 1 << 18);
    writer.join().expect("no panic").expect("written");
    assert_eq!(log()?.count().compute().await?, 1_500);
    Ok(())
}

/// Its channel is closed once the run that holds it is gone.
fn endless() -> (Bag<u64>, std::sync::mpsc::Receiver<()>) {
    let (held, gone): (Sender<()>, _) = channel();
    let bag = Bag::from_iter(0..).map(move |n| {
        let _ = &held;
        n
    });
    (bag, gone)
}

#[tokio::test]
async fn dropping_the_future_ends_the_run() {
    let (bag, gone) = endless();
    let run = Run::new();
    let progress = run.progress();
    let mut counting = Box::pin(run.compute(bag.count()));
    while progress.blocks() == 0 {
        assert!(futures::poll!(&mut counting).is_pending());
        tokio::task::yield_now().await;
    }
    drop(counting);
    assert!(gone.recv().is_err(), "the run let go of everything");
}

#[test]
fn dropping_the_stream_ends_the_reading() {
    let (bag, gone) = endless();
    let mut stream = bag.stream();
    assert!(matches!(block_on(stream.next()), Some(Ok(0))));
    drop(stream);
    assert!(gone.recv().is_err(), "the lanes let go of everything");
}
