//! `last`: the last value in the order of the input.

use std::marker::PhantomData;

use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Traits, Writer};
use crate::column::{Columns, Datum, Form, Groups, OwnedColumn, OwnedDatum};
use crate::{Combiner, Feed, Records};

pub(super) static LAST: Kind = Kind {
    name: "last",
    usage: "last, last(f)",
    help: "the last value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Records,
    order: Order::Input,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(LastValue)),
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

/// The last value of a group, which the next one is written over.
#[derive(Debug, Default)]
enum Latest {
    /// There was none.
    #[default]
    None,
    /// A piece of text, and the form in which it stands for a value.
    Text(Form, String),
    /// Any other value.
    Other(OwnedDatum),
}

impl Latest {
    fn set(&mut self, datum: &Datum<'_>) {
        match (datum.as_text(), self) {
            (Some((form, text)), Self::Text(kept, room)) => {
                *kept = form;
                room.clear();
                room.push_str(text);
            }
            (Some((form, text)), none) => *none = Self::Text(form, text.to_owned()),
            (None, other) => *other = Self::Other(datum.to_owned()),
        }
    }

    fn lend(&self) -> Option<Datum<'_>> {
        match self {
            Self::None => None,
            Self::Text(form, text) => Some(Datum::of_text(*form, text)),
            Self::Other(value) => Some(value.lend()),
        }
    }
}

/// Keeps the last value of each group.
#[derive(Debug, Clone, Copy)]
struct LastValue;

impl PerGroup for LastValue {
    type Group = Latest;

    fn update(&self, last: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        match groups {
            Groups::One => {
                let value = (0..column.len()).rev().find_map(|row| column.get(row));
                if let Some(datum) = value {
                    last[0].set(&datum);
                }
            }
            Groups::Each(groups) => {
                column.each(|row, datum| last[groups[row] as usize].set(&datum));
            }
        }
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        if !matches!(from, Latest::None) {
            *into = from;
        }
    }

    fn encode(&self, group: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        let value = group.lend();
        bytes.push(u8::from(value.is_some()));
        value.iter().for_each(|value| bytes.put_datum(value));
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged> {
        let value = bytes.flag()?.then(|| bytes.owned_datum()).transpose()?;
        Ok(value.map_or(Latest::None, Latest::Other))
    }

    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn {
        OwnedColumn::of(groups.iter().map(Latest::lend))
    }

    fn heap(&self, group: &Self::Group) -> usize {
        match group {
            Latest::None => 0,
            Latest::Text(_, text) => text.capacity(),
            Latest::Other(value) => value.heap(),
        }
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
