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
use async_compression::tokio::bufread;

use super::codec::Codec;
use super::cut::Bytes;
use crate::error::Place;
use crate::{Error, Result};
#[cfg(any(feature = "gzip", feature = "zstd", feature = "xz", feature = "lz4"))]
use members::{Compressed, Members};
#[cfg(any(feature = "gzip", feature = "zstd", feature = "bzip2"))]
use pieces::Pieces;
pub(super) use pieces::Shared;

/// The decompressed bytes of an object in this codec; and what hands out its pieces, if it may
/// have some. Bytes that are read as somebody writes them are `live`: they do not wait for a
/// piece to be whole, but for a block of bzip2, of which there is nothing to be had before.
#[cfg_attr(not(any(feature = "gzip", feature = "zstd")), allow(unused_variables))]
pub(super) fn decompress(
    codec: Codec,
    bytes: Bytes,
    object: Place,
    live: bool,
) -> Result<(Bytes, Option<Arc<dyn Shared>>)> {
    match codec {
        #[cfg(feature = "gzip")]
        Codec::Gzip if !live => Ok(Pieces::all(gzip::Bgzf::default(), bytes, object)),
        #[cfg(feature = "gzip")]
        Codec::Gzip => Ok((Members::<bufread::GzipDecoder<Compressed>>::all(bytes, object), None)),
        #[cfg(feature = "zstd")]
        Codec::Zstd if !live => Ok(Pieces::all(zstd::Frames::default(), bytes, object)),
        #[cfg(feature = "zstd")]
        Codec::Zstd => Ok((Members::<bufread::ZstdDecoder<Compressed>>::all(bytes, object), None)),
        #[cfg(feature = "bzip2")]
        Codec::Bzip2 => Ok(Pieces::all(bzip2::Blocks::default(), bytes, object)),
        #[cfg(feature = "xz")]
        Codec::Xz => Ok((Members::<bufread::XzDecoder<Compressed>>::all(bytes, object), None)),
        #[cfg(feature = "lz4")]
        Codec::Lz4 => Ok((Members::<bufread::Lz4Decoder<Compressed>>::all(bytes, object), None)),
        #[allow(unreachable_patterns, reason = "reached where a codec's feature is off")]
        _ => Err(super::reader::unsupported(object, codec.name(), codec.name())),
    }
}

/// The fault of data that end too early, after `read` compressed bytes.
fn truncated(codec: Codec, place: Place, read: u64) -> io::Error {
    Error::Truncated { place, codec: codec.name(), at: read }.into()
}

/// The fault of data that are damaged somewhere in the first `read` compressed bytes.
fn damaged(codec: Codec, place: Place, read: u64, why: impl std::fmt::Display) -> io::Error {
    let codec = codec.name();
    let reason = format!(
        "{codec} data damaged before byte {read} of the compressed data ({why}); fetch it again"
    );
    Error::Corrupt { place, reason }.into()
}
