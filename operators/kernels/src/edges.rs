//! Where words begin and end, many places at a time.
//!
//! The loop that turns masks into places is compiled once for what every processor of an architecture
//! has, and on x86-64 once more for those of the last ten years (AVX2, with the instructions that count
//! and clear bits): which of them runs is asked for once in some hundred places. On an Intel Xeon of 2024
//! the second takes two thirds of the time of the first; on an AMD EPYC of 2021 there is no difference.

use crate::places::Places;
use crate::spaces::{Chunk, Spaces, WIDTH};

/// The places in a text where white space ends or begins, in turn: where words begin and end.
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
        if avx2::fill(self, places) {
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

#[cfg(target_arch = "x86_64")]
mod avx2 {
    #![allow(unsafe_code, reason = "the compiler asks whether the processor has the instructions")]

    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set_epi64x, _mm256_set1_epi8, _mm256_sub_epi8,
    };

    use super::Edges;
    use crate::places::Places;
    use crate::spaces::Chunk;

    /// As [`Edges::fill`], if this processor can.
    #[inline]
    pub(super) fn fill(edges: &mut Edges<'_>, places: &mut Places) -> bool {
        let can = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("popcnt");
        if can {
            // SAFETY: the processor has just said that it has the instructions that are asked for.
            unsafe { fill_wide(edges, places) };
        }
        can
    }

    #[target_feature(enable = "avx2,bmi1,popcnt")]
    fn fill_wide(edges: &mut Edges<'_>, places: &mut Places) {
        edges.fill_by(places, |chunk| whole(chunk));
    }

    /// As [`crate::spaces::whole`].
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn whole(chunk: &Chunk) -> (u64, u64) {
        let (eights, _) = chunk.as_chunks::<8>();
        let eight = |at: usize| i64::from_le_bytes(eights[at]);
        // One load each: of the intrinsics, only those that take a pointer are unsafe here.
        let low = masks(_mm256_set_epi64x(eight(3), eight(2), eight(1), eight(0)));
        let high = masks(_mm256_set_epi64x(eight(7), eight(6), eight(5), eight(4)));
        let both = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        (both(low.0, high.0), both(low.1, high.1))
    }

    /// White space and leads, as [`crate::sixteen::Masks`] has them.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn masks(bytes: __m256i) -> (u32, u32) {
        let blank = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x20));
        let from_tab = _mm256_sub_epi8(bytes, _mm256_set1_epi8(0x09));
        let control =
            _mm256_cmpeq_epi8(_mm256_min_epu8(from_tab, _mm256_set1_epi8(0x04)), from_tab);
        let two = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0xc2_u8 as i8));
        let from_e1 = _mm256_sub_epi8(bytes, _mm256_set1_epi8(0xe1_u8 as i8));
        let three = _mm256_cmpeq_epi8(_mm256_min_epu8(from_e1, _mm256_set1_epi8(0x02)), from_e1);
        let space = _mm256_movemask_epi8(_mm256_or_si256(blank, control));
        let lead = _mm256_movemask_epi8(_mm256_or_si256(two, three));
        (space as u32, lead as u32)
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
            prop_assert_eq!(all(&bytes, Edges::fill), one_by_one);
        }

        #[cfg(target_arch = "x86_64")]
        #[test]
        #[allow(unsafe_code, reason = "as where it is called")]
        fn masks_of_32_bytes_are_those_of_16(chunk: [u8; 64]) {
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has just said that it has the instructions.
                let wide = unsafe { avx2::whole(&chunk) };
                prop_assert_eq!(wide, crate::spaces::whole(&chunk));
            }
        }
    }
}
