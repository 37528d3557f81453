//! Buffers that are used again.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use creel_kernels::{reserve, zeroed};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::spill::Budget;

/// The smallest block: less is not worth a buffer.
const LEAST_BLOCK: usize = 64;

/// The largest block asked for: a buffer is made as large as that, whatever the object holds, and
/// there are some for each thread.
const LARGEST_BLOCK: usize = 1 << 30;

/// The room of a buffer beyond a block: for the end of a slice's last record, or, where the block
/// lands in the buffer before its reader is there, in front of it for the record it begins in.
pub(crate) const SPARE: usize = 64 << 10;

/// Bytes, and room after them. It goes back to its pool when it is dropped.
///
/// The room is initialised once and then stays so. A reader is lent a part of it; spare capacity
/// of a plain `Vec` would be zeroed before each read.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// What comes before is dropped, and moved over when its room is needed.
    start: usize,
    filled: usize,
    pool: Option<Pool>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give(std::mem::take(&mut self.bytes));
        }
    }
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
    pub(crate) async fn read(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        most: usize,
    ) -> io::Result<usize> {
        self.grow(most);
        let read = from.read(&mut self.bytes[self.filled..self.filled + most]).await?;
        self.filled += read;
        Ok(read)
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.grow(bytes.len());
        self.bytes[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    /// Puts bytes in front, where there is room for [`SPARE`] if the others landed here.
    pub(crate) fn prepend(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            let more = bytes.len() - self.start;
            reserve(&mut self.bytes, more);
            self.bytes.splice(..0, std::iter::repeat_n(0, more));
            (self.start, self.filled) = (self.start + more, self.filled + more);
        }
        let start = self.start - bytes.len();
        self.bytes[start..self.start].copy_from_slice(bytes);
        self.start = start;
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.filled = self.filled.min(self.start + length);
    }

    /// The bytes of memory that it takes, however few of them are filled.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len()
    }

    /// Drops the first bytes.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.start = self.filled.min(self.start + bytes);
    }

    /// Makes room for more bytes.
    fn grow(&mut self, by: usize) {
        if self.bytes.len() - self.filled < by {
            self.bytes.copy_within(self.start..self.filled, 0);
            self.filled -= std::mem::take(&mut self.start);
        }
        if self.bytes.len() - self.filled < by {
            let more = self.filled + by - self.bytes.len();
            reserve(&mut self.bytes, more);
            self.bytes.resize(self.filled + by, 0);
        }
    }
}

/// A few empty buffers, shared by the readers of an input and by the blocks that they gave away.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Bytes of a block.
    blocksize: usize,
    /// Buffers kept at most; what comes back beyond them is freed.
    kept: usize,
    /// The memory of the run: while that is over its limit, none are kept.
    budget: Option<Arc<Budget>>,
}

impl Pool {
    /// A pool of buffers for blocks of this many bytes, of readers on this many threads.
    pub(crate) fn new(blocksize: usize, threads: usize) -> Self {
        let blocksize = blocksize.clamp(LEAST_BLOCK, LARGEST_BLOCK);
        Self { free: Arc::default(), blocksize, kept: 4 * (threads + 1), budget: None }
    }

    /// The same, of a run with so much memory.
    pub(crate) fn within(self, budget: Option<Arc<Budget>>) -> Self {
        Self { budget, ..self }
    }

    /// Bytes of a block, as far as they are granted.
    pub(crate) fn blocksize(&self) -> usize {
        self.blocksize
    }

    /// An empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        let free = self.lock().pop();
        let bytes = free.unwrap_or_else(|| zeroed(self.blocksize + SPARE));
        Buffer { bytes, start: 0, filled: 0, pool: Some(self.clone()) }
    }

    /// An empty buffer, with its spare room in front.
    #[cfg(any(feature = "cloud", test))]
    pub(crate) fn take_to_land(&self) -> Buffer {
        let mut buffer = self.take();
        (buffer.start, buffer.filled) = (SPARE, SPARE);
        buffer
    }

    /// Takes a buffer back; one that a long record made much larger is freed.
    fn give(&self, buffer: Vec<u8>) {
        let mut free = self.lock();
        if self.budget.as_ref().is_some_and(|budget| budget.is_over()) {
            free.clear();
        } else if free.len() < self.kept && buffer.len() <= 2 * (self.blocksize + SPARE) {
            free.push(buffer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_landed_has_room_in_front_and_any_more_is_made() {
        let pool = Pool::new(1000, 1);
        for length in [0, 1, SPARE, SPARE + 1, 3 * SPARE] {
            let mut buffer = pool.take_to_land();
            buffer.extend(b"landed");
            let place = buffer.as_ptr();
            let torn = vec![b'x'; length];
            buffer.prepend(&torn);
            assert_eq!(*buffer, [&torn[..], b"landed"].concat());
            assert_eq!(buffer[length..].as_ptr() == place, length <= SPARE);
            buffer.extend(&[b'y'; 1000]);
            assert_eq!(buffer.len(), length + 1006);
        }
    }

    #[test]
    fn buffers_go_back_unless_they_grew_much_or_are_too_many() {
        let pool = Pool::new(1000, 1);
        let many: Vec<_> = (0..20).map(|_| pool.take()).collect();
        drop(many);
        assert_eq!(pool.lock().len(), pool.kept);
        let mut buffer = pool.take();
        buffer.extend(&[0; 4 * SPARE]);
        drop(buffer);
        assert_eq!(pool.lock().len(), pool.kept - 1);
        assert!(pool.take().is_empty());
    }

    #[test]
    fn no_buffers_are_kept_while_the_run_holds_more_than_it_may() {
        let budget = Arc::new(Budget::new(100, None));
        let pool = Pool::new(1000, 1).within(Some(Arc::clone(&budget)));
        drop([pool.take(), pool.take()]);
        assert_eq!(pool.lock().len(), 2);
        let reserved = budget.reserve(101);
        drop(pool.take());
        assert!(pool.lock().is_empty());
        drop(reserved);
        drop(pool.take());
        assert_eq!(pool.lock().len(), 1);
    }
}
