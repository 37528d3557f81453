//! Waits inside of tasks, where few threads stand in for those that wait, or none.

use std::sync::Arc;

use loom::future::block_on;

use super::graph::client::{Client, TaskFuture};
use super::graph::delayed::{all, delayed};
use super::graph::{Context, StandIns};
use super::{Runs, Witness, check, compute};
use crate::{Error, Result};

pub(super) const MODELS: [(&str, fn()); 9] = [
    ("waits in executors run or fail without stand-ins", in_executors_without_stand_ins),
    ("a wait in an executor has the one stand-in", in_an_executor_with_one_stand_in),
    ("waits of both kinds one below the other run or fail", of_both_kinds),
    ("helpers of a run within a task wait for its client", in_helpers),
    ("tasks of two clients wait for each other", of_two_clients),
    ("a wait hears that the awaited task is cancelled", for_a_task_that_is_cancelled),
    ("a task is cancelled while it waits", in_a_task_that_is_cancelled),
    ("a client is restarted while its task waits", in_a_client_that_is_restarted),
    ("two tasks that wait for each other fail", of_two_for_each_other),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Wait,
    Executor,
}

impl By {
    fn value(self, task: &TaskFuture<u32>) -> Result<u32> {
        match self {
            Self::Wait => task.wait(),
            Self::Executor => block_on(task.shared()).map(|value| *value),
        }
    }
}

const BOTH: [By; 2] = [By::Wait, By::Executor];

fn context(threads: usize, (blocked, elsewhere): (usize, usize)) -> Context {
    Context { threads, stand_ins: StandIns { blocked, elsewhere }, ..Context::default() }
}

/// A client of one thread, and so many that may stand in for it: where it blocks, and elsewhere.
fn client(stand_ins: (usize, usize)) -> Client {
    Client::of(context(1, stand_ins))
}

/// A task that waits for one of another client, or of its own.
fn waiting(mine: &Client, other: &Client, by: By, runs: &Runs) -> TaskFuture<u32> {
    let (other, runs) = (other.clone(), runs.clone());
    mine.compute(delayed(1).try_map(move |n| {
        runs.ran(0);
        by.value(&other.compute(delayed(*n).map(runs.task(1))))
    }))
}

fn is_too_deep(error: &Error) -> bool {
    error.to_string().contains("too deep")
}

fn in_executors_without_stand_ins() {
    check(3, |witness| {
        let runs = Runs::new(2, witness);
        let client = client((0, 0));
        let error = block_on(waiting(&client, &client, By::Executor, &runs).shared());
        assert!(is_too_deep(&error.expect_err("no thread is left for it")));
        assert_eq!(runs.all(), [1, 0]);
    });
}

fn in_an_executor_with_one_stand_in() {
    for stand_ins in [(1, 0), (0, 1)] {
        check(2, move |witness| {
            let runs = Runs::new(2, witness);
            let client = client(stand_ins);
            let value = block_on(waiting(&client, &client, By::Executor, &runs).shared());
            assert_eq!(*value.expect("nothing fails"), 2);
            assert_eq!(runs.all(), [1; 2]);
        });
    }
}

/// A task that waits for one that waits.
fn row(above: By, below: By, stand_ins: (usize, usize), witness: &Witness) -> Result<u32> {
    let runs = Runs::new(2, witness);
    let client = client(stand_ins);
    let mine = client.clone();
    let top = client
        .compute(delayed(1).try_map(move |_| above.value(&waiting(&mine, &mine, below, &runs))));
    block_on(top.shared()).map(|value| *value)
}

fn of_both_kinds() {
    for (above, below) in [(By::Wait, By::Executor), (By::Executor, By::Wait)] {
        // A thread that blocks runs what it waits for; one in an executor needs another.
        check(2, move |witness| assert_eq!(row(above, below, (0, 1), witness).ok(), Some(2)));
        check(2, move |witness| {
            assert!(is_too_deep(
                &row(above, below, (0, 0), witness).expect_err("it needs a thread")
            ));
        });
    }
    check(1, |witness| {
        let value = row(By::Executor, By::Executor, (0, 2), witness);
        assert_eq!(value.ok(), Some(2));
    });
    check(2, |witness| {
        let value = row(By::Executor, By::Executor, (0, 1), witness);
        assert!(is_too_deep(&value.expect_err("it needs two threads")));
    });
}

fn in_helpers() {
    for by in BOTH {
        check(1, move |witness| {
            let runs = Runs::new(2, witness);
            let client = client((0, 1));
            let mine = client.clone();
            let task = client.compute(delayed(1).try_map(move |_| {
                // Either on the thread of the client or on that of a helper.
                let parts = (0..2).map(|part| {
                    let (mine, runs) = (mine.clone(), runs.clone());
                    delayed(1).try_map(move |n| match part {
                        0 => Ok(*n),
                        _ => by.value(&mine.compute(delayed(*n).map(runs.task(part)))),
                    })
                });
                let sum = all(parts).map(|parts| parts.iter().map(|n| **n).sum::<u32>());
                compute(&context(2, (0, 0)), &sum)
            }));
            assert_eq!(*block_on(task.shared()).expect("nothing fails"), 3);
        });
    }
}

fn of_two_clients() {
    for by in BOTH {
        check(1, move |witness| {
            let runs = Runs::new(2, witness);
            let (one, other) = (client((0, 1)), client((0, 0)));
            let (mine, others) = (one.clone(), other.clone());
            let task = one.compute(
                delayed(1).try_map(move |_| by.value(&waiting(&others, &mine, by, &runs))),
            );
            assert_eq!(*block_on(task.shared()).expect("nothing fails"), 2);
        });
    }
}

/// A task that waits for one that never has a value.
fn waits_for_ever(client: &Client, by: By, witness: &Witness) -> [TaskFuture<u32>; 2] {
    let held = witness.clone();
    let never = client.compute(delayed(1).map_async(move |_| {
        let held = held.clone();
        async move {
            let () = std::future::pending().await;
            drop(held);
            1
        }
    }));
    let awaited = never.clone();
    let task = client.compute(delayed(1).map(move |_| match by.value(&awaited) {
        Err(Error::Cancelled) => 7,
        other => unreachable!("{other:?}"),
    }));
    [never, task]
}

fn for_a_task_that_is_cancelled() {
    for by in BOTH {
        check(2, move |witness| {
            let client = client((0, 0));
            let [never, task] = waits_for_ever(&client, by, witness);
            assert!(never.cancel());
            assert_eq!(*block_on(task.shared()).expect("it goes on"), 7);
        });
    }
}

fn in_a_task_that_is_cancelled() {
    check(2, move |witness| {
        let client = client((0, 0));
        // The wait ends with the task that waits.
        let [never, task] = waits_for_ever(&client, By::Wait, witness);
        assert!(task.cancel());
        assert!(matches!(block_on(task.shared()), Err(Error::Cancelled)));
        drop(never);
        let runs = Runs::new(1, witness);
        let next = client.compute(delayed(1).map(runs.task(0)));
        assert_eq!(*block_on(next.shared()).expect("nothing fails"), 2);
    });
}

fn in_a_client_that_is_restarted() {
    for by in BOTH {
        check(2, move |witness| {
            let client = client((0, 0));
            let [_never, task] = waits_for_ever(&client, by, witness);
            client.restart();
            assert!(matches!(block_on(task.shared()), Err(Error::Cancelled)));
            let runs = Runs::new(1, witness);
            let next = client.compute(delayed(1).map(runs.task(0)));
            assert_eq!(*block_on(next.shared()).expect("nothing fails"), 2);
        });
    }
}

fn of_two_for_each_other() {
    for stand_ins in [(0, 0), (1, 0)] {
        check(2, move |witness| {
            let client = client(stand_ins);
            let both: Arc<std::sync::Mutex<Vec<TaskFuture<u32>>>> = Arc::default();
            // Not before both are there.
            let gate = Arc::new(loom::sync::Notify::new());
            let (open, gated, held) = (Arc::clone(&gate), Arc::clone(&both), witness.clone());
            let opened = client.compute(delayed(1).map(move |n| {
                let _ = &held;
                while gated.lock().expect("nothing panics").is_empty() {
                    open.wait();
                }
                *n
            }));
            let waits = |other: usize| {
                let both = Arc::clone(&both);
                client.compute(opened.to_delayed().try_map(move |_| {
                    let other = both.lock().expect("nothing panics")[other].clone();
                    other.wait()
                }))
            };
            let tasks = [waits(1), waits(0)];
            both.lock().expect("nothing panics").extend(tasks.iter().cloned());
            gate.notify();
            for task in tasks {
                let error = block_on(task.shared()).expect_err("it cannot have a value");
                assert!(error.to_string().contains("waits for itself"), "{error}");
            }
            both.lock().expect("nothing panics").clear();
        });
    }
}
