//! A limit on how much a few compressed bytes may stand for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::super::cut::Bytes;
use crate::Error;
use crate::error::Place;

/// Bytes that are given before the limit counts: small objects may be all zeros.
const FREE: u64 = 64 << 20;

/// Counts the bytes that are read through it.
pub(in super::super) struct Meter {
    bytes: Bytes,
    count: Arc<AtomicU64>,
}

impl Meter {
    /// The same bytes, and how many of them were read.
    pub(in super::super) fn over(bytes: Bytes) -> (Bytes, Arc<AtomicU64>) {
        let count = Arc::default();
        (Box::pin(Self { bytes, count: Arc::clone(&count) }), count)
    }
}

impl AsyncRead for Meter {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = self.bytes.as_mut().poll_read(cx, buf);
        self.count.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        read
    }
}

/// Fails where decoded bytes are too many for the compressed ones that they were made of.
pub(in super::super) struct Guard {
    bytes: Bytes,
    compressed: Arc<AtomicU64>,
    given: u64,
    ratio: u64,
    object: Place,
}

impl Guard {
    /// The same bytes, which were made of as many as `compressed` says.
    pub(in super::super) fn over(
        bytes: Bytes,
        compressed: Arc<AtomicU64>,
        ratio: u64,
        object: Place,
    ) -> Bytes {
        Box::pin(Self { bytes, compressed, given: 0, ratio, object })
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(self.bytes.as_mut().poll_read(cx, buf))?;
        self.given += (buf.filled().len() - before) as u64;
        let compressed = self.compressed.load(Relaxed);
        if self.given > FREE && self.given > compressed.saturating_mul(self.ratio) {
            let place = self.object.clone();
            let (decoded, limit) = (self.given, self.ratio);
            return Poll::Ready(Err(Error::Ratio { place, compressed, decoded, limit }.into()));
        }
        Poll::Ready(Ok(()))
    }
}
