//! The README's sessions print what it says they print. (Its Rust is a documentation test.)

#![cfg(all(feature = "cli", unix))]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The commands of every `console` block and what follows each.
fn sessions(text: &str) -> Vec<(String, String)> {
    let blocks = text.split("```console\n").skip(1).filter_map(|block| block.split("```").next());
    let mut sessions: Vec<(String, String)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), sessions.last_mut()) {
            (Some(command), _) => sessions.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("a session starts with a command, not with {line:?}"),
        }
    }
    sessions
}

#[test]
fn every_session_runs_as_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    let sessions = sessions(&readme);
    assert!(sessions.len() >= 6, "the README promises six one-liners");
    let bin = Path::new(env!("CARGO_BIN_EXE_creel")).parent().expect("it is in a folder");
    let old = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([bin.to_owned()].into_iter().chain(env::split_paths(&old)));
    let path = path.expect("folders without colons");
    for (command, expected) in sessions {
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("PATH", &path).current_dir(root);
        let output = shell.output().expect("a shell runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{command}");
        assert!(output.status.success(), "{command}");
    }
}

/// The first of the two commands, as far as what it prints goes.
#[test]
fn the_first_command_prints_the_right_ten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    let line = readme.lines().find_map(|line| line.strip_prefix("cargo run --release -- "));
    let command = format!("{} {}", env!("CARGO_BIN_EXE_creel"), line.expect("it is there"));
    let output = Command::new("sh").args(["-c", &command]).current_dir(root).output();
    let golden = fs::read(root.join("fixtures/golden/peps-top10.jsonl")).expect("it was made");
    assert_eq!(output.expect("a shell runs").stdout, golden);
}
