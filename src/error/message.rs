//! An error as people read it: what happened, where, and what to do.

use std::error::Error as StdError;
use std::{fmt, io};

use super::text::shown;
use super::{Error, Place, Shown};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message().fmt(f)
    }
}

impl Error {
    /// The message: of a type that whatever is in a field cannot come through unescaped.
    pub(crate) fn message(&self) -> Shown {
        let said = match self {
            Self::Pattern { pattern, reason } => {
                let named = shown!("cannot use the source ").and(Shown::quoted(pattern));
                // Of ours: what a store's client has said of a setting was made a message before.
                return named.and(Shown::ours(format_args!(": {reason}")));
            }
            // Of ours and of names; what a store has said was made a message before.
            Self::NotFound { reason, .. } => Shown::ours(format_args!(": not found: {reason}")),
            Self::PermissionDenied { reason, .. } => shown!(": permission denied: {reason}"),
            Self::Unauthenticated { reason, .. } => shown!(": no credentials: {reason}"),
            Self::Changed { .. } => {
                shown!(": changed while it was being read; run again once it is complete")
            }
            Self::Truncated { codec, at, .. } => shown!(
                ": {codec} {} truncated at byte {at} of the {}; fetch it again",
                if *codec == "tar" { "archive" } else { "data" },
                if *codec == "tar" { "archive" } else { "compressed data" },
            ),
            Self::Corrupt { reason, .. } | Self::Unsupported { reason, .. } => {
                shown!(": {reason}")
            }
            Self::Trailing { codec, at, .. } => {
                shown!(": what follows the end of the {codec} data, from byte {at} on, is left out")
            }
            Self::Ratio { compressed, decoded, limit, .. } => shown!(
                ": {compressed} compressed bytes stand for {decoded} or more, over {limit} times as \
                 many; raise the limit if that is meant"
            ),
            Self::NotText { found, mend, .. } => {
                shown!(": this is {found}, not UTF-8 text; {mend}")
            }
            Self::Encoding { encoding, snippet, mend, .. } => {
                shown!(": not valid {encoding}: {snippet}; {mend}")
            }
            Self::Record { reason, snippet, .. } => shown!(": {reason}: {snippet}"),
            Self::RecordTooLong { limit, .. } => shown!(
                ": a record is longer than {limit} bytes; raise the limit, or name another delimiter"
            ),
            Self::Io { source, .. } => shown!(": ").and(fault(source)),
            Self::Output { path, source } => {
                let named = shown!("cannot write ").and(Shown::name(path));
                return named.and(shown!(": ")).and(fault(source));
            }
            Self::Panic { task, path, message, place } => {
                let said = shown!("the task {task} panicked: {message}");
                return said.and(block(place)).and(way(path));
            }
            Self::Task { task, path, source } => {
                let said = ours(&**source).map_or_else(|| shown!("{source}"), Self::message);
                return shown!("the task {task} failed: ").and(said).and(way(path));
            }
            Self::Memory { task, limit, held } => shown!(
                "the task {task} does not fit into the memory limit of {limit} bytes: {held}; \
                 raise the limit, or drop handles"
            ),
            // Of ours and of names; programs were made messages before.
            Self::Plan { reason } => Shown::ours(reason),
            Self::Cluster { worker: Some(worker), message, .. } => {
                // Apart: a colon behind a port is read as one before a password.
                let worker = shown!("worker ").and(Shown::name(worker)).and(shown!(": "));
                return worker.and(Shown::ours(message));
            }
            Self::Cluster { message, .. } => Shown::ours(message),
            Self::Cancelled => shown!("cancelled"),
        };
        match (self, self.place()) {
            (Self::Panic { .. } | Self::Task { .. } | Self::Cluster { .. }, _) | (_, None) => said,
            (_, Some(place)) => place.shown().and(said),
        }
    }
}

/// The setting that mends an error of the operating system, where one does.
pub(crate) fn remedy(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        // ENFILE and EMFILE.
        Some(23 | 24) if cfg!(unix) => "; this process may open no more: raise ulimit -n",
        // EFBIG.
        Some(27) if cfg!(unix) => "; raise ulimit -f, or write to another file system",
        _ => "",
    }
}

/// What a fault of a disk or a network says; as it stands where it was made a message before.
fn fault(source: &io::Error) -> Shown {
    match source.get_ref().and_then(|inner| inner.downcast_ref::<Shown>()) {
        Some(said) => said.clone(),
        None => shown!("{source}{}", remedy(source)),
    }
}

/// The error of ours that a cause is, or that travelled inside of it.
fn ours<'e>(source: &'e (dyn StdError + Send + Sync + 'static)) -> Option<&'e Error> {
    let inner = || source.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref();
    source.downcast_ref().or_else(inner)
}

/// The part of a message that says which records a function was given.
fn block(place: &Option<Box<Place>>) -> Shown {
    match place {
        Some(place) => shown!(", in the block at ").and(place.shown()),
        None => shown!(""),
    }
}

/// The part of a message that says how a task is needed; nothing for the root itself.
fn way(path: &str) -> Shown {
    if path.contains(" > ") { shown!(" (in {path})") } else { shown!("") }
}
