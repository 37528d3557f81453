//! The sum of numbers of any kind and size: what sums and means hold, of typed records and of groups.

use std::fmt;

use num_bigint::{BigInt, BigUint, Sign};

use super::exact::{Exact, ratio, round};
use super::{Damaged, Reader, Writer};
use crate::column::Number;

/// The exact sum of any numbers: rounded only when it is asked for, to the nearest `f64`.
///
/// The order in which numbers and sums are added never shows. A sum takes 48 bytes; what is past its
/// window, of 128 bits, is on the heap.
///
/// ```
/// use creel_operators::ExactSum;
///
/// let mut sum = ExactSum::default();
/// [1e16, 1.0, -1e16, 0.5].into_iter().for_each(|x| sum.add(x));
/// assert_eq!(sum.value(), 1.5);
/// ```
#[derive(Clone, Default)]
pub struct ExactSum {
    exact: Exact<2>,
    /// Integers beyond 128 bits.
    huge: Option<Box<BigInt>>,
    seen: u8,
}

/// A double was added.
const DOUBLE: u8 = 1;
/// A double that is no negative zero: only those make a negative zero.
const OTHER: u8 = 2;
const NAN: u8 = 4;
const INFINITY: u8 = 8;
const NEGATIVE_INFINITY: u8 = 16;

/// A sum, as far as it is known what to make of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    /// An integer that does not fit.
    Huge(BigInt),
    Double(f64),
}

impl fmt::Debug for ExactSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExactSum").field(&self.value()).finish()
    }
}

impl ExactSum {
    /// Adds a number of a column.
    #[inline]
    pub(crate) fn add_number(&mut self, number: &Number<'_>) {
        match number {
            Number::Integer(integer) => self.exact.add_integer(i128::from(*integer)),
            Number::Double(double) => self.add(*double),
            Number::Long(digits) => self.add_long(digits),
        }
    }

    /// Adds an integer.
    #[inline]
    pub(crate) fn add_integer(&mut self, integer: i128) {
        self.exact.add_integer(integer);
    }

    /// Adds a double.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// let mut sum = ExactSum::default();
    /// sum.add(0.25);
    /// assert_eq!(sum.value(), 0.25);
    /// ```
    #[inline]
    pub fn add(&mut self, x: f64) {
        const NEGATIVE_ZERO: u64 = 1 << 63;
        if x.is_finite() {
            self.seen |= if x.to_bits() == NEGATIVE_ZERO { DOUBLE } else { DOUBLE | OTHER };
            self.exact.add_double(x);
        } else {
            self.add_infinite(x);
        }
    }

    #[cold]
    fn add_infinite(&mut self, x: f64) {
        self.seen |= match x {
            f64::INFINITY => DOUBLE | INFINITY,
            f64::NEG_INFINITY => DOUBLE | NEGATIVE_INFINITY,
            _ => DOUBLE | NAN,
        };
    }

    #[cold]
    fn add_long(&mut self, digits: &str) {
        match digits.parse::<i128>() {
            Ok(integer) => self.exact.add_integer(integer),
            Err(_) => self.add_huge(&digits.parse().unwrap_or_default()),
        }
    }

    fn add_huge(&mut self, integer: &BigInt) {
        **self.huge.get_or_insert_default() += integer;
    }

    /// Adds all that another sum holds.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// let (mut a, mut b) = (ExactSum::default(), ExactSum::default());
    /// a.add(1e300);
    /// b.add(-1e300);
    /// b.add(1.0);
    /// a.add_sum(&b);
    /// assert_eq!(a.value(), 1.0);
    /// ```
    pub fn add_sum(&mut self, other: &Self) {
        self.exact.merge(&other.exact);
        self.seen |= other.seen;
        if let Some(huge) = &other.huge {
            self.add_huge(huge);
        }
    }

    /// The sum: of integers an integer, and one double makes it a double.
    pub(crate) fn sum(&self) -> Value {
        if self.seen & DOUBLE != 0 {
            return Value::Double(self.value());
        }
        let huge = self.huge.as_deref();
        let sum = self.exact.to_integer().unwrap_or_default() + huge.unwrap_or(&BigInt::ZERO);
        match i64::try_from(&sum) {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::Huge(sum),
        }
    }

    /// The sum, rounded to the nearest `f64`, ties to even. It is infinite beyond all of them, or if a
    /// number was; it is NaN if one was, or with both infinities.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// assert_eq!(ExactSum::default().value(), 0.0);
    /// ```
    pub fn value(&self) -> f64 {
        let infinities = self.seen & (INFINITY | NEGATIVE_INFINITY);
        if self.seen & NAN != 0 || infinities == INFINITY | NEGATIVE_INFINITY {
            return f64::NAN;
        }
        match infinities {
            INFINITY => return f64::INFINITY,
            NEGATIVE_INFINITY => return f64::NEG_INFINITY,
            _ => {}
        }
        let sum = match &self.huge {
            None => self.exact.to_f64(),
            Some(huge) => {
                let (sum, unit) = self.to_big(huge);
                let magnitude = round(&sum.magnitude().to_u64_digits(), unit);
                if sum < BigInt::ZERO { -magnitude } else { magnitude }
            }
        };
        let negative_zeros = self.seen & (DOUBLE | OTHER) == DOUBLE;
        if sum == 0.0 && negative_zeros { -0.0 } else { sum }
    }

    /// The sum as an integer, times a power of two that is none or negative.
    fn to_big(&self, huge: &BigInt) -> (BigInt, i32) {
        let (sum, unit) = self.exact.to_big();
        match u32::try_from(unit) {
            Ok(unit) => ((sum << unit) + huge, 0),
            Err(_) => (sum + (huge << unit.unsigned_abs()), unit),
        }
    }

    /// The sum divided by `n`, how many numbers there are, rounded once; `None` if `n` is zero.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// let mut sum = ExactSum::default();
    /// [1e308, 1e308].into_iter().for_each(|x| sum.add(x));
    /// assert_eq!(sum.mean(2), Some(1e308));
    /// assert_eq!(ExactSum::default().mean(0), None);
    /// ```
    pub fn mean(&self, n: u64) -> Option<f64> {
        if n == 0 {
            return None;
        }
        if self.seen & (NAN | INFINITY | NEGATIVE_INFINITY) != 0 {
            return Some(self.value());
        }
        let mean = match &self.huge {
            None => self.exact.divided(n),
            Some(huge) => {
                let (sum, unit) = self.to_big(huge);
                let mean = ratio(sum.magnitude(), &n.into(), unit);
                if sum.sign() == Sign::Minus { -mean } else { mean }
            }
        };
        let negative_zeros = self.seen & (DOUBLE | OTHER) == DOUBLE;
        Some(if mean == 0.0 && negative_zeros { -0.0 } else { mean })
    }

    /// Appends the sum to bytes: equal sums are equal bytes.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// use creel_operators::aggregate::Reader;
    ///
    /// let (mut sum, mut bytes) = (ExactSum::default(), Vec::new());
    /// sum.add(0.1);
    /// sum.encode(&mut bytes);
    /// assert_eq!(ExactSum::decode(&mut Reader::new(&bytes)).unwrap().value(), 0.1);
    /// ```
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.seen);
        // Integers are in one place or the other as they came: here they are in one.
        match &self.huge {
            None => {
                self.exact.encode(bytes);
                bytes.push(0);
            }
            Some(huge) => {
                let (sum, unit) = self.to_big(huge);
                put_big(&sum, unit, bytes);
            }
        }
    }

    /// Reads a sum.
    ///
    /// # Errors
    ///
    /// If no sum was encoded as these bytes.
    pub fn decode(bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let damaged = bytes.damaged("no sum");
        let seen = bytes.byte()?;
        let flags = DOUBLE | OTHER | NAN | INFINITY | NEGATIVE_INFINITY;
        if seen & !flags != 0 || (seen != 0 && seen & DOUBLE == 0) {
            return Err(damaged);
        }
        let exact = Exact::decode(bytes)?;
        let negative = match bytes.byte()? {
            0 => return Ok(Self { exact, huge: None, seen }),
            sign @ (1 | 2) => sign == 2,
            _ => return Err(damaged),
        };
        let magnitude = BigUint::from_bytes_le(bytes.bytes()?) << PART;
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        let huge = BigInt::from_biguint(sign, magnitude);
        Ok(Self { exact, huge: Some(Box::new(huge)), seen })
    }

    /// The bytes of memory that it points to: what [`PerGroup::heap`](super::PerGroup::heap) adds for it.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// let mut sum = ExactSum::default();
    /// sum.add(1.0);
    /// assert_eq!(sum.heap(), 0);
    /// // The window of 128 bits does not hold both.
    /// sum.add(1e300);
    /// assert!(sum.heap() > 0);
    /// ```
    pub fn heap(&self) -> usize {
        let huge = self.huge.as_ref().map_or(0, |huge| huge.bits() as usize / 8 + 32);
        self.exact.heap() + huge
    }
}

/// Appends a sum of any size: the part that an [`Exact`] takes, and what is above, if anything is.
fn put_big(sum: &BigInt, unit: i32, bytes: &mut Vec<u8>) {
    let (negative, part) = (sum.sign() == Sign::Minus, u64::from(unit.unsigned_abs()) + PART);
    let mut high = sum.magnitude() >> part;
    let mut low = sum.magnitude() - (&high << part);
    if sum.bits() <= part + (FITS - PART) {
        (low, high) = (sum.magnitude().clone(), BigUint::ZERO);
    }
    let mut exact = Exact::<2>::default();
    for (at, word) in low.to_u64_digits().into_iter().enumerate() {
        exact.add(negative, u128::from(word), unit + 64 * at as i32);
    }
    exact.encode(bytes);
    if high == BigUint::ZERO {
        return bytes.push(0);
    }
    bytes.push(1 + u8::from(negative));
    bytes.put_bytes(&high.to_bytes_le());
}

/// An integer of so many bits is an [`Exact`], as sums of doubles are, which are far smaller.
const FITS: u64 = 2000;
/// Of a longer one the bits below this are.
const PART: u64 = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::shortest;
    use proptest::prelude::*;

    fn total(numbers: &[&str]) -> ExactSum {
        let mut total = ExactSum::default();
        numbers.iter().for_each(|number| total.add_number(&Number::of(number)));
        total
    }

    fn sum(numbers: &[&str]) -> String {
        match total(numbers).sum() {
            Value::Integer(integer) => integer.to_string(),
            Value::Huge(huge) => huge.to_string(),
            Value::Double(double) => shortest(double),
        }
    }

    fn bytes(total: &ExactSum) -> Vec<u8> {
        let mut bytes = Vec::new();
        total.encode(&mut bytes);
        bytes
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
            (&["9007199254740993", "1.0"], "9007199254740994.0"),
            (&["9007199254740993", "0.5", "-9007199254740993"], "0.5"),
            (&["36893488147419103233", "1e-3", "-36893488147419103232"], "1.001"),
            (&["1e308", "1e308"], "1.7976931348623157e308"),
            (&["-1e308", "-1e308"], "-1.7976931348623157e308"),
            (&["1e400", "-1e400"], "0"),
            (&["1e308", "1e308", "-1e308"], "1e308"),
            (&["-0.0"], "-0"),
            (&["-0.0", "1", "-1"], "-0"),
            (&["-0.0", "0.0"], "0"),
        ] {
            assert_eq!(sum(numbers), expected, "{numbers:?}");
        }
        let huge = format!("-1{}", "0".repeat(400));
        assert_eq!(sum(&[&huge, "0.5"]), "-1.7976931348623157e308");
        assert_eq!(sum(&[&huge, "0.5", &huge[1..]]), "0.5");
    }

    #[test]
    fn means_are_rounded_once() {
        let mean = |numbers: &[&str]| total(numbers).mean(numbers.len() as u64).unwrap();
        assert_eq!(mean(&["1.5e308", "1.7e308"]), 1.6e308);
        assert_eq!(mean(&["0.1", "0.5", "-0.1", "0.1", "-0.1", "0.1", "0.1"]), 0.1);
        assert_eq!(mean(&["9007199254740993"; 3]), 9_007_199_254_740_992.0);
        assert_eq!(mean(&["9007199254740993", "9007199254740994"]), 9_007_199_254_740_994.0);
        assert_eq!(mean(&["5e-324", "0.0"]).to_bits(), 0.0_f64.to_bits());
        assert_eq!(mean(&["-0.0", "-0.0"]).to_bits(), (-0.0_f64).to_bits());
        let huge = format!("3{}", "0".repeat(300));
        assert_eq!(mean(&[&huge, "0", "0"]), 1e300);
        let infinite = [Number::Double(f64::INFINITY), Number::Double(1.0)];
        let mut total = ExactSum::default();
        infinite.iter().for_each(|number| total.add_number(number));
        assert_eq!(total.mean(2), Some(f64::INFINITY));
        assert_eq!(total.mean(0), None);
    }

    proptest! {
        #[test]
        fn the_order_of_numbers_and_of_states_does_not_show(
            numbers in prop::collection::vec("-?(0|[1-9][0-9]{0,45})(\\.[0-9]{1,3})?", 0..20),
            integers in prop::collection::vec("-?[1-9][0-9]{0,45}", 0..20),
            cut in 0..20_usize,
        ) {
            for numbers in [numbers, integers.clone()] {
                let refs: Vec<&str> = numbers.iter().map(String::as_str).collect();
                let (left, right) = refs.split_at(cut.min(refs.len()));
                let (mut merged, right) = (total(right), total(left));
                merged.add_sum(&right);
                let all = total(&refs);
                prop_assert_eq!(merged.sum(), all.sum());
                prop_assert_eq!(bytes(&merged), bytes(&all));
                let encoded = bytes(&all);
                let decoded = ExactSum::decode(&mut Reader::new(&encoded)).unwrap();
                prop_assert_eq!(decoded.sum(), all.sum());
                prop_assert_eq!(bytes(&decoded), encoded);
            }
            for count in [integers.len() as u64, 1, 3, u64::MAX] {
                // By fractions of integers, and not by words of a window.
                let total = total(&integers.iter().map(String::as_str).collect::<Vec<_>>());
                let (sum, unit) = total.to_big(&BigInt::from(0));
                if total.huge.is_none() && count > 0 {
                    let mean = ratio(sum.magnitude(), &count.into(), unit);
                    prop_assert_eq!(total.mean(count).unwrap().abs().to_bits(), mean.to_bits());
                }
            }
            let expected: BigInt = integers.iter().map(|n| n.parse::<BigInt>().unwrap()).sum();
            let integers: Vec<&str> = integers.iter().map(String::as_str).collect();
            prop_assert_eq!(sum(&integers), expected.to_string());
        }
    }
}
