//! `words`: the words of each record.

use crate::{Pieces, Records, Whole};

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
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
        W: WholeOf<I::Item>,
    {
        self.adapt_whole(|records, whole| {
            let texts = match whole.whole() {
                None => Texts::Records(records),
                whole => Texts::Whole(whole),
            };
            AllWords { texts, words_of: Pieces::words, words: None }
        })
    }
}

/// What knows the whole of which records are pieces, or does not: [`Whole`], or nothing.
pub trait WholeOf<T> {
    /// The whole, if it is known: as a record, whose words are those of all records.
    fn whole(self) -> Option<T>;
}

impl<T> WholeOf<T> for () {
    fn whole(self) -> Option<T> {
        None
    }
}

impl<'b> WholeOf<&'b str> for Whole<'b> {
    fn whole(self) -> Option<&'b str> {
        self.0
    }
}

/// Records that are owned are not pieces of one text.
impl WholeOf<String> for Whole<'_> {
    fn whole(self) -> Option<String> {
        None
    }
}

impl<'s> WholeOf<&'s String> for Whole<'_> {
    fn whole(self) -> Option<&'s String> {
        None
    }
}

/// The whole, once; or else each record.
enum Texts<I: Iterator> {
    Whole(Option<I::Item>),
    Records(I),
}

impl<I: Iterator> Iterator for Texts<I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        match self {
            Self::Whole(whole) => whole.take(),
            Self::Records(records) => records.next(),
        }
    }
}

/// The words of texts, one after another.
///
/// Not `flat_map`, which hands records on from three places, at its ends and between them: what takes
/// them is then a call for each word, which is a quarter of the time of a count of long words.
struct AllWords<I, F, W> {
    texts: I,
    words_of: F,
    /// The words of the text that was reached.
    words: Option<W>,
}

impl<I: Iterator, F: FnMut(I::Item) -> W, W: Iterator> AllWords<I, F, W> {
    /// Begins with the next text.
    #[inline]
    fn advance(&mut self) -> Option<W> {
        self.texts.next().map(&mut self.words_of)
    }
}

impl<I: Iterator, F: FnMut(I::Item) -> W, W: Iterator> Iterator for AllWords<I, F, W> {
    type Item = W::Item;

    #[inline]
    fn next(&mut self) -> Option<W::Item> {
        loop {
            if let Some(word) = self.words.as_mut().and_then(W::next) {
                return Some(word);
            }
            self.words = Some(self.advance()?);
        }
    }

    #[inline]
    fn fold<B, G: FnMut(B, W::Item) -> B>(mut self, init: B, mut f: G) -> B {
        let mut folded = init;
        let mut words = self.words.take().or_else(|| self.advance());
        while let Some(some) = words {
            folded = some.fold(folded, &mut f);
            words = self.advance();
        }
        folded
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
