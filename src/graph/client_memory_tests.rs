//! What a client promises where memory is short.

use std::sync::Arc;

use futures::StreamExt;
use futures::executor::block_on;

use super::client::{Client, Status, TaskFuture, as_completed};
use super::client_tests::{clients, wait_all_now};
use super::tests::until;
use crate::delayed::{all, call, delayed};
use crate::{Error, Run};

#[test]
fn where_memory_is_full_new_tasks_wait_for_handles_to_be_dropped() {
    for threads in 1..3 {
        let client = Run::new().threads(threads).memory(3).client();
        let block = |n: u32| client.compute(delayed(n).map(|n| *n).weighed(|_| 1).named("block"));
        let blocks: Vec<_> = (0..20).map(block).collect();
        // All are wanted, but given one by one, and dropped as they come.
        let mut completed = as_completed(blocks);
        let seen = block_on(async {
            let mut seen = Vec::new();
            while let Some(block) = completed.next().await {
                seen.push(block.await.expect("there is room for it"));
            }
            seen
        });
        assert_eq!(seen.len(), 20);
        assert_eq!(client.info().memory_held, 0);
        // Kept by handles, they do not fit, and who waits for the last is told so.
        let blocks: Vec<_> = (0..20).map(block).collect();
        let error = blocks[19].wait().expect_err("it does not fit");
        let said = error.to_string();
        assert!(said.contains("block holds 1 B for a handle"), "{said}");
        drop(blocks);
        assert_eq!(block(7).wait().expect("there is room again"), 7);
    }
}

#[test]
fn a_task_that_becomes_the_last_user_of_a_value_goes_on_where_memory_is_full() {
    for threads in 1..3 {
        let client = Run::new().threads(threads).memory(1).client();
        let block = client.compute(delayed(1).map(|n| *n).weighed(|_| 1));
        wait_all_now(std::slice::from_ref(&block));
        let after = client.compute(call(|n: &u32| n + 1, (&block,)).weighed(|_| 1));
        drop(block);
        until("it goes on by itself", || after.status() == Status::Done);
    }
}

#[test]
fn a_value_goes_when_its_future_is_dropped_and_those_that_needed_it_have_run() {
    for client in clients() {
        let held = Arc::new(());
        let value = client.submit(
            {
                let held = Arc::clone(&held);
                move || Arc::new(Arc::clone(&held))
            },
            (),
        );
        let after = client.submit(|value: &Arc<Arc<()>>| Arc::strong_count(value), (&value,));
        let task = value.to_delayed();
        drop(value);
        assert!(after.wait().is_ok());
        // The handle keeps it.
        let again = client.compute(task.map(Arc::strong_count));
        assert!(again.wait().is_ok());
        assert_eq!(Arc::strong_count(&held), 3, "the value, and the task that made it");
        drop((task, again));
        until("the value is gone", || Arc::strong_count(&held) == 2);
        drop(after);
        until("the task too", || Arc::strong_count(&held) == 1);
    }
}

#[test]
fn a_task_that_waits_for_one_that_does_not_fit_is_told_so() {
    for client in [1, 2].map(|threads| Run::new().threads(threads).memory(1).client()) {
        let kept = client.compute(delayed(1).map(|n| *n).weighed(|_| 1));
        wait_all_now(std::slice::from_ref(&kept));
        let inner = client.clone();
        let outer = client.submit(
            move || {
                let task = inner.compute(delayed(2).map(|n| *n).weighed(|_| 1));
                matches!(task.wait(), Err(Error::Memory { .. }))
            },
            (),
        );
        assert!(outer.wait().expect("it only waits"));
    }
}

#[test]
fn what_counts_as_nothing_does_not_fail_for_want_of_memory() {
    for threads in 1..4 {
        let block = |n: u32| delayed(n).map(|n| *n).weighed(|_| 1);
        let sums = (0..20).map(|n| call(|a: &u32, b: &u32| a + b, (block(n), 3)));
        let sum = all(sums).map(|sums| sums.iter().map(|n| **n).sum::<u32>());
        let run = Run::new().threads(threads).memory(1);
        assert_eq!(run.compute_blocking(&sum).expect("there is room for one"), 190 + 60);
        let client = run.client();
        assert_eq!(client.compute(sum).wait().expect("there is room for one"), 190 + 60);
    }
}

/// A future that a task is, which awaits a task for which there is no memory.
fn awaits_starved(client: &Client, blocks: bool) -> TaskFuture<bool> {
    let inner = client.clone();
    client.compute(delayed(2).map_async(move |n| {
        let task = inner.compute(delayed(*n).map(|n| *n).weighed(|_| 1));
        async move {
            let ended = if blocks { task.wait() } else { task.await };
            matches!(ended, Err(Error::Memory { .. }))
        }
    }))
}

#[test]
fn a_future_that_awaits_a_task_that_does_not_fit_is_told_so() {
    for threads in [1, 2] {
        for blocks in [false, true] {
            let client = Run::new().threads(threads).memory(1).client();
            let kept = client.compute(delayed(1).map(|n| *n).weighed(|_| 1));
            wait_all_now(std::slice::from_ref(&kept));
            let outer = awaits_starved(&client, blocks);
            assert!(outer.wait().expect("it only waits"));
            // Nobody else has to wait for it.
            let outer = awaits_starved(&client, blocks);
            until("it ends by itself", || outer.status() == Status::Done);
            assert!(outer.wait().expect("it only waits"));
            // What awaits a task for which memory comes free goes on with that.
            let inner = client.clone();
            let (begun, begins) = std::sync::mpsc::channel();
            let other = client.compute(delayed(()).map_async(move |_| {
                begun.send(()).expect("somebody waits for it");
                std::future::pending::<()>()
            }));
            begins.recv().expect("it begins");
            let outer = client.compute(delayed(3).map_async(move |n| {
                let task = inner.compute(delayed(*n).map(|n| *n).weighed(|_| 1));
                async move { task.await.expect("there is room for it") }
            }));
            until("it awaits its task", || client.info().waiting > 0);
            drop(kept);
            assert_eq!(outer.wait().expect("there is room for it"), 3);
            drop(other);
        }
    }
}

#[test]
fn a_future_that_ends_where_memory_is_full_leaves_nobody_waiting() {
    for threads in 1..3 {
        let full = Arc::new(tokio::sync::Notify::new());
        let block = |n: u32| delayed(n).map(|n| *n);
        let slow = block(1).map_async({
            let full = Arc::clone(&full);
            move |n| {
                let full = Arc::clone(&full);
                async move {
                    full.notified().await;
                    // Meanwhile the threads find nothing that they may begin.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    *n
                }
            }
        });
        let others = (0..6).map(|n| {
            let full = Arc::clone(&full);
            block(n).weighed(move |_| {
                full.notify_one();
                1
            })
        });
        let needed = std::iter::once(slow.weighed(|_| 1)).chain(others);
        let sum = all(needed).map(|all| all.iter().map(|n| **n).sum::<u32>());
        let run = Run::new().threads(threads).memory(1);
        let error = run.compute_blocking(&sum).expect_err("there is room for one of them");
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        let error = run.client().compute(sum).wait().expect_err("nor has a client more");
        assert!(matches!(error, Error::Memory { .. }), "{error}");
    }
}
