//! The records of a bag in order.

use std::cmp::Ordering;
use std::sync::Arc;

use creel_operators::Spill;

use super::Bag;
use super::ordered::Ordered;
use super::sorting::sorted;
use super::verbs::{Code, Text, Verbs};
use crate::graph::Step;

/// Sorts. The records are a bag of the same run.
///
/// A sort needs no more than [`Run::memory`](crate::Run::memory): records that have a form in bytes, see
/// [`Spill`], go to the run's temporary file when they outgrow it, and are merged from there as they are wanted.
/// Records without a form have to fit. Several ends of one sorted bag sort once; where it is in the file, each
/// of them reads it.
impl<T: Send + 'static> Bag<T> {
    /// All records in order, ascending; equal records keep the order of the input.
    ///
    /// Of a sorted bag [`take`](Self::take) keeps no more records than it gives.
    ///
    /// ```
    /// let sorted = creel::Bag::from_iter([3, 1, 2]).sort();
    /// assert_eq!(sorted.clone().take(2).compute_blocking()?, [1, 2]);
    /// assert_eq!(sorted.map(|n| n * 10).compute_blocking()?, [10, 20, 30]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn sort(self) -> Self
    where
        T: Ord + Spill,
    {
        self.in_order("sort", (Text::of("sort"), Code::default()), T::cmp)
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
    pub fn sort_by_key<K: Ord>(self, key: impl Fn(&T) -> K + Send + Sync + 'static) -> Self
    where
        T: Spill,
    {
        let code = Code::of(&key);
        let compare = move |a: &T, b: &T| key(a).cmp(&key(b));
        self.in_order("sort_by_key", (Text::Closure, code), compare)
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
    pub fn sort_by(self, compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static) -> Self
    where
        T: Spill,
    {
        let code = Code::of(&compare);
        self.in_order("sort_by", (Text::Closure, code), compare)
    }
}

impl<T: Spill> Bag<T> {
    #[track_caller]
    fn in_order(
        self,
        name: &'static str,
        (text, code): (Text, Code),
        compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static,
    ) -> Self {
        let base = self.base.named_with(Step::here(name), text, code);
        let (stage, compare) = (self.stage, Arc::new(compare));
        let all = sorted(base.clone(), Arc::clone(&stage), Arc::clone(&compare), usize::MAX);
        let first = move |n, step, verbs: Verbs| {
            let mut base = base.clone();
            base.steps.push(step);
            base.verbs = verbs;
            let first = sorted(base, Arc::clone(&stage), Arc::clone(&compare), n);
            first.in_form(Ordered::into_vec)
        };
        Self::of_ordered(&all, name, first)
    }
}
