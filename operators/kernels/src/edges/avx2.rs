//! 32 bytes at a time, and instructions that count, find and clear bits.

#![allow(unsafe_code, reason = "the compiler asks whether the processor has the instructions")]

use std::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set_epi64x, _mm256_set1_epi8, _mm256_sub_epi8,
};

use super::Edges;
use crate::places::Places;
use crate::spaces::Chunk;

/// Whether this processor has the instructions.
#[inline]
pub(super) fn can() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("popcnt")
}

/// As [`Edges::fill`], if this processor can.
#[inline]
pub(super) fn fill(edges: &mut Edges<'_>, places: &mut Places) -> bool {
    let can = can();
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
    let control = _mm256_cmpeq_epi8(_mm256_min_epu8(from_tab, _mm256_set1_epi8(0x04)), from_tab);
    let two = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0xc2_u8 as i8));
    let from_e1 = _mm256_sub_epi8(bytes, _mm256_set1_epi8(0xe1_u8 as i8));
    let three = _mm256_cmpeq_epi8(_mm256_min_epu8(from_e1, _mm256_set1_epi8(0x02)), from_e1);
    let space = _mm256_movemask_epi8(_mm256_or_si256(blank, control));
    let lead = _mm256_movemask_epi8(_mm256_or_si256(two, three));
    (space as u32, lead as u32)
}
