//! Values in one order and one form, whatever they were read from.

use super::*;
use crate::column::shortest;
use proptest::prelude::*;

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
    "36028797018963968",
    "36028797018963968.0",
    "9223372036854775807",
    "9223372036854775808.0",
    "9223372036854775809",
    "-9223372036854775808.0",
    "1180591620717411300001",
    "1180591620717411303423",
    "1180591620717411303424",
    "1180591620717411303424.0",
    "1180591620717411303425",
    "-1180591620717411303423",
    "-1180591620717411303424.0",
    "-1180591620717411303425",
    "1000000000000000000000",
    "1e21",
    "1e22",
    "5e-324",
    "9007199254740993",
    "9007199254740992.5",
    "1e18",
    "1e19",
    "10000000000000000000",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "\"\"",
    "\"a\"",
    "\"\\u0061\"",
    "\"ab\"",
    "\"\\u0000\"",
    "\"\\u0001\"",
    "\"é\"",
    "[]",
    "[1]",
    "[1.0]",
    "[1,2]",
    "[\"a\"]",
    "[[]]",
    "{}",
    "{\"a\":1}",
    "{\"a\":1,\"b\":2}",
    "{\"b\":2, \"a\":1e0}",
];

fn key(json: &str) -> String {
    let mut key = String::new();
    key::write_key(json, &mut key);
    key
}

#[test]
fn values_compare_as_their_keys_whatever_form_they_come_in() {
    for a in SCALARS {
        for b in SCALARS {
            let (ka, kb) = (key(a), key(b));
            let expected = ka.cmp(&kb);
            let forms = |json, key| [Datum::Json(json).canonical(), Datum::Key(key).canonical()];
            for left in forms(a, &ka) {
                for right in forms(b, &kb) {
                    assert_eq!(left.cmp(&right), expected, "{a} {b}");
                    assert_eq!(left == right, expected.is_eq(), "{a} {b}");
                    assert_eq!(left.cmp(&right.clone().into_owned()), expected, "{a} {b}");
                    if let (Some(left), Some(right)) = (left.begins(), right.begins()) {
                        assert!(left == right || left.cmp(&right) == expected, "{a} {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn nan_is_below_all_numbers_and_infinities_are_at_the_ends() {
    let order = [f64::NAN, f64::NEG_INFINITY, f64::MIN, -1.5, 0.0, 5e-324, 1e300, f64::INFINITY];
    let order = order.map(|x| Datum::Float(x).canonical());
    assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(Datum::Bool(true).canonical() < order[0] && order[7] < Datum::Text("").canonical());
    assert_eq!(Datum::Float(-0.0).canonical(), Datum::Integer(0).canonical());
    let mut json = String::new();
    order[0].datum().write_json(&mut json);
    order[7].datum().write_json(&mut json);
    assert_eq!(json, "null1.7976931348623157e308");
}

proptest! {
    #[test]
    fn numbers_are_one_value_in_every_form(x in prop::num::f64::NORMAL | prop::num::f64::ZERO, n: i64) {
        for (datum, raw) in [(Datum::Float(x), shortest(x)), (Datum::Integer(n), n.to_string())] {
            let key = key(&raw);
            prop_assert_eq!(datum.canonical(), Datum::Number(&raw).canonical());
            prop_assert_eq!(datum.canonical(), Datum::Key(&key).canonical());
            let mut own = String::new();
            datum.write_key(&mut own);
            prop_assert_eq!(own, key);
        }
    }

    #[test]
    fn doubles_and_integers_compare_by_value(x in -1e4..1e4_f64, n in -10_000..10_000_i64, eighths in -999..999_i64) {
        for x in [x, eighths as f64 / 8.0] {
            let order = x.partial_cmp(&(n as f64)).unwrap();
            prop_assert_eq!(Datum::Float(x).canonical().cmp(&Datum::Integer(n).canonical()), order);
            prop_assert_eq!(Datum::Integer(n).canonical().cmp(&Datum::Float(x).canonical()), order.reverse());
        }
    }
}
