//! `first`: the first value in the order of the input.

use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Writer};
use crate::column::{Columns, Groups, OwnedColumn, OwnedDatum};

pub(super) static FIRST: Kind = Kind {
    name: "first",
    usage: "first, first(f)",
    help: "the first value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Records,
    order: Order::Input,
    new: |_| Box::new(Each::new(First)),
};

#[derive(Clone, Copy)]
struct First;

impl PerGroup for First {
    type Group = Option<OwnedDatum>;

    fn update(&self, first: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        columns.argument(0).each(|row, datum| {
            first[groups.of(row)].get_or_insert_with(|| datum.to_owned());
        });
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        if into.is_none() {
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

    fn full(&self, group: &Self::Group) -> bool {
        group.is_some()
    }
}
