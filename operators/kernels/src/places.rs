//! Some places in a text, kept until they are used.

#![allow(
    unsafe_code,
    reason = "an array that is filled with zeros first costs more than a short text"
)]

use std::mem::MaybeUninit;

/// Places that are written before their number is looked at.
const STEP: usize = 8;
/// Most chunks of 64 bytes have no more edges.
#[cfg(any(test, target_arch = "x86_64"))]
const MOSTLY: usize = 32;
/// Places that are kept.
pub(crate) const ROOM: usize = 256;

/// Some places, of which those that were never written are not looked at.
pub(crate) struct Places {
    places: [MaybeUninit<usize>; ROOM],
    /// How many were written, from the first on.
    count: usize,
}

impl Places {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { places: [const { MaybeUninit::uninit() }; ROOM], count: 0 }
    }

    /// Begins again, with a place or without one.
    #[inline]
    pub(crate) fn restart(&mut self, first: Option<usize>) {
        self.places[0].write(first.unwrap_or(0));
        self.count = usize::from(first.is_some());
    }

    /// Whether there is room for all bits of a number.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.count < ROOM - u64::BITS as usize - STEP
    }

    /// Appends the place of each bit of a number, whose first bit stands for a place.
    #[inline(always)]
    pub(crate) fn push(&mut self, first: usize, mut bits: u64) {
        debug_assert!(self.has_room());
        let mut at = self.count;
        let count = at + bits.count_ones() as usize;
        while at < count {
            let Some(some) = self.places[at..].first_chunk_mut::<STEP>() else { return };
            for place in some {
                place.write(first + bits.trailing_zeros() as usize);
                bits &= bits.wrapping_sub(1);
            }
            at += STEP;
        }
        self.count = count;
    }

    /// The same, where the numbers of these bits are known: of others there may be any behind them.
    ///
    /// All that most chunks have are written, or else 64, however few there are: how many is as good as
    /// chance, and a branch on it took an eighth of the time of a count of words.
    #[cfg(any(test, target_arch = "x86_64"))]
    #[inline(always)]
    pub(crate) fn push_numbers(&mut self, first: usize, numbers: &[u8; 64], bits: u64) {
        debug_assert!(self.has_room());
        let count = bits.count_ones() as usize;
        let Some(room) = self.places[self.count..].first_chunk_mut::<64>() else { return };
        let (some, rest) = (&numbers[..MOSTLY], &numbers[MOSTLY..]);
        let write = |(place, &number): (&mut MaybeUninit<usize>, &u8)| {
            place.write(first + usize::from(number));
        };
        room.iter_mut().zip(some).for_each(write);
        if count > MOSTLY {
            room[MOSTLY..].iter_mut().zip(rest).for_each(write);
        }
        self.count += count;
    }

    /// The places so far, two by two, and the one that is left over.
    #[inline]
    pub(crate) fn pairs(&self) -> (&[[usize; 2]], Option<usize>) {
        let written: *const [MaybeUninit<usize>] = &raw const self.places[..self.count];
        // SAFETY: the first `count` places were written: `restart`, `push` and `push_numbers`, which alone
        // change it, set it to no more than they have written from the first on. (A number has 64 bits at
        // most; `push_numbers` writes as many places, or the first of them, if there are no more bits.)
        let written = unsafe { &*(written as *const [usize]) };
        let (pairs, rest) = written.as_chunks();
        (pairs, rest.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_bits_as_long_as_there_is_room() {
        let mut places = Places::new();
        assert_eq!(places.pairs(), (&[][..], None));
        places.restart(Some(7));
        let mut expected = vec![7];
        for n in 0.. {
            if !places.has_room() {
                break;
            }
            let bits = [0, 1 << 63, u64::MAX, 0b1010][n % 4];
            places.push(64 * n, bits);
            expected.extend((0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| 64 * n + bit));
        }
        let (pairs, rest) = places.pairs();
        assert_eq!((pairs.as_flattened(), rest), (&expected[..], None).clone());
        places.restart(None);
        places.push(1, 1);
        assert_eq!(places.pairs(), (&[][..], Some(1)));
    }

    #[test]
    fn places_of_numbers_are_those_of_their_bits() {
        let some = |bits: u32| if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        for bits in (0..=64).map(some).chain([1 << 63, 0xaaaa_aaaa_aaaa_aaaa, !1, 1 << 32]) {
            let mut numbers = [0; 64];
            let those = (0..64).filter(|bit| bits >> bit & 1 == 1);
            numbers.iter_mut().zip(those).for_each(|(number, bit)| *number = bit);
            let [mut by_bits, mut by_numbers] = [Places::new(), Places::new()];
            for first in [5, 69, 133] {
                by_bits.restart(Some(first));
                by_bits.push(first, bits);
                by_numbers.restart(Some(first));
                by_numbers.push_numbers(first, &numbers, bits);
                assert_eq!(by_numbers.pairs(), by_bits.pairs(), "{bits:b}");
            }
        }
    }
}
