//! The command on whole files: any bytes, any first bytes, any compression of any bytes, any
//! archive of any bytes. The answer is that of a plain twin, or an error that says so: never no
//! records and no word about it, never a crash.

#![no_main]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::LazyLock;

use creel::cli::run_in_process;
use libfuzzer_sys::fuzz_target;

/// First bytes that something is known by.
const FIRST: [&[u8]; 23] = [
    b"",
    PLAIN,
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xff\xfe\0\0",
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
    b"\x50\x2a\x4d\x18",
    b"BZh9",
    b"\xfd7zXZ\0",
    b"\x04\x22\x4d\x18",
    b"\x02\x21\x4c\x18",
    b"\x1f\x9d",
    b"\x5d\0\0\x80\0",
    b"PK\x03\x04",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"%PDF-1.7\n",
    b"\x7fELF",
    b"PAR1",
    b"Obj\x01",
    b"SQLite format 3\0",
];

/// What no format begins with.
const PLAIN: &[u8] = b"a plain line\n";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrap {
    Nothing,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

const WRAPS: [Wrap; 6] = [Wrap::Nothing, Wrap::Gzip, Wrap::Zstd, Wrap::Bzip2, Wrap::Xz, Wrap::Lz4];

fn wrapped(wrap: Wrap, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let out = Vec::new();
    match wrap {
        Wrap::Nothing => Ok(bytes.to_vec()),
        Wrap::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Wrap::Zstd => zstd::encode_all(bytes, 1),
        Wrap::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(out, bzip2::Compression::fast());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Wrap::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(out, 0);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Wrap::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(out);
            encoder.write_all(bytes)?;
            Ok(encoder.finish()?)
        }
    }
}

/// What stands behind skippable frames, of zstd and lz4, and zeros.
fn behind_skipped(mut bytes: &[u8]) -> &[u8] {
    while let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, rest @ ..] = bytes {
        let length = u32::from_le_bytes([*a, *b, *c, *d]);
        let Some(after) = rest.get(length as usize..) else { break };
        bytes = after;
    }
    &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..]
}

/// Whether bytes are a compressed stream of nothing, by the libraries.
fn is_nothing(bytes: &[u8]) -> bool {
    let bytes = behind_skipped(bytes);
    if bytes.is_empty() {
        return true;
    }
    let mut byte = [0];
    let mut empty = |mut decoder: Box<dyn Read + '_>| matches!(decoder.read(&mut byte), Ok(0));
    empty(Box::new(flate2::read::MultiGzDecoder::new(bytes)))
        || zstd::Decoder::new(bytes).is_ok_and(|decoder| empty(Box::new(decoder)))
        || empty(Box::new(bzip2::read::MultiBzDecoder::new(bytes)))
        || empty(Box::new(liblzma::read::XzDecoder::new_multi_decoder(bytes)))
        || empty(Box::new(lz4_flex::frame::FrameDecoder::new(bytes)))
}

/// An archive of files and of a folder, which has no records.
fn archive(files: &[&[u8]]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (n, bytes) in files.iter().enumerate() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        archive.append_data(&mut header, format!("d{n}/"), &[][..]).expect("memory takes all");
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, format!("d{n}/a.log"), *bytes).expect("memory takes all");
    }
    archive.into_inner().expect("memory takes all")
}

/// Whether there is nothing behind the mark of an encoding.
fn is_empty(bytes: &[u8]) -> bool {
    let marks: [&[u8]; 4] = [b"\xff\xfe\0\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    bytes.is_empty() || marks.contains(&bytes)
}

/// Whether these bytes, if they are text, are not taken for something else: for what is compressed, an
/// archive, or text of two bytes a character.
fn is_read_as_it_is(bytes: &[u8]) -> bool {
    let compressed: [&[u8]; 4] = [b"\x1f\x8b", b"BZh", b"\x04\x22\x4d\x18", b"\x50\x2a\x4d\x18"];
    !bytes.contains(&0)
        && !bytes.windows(5).any(|part| part == b"ustar")
        // A short object that begins like one counts as cut short.
        && !compressed.iter().any(|magic| bytes.starts_with(magic) || magic.starts_with(bytes))
}

/// The records of a text, if these bytes are one, as it is read when no encoding is told.
fn records(bytes: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines: Vec<_> = text.split('\n').collect();
    let last = lines.pop().filter(|line| !line.is_empty());
    let lines = lines.into_iter().map(|line| line.strip_suffix('\r').unwrap_or(line));
    Some(lines.chain(last).collect())
}

/// Whether nobody could take these bytes for something else than text: they must be read.
fn is_plain(bytes: &[u8]) -> bool {
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    bytes.starts_with(PLAIN)
        && std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(printable))
}

/// The result of a program, as lines that are sorted where their order is not told.
fn expected(program: &str, records: &[&str]) -> Vec<String> {
    let words = || records.iter().flat_map(|record| record.split_whitespace());
    match program {
        "count" => vec![records.len().to_string()],
        "words | count" => vec![words().count().to_string()],
        "." => records.iter().map(|record| (*record).to_owned()).collect(),
        _ => {
            let mut counts = BTreeMap::<&str, u64>::new();
            words().for_each(|word| *counts.entry(word).or_default() += 1);
            counts.into_iter().map(|(word, count)| format!("{word}\t{count}")).collect()
        }
    }
}

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fn run(program: &str, threads: &str, input: &Path) -> (u8, String, Option<Vec<u8>>) {
    let output = FOLDER.path().join("out");
    let _ = std::fs::remove_file(&output);
    let (input, path) = (input.to_string_lossy(), output.to_string_lossy());
    let options =
        ["--no-sync", "-t", "text", "--memory", "64M", "--blocksize", "4k", "-j", threads];
    let arguments = [&options[..], &["-o", &path, program, &input]].concat();
    let (code, said) = run_in_process(&arguments);
    (code, said, std::fs::read(&output).ok())
}

fuzz_target!(|input: (u8, u8, u8, u8, &[u8])| {
    let (first, wrap, kind, program, bytes) = input;
    let content = [FIRST[usize::from(first) % FIRST.len()], bytes].concat();
    let is_archive = kind % 4 == 3;
    let parts = if is_archive { vec![&content[..], PLAIN] } else { vec![&content[..]] };
    let stored = if is_archive { archive(&parts) } else { content.clone() };
    let wrap = WRAPS[usize::from(wrap) % WRAPS.len()];
    let stored = wrapped(wrap, &stored).expect("memory takes all");

    let path = FOLDER.path().join("in");
    std::fs::write(&path, &stored).expect("it is written");
    let programs = ["count", "words | count", ".", "words | frequencies"];
    let program = programs[usize::from(program) % programs.len()];
    let threads = if kind & 0x80 == 0 { "1" } else { "2" };
    let (code, said, result) = run(program, threads, &path);

    assert!(matches!(code, 0 | 3 | 4), "exit code {code}: {said}");
    assert!(code == 0 || said.starts_with("creel: "), "exit code {code} and nothing said");
    assert!(said.chars().all(|c| !c.is_control() || c == '\n'), "{said:?}");

    let must_be_read = parts.iter().all(|part| is_plain(part));
    // What could be read of an archive may be there all the same.
    if code != 0 {
        assert!(!must_be_read, "text was refused: {said}");
        return;
    }
    let result = result.expect("exit code 0 means that it is there");
    let result = String::from_utf8(result).expect("UTF-8");
    let records: Option<Vec<_>> = parts.iter().map(|part| records(part)).collect();
    if let Some(records) = records.filter(|_| parts.iter().all(|part| is_read_as_it_is(part))) {
        let mut lines: Vec<_> = result.split('\n').map(str::to_owned).collect();
        assert_eq!(lines.pop().as_deref(), Some(""), "no line end");
        let mut expected = expected(program, &records.concat());
        if program == "words | frequencies" {
            lines.sort();
            expected.sort();
        }
        assert_eq!(lines, expected, "{program}");
    } else if program == "count" {
        let empty = parts.iter().all(|part| is_empty(part) || is_nothing(part));
        assert!(result != "0\n" || !said.is_empty() || empty, "silently nothing");
    }
});
