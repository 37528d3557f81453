//! `var`: the variance of numbers, of all of them: what is squared is divided by how many they are.

use super::moments::Moments;
use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Traits};
use crate::column::{Columns, Datum, Groups, OwnedColumn};

pub(super) static VAR: Kind = Kind {
    name: "var",
    usage: "var, var(f)",
    help: "the variance of numbers",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Numbers,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Variance)),
};

#[derive(Clone, Copy)]
struct Variance;

impl PerGroup for Variance {
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
        OwnedColumn::of(groups.iter().map(|group| group.variance().map(Datum::Float)))
    }

    fn heap(&self, group: &Moments) -> usize {
        group.heap()
    }
}
