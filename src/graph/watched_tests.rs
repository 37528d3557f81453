//! What those who watch are told.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::tests::until;
use crate::Run;
use crate::delayed::{all, delayed};
use crate::watch::{Event, Observer, What};

/// Does what it is told at events of one kind.
struct Watches<F>(F);

impl<F: Fn(&What<'_>) + Send + Sync> Observer for Watches<F> {
    fn event(&self, event: &Event<'_>) {
        (self.0)(&event.what);
    }
}

#[test]
fn an_observer_that_panics_ends_a_run_and_hangs_nobody() {
    fn at(kind: usize) -> impl Observer {
        Watches(move |what: &What<'_>| {
            let known = match what {
                What::Planned => 0,
                What::Started => 1,
                What::Waiting => 2,
                What::Done => 3,
                What::Dropped => 4,
                _ => return,
            };
            assert!(known != kind, "I saw it");
        })
    }
    for threads in 1..4 {
        for kind in 0..5 {
            let later = (0..4).map(|n| delayed(n).map_async(|n| async move { *n }).map(|n| n + 1));
            let task = all(later).map(Vec::len);
            let run = Run::new().threads(threads).observer(at(kind));
            let error = run.compute_blocking(&task).expect_err("the observer panics");
            assert!(error.to_string().contains("panicked: in an observer: I saw it"), "{error}");
        }
    }
    for kind in 0..4 {
        let client = Run::new().threads(1).observer(at(kind)).client();
        // A client may tell late of what is planned, and nobody would hear of the panic if the
        // task had its value by then: this one has none until the panic ends it.
        let task = delayed(1).map_async(move |n| async move {
            match kind {
                0 => pending().await,
                _ => *n,
            }
        });
        let error = client.compute(task.named("seen")).wait();
        let error = error.expect_err("the observer panics").to_string();
        assert!(error.contains("panicked: in an observer: I saw it"), "{error}");
        assert!(error.contains("seen"), "{error}");
    }
    // Nobody holds it any more who could be told.
    let client = Run::new().threads(1).observer(at(4)).client();
    for n in 0..3 {
        assert_eq!(client.submit(|n: &u32| n + 1, (n,)).wait().expect("it has ended"), n + 1);
    }
}

#[test]
fn a_client_that_is_watched_lets_go_of_its_last_task() {
    let client = Run::new().threads(1).observer(Watches(|_: &What<'_>| {})).client();
    let held = Arc::new(());
    let task = client.submit(
        {
            let held = Arc::clone(&held);
            move || Arc::strong_count(&held)
        },
        (),
    );
    assert!(task.wait().is_ok());
    drop(task);
    until("nobody holds it", || Arc::strong_count(&held) == 1);
}

/// What happened to the tasks of one kind, in order.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<(String, &'static str)>>>);

impl Observer for Recorded {
    fn event(&self, event: &Event<'_>) {
        let what = match event.what {
            What::Planned => "planned",
            What::Ready => "ready",
            What::Started => "started",
            What::Read { .. } => "read",
            What::Waiting => "waiting",
            What::Retried { .. } => "retried",
            What::Done => "done",
            What::Failed { .. } => "failed",
            What::Dropped => "dropped",
        };
        self.0.lock().expect("no panic").push((event.task.kind.to_owned(), what));
    }
}

impl Recorded {
    fn of(&self, kind: &str) -> String {
        let events = self.0.lock().expect("no panic");
        let of_kind = events.iter().filter(|(of, _)| of == kind).map(|(_, what)| *what);
        of_kind.collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn whoever_watches_is_told_what_happens_to_a_task_in_its_order() {
    for threads in [1, 3] {
        let recorded = Recorded::default();
        let run = Run::new().threads(threads).observer(recorded.clone());
        let tries = AtomicUsize::new(0);
        let first = delayed(()).map(|()| 1).named("first");
        let again = first.try_map(move |n| match tries.fetch_add(1, SeqCst) {
            0 => Err("not yet"),
            _ => Ok(*n),
        });
        let again = again.retry(1).named("again");
        let future = again.map_async(|n| async move { *n }).named("future");
        let bad = future.try_map(|_| Err::<u32, _>("no")).named("bad");
        run.compute_blocking(&bad).expect_err("it fails");
        assert_eq!(recorded.of("first"), "planned ready started done dropped");
        assert_eq!(recorded.of("again"), "planned ready started retried done dropped");
        assert_eq!(recorded.of("future"), "planned ready started waiting done dropped");
        assert_eq!(recorded.of("bad"), "planned ready started failed dropped");
        let unweighed = delayed(1).map(|n| *n).weighed(|_| panic!("no scales")).named("unweighed");
        run.compute_blocking(&unweighed).expect_err("it panics");
        assert_eq!(recorded.of("unweighed"), "planned ready started failed dropped");

        let client = run.client();
        let never = client.compute(delayed(()).map_async(|_| pending::<()>()).named("never"));
        while !recorded.of("never").contains("waiting") {
            std::thread::yield_now();
        }
        drop(never);
        // A client's thread may be quicker than the one that submits.
        let told = recorded.of("never").replace("planned", "");
        assert_eq!(
            told.split_whitespace().collect::<Vec<_>>().join(" "),
            "ready started waiting dropped"
        );
    }
}
