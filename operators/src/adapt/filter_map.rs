//! `filter_map`: each record becomes another, or nothing.

use crate::Records;

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Turns each record into what `f` makes of it, and leaves out those of which it makes nothing.
    ///
    /// ```
    /// let lines = ["3", "?", "4"];
    /// let sum = creel_operators::run(lines, |l| l.filter_map(|l| l.parse::<u64>().ok()).sum());
    /// assert_eq!(sum, 7);
    /// ```
    pub fn filter_map<U>(
        self,
        f: impl FnMut(I::Item) -> Option<U>,
    ) -> Records<'s, impl Iterator<Item = U>, S> {
        self.adapt(|records| records.filter_map(f))
    }
}
