//! Values as texts that are equal where the values are, and in jq's order byte by byte.
//!
//! A first byte tells the type. A string is a quote and what it stands for, which for most strings is
//! how they stand in the record but for the closing quote: nothing is copied. A number is where its
//! point stands, then the digits of its value without zeros at the end. An integer of more than 21 digits
//! has those of the largest double that is not beyond it, and then how much it is above that: the shortest
//! digits of 1e300 are one and all of them 301, so no key is much longer than what it is of. Within arrays and objects each part ends with a NUL, which is below whatever may go on.

mod read;

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use super::canonical::Value;
use super::decimal::{Decimal, Digits};
use super::json::{Cursor, entries, has_escape, rank, unescaped, within_quotes};
use super::{Column, Datum};

pub use read::write_value;

pub(super) const NULL: char = '\u{1}';
pub(super) const FALSE: char = '\u{2}';
pub(super) const TRUE: char = '\u{3}';
pub(super) const NEGATIVE: char = '\u{4}';
pub(super) const NUMBER: char = '\u{5}';
pub(super) const STRING: char = '"';
pub(super) const ARRAY: char = '[';
pub(super) const OBJECT: char = '{';
/// Values that are further within others than this are taken as null: these readers call themselves,
/// and keys may come from a damaged file. Records are refused long before.
const DEEPEST: u32 = 1024;
/// Ends a part.
const END: char = '\0';
/// Stands before `END` and itself within the strings of arrays and objects.
const ESCAPE: char = '\u{1}';
/// The place of a number's point becomes a character: added to this, or taken from it for negative ones.
/// The least place is -323, the greatest the length of the longest integer.
const POINT: (u32, u32) = (0x200, 0xd600);
/// The same for zero, below all that are positive.
const ZERO: char = '\u{20}';
/// Stands before how much a number is above its digits: below any digit that they could go on with.
const ABOVE: char = ' ';
/// The same for negative numbers: above any digit, and below the end of those that are no further from zero.
const FURTHER: char = '}';
/// In the place of a point, what no other number has: NaN, below all, and the infinities.
pub(super) const NAN_KEY: &str = "\u{4}\u{1}";
pub(super) const LEAST_KEY: &str = "\u{4}\u{2}";
pub(super) const GREATEST_KEY: &str = "\u{5}\u{d7ff}";

/// Appends the canonical key of a checked value of JSON: a text that is equal to that of another
/// value if the values are, and sorts, byte by byte, as the values do in jq.
///
/// ```
/// use creel_operators::column::write_key;
///
/// let key = |json| {
///     let mut key = String::new();
///     write_key(json, &mut key);
///     key
/// };
/// assert_eq!(key("[1.0, \"a\"]"), key("[1,\"\\u0061\"]"));
/// assert!(key("null") < key("2") && key("2") < key("10") && key("10") < key("\"\""));
/// ```
pub fn write_key(json: &str, out: &mut String) {
    match rank(json) {
        0 => out.push(NULL),
        1 => out.push(FALSE),
        2 => out.push(TRUE),
        3 if short_key(json, out) || short_decimal_key(json, out) => {}
        3 => number_key(&Decimal::of(json, &mut Digits::default()), out),
        4 => {
            out.push(STRING);
            out.push_str(&unescaped(within_quotes(json)));
        }
        _ => compound(json, out),
    }
}

/// Appends the key of a positive integer of few digits, as most numbers that are told apart are; returns false,
/// and appends nothing, for any other.
#[inline]
fn short_key(raw: &str, out: &mut String) -> bool {
    /// The most digits of 64 bits.
    const FEW: usize = 20;
    let bytes = raw.as_bytes();
    if bytes.len() > FEW || bytes[0] == b'0' || !bytes.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let zeros = bytes.iter().rev().take_while(|byte| **byte == b'0').count();
    out.push(NUMBER);
    out.push(marker(Some(POINT.0 + bytes.len() as u32)));
    out.push_str(&raw[..raw.len() - zeros]);
    true
}

/// Appends the key of a number with a point and few digits, without its double; returns false, and appends
/// nothing, for any other.
#[inline]
fn short_decimal_key(raw: &str, out: &mut String) -> bool {
    /// So many digits are told apart by doubles, so that the shortest that tell the double are these.
    const FEW: usize = 15;
    let (negative, plain) = match raw.strip_prefix('-') {
        Some(plain) => (true, plain),
        None => (false, raw),
    };
    // Of a longer one the zeros before its digits may be too many.
    if plain.len() > FEW + 1 {
        return false;
    }
    let Some((whole, fraction)) = plain.split_once('.') else { return false };
    let are_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return false;
    }
    let (mut whole, mut fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let mut point = whole.len() as i32;
    if whole.is_empty() {
        let digits = fraction.trim_start_matches('0');
        point = digits.len() as i32 - fraction.len() as i32;
        fraction = digits;
    } else if fraction.is_empty() {
        whole = whole.trim_end_matches('0');
    }
    match negative {
        _ if whole.is_empty() && fraction.is_empty() => out.extend([NUMBER, ZERO]),
        false => {
            out.extend([NUMBER, marker(POINT.0.checked_add_signed(point))]);
            out.push_str(whole);
            out.push_str(fraction);
        }
        true => {
            out.extend([NEGATIVE, marker(POINT.1.checked_add_signed(-point))]);
            out.extend(whole.chars().chain(fraction.chars()).map(complement));
            out.push('~');
        }
    }
    true
}

/// The character that stands for a place, or a number of digits.
#[inline]
fn marker(code: Option<u32>) -> char {
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

pub(super) fn number_key(number: &Decimal<'_>, out: &mut String) {
    let Decimal { negative, digits, point, above } = number;
    match negative {
        _ if digits.is_empty() => out.extend([NUMBER, ZERO]),
        false => {
            out.extend([NUMBER, marker(POINT.0.checked_add_signed(*point))]);
            out.push_str(digits);
            if !above.is_empty() {
                out.extend([ABOVE, marker(Some(POINT.0 + above.len() as u32))]);
                out.push_str(above);
            }
        }
        true => {
            out.extend([NEGATIVE, marker(POINT.1.checked_add_signed(-point))]);
            out.extend(digits.chars().map(complement));
            if !above.is_empty() {
                out.extend([FURTHER, marker(POINT.1.checked_sub(above.len() as u32))]);
                out.extend(above.chars().map(complement));
            }
            // Above all digits: of two negatives the one with more digits is the smaller.
            out.push('~');
        }
    }
}

/// Appends the key of a double.
pub(super) fn double_key(double: f64, out: &mut String) {
    match double {
        x if x.is_nan() => out.push_str(NAN_KEY),
        f64::INFINITY => out.push_str(GREATEST_KEY),
        f64::NEG_INFINITY => out.push_str(LEAST_KEY),
        x => number_key(&Decimal::of_double(x, &mut Digits::default()), out),
    }
}

/// Appends the key of a value that stands in a column.
pub(super) fn datum_key(datum: &Datum<'_>, out: &mut String) {
    match datum {
        Datum::Null => out.push(NULL),
        Datum::Bool(false) => out.push(FALSE),
        Datum::Bool(true) => out.push(TRUE),
        Datum::Integer(integer) => {
            let [mut written, mut room] = [Digits::default(), Digits::default()];
            written.set(format_args!("{integer}"));
            number_key(&Decimal::of(written.text(), &mut room), out);
        }

        Datum::Float(double) => double_key(*double, out),
        Datum::Text(text) => {
            out.push(STRING);
            out.push_str(text);
        }
        Datum::Number(raw) | Datum::Json(raw) => write_key(raw, out),
        Datum::Key(key) => out.push_str(key),
        Datum::List(items) => list_part(items, out),
    }
}

fn list_part(items: &Column<'_>, out: &mut String) {
    out.push(ARRAY);
    for row in 0..items.len() {
        datum_part(&items.get(row).unwrap_or(Datum::Null), out);
    }
    out.push(END);
}

/// Appends the key of a value within a list.
pub(super) fn datum_part(datum: &Datum<'_>, out: &mut String) {
    if let Datum::List(items) = datum {
        return list_part(items, out);
    }
    let canonical = datum.canonical();
    match canonical.value() {
        Value::Text(text) => string_part(text, out),
        // Arrays and objects end by themselves.
        Value::Key(key) if key.starts_with([ARRAY, OBJECT]) => out.push_str(key),
        Value::Integer(_) | Value::Float(_) | Value::Key(_) => {
            canonical.write_key(out);
            out.push(END);
        }
    }
}

/// Opens and closes a list of parts that are appended between.
pub(super) fn list_of_parts(out: &mut String, parts: impl FnOnce(&mut String)) {
    out.push(ARRAY);
    parts(out);
    out.push(END);
}

/// The number of a key; `None` of NaN and infinities.
pub(super) fn number_of_key(key: &str) -> Option<Decimal<'_>> {
    match key.chars().next()? {
        _ if matches!(key, NAN_KEY | LEAST_KEY | GREATEST_KEY) => None,
        kind @ (NUMBER | NEGATIVE) => Some(read_number(kind == NEGATIVE, &key[1..])),
        _ => None,
    }
}

/// The number of a key, whose first character is gone: zero if it is none.
fn read_number(negative: bool, key: &str) -> Decimal<'_> {
    let mut chars = key.chars();
    let code = chars.next().map_or(0, |marker| u32::from(marker) as i32);
    let written = chars.as_str().trim_end_matches('~');
    let (digits, above) = written.split_once([ABOVE, FURTHER]).unwrap_or((written, ""));
    // How many they are is told before them.
    let above = above.char_indices().nth(1).map_or("", |(at, _)| &above[at..]);
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (digits, point, above) = match negative {
        _ if digits.is_empty() || !are_digits(digits) || !are_digits(above) => {
            (Cow::Borrowed(""), 0, Cow::Borrowed(""))
        }
        false => (Cow::Borrowed(digits), code - POINT.0 as i32, Cow::Borrowed(above)),
        true => {
            let read = |digits: &str| digits.chars().map(complement).collect();
            (read(digits), POINT.1 as i32 - code, read(above))
        }
    };
    Decimal { negative: negative && !digits.is_empty(), digits, point, above }
}

fn complement(digit: char) -> char {
    digit.to_digit(10).and_then(|digit| char::from_digit(9 - digit, 10)).unwrap_or(digit)
}

/// A member of an object: the places of its key, within the quotes, and of its value.
#[derive(Debug)]
struct Member {
    key: Range<usize>,
    value: Range<usize>,
}

thread_local! {
    /// Room for the members of objects, each after those of the object that it is in: so that none is
    /// allocated for a record.
    static MEMBERS: Cell<Vec<Member>> = const { Cell::new(Vec::new()) };
}

/// Appends the key of an array or an object.
fn compound(json: &str, out: &mut String) {
    /// The most members that there stays room for.
    const MOST: usize = 1 << 12;
    let mut members = MEMBERS.take();
    members.clear();
    part(json, DEEPEST, &mut members, out);
    if members.capacity() <= MOST {
        MEMBERS.set(members);
    }
}

/// Appends the members of an object to others, each key once, with the value that it had last, in the order of the
/// keys. Returns false, and nothing is appended, if there is an escape in a key.
fn members_of(object: &str, members: &mut Vec<Member>) -> bool {
    let first = members.len();
    let mut cursor = Cursor::new(object);
    while let Some(key) = cursor.next_place() {
        let Some(value) = cursor.next_place() else { break };
        let within = key.start + 1..key.end - 1;
        // Nothing, if this is no string.
        let key = if object.get(within.clone()).is_some() { within } else { key.end..key.end };
        if has_escape(&object[key.clone()]) {
            members.truncate(first);
            return false;
        }
        members.push(Member { key, value });
    }
    let text = |member: &Member| &object[member.key.clone()];
    // Of equal keys the last comes first, and the others are dropped.
    members[first..]
        .sort_unstable_by(|a, b| text(a).cmp(text(b)).then(b.key.start.cmp(&a.key.start)));
    let mut kept = first;
    for at in first..members.len() {
        if at == first || text(&members[at]) != text(&members[kept - 1]) {
            members.swap(kept, at);
            kept += 1;
        }
    }
    members.truncate(kept);
    true
}

/// A value within another, or that others are within.
fn part(json: &str, depth: u32, members: &mut Vec<Member>, out: &mut String) {
    let Some(depth) = depth.checked_sub(1) else { return out.extend([NULL, END]) };
    match rank(json) {
        4 => string_part(&unescaped(within_quotes(json)), out),
        5 => {
            out.push(ARRAY);
            let mut cursor = Cursor::new(json);
            while let Some(element) = cursor.next_place() {
                part(&json[element], depth, members, out);
            }
            out.push(END);
        }
        // As jq has it: first the keys, then the values in the order of the keys.
        6 => {
            out.push(OBJECT);
            let first = members.len();
            if members_of(json, members) {
                let own = first..members.len();
                own.clone().for_each(|at| string_part(&json[members[at].key.clone()], out));
                out.push(END);
                own.for_each(|at| part(&json[members[at].value.clone()], depth, members, out));
                members.truncate(first);
            } else {
                let mut entries = entries(json);
                entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                entries.iter().for_each(|(key, _)| string_part(key, out));
                out.push(END);
                entries.into_iter().for_each(|(_, value)| part(value, depth, members, out));
            }
            out.push(END);
        }
        _ => {
            write_key(json, out);
            out.push(END);
        }
    }
}

fn string_part(read: &str, out: &mut String) {
    out.push(STRING);
    for c in read.chars() {
        match c {
            END => out.extend([ESCAPE, ESCAPE]),
            ESCAPE => out.extend([ESCAPE, '\u{2}']),
            c => out.push(c),
        }
    }
    out.push(END);
}

#[cfg(test)]
mod tests;
