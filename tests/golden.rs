//! The command over the fixtures prints what an independent program counted.

#![cfg(feature = "cli")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn golden(name: &str) -> String {
    std::fs::read_to_string(fixtures().join("golden").join(name)).expect("a golden output")
}

#[track_caller]
fn prints(program: &str, source: &str, options: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_creel"))
        .args(options)
        .arg(program)
        .arg(source)
        .current_dir(fixtures())
        .output()
        .expect("the command to start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// `frequencies` alone promises no order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_ten_commonest_words_are_the_golden_ones() {
    let program = "words | filter(length > 5) | frequencies | topk(10)";
    assert_eq!(prints(program, "peps/*.rst", &[]), golden("peps-top10.jsonl"));
    assert_eq!(prints(program, "peps/pep-0672.rst", &[]), golden("pep-0672-top10.jsonl"));
}

#[test]
fn every_word_has_its_golden_count_whatever_the_blocks_and_threads() {
    let expected = golden("peps-frequencies.jsonl");
    let program = "words | filter(length > 5) | frequencies";
    for options in [["-j", "1", "--blocksize", "1MiB"], ["-j", "3", "--blocksize", "1KiB"]] {
        let out = prints(program, "peps/*.rst", &options);
        assert_eq!(sorted(&out), sorted(&expected), "{options:?}");
    }
}

#[test]
fn words_and_lines_are_counted_as_the_golden_program_counts_them() {
    assert_eq!(prints("words | count", "peps/*.rst", &[]), golden("peps-words.jsonl"));
    assert_eq!(prints("count", "peps/*.rst", &[]), golden("peps-lines.jsonl"));
    let not_found = r#"filter(test("\" 404 ")) | count"#;
    assert_eq!(prints(not_found, "access.log", &[]), golden("access-404.jsonl"));
}

#[test]
fn json_in_any_spelling_is_read_as_the_golden_program_reads_it() {
    for (program, name) in [
        ("filter(.status != 200) | frequencies(.path) | topk(10)", "access-json-not-200.jsonl"),
        ("filter(.referer | not) | frequencies(.request.method)", "access-json-no-referer.jsonl"),
        ("sum(.bytes)", "access-json-bytes.jsonl"),
    ] {
        for options in [["-j", "1", "--blocksize", "1MiB"], ["-j", "3", "--blocksize", "1KiB"]] {
            assert_eq!(prints(program, "access.jsonl", &options), golden(name), "{program}");
        }
    }
}
