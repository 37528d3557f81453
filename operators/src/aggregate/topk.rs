//! `topk`: the k largest, largest first; topk(k; f): by f.

use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;

use super::first_k::{self, FirstK};
use super::ranked::Best;
use super::{Each, Gives, Kind, Needs, Order, Parameter, Traits};
use crate::{Combiner, Feed, Records, Value};

pub(super) static TOPK: Kind = Kind {
    name: "topk",
    usage: "topk(k), topk(k; f)",
    help: "the k largest, largest first; topk(k; f): by f",
    parameters: &[Parameter::whole("k")],
    columns: (1, 2),
    needs: Needs::Records,
    order: Order::Any,
    traits: Traits { gives: Gives::Ranked, as_written: Some("topk"), ..Traits::PLAIN },
    new: |of| Box::new(Each::new(Best { k: of[0] as usize, largest: true, alone: false })),
};

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
    pub(super) k: usize,
    record: PhantomData<fn() -> O>,
}

impl<O> TopK<O> {
    /// A combiner that keeps the `k` largest records.
    pub fn new(k: usize) -> Self {
        Self { k, record: PhantomData }
    }
}

impl<O: Value<Owned = O>> TopK<O> {
    /// The largest come first.
    fn first(&self) -> FirstK<impl Fn(&O, &O) -> Ordering> {
        FirstK::new(self.k, |a: &O, b: &O| b.compare(a))
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

impl<O: Value<Owned = O> + Send + 'static> Combiner for TopK<O> {
    type State = Vec<O>;
    type Output = Vec<O>;
    const ORDERED: bool = false;

    fn held(&self, state: &Vec<O>) -> usize {
        first_k::held(state, |record| first_k::allocated(record.heap()))
    }

    fn merge(&self, into: &mut Vec<O>, from: Vec<O>) {
        self.first().merge(into, from);
    }

    fn finish(&self, state: Vec<O>) -> Vec<O> {
        self.first().sorted(state)
    }

    fn captured(&self) -> usize {
        0
    }

    fn parameters(&self, each: &mut dyn FnMut(u64)) {
        each(self.k as u64);
    }
}

impl<T: Value> Feed<T> for TopK<T::Owned> {
    #[inline]
    fn feed(&self, state: &mut Vec<T::Owned>, record: T) {
        let first = self.first();
        if self.k > 0 && first.last(state).is_none_or(|least| record.compare(least).is_gt()) {
            first.push(state, record.into_owned());
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
