//! Sums of doubles: as the machine rounds them, and as IEEE 754 has zeros, infinities and NaN.

use proptest::prelude::*;

use crate::ExactSum;

fn sum(numbers: &[f64]) -> f64 {
    let mut sum = ExactSum::default();
    numbers.iter().for_each(|&x| sum.add(x));
    sum.value()
}

proptest! {
    #[test]
    fn a_sum_of_two_is_rounded_as_the_machine_rounds_it(
        a in prop::num::f64::ANY,
        b in prop::num::f64::ANY,
    ) {
        prop_assert_eq!(sum(&[a]).to_bits(), if a.is_nan() { f64::NAN } else { a }.to_bits());
        let (ours, machine) = (sum(&[a, b]), a + b);
        prop_assert!(ours == machine || ours.is_nan() && machine.is_nan());
    }

    #[test]
    fn a_sum_of_two_close_ones_is_rounded_as_the_machine_rounds_it(
        a in any::<u64>(),
        shift in 0..70_i32,
        b in any::<i64>(),
    ) {
        let (a, b) = (a as f64, b as f64 * 2_f64.powi(-shift));
        prop_assert_eq!(sum(&[a, b]), a + b);
        prop_assert_eq!(sum(&[-a, b]), b - a);
    }

    #[test]
    fn a_number_and_its_opposite_cancel_in_any_company(
        numbers in prop::collection::vec(prop::num::f64::NORMAL, 0..50),
        last in prop::num::f64::NORMAL,
    ) {
        let mut all = numbers.clone();
        all.push(last);
        all.extend(numbers.iter().map(|x| -x));
        prop_assert_eq!(sum(&all), last);
    }

    #[test]
    fn integers_add_up_to_their_integer_sum(numbers in prop::collection::vec(any::<i32>(), 0..99)) {
        let expected: i64 = numbers.iter().map(|&n| i64::from(n)).sum();
        let numbers: Vec<f64> = numbers.into_iter().map(|n| f64::from(n) * 2_f64.powi(-40)).collect();
        prop_assert_eq!(sum(&numbers), expected as f64 * 2_f64.powi(-40));
    }
}

#[test]
fn carries_are_done_before_a_chunk_is_full() {
    let n = 1_000_000;
    for x in [f64::from_bits(0x7fdf_ffff_ffff_ffff) / 1e9, -1.999_999_999, 5e-324] {
        let mut many = ExactSum::default();
        (0..n).for_each(|_| many.add(x));
        assert_eq!(many.value(), x * f64::from(n));
    }
}

#[test]
fn what_is_above_all_finite_numbers_is_infinite_and_may_come_back() {
    assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
    assert_eq!(sum(&[f64::MIN, f64::MIN]), f64::NEG_INFINITY);
    assert_eq!(sum(&[f64::MAX, f64::MAX, f64::MIN]), f64::MAX);
}

#[test]
fn ties_go_to_even_and_a_bit_far_below_breaks_them() {
    let half = 2_f64.powi(-53);
    assert_eq!(sum(&[1.0, half]), 1.0);
    assert_eq!(sum(&[1.0, half, 5e-324]), 1.0 + 2.0 * half);
    assert_eq!(sum(&[1.0, half, -5e-324]), 1.0);
    assert_eq!(sum(&[1.0 + 2.0 * half, half]), 1.0 + 4.0 * half);
}

#[test]
fn zeros_infinities_and_nan_are_as_in_ieee_addition() {
    assert_eq!(sum(&[]).to_bits(), 0.0_f64.to_bits());
    assert_eq!(sum(&[-0.0, -0.0]).to_bits(), (-0.0_f64).to_bits());
    assert_eq!(sum(&[-0.0, 0.0]).to_bits(), 0.0_f64.to_bits());
    assert_eq!(sum(&[1.0, -1.0]).to_bits(), 0.0_f64.to_bits());
    assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
    assert_eq!(sum(&[f64::NEG_INFINITY, f64::MAX, f64::MAX]), f64::NEG_INFINITY);
    assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    assert!(sum(&[f64::NAN, 1.0]).is_nan());
}
