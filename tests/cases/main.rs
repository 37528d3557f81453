//! Inputs that people really have, and the answers that they should get.
//!
//! One module for each subject. Each test runs the command as a user does, and checks what it
//! prints, what it says on standard error, and its exit code.

#![cfg(feature = "cli")]

mod archives;
mod blocks;
#[cfg(target_os = "linux")]
mod budgets;
mod codecs;
mod content;
mod depth;
#[cfg(unix)]
mod entries;
#[cfg(target_os = "linux")]
mod files;
mod json;
#[cfg(all(unix, feature = "s3"))]
mod keys;
#[cfg(target_os = "linux")]
mod large_groups;
mod limits;
#[cfg(target_os = "linux")]
mod memory;
mod numbers;
mod order;
mod output;
mod records;
mod replaced;
#[cfg(all(feature = "s3", feature = "gcs", feature = "azure", feature = "http"))]
mod secrets;
#[cfg(all(unix, feature = "s3"))]
mod server;
#[cfg(target_os = "linux")]
mod skew;
#[cfg(all(unix, feature = "s3"))]
mod trust;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The command with these arguments, no standard input, and both outputs captured.
#[allow(dead_code, reason = "for modules that change the command before it runs")]
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NO_COLOR").env("LC_ALL", "C");
    command
}

/// Runs the command to its end.
#[allow(dead_code, reason = "modules use what they need")]
fn creel(args: &[&str]) -> Output {
    command(args).output().expect("the command runs")
}

/// Runs the command in a folder.
#[allow(dead_code, reason = "modules use what they need")]
fn creel_in(folder: &Path, args: &[&str]) -> Output {
    command(args).current_dir(folder).output().expect("the command runs")
}

/// Runs the command with these bytes on its standard input.
#[allow(dead_code, reason = "modules use what they need")]
fn creel_with(input: &[u8], args: &[&str]) -> Output {
    let mut child = command(args).stdin(Stdio::piped()).spawn().expect("the command starts");
    // The command may end before it has read everything.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("the command ends")
}

#[allow(dead_code, reason = "modules use what they need")]
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Checks a run that succeeds: its output, and that standard error is empty.
#[track_caller]
#[allow(dead_code, reason = "modules use what they need")]
fn prints(output: &Output, expected: &str) {
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(0));
}

/// Checks a run that fails: its exit code, one message that contains all of these parts, and no
/// output.
#[track_caller]
#[allow(dead_code, reason = "modules use what they need")]
fn fails(output: &Output, code: i32, parts: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.starts_with("creel: "), "{message}");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
    assert_eq!(text(&output.stdout), "");
}
