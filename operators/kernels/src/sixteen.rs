//! Sixteen bytes as masks: what else there is, is made of these.

/// A bit for each of sixteen bytes, the first in the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masks {
    /// ASCII white space: a space, or one of the five bytes from tab to carriage return.
    pub(crate) space: u16,
    /// A byte with which white space may begin that is not ASCII: it stands before U+0085 and
    /// U+00A0 (C2), U+1680 (E1), U+2000 to U+205F (E2), and U+3000 (E3). So text in most scripts
    /// has none, and prose with curved quotation marks has few.
    pub(crate) lead: u16,
}

#[cfg(target_arch = "aarch64")]
pub(crate) use neon::masks;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use portable::masks;
#[cfg(target_arch = "x86_64")]
pub(crate) use sse2::masks;

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    use super::Masks;

    #[inline(always)]
    #[allow(unsafe_code, reason = "the compiler asks whether the processor has the vectors")]
    pub(crate) fn masks(bytes: &[u8; 16]) -> Masks {
        // SAFETY: SSE2 is part of x86-64: there is no processor without it.
        unsafe { by_vectors(bytes) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn by_vectors(bytes: &[u8; 16]) -> Masks {
        let both = u128::from_le_bytes(*bytes);
        // One load: of the intrinsics, only those that take a pointer are unsafe here.
        let bytes = _mm_set_epi64x((both >> 64) as i64, both as i64);
        let blank = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x20));
        let from_tab = _mm_sub_epi8(bytes, _mm_set1_epi8(0x09));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(from_tab, _mm_set1_epi8(0x04)), from_tab);
        let two = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0xc2_u8 as i8));
        let from_e1 = _mm_sub_epi8(bytes, _mm_set1_epi8(0xe1_u8 as i8));
        let three = _mm_cmpeq_epi8(_mm_min_epu8(from_e1, _mm_set1_epi8(0x02)), from_e1);
        Masks {
            space: _mm_movemask_epi8(_mm_or_si128(blank, control)) as u16,
            lead: _mm_movemask_epi8(_mm_or_si128(two, three)) as u16,
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::{
        uint8x16_t, vandq_u8, vceqq_u8, vcleq_u8, vcombine_u8, vcreate_u8, vdupq_n_u8,
        vgetq_lane_u64, vorrq_u8, vreinterpretq_u64_u8, vsubq_u8,
    };

    use super::{Masks, gathered};

    #[inline(always)]
    #[allow(unsafe_code, reason = "the compiler asks whether the processor has the vectors")]
    pub(crate) fn masks(bytes: &[u8; 16]) -> Masks {
        // SAFETY: NEON is part of every AArch64 target that has the standard library.
        unsafe { by_vectors(bytes) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn by_vectors(bytes: &[u8; 16]) -> Masks {
        let both = u128::from_le_bytes(*bytes);
        let bytes = vcombine_u8(vcreate_u8(both as u64), vcreate_u8((both >> 64) as u64));
        let blank = vceqq_u8(bytes, vdupq_n_u8(0x20));
        let control = vcleq_u8(vsubq_u8(bytes, vdupq_n_u8(0x09)), vdupq_n_u8(0x04));
        let two = vceqq_u8(bytes, vdupq_n_u8(0xc2));
        let three = vcleq_u8(vsubq_u8(bytes, vdupq_n_u8(0xe1)), vdupq_n_u8(0x02));
        Masks { space: bits(vorrq_u8(blank, control)), lead: bits(vorrq_u8(two, three)) }
    }

    /// A bit of each byte, all of whose bits are alike.
    #[inline]
    #[target_feature(enable = "neon")]
    fn bits(bytes: uint8x16_t) -> u16 {
        let tops = vreinterpretq_u64_u8(vandq_u8(bytes, vdupq_n_u8(0x80)));
        let low = gathered(vgetq_lane_u64::<0>(tops));
        let high = gathered(vgetq_lane_u64::<1>(tops));
        low | high << 8
    }
}

/// The top bits of eight bytes, none of whose other bits is set, side by side.
///
/// Bit 8i goes to 56+i by the term of the factor that is 2^(56-7i); no two products of a bit
/// and a term meet, so nothing is carried.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
pub(crate) fn gathered(tops: u64) -> u16 {
    ((tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u16
}

/// Eight bytes at a time, in a register of any processor of 64 bits.
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod portable {
    use super::{Masks, gathered};

    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x80 * EACH;

    #[inline]
    pub(crate) fn masks(bytes: &[u8; 16]) -> Masks {
        let both = u128::from_le_bytes(*bytes);
        let (low, high) = (both as u64, (both >> 64) as u64);
        let joined = |of: fn(u64) -> u64| gathered(of(low)) | gathered(of(high)) << 8;
        Masks { space: joined(spaces), lead: joined(leads) }
    }

    /// The top bit of each byte that is white space.
    fn spaces(eight: u64) -> u64 {
        (is(eight, 0x20) | between(eight, 0x09, 0x0d)) & !eight & TOP
    }

    /// The top bit of each byte that may begin white space.
    fn leads(eight: u64) -> u64 {
        (is(eight, 0x42) | between(eight, 0x61, 0x63)) & eight & TOP
    }

    // Both look at the lower seven bits of each byte and answer in its top bit: sums of two numbers
    // below 0x80 reach the top bit but never the next byte.

    fn is(eight: u64, byte: u64) -> u64 {
        !(((eight & !TOP) ^ (byte * EACH)) + 0x7f * EACH)
    }

    fn between(eight: u64, first: u64, last: u64) -> u64 {
        let low = eight & !TOP;
        (low + (0x80 - first) * EACH) & !(low + (0x7f - last) * EACH)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(bytes: &[u8; 16]) -> Masks {
        let bits = |is: fn(&u8) -> bool| {
            bytes.iter().enumerate().fold(0, |bits, (at, byte)| bits | u16::from(is(byte)) << at)
        };
        Masks {
            space: bits(|&byte| char::from(byte).is_whitespace() && byte.is_ascii()),
            lead: bits(|byte| matches!(byte, 0xc2 | 0xe1..=0xe3)),
        }
    }

    #[test]
    fn every_byte_in_every_place_is_what_it_is() {
        for byte in 0..=u8::MAX {
            for at in 0..16 {
                let mut bytes = [b' '; 16];
                bytes[at] = byte;
                assert_eq!(masks(&bytes), plain(&bytes));
                assert_eq!(portable::masks(&bytes), plain(&bytes));
            }
        }
    }

    proptest! {
        #[test]
        fn all_ways_agree_on_any_bytes(bytes: [u8; 16]) {
            prop_assert_eq!(masks(&bytes), plain(&bytes));
            prop_assert_eq!(portable::masks(&bytes), plain(&bytes));
        }
    }
}
