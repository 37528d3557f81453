//! What is said at the end of a run of what it has passed over.

use std::path::Path;

use super::args::{Args, When};
use super::message::{self, say, say_ours};
use super::record::{self, Record, ReportRecord};
use crate::error::Shown;
use crate::plan::Report;
use crate::source::Missing;
use crate::{Error, Progress, Result};

/// Names the entries that could not be read and that the result should have, or says how many were
/// left out as asked. Returns what was said of the entries.
pub(super) fn tell_unread<'r>(args: &Args, missing: Missing, told: &'r Report) -> Vec<&'r str> {
    let (number, unread) = (told.entries_unread(), Vec::from_iter(told.unread()));
    if record::are_told() || args.telling.progress == When::Json {
        message::tell(&Record::Report(ReportRecord::of(told)));
    }
    if record::are_told() {
        return if missing == Missing::Skip { Vec::new() } else { unread };
    }
    if missing == Missing::Skip {
        if number > 0 && !args.telling.quiet {
            let plural = if number == 1 { "entry" } else { "entries" };
            say(format_args!("passed over {number} {plural} that could not be read"));
        }
        return Vec::new();
    }
    unread.iter().for_each(say_ours);
    let more = number.saturating_sub(unread.len() as u64);
    if more > 0 {
        say(format_args!("and {more} more"));
    }
    unread
}

/// Names the entries that could not be read before a run failed; returns the exit code.
///
/// # Errors
/// The failure, unless it was told as that of an entry.
pub(super) fn failed(args: &Args, progress: &Progress, error: Error) -> Result<u8> {
    progress.forget_behind_failure();
    let told = Report::of(progress, 0, &message::with_options);
    let told = tell_unread(args, args.on_missing, &told);
    match !record::are_told() && told.contains(&&*message::with_options(&error)) {
        true => Ok(message::code(&error)),
        false => Err(error),
    }
}

/// A path as messages name it.
pub(super) fn shown(path: &Path) -> String {
    Shown::name(&path.display().to_string()).to_string()
}

/// Says what went wrong without ending the run; returns the exit code.
pub(super) fn tell(args: &Args, replaced: bool, told: &Report, unread: bool) -> u8 {
    let not_written = || {
        if let (Some(path), true, 1..) = (&args.writing.output, replaced, told.streams_damaged()) {
            say_ours(format_args!("{} was not written", shown(path)));
        }
    };
    if record::are_told() {
        not_written();
        return code(told, unread);
    }
    let summarise = |records: u64, what: &str, first: Option<(&str, &str)>| {
        if records > 0 && !args.telling.quiet {
            let plural = if records == 1 { "record" } else { "records, the first" };
            let (place, wrong) = first.unwrap_or(("", "not in valid UTF-8"));
            say_ours(format_args!("{what} {records} {plural} at {place}: {wrong}"));
        }
    };
    let mut first = told.first_invalid();
    if told.records_replaced() > 0 {
        summarise(told.records_replaced(), "replaced bytes in", first.take());
    }
    summarise(told.records_skipped(), "skipped", first);
    if !args.telling.quiet {
        told.notes().for_each(say_ours);
    }
    told.damaged().for_each(say_ours);
    let more = told.streams_damaged().saturating_sub(told.damaged().count() as u64);
    if more > 0 {
        say(format_args!("and {more} more"));
    }
    if told.streams_damaged() == 0 {
        return code(told, unread);
    }
    match &args.writing.output {
        Some(_) if replaced => not_written(),
        _ if args.partial.is_some() => say("the state is of what could be read"),
        _ => say("the result is of what could be read"),
    }
    code(told, unread)
}

/// The exit code of a run that ended.
fn code(told: &Report, unread: bool) -> u8 {
    if unread || told.streams_damaged() > 0 { message::SOURCE } else { 0 }
}
