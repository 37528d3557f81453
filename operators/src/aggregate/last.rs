//! `last`: the last value in the order of the input.

use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Writer};
use crate::column::{Columns, Groups, OwnedColumn, OwnedDatum};

pub(super) static LAST: Kind = Kind {
    name: "last",
    usage: "last, last(f)",
    help: "the last value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Records,
    order: Order::Input,
    new: |_| Box::new(Each::new(Last)),
};

#[derive(Clone, Copy)]
struct Last;

impl PerGroup for Last {
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
        if from.is_some() {
            *into = from;
        }
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
