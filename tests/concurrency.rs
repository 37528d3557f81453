//! Expensive functions run on all threads, however few the records are and wherever they come from.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use creel::{Bag, Run};
use futures::TryStreamExt;
use futures::executor::block_on;

const THREADS: usize = 4;

/// Counts the threads that are inside at one time.
#[derive(Clone, Default)]
struct Meeting(Arc<(Mutex<usize>, Condvar, AtomicUsize)>);

impl Meeting {
    /// Stays until all threads were inside at one time, or, where they never come, for a while.
    fn attend(&self) {
        let (inside, changed, most) = &*self.0;
        let mut here = inside.lock().expect("nobody panics");
        *here += 1;
        most.fetch_max(*here, SeqCst);
        changed.notify_all();
        let alone = |_: &mut usize| most.load(SeqCst) < THREADS;
        let (mut here, waited) =
            changed.wait_timeout_while(here, Duration::from_secs(20), alone).expect("no panic");
        if waited.timed_out() {
            // Nobody waits a second time.
            most.fetch_max(THREADS, SeqCst);
            most.fetch_or(1 << 20, SeqCst);
        }
        *here -= 1;
    }

    /// Returns true if all threads were inside at one time.
    fn took_place(&self) -> bool {
        self.0.2.load(SeqCst) == THREADS
    }
}

/// Bags of a few records in few partitions.
fn bags() -> [(&'static str, Bag<u64>); 5] {
    let handles = [0..5, 5..5, 5..20].map(creel::delayed);
    [
        ("from_iter", Bag::from_iter(0..20)),
        ("from_fn", Bag::from_fn(|| 0..20)),
        ("from_sequence", Bag::from_sequence((0..20).collect::<Vec<_>>(), 1)),
        ("from_delayed, one", Bag::from_delayed([creel::delayed(0..20)])),
        ("from_delayed, three", Bag::from_delayed(handles)),
    ]
}

/// The records, each of which is worked on until all threads are.
fn attended(bag: Bag<u64>, meeting: &Meeting) -> Bag<u64> {
    let meeting = meeting.clone();
    bag.map(move |n| {
        meeting.attend();
        n
    })
}

#[test]
fn a_sum_of_few_records_uses_all_threads() {
    for (name, bag) in bags() {
        let meeting = Meeting::default();
        let sum = attended(bag, &meeting).sum();
        assert_eq!(Run::new().threads(THREADS).compute_blocking(&sum).expect("no error"), 190);
        assert!(meeting.took_place(), "{name}");
    }
}

#[test]
fn records_collected_in_order_use_all_threads() {
    for (name, bag) in bags() {
        let meeting = Meeting::default();
        let run = Run::new().threads(THREADS);
        let all = run.compute_blocking(&attended(bag, &meeting)).expect("no error");
        assert!(all.into_iter().eq(0..20), "{name}");
        assert!(meeting.took_place(), "{name}");
    }
}

#[test]
fn folds_in_order_and_takes_use_all_threads() {
    for (name, bag) in bags() {
        let (folds, takes) = (Meeting::default(), Meeting::default());
        let run = Run::new().threads(THREADS);
        let fold = attended(bag.clone(), &folds).fold(
            String::new,
            |all, n| format!("{all}{n} "),
            |a, b| a + &b,
        );
        let expected: String = (0..20).map(|n| format!("{n} ")).collect();
        assert_eq!(run.compute_blocking(&fold).expect("no error"), expected, "{name}");
        assert!(folds.took_place(), "{name}");
        let taken = run.compute_blocking(&attended(bag, &takes).take(15)).expect("no error");
        assert!(taken.into_iter().eq(0..15), "{name}");
        assert!(takes.took_place(), "{name}");
    }
}

#[test]
fn streams_use_all_threads() {
    for (name, bag) in bags() {
        let meeting = Meeting::default();
        let stream = Run::new().threads(THREADS).stream(attended(bag, &meeting));
        let all = block_on(stream.try_collect::<Vec<u64>>()).expect("no error");
        assert!(all.into_iter().eq(0..20), "{name}");
        assert!(meeting.took_place(), "{name}");
    }
}

/// Many handles have a thread each, and the last of them, which takes long, has all.
#[test]
fn the_value_of_a_handle_that_takes_long_is_worked_on_by_all_threads() {
    let handles = || (0..40).map(|n| creel::delayed(if n == 37 { 37..10_000 } else { n..n + 1 }));
    let long = |meeting: &Meeting| {
        let (meeting, seen) = (meeting.clone(), Arc::new(AtomicUsize::new(0)));
        Bag::from_delayed(handles()).map(move |n| {
            match n {
                // Until the values before it and behind it were begun, and some time more.
                38 => {
                    let began = Instant::now();
                    while seen.load(SeqCst) < 38 && began.elapsed() < Duration::from_secs(20) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                ..=36 | 39 => drop(seen.fetch_add(1, SeqCst)),
                5_000.. => meeting.attend(),
                _ => {}
            }
            n
        })
    };
    let expected: Vec<u64> = (0..37).chain(37..10_000).chain([38, 39]).collect();
    let run = Run::new().threads(THREADS);
    let (sums, takes) = (Meeting::default(), Meeting::default());
    let sum = run.compute_blocking(&long(&sums).sum()).expect("no error");
    assert_eq!(sum, expected.iter().map(|n| i128::from(*n)).sum());
    assert!(sums.took_place());
    let taken = run.compute_blocking(&long(&takes).take(9_999)).expect("no error");
    assert_eq!(taken, expected[..9_999]);
    assert!(takes.took_place());
}

/// A compressed object is read by one thread at a time.
#[cfg(feature = "gzip")]
#[test]
fn lines_of_one_compressed_object_are_worked_on_by_all_threads_in_order() {
    let file = tempfile::Builder::new().suffix(".gz").tempfile().expect("a file");
    let text: String = (0..60_000).map(|n| format!("{n}\n")).collect();
    let mut gzip = flate2::write::GzEncoder::new(file.as_file(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).expect("written");
    gzip.finish().expect("written");
    let options = creel::ReadOptions::new().blocksize(10_000);
    let lines = options.read_text([file.path().to_string_lossy()]).expect("a pattern");
    let meeting = Meeting::default();
    let numbers = attended(lines.map(|line| line.parse().expect("a number")), &meeting);
    let run = Run::new().threads(THREADS);
    let all = run.compute_blocking(&numbers).expect("no error");
    assert!(all.into_iter().eq(0..60_000));
    assert!(meeting.took_place());
}
