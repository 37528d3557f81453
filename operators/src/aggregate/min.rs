//! `min`: the smallest value.

use std::marker::PhantomData;

use super::extreme::Extreme;
use super::{Each, Kind, Needs, Order, Traits};
use crate::{Combiner, Feed, Records, Value};

pub(super) static MIN: Kind = Kind {
    name: "min",
    usage: "min, min(f)",
    help: "the smallest value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Values,
    order: Order::Any,
    traits: Traits { as_written: Some("min_by"), ..Traits::PLAIN },
    new: |_| Box::new(Each::new(Extreme::MIN)),
};

/// Keeps the smallest record; `O` is what a record is stored as, `String` for `&str`.
///
/// There is none of no records: the output is an `Option`. [`aggregate`](super#order) says in which
/// order floats are, and how that of columns differs.
///
/// ```
/// use creel_operators::{Min, run};
///
/// let smallest = run([2.5, -1.0], |numbers| numbers.combine(Min::<f64>::new()));
/// assert_eq!(smallest, Some(-1.0));
/// ```
pub struct Min<O>(PhantomData<fn() -> O>);

mark! { Min<O>, "A combiner that keeps the smallest record." }

impl<O: Value<Owned = O> + Send + 'static> Combiner for Min<O> {
    type State = Option<O>;
    type Output = Option<O>;
    const ORDERED: bool = false;

    fn merge(&self, into: &mut Option<O>, from: Option<O>) {
        Extreme::MIN.merge(into, from);
    }

    fn finish(&self, state: Option<O>) -> Option<O> {
        state
    }
}

impl<T: Value> Feed<T> for Min<T::Owned> {
    fn feed(&self, state: &mut Option<T::Owned>, record: T) {
        Extreme::MIN.keep(state, record);
    }
}

impl<I: Iterator, S, W> Records<'_, I, S, W> {
    /// Keeps the smallest record. See [`Min`].
    ///
    /// ```
    /// let lines = ["the cod", "an eel"];
    /// let smallest = creel_operators::run(lines, |lines| lines.words().min());
    /// assert_eq!(smallest.as_deref(), Some("an"));
    /// ```
    pub fn min<O>(self) -> Min<O>
    where
        I::Item: Value<Owned = O>,
        Min<O>: Feed<I::Item, State = S>,
    {
        self.combine(Min::new())
    }
}

#[cfg(test)]
mod tests {
    use super::Min;
    use crate::{laws, run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn min_keeps_the_laws(
            words in prop::collection::vec("[a-c]{0,3}", 0..12),
            floats in prop::collection::vec(prop::num::f64::ANY, 0..12),
        ) {
            laws::check(&Min::<String>::new(), &words);
            laws::check(&Min::<f64>::new(), &floats);
            let expected = floats.iter().copied().min_by(f64::total_cmp).map(f64::to_bits);
            prop_assert_eq!(run(floats, |r| r.min()).map(f64::to_bits), expected);
            prop_assert_eq!(run(&words, |r| r.min()), words.iter().min().cloned());
        }
    }

    #[test]
    fn there_is_no_smallest_of_nothing() {
        let none: [u64; 0] = [];
        assert_eq!(run(none, |r| r.min()), None);
    }
}
