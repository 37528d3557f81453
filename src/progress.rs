//! What a run tells while it goes, and what it has to say at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// Records read, where somebody counts them.
    #[cfg(feature = "cli")]
    records: AtomicU64,
    /// Records in which something was replaced.
    replaced: AtomicU64,
    /// Records left out by a policy.
    skipped: AtomicU64,
    /// Damaged streams that a policy let pass.
    damaged: AtomicU64,
    /// Where they are, in input order, and the first few of their faults.
    faults: Mutex<Vec<(InputOrder, Option<Error>)>>,
    /// What is odd about what was read, and no fault: the first few, in input order.
    notes: Mutex<Vec<(InputOrder, Error)>>,
    /// The first of the records that were replaced or left out.
    invalid: Mutex<Option<(InputOrder, Error)>>,
    /// Listings that have begun.
    listings: AtomicU64,
    /// Entries that could not be read.
    unread: AtomicU64,
    unread_kept: Mutex<Unread>,
    /// The first place in input order at which the run has failed.
    failed: Mutex<Option<InputOrder>>,
}

/// Where something stands in the input: the same for any partitions, blocks and threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InputOrder {
    /// The listings of a run are told in this order.
    pub(crate) listing: u64,
    /// The place of the object in its listing.
    pub(crate) object: usize,
    /// The number of the member, from 1, in an object that is an archive.
    pub(crate) member: u64,
    /// The byte, decoded.
    pub(crate) byte: u64,
}

impl InputOrder {
    /// The place behind all records of the object or member.
    pub(crate) fn behind(self) -> Self {
        Self { byte: u64::MAX, ..self }
    }
}

/// Entries that could not be read.
#[derive(Debug, Default)]
struct Unread {
    /// Those that a listing found. It ends before anything is read, so they are always the same.
    listed: BTreeMap<InputOrder, Error>,
    /// Those found while reading.
    met: BTreeMap<InputOrder, Error>,
    /// Those found while reading that are only counted.
    counted: BTreeSet<InputOrder>,
}

/// Records of some part of the input that are not what they should be, and are let pass.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Records in which something was replaced.
    pub(crate) replaced: u64,
    /// Records that were left out.
    pub(crate) skipped: u64,
    /// The first of them.
    pub(crate) first: Option<(InputOrder, Error)>,
}

impl Tally {
    /// Whether there are none.
    #[cfg(feature = "cli")]
    pub(crate) fn is_empty(&self) -> bool {
        self.replaced + self.skipped == 0
    }

    /// Adds those of another part.
    #[cfg(feature = "cli")]
    pub(crate) fn add(&mut self, other: Self) {
        self.replaced += other.replaced;
        self.skipped += other.skipped;
        keep_first(&mut self.first, other.first);
    }
}

/// Keeps whichever stands first in the input, so that which one it is does not depend on who met it
/// first.
fn keep_first(first: &mut Option<(InputOrder, Error)>, other: Option<(InputOrder, Error)>) {
    if let Some((at, error)) = other
        && first.as_ref().is_none_or(|(first, _)| at < *first)
    {
        *first = Some((at, error));
    }
}

/// The faults kept in full; the others are only counted.
const KEPT_FAULTS: usize = 16;
/// The unread entries of either kind kept in full: all but of a source that is mostly unreadable.
const KEPT_UNREAD: usize = 10_000;

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

    /// Damaged streams of which the whole records before the damage were kept.
    pub fn streams_damaged(&self) -> u64 {
        self.damaged.load(Relaxed)
    }

    /// Takes the faults of damaged streams: the first few in input order, however many there were.
    pub fn take_faults(&self) -> Vec<Error> {
        let faults = std::mem::take(&mut *lock(&self.faults));
        faults.into_iter().filter_map(|(_, fault)| fault).collect()
    }

    /// Takes what is odd about objects that were read, and no fault: bytes after the end of
    /// compressed data, as [`Error::Trailing`]. The first few, in input order.
    pub fn take_notes(&self) -> Vec<Error> {
        let notes = std::mem::take(&mut *lock(&self.notes));
        notes.into_iter().map(|(_, note)| note).collect()
    }

    /// Takes the first record, in input order, that was replaced or left out: where it stands and
    /// what is wrong with it.
    pub fn take_first_invalid(&self) -> Option<Error> {
        lock(&self.invalid).take().map(|(_, error)| error)
    }

    /// Entries (files, folders, objects, patterns) that were passed over because they could not be
    /// read, as [`Missing::Report`](crate::Missing) and `Skip` allow.
    ///
    /// ```
    /// use creel::{Missing, ReadOptions, Run};
    ///
    /// let options = ReadOptions::new().on_missing(Missing::Skip);
    /// let run = Run::new();
    /// let lines = options.read_text(["fixtures/no-such.log"])?.count();
    /// assert_eq!(run.compute_blocking(&lines)?, 0);
    /// assert_eq!(run.progress().entries_unread(), 1);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn entries_unread(&self) -> u64 {
        self.unread.load(Relaxed)
    }

    /// Takes the errors of the entries that were passed over, one for each entry, in the order in
    /// which they were listed: the first ten thousand, however many there were.
    pub fn take_unread(&self) -> Vec<Error> {
        let Unread { mut listed, mut met, .. } = std::mem::take(&mut *lock(&self.unread_kept));
        listed.append(&mut met);
        listed.into_values().take(KEPT_UNREAD).collect()
    }

    /// As [`take_unread`](Self::take_unread), and of each whether the listing found it.
    #[cfg(feature = "cli")]
    pub(crate) fn take_unread_and_when(&self) -> Vec<(bool, Error)> {
        let Unread { listed, met, .. } = std::mem::take(&mut *lock(&self.unread_kept));
        let listed = listed.into_iter().map(|(at, error)| (at, (true, error)));
        let met = met.into_iter().map(|(at, error)| (at, (false, error)));
        let all: BTreeMap<_, _> = listed.chain(met).collect();
        all.into_values().take(KEPT_UNREAD).collect()
    }

    /// Entries that were listed and could then not be read.
    #[cfg(feature = "cli")]
    pub(crate) fn listed_entries_unread(&self) -> u64 {
        let Unread { met, counted, .. } = &*lock(&self.unread_kept);
        met.keys().chain(counted).filter(|at| at.member == 0).count() as u64
    }

    /// The number of a listing that begins.
    pub(crate) fn next_listing(&self) -> u64 {
        self.listings.fetch_add(1, Relaxed)
    }

    /// Adds an entry that was passed over while it was listed.
    pub(crate) fn add_listed_unread(&self, entry: InputOrder, error: Error) {
        self.unread.fetch_add(1, Relaxed);
        let listed = &mut lock(&self.unread_kept).listed;
        listed.insert(entry, error);
        if listed.len() > KEPT_UNREAD {
            listed.pop_last();
        }
    }

    /// Adds an entry that was passed over while it was read.
    pub(crate) fn add_unread(&self, entry: InputOrder, error: Error) {
        self.unread.fetch_add(1, Relaxed);
        let Unread { met, counted, .. } = &mut *lock(&self.unread_kept);
        met.insert(entry, error);
        if met.len() > KEPT_UNREAD {
            counted.extend(met.pop_last().map(|(last, _)| last));
        }
    }

    /// Notes that the run cannot go on from this place, unless it needs nothing from there.
    pub(crate) fn fails(&self, at: InputOrder) {
        let mut failed = lock(&self.failed);
        *failed = Some(failed.map_or(at, |first| first.min(at)));
    }

    /// What requests to stores are waiting for, if that is more than an answer: which host, and
    /// why, as one line. A store that asks for fewer requests is waited for, for minutes.
    ///
    /// Requests belong to the process: this tells those of all its runs.
    pub fn waiting(&self) -> Option<String> {
        waiting()
    }

    pub(crate) fn add_total(&self, bytes: u64) {
        self.total.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Relaxed);
    }

    /// So many bytes were made of all that was read: how many it would be of all that there is to read, as far
    /// as that is known.
    #[cfg(feature = "cli")]
    pub(crate) fn of_all(&self, bytes: u64) -> Option<u64> {
        let (read, total) = (self.read.load(Relaxed), self.total.load(Relaxed));
        // Some bytes are read twice, where an object is read in slices.
        let all = u128::from(bytes) * u128::from(total.max(read)) / u128::from(read.max(1));
        (0 < read.min(total)).then(|| u64::try_from(all).unwrap_or(u64::MAX))
    }

    /// Records read so far, if somebody counts them.
    #[cfg(feature = "cli")]
    pub(crate) fn records_counted(&self) -> u64 {
        self.records.load(Relaxed)
    }

    #[cfg(feature = "cli")]
    pub(crate) fn add_records(&self, records: u64) {
        self.records.fetch_add(records, Relaxed);
    }

    pub(crate) fn add_block(&self) {
        self.blocks.fetch_add(1, Relaxed);
    }

    /// Adds records that were let pass.
    pub(crate) fn add_tally(&self, tally: Tally) {
        self.replaced.fetch_add(tally.replaced, Relaxed);
        self.skipped.fetch_add(tally.skipped, Relaxed);
        if tally.first.is_some() {
            keep_first(&mut lock(&self.invalid), tally.first);
        }
    }

    #[cfg_attr(not(feature = "decompress"), allow(dead_code))]
    pub(crate) fn add_note(&self, at: InputOrder, note: Error) {
        let mut notes = lock(&self.notes);
        let place = notes.partition_point(|(other, _)| *other <= at);
        notes.insert(place, (at, note));
        notes.truncate(KEPT_FAULTS);
    }

    /// Adds unread entries and damaged streams of which no more is known than how many they are.
    #[cfg(feature = "cli")]
    pub(crate) fn add_untold(&self, unread: u64, damaged: u64) {
        self.unread.fetch_add(unread, Relaxed);
        self.damaged.fetch_add(damaged, Relaxed);
    }

    /// Adds a stream that is damaged behind this place.
    pub(crate) fn add_fault(&self, at: InputOrder, fault: Error) {
        self.damaged.fetch_add(1, Relaxed);
        let mut faults = lock(&self.faults);
        let place = faults.partition_point(|(other, _)| *other <= at);
        faults.insert(place, (at, Some(fault)));
        if let Some((_, fault)) = faults.get_mut(KEPT_FAULTS) {
            *fault = None;
        }
    }

    /// Forgets what was found behind a place, by reading ahead of who has enough there: damage,
    /// notes and entries that could not be read. How far that was depends on threads and blocks.
    #[cfg(feature = "cli")]
    pub(crate) fn forget_behind(&self, place: InputOrder) {
        let mut faults = lock(&self.faults);
        let kept = faults.partition_point(|(at, _)| *at < place);
        let forgotten = faults.split_off(kept).len() as u64;
        self.damaged.fetch_sub(forgotten, Relaxed);
        lock(&self.notes).retain(|(at, _)| *at < place);
        let Unread { met, counted, .. } = &mut *lock(&self.unread_kept);
        let forgotten = met.split_off(&place).len() + counted.split_off(&place).len();
        self.unread.fetch_sub(forgotten as u64, Relaxed);
    }

    /// Forgets what was found behind the place at which the run has failed.
    #[cfg(feature = "cli")]
    pub(crate) fn forget_behind_failure(&self) {
        let failed = *lock(&self.failed);
        if let Some(place) = failed {
            self.forget_behind(place);
        }
    }
}

/// What is waited for, by the number of requests that wait for it.
static WAITING: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// What requests of this process wait for, as one line.
pub(crate) fn waiting() -> Option<String> {
    let waiting = lock(&WAITING);
    let (first, others) = (waiting.keys().next()?, waiting.len() - 1);
    Some(match others {
        0 => format!("waiting for {first}"),
        others => format!("waiting for {first}, and {others} more"),
    })
}

/// One request that waits, until this is dropped.
#[cfg(feature = "cloud")]
#[derive(Debug)]
pub(crate) struct Waiting(String);

#[cfg(feature = "cloud")]
impl Waiting {
    /// A request that waits for this.
    pub(crate) fn new(what: String) -> Self {
        let what = crate::error::printable(&crate::error::concealed(&what));
        *lock(&WAITING).entry(what.clone()).or_default() += 1;
        Self(what)
    }
}

#[cfg(feature = "cloud")]
impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = lock(&WAITING);
        if let Some(count) = waiting.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.0);
            }
        }
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, feature = "cloud"))]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_waits_is_told_until_the_wait_is_over() {
        let progress = Progress::default();
        // Requests of other tests may wait too; these are the first in the order of names.
        let waits =
            ["\u{1}a\x1b", "\u{1}a\x1b", "\u{1}b"].map(|what| Waiting::new(what.to_owned()));
        let told = progress.waiting().unwrap_or_default();
        assert!(told.starts_with("waiting for \\x01a\\x1b, and "), "{told}");
        drop(waits);
        assert!(!progress.waiting().unwrap_or_default().contains("x01"));
    }
}
