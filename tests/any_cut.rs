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
