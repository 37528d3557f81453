//! Data that is no text: refused by its name before a record of it is given.

use std::fs;
use std::io::Write;

use crate::{command, creel, creel_in, creel_with, fails, prints, text};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn a_format_that_is_not_read_is_refused_by_name_with_the_command_that_helps() {
    for (bytes, parts) in [
        (
            &b"PK\x03\x04\x14\0\0\0\x08\0abcdefghijklmnopqrstuvwxyz\n"[..],
            &["a zip", "unzip -p"][..],
        ),
        (b"\x1f\x9d\x90a\x14\0\n", &["compress", "uncompress -c"]),
        (
            b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x30",
            &["lzma", "xz --format=lzma -dc"],
        ),
        (b"\x02\x21\x4c\x18\x06\0\0\0alpha\n", &["legacy", "lz4 -dc"]),
        (b"7z\xbc\xaf\x27\x1c\0\x04", &["7z"]),
        (b"\x7fELF\x02\x01\x01\0\n\n", &["ELF"]),
        (b"PAR1\x15\x04\n", &["Parquet"]),
    ] {
        for stored in [bytes.to_vec(), gzip(bytes)] {
            fails(&creel_with(&stored, &["count"]), 3, parts);
            fails(&creel_with(&stored, &["--invalid", "skip", "count"]), 3, &["-a"]);
        }
    }
}

#[test]
fn compressed_data_within_compressed_data_is_named() {
    let twice = gzip(&gzip(b"one\ntwo\n"));
    fails(&creel_with(&twice, &["count"]), 3, &["gzip data within compressed data", "gzip -dc"]);
    fails(&creel_with(&gzip(b"one\n"), &["--compression", "none", "count"]), 3, &["gzip data"]);
    fails(&creel_with(b"PK\x03\x04", &["--compression", "gzip", "count"]), 3, &["a zip archive"]);
}

#[test]
fn binary_data_is_read_as_text_where_that_is_asked_for() {
    let input = b"PK\x03\x04\none\n";
    prints(&creel_with(input, &["-a", "count"]), "2\n");
    prints(&creel_with(input, &["--text", "count"]), "2\n");
    prints(&creel_with(&gzip(b"a\0\0\0\0\0\0\0\nb\n"), &["-a", "count"]), "2\n");
}

#[test]
fn wide_text_names_the_encoding_that_reads_it() {
    let lines = "error one\nok\nerror two\n";
    for (big_endian, label) in [(false, "utf-16le"), (true, "utf-16be")] {
        let stored = utf16(lines, big_endian);
        let program = "filter(startswith(\"error\")) | count";
        fails(&creel_with(&stored, &[program]), 3, &["UTF-16", &format!("--encoding {label}")]);
        prints(&creel_with(&stored, &["--encoding", label, program]), "2\n");
        let marked = utf16(&format!("\u{feff}{lines}"), big_endian);
        prints(&creel_with(&marked, &[program]), "2\n");
        let other = if big_endian { "utf-16le" } else { "utf-16be" };
        fails(&creel_with(&stored, &["--encoding", other, program]), 3, &[label]);
        fails(&creel_with(&marked, &["--encoding", "utf-8", program]), 3, &[label]);
    }
    let wide: Vec<u8> = lines.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    fails(&creel_with(&wide, &["count"]), 3, &["UTF-32", "iconv -f utf-32"]);
    fails(&creel_with(lines.as_bytes(), &["--encoding", "utf-16le", "count"]), 3, &["UTF-8"]);
}

#[test]
fn text_with_a_few_odd_bytes_is_text() {
    for input in [
        &b"BM,1\n"[..],
        b"PK\n",
        b"II*\n",
        b"MZ\n",
        b"Rar!\n",
        b"a\0b\n",
        b"\x1b[31mred\x1b[0m\n",
        b"8=FIX.4.2\x019=65\x0135=A\x01\n",
    ] {
        prints(&creel_with(input, &["count"]), "1\n");
    }
    prints(&creel_with(b"a\0b\0c\0", &["--delimiter", "\\0", "count"]), "3\n");
    prints(&creel_with(b"BM caf\xe9\n", &["--encoding", "latin1", "count"]), "1\n");
}

#[test]
fn every_slice_and_every_block_size_refuses_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    // Longer than a slice, so that others begin in it.
    let mut bytes = b"PK\x03\x04\x14\0\0\0\x08\0".to_vec();
    bytes.extend((0..1 << 20).flat_map(|n: u32| format!("line {n} of many\n").into_bytes()));
    fs::write(folder.path().join("big.zip"), &bytes).expect("a file");
    for arguments in [&["-j", "1", "count"][..], &["-j", "4", "count"], &["--blocksize", "1k", "."]]
    {
        let output = creel_in(folder.path(), &[arguments, &["big.zip"]].concat());
        fails(&output, 3, &["big.zip: this is a zip archive"]);
    }
    // The whole beginning is looked at, whatever the size of blocks.
    let mut late = vec![b' '; 300];
    late.extend(vec![0; 3000]);
    for size in ["1", "64", "1M"] {
        fails(&creel_with(&late, &["--blocksize", size, "count"]), 3, &["NUL"]);
    }
}

#[test]
fn data_that_comes_slowly_through_a_pipe_is_checked_too() {
    use std::process::Stdio;
    let mut child = command(&["count"]).stdin(Stdio::piped()).spawn().expect("the command starts");
    let mut input = child.stdin.take().expect("piped");
    for byte in utf16("ab\ncd\n", false) {
        input.write_all(&[byte]).expect("it is read");
        input.flush().expect("it is read");
    }
    drop(input);
    fails(&child.wait_with_output().expect("the command ends"), 3, &["UTF-16"]);
}

#[test]
fn records_of_nuls_behind_text_are_named_and_may_be_skipped() {
    let lines = b"a line of text\n".repeat(500);
    let late = b"a line of text\n".repeat(80_000);
    let wide = utf16(&"an error of PowerShell\n".repeat(9_000), false);
    for (before, after) in [(&lines, &wide), (&lines, &vec![0; 100_000]), (&late, &wide)] {
        let input = [&before[..], after].concat();
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("in.log"), &input).expect("it is written");
        let run = |args: &[&str]| creel_in(folder.path(), &[args, &["in.log"]].concat());
        fails(&run(&["count"]), 3, &["in.log", "NUL", "-a"]);
        let said = run(&["count"]).stderr;
        for (block, threads) in [("100", "1"), ("4096", "3"), ("1000000", "4")] {
            let other = run(&["--blocksize", block, "-j", threads, "count"]);
            assert_eq!(text(&other.stderr), text(&said));
            let skipped = run(&["--blocksize", block, "-j", threads, "--invalid", "skip", "count"]);
            let count: usize = text(&skipped.stdout).trim().parse().expect("a number");
            // The last of the units of a line feed begins the next record.
            assert!((before.len() / 15..before.len() / 15 + 2).contains(&count), "{count}");
        }
        let all = input.iter().filter(|byte| **byte == b'\n').count();
        let all = all + usize::from(!input.ends_with(b"\n"));
        prints(&run(&["-a", "count"]), &format!("{all}\n"));
    }
    let few = [&lines[..], b"name\0other\0\n"].concat();
    prints(&creel_with(&few, &["count"]), "501\n");
}

#[test]
fn a_wrong_name_of_an_encoding_says_which_there_are() {
    fails(&creel(&["--encoding", "utf-9", "count"]), 2, &["utf-16le", "latin1", "windows-1252"]);
    for label in ["utf-8", "UTF8", "utf-8"] {
        prints(&creel_with("é\n".as_bytes(), &["--encoding", label, "map(length)"]), "1\n");
    }
    // In ISO 8859-1 0x85 is white space, in Windows-1252 an ellipsis.
    prints(&creel_with(b"x\x85y\n", &["--encoding", "latin1", "words | count"]), "2\n");
    prints(&creel_with(b"x\x85y\n", &["--encoding", "ISO-8859-1", "words | count"]), "2\n");
    prints(&creel_with(b"x\x85y\n", &["--encoding", "windows-1252", "words | count"]), "1\n");
    let output = creel_with(b"\x80\n", &["--encoding", "cp1252", "-t", "text", "."]);
    prints(&output, "€\n");
    assert_eq!(text(&output.stdout).len(), 4);
}

#[test]
fn an_entry_that_is_no_text_is_passed_over_and_named_once() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.txt"), "one\ntwo\n").expect("a file");
    fs::write(folder.path().join("b.zip"), b"PK\x03\x04\n\n").expect("a file");
    fs::write(folder.path().join("c.txt"), "three\n").expect("a file");
    let output = creel_in(folder.path(), &["count", "."]);
    assert_eq!((text(&output.stdout), output.status.code()), ("3\n", Some(3)));
    let message = text(&output.stderr);
    assert_eq!(message.matches("b.zip").count(), 1, "{message}");
    assert!(message.contains("a zip archive") && message.contains("-a"), "{message}");
    fails(&creel_in(folder.path(), &["--on-missing", "fail", "count", "."]), 3, &["b.zip"]);
    let skipped = creel_in(folder.path(), &["--on-missing", "skip", "count", "."]);
    assert_eq!((text(&skipped.stdout), skipped.status.code()), ("3\n", Some(0)));
}

#[test]
fn text_in_another_encoding_is_not_to_be_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let mostly = b"caf\xe9\nna\xefve\n\xfcber\nplain\n".repeat(100);
    fs::write(folder.path().join("a.txt"), &mostly).expect("a file");
    for size in ["1", "100", "1M"] {
        let output = creel_in(folder.path(), &["--blocksize", size, "count", "a.txt"]);
        fails(&output, 4, &["byte 3", "in another encoding", "(--encoding)"]);
        assert!(!text(&output.stderr).contains("--invalid"));
    }
    let once = [b"plain\n".repeat(100), b"caf\xe9\n".to_vec()].concat();
    fs::write(folder.path().join("b.txt"), &once).expect("a file");
    for size in ["1", "100", "1M"] {
        let output = creel_in(folder.path(), &["--blocksize", size, "count", "b.txt"]);
        fails(&output, 4, &["byte 603", "(--invalid, --encoding)"]);
    }
}
