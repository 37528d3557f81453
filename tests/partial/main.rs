//! The answer in two steps: states of parts of the sources, and their merge.

#![cfg(feature = "cli")]

mod merges;
mod refusals;
mod splits;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

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

/// A folder with a state in `0.creel`, of a program over all files.
fn state_of(program: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = text_files(folder.path());
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    partials(folder.path(), program, &[files], &[&[]]);
    let state = folder.path().join("0.creel");
    (folder, state)
}
