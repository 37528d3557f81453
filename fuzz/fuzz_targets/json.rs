//! Any text is the records of JSON, and the fields in them, that serde_json finds with these rules: of
//! equal keys the last wins, half a surrogate pair is U+FFFD, an integer is as long as it is written
//! and any other number the closest double, values that follow each other on a line are records of
//! their own, and more than 512 values within values are no record.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Deserializer, Value};

const NAMES: [&str; 4] = ["a", "b c", "", "\"\u{1}é"];
const DEEPEST: usize = 512;

/// Pieces of documents: bytes by chance are seldom JSON.
const PIECES: [&str; 48] = [
    "{", "}", "[", "]", ",", ":", "\"a\":", "\"\\u0061\":", "\"b c\":", "\"\":", "{\"a\":", "},", "],",
    "\"\\\"\\u0001é\":", "\"b\\u0020c\":", "null", "true", "false", "0", "-0", "-", "1", "00", "1.0",
    "1e0", "10e-1", "12345678901234567890", "1e999", "-1E400", "0.1", "\"", "\"\"", "\"a\"", "\\", "\\n",
    "\\u", "\\ud83d", "\\ude00", "😀", "\u{1}", "\t", " ", "\n", "\r\n", "\r", "\u{feff}",
    "long enough for sixteen bytes", "[[[[[[[[[[[[[[[[",
];

/// How many values are open at once, at most; some number if the text is not JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The text with U+FFFD for what escapes half a surrogate pair.
fn paired(text: &str) -> String {
    let unit = |rest: &str| {
        let digits = rest.strip_prefix("\\u")?.get(..4)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    };
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                out.push('\u{fffd}');
                rest = &rest[6..];
                continue;
            }
            _ => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out + rest
}

/// A number's value in one spelling: digits without zeros at either end, and where its point stands.
fn number(written: &str) -> String {
    let is_integer = written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let (sign, digits, point) = if is_integer && written.len() <= 50_000 {
        let digits = written.trim_start_matches(['-', '0']);
        (written.starts_with('-'), digits.to_owned(), digits.len() as i64)
    } else {
        let double = written.parse::<f64>().expect("a number").clamp(f64::MIN, f64::MAX);
        if double.fract() == 0.0 {
            // The integer that it is, of which the fewest digits of a double are not all.
            let digits = format!("{:.0}", double.abs());
            let digits = digits.trim_start_matches('0');
            (double < 0.0, digits.to_owned(), digits.len() as i64)
        } else {
            let text = format!("{:e}", double.abs());
            let (digits, exponent) = text.split_once('e').expect("an exponent");
            (double < 0.0, digits.replace('.', ""), exponent.parse::<i64>().expect("a number") + 1)
        }
    };
    match digits.trim_end_matches('0') {
        "" => "0".to_owned(),
        digits => format!("{}0.{digits}e{point}", if sign { "-" } else { "" }),
    }
}

/// The same of numbers that creel has written, within a value.
fn respelled(value: &str) -> String {
    let mut reader = Deserializer::from_str(value);
    reader.disable_recursion_limit();
    spell(&<Value as serde::Deserialize>::deserialize(&mut reader).expect("it is JSON"))
}

fn spell(value: &Value) -> String {
    let text = |text: &str| serde_json::to_string(text).expect("a text is JSON");
    match value {
        Value::Number(written) => number(written.as_str()),
        Value::String(string) => text(string),
        Value::Array(list) => format!("[{}]", Vec::from_iter(list.iter().map(spell)).join(",")),
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members = members.into_iter().map(|(key, v)| format!("{}:{}", text(key), spell(v)));
            format!("{{{}}}", Vec::from_iter(members).join(","))
        }
        other => other.to_string(),
    }
}

/// The values of a line and their fields; none if anything in it is wrong.
fn plain(line: &str) -> Vec<Vec<String>> {
    // First: the reader is recursive.
    if depth(line) > DEEPEST {
        return Vec::new();
    }
    let paired = paired(line);
    let mut reader = Deserializer::from_str(&paired);
    reader.disable_recursion_limit();
    let values: Result<Vec<Value>, _> = reader.into_iter().collect();
    let row = |value: &Value| {
        let fields = NAMES.iter().map(|name| value.get(name).map_or("null".to_owned(), spell));
        std::iter::once(spell(value)).chain(fields).collect()
    };
    values.unwrap_or_default().iter().map(row).collect()
}

fuzz_target!(|input: (bool, &[u8])| {
    let text = match input {
        (true, bytes) => String::from_utf8_lossy(bytes).into_owned(),
        (false, bytes) => bytes.iter().map(|&n| PIECES[usize::from(n) % PIECES.len()]).collect(),
    };
    let lines = text.split_inclusive('\n').map(|line| match line.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => line,
    });
    let expected: Vec<_> = lines.flat_map(plain).collect();
    let found = creel::cli::spelled(&text, &NAMES).into_iter();
    let found: Vec<Vec<_>> = found.map(|row| row.iter().map(|v| respelled(v)).collect()).collect();
    assert_eq!(found, expected, "{text:?}");
});
