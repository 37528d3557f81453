//! Bytes to text: the check, and what becomes of records that do not pass.

use std::borrow::Cow;
use std::ops::Range;

use super::Invalid;
use super::lines::Cut;
use crate::block::{Block, Delimiter};
use crate::error::snippet;
use crate::progress::Progress;
use crate::{Error, Place, Result};

/// What to do about a record that is not valid among others that are.
const CHOOSE: &str = "choose to replace or to skip such records, or name the encoding";
/// What to do about an object most of which is not valid: skipping would leave little of it.
pub(crate) const NAME_ENCODING: &str = "most of its first records are not, so it is in another \
     encoding: name that (latin1, windows-1252, koi8-r, utf-16le, ...), or convert it with iconv";

/// Bytes shown of a record before the wrong one.
const BEFORE: usize = 40;

/// The text of a block, checked; borrowed unless something had to be replaced or left out.
///
/// # Errors
///
/// [`Error::Encoding`] for a record that is not valid if `invalid` says so, and for a delimiter
/// that is not: it would cut characters.
pub(crate) fn text<'b>(
    block: &'b Block,
    delimiter: &Delimiter,
    invalid: Invalid,
    progress: &Progress,
) -> Result<Cow<'b, str>> {
    fits(delimiter, || block.place(0))?;
    match simdutf8::basic::from_utf8(block.bytes()) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => mended(block, &Cut::new(delimiter), invalid, progress, |_, _| {}),
    }
}

/// The same, but with spaces in the place of a record that is left out: what comes after it keeps
/// its offset. For records that ignore white space around them.
#[cfg(feature = "cli")]
pub(crate) fn text_in_place<'b>(
    block: &'b Block,
    delimiter: &Delimiter,
    invalid: Invalid,
    progress: &Progress,
) -> Result<Cow<'b, str>> {
    fits(delimiter, || block.place(0))?;
    match simdutf8::basic::from_utf8(block.bytes()) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => mended(block, &Cut::new(delimiter), invalid, progress, |text, length| {
            text.extend(std::iter::repeat_n(' ', length));
        }),
    }
}

/// Whether text can be cut at a delimiter.
///
/// # Errors
///
/// [`Error::Encoding`], at the place given, if it is not valid: it would cut characters.
pub(crate) fn fits(delimiter: &Delimiter, place: impl FnOnce() -> Place) -> Result<()> {
    match std::str::from_utf8(delimiter.bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Encoding {
            place: place(),
            encoding: "UTF-8",
            snippet: format!("the delimiter {}", snippet(delimiter.bytes())),
            mend: "read the records as bytes, or name a delimiter that is text",
        }),
    }
}

/// The text of a block of which some record is not valid.
#[cold]
fn mended<'b>(
    block: &'b Block,
    cut: &Cut<'_>,
    invalid: Invalid,
    progress: &Progress,
    left_out: impl Fn(&mut String, usize),
) -> Result<Cow<'b, str>> {
    let bytes = block.bytes();
    let mut text = String::with_capacity(bytes.len());
    let mut faulty = 0;
    let mut start = 0;
    while start < bytes.len() {
        let (_, length) = cut.first(&bytes[start..]);
        let record = &bytes[start..start + length];
        match (std::str::from_utf8(record), invalid) {
            (Ok(record), _) => text.push_str(record),
            (Err(wrong), Invalid::Fail) => {
                return Err(fault(block, start..start + length, wrong.valid_up_to()));
            }
            (Err(wrong), _) => {
                if faulty == 0 {
                    progress.add_invalid(fault(block, start..start + length, wrong.valid_up_to()));
                }
                faulty += 1;
                match invalid {
                    Invalid::Replace => text.push_str(&String::from_utf8_lossy(record)),
                    _ => left_out(&mut text, length),
                }
            }
        }
        start += length;
    }
    match invalid {
        Invalid::Replace => progress.add_replaced(faulty),
        Invalid::Skip => progress.add_skipped(faulty),
        Invalid::Fail => {}
    }
    Ok(Cow::Owned(text))
}

/// The error for a record of a block, whose byte `wrong` is wrong.
fn fault(block: &Block, record: Range<usize>, wrong: usize) -> Error {
    let at = record.start + wrong;
    // From a character's start, so that the snippet itself is text up to the wrong byte.
    let is_start = |&from: &usize| block.bytes()[from] & 0xc0 != 0x80;
    let from = (record.start.max(at.saturating_sub(BEFORE))..at).find(is_start).unwrap_or(at);
    let end = record.end.min(at + 2 * BEFORE);
    Error::Encoding {
        place: block.place(at),
        encoding: block.encoding(),
        snippet: snippet(&block.bytes()[from..end]),
        mend: if block.is_foreign() { NAME_ENCODING } else { CHOOSE },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: Delimiter = Delimiter::Line;

    #[test]
    fn text_that_is_valid_is_lent() {
        let block = Block::of("a\né\0\n".as_bytes());
        let text = text(&block, &LINE, Invalid::Fail, &Progress::default()).unwrap();
        assert!(matches!(text, Cow::Borrowed("a\né\0\n")));
    }

    #[test]
    fn a_wrong_byte_fails_the_run_with_its_place_and_what_stands_there() {
        let block = Block::of(b"fine\nof caf\xe9\x1b\nmore\n");
        let error = text(&block, &LINE, Invalid::Fail, &Progress::default()).unwrap_err();
        let Error::Encoding { place, encoding: "UTF-8", snippet, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((place.offset, snippet.as_str()), (Some(11), "of caf\\xe9\\x1b\\n"));
    }

    #[test]
    fn records_with_wrong_bytes_are_replaced_and_counted() {
        let block = Block::of(b"a\xff\xfeb\r\nc\n\xc3");
        let progress = Progress::default();
        let text = text(&block, &LINE, Invalid::Replace, &progress).unwrap();
        assert_eq!(text, "a\u{fffd}\u{fffd}b\r\nc\n\u{fffd}");
        assert_eq!((progress.records_replaced(), progress.records_skipped()), (2, 0));
    }

    #[test]
    fn records_with_wrong_bytes_are_left_out_and_counted() {
        let block = Block::of(b"a\xff\r\nc\n\xc3");
        let progress = Progress::default();
        let text = text(&block, &LINE, Invalid::Skip, &progress).unwrap();
        assert_eq!(text, "c\n");
        assert_eq!((progress.records_replaced(), progress.records_skipped()), (0, 2));
    }

    #[test]
    fn a_delimiter_that_cuts_characters_is_refused() {
        let delimiter = Delimiter::Bytes(b"\xa9".to_vec());
        let block = Block::of("é".as_bytes());
        let error = text(&block, &delimiter, Invalid::Skip, &Progress::default()).unwrap_err();
        assert!(error.to_string().contains("delimiter"), "{error}");
    }

    proptest! {
        #[test]
        fn replacing_is_what_the_whole_block_would_give(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'|'), any::<u8>()], 0..200),
            custom: bool,
        ) {
            let delimiter = if custom { Delimiter::Bytes(b"|".to_vec()) } else { LINE };
            let block = Block::of(&bytes);
            let text = text(&block, &delimiter, Invalid::Replace, &Progress::default()).unwrap();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn the_first_wrong_byte_is_named(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let block = Block::of(&bytes);
            match (std::str::from_utf8(&bytes), text(&block, &LINE, Invalid::Fail, &Progress::default())) {
                (Ok(expected), Ok(text)) => prop_assert_eq!(expected, text),
                (Err(wrong), Err(Error::Encoding { place, .. })) => {
                    prop_assert_eq!(place.offset, Some(wrong.valid_up_to() as u64));
                }
                (expected, text) => prop_assert!(false, "{:?} but {:?}", expected, text),
            }
        }
    }
}
