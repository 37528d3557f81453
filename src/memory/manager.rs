//! The memory limit of a run, and the bytes that its owners have reserved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The memory of one run.
///
/// Counters alone: nobody waits here. An owner that finds the run over its limit spills, waits for others in
/// its own way, or fails.
#[derive(Debug)]
pub(crate) struct Manager {
    limit: u64,
    reserved: AtomicU64,
}

impl Manager {
    /// A run that may hold `limit` bytes.
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, reserved: AtomicU64::new(0) })
    }

    /// The bytes that all owners may hold.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The bytes that all owners hold.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved.load(Relaxed)
    }

    /// The bytes that nobody has reserved.
    #[cfg(test)]
    pub(crate) fn free(&self) -> u64 {
        self.limit.saturating_sub(self.reserved.load(Relaxed))
    }

    /// Returns true if owners have reserved more than the limit.
    pub(crate) fn is_over(&self) -> bool {
        self.reserved.load(Relaxed) > self.limit
    }

    /// Reserves bytes that an owner cannot do without, also over the limit.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Reservation {
        self.reserved.fetch_add(bytes, Relaxed);
        Reservation { manager: Arc::clone(self), bytes }
    }
}

/// Bytes of a run that one owner holds, until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    manager: Arc<Manager>,
    bytes: u64,
}

impl Reservation {
    /// The bytes of this reservation.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Holds `bytes` from now on, also over the limit.
    pub(crate) fn set(&mut self, bytes: u64) {
        // First more, then less, so that no other owner finds room that is not there.
        self.manager.reserved.fetch_add(bytes, Relaxed);
        self.manager.reserved.fetch_sub(self.bytes, Relaxed);
        self.bytes = bytes;
    }

    /// Holds `bytes` more, if they are free.
    pub(crate) fn try_grow(&mut self, bytes: u64) -> bool {
        let limit = self.manager.limit;
        let more = |reserved: u64| reserved.checked_add(bytes).filter(|all| *all <= limit);
        let grown = self.manager.reserved.fetch_update(Relaxed, Relaxed, more).is_ok();
        self.bytes += if grown { bytes } else { 0 };
        grown
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.manager.reserved.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_have_what_others_do_not_need_and_give_it_back() {
        let manager = Manager::new(100);
        let mut first = manager.reserve(30);
        let second = manager.reserve(70);
        assert!(!first.try_grow(1) && !manager.is_over());
        assert_eq!((first.bytes(), second.bytes(), manager.free()), (30, 70, 0));
        drop(second);
        assert!(first.try_grow(50) && !first.try_grow(21));
        first.set(5);
        assert_eq!(manager.free(), 95);
        first.set(120);
        assert!(manager.is_over() && manager.free() == 0);
        drop(first);
        assert!(!manager.is_over() && manager.free() == manager.limit());
    }

    #[test]
    fn reservations_of_many_threads_never_exceed_the_limit_and_all_come_back() {
        let manager = Manager::new(1000);
        std::thread::scope(|scope| {
            for n in 1..5 {
                let manager = &manager;
                scope.spawn(move || {
                    for bytes in 0..2000 {
                        let mut reserved = manager.reserve(0);
                        let grown = reserved.try_grow(bytes % 700);
                        assert!(grown || reserved.bytes() == 0);
                        reserved.try_grow(n * 10);
                        assert!(!manager.is_over());
                    }
                });
            }
        });
        assert_eq!(manager.free(), 1000);
    }
}
