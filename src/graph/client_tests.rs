//! What a client promises.

use std::future::{IntoFuture, pending};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::{FutureExt, StreamExt, join};

use super::client::{Client, Status, TaskFuture, as_completed, wait_all, wait_any};
use super::tests::until;
use crate::delayed::{Limit, Retry, all, call, delayed};
use crate::{Error, Run};

pub(super) fn clients() -> impl Iterator<Item = Client> {
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

#[test]
fn what_was_forgotten_is_begun_anew_and_its_old_futures_may_follow() {
    for keyed in [false, true] {
        let client = Run::new().threads(2).client();
        let base = delayed(1).map(|n| n + 1).named("base");
        let base = if keyed { base.keyed("base") } else { base };
        let sum = base.map(|n| n + 1);
        let old = client.compute(&sum);
        assert_eq!(old.wait().expect("it runs"), 3);
        client.restart();
        assert!(matches!(old.wait(), Err(Error::Cancelled)));
        let new = client.compute(&sum);
        assert_eq!(new.wait().expect("it runs anew"), 3);
        old.retry();
        assert_eq!(old.wait().expect("it has the value of the new one"), 3);
        drop(new);
        assert_eq!((old.status(), client.compute(&base).wait().ok()), (Status::Done, Some(2)));
        client.restart();
        old.retry();
        assert_eq!(old.wait().expect("it runs once more"), 3);
    }
}

#[test]
fn a_task_may_wait_for_its_client_in_an_executor_of_its_own() {
    let client = Run::new().threads(1).client();
    let inner = client.clone();
    let outer = client.submit(
        move || {
            let two = inner.map(|n: &u32| *n, [1, 2]);
            // Asked once, and left lying: it keeps no place beyond this task.
            let never = inner.compute(delayed(()).map_async(|_| pending::<u32>()));
            let mut left = never.into_future();
            assert!((&mut left).now_or_never().is_none());
            let sum: u32 = block_on(async {
                let (a, b) = join!(two[0].shared(), two[1].shared());
                *a.expect("it runs") + *b.expect("it runs")
            });
            let next = block_on(as_completed(inner.map(|n: &u32| *n, [5])).next());
            let next = next.map(|future| future.wait().expect("it has ended"));
            (sum, next, Mutex::new(Some(left)))
        },
        (),
    );
    let waited = block_on(outer.shared()).expect("it ends");
    assert_eq!((waited.0, waited.1), (3, Some(5)));
    assert_eq!(client.submit(|| 4, ()).wait().expect("the client goes on"), 4);
    drop(waited.2.lock().expect("no panic").take());
    assert_eq!(client.submit(|| 5, ()).wait().expect("and on"), 5);
}

pub(super) fn wait_all_now<T>(futures: &[TaskFuture<T>]) {
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
fn a_client_says_what_it_does() {
    let client = Run::new().threads(1).memory(1 << 20).client();
    let gate = gate(&client);
    gate.started.recv().expect("it starts");
    // Neither the 3 nor the 1 is a task.
    let waiting = client.submit(|n: &u32, more: &u32| n + more, (&gate.task, 3));
    let kept = client.compute(all([delayed(1)]).weighed(|_| 2048));
    let text = client.info().to_string();
    assert!(text.contains("thread 0: submit (src/graph/client_tests.rs"), "{text}");
    assert!(text.contains("tasks: 2 waiting, 1 running, 0 done, 0 failed"), "{text}");
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

#[test]
fn tasks_over_one_that_failed_fail_however_they_share_it() {
    for client in clients() {
        let bad = client.try_submit(|| "x".parse::<u32>(), ());
        wait_all_now(std::slice::from_ref(&bad));
        // All of these come in one walk, and some are in vain before those that need them come.
        let one = bad.to_delayed().map(|n| n + 1);
        let two = one.map(|n| n + 1);
        let both = client.compute(call(|a: &u32, b: &u32| a + b, (&one, &two)));
        let said = both.wait().expect_err("it needs the other").to_string();
        assert!(said.contains("invalid digit"), "{said}");
        drop((bad, one, two, both));
        assert_eq!(client.submit(|| 2, ()).wait().expect("it runs"), 2);
    }
}

#[test]
fn a_task_that_had_made_another_and_was_cancelled_can_be_begun_again() {
    let client = Run::new().threads(2).client();
    let gate = gate(&client);
    let times = Arc::new(AtomicUsize::new(0));
    let (made, counted) = (gate.task.to_delayed(), Arc::clone(&times));
    let also_held = client.compute(made.clone());
    let first = client.submit(|| (), ());
    let makes = client.compute(first.to_delayed().then(move |()| {
        counted.fetch_add(1, SeqCst);
        made.clone()
    }));
    until("it has made the other", || times.load(SeqCst) == 1 && makes.status() == Status::Waiting);
    assert!(makes.cancel());
    makes.retry();
    // The end of what it had made is nothing to it before it has made it again.
    drop(gate.open);
    assert_eq!(makes.wait().expect("it runs again"), 7);
    assert_eq!(times.load(SeqCst), 2);
    assert_eq!(also_held.wait().expect("it was never cancelled"), 7);
}

#[test]
fn errors_and_values_may_hold_futures_of_their_client() {
    #[derive(Debug)]
    struct Holds(#[allow(dead_code, reason = "its drop is what counts")] TaskFuture<u32>);
    impl std::fmt::Display for Holds {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("holds a future")
        }
    }
    impl std::error::Error for Holds {}
    for client in clients() {
        let inner = client.clone();
        let fails = client.try_submit(move || Err::<u32, _>(Holds(inner.submit(|| 1, ()))), ());
        assert!(fails.wait().is_err());
        fails.retry();
        assert!(fails.wait().is_err());
        drop(fails);
        let inner = client.clone();
        drop(client.submit(move || Holds(inner.submit(|| 1, ())), ()).shared());
        until("all are gone", || client.info().done + client.info().failed == 0);
    }
}

#[test]
fn a_task_that_outlives_a_restart_may_still_wait_for_others() {
    let client = Run::new().threads(1).client();
    let ((start, started), (open, opened), (say, said)) = (channel(), channel(), channel());
    let (start, opened, say) = (Mutex::new(start), Mutex::new(opened), Mutex::new(say));
    let inner = client.clone();
    let outer = client.submit(
        move || {
            let _ = start.lock().expect("no panic").send(());
            let _ = opened.lock().expect("no panic").recv();
            let waited = inner.submit(|| 5, ()).wait();
            // It was told to end, and so does not wait; but the value may be there at once.
            let ends = matches!(waited, Ok(5) | Err(Error::Cancelled));
            let _ = say.lock().expect("no panic").send(ends);
        },
        (),
    );
    started.recv().expect("it starts");
    client.restart();
    let () = open.send(()).expect("it waits");
    assert!(said.recv().expect("it goes on"));
    assert_eq!(client.submit(|| 2, ()).wait().expect("it runs"), 2);
    drop(outer);
}

#[test]
fn a_task_that_is_cancelled_cancels_what_it_computes() {
    let client = Run::new().threads(1).client();
    let ((start, started), (say, said)) = (channel(), channel());
    let (start, say) = (std::sync::Mutex::new(start), std::sync::Mutex::new(say));
    let outer = client.submit(
        move || {
            let start = start.lock().expect("no panic").clone();
            let endless = delayed(()).map_async(move |_| {
                let _ = start.send(());
                std::future::pending::<u32>()
            });
            let _ = say.lock().expect("no panic").send(endless.compute_blocking());
        },
        (),
    );
    started.recv().expect("the inner one starts");
    drop(outer);
    assert!(matches!(said.recv(), Ok(Err(Error::Cancelled))));
}

#[test]
fn a_runtime_that_is_shut_down_takes_its_runs_with_it() {
    for workers in 1..3 {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).build().expect("a runtime");
        let (start, started) = channel();
        let held = Arc::new(());
        let endless = (0..10).map(|n| {
            let (start, held) = (start.clone(), Arc::clone(&held));
            delayed(n).map_async(move |_| {
                let (start, held) = (start.clone(), Arc::clone(&held));
                async move {
                    let _ = start.send(());
                    let () = std::future::pending().await;
                    drop(held);
                }
            })
        });
        let sum = all(endless).map(Vec::len);
        runtime.spawn(async move { sum.compute().await });
        started.recv().expect("one starts");
        drop(runtime);
        until("its tasks are dropped", || Arc::strong_count(&held) == 1);
    }
}

#[test]
fn what_a_future_has_thrown_may_panic_as_it_is_dropped() {
    struct Thrown;
    impl Drop for Thrown {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    let throws = delayed(()).map_async(|_| async { std::panic::panic_any(Thrown) }).named("throws");
    let error = Client::local().compute(throws).wait().expect_err("it panics");
    assert!(error.to_string().starts_with("the task throws panicked"), "{error}");
}
