//! Sorting by bytes: keys that sort as values do, ranges that fit the cache, and the order within a range.
//!
//! A large sort first sends each row to one of many ranges, by [`Splitters`] that are chosen from a sample of
//! the keys. Then [`order`] puts the rows of a range in order, eight bytes of their keys at a time. Whatever
//! is to be sorted is made a key that sorts byte by byte: see [`SortKey`].

mod combiner;
mod key;
mod order;
mod splitters;

pub use combiner::Sort;
pub use key::SortKey;
pub use order::{Row, order};
pub use splitters::Splitters;

/// The eight bytes from `at` on of the first `len` bytes, the first byte the highest; zeros stand behind
/// the end.
#[inline]
pub(crate) fn word(bytes: &[u8], at: usize, len: usize) -> u64 {
    if let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_be_bytes(*eight);
        // Bytes behind the end belong to another key.
        return match len.saturating_sub(at) {
            8.. => word,
            0 => 0,
            left => word & !(u64::MAX >> (8 * left)),
        };
    }
    let mut eight = [0; 8];
    let own = bytes.get(at..len).unwrap_or_default();
    let n = own.len().min(8);
    eight[..n].copy_from_slice(&own[..n]);
    u64::from_be_bytes(eight)
}
