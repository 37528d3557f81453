//! `count`: how many records there are, or how many of them meet a condition.

use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Writer};
use crate::column::{Columns, Data, Groups, OwnedColumn};

pub(super) static COUNT: Kind = Kind {
    name: "count",
    usage: "count, count(p)",
    help: "how many there are; count(p): how many meet p",
    parameters: &[],
    columns: (0, 1),
    needs: Needs::Conditions,
    order: Order::Any,
    new: |_| Box::new(Each::new(Count)),
};

#[derive(Clone, Copy)]
struct Count;

impl PerGroup for Count {
    type Group = u64;

    fn update(&self, counts: &mut [u64], groups: Groups<'_>, columns: &Columns<'_>) {
        match (columns.get(0), groups) {
            (None, Groups::One) => counts[0] += columns.rows() as u64,
            (None, Groups::Each(groups)) => groups.iter().for_each(|&g| counts[g as usize] += 1),
            (Some(column), groups) => match (column.data(), column.missing()) {
                // Without a branch on what is as good as chance.
                (Data::Bools(met), None) => met.iter().enumerate().for_each(|(row, met)| {
                    counts[groups.of(row)] += u64::from(*met);
                }),
                _ => column.each(|row, datum| {
                    counts[groups.of(row)] += u64::from(datum.is_true());
                }),
            },
        }
    }

    fn merge(&self, into: &mut u64, from: u64) {
        *into += from;
    }

    fn encode(&self, count: &u64, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.put_u64(*count);
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<u64, Damaged> {
        bytes.records()
    }

    fn finish(&self, counts: Vec<u64>) -> OwnedColumn {
        OwnedColumn::counts(counts)
    }
}
