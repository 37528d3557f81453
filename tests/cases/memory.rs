//! `--memory` bounds what the command takes, for any number of threads and any end.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::command;

/// What the command may take beyond `--memory`, as README.md says.
const BEYOND: u64 = 8 << 20;

/// Texts of sixteen hexadecimal digits, hardly one of them twice, five a line.
fn texts(path: &Path, lines: u32) {
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed ^ (seed >> 29)
    };
    for _ in 0..lines {
        let [a, b, c, d, e] = std::array::from_fn(|_| next());
        writeln!(out, "{a:016x} {b:016x} {c:016x} {d:016x} {e:016x}").expect("it is written");
    }
    out.flush().expect("it is written");
}

/// How it ended: the exit code, the most bytes that were resident, and what it said.
fn measured(folder: &Path, args: &[&str]) -> (Option<i32>, u64, String) {
    let said = folder.join("said");
    let mut child = command(args)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(File::create(&said).expect("a file"))
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    // The system keeps the most there was; it forgets as the process ends.
    let ended = loop {
        if let Some(ended) = child.try_wait().expect("it is there") {
            break ended;
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(1));
    };
    (ended.code(), most, fs::read_to_string(said).expect("text"))
}

#[test]
fn memory_holds_for_any_number_of_threads_and_any_end() {
    let folder = tempfile::tempdir().expect("a folder");
    texts(&folder.path().join("texts"), 130_000);
    let counts = ["words|frequencies", "words|frequencies|topk(5)", "words|frequencies|count"];
    let others = ["words", "words|count", "count", "words|max", "topk(1000)", "take(100000)"];
    for (threads, programs) in [("1", &counts[..1]), ("8", &counts[..1]), ("32", &counts[..])] {
        for program in programs.iter().chain(&others) {
            let args = ["-j", threads, "--memory", "64M", "--tmpdir", ".", program, "texts"];
            let (code, most, said) = measured(folder.path(), &args);
            assert_eq!(code, Some(0), "-j {threads} {program}: {said}");
            let bound = (64 << 20) + BEYOND;
            assert!(most > 1 << 20, "nothing was measured");
            assert!(most <= bound, "-j {threads} {program}: {} MiB", most >> 20);
        }
    }
}

#[test]
fn rows_that_do_not_fit_are_refused_with_the_memory_that_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    texts(&folder.path().join("texts"), 260_000);
    for threads in ["1", "32"] {
        let run = |memory: &str| {
            let program = "topk(250000)";
            let args = ["-j", threads, "--memory", memory, "--tmpdir", ".", program, "texts"];
            measured(folder.path(), &args)
        };
        let (code, most, said) = run("64M");
        assert_eq!(code, Some(3), "{said}");
        assert!(most <= (64 << 20) + BEYOND, "-j {threads}: {} MiB", most >> 20);
        assert!(said.contains("topk(250000) does not fit"), "{said}");
        let least = said.split("`--memory ").nth(1).and_then(|rest| rest.split('`').next());
        let least = least.expect("it says what would do");
        let (code, most, said) = run(least);
        assert_eq!(code, Some(0), "{said}");
        let mib: u64 = least.trim_end_matches('M').parse().expect("a number");
        assert!(most <= (mib << 20) + BEYOND, "-j {threads} {least}: {} MiB", most >> 20);
    }
}
