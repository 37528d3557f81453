//! Few bytes in a register.

/// Up to 16 bytes, padded with zeros; of more bytes the first 16.
///
/// Four loads that overlap, for any length: a branch on the length of a word is mispredicted as
/// often as not, and a copy of unknown length is a call.
///
/// ```
/// assert_eq!(creel_kernels::padded(b"fish"), u128::from(u32::from_le_bytes(*b"fish")));
/// ```
#[inline]
pub fn padded(bytes: &[u8]) -> u128 {
    let len = bytes.len().min(16);
    if len < 4 {
        let byte = |at: usize| bytes.get(at).map_or(0, |&byte| u128::from(byte) << (8 * at));
        return byte(0) | byte(1) | byte(2);
    }
    let four = |at: usize| bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
    let two =
        |from: usize, to: usize| u64::from(four(from)) | u64::from(four(to)) << (8 * (to - from));
    // The upper eight bytes are made of those from the ninth on, or of the last four, if fewer follow the
    // eighth; what of these belongs to the lower eight is shifted out. Up to a length of 8 that is all of
    // them: they are 32 bits, and shifted by 32 to 56 (not by 64, which would be none).
    let last = len - 4;
    let from = last.min(8);
    let high = two(from, last) >> (8 * (8 - from.max(1)));
    u128::from(two(0, last.min(4))) | u128::from(high) << 64
}

/// As [`padded`], of up to 16 bytes that stand in a text: one load, where the text goes on for long
/// enough. What comes after them is masked out.
///
/// ```
/// let text = b"one fish two fish three fish";
/// assert_eq!(creel_kernels::padded_within(text, 4, 4), creel_kernels::padded(b"fish"));
/// ```
///
/// # Panics
///
/// If they are not within the text, or more than 16.
#[inline]
pub fn padded_within(text: &[u8], start: usize, len: usize) -> u128 {
    match text[start..].first_chunk() {
        Some(bytes) => u128::from_le_bytes(*bytes) & FIRST[len],
        None => padded(&text[start..start + len]),
    }
}

/// The first bytes of sixteen, by their number.
static FIRST: [u128; 17] = {
    let mut masks = [0; 17];
    let mut len = 1;
    while len <= 16 {
        masks[len] = u128::MAX >> (128 - 8 * len);
        len += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::{padded, padded_within};

    #[test]
    fn padded_bytes_are_the_bytes_and_zeros() {
        let bytes: Vec<u8> = (1..=20).collect();
        for len in 0..=bytes.len() {
            let mut expected = [0; 16];
            let most = len.min(16);
            expected[..most].copy_from_slice(&bytes[..most]);
            assert_eq!(padded(&bytes[..len]).to_le_bytes(), expected, "{len} bytes");
        }
    }

    #[test]
    fn within_a_text_they_are_what_they_are_alone() {
        let text: Vec<u8> = (1..=40).collect();
        for start in 0..=text.len() {
            for len in 0..=(text.len() - start).min(16) {
                let alone = padded(&text[start..start + len]);
                assert_eq!(padded_within(&text, start, len), alone, "{len} bytes at {start}");
            }
        }
    }
}
