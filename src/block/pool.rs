//! Buffers that are used again.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::source::HEAD;

/// The largest block asked for: a buffer is made as large as that, whatever the object holds, and
/// there are some for each thread.
const LARGEST_BLOCK: usize = 1 << 30;

/// What is read at a time beyond a slice's end, to find the end of its last record: the room of a buffer
/// beyond a block.
pub(super) const BEYOND: usize = 16 << 10;

/// Bytes, and room after them.
///
/// The room is initialised once and then stays so. A reader is lent a part of it; spare capacity
/// of a plain `Vec` would be zeroed before each read.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// What comes before is dropped, and moved over when its room is needed.
    start: usize,
    filled: usize,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.filled]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Buffer {
    /// Reads once, at most this many bytes.
    pub(super) async fn read(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        most: usize,
    ) -> io::Result<usize> {
        self.grow(most);
        let read = from.read(&mut self.bytes[self.filled..self.filled + most]).await?;
        self.filled += read;
        Ok(read)
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.grow(bytes.len());
        self.bytes[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.filled = self.filled.min(self.start + length);
    }

    /// Drops the first bytes.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.start = self.filled.min(self.start + bytes);
    }

    /// Makes room for more bytes.
    fn grow(&mut self, by: usize) {
        if self.bytes.len() - self.filled < by {
            self.bytes.copy_within(self.start..self.filled, 0);
            self.filled -= std::mem::take(&mut self.start);
        }
        if self.bytes.len() - self.filled < by {
            self.bytes.resize(self.filled + by, 0);
        }
    }
}

/// A few empty buffers, shared by the readers of an input and by the blocks that they gave away.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    free: Arc<Mutex<Vec<Buffer>>>,
    /// Bytes of a block.
    blocksize: usize,
    /// Buffers kept at most; what comes back beyond them is freed.
    kept: usize,
}

impl Pool {
    /// A pool of buffers for blocks of this many bytes, of readers on this many threads.
    pub(crate) fn new(blocksize: usize, threads: usize) -> Self {
        let blocksize = blocksize.clamp(HEAD, LARGEST_BLOCK);
        Self { free: Arc::default(), blocksize, kept: 4 * (threads + 1) }
    }

    /// Bytes of a block, as far as they are granted.
    pub(super) fn blocksize(&self) -> usize {
        self.blocksize
    }

    /// An empty buffer.
    pub(super) fn take(&self) -> Buffer {
        let made = || Buffer { bytes: vec![0; self.blocksize + BEYOND], start: 0, filled: 0 };
        self.lock().pop().unwrap_or_else(made)
    }

    /// Takes a buffer back; one that a long record made much larger is freed.
    pub(super) fn give(&self, mut buffer: Buffer) {
        (buffer.start, buffer.filled) = (0, 0);
        let mut free = self.lock();
        if free.len() < self.kept && buffer.bytes.len() <= 2 * (self.blocksize + BEYOND) {
            free.push(buffer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Buffer>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
