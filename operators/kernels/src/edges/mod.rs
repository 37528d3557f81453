//! Where words begin and end, many places at a time.
//!
//! The loop that turns masks into places is compiled for what every processor of an architecture has,
//! and on x86-64 also for those with AVX2, and those with AVX-512: which of them runs is asked for once in
//! some hundred places. For 64 MiB of prose the second takes 30 ms on an Intel Xeon of 2023, the third 22; on
//! an AMD EPYC there was no difference between the first two.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use crate::places::Places;
use crate::spaces::{Chunk, Spaces, WIDTH};

/// The places in a text where white space ends or begins, in turn: where words begin and end. They rise,
/// none is behind the end of the text, and their number is even; [`TextWords`](crate::TextWords) relies on it
/// without asking.
#[derive(Debug, Clone)]
pub(crate) struct Edges<'t> {
    spaces: Spaces<'t>,
    /// Where the chunk begins whose edges these are.
    chunk: usize,
    /// The edges of the chunk that were not walked over yet.
    left: u64,
    /// Whether the last byte of the chunk was white space: 0 or 1.
    after: u64,
}

impl<'t> Edges<'t> {
    #[inline]
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { spaces: Spaces::new(text), chunk: 0, left: 0, after: 1 }
    }

    /// Loads chunks until there is an edge in one.
    #[inline(always)]
    fn any_left(&mut self, whole: impl Fn(&Chunk) -> (u64, u64) + Copy) -> bool {
        while self.left == 0 {
            self.chunk = self.spaces.done();
            // Behind the text is white space, which ends its last word.
            let space = match self.spaces.next_by(whole) {
                None if self.after == 1 => return false,
                space => space.unwrap_or(u64::MAX),
            };
            self.left = space ^ (space << 1 | self.after);
            self.after = space >> (WIDTH - 1);
        }
        true
    }

    /// The next edge.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<usize> {
        if !self.any_left(crate::spaces::whole) {
            return None;
        }
        let edge = self.chunk + self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(edge)
    }

    /// Appends the edges of as many chunks as there is room for: none, if the text has no more.
    #[inline]
    pub(crate) fn fill(&mut self, places: &mut Places) {
        #[cfg(target_arch = "x86_64")]
        if avx512::fill(self, places) || avx2::fill(self, places) {
            return;
        }
        self.fill_plain(places);
    }

    #[inline(never)]
    fn fill_plain(&mut self, places: &mut Places) {
        self.fill_by(places, crate::spaces::whole);
    }

    #[inline(always)]
    fn fill_by(&mut self, places: &mut Places, whole: impl Fn(&Chunk) -> (u64, u64) + Copy) {
        while places.has_room() && self.any_left(whole) {
            places.push(self.chunk, std::mem::take(&mut self.left));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All edges by one of the ways to fill.
    fn all<'t>(text: &'t [u8], fill: impl Fn(&mut Edges<'t>, &mut Places)) -> Vec<usize> {
        let (mut edges, mut places, mut found) = (Edges::new(text), Places::new(), Vec::new());
        loop {
            places.restart(None);
            fill(&mut edges, &mut places);
            let (pairs, rest) = places.pairs();
            if pairs.is_empty() && rest.is_none() {
                return found;
            }
            found.extend(pairs.as_flattened().iter().copied().chain(rest));
        }
    }

    proptest! {
        #[test]
        fn all_ways_find_the_same_edges_in_any_bytes(
            bytes in prop::collection::vec(prop_oneof![
                any::<u8>(),
                prop::sample::select(&[0xc2, 0xe2, 0x80, 0x85, 0xa0, b' ', b'a', b'\n'][..]),
            ], 0..if cfg!(miri) { 80 } else { 700 }),
        ) {
            let mut one_by_one = Vec::new();
            let mut edges = Edges::new(&bytes);
            while let Some(edge) = edges.next() {
                one_by_one.push(edge);
            }
            prop_assert_eq!(&all(&bytes, Edges::fill_plain), &one_by_one);
            prop_assert_eq!(&all(&bytes, Edges::fill), &one_by_one);
            #[cfg(target_arch = "x86_64")]
            for fill in [avx2::fill, avx512::fill] {
                let filled = all(&bytes, |edges, places| {
                    if !fill(edges, places) {
                        edges.fill_plain(places);
                    }
                });
                prop_assert_eq!(&filled, &one_by_one);
            }
        }

        #[cfg(target_arch = "x86_64")]
        #[test]
        #[allow(unsafe_code, reason = "as where it is called")]
        fn wide_masks_are_those_of_16_bytes(chunk: [u8; 64], spaced in any::<u64>()) {
            // Any bytes, of which about a half may be white space or begin it.
            let some = [b' ', b'\t', 0x0d, 0x0e, 0x08, 0xc2, 0xe1, 0xe3, 0xe4, 0xe0];
            let pick = |at: usize, byte: u8| some[usize::from(byte) % some.len()] * (spaced >> at & 1) as u8;
            let chunk = std::array::from_fn(|at| match pick(at, chunk[at]) {
                0 => chunk[at],
                byte => byte,
            });
            let plain = crate::spaces::whole(&chunk);
            if avx2::can() {
                // SAFETY: the processor has just said that it has the instructions.
                prop_assert_eq!(unsafe { avx2::whole(&chunk) }, plain);
            }
            if avx512::can() {
                // SAFETY: as above.
                prop_assert_eq!(unsafe { avx512::whole(&chunk) }, plain);
            }
        }
    }
}
