//! `last`: the last value in the order of the input.

use std::marker::PhantomData;

use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Writer};
use crate::column::{Columns, Groups, OwnedColumn, OwnedDatum};
use crate::{Combiner, Feed, Records};

pub(super) static LAST: Kind = Kind {
    name: "last",
    usage: "last, last(f)",
    help: "the last value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Records,
    order: Order::Input,
    new: |_| Box::new(Each::new(Last::new())),
};

/// Keeps the last record, in input order; `None` of nothing.
///
/// ```
/// use creel_operators::{Last, run};
///
/// assert_eq!(run([3, 1, 2], |numbers| numbers.combine(Last::new())), Some(2));
/// ```
pub struct Last<T>(PhantomData<fn() -> T>);

mark! { Last<T>, "A combiner that keeps the last record." }

impl<T: Send + 'static> Combiner for Last<T> {
    type State = Option<T>;
    type Output = Option<T>;
    const ORDERED: bool = true;

    fn merge(&self, into: &mut Option<T>, from: Option<T>) {
        if from.is_some() {
            *into = from;
        }
    }

    fn finish(&self, state: Option<T>) -> Option<T> {
        state
    }
}

impl<T: Send + 'static> Feed<T> for Last<T> {
    fn feed(&self, state: &mut Option<T>, record: T) {
        *state = Some(record);
    }
}

impl<I: Iterator, W> Records<'_, I, Option<I::Item>, W> {
    /// Keeps the last record, in input order. See [`Last`].
    ///
    /// ```
    /// assert_eq!(creel_operators::run(1..9, |r| r.filter(|n| n % 3 == 0).last()), Some(6));
    /// ```
    pub fn last(self) -> Last<I::Item>
    where
        I::Item: Send + 'static,
    {
        self.combine(Last::new())
    }
}

impl PerGroup for Last<OwnedDatum> {
    type Group = Option<OwnedDatum>;

    fn update(&self, last: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        match groups {
            Groups::One => {
                let value = (0..column.len()).rev().find_map(|row| column.get(row));
                if let Some(datum) = value {
                    last[0] = Some(datum.to_owned());
                }
            }
            Groups::Each(groups) => {
                column.each(|row, datum| last[groups[row] as usize] = Some(datum.to_owned()));
            }
        }
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        Combiner::merge(self, into, from);
    }

    fn encode(&self, group: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.push(u8::from(group.is_some()));
        group.iter().for_each(|value| bytes.put_datum(&value.lend()));
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged> {
        bytes.flag()?.then(|| bytes.owned_datum()).transpose()
    }

    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn {
        OwnedColumn::of(groups.iter().map(|group| group.as_ref().map(OwnedDatum::lend)))
    }

    fn heap(&self, group: &Self::Group) -> usize {
        group.as_ref().map_or(0, OwnedDatum::heap)
    }
}

#[cfg(test)]
mod tests {
    use super::Last;
    use crate::laws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn last_keeps_the_laws(records in prop::collection::vec(0..9_u8, 0..12)) {
            laws::check(&Last::new(), &records);
        }
    }
}
