//! The bytes that the states of a run may hold.
//!
//! States of combiners are weighed while they grow. When all of them are over the budget, a lane spills its
//! own state, in parts, and begins anew. In the end the same parts of all are read back and merged, a part
//! after another.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::file::{Extent, SpillFile};
use crate::{Error, Result};

/// What the states of a run may hold, and the file for the rest.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    held: AtomicU64,
    pub(super) file: SpillFile,
    /// Whether states are known not to fit, before any is written.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    spills: AtomicBool,
}

/// What one lane holds of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share<'b> {
    budget: &'b Budget,
    held: u64,
}

impl Budget {
    /// So many bytes, and a folder for the file; nothing is made as yet.
    pub(crate) fn new(limit: u64, folder: Option<&Path>) -> Self {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        Self {
            limit,
            held: AtomicU64::new(0),
            file: SpillFile::new(folder),
            spills: AtomicBool::new(false),
        }
    }

    /// The bytes that states may hold.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Counts bytes that something else than a state holds, for as long as it does.
    pub(crate) fn hold(&self, bytes: u64) {
        self.held.fetch_add(bytes, Relaxed);
    }

    /// Counts them no more.
    pub(crate) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Relaxed);
    }

    /// The bytes that are held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// What a lane holds, nothing as yet.
    pub(crate) fn share(&self) -> Share<'_> {
        Share { budget: self, held: 0 }
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
    #[cfg(feature = "cli")]
    pub(crate) fn with_largest_file(mut self, most: Option<u64>) -> Self {
        self.file.most = most;
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

    /// The error for an extent that is not what was written there.
    pub(crate) fn damaged(&self, extent: Extent, what: &str) -> Error {
        self.file.damaged(extent, what)
    }
}

impl Share<'_> {
    /// The budget that it is a share of.
    pub(crate) fn budget(&self) -> &Budget {
        self.budget
    }

    /// Tells what the lane holds now. Whether it is to put that away: all lanes hold more than they
    /// may, and this one has its part in it.
    pub(crate) fn is_over(&mut self, weight: usize, lanes: usize) -> bool {
        let weight = weight as u64;
        let before = self.budget.held.fetch_add(weight, Relaxed);
        self.budget.held.fetch_sub(self.held, Relaxed);
        let all = before + weight - self.held;
        self.held = weight;
        let limit = self.budget.limit;
        all > limit && weight >= limit / (2 * lanes.max(1) as u64)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.held, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_holds_much_of_too_much_is_over() {
        let budget = Budget::new(100, None);
        let (mut small, mut large) = (budget.share(), budget.share());
        assert!(!small.is_over(20, 2) && !large.is_over(80, 2));
        assert!(large.is_over(81, 2) && !small.is_over(20, 2));
        assert!(!large.is_over(0, 2), "it was put away");
        assert!(!small.is_over(100, 2) && small.is_over(101, 2));
        drop(small);
        assert!(!large.is_over(100, 2));
    }
}
