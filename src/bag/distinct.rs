//! The first record of each key of a bag.

use std::hash::Hash;

use creel_operators::distinct::{Distinct, Whole};

use super::verbs::Text;
use super::{Bag, Item};

/// Distinct records.
impl<T: Send + 'static> Bag<T> {
    /// The first of equal records, in the order of the input.
    ///
    /// They have to fit in memory: [`Run::memory`](crate::Run::memory) bounds them, without what they point
    /// to. Where only the first `n` are wanted, [`first_distinct`](Self::first_distinct) reads no further
    /// than these.
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["cod", "eel", "cod"]).distinct();
    /// assert_eq!(words.compute_blocking()?, ["cod", "eel"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    ///
    /// The distinct records are a bag of the same run, as the rows of other reductions are:
    ///
    /// ```
    /// let lengths = creel::Bag::from_iter(["cod", "eel", "bass"]).distinct().into_bag().map(str::len);
    /// assert_eq!(lengths.sum().compute_blocking()?, 10);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn distinct(self) -> Item<Vec<T>>
    where
        T: Hash + Eq,
    {
        self.ends_named(Text::of("distinct"), "distinct", Distinct::by(Whole))
    }

    /// The first record of each key, in the order of the input. See [`distinct`](Self::distinct).
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["cod", "eel", "bass"]).distinct_by(|word| word.len());
    /// assert_eq!(words.compute_blocking()?, ["cod", "bass"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn distinct_by<K: Hash + Eq>(
        self,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Item<Vec<T>> {
        self.ends("distinct_by", Distinct::by(key))
    }

    /// The first `n` distinct records: reading stops as soon as they are there.
    ///
    /// ```
    /// let digits = creel::Bag::from_iter(0_u64..).map(|n| n * n % 10).first_distinct(6);
    /// assert_eq!(digits.compute_blocking()?, [0, 1, 4, 9, 6, 5]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn first_distinct(self, n: usize) -> Item<Vec<T>>
    where
        T: Hash + Eq,
    {
        self.ends("first_distinct", Distinct::by(Whole).first(n))
    }
}
