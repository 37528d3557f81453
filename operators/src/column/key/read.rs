//! Values of their keys.

use std::borrow::Cow;

use super::super::decimal::shortest;
use super::super::json::write_string;
use super::{
    ARRAY, DEEPEST, END, ESCAPE, FALSE, NEGATIVE, NUMBER, OBJECT, STRING, TRUE, read_number,
};

/// Appends the value of a canonical key, as JSON: numbers and strings in their shortest spelling, the
/// keys of objects in order.
///
/// ```
/// use creel_operators::column::{write_key, write_value};
///
/// let (mut key, mut value) = (String::new(), String::new());
/// write_key("{\"b\": 1.50, \"a\": null}", &mut key);
/// write_value(&key, &mut value);
/// assert_eq!(value, "{\"a\":null,\"b\":1.5}");
/// ```
pub fn write_value(key: &str, out: &mut String) {
    match key.strip_prefix(STRING) {
        // Whole strings have no end, and nothing in them is escaped.
        Some(text) => write_string(text, out),
        None => drop(read(key, DEEPEST, out)),
    }
}

/// Appends the value that `key` begins with; returns what comes after it.
fn read<'k>(key: &'k str, depth: u32, out: &mut String) -> &'k str {
    let Some(depth) = depth.checked_sub(1) else {
        out.push_str("null");
        return "";
    };
    let mut chars = key.chars();
    match chars.next() {
        Some(FALSE) => out.push_str("false"),
        Some(TRUE) => out.push_str("true"),
        Some(kind @ (NUMBER | NEGATIVE)) => {
            let (number, rest) = until_end(chars.as_str());
            match number.chars().next() {
                Some('\u{1}') if kind == NEGATIVE => out.push_str("null"),
                Some('\u{2}') if kind == NEGATIVE => out.push_str(&shortest(f64::MIN)),
                Some('\u{d7ff}') => out.push_str(&shortest(f64::MAX)),
                _ => read_number(kind == NEGATIVE, number).write(out),
            }
            return rest;
        }
        Some(STRING) => {
            let (text, rest) = read_string(chars.as_str());
            write_string(&text, out);
            return rest;
        }
        Some(ARRAY) => return read_list(chars.as_str(), depth, out),
        Some(OBJECT) => return read_object(chars.as_str(), depth, out),
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

fn read_list<'k>(key: &'k str, depth: u32, out: &mut String) -> &'k str {
    out.push('[');
    let mut rest = key;
    let mut first = true;
    while !rest.is_empty() && !rest.starts_with(END) {
        if !first {
            out.push(',');
        }
        first = false;
        rest = read(rest, depth, out);
    }
    out.push(']');
    rest.get(1..).unwrap_or_default()
}

fn read_object<'k>(key: &'k str, depth: u32, out: &mut String) -> &'k str {
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
        rest = read(rest, depth, out);
    }
    out.push('}');
    rest.get(1..).unwrap_or_default()
}
