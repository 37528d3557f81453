//! Partitions of real files, read through to blocks.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::tests::{block_on, options, reference};
use super::*;
use crate::progress::Progress;
use crate::record::RawLines;
use crate::source::{Access, Partitions, Pool, Source, partitions};
use crate::{Error, Result};

/// The records of files, partition after partition.
fn records(
    files: &[impl AsRef<Path>],
    options: &BlockOptions,
    partition: u64,
    progress: &Arc<Progress>,
) -> Result<Vec<Vec<u8>>> {
    let patterns: Vec<_> = files.iter().map(|file| file.as_ref().display().to_string()).collect();
    block_on(async {
        let objects =
            Source::parse(&patterns, Access::default())?.list(&Progress::default()).await?;
        let mut records = Vec::new();
        let parts = partitions(&objects, partition, splittable(options));
        let pool = Pool::new(options.blocksize, 1);
        let parts = Partitions::new(parts, options.ahead, &pool);
        for part in 0..parts.len() {
            let mut blocks = Blocks::new(&parts, part, options, &pool, Arc::clone(progress));
            while let Some(block) = blocks.next().await? {
                let lines = RawLines::new(block.bytes(), &options.delimiter);
                records.extend(lines.map(<[u8]>::to_vec));
            }
        }
        Ok(records)
    })
}

/// Files of these contents.
fn files(contents: &[impl AsRef<[u8]>]) -> Vec<tempfile::TempPath> {
    let write = |content: &_| {
        let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        std::fs::write(&file, AsRef::<[u8]>::as_ref(content)).unwrap();
        file
    };
    contents.iter().map(write).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn files_however_packed_and_split_give_the_records_of_each(
        texts in proptest::collection::vec("[ab|\r\n]{0,60}", 1..6),
        delimiter in proptest::sample::select(&["\n", "|", "||", "ab"][..]),
        blocksize in 1..80_usize,
        partition in 1..150_u64,
    ) {
        let delimiter = match delimiter {
            "\n" => Delimiter::Line,
            other => Delimiter::Bytes(other.into()),
        };
        let options = BlockOptions { blocksize, delimiter, ..options() };
        let records = records(&files(&texts), &options, partition, &Arc::default()).unwrap();
        let expected = texts.iter().flat_map(|text| reference(text.as_bytes(), &options.delimiter));
        prop_assert_eq!(records, expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_block_larger_than_memory_can_be_asked_for() {
    let files = files(&["a\nb\n"]);
    let options = BlockOptions { blocksize: usize::MAX, ..options() };
    assert_eq!(records(&files, &options, 1 << 20, &Arc::default()).unwrap(), [b"a", b"b"]);
}

#[cfg(feature = "gzip")]
fn gzip(text: &[u8]) -> Vec<u8> {
    use tokio::io::AsyncReadExt;
    let mut stored = Vec::new();
    let mut encoder = async_compression::tokio::bufread::GzipEncoder::new(text);
    block_on(encoder.read_to_end(&mut stored)).unwrap();
    stored
}

#[cfg(feature = "gzip")]
#[test]
fn a_compressed_file_that_was_split_is_read_once() {
    let text: String = (0..2000).map(|n| format!("line {n}\n")).collect();
    let files = files(&[gzip(text.as_bytes()), b"plain".to_vec()]);
    let lines: Vec<_> =
        text.lines().chain(["plain"]).map(|line| line.as_bytes().to_vec()).collect();
    for partition in [100, 1000, 1 << 20] {
        let records = records(&files, &options(), partition, &Arc::default()).unwrap();
        assert_eq!(records, lines, "{partition}");
    }
}

#[cfg(feature = "gzip")]
#[test]
fn damage_that_is_let_pass_is_kept_as_a_fault_and_the_next_file_is_read() {
    let text: String = (0..2000).map(|n| format!("line {n}\n")).collect();
    let stored = gzip(text.as_bytes());
    let files = files(&[stored[..stored.len() / 2].to_vec(), b"next\n".to_vec()]);

    let error = records(&files, &options(), 1 << 20, &Arc::default()).unwrap_err();
    assert!(matches!(error, Error::Truncated { .. }), "{error}");

    let progress = Arc::default();
    let keep = BlockOptions { damaged: Damaged::Keep, ..options() };
    let records = records(&files, &keep, 1 << 20, &progress).unwrap();
    let (last, kept) = records.split_last().unwrap();
    assert_eq!(last, b"next");
    assert!(kept.len() > 100, "{} records", kept.len());
    let expected: Vec<_> = text.lines().take(kept.len()).collect();
    assert!(kept.iter().eq(expected.iter().map(|line| line.as_bytes())));
    let faults = progress.take_faults();
    let [Error::Truncated { codec: "gzip", at, .. }] = faults[..] else { panic!("{faults:?}") };
    assert_eq!(at, stored.len() as u64 / 2);
}
