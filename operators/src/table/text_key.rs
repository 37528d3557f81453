//! What the table for text takes as keys.

use crate::Stored;

/// Keys that are runs of bytes: `String` and `Vec<u8>`.
pub trait Text: Stored {
    /// The bytes of a key.
    fn bytes(lent: Self::Lent<'_>) -> &[u8];

    /// The key of bytes that [`bytes`](Self::bytes) gave.
    fn lent(bytes: &[u8]) -> Self::Lent<'_>;

    /// Whether bytes can be those of a key.
    fn can_be(_bytes: &[u8]) -> bool {
        true
    }
}

impl Text for String {
    #[inline]
    fn bytes(lent: Self::Lent<'_>) -> &[u8] {
        lent.as_bytes()
    }

    fn lent(bytes: &[u8]) -> &str {
        // Checked again rather than trusted: it is done once a distinct key, when all is counted.
        std::str::from_utf8(bytes).unwrap_or_else(|_| unreachable!("a table keeps keys whole"))
    }

    fn can_be(bytes: &[u8]) -> bool {
        // Most keys are short and ASCII, which is seen in a few steps.
        bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
    }
}

impl Text for Vec<u8> {
    #[inline]
    fn bytes(lent: Self::Lent<'_>) -> &[u8] {
        lent
    }

    fn lent(bytes: &[u8]) -> &[u8] {
        bytes
    }
}
