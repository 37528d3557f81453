//! Memory does not grow with the input: the command runs within limits far below it.

#![cfg(all(feature = "cli", target_os = "linux"))]

use std::process::Command;

/// What a program prints for half a gigabyte of lines down a pipe, in an address space of 400 MB.
fn within_limits(program: &str) -> String {
    let creel = env!("CARGO_BIN_EXE_creel");
    let script = format!(
        "yes 'to be or not to be, that is the question' | head -n 12000000 | \
         (ulimit -v 400000; exec '{creel}' -j 2 '{program}') | tail -n 3"
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{program}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_count_a_filter_and_frequencies_of_few_words_need_little() {
    assert_eq!(within_limits("count"), "12000000\n");
    assert_eq!(within_limits("filter(startswith(\"to be\")) | count"), "12000000\n");
    assert_eq!(within_limits("take(11999999) | filter(length < 10)"), "");
    assert_eq!(within_limits("words | frequencies | topk(1)"), "[\"to\",24000000]\n");
}
