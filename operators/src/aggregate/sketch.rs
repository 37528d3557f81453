//! Counts of numbers by size: what is known of numbers that are too many to keep.
//!
//! A number is counted by its sign, its exponent and the first seven bits behind it. Each interval is
//! 1/128 of its lower bound wide, and stands for its middle: no number is further from it than 1/256 of
//! itself, or of those nearer to zero than 2^-1022, whose intervals are all 2^-1029 wide, than 2^-1030. Counts are added up, so no order shows; and there is no
//! logarithm, which machines round differently.

use super::{Damaged, Reader, Writer};

/// The bits of a double behind those that it is counted by.
const BELOW: u32 = 52 - 7;
/// The intervals of one sign: exponents of 11 bits, and 7 bits more.
const INTERVALS: u64 = 1 << (11 + 7);

/// How many numbers lie in each interval. It grows with how far apart they are: 1 KiB for each
/// doubling of size, 2 MiB for a sign at most.
#[derive(Debug, Clone)]
pub(super) struct Sketch {
    negative: Window,
    zeros: u64,
    positive: Window,
    /// The least and the greatest number: the middle of an interval may lie beyond them.
    ends: [f64; 2],
}

impl Default for Sketch {
    fn default() -> Self {
        let (negative, positive) = Default::default();
        Self { negative, zeros: 0, positive, ends: [f64::INFINITY, f64::NEG_INFINITY] }
    }
}

/// Counts of neighbouring intervals.
#[derive(Debug, Clone, Default)]
struct Window {
    first: u32,
    counts: Vec<u64>,
}

impl Sketch {
    #[inline]
    pub(super) fn add(&mut self, x: f64) {
        self.ends = [self.ends[0].min(x), self.ends[1].max(x)];
        let interval = (x.abs().to_bits() >> BELOW) as u32;
        match x.partial_cmp(&0.0) {
            Some(std::cmp::Ordering::Greater) => self.positive.add(interval, 1),
            Some(std::cmp::Ordering::Less) => self.negative.add(interval, 1),
            _ => self.zeros += 1,
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.zeros += other.zeros;
        self.negative.merge(&other.negative);
        self.positive.merge(&other.positive);
        self.ends = [self.ends[0].min(other.ends[0]), self.ends[1].max(other.ends[1])];
    }

    /// How many numbers there are; `None` if they are more than a word counts.
    pub(super) fn count(&self) -> Option<u64> {
        let counts = self.negative.counts.iter().chain(&self.positive.counts);
        counts.chain([&self.zeros]).try_fold(0_u64, |all, count| all.checked_add(*count))
    }

    /// The number at a place, counted from the least: exact at both ends, and never beyond them.
    pub(super) fn quantile(&self, rank: u64) -> f64 {
        let [least, most] = self.ends;
        match rank {
            0 => least,
            _ if Some(rank + 1) == self.count() => most,
            _ => self.middle(rank).max(least).min(most),
        }
    }

    /// The middle of the interval that the number at a place is in.
    fn middle(&self, mut rank: u64) -> f64 {
        let below: u64 = self.negative.counts.iter().sum();
        if rank < below {
            return -self.negative.at(below - 1 - rank);
        }
        rank -= below;
        match rank.checked_sub(self.zeros) {
            None => 0.0,
            Some(rank) => self.positive.at(rank),
        }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.put_u64(self.zeros);
        self.ends.iter().for_each(|end| bytes.put_f64(*end));
        self.negative.encode(bytes);
        self.positive.encode(bytes);
    }

    pub(super) fn decode(bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (zeros, ends) = (bytes.records()?, [bytes.f64()?, bytes.f64()?]);
        let (negative, positive) = (Window::decode(bytes)?, Window::decode(bytes)?);
        Ok(Self { zeros, ends, negative, positive })
    }

    pub(super) fn weight(&self) -> usize {
        let counts = self.negative.counts.capacity() + self.positive.counts.capacity();
        size_of::<Self>() + counts * size_of::<u64>()
    }
}

impl Window {
    #[inline]
    fn add(&mut self, interval: u32, n: u64) {
        match self.counts.get_mut(interval.wrapping_sub(self.first) as usize) {
            Some(count) => *count += n,
            None => self.add_outside(interval, n),
        }
    }

    #[cold]
    fn add_outside(&mut self, interval: u32, n: u64) {
        // By whole exponents, as numbers of a like size are to come.
        let (low, high) = (interval & !127, interval | 127);
        if self.counts.is_empty() {
            self.first = low;
        }
        let first = self.first.min(low);
        let end = (self.first as usize + self.counts.len()).max(high as usize + 1);
        self.counts.splice(0..0, std::iter::repeat_n(0, (self.first - first) as usize));
        self.counts.resize(end - first as usize, 0);
        self.first = first;
        self.counts[(interval - first) as usize] += n;
    }

    fn merge(&mut self, other: &Self) {
        let there = other.counts.iter().zip(other.first..).filter(|(n, _)| **n > 0);
        there.for_each(|(n, interval)| self.add(interval, *n));
    }

    /// The number at a place: the middle of its interval.
    fn at(&self, mut rank: u64) -> f64 {
        let mut interval = u64::from(self.first);
        for count in &self.counts {
            match rank.checked_sub(*count) {
                None => break,
                Some(left) => rank = left,
            }
            interval += 1;
        }
        match f64::from_bits(interval << BELOW) {
            lower if lower.is_finite() => f64::from_bits((interval << BELOW) + (1 << (BELOW - 1))),
            _ => f64::INFINITY,
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let there = || self.counts.iter().zip(self.first..).filter(|(n, _)| **n > 0);
        bytes.put_u64(there().count() as u64);
        let mut before = 0;
        for (n, interval) in there() {
            bytes.put_u64(u64::from(interval - before));
            bytes.put_u64(*n);
            before = interval;
        }
    }

    fn decode(bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (mut window, mut interval) = (Self::default(), 0_u64);
        for n in 0..bytes.count(2)? {
            let damaged = bytes.damaged("an interval that there is not");
            let (step, count) = (bytes.u64()?, bytes.records()?);
            interval = interval.saturating_add(step);
            if interval >= INTERVALS || count == 0 || (n > 0 && step == 0) {
                return Err(damaged);
            }
            window.add(interval as u32, count);
        }
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn quantiles_are_within_the_stated_error(
            numbers in prop::collection::vec(prop_oneof![prop::num::f64::NORMAL | prop::num::f64::ZERO, -1e3..1e3_f64], 1..50),
        ) {
            let mut sketch = Sketch::default();
            numbers.iter().for_each(|x| sketch.add(*x));
            let mut sorted = numbers;
            sorted.iter_mut().for_each(|x| *x += 0.0);
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(sketch.count(), Some(sorted.len() as u64));
            for (rank, x) in sorted.iter().enumerate() {
                let ours = sketch.quantile(rank as u64);
                prop_assert!((ours - x).abs() <= x.abs() / 256.0, "{} {}", ours, x);
                prop_assert!(sorted[0] <= ours && ours <= sorted[sorted.len() - 1]);
            }
        }
    }

    proptest! {
        #[test]
        fn quantiles_below_2_to_the_minus_1022_are_within_their_stated_error(
            numbers in prop::collection::vec(prop::num::f64::SUBNORMAL, 1..50),
        ) {
            let mut sketch = Sketch::default();
            numbers.iter().for_each(|x| sketch.add(*x));
            let mut sorted = numbers;
            sorted.sort_by(f64::total_cmp);
            // 2^-1030
            let most = f64::from_bits(1 << 44);
            for (rank, x) in sorted.iter().enumerate() {
                prop_assert!((sketch.quantile(rank as u64) - x).abs() <= most);
            }
        }
    }

    #[test]
    fn numbers_at_the_ends_are_counted() {
        let mut sketch = Sketch::default();
        let ends = [f64::NEG_INFINITY, f64::MIN, -5e-324, 0.0, 5e-324, f64::MAX, f64::INFINITY];
        ends.iter().for_each(|x| sketch.add(*x));
        assert_eq!(sketch.quantile(0), f64::NEG_INFINITY);
        assert_eq!((sketch.quantile(3), sketch.quantile(6)), (0.0, f64::INFINITY));
        assert!(sketch.quantile(5).is_finite() && sketch.quantile(2) < 0.0);
        assert!(sketch.weight() <= 2 * INTERVALS as usize * 8 * 2);
    }
}
