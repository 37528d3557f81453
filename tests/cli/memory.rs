//! Counts that are over the budget, and go to a file and back.

use std::io::Write;
use std::process::Stdio;

use crate::{command, creel_with, text};

/// Half a million words, each as often as its number says, from 1 to 3 times; over the least budget
/// that can be asked for.
fn words() -> Vec<u8> {
    so_many_words(500_000)
}

fn so_many_words(distinct: u32) -> Vec<u8> {
    let words = (0..distinct).flat_map(|n| {
        // Some are too long for a slot of a table.
        let word = format!("{n:x}-{}", "long".repeat(n as usize % 7));
        std::iter::repeat_n(word, n as usize % 3 + 1)
    });
    words.collect::<Vec<_>>().join("\n").into_bytes()
}

#[test]
fn counts_that_do_not_fit_are_the_same_counts() {
    let words = words();
    for program in [
        "words | frequencies | topk(7)",
        "words | frequencies | count",
        "words | frequencies | topk(400000) | count",
        "words | frequencies | topk(200000)",
        "words | frequencies",
    ] {
        let expected = creel_with(&words, &["-j1", program]);
        assert_eq!(expected.status.code(), Some(0), "{}", text(&expected.stderr));
        for threads in ["-j1", "-j3"] {
            let output = creel_with(&words, &[threads, "--memory", "64MiB", program]);
            assert_eq!(text(&output.stderr), "");
            assert!(output.stdout == expected.stdout, "{program}, {threads}");
        }
    }
}

#[test]
fn lines_that_do_not_fit_are_sorted_as_in_memory() {
    let line = |n: u64| {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{:x} {:0>120}\n", mixed % 300_000, n % 1000)
    };
    let mut lines: Vec<String> = (0..400_000).map(line).collect();
    let input = lines.concat().into_bytes();
    let expect = |lines: &[String], program: &str, threads: &str| {
        let options = [threads, "-t", "text", "--memory", "64MiB", program];
        let output = creel_with(&input, &options);
        assert_eq!(text(&output.stderr), "");
        assert!(output.stdout == lines.concat().into_bytes(), "{program}, {threads}");
    };
    let by_number = lines.clone();
    lines.sort_unstable();
    for threads in ["-j1", "-j3"] {
        expect(&lines, "sort", threads);
        expect(&lines[..70_000], "sort | take(70000)", threads);
        expect(&lines[..10], "sort | take(10)", threads);
    }
    // Equal keys keep the order of the input.
    let mut by_length = by_number;
    by_length.sort_by_key(|line| std::cmp::Reverse(line.len()));
    expect(&by_length, "sort(length; desc)", "-j2");
}

#[test]
fn a_folder_that_cannot_take_them_is_named() {
    let options = ["--memory", "64MiB", "--tmpdir", "/there/is/no/such", "words | frequencies"];
    // So many that they do not fit however the lanes share them.
    let output = creel_with(&so_many_words(1_500_000), &options);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("/there/is/no/such"), "{message}");
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn a_temporary_file_over_its_largest_size_is_refused_with_the_option() {
    let words = so_many_words(1_500_000);
    let with = |most| {
        let options = ["--memory", "64MiB", "--spill-max", most, "words | frequencies"];
        creel_with(&words, &options)
    };
    let refused = with("64k");
    let message = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{message}");
    for part in ["temporary file", "64.00 KiB", "--spill-max"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(text(&refused.stdout), "");
    let allowed = with("1G");
    assert_eq!(allowed.status.code(), Some(0), "{}", text(&allowed.stderr));
    assert!(allowed.stdout == creel_with(&words, &["words | frequencies"]).stdout);
}

#[test]
fn too_little_memory_is_refused() {
    let output = creel_with(b"", &["--memory", "1MB", "count"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("at least 64 MiB"), "{}", text(&output.stderr));
}

/// The most memory that a process has had, in bytes, says the kernel.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    let kilobytes = line.trim().strip_suffix(" kB").expect("the kernel's unit");
    kilobytes.parse::<usize>().expect("a number") << 10
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_stream_takes_no_more_memory_than_a_short_one() {
    const STREAM: usize = 200 << 20;
    let lines: Vec<String> =
        (0..4000_u32).map(|n| format!("{n} {}\n", "some text ".repeat(n as usize % 20))).collect();
    let piece = lines.concat();
    let times = STREAM / piece.len();
    for program in ["filter(length > 20)", "filter(length > 20) | count"] {
        let mut command = command(&["-j2", program]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        for _ in 0..times {
            stdin.write_all(piece.as_bytes()).expect("it reads on");
        }
        // It has read all but what fits in a pipe.
        let peak = peak(child.id());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((text(&output.stderr), output.status.code()), ("", Some(0)));
        assert!(peak < 64 << 20, "{program}: {peak} bytes of memory for {STREAM}");
    }
}
