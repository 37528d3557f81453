//! Numbers of JSON by value: `1`, `1.0` and `1e0` are one.
//!
//! A number without fraction and exponent is the integer that it is written as; any other is the
//! closest double, and beyond the largest that one, as in jq. So identifiers above 2^53 stay apart.
//!
//! A number that is written is the shortest text that reads back as the same number. It has an
//! exponent where jq writes one: below 0.0001, and where more than 15 zeros would stand at the end.
//! The exception are integers of up to 21 digits, as in JavaScript: all of 64 bits are among them.

use std::borrow::Cow;

use super::Datum;

/// An integer with more digits than this is taken as the largest double: to convert a number between
/// bases takes time by the square of its length, and input is hostile.
const LONGEST: usize = 50_000;

/// The most significant digits of a double.
const DOUBLE_DIGITS: usize = 17;

/// Integers of up to this many digits are written without an exponent.
const PLAIN_DIGITS: i32 = 21;

/// Zeros that may stand at the end of a number before it is written with an exponent, as in jq.
const PLAIN_ZEROS: i32 = 15;

/// Powers of ten that are doubles exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Integers below this are doubles exactly.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number, as far as it can be added up.
///
/// ```
/// use creel_operators::column::Number;
///
/// assert_eq!(Number::of("-12"), Number::Integer(-12));
/// assert_eq!(Number::of("1.50"), Number::Double(1.5));
/// assert!(matches!(Number::of("18446744073709551616"), Number::Long(_)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Number<'r> {
    /// An integer of 64 bits.
    Integer(i64),
    /// An integer that is longer, as written: a sign and at most 50,000 digits.
    Long(Cow<'r, str>),
    /// A number with a fraction or an exponent: the closest double.
    Double(f64),
}

impl<'r> Number<'r> {
    /// The value of a checked number of JSON. Of any other text it is zero, or what its beginning
    /// stands for.
    #[inline]
    pub fn of(raw: &'r str) -> Self {
        quick(raw).unwrap_or_else(|| Self::careful(raw))
    }

    #[cold]
    fn careful(raw: &'r str) -> Self {
        match raw.parse() {
            Ok(integer) => Self::Integer(integer),
            Err(_) if is_integer(raw) => Self::Long(Cow::Borrowed(raw)),
            Err(_) => Self::Double(double(raw)),
        }
    }

    /// The number as a value of a column.
    ///
    /// ```
    /// use creel_operators::column::{Datum, Number};
    ///
    /// assert!(matches!(Number::of("12").datum(), Datum::Integer(12)));
    /// ```
    pub fn datum(&self) -> Datum<'_> {
        match self {
            Self::Integer(integer) => Datum::Integer(*integer),
            Self::Long(digits) => Datum::Number(digits),
            Self::Double(double) => Datum::Float(*double),
        }
    }

    /// The closest double; of integers beyond the largest double, that one.
    ///
    /// ```
    /// use creel_operators::column::Number;
    ///
    /// assert_eq!(Number::Integer(3).to_f64(), 3.0);
    /// assert_eq!(Number::of(&"9".repeat(400)).to_f64(), f64::MAX);
    /// ```
    #[inline]
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::Integer(integer) => *integer as f64,
            Self::Long(digits) => double(digits),
            Self::Double(double) => *double,
        }
    }
}

/// The integer that a number of at most 18 digits, and nothing else, is; `None` of any other text.
///
/// ```
/// use creel_operators::column::small_integer;
///
/// assert_eq!(small_integer("-12"), Some(-12));
/// assert!(small_integer("1.0").is_none() && small_integer("").is_none());
/// ```
#[inline]
pub fn small_integer(raw: &str) -> Option<i64> {
    let (digits, sign) = match raw.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (raw, 1),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits.bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(sign * value)
}

/// The value of a number of at most 18 digits without an exponent, if the closest double is found by
/// one division of two numbers that are doubles exactly.
#[inline]
fn quick<'r>(raw: &str) -> Option<Number<'r>> {
    let bytes = raw.as_bytes();
    let (digits, negative) = match bytes {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let (mut value, mut point) = (0_u64, None);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
            b'.' if point.is_none() && at > 0 => point = Some(at),
            _ => return None,
        }
    }
    match point {
        None if digits.len() <= 18 => {
            let value = value as i64;
            Some(Number::Integer(if negative { -value } else { value }))
        }
        Some(point) if value < EXACT as u64 && point + 1 < digits.len() => {
            let value = value as f64 / POWERS[digits.len() - 1 - point];
            Some(Number::Double(if negative { -value } else { value }))
        }
        _ => None,
    }
}

/// Whether a number is the integer that it is written as.
fn is_integer(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let range = 1..=LONGEST;
    range.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The closest double; beyond the largest, that one, as in jq.
fn double(raw: &str) -> f64 {
    raw.parse::<f64>().unwrap_or(0.0).clamp(f64::MIN, f64::MAX)
}

/// The value of a number, the same for all of its spellings: 0.`digits` times ten to the power of
/// `point`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal<'r> {
    pub(super) negative: bool,
    /// Without zeros at either end; none at all for zero, which has no sign.
    pub(super) digits: Cow<'r, str>,
    pub(super) point: i32,
}

impl<'r> Decimal<'r> {
    /// The value of a checked number.
    pub(super) fn of(raw: &'r str) -> Self {
        if !is_integer(raw) {
            return Self::of_double(double(raw));
        }
        let (negative, digits) = match raw.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, raw),
        };
        let digits = digits.trim_start_matches('0');
        let point = digits.len() as i32;
        let digits = digits.trim_end_matches('0');
        Self { negative: negative && !digits.is_empty(), digits: digits.into(), point }
    }

    /// The value of a finite double, in the fewest digits that tell it from all others.
    pub(super) fn of_double(double: f64) -> Self {
        let written = format!("{:e}", double.abs());
        let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
        let digits = digits.replace('.', "");
        let digits = digits.trim_matches('0').to_owned();
        // The one digit before the point is no zero but in zero itself.
        let point = exponent.parse::<i32>().unwrap_or(0) + i32::from(!digits.is_empty());
        Self { negative: double < 0.0, digits: digits.into(), point }
    }

    /// The integer that it is, if it fits in 64 bits.
    pub(super) fn to_i64(&self) -> Option<i64> {
        let zeros = usize::try_from(self.point).ok()?.checked_sub(self.digits.len())?;
        let digits: i128 = if self.digits.is_empty() { 0 } else { self.digits.parse().ok()? };
        let value = digits.checked_mul(10_i128.checked_pow(u32::try_from(zeros).ok()?)?)?;
        i64::try_from(if self.negative { -value } else { value }).ok()
    }

    /// Appends the number as JSON.
    pub(super) fn write(&self, out: &mut String) {
        if self.negative {
            out.push('-');
        }
        let start = out.len();
        if self.has_exponent() {
            self.write_with_exponent(out);
            // An integer of many digits is no double, and would come back as another number.
            let read = Decimal::of(&out[start..]);
            if (&read.digits, read.point) == (&self.digits, self.point) {
                return;
            }
            out.truncate(start);
        }
        self.write_plain(out);
    }

    fn has_exponent(&self) -> bool {
        let digits = self.digits.len() as i32;
        let zeros = self.point > PLAIN_DIGITS && self.point > digits + PLAIN_ZEROS;
        self.digits.len() <= DOUBLE_DIGITS && (self.point <= -4 || zeros)
    }

    fn write_with_exponent(&self, out: &mut String) {
        let (first, rest) = self.digits.split_at(self.digits.len().min(1));
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        out.push('e');
        out.push_str(&(self.point - 1).to_string());
    }

    fn write_plain(&self, out: &mut String) {
        let digits = &*self.digits;
        let zeros = |n: i32| std::iter::repeat_n('0', usize::try_from(n).unwrap_or(0));
        match usize::try_from(self.point) {
            _ if digits.is_empty() => out.push('0'),
            Ok(point) if point >= digits.len() => {
                out.push_str(digits);
                out.extend(zeros((point - digits.len()) as i32));
            }
            Ok(point @ 1..) => {
                out.push_str(&digits[..point]);
                out.push('.');
                out.push_str(&digits[point..]);
            }
            _ => {
                out.push_str("0.");
                out.extend(zeros(-self.point));
                out.push_str(digits);
            }
        }
    }
}

/// A double as JSON. JSON has no infinities and no NaN: as in jq they are the largest doubles and
/// null.
///
/// ```
/// use creel_operators::column::shortest;
///
/// assert_eq!((shortest(1.5), shortest(1e300)), ("1.5".to_owned(), "1e300".to_owned()));
/// assert_eq!((shortest(-0.0), shortest(f64::NAN)), ("-0".to_owned(), "null".to_owned()));
/// ```
pub fn shortest(double: f64) -> String {
    if double.is_nan() {
        return "null".to_owned();
    }
    let mut out = String::new();
    // As in jq, a zero has its sign.
    if double == 0.0 && double.is_sign_negative() {
        out.push('-');
    }
    Decimal::of_double(double.clamp(f64::MIN, f64::MAX)).write(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_are_written_as_jq_does_but_for_integers_of_64_bits() {
        for (double, written) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1e15, "1000000000000000"),
            (1e17, "100000000000000000"),
            (1e19, "10000000000000000000"),
            (18_446_744_073_709_551_615.0, "18446744073709552000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e21"),
            (1.23e22, "1.23e22"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (0.0001, "0.0001"),
            (0.000_123_45, "0.00012345"),
            (1e-5, "1e-5"),
            (-1.5e-7, "-1.5e-7"),
            (1e308, "1e308"),
            (f64::MAX, "1.7976931348623157e308"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "1.7976931348623157e308"),
            (f64::NEG_INFINITY, "-1.7976931348623157e308"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(shortest(double), written);
        }
    }

    fn written(raw: &str) -> String {
        let mut out = String::new();
        Decimal::of(raw).write(&mut out);
        out
    }

    #[test]
    fn integers_stay_exact_however_long() {
        let many = "1234567890".repeat(100);
        let round = format!("1{}", "0".repeat(400));
        let near = "12345678901234567".to_owned() + &"0".repeat(20);
        for (raw, text) in [
            ("0", "0"),
            ("-0", "0"),
            ("100", "100"),
            ("-18446744073709551615", "-18446744073709551615"),
            ("10000000000000000000", "10000000000000000000"),
            ("100000000000000000001", "100000000000000000001"),
            (&many, &many),
            // Beyond the doubles an exponent would be another number.
            (&round, &round),
            (&near, "1.2345678901234567e36"),
        ] {
            assert_eq!(written(raw), text);
        }
    }

    #[test]
    fn numbers_are_read_by_value() {
        for (raw, number) in [
            ("0", Number::Integer(0)),
            ("-0", Number::Integer(0)),
            ("9223372036854775807", Number::Integer(i64::MAX)),
            ("-9223372036854775808", Number::Integer(i64::MIN)),
            ("9223372036854775808", Number::Long("9223372036854775808".into())),
            ("1.0", Number::Double(1.0)),
            ("1e2", Number::Double(100.0)),
            ("1e400", Number::Double(f64::MAX)),
            ("", Number::Double(0.0)),
            ("-", Number::Double(0.0)),
            ("1.", Number::Double(1.0)),
            ("nan", Number::Double(f64::MAX)),
        ] {
            let read = Number::of(raw);
            if raw == "nan" {
                assert!(read.to_f64().is_nan());
            } else {
                assert_eq!(read, number, "{raw}");
            }
        }
        assert!(Number::of("-0.0").to_f64().is_sign_negative());
    }

    proptest! {
        #[test]
        fn decimals_are_the_closest_doubles(raw in "-?(0|[1-9][0-9]{0,19})\\.[0-9]{1,19}") {
            prop_assert_eq!(Number::of(&raw), Number::Double(raw.parse().unwrap()));
        }

        #[test]
        fn integers_of_64_bits_come_back_from_their_decimals(n: i64) {
            let raw = n.to_string();
            prop_assert_eq!(Number::of(&raw), Number::Integer(n));
            prop_assert_eq!(Decimal::of(&raw).to_i64(), Some(n));
        }

        #[test]
        fn numbers_that_are_written_read_back(
            double in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
            digits in "-?[1-9][0-9]{0,40}0{0,30}",
        ) {
            let text = shortest(double);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), double.to_bits());
            prop_assert!(text.len() <= 35, "{}", text);
            let text = written(&digits);
            prop_assert_eq!(Decimal::of(&text), Decimal::of(&digits));
        }
    }
}
