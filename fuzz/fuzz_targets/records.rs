//! Any bytes, cut anywhere, are the records that a naive reader finds.

#![no_main]

use std::io::Write;

use creel::{Compression, Delimiter, ReadOptions, Run};
use libfuzzer_sys::fuzz_target;

fn naive(bytes: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.windows(delimiter.len()).position(|window| window == delimiter);
        let (record, after) = match end {
            Some(at) => (&rest[..at], &rest[at + delimiter.len()..]),
            None => (rest, &[][..]),
        };
        let crlf = delimiter == b"\n" && end.is_some() && record.ends_with(b"\r");
        records.push(record[..record.len() - usize::from(crlf)].to_vec());
        rest = after;
    }
    records
}

fuzz_target!(|input: (u8, u8, u8, &[u8])| {
    let (blocksize, partition_size, delimiter, bytes) = input;
    let delimiter: &[u8] = [&b"\n"[..], b"\r\n", b"ab", b"aa", b"aba"][usize::from(delimiter % 5)];
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("it is written");
    let options = ReadOptions::new()
        .compression(Compression::None)
        .blocksize(usize::from(blocksize))
        .partition_size(u64::from(partition_size))
        .delimiter(match delimiter {
            b"\n" => Delimiter::Line,
            bytes => Delimiter::Bytes(bytes.to_vec()),
        });
    let bag = options.read_bytes([file.path().to_string_lossy()]).expect("a path");
    let records = Run::new().threads(1).compute_blocking(&bag.collect()).expect("it is read");
    assert_eq!(records, naive(bytes, delimiter));
});
