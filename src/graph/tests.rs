//! What the engine promises, with graphs made by chance and by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::delayed::{Delayed, all, call, delayed, join};
use super::{Context, Name, Node, Outcome, run, typed};
use crate::spill::Budget;
use crate::{Error, Result, Run};

pub(super) fn on<T: Clone + Send + Sync + 'static>(threads: usize, task: &Delayed<T>) -> Result<T> {
    Run::new().threads(threads).compute_blocking(task)
}

/// Waits until something that goes on elsewhere has come to its end.
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::yield_now();
    }
}

/// Values that are alive, now and at most.
#[derive(Clone, Default)]
pub(super) struct Census(Arc<(AtomicUsize, AtomicUsize)>);

pub(super) struct Counted(pub(super) u64, Census);

impl Census {
    pub(super) fn value(&self, value: u64) -> Counted {
        let alive = self.0.0.fetch_add(1, SeqCst) + 1;
        self.0.1.fetch_max(alive, SeqCst);
        Counted(value, self.clone())
    }

    pub(super) fn alive(&self) -> usize {
        self.0.0.load(SeqCst)
    }

    fn most(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.0.0.fetch_sub(1, SeqCst);
    }
}

/// A graph as a table: for each task the earlier ones it needs, and whether it fails.
pub(super) type Table = Vec<(Vec<prop::sample::Index>, bool)>;

pub(super) fn tables(most: usize, failing: f64) -> impl Strategy<Value = Table> {
    let inputs = prop::collection::vec(any::<prop::sample::Index>(), 0..5);
    prop::collection::vec((inputs, prop::bool::weighted(failing)), 1..most)
}

/// What each task comes to, evaluated in order; `None` where it or one below it fails.
pub(super) fn expected(table: &Table) -> Vec<Option<u64>> {
    let mut values: Vec<Option<u64>> = Vec::new();
    for (n, (inputs, fails)) in table.iter().enumerate() {
        let inputs: &[_] = if n == 0 { &[] } else { inputs };
        let sum = inputs.iter().try_fold(n as u64, |sum, i| {
            values[i.index(n)].map(|value| sum.wrapping_mul(31).wrapping_add(value))
        });
        values.push(sum.filter(|_| !fails));
    }
    values
}

/// The same as tasks, every third a future, every fifth made only when its inputs are known.
pub(super) fn tasks(table: &Table, runs: &Arc<Vec<AtomicUsize>>) -> Vec<Delayed<u64>> {
    let mut tasks: Vec<Delayed<u64>> = Vec::new();
    for (n, (inputs, fails)) in table.iter().enumerate() {
        let inputs: &[_] = if n == 0 { &[] } else { inputs };
        let needed = all(inputs.iter().map(|i| tasks[i.index(n)].clone()));
        let (fails, runs) = (*fails, Arc::clone(runs));
        let work = move |values: &Vec<Arc<u64>>| {
            runs[n].fetch_add(1, SeqCst);
            let sum = |sum: u64, value: &Arc<u64>| sum.wrapping_mul(31).wrapping_add(**value);
            if fails { Err("fails") } else { Ok(values.iter().fold(n as u64, sum)) }
        };
        tasks.push(match n % 15 {
            0 | 3 | 6 | 9 | 12 => needed.try_map_async(move |values| {
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
        });
    }
    tasks
}

/// A future that is woken before it has gone to sleep.
pub(super) struct YieldOnce(pub(super) bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut self.0, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    }
}

fn agrees(table: &Table, threads: usize) {
    let runs: Arc<Vec<AtomicUsize>> = Arc::new(table.iter().map(|_| 0.into()).collect());
    let expected = expected(table);
    let computed = Run::new().threads(threads).compute_blocking(&tasks(table, &runs));
    match expected.into_iter().collect::<Option<Vec<u64>>>() {
        Some(values) => assert_eq!(computed.expect("nothing fails"), values),
        None => assert!(matches!(computed, Err(Error::Task { .. })), "{computed:?}"),
    }
    assert!(runs.iter().all(|runs| runs.load(SeqCst) <= 1), "a task ran twice");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_graph_made_by_chance_agrees_with_its_plain_evaluation(
        table in tables(200, 0.0), threads in 1..5_usize
    ) {
        agrees(&table, threads);
    }

    #[test]
    fn with_failures_in_it_the_run_fails_and_each_task_runs_once_at_most(
        table in tables(200, 0.02), threads in 1..5_usize
    ) {
        agrees(&table, threads);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    #[test]
    fn a_large_graph_made_by_chance_agrees_with_its_plain_evaluation(
        table in tables(10_000, 0.00005), threads in 1..4_usize
    ) {
        agrees(&table, threads);
    }
}

#[test]
fn a_tree_over_many_leaves_keeps_few_values_alive() {
    for threads in [1, 3] {
        let census = Census::default();
        let leaf = |n| {
            let census = census.clone();
            delayed(n).map(move |n| census.value(*n))
        };
        let mut level: Vec<Delayed<Counted>> = (0..100_000).map(leaf).collect();
        while level.len() > 1 {
            let pairs = level.chunks(2).map(|pair| match pair {
                [a, b] => {
                    let census = census.clone();
                    call(move |a: &Counted, b: &Counted| census.value(a.0 + b.0), (a, b))
                }
                _ => pair[0].clone(),
            });
            level = pairs.collect();
        }
        let sum = level.remove(0).map(|sum| sum.0);
        assert_eq!(on(threads, &sum).expect("nothing fails"), 4_999_950_000);
        // 17 levels, and the value that is being made.
        assert!(census.most() <= threads * 19, "{} on {threads}", census.most());
    }
}

#[test]
fn a_grid_keeps_few_values_alive() {
    for threads in [1, 3] {
        let census = Census::default();
        let mut rows: Vec<Delayed<Counted>> = Vec::new();
        let mut last: Vec<Delayed<Counted>> = Vec::new();
        for row in 0..1000 {
            let mut cells: Vec<Delayed<Counted>> = Vec::new();
            for column in 0..10 {
                let census = census.clone();
                cells.push(match (last.get(column), cells.last()) {
                    (Some(above), Some(left)) => {
                        call(move |a: &Counted, b: &Counted| census.value(a.0 ^ b.0), (above, left))
                    }
                    (Some(one), None) | (None, Some(one)) => {
                        one.map(move |n| census.value(n.0 + 1))
                    }
                    (None, None) => delayed(row).map(move |n| census.value(*n)),
                });
            }
            rows.extend(cells.last().cloned());
            last = cells;
        }
        on(threads, &rows.remove(999).map(|corner| corner.0)).expect("nothing fails");
        // Where more threads than one share it, a slow cell lets the others run ahead of it.
        assert!(threads > 1 || census.most() <= 12, "{}", census.most());
        assert!(census.most() < 1000 + 10 + 3 * threads, "{}", census.most());

        // And as chains beside each other, whose ends meet.
        let census = Census::default();
        let chain = |n| {
            (0..10).fold(delayed(n).map(|n| *n), |chain: Delayed<u64>, _| {
                let census = census.clone();
                chain.map(move |n| census.value(n + 1)).map(|counted| counted.0)
            })
        };
        let sum = all((0..1000).map(chain)).map(|ends| ends.iter().map(|n| **n).sum::<u64>());
        assert_eq!(on(threads, &sum).expect("nothing fails"), 509_500);
        assert!(census.most() <= 2 * threads, "{} on {threads}", census.most());
    }
}

#[test]
fn a_grid_keeps_a_line_and_a_column_alive_at_worst() {
    const ROWS: usize = 300;
    const COLUMNS: usize = 10;
    for threads in [2, 3] {
        let census = Census::default();
        // A cell of the first line waits until the others have come as far as they can without it.
        let reached = Arc::new(std::sync::Barrier::new(2));
        let mut cells: Vec<Delayed<Counted>> = Vec::new();
        for at in 0..ROWS * COLUMNS {
            let (row, column) = (at / COLUMNS, at % COLUMNS);
            let waits = (row, column) == (0, 5) || (row, column) == (ROWS - 1, 4);
            let (census, reached) = (census.clone(), Arc::clone(&reached));
            let made = move |n| {
                if waits {
                    reached.wait();
                }
                census.value(n)
            };
            let (above, left) = (row.checked_sub(1), column.checked_sub(1));
            cells.push(match (above, left) {
                (Some(_), Some(_)) => call(
                    move |a: &Counted, b: &Counted| made(a.0 ^ b.0),
                    (&cells[at - COLUMNS], &cells[at - 1]),
                ),
                (Some(_), None) => cells[at - COLUMNS].map(move |n| made(n.0 + 1)),
                (None, Some(_)) => cells[at - 1].map(move |n| made(n.0 + 1)),
                (None, None) => delayed(7).map(move |n| made(*n)),
            });
        }
        let corner = cells.pop().expect("the last").map(|corner| corner.0);
        on(threads, &corner).expect("nothing fails");
        let most = census.most();
        assert!((ROWS..ROWS + COLUMNS + 3 * threads).contains(&most), "{most} on {threads}");
    }
}

#[test]
fn a_failure_names_the_task_and_the_way_to_it_and_is_told_once() {
    for threads in [1, 2] {
        let bad = delayed(1).map(|_| -> u32 { panic!("out of eggs") }).named("crack");
        let cake = bad.map(|n| n + 1).named("bake").map(|n| n + 1).named("cake");
        let error = on(threads, &cake).expect_err("it panics");
        let said = "the task crack panicked: out of eggs (in cake > bake > crack)";
        assert_eq!(error.to_string(), said);

        let parsed = delayed("x").try_map(|text| text.parse::<u32>()).named("parse");
        let many = parsed.map(|n| n + 1).named("more");
        let error = on(threads, &all(vec![many.clone(), many]).named("all")).expect_err("it fails");
        let Error::Task { task, path, source } = error else { panic!("{error}") };
        assert_eq!((task.as_str(), path.as_str()), ("parse", "all > more > parse"));
        assert!(source.is::<std::num::ParseIntError>());
    }
}

#[test]
fn a_value_that_panics_as_it_is_dropped_is_an_error_and_hangs_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    for threads in [1, 3] {
        let bomb = delayed(1).map(|_| Bomb);
        let after = all((0..10).map(|n| bomb.map(move |_| n))).map(|all| all.len());
        let error = on(threads, &after).expect_err("it panics").to_string();
        assert!(error.contains("panicked: boom"), "{error}");
    }
}

#[test]
fn the_path_to_a_deep_failure_is_cut() {
    let bad = delayed(1).map(|_| -> u32 { panic!() }).named("bottom");
    let top = (0..10_000).fold(bad, |task, n| task.map(|n| n + 1).named(format!("t{n}")));
    let Err(Error::Panic { path, .. }) = on(1, &top) else { panic!("it fails") };
    assert_eq!(path, "t9999 > t9998 > t9997 > t9996 > … > t2 > t1 > t0 > bottom");
}

#[test]
fn of_ten_thousand_tasks_one_fails_and_that_is_what_is_said() {
    let task = |n: u32| {
        let work = |n: &u32| if *n == 7777 { Err(format!("no {n}")) } else { Ok(*n) };
        delayed(n).try_map(work).named("one of many")
    };
    for threads in [1, 4] {
        let error = Run::new().threads(threads).compute_blocking(&all((0..10_000).map(task)));
        let error = error.expect_err("one fails").to_string();
        assert!(error.starts_with("the task one of many failed: no 7777"), "{error}");
    }
}

#[test]
fn a_task_may_compute_other_tasks_on_any_number_of_threads() {
    for threads in [1, 2, 4] {
        let inner = delayed(20).map(|n| n + 1);
        let outer = (0..20).map(|n| {
            let inner = inner.clone();
            delayed(n).try_map(move |n| on(2, &inner).map(|inner| inner + n))
        });
        let sum = all(outer).map(|sums| sums.iter().map(|n| **n).sum::<i32>());
        assert_eq!(on(threads, &sum).expect("nothing fails"), 20 * 21 + 190);
    }
}

#[test]
fn a_million_links_are_run_and_dropped_without_deep_recursion() {
    let mut chain = delayed(0_u32);
    for _ in 0..1_000_000 {
        chain = chain.map(|n| n + 1);
    }
    assert_eq!(on(2, &chain).expect("nothing fails"), 1_000_000);
    drop(chain);
    // Links that hang on what tasks captured.
    let mut nested = delayed(0_u32);
    for _ in 0..100_000 {
        let inner = nested.clone();
        nested = delayed(()).then(move |()| inner.clone());
    }
    assert_eq!(on(1, &nested).expect("nothing fails"), 0);
    drop(nested);
}

#[test]
fn equal_keys_are_one_task_and_a_cycle_through_them_is_an_error() {
    fn round(n: u32) -> Delayed<u32> {
        delayed(n).then(|n| round(*n).map(|n| n + 1)).keyed("round")
    }
    let error = on(2, &round(1)).expect_err("it waits for itself");
    assert!(error.to_string().contains("waits for itself"), "{error}");
    let above = delayed(1).keyed("k").map(|n| n + 1).keyed("k");
    let error = on(2, &above.map(|n| n * 10)).expect_err("two tasks cannot be one");
    assert!(error.to_string().contains("a task that it needs has its key"), "{error}");
    let (number, text) = (delayed(1).keyed("k"), delayed("one").keyed("k"));
    assert_eq!(*on(1, &join((number, text))).expect("two types are two tasks").1, "one");
}

#[test]
fn the_last_holder_of_a_value_is_given_it_uncloned() {
    #[derive(Debug)]
    struct Once;
    impl Clone for Once {
        fn clone(&self) -> Self {
            panic!("cloned")
        }
    }
    let made = delayed(()).map(|()| Once);
    on(2, &made).expect("it is not cloned");
    let seen = made.map(|_| 1);
    crate::compute_all_blocking(&(seen, made)).expect("it is not cloned");
}

#[test]
fn values_of_tasks_are_reserved_of_the_memory_of_their_run() {
    let budget = Arc::new(Budget::new(100, None));
    let context =
        Context { memory: Some(100), budget: Some(Arc::clone(&budget)), ..Context::default() };
    let value = delayed(1).map(|n| *n).weighed(|_| 60);
    let free = Node::new(Name::Only("free"), [Arc::clone(value.node())], |context, _| {
        let free = context.budget.as_ref().map(|budget| budget.free());
        Ok(Outcome::value(free))
    });
    // The value is a root too, so it is held until the end.
    let values = run(&context, &[Arc::clone(value.node()), free]).expect("no failure");
    assert_eq!(*typed::<Option<u64>>(Arc::clone(&values[1])), Some(40));
    assert_eq!(budget.free(), 100, "the run gives back what it reserved");
}
