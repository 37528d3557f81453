//! Any split of the sources over any processes is one run, to the byte.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::{FILES, creel, partials, printed, text_files};

/// Whether the order of the records shows in an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    Any,
    Kept,
}
use Order::{Any, Kept};

/// Programs over lines of text.
const OF_TEXT: &[(&str, Order)] = &[
    ("count", Any),
    ("words | count", Any),
    ("words | frequencies", Any),
    ("words | frequencies | topk(5)", Any),
    ("words | frequencies | count", Any),
    ("words | frequencies | take(3)", Any),
    ("words | filter(length > 5) | frequencies | filter(.[1] > 2) | map(.[0]) | topk(3)", Any),
    ("map(length) | sum", Any),
    ("map(length) | frequencies", Any),
    ("map(length) | topk(3)", Any),
    ("words | min", Any),
    ("map(length) | max", Any),
    ("words | topk(6)", Any),
    ("words | groupby(length; {n: count, least: min, kinds: nunique})", Any),
    ("words | groupby(length; first)", Kept),
    ("words | agg({n: count, kinds: nunique})", Any),
    ("words | count, (frequencies | topk(3)), nunique", Any),
    ("filter(length > 20)", Kept),
    ("words", Kept),
    ("map(length)", Kept),
    ("split(\" \")", Kept),
    ("take(7)", Kept),
    ("words | take(9) | frequencies", Kept),
    ("take(5) | words | topk(3)", Kept),
    ("words | take(0)", Kept),
    ("words | take(40) | frequencies | filter(.[1] > 1) | count", Kept),
    ("words | sort", Any),
    ("words | sort(length)", Kept),
    ("words | sort(length; desc) | take(9)", Kept),
    ("words | sort | count", Any),
    ("words | distinct", Kept),
    ("words | distinct | take(5)", Kept),
    ("words | distinct | count", Any),
    ("count, sort", Any),
    ("words | (sort(length) | take(5)), count, distinct, (distinct(length) | frequencies)", Kept),
    ("words | (distinct | count), (sort | count), ((sort | map(length)), frequencies)", Any),
];

/// Programs over values of JSON.
const OF_JSON: &[(&str, Order)] = &[
    ("frequencies(.uri)", Any),
    ("filter(.status >= 500) | frequencies(.uri) | topk(2)", Any),
    ("map(.rt) | sum", Any),
    ("map(.status) | frequencies", Any),
    ("groupby(.uri; {n: count, err: count(.status >= 500), mean: mean(.rt), p99: p99(.rt)})", Any),
    ("groupby(.status; {uris: nunique(.uri), least: min_by(.rt)})", Any),
    ("frequencies(.status >= 500)", Any),
    ("groupby(.uri; count) | filter(.[1] > 3) | map(.[0])", Any),
    ("agg({sum: sum(.rt), var: var(.rt), p50: p50(.rt), any: any(.status == 500)})", Any),
    ("groupby(.uri; list(.rt))", Kept),
    ("mean(.rt)", Any),
    ("filter(.status < 500)", Kept),
    ("map(.uri)", Kept),
    ("map(.missing)", Kept),
    ("take(4)", Kept),
    ("filter(.status >= 500) | take(3) | map(.uri)", Kept),
    ("map(.tags) | flatten | frequencies", Any),
    ("map(.tags) | take(6) | flatten | frequencies", Kept),
    ("map(.rt) | take(9) | sum", Kept),
    ("map(.rt) | min", Any),
    ("sort(.rt)", Kept),
    ("distinct(.uri) | map(.rt)", Kept),
    ("frequencies(.uri), (filter(.status < 500) | sort(.uri; desc)), distinct(.rt)", Kept),
];

/// Writes files of requests, one a line.
fn json_files(folder: &Path) -> Vec<String> {
    let names = (0..FILES).map(|file| {
        let mut text = String::new();
        for line in 0..file * 11 {
            let n = file * 31 + line * 7;
            let (status, uri) = ([200, 200, 404, 500, 503][n % 5], n % 4);
            let rt = [format!("0.{n}"), format!("{n}"), format!("-{n}e-3"), "null".into()];
            let _ = writeln!(
                text,
                r#"{{"status":{status},"uri":"/a\"{uri}","rt":{},"tags":["t{}", "u{uri}"]}}"#,
                rt[n % 4],
                n % 3,
            );
        }
        let name = format!("{file}.jsonl");
        std::fs::write(folder.join(&name), text).expect("it is written");
        name
    });
    names.collect()
}

fn merged(folder: &Path, options: &[&str], states: &[String]) -> String {
    let states = states.iter().map(String::as_str);
    let args: Vec<&str> =
        ["--merge"].into_iter().chain(options.iter().copied()).chain(states).collect();
    printed(creel(folder, &args))
}

/// Options that must not show: threads, memory, blocks.
const OPTIONS: &[&[&str]] = &[
    &["-j", "1"],
    &["-j", "4", "--memory", "64M"],
    &["-j", "2", "--blocksize", "7"],
    &["-j", "3"],
];

fn any_split_is_one_run(programs: &[(&str, Order)], files: &[String], folder: &Path) {
    for &(program, order) in programs {
        let all: Vec<&str> = files.iter().map(String::as_str).collect();
        let one = |options: &[&str]| {
            let args: Vec<&str> = options.iter().chain(&[program]).chain(&all).copied().collect();
            printed(creel(folder, &args))
        };
        let expected = one(&[]);
        let config = Config { cases: 3, failure_persistence: None, ..Config::default() };
        // Where the files are cut into those of processes, and the turn by which states are given.
        let cuts = (prop::collection::vec(0..=FILES, 0..4), 0..5_usize, 0..OPTIONS.len());
        let check = |(mut cuts, turn, option): (Vec<usize>, usize, usize)| {
            cuts.extend([0, FILES]);
            cuts.sort_unstable();
            cuts.dedup();
            let groups: Vec<Vec<&str>> =
                cuts.windows(2).map(|cut| all[cut[0]..cut[1]].to_vec()).collect();
            let mut states = partials(folder, program, &groups, &OPTIONS[option..]);
            if order == Any {
                let turn = turn % states.len();
                states.rotate_left(turn);
            }
            prop_assert_eq!(
                merged(folder, OPTIONS[option], &states),
                expected.as_str(),
                "{}",
                program
            );
            // States of states.
            let (some, rest) = states.split_at(states.len().div_ceil(2));
            let mut args = vec!["--merge", "--partial", "some.creel"];
            args.extend(some.iter().map(String::as_str));
            prop_assert_eq!(printed(creel(folder, &args)), "");
            let tree: Vec<String> =
                ["some.creel".to_owned()].into_iter().chain(rest.to_vec()).collect();
            prop_assert_eq!(merged(folder, &["-j", "2"], &tree), expected.as_str(), "{}", program);
            let text = one(&["-t", "text"]);
            prop_assert_eq!(merged(folder, &["-t", "text"], &tree), text, "{}", program);
            Ok(())
        };
        TestRunner::new(config).run(&cuts, check).unwrap();
    }
}

#[test]
fn any_split_of_text_over_processes_is_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    any_split_is_one_run(OF_TEXT, &text_files(folder.path()), folder.path());
}

#[test]
fn any_split_of_json_over_processes_is_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    any_split_is_one_run(OF_JSON, &json_files(folder.path()), folder.path());
}

#[test]
fn states_of_the_same_records_are_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let files = text_files(folder);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    for program in [
        "words | frequencies",
        "words",
        "words | take(9)",
        "map(length) | frequencies",
        "words | sort",
        "words | sort(length)",
        "words | sort(length; desc) | take(20)",
        "words | distinct",
        "words | distinct(length)",
        "words | distinct | take(30)",
        "words | sample(5; 1)",
        "words | count, sort(length), frequencies, (distinct | count), (distinct | take(9))",
    ] {
        let read = |state: &str| std::fs::read(folder.join(state)).expect("a state");
        let bytes = |options: &[&str]| {
            partials(folder, program, std::slice::from_ref(&files), &[options]);
            read("0.creel")
        };
        let expected = bytes(&["-j", "1"]);
        for options in [&["-j", "4"][..], &["-j", "2", "--memory", "64M"]] {
            assert!(bytes(options) == expected, "{program} {options:?}");
        }
        // However they were cut and merged.
        let merge = |into: &str, states: &[&str]| {
            let args = ["--merge", "--partial", into].into_iter().chain(states.iter().copied());
            printed(creel(folder, &args.collect::<Vec<_>>()));
        };
        let groups: Vec<_> = [&files[..2], &files[2..5], &files[5..]].map(<[_]>::to_vec).into();
        partials(folder, program, &groups, &[&["-j", "2"]]);
        merge("all", &["0.creel", "1.creel", "2.creel"]);
        assert!(read("all") == expected, "{program}");
        merge("some", &["0.creel", "1.creel"]);
        merge("all", &["some", "2.creel"]);
        assert!(read("all") == expected, "{program}: a tree");
        merge("some", &["1.creel", "2.creel"]);
        merge("more", &["some"]);
        merge("all", &["0.creel", "more"]);
        assert!(read("all") == expected, "{program}: another tree");
    }
}

#[test]
fn states_of_many_blocks_are_merged_in_the_order_of_the_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // Each state has more than a megabyte of rows, which are several blocks.
    for (file, range) in [("a", 0..100_000_u32), ("b", 100_000..200_000)] {
        let mut lines = String::new();
        for n in range {
            writeln!(lines, "{{\"k\":{},\"i\":{n}}}", n % 3).expect("a string");
        }
        std::fs::write(folder.join(file), lines).expect("it is written");
    }
    for program in ["distinct", "sort(.k)", "sort(.k; desc)", "distinct(.i)"] {
        let options = ["-f", "jsonl", program];
        let one = printed(creel(folder, &[&options[..], &["a", "b"]].concat()));
        for file in ["a", "b"] {
            let state = format!("{file}.creel");
            let partial = [&["--partial", &state], &options[..], &[file]].concat();
            assert_eq!(creel(folder, &partial).status.code(), Some(0));
            assert!(std::fs::metadata(folder.join(&state)).expect("a state").len() > 1 << 20);
        }
        let two = printed(creel(folder, &["--merge", "a.creel", "b.creel"]));
        assert!(two == one, "{program}");
    }
}
