//! Bytes to blocks: decompressed, in UTF-8, cut after whole records.
//!
//! [`Blocks`] opens the slices of a partition one after another and gives the blocks of each.
//! What it builds for a slice, from the store to the block:
//!
//! 1. the object's bytes, as `source` fetches them;
//! 2. `decompress`: a decompressor, if the first bytes are those of a `codec`;
//!    (`archive` then gives the members of a tar archive, each of which goes on from here);
//! 3. `content`: a look at the first bytes, which refuses what is no text;
//! 4. `encoding` and `utf16`: UTF-16 becomes UTF-8 (encodings of one byte a character do so last,
//!    for their line feeds are found without);
//! 5. `cut`: the buffer is filled, and cut after the last whole record (`delimiter` knows where
//!    records end).
//!
//! Uncompressed bytes in UTF-8 are read straight into the block's buffer, or have landed in it
//! already, and are never copied but for the torn record at its end.

#[cfg(feature = "tar")]
mod archive;
mod codec;
mod content;
#[cfg(feature = "decompress")]
mod counted;
mod cut;
// Archives need its guard, also without a codec.
#[cfg_attr(
    not(any(
        feature = "gzip",
        feature = "zstd",
        feature = "bzip2",
        feature = "xz",
        feature = "lz4"
    )),
    allow(dead_code, unused_imports)
)]
#[cfg(feature = "decompress")]
mod decompress;
mod delimiter;
mod encoding;
#[cfg(all(test, feature = "encoding"))]
mod encoding_tests;
mod open;
mod part;
mod reader;
#[cfg(test)]
mod reader_tests;
#[cfg(test)]
mod tests;
#[cfg(feature = "encoding")]
mod utf16;
#[cfg_attr(not(any(feature = "zstd", feature = "xz")), allow(dead_code))]
mod window;

use std::ops::Range;
use std::sync::Arc;

pub use delimiter::Delimiter;
pub use encoding::{Encoding, SingleByte};
pub(crate) use reader::Blocks;
pub(crate) use window::Windows;

use crate::error::Place;
use crate::progress::InputOrder;
use crate::source::Buffer;
use encoding::Units;

/// Some bytes of whole records of one object, in a buffer that is used again.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Buffer,
    object: Arc<str>,
    partition: usize,
    /// Where the object or member stands.
    order: InputOrder,
    /// Where the block begins in the object, decompressed.
    offset: u64,
    units: Units,
    foreign: bool,
    /// NULs are bytes like any others.
    nuls_pass: bool,
}

/// Bytes that are worked on at a time, if nothing else was said.
pub(crate) const BLOCKSIZE: usize = 1 << 20;

/// The first bytes of an object, all of which are searched for NULs.
const ALL_SEARCHED: u64 = 1 << 20;
/// Of so many bytes behind those,
const WINDOW: u64 = 64 << 10;
/// so many are searched: the search would cost as much as counting lines does.
const SEARCHED: u64 = 4 << 10;
/// Records of at least so many NULs, and of so many for each byte that is none, are no text.
const MANY_NULS: usize = 4;

impl Block {
    /// Whole records, each with its delimiter (the object's last one may lack it).
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of memory that it takes: of what somebody writes a little at a time, far more than
    /// there is in it.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.weight()
    }

    /// The place of a byte of this block.
    pub(crate) fn place(&self, at: usize) -> Place {
        let offset = self.offset + self.units.count_decoded(&self.bytes[..at]);
        Place::object(&*self.object).partition(self.partition).at(offset)
    }

    /// Whether most records at the object's beginning are not UTF-8: it is in another encoding then.
    pub(crate) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Whether some of its records may be no text: there are NULs in the part that is searched. That
    /// is decided by the place in the object, so it is the same for blocks of any size; `all` searches
    /// everything.
    pub(crate) fn has_nuls(&self, all: bool) -> bool {
        !self.nuls_pass && self.has_nuls_in(0..self.bytes.len(), all)
    }

    /// The first NUL of a record that is no text, which has many of them.
    pub(crate) fn binary_record(&self, record: Range<usize>, all: bool) -> Option<usize> {
        if self.nuls_pass || !self.has_nuls_in(record.clone(), all) {
            return None;
        }
        let mut nuls = memchr::memchr_iter(0, &self.bytes[record.clone()]);
        let first = nuls.next()?;
        let count = 1 + nuls.count();
        (count >= MANY_NULS && count * 5 >= record.len()).then_some(record.start + first)
    }

    fn has_nuls_in(&self, part: Range<usize>, all: bool) -> bool {
        if all || self.units != Units::Bytes {
            return memchr::memchr(0, &self.bytes[part]).is_some();
        }
        let (mut at, end) = (self.offset + part.start as u64, self.offset + part.end as u64);
        while at < end {
            let window = at - at % WINDOW;
            let searched = window + if window < ALL_SEARCHED { WINDOW } else { SEARCHED };
            if at < searched {
                let [from, to] = [at, end.min(searched)].map(|at| (at - self.offset) as usize);
                if memchr::memchr(0, &self.bytes[from..to]).is_some() {
                    return true;
                }
            }
            at = window + WINDOW;
        }
        false
    }

    /// Where a byte of this block stands among all of the input.
    pub(crate) fn order(&self, at: usize) -> InputOrder {
        let offset = self.offset + self.units.count_decoded(&self.bytes[..at]);
        InputOrder { byte: offset, ..self.order }
    }

    /// A block of some of its records.
    #[cfg(feature = "cli")]
    pub(crate) fn part(&self, records: Range<usize>) -> Self {
        let mut bytes = Buffer::default();
        bytes.extend(&self.bytes[records.clone()]);
        let offset = self.offset + self.units.count_decoded(&self.bytes[..records.start]);
        Self { bytes, object: Arc::clone(&self.object), offset, ..*self }
    }

    /// The name of the encoding that the records were stored in.
    pub(crate) fn encoding(&self) -> &'static str {
        self.units.name()
    }
}

impl Block {
    /// A block of records that the run itself has made; `name` stands for their object in messages, in which
    /// they begin at `offset`.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn made(bytes: &[u8], name: &Arc<str>, partition: usize, offset: u64) -> Self {
        let mut buffer = Buffer::default();
        buffer.extend(bytes);
        // Behind all that is read.
        let order = InputOrder { listing: u64::MAX, object: partition, ..InputOrder::default() };
        Self {
            bytes: buffer,
            object: Arc::clone(name),
            partition,
            order,
            offset,
            units: Units::Bytes,
            foreign: false,
            nuls_pass: true,
        }
    }
}

#[cfg(test)]
impl Block {
    /// The same, which begins there in its object, and in which NULs are looked for.
    pub(crate) fn checked_from(self, offset: u64) -> Self {
        Self { offset, nuls_pass: false, ..self }
    }

    /// A block of these bytes, from nowhere.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { order: InputOrder::default(), ..Self::made(bytes, &"memory".into(), 0, 0) }
    }
}

/// What a reader comes to next.
#[derive(Debug)]
pub(crate) enum Next<B> {
    /// A block.
    Block(B),
    /// Compressed data, or other work, of which a later block will be made.
    Undecoded(Undecoded),
}

impl<B> Next<B> {
    /// The same, of another kind of block.
    pub(crate) fn map<C>(self, to: impl FnOnce(B) -> C) -> Next<C> {
        match self {
            Self::Block(block) => Next::Block(to(block)),
            Self::Undecoded(piece) => Next::Undecoded(piece),
        }
    }
}

/// Compressed data that anybody may decode, who has time, or other work of a reader; whoever takes them
/// has to.
pub(crate) struct Undecoded(Box<dyn FnOnce() + Send>);

impl Undecoded {
    #[cfg(any(feature = "decompress", feature = "cli"))]
    pub(crate) fn new(decode: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(decode))
    }

    /// Decodes them, for the reader that they are of.
    pub(crate) fn decode(self) {
        self.0();
    }
}

impl std::fmt::Debug for Undecoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Undecoded").finish_non_exhaustive()
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
    /// The longest record allowed, in bytes without its delimiter; as the memory of the run allows
    /// if not set, see [`memory`](crate::memory).
    pub(crate) max_record: Option<u64>,
    /// What a truncated or broken stream does.
    pub(crate) damaged: Damaged,
    /// Data that is no text is read as text all the same.
    pub(crate) allow_binary: bool,
    /// How many decoded bytes a compressed one may stand for.
    pub(crate) max_ratio: u64,
    /// Bytes that may be fetched ahead of one reader.
    pub(crate) ahead: usize,
    /// The memory for windows of decoders.
    pub(crate) windows: Windows,
}

/// Whether records can be found from the middle of an object on, as far as the options tell.
///
/// An object that turns out to be compressed or in UTF-16 is read whole by its first slice all the
/// same, and its other slices give nothing; so a wrong `true` costs balance, never records.
pub(crate) fn splittable(options: &BlockOptions) -> bool {
    matches!(options.compression, Compression::Auto | Compression::None)
        && !matches!(options.encoding, Encoding::Utf16Le | Encoding::Utf16Be)
        && !options.delimiter.bytes().is_empty()
        && !options.delimiter.overlaps_itself()
}

/// How many decoded bytes a compressed one may stand for, if nothing else was said.
pub(crate) const MAX_RATIO: u64 = 5000;

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
