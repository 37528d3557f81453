//! A slice of an object on its way to the records: its bytes, and those that were read already.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::cut::Bytes;
#[cfg(feature = "decompress")]
use super::decompress::Shared;
use crate::source::{Buffer, Feed};

/// A slice of an object, and its bytes.
pub(super) struct Part {
    pub(super) object: Arc<str>,
    pub(super) start: u64,
    pub(super) end: Option<u64>,
    /// Where the bytes begin in the object.
    pub(super) at: u64,
    pub(super) bytes: Pin<Box<dyn Feed>>,
    /// The first of the bytes, already read.
    pub(super) read: Buffer,
    /// The bytes come as somebody writes them: records are not to wait for a block to fill.
    pub(super) live: bool,
    /// What hands out pieces of the bytes, undecoded.
    #[cfg(feature = "decompress")]
    pub(super) pieces: Option<Arc<dyn Shared>>,
}

impl Part {
    /// What has been read, and all the rest.
    pub(super) fn take_bytes(&mut self) -> Bytes {
        let rest = std::mem::replace(&mut self.bytes, Box::pin(Failed(None)));
        Box::pin(Cursor::new(std::mem::take(&mut self.read)).chain(rest))
    }
}

/// A stream that ended already, or failed.
pub(super) struct Failed(pub(super) Option<io::Error>);

impl Feed for Failed {}

impl AsyncRead for Failed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.take().map_or(Ok(()), Err))
    }
}
