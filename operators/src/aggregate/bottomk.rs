//! `bottomk`: the k smallest, smallest first; bottomk(k; f): by f.

use std::cmp::Reverse;
use std::fmt;

use super::ranked::Best;
use super::{Each, Gives, Kind, Needs, Order, Parameter, Traits};
use crate::{Combiner, Feed, Records, TopK, Value};

pub(super) static BOTTOMK: Kind = Kind {
    name: "bottomk",
    usage: "bottomk(k), bottomk(k; f)",
    help: "the k smallest, smallest first; bottomk(k; f): by f",
    parameters: &[Parameter::whole("k")],
    columns: (1, 2),
    needs: Needs::Records,
    order: Order::Any,
    traits: Traits { gives: Gives::Members, as_written: Some("bottomk"), ..Traits::PLAIN },
    new: |of| Box::new(Each::new(Best { k: of[0] as usize, largest: false, alone: false })),
};

/// Keeps the `k` smallest records, smallest first; `O` is what a record is stored as. With equal
/// records each one counts, as with [`TopK`].
///
/// ```
/// use creel_operators::{BottomK, run};
///
/// let smallest = run([3.0, 9.5, -1.0, 4.0], |numbers| numbers.combine(BottomK::<f64>::new(2)));
/// assert_eq!(smallest, [-1.0, 3.0]);
/// ```
pub struct BottomK<O> {
    reversed: TopK<Reverse<O>>,
}

impl<O> BottomK<O> {
    /// A combiner that keeps the `k` smallest records.
    pub fn new(k: usize) -> Self {
        Self { reversed: TopK::new(k) }
    }
}

impl<O> Clone for BottomK<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for BottomK<O> {}

impl<O> fmt::Debug for BottomK<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BottomK").field(&self.reversed).finish()
    }
}

impl<O: Value<Owned = O> + Send + 'static> Combiner for BottomK<O> {
    type State = Vec<Reverse<O>>;
    type Output = Vec<O>;
    const ORDERED: bool = false;

    fn held(&self, state: &Self::State) -> usize {
        self.reversed.held(state)
    }

    fn merge(&self, into: &mut Self::State, from: Self::State) {
        self.reversed.merge(into, from);
    }

    fn finish(&self, state: Self::State) -> Vec<O> {
        self.reversed.finish(state).into_iter().map(|Reverse(record)| record).collect()
    }

    fn captured(&self) -> usize {
        0
    }

    fn parameters(&self, each: &mut dyn FnMut(u64)) {
        each(self.reversed.k as u64);
    }
}

impl<T: Value> Feed<T> for BottomK<T::Owned> {
    fn feed(&self, state: &mut Self::State, record: T) {
        self.reversed.feed(state, Reverse(record));
    }
}

impl<I: Iterator, S, W> Records<'_, I, S, W> {
    /// Keeps the `k` smallest records, smallest first. See [`BottomK`].
    ///
    /// ```
    /// let lines = ["cod eel", "bass"];
    /// let first = creel_operators::run(lines, |lines| lines.words().bottomk(2));
    /// assert_eq!(first, ["bass", "cod"]);
    /// ```
    pub fn bottomk<O>(self, k: usize) -> BottomK<O>
    where
        I::Item: Value<Owned = O>,
        BottomK<O>: Feed<I::Item, State = S>,
    {
        self.combine(BottomK::new(k))
    }
}

#[cfg(test)]
mod tests {
    use super::BottomK;
    use crate::{laws, run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bottomk_keeps_the_laws_and_is_the_head_of_the_sorted_records(
            mut records in prop::collection::vec("[a-c]{0,2}", 0..12),
            k in 0..5_usize,
        ) {
            laws::check(&BottomK::<String>::new(k), &records);
            let smallest = run(&records, |r| r.bottomk(k));
            records.sort();
            records.truncate(k);
            prop_assert_eq!(smallest, records);
        }
    }
}
