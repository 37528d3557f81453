//! `histogram`: how many numbers lie in each interval of a width.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::{
    Damaged, Each, Kind, Needs, NoBytes, Order, Parameter, PerGroup, Reader, Traits, Writer,
};
use crate::column::{Canonical, Columns, Datum, Groups, Number, OwnedColumn, OwnedData};

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
    traits: Traits::PLAIN,
    new: |of| Box::new(Each::new(Histogram::new(of[0]))),
};

/// Intervals of a width known beforehand: those that fit the numbers would depend on what came first.
///
/// An interval holds its lower bound. NaN is in none. Where doubles lie further from each other than
/// the width, from 2^53 widths on, each is the lower bound of its own interval; integers are exact
/// there too, if the width is a whole number or a whole part of one.
#[derive(Clone, Copy)]
struct Histogram {
    width: f64,
    /// The width, if it is a whole number below 2^53.
    whole: Option<i128>,
    /// How many intervals a one has, if that is a whole number: a tenth is no double, and three of it
    /// are no 0.3.
    per_one: Option<f64>,
}

/// From here on not every integer is a double.
const LARGE: f64 = 9_007_199_254_740_992.0;

/// The numbers of a group: how many are in each interval.
#[derive(Default)]
struct Intervals {
    /// By the place of the interval, which is below 2^53.
    near: HashMap<i64, u64, RandomState>,
    /// By the lower bound of the interval.
    far: BTreeMap<Canonical<'static>, u64>,
}

impl Histogram {
    fn new(width: f64) -> Self {
        let inverse = (1.0 / width).round();
        let per_one = ((2.0..1e15).contains(&inverse) && 1.0 / inverse == width).then_some(inverse);
        let whole = (width.fract() == 0.0 && width < LARGE).then_some(width as i128);
        Self { width, whole, per_one }
    }

    /// Counts a number.
    #[inline]
    fn add(&self, into: &mut Intervals, number: &Number<'_>) {
        let x = number.to_f64();
        let place = self.place(x);
        // So that integers are doubles.
        if x.abs() < LARGE && place.abs() < LARGE {
            *into.near.entry(place.floor() as i64).or_default() += 1;
        } else if !x.is_nan() {
            self.add_large(into, number, place);
        }
    }

    #[cold]
    fn add_large(&self, into: &mut Intervals, number: &Number<'_>, place: f64) {
        let far = match (self.whole, integer(number)) {
            (Some(width), Some(integer)) => {
                let place = integer.div_euclid(width);
                if place.unsigned_abs() < LARGE as u128 {
                    *into.near.entry(place as i64).or_default() += 1;
                    return;
                }
                bound((place * width).to_string())
            }
            _ if place.abs() < LARGE => {
                *into.near.entry(place.floor() as i64).or_default() += 1;
                return;
            }
            _ => number.datum().canonical().into_owned(),
        };
        *into.far.entry(far).or_default() += 1;
    }

    /// How many widths a number has.
    #[inline]
    fn place(&self, x: f64) -> f64 {
        self.per_one.map_or_else(|| x / self.width, |per_one| x * per_one)
    }

    /// Appends where an interval begins.
    fn push_bound(&self, place: i64, into: &mut OwnedColumn) {
        let at = place as f64;
        let double = self.per_one.map_or_else(|| at * self.width, |per_one| at / per_one);
        match self.whole {
            Some(width) if double.abs() >= LARGE => {
                push_far(&bound((i128::from(place) * width).to_string()), into);
            }
            _ => into.push(Some(Datum::Float(double))),
        }
    }
}

/// The integer that a number is, of up to 128 bits.
fn integer(number: &Number<'_>) -> Option<i128> {
    match number {
        Number::Integer(integer) => Some(i128::from(*integer)),
        Number::Long(digits) => digits.parse().ok(),
        Number::Double(x) => (x.fract() == 0.0 && x.abs() < i128::MAX as f64).then_some(*x as i128),
    }
}

/// Appends a bound. JSON has no infinities: as elsewhere, they are the largest doubles.
fn push_far(bound: &Canonical<'_>, into: &mut OwnedColumn) {
    if bound.datum().number().is_some() {
        return into.push(Some(bound.datum()));
    }
    let largest = if *bound < Datum::Integer(0).canonical() { f64::MIN } else { f64::MAX };
    into.push(Some(Datum::Float(largest)));
}

/// An integer as a value.
fn bound(digits: String) -> Canonical<'static> {
    Datum::Number(&digits).canonical().into_owned()
}

impl PerGroup for Histogram {
    type Group = Intervals;

    fn update(&self, states: &mut [Intervals], groups: Groups<'_>, columns: &Columns<'_>) {
        columns.argument(0).numbers(|row, number| self.add(&mut states[groups.of(row)], &number));
    }

    fn merge(&self, into: &mut Intervals, from: Intervals) {
        from.near.into_iter().for_each(|(place, n)| *into.near.entry(place).or_default() += n);
        from.far.into_iter().for_each(|(bound, n)| *into.far.entry(bound).or_default() += n);
    }

    fn encode(&self, group: &Intervals, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.put_u64(group.near.len() as u64);
        for (place, n) in group.sorted() {
            bytes.put_i64(place);
            bytes.put_u64(n);
        }
        bytes.put_u64(group.far.len() as u64);
        for (bound, n) in &group.far {
            bytes.put_canonical(bound);
            bytes.put_u64(*n);
        }
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Intervals, Damaged> {
        let mut group = Intervals::default();
        let mut last = None;
        for _ in 0..bytes.count(2)? {
            let damaged = bytes.damaged("an interval out of order, or without numbers");
            let (place, n) = (bytes.i64()?, bytes.records()?);
            if n == 0 || last.replace(place).is_some_and(|last| last >= place) {
                return Err(damaged);
            }
            group.near.insert(place, n);
        }
        let [least, most] =
            [f64::NEG_INFINITY, f64::INFINITY].map(|end| Datum::Float(end).canonical());
        for _ in 0..bytes.count(2)? {
            let damaged = bytes.damaged("an interval out of order, without numbers or a bound");
            let (bound, n) = (bytes.canonical()?, bytes.records()?);
            let in_order = group.far.last_key_value().is_none_or(|(last, _)| *last < bound);
            if n == 0 || !in_order || bound < least || bound > most {
                return Err(damaged);
            }
            group.far.insert(bound, n);
        }
        Ok(group)
    }

    fn finish(&self, groups: Vec<Intervals>) -> OwnedColumn {
        let zero = Datum::Integer(0).canonical();
        let (mut bounds, mut counts) = (OwnedColumn::floats([]), Vec::new());
        let mut ends = Vec::new();
        for group in groups {
            let (below, above): (Vec<_>, Vec<_>) =
                group.far.iter().partition(|(at, _)| **at < zero);
            for (bound, n) in below {
                push_far(bound, &mut bounds);
                counts.push(*n);
            }
            for (place, n) in group.sorted() {
                self.push_bound(place, &mut bounds);
                counts.push(n);
            }
            for (bound, n) in above {
                push_far(bound, &mut bounds);
                counts.push(*n);
            }
            ends.push(counts.len());
        }
        let pairs = vec![bounds, OwnedColumn::counts(counts)];
        let items = Box::new(OwnedColumn::new(OwnedData::Tuples(pairs)));
        OwnedColumn::new(OwnedData::Lists { ends, items })
    }

    fn heap(&self, group: &Intervals) -> usize {
        /// A tree of these is two thirds full, about.
        const EACH: usize = size_of::<(Canonical<'static>, u64)>() * 3 / 2;
        let far: usize = group.far.keys().map(|bound| bound.heap() + EACH).sum();
        group.near.capacity() * (size_of::<(i64, u64)>() + 1) * 8 / 7 + far
    }
}

impl Intervals {
    /// The near intervals in their order.
    fn sorted(&self) -> Vec<(i64, u64)> {
        let mut sorted: Vec<_> = self.near.iter().map(|(place, n)| (*place, *n)).collect();
        sorted.sort_unstable();
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Column;

    fn rows(width: f64, numbers: &[&str]) -> String {
        let mut state = [Intervals::default()];
        let histogram = Histogram::new(width);
        numbers.iter().for_each(|number| histogram.add(&mut state[0], &Number::of(number)));
        histogram.finish(state.into()).to_json().remove(0)
    }

    #[test]
    fn bounds_are_in_their_own_interval() {
        for width in [0.05, 0.1, 0.25, 1.0, 7.0, 1000.0] {
            let histogram = Histogram::new(width);
            for at in -100..100 {
                let mut bounds = OwnedColumn::default();
                histogram.push_bound(at, &mut bounds);
                let bound = bounds.get(0).and_then(|datum| datum.number());
                let bound = bound.map_or(f64::NAN, |number| number.to_f64());
                assert_eq!(histogram.place(bound).floor(), at as f64, "{width}");
            }
        }
        assert_eq!(rows(0.1, &["0.3"]), "[[0.3,1]]");
        assert_eq!(rows(0.05, &["0.15"]), "[[0.15,1]]");
    }

    #[test]
    fn integers_from_two_to_the_53_on_are_in_their_own_interval() {
        let near = ["9007199254740992", "9007199254740993", "-9007199254740993"];
        let apart = "[[-9007199254740993,1],[9007199254740992,1],[9007199254740993,1]]";
        assert_eq!(rows(1.0, &near), apart);
        assert_eq!(rows(0.25, &near), apart);
        assert_eq!(rows(2.0, &near), "[[-9007199254740994,1],[9007199254740992,2]]");
        // A double is in the interval of the integer that it is.
        let equal = ["1180591620717411303424", "1180591620717411303424.0"];
        assert_eq!(rows(1.0, &equal), "[[1180591620717411303424,2]]");
        assert_eq!(rows(3.0, &equal), "[[1180591620717411303423,2]]");
        let long = ["9223372036854775807", "9223372036854775808", "-18446744073709551617", "1"];
        let rows_of_ten = "[[-18446744073709551620,1],[0,1],[9223372036854775800,2]]";
        assert_eq!(rows(10.0, &long), rows_of_ten);
        assert_eq!(rows(1e15, &["12345678901234567890"]), "[[12345000000000000000,1]]");
    }

    #[test]
    fn numbers_of_very_many_widths_are_in_their_own_interval() {
        let small = ["9.2e-282", "1e-300", "2.5", "1e300", "-1e300", "0"];
        let apart = "[[-1e300,1],[0,1],[1e-300,1],[9.2e-282,1],[2.5,1],[1e300,1]]";
        assert_eq!(rows(1e-300, &small), apart);
        assert_eq!(rows(7.5, &["1e300", "1e300", "8"]), "[[7.5,1],[1e300,2]]");
        let mut state = [Intervals::default()];
        let ends = [f64::NEG_INFINITY, f64::NAN, f64::INFINITY];
        Histogram::new(1.0).update(
            &mut state,
            Groups::One,
            &Columns::arguments(3, &[Column::floats(&ends)]),
        );
        let row = Histogram::new(1.0).finish(state.into()).to_json().remove(0);
        assert_eq!(row, "[[-1.7976931348623157e308,1],[1.7976931348623157e308,1]]");
    }
}
