//! How long a record may be, and which bytes count.

use std::io::Write;
use std::process::Stdio;

use crate::{command, creel, creel_with, fails, prints, text};

#[test]
fn the_limit_counts_the_record_and_not_its_delimiter() {
    for (input, delimiter) in [
        (&b"123456\n"[..], "\\n"),
        (b"123456", "\\n"),
        (b"123456\r\n123456\r\n", "\\n"),
        (b"123456\r", "\\n"),
        (b"123456--123456--", "--"),
        (b"123456----", "--"),
        (b"123456\0", "\\0"),
        ("12345\u{a7}\u{a7}".as_bytes(), "\u{a7}"),
    ] {
        // The last record of `123456\r` has the carriage return, for no line feed ends it.
        let limit = if input.ends_with(b"\r") { "7" } else { "6" };
        for size in ["1", "6", "7", "1M"] {
            let shared = ["--delimiter", delimiter, "--blocksize", size];
            let read =
                creel_with(input, &[&shared, &["--max-record", limit, "count"][..]].concat());
            assert_eq!(read.status.code(), Some(0), "{input:?} {size}");
            let short = if limit == "7" { "6" } else { "4" };
            let output =
                creel_with(input, &[&shared, &["--max-record", short, "count"][..]].concat());
            fails(&output, 4, &[&format!("longer than {short} bytes"), "byte 0", "--max-record"]);
        }
    }
    fails(&creel_with(b"12\n1234567\n", &["--max-record", "6", "count"]), 4, &["byte 3"]);
}

#[test]
fn records_of_utf16_are_counted_as_their_text() {
    let stored: Vec<u8> = "123456\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encoding = ["--encoding", "utf-16le", "--max-record"];
    prints(&creel_with(&stored, &[&encoding, &["6", "count"][..]].concat()), "1\n");
    fails(&creel_with(&stored, &[&encoding, &["5", "count"][..]].concat()), 4, &["5 bytes"]);
}

#[test]
fn a_record_without_an_end_is_an_error_that_follows_the_memory() {
    let endless = vec![b'x'; 9 << 20];
    let output = creel_with(&endless, &["--memory", "64M", "count"]);
    fails(&output, 4, &["byte 0", "longer than 1048576 bytes", "--max-record"]);
    prints(&creel_with(&endless[..1 << 20], &["--memory", "64M", "count"]), "1\n");
    prints(&creel_with(&endless, &["--memory", "64M", "--max-record", "16M", "count"]), "1\n");
    prints(&creel_with(&endless[..3 << 20], &["map(length)"]), "3145728\n");
}

#[test]
fn a_sign_is_no_hexadecimal_digit() {
    fails(&creel(&["--delimiter", "\\x+1", "count", "/dev/null"]), 2, &["two hexadecimal digits"]);
}

/// The most memory that a command took, in KiB.
#[cfg(target_os = "linux")]
fn peak(input: &[u8], args: &[&str]) -> (u64, Option<i32>) {
    use std::io::Write;
    use std::process::Stdio;

    let mut child = crate::command(args).stdin(Stdio::piped()).spawn().expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let mut pipe = child.stdin.take().expect("piped");
    for part in input.chunks(1 << 16) {
        if pipe.write_all(part).is_err() {
            break;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let told = line.and_then(|line| line.trim().strip_suffix(" kB"));
        most = most.max(told.and_then(|told| told.trim().parse().ok()).unwrap_or(0));
    }
    drop(pipe);
    (most, child.wait().expect("the command ends").code())
}

#[test]
#[cfg(target_os = "linux")]
fn an_endless_record_takes_no_more_than_the_memory() {
    let endless = vec![b'x'; 64 << 20];
    let (most, code) = peak(&endless, &["--memory", "64M", "-j", "2", "count"]);
    assert_eq!(code, Some(4));
    assert!(most > 0 && most < 64 << 10, "{most} KiB");
}

#[test]
fn a_delimiter_that_is_not_text_is_told_with_the_option_that_names_it() {
    let output = crate::creel_with(b"one\xe9two\n", &["--delimiter", "\\xE9", "count"]);
    fails(&output, 4, &["\\xe9", "name a delimiter in valid UTF-8 (--delimiter)"]);
    assert!(!crate::text(&output.stderr).contains("as bytes"), "the command has no such option");
}

#[test]
fn reading_ends_as_soon_as_the_first_distinct_records_are_there() {
    for (limit, line) in [(1, 10), (5000, 200)] {
        let mut command =
            command(&["-f", "text", "-t", "text", &format!("distinct | take({limit})")]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("its input");
        let writer = std::thread::spawn(move || {
            (0..(32 << 20) / line).try_for_each(|n| writeln!(stdin, "{n:0line$}"))
        });
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(text(&output.stdout).lines().count(), limit, "{}", text(&output.stderr));
        assert!(writer.join().expect("no panic").is_err(), "all of its input was read");
    }
}
