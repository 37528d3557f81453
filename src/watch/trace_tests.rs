//! A trace is a file that viewers open, whatever happens.

use std::fs;

use proptest::prelude::*;
use serde_json::Value;

use super::tests::Story;
use super::{Trace, What};
use crate::Error;

/// What is in the file after these events.
fn traced(tell: impl FnOnce(&Story<'_>)) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let trace = Trace::create(&path).unwrap();
    tell(&Story::of(&trace));
    trace.finish().unwrap();
    let Value::Array(events) = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap() else {
        panic!("not an array");
    };
    events
}

fn phase<'e>(events: &'e [Value], phase: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["ph"] == phase).collect()
}

#[test]
fn work_waiting_and_failures_are_told() {
    let error = Error::Cancelled;
    let events = traced(|story| {
        story.at(1000, "get \"it\"", 7, What::Ready);
        story.at(1002, "get \"it\"", 7, What::Started);
        story.at(1005, "get \"it\"", 7, What::Waiting);
        story.at(1009, "get \"it\"", 7, What::Started);
        story.at(1010, "get \"it\"", 7, What::Read { bytes: 5, records: 1 });
        story.at(1011, "get \"it\"", 7, What::Failed { error: &error });
    });
    let work = phase(&events, "X");
    let durations: Vec<_> = work.iter().map(|event| event["dur"].as_f64().unwrap()).collect();
    assert_eq!(durations, [3000.0, 2000.0]);
    assert_eq!(
        (&work[0]["name"], &work[0]["args"]["task"]),
        (&"get \"it\"".into(), &"get \"it\" 7".into())
    );
    assert_eq!(work[0]["args"]["queued us"], 2000.0);
    let (begin, end) = (phase(&events, "b")[0], phase(&events, "e")[0]);
    assert_eq!(end["ts"].as_f64().unwrap() - begin["ts"].as_f64().unwrap(), 4000.0);
    assert_eq!(phase(&events, "i")[0]["args"]["error"], error.to_string());
    assert_eq!(phase(&events, "C")[0]["args"]["bytes"], 5);
    let names = phase(&events, "M");
    let me = std::thread::current();
    assert_eq!(names[0]["args"]["name"], me.name().unwrap());
}

#[test]
fn a_trace_that_breaks_off_lacks_only_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let trace = Trace::create(&path).unwrap();
    let story = Story::of(&trace);
    for id in 0..1000 {
        story.at(id, "task", id, What::Started);
        story.at(id + 1, "task", id, What::Done);
    }
    // As far as the file was written when the process died.
    let text = fs::read_to_string(&path).unwrap();
    let whole = &text[..text.rfind(",\n").unwrap()];
    let events: Vec<Value> = serde_json::from_str(&format!("{whole}]")).unwrap();
    assert!(phase(&events, "X").len() > 500);
    drop(trace);
    let finished: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(phase(&finished, "X").len(), 1000);
}

#[test]
fn values_in_memory_are_those_made_and_not_dropped() {
    let events = traced(|story| {
        for id in 0..10 {
            story.at(10 * id, "task", id, What::Started);
            story.at(10 * id + 5, "task", id, What::Done);
        }
        (0..7).for_each(|id| story.at(200 + id, "task", id, What::Dropped));
        // One that was never made.
        story.at(300, "task", 11, What::Dropped);
    });
    let values = phase(&events, "C").into_iter().filter(|event| event["name"] == "values");
    let values: Vec<_> = values.map(|event| event["args"]["in memory"].as_u64().unwrap()).collect();
    assert_eq!((values.iter().max(), values.last()), (Some(&10), Some(&3)));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("no/such/trace.json");
    assert!(matches!(Trace::create(missing), Err(Error::Output { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_by_finish() {
    let trace = Trace::create("/dev/full").unwrap();
    let story = Story::of(&trace);
    for id in 0..1000 {
        story.at(id, "task", id, What::Started);
        story.at(id + 1, "task", id, What::Done);
    }
    let Err(Error::Output { path, .. }) = trace.finish() else { panic!("it was written") };
    assert_eq!(path, "/dev/full");
}

proptest! {
    #[test]
    fn the_file_is_whole_in_whichever_order_events_come(
        told in prop::collection::vec((0_u64..5, 0_usize..9, any::<String>()), 0..60)
    ) {
        let error = Error::Cancelled;
        let events = traced(|story| {
            for (at, (id, what, kind)) in told.iter().enumerate() {
                let what = [
                    What::Planned,
                    What::Ready,
                    What::Started,
                    What::Read { bytes: 1, records: 0 },
                    What::Waiting,
                    What::Retried { error: &error, after: std::time::Duration::ZERO },
                    What::Done,
                    What::Failed { error: &error },
                    What::Dropped,
                ][*what];
                story.at(at as u64, kind, *id, what);
            }
        });
        let (begun, ended) = (phase(&events, "b"), phase(&events, "e"));
        prop_assert_eq!(begun.len(), ended.len());
        for (begin, end) in begun.iter().zip(ended) {
            prop_assert_eq!((&begin["id2"], &begin["name"]), (&end["id2"], &end["name"]));
            prop_assert!(begin["ts"].as_f64() <= end["ts"].as_f64());
        }
        for event in &events {
            prop_assert!(event["name"].is_string() && event["pid"].is_u64(), "{}", event);
        }
    }
}
