//! The answer in two steps: any split of the sources over any processes is one run, to the byte.

#![cfg(feature = "cli")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

fn creel(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).env_remove("NO_COLOR");
    command.output().expect("the command runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a run prints that goes well.
#[track_caller]
fn printed(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Checks a run that is refused: its code, and what it says.
#[track_caller]
fn refused(output: &Output, code: i32, says: &[&str]) {
    let message = said(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(output.stdout.is_empty(), "{message}");
    for part in says {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

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
];

const FILES: usize = 7;

/// Writes files of words, of lines of all lengths; the last lines have no end.
fn text_files(folder: &Path) -> Vec<String> {
    const WORDS: [&str; 9] = [
        "net",
        "creel",
        "fish",
        "é",
        "estuary",
        "a-word-that-is-longer-than-a-slot",
        "eel",
        "x",
        "\u{4e2d}",
    ];
    let mut n = 7_usize;
    let names = (0..FILES).map(|file| {
        let mut text = String::new();
        for line in 0..file * 9 {
            for _ in 0..line % 6 {
                n = n
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let word = WORDS[(n >> 33) % WORDS.len()];
                let _ =
                    write!(text, "{word}{} ", if (n >> 40).is_multiple_of(4) { file } else { 0 });
            }
            text.push('\n');
        }
        text.push_str("no end of line");
        let name = format!("{file}.txt");
        std::fs::write(folder.join(&name), text).expect("it is written");
        name
    });
    names.collect()
}

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

/// Runs the first step over each group of files by a process of its own; returns the states.
fn partials(
    folder: &Path,
    program: &str,
    groups: &[Vec<&str>],
    options: &[&[&str]],
) -> Vec<String> {
    let states = groups.iter().enumerate().map(|(n, files)| {
        let state = format!("{n}.creel");
        let mut args = vec!["--partial", &state];
        args.extend_from_slice(options[n % options.len()]);
        args.push(program);
        args.extend_from_slice(files);
        let written = printed(creel(folder, &args));
        assert_eq!(written, "", "a state is no output");
        state
    });
    states.collect()
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
    let files = text_files(folder.path());
    for program in ["words | frequencies", "words", "words | take(9)", "map(length) | frequencies"]
    {
        let bytes = |options: &[&str]| {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            partials(folder.path(), program, &[files], &[options]);
            std::fs::read(folder.path().join("0.creel")).expect("a state")
        };
        let expected = bytes(&["-j", "1"]);
        for options in [&["-j", "4"][..], &["-j", "2", "--memory", "64M"]] {
            assert!(bytes(options) == expected, "{program} {options:?}");
        }
    }
}

/// A folder with a state in `0.creel`, of a program over all files.
fn state_of(program: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = text_files(folder.path());
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    partials(folder.path(), program, &[files], &[&[]]);
    let state = folder.path().join("0.creel");
    (folder, state)
}

#[test]
fn a_state_of_another_program_or_of_other_options_is_refused_with_both_named() {
    let (folder, _) = state_of("words | frequencies");
    let folder = folder.path();
    for (args, says) in [
        (
            &["words | count", "1.txt"][..],
            &["its program is 'words | count', not 'words | frequencies'"][..],
        ),
        (
            &["--invalid", "skip", "words | frequencies", "1.txt"],
            &["its --invalid is skip, not fail"],
        ),
        (
            &["--delimiter", ",", "words | frequencies", "1.txt"],
            &[r"its --delimiter is ',', not '\n'"],
        ),
        (
            &["--encoding", "latin1", "words | frequencies", "1.txt"],
            &["its --encoding is latin1, not auto"],
        ),
    ] {
        let args: Vec<&str> = ["--partial", "other.creel"].iter().chain(args).copied().collect();
        printed(creel(folder, &args));
        let output = creel(folder, &["--merge", "0.creel", "other.creel"]);
        refused(&output, 2, &["other.creel is a state of another plan than 0.creel: its "]);
        refused(&output, 2, says);
        // The other way round, whichever comes first.
        let output = creel(folder, &["--merge", "other.creel", "0.creel"]);
        refused(&output, 2, &["0.creel is a state of another plan than other.creel: its "]);
    }
}

#[test]
fn a_state_of_another_version_is_refused_with_both_named() {
    let (folder, state) = state_of("words | frequencies");
    let mut bytes = std::fs::read(&state).expect("a state");
    bytes[8] = 9;
    std::fs::write(&state, bytes).expect("it is written");
    let output = creel(folder.path(), &["--merge", "0.creel"]);
    refused(&output, 3, &["0.creel", "version 9 of the format", "has version 4"]);
}

#[test]
fn damaged_states_are_refused_wherever_the_damage_is() {
    for program in ["words | frequencies", "words"] {
        let (folder, state) = state_of(program);
        let whole = std::fs::read(&state).expect("a state");
        for n in 0..24 {
            let at = whole.len() * n / 24;
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (n % 8);
            std::fs::write(&state, &bytes).expect("it is written");
            refused(&creel(folder.path(), &["--merge", "0.creel"]), 3, &["0.creel"]);
            std::fs::write(&state, &whole[..at]).expect("it is written");
            refused(&creel(folder.path(), &["--merge", "0.creel"]), 3, &["0.creel"]);
        }
    }
}

#[test]
fn a_file_that_holds_no_state_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    text_files(folder.path());
    refused(&creel(folder.path(), &["--merge", "1.txt"]), 3, &["1.txt", "this is not a state"]);
    refused(&creel(folder.path(), &["--merge"]), 2, &["--merge needs the states"]);
    let output = creel(folder.path(), &["--merge", "--delimiter", ",", "1.txt"]);
    refused(&output, 2, &["--delimiter"]);
    let output = creel(folder.path(), &["--partial", "a", "-o", "b", "count", "1.txt"]);
    refused(&output, 2, &["--partial"]);
}

#[test]
fn sources_that_could_not_be_read_are_told_at_the_merge() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    text_files(folder);
    let one = creel(folder, &["count", "1.txt", "no-such.txt", "2.txt"]);
    // The process that has nothing to read writes a state all the same.
    for (state, file) in [("0", "1.txt"), ("1", "no-such.txt"), ("2", "2.txt")] {
        let output = creel(folder, &["--partial", &format!("{state}.creel"), "count", file]);
        let code = if file == "no-such.txt" { 3 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    }
    let output = creel(folder, &["--merge", "0.creel", "1.creel", "2.creel"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!((said(&output), &output.stdout), (said(&one), &one.stdout));
    assert!(said(&output).contains("no-such.txt"));
    // That none of all can be read is a failure, as of one run.
    let output = creel(folder, &["--merge", "1.creel"]);
    refused(&output, 3, &["no-such.txt"]);
    let skipped = ["--partial", "s.creel", "--on-missing", "skip", "count", "no-such.txt", "1.txt"];
    assert_eq!(creel(folder, &skipped).status.code(), Some(0));
    let output = creel(folder, &["--merge", "s.creel"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("passed over 1 entry"), "{}", said(&output));
}

#[test]
fn records_that_were_left_out_are_told_at_the_merge() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("a"), b"one\n\xff\ntwo\n").expect("it is written");
    std::fs::write(folder.join("b"), b"bad \xff\xfe\n\xff\n").expect("it is written");
    for how in ["skip", "replace"] {
        let one = creel(folder, &["--invalid", how, "words | frequencies", "a", "b"]);
        for file in ["a", "b"] {
            let state = format!("{file}.creel");
            let args = ["--partial", &state, "--invalid", how, "words | frequencies", file];
            assert_eq!(creel(folder, &args).status.code(), Some(0));
        }
        let output = creel(folder, &["--merge", "a.creel", "b.creel"]);
        let without = |text: String| text.replace(" (partition 0, ", " (");
        assert_eq!(said(&output), without(said(&one)));
        assert!(said(&output).contains("records, the first at a (byte 4)"), "{}", said(&output));
        assert_eq!(output.stdout, one.stdout);
    }
    // What fails one run fails its part, and leaves no state.
    let output = creel(folder, &["--partial", "f.creel", "count", "b"]);
    refused(&output, 4, &["b (partition 0, byte 4)"]);
    assert!(!folder.join("f.creel").exists());
}

#[cfg(feature = "gzip")]
#[test]
fn damaged_sources_are_told_at_the_merge() {
    use std::io::Write;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&b"one fish\n".repeat(9000)).expect("into memory");
    let bytes = encoder.finish().expect("into memory");
    std::fs::write(folder.join("a.gz"), &bytes[..bytes.len() - 9]).expect("it is written");
    let one = creel(folder, &["words | frequencies", "a.gz"]);
    let output = creel(folder, &["--partial", "a.creel", "words | frequencies", "a.gz"]);
    assert_eq!(output.status.code(), Some(3));
    let output = creel(folder, &["--merge", "a.creel"]);
    assert_eq!((output.status.code(), &output.stdout), (Some(3), &one.stdout));
    assert_eq!(said(&output), said(&one).replace(" (partition 0, ", " ("));
    let output = creel(folder, &["--merge", "-o", "out.jsonl", "a.creel"]);
    refused(&output, 3, &["truncated", "out.jsonl was not written"]);
    assert!(!folder.join("out.jsonl").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn states_come_through_pipes_and_leave_through_them() {
    let folder = tempfile::tempdir().expect("a folder");
    text_files(folder.path());
    let creel_path = env!("CARGO_BIN_EXE_creel");
    let script = format!(
        "mkfifo p q && ({creel_path} --partial - 'words | frequencies' 3.txt 4.txt > p &) \
         && ({creel_path} --partial q 'words | frequencies' 5.txt &) && {creel_path} --merge p q"
    );
    // A writer that no reader comes for would wait for it forever.
    let mut command = Command::new("timeout");
    command.args(["120", "sh", "-c", &script]).current_dir(&folder);
    let output = command.output().expect("sh starts");
    let one = creel(folder.path(), &["words | frequencies", "3.txt", "4.txt", "5.txt"]);
    assert_eq!(printed(output), printed(one));
}

#[test]
fn a_state_holds_no_credential() {
    let folder = tempfile::tempdir().expect("a folder");
    text_files(folder.path());
    let signed = "http://127.0.0.1:1/a?X-Amz-Signature=s3cret";
    let output = creel(folder.path(), &["--partial", "a.creel", "count", "1.txt", signed]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let bytes = std::fs::read(folder.path().join("a.creel")).expect("a state");
    assert!(!bytes.windows(6).any(|bytes| bytes == b"s3cret"));
    assert!(bytes.windows(18).any(|bytes| bytes == b"http://127.0.0.1:1"));
}

#[test]
fn states_are_named_as_sources_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let files = text_files(folder);
    std::fs::create_dir(folder.join("s")).expect("a folder");
    for (state, of) in [("s/0.creel", &files[..3]), ("s/1.creel", &files[3..])] {
        let args = ["--partial", state, "words | frequencies"];
        let of = of.iter().map(String::as_str);
        printed(creel(folder, &args.into_iter().chain(of).collect::<Vec<_>>()));
    }
    let all: Vec<&str> =
        ["words | frequencies"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let expected = printed(creel(folder, &all));
    for named in ["s/*.creel", "s", "s/{0,1}.creel"] {
        assert_eq!(printed(creel(folder, &["--merge", named])), expected, "{named}");
    }
    let input = std::fs::File::open(folder.join("s/0.creel")).expect("a state");
    let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
    command.args(["--merge", "-", "s/1.creel"]).current_dir(folder).stdin(input);
    assert_eq!(printed(command.output().expect("it runs")), expected);
    // What is not there is told as of sources.
    for missing in ["no.creel", "s/*.state", "no/such/*", "zz/0.creel"] {
        let [of_states, of_sources] = [
            creel(folder, &["--merge", missing]),
            creel(folder, &["--on-missing", "fail", "count", missing]),
        ];
        refused(&of_states, 3, &[missing]);
        assert_eq!(said(&of_states), said(&of_sources));
        assert!(!said(&of_states).contains("os error"), "{}", said(&of_states));
    }
    for program in ["words | frequencies", "count", ".a"] {
        let output = creel(folder, &["--merge", program, "s/0.creel"]);
        refused(&output, 2, &["this is a program, where a state is needed"]);
    }
    refused(&creel(folder, &["--merge", "s3://bucket/0.creel", "-"]), 3, &["0.creel"]);
}

#[test]
fn records_are_not_counted_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    text_files(folder);
    let partial = |state: &str, file: &str| {
        printed(creel(folder, &["--partial", state, "count", file]));
    };
    for state in ["1.creel", "again.creel"] {
        partial(state, "1.txt");
    }
    partial("2.creel", "2.txt");
    printed(creel(folder, &["--merge", "--partial", "both.creel", "1.creel", "2.creel"]));
    let twice = "records would be counted twice";
    for (states, says) in [
        (["1.creel", "1.creel"], "1.creel is named twice"),
        (["1.creel", "./1.creel"], "./1.creel is named twice"),
        (["1.creel", "again.creel"], "again.creel holds what 1.creel holds"),
        (["2.creel", "both.creel"], "both.creel holds what 2.creel holds"),
    ] {
        let output = creel(folder, &["--merge", states[0], states[1]]);
        refused(&output, 2, &[says, twice]);
        let output = creel(folder, &["--merge", "--partial", "x.creel", states[0], states[1]]);
        refused(&output, 2, &[says, twice]);
    }
    // Lists that only overlap, in another order, by another path and by a pattern.
    let lists = [
        ("12.creel", &["1.txt", "2.txt"][..]),
        ("21.creel", &["2.txt", "1.txt"]),
        ("23.creel", &["./2.txt", "3.txt"]),
        ("all.creel", &["*.txt"]),
        ("4.creel", &["4.txt"]),
    ];
    std::fs::create_dir(folder.join("of-lists")).expect("a folder");
    for (state, files) in lists {
        let state = format!("of-lists/{state}");
        let args = ["--partial", &state, "count"];
        printed(creel(folder, &args.into_iter().chain(files.iter().copied()).collect::<Vec<_>>()));
    }
    for (one, other, shared) in [
        ("1.creel", "of-lists/12.creel", "1.txt"),
        ("of-lists/12.creel", "of-lists/21.creel", ".txt"),
        ("of-lists/12.creel", "of-lists/23.creel", "2.txt"),
        ("both.creel", "of-lists/23.creel", "2.txt"),
        ("of-lists/4.creel", "of-lists/all.creel", "4.txt"),
    ] {
        for [first, second] in [[one, other], [other, one]] {
            let output = creel(folder, &["--merge", first, second]);
            let says = format!("{second} holds what {first} holds: both have read ");
            refused(&output, 2, &[&says, &format!("{shared}, and its"), twice]);
        }
    }
    let lines = |files: &[&str]| {
        let args: Vec<&str> = ["count"].iter().chain(files).copied().collect();
        printed(creel(folder, &args))
    };
    let output = creel(folder, &["--merge", "of-lists/4.creel", "both.creel"]);
    assert_eq!(printed(output), lines(&["1.txt", "2.txt", "4.txt"]));
    // What was named twice is read twice, by one run; by several it is refused.
    printed(creel(folder, &["--partial", "twice.creel", "count", "4.txt", "4.txt"]));
    assert_eq!(printed(creel(folder, &["--merge", "twice.creel"])), lines(&["4.txt", "4.txt"]));
    // Another file of that name is another part of the input.
    std::fs::write(folder.join("1.txt"), "one fish\n".repeat(10)).expect("it is written");
    partial("again.creel", "1.txt");
    assert_eq!(printed(creel(folder, &["--merge", "1.creel", "again.creel"])), "20\n");
}

#[cfg(unix)]
#[test]
fn sources_that_could_not_be_read_may_be_read_by_another_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    text_files(folder);
    // A loop of links is listed, and cannot be opened; later the file is there.
    std::os::unix::fs::symlink("late.txt", folder.join("late.txt")).expect("a link");
    let output = creel(folder, &["--partial", "a.creel", "count", "1.txt", "late.txt"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    std::fs::remove_file(folder.join("late.txt")).expect("it is removed");
    std::fs::write(folder.join("late.txt"), "one fish\n").expect("it is written");
    printed(creel(folder, &["--partial", "b.creel", "count", "late.txt"]));
    let output = creel(folder, &["--merge", "a.creel", "b.creel"]);
    let all = printed(creel(folder, &["count", "1.txt", "late.txt"]));
    assert_eq!((output.status.code(), said(&output).contains("late.txt")), (Some(3), true));
    assert_eq!(String::from_utf8_lossy(&output.stdout), all);
}

#[test]
fn states_of_a_take_hold_no_more_than_it_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for file in ["a", "b", "c", "d"] {
        let text: String = (0..500).map(|n| format!("{file} number {n}\n")).collect();
        std::fs::write(folder.join(file), text).expect("it is written");
        let state = format!("{file}.creel");
        printed(creel(folder, &["--partial", &state, "take(100) | map(length)", file]));
    }
    let size = |state: &str| std::fs::metadata(folder.join(state)).expect("a state").len();
    printed(creel(folder, &["--merge", "--partial", "ab.creel", "a.creel", "b.creel"]));
    printed(creel(
        folder,
        &["--merge", "--partial", "all.creel", "ab.creel", "c.creel", "d.creel"],
    ));
    assert!(size("all.creel") < size("a.creel") * 3 / 2, "{} bytes", size("all.creel"));
    let one = printed(creel(folder, &["take(100) | map(length)", "a", "b", "c", "d"]));
    assert_eq!(printed(creel(folder, &["--merge", "all.creel"])), one);
}

#[test]
fn progress_of_a_merge_is_of_its_states() {
    let (folder, state) = state_of("words | frequencies");
    let size = std::fs::metadata(state).expect("a state").len();
    let args: &[&str] = &["--merge", "--progress", "always", "-v", "0.creel"];
    let output = creel(folder.path(), args);
    assert_eq!(output.status.code(), Some(0));
    let bytes = if size < 1024 { format!("{size} B") } else { "KiB".to_owned() };
    for line in said(&output).lines() {
        assert!(line.contains("read ") && line.contains(&bytes), "{line}");
        assert!(!line.contains("read 0 B,"), "{line}");
    }
    assert!(said(&output).lines().count() >= 2, "{}", said(&output));
}
