//! The members of tar archives, as the objects that they are.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::{creel_in, creel_with, fails, prints, text};

/// One header of ustar, whose checksum is right.
fn header(name: &[u8], size: usize, kind: u8) -> [u8; 512] {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name);
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut header);
    header
}

fn seal(header: &mut [u8; 512]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A member, padded to a block.
fn member(name: &[u8], content: &[u8], kind: u8) -> Vec<u8> {
    let mut bytes = header(name, content.len(), kind).to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// An archive of these members, with its end mark.
fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

fn logs() -> Vec<u8> {
    archive(&[
        member(b"app/", b"", b'5'),
        member(b"app/1.log", b"GET /a\nPOST /b\n", b'0'),
        member(b"app/link", b"", b'2'),
        member(b"app/empty", b"", b'0'),
        member(b"app/2.log", b"GET /c\nGET /d", b'0'),
        member(b"app/null", b"", b'3'),
        member(b"app/old.log", b"GET /e\n", 0),
    ])
}

#[test]
fn members_are_read_in_the_order_of_the_archive() {
    let program = "filter(startswith(\"GET\"))";
    let expected = "\"GET /a\"\n\"GET /c\"\n\"GET /d\"\n\"GET /e\"\n";
    let zstd = zstd::bulk::compress(&logs(), 3).expect("into memory");
    for stored in [logs(), gzip(&logs()), zstd] {
        for arguments in [&["-j", "1"][..], &["-j", "4"], &["--blocksize", "1"]] {
            prints(&creel_with(&stored, &[arguments, &[program][..]].concat()), expected);
        }
        prints(&creel_with(&stored, &["count"]), "5\n");
    }
    // One archive after another.
    prints(&creel_with(&[logs(), logs()].concat(), &["count"]), "10\n");
}

#[test]
fn errors_name_the_member_and_its_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let stored = archive(&[
        member(b"good.log", b"fine\n", b'0'),
        member(b"bad.log", b"fine\nfine\nfine\nb\xffd\n", b'0'),
    ]);
    fs::write(folder.path().join("logs.tar.gz"), gzip(&stored)).expect("a file");
    let output = creel_in(folder.path(), &["count", "logs.tar.gz"]);
    fails(&output, 4, &["logs.tar.gz!bad.log", "byte 16", "(--invalid, --encoding)"]);
    let listed = creel_in(folder.path(), &["-n", "count", "logs.tar.gz"]);
    assert!(text(&listed.stdout).ends_with("logs.tar.gz\n"), "{}", text(&listed.stdout));
}

#[test]
fn members_are_looked_at_as_objects_are() {
    let stored = archive(&[
        member(b"a.log", b"one\ntwo\n", b'0'),
        member(b"b.log.gz", &gzip(b"three\n"), b'0'),
        member(b"image.png", b"\x89PNG\r\n\x1a\n\0\0\0\n", b'0'),
        member(b"inner.tar", &logs(), b'0'),
        member(b"c.log", b"four\n", b'0'),
    ]);
    let output = creel_with(&stored, &["count"]);
    let message = text(&output.stderr);
    assert_eq!((text(&output.stdout), output.status.code()), ("4\n", Some(3)), "{message}");
    assert_eq!(message.matches("standard input!image.png: this is a PNG image").count(), 1);
    assert!(message.contains("standard input!inner.tar: this is a tar archive"), "{message}");
    assert_eq!(message.matches("inner.tar").count(), 1, "{message}");
    fails(&creel_with(&stored, &["--on-missing", "fail", "count"]), 3, &["image.png"]);
    let only = archive(&[member(b"image.png", b"\x89PNG\r\n\x1a\n\0\0\0\n", b'0')]);
    fails(&creel_with(&only, &["count"]), 3, &["image.png"]);
    fails(&creel_with(&stored, &["--compression", "none", "count"]), 3, &["a tar archive"]);
}

#[test]
fn records_of_json_are_read_from_members() {
    let stored = archive(&[
        member(b"1.jsonl", b"{\"a\":1}\n{\"a\":2}\n", b'0'),
        member(b"2.jsonl", b"{\"a\":3}\n", b'0'),
    ]);
    prints(&creel_with(&gzip(&stored), &["-f", "jsonl", "map(.a) | sum"]), "6\n");
}

#[test]
fn an_archive_that_ends_too_early_gives_what_was_read_and_an_error() {
    let whole = archive(&[
        member(b"1.log", b"one\ntwo\n", b'0'),
        member(b"2.log", &b"a line of ten\n".repeat(1000), b'0'),
    ]);
    for (length, least, most) in [
        (1024, 2, 2),
        (1300, 2, 2),
        (1536, 2, 2),
        (8000, 400, 600),
        (whole.len() - 1024, 1002, 1002),
    ] {
        let output = creel_with(&whole[..length], &["count"]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{length}: {message}");
        let count: u64 = text(&output.stdout).trim_end().parse().expect("a count");
        assert!((least..=most).contains(&count), "{length}: {count}");
        let told = format!("tar archive truncated at byte {length}");
        assert_eq!(message.matches(&told).count(), 1, "{length}: {message}");
    }
    let mut damaged = whole;
    damaged[1024 + 5] ^= 1;
    let output = creel_with(&damaged, &["count"]);
    assert_eq!((text(&output.stdout), output.status.code()), ("2\n", Some(3)));
    assert!(text(&output.stderr).contains("tar archive damaged"), "{}", text(&output.stderr));
}

#[test]
fn long_names_are_right_in_both_formats() {
    let name = format!("{}/bad.log", "long".repeat(50));
    let gnu = [member(b"././@LongLink", format!("{name}\0").as_bytes(), b'L')].concat();
    let record = format!("{} path={name}\n", name.len() + 10);
    assert_eq!(record.len(), name.len() + 10);
    let pax = member(b"PaxHeader", record.as_bytes(), b'x');
    for long in [gnu, pax] {
        let stored = archive(&[long, member(b"longlong", b"b\xffd\n", b'0')]);
        fails(&creel_with(&stored, &["count"]), 4, &[&format!("!{name}"), "byte 1"]);
    }
    // A name that fills the memory is an error.
    let huge = [header(b"././@LongLink", 1 << 30, b'L').to_vec(), vec![b'x'; 10 << 20]].concat();
    let output = creel_with(&huge, &["count"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("over 8 MiB"), "{}", text(&output.stderr));
}

/// Runs the command with this standard input, a few bytes at a time.
fn slowly(input: &[u8], args: &[&str]) -> std::process::Output {
    let mut child = crate::command(args)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut pipe = child.stdin.take().expect("piped");
    for part in input.chunks(200) {
        pipe.write_all(part).and_then(|()| pipe.flush()).expect("it is read");
        std::thread::yield_now();
    }
    drop(pipe);
    child.wait_with_output().expect("the command ends")
}

#[test]
fn an_archive_that_comes_slowly_is_read_as_one() {
    prints(&slowly(&logs(), &["count"]), "5\n");
    prints(&slowly(&gzip(&logs()), &["count"]), "5\n");
}

/// Runs GNU tar in a folder; `false` if there is none.
fn tar(folder: &Path, args: &[&str]) -> bool {
    let told = Command::new("tar").arg("--version").output();
    if !told.is_ok_and(|told| told.stdout.starts_with(b"tar (GNU tar)")) {
        return false;
    }
    let output = Command::new("tar").args(args).current_dir(folder).output().expect("tar runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
#[cfg(target_os = "linux")]
fn sparse_members_have_their_holes_in_every_format() {
    use std::io::{Seek, SeekFrom};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sparse.log");
    let mut file = fs::File::create(&path).expect("a file");
    // More pieces than the first header has room for.
    for piece in 0..40_u64 {
        file.seek(SeekFrom::Start(piece << 16)).expect("a hole");
        file.write_all(format!("piece {piece}\n").as_bytes()).expect("a piece");
    }
    fs::write(folder.path().join("z.log"), "the end\n").expect("a file");
    drop(file);
    let whole = fs::read(&path).expect("the file");
    for format in [
        &["--format=gnu"][..],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=1.0"],
    ] {
        let arguments = [format, &["-S", "-cf", "a.tar", "sparse.log", "z.log"]].concat();
        if !tar(folder.path(), &arguments) {
            return;
        }
        let stored = fs::read(folder.path().join("a.tar")).expect("the archive");
        assert!(stored.len() < whole.len(), "it has holes");
        let output = creel_with(&gzip(&stored), &["-a", "-t", "text", "."]);
        let expected = [&whole[..], b"the end\n"].concat();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(output.stdout == expected, "{format:?}: {} bytes", output.stdout.len());
        prints(&creel_in(folder.path(), &["-a", "count", "a.tar"]), "41\n");
        prints(&slowly(&stored, &["-a", "count"]), "41\n");
    }
}

#[test]
fn a_member_named_as_a_source_says_that_it_is_read_with_its_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let stored = archive(&[member(b"a/b.txt", b"one\n", b'0')]);
    fs::write(folder.path().join("x.tar"), stored).expect("it is written");
    let output = creel_in(folder.path(), &["count", "x.tar!a/b.txt"]);
    fails(&output, 3, &["members of an archive are read with it", "name x.tar"]);
}
