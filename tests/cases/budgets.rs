//! Any results, any number of threads and any `--memory`: the same bytes, within the memory.

use std::fs;
use std::path::Path;

use super::creel;
use super::memory::{BEYOND, measured, records, texts};

/// Threads and MiB of memory: those that are asked for most, and those where most is spilled.
const RUNS: [(&str, u64); 6] =
    [("1", 64), ("2", 64), ("8", 64), ("32", 64), ("2", 128), ("32", 256)];

/// Runs programs over a file in each of these ways, and compares with one that has memory for all.
fn compare(folder: &Path, programs: &[&str], input: &str, besides: u64) {
    let result = |name: &str| fs::read(folder.join(name)).expect("a result");
    for program in programs {
        let whole = ["-j", "1", "--memory", "4G", "-o", "whole", "--no-sync", program, input];
        let (code, _, said) = measured(folder, &whole);
        assert_eq!(code, Some(0), "{program}: {said}");
        for (threads, memory) in RUNS {
            let limit = format!("{memory}M");
            let args = ["-j", threads, "--memory", &limit, "--tmpdir", ".", "-o", "one"];
            let (code, most, said) =
                measured(folder, &[&args[..], &["--no-sync", program, input]].concat());
            let run = format!("-j {threads} --memory {limit} '{program}'");
            assert_eq!((code, &*said), (Some(0), ""), "{run}");
            assert!(most <= (memory << 20) + BEYOND + besides, "{run}: {} MiB", most >> 20);
            assert!(result("one") == result("whole"), "{run}: the result is another");
        }
    }
}

#[test]
fn results_of_texts_are_the_same_bytes_for_any_threads_and_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 60_000);
    let programs = [
        "sort",
        "words | sort | take(100000)",
        "words | distinct",
        "words | distinct | count",
        "words | frequencies",
        "words | groupby(.; {n: count, l: mean(length)})",
    ];
    compare(folder, &programs, "texts", 0);
}

#[test]
fn several_results_at_once_are_the_same_bytes_for_any_threads_and_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 60_000);
    let programs = [
        "words | sort, frequencies",
        "words | frequencies, topk(1000), distinct, count",
        "words | sort, sort(length; desc), frequencies(length)",
        "words | take(290000) | frequencies, sort",
    ];
    compare(folder, &programs, "texts", 0);
}

#[test]
fn results_of_records_are_the_same_bytes_for_any_threads_and_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    records(&folder.join("records.jsonl"), 100_000);
    let programs = [
        "sort(.key)",
        "distinct(.key) | map(.id)",
        "frequencies(.key) | topk(5000)",
        "groupby(.key; count)",
        "groupby(.key; {n: count, m: mean(.value), l: list(.id)})",
        "groupby(.id; first(.key))",
        "frequencies(.value)",
        "topk(2000; .value)",
    ];
    compare(folder, &programs, "records.jsonl", 0);
}

#[test]
fn rows_of_mebibytes_that_one_thread_keeps_are_kept_by_any_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let line = |n: u32| format!("{:08x}", n.wrapping_mul(0x9e37_79b9)).repeat(125_000) + "\n";
    fs::write(folder.join("long"), (0..60).map(line).collect::<String>()).expect("a file");
    // A debug build is slower between the copies of a long text, so that more are there at once.
    let copies = if cfg!(debug_assertions) { 16 << 20 } else { 0 };
    compare(folder, &["topk(20)", "topk(20), count", "take(50) | topk(20)"], "long", copies);
}

#[test]
fn results_that_need_more_memory_than_there_is_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 20_000);
    let program = ["sort"; 12].join(", ");
    let run = |threads: &str, memory: &str| {
        measured(folder, &["-j", threads, "--memory", memory, "--tmpdir", ".", &program, "texts"])
    };
    for threads in ["1", "32"] {
        let (code, _, said) = run(threads, "64M");
        assert_eq!(code, Some(2), "{said}");
        let least = said.split("--memory ").nth(1).and_then(|rest| rest.split(',').next());
        let least = least.expect("it says what would do");
        let (code, most, said) = run(threads, least);
        assert_eq!(code, Some(0), "-j {threads} {least}: {said}");
        let mib: u64 = least.trim_end_matches('M').parse().expect("a number");
        assert!(most <= (mib << 20) + BEYOND, "-j {threads} {least}: {} MiB", most >> 20);
    }
}

/// How the aggregates of the command are called, each once, as its help has them.
fn aggregates() -> Vec<String> {
    let help = creel(&["--aggregates"]);
    let help = String::from_utf8(help.stdout).expect("text");
    let usages = help
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '));
    let calls = usages.flat_map(|line| {
        let usage = line.split("  ").next().unwrap_or_default();
        let forms: Vec<&str> = usage.split(", ").filter(|form| *form != "...").collect();
        // The longest has a field; `p50` and its like stand together.
        let is_many = forms.iter().filter(|form| !form.contains('(')).count() > 1;
        let of_field = forms.iter().rev().find(|form| form.contains('(')).or(forms.last());
        let forms: Vec<&str> =
            if is_many { forms } else { of_field.copied().into_iter().collect() };
        forms.into_iter().map(called).collect::<Vec<String>>()
    });
    let mut calls: Vec<String> = calls.collect();
    calls.sort();
    calls.dedup();
    calls
}

/// A usage with arguments of records: `topk(k; f)` as `topk(3; .value)`.
fn called(usage: &str) -> String {
    let Some((name, arguments)) = usage.split_once('(') else { return usage.to_owned() };
    let arguments = arguments.trim_end_matches(')').split("; ").map(|argument| match argument {
        "f" => ".value",
        "p" => ".value > 500",
        "q" if name == "p" => "95",
        "q" => "0.25",
        "width" => "10",
        _ => "3",
    });
    format!("{name}({})", arguments.collect::<Vec<_>>().join("; "))
}

#[test]
fn memory_holds_for_every_aggregate_of_many_groups_and_of_all_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    records(&folder.join("records.jsonl"), 30_000);
    let calls = aggregates();
    for name in
        ["count(.value > 500)", "p(95; .value)", "p50", "sample(3; 3; .value)", "topk(3; .value)"]
    {
        let begins = |call: &String| call.starts_with(name.split('(').next().unwrap_or_default());
        assert!(calls.iter().any(begins), "{name} is not among {calls:?}");
    }
    for call in calls {
        // Of the value where the usage names no field.
        let of_value = if call.contains('.') || call == "count" {
            call.clone()
        } else {
            format!("{call}(.value)")
        };
        for program in
            [format!("groupby(.key; {of_value})"), format!("agg({{a: {of_value}, n: count}})")]
        {
            for threads in ["1", "8"] {
                let args =
                    ["-j", threads, "--memory", "64M", "--tmpdir", ".", "-o", "out", "--no-sync"];
                let (code, most, said) =
                    measured(folder, &[&args[..], &[&program, "records.jsonl"]].concat());
                assert!(
                    code == Some(0) || said.contains("would do"),
                    "-j {threads} '{program}': {said}"
                );
                assert!(
                    most <= (64 << 20) + BEYOND,
                    "-j {threads} '{program}': {} MiB",
                    most >> 20
                );
            }
        }
    }
}
