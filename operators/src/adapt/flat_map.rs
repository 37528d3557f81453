//! `flat_map`: each record becomes any number of others.

use crate::Records;

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Turns each record into any number of records, which may be lent from it.
    ///
    /// ```
    /// let lines = ["a=1&b=2", "c=3"];
    /// let pairs = creel_operators::run(lines, |lines| lines.flat_map(|l| l.split('&')).frequencies());
    /// assert_eq!(pairs.get("b=2"), 1);
    /// assert_eq!(pairs.len(), 3);
    /// ```
    pub fn flat_map<U: IntoIterator>(
        self,
        f: impl FnMut(I::Item) -> U,
    ) -> Records<'s, impl Iterator<Item = U::Item>, S> {
        self.adapt(|records| records.flat_map(f))
    }
}
