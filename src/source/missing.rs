//! Entries that cannot be read: the policy for them, and which of them were passed over.
//!
//! An entry is what a pattern names: a file, an object, or a folder that cannot be entered. The
//! policy applies until the first record of an entry was given. From then on its results are in
//! use, so a fault is an error of the run.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::object::{Home, Object};
use super::objects::{List, Objects};
use super::room::Room;
#[cfg(feature = "cloud")]
use super::rows::Row;
#[cfg(feature = "cloud")]
use super::store::Store;
use super::version::Version;
use crate::progress::InputOrder;
use crate::{Error, Progress, Result};

/// What an entry does that cannot be read: a file that is missing or may not be opened, a link that
/// leads nowhere, a pattern that matches nothing, an object with content that is not text, a host
/// that cannot be reached.
///
/// It is for entries of which no record was read: whatever fails before that is the entry's, but for
/// faults of the process itself, which has no memory or no descriptors left. What happens after that
/// is an error always.
///
/// ```
/// use creel::{Missing, ReadOptions, Run};
///
/// let options = ReadOptions::new().on_missing(Missing::Report);
/// let lines = options.read_text(["fixtures/access.log", "fixtures/no-such.log"])?;
/// let run = Run::new();
/// assert!(run.compute_blocking(&lines.count())? > 0);
/// let unread = run.progress().take_unread();
/// assert_eq!(unread[0].place().unwrap().object, "fixtures/no-such.log");
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// It fails the run.
    #[default]
    Fail,
    /// It is passed over and kept in the run's report,
    /// [`Progress::take_unread`](crate::Progress::take_unread). If no entry can be read, the run
    /// fails with the first.
    Report,
    /// It is passed over and kept in the run's report, also if no entry can be read.
    Skip,
}

/// What one listing has found: objects in order, and entries that cannot be read between them.
pub(super) struct Listing<'p> {
    progress: &'p Progress,
    objects: List,
    entries: Arc<Entries>,
    found: usize,
    looks: bool,
    room: Room,
    /// What was taken of the room for the objects.
    taken: usize,
}

/// Bytes of a list by which room is taken for it.
const STEP: usize = 64 << 10;

impl<'p> Listing<'p> {
    pub(super) fn new(policy: Missing, progress: &'p Progress) -> Self {
        let (number, total) = (progress.next_listing(), OnceLock::new());
        let (states, refused) = (OnceLock::new(), Mutex::default());
        let entries = Arc::new(Entries { policy, number, total, states, refused });
        let (objects, room) = (List::new(Arc::clone(&entries)), Room::new(None));
        Self { progress, objects, entries, found: 0, looks: false, room, taken: 0 }
    }

    /// The same, which looks at once whether files can be opened: for results that are given before
    /// all files were read.
    pub(super) fn looking(self, looks: bool) -> Self {
        Self { looks, ..self }
    }

    /// The same, for which there is so much room.
    pub(super) fn within(self, limit: Option<u64>) -> Self {
        Self { room: Room::new(limit), ..self }
    }

    /// The room that lists take.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Whether files are to be opened before they are added.
    pub(super) fn looks(&self) -> bool {
        self.looks
    }

    /// How many entries there are so far.
    pub(super) fn found(&self) -> usize {
        self.found
    }

    /// Adds an object.
    ///
    /// # Errors
    /// As for all objects: if the list is too long for the memory that there is.
    pub(super) fn push(&mut self, name: String, size: Option<u64>, home: Home) -> Result<()> {
        let entry = Entry::new(&self.entries, self.found);
        self.objects.keep(Object::new(name, size, home, entry));
        self.added()
    }

    /// Adds a file, which was of this version when it was found.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn push_file(&mut self, path: PathBuf, found: Version) -> Result<()> {
        self.objects.add_file(path, found, self.found);
        self.added()
    }

    /// Adds an object that a listing of a store told of.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    #[cfg(feature = "cloud")]
    pub(super) fn push_listed(&mut self, store: &Arc<Store>, listed: &Row) -> Result<()> {
        self.objects.add_listed(store, listed, self.found);
        self.added()
    }

    fn added(&mut self) -> Result<()> {
        self.found += 1;
        let weight = self.objects.weight();
        if weight < self.taken + STEP {
            return Ok(());
        }
        self.room.take(weight - self.taken)?;
        self.taken = weight;
        self.room.keep(weight)
    }

    /// Adds an entry that cannot be read.
    ///
    /// # Errors
    /// This error, if the policy is to fail, or if it is not about one entry.
    pub(super) fn refuse(&mut self, error: Error) -> Result<()> {
        let entry = Entry::new(&self.entries, self.found);
        self.found += 1;
        entry.pass_over(error, self.progress, Progress::add_listed_unread)
    }

    /// The same for a fault after which the list would lack entries that are there: no policy passes
    /// over it.
    #[cfg(feature = "cloud")]
    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.progress.fails(Entry::new(&self.entries, self.found).order());
        error
    }

    /// The objects, when all entries were added.
    ///
    /// # Errors
    /// That of the first entry, if none can be read and the policy says so.
    pub(super) fn finish(self) -> Result<Objects> {
        // Set once, here.
        let _ = self.entries.total.set(self.found);
        let states = std::iter::repeat_with(|| AtomicU8::new(LISTED)).take(self.found);
        let _ = self.entries.states.set(states.collect());
        self.entries.check().map(|()| self.objects.finish())
    }
}

/// The entries of one listing together.
#[derive(Debug, Default)]
pub(super) struct Entries {
    policy: Missing,
    /// The listings of a run are told in this order.
    number: u64,
    /// How many entries there are, once all are known.
    total: OnceLock<usize>,
    /// What became of each, once all are known: objects come and go.
    states: OnceLock<Box<[AtomicU8]>>,
    refused: Mutex<Refused>,
}

#[derive(Debug, Default)]
struct Refused {
    entries: usize,
    /// The first in listing order.
    first: Option<(usize, Error)>,
}

impl Entries {
    /// Bytes of memory that they take.
    pub(super) fn weight(&self) -> usize {
        self.states.get().map_or(0, |states| states.len())
    }

    /// Fails if the last entry was refused that might have been read.
    fn check(&self) -> Result<()> {
        let refused = self.lock();
        match &refused.first {
            Some((_, first))
                if self.policy == Missing::Report && self.total.get() == Some(&refused.entries) =>
            {
                Err(first.clone())
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one entry in its listing, and whether it can be read.
#[derive(Debug)]
pub(super) struct Entry {
    entries: Arc<Entries>,
    rank: usize,
}

/// Nobody knows yet.
const LISTED: u8 = 0;
/// Records of it were given, or may have been.
const READ: u8 = 1;
/// It was passed over.
const REFUSED: u8 = 2;

impl Entry {
    pub(super) fn new(entries: &Arc<Entries>, rank: usize) -> Self {
        Self { entries: Arc::clone(entries), rank }
    }

    /// Changes what is known of it from [`LISTED`], or says what else that is.
    fn becomes(&self, state: u8) -> std::result::Result<u8, u8> {
        match self.entries.states.get().and_then(|states| states.get(self.rank)) {
            Some(known) => known.compare_exchange(LISTED, state, SeqCst, SeqCst),
            // While others are listed, nobody else knows of it.
            None => Ok(LISTED),
        }
    }

    /// Where it stands in the input.
    pub(super) fn order(&self) -> InputOrder {
        InputOrder { listing: self.entries.number, object: self.rank, ..InputOrder::default() }
    }

    /// Remembers that it can be read; `false` if it was passed over before, as a whole.
    pub(super) fn accept(&self) -> bool {
        self.becomes(READ) != Err(REFUSED)
    }

    /// Whether it was passed over, as a whole.
    #[cfg(feature = "cli")]
    pub(super) fn is_refused(&self) -> bool {
        let known = self.entries.states.get().and_then(|states| states.get(self.rank));
        known.is_some_and(|known| known.load(SeqCst) == REFUSED)
    }

    /// Passes the entry over, if the policy and the error allow it.
    ///
    /// # Errors
    /// This error, if they do not; or that of the first entry, if this was the last that might
    /// have been read.
    pub(super) fn refuse(&self, error: Error, progress: &Progress) -> Result<()> {
        self.pass_over(error, progress, Progress::add_unread)
    }

    fn pass_over(
        &self,
        error: Error,
        progress: &Progress,
        add: impl FnOnce(&Progress, InputOrder, Error),
    ) -> Result<()> {
        let fails = self.entries.policy == Missing::Fail || error.is_of_the_run();
        let state = match fails {
            true => Err(READ),
            false => self.becomes(REFUSED),
        };
        match state {
            Err(REFUSED) => return Ok(()),
            Err(_) => {
                progress.fails(self.order());
                return Err(error);
            }
            Ok(_) => {}
        }
        add(progress, self.order(), error.clone());
        self.count(error);
        self.entries.check()
    }

    /// Passes over the member of this number of this entry, which is an archive, if the policy and the error allow it.
    ///
    /// # Errors
    /// This error, if they do not.
    #[cfg(feature = "tar")]
    pub(super) fn refuse_member(
        &self,
        number: u64,
        error: &Error,
        progress: &Progress,
    ) -> Result<()> {
        let order = InputOrder { member: number, ..self.order() };
        if self.entries.policy == Missing::Fail || !error.is_of_a_member() {
            progress.fails(order);
            return Err(error.clone());
        }
        progress.add_unread(order, error.clone());
        Ok(())
    }

    /// Passes over an archive none of whose members was read; they are told already, and the first
    /// failed with this error.
    ///
    /// # Errors
    /// That of the first entry, if this was the last that might have been read.
    #[cfg(feature = "tar")]
    pub(super) fn refuse_all(&self, error: Error) -> Result<()> {
        if self.becomes(REFUSED).is_err() {
            return Ok(());
        }
        self.count(error);
        self.entries.check()
    }

    fn count(&self, error: Error) {
        let mut refused = self.entries.lock();
        refused.entries += 1;
        if refused.first.as_ref().is_none_or(|(rank, _)| self.rank < *rank) {
            refused.first = Some((self.rank, error));
        }
    }
}

#[cfg(test)]
impl Default for Entry {
    /// One of a listing that fails at any fault.
    fn default() -> Self {
        let entries =
            Entries { states: OnceLock::from(Box::from([LISTED.into()])), ..Entries::default() };
        Self::new(&Arc::new(entries), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    fn fault(name: &str) -> Error {
        Error::NotFound { place: Place::object(name), reason: String::new() }
    }

    fn listing(policy: Missing, progress: &Progress) -> Listing<'_> {
        let mut listing = Listing::new(policy, progress);
        listing.push("a".to_owned(), None, Home::Stdin).unwrap();
        listing.push("b".to_owned(), None, Home::Stdin).unwrap();
        listing
    }

    fn names(progress: &Progress) -> Vec<String> {
        progress.take_unread().iter().map(|e| e.place().unwrap().object.clone()).collect()
    }

    #[test]
    fn refused_entries_are_reported_once_and_in_listing_order() {
        let progress = Progress::default();
        let mut listing = listing(Missing::Report, &progress);
        listing.refuse(fault("c")).unwrap();
        let objects = listing.finish().unwrap();
        for _ in 0..2 {
            objects.at(1).unwrap().entry().refuse(fault("b"), &progress).unwrap();
        }
        assert!(
            objects.at(0).unwrap().entry().accept() && !objects.at(1).unwrap().entry().accept()
        );
        assert!(
            objects.at(0).unwrap().entry().refuse(fault("a"), &progress).is_err(),
            "it has been read"
        );
        assert_eq!(progress.entries_unread(), 2);
        assert_eq!(names(&progress), ["b", "c"]);
    }

    #[test]
    fn a_run_that_can_read_nothing_fails_with_the_first_entry_unless_it_skips() {
        for (policy, fails) in [(Missing::Report, true), (Missing::Skip, false)] {
            let progress = Progress::default();
            let objects = listing(policy, &progress).finish().unwrap();
            objects.at(1).unwrap().entry().refuse(fault("b"), &progress).unwrap();
            let last = objects.at(0).unwrap().entry().refuse(fault("a"), &progress);
            assert_eq!(last.is_err(), fails);
            assert!(last.err().is_none_or(|e| e.place().unwrap().object == "a"));
            assert_eq!(names(&progress), ["a", "b"]);
        }
    }

    #[test]
    fn an_error_that_is_not_about_one_entry_ends_the_run_under_every_policy() {
        let progress = Progress::default();
        for policy in [Missing::Fail, Missing::Report, Missing::Skip] {
            let mut listing = Listing::new(policy, &progress);
            assert!(listing.refuse(Error::Cancelled).is_err());
        }
        assert!(Listing::new(Missing::Fail, &progress).refuse(fault("a")).is_err());
        assert_eq!(progress.entries_unread(), 0);
    }
}
