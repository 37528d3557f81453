//! What can go wrong, by the decision that a caller can take.

mod debug;
mod message;
mod panic;
mod place;
mod secret;
#[cfg(test)]
mod tests;
mod text;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

pub(crate) use message::remedy;
pub(crate) use panic::{catch_panics, caught, fault, refused, thrown};
#[cfg(feature = "cli")]
pub(crate) use panic::{is_caught, said};
pub use place::Place;
#[cfg(any(feature = "cli", feature = "cloud"))]
pub(crate) use secret::concealed;
pub(crate) use secret::concealed_url;
#[cfg(feature = "cloud")]
pub(crate) use secret::without_quotes;
#[cfg(feature = "cli")]
pub(crate) use text::is_hidden;
pub(crate) use text::{Shown, printable, snippet};

/// The result of everything in creel that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run, or the making of one, failed.
///
/// A variant stands for a decision that a caller can take; the message names the place and what to
/// do about it. More variants may come, so match with a wildcard. It can be cloned, since the
/// futures of several tasks can fail of one cause.
///
/// Where there is a cause, the message ends with the cause's, and
/// [`source`](std::error::Error::source) is what stands behind that, so that a chain of errors says
/// nothing twice. A caller's own error is the field `source` of [`Error::Task`]:
///
/// ```
/// use std::error::Error as _;
/// use std::num::ParseIntError;
///
/// use creel::Error;
///
/// let number = creel::delayed("4x").try_map(|text| text.parse::<u32>()).named("parse");
/// let error = number.compute_blocking().expect_err("no number");
/// assert_eq!(error.to_string(), "the task parse failed: invalid digit found in string");
/// assert!(error.source().is_none());
/// assert!(matches!(error, Error::Task { source, .. } if source.is::<ParseIntError>()));
/// ```
///
/// ```
/// use creel::Error;
///
/// let lines = creel::read_text("fixtures/tomorrow.log")?.count();
/// match lines.compute_blocking() {
///     Err(Error::NotFound { place, .. }) => assert_eq!(place.object, "fixtures/tomorrow.log"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// A pattern that cannot be understood, or asks for something that its store cannot do.
    Pattern {
        /// The pattern, as given.
        pattern: String,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// No such file, object, bucket or host; or a pattern that matches nothing.
    NotFound {
        /// The object or the pattern.
        place: Place,
        /// What was looked for, and where.
        reason: String,
    },
    /// The object is there, or may be, and this user may not read it.
    PermissionDenied {
        /// The object.
        place: Place,
        /// What the store said, and the mend.
        reason: String,
    },
    /// No credentials were found for a store that asks for them.
    Unauthenticated {
        /// The object or the bucket.
        place: Place,
        /// Where they were looked for.
        reason: String,
    },
    /// The object was replaced, cut or written to while it was being read.
    Changed {
        /// The object and the offset reached.
        place: Place,
    },
    /// A compressed stream, or a tar archive, that ends before its end.
    Truncated {
        /// The object and the offset reached in the decompressed data.
        place: Place,
        /// The codec, by name.
        codec: &'static str,
        /// How many compressed bytes there were, or bytes of the archive.
        at: u64,
    },
    /// Data that is not what it should be: a broken compressed stream, a wrong codec.
    Corrupt {
        /// The object and the offset reached.
        place: Place,
        /// What was expected, and the mend.
        reason: String,
    },
    /// Data of a known format, whole, that asks for what creel does not have: a dictionary, a larger
    /// window, another version of the format.
    Unsupported {
        /// The object.
        place: Place,
        /// What it asks for, and what to do.
        reason: String,
    },
    /// Bytes after the end of compressed data, which are left out. It ends no run: it is in
    /// [`Progress::take_notes`](crate::Progress::take_notes).
    Trailing {
        /// The object.
        place: Place,
        /// The codec, by name.
        codec: &'static str,
        /// Where they begin, in the compressed data.
        at: u64,
    },
    /// Compressed data that stands for more decoded bytes than are allowed.
    Ratio {
        /// The object.
        place: Place,
        /// How many compressed bytes were read.
        compressed: u64,
        /// How many bytes they stand for, at least.
        decoded: u64,
        /// How many are allowed for each compressed one.
        limit: u64,
    },
    /// Data that is no text: an archive, an image, a program, or text in an encoding that has to be
    /// named. It is found in an object's first bytes, before a record of it is given.
    /// [`ReadOptions::allow_binary`](crate::ReadOptions::allow_binary) reads it all the same.
    NotText {
        /// The object.
        place: Place,
        /// What it is, with its article: "a zip archive".
        found: String,
        /// What to do.
        mend: String,
    },
    /// A record that is not valid in the encoding it was to be read in.
    Encoding {
        /// The object and the offset of the first wrong byte.
        place: Place,
        /// The encoding, by name.
        encoding: &'static str,
        /// What stands there, escaped and cut.
        snippet: String,
        /// What to do.
        mend: &'static str,
    },
    /// A record that is not the JSON that it should be, or that the program cannot be run over.
    Record {
        /// The object and the offset of what is wrong.
        place: Place,
        /// What is wrong with it.
        reason: &'static str,
        /// What stands there, escaped and cut.
        snippet: String,
    },
    /// A record longer than the limit that was set.
    RecordTooLong {
        /// The object and the offset at which the record starts.
        place: Place,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Any other fault of a disk or a network, after the retries.
    Io {
        /// The object and the offset reached.
        place: Place,
        /// The fault itself.
        source: Arc<io::Error>,
    },
    /// A result that could not be written.
    Output {
        /// Where it was to go.
        path: String,
        /// The fault itself.
        source: Arc<io::Error>,
    },
    /// A function of the caller's panicked.
    Panic {
        /// The task's name.
        task: String,
        /// The names from the result that was asked for down to the task, ` > ` between them.
        path: String,
        /// What the panic said.
        message: String,
        /// Where the block starts whose records the function was given, if they were read.
        place: Option<Box<Place>>,
    },
    /// A function of the caller's returned an error.
    Task {
        /// The task's name.
        task: String,
        /// The names from the result that was asked for down to the task, ` > ` between them.
        path: String,
        /// The caller's error.
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// The values that tasks hold fill the memory that they were given, and no task can go on
    /// that would free some.
    Memory {
        /// The task that was to go next.
        task: String,
        /// The limit, in bytes.
        limit: u64,
        /// Who holds how much, the most first, and for whom.
        held: String,
    },
    /// A plan that cannot be made, or cannot be written, or is another than the one that is needed.
    Plan {
        /// What is wrong, and the mend.
        reason: String,
    },
    /// What failed on a cluster, or on the way to it.
    Cluster {
        /// What sort of failure it is: as in the records of `creel worker` (`not_found`, `corrupt`, `panic`), or
        /// `scheduler`, `binary`, `worker` or `task`.
        kind: String,
        /// The address of the worker, if it failed there.
        worker: Option<String>,
        /// The object, the number of the partition and the offset, if it is of one.
        place: Option<Box<Place>>,
        /// The message of whoever failed, with what to do.
        message: String,
        /// Whether it may succeed if it is run again.
        retry: bool,
    },
    /// The run was cancelled: its handle was dropped, or it was told to stop.
    Cancelled,
}

/// Messages end with that of the cause, so the source of an error is what stands behind its cause,
/// as with [`io::Error`]: who prints an error and its sources prints each once. The cause itself
/// is the field `source` of the variant.
impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Output { source, .. } => source.source(),
            Self::Task { source, .. } => source.source(),
            _ => None,
        }
    }
}

impl Error {
    /// Where it happened, for an error of data or of I/O, and for a panic over what was read.
    ///
    /// ```
    /// use creel::ReadOptions;
    ///
    /// let short = ReadOptions::new().max_record(10).read_text(["fixtures/access.log"])?;
    /// let error = short.count().compute_blocking().unwrap_err();
    /// assert_eq!(error.place().map(|place| place.offset), Some(Some(0)));
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::NotFound { place, .. }
            | Self::PermissionDenied { place, .. }
            | Self::Unauthenticated { place, .. }
            | Self::Changed { place }
            | Self::Truncated { place, .. }
            | Self::Corrupt { place, .. }
            | Self::Unsupported { place, .. }
            | Self::Trailing { place, .. }
            | Self::Ratio { place, .. }
            | Self::NotText { place, .. }
            | Self::Encoding { place, .. }
            | Self::Record { place, .. }
            | Self::RecordTooLong { place, .. }
            | Self::Io { place, .. } => Some(place),
            Self::Task { source, .. } => source.downcast_ref().and_then(Self::place),
            Self::Panic { place, .. } | Self::Cluster { place, .. } => place.as_deref(),
            Self::Pattern { .. }
            | Self::Output { .. }
            | Self::Memory { .. }
            | Self::Plan { .. }
            | Self::Cancelled => None,
        }
    }

    /// The same, of partitions that are those from this one on of all: their numbers are those among all.
    #[cfg(feature = "cli")]
    pub(crate) fn with_partitions_of(mut self, numbers: &[usize]) -> Self {
        match &mut self {
            Self::Truncated { place, .. }
            | Self::Corrupt { place, .. }
            | Self::Unsupported { place, .. }
            | Self::Trailing { place, .. }
            | Self::Ratio { place, .. }
            | Self::NotText { place, .. }
            | Self::NotFound { place, .. }
            | Self::PermissionDenied { place, .. }
            | Self::Unauthenticated { place, .. }
            | Self::Changed { place }
            | Self::Encoding { place, .. }
            | Self::Record { place, .. }
            | Self::RecordTooLong { place, .. }
            | Self::Io { place, .. } => {
                place.partition = place.partition.and_then(|number| numbers.get(number)).copied();
            }
            Self::Panic { place: Some(place), .. } => {
                place.partition = place.partition.and_then(|number| numbers.get(number)).copied();
            }
            _ => {}
        }
        self
    }

    /// Whether this is a fault of the whole run, wherever it shows: there are no descriptors or no
    /// memory left, the output fails, the run is cancelled. The policy for entries that cannot be
    /// read does not pass over it, as it does over all else that fails before a record was given.
    pub(crate) fn is_of_the_run(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_exhausted(source),
            Self::Pattern { .. }
            | Self::Output { .. }
            | Self::Memory { .. }
            | Self::Plan { .. }
            | Self::Task { .. }
            | Self::Panic { .. }
            | Self::Cluster { .. }
            | Self::Cancelled => true,
            _ => false,
        }
    }

    /// Whether this is about one member of an archive: what it holds. All else that fails there is
    /// a fault of the archive, of which records may have been given.
    #[cfg(feature = "tar")]
    pub(crate) fn is_of_a_member(&self) -> bool {
        matches!(self, Self::NotText { .. } | Self::Unsupported { .. })
    }

    /// Whether this is damage, for which there is a policy of its own.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::Corrupt { .. })
    }

    /// A fault of I/O at a place, or the creel error that travelled inside of it.
    ///
    /// Readers below a decompressor can only speak [`io::Error`]; they wrap one of ours in it, and
    /// this takes it out again.
    pub(crate) fn io(place: Place, source: io::Error) -> Self {
        match source.downcast::<Self>() {
            Ok(ours) => ours,
            Err(source) => Self::Io { place, source: source.into() },
        }
    }
}

/// So many tasks that failed because another did are named in an error.
const LONGEST_CHAIN: usize = 64;

impl Error {
    /// The error of a caller's function, before it is known which task that was.
    pub(crate) fn task(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = match source.into().downcast::<Self>() {
            Ok(ours) => Box::new(ours.bounded()),
            Err(source) => source,
        };
        Self::Task { task: String::new(), path: String::new(), source: source.into() }
    }

    /// The same; in place of a long chain of tasks that failed because another did, the first of them.
    /// Chains are walked and dropped by recursion, and a program may make them as long as it likes.
    fn bounded(self) -> Self {
        let mut chain = std::iter::successors(Some(&self), |error| error.failed_of());
        match chain.nth(LONGEST_CHAIN) {
            Some(_) => chain.last().cloned().unwrap_or(self),
            None => self,
        }
    }

    /// The error of ours that a task failed of.
    fn failed_of(&self) -> Option<&Self> {
        match self {
            Self::Task { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }

    /// The same, if it is a panic, over records of a block that starts there.
    pub(crate) fn over(mut self, start: impl FnOnce() -> Option<Place>) -> Self {
        if let Self::Panic { place: place @ None, .. } = &mut self {
            *place = start().map(Box::new);
        }
        self
    }

    /// The same, in the task whose name and path are given, if it has none yet.
    pub(crate) fn in_task(mut self, names: impl FnOnce() -> (String, String)) -> Self {
        if let Self::Task { task, path, .. } | Self::Panic { task, path, .. } = &mut self
            && path.is_empty()
        {
            let (name, way) = names();
            *path = way;
            if task.is_empty() {
                *task = name;
            }
        }
        self
    }
}

/// Whether a fault says that the process or the machine has run out of something.
fn is_exhausted(error: &io::Error) -> bool {
    // ENFILE and EMFILE, which have no kind.
    let descriptors = cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24));
    let kinds = [io::ErrorKind::OutOfMemory, io::ErrorKind::QuotaExceeded];
    descriptors || kinds.contains(&error.kind())
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
