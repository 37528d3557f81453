//! The length of a text in code points.

use crate::padded;

/// How many code points a text has: `text.chars().count()`, fast for words too.
///
/// The standard library's count is made for long texts; most words fit a register, where the
/// bytes that continue a character are counted by one multiplication. Where most texts are short,
/// ask for the bytes first, in a filter of its own, `word.len() > 5`: no text has more code points.
///
/// ```
/// assert_eq!(creel_kernels::code_points("né"), 2);
/// ```
#[inline]
pub fn code_points(text: &str) -> usize {
    match text.len() {
        4..=16 if is_ascii(text.as_bytes()) => text.len(),
        0..=16 => text.len() - continuing(padded(text.as_bytes())),
        _ => text.chars().count(),
    }
}

/// Whether 4 to 16 bytes are ASCII, as most words are: the same loads as [`padded`]'s, and nothing else.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let four = |at: usize| bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
    let last = bytes.len() - 4;
    (four(0) | four(last.min(4)) | four(last.min(8)) | four(last)) & 0x8080_8080 == 0
}

/// How many of sixteen bytes have their upper bit set and the next one not.
#[inline]
fn continuing(bytes: u128) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let ones = |eight: u64| eight >> 7 & !(eight >> 6) & EACH;
    // At most 2 in a byte and 16 in all: nothing is carried into the next.
    let both = ones(bytes as u64) + ones((bytes >> 64) as u64);
    (both.wrapping_mul(EACH) >> 56) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::code_points;

    proptest! {
        #[test]
        fn it_is_the_count_of_the_standard_library(text in "[a-c\u{0}\u{7f}é\u{7ff}€\u{1f41f}]{0,20}") {
            prop_assert_eq!(code_points(&text), text.chars().count());
        }
    }
}
