//! Entries that cannot be read: the others are, and each is named.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Output;

use tempfile::{TempDir, tempdir};

use crate::{command, creel_in, fails, prints, text};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let root = tempdir().expect("a folder");
    for (name, content) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    root
}

fn logs() -> TempDir {
    folder(&[("d/app-1.log", "one\ntwo\n"), ("d/app-2.log", "three\n")])
}

/// Checks that a result was printed, that exactly these entries were named, one a line and in this
/// order, and the exit code.
#[track_caller]
fn reports(output: &Output, result: &str, entries: &[&str]) {
    let told = text(&output.stderr);
    assert_eq!(text(&output.stdout), result, "{told}");
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), entries.len(), "{told}");
    for (line, entry) in lines.iter().zip(entries) {
        assert!(line.starts_with(&format!("creel: {entry}: ")), "no {entry} in: {line}");
    }
    assert_eq!(output.status.code(), Some(3), "{told}");
}

/// Takes all permissions away.
fn shut(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o0)).expect("own file");
}

/// Runs the command in a folder as a user for whom permissions count.
fn creel_of_nobody(folder: &Path, args: &[&str]) -> Output {
    const NOBODY: u32 = 65534;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("own folder");
    let mut command = command(args);
    if fs::metadata(folder).expect("a folder").uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(folder).output().expect("the command runs")
}

#[test]
fn a_link_that_leads_nowhere_is_told_in_a_folder_and_for_a_pattern() {
    let root = logs();
    symlink("app-0.log", root.path().join("d/current.log")).expect("a link");
    reports(&creel_in(root.path(), &["count", "d"]), "3\n", &["d/current.log"]);
    let output = creel_in(root.path(), &["count", "d/*.log"]);
    reports(&output, "3\n", &["d/current.log"]);
    assert!(text(&output.stderr).contains("link to app-0.log, which does not exist"));
    reports(&creel_in(root.path(), &["count", "d/**"]), "3\n", &["d/current.log"]);
    let twice = creel_in(root.path(), &["count", "d/app-1.log", "d/current.log", "d"]);
    reports(&twice, "5\n", &["d/current.log", "d/current.log"]);
    prints(&creel_in(root.path(), &["--on-missing", "skip", "-q", "count", "d"]), "3\n");
    fails(&creel_in(root.path(), &["--on-missing", "fail", "count", "d"]), 3, &["d/current.log"]);
}

#[test]
fn links_in_a_circle_are_told_in_a_folder_and_for_a_pattern() {
    let root = logs();
    symlink("b.log", root.path().join("d/a.log")).expect("a link");
    symlink("a.log", root.path().join("d/b.log")).expect("a link");
    symlink(".", root.path().join("d/self")).expect("a link");
    reports(&creel_in(root.path(), &["count", "d"]), "3\n", &["d/a.log", "d/b.log"]);
    let output = creel_in(root.path(), &["count", "d/*.log"]);
    reports(&output, "3\n", &["d/a.log", "d/b.log"]);
}

#[test]
fn the_policy_says_what_an_entry_does_that_is_missing() {
    let root = logs();
    let run = |how: &str, sources: &[&str]| {
        creel_in(root.path(), &[&["--on-missing", how, "count"], sources].concat())
    };
    let sources = ["no", "d/app-1.log", "d/*.gz", "d/app-2.log", "no/such"];
    reports(&run("report", &sources), "3\n", &["no", "d/*.gz", "no/such"]);
    fails(&run("fail", &sources), 3, &["no: not found"]);
    let skipped = run("skip", &sources);
    assert_eq!((text(&skipped.stdout), skipped.status.code()), ("3\n", Some(0)));
    let told = text(&skipped.stderr);
    assert_eq!(told, "creel: passed over 3 entries that could not be read\n");
    prints(&run("skip", &["d", "-q"]), "3\n");
    fails(&run("hope", &["d"]), 2, &["report, fail, skip"]);
}

#[test]
fn a_run_that_can_read_nothing_gives_no_answer_and_names_all() {
    let root = logs();
    let output = creel_in(root.path(), &["count", "no", "d/*.gz"]);
    reports(&output, "", &["no", "d/*.gz"]);
    let skipped = creel_in(root.path(), &["-q", "--on-missing", "skip", "count", "no", "d/*.gz"]);
    prints(&skipped, "0\n");
}

#[test]
fn a_dry_run_names_entries_that_cannot_be_read_and_has_the_exit_code_of_the_run() {
    let root = logs();
    let run = |how: &str, sources: &[&str]| {
        creel_in(root.path(), &[&["-n", "--on-missing", how, "count"], sources].concat())
    };
    let output = run("report", &["no", "d/app-1.log", "d/*.gz"]);
    let told = text(&output.stderr);
    assert_eq!((text(&output.stdout), output.status.code()), ("8\td/app-1.log\n", Some(3)));
    assert!(told.contains("creel: no: not found") && told.contains("creel: d/*.gz: "), "{told}");
    reports(&run("report", &["no", "d/*.gz"]), "", &["no", "d/*.gz"]);
    let output = run("skip", &["no", "d/app-1.log"]);
    assert_eq!((text(&output.stdout), output.status.code()), ("8\td/app-1.log\n", Some(0)));
    assert!(text(&output.stderr).contains("passed over 1 entry"), "{}", text(&output.stderr));
    fails(&run("fail", &["no", "d/app-1.log"]), 3, &["no: not found"]);
}

#[test]
fn files_and_folders_that_may_not_be_read_are_told_and_the_rest_is_read() {
    let root = logs();
    fs::create_dir_all(root.path().join("d/shut")).expect("a folder");
    fs::write(root.path().join("d/shut/x.log"), "x\n").expect("a file");
    fs::write(root.path().join("d/app-3.log"), "secret\n").expect("a file");
    shut(&root.path().join("d/app-3.log"));
    shut(&root.path().join("d/shut"));
    let creel_in = creel_of_nobody;
    let output = creel_in(root.path(), &["count", "d"]);
    reports(&output, "3\n", &["d/app-3.log", "d/shut"]);
    reports(&creel_in(root.path(), &["count", "d/*.log"]), "3\n", &["d/app-3.log"]);
    prints(&creel_in(root.path(), &["count", "d/app-[12].log"]), "3\n");
    prints(&creel_in(root.path(), &["count", "d/*1.log", "d/*2.log"]), "3\n");
    fails(
        &creel_in(root.path(), &["--on-missing", "fail", "count", "d"]),
        3,
        &["permission denied"],
    );
    let streamed = ["--on-missing", "fail", "-t", "text", ".", "d/*.log"];
    fails(&creel_in(root.path(), &streamed), 3, &["d/app-3.log: permission denied"]);
    let open = fs::Permissions::from_mode(0o700);
    fs::set_permissions(root.path().join("d/shut"), open).expect("own folder");
}

#[test]
fn pipes_and_sockets_in_a_folder_are_passed_over() {
    let root = logs();
    let fifo = root.path().join("d/fifo.log");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("d/socket.log"));
    prints(&creel_in(root.path(), &["count", "d"]), "3\n");
    prints(&creel_in(root.path(), &["count", "d/*.log"]), "3\n");
    reports(&creel_in(root.path(), &["count", "d/socket.log", "d/a*"]), "3\n", &["d/socket.log"]);
}

#[test]
fn any_name_that_a_file_can_have_is_read() {
    use std::os::unix::ffi::OsStrExt;
    let root = logs();
    for name in [&b"new\nline.log"[..], b"\x1b[31m.log", b"\xff\xfe.log", b" .log", b"[a].log"] {
        let path = root.path().join("d").join(std::ffi::OsStr::from_bytes(name));
        fs::write(path, "more\n").expect("a file");
    }
    prints(&creel_in(root.path(), &["count", "d"]), "8\n");
    prints(&creel_in(root.path(), &["count", "d/*.log"]), "8\n");
    prints(&creel_in(root.path(), &["count", "d/[a].log"]), "1\n");
    symlink("no\x1bwhere", root.path().join("d/\x07.log")).expect("a link");
    let output = creel_in(root.path(), &["count", "d/*.log"]);
    reports(&output, "8\n", &["d/\\x07.log"]);
    assert!(!output.stderr.contains(&0x1b), "{}", text(&output.stderr));
}

#[test]
fn one_message_for_a_file_that_is_read_in_several_parts() {
    let root = logs();
    let large = root.path().join("d/large.log");
    fs::write(&large, "a line of text\n".repeat(1 << 20)).expect("a file");
    shut(&large);
    let creel_in = creel_of_nobody;
    reports(&creel_in(root.path(), &["count", "d"]), "3\n", &["d/large.log"]);
    let jsonl = creel_in(root.path(), &["-j", "4", "-t", "text", ".", "d"]);
    reports(&jsonl, "one\ntwo\nthree\n", &["d/large.log"]);
}

#[cfg(target_os = "linux")]
#[test]
fn sizes_that_tell_nothing_are_not_believed() {
    let root = tempdir().expect("a folder");
    prints(&creel_in(root.path(), &["count", "/proc/sys/kernel/os*"]), "2\n");
    prints(&creel_in(root.path(), &["count", "/proc/sys/kernel/ostype"]), "1\n");
    if Path::new("/sys/class/net/lo/address").exists() {
        prints(&creel_in(root.path(), &["count", "/sys/class/net/lo/address"]), "1\n");
        prints(&creel_in(root.path(), &["count", "/sys/class/net/lo/addres[s]"]), "1\n");
    }
}

#[test]
fn an_output_file_holds_the_answer_of_what_could_be_read_unless_all_is_needed() {
    let root = logs();
    let run = |how: &str| {
        command(&["--on-missing", how, "-o", how, "count", "d", "no"])
            .current_dir(root.path())
            .output()
            .expect("the command runs")
    };
    let written = |how: &str| fs::read_to_string(root.path().join(how)).ok();
    let output = run("report");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).starts_with("creel: no: not found"), "{}", text(&output.stderr));
    assert_eq!(written("report").as_deref(), Some("3\n"));
    assert_eq!(run("skip").status.code(), Some(0));
    assert_eq!(written("skip").as_deref(), Some("3\n"));
    assert_eq!(run("fail").status.code(), Some(3));
    assert_eq!(written("fail"), None);
}

/// What a program gets that counts standard input twice; run by the test below.
#[test]
#[ignore = "a part of the next test"]
fn standard_input_counted_twice() {
    let lines = creel::read_text("-").expect("a source").count();
    let twice = [lines.compute_blocking(), lines.compute_blocking()];
    println!("{:?}", twice.map(|count| count.map_err(|error| error.to_string())));
}

#[test]
fn standard_input_that_was_read_before_is_an_error_and_not_empty() {
    let mut command = std::process::Command::new(std::env::current_exe().expect("a path"));
    command.args(["--ignored", "--nocapture", "standard_input_counted_twice"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let _ = std::io::Write::write_all(&mut child.stdin.take().expect("piped"), b"one\ntwo\n");
    let output = child.wait_with_output().expect("it ends");
    let counts = text(&output.stdout);
    assert!(counts.contains("[Ok(2), Err(\"standard input: an earlier computation"), "{counts}");
}

#[test]
fn standard_input_may_be_a_pipe_or_a_file_or_nothing() {
    let root = logs();
    prints(&crate::creel_with(b"one\ntwo\n", &["count"]), "2\n");
    prints(&creel_in(root.path(), &["count"]), "0\n");
    let file = fs::File::open(root.path().join("d/app-1.log")).expect("a file");
    prints(&command(&["count"]).stdin(file).output().expect("the command runs"), "2\n");
    prints(&creel_in(root.path(), &["count", "/dev/null"]), "0\n");
}
