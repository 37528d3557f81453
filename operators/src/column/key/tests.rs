//! Keys of values have their order, and values come back of them.

use super::*;
use proptest::prelude::*;

#[test]
fn values_that_are_too_deep_are_null_and_nothing_overflows() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let json = [open.repeat(3_000), "1".to_owned(), close.repeat(3_000)].concat();
        let (mut key, mut value) = (String::new(), String::new());
        write_key(&json, &mut key);
        write_value(&key, &mut value);
        assert!(value.contains("null"));
    }
    let mut value = String::new();
    write_value(&"[".repeat(1_000_000), &mut value);
    assert!(value.contains("null"));
}

#[test]
fn of_a_key_that_an_object_has_twice_the_last_value_counts_however_it_is_written() {
    let key = |json: &str| {
        let mut key = String::new();
        write_key(json, &mut key);
        key
    };
    let expected = key(r#"{"a":[{"c":1,"d":2}],"b":3,"e":{}}"#);
    for json in [
        r#"{"b":1,"a":0,"e":{},"b":2,"a":[{"d":5,"c":1,"d":2}],"b":3}"#,
        r#"{"\u0062":1,"a":[{"c":9,"d":2,"\u0063":1}],"e":{},"b":3}"#,
        r#"{ "e" : {} , "b" : 3.0 , "a" : [ { "d" : 2 , "c" : 1e0 } ] }"#,
    ] {
        assert_eq!(key(json), expected, "{json}");
    }
    // A text that is not JSON may have any key, but makes no panic.
    for text in ["{é:1}", "{\u{e9}", "[{\"", "{1:2", "[[[", "{\"a", "{a b}"] {
        key(text);
    }
}

proptest! {
    #[test]
    fn decimals_of_few_digits_have_the_key_of_their_double(
        raw in "-?(0|[1-9][0-9]{0,9})\\.[0-9]{1,16}",
    ) {
        let (mut short, mut key) = (String::new(), String::new());
        if short_decimal_key(&raw, &mut short) {
            double_key(raw.parse().unwrap(), &mut key);
            prop_assert_eq!(short, key);
        }
    }

    #[test]
    fn any_text_is_read_as_some_key(text in "[\"\\[{\u{0}-\u{5}\u{20}a1~\u{200}\u{d600}]{0,30}") {
        write_value(&text, &mut String::new());
        let canonical = Datum::Key(&text).canonical();
        let _ = canonical.cmp(&Datum::Integer(1).canonical());
        write_key(&text, &mut String::new());
    }
}
