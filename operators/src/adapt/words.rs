//! `words`: the words of each record.

use crate::{Pieces, Records};

impl<'s, I: Iterator, S> Records<'s, I, S> {
    /// Yields the words of each record: what stands between Unicode white space, never empty.
    ///
    /// The words of a lent `&str` are lent from it; those of a `String` are `String`s.
    ///
    /// ```
    /// let lines = ["one  fish", " two\u{2003}fish "];
    /// let counts = creel_operators::run(lines, |lines| lines.words().frequencies());
    /// assert_eq!(counts.sorted_lent(), [("fish", 2), ("one", 1), ("two", 1)]);
    /// ```
    pub fn words(self) -> Records<'s, impl Iterator<Item = <I::Item as Pieces>::Piece>, S>
    where
        I::Item: Pieces,
    {
        self.adapt(|records| records.flat_map(Pieces::words))
    }
}

/// The words of a text, as [`str::split_whitespace`] gives them, which decodes every character.
///
/// This one looks at eight bytes at a time for the end of a word, and decodes only what is not
/// ASCII: on prose, three quarters of the time.
#[derive(Debug, Clone)]
pub(super) struct Words<'b> {
    rest: &'b str,
}

impl<'b> Words<'b> {
    #[inline]
    pub(super) fn new(text: &'b str) -> Self {
        Self { rest: text }
    }
}

impl<'b> Iterator for Words<'b> {
    type Item = &'b str;

    #[inline]
    fn next(&mut self) -> Option<&'b str> {
        let text = self.rest;
        let start = word_start(text);
        let end = word_end(text, start);
        self.rest = &text[end..];
        (start < end).then(|| &text[start..end])
    }
}

#[inline]
fn word_start(text: &str) -> usize {
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b' ' | b'\t'..=b'\r' => at += 1,
            0x80.. => match decode(text, at) {
                (true, len) => at += len,
                (false, _) => break,
            },
            _ => break,
        }
    }
    at
}

#[inline]
fn word_end(text: &str, start: usize) -> usize {
    let mut at = start;
    loop {
        at = next_stop(text.as_bytes(), at);
        match text.as_bytes().get(at) {
            Some(0x80..) => match decode(text, at) {
                (true, _) => return at,
                (false, len) => at += len,
            },
            _ => return at,
        }
    }
}

/// The next byte that is white space or not ASCII, or the end.
#[inline]
fn next_stop(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        match stops(u64::from_le_bytes(*eight)) {
            0 => at += 8,
            stops => return at + (stops.trailing_zeros() / 8) as usize,
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\t'..=b'\r' | 0x80..));
    at + end.unwrap_or(rest.len())
}

/// The top bit of each byte that is white space or not ASCII.
///
/// Sums of bytes below 0x80 reach the top bit but never the next byte: each byte stands alone.
#[inline]
fn stops(eight: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x80 * EACH;
    let low = eight & !TOP;
    let not_space = (low ^ (0x20 * EACH)) + 0x7f * EACH;
    let from_tab = low + (0x80 - 0x09) * EACH;
    let after_return = low + (0x80 - 0x0e) * EACH;
    (!not_space | (from_tab & !after_return) | eight) & TOP
}

/// Whether the character at a place is white space, and its length in bytes.
#[cold]
fn decode(text: &str, at: usize) -> (bool, usize) {
    text[at..].chars().next().map_or((false, 0), |c| (c.is_whitespace(), c.len_utf8()))
}

#[cfg(test)]
mod tests {
    use crate::Pieces;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_are_what_the_standard_library_splits_at_white_space(
            text in "[a-c \t\n\x0b\x0c\r\x1c\u{85}\u{a0}\u{2003}\u{3000}\u{e9}\u{1f41f}]{0,60}",
        ) {
            let expected: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(text.as_str().words().collect::<Vec<_>>(), &expected[..]);
            prop_assert_eq!(text.clone().words().collect::<Vec<String>>(), expected);
        }
    }

    #[test]
    fn every_character_is_white_space_here_if_it_is_there() {
        for c in '\0'..=char::MAX {
            let mut buffer = [0; 4];
            let text: &str = c.encode_utf8(&mut buffer);
            assert_eq!(text.words().next(), text.split_whitespace().next());
            let inside = format!("a{c}bbbbbbbbbb");
            assert!(inside.as_str().words().eq(inside.split_whitespace()));
        }
    }
}
