//! A file is one file from the beginning of a run to its end, whatever is done to it or to its name
//! meanwhile: the answer is that of what stood there, or an error says that it changed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::{command, text};

const LINES: usize = 500_000;
const LINE: usize = 31;
/// Lines of which one was read when the first output came, and the other was not: results of only
/// so much wait to be printed. No sample of the file is taken there.
const SPARSE: [usize; 2] = [100, LINES - 1000];

fn lines() -> Vec<u8> {
    (0..LINES).flat_map(|n| format!("old {n:07} and some more text\n").into_bytes()).collect()
}

/// How the command gets a file.
#[derive(Debug, Clone, Copy)]
enum By {
    Name,
    StandardInput,
}

/// Runs the command over a file, which is changed when the first output has come, while the rest of
/// the output waits for its reader.
fn run(by: By, old: &[u8], change: impl FnOnce(&Path)) -> (Output, TempDir, PathBuf) {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("file");
    fs::write(&path, old).expect("a file");
    let mut command = command(&["-j", "2", "-t", "text", "."]);
    match by {
        By::Name => command.arg(&path),
        By::StandardInput => command.stdin(File::open(&path).expect("the file")),
    };
    let mut child = command.spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("its output");
    let mut printed = vec![0; LINE * 1000];
    stdout.read_exact(&mut printed).expect("the first lines");
    change(&path);
    stdout.read_to_end(&mut printed).expect("the other lines");
    let mut output = child.wait_with_output().expect("it ends");
    output.stdout = printed;
    (output, root, path)
}

fn is_read_as_it_was(what: &str, old: &[u8], change: impl Fn(&Path)) {
    for by in [By::Name, By::StandardInput] {
        let (output, _root, _) = run(by, old, &change);
        assert_eq!(text(&output.stderr), "", "{what}, {by:?}");
        assert!(output.status.success() && output.stdout == old, "{what}, {by:?}");
    }
}

fn is_an_error(what: &str, old: &[u8], change: impl Fn(&Path)) {
    for by in [By::Name, By::StandardInput] {
        let (output, _root, _) = run(by, old, &change);
        let said = text(&output.stderr);
        assert!(said.contains("changed while it was being read"), "{what}, {by:?}: {said}");
        assert_eq!(output.status.code(), Some(3), "{what}, {by:?}");
    }
}

fn write_sparsely(path: &Path) {
    let file = File::options().write(true).open(path).expect("the file");
    for line in SPARSE {
        file.write_all_at(b"new", (line * LINE) as u64).expect("written");
    }
}

fn append(path: &Path) {
    let mut file = File::options().append(true).open(path).expect("the file");
    file.write_all(b"more\n").expect("written");
}

#[test]
fn a_file_is_read_to_its_end_whatever_becomes_of_its_name() {
    let old = lines();
    let other = |path: &Path| path.with_extension("other");
    is_read_as_it_was("renamed", &old, |path| fs::rename(path, other(path)).expect("renamed"));
    is_read_as_it_was("removed", &old, |path| fs::remove_file(path).expect("removed"));
    is_read_as_it_was("replaced by a FIFO", &old, |path| {
        fs::remove_file(path).expect("removed");
        let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo");
        assert!(made.success());
    });
    is_read_as_it_was("replaced by a file of its size and time", &old, |path| {
        let time = fs::metadata(path).and_then(|found| found.modified()).expect("its time");
        fs::copy(path, other(path)).expect("copied");
        write_sparsely(&other(path));
        let file = File::options().append(true).open(other(path)).expect("the file");
        file.set_modified(time).expect("its time");
        fs::rename(other(path), path).expect("renamed");
    });
    is_read_as_it_was("a log that grows", &old, append);
    is_read_as_it_was("a log that is rotated", &old, |path| {
        append(path);
        fs::rename(path, other(path)).expect("renamed");
        fs::write(path, "new\n").expect("written");
    });
}

#[test]
fn a_file_whose_content_changes_is_an_error_however_little_of_it_does() {
    let old = lines();
    is_an_error("written to", &old, write_sparsely);
    is_an_error("written to, and its time set back", &old, |path| {
        let time = fs::metadata(path).and_then(|found| found.modified()).expect("its time");
        write_sparsely(path);
        let file = File::options().append(true).open(path).expect("the file");
        file.set_modified(time).expect("its time");
    });
    is_an_error("written to and appended to", &old, |path| {
        write_sparsely(path);
        append(path);
    });
    is_an_error("written over by a longer one", &old, |path| {
        let mut new = [&old[..], b"more\n"].concat();
        for line in SPARSE {
            new[line * LINE..][..3].copy_from_slice(b"new");
        }
        fs::write(path, new).expect("written");
    });
    is_an_error("truncated", &old, |path| {
        File::options().write(true).open(path).and_then(|file| file.set_len(100)).expect("cut");
    });
}

/// Runs the command over two files, the second of which is changed before it is opened: output of the
/// first waits for its reader.
fn run_listed(change: impl FnOnce(&Path)) -> Output {
    let root = tempfile::tempdir().expect("a folder");
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    fs::write(&first, lines()).expect("a file");
    fs::write(&second, "a line\n").expect("a file");
    let mut command = command(&["-j", "1", "-t", "text", "."]);
    let mut child = command.arg(&first).arg(&second).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("its output");
    let mut printed = vec![0; LINE * 1000];
    stdout.read_exact(&mut printed).expect("the first lines");
    change(&second);
    stdout.read_to_end(&mut printed).expect("the other lines");
    let mut output = child.wait_with_output().expect("it ends");
    output.stdout = printed;
    output
}

/// What is done to a file, in words and in deed.
type Change<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn a_file_that_was_listed_and_is_changed_before_it_is_opened_is_an_error() {
    let time_of =
        |path: &Path| fs::metadata(path).and_then(|found| found.modified()).expect("its time");
    let set = |path: &Path, time| {
        let file = File::options().append(true).open(path).expect("the file");
        file.set_modified(time).expect("its time");
    };
    let write = |path: &Path| {
        let time = time_of(path);
        fs::write(path, "A LINE\n").expect("written");
        set(path, time);
    };
    let changes: [Change<'_>; 4] = [
        ("written to, and its time set back", &write),
        ("replaced by one that may have its number", &|path| {
            let time = time_of(path);
            fs::remove_file(path).expect("removed");
            fs::write(path, "A LINE\n").expect("written");
            set(path, time);
        }),
        ("replaced by a link to one that may have its number", &|path| {
            let (time, other) = (time_of(path), path.with_extension("other"));
            fs::remove_file(path).expect("removed");
            fs::write(&other, "A LINE\n").expect("written");
            set(&other, time);
            std::os::unix::fs::symlink(&other, path).expect("a link");
        }),
        ("written over by a shorter one", &|path| fs::write(path, "A\n").expect("written")),
    ];
    for (what, change) in changes {
        let output = run_listed(change);
        let said = text(&output.stderr);
        assert!(said.contains("second (byte 0): changed"), "{what}: {said}");
        assert_eq!(output.status.code(), Some(3), "{what}");
        assert!(output.stdout == lines(), "{what}: the rest is read");
    }
    let grown = run_listed(|path| {
        let mut file = File::options().append(true).open(path).expect("the file");
        file.write_all(b"more\n").expect("written");
    });
    assert!(grown.stdout == [lines(), b"a line\n".to_vec()].concat(), "a log that grows");
}
