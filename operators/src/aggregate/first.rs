//! `first`: the first value in the order of the input; and the first `n` of typed records.

use std::fmt;
use std::marker::PhantomData;

use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Traits, Writer};
use crate::column::{Columns, Groups, OwnedColumn, OwnedDatum};
use crate::{Combiner, Feed, Records};

pub(super) static FIRST: Kind = Kind {
    name: "first",
    usage: "first, first(f)",
    help: "the first value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Records,
    order: Order::Input,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(First::new(1))),
};

/// Keeps the first `n` records, in input order, and is full once it has them.
///
/// ```
/// use creel_operators::{First, run};
///
/// assert_eq!(run(0.., |numbers| numbers.combine(First::new(3))), [0, 1, 2]);
/// ```
pub struct First<T> {
    n: usize,
    record: PhantomData<fn() -> T>,
}

impl<T> First<T> {
    /// A combiner that keeps the first `n` records.
    pub fn new(n: usize) -> Self {
        Self { n, record: PhantomData }
    }

    /// Keeps a record if there is room.
    #[inline]
    fn keep(&self, state: &mut Vec<T>, record: impl FnOnce() -> T) {
        if state.len() < self.n {
            if state.capacity() == 0 {
                state.reserve_exact(self.n.min(4));
            }
            state.push(record());
        }
    }
}

impl<T> Clone for First<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for First<T> {}

impl<T> fmt::Debug for First<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("First").field(&self.n).finish()
    }
}

impl<T: Send + 'static> Combiner for First<T> {
    type State = Vec<T>;
    type Output = Vec<T>;
    const ORDERED: bool = true;
    const STOPS: bool = true;

    fn merge(&self, into: &mut Vec<T>, from: Vec<T>) {
        let room = self.n.saturating_sub(into.len());
        into.extend(from.into_iter().take(room));
    }

    fn full(&self, state: &Vec<T>) -> bool {
        state.len() >= self.n
    }

    fn finish(&self, state: Vec<T>) -> Vec<T> {
        state
    }
}

impl<T: Send + 'static> Feed<T> for First<T> {
    fn feed(&self, state: &mut Vec<T>, record: T) {
        self.keep(state, || record);
    }
}

impl<I: Iterator, W> Records<'_, I, Vec<I::Item>, W> {
    /// Keeps the first `n` records, in input order, and reads no further. See [`First`].
    ///
    /// ```
    /// assert_eq!(creel_operators::run(1.., |r| r.filter(|n| n % 7 == 0).first(2)), [7, 14]);
    /// ```
    pub fn first(self, n: usize) -> First<I::Item>
    where
        I::Item: Send + 'static,
    {
        self.combine(First::new(n))
    }
}

impl PerGroup for First<OwnedDatum> {
    type Group = Vec<OwnedDatum>;

    fn update(&self, first: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        columns.argument(0).each(|row, datum| {
            self.keep(&mut first[groups.of(row)], || datum.to_owned());
        });
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        Combiner::merge(self, into, from);
    }

    fn encode(&self, group: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.put_u64(group.len() as u64);
        group.iter().for_each(|value| bytes.put_datum(&value.lend()));
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged> {
        let damaged = bytes.damaged("more values than are kept");
        let count = bytes.count(1)?;
        if count > self.n {
            return Err(damaged);
        }
        (0..count).map(|_| bytes.owned_datum()).collect()
    }

    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn {
        OwnedColumn::of(groups.iter().map(|group| group.first().map(OwnedDatum::lend)))
    }

    fn heap(&self, group: &Self::Group) -> usize {
        let values: usize = group.iter().map(OwnedDatum::heap).sum();
        group.capacity() * size_of::<OwnedDatum>() + values
    }

    fn full(&self, group: &Self::Group) -> bool {
        Combiner::full(self, group)
    }
}

#[cfg(test)]
mod tests {
    use super::First;
    use crate::{Count, Records, laws, run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn first_keeps_the_laws(records in prop::collection::vec(0..9_u8, 0..12), n in 0..9_usize) {
            laws::check(&First::new(n), &records);
            laws::check(&(First::new(n), First::new(3)), &records);
            laws::check(&(First::new(n), Count), &records);
        }
    }

    #[test]
    fn no_record_is_taken_after_the_last_that_is_kept() {
        let mut numbers = 0..10;
        let mut state = Vec::new();
        let first = Records::new(numbers.by_ref(), &mut state).first(3);
        Records::new(numbers.by_ref(), &mut state).combine(first);
        assert_eq!((state, numbers.next()), (vec![0, 1, 2], Some(3)));
    }

    #[test]
    fn a_pair_stops_only_when_both_are_full() {
        assert_eq!(
            run(0..10, |r| r.combine((First::new(1), First::new(2)))),
            (vec![0], vec![0, 1])
        );
        assert_eq!(run(0..10, |r| r.combine((First::new(1), Count))), (vec![0], 10));
    }
}
