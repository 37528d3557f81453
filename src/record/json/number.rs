//! Numbers of JSON by value: `1`, `1.0` and `1e0` are one.
//!
//! A number without fraction and exponent is the integer that it is written as, however long; any
//! other is the closest double. So identifiers above 2^53 stay apart, as in jaq; jq rounds them.

use std::borrow::Cow;

/// Integers with more digits than this are taken as doubles.
const LONGEST: usize = 1000;

/// A number, as far as it can be added up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Double(f64),
}

/// The value of a checked number.
#[inline]
pub(crate) fn number(raw: &str) -> Number {
    integer(raw).map_or_else(|| Number::Double(double(raw)), Number::Integer)
}

/// The value of a number that is written as an integer and fits.
#[inline]
pub(super) fn integer(raw: &str) -> Option<i64> {
    let (digits, sign) = match raw.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (raw, 1),
    };
    if digits.is_empty() || digits.len() > 18 {
        return raw.parse().ok();
    }
    let mut value = 0_i64;
    for byte in digits.bytes() {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(sign * value)
}

/// The closest double; beyond the largest, that one, as in jq.
fn double(raw: &str) -> f64 {
    raw.parse::<f64>().unwrap_or(0.0).clamp(f64::MIN, f64::MAX)
}

/// The digits of a number's value, the same for all its spellings: no exponent, no zero that
/// could be left out, no negative zero.
pub(super) fn canonical(raw: &str) -> Cow<'_, str> {
    let is_integer = raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_integer && raw.len() <= LONGEST {
        return Cow::Borrowed(if raw == "-0" { "0" } else { raw });
    }
    match double(raw) {
        0.0 => Cow::Borrowed("0"),
        double => Cow::Owned(double.to_string()),
    }
}
