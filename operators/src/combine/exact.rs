//! Sums of floats without rounding: the small superaccumulator of Radford Neal.

use std::fmt;

use crate::aggregate::{Damaged, Reader, Writer};

/// Bits of a chunk that hold the number; the others of its `i64` are room for carries.
const CHUNK_BITS: u32 = 32;
/// Chunks for all bits of an `f64`, from 2^-1074 up, and of 2^64 of them added up.
const CHUNKS: usize = 67;
/// A number adds less than 2^52 to a chunk, which after a carry holds at most 2^32 and takes less
/// than 2^63.
const ADDS_BEFORE_CARRY: u32 = 2000;

/// The exact sum of any floats: rounded only when it is asked for, to the nearest `f64`.
///
/// The order in which numbers and sums are added never shows.
///
/// ```
/// use creel_operators::ExactSum;
///
/// let mut sum = ExactSum::default();
/// [1e16, 1.0, -1e16, 0.5].into_iter().for_each(|x| sum.add(x));
/// assert_eq!(sum.value(), 1.5);
/// ```
#[derive(Clone)]
pub struct ExactSum {
    /// The sum in units of 2^-1074, to the base 2^32, lowest first, carries not yet done.
    chunks: [i64; CHUNKS],
    adds: u32,
    seen: Seen,
}

/// What the chunks cannot tell.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Any NaN; or the infinities, of which both make NaN.
    nan: bool,
    infinity: bool,
    negative_infinity: bool,
    /// Only negative zeros make a negative zero.
    negative_zero: bool,
    other: bool,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { chunks: [0; CHUNKS], adds: 0, seen: Seen::default() }
    }
}

impl fmt::Debug for ExactSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExactSum").field(&self.value()).finish()
    }
}

impl ExactSum {
    /// Adds a number.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// let mut sum = ExactSum::default();
    /// sum.add(0.25);
    /// assert_eq!(sum.value(), 0.25);
    /// ```
    pub fn add(&mut self, x: f64) {
        let bits = x.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as u32;
        let fraction = bits & ((1 << 52) - 1);
        match (exponent, fraction) {
            (0, 0) if x.is_sign_negative() => self.seen.negative_zero = true,
            (0x7ff, 0) if x > 0.0 => self.seen.infinity = true,
            (0x7ff, 0) => self.seen.negative_infinity = true,
            (0x7ff, _) => self.seen.nan = true,
            (0, _) => self.add_scaled(fraction, 0, x < 0.0),
            _ => self.add_scaled(fraction | 1 << 52, exponent - 1, x < 0.0),
        }
    }

    /// Adds `mantissa * 2^shift` units.
    fn add_scaled(&mut self, mantissa: u64, shift: u32, negative: bool) {
        self.seen.other = true;
        if self.adds == ADDS_BEFORE_CARRY {
            self.carry();
        }
        self.adds += 1;
        let chunk = (shift / CHUNK_BITS) as usize;
        let wide = u128::from(mantissa) << (shift % CHUNK_BITS);
        let (low, high) = (i64::from(wide as u32), (wide >> CHUNK_BITS) as i64);
        if negative {
            self.chunks[chunk] -= low;
            self.chunks[chunk + 1] -= high;
        } else {
            self.chunks[chunk] += low;
            self.chunks[chunk + 1] += high;
        }
    }

    /// Adds all that another sum holds.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// let (mut a, mut b) = (ExactSum::default(), ExactSum::default());
    /// a.add(1e300);
    /// b.add(-1e300);
    /// b.add(1.0);
    /// a.add_sum(&b);
    /// assert_eq!(a.value(), 1.0);
    /// ```
    pub fn add_sum(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (into, from) in self.chunks.iter_mut().zip(other.chunks) {
            *into += from;
        }
        self.adds = 1;
        self.seen = Seen {
            nan: self.seen.nan | other.seen.nan,
            infinity: self.seen.infinity | other.seen.infinity,
            negative_infinity: self.seen.negative_infinity | other.seen.negative_infinity,
            negative_zero: self.seen.negative_zero | other.seen.negative_zero,
            other: self.seen.other | other.seen.other,
        };
    }

    /// Appends the sum to bytes: equal sums are equal bytes.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// use creel_operators::aggregate::Reader;
    ///
    /// let (mut sum, mut bytes) = (ExactSum::default(), Vec::new());
    /// sum.add(0.1);
    /// sum.encode(&mut bytes);
    /// assert_eq!(ExactSum::decode(&mut Reader::new(&bytes)).unwrap().value(), 0.1);
    /// ```
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let mut sum = self.clone();
        sum.carry();
        let Seen { nan, infinity, negative_infinity, negative_zero, other } = sum.seen;
        let flags = [nan, infinity, negative_infinity, negative_zero, other];
        bytes.push(flags.iter().rev().fold(0, |all, flag| all << 1 | u8::from(*flag)));
        let there = |chunk: &i64| *chunk != 0;
        let first = sum.chunks.iter().position(there).unwrap_or(0);
        let end = sum.chunks.iter().rposition(there).map_or(first, |last| last + 1);
        bytes.put_u64(first as u64);
        bytes.put_u64((end - first) as u64);
        sum.chunks[first..end].iter().for_each(|chunk| bytes.put_i64(*chunk));
    }

    /// Reads a sum.
    ///
    /// # Errors
    ///
    /// If no sum was encoded as these bytes.
    pub fn decode(bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let damaged = bytes.damaged("no sum");
        let flags = bytes.byte()?;
        let (first, count) = (bytes.u64()? as usize, bytes.count(1)?);
        if flags >= 32 || first > CHUNKS || count > CHUNKS - first {
            return Err(damaged);
        }
        let flag = |at: u8| flags >> at & 1 == 1;
        let seen = Seen {
            nan: flag(0),
            infinity: flag(1),
            negative_infinity: flag(2),
            negative_zero: flag(3),
            other: flag(4),
        };
        let mut sum = Self { seen, ..Self::default() };
        for chunk in &mut sum.chunks[first..first + count] {
            *chunk = bytes.i64()?;
            if chunk.unsigned_abs() > 1 << 60 {
                return Err(damaged);
            }
        }
        sum.carry();
        Ok(sum)
    }

    /// Brings every chunk but the last into 0..2^32; the last has the sign of the sum.
    fn carry(&mut self) {
        let mut carry = 0;
        for chunk in &mut self.chunks[..CHUNKS - 1] {
            let all = *chunk + carry;
            carry = all >> CHUNK_BITS;
            *chunk = all & i64::from(u32::MAX);
        }
        self.chunks[CHUNKS - 1] += carry;
        self.adds = 0;
    }

    /// The sum, rounded to the nearest `f64`, ties to even.
    ///
    /// ```
    /// # use creel_operators::ExactSum;
    /// assert_eq!(ExactSum::default().value(), 0.0);
    /// ```
    pub fn value(&self) -> f64 {
        let seen = self.seen;
        if seen.nan || seen.infinity && seen.negative_infinity {
            f64::NAN
        } else if seen.infinity {
            f64::INFINITY
        } else if seen.negative_infinity {
            f64::NEG_INFINITY
        } else if seen.negative_zero && !seen.other {
            -0.0
        } else {
            self.finite()
        }
    }

    fn finite(&self) -> f64 {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.chunks[CHUNKS - 1] < 0;
        if negative {
            sum.chunks.iter_mut().for_each(|chunk| *chunk = -*chunk);
            sum.carry();
        }
        let magnitude = f64::from_bits(round(&sum.chunks));
        if negative { -magnitude } else { magnitude }
    }
}

/// The bits of the `f64` nearest to a number in units of 2^-1074, to the base 2^32.
fn round(chunks: &[i64; CHUNKS]) -> u64 {
    let Some(top) = chunks.iter().rposition(|&chunk| chunk != 0) else { return 0 };
    let highest = top as u32 * CHUNK_BITS + chunks[top].ilog2();
    // The bits from `from` up, as many as an f64 has room for; those of a subnormal, and of the
    // smallest normal numbers, are the number itself.
    let from = highest.saturating_sub(52);
    let chunk = (from / CHUNK_BITS) as usize;
    let wide = (chunk..=top).rev().fold(0, |wide, i| wide << CHUNK_BITS | chunks[i] as u128);
    let mantissa = (wide >> (from % CHUNK_BITS)) as u64;
    // Each step of the exponent is a step of `from`; the implicit bit of the mantissa is the first.
    let bits = (u64::from(from) << 52) + mantissa;
    let up =
        from > 0 && bit(chunks, from - 1) && (mantissa & 1 == 1 || any_below(chunks, from - 1));
    (bits + u64::from(up)).min(f64::INFINITY.to_bits())
}

fn bit(chunks: &[i64; CHUNKS], at: u32) -> bool {
    chunks[(at / CHUNK_BITS) as usize] >> (at % CHUNK_BITS) & 1 == 1
}

fn any_below(chunks: &[i64; CHUNKS], at: u32) -> bool {
    let (whole, rest) = ((at / CHUNK_BITS) as usize, at % CHUNK_BITS);
    chunks[..whole].iter().any(|&chunk| chunk != 0) || chunks[whole] & ((1 << rest) - 1) != 0
}

#[cfg(test)]
mod tests {
    use super::ExactSum;
    use proptest::prelude::*;

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
}
