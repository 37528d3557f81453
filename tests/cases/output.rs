//! Where the output goes: standard streams, links, pipes and devices.

#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::{command, creel_in, fails, prints, text};

/// A folder with `a.txt`, a file of one line.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.txt"), "alpha\n").expect("a file");
    folder
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Runs a line of shell in a folder, with the command as `$CREEL`.
pub(crate) fn shell(folder: &Path, line: &str) -> Output {
    Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("CREEL", env!("CARGO_BIN_EXE_creel"))
        .stdin(Stdio::null())
        .output()
        .expect("sh runs")
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("a file")
}

#[test]
fn a_dash_is_standard_output_and_a_file_of_that_name_can_be_had() {
    let folder = folder();
    prints(&creel_in(folder.path(), &["-o", "-", "count", "a.txt"]), "1\n");
    prints(&creel_in(folder.path(), &["--output=-", "count", "a.txt"]), "1\n");
    assert_eq!(names(folder.path()), ["a.txt"]);
    prints(&creel_in(folder.path(), &["-o", "./-", "count", "a.txt"]), "");
    assert_eq!(read(folder.path().join("-")), "1\n");
}

#[test]
#[cfg(target_os = "linux")]
fn descriptors_are_written_in_place_under_all_their_names() {
    let folder = folder();
    let path = folder.path();
    symlink("/dev/stdout", path.join("link")).expect("a link");
    symlink("link", path.join("chain")).expect("a link");
    symlink("/proc/self/fd", path.join("descriptors")).expect("a link");
    for name in [
        "/dev/stdout",
        "/dev/fd/1",
        "/proc/self/fd/1",
        "/proc/thread-self/fd/1",
        "/dev/../dev/stdout",
        "link",
        "chain",
        "descriptors/1",
    ] {
        for redirect in [">", ">>"] {
            fs::write(path.join("log"), "kept\n").expect("a file");
            let line = format!(
                "(echo before; $CREEL -o {name} count a.txt || echo failed; echo after) {redirect} log"
            );
            prints(&shell(path, &line), "");
            let kept = if redirect == ">" { "" } else { "kept\n" };
            assert_eq!(read(path.join("log")), format!("{kept}before\n1\nafter\n"), "{name}");
        }
        prints(&shell(path, &format!("$CREEL -o {name} count a.txt | cat")), "1\n");
    }
    let output = shell(path, "$CREEL -o /dev/stderr count a.txt");
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("", "1\n"));
    let line = "(echo before >&7; $CREEL -o /dev/fd/7 count a.txt; echo after >&7) 7> log";
    prints(&shell(path, line), "");
    assert_eq!(read(path.join("log")), "before\n1\nafter\n");
    assert_eq!(names(path), ["a.txt", "chain", "descriptors", "link", "log"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_descriptor_that_cannot_be_written_is_an_error() {
    let folder = folder();
    let path = folder.path();
    for (line, says) in [
        ("$CREEL -o /dev/fd/8 count a.txt 8< a.txt", "not open for writing"),
        ("$CREEL -o /dev/stdout count a.txt < a.txt 1< a.txt", "not open for writing"),
        ("$CREEL -o /dev/fd/9 count a.txt 9>&-", "not open"),
        ("$CREEL -o /dev/stdout count a.txt >&-", "it is closed"),
        ("$CREEL -o /dev/fd/4294967296 count a.txt", ""),
    ] {
        fails(&shell(path, line), 2, &["cannot write", says]);
    }
    // A descriptor that the command has for itself is not one that it was given.
    for number in 3..20 {
        let output = shell(path, &format!("$CREEL -o /dev/fd/{number} count a.txt"));
        fails(&output, 2, &["cannot write", "not open"]);
    }
    assert_eq!(read(path.join("a.txt")), "alpha\n");
}

#[test]
fn closed_standard_streams_are_errors_where_they_are_needed() {
    let folder = folder();
    let path = folder.path();
    fails(&shell(path, "$CREEL count a.txt >&-"), 2, &["standard output", "closed"]);
    fails(&shell(path, "$CREEL -o - count a.txt >&-"), 2, &["standard output", "closed"]);
    fails(&shell(path, "$CREEL -n count a.txt >&-"), 2, &["standard output", "closed"]);
    fails(&shell(path, "$CREEL --help >&-"), 2, &["standard output", "closed"]);
    fails(&shell(path, "$CREEL --version >&-"), 2, &["standard output", "closed"]);
    fails(&shell(path, "$CREEL count <&-"), 3, &["standard input", "closed"]);
    fails(&shell(path, "$CREEL count - a.txt <&-"), 3, &["standard input", "closed"]);
    fails(&shell(path, "$CREEL count /dev/stdin <&-"), 3, &["/dev/stdin", "closed"]);
    // Not needed, so not missed.
    prints(&shell(path, "$CREEL count a.txt <&-"), "1\n");
    prints(&shell(path, "$CREEL -o out count a.txt >&- <&-"), "");
    prints(&shell(path, "$CREEL count a.txt 2>&-"), "1\n");
    assert_eq!(read(path.join("out")), "1\n");
}

#[test]
fn dev_null_is_not_a_closed_stream_however_it_was_opened() {
    let folder = folder();
    for redirect in ["> /dev/null", "1<> /dev/null", ">> /dev/null"] {
        prints(&shell(folder.path(), &format!("$CREEL count a.txt {redirect}")), "");
    }
    for redirect in ["< /dev/null", "<> /dev/null"] {
        prints(&shell(folder.path(), &format!("$CREEL count {redirect}")), "0\n");
    }
}

#[test]
fn streams_that_are_open_the_other_way_are_errors() {
    let folder = folder();
    let path = folder.path();
    let says = ["standard output", "not open for writing"];
    fails(&shell(path, "$CREEL count a.txt 1< a.txt"), 2, &says);
    fails(&shell(path, "$CREEL --help 1< a.txt"), 2, &says);
    let says = ["standard input", "not open for reading"];
    fails(&shell(path, "$CREEL count 0> out"), 3, &says);
    fails(&shell(path, "$CREEL count 0>> a.txt"), 3, &says);
}

/// Files that take no byte, as a disk that is full.
#[test]
fn every_write_that_fails_is_an_error() {
    let folder = folder();
    let path = folder.path();
    let full = "trap '' XFSZ; ulimit -f 0; exec $CREEL";
    for arguments in
        ["count a.txt", "-o /dev/stdout count a.txt", "-n count a.txt", "--help", "--version"]
    {
        fails(&shell(path, &format!("{full} {arguments} > out")), 2, &["cannot write"]);
    }
    fails(&shell(path, &format!("{full} -o new count a.txt")), 2, &["cannot write new"]);
    assert_eq!(names(path), ["a.txt", "out"]);
    if Path::new("/dev/full").exists() {
        for arguments in
            ["count a.txt", "-n count a.txt", "--help", "--version", "-o /dev/full . a.txt"]
        {
            fails(&shell(path, &format!("$CREEL {arguments} > /dev/full")), 2, &["cannot write"]);
        }
    }
}

#[test]
fn a_message_that_cannot_be_written_shows_in_the_exit_code() {
    let folder = folder();
    for redirect in ["2>&-", "2> err"] {
        let line = format!("trap '' XFSZ; ulimit -f 0; exec $CREEL -v count a.txt {redirect}");
        let output = shell(folder.path(), &line);
        assert_eq!((text(&output.stdout), output.status.code()), ("1\n", Some(2)), "{redirect}");
    }
}

#[test]
fn a_link_stays_and_its_file_is_made_or_replaced() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir_all(path.join("other/deep")).expect("a folder");
    // Links are relative to the folder that they are in.
    symlink("target", path.join("out")).expect("a link");
    symlink("other/second", path.join("first")).expect("a link");
    symlink("deep/third", path.join("other/second")).expect("a link");
    symlink("../../end", path.join("other/deep/third")).expect("a link");
    symlink("other", path.join("folder")).expect("a link");
    for _again in 0..2 {
        for (link, target) in
            [("out", "target"), ("first", "end"), ("folder/deep/file", "other/deep/file")]
        {
            prints(&creel_in(path, &["-o", link, "count", "a.txt"]), "");
            assert_eq!(read(path.join(target)), "1\n", "{link}");
            fs::write(path.join(target), "old\n").expect("it is written");
        }
    }
    for link in ["out", "first", "other/second", "other/deep/third"] {
        assert!(path.join(link).is_symlink(), "{link}");
    }
    // A run that fails makes nothing.
    symlink("never", path.join("failed")).expect("a link");
    fails(&creel_in(path, &["-o", "failed", "count", "missing.txt"]), 3, &["missing.txt"]);
    let expected = ["a.txt", "end", "failed", "first", "folder", "other", "out", "target"];
    assert_eq!(names(path), expected);
}

#[test]
fn links_that_lead_nowhere_are_errors_before_anything_is_read() {
    let folder = folder();
    let path = folder.path();
    symlink("round", path.join("round")).expect("a link");
    symlink("pong", path.join("ping")).expect("a link");
    symlink("ping", path.join("pong")).expect("a link");
    symlink("no/such/file", path.join("lost")).expect("a link");
    symlink(".", path.join("here")).expect("a link");
    symlink("a.txt/file", path.join("below")).expect("a link");
    for (link, says) in [
        ("round", "symbolic links"),
        ("ping", "symbolic links"),
        ("lost", "there is no directory no/such"),
        ("here", "it is a directory"),
        ("here/", "it is a directory"),
        ("here/..", "it is a directory"),
        ("a.txt/", "it is a directory"),
        ("a.txt/b", "ot a directory"),
        ("below", "ot a directory"),
        (".", "it is a directory"),
        ("/", "it is a directory"),
    ] {
        fails(&creel_in(path, &["-o", link, "count", "missing"]), 2, &["cannot write", says]);
    }
    fails(&creel_in(path, &["-o", "", "count", "missing"]), 2, &["--output"]);
    assert_eq!(names(path), ["a.txt", "below", "here", "lost", "ping", "pong", "round"]);
}

#[test]
fn a_named_pipe_stays_one_and_gets_the_result() {
    let folder = folder();
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    symlink("pipe", folder.path().join("link")).expect("a link");
    for name in ["pipe", "link"] {
        let reader = std::thread::spawn({
            let path = path.clone();
            move || read(path)
        });
        prints(&creel_in(folder.path(), &["-o", name, "count", "a.txt"]), "");
        assert_eq!(reader.join().expect("it reads"), "1\n");
        assert!(fs::symlink_metadata(&path).expect("it is there").file_type().is_fifo());
    }
}

#[test]
fn a_socket_in_the_file_system_is_refused() {
    let folder = folder();
    let _listener = UnixListener::bind(folder.path().join("socket")).expect("a socket");
    let output = creel_in(folder.path(), &["-o", "socket", "count", "a.txt"]);
    fails(&output, 2, &["cannot write socket", "it is a socket"]);
}

#[test]
fn a_stream_that_does_not_block_gets_everything() {
    let folder = folder();
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    theirs.set_nonblocking(true).expect("it is set");
    let input: String = (0..200_000).map(|n| format!("line {n}\n")).collect();
    fs::write(folder.path().join("in.txt"), &input).expect("a file");
    let mut child = command(&["-t", "text", ".", "in.txt"])
        .current_dir(folder.path())
        .stdout(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .expect("it starts");
    let mut output = String::new();
    let mut ours = ours;
    ours.read_to_string(&mut output).expect("UTF-8");
    assert!(child.wait().expect("it ends").success());
    assert!(output == input, "{} bytes of {}", output.len(), input.len());
}

#[test]
fn a_path_shows_no_control_character_in_messages() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("\x1b[31mred")).expect("a folder");
    symlink("\x1b]0;title\x07/x", path.join("link")).expect("a link");
    let output = creel_in(path, &["-o", "\x1b[31mred", "count", "a.txt"]);
    fails(&output, 2, &["cannot write \\x1b[31mred", "it is a directory"]);
    let output = creel_in(path, &["-o", "link", "count", "a.txt"]);
    fails(&output, 2, &["there is no directory \\x1b]0;title\\x07"]);
    // A gzip stream that breaks off.
    fs::write(path.join("cut"), b"\x1f\x8b\x08\0\0\0\0\0\0\xff").expect("a file");
    let output = creel_in(path, &["-o", "\u{202e}", "count", "a.txt", "cut"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("\\u{202e} was not written"), "{message}");
    assert!(!message.contains('\u{202e}'), "{message}");
}
