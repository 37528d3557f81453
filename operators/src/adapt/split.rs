//! `split`: the pieces of each record between separators.

use crate::{Pieces, Records};

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Yields the pieces of each record between occurrences of a literal separator.
    ///
    /// Each piece is a record of its own: where a bag of dask's would hold a list for each record, to
    /// be flattened next, there is no list here to allocate. Pieces may be empty: two separators in a
    /// row have an empty piece between them, and an empty record is one empty piece. An empty
    /// separator stands between all characters and at both ends, as in [`str::split`].
    ///
    /// ```
    /// let lines = ["cod,eel,", ""];
    /// let pieces = creel_operators::run(lines, |lines| lines.split(",").map(str::to_owned).collect());
    /// assert_eq!(pieces, ["cod", "eel", "", ""]);
    /// ```
    pub fn split<'p>(
        self,
        separator: &'p str,
    ) -> Records<'s, impl Iterator<Item = <I::Item as Pieces>::Piece>, S>
    where
        I::Item: Pieces,
    {
        self.adapt(|records| records.flat_map(move |record| record.split(separator)))
    }
}
