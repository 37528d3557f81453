//! Sums of numbers of JSON: of integers exact at any size, of doubles rounded once.

use creel_operators::ExactSum;
use num_bigint::{BigInt, Sign};

use crate::record::json::{self, Number};

/// The sum of numbers.
///
/// Of integers it is the integer that they add up to, however large. With one number among them that
/// has a fraction or an exponent, it is the double closest to the true sum of all. The order in which
/// numbers and sums are added does not show.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    /// Integers, as long as their sum fits.
    small: i128,
    /// Those that did not fit, and the sums that did not.
    large: Option<Box<BigInt>>,
    doubles: Option<Box<ExactSum>>,
}

impl Sum {
    /// Adds a checked number, as written.
    #[inline]
    pub(crate) fn add(&mut self, raw: &str) {
        match json::number(raw) {
            Number::Integer(n) => self.add_integer(i128::from(n)),
            Number::Double(x) => self.doubles.get_or_insert_default().add(x),
            Number::Long(digits) => match digits.parse::<i128>() {
                Ok(n) => self.add_integer(n),
                Err(_) => self.add_large(&digits.parse().unwrap_or_default()),
            },
        }
    }

    /// Adds an integer.
    #[inline]
    pub(crate) fn add_integer(&mut self, n: i128) {
        match self.small.checked_add(n) {
            Some(sum) => self.small = sum,
            None => {
                let full = BigInt::from(std::mem::replace(&mut self.small, n));
                self.add_large(&full);
            }
        }
    }

    #[cold]
    fn add_large(&mut self, n: &BigInt) {
        **self.large.get_or_insert_default() += n;
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: Self) {
        self.add_integer(other.small);
        if let Some(large) = other.large {
            self.add_large(&large);
        }
        if let Some(doubles) = other.doubles {
            self.doubles.get_or_insert_default().add_sum(&doubles);
        }
    }

    /// The sum as JSON.
    pub(crate) fn finish(self) -> String {
        let integers = match self.large {
            None if self.doubles.is_none() => return self.small.to_string(),
            large => BigInt::from(self.small) + large.map_or_else(BigInt::default, |large| *large),
        };
        let Some(mut sum) = self.doubles else { return integers.to_string() };
        // An integer of zero would take the sign of a sum of negative zeros.
        if integers.sign() != Sign::NoSign {
            add_exactly(&mut sum, &integers);
        }
        json::shortest(sum.value())
    }
}

/// Adds an integer without rounding it: by pieces of 32 bits, which are doubles. One that no double
/// comes near is infinite.
fn add_exactly(sum: &mut ExactSum, integer: &BigInt) {
    let (sign, pieces) = integer.to_u32_digits();
    let sign = if sign == Sign::Minus { -1.0 } else { 1.0 };
    if integer.bits() > f64::MAX_EXP as u64 {
        return sum.add(sign * f64::INFINITY);
    }
    for (n, piece) in pieces.into_iter().enumerate() {
        let power = f64::from_bits((1023 + 32 * n as u64) << 52);
        sum.add(sign * f64::from(piece) * power);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(numbers: &[&str]) -> String {
        let mut sum = Sum::default();
        numbers.iter().for_each(|number| sum.add(number));
        sum.finish()
    }

    #[test]
    fn integers_add_up_exactly_at_any_size() {
        let nines = "9".repeat(400);
        let next = format!("1{}", "0".repeat(400));
        let most = i128::MAX.to_string();
        for (numbers, expected) in [
            (&[][..], "0"),
            (&["18446744073709551615", "18446744073709551614"], "36893488147419103229"),
            (&[&*most, "1"], "170141183460469231731687303715884105728"),
            (&[&*most, &*most, "-1"], "340282366920938463463374607431768211453"),
            (
                &["-170141183460469231731687303715884105729", "-0"],
                "-170141183460469231731687303715884105729",
            ),
            (&[&*nines, "1"], &*next),
            (&[&*next, "-1"], &*nines),
        ] {
            assert_eq!(sum(numbers), expected);
        }
    }

    #[test]
    fn one_double_makes_the_sum_a_double_that_is_rounded_once() {
        for (numbers, expected) in [
            (&["1.0", "2"][..], "3"),
            (&["0.1", "0.2", "-0.3"], "2.7755575615628914e-17"),
            (&["9007199254740993", "1.0"], "9007199254740994"),
            (&["9007199254740993", "0.5", "-9007199254740993"], "0.5"),
            (&["36893488147419103233", "1e-3", "-36893488147419103232"], "1.001"),
            (&["1e308", "1e308"], "1.7976931348623157e308"),
            (&["-1e308", "-1e308"], "-1.7976931348623157e308"),
            (&["1e400", "-1e400"], "0"),
            (&["1e308", "1e308", "-1e308"], "1e308"),
            (&["-0.0"], "-0"),
        ] {
            assert_eq!(sum(numbers), expected, "{numbers:?}");
        }
        let huge = format!("-1{}", "0".repeat(400));
        assert_eq!(sum(&[&huge, "0.5"]), "-1.7976931348623157e308");
    }

    proptest! {
        #[test]
        fn the_order_of_numbers_and_lanes_does_not_show(
            numbers in prop::collection::vec("-?(0|[1-9][0-9]{0,45})(\\.[0-9]{1,3})?", 0..20),
            integers in prop::collection::vec("-?[1-9][0-9]{0,45}", 0..20),
            cut in 0..20_usize,
        ) {
            for numbers in [numbers, integers.clone()] {
                let refs: Vec<&str> = numbers.iter().map(String::as_str).collect();
                let (left, right) = refs.split_at(cut.min(refs.len()));
                let (mut a, mut b) = (Sum::default(), Sum::default());
                left.iter().for_each(|number| b.add(number));
                right.iter().rev().for_each(|number| a.add(number));
                a.merge(b);
                prop_assert_eq!(a.finish(), sum(&refs));
            }
            let expected: BigInt = integers.iter().map(|n| n.parse::<BigInt>().unwrap()).sum();
            let integers: Vec<&str> = integers.iter().map(String::as_str).collect();
            prop_assert_eq!(sum(&integers), expected.to_string());
        }
    }
}
