//! A stream that tells of each read, however it ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::cut::Bytes;

/// Bytes, and a function that is told how many each read gave, or its error; the read gives what
/// the function makes of it.
pub(super) struct Counted<R, F> {
    bytes: R,
    tell: F,
}

impl<R, F> Counted<R, F>
where
    R: AsyncRead + Send + Unpin + 'static,
    F: FnMut(io::Result<u64>) -> io::Result<()> + Send + Unpin + 'static,
{
    /// The same bytes.
    pub(super) fn over(bytes: R, tell: F) -> Bytes {
        Box::pin(Self { bytes, tell })
    }
}

impl<R, F> AsyncRead for Counted<R, F>
where
    R: AsyncRead + Unpin,
    F: FnMut(io::Result<u64>) -> io::Result<()> + Unpin,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut this.bytes).poll_read(cx, buf));
        let count = (buf.filled().len() - before) as u64;
        Poll::Ready((this.tell)(read.map(|()| count)))
    }
}
