//! A worker keeps to its memory and its disk.

use std::fs::File;
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::{Planned, command, printed, refused, said, words};

/// What the command may take beyond `--memory`; a debug build has some MiB more of its own code resident.
const BEYOND: u64 = if cfg!(debug_assertions) { 12 << 20 } else { 8 << 20 };

/// How a step ended, and the most bytes that were resident.
fn measured(planned: &Planned, args: &[&str]) -> (Output, u64) {
    let args = [["worker"].as_slice(), args, &["--memory", "64M", "-j", "2"]].concat();
    let err = File::create(planned.file("said")).expect("a file");
    let mut command = command(planned.path(), &args);
    let mut child = command.stdout(Stdio::null()).stderr(err).spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("it is there").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut output = child.wait_with_output().expect("it ended");
    output.stderr = std::fs::read(planned.file("said")).expect("text");
    (output, most)
}

#[test]
fn a_keyed_program_keeps_to_the_memory_of_each_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["a.txt", "b.txt"] {
        let seed = file.as_bytes()[0];
        let text = words(60_000).replace('w', &format!("w{seed}-"));
        std::fs::write(folder.path().join(file), text).expect("it is written");
    }
    let program = "words | groupby(.; {n: count, l: sum(length), p: p99(length)})";
    let planned = Planned::new(folder.path(), (&[], program, &["*.txt"]), 2);
    assert_eq!(planned.tasks.len(), 2);
    let check = |args: &[&str]| {
        let (output, most) = measured(&planned, args);
        assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()), "{args:?}");
        assert!(most <= (64 << 20) + BEYOND, "{args:?} took {} MiB", most >> 20);
    };
    // The states do not fit: a file that may have no bytes is a failure.
    let full = ["run", "plan", "parts/0000.parts", "-o", "full", "--spill-max", "1k"];
    let (output, _) = measured(&planned, &full);
    refused(&output, 3, &["temporary file", "--spill-max"]);
    assert!(!planned.file("full").exists());
    let (output, _) = measured(&planned, &[full.as_slice(), &["--errors", "json"]].concat());
    refused(&output, 3, &["{\"error\":{\"kind\":\"io\"", "\"retry\":true"]);
    check(&["run", "plan", "parts/0000.parts", "-o", "0.state"]);
    check(&["run", "plan", "parts/0001.parts", "-o", "1.state"]);
    check(&["merge", "plan", "0.state", "1.state", "-o", "all.state"]);
    check(&["finish", "plan", "all.state", "-o", "answer"]);
    assert!(std::fs::read(planned.file("answer")).expect("an answer") == planned.answer);
    // Shard by shard, with many files written side by side.
    for task in ["0", "1"] {
        let parts = format!("parts/000{task}.parts");
        check(&["run", "plan", &parts, "--into", task, "--shards", "16"]);
    }
    let mut shards = Vec::new();
    for shard in 0..16 {
        let [one, other] = ["0", "1"].map(|task| format!("{task}/{shard:04}.state"));
        let merged = format!("{shard}.shard");
        printed(planned.step("merge", &[&one, &other, "-o", &merged]));
        shards.push(merged);
    }
    let shards: Vec<&str> = shards.iter().map(String::as_str).collect();
    check(&[["finish", "plan", "-o", "answer"].as_slice(), &shards].concat());
    assert!(std::fs::read(planned.file("answer")).expect("an answer") == planned.answer);
}

#[test]
fn counts_of_keys_that_hardly_repeat_keep_to_the_memory_of_each_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.txt"), words(500_000)).expect("it is written");
    let planned = Planned::new(folder.path(), (&[], "words | frequencies", &["a.txt"]), 1);
    let plan = ["plan", "parts/0000.parts"];
    for into in [["-o", "state"].as_slice(), &["--into", "shards", "--shards", "16"]] {
        let (output, most) = measured(&planned, &[&["run"], &plan[..], into].concat());
        assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()), "{into:?}");
        assert!(most <= (64 << 20) + BEYOND, "{into:?} took {} MiB", most >> 20);
    }
    let (output, most) = measured(&planned, &["finish", "plan", "state", "-o", "answer"]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    assert!(most <= (64 << 20) + BEYOND, "{} MiB", most >> 20);
    assert!(std::fs::read(planned.file("answer")).expect("an answer") == planned.answer);
}

#[test]
fn a_list_of_objects_that_does_not_fit_is_refused_with_what_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in 0..60_000 {
        std::fs::write(folder.path().join(format!("{file}.txt")), "").expect("it is written");
    }
    let planned = Planned::new(folder.path(), (&[], "count", &["*.txt"]), 10);
    // It is written a partition at a time, however many there are.
    let (output, most) = measured(&planned, &["list", "plan", "-o", "all"]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    assert!(most <= (64 << 20) + BEYOND, "{} MiB", most >> 20);
    let (output, _) = measured(&planned, &["run", "plan", "all", "-o", "state"]);
    refused(&output, 3, &["60000 objects take", "--tasks N", "--memory "]);
    printed(planned.step("run", &[&planned.tasks[0], "-o", "state", "--memory", "64M"]));
}
