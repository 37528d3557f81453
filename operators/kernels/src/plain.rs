//! The bytes of a JSON string that need no look.

use crate::padded;

#[cfg(target_arch = "aarch64")]
use neon::specials;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use portable::specials;
#[cfg(target_arch = "x86_64")]
use sse2::specials;

/// Where the first quote, backslash or control character is from a place on; the end if there is
/// none.
///
/// Sixteen bytes at a time: most strings are shorter, and a string costs one look. (Eight at a time,
/// in a register of 64 bits, take a third longer on records of a log.)
///
/// ```
/// assert_eq!(creel_kernels::plain(b"status\":200", 0), 6);
/// assert_eq!(creel_kernels::plain(b"status", 2), 6);
/// ```
///
/// # Panics
///
/// If the place is behind the end.
#[inline]
pub fn plain(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes[at..].first_chunk() {
        let specials = specials(chunk);
        if specials != 0 {
            return at + specials.trailing_zeros() as usize;
        }
        at += 16;
    }
    // What is behind the end is zero, which is a control character.
    at + specials(&padded(&bytes[at..]).to_le_bytes()).trailing_zeros() as usize
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8,
    };

    /// A bit for each byte, the first in the lowest.
    #[inline(always)]
    #[allow(unsafe_code, reason = "the compiler asks whether the processor has the vectors")]
    pub(super) fn specials(bytes: &[u8; 16]) -> u16 {
        // SAFETY: SSE2 is part of x86-64: there is no processor without it.
        unsafe { by_vectors(bytes) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn by_vectors(bytes: &[u8; 16]) -> u16 {
        let both = u128::from_le_bytes(*bytes);
        // One load: of the intrinsics, only those that take a pointer are unsafe here.
        let bytes = _mm_set_epi64x((both >> 64) as i64, both as i64);
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x22));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x5c));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)) as u16
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::{
        vandq_u8, vceqq_u8, vcleq_u8, vcombine_u8, vcreate_u8, vdupq_n_u8, vgetq_lane_u64,
        vorrq_u8, vreinterpretq_u64_u8,
    };

    use crate::sixteen::gathered;

    #[inline(always)]
    #[allow(unsafe_code, reason = "the compiler asks whether the processor has the vectors")]
    pub(super) fn specials(bytes: &[u8; 16]) -> u16 {
        // SAFETY: NEON is part of every AArch64 target that has the standard library.
        unsafe { by_vectors(bytes) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn by_vectors(bytes: &[u8; 16]) -> u16 {
        let both = u128::from_le_bytes(*bytes);
        let bytes = vcombine_u8(vcreate_u8(both as u64), vcreate_u8((both >> 64) as u64));
        let quote = vceqq_u8(bytes, vdupq_n_u8(0x22));
        let backslash = vceqq_u8(bytes, vdupq_n_u8(0x5c));
        let control = vcleq_u8(bytes, vdupq_n_u8(0x1f));
        let special = vorrq_u8(vorrq_u8(quote, backslash), control);
        let tops = vreinterpretq_u64_u8(vandq_u8(special, vdupq_n_u8(0x80)));
        gathered(vgetq_lane_u64::<0>(tops)) | gathered(vgetq_lane_u64::<1>(tops)) << 8
    }
}

/// Eight bytes at a time, in a register of any processor of 64 bits.
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod portable {
    use crate::sixteen::gathered;

    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x80 * EACH;

    #[inline]
    pub(super) fn specials(bytes: &[u8; 16]) -> u16 {
        let both = u128::from_le_bytes(*bytes);
        gathered(tops(both as u64)) | gathered(tops((both >> 64) as u64)) << 8
    }

    /// The top bit of each byte that is special. Sums of two numbers below 0x80 reach the top bit
    /// but never the next byte.
    fn tops(eight: u64) -> u64 {
        let low = eight & !TOP;
        let is = |byte: u64| !((low ^ (byte * EACH)) + 0x7f * EACH);
        let control = !(low + 0x60 * EACH);
        (is(0x22) | is(0x5c) | control) & !eight & TOP
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_special(byte: u8) -> bool {
        matches!(byte, b'"' | b'\\' | 0..b' ')
    }

    #[test]
    fn every_byte_in_every_place_is_what_it_is() {
        for byte in 0..=u8::MAX {
            for at in 0..16 {
                let mut bytes = [b'a'; 16];
                bytes[at] = byte;
                let expected = u16::from(is_special(byte)) << at;
                assert_eq!(specials(&bytes), expected);
                assert_eq!(portable::specials(&bytes), expected);
            }
        }
    }

    proptest! {
        #[test]
        fn the_first_is_found_from_any_place_on(
            bytes in prop::collection::vec(prop_oneof![6 => b'a'..=b'z', 1 => any::<u8>()], 0..80),
            from in 0..80_usize,
        ) {
            let from = from.min(bytes.len());
            let first = bytes[from..].iter().position(|&byte| is_special(byte));
            prop_assert_eq!(plain(&bytes, from), first.map_or(bytes.len(), |at| from + at));
        }
    }
}
