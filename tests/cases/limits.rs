//! Limits of the process that are too low: a message names the limit, or the answer is right.

use std::process::Output;

use super::command;

/// Runs the command with one limit of the shell's `ulimit`.
fn limited(option: &str, limit: u32, program: &str) -> Output {
    let line =
        format!("ulimit -{option} {limit} && exec {} {program}", env!("CARGO_BIN_EXE_creel"));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &line]).env("LC_ALL", "C");
    shell.stdin(std::fs::File::open("fixtures/access.log").expect("a fixture"));
    shell.output().expect("the shell runs")
}

fn right_or_named(output: &Output, expected: &[u8], limit: u32, option: &str) {
    if output.status.success() {
        assert_eq!(output.stdout, expected, "ulimit -{option} {limit}");
        return;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout.is_empty(), "ulimit -{option} {limit}: a part of the answer");
    assert!(said.contains(&format!("ulimit -{option}")), "ulimit -{option} {limit}: {said}");
}

#[test]
fn too_few_descriptors_are_named() {
    let whole = command(&["count", "fixtures/access.log"]).output().expect("the command runs");
    // With fewer than four the loader cannot open the libraries of the system.
    for limit in 4..16 {
        right_or_named(&limited("n", limit, "count"), &whole.stdout, limit, "n");
        let output = limited("n", limit, "count fixtures/access.log");
        right_or_named(&output, &whole.stdout, limit, "n");
    }
}

#[test]
fn too_little_address_space_is_named() {
    let whole = command(&["count", "fixtures/access.log"]).output().expect("the command runs");
    let mut named = 0;
    // A debug build is mapped with its symbols left out: both ends of the range are met.
    for mebibytes in (16..128).step_by(8) {
        let output = limited("v", mebibytes << 10, "count fixtures/access.log");
        // Below, the kernel or the loader ends the process before it begins.
        let began = output.status.code().is_some_and(|code| code != 127);
        if began {
            right_or_named(&output, &whole.stdout, mebibytes << 10, "v");
            named += u32::from(!output.status.success());
        }
    }
    assert!(named > 0, "no limit was too low");
}
