//! The records of a bag in order.

use std::cmp::Ordering;

use creel_operators::sort::Sort;

use super::verbs::Text;
use super::{Bag, Item};

/// Sorts.
impl<T: Send + 'static> Bag<T> {
    /// All records in order, ascending; equal records keep the order of the input.
    ///
    /// They have to fit in memory: [`Run::memory`](crate::Run::memory) bounds them, without what they point
    /// to. Where only the first or the last `k` are wanted, [`bottomk`](Self::bottomk) and
    /// [`topk`](Self::topk) keep no more than these.
    ///
    /// ```
    /// let sorted = creel::Bag::from_iter([3, 1, 2]).sort();
    /// assert_eq!(sorted.compute_blocking()?, [1, 2, 3]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    ///
    /// The sorted records are a bag of the same run, as the rows of other reductions are:
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["eel", "bass", "cod"].map(String::from));
    /// let first = words.sort().into_bag().take(2);
    /// assert_eq!(first.compute_blocking()?, ["bass", "cod"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn sort(self) -> Item<Vec<T>>
    where
        T: Ord,
    {
        self.ends_named(Text::of("sort"), "sort", Sort::by(T::cmp))
    }

    /// All records in the order of a key of each, ascending; records of equal keys keep the order of the
    /// input. [`Reverse`](std::cmp::Reverse) makes it descending. See [`sort`](Self::sort).
    ///
    /// ```
    /// use std::cmp::Reverse;
    ///
    /// let words = creel::Bag::from_iter(["eel", "bass", "cod"].map(String::from));
    /// let longest_first = words.sort_by_key(|word| Reverse(word.len()));
    /// assert_eq!(longest_first.compute_blocking()?, ["bass", "eel", "cod"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by_key<K: Ord>(
        self,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Item<Vec<T>> {
        self.ends("sort_by_key", Sort::by(move |a: &T, b: &T| key(a).cmp(&key(b))))
    }

    /// All records in an order; those that are equal in it keep the order of the input. See
    /// [`sort`](Self::sort).
    ///
    /// ```
    /// let sorted = creel::Bag::from_iter([2.5, -1.0, 0.5]).sort_by(f64::total_cmp);
    /// assert_eq!(sorted.compute_blocking()?, [-1.0, 0.5, 2.5]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by(
        self,
        compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static,
    ) -> Item<Vec<T>> {
        self.ends("sort_by", Sort::by(compare))
    }
}
