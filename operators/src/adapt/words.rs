//! `words`: the words of each record.

use crate::{Pieces, Records};

impl<'s, I: Iterator<Item: Pieces>, S> Records<'s, I, S> {
    /// Yields the words of each record: what stands between Unicode white space, never empty.
    ///
    /// The words of a lent `&str` are lent from it; those of a `String` are `String`s.
    ///
    /// ```
    /// let lines = ["one  fish", " two\u{2003}fish "];
    /// let counts = creel_operators::run(lines, |lines| lines.words().frequencies());
    /// assert_eq!(counts.sorted_lent(), [("fish", 2), ("one", 1), ("two", 1)]);
    /// ```
    pub fn words(self) -> Records<'s, impl Iterator<Item = <I::Item as Pieces>::Piece>, S> {
        self.adapt(|records| records.flat_map(Pieces::words))
    }
}
