//! Sums are those of exact arithmetic, whatever the order of their terms.

use super::*;
use proptest::prelude::*;

/// The sum as a decimal number, which the standard library rounds.
fn expected(numbers: &[f64]) -> f64 {
    let units = |x: &f64| {
        let (negative, mantissa, exponent) = parts(*x);
        let units = BigInt::from(mantissa) << (exponent + 1074) as u32;
        if negative { -units } else { units }
    };
    let sum: BigInt = numbers.iter().map(units).sum();
    let digits = sum * BigInt::from(5).pow(1074);
    format!("{digits}e-1074").parse().unwrap()
}

fn sum<const L: usize>(numbers: &[f64]) -> Exact<L> {
    let mut sum = Exact::default();
    numbers.iter().for_each(|x| sum.add_double(*x));
    sum
}

fn bytes<const L: usize>(sum: &Exact<L>) -> Vec<u8> {
    let mut bytes = Vec::new();
    sum.encode(&mut bytes);
    bytes
}

fn agrees<const L: usize>(numbers: &[f64], cut: usize) {
    let all: Exact<L> = sum(numbers);
    assert_eq!(all.to_f64().to_bits(), expected(numbers).to_bits(), "{numbers:?}");
    let (left, right) = numbers.split_at(cut.min(numbers.len()));
    let mut merged: Exact<L> = sum(right);
    merged.merge(&sum(left));
    assert_eq!(bytes(&merged), bytes(&all));
    let encoded = bytes(&all);
    let mut reader = Reader::new(&encoded);
    let decoded = Exact::<L>::decode(&mut reader).unwrap();
    assert!(reader.end().is_ok());
    assert_eq!(bytes(&decoded), encoded);
    let mut opposite: Exact<L> = sum(&numbers.iter().map(|x| -x).collect::<Vec<_>>());
    opposite.merge(&all);
    assert_eq!(bytes(&opposite), [0]);
}

fn finite() -> impl Strategy<Value = f64> {
    prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO
}

proptest! {
    #[test]
    fn sums_of_any_doubles_are_exact(numbers in prop::collection::vec(finite(), 0..20), cut in 0..20_usize) {
        agrees::<2>(&numbers, cut);
        agrees::<4>(&numbers, cut);
    }

    #[test]
    fn sums_of_doubles_of_like_size_are_exact(
        numbers in prop::collection::vec((-1e6..1e6_f64, 0..60_i32), 0..50),
        cut in 0..50_usize,
    ) {
        let numbers: Vec<f64> = numbers.iter().map(|(x, e)| x * 2_f64.powi(-e)).collect();
        agrees::<2>(&numbers, cut);
        agrees::<4>(&numbers, cut);
        let like: Vec<f64> = numbers.iter().map(|x| (x * 1e6).round() / 1e6).collect();
        agrees::<2>(&like, cut);
    }

    #[test]
    fn integers_and_squares_are_exact(numbers in prop::collection::vec(any::<i64>(), 0..20)) {
        let (mut sum, mut squares) = (Exact::<2>::default(), Exact::<4>::default());
        for n in &numbers {
            sum.add_integer(i128::from(*n));
            let magnitude = u128::from(n.unsigned_abs());
            squares.add(false, magnitude * magnitude, 0);
        }
        let big: BigInt = numbers.iter().map(|n| BigInt::from(*n)).sum();
        prop_assert_eq!(sum.to_integer(), Some(big));
        let big: BigInt = numbers.iter().map(|n| BigInt::from(*n) * n).sum();
        prop_assert_eq!(squares.to_integer(), Some(big));
    }

    #[test]
    fn fractions_are_rounded_once(a in 1..u64::MAX, b in 1..(1_u64 << 53), unit in -60..60_i32) {
        let a = a >> (a % 12 + 11);
        let expected = a as f64 / b as f64 * 2_f64.powi(unit);
        prop_assert_eq!(ratio(&a.into(), &b.into(), unit), expected);
    }

    #[test]
    fn damaged_sums_are_refused_or_are_sums(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(sum) = Exact::<2>::decode(&mut Reader::new(&bytes)) {
            sum.to_f64();
        }
    }
}

#[test]
fn many_additions_do_not_overflow() {
    let mut sum = Exact::<2>::default();
    (0..1000).for_each(|_| sum.add_double(f64::MAX));
    (0..999).for_each(|_| sum.add_double(f64::MIN));
    assert_eq!(sum.to_f64(), f64::MAX);
    let mut sum = Exact::<2>::default();
    (0..1000).for_each(|_| sum.add_integer(i128::MAX));
    assert_eq!(sum.to_integer(), Some(BigInt::from(i128::MAX) * 1000));
}
