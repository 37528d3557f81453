//! Values as texts that are equal where the values are, and in jq's order byte by byte.
//!
//! A first byte tells the type. A string is a quote and what it stands for, which for most strings is
//! how they stand in the record but for the closing quote: nothing is copied. A number is where its
//! point stands, then the digits of its value without zeros at the end: no key is much longer than what
//! it is of. Within arrays and objects each part ends with a NUL, which is below whatever may go on.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::number::{Decimal, integer};
use super::path::{elements, entries};
use super::{has_escape, rank, unescape};

const NULL: char = '\u{1}';
const FALSE: char = '\u{2}';
const TRUE: char = '\u{3}';
const NEGATIVE: char = '\u{4}';
const NUMBER: char = '\u{5}';
const STRING: char = '"';
const ARRAY: char = '[';
const OBJECT: char = '{';
/// Ends a part.
const END: char = '\0';
/// Stands before `END` and itself within the strings of arrays and objects.
const ESCAPE: char = '\u{1}';
/// The place of a number's point becomes a character: added to this, or taken from it for negative ones.
/// The least place is -323, the greatest the length of the longest integer.
const POINT: (u32, u32) = (0x200, 0xd600);
/// The same for zero, below all that are positive.
const ZERO: char = '\u{20}';

/// Appends the key of a checked value.
pub(crate) fn write_key(text: &str, value: Range<usize>, out: &mut String) {
    let raw = &text[value.clone()];
    match rank(raw) {
        0 => out.push(NULL),
        1 => out.push(FALSE),
        2 => out.push(TRUE),
        3 => number_key(&Decimal::of(raw), out),
        4 => {
            out.push(STRING);
            unescape(&raw[1..raw.len() - 1], out);
        }
        _ => part(text, value, out),
    }
}

fn number_key(number: &Decimal<'_>, out: &mut String) {
    let marker =
        |code: Option<u32>| code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    match number {
        Decimal { digits, .. } if digits.is_empty() => out.extend([NUMBER, ZERO]),
        Decimal { negative: false, digits, point } => {
            out.extend([NUMBER, marker(POINT.0.checked_add_signed(*point))]);
            out.push_str(digits);
        }
        Decimal { negative: true, digits, point } => {
            out.extend([NEGATIVE, marker(POINT.1.checked_add_signed(-point))]);
            out.extend(digits.chars().map(complement));
            // Above all digits: of two negatives the one with more digits is the smaller.
            out.push('~');
        }
    }
}

/// The number of a key, whose first character is gone.
fn read_number(negative: bool, key: &str) -> Decimal<'_> {
    let mut chars = key.chars();
    let code = chars.next().map_or(0, |marker| u32::from(marker) as i32);
    let (digits, point) = match negative {
        false => (Cow::Borrowed(chars.as_str()), code - POINT.0 as i32),
        true => {
            let digits = chars.as_str().trim_end_matches('~').chars().map(complement);
            (digits.collect(), POINT.1 as i32 - code)
        }
    };
    Decimal { negative, digits, point }
}

fn complement(digit: char) -> char {
    digit.to_digit(10).and_then(|digit| char::from_digit(9 - digit, 10)).unwrap_or(digit)
}

/// A value within another, or that others are within.
fn part(text: &str, value: Range<usize>, out: &mut String) {
    let raw = &text[value.clone()];
    match rank(raw) {
        4 => {
            let mut read = String::new();
            unescape(&raw[1..raw.len() - 1], &mut read);
            string_part(&read, out);
        }
        5 => {
            out.push(ARRAY);
            elements(text, value).into_iter().for_each(|element| part(text, element, out));
            out.push(END);
        }
        // As jq has it: first the keys, then the values in the order of the keys.
        6 => {
            out.push(OBJECT);
            let mut entries = entries(text, value);
            entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            entries.iter().for_each(|(key, _)| string_part(key, out));
            out.push(END);
            entries.into_iter().for_each(|(_, value)| part(text, value, out));
            out.push(END);
        }
        _ => {
            write_key(text, value, out);
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

/// Appends the value of a key, as JSON: numbers and strings in their shortest spelling, the keys of
/// objects in order.
pub(crate) fn write_value(key: &str, out: &mut String) {
    match key.strip_prefix(STRING) {
        // Whole strings have no end, and nothing in them is escaped.
        Some(text) => write_string(text, out),
        None => drop(read(key, out)),
    }
}

/// Strings cannot fail to become JSON.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Appends the value that `key` begins with; returns what comes after it.
fn read<'k>(key: &'k str, out: &mut String) -> &'k str {
    let mut chars = key.chars();
    match chars.next() {
        Some(FALSE) => out.push_str("false"),
        Some(TRUE) => out.push_str("true"),
        Some(kind @ (NUMBER | NEGATIVE)) => {
            let (number, rest) = until_end(chars.as_str());
            read_number(kind == NEGATIVE, number).write(out);
            return rest;
        }
        Some(STRING) => {
            let (text, rest) = read_string(chars.as_str());
            write_string(&text, out);
            return rest;
        }
        Some(ARRAY) => return read_list(chars.as_str(), out),
        Some(OBJECT) => return read_object(chars.as_str(), out),
        _ => out.push_str("null"),
    }
    chars.as_str().strip_prefix(END).unwrap_or(chars.as_str())
}

fn until_end(key: &str) -> (&str, &str) {
    key.split_once(END).unwrap_or((key, ""))
}

fn read_string(key: &str) -> (Cow<'_, str>, &str) {
    let (text, rest) = until_end(key);
    if !text.contains(ESCAPE) {
        return (Cow::Borrowed(text), rest);
    }
    let mut read = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        read.push(match c {
            ESCAPE if chars.next() == Some(ESCAPE) => END,
            c => c,
        });
    }
    (Cow::Owned(read), rest)
}

fn read_list<'k>(key: &'k str, out: &mut String) -> &'k str {
    out.push('[');
    let mut rest = key;
    let mut first = true;
    while !rest.is_empty() && !rest.starts_with(END) {
        if !first {
            out.push(',');
        }
        first = false;
        rest = read(rest, out);
    }
    out.push(']');
    rest.get(1..).unwrap_or_default()
}

fn read_object<'k>(key: &'k str, out: &mut String) -> &'k str {
    let mut names = Vec::new();
    let mut rest = key;
    while let Some(name) = rest.strip_prefix(STRING) {
        let (name, after) = read_string(name);
        names.push(name);
        rest = after;
    }
    rest = rest.get(1..).unwrap_or_default();
    out.push('{');
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(name, out);
        out.push(':');
        rest = read(rest, out);
    }
    out.push('}');
    rest.get(1..).unwrap_or_default()
}

/// A scalar that values are compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    key: Box<str>,
    rank: u8,
    integer: Option<i64>,
}

impl Constant {
    /// The constant that a JSON scalar stands for.
    pub(crate) fn new(raw: &str) -> Self {
        let mut key = String::new();
        write_key(raw, 0..raw.len(), &mut key);
        Self { key: key.into(), rank: rank(raw), integer: integer(raw) }
    }

    /// How a checked value compares to it, in jq's order; `scratch` is a buffer.
    #[inline]
    pub(crate) fn compare(&self, raw: &str, scratch: &mut String) -> Ordering {
        match (rank(raw), self.rank) {
            (3, 3) => {
                if let (Some(value), Some(with)) = (integer(raw), self.integer) {
                    return value.cmp(&with);
                }
            }
            (4, 4) if !has_escape(raw) => return raw[1..raw.len() - 1].cmp(&self.key[1..]),
            (rank, with) if rank != with => return rank.cmp(&with),
            _ => {}
        }
        scratch.clear();
        write_key(raw, 0..raw.len(), scratch);
        (**scratch).cmp(&*self.key)
    }
}
