//! How text is encoded, and what a byte of a block was in its object.

use crate::source::{Buffer, Pool};

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

/// A lone surrogate of UTF-16 in a block. This byte and the next one never stand in UTF-8, so
/// whoever checks a block finds them, and each becomes one U+FFFD where that is asked for.
#[cfg(feature = "encoding")]
pub(super) const LONE_SURROGATE: u8 = 0xff;
/// Half a code unit, at the end of UTF-16 text.
pub(super) const HALF_UNIT: u8 = 0xfe;

/// What the bytes of a block are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    /// The same bytes.
    Bytes,
    /// Single bytes, decoded to one character each, after the block was cut.
    Latin1,
    /// UTF-16, decoded before.
    Utf16 { big_endian: bool },
}

impl Units {
    /// The encoding's name, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bytes => "UTF-8",
            Self::Latin1 => "Latin-1",
            Self::Utf16 { .. } => "UTF-16",
        }
    }

    /// How many bytes of the object became these bytes of a buffer that is being cut.
    pub(super) fn count(self, bytes: &[u8]) -> u64 {
        let count = match self {
            Self::Bytes | Self::Latin1 => bytes.len(),
            Self::Utf16 { .. } => bytes.iter().map(|&byte| utf16_width(byte)).sum(),
        };
        count as u64
    }

    /// How many bytes of the object became these bytes of a block.
    pub(super) fn count_decoded(self, bytes: &[u8]) -> u64 {
        match self {
            Self::Latin1 => bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() as u64,
            _ => self.count(bytes),
        }
    }

    /// What is left to decode once a block has been cut.
    #[cfg_attr(not(feature = "encoding"), expect(unused_variables, clippy::unused_self))]
    pub(super) fn decode(self, bytes: Buffer, pool: &Pool) -> Buffer {
        #[cfg(feature = "encoding")]
        if self == Self::Latin1 && !bytes.is_ascii() {
            let mut text = pool.take();
            let (decoded, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
            text.extend(decoded.as_bytes());
            return text;
        }
        bytes
    }
}

/// Bytes of UTF-16 that became the character, or the mark for a fault, that begins with this byte.
fn utf16_width(byte: u8) -> usize {
    match byte {
        0x80..0xc0 => 0,
        0xf0..HALF_UNIT => 4,
        HALF_UNIT => 1,
        _ => 2,
    }
}

/// A delimiter, which is given in UTF-8, as it stands in Latin-1; `None` if it cannot.
#[cfg_attr(not(feature = "encoding"), expect(unused_variables))]
pub(super) fn to_latin1(delimiter: &[u8]) -> Option<Vec<u8>> {
    #[cfg(feature = "encoding")]
    {
        let (bytes, _, replaced) =
            encoding_rs::WINDOWS_1252.encode(std::str::from_utf8(delimiter).ok()?);
        (!replaced).then(|| bytes.into_owned())
    }
    #[cfg(not(feature = "encoding"))]
    None
}
