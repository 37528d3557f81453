//! The exact sums of numbers and of their squares: what variances hold for a group.
//!
//! Updating a mean and a sum of squared differences, as Welford and Chan do, is stable, but what it
//! gives depends in its last digits on how the input was cut. With exact sums of `x` and `x^2` the
//! variance is one fraction of integers, `(n * sum(x^2) - sum(x)^2) / n^2`, that is rounded once: it
//! is never negative, and bit-equal whatever the cuts.

use super::exact::{Exact, parts, ratio};
use super::{Damaged, Reader, Writer};
use crate::column::{Column, Groups, Number};

#[derive(Default)]
pub(crate) struct Moments {
    count: u64,
    sum: Exact<2>,
    squares: Exact<4>,
    /// NaN or an infinity was among them: there is no variance.
    infinite: bool,
}

impl Moments {
    /// Adds the numbers of a column to their groups.
    #[inline]
    pub(crate) fn update(states: &mut [Self], groups: Groups<'_>, column: &Column<'_>) {
        column.numbers(|row, number| {
            let state = &mut states[groups.of(row)];
            state.count += 1;
            match number {
                Number::Integer(n) => state.add_integer(n),
                Number::Double(x) => state.add_double(x),
                // The square of one of more than 64 bits does not fit an addition.
                Number::Long(_) => state.add_double(number.to_f64()),
            }
        });
    }

    #[inline]
    fn add_integer(&mut self, n: i64) {
        let magnitude = u128::from(n.unsigned_abs());
        self.sum.add(n < 0, magnitude, 0);
        self.squares.add(false, magnitude * magnitude, 0);
    }

    #[inline]
    fn add_double(&mut self, x: f64) {
        if !x.is_finite() {
            self.infinite = true;
            return;
        }
        let (negative, mantissa, exponent) = parts(x);
        let mantissa = u128::from(mantissa);
        self.sum.add(negative, mantissa, exponent);
        self.squares.add(false, mantissa * mantissa, 2 * exponent);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        self.infinite |= other.infinite;
    }

    /// The variance of all, not of a sample of more; none of nothing.
    pub(crate) fn variance(&self) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        if self.infinite {
            return Some(f64::NAN);
        }
        let ((sum, unit), (squares, square_unit)) = (self.sum.to_big(), self.squares.to_big());
        let (left, right) = (squares * self.count, &sum * &sum);
        let unit = square_unit.min(2 * unit);
        let left = left << (square_unit - unit).unsigned_abs();
        let right = right << (2 * self.sum.to_big().1 - unit).unsigned_abs();
        // By the inequality of Cauchy and Schwarz it is not negative; of damaged sums it may be.
        let numerator = (left - right).to_biguint().unwrap_or_default();
        let count = num_bigint::BigUint::from(self.count);
        Some(ratio(&numerator, &(&count * &count), unit))
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.put_u64(self.count);
        bytes.push(u8::from(self.infinite));
        self.sum.encode(bytes);
        self.squares.encode(bytes);
    }

    pub(crate) fn decode(bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (count, infinite) = (bytes.records()?, bytes.flag()?);
        Ok(Self { count, infinite, sum: Exact::decode(bytes)?, squares: Exact::decode(bytes)? })
    }

    pub(crate) fn heap(&self) -> usize {
        self.sum.heap() + self.squares.heap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn variance(numbers: &[f64]) -> f64 {
        let mut state = [Moments::default()];
        Moments::update(&mut state, Groups::One, &Column::floats(numbers));
        state[0].variance().unwrap()
    }

    #[test]
    fn variances_are_never_negative_and_exact_where_floats_cancel() {
        assert_eq!(variance(&[0.1; 7]), 0.0);
        assert_eq!(variance(&[1e15 + 1.0, 1e15 + 2.0, 1e15 + 3.0]), 2.0 / 3.0);
        assert_eq!(variance(&[1e300, -1e300]), f64::INFINITY);
        assert_eq!(variance(&[1e150, -1e150]), 1e150 * 1e150);
        assert_eq!(variance(&[5e-324, 0.0]), 0.0);
        assert!(variance(&[f64::INFINITY, 1.0]).is_nan());
    }

    #[test]
    fn integers_from_2_to_the_53_on_are_exact() {
        let variance = |numbers: &[i64]| {
            let mut state = [Moments::default()];
            Moments::update(&mut state, Groups::One, &Column::integers(numbers));
            state[0].variance().unwrap()
        };
        let large = 9_007_199_254_740_993;
        assert_eq!(variance(&[large, large + 2]), 1.0);
        assert_eq!(variance(&[large - 1, large]), 0.25);
        assert_eq!(variance(&[i64::MIN, i64::MIN + 2, i64::MIN + 4]), 8.0 / 3.0);
        assert_eq!(variance(&[i64::MIN, i64::MAX]), (2_f64.powi(64) - 1.0).powi(2) / 4.0);
    }

    proptest! {
        #[test]
        fn variances_are_those_of_the_definition(numbers in prop::collection::vec(-1e3..1e3_f64, 1..50)) {
            let n = numbers.len() as f64;
            let mean = numbers.iter().sum::<f64>() / n;
            let expected = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let ours = variance(&numbers);
            prop_assert!((ours - expected).abs() <= 1e-9 * expected.max(1.0), "{} {}", ours, expected);
        }
    }
}
