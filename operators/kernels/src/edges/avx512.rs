//! 64 bytes at a time, and the places of all edges by one instruction.

#![allow(unsafe_code, reason = "the compiler asks whether the processor has the instructions")]

use std::arch::x86_64::{
    __m512i, _mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask, _mm512_loadu_si512,
    _mm512_maskz_compress_epi8, _mm512_set1_epi8, _mm512_storeu_si512, _mm512_sub_epi8,
};

use super::Edges;
use crate::places::Places;
use crate::spaces::{Chunk, WIDTH};

/// The number of each byte.
static NUMBERS: Chunk = {
    let mut numbers = [0; WIDTH];
    let mut n = 0;
    while n < WIDTH {
        numbers[n] = n as u8;
        n += 1;
    }
    numbers
};

/// Whether this processor has the instructions.
#[inline]
pub(super) fn can() -> bool {
    is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi2")
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

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,popcnt")]
fn fill_wide(edges: &mut Edges<'_>, places: &mut Places) {
    let numbers = load(&NUMBERS);
    while places.has_room() && edges.any_left(|chunk| whole(chunk)) {
        let bits = std::mem::take(&mut edges.left);
        let found = store(_mm512_maskz_compress_epi8(bits, numbers));
        places.push_numbers(edges.chunk, &found, bits);
    }
}

/// As [`crate::spaces::whole`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn whole(chunk: &Chunk) -> (u64, u64) {
    let bytes = load(chunk);
    let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
    let up_to = |first: u8, more: u8| {
        let from_first = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
        _mm512_cmple_epu8_mask(from_first, _mm512_set1_epi8(more as i8))
    };
    (is(0x20) | up_to(0x09, 0x04), is(0xc2) | up_to(0xe1, 0x02))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(chunk: &Chunk) -> __m512i {
    // SAFETY: it reads 64 bytes, which is what a chunk has, from a place that need not be aligned.
    unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(bytes: __m512i) -> Chunk {
    let mut chunk = [0; WIDTH];
    // SAFETY: it writes 64 bytes, which is what a chunk has, to a place that need not be aligned.
    unsafe { _mm512_storeu_si512(chunk.as_mut_ptr().cast(), bytes) };
    chunk
}
