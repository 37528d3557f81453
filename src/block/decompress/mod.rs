//! Decompression as a stream, in pieces where the format allows it; and errors with their place.
//!
//! ```text
//!  compressed bytes --Ahead--> Format::cut --> piece --Format::decode (any lane)--> bytes
//!                                 |                                                   |
//!                                 '---> order of pieces ----> Format::settle <--------'
//!                                                                  | trouble, or nothing to cut
//!                                                                  v
//!                                                  Format::alone: one after another
//! ```
//!
//! Gzip, zstd, xz and lz4 are decoded by `members`, which knows where a member ends when it gets
//! there. A bzip2 block, a zstd frame and a BGZF member can be cut off before they are decoded:
//! `pieces` hands them out to whoever has time, and gives their bytes in order. Whatever a piece
//! turns out to be that it should not, the data from there on are read alone, one piece after
//! another; so faults are those of one who reads from the start, with the same places.

// What only some of the codecs use is not missed where those are off.
#[cfg_attr(not(all(feature = "bzip2", any(feature = "gzip", feature = "zstd"))), allow(dead_code))]
mod ahead;
#[cfg(feature = "bzip2")]
mod bzip2;
#[cfg(any(feature = "gzip", feature = "zstd", feature = "xz", feature = "lz4"))]
mod chunks;
mod guard;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(any(feature = "gzip", feature = "zstd", feature = "xz", feature = "lz4"))]
mod members;
#[cfg_attr(not(all(feature = "zstd", feature = "bzip2")), allow(dead_code))]
mod pieces;
#[cfg(all(
    test,
    feature = "gzip",
    feature = "zstd",
    feature = "bzip2",
    feature = "xz",
    feature = "lz4"
))]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use std::io;
use std::sync::Arc;

#[cfg(any(feature = "gzip", feature = "zstd", feature = "xz", feature = "lz4"))]
use async_compression::codecs;

use super::codec::Codec;
use super::content;
use super::cut::Bytes;
use super::window::Windows;
use crate::error::Place;
use crate::progress::{InputOrder, Progress};
use crate::{Error, Result};
pub(super) use guard::{guarded, metered};
#[cfg(any(feature = "gzip", feature = "zstd", feature = "xz", feature = "lz4"))]
use members::Members;
#[cfg(any(feature = "gzip", feature = "zstd", feature = "bzip2"))]
use pieces::Pieces;
pub(super) use pieces::Shared;

/// The decompressed bytes of an object in this codec; and what hands out its pieces, if it may
/// have some. Bytes that are read as somebody writes them are `live`: they do not wait for a
/// piece to be whole, but for a block of bzip2, of which there is nothing to be had before.
#[cfg_attr(
    not(any(feature = "gzip", feature = "zstd", feature = "xz", feature = "lz4")),
    allow(unused_variables)
)]
pub(super) fn decompress(
    codec: Codec,
    bytes: Bytes,
    object: Object,
    live: bool,
) -> Result<(Bytes, Option<Arc<dyn Shared>>)> {
    match codec {
        #[cfg(feature = "gzip")]
        Codec::Gzip if !live => Ok(Pieces::all(gzip::Bgzf::default(), bytes, object)),
        #[cfg(feature = "gzip")]
        Codec::Gzip => Ok((Members::<codecs::GzipDecoder>::all(bytes, object, live), None)),
        #[cfg(feature = "zstd")]
        Codec::Zstd if !live => Ok(Pieces::all(zstd::Frames::new(&object.windows), bytes, object)),
        #[cfg(feature = "zstd")]
        Codec::Zstd => Ok((Members::<codecs::ZstdDecoder>::all(bytes, object, live), None)),
        #[cfg(feature = "bzip2")]
        Codec::Bzip2 => Ok(Pieces::all(bzip2::Blocks::new(&object.windows), bytes, object)),
        #[cfg(feature = "xz")]
        Codec::Xz => Ok((Members::<codecs::XzDecoder>::all(bytes, object, live), None)),
        #[cfg(feature = "lz4")]
        Codec::Lz4 => Ok((Members::<codecs::Lz4Decoder>::all(bytes, object, live), None)),
        #[allow(unreachable_patterns, reason = "reached where a codec's feature is off")]
        _ => Err(super::open::unsupported(object.place, codec.name(), codec.name())),
    }
}

/// An object that is decompressed, and where to tell what is odd about it.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) place: Place,
    pub(super) progress: Arc<Progress>,
    /// Where the end of its data stands.
    pub(super) end: InputOrder,
    #[cfg_attr(
        not(any(feature = "gzip", feature = "zstd", feature = "xz", feature = "lz4")),
        allow(dead_code)
    )]
    pub(super) windows: Windows,
}

impl Object {
    /// A byte of the decompressed data.
    fn at(&self, offset: u64) -> Place {
        self.place.clone().at(offset)
    }

    /// Notes that something follows the last member, which is left out.
    fn note_trailing(&self, codec: Codec, at: u64) {
        let place = self.place.clone();
        self.progress.add_note(self.end, Error::Trailing { place, codec: codec.name(), at });
    }

    /// The fault of data in another format after the last member.
    fn followed(&self, codec: Codec, other: &str, at: u64) -> io::Error {
        let reason = format!(
            "after the end of the {} data, at byte {at} of the object, {other} begins, which is not \
             read; cut the object in two there",
            codec.name(),
        );
        Error::Corrupt { place: self.place.clone(), reason }.into()
    }
}

/// What stands where another member may begin.
enum After {
    /// A member, or what is left of a damaged one.
    Member,
    /// Data in another codec or format, and its name.
    Other(&'static str),
    /// None of these.
    Garbage,
}

/// The most bytes that a format is known by: a header of a tar archive.
#[cfg(any(feature = "gzip", feature = "zstd", feature = "xz", feature = "lz4"))]
const LONGEST_MAGIC: usize = 512;

/// Tells what follows a member, of which `rest` are the first bytes.
fn after_member(codec: Codec, rest: &[u8]) -> After {
    let skippable = matches!(rest, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    let of = Codec::of(rest);
    if of == Some(codec)
        || Codec::undecided(rest)
        || skippable && matches!(codec, Codec::Zstd | Codec::Lz4)
    {
        return After::Member;
    }
    let alike = codec.magic().iter().zip(rest).filter(|(a, b)| a == b).count();
    match of {
        Some(other) => After::Other(content::compressed(other).what),
        // A member with a damaged beginning must not be left out as garbage.
        None if alike * 2 >= codec.magic().len() => After::Member,
        None => content::format(rest).map_or(After::Garbage, After::Other),
    }
}

/// The fault of data that end too early, after `read` compressed bytes.
fn truncated(codec: Codec, place: Place, read: u64) -> io::Error {
    Error::Truncated { place, codec: codec.name(), at: read }.into()
}

/// The fault of data that are damaged somewhere in the first `read` compressed bytes.
fn damaged(codec: Codec, place: Place, read: u64, why: impl std::fmt::Display) -> io::Error {
    // The decoder of deflate forgets what it met, and says this of the first call as well.
    let why = why.to_string().replace("repeated call with bad state", "no valid code");
    if let Some(unsupported) = unsupported(codec, &why) {
        return Error::Unsupported { place: Place { offset: None, ..place }, reason: unsupported }
            .into();
    }
    // Nothing in an lz4 frame says that it was made with a dictionary.
    let or = match codec {
        Codec::Lz4 => {
            "; if it was made with a dictionary, decode it first: lz4 -dc -D DICTIONARY FILE | \
             creel ..."
        }
        _ => "",
    };
    let codec = codec.name();
    let reason = format!(
        "{codec} data damaged before byte {read} of the compressed data ({why}); fetch it again{or}"
    );
    Error::Corrupt { place, reason }.into()
}

/// What data asks for that is whole and cannot be read all the same, by what its decoder says.
fn unsupported(codec: Codec, why: &str) -> Option<String> {
    let reason = match codec {
        Codec::Zstd if why.contains("Dictionary") => {
            "this zstd data was made with a dictionary, which is needed to read it; decode it first: \
             zstd -dc -D DICTIONARY FILE | creel ..."
        }
        Codec::Zstd if why.contains("too much memory") => {
            "this zstd data needs a window of more than 2 GiB; make it again with a window of at most \
             that (zstd --long=31)"
        }
        Codec::Zstd if why.contains("not supported") || why.contains("Unsupported") => {
            "this zstd data is of a version or kind that is not read; decode it first: \
             zstd -dc FILE | creel ..."
        }
        Codec::Xz if why.contains("memory") && why.contains("limit") => {
            "this xz data needs more memory for a dictionary than there is for it, or more than 2 GiB; \
             raise --memory (Run::memory), or decode it first: xz -dc FILE | creel ..."
        }
        Codec::Xz if why.contains("option") || why.contains("check") && why.contains("support") => {
            "this xz data has a filter or a check that is not read; decode it first: \
             xz -dc FILE | creel ..."
        }
        _ => return None,
    };
    Some(reason.to_owned())
}
