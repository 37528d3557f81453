//! Numbers of JSON by value: `1`, `1.0` and `1e0` are one.
//!
//! A number without fraction and exponent is the integer that it is written as; any other is the
//! closest double, and beyond the largest that one, as in jq. So identifiers above 2^53 stay apart.
//! The value of a double is that of its bits: `9007199254740993.0` is 9007199254740992, and equals the
//! integer.

use std::borrow::Cow;

use super::Datum;

/// The most digits of an integer: to convert a number between bases takes time by the square of its
/// length, and input is hostile. Who reads input refuses a longer one; here it is the largest double.
///
/// ```
/// use creel_operators::column::{LONGEST_INTEGER, Number};
///
/// assert!(matches!(Number::of(&"9".repeat(LONGEST_INTEGER)), Number::Long(_)));
/// ```
pub const LONGEST_INTEGER: usize = 50_000;

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
pub(super) fn is_integer(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let range = 1..=LONGEST_INTEGER;
    range.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The closest double; beyond the largest, that one, as in jq.
pub(super) fn double(raw: &str) -> f64 {
    raw.parse::<f64>().unwrap_or(0.0).clamp(f64::MIN, f64::MAX)
}
