//! `flatten`: each record is a list of records.

use crate::Records;

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Takes each record apart into what it is a list of: one level, no deeper.
    ///
    /// ```
    /// let baskets = [vec!["cod", "eel"], vec![], vec!["cod"]];
    /// assert_eq!(creel_operators::run(baskets, |baskets| baskets.flatten().count()), 3);
    /// ```
    pub fn flatten(self) -> Records<'s, impl Iterator<Item = <I::Item as IntoIterator>::Item>, S>
    where
        I::Item: IntoIterator,
    {
        self.adapt(|records| records.flatten())
    }
}
