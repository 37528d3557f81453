//! `max`: the largest value.

use std::marker::PhantomData;

use super::extreme::Extreme;
use super::{Each, Kind, Needs, Order, Traits};
use crate::{Combiner, Feed, Records, Value};

pub(super) static MAX: Kind = Kind {
    name: "max",
    usage: "max, max(f)",
    help: "the largest value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Values,
    order: Order::Any,
    traits: Traits { as_written: Some("max_by"), ..Traits::PLAIN },
    new: |_| Box::new(Each::new(Extreme::MAX)),
};

/// Keeps the largest record; `O` is what a record is stored as, `String` for `&str`.
///
/// There is none of no records: the output is an `Option`. [`aggregate`](super#order) says in which
/// order floats are, and how that of columns differs.
///
/// ```
/// use creel_operators::{Max, run};
///
/// let largest = run([2.5, -1.0], |numbers| numbers.combine(Max::<f64>::new()));
/// assert_eq!(largest, Some(2.5));
/// ```
pub struct Max<O>(PhantomData<fn() -> O>);

mark! { Max<O>, "A combiner that keeps the largest record." }

impl<O: Value<Owned = O> + Send + 'static> Combiner for Max<O> {
    type State = Option<O>;
    type Output = Option<O>;
    const ORDERED: bool = false;

    fn merge(&self, into: &mut Option<O>, from: Option<O>) {
        Extreme::MAX.merge(into, from);
    }

    fn finish(&self, state: Option<O>) -> Option<O> {
        state
    }
}

impl<T: Value> Feed<T> for Max<T::Owned> {
    fn feed(&self, state: &mut Option<T::Owned>, record: T) {
        Extreme::MAX.keep(state, record);
    }
}

impl<I: Iterator, S, W> Records<'_, I, S, W> {
    /// Keeps the largest record. See [`Max`].
    ///
    /// ```
    /// let lines = ["the cod", "an eel"];
    /// let largest = creel_operators::run(lines, |lines| lines.words().max());
    /// assert_eq!(largest.as_deref(), Some("the"));
    /// ```
    pub fn max<O>(self) -> Max<O>
    where
        I::Item: Value<Owned = O>,
        Max<O>: Feed<I::Item, State = S>,
    {
        self.combine(Max::new())
    }
}

#[cfg(test)]
mod tests {
    use super::Max;
    use crate::{laws, run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn max_keeps_the_laws(
            words in prop::collection::vec("[a-c]{0,3}", 0..12),
            floats in prop::collection::vec(prop::num::f64::ANY, 0..12),
        ) {
            laws::check(&Max::<String>::new(), &words);
            laws::check(&Max::<f64>::new(), &floats);
            let expected = floats.iter().copied().max_by(f64::total_cmp).map(f64::to_bits);
            prop_assert_eq!(run(floats, |r| r.max()).map(f64::to_bits), expected);
            prop_assert_eq!(run(&words, |r| r.max()), words.iter().max().cloned());
        }
    }

    #[test]
    fn there_is_no_largest_of_nothing() {
        let none: [u64; 0] = [];
        assert_eq!(run(none, |r| r.max()), None);
    }
}
