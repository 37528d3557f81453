//! The command as a user meets it: what it prints, where, and with which exit code.

#![cfg(feature = "cli")]

mod durability;
mod faults;
mod help;
mod memory;
mod output;
mod results;
mod signals;
mod terminal;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
fn command(args: &[&str]) -> Command {
    let creel = env!("CARGO_BIN_EXE_creel");
    let mut command = Command::new(if cfg!(target_os = "linux") { "env" } else { creel });
    if cfg!(target_os = "linux") {
        // Whoever runs the tests may have signals ignored, as in a job in the background; the
        // command would, rightly, ignore them too.
        command.args(["--default-signal=INT,TERM,HUP,PIPE", creel]);
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NO_COLOR").env("LC_ALL", "C");
    command
}

fn spawn(args: &[&str]) -> Child {
    command(args).stdin(Stdio::piped()).spawn().expect("the command starts")
}

/// Runs the command with this on its standard input.
fn creel_with(input: &[u8], args: &[&str]) -> Output {
    let mut child = spawn(args);
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("the command ends")
}

fn creel(args: &[&str]) -> Output {
    command(args).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Checks a run that goes well: what it prints, and that it says nothing else.
#[track_caller]
fn prints(output: &Output, expected: &str) {
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(0));
}

/// Checks a run that fails: its exit code, one message that says all of this, and no result.
#[track_caller]
fn fails(output: &Output, code: i32, says: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.starts_with("creel: "), "{message}");
    for part in says {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
    assert_eq!(text(&output.stdout), "");
}

const FISH: &[u8] = b"one fish two fish\nred fish blue fish\n\nold\xC3\xA9 fish\n";

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
}
