//! Looks at the first bytes that a decoding step gives, and names those that are no text.
//!
//! A reader checks each object once, before it gives a record of it. Data in a format that creel
//! does not read would otherwise be counted as lines of text, without a word.
//!
//! `magic` holds the table of known formats, `shape` judges bytes without a known beginning: where
//! NULs stand, how many control characters there are.

mod magic;
mod shape;

pub(super) use shape::is_foreign;

use super::codec::Codec;
use super::encoding::Units;
use crate::{Error, Place};

/// Data that is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// What it is, with its article: "a zip archive".
    pub(super) what: &'static str,
    /// What to do about it.
    pub(super) mend: &'static str,
}

/// How the bytes are going to be read, which decides what is expected of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// What the bytes are made of, a byte order mark considered.
    pub(super) units: Units,
    /// The delimiter has NULs in it, so records have them between each other.
    pub(super) nul_delimited: bool,
}

impl Kind {
    /// The error for an object of this kind.
    pub(super) fn refuse(&self, place: Place) -> Error {
        Error::NotText { place, found: self.what.to_owned(), mend: self.mend.to_owned() }
    }
}

/// Names what these first bytes of an object are, if they are no text.
///
/// `head` is compared with magic numbers as it stands; the shape of bytes is judged for the encoding
/// that they are expected in.
pub(super) fn find(head: &[u8], expected: Expected) -> Option<Kind> {
    if let Some(codec) = Codec::of(head) {
        return Some(compressed(codec));
    }
    // Units of UTF-16 have NULs, and any first character.
    let wide = matches!(expected.units, Units::Utf16 { .. });
    let binary = || !wide && shape::looks_binary(head);
    magic::find(head, binary).or_else(|| shape::find(head, expected))
}

/// The name of what some bytes are, for a message about bytes that were taken for something else.
pub(super) fn name(head: &[u8]) -> &'static str {
    let expected = Expected { units: Units::Bytes, nul_delimited: false };
    match find(head, expected) {
        Some(kind) => kind.what,
        None if shape::is_utf8(head) => "plain text",
        None => "something else",
    }
}

/// Whether a tar archive begins so.
#[cfg(feature = "tar")]
pub(super) fn is_tar(head: &[u8]) -> bool {
    magic::is_tar(head)
}

/// The name of the format that creel does not read and whose data begins so, by its magic number.
#[cfg(feature = "decompress")]
pub(super) fn format(head: &[u8]) -> Option<&'static str> {
    magic::find(head, || shape::looks_binary(head)).map(|kind| kind.what)
}

/// Compressed data where decoded data is expected.
pub(super) fn compressed(codec: Codec) -> Kind {
    let (what, mend) = match codec {
        Codec::Gzip => ("gzip data", "decode it first: gzip -dc FILE | creel ..."),
        Codec::Zstd => ("zstd data", "decode it first: zstd -dc FILE | creel ..."),
        Codec::Bzip2 => ("bzip2 data", "decode it first: bzip2 -dc FILE | creel ..."),
        Codec::Xz => ("xz data", "decode it first: xz -dc FILE | creel ..."),
        Codec::Lz4 => ("lz4 data", "decode it first: lz4 -dc FILE | creel ..."),
    };
    Kind { what, mend }
}

/// Compressed data that was decoded, and is compressed data again.
pub(super) fn compressed_twice(codec: Codec) -> Kind {
    let what = match codec {
        Codec::Gzip => "gzip data within compressed data",
        Codec::Zstd => "zstd data within compressed data",
        Codec::Bzip2 => "bzip2 data within compressed data",
        Codec::Xz => "xz data within compressed data",
        Codec::Lz4 => "lz4 data within compressed data",
    };
    let mend = "decode it once, and creel decodes the rest: gzip -dc FILE | creel ... (or the command \
                of the outer codec)";
    Kind { what, mend }
}

#[cfg(test)]
mod tests;
