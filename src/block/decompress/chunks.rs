//! Compressed bytes in chunks that end at the same bytes of the object, however they are read.
//!
//! A decoder that fails loses what it made in the call that failed. With the same input in each
//! call it loses the same, whatever the size of blocks and whatever a store gives at a time.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::super::cut::Bytes;

/// Chunks end at multiples of so many bytes.
const CHUNK: usize = 256 << 10;

/// A stream of compressed bytes, of which some are in memory.
pub(super) struct Chunks {
    bytes: Bytes,
    buffer: Vec<u8>,
    /// The bytes before this one are decoded.
    at: usize,
    filled: usize,
    /// The chunk is not whole yet.
    filling: bool,
    /// The bytes come as somebody writes them: what there is has to be decoded.
    live: bool,
    /// Bytes read so far, from the object's first one on.
    read: u64,
    ended: bool,
    /// Why no more can be read, for whoever gets there.
    error: Option<io::Error>,
}

impl Chunks {
    /// The bytes from this one of the object on.
    pub(super) fn new(bytes: Bytes, read: u64, live: bool) -> Self {
        Self {
            bytes,
            buffer: Vec::new(),
            at: 0,
            filled: 0,
            filling: false,
            live,
            read,
            ended: false,
            error: None,
        }
    }

    /// The rest of a chunk, which is empty at the end only.
    pub(super) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.poll_some(1, cx)
    }

    /// The rest of a chunk, and more if that is less than so many bytes; fewer at the end only.
    pub(super) fn poll_some(
        &mut self,
        least: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<&[u8]>> {
        while self.filling || self.filled - self.at < least && !self.ended {
            ready!(self.poll_fill(cx));
        }
        match self.error.take() {
            Some(error) if self.at == self.filled => Poll::Ready(Err(error)),
            error => {
                self.error = error;
                Poll::Ready(Ok(&self.buffer[self.at..self.filled]))
            }
        }
    }

    /// Reads the next chunk behind what is left of this one.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.filling {
            self.buffer.copy_within(self.at..self.filled, 0);
            (self.at, self.filled, self.filling) = (0, self.filled - self.at, true);
        }
        let left = CHUNK - (self.read % CHUNK as u64) as usize;
        if self.buffer.len() < self.filled + left {
            self.buffer.resize(self.filled + left, 0);
        }
        let mut buf = ReadBuf::new(&mut self.buffer[self.filled..self.filled + left]);
        let result = match self.bytes.as_mut().poll_read(cx, &mut buf) {
            Poll::Pending if self.live && self.filled > self.at => {
                self.filling = false;
                return Poll::Pending;
            }
            result => ready!(result),
        };
        let read = buf.filled().len();
        self.filled += read;
        self.read += read as u64;
        self.ended = read == 0;
        self.error = result.err();
        self.filling = !self.ended && !self.live && read < left;
        Poll::Ready(())
    }

    /// Goes on after so many bytes of the chunk.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The place of the next byte in the object.
    pub(super) fn position(&self) -> u64 {
        self.read - (self.filled - self.at) as u64
    }

    /// How many bytes were read.
    pub(super) fn count(&self) -> u64 {
        self.read
    }
}
