//! Where records end.

use memchr::memmem::{Finder, FinderRev, find_iter};
use memchr::{memchr, memrchr};

use super::encoding::Encoding;

/// What ends a record. It is not part of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delimiter {
    /// A line feed, with the carriage return before it if there is one.
    #[default]
    Line,
    /// These bytes, found from the object's start on, never overlapping. No bytes at all never
    /// occur: then each object is one record.
    Bytes(Vec<u8>),
}

impl Delimiter {
    /// The bytes that end a record.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Line => b"\n",
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Whether two occurrences can overlap, as of `||` in `|||`: then which one counts is only
    /// known from the object's start.
    pub(crate) fn overlaps_itself(&self) -> bool {
        let bytes = self.bytes();
        (1..bytes.len()).any(|shift| bytes[shift..] == bytes[..bytes.len() - shift])
    }
}

/// Finds the ends of records, each just after a delimiter.
#[derive(Debug, Clone)]
pub(super) enum Ends {
    /// One byte.
    Byte(u8),
    /// Several bytes, of which no two occurrences overlap: any one found is a delimiter.
    Bytes(Box<(Finder<'static>, FinderRev<'static>)>),
    /// Several bytes that may overlap themselves: searched forwards only, never from the middle.
    Overlapping(Vec<u8>),
    /// No bytes at all, or some that the encoding does not have.
    Never,
}

impl Ends {
    pub(super) fn new(delimiter: &Delimiter, encoding: Encoding) -> Self {
        let encoded;
        let bytes = match encoding.table() {
            Some(table) => match table.encode(delimiter.bytes()) {
                Some(bytes) => {
                    encoded = bytes;
                    &encoded
                }
                None => return Self::Never,
            },
            None => delimiter.bytes(),
        };
        match bytes {
            [] => Self::Never,
            [byte] => Self::Byte(*byte),
            bytes if delimiter.overlaps_itself() => Self::Overlapping(bytes.to_vec()),
            bytes => {
                let finders = (Finder::new(bytes).into_owned(), FinderRev::new(bytes).into_owned());
                Self::Bytes(Box::new(finders))
            }
        }
    }

    /// The delimiter's length.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Byte(_) | Self::Never => 1,
            Self::Bytes(finders) => finders.0.needle().len(),
            Self::Overlapping(bytes) => bytes.len(),
        }
    }

    /// The first record end in `bytes` whose delimiter begins at `from` or later.
    pub(super) fn first(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        let at = match self {
            Self::Byte(byte) => memchr(*byte, rest),
            Self::Bytes(finders) => finders.0.find(rest),
            Self::Overlapping(delimiter) => find_iter(rest, delimiter).next(),
            Self::Never => None,
        };
        Some(from + at? + self.len())
    }

    /// The last record end in `bytes` whose delimiter begins at `from` or later.
    pub(super) fn last(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        let at = match self {
            Self::Byte(byte) => memrchr(*byte, rest),
            Self::Bytes(finders) => finders.1.rfind(rest),
            Self::Overlapping(delimiter) => find_iter(rest, delimiter).last(),
            Self::Never => None,
        };
        Some(from + at? + self.len())
    }

    /// Where to search on once `bytes` is known to hold no end after `from`: a delimiter may
    /// have begun in its last bytes.
    pub(super) fn searched(&self, bytes: &[u8], from: usize) -> usize {
        from.max((bytes.len() + 1).saturating_sub(self.len()))
    }
}
