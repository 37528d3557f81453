//! Bytes to text: the check, and what becomes of records that do not pass.

use std::borrow::Cow;
use std::ops::Range;

use super::Invalid;
use super::lines::Cut;
use crate::block::{Block, Delimiter};
use crate::error::snippet;
use crate::progress::Tally;
use crate::{Error, Place, Result};

/// What to do about a record that is not valid among others that are.
const CHOOSE: &str = "choose to replace or to skip such records, or name the encoding";
/// What to do about a record that is no text behind others that are.
const CUT: &str = "cut the object in two there, or choose to skip such records";
/// What to do about an object most of which is not valid: skipping would leave little of it.
pub(crate) const NAME_ENCODING: &str = "most of its first records are not, so it is in another \
     encoding: name that (latin1, windows-1252, koi8-r, utf-16le, ...), or convert it with iconv";

/// Bytes shown of a record before the wrong one.
const BEFORE: usize = 40;

/// The text of a block, checked.
#[derive(Debug)]
pub(crate) struct Checked<'b> {
    /// The records; borrowed unless something had to be replaced or left out.
    pub(crate) text: Cow<'b, str>,
    /// Those that were let pass although they are not valid.
    pub(crate) tally: Tally,
    /// What is wrong with the first that is not valid, if such are to fail. The text ends before it:
    /// records before it count, as if they were in a block of their own.
    pub(crate) wrong: Option<Error>,
}

/// The text of a block, checked.
///
/// # Errors
///
/// [`Error::Encoding`] for a delimiter that is not valid: it would cut characters.
pub(crate) fn text<'b>(
    block: &'b Block,
    delimiter: &Delimiter,
    invalid: Invalid,
) -> Result<Checked<'b>> {
    checked(block, delimiter, invalid, |_, _| {})
}

/// The same, but with spaces in the place of a record that is left out: what comes after it keeps
/// its offset. For records that ignore white space around them.
#[cfg(feature = "cli")]
pub(crate) fn text_in_place<'b>(
    block: &'b Block,
    delimiter: &Delimiter,
    invalid: Invalid,
) -> Result<Checked<'b>> {
    checked(block, delimiter, invalid, |text, length| {
        text.extend(std::iter::repeat_n(' ', length));
    })
}

fn checked<'b>(
    block: &'b Block,
    delimiter: &Delimiter,
    invalid: Invalid,
    left_out: impl Fn(&mut String, usize),
) -> Result<Checked<'b>> {
    fits(delimiter, || block.place(0))?;
    // Where such records are left out, none is to stay.
    let all = invalid != Invalid::Fail;
    Ok(match simdutf8::basic::from_utf8(block.bytes()) {
        Ok(text) if !block.has_nuls(all) => {
            Checked { text: Cow::Borrowed(text), tally: Tally::default(), wrong: None }
        }
        _ => mended(block, &Cut::new(delimiter), invalid, left_out),
    })
}

/// What to do about a delimiter that is not valid text.
pub(crate) const NAME_DELIMITER: &str = "name a delimiter in valid UTF-8";

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
            mend: NAME_DELIMITER,
        }),
    }
}

/// The text of a block of which some record is not valid.
#[cold]
fn mended<'b>(
    block: &'b Block,
    cut: &Cut<'_>,
    invalid: Invalid,
    left_out: impl Fn(&mut String, usize),
) -> Checked<'b> {
    let bytes = block.bytes();
    let mut text = String::new();
    let mut tally = Tally::default();
    let mut faulty = 0;
    let mut start = 0;
    while start < bytes.len() {
        let (_, length) = cut.first(&bytes[start..]);
        let record = &bytes[start..start + length];
        let place = start..start + length;
        let wrong = match std::str::from_utf8(record) {
            Ok(_) => block.binary_record(place.clone(), invalid != Invalid::Fail).map(|at| {
                let found = "binary data or UTF-16 behind text (a record of many NUL bytes)";
                (
                    at,
                    Error::NotText {
                        place: block.place(at),
                        found: found.into(),
                        mend: CUT.into(),
                    },
                )
            }),
            Err(wrong) => {
                let at = wrong.valid_up_to();
                Some((start + at, fault(block, place, at)))
            }
        };
        match (wrong, invalid) {
            (None, Invalid::Fail) => {}
            (None, _) => text.push_str(std::str::from_utf8(record).unwrap_or_default()),
            (Some((at, error)), _) => {
                // A NUL is text in a record that fails for its UTF-8, as it is in a valid one.
                let binary = matches!(error, Error::NotText { .. });
                if faulty == 0 {
                    tally.first = Some((block.order(at), error));
                }
                faulty += 1;
                match invalid {
                    Invalid::Replace => {
                        let record = String::from_utf8_lossy(record);
                        match binary {
                            true => text.push_str(&record.replace('\0', "\u{fffd}")),
                            false => text.push_str(&record),
                        }
                    }
                    Invalid::Skip => left_out(&mut text, length),
                    Invalid::Fail => break,
                }
            }
        }
        start += length;
    }
    match invalid {
        Invalid::Replace => tally.replaced = faulty,
        Invalid::Skip => tally.skipped = faulty,
        Invalid::Fail => {
            // All of it was checked, record by record.
            let text = std::str::from_utf8(&bytes[..start]).unwrap_or_default();
            let wrong = tally.first.map(|(_, error)| error);
            return Checked { text: Cow::Borrowed(text), tally: Tally::default(), wrong };
        }
    }
    Checked { text: Cow::Owned(text), tally, wrong: None }
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

    fn checked<'b>(block: &'b Block, delimiter: &Delimiter, invalid: Invalid) -> Checked<'b> {
        text(block, delimiter, invalid).unwrap()
    }

    #[test]
    fn text_that_is_valid_is_lent() {
        let block = Block::of("a\né\0\n".as_bytes());
        let text = checked(&block, &LINE, Invalid::Fail).text;
        assert!(matches!(text, Cow::Borrowed("a\né\0\n")));
    }

    #[test]
    fn a_wrong_byte_fails_with_its_place_and_what_stands_there_after_the_records_before_it() {
        let block = Block::of(b"fine\nof caf\xe9\x1b\nmore\n");
        let Checked { text, wrong, .. } = checked(&block, &LINE, Invalid::Fail);
        assert_eq!(text, "fine\n");
        let Some(Error::Encoding { place, encoding: "UTF-8", snippet, .. }) = wrong else {
            panic!("{wrong:?}")
        };
        assert_eq!((place.offset, snippet.as_str()), (Some(11), "of caf\\xe9\\x1b\\n"));
    }

    #[test]
    fn records_with_wrong_bytes_are_replaced_and_counted_once_each() {
        let block = Block::of(b"a\xff\xfeb\xff\r\nc\n\xc3");
        let Checked { text, tally, .. } = checked(&block, &LINE, Invalid::Replace);
        assert_eq!(text, "a\u{fffd}\u{fffd}b\u{fffd}\r\nc\n\u{fffd}");
        assert_eq!((tally.replaced, tally.skipped), (2, 0));
        assert_eq!(tally.first.unwrap().0.byte, 1);
    }

    #[test]
    fn records_with_wrong_bytes_are_left_out_and_counted() {
        let block = Block::of(b"a\xff\r\nc\n\xc3");
        let Checked { text, tally, .. } = checked(&block, &LINE, Invalid::Skip);
        assert_eq!(text, "c\n");
        assert_eq!((tally.replaced, tally.skipped), (0, 2));
    }

    #[test]
    fn a_record_of_many_nuls_is_no_text_and_a_few_nuls_are() {
        let utf16 = "a warning\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let tail = [0; 300];
        for wrong in [&utf16[..], &tail] {
            let bytes = [b"8=FIX\0a\nname\0other\0\n", wrong].concat();
            let block = Block::of(&bytes).checked_from(70);
            let Checked { text, wrong, .. } = checked(&block, &LINE, Invalid::Fail);
            assert_eq!(text.as_bytes(), &bytes[..20]);
            let Some(Error::NotText { place, .. }) = wrong else { panic!("{wrong:?}") };
            assert_eq!(place.offset, Some(70 + 20 + u64::from(bytes[20] != 0)));
            let skipped = checked(&block, &LINE, Invalid::Skip);
            assert!(skipped.text.starts_with("8=FIX\0a\nname\0other\0\n"));
            assert_eq!(skipped.tally.skipped, 1);
            let passes = Block::of(&bytes);
            assert!(checked(&passes, &LINE, Invalid::Fail).wrong.is_none());
        }
    }

    #[test]
    fn records_of_nuls_are_found_alike_in_blocks_of_any_size() {
        let mut bytes = b"some text\n".repeat(300_000);
        for at in (0..bytes.len()).step_by(70_000) {
            bytes[at..at + 9].fill(0);
        }
        let found = |size: usize, all: bool| {
            let mut found = Vec::new();
            for start in (0..bytes.len()).step_by(size) {
                let part = &bytes[start..bytes.len().min(start + size)];
                let block = Block::of(part).checked_from(start as u64);
                let wrong = (0..part.len()).step_by(10);
                let wrong = wrong.filter_map(|at| block.binary_record(at..at + 10, all));
                let before = found.len();
                found.extend(wrong.map(|at| start + at));
                assert_eq!(block.has_nuls(all), found.len() > before);
            }
            found
        };
        let whole = found(bytes.len(), false);
        assert!(whole.len() > 15 && whole.len() < 43);
        assert_eq!(found(10, true).len(), 43);
        for size in [1_000, 65_530, 1 << 20] {
            assert_eq!(found(size / 10 * 10, false), whole);
        }
    }

    #[test]
    fn a_delimiter_that_cuts_characters_is_refused() {
        let delimiter = Delimiter::Bytes(b"\xa9".to_vec());
        let block = Block::of("é".as_bytes());
        let error = text(&block, &delimiter, Invalid::Skip).unwrap_err();
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
            prop_assert_eq!(checked(&block, &delimiter, Invalid::Replace).text, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn the_first_wrong_byte_is_named(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let block = Block::of(&bytes);
            let Checked { text, wrong, .. } = checked(&block, &LINE, Invalid::Fail);
            match (std::str::from_utf8(&bytes), wrong) {
                (Ok(expected), None) => prop_assert_eq!(expected, text),
                (Err(found), Some(Error::Encoding { place, .. })) => {
                    prop_assert_eq!(place.offset, Some(found.valid_up_to() as u64));
                    let before = &bytes[..found.valid_up_to()];
                    let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
                    prop_assert_eq!(text.as_bytes(), &bytes[..start]);
                }
                (expected, wrong) => prop_assert!(false, "{:?} but {:?}", expected, wrong),
            }
        }
    }
}
