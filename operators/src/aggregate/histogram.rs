//! `histogram`: how many numbers lie in each interval of a width.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Damaged, Each, Kind, Needs, NoBytes, Order, Parameter, PerGroup, Reader, Writer};
use crate::column::{Columns, Groups, OwnedColumn, OwnedData};

pub(super) static HISTOGRAM: Kind = Kind {
    name: "histogram",
    usage: "histogram(width), histogram(width; f)",
    help: "for each interval of a width that has numbers, where it begins and how many",
    parameters: &[Parameter {
        name: "width",
        default: None,
        least: 1e-300,
        most: 1e300,
        whole: false,
    }],
    columns: (1, 1),
    needs: Needs::Numbers,
    order: Order::Any,
    new: |of| Box::new(Each::new(Histogram::new(of[0]))),
};

/// Intervals of a width known beforehand: those that fit the numbers would depend on what came first.
///
/// An interval holds its lower bound. NaN is in none; numbers of more than 2^63 widths are in the
/// outermost.
#[derive(Clone, Copy)]
struct Histogram {
    width: f64,
    /// How many intervals a one has, if that is a whole number: a tenth is no double, and three of it
    /// are no 0.3.
    per_one: Option<f64>,
}

impl Histogram {
    fn new(width: f64) -> Self {
        let inverse = (1.0 / width).round();
        let per_one = ((2.0..1e15).contains(&inverse) && 1.0 / inverse == width).then_some(inverse);
        Self { width, per_one }
    }

    #[inline]
    fn interval(&self, x: f64) -> i64 {
        let at = self.per_one.map_or_else(|| x / self.width, |per_one| x * per_one);
        at.floor() as i64
    }

    fn lower_bound(&self, interval: i64) -> f64 {
        let at = interval as f64;
        self.per_one.map_or_else(|| at * self.width, |per_one| at / per_one)
    }
}

impl PerGroup for Histogram {
    type Group = HashMap<i64, u64, RandomState>;

    fn update(&self, states: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        columns.argument(0).doubles(|row, x| {
            if !x.is_nan() {
                *states[groups.of(row)].entry(self.interval(x)).or_default() += 1;
            }
        });
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        from.into_iter().for_each(|(interval, n)| *into.entry(interval).or_default() += n);
    }

    fn encode(&self, group: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.put_u64(group.len() as u64);
        for (interval, n) in sorted(group) {
            bytes.put_i64(interval);
            bytes.put_u64(n);
        }
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged> {
        let (mut group, mut last) = (Self::Group::default(), None);
        for _ in 0..bytes.count(2)? {
            let damaged = bytes.damaged("an interval out of order, or without numbers");
            let (interval, n) = (bytes.i64()?, bytes.records()?);
            if n == 0 || last.replace(interval).is_some_and(|last| last >= interval) {
                return Err(damaged);
            }
            group.insert(interval, n);
        }
        Ok(group)
    }

    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn {
        let (mut bounds, mut counts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for group in groups {
            for (interval, n) in sorted(&group) {
                bounds.push(self.lower_bound(interval));
                counts.push(n);
            }
            ends.push(counts.len());
        }
        let pairs = vec![OwnedColumn::floats(bounds), OwnedColumn::counts(counts)];
        let items = Box::new(OwnedColumn::new(OwnedData::Tuples(pairs)));
        OwnedColumn::new(OwnedData::Lists { ends, items })
    }

    fn heap(&self, group: &Self::Group) -> usize {
        group.capacity() * (size_of::<(i64, u64)>() + 1) * 8 / 7
    }
}

/// The intervals in their order.
fn sorted(group: &HashMap<i64, u64, RandomState>) -> Vec<(i64, u64)> {
    let mut sorted: Vec<_> = group.iter().map(|(interval, n)| (*interval, *n)).collect();
    sorted.sort_unstable();
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_in_their_own_interval() {
        for width in [0.05, 0.1, 0.25, 1.0, 7.0, 1000.0] {
            let histogram = Histogram::new(width);
            for at in -100..100 {
                assert_eq!(histogram.interval(histogram.lower_bound(at)), at, "{width}");
            }
        }
        assert_eq!(Histogram::new(0.1).lower_bound(3), 0.3);
        assert_eq!(Histogram::new(0.05).interval(0.15), 3);
    }
}
