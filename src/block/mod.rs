//! Bytes to blocks: decompressed, in UTF-8, cut after whole records.

use std::sync::Arc;

use crate::Result;
use crate::error::Place;
use crate::progress::Progress;
use crate::source::{Object, Partition};

/// Some bytes of whole records of one object, in a buffer that is used again.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    object: Arc<Object>,
    partition: usize,
    offset: u64,
}

impl Block {
    /// Whole records, each with its delimiter (the object's last one may lack it).
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The place of a byte of this block.
    pub(crate) fn place(&self, at: usize) -> Place {
        Place::object(self.object.name()).partition(self.partition).at(self.offset + at as u64)
    }
}

/// How blocks are made.
#[derive(Debug, Clone)]
pub(crate) struct BlockOptions {
    /// Bytes that a block holds, about; a longer record makes a longer block.
    pub(crate) blocksize: usize,
    pub(crate) compression: Compression,
    pub(crate) encoding: Encoding,
    /// What ends a record.
    pub(crate) delimiter: Delimiter,
    /// The longest record allowed, in bytes, delimiter and all.
    pub(crate) max_record: Option<u64>,
    /// What a truncated or broken stream does.
    pub(crate) damaged: Damaged,
    /// Bytes that may be fetched ahead of one reader.
    pub(crate) ahead: usize,
}

/// How an object is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// As its first bytes say; its name does not matter.
    #[default]
    Auto,
    /// Not at all, whatever its first bytes look like.
    None,
    /// Gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames, windows of up to 2 GiB.
    Zstd,
    /// Bzip2, any number of streams.
    Bzip2,
    /// XZ, any number of streams.
    Xz,
    /// LZ4 frames.
    Lz4,
}

/// How text is encoded; whatever it is, operators see UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8, or UTF-16 if a byte order mark says so; the mark is not part of the first record.
    #[default]
    Auto,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// ISO 8859-1, each byte a code point (`iso-8859-1` as the web has it: windows-1252).
    Latin1,
    /// Bytes, untouched: no mark is looked for and nothing is checked.
    Raw,
}

/// What ends a record. It is not part of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delimiter {
    /// A line feed, with the carriage return before it if there is one.
    #[default]
    Line,
    /// These bytes, found from the object's start on, never overlapping. Not empty.
    Bytes(Vec<u8>),
}

/// What a compressed stream that is truncated or broken does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damaged {
    /// It fails the run.
    #[default]
    Fail,
    /// The whole records before the damage count; the fault is kept in the run's report.
    Keep,
}

/// Whether records can be found from the middle of an object.
pub(crate) fn splittable(_options: &BlockOptions) -> bool {
    todo!()
}

/// The blocks of one partition.
#[derive(Debug)]
pub(crate) struct Blocks {}

impl Blocks {
    pub(crate) fn new(
        _partition: Partition,
        _options: &BlockOptions,
        _progress: Arc<Progress>,
    ) -> Self {
        todo!()
    }

    /// The next block; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Block>> {
        todo!()
    }
}
