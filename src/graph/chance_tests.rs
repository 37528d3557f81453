//! What a client promises, with graphs, failures, cancellations and drops made by chance.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use futures::executor::block_on;
use proptest::prelude::*;

use super::client::{Client, TaskFuture};
use super::delayed::{Delayed, all, call, delayed};
use super::tests::{Census, Counted, Table, YieldOnce, expected, tables, until};
use crate::{Error, Run};

/// What becomes of a future while tasks run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Keep,
    Drop,
    Cancel,
    CancelAndDrop,
}

/// A fate, when it comes, and on which of two threads.
type Fated = (Fate, u16, bool);

fn fates(most: usize) -> impl Strategy<Value = Vec<Fated>> {
    let fate = prop_oneof![
        8 => Just(Fate::Keep),
        8 => Just(Fate::Drop),
        1 => Just(Fate::Cancel),
        1 => Just(Fate::CancelAndDrop),
    ];
    prop::collection::vec((fate, any::<u16>(), any::<bool>()), most)
}

/// Submits the tasks of a table, which fail the first time if they fail.
fn submit(
    client: &Client,
    table: &Table,
    runs: &Arc<Vec<AtomicUsize>>,
    census: &Census,
) -> Vec<TaskFuture<Counted>> {
    let mut futures: Vec<TaskFuture<Counted>> = Vec::new();
    for (n, (inputs, fails)) in table.iter().enumerate() {
        let inputs: &[_] = if n == 0 { &[] } else { inputs };
        let needed = all(inputs.iter().map(|input| futures[input.index(n)].to_delayed()));
        let (fails, runs, census) = (*fails, Arc::clone(runs), census.clone());
        let work = move |values: &Vec<Arc<Counted>>| {
            let ran = runs[n].fetch_add(1, SeqCst);
            let sum = |sum: u64, value: &Arc<Counted>| sum.wrapping_mul(31).wrapping_add(value.0);
            let sum = values.iter().fold(n as u64, sum);
            if fails && ran == 0 { Err("fails") } else { Ok(census.value(sum)) }
        };
        futures.push(client.compute(match n % 15 {
            0 | 6 | 12 => needed.try_map_async(move |values| {
                let value = work(&values);
                async move {
                    YieldOnce(false).await;
                    value
                }
            }),
            5 | 10 => {
                let work = Arc::new(work);
                needed.then(move |values| {
                    let work = Arc::clone(&work);
                    delayed(values.clone()).try_map(move |values| work(values))
                })
            }
            _ => needed.try_map(work),
        }));
    }
    futures
}

/// The same table without failures.
fn unfailing(table: &Table) -> Table {
    table.iter().map(|(inputs, _)| (inputs.clone(), false)).collect()
}

/// Whether a task, or one below it, is one of these.
fn is_below(table: &Table, marked: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut below: Vec<bool> = Vec::new();
    for (n, (inputs, _)) in table.iter().enumerate() {
        let inputs: &[_] = if n == 0 { &[] } else { inputs };
        below.push(marked(n) || inputs.iter().any(|input| below[input.index(n)]));
    }
    below
}

/// A future, and the number of its task.
type Numbered = (usize, TaskFuture<Counted>);

/// Futures that are kept, and the numbers of tasks that were cancelled.
type Left = (Vec<Numbered>, Vec<usize>);

/// Has each future meet its fate, on two threads, while tasks run.
fn meet_fates(futures: Vec<TaskFuture<Counted>>, fates: &[Fated]) -> Left {
    let mut met: Vec<_> = futures.into_iter().enumerate().zip(fates).collect();
    met.sort_by_key(|(_, (_, when, _))| *when);
    let (here, there): (Vec<_>, Vec<_>) = met.into_iter().partition(|(_, (_, _, here))| *here);
    let left = Mutex::new(Left::default());
    let meet = |met: Vec<(Numbered, &Fated)>| {
        for ((n, future), (fate, _, _)) in met {
            if matches!(fate, Fate::Cancel | Fate::CancelAndDrop) && future.cancel() {
                left.lock().expect("no panic").1.push(n);
            }
            if matches!(fate, Fate::Keep | Fate::Cancel) {
                left.lock().expect("no panic").0.push((n, future));
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| meet(there));
        meet(here);
    });
    left.into_inner().expect("no panic")
}

fn agrees(table: &Table, fates: &[Fated], threads: usize) {
    let runs: Arc<Vec<AtomicUsize>> = Arc::new(table.iter().map(|_| 0.into()).collect());
    let census = Census::default();
    let client = Run::new().threads(threads).client();
    let (kept, cancelled) = meet_fates(submit(&client, table, &runs, &census), fates);

    let values = expected(&unfailing(table));
    let fails = is_below(table, |n| table[n].1);
    let gives_up = is_below(table, |n| cancelled.contains(&n));
    for (n, future) in &kept {
        match block_on(future.shared()) {
            Ok(value) => {
                assert!(!fails[*n] && !gives_up[*n], "task {n} is above one that failed");
                assert_eq!(Some(value.0), values[*n]);
            }
            Err(Error::Task { .. }) => assert!(fails[*n], "task {n} fails"),
            Err(Error::Cancelled) => assert!(gives_up[*n], "task {n} is cancelled"),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(runs.iter().all(|runs| runs.load(SeqCst) <= 1), "a task ran twice");

    // Tried again, each that fails does so once more at most.
    for (n, future) in &kept {
        let most = 1 + table.iter().filter(|(_, fails)| *fails).count();
        for _ in 0..most {
            future.retry();
            if let Ok(value) = block_on(future.shared()) {
                assert_eq!(Some(value.0), values[*n]);
            }
        }
        assert!(block_on(future.shared()).is_ok(), "task {n} still fails");
    }
    drop(kept);
    until("no task is left", || {
        let info = client.info();
        info.waiting + info.running + info.done + info.failed == 0
    });
    until("no value is left", || census.alive() == 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_held_of_a_graph_agrees_with_its_plain_evaluation_and_what_is_not_is_gone(
        table in tables(150, 0.02), fates in fates(150), threads in 1..4_usize
    ) {
        agrees(&table, &fates, threads);
    }

    #[test]
    fn memory_is_kept_within_the_limit_and_what_the_threads_had_begun(
        table in tables(60, 0.0), weights in prop::collection::vec(0..20_u64, 60),
        limit in 1..200_u64, threads in 1..4_usize
    ) {
        within_memory(&table, &weights, limit, threads);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    #[test]
    fn of_a_large_graph_too(
        table in tables(10_000, 0.0003), fates in fates(10_000), threads in 1..4_usize
    ) {
        agrees(&table, &fates, threads);
    }
}

/// Runs a table whose values have weights, none more than what it is made of.
fn within_memory(table: &Table, weights: &[u64], limit: u64, threads: usize) {
    /// A value that says how much all that are alive weigh.
    struct Weighed(u64, u64, Arc<(AtomicU64, AtomicU64)>);
    impl Weighed {
        fn new(value: u64, weight: u64, alive: &Arc<(AtomicU64, AtomicU64)>) -> Self {
            alive.1.fetch_max(alive.0.fetch_add(weight, SeqCst) + weight, SeqCst);
            Self(value, weight, Arc::clone(alive))
        }
    }
    impl Drop for Weighed {
        fn drop(&mut self) {
            self.2.0.fetch_sub(self.1, SeqCst);
        }
    }
    let alive = Arc::<(AtomicU64, AtomicU64)>::default();
    let (mut tasks, mut values) = (Vec::<Delayed<Weighed>>::new(), Vec::new());
    for (n, ((inputs, _), weight)) in table.iter().zip(weights).enumerate() {
        let inputs: Vec<usize> = inputs.iter().take(2).map(|input| input.index(n.max(1))).collect();
        let (alive, weight) = (Arc::clone(&alive), *weight);
        let (task, value) = match inputs[..] {
            [a, b] if n > 0 => {
                let work = move |a: &Weighed, b: &Weighed| {
                    Weighed::new(a.0.wrapping_mul(31) ^ b.0, a.1.min(b.1).min(weight), &alive)
                };
                let value = u64::wrapping_mul(values[a], 31) ^ values[b];
                (call(work, (&tasks[a], &tasks[b])), value)
            }
            [a, ..] if n > 0 => {
                let work = move |a: &Weighed| Weighed::new(!a.0, a.1.min(weight), &alive);
                (tasks[a].map(work), !values[a])
            }
            _ => (delayed(7).map(move |seven| Weighed::new(*seven, weight, &alive)), 7),
        };
        tasks.push(task.weighed(|value| value.1));
        values.push(value);
    }
    let last = tasks.last().expect("one at least").map(|value| value.0);
    match Run::new().threads(threads).memory(limit).compute_blocking(&last) {
        Ok(value) => assert_eq!(Some(&value), values.last()),
        Err(error) => assert!(matches!(error, Error::Memory { .. }), "{error}"),
    }
    drop((tasks, last));
    assert_eq!(alive.0.load(SeqCst), 0);
    // A thread has what its task was given and what it makes.
    let begun = threads as u64 * 3 * weights.iter().copied().max().unwrap_or_default();
    let most = alive.1.load(SeqCst);
    assert!(most <= limit + begun, "{most} of {limit} and {begun}");
}

#[test]
fn what_goes_with_the_client_is_gone() {
    for threads in 1..4 {
        let (census, witness) = (Census::default(), Arc::new(()));
        let client = Run::new().threads(threads).client();
        let first = client.submit(
            {
                let census = census.clone();
                move || census.value(1)
            },
            (),
        );
        let rest: Vec<_> = (0..200)
            .map(|n| {
                let (census, witness) = (census.clone(), Arc::clone(&witness));
                let work = move |first: &Counted| {
                    let _ = &witness;
                    census.value(first.0 + n)
                };
                client.submit(work, (&first,))
            })
            .collect();
        drop((client, first, rest));
        until("all is gone", || census.alive() == 0 && Arc::strong_count(&witness) == 1);
    }
}
