//! All records of a bag in order.

use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;

use crate::{Combiner, Feed};

/// Keeps all records and puts them in order. Equal records keep the order of the input.
///
/// ```
/// use creel_operators::{run, sort::Sort};
///
/// let by_length = Sort::by(|a: &&str, b: &&str| a.len().cmp(&b.len()));
/// let words = run(["bass cod", "eel"], |lines| lines.words().map(|word| match word {
///     "cod" => "cod",
///     "eel" => "eel",
///     _ => "other",
/// }).combine(by_length));
/// assert_eq!(words, ["cod", "eel", "other"]);
/// ```
pub struct Sort<T, C> {
    compare: C,
    records: PhantomData<fn() -> T>,
}

impl<T, C: Fn(&T, &T) -> Ordering> Sort<T, C> {
    /// A combiner that puts records in the order of `compare`.
    ///
    /// ```
    /// let descending = creel_operators::sort::Sort::by(|a: &u32, b: &u32| b.cmp(a));
    /// assert_eq!(creel_operators::run([1, 3, 2], |numbers| numbers.combine(descending)), [3, 2, 1]);
    /// ```
    pub fn by(compare: C) -> Self {
        Self { compare, records: PhantomData }
    }
}

impl<T, C> fmt::Debug for Sort<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sort")
    }
}

impl<T, C> Combiner for Sort<T, C>
where
    T: Send + 'static,
    C: Fn(&T, &T) -> Ordering + Send + Sync + 'static,
{
    type State = Vec<T>;
    type Output = Vec<T>;
    const ORDERED: bool = true;

    fn merge(&self, into: &mut Vec<T>, mut from: Vec<T>) {
        // A stable sort finds what is in order already: two sorted halves are only merged. So the lanes are
        // sorted side by side, in the tree of merges.
        into.sort_by(&self.compare);
        from.sort_by(&self.compare);
        into.append(&mut from);
        into.sort_by(&self.compare);
    }

    fn finish(&self, mut state: Vec<T>) -> Vec<T> {
        state.sort_by(&self.compare);
        state
    }

    fn held(&self, state: &Vec<T>) -> usize {
        state.capacity() * size_of::<T>()
    }
}

impl<T, C> Feed<T> for Sort<T, C>
where
    T: Send + 'static,
    C: Fn(&T, &T) -> Ordering + Send + Sync + 'static,
{
    fn feed(&self, state: &mut Vec<T>, record: T) {
        state.push(record);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::laws;

    proptest! {
        #[test]
        fn a_sort_keeps_the_laws_and_is_stable(
            records in prop::collection::vec((0..4_u8, any::<u8>()), 0..12),
        ) {
            let by_first = || Sort::by(|a: &(u8, u8), b: &(u8, u8)| a.0.cmp(&b.0));
            laws::check(&by_first(), &records);
            let sort = by_first();
            let mut state = Vec::new();
            records.iter().for_each(|record| sort.feed(&mut state, *record));
            let mut expected = records.clone();
            expected.sort_by_key(|record| record.0);
            prop_assert_eq!(sort.finish(state), expected);
        }
    }
}
