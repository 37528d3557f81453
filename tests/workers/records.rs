//! Errors, progress and reports as records of JSON.

use serde_json::Value;

use crate::{PROGRAMS, Planned, creel, root, said};
use std::process::Output;

/// The records on standard error: all of its lines.
fn records(output: &Output) -> Vec<Value> {
    let said = said(output);
    let records = said.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|error| {
            panic!("{error}: {line}");
        })
    });
    records.collect()
}

/// The one error among the records.
#[track_caller]
fn error(output: &Output) -> Value {
    let records = records(output);
    let mut errors = records.iter().filter_map(|record| record.get("error"));
    let error = errors.next().unwrap_or_else(|| panic!("no error in {records:?}"));
    assert!(errors.next().is_none(), "{records:?}");
    for field in ["kind", "object", "partition", "offset", "message", "retry"] {
        assert!(error.get(field).is_some(), "no {field} in {error}");
    }
    error.clone()
}

#[test]
fn an_error_is_one_record_that_names_object_partition_and_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("a.jsonl"), "{\"a\":1}\n".repeat(30_000)).expect("it is written");
    let bad = ["{\"a\":1}\n".repeat(30_000), "{\"a\":\n".to_owned()].concat();
    std::fs::write(folder.join("b.jsonl"), &bad).expect("it is written");
    let planned = Planned::new(folder, (&[], "sum(.a)", &["a.jsonl", "b.jsonl"]), 4);
    let last = planned.tasks.last().expect("a task");
    let output = planned.step("run", &[last, "--errors", "json", "-o", "state"]);
    assert_eq!(output.status.code(), Some(4));
    let error = error(&output);
    assert_eq!(error["kind"], "record");
    assert_eq!(error["object"], folder.join("b.jsonl").display().to_string());
    assert_eq!(error["retry"], false);
    let offset = error["offset"].as_u64().expect("a byte");
    assert!((bad.len() as u64 - 7..bad.len() as u64).contains(&offset), "{error}");
    // Its number is that among all partitions of the plan.
    let whole = planned.step("list", &["-o", "all"]);
    assert_eq!(whole.status.code(), Some(0));
    assert!(error["partition"].as_u64().is_some_and(|partition| partition > 0), "{error}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("--invalid")), "{error}");
}

#[test]
fn each_failure_has_a_kind_and_says_whether_to_try_again() {
    let planned = Planned::new(root(), PROGRAMS[0], 1);
    let state = planned.states().remove(0);
    let bytes = std::fs::read(planned.file(&state)).expect("a state");
    std::fs::write(planned.file("cut"), &bytes[..bytes.len() - 1]).expect("it is written");
    let mut old = bytes.clone();
    old[8] = 1;
    std::fs::write(planned.file("old"), old).expect("it is written");
    for (args, code, kind, object, retry) in [
        (vec!["finish", "plan", "cut"], 3, "corrupt", Some("cut"), false),
        (vec!["finish", "plan", "old"], 3, "unsupported", Some("old"), false),
        (vec!["finish", "plan", "none"], 3, "not_found", Some("none"), false),
        (vec!["finish", "plan", &state, &state], 2, "plan", None, false),
        (vec!["merge", "plan", &state, "-o", "/dev/full"], 2, "output", Some("/dev/full"), true),
        (vec!["run", "plan"], 2, "usage", None, false),
        (vec!["fly", "plan"], 2, "usage", None, false),
        (vec!["run", "plan", "parts/0000.parts", "--memory", "1"], 2, "usage", None, false),
    ] {
        let args = [["worker"].as_slice(), &args, &["--errors=json"]].concat();
        let output = creel(planned.path(), &args);
        assert_eq!(output.status.code(), Some(code), "{args:?} {}", said(&output));
        let error = error(&output);
        let object = object.map_or(Value::Null, Value::from);
        assert_eq!((&error["kind"], &error["object"]), (&kind.into(), &object), "{error}");
        assert_eq!(error["retry"], retry, "{error}");
    }
    // Without worker, too.
    let output = creel(root(), &["--errors", "json", "words | frequency", "fixtures/access.log"]);
    let error = error(&output);
    assert_eq!((&error["kind"], &error["offset"]), (&"program".into(), &8.into()), "{error}");
    let output = creel(root(), &["--errors", "json", "count", "http://127.0.0.1:1/a?sig=s3cret"]);
    assert!(records(&output).len() >= 2 && !said(&output).contains("s3cret"), "{}", said(&output));
}

#[test]
fn progress_and_what_was_passed_over_are_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("a"), b"one\n\xff\ntwo\n").expect("it is written");
    let plan = ["--plan-to", "plan", "--invalid", "skip", "count", "a", "no-such"];
    assert_eq!(creel(folder, &plan).status.code(), Some(0));
    let told = ["--progress", "json", "--errors", "json"];
    let step = |args: &[&str]| creel(folder, &[&["worker"], args, &told].concat());
    let list = step(&["list", "plan", "-o", "parts"]);
    let run = step(&["run", "plan", "parts", "-o", "state"]);
    let finish = step(&["finish", "plan", "state"]);
    let one = |output: &Output, name: &str| {
        let records = records(output);
        let found = records.iter().rev().find_map(|record| record.get(name));
        found.cloned().unwrap_or_else(|| panic!("no {name} in {records:?}"))
    };
    assert_eq!(
        [&list, &run, &finish].map(|output| output.status.code()),
        [Some(0), Some(0), Some(3)]
    );
    assert_eq!(one(&list, "report")["entries_unread"], 1);
    let progress = one(&run, "progress");
    assert_eq!(
        [&progress["bytes"], &progress["total"], &progress["records"]],
        [10, 10, 3].map(Value::from).each_ref()
    );
    assert_eq!(progress["skipped"], 1);
    assert_eq!(one(&run, "report")["entries_unread"], 0);
    let report = one(&finish, "report");
    assert_eq!(
        [&report["entries_unread"], &report["records_skipped"]],
        [1, 1].map(Value::from).each_ref()
    );
    assert!(report["unread"][0].as_str().is_some_and(|told| told.contains("no-such")), "{report}");
    assert!(
        report["first_invalid"]["place"].as_str().is_some_and(|place| place.contains("byte 4"))
    );
    assert_eq!(finish.stdout, b"2\n");
    // Progress alone, beside errors in words.
    let output = creel(folder, &["--progress", "json", "--invalid", "skip", "count", "a"]);
    let said = said(&output);
    assert!(said.contains("{\"progress\":") && said.contains("creel: skipped 1 record"), "{said}");
}
