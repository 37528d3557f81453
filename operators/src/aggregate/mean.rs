//! `mean`: the arithmetic mean of numbers.

use super::exact_sum::ExactSum;
use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Traits, Writer};
use crate::column::{Columns, Datum, Groups, OwnedColumn};

pub(super) static MEAN: Kind = Kind {
    name: "mean",
    usage: "mean, mean(f)",
    help: "the mean of numbers",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Numbers,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Mean)),
};

#[derive(Clone, Copy)]
struct Mean;

/// The exact sum, and of how many: so the mean is the same however the input was cut.
#[derive(Default)]
struct Group {
    total: ExactSum,
    count: u64,
}

impl PerGroup for Mean {
    type Group = Group;

    fn update(&self, states: &mut [Group], groups: Groups<'_>, columns: &Columns<'_>) {
        columns.argument(0).numbers(|row, number| {
            let group = &mut states[groups.of(row)];
            group.total.add_number(&number);
            group.count += 1;
        });
    }

    fn merge(&self, into: &mut Group, from: Group) {
        into.total.add_sum(&from.total);
        into.count += from.count;
    }

    fn encode(&self, group: &Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.put_u64(group.count);
        group.total.encode(bytes);
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Group, Damaged> {
        Ok(Group { count: bytes.records()?, total: ExactSum::decode(bytes)? })
    }

    fn finish(&self, groups: Vec<Group>) -> OwnedColumn {
        OwnedColumn::of(groups.iter().map(|group| group.total.mean(group.count).map(Datum::Float)))
    }

    fn heap(&self, group: &Group) -> usize {
        group.total.heap()
    }
}
