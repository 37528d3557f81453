//! The memory that the list of a source's objects may take.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::watch::bytes;
use crate::{Error, Place, Result};

/// Bytes of a list while it is made, and of what is kept of it.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Held>);

#[derive(Debug)]
struct Held {
    /// The most while it is made; half of that is kept at most.
    limit: u64,
    held: AtomicU64,
}

impl Room {
    /// Room for so many bytes, or for any number.
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self(Arc::new(Held { limit: limit.unwrap_or(u64::MAX), held: AtomicU64::new(0) }))
    }

    /// Takes some of it, for `objects` more.
    ///
    /// # Errors
    /// If there is not so much.
    pub(super) fn take(&self, bytes: usize) -> Result<()> {
        let bytes = bytes as u64;
        let before = self.0.held.fetch_add(bytes, Relaxed);
        if before.saturating_add(bytes) > self.0.limit { Err(full(self.0.limit)) } else { Ok(()) }
    }

    /// What a list will have taken, nothing as yet.
    pub(super) fn taken(&self) -> Taken {
        Taken { room: self.clone(), taken: 0, more: 0 }
    }

    /// Gives some of it back.
    fn give(&self, bytes: usize) {
        self.0.held.fetch_sub(bytes as u64, Relaxed);
    }

    /// Looks whether so much may be kept for as long as objects are read.
    ///
    /// # Errors
    /// If it is more.
    pub(super) fn keep(&self, bytes: usize) -> Result<()> {
        let most = self.0.limit / 2;
        if bytes as u64 > most && self.0.limit < u64::MAX { Err(full(most)) } else { Ok(()) }
    }
}

/// What one list has taken of the room; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Room,
    taken: usize,
    more: usize,
}

impl Taken {
    /// Takes some more.
    ///
    /// # Errors
    /// If there is not so much.
    pub(super) fn more(&mut self, bytes: usize) -> Result<()> {
        /// By which it is taken.
        const STEP: usize = 64 << 10;
        self.more += bytes;
        if self.more < STEP {
            return Ok(());
        }
        let more = std::mem::take(&mut self.more);
        self.taken += more;
        self.room.take(more)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.give(self.taken);
    }
}

fn full(limit: u64) -> Error {
    let reason = format!(
        "it takes more than the {} that the memory limit leaves it; raise the limit, or name \
         fewer objects in one run",
        bytes(limit)
    );
    let source = io::Error::new(io::ErrorKind::OutOfMemory, reason);
    Error::io(Place::object("the list of objects"), source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_so_much_room_and_no_more() {
        let room = Room::new(Some(100));
        room.take(60).unwrap();
        let error = room.take(60).unwrap_err();
        assert!(error.is_of_the_run(), "{error}");
        assert!(error.to_string().contains("the list of objects"), "{error}");
        room.give(120);
        room.take(100).unwrap();
        assert!(room.keep(50).is_ok() && room.keep(51).is_err());
        let any = Room::new(None);
        any.take(usize::MAX / 2).unwrap();
        any.keep(usize::MAX).unwrap();
    }
}
