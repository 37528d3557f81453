//! `topk`: the largest records, by their own order.

use std::fmt;
use std::marker::PhantomData;

use crate::{Combiner, Feed, Records, Value};

/// Keeps the `k` largest records, largest first; `O` is what a record is stored as.
///
/// With equal records each one counts: it is the `k` largest records, not the `k` largest
/// distinct ones. To rank by something else, see [`TopKBy`](crate::TopKBy); to find what occurs most often, end
/// the plan with [`frequencies`](Records::frequencies) and ask
/// [`Counts::topk`](crate::Counts::topk).
///
/// ```
/// use creel_operators::{TopK, run};
///
/// let largest = run([3.0, 9.5, -1.0, 4.0], |numbers| numbers.combine(TopK::<f64>::new(2)));
/// assert_eq!(largest, [9.5, 4.0]);
/// ```
pub struct TopK<O> {
    k: usize,
    record: PhantomData<fn() -> O>,
}

impl<O> TopK<O> {
    /// A combiner that keeps the `k` largest records.
    pub fn new(k: usize) -> Self {
        Self { k, record: PhantomData }
    }
}

impl<O: Value<Owned = O>> TopK<O> {
    /// Drops all but the `k` largest, and puts the least of them last.
    fn settle(&self, kept: &mut Vec<O>) {
        if kept.len() >= self.k && self.k > 0 {
            kept.select_nth_unstable_by(self.k - 1, |a, b| b.compare(a));
            kept.truncate(self.k);
        }
    }
}

impl<O> Clone for TopK<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for TopK<O> {}

impl<O> fmt::Debug for TopK<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TopK").field(&self.k).finish()
    }
}

// Not a heap: a heap pays its logarithm for each record that is kept for a while, where selecting
// from twice as many as are wanted is linear. Once there are `k`, the one at `k - 1` is the least
// of the first `k`, and what is not above it is not stored at all.
impl<O: Value<Owned = O> + Send + 'static> Combiner for TopK<O> {
    type State = Vec<O>;
    type Output = Vec<O>;
    const ORDERED: bool = false;

    fn held(&self, state: &Vec<O>) -> usize {
        /// So many records tell what the others point to, and an allocation is larger than asked for.
        const ASKED: usize = 256;
        const MORE: usize = 16;
        let step = (state.len() / ASKED).max(1);
        let asked = || state.iter().step_by(step);
        let heap: usize = asked().map(O::heap).filter(|heap| *heap > 0).map(|n| n + MORE).sum();
        state.capacity() * size_of::<O>() + heap * state.len() / asked().count().max(1)
    }

    fn merge(&self, into: &mut Vec<O>, mut from: Vec<O>) {
        into.append(&mut from);
        self.settle(into);
    }

    fn finish(&self, mut state: Vec<O>) -> Vec<O> {
        state.sort_unstable_by(|a, b| b.compare(a));
        state.truncate(self.k);
        state
    }
}

impl<T: Value> Feed<T> for TopK<T::Owned> {
    fn feed(&self, state: &mut Vec<T::Owned>, record: T) {
        let least = self.k.checked_sub(1).map(|last| state.get(last));
        let wanted = least.is_some_and(|l| l.is_none_or(|least| record.compare(least).is_gt()));
        if wanted {
            state.push(record.into_owned());
            if state.len() == self.k || state.len() >= self.k.saturating_mul(2) {
                self.settle(state);
            }
        }
    }
}

impl<I: Iterator, S, W> Records<'_, I, S, W> {
    /// Keeps the `k` largest records, largest first. See [`TopK`].
    ///
    /// ```
    /// let lines = ["cod eel", "bass"];
    /// let last = creel_operators::run(lines, |lines| lines.words().topk(2));
    /// assert_eq!(last, ["eel", "cod"]);
    /// ```
    pub fn topk<O>(self, k: usize) -> TopK<O>
    where
        I::Item: Value<Owned = O>,
        TopK<O>: Feed<I::Item, State = S>,
    {
        self.combine(TopK::new(k))
    }
}

#[cfg(test)]
mod tests {
    use super::TopK;
    use crate::{laws, run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn topk_keeps_the_laws(
            words in prop::collection::vec("[a-c]{0,2}", 0..12),
            floats in prop::collection::vec(prop::num::f64::ANY, 0..12),
            k in 0..5_usize,
        ) {
            laws::check(&TopK::<String>::new(k), &words);
            laws::check(&TopK::<f64>::new(k), &floats);
        }

        #[test]
        fn topk_is_the_head_of_the_sorted_records(
            mut records in prop::collection::vec(0..500_u16, 0..300),
            k in 0..50_usize,
        ) {
            let largest = run(&records, |r| r.topk(k));
            records.sort_by(|a, b| b.cmp(a));
            records.truncate(k);
            prop_assert_eq!(largest, records);
        }
    }

    #[test]
    fn any_k_is_a_size() {
        assert_eq!(run(0..3, |r| r.topk(usize::MAX)), [2, 1, 0]);
        assert_eq!(run(0..3, |r| r.topk(0)), []);
    }
}
