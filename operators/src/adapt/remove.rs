//! `remove`: the records that do not answer to a question.

use super::filter::Filter;
use crate::Records;

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Leaves out the records for which `drop` is true.
    ///
    /// ```
    /// let lines = ["# note", "7"];
    /// let rest = creel_operators::run(lines, |lines| lines.remove(|l| l.starts_with('#')).count());
    /// assert_eq!(rest, 1);
    /// ```
    pub fn remove(
        self,
        mut drop: impl FnMut(&I::Item) -> bool,
    ) -> Records<'s, impl Iterator<Item = I::Item>, S> {
        self.adapt(|records| Filter { records, keep: move |record: &I::Item| !drop(record) })
    }
}
