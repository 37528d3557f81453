//! The engine, and what hands blocks to lanes, under a model checker: their sources are built here
//! once more on loom's locks, atomics and threads, and small runs are gone through in every order that
//! two or three preemptions can make. An order in which a wake-up is lost is a deadlock, and that is an error.

#![allow(dead_code, unused_imports, reason = "models use a part of the engine")]
#![allow(
    missing_docs,
    unreachable_pub,
    unnameable_types,
    missing_debug_implementations,
    missing_copy_implementations,
    reason = "the sources are checked where they belong"
)]

mod graph;
mod run;
mod runtime;
mod waits;

/// As in `src/block/mod.rs`, as far as lanes know it.
mod block {
    pub(crate) enum Next<B> {
        Block(B),
        Undecoded(Undecoded),
    }

    pub(crate) struct Undecoded(Box<dyn FnOnce() + Send>);

    impl Undecoded {
        pub(crate) fn new(work: impl FnOnce() + Send + 'static) -> Self {
            Self(Box::new(work))
        }

        pub(crate) fn decode(self) {
            self.0();
        }
    }
}

#[path = "../../src/error/mod.rs"]
mod error;
#[path = "../../src/memory/mod.rs"]
#[allow(dead_code, unused_imports)]
mod memory;
#[path = "../../src/progress.rs"]
mod progress;
#[path = "../../src/spill/mod.rs"]
mod spill;
#[path = "../../src/watch/mod.rs"]
mod watch;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

pub(crate) use error::{Error, Place, Result};
use graph::client::Client;
use graph::delayed::{Delayed, all, call, delayed};
use graph::{Context, Stop};
pub(crate) use progress::Progress;

use libtest_mimic::{Arguments, Trial};
use loom::future::block_on;

/// Goes through the orders of a model, which is given a witness for its tasks to hold: at the end
/// of an order nobody else may.
fn check(preemptions: usize, model: impl Fn(&Witness) + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    let witness = Witness::default();
    let (seen, start) = (witness.clone(), Instant::now());
    builder.check(move || {
        assert_eq!(Arc::strong_count(&seen.0), 2, "what an order leaves behind");
        seen.0.store(seen.0.load(SeqCst) + 1, SeqCst);
        model(&seen);
    });
    assert_eq!(Arc::strong_count(&witness.0), 1, "what the last order leaves behind");
    println!("{} orders in {:?}", witness.0.load(SeqCst), start.elapsed());
}

/// Counts orders, and those who hold it.
#[derive(Clone, Default)]
struct Witness(Arc<AtomicUsize>);

/// How often each task ran.
#[derive(Clone)]
struct Runs(Arc<[AtomicUsize]>, Witness);

impl Runs {
    fn new(tasks: usize, witness: &Witness) -> Self {
        Self((0..tasks).map(|_| AtomicUsize::new(0)).collect(), witness.clone())
    }

    /// A task over a number.
    fn task(&self, n: usize) -> impl Fn(&u32) -> u32 + Send + Sync + 'static {
        let runs = self.clone();
        move |input| {
            runs.ran(n);
            input + 1
        }
    }

    fn ran(&self, task: usize) {
        self.0[task].fetch_add(1, SeqCst);
    }

    fn all(&self) -> Vec<usize> {
        self.0.iter().map(|runs| runs.load(SeqCst)).collect()
    }
}

fn context(threads: usize) -> Context {
    Context { threads, ..Context::default() }
}

fn client(threads: usize) -> Client {
    Client::of(context(threads))
}

fn compute(context: &Context, task: &Delayed<u32>) -> Result<u32> {
    let values = graph::run(context, &[Arc::clone(task.node())])?;
    Ok(values[0].downcast_ref::<u32>().copied().expect("a number"))
}

/// 0, over it 1 and 2, and 3 over these.
fn diamond(runs: &Runs) -> Delayed<u32> {
    let top = delayed(1).map(runs.task(0));
    let (left, right) = (top.map(runs.task(1)), top.map(runs.task(2)));
    let bottom = runs.task(3);
    call(move |left: &u32, right: &u32| bottom(&(left + right)), (left, right))
}

fn a_diamond() {
    check(3, |witness| {
        let runs = Runs::new(4, witness);
        assert_eq!(compute(&context(2), &diamond(&runs)).expect("nothing fails"), 7);
        assert_eq!(runs.all(), [1; 4]);
    });
}

fn chains_beside_each_other_on_three_threads() {
    check(2, |witness| {
        let runs = Runs::new(6, witness);
        let ends =
            all((0..3)
                .map(|n| delayed(n).map(runs.task(n as usize)).map(runs.task(n as usize + 3))));
        let sum = ends.map(|ends| ends.iter().map(|n| **n).sum::<u32>());
        assert_eq!(compute(&context(3), &sum).expect("nothing fails"), 9);
        assert_eq!(runs.all(), [1; 6]);
    });
}

fn a_failure_beside_others() {
    check(3, |witness| {
        let runs = Runs::new(3, witness);
        let bad = delayed(0).map(runs.task(0)).try_map(|_| Err::<u32, _>("no"));
        let good = delayed(0).map(runs.task(1)).map(runs.task(2));
        let both = call(|a: &u32, b: &u32| a + b, (bad, good));
        let error = compute(&context(2), &both).expect_err("one fails");
        assert!(error.to_string().contains("failed: no"), "{error}");
        assert!(runs.all().iter().all(|runs| *runs <= 1));
    });
}

fn a_run_that_is_cancelled_at_any_moment() {
    check(3, |witness| {
        let runs = Runs::new(4, witness);
        let stop = Stop::default();
        let cancels = loom::thread::spawn({
            let stop = stop.clone();
            move || stop.cancel()
        });
        let context = Context { stop, ..context(2) };
        match compute(&context, &diamond(&runs)) {
            Ok(value) => assert_eq!((value, runs.all()), (7, vec![1; 4])),
            Err(error) => assert!(matches!(error, Error::Cancelled), "{error}"),
        }
        assert!(runs.all().iter().all(|runs| *runs <= 1));
        cancels.join().expect("it does not panic");
    });
}

/// Three tasks over a shared one, of which two are wanted and so many may go ahead.
fn taken_in_turn(threads: usize, ahead: usize, witness: &Witness) {
    let runs = Runs::new(4, witness);
    let shared = delayed(1).map(runs.task(0));
    let tasks: Vec<_> = (1..4).map(|n| Arc::clone(shared.map(runs.task(n)).node())).collect();
    let over = {
        let tasks = tasks.clone();
        move |n: usize| tasks.get(n).cloned()
    };
    let (taken, last) = (Arc::new(AtomicUsize::new(0)), runs.clone());
    let takes = Arc::clone(&taken);
    let (context, tasks) = (context(threads), tasks.into_iter());
    let outcome =
        graph::take_in_turn(&context, ("take", ahead), over, tasks, &[], move |_, value| {
            assert_eq!(value.downcast_ref::<u32>(), Some(&3));
            let before = takes.fetch_add(1, SeqCst);
            assert!(ahead > 1 || last.all()[3] == 0, "it went ahead");
            let flow = if before == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
            Ok(graph::Outcome::value(flow))
        });
    outcome.expect("nothing fails");
    assert_eq!(taken.load(SeqCst), 2);
    let ran = runs.all();
    assert!(ran[..3] == [1; 3] && ran[3] <= 1, "{ran:?}");
}

fn tasks_that_are_taken_in_turn() {
    check(3, |witness| taken_in_turn(2, 1, witness));
    check(3, |witness| taken_in_turn(2, 2, witness));
    check(1, |witness| taken_in_turn(3, 3, witness));
}

fn futures_that_come_at_any_moment() {
    check(3, |witness| {
        let runs = Runs::new(3, witness);
        let later = |n: usize| {
            let task = runs.task(n);
            delayed(1).map_async(move |input| {
                let value = task(&input);
                async move { value }
            })
        };
        let bottom = runs.task(2);
        let sum = call(move |a: &u32, b: &u32| bottom(&(a + b)), (later(0), later(1)));
        assert_eq!(compute(&context(1), &sum).expect("nothing fails"), 5);
        assert_eq!(runs.all(), [1; 3]);
    });
}

fn a_task_that_makes_tasks() {
    check(3, |witness| {
        let runs = Runs::new(3, witness);
        let inner = runs.clone();
        let made = delayed(1).map(runs.task(0)).then(move |n| delayed(*n).map(inner.task(1)));
        let beside = delayed(1).map(runs.task(2));
        let sum = call(|a: &u32, b: &u32| a + b, (made, beside));
        assert_eq!(compute(&context(2), &sum).expect("nothing fails"), 5);
        assert_eq!(runs.all(), [1; 3]);
    });
}

fn tasks_submitted_as_the_worker_goes_idle() {
    check(3, |witness| {
        let runs = Runs::new(2, witness);
        let client = client(1);
        let first = client.compute(delayed(1).map(runs.task(0)));
        let second = client.compute(delayed(2).map(runs.task(1)));
        assert_eq!(block_on(first.shared()).as_deref().ok(), Some(&2));
        let third = client.submit(|a: &u32, b: &u32| a + b, (&first, &second));
        assert_eq!(block_on(third.shared()).as_deref().ok(), Some(&5));
        assert_eq!(runs.all(), [1; 2]);
    });
}

fn two_who_wait_for_one_task() {
    check(2, |witness| {
        let runs = Runs::new(1, witness);
        let client = client(1);
        let task = client.compute(delayed(1).map(runs.task(0)));
        let other = loom::thread::spawn({
            let task = task.clone();
            move || block_on(task.shared()).map(|value| *value)
        });
        assert_eq!(block_on(task.shared()).as_deref().ok(), Some(&2));
        assert_eq!(other.join().expect("no panic").ok(), Some(2));
        assert_eq!(runs.all(), [1]);
    });
}

fn one_who_waits_for_a_task_that_is_cancelled() {
    check(3, |witness| {
        let runs = Runs::new(1, witness);
        let client = client(1);
        // Nothing but the cancellation can end it.
        let held = witness.clone();
        let never = client.compute(delayed(1).map_async(move |_| {
            let held = held.clone();
            async move {
                let () = std::future::pending().await;
                drop(held);
                1
            }
        }));
        let above = client.compute(never.to_delayed().map(runs.task(0)));
        let other = loom::thread::spawn(move || block_on(above.shared()).map(|value| *value));
        assert!(never.cancel());
        assert!(matches!(other.join().expect("no panic"), Err(Error::Cancelled)));
        assert_eq!(runs.all(), [0]);
    });
}

fn a_future_that_is_dropped_as_its_task_starts_or_ends() {
    check(2, |witness| {
        let runs = Runs::new(3, witness);
        let client = client(2);
        let base = client.compute(delayed(1).map(runs.task(0)));
        let above = client.compute(base.to_delayed().map(runs.task(1)));
        let other = client.compute(base.to_delayed().map(runs.task(2)));
        drop(base);
        drop(above);
        assert_eq!(block_on(other.shared()).as_deref().ok(), Some(&3));
        let ran = runs.all();
        assert!(ran[0] == 1 && ran[1] <= 1 && ran[2] == 1, "{ran:?}");
    });
}

fn a_task_that_is_cancelled_as_it_starts_or_ends_and_begun_again() {
    check(2, |witness| {
        let runs = Runs::new(2, witness);
        let client = client(2);
        let base = client.compute(delayed(1).map(runs.task(0)));
        let above = client.compute(base.to_delayed().map(runs.task(1)));
        let was_under_way = base.cancel();
        match block_on(above.shared()) {
            Ok(value) => assert!(*value == 3 && !was_under_way),
            Err(error) => assert!(matches!(error, Error::Cancelled) && was_under_way, "{error}"),
        }
        above.retry();
        assert_eq!(block_on(above.shared()).as_deref().ok(), Some(&3));
        let ran = runs.all();
        assert!((1..3).contains(&ran[0]) && ran[1] == 1, "{ran:?}");
    });
}

fn a_task_of_a_future_that_is_cancelled_as_it_comes() {
    check(3, |witness| {
        let runs = Runs::new(2, witness);
        let client = client(1);
        let task = runs.task(0);
        let later = client.compute(delayed(1).map_async(move |input| {
            let value = task(&input);
            async move { value }
        }));
        let above = client.compute(later.to_delayed().map(runs.task(1)));
        let was_under_way = later.cancel();
        match block_on(above.shared()) {
            Ok(value) => assert!(*value == 3 && !was_under_way),
            Err(error) => assert!(matches!(error, Error::Cancelled) && was_under_way, "{error}"),
        }
    });
}

fn a_client_restarted_at_any_moment() {
    check(3, |witness| {
        let runs = Runs::new(2, witness);
        let client = client(1);
        let old = client.compute(delayed(1).map(runs.task(0)));
        client.restart();
        assert!(matches!(block_on(old.shared()), Err(Error::Cancelled)));
        let new = client.compute(delayed(1).map(runs.task(1)));
        assert_eq!(block_on(new.shared()).as_deref().ok(), Some(&2));
    });
}

type Waits = Arc<dyn Fn(&u32) -> u32 + Send + Sync>;

/// A task that waits for another of its client comes to that one's value: it blocks, or waits in an
/// executor of its own.
fn a_wait(below: fn(Delayed<u32>, Waits) -> Delayed<u32>) {
    let wait = move |witness: &Witness, threads: usize, blocks: bool| {
        let runs = Runs::new(2, witness);
        let client = client(threads);
        let waits = {
            let (mine, runs) = (client.clone(), runs.clone());
            move |n: &u32| {
                runs.ran(0);
                let other = mine.compute(delayed(*n).map(runs.task(1)));
                let waited =
                    if blocks { other.wait() } else { block_on(other.shared()).map(|n| *n) };
                waited.expect("nothing fails")
            }
        };
        let task = client.compute(below(delayed(1), Arc::new(waits)));
        assert_eq!(block_on(task.shared()).as_deref().ok(), Some(&2));
        assert_eq!(runs.all(), [1; 2]);
    };
    for blocks in [true, false] {
        check(3, move |witness| wait(witness, 1, blocks));
        check(1, move |witness| wait(witness, 2, blocks));
    }
}

fn a_task_that_waits_for_one_of_its_client() {
    a_wait(|base, waits| base.map(move |n| waits(n)));
}

fn a_task_that_waits_below_one_that_made_it() {
    a_wait(|base, waits| {
        base.then(move |n| {
            let waits = Arc::clone(&waits);
            delayed(*n).map(move |n| waits(n))
        })
    });
}

/// Each waits for the next, which is submitted when it runs.
fn tasks_that_wait_for_each_other_in_a_row() {
    check(1, |witness| {
        let runs = Runs::new(3, witness);
        let client = client(1);
        let submit = |runs: &Runs, client: &Client, n: usize, next: Box<Next>| {
            let (runs, mine) = (runs.clone(), client.clone());
            client.compute(delayed(1).map(move |_| {
                runs.ran(n);
                next(&runs, &mine)
            }))
        };
        let last: fn(&Runs, &Client) -> u32 = |runs, client| {
            let task = runs.task(2);
            client.compute(delayed(1).map(task)).wait().expect("nothing fails")
        };
        let middle = move |runs: &Runs, client: &Client| {
            let task = submit(runs, client, 1, Box::new(last));
            task.wait().expect("nothing fails")
        };
        let first = submit(&runs, &client, 0, Box::new(middle));
        assert_eq!(block_on(first.shared()).as_deref().ok(), Some(&2));
        assert_eq!(runs.all(), [1; 3]);
    });
}

type Next = dyn Fn(&Runs, &Client) -> u32 + Send + Sync;

fn a_task_that_waits_for_itself() {
    check(2, |witness| {
        let client = client(1);
        let slot: Arc<std::sync::Mutex<Option<graph::client::TaskFuture<u32>>>> = Arc::default();
        let (own, held) = (Arc::clone(&slot), witness.clone());
        let task = client.compute(delayed(1).map_async(|n| async move { *n }).map(move |n| {
            let _ = &held;
            let mine = own.lock().expect("nothing panics").clone();
            mine.map_or(*n, |mine| u32::from(mine.wait().is_err()))
        }));
        *slot.lock().expect("nothing panics") = Some(task.clone());
        match block_on(task.shared()) {
            Ok(value) => assert_eq!(*value, 1, "it ran before it could have its future"),
            Err(error) => assert!(error.to_string().contains("waits for itself"), "{error}"),
        }
        *slot.lock().expect("nothing panics") = None;
    });
}

fn main() {
    let models: [(&str, fn()); _] = [
        ("a diamond", a_diamond),
        ("chains beside each other on three threads", chains_beside_each_other_on_three_threads),
        ("a failure beside others", a_failure_beside_others),
        ("a run that is cancelled at any moment", a_run_that_is_cancelled_at_any_moment),
        ("tasks that are taken in turn", tasks_that_are_taken_in_turn),
        ("futures that come at any moment", futures_that_come_at_any_moment),
        ("a task that makes tasks", a_task_that_makes_tasks),
        ("tasks submitted as the worker goes idle", tasks_submitted_as_the_worker_goes_idle),
        ("two who wait for one task", two_who_wait_for_one_task),
        ("one who waits for a task that is cancelled", one_who_waits_for_a_task_that_is_cancelled),
        (
            "a future that is dropped as its task starts or ends",
            a_future_that_is_dropped_as_its_task_starts_or_ends,
        ),
        (
            "a task that is cancelled as it starts or ends, and begun again",
            a_task_that_is_cancelled_as_it_starts_or_ends_and_begun_again,
        ),
        (
            "a task of a future that is cancelled as it comes",
            a_task_of_a_future_that_is_cancelled_as_it_comes,
        ),
        ("a client restarted at any moment", a_client_restarted_at_any_moment),
        ("a task that waits for one of its client", a_task_that_waits_for_one_of_its_client),
        ("a task that waits below one that made it", a_task_that_waits_below_one_that_made_it),
        ("tasks that wait for each other in a row", tasks_that_wait_for_each_other_in_a_row),
        ("a task that waits for itself", a_task_that_waits_for_itself),
    ];
    let models = models.into_iter().chain(waits::MODELS).chain(run::MODELS);
    let trials = models.map(|(name, model)| {
        Trial::test(name, move || {
            model();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
