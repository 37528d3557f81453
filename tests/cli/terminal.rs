//! The command on a terminal: tables, progress, and data that would like to move the cursor.

#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

/// Runs the command on a terminal of 80 columns; gives what appears there, standard error too.
fn shown(arguments: &str) -> String {
    let line = format!("stty cols 80 rows 24; {} {arguments}", env!("CARGO_BIN_EXE_creel"));
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .envs([("NO_COLOR", "1"), ("TERM", "xterm")])
        .stdin(Stdio::null())
        .output()
        .expect("script, of util-linux, starts");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_progress_bar_is_cleared_before_the_result_appears() {
    let shown = shown("--progress always count fixtures/access.log");
    assert!(shown.ends_with("\r\x1b[2K1500\r\n"), "{shown:?}");
}

#[test]
fn a_progress_bar_is_cleared_before_anything_goes_down_a_pipe() {
    let shown = shown("--progress always count fixtures/access.log | cat");
    assert!(shown.ends_with("\r\x1b[2K1500\r\n"), "{shown:?}");
}

#[test]
fn counts_are_a_table_and_nothing_in_them_moves_the_cursor() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.txt");
    std::fs::write(&path, "one \x1b[31mred one \u{9b}2J").expect("a file");
    let table = shown(&format!("'words | frequencies' {}", path.display()));
    assert_eq!(table, " 2  one\r\n 1  \\x1b[31mred\r\n 1  \\u{9b}2J\r\n");
    let record = shown(&format!(". {}", path.display()));
    assert_eq!(record, "\"one \\u001b[31mred one \\u009b2J\"\r\n");
}

#[test]
fn a_run_that_is_over_at_once_shows_no_progress() {
    assert_eq!(shown("count fixtures/access.log"), "1500\r\n");
}
