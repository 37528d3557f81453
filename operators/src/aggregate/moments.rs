//! The exact sums of numbers and of their squares: what variances hold for a group.
//!
//! Updating a mean and a sum of squared differences, as Welford and Chan do, is stable, but what it
//! gives depends in its last digits on how the input was cut. With exact sums of `x` and `x^2` the
//! variance is one fraction of integers, `(n * sum(x^2) - sum(x)^2) / n^2`, that is rounded once: it
//! is never negative, and bit-equal whatever the cuts.

use num_bigint::{BigInt, BigUint, Sign};

use super::exact::{Exact, parts, ratio};
use super::{Damaged, Reader, Writer};
use crate::column::{Column, Groups, Number};

#[derive(Default)]
pub(crate) struct Moments {
    count: u64,
    sum: Exact<2>,
    squares: Exact<4>,
    /// The sums of integers beyond 64 bits, whose squares an addition has no room for, and of their squares.
    long: Option<Box<(BigInt, BigUint)>>,
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
                Number::Long(digits) => state.add_long(&digits),
            }
        });
    }

    #[inline]
    fn add_integer(&mut self, n: i64) {
        let magnitude = u128::from(n.unsigned_abs());
        self.sum.add(n < 0, magnitude, 0);
        self.squares.add(false, magnitude * magnitude, 0);
    }

    #[cold]
    fn add_long(&mut self, digits: &str) {
        let integer: BigInt = digits.parse().unwrap_or_default();
        let (sum, squares) = &mut **self.long.get_or_insert_default();
        *squares += integer.magnitude() * integer.magnitude();
        *sum += integer;
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
        if let Some(other) = &other.long {
            let (sum, squares) = &mut **self.long.get_or_insert_default();
            *sum += &other.0;
            *squares += &other.1;
        }
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
        let ((sum, sum_unit), (squares, square_unit)) = (self.sum.to_big(), self.squares.to_big());
        // In units of one power of two for the sum, and of its square for the squares.
        let unit = sum_unit.min(square_unit.div_euclid(2)).min(0);
        let mut sum = sum << (sum_unit - unit).unsigned_abs();
        let mut squares = squares << (square_unit - 2 * unit).unsigned_abs();
        if let Some(long) = &self.long {
            sum += &long.0 << unit.unsigned_abs();
            squares += BigInt::from(&long.1 << (2 * unit).unsigned_abs());
        }
        let (left, right) = (squares * self.count, &sum * &sum);
        // By the inequality of Cauchy and Schwarz it is not negative; of damaged sums it may be.
        let numerator = (left - right).to_biguint().unwrap_or_default();
        let count = BigUint::from(self.count);
        Some(ratio(&numerator, &(&count * &count), 2 * unit))
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.put_u64(self.count);
        bytes.push(u8::from(self.infinite));
        self.sum.encode(bytes);
        self.squares.encode(bytes);
        bytes.push(u8::from(self.long.is_some()));
        if let Some(long) = &self.long {
            bytes.push(u8::from(long.0.sign() == Sign::Minus));
            bytes.put_bytes(&long.0.magnitude().to_bytes_le());
            bytes.put_bytes(&long.1.to_bytes_le());
        }
    }

    pub(crate) fn decode(bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (count, infinite) = (bytes.records()?, bytes.flag()?);
        let (sum, squares) = (Exact::decode(bytes)?, Exact::decode(bytes)?);
        let long = match bytes.flag()? {
            false => None,
            true => {
                let sign = if bytes.flag()? { Sign::Minus } else { Sign::Plus };
                let sum = BigInt::from_biguint(sign, BigUint::from_bytes_le(bytes.bytes()?));
                Some(Box::new((sum, BigUint::from_bytes_le(bytes.bytes()?))))
            }
        };
        Ok(Self { count, infinite, sum, squares, long })
    }

    pub(crate) fn heap(&self) -> usize {
        let words = |bits: u64| bits as usize / 8 + 32;
        let long = self.long.as_ref().map_or(0, |long| words(long.0.bits()) + words(long.1.bits()));
        self.sum.heap() + self.squares.heap() + long
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{Form, Span};
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

    #[test]
    fn integers_beyond_64_bits_are_exact() {
        let variance = |numbers: &[&str]| {
            let mut halves = numbers.chunks(numbers.len().div_ceil(2)).map(|numbers| {
                let (text, mut at) = (numbers.concat(), 0);
                let spans = numbers.iter().map(|number| {
                    at += number.len();
                    Span::new(at - number.len(), at)
                });
                let spans: Vec<_> = spans.collect();
                let mut state = [Moments::default()];
                Moments::update(&mut state, Groups::One, &Column::texts(Form::Json, &text, &spans));
                let mut bytes = Vec::new();
                state[0].encode(&mut bytes);
                let mut reader = Reader::new(&bytes);
                let decoded = Moments::decode(&mut reader).unwrap();
                assert!(reader.end().is_ok());
                decoded
            });
            let mut all = halves.next().unwrap();
            halves.for_each(|half| all.merge(&half));
            all.variance().unwrap()
        };
        assert_eq!(variance(&["9223372036854775808", "9223372036854775809"]), 0.25);
        assert_eq!(variance(&["18446744073709551616", "18446744073709551618"]), 1.0);
        assert_eq!(variance(&["-18446744073709551616", "-18446744073709551618"]), 1.0);
        let huge = format!("1{}", "0".repeat(400));
        let next = format!("1{}6", "0".repeat(399));
        assert_eq!(variance(&[&huge, &next]), 9.0);
        assert_eq!(variance(&[&huge, &huge, &huge]), 0.0);
        assert_eq!(variance(&[&huge, "0"]), f64::INFINITY);
        // With doubles among them, and with an addition of a fraction.
        assert_eq!(variance(&["9223372036854775808", "9223372036854775808.0"]), 0.0);
        assert_eq!(variance(&["18446744073709551617", "18446744073709551616.0"]), 0.25);
        assert_eq!(
            variance(&["18446744073709551616", "-18446744073709551616", "0.5"]),
            "226854911280625642308916404954512140970.72222222222222".parse::<f64>().unwrap()
        );
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
