//! The command as a user meets it: what it prints, where, and with which exit code.

#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NO_COLOR").env("LC_ALL", "C");
    command
}

fn spawn(args: &[&str]) -> Child {
    command(args).stdin(Stdio::piped()).spawn().expect("the command starts")
}

/// Runs the command with this on its standard input.
fn creel_with(input: &[u8], args: &[&str]) -> Output {
    let mut child = spawn(args);
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("the command ends")
}

fn creel(args: &[&str]) -> Output {
    command(args).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Checks a run that goes well: what it prints, and that it says nothing else.
#[track_caller]
fn prints(output: &Output, expected: &str) {
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(0));
}

/// Checks a run that fails: its exit code, one message that says all of this, and no result.
#[track_caller]
fn fails(output: &Output, code: i32, says: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.starts_with("creel: "), "{message}");
    for part in says {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
    assert_eq!(text(&output.stdout), "");
}

const FISH: &[u8] = b"one fish two fish\nred fish blue fish\n\nold\xC3\xA9 fish\n";

#[test]
fn counts_are_json_lines_when_piped() {
    let output = creel_with(FISH, &["words | frequencies | topk(3)"]);
    prints(&output, "[\"fish\",5]\n[\"blue\",1]\n[\"old\u{e9}\",1]\n");
    prints(&creel_with(FISH, &["count"]), "4\n");
    prints(&creel_with(FISH, &["words | max"]), "\"two\"\n");
    prints(&creel_with(b"", &["words | max"]), "null\n");
    prints(&creel_with(b"", &["words | frequencies | topk(3)"]), "");
}

#[test]
fn every_format_prints_counts_and_records() {
    let program = "words | frequencies | topk(2)";
    prints(&creel_with(FISH, &["-t", "text", program]), "fish\t5\nblue\t1\n");
    prints(&creel_with(FISH, &["-t", "jsonl", program]), "[\"fish\",5]\n[\"blue\",1]\n");
    prints(&creel_with(FISH, &["--to", "table", program]), " 5  fish\n 1  blue\n");
    prints(&creel_with(b"a\"b\n", &["."]), "\"a\\\"b\"\n");
    prints(&creel_with(b"a\"b\x07\n", &["-t", "text", "."]), "a\"b\x07\n");
    prints(&creel_with(b"a b\n", &["-f", "text", "split(\" \")"]), "[\"a\",\"b\"]\n");
}

#[test]
fn the_length_of_a_word_is_in_code_points() {
    let output =
        creel_with("\u{e9}t\u{e9} \u{1d11e}\u{1d11e} abcd".as_bytes(), &["words | map(length)"]);
    prints(&output, "3\n2\n4\n");
}

#[test]
fn the_answer_does_not_depend_on_threads_and_block_sizes() {
    let text: String = (0..2000).map(|n| format!("word{} x\n", n * 7919 % 311)).collect();
    let program = "words | frequencies | topk(5)";
    let expected = creel_with(text.as_bytes(), &[program]);
    for threads in ["1", "2", "5"] {
        for size in ["7", "1k", "64KiB", "1MB"] {
            let args = ["-j", threads, "--blocksize", size, program];
            assert_eq!(creel_with(text.as_bytes(), &args), expected);
        }
    }
}

#[test]
fn take_prints_the_first_in_input_order() {
    let text: String = (0..10_000).map(|n| format!("{n}\n")).collect();
    let output = creel_with(text.as_bytes(), &["--blocksize", "10", "-t", "text", "take(3)"]);
    prints(&output, "0\n1\n2\n");
    prints(
        &creel_with(text.as_bytes(), &["take(12) | map(length) | frequencies"]),
        "[1,10]\n[2,2]\n",
    );
    prints(&creel_with(text.as_bytes(), &["take(0)"]), "");
}

#[test]
fn a_delimiter_may_be_any_bytes() {
    prints(&creel_with(b"a\0b\0", &["--delimiter", r"\0", "."]), "\"a\"\n\"b\"\n");
    prints(&creel_with(b"a--b", &["--delimiter", "--", "."]), "\"a\"\n\"b\"\n");
    prints(&creel_with(b"a\r\nb", &["--delimiter", r"\n", "."]), "\"a\"\n\"b\"\n");
    fails(&creel(&["--delimiter", r"\q", "."]), 2, &["--delimiter", "backslash"]);
}

#[test]
fn a_program_error_has_a_caret_and_a_hint() {
    let output = creel_with(FISH, &["words | frequency"]);
    let caret = "1 | words | frequency\n  |         ^^^^^^^^^";
    fails(&output, 2, &["unknown name `frequency`", caret, "did you mean `frequencies`?"]);
    fails(&creel(&["filter(test(\"(\"))"]), 2, &["bad regular expression", "^^^"]);
    fails(&creel(&["words |"]), 2, &["ends too early"]);
    fails(&creel(&["groupby(.uri)"]), 2, &["not there yet", "^^^^^^^"]);
    fails(&creel(&["filter .x"]), 2, &["write filter(.x)"]);
    fails(&creel(&["tests/cli.rs", "count"]), 2, &["the program stands before the sources"]);
}

#[test]
fn a_wrong_option_says_what_is_right() {
    fails(&creel(&["-t", "xml", "count"]), 2, &["xml", "jsonl, table, text"]);
    fails(&creel(&["-t", "csv", "count"]), 2, &["csv is not there yet"]);
    fails(&creel(&["-f", "jsonl", "count"]), 2, &["jsonl is not there yet"]);
    fails(&creel(&["-j", "0", "count"]), 2, &["from 1 to 1024"]);
    fails(&creel(&["--blocksize", "12 parrots", "count"]), 2, &["64k, 1MiB"]);
    fails(&creel(&["--compression", "arj", "count"]), 2, &["gzip, zstd"]);
    fails(&creel(&["--encoding", "ebcdic", "count"]), 2, &["latin1"]);
    fails(&creel(&["--invalid", "burn", "count"]), 2, &["fail, replace, skip"]);
    fails(&creel(&["--progress", "maybe", "count"]), 2, &["auto, always, never"]);
    fails(&creel(&["--no-such-option", "count"]), 2, &["--no-such-option"]);
    fails(&creel(&["-q", "-v", "count"]), 2, &["cannot be used with"]);
}

#[test]
fn help_fits_on_a_screen_and_lists_every_stage() {
    for flag in ["-h", "--help"] {
        let output = creel(&[flag]);
        let help = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0));
        assert!(help.lines().count() <= 50, "{} lines", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        for part in ["words", "filter(p)", "topk(k)", "--blocksize", "--dry-run", "Examples"] {
            assert!(help.contains(part), "no {part}");
        }
    }
    prints(&creel(&["--version"]), concat!("creel ", env!("CARGO_PKG_VERSION"), "\n"));
    let output = creel(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("usage: creel"));
}

#[test]
fn a_missing_source_is_named() {
    let output = creel(&["count", "/no/such/file.txt"]);
    fails(&output, 3, &["/no/such/file.txt", "not found"]);
    fails(&creel(&["count", "/no/such/**/*.txt"]), 3, &["not found"]);
    fails(&creel(&["count", "gopher://x/y"]), 2, &["gopher"]);
}

#[test]
fn a_dry_run_lists_and_reads_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.txt");
    std::fs::write(&path, b"not UTF-8: \xff\n").expect("a file");
    let output = creel(&["-n", "count", path.to_str().expect("UTF-8")]);
    assert_eq!(text(&output.stdout), format!("13\t{}\n", path.display()));
    assert_eq!(text(&output.stderr), "creel: 1 object, 13 B, to be read in 1 part\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn text_that_is_not_utf8_fails_or_is_replaced_or_skipped() {
    let input = b"good\nb\xffd\nfine\n";
    fails(&creel_with(input, &["count"]), 4, &["byte 6", "UTF-8", "(--invalid, --encoding)"]);
    for (policy, records, says) in [
        (
            "replace",
            "\"good\"\n\"b\u{fffd}d\"\n\"fine\"\n",
            "creel: replaced bytes in 1 record not",
        ),
        ("skip", "\"good\"\n\"fine\"\n", "creel: skipped 1 record not"),
    ] {
        let output = creel_with(input, &["--invalid", policy, "."]);
        assert_eq!(text(&output.stdout), records);
        assert!(text(&output.stderr).starts_with(says), "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(0));
        prints(&creel_with(input, &["-q", "--invalid", policy, "."]), records);
    }
}

#[test]
fn a_record_longer_than_the_limit_is_an_error() {
    let output = creel_with(b"short\nlonger than ten\n", &["--max-record", "10", "count"]);
    fails(&output, 4, &["longer than 10 bytes", "--max-record"]);
    prints(&creel_with(&[b'x'; 3 << 20], &["--blocksize", "64k", "map(length)"]), "3145728\n");
}

#[test]
fn nul_bytes_are_text_like_any_other() {
    prints(&creel_with(b"a\0b c\n", &["words | frequencies"]), "[\"a\\u0000b\",1]\n[\"c\",1]\n");
}

#[test]
fn progress_is_told_in_lines_where_there_is_no_terminal_and_only_if_asked() {
    let output = creel_with(FISH, &["--progress", "always", "count"]);
    assert!(text(&output.stderr).starts_with("creel: read "), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "4\n");
    prints(&creel_with(FISH, &["--progress", "never", "count"]), "4\n");
    let output = creel_with(FISH, &["-v", "count"]);
    assert!(text(&output.stderr).starts_with("creel: read "), "{}", text(&output.stderr));
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
}

#[test]
fn an_output_file_appears_whole_or_not_at_all() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.jsonl");
    let out = path.to_str().expect("UTF-8");
    prints(&creel_with(FISH, &["-o", out, "words | frequencies | topk(1)"]), "");
    assert_eq!(std::fs::read(&path).expect("written"), b"[\"fish\",5]\n");

    fails(&creel_with(b"good\n\xff\n", &["-o", out, "."]), 4, &["UTF-8"]);
    fails(&creel(&["-o", out, "count", "/no/such"]), 3, &["/no/such"]);
    assert_eq!(std::fs::read(&path).expect("unchanged"), b"[\"fish\",5]\n");
    assert_eq!(names_in(directory.path()), ["out.jsonl"]);
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_anything_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    // The source does not exist either: that it is not what the message is about shows the order.
    for (out, says) in [
        (path("no/such/out.txt"), "there is no directory"),
        (path("no/such/"), "it is a directory"),
        (path(""), "directory"),
        (path("out.txt.gz"), "compressed"),
        (path("out.csv"), "not there yet"),
        ("s3://bucket/out".to_owned(), "URLs"),
    ] {
        fails(&creel(&["-o", &out, "count", "/no/such"]), 2, &["cannot write", says]);
    }
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn an_output_may_be_a_device() {
    prints(&creel_with(FISH, &["-o", "/dev/stdout", "count"]), "4\n");
    prints(&creel_with(FISH, &["-o", "/dev/null", "count"]), "");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::time::Duration;

    const SIGINT: i32 = 2;
    const SIGPIPE: i32 = 13;

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
    fn an_argument_that_is_not_utf8_is_shown_and_a_pattern_finds_its_file() {
        use std::os::unix::ffi::OsStrExt;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(std::ffi::OsStr::from_bytes(b"b\xffd.txt"));
        std::fs::write(&path, "a line\n").expect("a file");
        let output = command(&["count"]).arg(&path).output().expect("the command runs");
        fails(&output, 2, &["b\\xffd.txt: not valid UTF-8", "a pattern"]);
        let pattern = directory.path().join("b*");
        prints(&creel(&["count", pattern.to_str().expect("UTF-8")]), "1\n");
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

    fn signal(child: &Child) {
        let pid = child.id().to_string();
        let status = Command::new("kill").args(["-s", "INT", &pid]).status().expect("kill runs");
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
        signal(&child);
        while stdin.write_all(b"a line\n").is_ok() {}
        let output = child.wait_with_output().expect("it ends");
        fails(&output, 130, &["interrupted", "was not written"]);
        assert_eq!(names_in(directory.path()), [""; 0]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn ctrl_c_prints_what_was_counted_and_says_so() {
        let mut child = spawn(&["count"]);
        let mut stdin = child.stdin.take().expect("piped");
        let status = format!("/proc/{}/status", child.id());
        let listens = || {
            let status = std::fs::read_to_string(&status).expect("it runs");
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
            u64::from_str_radix(caught.expect("a mask"), 16).expect("hexadecimal") & 0b10 != 0
        };
        while !listens() {
            std::thread::sleep(Duration::from_millis(2));
        }
        signal(&child);
        while stdin.write_all(b"a line\n").is_ok() {}
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130));
        assert!(text(&output.stderr).contains("interrupted"), "{}", text(&output.stderr));
        assert!(text(&output.stdout).trim_end().parse::<u64>().is_ok());
    }

    #[test]
    fn a_second_ctrl_c_kills_and_leaves_no_temporary_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("out");
        let mut child = spawn(&["-o", path.to_str().expect("UTF-8"), "count"]);
        let stdin = child.stdin.take().expect("piped");
        wait_for_temporary(directory.path());
        let status = loop {
            signal(&child);
            std::thread::sleep(Duration::from_millis(5));
            if let Some(status) = child.try_wait().expect("it can be asked") {
                break status;
            }
        };
        drop(stdin);
        assert!(status.signal() == Some(SIGINT) || status.code() == Some(130), "{status}");
        assert_eq!(names_in(directory.path()), [""; 0]);
    }
}

#[test]
#[cfg(feature = "gzip")]
fn a_truncated_gzip_gives_what_was_read_and_says_where_it_ends() {
    let lines: String = (0..50_000).map(|n| format!("line {n} of many\n")).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(lines.as_bytes()).expect("into memory");
    let whole = encoder.finish().expect("into memory");
    prints(&creel_with(&whole, &["count"]), "50000\n");

    let output = creel_with(&whole[..whole.len() / 2], &["count"]);
    let read: u64 = text(&output.stdout).trim_end().parse().expect("a count");
    assert!((10_000..50_000).contains(&read), "{read}");
    let message = text(&output.stderr);
    assert!(message.contains("truncated at byte"), "{message}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_record_is_printed_before_the_next_is_written() {
    let mut child = spawn(&["filter(. != \"b\")"]);
    let mut into = child.stdin.take().expect("piped");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    for line in ["a\n", "b\nc\n", "d\n"] {
        into.write_all(line.as_bytes()).expect("it reads");
        let mut printed = String::new();
        out.read_line(&mut printed).expect("it prints");
        let last = line.trim().chars().last().expect("a letter");
        assert_eq!(printed, format!("\"{last}\"\n"));
    }
    drop(into);
    assert!(child.wait().expect("it ends").success());
}
