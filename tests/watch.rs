//! What those who watch are told of real runs.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread::{self, ThreadId};

use creel::Run;
use creel::delayed::{Delayed, all, delayed};
use creel::watch::{Event, Observer, Profile, Trace, What};
use futures::TryStreamExt;
use futures::executor::block_on;
use serde_json::Value;

/// Tasks of all sorts: at once, futures, such as fail at first, run others, or become others.
fn mixed(observer: &Arc<impl Observer + 'static>) -> Delayed<u64> {
    let plain = (0..100_u64).map(|n| delayed(n).map(|n| n + 1).named("plain"));
    let futures = (0..100_u64).map(|n| delayed(n).map_async(later).named("future"));
    let flaky = (0..20_u64).map(|n| {
        let tries = AtomicU32::new(0);
        let once = move |n: &u64| match tries.fetch_add(1, Relaxed) {
            0 => Err("not yet"),
            _ => Ok(*n),
        };
        delayed(n).try_map(once).named("flaky").retry(1)
    });
    let outer = (0..20_u64).map(|n| {
        let observer = Arc::clone(observer);
        let inner = all((0..5).map(|i| delayed(i).map(|i| i + 1).named("inner")));
        let sum = inner.map(|values| values.iter().map(|value| **value).sum::<u64>());
        let work = move |_: &u64| Run::new().observer(Arc::clone(&observer)).compute_blocking(&sum);
        delayed(n).try_map(work).named("outer")
    });
    let grown = (0..100_u64).map(|n| delayed(n).then(|n| delayed(*n)).named("grown"));
    let tasks: Vec<_> = plain.chain(futures).chain(flaky).chain(outer).chain(grown).collect();
    all(tasks).map(|values| values.iter().map(|value| **value).sum())
}

/// The number, after having been woken once.
async fn later(n: Arc<u64>) -> u64 {
    let mut woken = false;
    poll_fn(|context| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    *n
}

/// What [`mixed`] makes.
const MIXED: u64 = 5050 + 4950 + 190 + 20 * 15 + 4950;

#[test]
fn a_profile_counts_every_task_once() {
    let profile = Arc::new(Profile::new());
    let run = Run::new().threads(4).observer(Arc::clone(&profile));
    assert_eq!(run.compute_blocking(&mixed(&profile)).expect("it is tried again"), MIXED);
    drop(run);
    let kinds = profile.kinds();
    let of = |name: &str| kinds.iter().find(|kind| kind.name == name).expect("it ran");
    for (name, tasks) in [
        ("plain", 100),
        ("future", 100),
        ("flaky", 20),
        ("outer", 20),
        ("inner", 100),
        ("grown", 100),
    ] {
        assert_eq!((of(name).tasks, of(name).failed), (tasks, 0), "{name}");
    }
    assert_eq!(of("flaky").retried, 20);
    assert_eq!(profile.under_way(), 0, "{kinds:?}");
    assert!(profile.utilisation() <= 1.0, "{profile}");
}

#[test]
fn a_profile_tells_what_was_read() {
    let log = std::fs::read_to_string("fixtures/access.log").expect("the log is there");
    let (bytes, lines) = (log.len() as u64, log.lines().count() as u64);
    let read = |profile: &Profile| {
        let kinds = profile.kinds();
        (kinds.iter().map(|k| k.bytes).sum::<u64>(), kinds.iter().map(|k| k.records).sum::<u64>())
    };
    let bag = creel::read_text("fixtures/access.log").expect("a pattern");
    for ordered in [false, true] {
        let profile = Arc::new(Profile::new());
        let run = Run::new().observer(Arc::clone(&profile));
        if ordered {
            run.compute_blocking(&bag.clone().take(usize::MAX)).expect("the log is there");
        } else {
            run.compute_blocking(&bag.clone().count()).expect("the log is there");
        }
        assert_eq!(read(&profile), (bytes, lines));
    }
    let profile = Arc::new(Profile::new());
    let run = Run::new().observer(Arc::clone(&profile));
    run.compute_blocking(&creel::Bag::from_iter(0..5000).count()).expect("nothing fails");
    assert_eq!(read(&profile), (0, 5000));
}

#[test]
fn lanes_of_takes_and_streams_are_tasks_that_observers_see() {
    let log = std::fs::read_to_string("fixtures/access.log").expect("the log is there");
    let (bytes, lines) = (log.len() as u64, log.lines().count() as u64);
    let bag = creel::read_text("fixtures/access.log").expect("a pattern");
    for streams in [false, true] {
        let profile = Arc::new(Profile::new());
        let run = Run::new().threads(3).observer(Arc::clone(&profile));
        let records = match streams {
            true => block_on(run.stream(bag.clone()).try_collect::<Vec<_>>()),
            false => run.compute_blocking(&bag.clone().take(usize::MAX)),
        };
        assert_eq!(records.expect("the log is there").len() as u64, lines);
        let kinds = profile.kinds();
        let lanes = kinds.iter().find(|kind| kind.name == "lane").expect("they are tasks");
        assert_eq!((lanes.tasks, lanes.failed), (3, 0), "{kinds:?}");
        assert_eq!((lanes.bytes, lanes.records), (bytes, lines), "they read all");
        assert_eq!(profile.under_way(), 0, "{kinds:?}");
    }
}

#[test]
fn the_tasks_on_a_thread_of_a_trace_nest() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("trace.json");
    let trace = Arc::new(Trace::create(&path).expect("it can be written"));
    let run = Run::new().threads(4).observer(Arc::clone(&trace));
    assert_eq!(run.compute_blocking(&mixed(&trace)).expect("it is tried again"), MIXED);
    drop(run);
    trace.finish().expect("it was written");
    let text = std::fs::read_to_string(&path).expect("it is there");
    let events: Vec<Value> = serde_json::from_str(&text).expect("it is JSON");
    let of = |phase: &'static str| events.iter().filter(move |event| event["ph"] == phase);

    let mut threads: HashMap<u64, Vec<(u64, u64)>> = HashMap::new();
    for event in of("X") {
        let (start, took) = (nanos(&event["ts"]), nanos(&event["dur"]));
        let thread = event["tid"].as_u64().expect("a number");
        threads.entry(thread).or_default().push((start, start + took));
    }
    for (thread, mut spans) in threads {
        assert!(of("M").any(|name| name["tid"] == thread), "thread {thread} has no name");
        spans.sort_by_key(|&(start, end)| (start, std::cmp::Reverse(end)));
        let mut open: Vec<u64> = Vec::new();
        for (start, end) in spans {
            open.retain(|&outer| outer > start);
            assert!(open.iter().all(|&outer| end <= outer), "{start} to {end} on {thread}");
            open.push(end);
        }
    }
    assert_eq!(of("b").count(), of("e").count());
    assert!(of("b").filter(|event| event["name"] == "future").count() >= 100);
    assert_eq!(of("i").filter(|event| event["name"] == "retried").count(), 20);
    let work = |kind: &'static str| of("X").filter(move |event| event["name"] == kind).count();
    assert!((work("plain"), work("inner")) == (100, 100) && work("flaky") == 40);
}

/// A time of a trace.
fn nanos(micros: &Value) -> u64 {
    (micros.as_f64().expect("a number") * 1000.0).round() as u64
}

/// Writes down what it is told of each task, and by which thread.
#[derive(Default)]
struct Book(Mutex<HashMap<u64, Vec<(&'static str, ThreadId)>>>);

impl Observer for Book {
    fn event(&self, event: &Event<'_>) {
        let what = match event.what {
            What::Started => "started",
            What::Waiting => "waiting",
            What::Retried { .. } => "retried",
            What::Done => "done",
            What::Failed { .. } => "failed",
            What::Dropped => "dropped",
            _ => return,
        };
        let mut book = self.0.lock().expect("nobody panics");
        book.entry(event.task.id).or_default().push((what, thread::current().id()));
    }
}

#[test]
fn what_a_thread_starts_ends_on_that_thread() {
    let book = Arc::new(Book::default());
    let run = Run::new().threads(4).observer(Arc::clone(&book));
    assert_eq!(run.compute_blocking(&mixed(&book)).expect("it is tried again"), MIXED);
    drop(run);
    for (id, told) in &*book.0.lock().expect("nobody panics") {
        let starts = told.iter().enumerate().filter(|(_, (what, _))| *what == "started");
        for (at, (_, thread)) in starts {
            let (what, ended_by) = told.get(at + 1).expect("it ended");
            assert!(*what != "started" && thread == ended_by, "task {id}: {told:?}");
        }
        assert_eq!(told.iter().filter(|(what, _)| *what == "done").count(), 1, "{told:?}");
    }
}

#[test]
fn the_tasks_of_an_inner_run_are_told_to_its_own_observers() {
    let (outer, inner) = (Arc::new(Profile::new()), Arc::new(Profile::new()));
    let watched = Run::new().observer(Arc::clone(&inner));
    let task = delayed(20).try_map(move |n| {
        let more = delayed(*n).map(|n| n + 1).named("inside");
        watched.compute_blocking(&more)
    });
    let run = Run::new().observer(Arc::clone(&outer));
    assert_eq!(run.compute_blocking(&task.named("outside")).expect("nothing fails"), 21);
    let names = |profile: &Profile| -> Vec<String> {
        let names = profile.kinds().into_iter().map(|kind| kind.name);
        names.filter(|name| name.ends_with("side")).collect()
    };
    assert_eq!((names(&outer), names(&inner)), (vec!["outside".into()], vec!["inside".into()]));
}
