//! Buffers that are used again.

use std::sync::{Arc, Mutex, PoisonError};

/// Buffers kept at most; what comes back beyond them is freed.
const KEPT: usize = 8;

/// A few empty buffers, shared by a reader and by the blocks that it gave away.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    /// The capacity that a buffer is made with.
    capacity: usize,
}

impl Pool {
    pub(super) fn new(capacity: usize) -> Self {
        Self { free: Arc::default(), capacity }
    }

    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        self.lock().pop().unwrap_or_else(|| Vec::with_capacity(self.capacity))
    }

    /// Takes a buffer back; one that a long record made much larger is freed.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.lock();
        if free.len() < KEPT && (1..=self.capacity.saturating_mul(2)).contains(&buffer.capacity()) {
            free.push(buffer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
