//! Memory where keys are not spread evenly: alike for hundreds of bytes, or one for most records.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::memory::bounded;

fn lines(path: &Path, lines: impl Iterator<Item = String>) {
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    lines.for_each(|line| writeln!(out, "{line}").expect("it is written"));
    out.into_inner().expect("it is written");
}

#[test]
fn memory_holds_for_sorts_of_keys_that_differ_behind_hundreds_of_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    lines(&folder.join("alike"), (0..80_000_u32).map(|n| "a".repeat(n as usize * 7919 % 2000)));
    bounded(folder, 64, &["1", "32"], &["sort", "alike"], 0);
    bounded(folder, 64, &["2"], &["sort(length) | distinct", "alike"], 0);
}

#[test]
fn memory_holds_for_distinct_of_records_most_of_which_are_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let some = |from: u32| (from..from + 300_000).map(|n| n.to_string());
    let one = |key: &'static str| std::iter::repeat_n(key.to_owned(), 8_000_000);
    let all = some(10_000_000).chain(one("same")).chain(some(20_000_000)).chain(one("other"));
    lines(&folder.join("repeats"), all);
    bounded(folder, 64, &["1", "32"], &["distinct", "repeats"], 0);
}

#[test]
fn memory_holds_for_sorts_of_records_that_are_larger_than_half_a_slab() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let record = |n: u32| format!("{:08x}", n.wrapping_mul(2_654_435_761)).repeat(140_000);
    lines(&folder.join("long"), (0..260).map(record));
    bounded(folder, 192, &["1"], &["sort", "long"], 0);
}

#[test]
fn memory_holds_for_partial_results_of_long_keys_and_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let record =
        |n: u32| format!("{{\"g\":{},\"k\":\"{n:06}{}\"}}", n % 2, "abcdefghij".repeat(15_000));
    lines(&folder.join("long.jsonl"), (0..500).map(record));
    for program in ["groupby(.g; nunique(.k))", "groupby(.k; count) | count"] {
        bounded(folder, 64, &["2"], &["--partial", "state", program, "long.jsonl"], 0);
        bounded(folder, 64, &["2"], &["--merge", "state"], 0);
    }
}

#[test]
fn memory_holds_for_phases_that_follow_each_other_in_branches() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let word = |n: u32| format!("{:08x}", (n % 1_000_000).wrapping_mul(2_654_435_761));
    lines(&folder.join("words"), (0..6_000_000).map(word));
    let branches = ["(sort | distinct)"; 3].join(", ");
    bounded(folder, 64, &["2"], &[&branches, "words"], 0);
}

#[test]
fn memory_holds_for_merges_of_many_states_that_stay_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let states: Vec<String> = (0..16).map(|n| format!("state{n}")).collect();
    for (n, state) in states.iter().enumerate() {
        let input = format!("part{n}.jsonl");
        let record =
            |v: usize| format!("{{\"v\":{},\"k\":\"{}\"}}", 1000 * n + v, "k".repeat(10_000));
        lines(&folder.join(&input), (0..600).map(record));
        bounded(folder, 64, &["2"], &["--partial", state, "agg({t: topk(600; .v)})", &input], 0);
    }
    let merge: Vec<&str> =
        ["--merge"].into_iter().chain(states.iter().map(|state| &**state)).collect();
    bounded(folder, 64, &["2"], &merge, 0);
}
