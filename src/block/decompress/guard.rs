//! A limit on how much a few compressed bytes may stand for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::super::counted::Counted;
use super::super::cut::Bytes;
use crate::Error;
use crate::error::Place;

/// Bytes that are given before the limit counts: small objects may be all zeros.
const FREE: u64 = 64 << 20;

/// The same bytes, and how many of them were read.
pub(in super::super) fn metered(bytes: Bytes) -> (Bytes, Arc<AtomicU64>) {
    let count = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&count);
    let bytes = Counted::over(bytes, move |read| {
        counted.fetch_add(read?, Relaxed);
        Ok(())
    });
    (bytes, count)
}

/// The same bytes, which were made of as many as `compressed` says. They fail where they are too
/// many for those.
pub(in super::super) fn guarded(
    bytes: Bytes,
    compressed: Arc<AtomicU64>,
    limit: u64,
    object: Place,
) -> Bytes {
    let mut decoded = 0;
    Counted::over(bytes, move |read| {
        decoded += read?;
        let compressed = compressed.load(Relaxed);
        if decoded > FREE && decoded > compressed.saturating_mul(limit) {
            let place = object.clone();
            return Err(Error::Ratio { place, compressed, decoded, limit }.into());
        }
        Ok(())
    })
}
