//! Sums without rounding, small enough to have one for each group.
//!
//! A sum of doubles depends on the order of its additions, unless nothing is rounded. So a sum here
//! is an integer in units of a power of two, in a window of `L` words; numbers that are too small or
//! too large for it move the window, and those of very different sizes a wide one on the heap, which
//! holds any doubles and their squares. Which of both it is does not show.

use num_bigint::{BigInt, BigUint, Sign};

use super::wide::{CHUNKS, LEAST, Wide};
use super::{Damaged, Reader, Writer};

/// No number was added as yet.
const EMPTY: i16 = i16::MAX;
/// The bits of a window that are kept free below the first number, of four words and of fewer.
const BELOW: [u32; 2] = [24, 60];

/// A sum, in units of 2^`unit`, two's complement, least word first.
#[derive(Debug, Clone)]
pub(crate) struct Exact<const L: usize> {
    words: [u64; L],
    wide: Option<Box<Wide>>,
    unit: i16,
}

/// The sum of two words and a carry, and the carry. The compiler makes one instruction of it.
fn added(word: u64, add: u64, carry: bool) -> (u64, bool) {
    let (sum, over) = word.overflowing_add(add);
    let (sum, over_by_carry) = sum.overflowing_add(u64::from(carry));
    (sum, over | over_by_carry)
}

/// The difference of two words and a borrow, and the borrow.
fn subtracted(word: u64, subtract: u64, borrow: bool) -> (u64, bool) {
    let (difference, under) = word.overflowing_sub(subtract);
    let (difference, under_by_borrow) = difference.overflowing_sub(u64::from(borrow));
    (difference, under | under_by_borrow)
}

impl<const L: usize> Default for Exact<L> {
    fn default() -> Self {
        Self { words: [0; L], wide: None, unit: EMPTY }
    }
}

impl<const L: usize> Exact<L> {
    /// Adds a double that is finite.
    #[inline]
    pub(crate) fn add_double(&mut self, x: f64) {
        let (negative, mantissa, exponent) = parts(x);
        // Negative, and so beyond the room, if there is no window.
        let shift = (exponent - i32::from(self.unit)) as u32;
        if shift <= Self::ROOM - f64::MANTISSA_DIGITS {
            self.add_shifted(negative, u128::from(mantissa), shift);
        } else if let Some(wide) = &mut self.wide {
            wide.add_double(negative, mantissa, exponent);
        } else {
            self.add(negative, u128::from(mantissa), exponent);
        }
    }

    /// Adds an integer.
    #[inline]
    pub(crate) fn add_integer(&mut self, n: i128) {
        self.add(n < 0, n.unsigned_abs(), 0);
    }

    /// Adds `magnitude` times 2^`exponent`.
    #[inline]
    pub(crate) fn add(&mut self, negative: bool, magnitude: u128, exponent: i32) {
        let bits = 128 - magnitude.leading_zeros();
        let shift = exponent - i32::from(self.unit);
        // Room for a carry and the sign is left above. Without a window the shift is negative.
        if shift >= 0 && shift as u32 + bits <= Self::ROOM {
            self.add_shifted(negative, magnitude, shift as u32);
        } else if let Some(wide) = &mut self.wide {
            wide.add(negative, magnitude, exponent);
        } else if magnitude != 0 {
            self.add_slowly(negative, magnitude, exponent);
        }
    }

    /// The bits of a number that fits.
    const ROOM: u32 = 64 * L as u32 - 2;

    #[inline]
    fn add_shifted(&mut self, negative: bool, magnitude: u128, shift: u32) {
        if L == 2 {
            let sum = u128::from(self.words[0]) | u128::from(self.words[1]) << 64;
            // Without a branch on the sign, which is as good as chance.
            let sign = u128::from(negative).wrapping_neg();
            let sum = sum.wrapping_add((magnitude << shift ^ sign).wrapping_sub(sign));
            (self.words[0], self.words[1]) = (sum as u64, (sum >> 64) as u64);
        } else {
            let (from, shift) = ((shift / 64) as usize, shift % 64);
            let low = magnitude << shift;
            let high = if shift == 0 { 0 } else { (magnitude >> (128 - shift)) as u64 };
            let add = [low as u64, (low >> 64) as u64, high];
            let mut carry = false;
            for (at, word) in self.words.iter_mut().enumerate().skip(from) {
                let add = add.get(at - from).copied().unwrap_or(0);
                (*word, carry) = match negative {
                    true => subtracted(*word, add, carry),
                    false => added(*word, add, carry),
                };
            }
        }
        // The two highest bits differ.
        let top = self.words[L - 1];
        if (top ^ top << 1) >> 63 == 1 {
            self.widen();
        }
    }

    #[cold]
    fn add_slowly(&mut self, negative: bool, magnitude: u128, exponent: i32) {
        // Without zeros at the end it fits wherever it can.
        let zeros = magnitude.trailing_zeros();
        let (mut magnitude, mut exponent) = (magnitude >> zeros, exponent + zeros as i32);
        if self.wide.is_none() {
            let bits = 128 - magnitude.leading_zeros();
            if self.unit == EMPTY {
                let below = BELOW[usize::from(L > 2)].min(Self::ROOM.saturating_sub(bits));
                self.unit = (exponent - below as i32).clamp(LEAST, 4096) as i16;
            }
            let lower = i32::from(self.unit) - exponent;
            if lower > 0 {
                self.lower(lower as u32);
            }
            let mut shift = exponent - i32::from(self.unit);
            if shift > 0 {
                // What is written with zeros has them below, where they fit.
                let take = (zeros as i32).min(shift);
                (magnitude, exponent, shift) = (magnitude << take, exponent - take, shift - take);
            }
            let bits = 128 - magnitude.leading_zeros();
            if self.wide.is_none() && shift >= 0 && shift as u32 + bits <= Self::ROOM {
                return self.add_shifted(negative, magnitude, shift as u32);
            }
            self.widen();
        }
        if let Some(wide) = &mut self.wide {
            wide.add(negative, magnitude, exponent);
        }
    }

    /// Makes the unit smaller, if the sum leaves room for it.
    fn lower(&mut self, bits: u32) {
        let (_, words) = self.magnitude_of_window();
        let used = words.iter().rposition(|word| *word != 0);
        let used = used.map_or(0, |top| 64 * top as u32 + 64 - words[top].leading_zeros());
        if used + bits > Self::ROOM {
            return self.widen();
        }
        let (whole, part) = ((bits / 64) as usize, bits % 64);
        for at in (0..L).rev() {
            let word = |at: Option<usize>| at.map_or(0, |at| self.words[at]);
            let (low, high) = (word(at.checked_sub(whole)), word(at.checked_sub(whole + 1)));
            self.words[at] = if part == 0 { low } else { low << part | high >> (64 - part) };
        }
        self.unit -= bits as i16;
    }

    /// Moves the sum to a wide window.
    #[cold]
    fn widen(&mut self) {
        if self.wide.is_some() {
            return;
        }
        let mut wide = Box::<Wide>::default();
        if self.unit != EMPTY {
            let (negative, words) = self.magnitude_of_window();
            for (at, word) in words.into_iter().enumerate() {
                wide.add(negative, u128::from(word), i32::from(self.unit) + 64 * at as i32);
            }
        }
        (self.words, self.unit, self.wide) = ([0; L], EMPTY, Some(wide));
    }

    /// The sum of the window without its sign.
    fn magnitude_of_window(&self) -> (bool, [u64; L]) {
        let negative = self.words[L - 1] >> 63 == 1;
        let mut words = self.words;
        if negative {
            let mut carry = true;
            for word in &mut words {
                (*word, carry) = (!*word).overflowing_add(u64::from(carry));
            }
        }
        (negative, words)
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        if let Some(from) = &other.wide {
            self.widen();
            if let Some(wide) = &mut self.wide {
                wide.merge(from);
            }
        } else if other.unit != EMPTY {
            if self.unit == EMPTY && self.wide.is_none() {
                (self.words, self.unit) = (other.words, other.unit);
                return;
            }
            let (negative, words) = other.magnitude_of_window();
            for (at, word) in words.into_iter().enumerate() {
                self.add(negative, u128::from(word), i32::from(other.unit) + 64 * at as i32);
            }
        }
    }

    /// Whether it is negative, its magnitude least word first, and in which units.
    fn parts(&self) -> (bool, Vec<u64>, i32) {
        if let Some(wide) = &self.wide {
            return wide.parts();
        }
        let (negative, words) = self.magnitude_of_window();
        (negative, words.to_vec(), if self.unit == EMPTY { 0 } else { i32::from(self.unit) })
    }

    /// The sum: an integer, times a power of two.
    pub(crate) fn to_big(&self) -> (BigInt, i32) {
        let (negative, words, unit) = self.parts();
        let digits: Vec<u32> =
            words.iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]).collect();
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        (BigInt::from_biguint(sign, BigUint::new(digits)), unit)
    }

    /// The sum, if it is an integer: `None` if it has a fraction.
    pub(crate) fn to_integer(&self) -> Option<BigInt> {
        let (sum, unit) = self.to_big();
        match u32::try_from(unit) {
            Ok(unit) => Some(sum << unit),
            Err(_) => {
                let below = u64::from(unit.unsigned_abs());
                (sum.trailing_zeros().is_none_or(|zeros| zeros >= below)).then(|| sum >> below)
            }
        }
    }

    /// The sum, rounded to the nearest double, ties to even: infinite beyond the greatest.
    pub(crate) fn to_f64(&self) -> f64 {
        let (negative, words, unit) = self.parts();
        let magnitude = round(&words, unit);
        if negative { -magnitude } else { magnitude }
    }

    /// The sum divided by a number that is not zero, rounded once to the nearest double, ties to even.
    pub(crate) fn divided(&self, n: u64) -> f64 {
        let (negative, words) = self.magnitude_of_window();
        let magnitude = match (&self.wide, &words[..]) {
            (None, &[low, high]) => {
                quotient(u128::from(low) | u128::from(high) << 64, n, self.unit)
            }
            _ => {
                let (sum, unit) = self.to_big();
                let magnitude = ratio(sum.magnitude(), &n.into(), unit);
                return if sum.sign() == Sign::Minus { -magnitude } else { magnitude };
            }
        };
        if negative { -magnitude } else { magnitude }
    }

    /// Appends the sum to bytes: equal sums are equal bytes.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        match &self.wide {
            Some(wide) => {
                let (negative, words, unit) = wide.parts();
                put(negative, &words, unit, bytes);
            }
            None => {
                let (negative, words) = self.magnitude_of_window();
                put(negative, &words, i32::from(self.unit), bytes);
            }
        }
    }

    /// Reads a sum.
    pub(crate) fn decode(bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let damaged = bytes.damaged("no sum");
        let head = bytes.u64()?;
        let (len, negative) = (head >> 1, head & 1 == 1);
        let mut sum = Self::default();
        if head == 0 {
            return Ok(sum);
        }
        if len as usize > CHUNKS * 4 || len == 0 {
            return Err(damaged);
        }
        let exponent = i32::try_from(bytes.i64()?).map_err(|_| damaged)?;
        // What no sum of doubles reaches.
        let top = i64::from(exponent) + 8 * len as i64;
        if exponent < LEAST || top > i64::from(LEAST) + 32 * (CHUNKS as i64 - 2) {
            return Err(damaged);
        }
        for (at, some) in bytes.take(len as usize)?.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..some.len()].copy_from_slice(some);
            let magnitude = u128::from(u64::from_le_bytes(word));
            sum.add(negative, magnitude, exponent + 64 * at as i32);
        }
        Ok(sum)
    }

    /// The bytes of memory that it points to.
    pub(crate) fn heap(&self) -> usize {
        if self.wide.is_some() { size_of::<Wide>() } else { 0 }
    }
}

/// Appends an integer, given least word first, in units of 2^`unit`: an odd number, and how often it is doubled.
fn put(negative: bool, words: &[u64], unit: i32, bytes: &mut Vec<u8>) {
    let Some(first) = words.iter().position(|word| *word != 0) else { return bytes.put_u64(0) };
    let zeros = words[first].trailing_zeros();
    let last = words.iter().rposition(|word| *word != 0).unwrap_or(first);
    let bits = 64 * (last - first) as u32 + 64 - words[last].leading_zeros() - zeros;
    let mut left = bits.div_ceil(8) as usize;
    bytes.put_u64((left as u64) << 1 | u64::from(negative));
    bytes.put_i64(i64::from(unit) + 64 * first as i64 + i64::from(zeros));
    for at in first..=last {
        let above = if at < last && zeros > 0 { words[at + 1] << (64 - zeros) } else { 0 };
        let word = (words[at] >> zeros | above).to_le_bytes();
        bytes.extend_from_slice(&word[..left.min(8)]);
        left -= left.min(8);
    }
}

/// A finite double: whether it is negative, and its magnitude as an integer times a power of two.
#[inline]
pub(crate) fn parts(x: f64) -> (bool, u64, i32) {
    let bits = x.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    let implicit = u64::from(exponent != 0) << 52;
    (x.is_sign_negative(), fraction | implicit, exponent.max(1) - 1075)
}

/// The double nearest to a magnitude, given least word first, in units of 2^`unit`; ties to even.
pub(crate) fn round(words: &[u64], unit: i32) -> f64 {
    let Some(top) = words.iter().rposition(|word| *word != 0) else { return 0.0 };
    let highest = 64 * top as i32 + 63 - words[top].leading_zeros() as i32;
    // The least bit that a double has room for; of the least doubles it is always the same.
    let from = (highest - 52).max(-1074 - unit);
    let bit =
        |at: i32| at >= 0 && words.get(at as usize / 64).is_some_and(|w| w >> (at % 64) & 1 == 1);
    // Nothing is above the highest bit.
    let mantissa = match u32::try_from(from) {
        Err(_) => words[0] << from.unsigned_abs(),
        Ok(from) => {
            let (whole, part) = ((from / 64) as usize, from % 64);
            let word = |at: usize| words.get(at).copied().unwrap_or(0);
            let above = if part == 0 { 0 } else { word(whole + 1) << (64 - part) };
            word(whole) >> part | above
        }
    };
    let below = |at: i32| {
        let (whole, part) = ((at / 64) as usize, at % 64);
        words[..whole].iter().any(|word| *word != 0) || words[whole] & ((1 << part) - 1) != 0
    };
    let half = from >= 1 && from - 1 <= highest && bit(from - 1);
    let up = half && (mantissa & 1 == 1 || below(from - 1));
    let exponent = from + unit + 1074;
    if exponent >= 2046 {
        return f64::INFINITY;
    }
    // Each step of the exponent is a step of `from`; the implicit bit of the mantissa is the first.
    let bits = ((exponent as u64) << 52) + mantissa + u64::from(up);
    f64::from_bits(bits.min(f64::INFINITY.to_bits()))
}

/// The double nearest to a magnitude below 2^127, in units of 2^`unit`, divided by a number; ties to
/// even.
fn quotient(magnitude: u128, n: u64, unit: i16) -> f64 {
    if magnitude == 0 {
        return 0.0;
    }
    // So many bits of the quotient that what is below them cannot but break a tie.
    let shift = magnitude.leading_zeros() - 1;
    let (shifted, n) = (magnitude << shift, u128::from(n));
    let bits = (shifted / n) << 1 | u128::from(shifted % n != 0);
    round(&[bits as u64, (bits >> 64) as u64], i32::from(unit) - shift as i32 - 1)
}

/// The double nearest to a fraction that is not negative, in units of 2^`unit`; ties to even.
pub(crate) fn ratio(numerator: &BigUint, denominator: &BigUint, unit: i32) -> f64 {
    // So many bits that what is below them cannot but break a tie.
    let wanted = 128 + denominator.bits() as i64 - numerator.bits() as i64;
    let shift = wanted.max(0) as u64;
    let shifted = numerator << shift;
    let quotient = &shifted / denominator;
    let rest = shifted != &quotient * denominator;
    let mut words = (quotient << 1_u32).to_u64_digits();
    if let (Some(first), true) = (words.first_mut(), rest) {
        *first |= 1;
    }
    round(&words, unit - shift as i32 - 1)
}

#[cfg(test)]
mod tests;
