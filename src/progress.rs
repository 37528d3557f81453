//! What a run tells while it goes, and what it has to say at its end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Error;

/// Counters that a run raises and that anyone may read while it goes.
///
/// A progress bar is a listener: it looks at the counters a few times a second.
///
/// ```
/// let run = creel::Run::new();
/// run.compute_blocking(&creel::read_text("fixtures/access.log")?.count())?;
/// let told = run.progress();
/// assert_eq!(told.bytes_read(), told.bytes_total());
/// assert!(told.take_faults().is_empty());
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes that the sources hold, as far as their sizes are known.
    total: AtomicU64,
    /// Bytes read from the sources, as stored.
    read: AtomicU64,
    /// Blocks handed to the operators.
    blocks: AtomicU64,
    /// Records in which something was replaced.
    replaced: AtomicU64,
    /// Records left out by a policy.
    skipped: AtomicU64,
    /// Damage that a policy let pass, the first few places.
    faults: Mutex<Vec<Error>>,
}

/// The faults kept in full; the others are only counted.
const KEPT_FAULTS: usize = 16;

impl Progress {
    /// Bytes that the sources hold, as far as their sizes are known.
    pub fn bytes_total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// Bytes read so far, as stored (compressed, if they are).
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Blocks handed to the operators so far.
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Relaxed)
    }

    /// Records in which invalid bytes were replaced.
    pub fn records_replaced(&self) -> u64 {
        self.replaced.load(Relaxed)
    }

    /// Records left out because they were not valid.
    pub fn records_skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    /// Takes the faults of damaged streams of which the whole records were kept (the first few of
    /// them). Records that are not valid are only counted.
    pub fn take_faults(&self) -> Vec<Error> {
        std::mem::take(&mut *self.lock())
    }

    pub(crate) fn add_total(&self, bytes: u64) {
        self.total.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_block(&self) {
        self.blocks.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_replaced(&self, records: u64) {
        self.replaced.fetch_add(records, Relaxed);
    }

    pub(crate) fn add_skipped(&self, records: u64) {
        self.skipped.fetch_add(records, Relaxed);
    }

    pub(crate) fn add_fault(&self, fault: Error) {
        let mut faults = self.lock();
        if faults.len() < KEPT_FAULTS {
            faults.push(fault);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Error>> {
        self.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
