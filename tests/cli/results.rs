//! What programs print.

use std::io::{BufRead, BufReader, Write};

use crate::{FISH, creel, creel_with, fails, prints, spawn};

#[test]
fn counts_are_json_lines_when_piped() {
    let output = creel_with(FISH, &["words | frequencies | topk(3)"]);
    prints(&output, "[\"fish\",5]\n[\"blue\",1]\n[\"old\u{e9}\",1]\n");
    prints(&creel_with(FISH, &["count"]), "4\n");
    prints(&creel_with(FISH, &["words | max"]), "\"two\"\n");
    prints(&creel_with(b"", &["words | max"]), "null\n");
    prints(&creel_with(b"", &["words | frequencies | topk(3)"]), "");
}

#[test]
fn every_format_prints_counts_and_records() {
    let program = "words | frequencies | topk(2)";
    prints(&creel_with(FISH, &["-t", "text", program]), "fish\t5\nblue\t1\n");
    prints(&creel_with(FISH, &["-t", "jsonl", program]), "[\"fish\",5]\n[\"blue\",1]\n");
    prints(&creel_with(FISH, &["--to", "table", program]), " 5  fish\n 1  blue\n");
    prints(&creel_with(b"a\"b\n", &["."]), "\"a\\\"b\"\n");
    prints(&creel_with(b"a\"b\x07\n", &["-t", "text", "."]), "a\"b\x07\n");
    prints(&creel_with(b"a b\n", &["-f", "text", "split(\" \")"]), "[\"a\",\"b\"]\n");
}

#[test]
fn the_length_of_a_word_is_in_code_points() {
    let output =
        creel_with("\u{e9}t\u{e9} \u{1d11e}\u{1d11e} abcd".as_bytes(), &["words | map(length)"]);
    prints(&output, "3\n2\n4\n");
}

#[test]
fn the_answer_does_not_depend_on_threads_and_block_sizes() {
    let text: String = (0..2000).map(|n| format!("word{} x\n", n * 7919 % 311)).collect();
    let program = "words | frequencies | topk(5)";
    let expected = creel_with(text.as_bytes(), &[program]);
    for threads in ["1", "2", "5"] {
        for size in ["7", "1k", "64KiB", "1MB"] {
            let args = ["-j", threads, "--blocksize", size, program];
            assert_eq!(creel_with(text.as_bytes(), &args), expected);
        }
    }
}

#[test]
fn take_prints_the_first_in_input_order() {
    let text: String = (0..10_000).map(|n| format!("{n}\n")).collect();
    let output = creel_with(text.as_bytes(), &["--blocksize", "10", "-t", "text", "take(3)"]);
    prints(&output, "0\n1\n2\n");
    prints(
        &creel_with(text.as_bytes(), &["take(12) | map(length) | frequencies"]),
        "[1,10]\n[2,2]\n",
    );
    prints(&creel_with(text.as_bytes(), &["take(0)"]), "");
}

#[test]
fn a_delimiter_may_be_any_bytes() {
    prints(&creel_with(b"a\0b\0", &["--delimiter", r"\0", "."]), "\"a\"\n\"b\"\n");
    prints(&creel_with(b"a--b", &["--delimiter", "--", "."]), "\"a\"\n\"b\"\n");
    prints(&creel_with(b"a\r\nb", &["--delimiter", r"\n", "."]), "\"a\"\n\"b\"\n");
    fails(&creel(&["--delimiter", r"\q", "."]), 2, &["--delimiter", "backslash"]);
}

#[test]
fn nul_bytes_are_text_like_any_other() {
    prints(&creel_with(b"a\0b c\n", &["words | frequencies"]), "[\"a\\u0000b\",1]\n[\"c\",1]\n");
}

#[test]
fn a_record_is_printed_before_the_next_is_written() {
    for program in ["filter(. != \"b\")", "filter(. != \"b\") | take(10)"] {
        let mut child = spawn(&[program]);
        let mut into = child.stdin.take().expect("piped");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        for line in ["a\n", "b\nc\n", "d\n"] {
            into.write_all(line.as_bytes()).expect("it reads");
            let mut printed = String::new();
            out.read_line(&mut printed).expect("it prints");
            let last = line.trim().chars().last().expect("a letter");
            assert_eq!(printed, format!("\"{last}\"\n"));
        }
        drop(into);
        assert!(child.wait().expect("it ends").success());
    }
}
