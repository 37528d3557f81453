use proptest::prelude::*;

use super::*;

fn found(head: &[u8]) -> Option<&'static str> {
    find(head, Expected { units: Units::Bytes, nul_delimited: false }).map(|kind| kind.what)
}

#[track_caller]
fn is(head: &[u8], what: &str) {
    let found = found(head);
    assert!(found.is_some_and(|found| found.contains(what)), "{found:?} for {what}");
}

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn formats_are_known_by_their_beginnings() {
    let zeros = [0; 64];
    for (head, what) in [
        (&b"PK\x03\x04\x14\0"[..], "zip"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "7z"),
        (b"Rar!\x1a\x07\x01\0", "rar"),
        (b"\x1f\x9d\x90a\0", "compress"),
        (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", "lzma"),
        (b"\x02\x21\x4c\x18\x06\0\0\0", "legacy"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF89a\x10\0\x10\0\x80\0\0", "GIF"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
        (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "BMP"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"\x7fELF\x02\x01\x01\0", "ELF"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"Obj\x01\x04", "Avro"),
        (b"ORC\n\x03\0\0\x12\x05\0\0\x01", "ORC"),
        (b"SQLite format 3\0", "SQLite"),
        (b"ARROW1\0\0", "Arrow"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x93NUMPY\x01\0", "NumPy"),
        (b"\x80\x04\x95\x10\0", "pickle"),
        (b"\xca\xfe\xba\xbe\0\0\0\x34", "Java"),
        (b"\0asm\x01\0\0\0", "WebAssembly"),
    ] {
        is(head, what);
    }
    is(&[b"MZ\x90\0", &zeros[..]].concat(), "Windows");
    is(&zeros, "NUL");
}

#[test]
fn zlib_data_that_is_not_compressed_is_known() {
    is(b"x\x01\x01\x06\0\xf9\xffalpha\n\x08\x09\x02\x5b", "zlib");
    is(b"x\x01\0\x06\0\xf9\xffalpha\n\x01\0\0\xff\xff", "zlib");
    assert_eq!(found(b"x\x01y\n"), None);
}

#[test]
fn wide_text_of_characters_of_two_units_is_known() {
    let text = "\u{1f600}\u{1f680}\n\u{1f389}\u{1f44d}\u{1f600}\n";
    is(&utf16(text, false), "UTF-16 (little-endian)");
    is(&utf16(text, true), "UTF-16 (big-endian)");
}

#[test]
fn control_characters_of_many_kinds_are_binary_and_separators_are_not() {
    let mut seed = 1_u32;
    let random = (0..4096).map(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 25) as u8
    });
    is(&random.collect::<Vec<_>>(), "control characters");
    assert_eq!(found(&b"8=FIX.4.4\x019=5\x0135=0\x01\n".repeat(99)), None);
    assert_eq!(found(&b"a\x01b\x02c\x03d\x04\n".repeat(99)), None);
}

#[test]
fn text_that_begins_as_a_format_does_is_text() {
    for text in [
        "",
        "a",
        "BM,1,2\n",
        "BM",
        "PK is a key\n",
        "PK\n",
        "Rar! it barks\n",
        "7z x a.7z\n",
        "II* is two stars\n",
        "MM\n",
        "MZ was an engineer, and this line is longer than a header\n",
        "ORC,GOBLIN\n",
        "PAR1,2\n",
        "GIF89a is a format\n",
        "%PDF-1.4 was found\n",
        "ID3 tags\n",
        "RIFF 1234WAVE\n",
        "FEA1\n",
        "SQLite format 3 is it\n",
        "ARROW1\n",
        "Obj 1\n",
        "ELF\n",
        "BZh9 is a line\n",
        "x^2 + y^2\n",
        "070701 is an account\n",
        "!<arch>\nis not\n",
        "\x1b[31mred\x1b[0m\n",
        "8=FIX.4.2\x019=65\x0135=A\x01\n",
        "a\0b\n",
        "one\0two\0three\n",
        "a name\tand\x0cmore\x08\x07\n",
        "\u{feff}a mark\n",
        "x",
        "\0",
        "a\0",
        "BZ0\n",
        "DUCK\n",
    ] {
        assert_eq!(found(text.as_bytes()), None, "{text:?}");
    }
    // As `find -print0` and /proc have it.
    let names: String = (0..200).map(|n| format!("./folder/file {n}\0")).collect();
    assert_eq!(found(&names.as_bytes()[..names.len().min(4096)]), None);
    // Other encodings are told by the check of records.
    let (cyrillic, _, _) = encoding_rs::KOI8_R.encode("Привет, мир\nи ещё строка\n");
    assert_eq!(found(&cyrillic), None);
    let (japanese, _, _) = encoding_rs::SHIFT_JIS.encode("日本語のテキスト\n");
    assert_eq!(found(&japanese), None);
    assert_eq!(found(b"caf\xe9\nna\xefve\n"), None);
}

#[test]
fn wide_text_is_known_with_and_without_a_mark() {
    for text in [
        "error one\nok\nerror two\n",
        "ab\n",
        "Привет, мир\nи ещё строка\n",
        "日本語のテキスト。\n二行目です。\n三行目\n",
    ] {
        for (big_endian, name) in [(true, "UTF-16 (big-endian)"), (false, "UTF-16 (little-endian)")]
        {
            let bytes = utf16(text, big_endian);
            is(&bytes, name);
            is(&bytes[..bytes.len() - 1], name);
            let units = Units::Utf16 { big_endian };
            assert_eq!(find(&bytes, Expected { units, nul_delimited: false }), None, "{text}");
            let units = Units::Utf16 { big_endian: !big_endian };
            let other = find(&bytes, Expected { units, nul_delimited: false });
            assert_eq!(other.map(|kind| kind.what), Some(name), "{text}");
        }
        let little: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        is(&little, "UTF-32 (little-endian)");
        let big: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        is(&big, "UTF-32 (big-endian)");
        is(&[&b"\xff\xfe\0\0"[..], &little].concat(), "UTF-32");
    }
    let units = Units::Utf16 { big_endian: false };
    let ascii = find(b"these are bytes\nof ASCII\n", Expected { units, nul_delimited: false });
    assert!(ascii.is_some_and(|kind| kind.mend.contains("--encoding")));
}

#[test]
fn a_delimiter_of_nuls_makes_nuls_text() {
    let names = b"a\0b\0c\0d\0";
    is(names, "UTF-16");
    assert_eq!(find(names, Expected { units: Units::Bytes, nul_delimited: true }), None);
}

#[test]
fn a_header_of_tar_is_known_by_its_checksum() {
    let mut header = [0_u8; 512];
    header[..5].copy_from_slice(b"a.txt");
    header[100..108].copy_from_slice(b"0000644\0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    is(&header, "tar");
    header[0] = b'b';
    assert_ne!(found(&header), Some("a tar archive"));
    assert!(found(&header).is_some(), "it is no text all the same");
}

proptest! {
    #[test]
    fn printable_text_in_any_script_is_text(text in "[\\PC\n\r\t]{0,600}") {
        prop_assert_eq!(found(text.as_bytes()), None);
    }

    #[test]
    fn any_bytes_are_judged_without_a_panic(
        head in proptest::collection::vec(prop_oneof![Just(0_u8), Just(b'a'), any::<u8>()], 0..700),
        magic in 0..40_usize,
        big_endian: bool,
        nul_delimited: bool,
    ) {
        const BEGIN: [&[u8]; 5] = [b"RIFF", b"PK\x03\x04", b"MZ", b"\x5d\0\0\x80\0", b"ar"];
        let head = [BEGIN.get(magic).copied().unwrap_or_default(), &head].concat();
        for units in [Units::Bytes, Units::Utf16 { big_endian }] {
            let _ = find(&head, Expected { units, nul_delimited });
        }
    }
}
