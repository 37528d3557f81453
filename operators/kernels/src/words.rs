//! Words: what stands between white space.

use crate::edges::Edges;
use crate::places::Places;

/// The words of a text in UTF-8, each as the places where it begins and ends.
///
/// They are those of [`str::split_whitespace`]. A place where a word begins or ends is a bit in
/// the mask of [`Spaces`](crate::Spaces) that differs from the one before, and the cost is that of
/// these bits: no byte is looked at alone.
///
/// ```
/// let words: Vec<_> = creel_kernels::Words::new("né\u{a0}a".as_bytes()).collect();
/// assert_eq!(words, [(0, 3), (5, 6)]);
/// ```
#[derive(Debug, Clone)]
pub struct Words<'t> {
    edges: Edges<'t>,
    /// Where a word begins whose end was not reached yet.
    open: Option<usize>,
}

impl<'t> Words<'t> {
    /// Looks at nothing yet.
    #[inline]
    pub fn new(text: &'t [u8]) -> Self {
        Self { edges: Edges::new(text), open: None }
    }

    /// Some words more: none, if there are no more.
    #[inline]
    fn some<'p>(&mut self, places: &'p mut Places) -> &'p [[usize; 2]] {
        places.restart(self.open);
        self.edges.fill(places);
        let (words, open) = places.pairs();
        self.open = open;
        words
    }

    /// Appends words to a column, each as `word` makes it of its two places, until there are at
    /// least `enough` in it or no more in the text. Whether there may be more.
    ///
    /// It does a chunk at a time, without a branch for each word: several times as fast as one
    /// after another. So there may be up to 128 more than enough.
    ///
    /// ```
    /// let mut words = creel_kernels::Words::new(b"one fish");
    /// let mut lengths = Vec::new();
    /// assert!(!words.fill(&mut lengths, 10, |start, end| end - start));
    /// assert_eq!(lengths, [3, 4]);
    /// ```
    #[inline]
    pub fn fill<W>(
        &mut self,
        column: &mut Vec<W>,
        enough: usize,
        word: impl Fn(usize, usize) -> W,
    ) -> bool {
        let mut places = Places::new();
        loop {
            let words = self.some(&mut places);
            column.extend(words.iter().map(|&[start, end]| word(start, end)));
            if words.is_empty() {
                return false;
            }
            if column.len() >= enough {
                return true;
            }
        }
    }
}

impl Iterator for Words<'_> {
    type Item = (usize, usize);

    #[inline]
    fn next(&mut self) -> Option<(usize, usize)> {
        let start = match self.open.take() {
            Some(start) => start,
            None => self.edges.next()?,
        };
        Some((start, self.edges.next()?))
    }

    /// Many edges at a time: one after another has to ask at each whether it was the last of its chunk.
    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(mut self, init: B, mut f: F) -> B {
        let (mut places, mut folded) = (Places::new(), init);
        loop {
            let words = self.some(&mut places);
            if words.is_empty() {
                return folded;
            }
            // The one place where `f` is called, so that it is compiled into this loop.
            for &[start, end] in words {
                folded = f(folded, (start, end));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::places::ROOM;

    fn plain(text: &str) -> Vec<(usize, usize)> {
        let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
        text.split_whitespace().map(|word| (start(word), start(word) + word.len())).collect()
    }

    /// Some by `fill`, as many as it likes, then one alone, and so on.
    fn mixed(text: &str, enough: usize) -> Vec<(usize, usize)> {
        let mut words = Words::new(text.as_bytes());
        let mut found = Vec::new();
        loop {
            let most = found.len() + enough;
            let more = words.fill(&mut found, most, |start, end| (start, end));
            assert!(found.len() < most + ROOM / 2);
            match words.next() {
                Some(word) if more => found.push(word),
                Some(_) => panic!("there was to be no more"),
                None => return found,
            }
        }
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "making such texts takes minutes there")]
        fn words_are_what_the_standard_library_splits_at_white_space(
            text in "([a-c]{0,9}[ \t\n\u{b}\u{c}\r\u{1c}\u{85}\u{a0}\u{2003}\u{3000}é\u{1f41f}]{0,2}){0,40}",
            enough in 1..40_usize,
        ) {
            let expected = plain(&text);
            prop_assert_eq!(Words::new(text.as_bytes()).collect::<Vec<_>>(), &expected[..]);
            prop_assert_eq!(mixed(&text, enough), expected);
        }

        #[test]
        fn one_by_one_and_many_at_a_time_are_the_same_for_any_bytes(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b' ')], 0..300),
        ) {
            let mut folded = Vec::new();
            Words::new(&bytes).for_each(|word| folded.push(word));
            let mut found = Vec::new();
            Words::new(&bytes).fill(&mut found, usize::MAX, |start, end| (start, end));
            prop_assert_eq!(&folded, &found);
            let mut one_by_one = Vec::new();
            for word in Words::new(&bytes) {
                one_by_one.push(word);
            }
            prop_assert_eq!(one_by_one, found);
        }
    }

    #[test]
    fn a_word_may_end_with_its_chunk_or_with_the_text() {
        for len in [1, 63, 64, 65, 127, 128, 129] {
            let text = "a".repeat(len);
            assert_eq!(plain(&text), [(0, len)]);
            assert_eq!(Words::new(text.as_bytes()).collect::<Vec<_>>(), [(0, len)]);
            assert_eq!(mixed(&format!("{text} a"), 1), [(0, len), (len + 1, len + 2)]);
        }
    }
}
