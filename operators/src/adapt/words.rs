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

/// The words of a text, as [`str::split_whitespace`] gives them, which decodes every character
/// where this one looks at bytes until it meets one that is not ASCII.
#[derive(Debug, Clone)]
pub(super) struct Words<'b> {
    rest: &'b str,
}

impl<'b> Words<'b> {
    pub(super) fn new(text: &'b str) -> Self {
        Self { rest: text }
    }
}

impl<'b> Iterator for Words<'b> {
    type Item = &'b str;

    #[inline]
    fn next(&mut self) -> Option<&'b str> {
        let text = self.rest;
        let start = end_of(text, 0, true);
        let end = end_of(text, start, false);
        self.rest = &text[end..];
        (start < end).then(|| &text[start..end])
    }
}

/// Where a run of characters that are, or are not, white space ends.
#[inline]
fn end_of(text: &str, from: usize, white: bool) -> usize {
    let mut at = from;
    while let Some(&byte) = text.as_bytes().get(at) {
        let (is_white, len) = if byte.is_ascii() {
            (matches!(byte, b'\t'..=b'\r' | b' '), 1)
        } else {
            wide(&text[at..])
        };
        if is_white != white {
            break;
        }
        at += len;
    }
    at
}

/// Whether the first character is white space, and its length in bytes.
#[cold]
fn wide(text: &str) -> (bool, usize) {
    text.chars().next().map_or((false, 0), |c| (c.is_whitespace(), c.len_utf8()))
}

#[cfg(test)]
mod tests {
    use crate::Pieces;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_are_what_the_standard_library_splits_at_white_space(
            text in "[a-c \t\n\x0b\x0c\r\x1c\u{85}\u{a0}\u{2003}\u{3000}\u{e9}\u{1f41f}]{0,30}",
        ) {
            let expected: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(text.as_str().words().collect::<Vec<_>>(), &expected[..]);
            prop_assert_eq!(text.clone().words().collect::<Vec<String>>(), expected);
        }

        #[test]
        fn every_character_is_white_space_here_if_it_is_there(c in any::<char>()) {
            let text = format!("a{c}b");
            let expected: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(text.as_str().words().collect::<Vec<_>>(), expected);
        }
    }
}
