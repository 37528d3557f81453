//! Records of a bag of handles as they are asked for: tasks run a few ahead, each once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use creel::delayed::{Delayed, Limit, delayed};
use creel::watch::{Event, Observer, What};
use creel::{Bag, Error, Run};
use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;

/// Tasks that have begun.
#[derive(Clone, Default)]
struct Begun(Arc<AtomicUsize>);

impl Begun {
    /// Handles of one record each, which is its number.
    fn handles(&self, n: usize) -> Vec<Delayed<Vec<usize>>> {
        let handle = |n| {
            let begun = self.clone();
            delayed(n).map(move |n| {
                begun.0.fetch_add(1, SeqCst);
                vec![*n]
            })
        };
        (0..n).map(handle).collect()
    }

    fn tasks(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// How many may begin beside those that were taken, on all threads of this machine.
fn ahead() -> usize {
    2 * thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn taking_a_few_records_runs_a_few_tasks() {
    for threads in 1..5 {
        let begun = Begun::default();
        let first = Bag::from_delayed(begun.handles(1000)).map(|n| n * 2).take(3);
        let first = Run::new().threads(threads).compute_blocking(&first.map(|taken| taken.len()));
        assert_eq!(first.expect("nothing fails"), 3);
        let (begun, most) = (begun.tasks(), 2 + 2 * threads);
        assert!((3..=most).contains(&begun), "{begun} tasks on {threads} threads");
    }
}

#[test]
fn what_is_taken_beside_others_is_made_once() {
    for threads in 1..4 {
        let begun = Begun::default();
        let bag = Bag::from_delayed(begun.handles(100));
        let both = (bag.clone().take(3), bag.clone().count(), bag.take(1).to_delayed());
        let both = Run::new().threads(threads).compute_blocking(&both).expect("nothing fails");
        assert_eq!(both, (vec![0, 1, 2], 100, vec![0]));
        assert_eq!(begun.tasks(), 100);
    }
}

#[test]
fn a_slow_consumer_holds_tasks_back() {
    let begun = Begun::default();
    let mut stream = Bag::from_delayed(begun.handles(1000)).stream();
    // The ones that may begin, two that wait in the channel, and one that is about to.
    let most = |taken| taken + ahead() + 3;
    for taken in 1..100 {
        assert_eq!(block_on(stream.next()).transpose().expect("nothing fails"), Some(taken - 1));
        let begun = begun.tasks();
        assert!(begun <= most(taken), "{begun} tasks for {taken} records");
    }
    // Until they have gone as far as they may; those that must not follow have time to do so.
    while begun.tasks() < 99 + ahead() {
        thread::yield_now();
    }
    (0..1000).for_each(|_| thread::yield_now());
    assert!(begun.tasks() <= most(99), "{} tasks for 99 records", begun.tasks());
    assert_eq!(block_on(stream.count()), 901);
    assert_eq!(begun.tasks(), 1000);
}

#[test]
fn values_are_dropped_as_they_are_taken() {
    /// Counts those that are alive, and the most that were at once.
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
    let parts = (0..500).map(|n| {
        let counts = Arc::clone(&counts);
        delayed(n).map(move |_| vec![Alive::new(&counts)])
    });
    let streamed = Bag::from_delayed(parts).stream();
    let taken = block_on(streamed.try_fold(0, |taken, _| async move { Ok(taken + 1) }));
    assert_eq!(taken.expect("nothing fails"), 500);
    let most = counts.1.load(SeqCst);
    assert!(most <= ahead() + 5, "{most} alive at once");
    assert_eq!(counts.0.load(SeqCst), 0);
}

#[test]
fn what_handles_share_runs_once() {
    for threads in 1..4 {
        let begun = Begun::default();
        let base = begun.handles(1).remove(0);
        let parts = (0..100).map(|n| base.map(move |base| vec![base[0] + n]));
        let taken = Bag::from_delayed(parts).map_with(&base, |n, base: &Vec<usize>| n + base[0]);
        let taken = Run::new().threads(threads).compute_blocking(&taken.take(50));
        assert_eq!(taken.expect("nothing fails"), Vec::from_iter(0..50));
        assert_eq!(begun.tasks(), 1, "on {threads} threads");
    }
}

#[test]
fn a_partition_of_many_records_or_without_end_is_given_as_it_is_made() {
    let many = [0, 1].map(|n| delayed(n * 500_000..(n + 1) * 500_000));
    let flat = Bag::from_delayed(many.clone()).flat_map(|n: u32| [n; 3]).stream();
    let all = block_on(flat.try_collect::<Vec<_>>()).expect("nothing fails");
    assert!(all.into_iter().eq((0..1_000_000).flat_map(|n| [n; 3])));

    let endless = || Bag::from_delayed([delayed(0_u64..), delayed(7..)]).filter(|n| n % 2 == 1);
    let first = endless().take(600_000).compute_blocking().expect("nothing fails");
    assert_eq!(first.last(), Some(&1_199_999));
    let first = block_on(endless().stream().take(600_000).try_collect::<Vec<_>>());
    assert_eq!(first.expect("nothing fails").last(), Some(&1_199_999));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn values_of_any_lengths_give_the_same_on_any_number_of_threads(
        lengths in prop::collection::vec(0..3000_u32, 0..6),
        threads in 1..5_usize,
        most in 1..4000_usize,
        pauses in any::<bool>(),
    ) {
        let numbers: Vec<Vec<u32>> =
            lengths.iter().zip(1..).map(|(len, n)| (n * 10_000..n * 10_000 + len).collect()).collect();
        let plain = numbers.concat();
        let pause = move |n: u32| {
            // A value that takes long is one that lanes share.
            if pauses && n % 700 == 3 {
                thread::sleep(Duration::from_millis(3));
            }
            n
        };
        let bag = Bag::from_delayed(numbers.into_iter().map(delayed)).map(pause);
        let run = Run::new().threads(threads);
        let all = run.compute_blocking(&(
            bag.clone(),
            bag.clone().map(|n| n % 7).frequencies().map(|counts| counts.sorted()),
            bag.clone().fold(String::new, |all, n| format!("{all} {n}"), |a, b| a + &b),
            bag.clone().first(),
        ));
        let (same, counts, text, first) = all.expect("nothing fails");
        prop_assert_eq!(&same, &plain);
        prop_assert_eq!(first, plain.first().copied());
        prop_assert_eq!(text, plain.iter().map(|n| format!(" {n}")).collect::<String>());
        let of = |key: u32| plain.iter().filter(|n| *n % 7 == key).count() as u64;
        let expected: Vec<(u32, u64)> =
            (0..7).map(|key| (key, of(key))).filter(|(_, n)| *n > 0).collect();
        let mut counts: Vec<(u32, u64)> = counts.into_iter().collect();
        counts.sort_unstable();
        prop_assert_eq!(counts, expected);
        let taken = run.compute_blocking(&bag.clone().take(most)).expect("nothing fails");
        prop_assert_eq!(&taken[..], &plain[..most.min(plain.len())]);
        let streamed = block_on(run.stream(bag).try_collect::<Vec<u32>>());
        prop_assert_eq!(streamed.expect("nothing fails"), plain);
    }
}

#[test]
fn values_without_an_end_are_read_until_there_is_enough() {
    for threads in 1..5 {
        let values = || (0..3).map(|_| delayed(0_u64..u64::MAX));
        let slow = |n: u64| {
            thread::sleep(Duration::from_millis(3));
            n
        };
        let run = Run::new().threads(threads);
        let bag = Bag::from_delayed(values()).map(slow);
        assert!(run.compute_blocking(&bag.clone().any(|n| *n == 0)).expect("it ends"));
        let first = run.compute_blocking(&bag.combine(creel::operators::First::new(5)));
        assert!(first.expect("it ends").into_iter().eq(0..5));
    }
}

#[test]
fn records_before_one_that_fails_are_given_and_may_be_enough() {
    for threads in 1..5 {
        // Batches are twice as long as the one before at most: one of them begins within 30 records.
        let bag = Bag::from_delayed([delayed(0..100_u32)]).map(|n| {
            assert_ne!(n, 60, "a number that this function does not like");
            n
        });
        let run = Run::new().threads(threads);
        let taken = run.compute_blocking(&bag.clone().take(30)).expect("they are there");
        assert!(taken.into_iter().eq(0..30));
        let failed = run.compute_blocking(&bag.take(61));
        assert!(matches!(failed, Err(Error::Panic { .. })), "{failed:?}");
    }
}

#[test]
fn what_stands_before_a_failure_is_given_whatever_fails_first() {
    for _ in 0..8 {
        let begun = Begun::default();
        let mut parts = begun.handles(100);
        parts[3] = parts[3].try_map(|_| Err::<Vec<usize>, _>("no third"));
        parts[5] = delayed(5).map(|_| panic!("no fifth"));
        let mut stream = Bag::from_delayed(parts.clone()).stream();
        for n in 0..3 {
            assert_eq!(block_on(stream.next()).transpose().expect("it is given"), Some(n));
        }
        let error = block_on(stream.next()).expect("more").expect_err("it fails");
        assert!(error.to_string().contains("failed: no third"), "{error}");
        assert!(error.to_string().contains("stream 3 > partition 3 > try_map"), "{error}");
        assert!(block_on(stream.next()).is_none());
        assert!(begun.tasks() <= 3 + ahead());

        let bag = Bag::from_delayed(parts);
        let few = bag.clone().take(3).compute_blocking().expect("it does not come so far");
        assert_eq!(few, [0, 1, 2]);
        let error = bag.take(4).compute_blocking().expect_err("it fails");
        assert!(error.to_string().contains("failed: no third"), "{error}");
    }
}

#[test]
fn a_panic_of_an_operator_names_the_partition() {
    let bag = Bag::from_delayed(Begun::default().handles(10)).map(|n| assert!(n < 4, "too much"));
    let given = block_on(bag.clone().stream().take(4).try_collect::<Vec<_>>());
    assert_eq!(given.expect("those are given").len(), 4);
    let Err(Error::Panic { task, message, .. }) = block_on(bag.stream().try_collect::<Vec<_>>())
    else {
        panic!("it panics")
    };
    assert_eq!((&*task, &*message), ("partition 4", "too much"));
}

#[test]
fn dropping_the_stream_gives_up_what_runs() {
    let held = Arc::new(());
    let never = || {
        let held = Arc::clone(&held);
        delayed(0).map_async(move |_| {
            let held = Arc::clone(&held);
            async move {
                let () = std::future::pending().await;
                drop(held);
                vec![0]
            }
        })
    };
    let parts = [delayed(vec![1]), never(), never()];
    let mut stream = Bag::from_delayed(parts).stream();
    assert_eq!(block_on(stream.next()).transpose().expect("it is given"), Some(1));
    drop(stream);
    while Arc::strong_count(&held) > 1 {
        thread::yield_now();
    }
}

#[test]
fn a_task_that_becomes_one_further_on_does_not_wait_for_its_turn() {
    for threads in 1..4 {
        let begun = Begun::default();
        let mut parts = begun.handles(200);
        let (far, farther) = (parts[150].clone(), parts[180].clone());
        parts[0] = delayed(()).then(move |()| far.clone());
        parts[1] = delayed(()).then(move |()| farther.map(|records| records.clone()));
        let first = Bag::from_delayed(parts).take(3);
        let first = Run::new().threads(threads).compute_blocking(&first);
        assert_eq!(first.expect("nothing fails"), [150, 180, 2]);
        assert!(begun.tasks() <= 200);
    }
}

#[test]
fn tasks_with_futures_limits_and_weights_take_their_turns() {
    let limit = Limit::new(1);
    let parts = (0..60_u32).map(|n| {
        let part = delayed(n).map_async(|n| {
            let n = *n;
            async move { vec![n; 1000] }
        });
        part.limited(&limit).weighed(|part| part.len() as u64)
    });
    let bag = Bag::from_delayed(parts);
    for threads in 1..4 {
        let run = Run::new().threads(threads).memory(1000);
        let taken = run.compute_blocking(&bag.clone().take(50_000)).expect("each fits");
        assert!(taken.into_iter().eq((0..50).flat_map(|n| [n; 1000])));
    }
}

/// Counts the tasks that a run has planned, and blocks that it has read.
#[derive(Clone, Debug, Default)]
struct Told(Arc<(AtomicUsize, AtomicUsize)>);

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        match event.what {
            What::Planned => self.0.0.fetch_add(1, SeqCst),
            What::Read { .. } => self.0.1.fetch_add(1, SeqCst),
            _ => 0,
        };
    }
}

#[test]
fn only_the_tasks_of_records_that_are_taken_and_a_few_ahead_are_planned() {
    for is_held in [false, true] {
        let parts: Vec<_> = (0..1_000_000_u64).map(|n| delayed([n])).collect();
        let held = is_held.then(|| parts.clone());
        let told = Told::default();
        let run = Run::new().threads(2).observer(told.clone());
        let taken = run.compute_blocking(&Bag::from_delayed(parts).take(3));
        assert_eq!(taken.expect("nothing fails"), [0, 1, 2]);
        // A part, its handle and its end, for each of those taken and of four ahead.
        let planned = told.0.0.load(SeqCst);
        assert!(planned <= 3 * (3 + 4), "{planned} tasks are planned");
        drop(held);
    }
}

#[test]
fn a_task_that_a_far_partition_needs_too_runs_once() {
    for threads in 1..4 {
        let begun = Begun::default();
        let shared = begun.handles(3);
        let mut parts = begun.handles(500);
        for (n, far) in [(0, 499), (1, 250), (2, 3)] {
            let both = |part: &mut Delayed<Vec<usize>>| {
                *part = creel::delayed::call(
                    |a: &Vec<usize>, b: &Vec<usize>| vec![a[0] + b[0]],
                    (&*part, &shared[n]),
                );
            };
            both(&mut parts[n]);
            both(&mut parts[far]);
        }
        // Nobody but the partitions holds what they share.
        drop(shared);
        let run = Run::new().threads(threads);
        let all = run.compute_blocking(&Bag::from_delayed(parts).take(500));
        assert_eq!(all.expect("nothing fails").len(), 500);
        assert_eq!(begun.tasks(), 503, "on {threads} threads");
    }
}

#[test]
fn a_stream_has_the_threads_the_observers_and_the_memory_of_its_run() {
    let seen = Arc::<std::sync::Mutex<std::collections::HashSet<_>>>::default();
    let works = Arc::clone(&seen);
    let told = Told::default();
    let run = Run::new().threads(1).observer(told.clone());
    let lines = creel::read_text("fixtures/access.log").expect("it is there").map(move |line| {
        works.lock().expect("nobody panics").insert(thread::current().id());
        line.len()
    });
    let count = block_on(run.stream(lines).try_fold(0, |n, _| async move { Ok(n + 1) }));
    assert!(count.expect("nothing fails") > 0);
    assert_eq!(seen.lock().expect("nobody panics").len(), 1, "it has one thread");
    assert_eq!(told.0.1.load(SeqCst) as u64, run.progress().blocks());
    assert!(run.progress().blocks() > 0 && told.0.0.load(SeqCst) > 0);

    // Where values hold all memory, no new task is started.
    let kept = delayed(0).map(|n| vec![*n; 10]).weighed(|_| 10);
    let parts = (0..50).map(|_| kept.map(Vec::clone).weighed(|_| 10));
    let run = Run::new().threads(2).memory(10);
    let parts = Bag::from_delayed(parts.chain([kept.clone()]));
    let error = block_on(run.stream(parts).try_collect::<Vec<i32>>()).expect_err("it does not fit");
    assert!(matches!(error, Error::Memory { .. }), "{error}");
}

#[test]
fn taking_a_few_records_takes_no_memory_for_the_handles_that_are_left() {
    // In a process of its own, so that it is seen what a run holds at most.
    if std::env::var_os("HANDLES_ALONE").is_none() {
        let name = "taking_a_few_records_takes_no_memory_for_the_handles_that_are_left";
        let mut alone = std::process::Command::new(std::env::current_exe().expect("a program"));
        let alone = alone.args(["--exact", name]).env("HANDLES_ALONE", "1").output();
        let alone = alone.expect("it runs");
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
        return;
    }
    let kib = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most.and_then(|most| most.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
    };
    let bag = |n: u64| Bag::from_delayed((0..n).map(|n| delayed([n])));
    // What the first run of a process brings into memory.
    assert_eq!(bag(30).take(3).compute_blocking().expect("nothing fails"), [0, 1, 2]);
    let bag = bag(300_000);
    let before = kib();
    assert_eq!(bag.take(3).compute_blocking().expect("nothing fails"), [0, 1, 2]);
    let (Some(before), Some(after)) = (before, kib()) else { return };
    // Eight bytes for each would be more.
    let more = after.saturating_sub(before);
    assert!(more < 2_000, "{more} KiB");
}
