//! What a run has to say beside its answer, as data: it travels in states, and is told at the end.

use serde::{Deserialize, Serialize};

use crate::error::Shown;
use crate::progress::{InputOrder, Tally};
use crate::{Error, Progress, Result};

/// What was passed over by the runs of which a state is: entries that could not be read, damage, and
/// records that are not valid.
///
/// ```
/// use creel::Missing;
/// use creel::plan::{self, InputFormat, Plan};
///
/// let plan = Plan::new("count", InputFormat::TEXT, ["fixtures/access.log", "fixtures/no-such.log"])?;
/// let plan = plan.on_missing(Missing::Report);
/// let state = plan::run(&plan, &plan::list(&plan)?)?;
/// assert_eq!(plan::list(&plan)?.report().entries_unread(), 1);
/// assert_eq!(state.report().entries_unread(), 1);
/// assert!(state.report().unread().all(|told| told.contains("no-such.log")));
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Entries that could be read.
    read: u64,
    unread: u64,
    /// Those of them that the listing found, so that they are known whatever is read.
    unlisted: u64,
    /// What was wrong with each, and whether the listing found it.
    unread_told: Vec<(bool, String)>,
    damaged: u64,
    damaged_told: Vec<String>,
    notes: Vec<String>,
    replaced: u64,
    skipped: u64,
    /// Where the first record stands that was replaced or left out, and what is wrong with it.
    first_invalid: Option<(String, String)>,
}

/// So many of each kind are kept in full: the others are only counted.
const KEPT: usize = 10_000;

impl Report {
    /// What a run over so many listed entries has told, in the words of `tell`.
    pub(crate) fn of(progress: &Progress, listed: usize, tell: &dyn Fn(&Error) -> String) -> Self {
        let told = |errors: Vec<Error>| errors.iter().map(tell).collect();
        let first_invalid = progress.take_first_invalid().map(|error| {
            let place = error.place().map(ToString::to_string).unwrap_or_default();
            let reason = match error {
                Error::Record { reason, .. } => reason,
                _ => "not in valid UTF-8",
            };
            (place, reason.to_owned())
        });
        let (unread, met) = (progress.entries_unread(), progress.listed_entries_unread());
        let unread_told = progress.take_unread_and_when().into_iter();
        Self {
            read: (listed as u64).saturating_sub(met),
            unread,
            unlisted: unread.saturating_sub(met),
            unread_told: unread_told.map(|(when, error)| (when, tell(&error))).collect(),
            damaged: progress.streams_damaged(),
            damaged_told: told(progress.take_faults()),
            notes: told(progress.take_notes()),
            replaced: progress.records_replaced(),
            skipped: progress.records_skipped(),
            first_invalid,
        }
    }

    /// The first entry that could not be read, if there is one, as an error.
    pub(crate) fn first_unread(&self) -> Result<()> {
        self.unread_told.first().map_or(Ok(()), |(_, told)| Err(elsewhere("unread", told)))
    }

    /// Tells the counters of a run of what was passed over elsewhere for it.
    pub(crate) fn tell(&self, progress: &Progress) {
        let listing = progress.next_listing();
        let at = |object| InputOrder { listing, object, ..InputOrder::default() };
        let (replaced, skipped) = (self.replaced, self.skipped);
        let first = self.first_invalid.as_ref().map(|(place, reason)| {
            let separator = if place.is_empty() { "" } else { ": " };
            (at(0), elsewhere("record", &format!("{place}{separator}{reason}")))
        });
        progress.add_tally(Tally { replaced, skipped, first });
        for (n, (_, text)) in self.unread_told.iter().enumerate() {
            progress.add_listed_unread(at(n), elsewhere("unread", text));
        }
        for (n, text) in self.damaged_told.iter().enumerate() {
            progress.add_fault(at(n), elsewhere("damaged", text));
        }
        for (n, text) in self.notes.iter().enumerate() {
            progress.add_note(at(n), elsewhere("note", text));
        }
        // Of those behind the first ones nothing is known but how many they are.
        progress.add_untold(
            self.unread.saturating_sub(self.unread_told.len() as u64),
            self.damaged.saturating_sub(self.damaged_told.len() as u64),
        );
    }

    /// Adds what stands after it in the input.
    pub(crate) fn add(&mut self, other: Self) {
        let add = |number: &mut u64, more| *number = number.saturating_add(more);
        add(&mut self.read, other.read);
        add(&mut self.unread, other.unread);
        add(&mut self.unlisted, other.unlisted);
        add(&mut self.damaged, other.damaged);
        add(&mut self.replaced, other.replaced);
        add(&mut self.skipped, other.skipped);
        extend(&mut self.unread_told, other.unread_told);
        extend(&mut self.damaged_told, other.damaged_told);
        extend(&mut self.notes, other.notes);
        self.first_invalid = self.first_invalid.take().or(other.first_invalid);
    }

    /// What is left of it if nothing was needed of what was read.
    pub(super) fn of_the_listing(self) -> Self {
        Self {
            read: self.read,
            unread: self.unlisted,
            unlisted: self.unlisted,
            unread_told: self.unread_told.into_iter().filter(|(listed, _)| *listed).collect(),
            ..Self::default()
        }
    }

    /// The same without numbers of partitions, for a state.
    pub(crate) fn without_partitions(self) -> Self {
        self.each(&without_partition)
    }

    /// The same, as it may be shown whoever has written it. It was made a message there.
    pub(super) fn shown(self) -> Self {
        self.each(&|text| Shown::ours(text).to_string())
    }

    /// The same, of which each text was changed.
    fn each(self, shown: &dyn Fn(&str) -> String) -> Self {
        let show = |told: Vec<String>| told.into_iter().map(|text| shown(&text)).collect();
        let unread = self.unread_told.into_iter().map(|(when, text)| (when, shown(&text)));
        Self {
            unread_told: unread.collect(),
            damaged_told: show(self.damaged_told),
            notes: show(self.notes),
            first_invalid: self
                .first_invalid
                .map(|(place, reason)| (shown(&place), shown(&reason))),
            ..self
        }
    }

    /// Entries (files, objects, patterns) that could be read.
    pub fn entries_read(&self) -> u64 {
        self.read
    }

    /// Entries that could not be read and were passed over.
    pub fn entries_unread(&self) -> u64 {
        self.unread
    }

    /// What was wrong with those, in input order: the first ten thousand.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        self.unread_told.iter().map(|(_, told)| &**told)
    }

    /// Streams that are damaged, of which what stands before the damage was read.
    pub fn streams_damaged(&self) -> u64 {
        self.damaged
    }

    /// What is wrong with the first of those.
    pub fn damaged(&self) -> impl Iterator<Item = &str> {
        self.damaged_told.iter().map(String::as_str)
    }

    /// What is odd about what was read, and no fault.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }

    /// Records in which invalid bytes were replaced.
    pub fn records_replaced(&self) -> u64 {
        self.replaced
    }

    /// Records left out because they were not valid.
    pub fn records_skipped(&self) -> u64 {
        self.skipped
    }

    /// Where the first record stands that was replaced or left out, and what is wrong with it.
    pub fn first_invalid(&self) -> Option<(&str, &str)> {
        self.first_invalid.as_ref().map(|(place, reason)| (&**place, &**reason))
    }
}

/// The error for what was passed over elsewhere.
fn elsewhere(kind: &str, text: &str) -> Error {
    let (kind, message) = (kind.to_owned(), text.to_owned());
    Error::Cluster { kind, worker: None, place: None, message, retry: false }
}

fn extend<T>(told: &mut Vec<T>, more: Vec<T>) {
    let room = KEPT.saturating_sub(told.len());
    told.extend(more.into_iter().take(room));
}

/// A text without the number of a partition in its first place. Partitions are numbered anew in each run,
/// and are many or few as threads are: in a state their numbers would mean nothing.
fn without_partition(text: &str) -> String {
    let numbered = |at: usize| {
        let rest = &text[at + PARTITION.len()..];
        let end = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let begins = rest.len() > end.len() && (end.starts_with(", byte ") || end.starts_with(')'));
        begins.then_some((at, end))
    };
    match text.match_indices(PARTITION).find_map(|(at, _)| numbered(at)) {
        None => text.to_owned(),
        Some((at, end)) => match end.strip_prefix(", ") {
            Some(byte) => format!("{} ({byte}", &text[..at]),
            None => format!("{}{}", &text[..at], &end[1..]),
        },
    }
}

/// How a message begins to name a partition.
const PARTITION: &str = " (partition ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_all_rejected_records_of_other_processes() {
        let told = |n: usize| (0..n).map(|n| format!("{n} cannot be read")).collect::<Vec<_>>();
        let report = Report {
            unread: 5,
            unread_told: told(3).into_iter().map(|text| (true, text)).collect(),
            damaged: 4,
            damaged_told: told(2),
            notes: told(1),
            replaced: 6,
            skipped: 7,
            first_invalid: Some(("a.log (byte 3)".to_owned(), "not in valid UTF-8".to_owned())),
            ..Report::default()
        };
        let progress = Progress::default();
        // Those of two passes are both told.
        report.tell(&progress);
        report.tell(&progress);
        assert_eq!((progress.entries_unread(), progress.take_unread().len()), (10, 6));
        assert_eq!((progress.streams_damaged(), progress.take_faults().len()), (8, 4));
        assert_eq!((progress.records_replaced(), progress.records_skipped()), (12, 14));
        assert_eq!(progress.take_notes().len(), 2);
        let first = progress.take_first_invalid().unwrap().to_string();
        assert_eq!(first, "a.log (byte 3): not in valid UTF-8");
    }

    #[test]
    fn numbers_of_partitions_are_left_out() {
        for (told, left) in [
            ("a.gz (partition 12, byte 5): damaged", "a.gz (byte 5): damaged"),
            ("a.gz (partition 12): damaged", "a.gz: damaged"),
            ("a (partition x (partition 3): b", "a (partition x: b"),
            ("a.gz (byte 5): damaged", "a.gz (byte 5): damaged"),
            ("a (partition ", "a (partition "),
        ] {
            assert_eq!(without_partition(told), left);
        }
    }
}
