//! Whole readers, from bytes in memory to blocks, against a plain split of the whole text.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(feature = "decompress")]
use futures::FutureExt;
use proptest::prelude::*;
use tokio::io::{AsyncRead, ReadBuf};

use super::open::Open;
use super::part::Part;
use super::*;
use crate::record::RawLines;
use crate::source::{Feed, HEAD, Pool};
use crate::{Error, Result};

/// Gives its bytes a few at a time, and is not ready every now and then.
pub(super) struct Chopped {
    bytes: Vec<u8>,
    at: usize,
    chunk: usize,
    polls: usize,
}

impl Chopped {
    pub(super) fn new(bytes: &[u8], chunk: usize) -> Self {
        Self { bytes: bytes.to_vec(), at: 0, chunk, polls: 0 }
    }
}

/// Every third time they are to be had in a buffer, if that is wanted.
impl Feed for Chopped {
    fn poll_landed(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<Option<Buffer>>> {
        let end = self.bytes.len().min(self.at + self.chunk);
        if !self.polls.is_multiple_of(3) || self.at == end || end - self.at > most {
            return Poll::Ready(Ok(None));
        }
        self.polls += 1;
        let mut buffer = Pool::new(self.chunk, 1).take_to_land();
        buffer.extend(&self.bytes[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(Some(buffer)))
    }
}

impl AsyncRead for Chopped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.polls += 1;
        if self.polls.is_multiple_of(7) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let end = self.bytes.len().min(self.at + self.chunk.min(buf.remaining()));
        buf.put_slice(&self.bytes[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Options that leave everything at its plainest.
pub(super) fn options() -> BlockOptions {
    BlockOptions {
        blocksize: 64 << 10,
        compression: Compression::Auto,
        encoding: Encoding::Auto,
        delimiter: Delimiter::Line,
        max_record: None,
        windows: Windows::default(),
        damaged: Damaged::Fail,
        // Any bytes are read here; `content` has tests of its own.
        allow_binary: true,
        max_ratio: 5000,
        ahead: 0,
    }
}

/// What came out of an object.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) blocks: Vec<Block>,
    pub(super) faults: Vec<Error>,
    /// How many pieces were handed out undecoded.
    pub(super) undecoded: usize,
}

impl Read {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.blocks.iter().flat_map(|block| block.bytes().to_vec()).collect()
    }

    pub(super) fn records(&self, delimiter: &Delimiter) -> Vec<Vec<u8>> {
        let records = self.blocks.iter().flat_map(|block| RawLines::new(block.bytes(), delimiter));
        records.map(<[u8]>::to_vec).collect()
    }
}

/// Reads an object of these bytes, cut into slices of `slice` bytes and read `chunk` at a time.
pub(super) fn read(bytes: &[u8], options: &BlockOptions, slice: u64, chunk: usize) -> Result<Read> {
    let mut out = Read::default();
    let mut start = 0;
    for index in 0.. {
        let end = start + slice;
        block_on(read_slice(bytes, options, (index, start, end), chunk, &mut out))?;
        start = end;
        if start >= bytes.len() as u64 {
            break;
        }
    }
    Ok(out)
}

/// Reads an object of these bytes in one slice, with blocks of 500 bytes.
pub(super) fn read_whole(bytes: &[u8], options: &BlockOptions) -> Result<Read> {
    read(bytes, &BlockOptions { blocksize: 500, ..options.clone() }, 1 << 40, 100)
}

/// Reads an object of these bytes as so many lanes do: pieces that are handed out undecoded are
/// kept for a while, and decoded in an order that `seed` says.
#[cfg(feature = "decompress")]
pub(super) fn read_shared(
    bytes: &[u8],
    options: &BlockOptions,
    lanes: usize,
    chunk: usize,
    mut seed: u64,
) -> Result<Read> {
    let mut chance = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let mut out = Read::default();
    block_on(async {
        let open = Open::new(options, &Pool::new(options.blocksize, lanes), 0, Arc::default());
        let mut part = whole(bytes, chunk);
        open.gather(&mut part).await.unwrap();
        let mut cutter = open.first(part).await?;
        let mut held = Vec::new();
        loop {
            if held.len() >= lanes || (!held.is_empty() && chance() % 4 == 0) {
                let piece: Undecoded = held.swap_remove(chance() % held.len());
                piece.decode();
            }
            let next = match cutter.step(lanes, &mut out.faults).now_or_never() {
                Some(next) => next,
                None if held.is_empty() => cutter.step(lanes, &mut out.faults).await,
                None => {
                    held.swap_remove(chance() % held.len()).decode();
                    continue;
                }
            };
            match next? {
                Some(Next::Block(block)) => out.blocks.push(block),
                Some(Next::Undecoded(piece)) => {
                    out.undecoded += 1;
                    held.push(piece);
                }
                None => return Ok(()),
            }
        }
    })?;
    Ok(out)
}

/// An object of these bytes, in one slice.
fn whole(bytes: &[u8], chunk: usize) -> Part {
    Part {
        live: false,
        #[cfg(feature = "decompress")]
        pieces: None,
        object: "memory".into(),
        start: 0,
        end: None,
        at: 0,
        bytes: Box::pin(Chopped::new(bytes, chunk)),
        read: Buffer::default(),
    }
}

async fn read_slice(
    bytes: &[u8],
    options: &BlockOptions,
    (index, start, end): (usize, u64, u64),
    chunk: usize,
    out: &mut Read,
) -> Result<()> {
    let open = Open::new(options, &Pool::new(options.blocksize, 1), index, Arc::default());
    let at = start.saturating_sub(options.delimiter.bytes().len() as u64);
    let mut part = Part { start, end: Some(end), at, ..whole(&bytes[at as usize..], chunk) };
    let cutter = if start > 0 {
        open.later(part, &bytes[..bytes.len().min(HEAD)])
    } else {
        open.gather(&mut part).await.unwrap();
        Some(open.first(part).await?)
    };
    let Some(mut cutter) = cutter else { return Ok(()) };
    while let Some(block) = cutter.next(&mut out.faults).await? {
        out.blocks.push(block);
    }
    Ok(())
}

/// The records of a text, found in the simplest way.
pub(super) fn reference(bytes: &[u8], delimiter: &Delimiter) -> Vec<Vec<u8>> {
    let by = delimiter.bytes();
    let mut records = vec![Vec::new()];
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(by) {
            records.push(Vec::new());
            at += by.len();
        } else {
            records.last_mut().unwrap().push(bytes[at]);
            at += 1;
        }
    }
    let last = records.pop().unwrap();
    if *delimiter == Delimiter::Line {
        for record in &mut records {
            if record.last() == Some(&b'\r') {
                record.pop();
            }
        }
    }
    records.extend((!last.is_empty()).then_some(last));
    records
}

fn delimiters() -> impl Strategy<Value = Delimiter> {
    const BYTES: &[&str] = &["\n", ",", "||", "abab", "aba", "ab", "\r\n", "\n\n", "abc"];
    prop_oneof![
        Just(Delimiter::Line),
        proptest::sample::select(BYTES).prop_map(|by| Delimiter::Bytes(by.into())),
    ]
}

/// Text in which delimiters are frequent, in pieces and across each other.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] =
        &["\n", "\r\n", "\r", "a", "b", "c", "ab", "|", ",", "word", "\0", "\u{feff}"];
    let long = (0..300_usize).prop_map(|len| "x".repeat(len));
    let piece = prop_oneof![
        40 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => long,
    ];
    proptest::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_records(
        text in texts(),
        delimiter in delimiters(),
        blocksize in 1..200_usize,
        slice in 1..300_u64,
        chunk in 1..100_usize,
        raw: bool,
    ) {
        let encoding = if raw { Encoding::Raw } else { Encoding::Auto };
        let options = BlockOptions { blocksize, delimiter, encoding, ..options() };
        let read = read(&text, &options, slice, chunk).unwrap();
        let text = if raw { &text } else { text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text) };
        prop_assert_eq!(read.records(&options.delimiter), reference(text, &options.delimiter));
    }

    #[test]
    fn a_block_knows_its_place(
        text in texts(),
        delimiter in delimiters(),
        blocksize in 1..200_usize,
        slice in 1..300_u64,
    ) {
        let options = BlockOptions { blocksize, delimiter, ..options() };
        let splits = splittable(&options);
        for block in read(&text, &options, slice, 1 << 20).unwrap().blocks {
            let start = block.place(0).offset.unwrap();
            let stored = &text[start as usize..][..block.bytes().len()];
            prop_assert_eq!(block.bytes(), stored);
            let first = if start == 3 && text.starts_with("\u{feff}".as_bytes()) { 0 } else { start };
            let (from, to) = block.partition_range(slice);
            prop_assert!(!splits || first < to, "{} {} {}", first, from, to);
        }
    }
}

impl Block {
    /// Where the slice of this block's partition lies.
    fn partition_range(&self, slice: u64) -> (u64, u64) {
        let partition = self.place(0).partition.unwrap() as u64;
        (partition * slice, (partition + 1) * slice)
    }
}

#[test]
fn an_empty_object_has_no_records() {
    assert!(read(b"", &options(), 1, 1).unwrap().blocks.is_empty());
    assert!(read(b"\xef\xbb\xbf", &options(), 1, 1).unwrap().blocks.is_empty());
}

#[test]
fn a_mark_is_dropped_at_the_start_only() {
    let text = "\u{feff}a\n\u{feff}b";
    let records = read(text.as_bytes(), &options(), 100, 1).unwrap().records(&Delimiter::Line);
    assert_eq!(records, [b"a".to_vec(), "\u{feff}b".into()]);
}

#[test]
fn without_a_delimiter_an_object_is_one_record() {
    let options = BlockOptions { delimiter: Delimiter::Bytes(Vec::new()), ..options() };
    let records = read(b"a\nb\n", &options, 2, 1).unwrap().records(&options.delimiter);
    assert_eq!(records, [b"a\nb\n"]);
}

#[test]
fn blocks_are_about_as_large_as_asked_for() {
    let text = "a line of text\n".repeat(10_000);
    let options = BlockOptions { blocksize: 4096, ..options() };
    let blocks = read(text.as_bytes(), &options, 1 << 40, 1 << 20).unwrap().blocks;
    let sizes: Vec<_> = blocks.iter().map(|block| block.bytes().len()).collect();
    assert!(
        sizes[..sizes.len() - 1].iter().all(|size| (4096 - 15..=4096).contains(size)),
        "{sizes:?}"
    );
}

#[test]
fn a_long_record_is_one_block() {
    let text = [b"short\n".repeat(3), b"x".repeat(1 << 20), b"\nshort\n".to_vec()].concat();
    let options = BlockOptions { blocksize: 1000, ..options() };
    let records = read(&text, &options, 300, 70_000).unwrap().records(&Delimiter::Line);
    assert_eq!(records.len(), 5);
    assert_eq!(records[3].len(), 1 << 20);
}

#[test]
fn a_record_over_the_limit_is_an_error_with_its_start() {
    for blocksize in [1, 10, 1 << 20] {
        let options = BlockOptions { blocksize, max_record: Some(5), ..options() };
        let fits = read(b"aaaaa\nbbbbb\r\nccccc", &options, 1 << 20, 3).unwrap();
        assert_eq!(fits.records(&Delimiter::Line).len(), 3);
        for text in ["aaaa\nbbbbbb\nc", "aaaa\nbbbbbb", "aaaa\nbbbbbbbbbbbbbbbbb\n"] {
            let error = read(text.as_bytes(), &options, 1 << 20, 3).unwrap_err();
            let Error::RecordTooLong { place, limit: 5 } = error else { panic!("{error}") };
            assert_eq!(place.offset, Some(5));
        }
    }
}

#[test]
fn records_longer_than_a_block_or_than_the_room_in_front_of_it_are_whole() {
    let lengths = [10, 70_000, 200_000, 65_535, 131_072, 1, 400_000, 65_536, 90_000];
    let mut text = Vec::new();
    for (length, letter) in lengths.into_iter().zip(b'a'..) {
        text.extend(std::iter::repeat_n(letter, length));
        text.push(b'\n');
    }
    let options = BlockOptions { blocksize: 128 << 10, ..options() };
    for (slice, chunk) in [(1 << 30, 128 << 10), (1 << 30, 50_000), (300_000, 100_000)] {
        let read = read(&text, &options, slice, chunk).unwrap();
        assert!(read.records(&Delimiter::Line) == reference(&text, &Delimiter::Line));
    }
}

#[test]
fn buffers_are_used_again() {
    let text = "a line of text\n".repeat(10_000);
    let options = BlockOptions { blocksize: 4096, ..options() };
    let open = Open::new(&options, &Pool::new(options.blocksize, 1), 0, Arc::default());
    let mut part = whole(text.as_bytes(), 1 << 20);
    let mut buffers = std::collections::HashSet::new();
    block_on(async {
        open.gather(&mut part).await.unwrap();
        let mut cutter = open.first(part).await.unwrap();
        while let Some(block) = cutter.next(&mut Vec::new()).await.unwrap() {
            buffers.insert(block.bytes().as_ptr());
        }
    });
    assert!(buffers.len() <= 2, "{} buffers", buffers.len());
}
