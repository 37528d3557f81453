//! One key or one result that is as large as the memory: answered within it, or refused with the memory that
//! would do.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use super::memory::{BEYOND, measured, texts};

/// Records of which nearly all have one key, with a value that hardly one other has.
fn skewed(path: &Path, records: u64) {
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    for n in 0..records {
        let value = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let key = if n % 20 == 0 { n % 1000 } else { 0 };
        writeln!(out, r#"{{"k":"k{key}","v":"{value:016x}","n":{value}}}"#).expect("it is written");
    }
    out.flush().expect("it is written");
}

/// Runs a program within so many MiB, and checks that the result is that of a run that has memory for all.
fn same_within(folder: &Path, memory: u64, program: &str, input: &str) {
    let result = |name: &str| fs::read(folder.join(name)).expect("a result");
    let whole = ["-j", "2", "--memory", "4G", "-o", "whole", "--no-sync", program, input];
    assert_eq!(measured(folder, &whole).0, Some(0), "{program}");
    for threads in ["1", "8"] {
        let limit = format!("{memory}M");
        let args = ["-j", threads, "--memory", &limit, "--tmpdir", ".", "-o", "one"];
        let (code, most, said) =
            measured(folder, &[&args[..], &["--no-sync", program, input]].concat());
        let run = format!("-j {threads} --memory {limit} '{program}'");
        assert_eq!((code, &*said), (Some(0), ""), "{run}");
        assert!(most <= (memory << 20) + BEYOND, "{run}: {} MiB", most >> 20);
        assert!(result("one") == result("whole"), "{run}: the result is another");
    }
}

#[test]
fn values_of_a_key_that_does_not_fit_are_counted_within_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    skewed(&folder.join("records.jsonl"), 200_000);
    for program in
        ["groupby(.k; {n: count, u: nunique(.n), l: max(.v)})", "groupby(.k; nunique(.v)), count"]
    {
        same_within(folder, 64, program, "records.jsonl");
    }
}

#[test]
fn numbers_of_one_key_are_counted_and_ranked_within_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut out = BufWriter::new(File::create(folder.join("one.jsonl")).expect("a file"));
    for n in 0..700_000 {
        writeln!(out, r#"{{"k":1,"v":{n}}}"#).expect("it is written");
    }
    out.into_inner().expect("it is written");
    let whole = "agg({n: count, u: nunique(.v), m: mean(.v)})";
    for program in ["groupby(.k; nunique(.v))", "groupby(.k; p99(.v))", whole] {
        same_within(folder, 64, program, "one.jsonl");
    }
}

#[test]
fn rows_of_a_key_that_do_not_fit_are_refused_with_the_memory_that_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for (program, records, threads) in [
        ("groupby(.k; frequencies(.v))", 200_000, &["1", "8"][..]),
        ("groupby(.k; list(.v)), count", 400_000, &["1", "8"]),
        ("agg(list(.v))", 600_000, &["2"]),
        ("sample(1000000; 3)", 300_000, &["8"]),
    ] {
        skewed(&folder.join("records.jsonl"), records);
        for threads in threads {
            let run = |memory: &str| {
                let args = ["-j", threads, "--memory", memory, "--tmpdir", ".", program];
                measured(folder, &[&args[..], &["records.jsonl"]].concat())
            };
            let (code, most, said) = run("64M");
            assert_eq!(code, Some(3), "-j {threads} {program}: {said}");
            let verb = program.split('(').next().map(|verb| verb.replace("agg", "list"));
            assert!(said.contains(&verb.expect("a verb")), "{said}");
            assert!(most <= (64 << 20) + BEYOND, "-j {threads} {program}: {} MiB", most >> 20);
            let least = said.split("`--memory ").nth(1).and_then(|rest| rest.split('`').next());
            let least = least.expect("it says what would do");
            let (code, most, said) = run(least);
            assert_eq!(code, Some(0), "-j {threads} {least} {program}: {said}");
            let mib: u64 = least.trim_end_matches('M').parse().expect("a number");
            assert!(most <= (mib << 20) + BEYOND, "{least} {program}: {} MiB", most >> 20);
            assert_ne!(run(&format!("{}M", mib / 4)).0, Some(0), "a fourth of {least}: {program}");
        }
    }
}

#[test]
fn states_of_a_few_large_groups_are_written_and_merged_within_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut out = BufWriter::new(File::create(folder.join("few.jsonl")).expect("a file"));
    for n in 0..600_000_u64 {
        let value = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(out, r#"{{"k":{},"v":"{value:016x}"}}"#, n % 30).expect("it is written");
    }
    out.into_inner().expect("it is written");
    let within = |memory: &str, args: &[&str]| {
        let (code, most, said) = measured(folder, &[&["--memory", memory], args].concat());
        assert_eq!((code, &*said), (Some(0), ""), "{args:?}");
        (most, fs::read(folder.join("result")).unwrap_or_default())
    };
    let program = "groupby(.k; nunique(.v))";
    let to = ["-o", "result", "--no-sync"];
    let (_, whole) = within("4G", &[&to[..], &[program, "few.jsonl"]].concat());
    let (written, _) = within("64M", &["--partial", "state.creel", program, "few.jsonl"]);
    let (merged, result) = within("64M", &[&to[..], &["--merge", "state.creel"]].concat());
    assert!(result == whole, "the result is another");
    for most in [written, merged] {
        assert!(most <= (64 << 20) + BEYOND, "{} MiB", most >> 20);
    }
}

#[test]
fn states_of_one_large_group_are_written_and_merged_within_the_memory_of_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    skewed(&folder.join("records.jsonl"), 400_000);
    let within = |args: &[&str]| {
        let (code, most, said) = measured(folder, &[&["--memory", "64M"], args].concat());
        assert_eq!((code, &*said), (Some(0), ""), "{args:?}");
        assert!(most <= (64 << 20) + BEYOND, "{args:?}: {} MiB", most >> 20);
    };
    let read = |name: &str| fs::read(folder.join(name)).expect("a file");
    for program in ["agg({n: count, u: nunique(.v)})", "groupby(.k; nunique(.v))"] {
        let input = [program, "records.jsonl"];
        within(&[&["-o", "one", "--no-sync"], &input[..]].concat());
        within(&[&["-j", "1", "--partial", "a.creel"], &input[..]].concat());
        within(&["--merge", "a.creel", "-o", "merged", "--no-sync"]);
        assert!(read("merged") == read("one"), "{program}: the result is another");
        within(&["--merge", "--partial", "b.creel", "a.creel"]);
        // However much memory there is, and however many threads.
        let whole = ["--memory", "4G", "-j", "3", "--partial", "whole.creel"];
        let (code, ..) = measured(folder, &[&whole[..], &input].concat());
        assert_eq!(code, Some(0), "{program}");
        assert!(read("a.creel") == read("whole.creel"), "{program}: the state is another");
        assert!(read("b.creel") == read("whole.creel"), "{program}: the merged state is another");
    }
}

#[test]
fn a_merge_of_what_does_not_fit_is_refused_within_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut out = BufWriter::new(File::create(folder.join("records.jsonl")).expect("a file"));
    for n in 0..50_000 {
        writeln!(out, r#"{{"k":1,"v":"{n:01000}"}}"#).expect("it is written");
    }
    out.into_inner().expect("it is written");
    for program in ["agg({l: list(.v), n: count})", "agg(frequencies(.v))", "groupby(.k; list(.v))"]
    {
        let state = ["--memory", "4G", "--partial", "state.creel", program, "records.jsonl"];
        assert_eq!(measured(folder, &state).0, Some(0), "{program}");
        for merge in
            [&["--merge", "state.creel"][..], &["--merge", "--partial", "to.creel", "state.creel"]]
        {
            // The sets of a merged state are not in memory as a whole.
            let fits = program.contains("frequencies") && merge.len() > 2;
            let (code, most, said) = measured(folder, &[&["--memory", "64M"], merge].concat());
            assert_eq!(code, Some(if fits { 0 } else { 3 }), "{program} {merge:?}: {said}");
            assert_eq!(said.contains("--memory "), !fits, "{said}");
            assert!(most <= (64 << 20) + BEYOND, "{program} {merge:?}: {} MiB", most >> 20);
        }
    }
}

#[test]
fn a_list_that_fits_is_printed_within_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 200_000);
    same_within(folder, 64, "agg(list)", "texts");
    same_within(
        folder,
        128,
        "words | frequencies, sort, distinct, groupby(.; count), list",
        "texts",
    );
}

#[test]
fn long_rows_are_spilled_twice_at_most() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (mut out, mut seed) =
        (BufWriter::new(File::create(folder.join("long")).expect("a file")), 1);
    for _ in 0..30 {
        // Characters that do not compress much.
        let line: Vec<u8> = std::iter::repeat_with(|| {
            seed = 6_364_136_223_846_793_005_u64.wrapping_mul(seed).wrapping_add(1);
            b' ' + ((seed >> 33) % 94) as u8
        })
        .take(4_000_000)
        .collect();
        out.write_all(&line).and_then(|()| out.write_all(b"\n")).expect("it is written");
    }
    out.into_inner().expect("it is written");
    for program in ["frequencies", "sort", "distinct | count"] {
        for threads in ["1", "8"] {
            // A tenth more for what is written beside the rows, and rows that share a part.
            let args =
                ["-j", threads, "--memory", "64M", "--spill-max", "264M", "--max-record", "5M"];
            let args = [&args[..], &["--tmpdir", ".", program, "long"]].concat();
            let (code, _, said) = measured(folder, &args);
            assert_eq!((code, &*said), (Some(0), ""), "-j {threads} {program}");
        }
    }
}
