//! Compressed bytes, read ahead of what has been decoded and kept until it has.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use creel_kernels::reserve;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::super::cut::Bytes;
use super::super::part::Failed;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// Compressed bytes from some offset on, as far as they have been read.
pub(super) struct Ahead {
    bytes: Bytes,
    buffer: Vec<u8>,
    /// The offset of the buffer's first byte in the object.
    start: u64,
    /// All has been read, or all that can be.
    ended: bool,
    /// Why no more can be read. It is kept for whoever gets there.
    error: Option<io::Error>,
}

impl Ahead {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, buffer: Vec::new(), start: 0, ended: false, error: None }
    }

    /// The bytes from this offset on, which were not let go.
    pub(super) fn from(&self, offset: u64) -> &[u8] {
        let at = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        self.buffer.get(at..).unwrap_or_default()
    }

    /// Whether no more bytes will come.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads some more.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let filled = self.buffer.len();
        reserve(&mut self.buffer, CHUNK);
        self.buffer.resize(filled + CHUNK, 0);
        let mut buf = ReadBuf::new(&mut self.buffer[filled..]);
        let read = self.bytes.as_mut().poll_read(cx, &mut buf);
        let more = buf.filled().len();
        self.buffer.truncate(filled + more);
        match ready!(read) {
            Ok(()) => self.ended = more == 0,
            Err(error) => {
                self.ended = true;
                self.error = Some(error);
            }
        }
        Poll::Ready(())
    }

    /// Lets go of the bytes before this offset.
    pub(super) fn let_go(&mut self, offset: u64) {
        let done = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        // What is left is moved to the front; so only once that is less than what goes.
        if done >= self.buffer.len() / 2 {
            let done = done.min(self.buffer.len());
            self.buffer.drain(..done);
            self.start += done as u64;
        }
    }

    /// The error that ended the bytes, if one did.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// All bytes from this offset on, as a stream.
    pub(super) fn into_rest(self, offset: u64) -> Bytes {
        let at = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let read = Read { at: at.min(self.buffer.len()), bytes: self.buffer };
        match self.error {
            Some(error) => Box::pin(read.chain(Failed(Some(error)))),
            None if self.ended => Box::pin(read),
            None => Box::pin(read.chain(self.bytes)),
        }
    }
}

/// Bytes that were read, which are freed as soon as all are taken: what follows them may be long.
struct Read {
    bytes: Vec<u8>,
    at: usize,
}

impl AsyncRead for Read {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.bytes[self.at..];
        let some = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..some]);
        self.at += some;
        if self.at == self.bytes.len() {
            (self.bytes, self.at) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}
