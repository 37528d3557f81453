//! Numbers beside exact integers, and as they are written.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::decimal::{Decimal, Digits};
use super::number::{EXACT, Number, double, is_integer};
use super::{Datum, shortest, write_key, write_value};

#[test]
fn doubles_are_written_as_jq_does_but_from_2_to_the_53_on_with_a_point() {
    for (double, written) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (1e15, "1000000000000000"),
        (1e17, "100000000000000000.0"),
        (9_007_199_254_740_991.0, "9007199254740991"),
        (-9_007_199_254_740_992.0, "-9007199254740992.0"),
        (1e19, "10000000000000000000.0"),
        (18_446_744_073_709_551_615.0, "18446744073709552000.0"),
        (1e20, "100000000000000000000.0"),
        (1e21, "1e21"),
        (1.23e22, "1.23e22"),
        (123_456_789_012_345_680_000.0, "123456789012345680000.0"),
        (1_180_591_620_717_411_303_424.0, "1180591620717411300000.0"),
        (0.0001, "0.0001"),
        (0.000_123_45, "0.00012345"),
        (1e-5, "1e-5"),
        (-1.5e-7, "-1.5e-7"),
        (1e308, "1e308"),
        (f64::MAX, "1.7976931348623157e308"),
        (5e-324, "5e-324"),
        (f64::INFINITY, "1.7976931348623157e308"),
        (f64::NEG_INFINITY, "-1.7976931348623157e308"),
        (f64::NAN, "null"),
    ] {
        assert_eq!(shortest(double), written);
    }
}

fn written(raw: &str) -> String {
    let mut out = String::new();
    Decimal::of(raw, &mut Digits::default()).write(&mut out);
    out
}

#[test]
fn integers_stay_exact_however_long() {
    let many = "1234567890".repeat(100);
    let round = format!("1{}", "0".repeat(400));
    let near = "12345678901234567".to_owned() + &"0".repeat(20);
    for (raw, text) in [
        ("0", "0"),
        ("-0", "0"),
        ("100", "100"),
        ("-18446744073709551615", "-18446744073709551615"),
        ("10000000000000000000", "10000000000000000000"),
        ("100000000000000000001", "100000000000000000001"),
        (&many, &many),
        // With an exponent they would be other numbers.
        (&round, &round),
        (&near, &near),
        ("10000000000000000000000", "1e22"),
        ("1180591620717411303424", "1180591620717411303424"),
        ("1180591620717411303424.0", "1180591620717411303424"),
        ("1e300", "1e300"),
    ] {
        assert_eq!(written(raw), text);
    }
}

#[test]
fn numbers_are_read_by_value() {
    for (raw, number) in [
        ("0", Number::Integer(0)),
        ("-0", Number::Integer(0)),
        ("9223372036854775807", Number::Integer(i64::MAX)),
        ("-9223372036854775808", Number::Integer(i64::MIN)),
        ("9223372036854775808", Number::Long("9223372036854775808".into())),
        ("1.0", Number::Double(1.0)),
        ("1e2", Number::Double(100.0)),
        ("1e400", Number::Double(f64::MAX)),
        ("", Number::Double(0.0)),
        ("-", Number::Double(0.0)),
        ("1.", Number::Double(1.0)),
        ("nan", Number::Double(f64::MAX)),
    ] {
        let read = Number::of(raw);
        if raw == "nan" {
            assert!(read.to_f64().is_nan());
        } else {
            assert_eq!(read, number, "{raw}");
        }
    }
    assert!(Number::of("-0.0").to_f64().is_sign_negative());
}

/// The exact value of a number, in units of the least double.
fn exact(raw: &str) -> BigInt {
    if is_integer(raw) {
        return raw.parse::<BigInt>().unwrap() << 1074_u32;
    }
    let x = double(raw);
    let (exponent, fraction) = ((x.to_bits() >> 52) as u32 & 2047, x.to_bits() & ((1 << 52) - 1));
    let mantissa = fraction | u64::from(exponent > 0) << 52;
    let magnitude = BigInt::from(mantissa) << (exponent.max(1) - 1);
    if x < 0.0 { -magnitude } else { magnitude }
}

fn of_key(raw: &str) -> String {
    let mut key = String::new();
    write_key(raw, &mut key);
    key
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn numbers_compare_by_their_exact_values_in_every_form(
        (a, b) in (any_number(), any_number()).prop_flat_map(|(a, b)| {
            // Rounding shows at the neighbours of the first.
            let near = neighbours(&a);
            (Just(a), prop_oneof![Just(b), prop::sample::select(near)])
        }),
    ) {
        let order = exact(&a).cmp(&exact(&b));
        let forms = |raw: &str| {
            let mut key = String::new();
            Datum::Json(raw).canonical().write_key(&mut key);
            let own = Number::of(raw).datum().canonical().into_owned();
            let of_key = Datum::Key(&key).canonical().into_owned();
            [Datum::Json(raw).canonical().into_owned(), own, of_key]
        };
        prop_assert_eq!(of_key(&a).cmp(&of_key(&b)), order, "keys of {} and {}", a, b);
        for left in forms(&a) {
            for right in forms(&b) {
                prop_assert_eq!(left.cmp(&right), order, "{} and {}", a, b);
                prop_assert_eq!(left == right, order.is_eq(), "{} and {}", a, b);
            }
        }
        // A key is written as the same value, and takes not much more text than the number did.
        let (mut text, of) = (String::new(), of_key(&a));
        write_value(&of, &mut text);
        prop_assert_eq!(exact(&text), exact(&a), "{} as {}", a, text);
        prop_assert!(of.len() <= a.len() + 32, "{}", a);
    }
}

/// Numbers of all sizes, integers and doubles, many of them near powers of two.
fn any_number() -> impl Strategy<Value = String> {
    let near_power = (0..1100_u32, -3..=3_i32, any::<bool>()).prop_map(|(bits, near, negative)| {
        let n = (BigInt::from(1) << bits) + near;
        (if negative { -n } else { n }).to_string()
    });
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (-9_999..9_999_i64).prop_map(|n| (n as f64 / 8.0).to_string()),
        (prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO)
            .prop_map(shortest),
        (1e15..1e23_f64).prop_map(shortest),
        near_power,
        "-?[1-9][0-9]{0,40}0{0,30}",
    ]
}

/// A number, the closest doubles, and the integers next to it.
fn neighbours(raw: &str) -> Vec<String> {
    let x = double(raw);
    let mut near: Vec<_> = [x, x.next_up(), x.next_down()]
        .into_iter()
        .filter(|x| x.is_finite())
        .map(shortest)
        .collect();
    let integer = exact(raw) >> 1074_u32;
    near.extend((-1..=1).map(|by: i32| (&integer + by).to_string()));
    near.push(raw.to_owned());
    near
}

proptest! {
    #[test]
    fn doubles_that_are_written_come_back_as_doubles(x in prop_oneof![prop::num::f64::NORMAL, 1e15..1e23_f64]) {
        let text = shortest(x);
        match Number::of(&text) {
            Number::Double(back) => prop_assert_eq!(back.to_bits(), x.to_bits()),
            // Below 2^53 an integer is the double of that value.
            Number::Integer(n) => prop_assert!(x.abs() < EXACT && n as f64 == x, "{}", text),
            Number::Long(_) => prop_assert!(false, "{}", text),
        }
    }

    #[test]
    fn decimals_are_the_closest_doubles(raw in "-?(0|[1-9][0-9]{0,19})\\.[0-9]{1,19}") {
        prop_assert_eq!(Number::of(&raw), Number::Double(raw.parse().unwrap()));
    }

    #[test]
    fn integers_of_64_bits_come_back_from_their_decimals(n: i64) {
        let raw = n.to_string();
        prop_assert_eq!(Number::of(&raw), Number::Integer(n));
        prop_assert_eq!(Decimal::of(&raw, &mut Digits::default()).to_i64(), Some(n));
    }

    #[test]
    fn numbers_that_are_written_read_back(
        double in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        digits in "-?[1-9][0-9]{0,40}0{0,30}",
    ) {
        let text = shortest(double);
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), double.to_bits());
        prop_assert!(text.len() <= 37, "{}", text);
        let text = written(&digits);
        let [mut a, mut b] = [Digits::default(), Digits::default()];
        prop_assert_eq!(Decimal::of(&text, &mut a), Decimal::of(&digits, &mut b));
    }
}
