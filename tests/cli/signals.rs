//! Ctrl-C, and readers that go away.

#![cfg(unix)]

#[cfg(target_os = "linux")]
use std::io::PipeWriter;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[cfg(target_os = "linux")]
use crate::command;
use crate::{fails, names_in, prints, spawn, text};

const SIGINT: i32 = 2;
const SIGPIPE: i32 = 13;
const SIGTERM: i32 = 15;

#[test]
fn a_reader_that_goes_away_ends_the_command_silently() {
    for program in [".", "words", "words | map(length)", "take(1000000000)"] {
        let mut child = spawn(&[program]);
        let mut stdin = child.stdin.take().expect("piped");
        let mut stdout = child.stdout.take().expect("piped");
        // Endless input: only the broken pipe can end this.
        let writer = std::thread::spawn(move || {
            while stdin.write_all(&b"some words to write\n".repeat(1000)).is_ok() {}
        });
        stdout.read_exact(&mut [0; 8]).expect("something is printed");
        drop(stdout);
        let output = child.wait_with_output().expect("it ends");
        writer.join().expect("the input was refused in the end");
        assert_eq!(output.status.signal(), Some(SIGPIPE), "{program}");
        assert_eq!(text(&output.stderr), "", "{program}");
    }
}

#[test]
fn a_take_ends_reading_a_stream_that_never_ends() {
    let mut child = spawn(&["-t", "text", "words | take(2)"]);
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || {
        while stdin.write_all(&b"some words to write\n".repeat(1000)).is_ok() {}
    });
    prints(&child.wait_with_output().expect("it ends"), "some\nwords\n");
    writer.join().expect("the input was refused in the end");
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
    assert!(status.success());
}

/// Waits until the command has made its temporary file: then it also listens to signals.
fn wait_for_temporary(directory: &Path) {
    while names_in(directory).is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn ctrl_c_ends_the_input_and_leaves_no_temporary_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out");
    let mut child = spawn(&["-o", path.to_str().expect("UTF-8"), "count"]);
    let mut stdin = child.stdin.take().expect("piped");
    wait_for_temporary(directory.path());
    signal(&child, "INT");
    while stdin.write_all(b"a line\n").is_ok() {}
    let output = child.wait_with_output().expect("it ends");
    fails(&output, 130, &["interrupted", "was not written"]);
    assert_eq!(names_in(directory.path()), [""; 0]);
}

/// Waits until the command handles Ctrl-C.
#[cfg(target_os = "linux")]
fn wait_until_it_listens(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let listens = || {
        let status = std::fs::read_to_string(&status).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
        u64::from_str_radix(caught.expect("a mask"), 16).expect("hexadecimal") & 0b10 != 0
    };
    while !listens() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_prints_what_was_counted_and_says_so() {
    let mut child = spawn(&["count"]);
    let mut stdin = child.stdin.take().expect("piped");
    wait_until_it_listens(&child);
    signal(&child, "INT");
    while stdin.write_all(b"a line\n").is_ok() {}
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert!(text(&output.stderr).contains("interrupted"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).trim_end().parse::<u64>().is_ok());
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out");
    let line = format!("trap '' HUP INT; exec {} -o \"$0\" count", env!("CARGO_BIN_EXE_creel"));
    let mut child = Command::new("sh")
        .args(["-c", &line])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh starts");
    wait_for_temporary(directory.path());
    signal(&child, "HUP");
    signal(&child, "INT");
    child.stdin.take().expect("piped").write_all(b"a line\n").expect("it reads on");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(std::fs::read(&path).expect("written"), b"1\n");
}

#[test]
fn a_termination_leaves_no_temporary_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out");
    let mut child = spawn(&["-o", path.to_str().expect("UTF-8"), "count"]);
    let stdin = child.stdin.take().expect("piped");
    wait_for_temporary(directory.path());
    signal(&child, "TERM");
    let status = child.wait().expect("it ends");
    drop(stdin);
    assert_eq!(status.signal(), Some(SIGTERM));
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn a_second_ctrl_c_kills_and_leaves_no_temporary_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out");
    let mut child = spawn(&["-o", path.to_str().expect("UTF-8"), "count"]);
    let stdin = child.stdin.take().expect("piped");
    wait_for_temporary(directory.path());
    let status = loop {
        signal(&child, "INT");
        std::thread::sleep(Duration::from_millis(5));
        if let Some(status) = child.try_wait().expect("it can be asked") {
            break status;
        }
    };
    drop(stdin);
    assert!(status.signal() == Some(SIGINT) || status.code() == Some(130), "{status}");
    assert_eq!(names_in(directory.path()), [""; 0]);
}

/// Waits until a pipe takes no more.
#[cfg(target_os = "linux")]
fn wait_until_full(pipe: &PipeWriter) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    while poll(&mut [PollFd::new(pipe, PollFlags::OUT)], Some(&now)) != Ok(0) {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_a_write_to_a_pipe_that_nobody_reads() {
    for program in [".", "words | map(length)", "words | frequencies"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let ours = writer.try_clone().expect("another end");
        let mut child =
            command(&[program]).stdin(Stdio::piped()).stdout(writer).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        let input = std::thread::spawn(move || {
            for n in 0..500_000 {
                if writeln!(stdin, "word{n}").is_err() {
                    break;
                }
            }
        });
        wait_until_full(&ours);
        signal(&child, "INT");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130), "{program}");
        assert!(text(&output.stderr).contains("interrupted"), "{}", text(&output.stderr));
        input.join().expect("the input was refused or taken");
        drop(reader);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_the_wait_for_a_reader_of_a_named_pipe() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    let child = spawn(&["-o", path.to_str().expect("UTF-8"), "count"]);
    wait_until_it_listens(&child);
    signal(&child, "INT");
    fails(&child.wait_with_output().expect("it ends"), 130, &["interrupted"]);
    assert_eq!(names_in(directory.path()), ["pipe"]);
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_a_message_that_nobody_reads() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("it does not block");
    while writer.write(&[b' '; 1024]).is_ok() {}
    while writer.write(b" ").is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).expect("it blocks");
    let child = command(&["-v", "count"]).stdin(Stdio::piped()).stderr(writer).spawn();
    let mut child = child.expect("it starts");
    wait_until_it_listens(&child);
    drop(child.stdin.take());
    signal(&child, "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    drop(reader);
}
