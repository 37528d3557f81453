//! What tasks that are futures promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::client::TaskFuture;
use super::client_tests::clients;
use super::delayed::{all, delayed};
use super::tests::{YieldOnce, on};

#[test]
fn futures_keep_no_thread_while_they_wait() {
    // More of them wait for each other than there are threads.
    for threads in [1, 2] {
        let barrier = Arc::new(tokio::sync::Barrier::new(20));
        let waits = (0..20).map(|n| {
            let barrier = Arc::clone(&barrier);
            delayed(n).map_async(move |n| {
                let barrier = Arc::clone(&barrier);
                async move {
                    barrier.wait().await;
                    *n
                }
            })
        });
        let sum = all(waits).map(|all| all.iter().map(|n| **n).sum::<i32>());
        assert_eq!(on(threads, &sum).expect("nothing fails"), 190);
    }
}

#[test]
fn a_future_that_fails_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let task = delayed(5).try_map_async({
        let tries = Arc::clone(&tries);
        move |n| {
            let tries = Arc::clone(&tries);
            async move {
                YieldOnce(false).await;
                if tries.fetch_add(1, SeqCst) < 2 { Err("not yet") } else { Ok(*n) }
            }
        }
    });
    assert_eq!(on(1, &task.retry(2)).expect("the third try does it"), 5);
}

#[test]
fn dropping_the_future_of_a_run_drops_what_it_waits_for() {
    let (started, starting) = tokio::sync::oneshot::channel();
    let (held, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
    let started = Arc::new(std::sync::Mutex::new(Some(started)));
    let endless = delayed(()).map_async(move |_| {
        let (held, started) = (held.clone(), Arc::clone(&started));
        async move {
            started.lock().expect("unpoisoned").take().map(|started| started.send(()));
            let () = std::future::pending().await;
            drop(held);
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let run = Box::pin(endless.compute());
        let started = futures::future::select(run, starting).await;
        drop(started);
        // The sender goes with the task; it is the last.
        assert_eq!(dropped.recv().await, None);
    });
}

#[tokio::test]
async fn a_run_works_in_a_runtime_of_one_thread() {
    in_a_runtime().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_works_in_a_runtime_of_more_threads() {
    in_a_runtime().await;
}

/// Tasks that are futures find the caller's runtime.
async fn in_a_runtime() {
    let task = delayed(3).map_async(|n| async move {
        tokio::task::yield_now().await;
        tokio::spawn(async move { *n + 1 }).await.expect("it is not aborted")
    });
    assert_eq!(task.compute().await.expect("nothing fails"), 4);
}

#[test]
fn a_future_that_awaits_a_task_that_needs_its_value_is_told_so() {
    for client in clients() {
        let (sends, comes) = tokio::sync::oneshot::channel::<TaskFuture<u32>>();
        let comes = std::sync::Mutex::new(Some(comes));
        let first = client.compute(delayed(1).try_map_async(move |_| {
            let comes = comes.lock().expect("unpoisoned").take();
            async move { comes.expect("it runs once").await.expect("it is sent").await }
        }));
        let second = client.submit(|n: &u32| n + 1, (&first,));
        assert!(sends.send(second).is_ok());
        let error = first.wait().expect_err("it waits for itself");
        assert!(error.to_string().contains("it waits for itself"), "{error}");
    }
}
