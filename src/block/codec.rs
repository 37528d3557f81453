//! Which codec an object is in: known by its first bytes, never by its name.

use super::Compression;

/// A codec that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

const GZIP: &[u8] = b"\x1f\x8b\x08";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const XZ: &[u8] = b"\xfd7zXZ\0";
const LZ4: &[u8] = b"\x04\x22\x4d\x18";
/// After `BZh` and a digit: the first block, or the end of an empty stream.
const BZIP2_BLOCKS: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];

impl Codec {
    /// The codec of data that begins so.
    ///
    /// An object that is shorter than a magic number and begins like one counts as cut short,
    /// unless it could well be text.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let begins = |magic: &[u8]| begins_like(head, magic, 2);
        if begins(GZIP) {
            Some(Self::Gzip)
        } else if begins(ZSTD) {
            Some(Self::Zstd)
        } else if begins(XZ) {
            Some(Self::Xz)
        } else if begins(LZ4) {
            Some(Self::Lz4)
        } else if let [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] = head
            && BZIP2_BLOCKS.iter().any(|magic| begins_like(rest, magic, 0))
        {
            Some(Self::Bzip2)
        } else {
            skippable(head)
        }
    }

    /// Whether bytes that may follow could still make a codec's data of what begins so.
    pub(super) fn undecided(head: &[u8]) -> bool {
        const BZIP2: &[u8] = b"BZh";
        let short_of = |magic: &[u8]| head.len() < magic.len() && magic.starts_with(head);
        let skippable = matches!(head, [0x50..=0x5f]) || short_of(b"\x50\x2a\x4d\x18");
        let bzip2 = head.starts_with(BZIP2) && head.len() < BZIP2.len() + 1 + BZIP2_BLOCKS[0].len();
        skippable || bzip2 || [GZIP, ZSTD, XZ, LZ4, BZIP2].into_iter().any(short_of)
    }

    /// The codec that was asked for by name.
    pub(super) fn asked(compression: Compression) -> Option<Self> {
        match compression {
            Compression::Auto | Compression::None => None,
            Compression::Gzip => Some(Self::Gzip),
            Compression::Zstd => Some(Self::Zstd),
            Compression::Bzip2 => Some(Self::Bzip2),
            Compression::Xz => Some(Self::Xz),
            Compression::Lz4 => Some(Self::Lz4),
        }
    }

    /// The bytes that its data begins with.
    #[cfg_attr(
        not(any(
            feature = "gzip",
            feature = "zstd",
            feature = "bzip2",
            feature = "xz",
            feature = "lz4"
        )),
        allow(dead_code)
    )]
    #[cfg(feature = "decompress")]
    pub(super) fn magic(self) -> &'static [u8] {
        match self {
            Self::Gzip => GZIP,
            Self::Zstd => ZSTD,
            Self::Bzip2 => b"BZh",
            Self::Xz => XZ,
            Self::Lz4 => LZ4,
        }
    }

    /// Its name, which is also the name of the feature that brings it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
        }
    }
}

/// Whether data begins with a magic number, or is at least `least` bytes of it and nothing more.
fn begins_like(head: &[u8], magic: &[u8], least: usize) -> bool {
    head.starts_with(magic) || (head.len() >= least && magic.starts_with(head))
}

/// Zstandard and LZ4 share frames that are to be skipped: what follows one decides, if it is in
/// sight; such frames are far commoner in Zstandard.
fn skippable(head: &[u8]) -> Option<Codec> {
    let [0x50..=0x5f, 0x2a, 0x4d, 0x18, rest @ ..] = head else { return None };
    let after = rest.split_first_chunk().and_then(|(length, content)| {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        content.get(length..)
    });
    match after {
        Some(next) if !next.is_empty() => Codec::of(next).or(Some(Codec::Zstd)),
        _ => Some(Codec::Zstd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_in_no_codec() {
        for text in ["", "a", "B", "BZ", "BZh", "BZhello", "BZh9 is a line\n", "(", "\0\0\0\0"] {
            assert_eq!(Codec::of(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_skippable_frame_is_of_the_codec_after_it() {
        let skip = b"\x53\x2a\x4d\x18\x02\0\0\0ab";
        assert_eq!(Codec::of(&[skip, LZ4].concat()), Some(Codec::Lz4));
        assert_eq!(Codec::of(&[skip, &skip[..], ZSTD].concat()), Some(Codec::Zstd));
        assert_eq!(Codec::of(skip), Some(Codec::Zstd));
        assert_eq!(Codec::of(&skip[..5]), Some(Codec::Zstd));
    }

    #[test]
    fn a_beginning_cut_short_is_known_still() {
        assert_eq!(Codec::of(b"\x1f\x8b"), Some(Codec::Gzip));
        assert_eq!(Codec::of(b"BZh91A"), Some(Codec::Bzip2));
    }
}
