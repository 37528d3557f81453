//! What is said on standard error as records of JSON, a line each, for launchers: errors, notes, progress, and the
//! report of what was passed over.
//!
//! They are asked for with `--errors json` and `--progress json`. Their texts are messages as people read them:
//! they show no secret.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use super::message::with_options;
use crate::error::Shown;
use crate::plan::Report;
use crate::{Error, Place, Progress};

/// Whether errors and notes are told as records.
static ARE_TOLD: AtomicBool = AtomicBool::new(false);

/// Has errors and notes told as records, or as lines of text.
pub(super) fn tell_records(yes: bool) {
    ARE_TOLD.store(yes, Relaxed);
}

/// Whether errors and notes are told as records.
pub(super) fn are_told() -> bool {
    ARE_TOLD.load(Relaxed)
}

/// A line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record<'r> {
    /// Why the process fails.
    Error(ErrorRecord<'r>),
    /// What is worth knowing, and no failure.
    Note {
        /// As people read it.
        message: &'r str,
    },
    /// How far the process is.
    Progress(ProgressRecord),
    /// What the process has passed over.
    Report(ReportRecord<'r>),
}

/// Why a process fails.
#[derive(Debug, Serialize)]
pub(super) struct ErrorRecord<'r> {
    /// What sort of failure it is: the name of a variant of [`Error`], `usage`, `program` or `internal`.
    pub(super) kind: &'r str,
    pub(super) object: Option<String>,
    /// The number of the partition among all of the plan.
    pub(super) partition: Option<usize>,
    pub(super) offset: Option<u64>,
    /// As people read it, with the options that would mend it.
    pub(super) message: String,
    /// Whether the same command may succeed if it is run again, perhaps by another worker.
    pub(super) retry: bool,
}

/// How far a process is.
#[derive(Debug, Serialize)]
pub(super) struct ProgressRecord {
    /// Bytes read, as stored, and bytes to read, or 0 if that is not known.
    bytes: u64,
    total: u64,
    records: u64,
    skipped: u64,
    replaced: u64,
    seconds: f64,
    /// What requests to stores wait for.
    waiting: Option<String>,
}

/// What a process has passed over.
#[derive(Debug, Serialize)]
pub(super) struct ReportRecord<'r> {
    entries_unread: u64,
    unread: Vec<&'r str>,
    streams_damaged: u64,
    damaged: Vec<&'r str>,
    records_replaced: u64,
    records_skipped: u64,
    first_invalid: Option<FirstInvalid<'r>>,
    notes: Vec<&'r str>,
}

#[derive(Debug, Serialize)]
struct FirstInvalid<'r> {
    place: &'r str,
    reason: &'r str,
}

impl Record<'_> {
    /// The line.
    pub(super) fn line(&self) -> String {
        let line = serde_json::to_string(self);
        line.unwrap_or_else(|error| unreachable!("records are texts and numbers: {error}"))
    }
}

impl ErrorRecord<'_> {
    /// The record of an error.
    pub(super) fn of(error: &Error) -> Self {
        let place = error.place();
        let object = match error {
            Error::Output { path, .. } => Some(path.as_str()),
            Error::Pattern { pattern, .. } => Some(pattern.as_str()),
            _ => place.map(|place: &Place| place.object.as_str()),
        };
        Self {
            kind: kind(error),
            object: object.map(|name| Shown::name(name).to_string()),
            partition: place.and_then(|place| place.partition),
            offset: place.and_then(|place| place.offset),
            message: Shown::ours(with_options(error)).to_string(),
            retry: may_succeed(error),
        }
    }

    /// The record of a failure that is of no object.
    pub(super) fn new(kind: &'static str, message: String) -> Self {
        let (object, partition, offset, retry) = (None, None, None, false);
        Self { kind, object, partition, offset, message, retry }
    }
}

/// The name of an error's variant.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Pattern { .. } => "pattern",
        Error::NotFound { .. } => "not_found",
        Error::PermissionDenied { .. } => "permission_denied",
        Error::Unauthenticated { .. } => "unauthenticated",
        Error::Changed { .. } => "changed",
        Error::Truncated { .. } => "truncated",
        Error::Corrupt { .. } => "corrupt",
        Error::Unsupported { .. } => "unsupported",
        Error::Trailing { .. } => "trailing",
        Error::Ratio { .. } => "ratio",
        Error::NotText { .. } => "not_text",
        Error::Encoding { .. } => "encoding",
        Error::Record { .. } => "record",
        Error::RecordTooLong { .. } => "record_too_long",
        Error::Io { .. } => "io",
        Error::Output { .. } => "output",
        Error::Panic { .. } => "panic",
        Error::Task { .. } => "task",
        Error::Memory { .. } => "memory",
        Error::Plan { .. } => "plan",
        Error::Cluster { .. } => "cluster",
        Error::Cancelled => "cancelled",
    }
}

/// Whether the same command may succeed if it is run again: the fault is one of a disk or a network, or of whoever
/// stopped it.
fn may_succeed(error: &Error) -> bool {
    matches!(error, Error::Io { .. } | Error::Output { .. } | Error::Cancelled)
}

impl ProgressRecord {
    /// How far a run is after this time.
    pub(super) fn of(progress: &Progress, elapsed: Duration) -> Self {
        let (bytes, total) = (progress.bytes_read(), progress.bytes_total());
        // More is read than there is where a record reaches over several partitions.
        let total = if total == 0 { 0 } else { total.max(bytes) };
        Self {
            bytes,
            total,
            records: progress.records_counted(),
            skipped: progress.records_skipped(),
            replaced: progress.records_replaced(),
            seconds: elapsed.as_secs_f64(),
            waiting: progress.waiting(),
        }
    }
}

impl<'r> ReportRecord<'r> {
    /// The record of a report.
    pub(super) fn of(report: &'r Report) -> Self {
        let first_invalid = report.first_invalid();
        Self {
            entries_unread: report.entries_unread(),
            unread: report.unread().collect(),
            streams_damaged: report.streams_damaged(),
            damaged: report.damaged().collect(),
            records_replaced: report.records_replaced(),
            records_skipped: report.records_skipped(),
            first_invalid: first_invalid.map(|(place, reason)| FirstInvalid { place, reason }),
            notes: report.notes().collect(),
        }
    }
}
