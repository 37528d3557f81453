//! Numbers in decimal digits: as values that are told apart, and as they are written.
//!
//! A double that is written is the shortest text that reads back as the same double. It has an
//! exponent where jq writes one: below 0.0001, and where more than 15 zeros would stand at the end, but
//! for numbers of up to 21 digits, as in JavaScript. From 2^53 on one without an exponent ends in `.0`,
//! without which its digits would be another integer.
//!
//! A value that may be an integer or a double, as a key is, is written as the integer that it is, but
//! with an exponent where the double would have one.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::number::{EXACT, double, is_integer};

/// The most significant digits of a double.
const DOUBLE_DIGITS: usize = 17;

/// Integers of up to this many digits are written without an exponent.
const PLAIN_DIGITS: i32 = 21;

/// Zeros that may stand at the end of a number before it is written with an exponent, as in jq.
const PLAIN_ZEROS: i32 = 15;

/// The value of a number, the same for all of its spellings: 0.`digits` times ten to the power of
/// `point`.
///
/// The digits are those of the value, with two exceptions that keep them few. A double that is no integer, and
/// so is below 2^53, has the fewest digits that tell it from all others: no integer lies between it and
/// these. And an integer of more than [`PLAIN_DIGITS`] digits has those of the largest double that is not
/// beyond it, and how much it is `above` that double.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal<'r> {
    pub(super) negative: bool,
    /// Without zeros at either end; none at all for zero, which has no sign.
    pub(super) digits: Cow<'r, str>,
    pub(super) point: i32,
    /// An integer without a sign and without zeros before it; no digits for zero.
    pub(super) above: Cow<'r, str>,
}

/// Room for the digits of a double, so that none is allocated for each.
#[derive(Debug, Default)]
pub(super) struct Digits {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Digits {
    /// A double has 17 digits, a point and an exponent; an integer below 10^21 has 21.
    const MOST: usize = 32;

    /// The text that was written.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    /// Replaces what was written.
    pub(super) fn set(&mut self, text: fmt::Arguments<'_>) {
        self.len = 0;
        // It always has room.
        let _ = self.write_fmt(text);
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl<'r> Decimal<'r> {
    /// The value of a checked number; of a double the digits are written to `room`.
    pub(super) fn of(raw: &'r str, room: &'r mut Digits) -> Self {
        if !is_integer(raw) {
            return Self::of_double(double(raw), room);
        }
        let (negative, digits) = match raw.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, raw),
        };
        let digits = digits.trim_start_matches('0');
        let point = digits.len() as i32;
        if point > PLAIN_DIGITS {
            return Self::of_long(negative, digits, room);
        }
        let digits = digits.trim_end_matches('0');
        let negative = negative && !digits.is_empty();
        Self { negative, digits: digits.into(), point, above: "".into() }
    }

    /// The value of an integer of more than [`PLAIN_DIGITS`] digits.
    #[cold]
    fn of_long(negative: bool, digits: &str, room: &'r mut Digits) -> Self {
        let mut below = double(digits);
        let mut exact = exact_digits(below);
        if (digits.len(), digits) < (exact.len(), exact.as_str()) {
            below = below.next_down();
            exact = exact_digits(below);
        }
        Self {
            negative,
            above: difference(digits, &exact).into(),
            ..Self::shortest_of(below, room)
        }
    }

    /// The value of a finite double.
    pub(super) fn of_double(double: f64, room: &'r mut Digits) -> Self {
        // From the first on all doubles are integers, and those below the second have no more digits than
        // are written plainly.
        if !(EXACT..1e21).contains(&double.abs()) {
            return Self::shortest_of(double, room);
        }
        room.set(format_args!("{}", double.abs() as u128));
        let digits = room.text();
        let point = digits.len() as i32;
        let digits = digits.trim_end_matches('0');
        Self { negative: double < 0.0, digits: digits.into(), point, above: "".into() }
    }

    /// A finite double in the fewest digits that tell it from all others.
    fn shortest_of(double: f64, room: &'r mut Digits) -> Self {
        room.set(format_args!("{:e}", double.abs()));
        let (digits, exponent) = room.text().split_once('e').unwrap_or((room.text(), "0"));
        let (mut len, exponent) = (digits.len(), exponent.parse::<i32>().unwrap_or(0));
        if room.bytes[..len].get(1) == Some(&b'.') {
            room.bytes.copy_within(2..len, 1);
            len -= 1;
        }
        room.len = len;
        let digits = room.text().trim_matches('0');
        // The one digit before the point is no zero but in zero itself.
        let point = exponent + i32::from(!digits.is_empty());
        Self { negative: double < 0.0, digits: digits.into(), point, above: "".into() }
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
        if self.above.is_empty() && self.has_exponent() {
            self.write_with_exponent(out);
        } else if self.point > PLAIN_DIGITS {
            self.write_long(out);
        } else {
            self.write_plain(out);
        }
    }

    /// All digits of an integer of more than [`PLAIN_DIGITS`].
    #[cold]
    fn write_long(&self, out: &mut String) {
        let mut below = String::new();
        self.write_with_exponent(&mut below);
        out.push_str(&sum(&exact_digits(double(&below)), &self.above));
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

/// All digits of a double that is a positive integer.
fn exact_digits(double: f64) -> String {
    format!("{double:.0}")
}

/// The sum of two integers in digits.
fn sum(a: &str, b: &str) -> String {
    let mut carry = 0;
    digit_by_digit(a, b, |a, b| {
        let all = a + b + carry;
        carry = all / 10;
        all % 10
    })
}

/// The difference of two integers in digits, the first of which is not the smaller.
fn difference(a: &str, b: &str) -> String {
    let mut borrowed = 0;
    digit_by_digit(a, b, |a, b| {
        let less = b + borrowed;
        borrowed = u8::from(a < less);
        a + 10 * borrowed - less
    })
}

/// The digits that are made of those of two integers, from the last on and one beyond the first; without
/// zeros before them.
fn digit_by_digit(a: &str, b: &str, mut make: impl FnMut(u8, u8) -> u8) -> String {
    let digits = |of: &'_ str| of.bytes().rev().map(|digit| digit - b'0').collect::<Vec<_>>();
    let (a, b) = (digits(a), digits(b));
    let at = |of: &[u8], at: usize| of.get(at).copied().unwrap_or(0);
    let made = (0..=a.len().max(b.len())).map(|place| make(at(&a, place), at(&b, place)));
    let made: Vec<_> = made.collect();
    let made: String = made.into_iter().rev().map(|digit| char::from(b'0' + digit)).collect();
    made.trim_start_matches('0').to_owned()
}

/// A double as JSON, which reads back as the same double. JSON has no infinities and no NaN: as in jq they
/// are the largest doubles and null.
///
/// ```
/// use creel_operators::column::shortest;
///
/// assert_eq!((shortest(1.5), shortest(1e300)), ("1.5".to_owned(), "1e300".to_owned()));
/// // Its digits alone would be another integer.
/// assert_eq!(shortest(2_f64.powi(70)), "1180591620717411300000.0");
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
    let mut room = Digits::default();
    let decimal = Decimal::shortest_of(double.clamp(f64::MIN, f64::MAX), &mut room);
    if decimal.negative {
        out.push('-');
    }
    if decimal.has_exponent() {
        decimal.write_with_exponent(&mut out);
    } else {
        decimal.write_plain(&mut out);
        if double.abs() >= EXACT {
            out.push_str(".0");
        }
    }
    out
}
