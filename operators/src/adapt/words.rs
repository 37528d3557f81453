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

/// The words of a text, as [`str::split_whitespace`] gives them, which decodes every character;
/// this one finds the ends of words in 64 bytes at a time.
#[derive(Debug, Clone)]
pub(super) struct Words<'b> {
    text: &'b str,
    places: creel_kernels::Words<'b>,
}

impl<'b> Words<'b> {
    #[inline]
    pub(super) fn new(text: &'b str) -> Self {
        Self { text, places: creel_kernels::Words::new(text.as_bytes()) }
    }
}

impl<'b> Iterator for Words<'b> {
    type Item = &'b str;

    #[inline]
    fn next(&mut self) -> Option<&'b str> {
        self.places.next().map(|(start, end)| &self.text[start..end])
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'b str) -> B>(self, init: B, mut f: F) -> B {
        let Self { text, places } = self;
        places.fold(init, |folded, (start, end)| f(folded, &text[start..end]))
    }
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
