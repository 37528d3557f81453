//! A window for sums of any doubles and of their squares, as one number to the base 2^32.

/// The unit of the wide window: of the square of the least double.
pub(super) const LEAST: i32 = -2148;
/// Its bits: up to the square of the greatest double, and room for 2^60 of them.
pub(super) const CHUNKS: usize = (2148 + 2048 + 64) / 32 + 2;
/// Numbers that a wide window takes before its carries are done: each adds less than 2^33 to a chunk.
const ADDS: u32 = 1 << 28;
/// A sum in units of 2^[`LEAST`].
#[derive(Debug, Clone)]
pub(super) struct Wide {
    /// To the base 2^32, least first, carries not yet done.
    chunks: [i64; CHUNKS],
    adds: u32,
}

impl Default for Wide {
    fn default() -> Self {
        Self { chunks: [0; CHUNKS], adds: 0 }
    }
}

impl Wide {
    /// Adds `magnitude` times 2^`exponent`.
    pub(super) fn add(&mut self, negative: bool, magnitude: u128, exponent: i32) {
        if magnitude == 0 {
            return;
        }
        if self.adds == ADDS {
            self.carry();
        }
        self.adds += 1;
        // Nothing is below the unit: bits that are would be zeros.
        let (magnitude, place) = match u32::try_from(exponent - LEAST) {
            Ok(place) => (magnitude, place),
            Err(_) => (magnitude.checked_shr((LEAST - exponent) as u32).unwrap_or(0), 0),
        };
        let (chunk, shift) = ((place / 32) as usize, place % 32);
        let (mut rest, mut at) = (magnitude, chunk);
        while rest != 0 {
            let wide = u64::from(rest as u32) << shift;
            let (low, high) = (i64::from(wide as u32), (wide >> 32) as i64);
            for (at, add) in [(at, low), (at + 1, high)] {
                // What no double reaches stays in the last.
                let chunk = &mut self.chunks[at.min(CHUNKS - 1)];
                *chunk = chunk.wrapping_add(if negative { -add } else { add });
            }
            (rest, at) = (rest >> 32, at + 1);
        }
    }

    /// Adds the mantissa of a double times 2^`exponent`.
    #[inline]
    pub(super) fn add_double(&mut self, negative: bool, mantissa: u64, exponent: i32) {
        if self.adds == ADDS {
            self.carry();
        }
        self.adds += 1;
        let place = (exponent - LEAST) as u32;
        let wide = u128::from(mantissa) << (place % 32);
        let first = (place / 32) as usize;
        for (chunk, at) in self.chunks[first..first + 3].iter_mut().zip(0..) {
            let add = i64::from((wide >> (32 * at)) as u32);
            *chunk = chunk.wrapping_add(if negative { -add } else { add });
        }
    }

    /// Adds another sum.
    pub(super) fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (into, from) in self.chunks.iter_mut().zip(other.chunks) {
            *into = into.wrapping_add(from);
        }
        self.adds = 1;
    }

    /// Brings every chunk but the last into 0..2^32; the last has the sign of the sum.
    fn carry(&mut self) {
        let mut carry = 0;
        for chunk in &mut self.chunks[..CHUNKS - 1] {
            let all = *chunk + carry;
            carry = all >> 32;
            *chunk = all & i64::from(u32::MAX);
        }
        self.chunks[CHUNKS - 1] = self.chunks[CHUNKS - 1].wrapping_add(carry);
        self.adds = 0;
    }

    /// Whether it is negative, its magnitude least word first, and in which units.
    pub(super) fn parts(&self) -> (bool, Vec<u64>, i32) {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.chunks[CHUNKS - 1] < 0;
        if negative {
            sum.chunks.iter_mut().for_each(|chunk| *chunk = chunk.wrapping_neg());
            sum.carry();
        }
        let words = sum
            .chunks
            .chunks(2)
            .map(|two| two[0] as u64 | two.get(1).map_or(0, |high| (*high as u64) << 32));
        (negative, words.collect(), LEAST)
    }
}
