//! Text that is not stored in UTF-8.

use proptest::prelude::*;

use super::tests::{Read, options, read, read_whole};
use super::*;
use crate::progress::Progress;
use crate::record::{self, Invalid};
use crate::{Error, Result};

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    units(text.encode_utf16(), big_endian)
}

fn units(units: impl IntoIterator<Item = u16>, big_endian: bool) -> Vec<u8> {
    let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    units.into_iter().flat_map(bytes).collect()
}

/// The text of all blocks, under a policy.
fn text(read: &Read, invalid: Invalid, progress: &Progress) -> Result<String> {
    let text = |block| {
        let checked = record::text(block, &Delimiter::Line, invalid)?;
        progress.add_tally(checked.tally);
        checked.wrong.map_or(Ok(checked.text), Err)
    };
    read.blocks.iter().map(text).collect::<Result<Vec<_>>>().map(|parts| parts.concat())
}

fn valid(read: &Read) -> String {
    text(read, Invalid::Fail, &Progress::default()).unwrap()
}

fn texts() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &["\n", "\r\n", "a", "é", "語", "😀", "\u{feff}", "\0", "word"];
    let piece = proptest::sample::select(PIECES);
    proptest::collection::vec(piece, 0..150).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn utf16_is_read_as_the_text_that_it_is(
        body in texts(),
        big_endian: bool,
        marked: bool,
        blocksize in 1..100_usize,
        slice in 1..200_u64,
        chunk in 1..50_usize,
    ) {
        // Without a mark, a text that begins with one would lose it.
        let body = body.trim_start_matches('\u{feff}');
        let mark = if marked { "\u{feff}" } else { "" };
        let stored = utf16(&format!("{mark}{body}"), big_endian);
        let encoding = match (marked, big_endian) {
            (true, _) => Encoding::Auto,
            (false, true) => Encoding::Utf16Be,
            (false, false) => Encoding::Utf16Le,
        };
        let read = read(&stored, &BlockOptions { blocksize, encoding, ..options() }, slice, chunk).unwrap();
        prop_assert_eq!(valid(&read), body);
        // Each character's place is where it is stored.
        let mut offset = 2 * mark.encode_utf16().count();
        for block in &read.blocks {
            for (at, character) in std::str::from_utf8(block.bytes()).unwrap().char_indices() {
                prop_assert_eq!(block.place(at).offset, Some(offset as u64));
                offset += 2 * character.len_utf16();
            }
        }
    }

    #[test]
    fn single_bytes_are_split_and_each_byte_is_a_character(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\xa7'), any::<u8>()], 0..400),
        blocksize in 1..100_usize,
        slice in 1..200_u64,
        chunk in 1..50_usize,
        section: bool,
        encoding in proptest::sample::select(vec![
            ("latin1", None),
            ("windows-1252", Some(encoding_rs::WINDOWS_1252)),
            ("koi8-r", Some(encoding_rs::KOI8_R)),
        ]),
    ) {
        let (label, table) = encoding;
        prop_assume!(!(section && label == "koi8-r"));
        let character = |byte: u8| match table {
            None => char::from(byte).to_string(),
            Some(table) => table.decode_without_bom_handling(&[byte]).0.into_owned(),
        };
        let text = |bytes: &[u8]| bytes.iter().map(|byte| character(*byte)).collect::<String>();
        let delimiter = if section { Delimiter::Bytes("§".into()) } else { Delimiter::Line };
        let options = BlockOptions { blocksize, encoding: Encoding::for_label(label).unwrap(), delimiter, compression: Compression::None, ..options() };
        prop_assert!(splittable(&options));
        let read = read(&bytes, &options, slice, chunk).unwrap();
        prop_assert_eq!(valid(&read), text(&bytes));
        for block in &read.blocks {
            let partition = block.place(0).partition.unwrap() as u64;
            let start = block.place(0).offset.unwrap();
            prop_assert!(start < (partition + 1) * slice);
            let stored = &bytes[start as usize..block.place(block.bytes().len()).offset.unwrap() as usize];
            let decoded = text(stored);
            prop_assert_eq!(block.bytes(), decoded.as_bytes());
        }
    }

    #[test]
    fn what_is_not_utf16_is_found_whatever_the_chunks(
        parts in proptest::collection::vec(prop_oneof![0xd7f0..0xe010_u16, 0x40..0x7f_u16, Just(10)], 0..60),
        half: bool,
        chunk in 1..50_usize,
    ) {
        let mut stored = units(parts.iter().copied(), false);
        stored.extend(half.then_some(0x41));
        let options = BlockOptions { encoding: Encoding::Utf16Le, blocksize: 7, ..options() };
        let read = read(&stored, &options, 1 << 20, chunk).unwrap();
        let decoded = char::decode_utf16(parts.iter().copied());
        let mut expected: String = decoded.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        expected.extend(half.then_some(char::REPLACEMENT_CHARACTER));
        let expected = expected.trim_start_matches('\u{feff}');
        let progress = Progress::default();
        prop_assert_eq!(text(&read, Invalid::Replace, &progress).unwrap(), expected);

        let wrong = char::decode_utf16(parts.iter().copied()).scan(0, |at, unit| {
            let start = *at;
            *at += unit.as_ref().map_or(2, |character| 2 * character.len_utf16() as u64);
            Some(unit.is_err().then_some(start))
        });
        let first = wrong.flatten().next().or_else(|| half.then(|| stored.len() as u64 - 1));
        match (text(&read, Invalid::Fail, &progress), first) {
            (Ok(_), None) => {}
            (Err(Error::Encoding { place, encoding, .. }), Some(at)) => {
                prop_assert_eq!(place.offset, Some(at));
                prop_assert_eq!(encoding, "UTF-16");
            }
            (other, first) => prop_assert!(false, "{:?} for {:?}", other, first),
        }
    }
}

#[test]
fn a_mark_is_dropped_where_the_encoding_is_named_too() {
    for (encoding, big_endian) in [(Encoding::Utf16Le, false), (Encoding::Utf16Be, true)] {
        let stored = utf16("\u{feff}a\n", big_endian);
        let read = read_whole(&stored, &BlockOptions { encoding, ..options() }).unwrap();
        assert_eq!(valid(&read), "a\n");
    }
}

#[test]
fn raw_is_untouched() {
    let stored = utf16("\u{feff}a\n", false);
    let read = read_whole(&stored, &BlockOptions { encoding: Encoding::Raw, ..options() }).unwrap();
    let bytes: Vec<u8> = read.blocks.iter().flat_map(|block| block.bytes().to_vec()).collect();
    assert_eq!(bytes, stored);
}

#[test]
fn a_delimiter_that_latin1_does_not_have_never_occurs() {
    let delimiter = Delimiter::Bytes("語".into());
    let options = BlockOptions { encoding: Encoding::Latin1, delimiter, ..options() };
    let read = read(b"a\xe8\xaa\x9eb", &options, 2, 1).unwrap();
    assert_eq!(valid(&read), "aèª\u{9e}b");
    assert_eq!(read.blocks.len(), 1);
}

#[test]
fn a_byte_without_a_character_is_invalid_at_its_place() {
    let encoding = Encoding::for_label("windows-1253").unwrap();
    let options = BlockOptions { encoding, ..options() };
    let read = read_whole(b"\xe1\xd2\xe2\n", &options).unwrap();
    let error = text(&read, Invalid::Fail, &Progress::default()).unwrap_err();
    assert!(
        matches!(&error, Error::Encoding { place, encoding: "windows-1253", .. } if place.offset == Some(1)),
        "{error}"
    );
    assert_eq!(text(&read, Invalid::Replace, &Progress::default()).unwrap(), "α\u{fffd}β\n");
}

#[test]
fn labels_are_known_in_every_spelling() {
    for (encoding, labels) in [
        (Encoding::Utf8, &["utf-8", "UTF8", "unicode-1-1-utf-8", " utf-8\n", "us-ascii"][..]),
        (Encoding::Utf16Le, &["utf-16le", "UTF-16", "ucs-2", "unicode"]),
        (Encoding::Utf16Be, &["utf-16be", "unicodefffe"]),
        (Encoding::Latin1, &["latin1", "LATIN-1", "iso-8859-1", "ISO_8859-1", "l1", "cp819"]),
        (Encoding::Windows1252, &["windows-1252", "CP1252"]),
    ] {
        for label in labels {
            assert_eq!(Encoding::for_label(label), Some(encoding), "{label}");
        }
    }
    for unknown in ["", "ebcdic", "shift_jis", "gbk", "utf-7", "utf-32", "x-user-defined"] {
        assert_eq!(Encoding::for_label(unknown), None, "{unknown}");
    }
    assert!(matches!(Encoding::for_label("KOI8-R"), Some(Encoding::SingleByte(_))));
}
