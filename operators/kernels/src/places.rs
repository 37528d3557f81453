//! Some places in a text, kept until they are used.

#![allow(
    unsafe_code,
    reason = "an array that is filled with zeros first costs more than a short text"
)]

use std::mem::MaybeUninit;

/// Places that are written before their number is looked at.
const STEP: usize = 8;
/// Most chunks of 64 bytes have no more edges.
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

    /// The same, of so many bits whose numbers are known.
    #[inline(always)]
    pub(crate) fn push_numbers(&mut self, first: usize, numbers: &[u8; 64], count: usize) {
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
        // SAFETY: the first `count` places were written: `restart` and `push`, which alone change it, set it
        // to no more than they have written from the first on.
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
}
