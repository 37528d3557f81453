//! What is wrong, said once: the place, the mend and the exit code.

use std::process::{Command, Output};

use crate::{FISH, command, creel, creel_with, fails, prints, text};

#[test]
fn a_program_error_has_a_caret_and_a_hint() {
    let output = creel_with(FISH, &["words | frequency"]);
    let caret = "1 | words | frequency\n  |         ^^^^^^^^^";
    fails(&output, 2, &["unknown name `frequency`", caret, "did you mean `frequencies`?"]);
    fails(&creel(&["filter(test(\"(\"))"]), 2, &["bad regular expression", "^^^"]);
    fails(&creel(&["words |"]), 2, &["ends too early"]);
    fails(&creel(&["groupby(.uri)"]), 2, &["write groupby(f; r)", "^^^^"]);
    fails(&creel(&["foldby"]), 2, &["not there yet", "^^^^^^"]);
    fails(&creel(&["filter .x"]), 2, &["write filter(.x)"]);
    fails(&creel(&["Cargo.toml", "count"]), 2, &["the program stands before the sources"]);
}

#[test]
fn a_wrong_option_says_what_is_right() {
    fails(&creel(&["-t", "xml", "count"]), 2, &["xml", "jsonl, table, text"]);
    fails(&creel(&["-t", "csv", "count"]), 2, &["csv is not there yet"]);
    fails(&creel(&["-f", "csv", "count"]), 2, &["csv is not there yet", "text, jsonl"]);
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
fn a_missing_source_is_named() {
    let output = creel(&["count", "/no/such/file.txt"]);
    fails(&output, 3, &["/no/such/file.txt", "not found"]);
    fails(&creel(&["count", "/no/such/**/*.txt"]), 3, &["not found"]);
    fails(&creel(&["count", "gopher://x/y"]), 2, &["gopher"]);
}

#[test]
fn text_that_is_not_utf8_fails_or_is_replaced_or_skipped() {
    let input = b"good\nb\xffd\nfine\n";
    fails(&creel_with(input, &["count"]), 4, &["byte 6", "UTF-8", "(--invalid, --encoding)"]);
    for (policy, records, says) in [
        (
            "replace",
            "\"good\"\n\"b\u{fffd}d\"\n\"fine\"\n",
            "creel: replaced bytes in 1 record at standard input (partition 0, byte 6): not",
        ),
        (
            "skip",
            "\"good\"\n\"fine\"\n",
            "creel: skipped 1 record at standard input (partition 0, byte 6): not",
        ),
    ] {
        let output = creel_with(input, &["--invalid", policy, "."]);
        assert_eq!(text(&output.stdout), records);
        assert!(text(&output.stderr).starts_with(says), "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(0));
        prints(&creel_with(input, &["-q", "--invalid", policy, "."]), records);
    }
}

#[test]
fn records_that_are_not_json_fail_or_are_skipped() {
    let input = b"{\"a\":\"\xff\xff\xff\"}\n{\"a\":2}\n{\"a\":";
    let json = |args: &[&str]| creel_with(input, &[&["-f", "jsonl"], args].concat());
    fails(&json(&[".a"]), 4, &["byte 6", "UTF-8"]);
    let replaced = json(&["--invalid", "replace", ".a"]);
    assert_eq!(text(&replaced.stdout), "\"\u{fffd}\u{fffd}\u{fffd}\"\n2\n");
    assert!(text(&replaced.stderr).contains("byte 25): the record ends within"));
    let skipped = json(&["--invalid", "skip", ".a"]);
    assert_eq!((text(&skipped.stdout), skipped.status.code()), ("2\n", Some(0)));
    assert!(text(&skipped.stderr).contains("skipped 2 records, the first at standard input"));

    let mixed = b"{\"ua\":\"x\"}\n{\"ua\":7}\n\x1b[31m\n";
    let json = |args: &[&str]| creel_with(mixed, &[&["-f", "jsonl"], args].concat());
    let says = ["byte 11", "this is a number: {\"ua\":7} (--invalid, --from)"];
    fails(&json(&["filter(.ua | test(\"x\")) | count"]), 4, &says);
    fails(&json(&["frequencies(.ua)"]), 4, &["byte 20", "no JSON value", "\\x1b[31m"]);
    prints(&json(&["-q", "--invalid", "skip", "frequencies(.ua)"]), "[7,1]\n[\"x\",1]\n");
    prints(&json(&["take(2) | count"]), "2\n");
    fails(&creel_with(FISH, &["filter(.a)"]), 2, &["^^", "-f jsonl"]);
    fails(&creel(&["count", "a.jsonl", "b.txt"]), 2, &["a.jsonl is JSON by its name", "-f text"]);
}

#[test]
fn a_record_longer_than_the_limit_is_an_error() {
    let output = creel_with(b"short\nlonger than ten\n", &["--max-record", "10", "count"]);
    fails(&output, 4, &["longer than 10 bytes", "--max-record"]);
    prints(&creel_with(&[b'x'; 3 << 20], &["--blocksize", "64k", "map(length)"]), "3145728\n");
}

#[test]
#[cfg(feature = "gzip")]
fn a_truncated_gzip_gives_what_was_read_and_says_where_it_ends() {
    use std::io::Write;
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

#[cfg(unix)]
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

/// The command, without root's power to read everything.
#[cfg(target_os = "linux")]
fn creel_as_anyone(args: &[&str]) -> Output {
    let creel = env!("CARGO_BIN_EXE_creel");
    let mut command = Command::new("setpriv");
    let id = Command::new("id").arg("-u").output().expect("there is a user");
    if id.stdout == b"0\n" {
        command.args(["--bounding-set=-dac_override,-dac_read_search", creel]).args(args);
    } else {
        command = Command::new(creel);
        command.args(args);
    }
    command.output().expect("the command runs")
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_not_be_read_is_named_with_the_mend() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret.txt");
    std::fs::write(&path, "a\n").expect("it is written");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000))
        .expect("it is ours");
    let path = path.to_string_lossy();
    let says = ["secret.txt", "permission denied", "ask for read access"];
    fails(&creel_as_anyone(&["count", &path]), 3, &says);
    fails(&creel_as_anyone(&["count", &format!("{}/*", folder.path().display())]), 3, &says);
}
