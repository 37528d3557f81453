//! The parts of checked JSON: where values end, members of arrays and objects, escapes of strings.
//!
//! Nothing is checked again, and nothing panics: of text that is no JSON the parts are arbitrary.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

/// The place of a value's type in jq's order, by its first byte: 0 null, 1 false, 2 true, 3 numbers,
/// 4 strings, 5 arrays, 6 objects. No text at all, which is how a missing field is lent, is null.
///
/// ```
/// use creel_operators::column::rank;
///
/// assert_eq!(["", "null", "true", "-1", "\"a\"", "[]", "{}"].map(rank), [0, 0, 2, 3, 4, 5, 6]);
/// ```
#[inline]
pub fn rank(raw: &str) -> u8 {
    match raw.as_bytes().first() {
        None | Some(b'n') => 0,
        Some(b'f') => 1,
        Some(b't') => 2,
        Some(b'"') => 4,
        Some(b'[') => 5,
        Some(b'{') => 6,
        Some(_) => 3,
    }
}

/// What stands between the quotes of a string.
#[inline]
pub(super) fn within_quotes(raw: &str) -> &str {
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

/// Returns true if the text of a string of JSON, with or without its quotes, has escapes.
///
/// ```
/// use creel_operators::column::has_escape;
///
/// assert!(has_escape("a\\n") && !has_escape("a"));
/// ```
#[inline]
pub fn has_escape(raw: &str) -> bool {
    memchr(b'\\', raw.as_bytes()).is_some()
}

/// The text that a string, given without its quotes, stands for.
#[inline]
pub(super) fn unescaped(raw: &str) -> Cow<'_, str> {
    if !has_escape(raw) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    unescape(raw, &mut out);
    Cow::Owned(out)
}

/// Appends the text that a checked string of JSON stands for; `raw` is without its quotes.
///
/// ```
/// let mut text = String::new();
/// creel_operators::column::unescape("\\u0061\\n", &mut text);
/// assert_eq!(text, "a\n");
/// ```
pub fn unescape(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (c, length) = match rest.as_bytes().get(1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => code_point(rest),
            Some(&other) => (char::from(other), 2),
            None => return,
        };
        out.push(c);
        rest = rest.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// The character of a `\u` escape, or of two that are a surrogate pair, and their length.
fn code_point(escape: &str) -> (char, usize) {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(0) else { return (char::REPLACEMENT_CHARACTER, 6) };
    if let (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) = (first, unit(6)) {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}

/// The members of an object, each key once: where it came first, with the value it had last.
pub(super) fn entries(object: &str) -> Vec<(Cow<'_, str>, &str)> {
    let mut entries: Vec<(Cow<'_, str>, &str)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut cursor = Cursor::new(object);
    while let Some(key) = cursor.value() {
        let Some(value) = cursor.value() else { break };
        let key = unescaped(within_quotes(key));
        let place = *places.entry(key.clone()).or_insert(entries.len());
        match entries.get_mut(place) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }
    entries
}

/// Goes through the elements of an array, or the keys and the values of an object.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    /// Those of an array or an object.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 1 }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next value, or key.
    fn value(&mut self) -> Option<&'t str> {
        self.next_place().and_then(|place| self.text.get(place))
    }

    /// The place of the next value, or key; none before what closes.
    pub(super) fn next_place(&mut self) -> Option<Range<usize>> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b':') = self.byte() {
            self.at += 1;
        }
        let start = self.at;
        match self.byte()? {
            b']' | b'}' => return None,
            b'"' => self.string(),
            b'[' | b'{' => self.nested(),
            _ => {
                while let Some(byte) = self.byte()
                    && !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b']' | b'}')
                {
                    self.at += 1;
                }
            }
        }
        self.text.get(start..self.at).map(|_| start..self.at)
    }

    /// Passes over a string, from its quote on.
    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.byte() {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => self.at = self.text.len().min(self.at + 1),
                _ => {}
            }
        }
    }

    /// Passes over an array or an object, from its bracket on.
    fn nested(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => {
                    self.string();
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

/// Appends a text as a string of JSON, with its quotes and escapes.
///
/// ```
/// let mut json = String::new();
/// creel_operators::column::write_string("a\"b\n", &mut json);
/// assert_eq!(json, r#""a\"b\n""#);
/// ```
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // All of them are one byte long.
    while let Some(at) = rest.bytes().position(is_escaped) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            8 => out.push_str("\\b"),
            12 => out.push_str("\\f"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte => {
                out.push_str("\\u00");
                let digit = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or('0');
                out.extend([digit(byte >> 4), digit(byte & 15)]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(array: &str) -> Vec<&str> {
        let mut cursor = Cursor::new(array);
        std::iter::from_fn(|| cursor.value()).collect()
    }

    #[test]
    fn members_are_found_whatever_stands_within_them() {
        let array = r#"[1 , "a]\"",[2,[]],{"k":"}"}, null]"#;
        assert_eq!(elements(array), ["1", r#""a]\"""#, "[2,[]]", r#"{"k":"}"}"#, "null"]);
        let object = r#"{"a":1,"b" : [2], "\u0061":{"c":3}}"#;
        assert_eq!(entries(object), [("a".into(), r#"{"c":3}"#), ("b".into(), "[2]")]);
        assert!(elements("[]").is_empty() && entries("{ }").is_empty());
    }

    #[test]
    fn text_that_is_no_json_does_not_panic() {
        for text in ["", "[", "[\"", "[\"\\", "{\"a\"", "[[", "[é", "\"", "{é:\\u12"] {
            elements(text);
            entries(text);
            unescaped(within_quotes(text));
        }
    }

    #[test]
    fn strings_are_written_as_they_are_read() {
        for text in ["", "a\"b\\c", "\u{0}\u{1f}\n\r\t\u{8}\u{c}", "é😀"] {
            let mut out = String::new();
            write_string(text, &mut out);
            assert_eq!(unescaped(within_quotes(&out)), text);
        }
    }
}
