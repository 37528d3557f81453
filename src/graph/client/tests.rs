//! What a client promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;

use futures::executor::block_on;
use futures::{StreamExt, join};

use super::{Client, Status, TaskFuture, as_completed, wait_all, wait_any};
use crate::delayed::{Limit, Retry, all, delayed};
use crate::{Error, Run};

fn clients() -> impl Iterator<Item = Client> {
    (1..4).map(|threads| Run::new().threads(threads).client())
}

/// A task that runs until it is let go, and says when it has started.
struct Gate {
    task: TaskFuture<u32>,
    open: std::sync::mpsc::Sender<()>,
    started: std::sync::mpsc::Receiver<()>,
}

fn gate(client: &Client) -> Gate {
    let ((open, opened), (start, started)) = (channel(), channel());
    let (opened, start) = (std::sync::Mutex::new(opened), std::sync::Mutex::new(start));
    let task = client.submit(
        move || {
            let _ = start.lock().expect("no panic").send(());
            let _ = opened.lock().expect("no panic").recv();
            7
        },
        (),
    );
    Gate { task, open, started }
}

#[test]
fn tasks_run_as_they_are_submitted_and_their_values_are_shared() {
    for client in clients() {
        let base = client.submit(|n: &u64| n + 1, (1,));
        let many = client.map(|n: &u64| n * 2, 0..100);
        let sums: Vec<_> =
            many.iter().map(|n| client.submit(|a: &u64, b: &u64| a + b, (n, &base))).collect();
        let sums = block_on(client.gather(sums)).expect("nothing fails");
        assert_eq!(sums, Vec::from_iter((0..100).map(|n| n * 2 + 2)));
        assert_eq!(base.status(), Status::Done);
    }
}

#[test]
fn one_task_that_fails_fails_those_that_need_it_and_no_other() {
    for client in clients() {
        let bad = client.try_submit(|| "x".parse::<u32>(), ());
        let after = client.submit(|n: &u32| n + 1, (&bad,));
        let good = client.submit(|| 3, ());
        let (bad, after, good) =
            block_on(async { join!(bad.shared(), after.shared(), good.shared()) });
        let said = bad.expect_err("no number").to_string();
        assert!(said.contains("invalid digit"), "{said}");
        assert_eq!(after.expect_err("it needs the other").to_string(), said);
        assert_eq!(*good.expect("it needs nobody"), 3);
    }
}

#[test]
fn what_is_dropped_before_it_began_never_runs() {
    let client = Run::new().threads(1).client();
    let gate = gate(&client);
    let ran = Arc::new(AtomicBool::new(false));
    let never = client.submit(
        {
            let ran = Arc::clone(&ran);
            move || ran.store(true, SeqCst)
        },
        (),
    );
    gate.started.recv().expect("it starts");
    drop(never);
    gate.open.send(()).expect("it waits");
    assert_eq!(client.submit(|| 1, ()).wait().expect("it runs"), 1);
    assert!(!ran.load(SeqCst));
}

#[test]
fn a_cancelled_task_that_returns_late_is_for_nothing_and_harms_nobody() {
    let client = Run::new().threads(1).client();
    let gate = gate(&client);
    gate.started.recv().expect("it starts");
    assert_eq!(gate.task.status(), Status::Running);
    assert!(gate.task.cancel());
    assert!(!gate.task.cancel());
    assert!(matches!(gate.task.wait(), Err(Error::Cancelled)));
    let text = client.info().to_string();
    assert!(text.ends_with("thread 0: a task that was given up"), "{text}");
    // And begun again while the first is still at it.
    gate.task.retry();
    assert_eq!(gate.task.status(), Status::Waiting);
    gate.open.send(()).expect("it waits");
    drop(gate.open);
    assert_eq!(gate.task.wait().expect("the second one ends"), 7);
}

#[test]
fn dropping_the_last_future_drops_a_future_in_flight() {
    let client = Client::local();
    let (held, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
    let task = client.compute(delayed(()).map_async(move |_| {
        let held = held.clone();
        async move {
            let () = std::future::pending().await;
            drop(held);
        }
    }));
    drop(task);
    // The last sender goes with the task.
    assert_eq!(dropped.blocking_recv(), None);
}

#[test]
fn a_restarted_client_has_forgotten_all_and_works() {
    let client = Run::new().threads(1).client();
    let kept = client.submit(|| 1, ());
    wait_all_now(std::slice::from_ref(&kept));
    let gate = gate(&client);
    gate.started.recv().expect("it starts");
    client.restart();
    assert_eq!((kept.status(), gate.task.status()), (Status::Cancelled, Status::Cancelled));
    // The only thread is still at the old task: there is a new one.
    assert_eq!(client.submit(|| 2, ()).wait().expect("it runs"), 2);
    drop(gate.open);
    kept.retry();
    assert_eq!(kept.wait().expect("it runs again"), 1);
}

fn wait_all_now<T>(futures: &[TaskFuture<T>]) {
    block_on(wait_all(futures));
}

#[test]
fn futures_come_as_they_end_and_more_may_be_added() {
    for client in clients() {
        let mut completed = as_completed(client.map(|n: &u32| *n, 0..50));
        let seen = block_on(async {
            let mut seen = Vec::new();
            while let Some(future) = completed.next().await {
                let n = future.await.expect("nothing fails");
                if n < 50 {
                    completed.add(client.submit(|n: &u32| n + 50, (n,)));
                }
                seen.push(n);
            }
            seen
        });
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, Vec::from_iter(0..100));
    }
}

#[test]
fn any_of_many_is_waited_for() {
    let client = Run::new().threads(2).client();
    let gate = gate(&client);
    gate.started.recv().expect("it starts");
    let waited = block_on(wait_any([gate.task.clone(), client.submit(|| 5, ())]));
    assert_eq!(waited.rest.len(), 1);
    assert_eq!(waited.ended[0].wait().expect("it runs"), 5);
    drop(gate.open);
    assert!(block_on(wait_any(Vec::<TaskFuture<u32>>::new())).ended.is_empty());
}

#[test]
fn a_limit_is_kept_across_clients() {
    let limit = Limit::new(2);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients = [Run::new().threads(3).client(), Run::new().threads(3).client()];
    let tasks = (0..40).map(|n| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        let task = delayed(n).map(move |n| {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::yield_now();
            now.fetch_sub(1, SeqCst);
            *n
        });
        clients[n % 2].compute(task.limited(&limit))
    });
    let tasks: Vec<_> = tasks.collect();
    let values = block_on(clients[0].gather(tasks)).expect("nothing fails");
    assert_eq!(values, Vec::from_iter(0..40));
    assert!((1..=2).contains(&most.load(SeqCst)));
}

#[test]
fn tries_go_on_as_the_policy_says() {
    let tries = Arc::new(AtomicUsize::new(0));
    let failing = |worth: bool| {
        let tries = Arc::clone(&tries);
        tries.store(0, SeqCst);
        let retry = Retry::times(3).pause(std::time::Duration::from_millis(1)).when(move |_| worth);
        delayed(())
            .try_map(move |()| match tries.fetch_add(1, SeqCst) {
                3 => Ok("here"),
                _ => Err("not yet"),
            })
            .retry(retry)
    };
    for client in clients() {
        assert_eq!(client.compute(failing(true)).wait().expect("the fourth does it"), "here");
        assert_eq!(tries.load(SeqCst), 4);
        assert!(client.compute(failing(false)).wait().is_err());
        assert_eq!(tries.load(SeqCst), 1);
    }
}

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
        assert!(said.contains("block holds 1 bytes for a handle"), "{said}");
        drop(blocks);
        assert_eq!(block(7).wait().expect("there is room again"), 7);
    }
}

#[test]
fn a_client_says_what_it_does() {
    let client = Run::new().threads(1).memory(1 << 20).client();
    let gate = gate(&client);
    gate.started.recv().expect("it starts");
    let waiting = client.submit(|n: &u32| *n, (&gate.task,));
    let kept = client.compute(all([delayed(1)]).weighed(|_| 2048));
    let text = client.info().to_string();
    assert!(text.contains("thread 0: submit (src/graph/client/tests.rs"), "{text}");
    drop(gate.open);
    wait_all_now(&[waiting]);
    wait_all_now(std::slice::from_ref(&kept));
    let text = client.info().to_string();
    assert!(text.contains("values hold 2.00 KiB of 1.00 MiB"), "{text}");
    assert!(text.ends_with("thread 0: idle"), "{text}");
}

#[test]
fn a_task_may_submit_tasks_and_wait_for_them() {
    for threads in 1..4 {
        let client = Run::new().threads(threads).client();
        let inner = client.clone();
        let sum = client.submit(
            move |n: &u32| inner.submit(|n: &u32| n + 1, (*n,)).wait().expect("it runs"),
            (3,),
        );
        assert_eq!(sum.wait().expect("it runs"), 4);
    }
}

#[test]
fn what_outlives_its_client_is_done_and_the_threads_go_home() {
    let future = Client::local().submit(|| 1, ());
    assert_eq!(future.wait().expect("the future keeps it open"), 1);
    let (held, dropped) = channel::<()>();
    let client = Client::local();
    let kept = client.submit(
        move || {
            let _ = &held;
        },
        (),
    );
    wait_all_now(std::slice::from_ref(&kept));
    drop((client, kept));
    assert!(dropped.recv().is_err(), "the task is gone");
}
