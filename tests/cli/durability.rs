//! Exit code 0 means that the output is whole, on the disk, under its name; whatever call fails, and
//! whenever the process is killed, the old output is there, or the new one whole.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::{names_in, prints, text};

/// A library that is loaded before the C library: it logs calls by name, and has the n-th of a name
/// fail.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *wanted;
static long nth;
static int number;
static int file = -1;
static atomic_long seen;

__attribute__((constructor)) static void begin(void) {
    wanted = getenv("SHIM_CALL");
    nth = atol(getenv("SHIM_NTH"));
    number = atoi(getenv("SHIM_ERRNO"));
    file = syscall(SYS_openat, AT_FDCWD, getenv("SHIM_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* A number that no program expects. */
    int high = syscall(SYS_fcntl, file, F_DUPFD_CLOEXEC, 500);
    syscall(SYS_close, file);
    file = high;
}

static int fails(const char *name) {
    syscall(SYS_write, file, name, strlen(name));
    syscall(SYS_write, file, "\n", 1);
    if (!wanted || strcmp(name, wanted) || atomic_fetch_add(&seen, 1) + 1 != nth) return 0;
    errno = number;
    return 1;
}

#define CALL(name, logged, type, parameters, arguments)                  \
    type name parameters {                                               \
        static type (*real) parameters;                                  \
        if (!real) real = (type (*) parameters)dlsym(RTLD_NEXT, #name);  \
        if (fails(logged)) return -1;                                    \
        return real arguments;                                           \
    }

CALL(read, "read", ssize_t, (int fd, void *bytes, size_t n), (fd, bytes, n))
CALL(pread64, "read", ssize_t, (int fd, void *b, size_t n, off64_t at), (fd, b, n, at))
CALL(fgetxattr, "xattr", ssize_t, (int fd, const char *k, void *v, size_t n), (fd, k, v, n))
CALL(flistxattr, "xattr", ssize_t, (int fd, char *list, size_t n), (fd, list, n))
CALL(fsetxattr, "xattr", int, (int d, const char *k, const void *v, size_t n, int f), (d, k, v, n, f))
CALL(fremovexattr, "xattr", int, (int fd, const char *k), (fd, k))
CALL(pwrite64, "pwrite", ssize_t, (int fd, const void *b, size_t n, off64_t at), (fd, b, n, at))
CALL(write, "write", ssize_t, (int fd, const void *bytes, size_t n), (fd, bytes, n))
CALL(fsync, "fsync", int, (int fd), (fd))
CALL(fdatasync, "fdatasync", int, (int fd), (fd))
CALL(syncfs, "syncfs", int, (int fd), (fd))
CALL(renameat, "rename", int, (int a, const char *b, int c, const char *d), (a, b, c, d))
CALL(fchmod, "fchmod", int, (int fd, mode_t mode), (fd, mode))
CALL(fchown, "fchown", int, (int fd, uid_t u, gid_t g), (fd, u, g))
CALL(flock, "flock", int, (int fd, int operation), (fd, operation))
CALL(unlinkat, "unlink", int, (int fd, const char *path, int flags), (fd, path, flags))
CALL(fstat, "stat", int, (int fd, struct stat *to), (fd, to))
CALL(fstat64, "stat", int, (int fd, struct stat64 *to), (fd, to))
CALL(stat, "stat", int, (const char *path, struct stat *to), (path, to))
CALL(stat64, "stat", int, (const char *path, struct stat64 *to), (path, to))
CALL(fstatat, "stat", int, (int fd, const char *p, struct stat *to, int f), (fd, p, to, f))
CALL(fstatat64, "stat", int, (int fd, const char *p, struct stat64 *to, int f), (fd, p, to, f))
CALL(statx, "stat", int, (int fd, const char *p, int f, unsigned m, struct statx *to), (fd, p, f, m, to))

int close(int fd) {
    int failed = fails("close");
    /* It is closed all the same. */
    int closed = syscall(SYS_close, fd);
    return failed ? (errno = number, -1) : closed;
}

#define MODE(flags)                                       \
    mode_t mode = 0;                                      \
    if (flags & (O_CREAT | __O_TMPFILE)) {                \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode = va_arg(rest, int);                         \
        va_end(rest);                                     \
    }

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...) {          \
        MODE(flags)                                       \
        if (fails("open")) return -1;                     \
        return syscall(SYS_openat, AT_FDCWD, path, flags, mode); \
    }
#define OPENAT(name)                                      \
    int name(int fd, const char *path, int flags, ...) {  \
        MODE(flags)                                       \
        if (fails("open")) return -1;                     \
        return syscall(SYS_openat, fd, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
"#;

/// The library, compiled once; `None`, with a message, where there is no C compiler.
fn shim() -> Option<&'static Path> {
    static SHIM_FILE: OnceLock<Option<(tempfile::TempDir, PathBuf)>> = OnceLock::new();
    let made = SHIM_FILE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, library) = (folder.path().join("shim.c"), folder.path().join("shim.so"));
        fs::write(&source, SHIM).expect("it is written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-w", "-o"]).args([&library, &source]);
        match compiler.arg("-ldl").status() {
            Ok(status) => assert!(status.success(), "the shim does not compile"),
            Err(error) => {
                println!("skipped: no C compiler to make calls fail with: cc: {error}");
                return None;
            }
        }
        Some((folder, library))
    });
    made.as_ref().map(|(_, library)| library.as_path())
}

/// A folder with `in.txt` and an older `out`, and what a run makes of them.
struct Case {
    folder: tempfile::TempDir,
    log: tempfile::NamedTempFile,
}

const OLD: &str = "old\n";

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("in.txt"), input()).expect("a file");
        Self { folder, log: tempfile::NamedTempFile::new().expect("a file") }
    }

    fn out(&self) -> Option<String> {
        fs::read_to_string(self.folder.path().join("out")).ok()
    }

    /// Runs the command under the shim, which has the n-th call of a name fail.
    fn run(&self, shim: &Path, arguments: &[&str], call: &str, nth: usize, error: i32) -> Output {
        fs::write(self.folder.path().join("out"), OLD).expect("a file");
        fs::write(self.log.path(), "").expect("a file");
        Command::new(env!("CARGO_BIN_EXE_creel"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("LD_PRELOAD", shim)
            .env("SHIM_CALL", call)
            .env("SHIM_NTH", nth.to_string())
            .env("SHIM_ERRNO", error.to_string())
            .env("SHIM_LOG", self.log.path())
            .stdin(Stdio::null())
            .output()
            .expect("it runs")
    }

    /// The calls of the last run, in order.
    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.log.path()).expect("a log");
        log.lines().map(str::to_owned).collect()
    }
}

fn input() -> String {
    (0..30_000).map(|n| format!("word{n} word{}\n", n % 100)).collect()
}

/// Larger than the buffers on the way.
fn expected() -> String {
    (0..30_000).map(|n| format!("word{n} word{}\n", n % 100)).collect()
}

const TO_FILE: [&str; 7] = ["-t", "text", "-j", "2", "-o", "out", "."];

#[test]
fn the_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_exit() {
    let Some(shim) = shim() else { return };
    let case = Case::new();
    let order = |arguments: &[&str]| {
        let output = case.run(shim, arguments, "none", 0, 0);
        prints(&output, "");
        assert_eq!(case.out(), Some(expected()));
        let calls = case.calls();
        let last_write = calls.iter().rposition(|call| call == "write").expect("it is written");
        let named = |call: &&String| ["write", "fsync", "rename"].contains(&call.as_str());
        calls[last_write..].iter().filter(named).cloned().collect::<Vec<_>>().join(" ")
    };
    let arguments = [&TO_FILE[..], &["in.txt"]].concat();
    assert_eq!(order(&arguments), "write fsync rename fsync");
    assert_eq!(order(&[&["--no-sync"], &arguments[..]].concat()), "write rename");
}

#[test]
fn whatever_call_fails_the_output_is_right_or_there_is_an_error() {
    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;
    let Some(shim) = shim() else { return };
    let case = Case::new();
    let arguments = [&TO_FILE[..], &["in.txt"]].concat();
    let names = [
        "write", "fsync", "rename", "open", "close", "fchmod", "flock", "stat", "unlink", "read",
        "xattr",
    ];
    for (call, error) in names.iter().flat_map(|call| [(*call, EIO), (*call, ENOSPC)]) {
        for nth in 1.. {
            let output = case.run(shim, &arguments, call, nth, error);
            let what = format!("{call} {nth}: {}", text(&output.stderr));
            let out = case.out().unwrap_or_default();
            match output.status.code() {
                Some(0) => assert!(out == expected(), "{what}"),
                Some(2..=4) => {
                    assert!(out == OLD || out == expected(), "{what}");
                    assert!(output.stderr.starts_with(b"creel: "), "{what}");
                }
                code => panic!("{code:?}: {what}"),
            }
            assert_eq!(output.stdout, b"", "{what}");
            let mut left = names_in(case.folder.path());
            left.sort();
            assert_eq!(left, ["in.txt", "out"], "{what}");
            if case.calls().iter().filter(|&name| name == call).count() < nth {
                break;
            }
        }
    }
}

#[test]
fn whatever_call_fails_as_states_are_spilled_the_answer_is_right_or_there_is_an_error() {
    let Some(shim) = shim() else { return };
    let case = Case::new();
    // Distinct keys of more than the memory, and one that is common.
    let keys: String = (0..40_000).map(|n| format!("{n:0>1000}\ncommon\n")).collect();
    fs::write(case.folder.path().join("in.txt"), keys).expect("a file");
    for (program, expected) in [
        ("frequencies | topk(1)", "[\"common\",40000]\n"),
        ("sort | map(length) | frequencies", "[6,40000]\n[1000,40000]\n"),
        ("distinct | map(length) | frequencies", "[1000,40000]\n[6,1]\n"),
        ("distinct | count", "40001\n"),
    ] {
        let arguments = ["-j2", "--memory", "64M", "--tmpdir", ".", program, "in.txt"];
        for (call, error) in [("pwrite", 28), ("read", 5), ("open", 28)] {
            calls_fail(&case, shim, &arguments, expected, (call, error));
        }
    }
}

/// Runs a program that spills while a call fails: each of the first three, and some later ones, as there may be a
/// hundred.
fn calls_fail(case: &Case, shim: &Path, arguments: &[&str], expected: &str, fault: (&str, i32)) {
    let (call, error) = fault;
    let step = |nth: &usize| Some(if *nth < 3 { nth + 1 } else { nth * 4 });
    for nth in std::iter::successors(Some(1), step) {
        let output = case.run(shim, arguments, call, nth, error);
        let what = format!("{call} {nth}: {}", text(&output.stderr));
        match output.status.code() {
            Some(0) => assert_eq!(text(&output.stdout), expected, "{what}"),
            Some(2..=4) => {
                assert_eq!(output.stdout, b"", "{what}");
                assert!(output.stderr.starts_with(b"creel: "), "{what}");
                assert!(call != "pwrite" || what.contains("--tmpdir"), "{what}");
            }
            code => panic!("{code:?}: {what}"),
        }
        let mut left = names_in(case.folder.path());
        left.sort();
        assert_eq!(left, ["in.txt", "out"], "{what}");
        let met = case.calls().iter().filter(|&name| name == call).count();
        assert!(met > 0, "nothing was spilled");
        if met < nth {
            break;
        }
    }
}

#[test]
fn whatever_call_fails_as_a_state_is_written_it_is_whole_or_there_is_an_error() {
    let Some(shim) = shim() else { return };
    let case = Case::new();
    let arguments = ["--partial", "s.creel", "words | frequencies | topk(2)", "in.txt"];
    let state = case.folder.path().join("s.creel");
    for (call, error) in [("write", 28), ("fsync", 5), ("rename", 5), ("open", 28), ("close", 5)] {
        for nth in 1.. {
            let _ = fs::remove_file(&state);
            let output = case.run(shim, &arguments, call, nth, error);
            let what = format!("{call} {nth}: {}", text(&output.stderr));
            let calls = case.calls();
            let is_written = state.exists();
            assert!(is_written || output.status.code() != Some(0), "{what}");
            assert!(output.status.code().is_some_and(|code| code < 5), "{what}");
            if is_written {
                let merged = case.run(shim, &["--merge", "s.creel"], "none", 0, 0);
                let answer = text(&merged.stdout);
                let is_right = answer == "[\"word0\",301]\n[\"word1\",301]\n";
                // A state may tell that a source could not be read, as both runs do then.
                let is_told = [&output, &merged].iter().all(|run| run.status.code() == Some(3));
                assert!(is_right || is_told, "{what}: {answer}");
                fs::remove_file(&state).expect("it is there");
            }
            if calls.iter().filter(|&name| name == call).count() < nth {
                break;
            }
        }
    }
}

#[test]
fn whatever_call_fails_on_the_way_to_standard_output_shows_in_the_exit_code() {
    let Some(shim) = shim() else { return };
    let case = Case::new();
    let arguments = ["-t", "text", "-j", "2", ".", "in.txt"];
    for call in ["write", "open", "close", "stat"] {
        for nth in 1.. {
            let output = case.run(shim, &arguments, call, nth, 5);
            let whole = text(&output.stdout) == expected();
            let what = format!("{call} {nth}: {}", text(&output.stderr));
            assert!(whole || output.status.code() != Some(0), "{what}");
            assert!(output.status.code().is_some(), "{what}");
            if case.calls().iter().filter(|&name| name == call).count() < nth {
                break;
            }
        }
    }
}

#[test]
fn a_run_that_is_killed_at_any_time_leaves_the_output_whole_or_absent_and_the_next_sweeps() {
    let case = Case::new();
    let path = case.folder.path();
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
        command.args(TO_FILE).arg("in.txt").current_dir(path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut killed = 0;
    let out = path.join("out");
    for n in 0..200_u64 {
        let replaces = n % 3 == 0;
        if replaces {
            fs::write(&out, OLD).expect("a file");
            fs::set_permissions(&out, fs::Permissions::from_mode(0o640)).expect("it is ours");
        }
        let temporary = || names_in(path).iter().any(|name| name.starts_with(".creel-"));
        let mut child = command().spawn().expect("it starts");
        if n % 2 == 0 {
            // From the moment that the temporary file is there.
            while !temporary() && child.try_wait().expect("it is asked").is_none() {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        std::thread::sleep(Duration::from_micros(n % 50 * 400));
        child.kill().expect("it is ours");
        killed += u32::from(!child.wait().expect("it ends").success());
        let found = case.out();
        let before = replaces.then(|| OLD.to_owned());
        assert!(found == before || found == Some(expected()), "killed after {n}");
        if replaces {
            let mode = fs::metadata(&out).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o640, "killed after {n}");
        }
        let _ = fs::remove_file(&out);
        let left = names_in(path).iter().filter(|name| name.starts_with(".creel-")).count();
        assert!(left <= 1, "{left} files are left: the next run did not sweep");
    }
    assert!(killed > 50, "only {killed} were killed");
    assert!(command().status().expect("it runs").success());
    let mut left = names_in(path);
    left.sort();
    assert_eq!(left, ["in.txt", "out"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_killed_while_it_spills_leaves_no_file() {
    let case = Case::new();
    let path = case.folder.path();
    let keys: String = (0..60_000).map(|n| format!("{n:0>1000}\n")).collect();
    fs::write(path.join("in.txt"), keys).expect("a file");
    let spills = path.join("spills");
    fs::create_dir(&spills).expect("a folder");
    for program in
        ["sort", "distinct", "distinct | count", "frequencies", "groupby(.; list(length))"]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
        command.args(["-j2", "--memory", "64M", "--tmpdir", "spills", program, "in.txt"]);
        command.current_dir(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        // The open file has no name, but the system still tells how large it is.
        let descriptors = format!("/proc/{}/fd", child.id());
        let is_spilled = || {
            let files = fs::read_dir(&descriptors).into_iter().flatten().flatten();
            files.map(|file| file.path()).any(|file| {
                let of_folder = fs::read_link(&file).is_ok_and(|name| name.starts_with(&spills));
                of_folder && fs::metadata(&file).is_ok_and(|file| file.len() > 1 << 20)
            })
        };
        while !is_spilled() {
            let ended = child.try_wait().expect("it is asked");
            assert!(ended.is_none(), "{program} ended, and spilled nothing");
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().expect("it is ours");
        assert!(!child.wait().expect("it ends").success(), "{program}");
        assert_eq!(names_in(&spills), Vec::<String>::new(), "{program}");
    }
}

#[test]
fn a_run_does_not_sweep_the_file_of_another_that_goes_on() {
    let directory = tempfile::tempdir().expect("a folder");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let mut first = crate::spawn(&["-o", &path("first"), "count"]);
    while names_in(directory.path()).is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    prints(&crate::creel_with(b"a\nb\n", &["-o", &path("second"), "count"]), "");
    drop(first.stdin.take());
    prints(&first.wait_with_output().expect("it ends"), "");
    let mut names = names_in(directory.path());
    names.sort();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(fs::read_to_string(path("first")).expect("a file"), "0\n");
}
