//! Canonical values beside jq's order of values, as its manual has it.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::{Datum, write_key};

fn key(json: &str) -> String {
    let mut key = String::new();
    write_key(json, &mut key);
    key
}

/// A value of JSON, as jq's manual orders them.
#[derive(Debug, Clone)]
enum Json {
    Null,
    Bool(bool),
    Number(i32),
    Text(String),
    Array(Vec<Self>),
    Object(std::collections::BTreeMap<String, Self>),
}

impl Json {
    fn order(&self, other: &Self) -> Ordering {
        let rank = |json: &Self| match json {
            Self::Null => 0,
            Self::Bool(value) => 1 + i32::from(*value),
            Self::Number(_) => 3,
            Self::Text(_) => 4,
            Self::Array(_) => 5,
            Self::Object(_) => 6,
        };
        let lists = |a: &mut dyn Iterator<Item = &Self>, b: &mut dyn Iterator<Item = &Self>| loop {
            match (a.next(), b.next()) {
                (Some(a), Some(b)) if a.order(b).is_eq() => {}
                (Some(a), Some(b)) => return a.order(b),
                (a, b) => return a.is_some().cmp(&b.is_some()),
            }
        };
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Array(a), Self::Array(b)) => lists(&mut a.iter(), &mut b.iter()),
            (Self::Object(a), Self::Object(b)) => {
                a.keys().cmp(b.keys()).then_with(|| lists(&mut a.values(), &mut b.values()))
            }
            (a, b) => rank(a).cmp(&rank(b)),
        }
    }

    /// It in one of its spellings.
    fn write(&self, spaced: bool, out: &mut String) {
        let comma = if spaced { " , " } else { "," };
        let text = |text: &str, out: &mut String| {
            out.push('"');
            for c in text.chars() {
                let plain = c >= ' ' && c != '"' && c != '\\' && !spaced;
                if plain { out.push(c) } else { out.push_str(&format!("\\u{:04x}", u32::from(c))) }
            }
            out.push('"');
        };
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(&value.to_string()),
            // In quarters, so that there are fractions.
            Self::Number(n) if spaced => out.push_str(&format!("{:e}", f64::from(*n) / 4.0)),
            Self::Number(n) => out.push_str(&(f64::from(*n) / 4.0).to_string()),
            Self::Text(of) => text(of, out),
            Self::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n > 0 { comma } else { "" });
                    item.write(spaced, out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (n, (name, value)) in members.iter().enumerate() {
                    out.push_str(if n > 0 { comma } else { "" });
                    text(name, out);
                    out.push_str(if spaced { " : " } else { ":" });
                    value.write(spaced, out);
                }
                out.push('}');
            }
        }
    }
}

fn documents() -> impl Strategy<Value = Json> {
    let text = || "[\u{0}-\u{2}a-b\"\\\\é]{0,3}";
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (-9..9_i32).prop_map(Json::Number),
        any::<i32>().prop_map(Json::Number),
        text().prop_map(Json::Text),
    ];
    scalar.prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(Json::Object),
        ]
    })
}

proptest! {
    #[test]
    fn values_of_json_are_ordered_as_in_jq(a in documents(), b in documents(), spaced: (bool, bool)) {
        let (mut left, mut right, mut back) = (String::new(), String::new(), String::new());
        a.write(spaced.0, &mut left);
        b.write(spaced.1, &mut right);
        let order = a.order(&b);
        prop_assert_eq!(key(&left).cmp(&key(&right)), order, "{} {}", left, right);
        let canonical = Datum::Json(&left).canonical();
        prop_assert_eq!(canonical.cmp(&Datum::Json(&right).canonical()), order);
        // A key gives its value back.
        canonical.datum().write_json(&mut back);
        prop_assert_eq!(key(&back), key(&left), "{} {}", back, left);
    }
}
