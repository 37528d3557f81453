//! `filter`: the records that answer to a question.

use crate::Records;

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Keeps the records for which `keep` is true; [`remove`](Self::remove) keeps the others.
    ///
    /// ```
    /// let long = creel_operators::run(["net", "fish"], |words| words.filter(|w| w.len() > 3).count());
    /// assert_eq!(long, 1);
    /// ```
    pub fn filter(
        self,
        keep: impl FnMut(&I::Item) -> bool,
    ) -> Records<'s, impl Iterator<Item = I::Item>, S> {
        self.adapt(|records| records.filter(keep))
    }
}
