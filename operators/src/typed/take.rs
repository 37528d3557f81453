//! What an aggregate takes of a record.

use std::cmp::Reverse;

use super::{Fill, Give};
use crate::aggregate::AsRow;
use crate::column::OwnedColumn;
use crate::{Combiner, Feed, TopKBy, Value};

/// What a closure makes of a record.
///
/// ```
/// use creel_operators::column::OwnedColumn;
/// use creel_operators::typed::{By, Fill};
///
/// let mut columns: Vec<OwnedColumn> = Vec::new();
/// By(|word: &&str| word.len()).fill(&"eel", &mut columns);
/// assert_eq!(columns[0].to_json(), ["3"]);
/// ```
#[derive(Clone, Copy)]
pub struct By<F>(pub F);

/// The record itself.
#[derive(Debug, Clone, Copy)]
pub struct Itself;

/// Nothing but that it is there.
#[derive(Debug, Clone, Copy)]
pub struct Every;

/// The record, ranked by what a closure makes of it: the highest rank first.
#[derive(Clone, Copy)]
pub struct Highest<F>(pub F);

/// The record, ranked by what a closure makes of it: the lowest rank first.
#[derive(Clone, Copy)]
pub struct Lowest<F>(pub F);

macro_rules! debug {
    ($($name:ident)*) => {$(
        impl<F> std::fmt::Debug for $name<F> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}

debug! { By Highest Lowest }

impl<T, V: AsRow, F: Fn(&T) -> V> Fill<T> for By<F> {
    fn fill(&self, record: &T, columns: &mut Vec<OwnedColumn>) {
        (self.0)(record).push_values(columns);
    }
}

impl<T> Fill<T> for Itself
where
    for<'r> &'r T: AsRow,
{
    fn fill(&self, record: &T, columns: &mut Vec<OwnedColumn>) {
        record.push_values(columns);
    }
}

impl<T> Fill<T> for Every {
    fn fill(&self, _: &T, _: &mut Vec<OwnedColumn>) {}
}

impl<T, V, F: Fn(&T) -> V, C: Feed<V>> Give<T, C> for By<F> {
    fn give(&self, combiner: &C, state: &mut C::State, record: &T) {
        combiner.feed(state, (self.0)(record));
    }
}

impl<T, V, F> Give<T, TopKBy<V::Owned, T::Owned>> for Highest<F>
where
    T: Value + Clone,
    V: Value,
    F: Fn(&T) -> V,
{
    fn give(
        &self,
        combiner: &TopKBy<V::Owned, T::Owned>,
        state: &mut <TopKBy<V::Owned, T::Owned> as Combiner>::State,
        record: &T,
    ) {
        combiner.feed(state, ((self.0)(record), record.clone()));
    }
}

impl<T, V, F> Give<T, TopKBy<Reverse<V::Owned>, T::Owned>> for Lowest<F>
where
    T: Value + Clone,
    V: Value,
    F: Fn(&T) -> V,
{
    fn give(
        &self,
        combiner: &TopKBy<Reverse<V::Owned>, T::Owned>,
        state: &mut <TopKBy<Reverse<V::Owned>, T::Owned> as Combiner>::State,
        record: &T,
    ) {
        combiner.feed(state, (Reverse((self.0)(record)), record.clone()));
    }
}
