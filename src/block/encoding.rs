//! How text is encoded, and what a byte of a block was in its object.

use crate::source::{Buffer, Pool};

/// How text is encoded; whatever it is, operators see UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8, or UTF-16 if a byte order mark says so; the mark is not part of the first record.
    #[default]
    Auto,
    /// UTF-8, after a mark of UTF-8 if there is one.
    Utf8,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// ISO 8859-1: each byte is the code point of its value, so 0x80 to 0x9f are control characters.
    Latin1,
    /// Windows-1252: ISO 8859-1 with quotes, dashes and the euro sign in the place of the control
    /// characters.
    Windows1252,
    /// Another encoding of one byte a character, which [`Encoding::for_label`] knows by its name.
    SingleByte(SingleByte),
    /// Bytes, untouched: no mark is looked for and nothing is checked.
    Raw,
}

/// An encoding in which each byte is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SingleByte(Table);

impl Encoding {
    /// The encoding of this name, in any spelling of the WHATWG's labels: `utf8`, `UTF-16LE`,
    /// `latin1`, `cp1252`, `koi8-r`. `None` for a name that nobody knows, and for encodings of
    /// several bytes a character other than UTF-8 and UTF-16.
    ///
    /// The labels of ISO 8859-1 stand for itself, where a browser takes them for Windows-1252; those
    /// of ASCII stand for UTF-8. Needs the feature `encoding` for more than UTF-8, UTF-16, ISO 8859-1
    /// and Windows-1252.
    ///
    /// ```
    /// use creel::Encoding;
    ///
    /// assert_eq!(Encoding::for_label(" UTF8"), Some(Encoding::Utf8));
    /// assert_eq!(Encoding::for_label("ISO-8859-1"), Some(Encoding::Latin1));
    /// assert_eq!(Encoding::for_label("cp1252"), Some(Encoding::Windows1252));
    /// assert_eq!(Encoding::for_label("shift_jis"), None);
    /// ```
    pub fn for_label(label: &str) -> Option<Self> {
        let label = label.trim_ascii().to_ascii_lowercase();
        match label.as_str() {
            "utf-8" | "utf8" | "us-ascii" | "ascii" | "ansi_x3.4-1968" => Some(Self::Utf8),
            "utf-16le" | "utf-16" => Some(Self::Utf16Le),
            "utf-16be" => Some(Self::Utf16Be),
            "windows-1252" | "cp1252" | "x-cp1252" => Some(Self::Windows1252),
            "latin1" | "latin-1" | "l1" | "iso-8859-1" | "iso8859-1" | "iso88591"
            | "iso_8859-1" | "iso_8859-1:1987" | "iso-ir-100" | "csisolatin1" | "cp819"
            | "ibm819" => Some(Self::Latin1),
            _ => Self::labelled(&label),
        }
    }

    #[cfg(feature = "encoding")]
    fn labelled(label: &str) -> Option<Self> {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
        if encoding == encoding_rs::UTF_8 {
            return Some(Self::Utf8);
        }
        if encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE {
            let little = encoding == encoding_rs::UTF_16LE;
            return Some(if little { Self::Utf16Le } else { Self::Utf16Be });
        }
        let single = encoding.is_single_byte() && encoding != encoding_rs::X_USER_DEFINED;
        single.then_some(Self::SingleByte(SingleByte(Table::Named(encoding))))
    }

    #[cfg(not(feature = "encoding"))]
    fn labelled(_: &str) -> Option<Self> {
        None
    }

    /// The label by which [`for_label`](Self::for_label) finds it; none for `Auto` and `Raw`.
    #[cfg(feature = "cli")]
    pub(crate) fn label(self) -> Option<&'static str> {
        match self {
            Self::Auto | Self::Raw => None,
            Self::Utf8 => Some("utf-8"),
            Self::Utf16Le => Some("utf-16le"),
            Self::Utf16Be => Some("utf-16be"),
            Self::Latin1 => Some("latin1"),
            Self::Windows1252 => Some("windows-1252"),
            Self::SingleByte(SingleByte(table)) => Some(table.name()),
        }
    }

    /// The characters of its bytes, if each byte is one.
    pub(super) fn table(self) -> Option<Table> {
        match self {
            Self::Latin1 => Some(Table::Latin1),
            #[cfg(feature = "encoding")]
            Self::Windows1252 => Some(Table::Named(encoding_rs::WINDOWS_1252)),
            #[cfg(not(feature = "encoding"))]
            Self::Windows1252 => Some(Table::Latin1),
            Self::SingleByte(SingleByte(table)) => Some(table),
            Self::Auto | Self::Utf8 | Self::Utf16Le | Self::Utf16Be | Self::Raw => None,
        }
    }
}

/// The characters that 256 bytes stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// The code points of their values.
    Latin1,
    /// Those of a table that a library has.
    #[cfg(feature = "encoding")]
    Named(&'static encoding_rs::Encoding),
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Latin1 => "Latin-1",
            #[cfg(feature = "encoding")]
            Self::Named(encoding) => encoding.name(),
        }
    }

    /// A text, which is given in UTF-8, in these characters; `None` if it has others.
    pub(super) fn encode(self, text: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(text).ok()?;
        match self {
            Self::Latin1 => text.chars().map(|c| u8::try_from(c).ok()).collect(),
            #[cfg(feature = "encoding")]
            Self::Named(encoding) => {
                let (bytes, _, replaced) = encoding.encode(text);
                (!replaced).then(|| bytes.into_owned())
            }
        }
    }

    /// Appends the text of these bytes; a byte that has no character becomes one that never stands
    /// in UTF-8.
    #[cfg(feature = "encoding")]
    fn decode(self, bytes: &[u8], text: &mut Buffer) {
        match self {
            Self::Latin1 => {
                let mut decoded = vec![0; bytes.len() * 2];
                let length = encoding_rs::mem::convert_latin1_to_utf8(bytes, &mut decoded);
                text.extend(&decoded[..length]);
            }
            Self::Named(encoding) => {
                let mut decoder = encoding.new_decoder_without_bom_handling();
                let mut decoded = vec![0; bytes.len() * 3 + 4];
                let mut rest = bytes;
                loop {
                    let (result, read, length) =
                        decoder.decode_to_utf8_without_replacement(rest, &mut decoded, true);
                    text.extend(&decoded[..length]);
                    rest = &rest[read..];
                    match result {
                        encoding_rs::DecoderResult::InputEmpty => return,
                        encoding_rs::DecoderResult::OutputFull => {}
                        encoding_rs::DecoderResult::Malformed(..) => text.extend(&[LONE_SURROGATE]),
                    }
                }
            }
        }
    }
}

/// A lone surrogate of UTF-16 in a block, or a byte without a character. This byte and the next one
/// never stand in UTF-8, so whoever checks a block finds them, and each becomes one U+FFFD where that is asked for.
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
    SingleByte(Table),
    /// UTF-16, decoded before.
    Utf16 { big_endian: bool },
}

impl Units {
    /// The encoding's name, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bytes => "UTF-8",
            Self::SingleByte(table) => table.name(),
            Self::Utf16 { .. } => "UTF-16",
        }
    }

    /// How many bytes of the object became these bytes of a buffer that is being cut.
    pub(super) fn count(self, bytes: &[u8]) -> u64 {
        let count = match self {
            Self::Bytes | Self::SingleByte(_) => bytes.len(),
            Self::Utf16 { .. } => bytes.iter().map(|&byte| utf16_width(byte)).sum(),
        };
        count as u64
    }

    /// How many bytes of the object became these bytes of a block.
    pub(super) fn count_decoded(self, bytes: &[u8]) -> u64 {
        match self {
            Self::SingleByte(_) => bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() as u64,
            _ => self.count(bytes),
        }
    }

    /// What is left to decode once a block has been cut.
    #[cfg_attr(not(feature = "encoding"), expect(unused_variables, clippy::unused_self))]
    pub(super) fn decode(self, bytes: Buffer, pool: &Pool) -> Buffer {
        #[cfg(feature = "encoding")]
        if let Self::SingleByte(table) = self
            && !bytes.is_ascii()
        {
            let mut text = pool.take();
            table.decode(&bytes, &mut text);
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
