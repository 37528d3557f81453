//! `std`: the standard deviation of numbers, of all of them: what is squared is divided by how many they are.

use super::moments::Moments;
use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Traits};
use crate::column::{Columns, Datum, Groups, OwnedColumn};

pub(super) static STD: Kind = Kind {
    name: "std",
    usage: "std, std(f)",
    help: "the standard deviation of numbers",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Numbers,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Deviation)),
};

#[derive(Clone, Copy)]
struct Deviation;

impl PerGroup for Deviation {
    type Group = Moments;

    fn update(&self, states: &mut [Moments], groups: Groups<'_>, columns: &Columns<'_>) {
        Moments::update(states, groups, &columns.argument(0));
    }

    fn merge(&self, into: &mut Moments, from: Moments) {
        into.merge(&from);
    }

    fn encode(&self, group: &Moments, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        group.encode(bytes);
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Moments, Damaged> {
        Moments::decode(bytes)
    }

    fn finish(&self, groups: Vec<Moments>) -> OwnedColumn {
        OwnedColumn::of(
            groups.iter().map(|group| group.variance().map(f64::sqrt).map(Datum::Float)),
        )
    }

    fn heap(&self, group: &Moments) -> usize {
        group.heap()
    }
}
