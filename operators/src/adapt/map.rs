//! `map`: each record becomes another.

use crate::Records;

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Turns each record into what `f` makes of it.
    ///
    /// ```
    /// let lengths = creel_operators::run(["net", "fish"], |words| words.map(str::len).collect());
    /// assert_eq!(lengths, [3, 4]);
    /// ```
    pub fn map<U>(self, f: impl FnMut(I::Item) -> U) -> Records<'s, impl Iterator<Item = U>, S> {
        self.adapt(|records| records.map(f))
    }
}
