//! What is put into every store before the tests, and what must come out.

use std::fs;
use std::path::{Path, PathBuf};

use async_compression::tokio::write::{BzEncoder, GzipEncoder, Lz4Encoder, XzEncoder, ZstdEncoder};
use tokio::io::AsyncWriteExt;

use crate::store::Store;

/// The main job.
pub(crate) const TOP: &str = "words | filter(length > 5) | frequencies | topk(10)";

/// Objects below `small/`.
pub(crate) const SMALL: usize = 200;

/// The suffixes of the compressed copies, below `packed/`.
pub(crate) const CODECS: [&str; 5] = ["gz", "zst", "bz2", "xz", "lz4"];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A golden output, by name.
pub(crate) fn golden(name: &str) -> String {
    fs::read_to_string(fixtures().join("golden").join(name)).expect("a golden output")
}

/// The prose, a file each, in the order of their names.
pub(crate) fn peps() -> Vec<(String, Vec<u8>)> {
    let mut peps: Vec<(String, Vec<u8>)> = fs::read_dir(fixtures().join("peps"))
        .expect("the fixtures")
        .map(|entry| {
            let path = entry.expect("a fixture").path();
            let name = path.file_name().expect("its name").to_string_lossy().into_owned();
            (name, fs::read(path).expect("its content"))
        })
        .collect();
    peps.sort();
    peps
}

/// All the prose in one piece; every file ends in a line feed.
pub(crate) fn prose() -> Vec<u8> {
    peps().into_iter().flat_map(|(_, text)| text).collect()
}

/// Some megabytes, so that a read takes more than one request: the prose `times` times.
pub(crate) fn large(times: usize) -> Vec<u8> {
    prose().repeat(times)
}

/// Words of a text as the standard library sees them, as the command prints a count.
pub(crate) fn count_words(text: &[u8]) -> String {
    format!("{}\n", String::from_utf8_lossy(text).split_whitespace().count())
}

/// The text, compressed as the suffix says.
pub(crate) fn compress(text: &[u8], suffix: &str) -> Vec<u8> {
    macro_rules! encode {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new());
            runtime().block_on(async {
                encoder.write_all(text).await.expect("to compress");
                encoder.shutdown().await.expect("to finish");
            });
            encoder.into_inner()
        }};
    }
    match suffix {
        "gz" => encode!(GzipEncoder),
        "zst" => encode!(ZstdEncoder),
        "bz2" => encode!(BzEncoder),
        "xz" => encode!(XzEncoder),
        "lz4" => encode!(Lz4Encoder),
        _ => unreachable!("no such codec here: {suffix}"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// Puts in what more than one test reads; what a test changes it puts in itself.
pub(crate) fn fill(store: &Store) {
    for (name, text) in peps() {
        store.put(&format!("tree/peps/{name}"), &text);
    }
    // Beside the above in name, not below it: a prefix is a folder, not some first letters.
    store.put("tree/peps-not/decoy.rst", b"decoys decoys decoys");
    store.put("tree/peps/deep/er/notes.txt", b"nested nested\n");
    for day in 1..=3 {
        store.put(&format!("days/{day:02}.log"), format!("day {day}\n").as_bytes());
    }
    for n in 0..SMALL {
        store.put(&format!("small/{n:04}.txt"), format!("object {n}\n").as_bytes());
    }
    let prose = prose();
    store.put("prose.txt", &prose);
    for suffix in CODECS {
        // Named so that the name does not tell.
        store.put(&format!("packed/{suffix}.dat"), &compress(&prose, suffix));
    }
    let mut cut = compress(&prose, "gz");
    cut.truncate(cut.len() / 2);
    store.put("truncated.gz", &cut);
    store.put("empty.txt", b"");
    if let Some((_, writer)) = &store.public {
        writer("greeting.txt", b"good morning\n");
    }
    store.put("odd/a b+c%20é.txt", "odd name\n".as_bytes());
}
