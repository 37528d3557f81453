//! The memory of the states of a run, and the file for what does not fit.
//!
//! States of combiners are weighed while they grow. When a run holds more than it may, a lane spills its
//! own state, in parts, and begins anew. In the end the same parts of all are read back and merged, a part
//! after another.

use std::path::Path;
use std::sync::atomic::AtomicBool;
#[cfg(any(feature = "cli", test))]
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use super::file::{Check, Extent, SpillFile};
use crate::memory::{LaneNeeds, Manager, Reservation};
use crate::{Error, Result};

/// As many sorted runs as this are merged at once, a piece of each in memory, in an eighth of the budget.
pub(crate) const FAN_IN: u64 = 64;

/// The least and the most bytes in a piece of a sorted run.
const PIECE: (u64, u64) = (16 << 10, 256 << 10);

/// The memory of a run, what its lanes have of it, and the file for the rest.
#[derive(Debug)]
pub(crate) struct Budget {
    manager: Arc<Manager>,
    lanes: Option<Lanes>,
    pub(super) file: SpillFile,
    /// Buffers for what is read back, a pair for each thread that does: memory that is given back and asked for again
    /// costs more than reading does.
    buffers: Mutex<Vec<[Vec<u8>; 2]>>,
    /// Whether states are known not to fit, before any is written.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    spills: AtomicBool,
}

/// What lanes have reserved for their blocks.
#[derive(Debug)]
struct Lanes {
    needs: LaneNeeds,
    /// As many as there are in the beginning.
    all: usize,
    /// Whether their memory is left to states as they end: not where other passes of the run have lanes.
    retire: bool,
    now: Mutex<(usize, Reservation)>,
}

/// What one lane holds of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share<'b> {
    budget: &'b Budget,
    held: Reservation,
}

impl Budget {
    /// So many bytes for states and what else is reserved, and a folder for the file; nothing is made as yet.
    pub(crate) fn new(limit: u64, folder: Option<&Path>) -> Self {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        Self {
            manager: Manager::new(limit),
            lanes: None,
            file: SpillFile::new(folder),
            buffers: Mutex::default(),
            spills: AtomicBool::new(false),
        }
    }

    /// The memory of a run of so many lanes, which reserve what they need for blocks.
    pub(crate) fn of_lanes(needs: LaneNeeds, lanes: usize, folder: Option<&Path>) -> Self {
        let budget = Self::new(needs.all(), folder);
        let reserved = budget.reserve(needs.all() - needs.room(lanes));
        let now = Mutex::new((lanes, reserved));
        Self { lanes: Some(Lanes { needs, all: lanes, retire: true, now }), ..budget }
    }

    /// The same for a run of several passes, whose lanes keep their memory to its end.
    pub(crate) fn of_passes(mut self) -> Self {
        self.lanes.iter_mut().for_each(|lanes| lanes.retire = false);
        self
    }

    /// The bytes that all but the blocks of lanes may hold.
    pub(crate) fn limit(&self) -> u64 {
        let of_lanes = self
            .lanes
            .as_ref()
            .map_or(0, |lanes| lanes.now.lock().unwrap_or_else(PoisonError::into_inner).1.bytes());
        self.manager.limit() - of_lanes
    }

    /// The bytes of a piece of a sorted run, of which [`FAN_IN`] are in memory at once.
    pub(super) fn piece(&self) -> usize {
        (self.limit() / 8 / FAN_IN).clamp(PIECE.0, PIECE.1) as usize
    }

    /// Ends the reservations of all but so many lanes, which begin no block any more. Returns false if there
    /// are no more than these.
    pub(crate) fn retire(&self, left: usize) -> bool {
        let Some(Lanes { needs, now, retire: true, .. }) = &self.lanes else { return false };
        let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
        let (lanes, reserved) = &mut *now;
        if *lanes <= left {
            return false;
        }
        *lanes = left;
        reserved.set(needs.all() - needs.room(left));
        true
    }

    /// Whether lanes have ended so that states have their memory.
    pub(crate) fn has_retired(&self) -> bool {
        let Some(Lanes { all, now, .. }) = &self.lanes else { return false };
        now.lock().unwrap_or_else(PoisonError::into_inner).0 < *all
    }

    /// Reserves what all lanes need: those that ended are there again for another input.
    #[cfg(feature = "cli")]
    pub(crate) fn restore_lanes(&self) {
        let Some(Lanes { needs, all, now, .. }) = &self.lanes else { return };
        let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
        now.0 = *all;
        now.1.set(needs.all() - needs.room(*all));
    }

    /// The memory that a run needs for a state of so many bytes, on one lane at least.
    #[cfg(feature = "cli")]
    pub(crate) fn least(&self, state: u64) -> u64 {
        self.lanes.as_ref().map_or(state, |lanes| lanes.needs.least(state))
    }

    /// Reserves bytes that something else than a state holds, also over the limit.
    pub(crate) fn reserve(&self, bytes: u64) -> Reservation {
        self.manager.reserve(bytes)
    }

    /// Whether all that is reserved is more than the run may hold.
    pub(crate) fn is_over(&self) -> bool {
        self.manager.is_over()
    }

    /// Whether all that is reserved is more than the run may hold, and these bytes have their part in it: half of
    /// what one of so many lanes may have, at least.
    pub(crate) fn is_over_with(&self, held: u64, lanes: usize) -> bool {
        self.is_over() && held >= (self.limit() / (2 * lanes.max(1) as u64)).max(1)
    }

    /// The bytes that are reserved besides those of the blocks of lanes.
    pub(crate) fn used(&self) -> u64 {
        (self.manager.reserved() + self.limit()).saturating_sub(self.manager.limit())
    }

    /// The bytes that nobody has reserved.
    #[cfg(test)]
    pub(crate) fn free(&self) -> u64 {
        self.manager.free()
    }

    /// What a lane holds, nothing as yet.
    pub(crate) fn share(&self) -> Share<'_> {
        Share { budget: self, held: self.reserve(0) }
    }

    /// Bytes that were written so far.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn written(&self) -> u64 {
        self.file.written()
    }

    /// From now on whatever has a form for the disk is spilled: not all of it fits.
    #[cfg(feature = "cli")]
    pub(crate) fn spill(&self) {
        self.spills.store(true, Relaxed);
    }

    /// Whether something was spilled, or is to be.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn is_spilling(&self) -> bool {
        self.spills.load(Relaxed) || self.written() > 0
    }

    /// The same budget, with a limit to the size of its file.
    pub(crate) fn with_largest_file(mut self, most: Option<u64>) -> Self {
        self.file.most = most;
        self
    }

    /// The same budget, whose file is read and written only while `check` lets the run go on: so a run that is
    /// cancelled ends, whoever of it works on the file.
    pub(crate) fn checked(
        mut self,
        check: impl Fn() -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.file.check = Check::new(check);
        self
    }

    /// Spills one piece of bytes.
    ///
    /// # Errors
    ///
    /// If the folder cannot hold them, which is named, or the file may not grow.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<Extent> {
        let mut batch = super::Batch::new(self);
        batch.add(bytes)?;
        let extents = batch.finish()?;
        Ok(extents[0])
    }

    /// Reads spilled bytes back.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or are not what was written.
    pub(crate) fn read(&self, extent: Extent) -> Result<Vec<u8>> {
        self.file.read(extent)
    }

    /// Calls `visit` with spilled bytes.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(crate) fn with_bytes<T>(
        &self,
        extent: Extent,
        visit: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let pool = || self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffers = pool().pop().unwrap_or_default();
        let visited = self.file.read_into(extent, &mut buffers).map(visit);
        // They are beside what is reserved: a large piece must not keep its memory.
        let most = (self.manager.limit() / 64).max(1 << 20);
        if buffers.iter().all(|buffer| buffer.capacity() as u64 <= most) {
            pool().push(buffers);
        }
        visited
    }

    /// Appends spilled bytes to a buffer.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn append(&self, extent: Extent, bytes: &mut Vec<u8>) -> Result<()> {
        self.file.append(extent, bytes)
    }

    /// The error for an extent that is not what was written there.
    pub(crate) fn damaged(&self, extent: Extent, what: &str) -> Error {
        self.file.damaged(extent, what)
    }

    /// The error for an extent of which no records of `T` can be read, though it is what was written there.
    pub(crate) fn misread<T>(&self, extent: Extent) -> Error {
        self.file.misread::<T>(extent)
    }
}

impl Share<'_> {
    /// The budget that it is a share of.
    pub(crate) fn budget(&self) -> &Budget {
        self.budget
    }

    /// Reserves what the lane holds now, and what it has `unused`. Returns true if it should spill: the run is
    /// over its limit, and what this lane of so many holds has its part in that.
    pub(crate) fn is_over(&mut self, held: usize, unused: usize, lanes: usize) -> bool {
        let (held, unused) = (held as u64, unused as u64);
        self.held.set(held.saturating_add(unused));
        self.budget.is_over_with(held, lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_holds_much_of_too_much_is_over() {
        let budget = Budget::new(100, None);
        let (mut small, mut large) = (budget.share(), budget.share());
        assert!(!small.is_over(20, 0, 2) && !large.is_over(80, 0, 2));
        assert!(large.is_over(81, 0, 2) && !small.is_over(20, 0, 2));
        assert!(!large.is_over(0, 0, 2), "it was spilled");
        assert!(!small.is_over(100, 0, 2) && small.is_over(101, 0, 2));
        drop(small);
        assert!(!large.is_over(100, 0, 2));
        // What is unused is missing to others, and spilling does not free it.
        assert!(!large.is_over(40, 60, 2) && large.is_over(50, 51, 2) && !large.is_over(24, 90, 2));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn lanes_that_end_leave_their_memory_to_states() {
        let needs = LaneNeeds::new(64 << 20, 1 << 20);
        let budget = Budget::of_lanes(needs, 6, None);
        assert_eq!((budget.limit(), budget.free()), (15 << 20, 15 << 20));
        let _state = budget.reserve(20 << 20);
        assert!(budget.is_over() && !budget.retire(6));
        assert!(budget.retire(1) && !budget.retire(1));
        assert_eq!((budget.limit(), budget.free()), (28 << 20, 8 << 20));
        budget.restore_lanes();
        assert!(budget.is_over() && budget.limit() == 15 << 20);
    }
}
