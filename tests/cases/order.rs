//! The same answer, messages and exit code for any threads and blocks, and where reading ahead ends.

use std::fs;
use std::io::Write;

use tempfile::{TempDir, tempdir};

use crate::{creel_in, text};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

fn with_garbage(bytes: &[u8]) -> Vec<u8> {
    [&gzip(bytes)[..], b"garbage"].concat()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempdir().expect("a folder");
    for (name, content) in files {
        fs::write(root.path().join(name), content).expect("a file");
    }
    root
}

/// A message without what depends on how the input is cut.
fn without_partition(message: &str) -> String {
    let mut shown = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once("partition ") {
        shown.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    shown + rest
}

/// Runs with several blocks and threads, checks that all runs are the same, and returns what one
/// prints, what it says, and its exit code.
#[track_caller]
fn always(root: &TempDir, args: &[&str]) -> (String, String, Option<i32>) {
    let run = |(size, threads): (&str, &str)| {
        let all = [&["--blocksize", size, "-j", threads], args].concat();
        let output = creel_in(root.path(), &all);
        let told = without_partition(text(&output.stderr));
        (text(&output.stdout).to_owned(), told, output.status.code())
    };
    let cuts = [("16", "1"), ("16", "4"), ("4096", "2"), ("65536", "8"), ("1M", "3"), ("1M", "1")];
    let mut runs = cuts.into_iter().map(run);
    let first = runs.next().expect("there are some");
    runs.for_each(|run| assert_eq!(run, first));
    first
}

#[test]
fn notes_faults_and_unread_entries_behind_a_take_are_forgotten() {
    let text_file = b"one\ntwo\nthree\n".repeat(20);
    let torn = gzip(&b"a line of some length\n".repeat(300));
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for n in 0..6 {
        files.push((format!("f{n}0.txt"), text_file.clone()));
        files.push((format!("f{n}1.gz"), with_garbage(b"four\n")));
        files.push((format!("f{n}2"), b"\x89PNG\r\n\x1a\n\0\0\0\0".to_vec()));
        files.push((format!("f{n}3.gz"), torn[..torn.len() - 9].to_vec()));
    }
    let files: Vec<_> = files.iter().map(|(n, bytes)| (n.as_str(), &bytes[..])).collect();
    let root = folder(&files);
    let (printed, told, code) = always(&root, &["-t", "text", "take(3)", "."]);
    assert_eq!((printed.as_str(), told.as_str(), code), ("one\ntwo\nthree\n", "", Some(0)));
    let (printed, told, code) = always(&root, &["take(61) | count", "f0*", "f1*"]);
    assert_eq!((printed.as_str(), code), ("61\n", Some(0)), "{told}");
    let (printed, told, code) = always(&root, &["take(62) | count", "f0*", "f1*"]);
    assert_eq!((printed.as_str(), code), ("62\n", Some(3)), "{told}");
    let told: Vec<_> = told.lines().collect();
    assert!(told[0].starts_with("creel: f02: "), "{told:?}");
    assert!(told[1].contains("f01.gz") && told[1].contains("left out"), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn notes_are_told_in_input_order() {
    let root = folder(&[("f9.gz", &with_garbage(b"a\n")), ("f10.gz", &with_garbage(b"b\n"))]);
    let (printed, told, code) = always(&root, &["count", "f9.gz", "f10.gz"]);
    assert_eq!((printed.as_str(), code), ("2\n", Some(0)));
    let told: Vec<_> = told.lines().collect();
    assert!(told[0].contains("f9.gz") && told[1].contains("f10.gz"), "{told:?}");
}

#[test]
fn a_run_that_fails_names_the_unread_entries_before_the_failure_and_no_others() {
    let binary = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";
    let root =
        folder(&[("a", binary), ("b", b"1\n2\nx\n"), ("c", binary), ("d", b"y\n"), ("e", binary)]);
    for program in ["sum", ".", "frequencies | topk(2)", "take(9)"] {
        let (_, told, code) = always(&root, &["-f", "jsonl", program, "."]);
        let told: Vec<_> = told.lines().collect();
        assert_eq!(code, Some(4), "{program}: {told:?}");
        assert!(
            told[0].starts_with("creel: ./a: ") && told[1].starts_with("creel: ./b "),
            "{told:?}"
        );
        assert_eq!(told.len(), 2, "{told:?}");
    }
}

#[test]
fn a_refused_entry_fails_at_its_place_among_bad_records() {
    let binary = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";
    let good = b"text\n".repeat(3000);
    let bad = [&good[..], b"\xff\n", &good].concat();
    let root = folder(&[("0", &good), ("1", &bad), ("2", binary), ("3", &bad)]);
    let fails = ["--on-missing", "fail", "count"];
    let (_, told, code) = always(&root, &[&fails[..], &["."]].concat());
    assert!(told.starts_with("creel: ./1 (") && code == Some(4), "{told}");
    let (_, told, code) = always(&root, &[&fails[..], &["0", "2", "1"]].concat());
    assert!(told.starts_with("creel: 2: ") && code == Some(3), "{told}");
}

#[test]
fn a_torn_record_that_is_too_long_is_told_for_any_block() {
    let long = (0..40_000u32).map(|n| b'a' + (n * n % 26) as u8).collect::<Vec<_>>();
    let stored = gzip(&[b"short\n", &long[..]].concat());
    let root = folder(&[("torn.gz", &stored[..stored.len() - 4])]);
    let (_, told, code) = always(&root, &["--max-record", "1000", "count", "torn.gz"]);
    assert!(told.contains("byte 6") && code == Some(4), "{told}");
}
