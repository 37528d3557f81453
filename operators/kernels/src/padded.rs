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
    let last = len - 4;
    let four = |at: usize| {
        let bytes = bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
        u128::from(bytes) << (8 * at)
    };
    four(0) | four(last.min(4)) | four(last.min(8)) | four(last)
}

#[cfg(test)]
mod tests {
    use super::padded;

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
}
