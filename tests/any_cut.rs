//! However the input is cut, and whoever works on it, the records are the same.

use std::fs;

use creel::{Delimiter, ReadOptions, Run};
use proptest::prelude::*;

/// What a naive reader makes of the whole object at once.
fn records(bytes: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.windows(delimiter.len()).position(|window| window == delimiter);
        let (record, after) = match end {
            Some(at) => (&rest[..at], &rest[at + delimiter.len()..]),
            None => (rest, &rest[rest.len()..]),
        };
        records.push(record.to_vec());
        rest = after;
    }
    records
}

/// Lines end in LF or CRLF; one carriage return goes with its line feed.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = records(bytes, b"\n");
    let unended = !bytes.is_empty() && !bytes.ends_with(b"\n");
    let ended = lines.len() - usize::from(unended);
    for line in &mut lines[..ended] {
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    lines
}

/// Text in which delimiters, parts of them, empty records and long ones are common.
fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        4 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        2 => Just(b"||".to_vec()),
        1 => Just(b"|".to_vec()),
        2 => Just(b"<>".to_vec()),
        1 => Just(b"<".to_vec()),
        4 => "[a-c é]{0,6}".prop_map(String::into_bytes),
        1 => (1..400usize).prop_map(|n| vec![b'x'; n]),
    ];
    let text = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat());
    prop::collection::vec(text, 1..5)
}

fn delimiters() -> impl Strategy<Value = Delimiter> {
    let bytes = |text: &str| Just(Delimiter::Bytes(text.as_bytes().to_vec()));
    prop_oneof![3 => Just(Delimiter::Line), 1 => bytes("\r\n"), 1 => bytes("<>"), 1 => bytes("||"), 1 => bytes(" ")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_cut_gives_the_same_records(
        texts in texts(),
        delimiter in delimiters(),
        blocksize in 1..200usize,
        partition_size in 1..300u64,
        threads in 1..4usize,
    ) {
        let folder = tempfile::tempdir()?;
        for (n, text) in texts.iter().enumerate() {
            fs::write(folder.path().join(format!("{n}.txt")), text)?;
        }
        let expected: Vec<Vec<u8>> = texts.iter().flat_map(|text| match &delimiter {
            Delimiter::Bytes(bytes) => records(text, bytes),
            _ => lines(text),
        }).collect();

        let pattern = format!("{}/*.txt", folder.path().display());
        let options = ReadOptions::new()
            .delimiter(delimiter)
            .blocksize(blocksize)
            .partition_size(partition_size);
        let run = Run::new().threads(threads);
        let bytes = options.read_bytes([&pattern])?;
        let text = options.read_text([&pattern])?;

        let seen = run.compute_blocking(&bytes.clone().collect())?;
        prop_assert_eq!(&seen, &expected);
        let (count, first) = run.compute_blocking(&(text.clone().count(), text.clone().take(3)))?;
        prop_assert_eq!(count, expected.len() as u64);
        prop_assert!(first.iter().map(String::as_bytes).eq(expected.iter().take(3)));
        let lent = text.lend(|lines| lines.map(str::to_owned).collect());
        prop_assert!(run.compute_blocking(&lent)?.iter().map(String::as_bytes).eq(&expected));
        let counts = run.compute_blocking(&bytes.frequencies())?;
        prop_assert_eq!(counts.total(), expected.len() as u64);
    }
}

#[cfg(all(feature = "gzip", feature = "zstd", feature = "bzip2"))]
mod compressed {
    use std::collections::BTreeMap;
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes all")
    }

    /// A member of gzip that says how long it is.
    fn bgzf(text: &[u8]) -> Vec<u8> {
        let mut member = gzip(text);
        let length = u16::try_from(member.len() + 8 - 1).expect("a short text");
        let [low, high] = length.to_le_bytes();
        member[3] |= 4;
        member.splice(10..10, [6, 0, b'B', b'C', 2, 0, low, high]);
        member
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(text, 1).expect("memory takes all")
    }

    /// A stream of blocks of 100,000 bytes.
    fn bzip2(text: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes all")
    }

    /// Text as a whole, and in members of so many bytes.
    fn stored(text: &[u8], size: usize) -> Vec<(&'static str, Vec<u8>)> {
        let members = |member: fn(&[u8]) -> Vec<u8>| text.chunks(size).flat_map(member).collect();
        let marked = [members(bgzf), bgzf(b"")].concat();
        vec![
            ("one member of gzip", gzip(text)),
            ("members of gzip", members(gzip)),
            ("BGZF", marked.clone()),
            ("BGZF, and members that do not tell their length", [marked, gzip(text)].concat()),
            ("one stream of bzip2", bzip2(text)),
            ("streams of bzip2", members(bzip2)),
            ("one frame of zstd", zstd(text)),
            ("frames of zstd", members(zstd)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn any_cut_of_compressed_text_gives_the_same_records(
            texts in texts(),
            numbers in prop_oneof![0..100_u32, 100..15_000_u32],
            size in 500..60_000_usize,
            blocksize in prop_oneof![1..200_usize, 1000..200_000_usize],
            partition_size in 1..300_000_u64,
            threads in 1..4_usize,
        ) {
            // Numbers that do not repeat, so that what is compressed has a length worth cutting.
            let number = |n: u32| format!("{} {n}\n", n.wrapping_mul(2_654_435_761));
            let mut text = texts.concat();
            (0..numbers).for_each(|n| text.extend(number(n).bytes()));
            let folder = tempfile::tempdir()?;
            let file = folder.path().join("stored");
            let options = ReadOptions::new().blocksize(blocksize).partition_size(partition_size);
            let run = Run::new().threads(threads);
            for (format, stored) in stored(&text, size) {
                fs::write(&file, stored)?;
                let mut expected = lines(&text);
                if format.ends_with("length") {
                    expected = lines(&text.repeat(2));
                }
                let bag = options.read_bytes([file.to_string_lossy()])?;
                let seen = run.compute_blocking(&bag.clone().collect())?;
                prop_assert!(seen == expected, "{}", format);
                let some = (bag.clone().count(), bag.clone().take(3), bag.frequencies());
                let (count, first, counts) = run.compute_blocking(&some)?;
                prop_assert_eq!(count, expected.len() as u64, "{}", format);
                prop_assert!(first.iter().eq(expected.iter().take(3)), "{}", format);
                let plain = expected.iter().fold(BTreeMap::new(), |mut plain, record| {
                    *plain.entry(record.as_slice()).or_insert(0) += 1;
                    plain
                });
                prop_assert!(counts.iter().collect::<BTreeMap<_, _>>() == plain, "{}", format);
            }
        }
    }
}
