//! Compressed data that is odd: what follows it, what it asks for, how much it stands for.

use std::io::Write;
use std::process::Output;

use crate::{creel_with, fails, prints, text};

const GZIP_AND_GARBAGE: &[u8] =
    b"\x1f\x8b\x08\x08Z\xd1\x0ak\x00\x03a.txt\x00K\xcc)\xc8HTHJ-I\xe4\x02\x00>v\x07\
    \xc8\x0b\x00\x00\x00GARBAGE here";
const ZSTD_AND_GARBAGE: &[u8] = b"(\xb5/\xfd$\x0bY\x00\x00alpha beta\x0a\xd1p\xbbmgarbage";
const BZIP2_AND_GARBAGE: &[u8] =
    b"BZh91AY&SY24\xb5\x18\x00\x00\x02Q\x80\x00\x10@\x002DD\x00 \x001\x06LA\x00\xc9\
    \xea\x5c\x0f5\x0c<]\xc9\x14\xe1B@\xc8\xd2\xd4`garbage";
const LZ4_AND_GARBAGE: &[u8] =
    b"\x04\x22M\x18d@\xa7\x0b\x00\x00\x80alpha beta\x0a\x00\x00\x00\x00A\xdb\xccwgarba\
    ge";
const ZSTD_WITH_DICTIONARY: &[u8] =
    b"(\xb5/\xfd'\xe8\x89\xb8%\x0bY\x00\x00alpha beta\x0a\xd1p\xbbm";
const ZSTD_WITH_LARGE_WINDOW: &[u8] = b"(\xb5/\xfd\x00\xc8Y\x00\x00alpha beta\x0a";
const XZ_WITH_LARGE_DICTIONARY: &[u8] =
    b"\xfd7zXZ\x00\x00\x01i\x22\xde6\x02\x00!\x01(\x00\x00\x00\xe6\xa0\x11\xb3\x01\x00\
    \x0aalpha beta\x0a\x00\x00>v\x07\xc8\x00\x01\x1f\x0b=b\x0ez\x90B\x99\x0d\x01\x00\
    \x00\x00\x00\x01YZ";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

/// Checks a run that succeeds with a note.
#[track_caller]
fn notes(output: &Output, expected: &str, part: &str) {
    let message = text(&output.stderr);
    assert_eq!((text(&output.stdout), output.status.code()), (expected, Some(0)), "{message}");
    assert!(message.contains(part), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn bytes_after_the_last_member_are_left_out_with_a_note() {
    for (stored, part) in [
        (GZIP_AND_GARBAGE, "gzip data, from byte 37 on"),
        (ZSTD_AND_GARBAGE, "zstd data, from byte 24 on"),
        (BZIP2_AND_GARBAGE, "bzip2 data, from byte 51 on"),
        (LZ4_AND_GARBAGE, "lz4 data, from byte 30 on"),
    ] {
        for threads in ["1", "3"] {
            notes(&creel_with(stored, &["-j", threads, "count"]), "1\n", part);
        }
        prints(&creel_with(stored, &["-q", "count"]), "1\n");
    }
    let zeros = [&gzip(b"one\ntwo\n")[..], &[0; 1000]].concat();
    prints(&creel_with(&zeros, &["count"]), "2\n");
}

#[test]
fn data_in_another_codec_after_the_last_member_is_an_error() {
    let stored = [&gzip(b"one\n")[..], &ZSTD_AND_GARBAGE[..24]].concat();
    let output = creel_with(&stored, &["count"]);
    assert_eq!((text(&output.stdout), output.status.code()), ("1\n", Some(3)));
    assert!(text(&output.stderr).contains("zstd data begins"), "{}", text(&output.stderr));
}

#[test]
fn data_that_asks_for_what_there_is_not_says_so() {
    for (stored, parts) in [
        (ZSTD_WITH_DICTIONARY, ["dictionary", "zstd -dc -D"]),
        (ZSTD_WITH_LARGE_WINDOW, ["window of more than 2 GiB", "zstd --long=31"]),
        (XZ_WITH_LARGE_DICTIONARY, ["more than 2 GiB", "xz -dc"]),
    ] {
        let output = creel_with(stored, &["count"]);
        fails(&output, 3, &parts);
        assert!(!text(&output.stderr).contains("fetch it again"));
    }
}

#[test]
fn data_that_stands_for_very_much_more_is_an_error() {
    let mut line = vec![b'x'; (64 << 10) - 1];
    line.push(b'\n');
    let stored = gzip(&line.repeat(1100));
    prints(&creel_with(&stored, &["count"]), "1100\n");
    let output = creel_with(&stored, &["--max-ratio", "100", "count"]);
    fails(
        &output,
        3,
        &["standard input", "compressed bytes stand for", "100 times", "--max-ratio"],
    );
    // Small data may stand for any number of times as much.
    prints(&creel_with(&gzip(&line.repeat(100)), &["--max-ratio", "1", "count"]), "100\n");
}
