//! JSON of any spelling, beside serde_json and a comparison that follows jq's manual.

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::Value;

use super::scan::record;
use super::{Constant, DEEPEST, Step, find, length, members, write_key, write_value};

/// Whether a record is JSON as a whole; where it is wrong if not.
fn checked(text: &str) -> Result<Option<&str>, (usize, &'static str)> {
    match record(text, 0..text.len(), |_| {}) {
        Ok(Some((_, next))) if next < text.len() => Err((next, "another value")),
        Ok(found) => Ok(found.map(|(range, _)| &text[range])),
        Err(wrong) => Err((wrong.at, wrong.what)),
    }
}

fn key(text: &str) -> String {
    let mut key = String::new();
    write_key(text, &mut key);
    key
}

fn value_of(key: &str) -> String {
    let mut value = String::new();
    write_value(key, &mut value);
    value
}

/// jq's order of all values.
pub(crate) fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => lists(a.iter(), b.iter()),
        (Value::Object(a), Value::Object(b)) => {
            let (mut keys, mut others): (Vec<_>, Vec<_>) = (a.keys().collect(), b.keys().collect());
            keys.sort();
            others.sort();
            let values = |of: &serde_json::Map<String, Value>, keys: &[&String]| {
                keys.iter().map(|key| of[*key].clone()).collect::<Vec<_>>()
            };
            let (left, right) = (values(a, &keys), values(b, &others));
            keys.cmp(&others).then_with(|| lists(left.iter(), right.iter()))
        }
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn lists<'v>(
    mut a: impl Iterator<Item = &'v Value>,
    mut b: impl Iterator<Item = &'v Value>,
) -> Ordering {
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) => match order(a, b) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
            (a, b) => return a.is_some().cmp(&b.is_some()),
        }
    }
}

/// Spellings of scalars, some of one value.
const SCALARS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "0.0",
    "1",
    "1.0",
    "1e0",
    "10E-1",
    "-1",
    "-1.5",
    "-1.25",
    "2",
    "10",
    "9.5",
    "0.001",
    "1e-3",
    "1e300",
    "-1e300",
    "12345678901234567",
    "123456789e3",
    "\"\"",
    "\"a\"",
    "\"\\u0061\"",
    "\"ab\"",
    "\"a b\"",
    "\"\\\"\"",
    "\"\\n\\t\\/\\\\\"",
    "\"é\"",
    "\"\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"😀\"",
    "\"\\u0000\"",
    "\"\\u0001\"",
    "\"\\u0001\\u0000\"",
    "\"long enough to be read by words\"",
];

const SPACES: &[&str] = &["", "", "", " ", "\t", "  \n", "\r"];

const KEYS: &[&str] =
    &["\"a\"", "\"\\u0061\"", "\"b\"", "\"a b\"", "\"\"", "\"status\"", "\"\\u0000\""];

/// A value in some spelling, with white space, escapes and equal keys.
pub(crate) fn documents() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(SCALARS).prop_map(str::to_owned);
    let spaced = (prop::sample::select(SPACES), scalar, prop::sample::select(SPACES));
    spaced.prop_map(|(a, value, b)| format!("{a}{value}{b}")).prop_recursive(4, 40, 5, |inner| {
        let member = (prop::sample::select(KEYS), prop::sample::select(SPACES), inner.clone());
        let member = member.prop_map(|(key, space, value)| format!("{space}{key}{space}:{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|list| format!(" [{}]", list.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|list| format!("{{{}}} ", list.join(","))),
        ]
    })
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

proptest! {
    #[test]
    fn what_is_json_is_what_serde_json_says(
        document in documents(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec!["", "\"", "\\", "}", "]", ",", ":", "0", "-", ".", "e", "t", " ", "\u{1}", "\\u12"]),
        cut: bool,
    ) {
        let mut at = at.index(document.len() + 1);
        while !document.is_char_boundary(at) {
            at -= 1;
        }
        let (before, after) = document.split_at(at);
        let damaged = if cut { format!("{before}{with}") } else { format!("{before}{with}{after}") };
        let expected = serde_json::from_str::<Value>(&damaged);
        // Numbers beyond doubles are numbers here, and halves of surrogate pairs are characters.
        let differs = |error: &str| error.contains("out of range") || error.contains("hex escape");
        prop_assume!(!expected.as_ref().is_err_and(|error| differs(&error.to_string())));
        if damaged.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
            prop_assert_eq!(checked(&damaged), Ok(None));
        } else {
            prop_assert_eq!(checked(&damaged).is_ok(), expected.is_ok(), "{:?}", damaged);
        }
    }

    #[test]
    fn keys_are_equal_and_sort_as_the_values_do(a in documents(), b in documents()) {
        let (a, b) = (a.trim(), b.trim());
        prop_assert_eq!(key(a).cmp(&key(b)), order(&parsed(a), &parsed(b)), "{} {}", a, b);
    }

    #[test]
    fn a_key_gives_its_value_back(document in documents()) {
        let document = document.trim();
        let value = value_of(&key(document));
        prop_assert_eq!(order(&parsed(&value), &parsed(document)), Ordering::Equal, "{}", value);
        prop_assert_eq!(key(&value), key(document));
    }

    #[test]
    fn constants_compare_as_keys_do(document in documents(), with in prop::sample::select(SCALARS)) {
        let (document, mut scratch) = (document.trim(), String::new());
        let found = Constant::new(with).compare(document, &mut scratch);
        prop_assert_eq!(found, order(&parsed(document), &parsed(with)));
    }

    #[test]
    fn paths_members_and_lengths_are_those_of_the_value(
        document in documents(),
        name in prop::sample::select(vec!["a", "b", "a b", "", "\0"]),
        index in -3_i64..3,
    ) {
        let document = document.trim();
        let value = parsed(document);
        let get = |step: Step| {
            find(document, 0..document.len(), [&step]).ok().map(|range| match &document[range] {
                "" => Value::Null,
                part => parsed(part),
            })
        };
        let member = match &value {
            Value::Null => Some(Value::Null),
            Value::Object(object) => Some(object.get(name).cloned().unwrap_or_default()),
            _ => None,
        };
        prop_assert_eq!(get(Step::Key(name.into())), member);
        let element = match &value {
            Value::Null => Some(Value::Null),
            Value::Array(list) => {
                let index = if index < 0 { index + list.len() as i64 } else { index };
                let found = usize::try_from(index).ok().and_then(|index| list.get(index));
                Some(found.cloned().unwrap_or_default())
            }
            _ => None,
        };
        prop_assert_eq!(get(Step::Index(index)), element);
        let mut count = String::new();
        let counted = length(document, 0..document.len(), &mut count);
        let expected = match &value {
            Value::Null => Some(0.0),
            Value::Bool(_) => None,
            Value::Number(number) => number.as_f64().map(f64::abs),
            Value::String(text) => Some(text.chars().count() as f64),
            Value::Array(list) => Some(list.len() as f64),
            Value::Object(object) => Some(object.len() as f64),
        };
        prop_assert_eq!(counted.then(|| count.parse::<f64>().unwrap()), expected);
        let mut parts = Vec::new();
        let parts = members(document, 0..document.len(), &mut parts).then_some(parts.len());
        prop_assert_eq!(parts.is_some(), value.is_array() || value.is_object());
    }
}

#[test]
fn a_wrong_byte_is_named() {
    for (text, at, what) in [
        ("{\"a\":1} {", 8, "another value"),
        ("{\"a\":1", 6, "ends within"),
        ("{\"a\" 1}", 5, "colon"),
        ("{\"a\":1,}", 7, "key"),
        ("{'a':1}", 1, "key"),
        ("[1,]", 3, "begins"),
        ("[1 2]", 3, "comma"),
        ("01", 1, "zero"),
        ("1.", 2, "ends within"),
        ("[1.e5]", 3, "digit"),
        ("+1", 0, "begins"),
        ("NaN", 0, "begins"),
        ("nan", 0, "begins"),
        ("nul", 0, "begins"),
        ("-Infinity", 1, "digit"),
        ("\"a\tb\"", 2, "control"),
        ("\"\\x\"", 1, "escape"),
        ("\"\\u12g4\"", 1, "escape"),
        ("\"abcdefgh", 9, "ends within"),
        ("\u{feff}1", 0, "begins"),
        ("1 2", 2, "another value"),
        ("[1][2]", 3, "another value"),
        ("\"a\"1", 3, "another value"),
        ("1\"a\"", 1, "another value"),
        ("1-2", 1, "behind"),
        ("nullnull", 4, "behind"),
        ("{}}", 2, "another value"),
        ("{\"a\":1}x", 7, "another value"),
    ] {
        let (wrong, said) = checked(text).expect_err(text);
        assert!(wrong == at && said.contains(what), "{text}: {wrong} {said}");
    }
    assert_eq!(checked(" \t\r\n "), Ok(None));
    assert_eq!(checked("  [1] "), Ok(Some("[1]")));
}

#[test]
fn values_within_values_have_an_end() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(checked(&deep(DEEPEST)).is_ok());
    assert_eq!(checked(&deep(DEEPEST + 1)).map_err(|(at, _)| at), Err(DEEPEST));
    assert!(checked(&"{\"a\":[".repeat(100_000)).is_err());
    assert_eq!(value_of(&key(&deep(DEEPEST))), deep(DEEPEST));
}

#[test]
fn half_a_surrogate_pair_is_a_replacement_character() {
    for half in [
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\u0061\"",
        "\"\\ud83d\\ud83d\\ude00\"",
    ] {
        assert_eq!(checked(half), Ok(Some(half)));
        assert!(value_of(&key(half)).starts_with("\"\u{fffd}"), "{half}");
    }
    assert_eq!(value_of(&key("\"\\ud83d\\ud83d\\ude00\"")), "\"\u{fffd}😀\"");
    assert_eq!(value_of(&key("\"\\ud83dx\"")), "\"\u{fffd}x\"");
}

#[test]
fn integers_of_any_size_stay_apart() {
    let large =
        ["9007199254740992", "9007199254740993", "100000000000000000000", "100000000000000000001"];
    assert!(large.is_sorted_by(|a, b| key(a) < key(b)));
    assert!(large.iter().all(|number| value_of(&key(number)) == *number));
    assert_eq!(key("1e20"), key(large[2]));
    assert_eq!(key("1e999"), key("1.7976931348623157e308"));
}
