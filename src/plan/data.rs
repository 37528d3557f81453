//! A plan: a program, how records are read, and from where.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bytes::{Digest, Kind, Writer, only_frame};
use super::question::Question;
use crate::block::{
    BLOCKSIZE, BlockOptions, Compression, Damaged, Delimiter, Encoding, MAX_RATIO, Windows,
};
use crate::error::{Shown, concealed_url, printable};
use crate::output::is_input;
use crate::program::{self, InputFormat, Program};
use crate::record::Invalid;
use crate::run::Job;
use crate::source::{Access, Missing, Source};
use crate::{Error, Result};

/// What is read and what is asked of it, as data: it can be written, sent and read back.
///
/// It holds no credential: the process that reads finds its own, and a URL with a login or a query
/// is refused.
///
/// It holds no seed of hashes either. The tables of each process have their own, and no bytes that
/// leave a process depend on it: states hold their keys in order, so that those of processes which
/// know nothing of each other are merged. Processes have to agree on a hash only where states are cut
/// into [shards](super::run_shards): that one has no seed.
///
/// ```
/// use creel::plan::{InputFormat, Plan};
///
/// let plan = Plan::new("words | frequencies | topk(3)", InputFormat::TEXT, ["fixtures/peps/*.rst"])?;
/// let bytes = plan.to_bytes();
/// assert_eq!(Plan::from_bytes(&bytes)?, plan);
///
/// let signed = Plan::new("count", InputFormat::TEXT, ["https://host/a.log?X-Amz-Signature=00ff"]);
/// assert!(signed.unwrap_err().to_string().contains("a plan holds no credential"));
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) question: Question,
    pub(super) reading: Reading,
    pub(super) program: Arc<Program>,
}

/// What is read, and what bounds that: no part of what is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) sources: Vec<String>,
    anonymous: bool,
    blocksize: u64,
    max_record: Option<u64>,
    max_ratio: u64,
}

/// A plan as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    question: Question,
    reading: Reading,
}

/// The largest block.
const LARGEST_BLOCK: u64 = 1 << 30;

impl Plan {
    /// A plan of a program of the command's language over sources: paths, patterns and URLs, as
    /// [`read_text`](crate::read_text) takes them. Nothing is listed or read.
    ///
    /// # Errors
    /// [`Error::Plan`] for a program that does not compile, and for a source that holds a credential.
    ///
    /// ```
    /// use creel::plan::{InputFormat, Plan};
    ///
    /// assert!(Plan::new("filter(.status >= 500) | count", InputFormat::JSONL, ["logs/*.jsonl"]).is_ok());
    /// let error = Plan::new("frequency", InputFormat::TEXT, ["a.txt"]).unwrap_err();
    /// assert!(error.to_string().contains("unknown name `frequency`"));
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn new<S: Into<String>>(
        program: impl Into<String>,
        format: InputFormat,
        sources: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let sources: Vec<String> = sources.into_iter().map(Into::into).collect();
        sources.iter().try_for_each(|source| check(source))?;
        let program = program.into();
        let compiled = Program::compile(&program, format);
        let compiled = compiled.map_err(|fault| wrong(&program, &fault))?;
        Ok(Self::compiled(program, Arc::new(compiled), format, sources))
    }

    /// A plan of a program that was compiled, for a process that reads the sources itself: what is
    /// written of them has no credentials.
    pub(crate) fn compiled(
        program: String,
        compiled: Arc<Program>,
        format: InputFormat,
        sources: Vec<String>,
    ) -> Self {
        let reading = Reading {
            sources: sources.iter().map(|source| concealed_url(source)).collect(),
            anonymous: false,
            blocksize: BLOCKSIZE as u64,
            max_record: None,
            max_ratio: MAX_RATIO,
        };
        Self { question: Question::new(program, format), reading, program: compiled }
    }

    /// What ends a record; a line end, if not set.
    pub fn delimiter(mut self, delimiter: Delimiter) -> Self {
        self.question.set_delimiter(delimiter);
        self
    }

    /// How objects are compressed; as their first bytes say, if not set.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.question.set_compression(compression);
        self
    }

    /// How text is encoded; UTF-8, or as a byte order mark says, if not set. A plan has no raw bytes:
    /// [`Encoding::Raw`] is as if it was not set.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.question.set_encoding(encoding);
        self
    }

    /// What a record does that is not valid; it fails the run, if not set.
    pub fn invalid(mut self, invalid: Invalid) -> Self {
        self.question.set_invalid(invalid);
        self
    }

    /// What an entry does that cannot be read; it fails the run, if not set.
    pub fn on_missing(mut self, missing: Missing) -> Self {
        self.question.set_on_missing(missing);
        self
    }

    /// Reads data that is no text as text all the same.
    pub fn allow_binary(mut self, yes: bool) -> Self {
        self.question.allow_binary = yes;
        self
    }

    /// Sends requests to object stores unsigned.
    pub fn anonymous(mut self, yes: bool) -> Self {
        self.reading.anonymous = yes;
        self
    }

    /// Bytes of a block: 1 MiB if not set, at least 1 and at most 1 GiB. It never shows in a result, but
    /// in the bytes of a state.
    pub fn blocksize(mut self, bytes: u64) -> Self {
        self.reading.blocksize = bytes.clamp(1, LARGEST_BLOCK);
        self
    }

    /// The longest record allowed, in bytes; as the memory of the run allows, if not set.
    pub fn max_record(mut self, bytes: u64) -> Self {
        self.reading.max_record = Some(bytes);
        self
    }

    /// How many decoded bytes a compressed one may stand for: 5000 if not set.
    pub fn max_ratio(mut self, ratio: u64) -> Self {
        self.reading.max_ratio = ratio.max(1);
        self
    }

    /// The program's text.
    pub fn program(&self) -> &str {
        &self.question.program
    }

    /// The sources, without credentials.
    pub fn sources(&self) -> &[String] {
        &self.reading.sources
    }

    /// The SHA-256 of what is asked: all of the plan but its sources, and what bounds their reading.
    /// Partitions and states are of plans of one digest.
    pub fn digest(&self) -> Digest {
        Digest::of(&encoded(&self.question))
    }

    /// The plan as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = Writer::new(Kind::Plan, self.digest(), &mut bytes).and_then(|mut writer| {
            writer.frame(&self.encoded())?;
            writer.end()
        });
        written.unwrap_or_else(|error| unreachable!("memory takes all that is written: {error}"));
        bytes
    }

    /// Reads back what [`to_bytes`](Self::to_bytes) made. The program is compiled again, with all
    /// checks: no bytes make a plan that [`new`](Self::new) would not make.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for bytes that are no plan or damaged, [`Error::Unsupported`] for those of
    /// another version, and [`Error::Plan`] as for `new`.
    ///
    /// ```
    /// use creel::plan::{InputFormat, Plan};
    ///
    /// let mut bytes = Plan::new("count", InputFormat::TEXT, ["a.log"])?.to_bytes();
    /// bytes[60] ^= 1;
    /// assert!(matches!(Plan::from_bytes(&bytes), Err(creel::Error::Corrupt { .. })));
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::read(bytes, "the plan")
    }

    /// The same, of bytes that are read; `name` stands for them in messages.
    pub(crate) fn read(bytes: impl Read, name: &str) -> Result<Self> {
        let (digest, frame) = only_frame(bytes, Kind::Plan, name)?;
        Self::decoded(&frame, digest, name)
    }

    /// The plan as a part of other bytes.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let Self { question, reading, .. } = self;
        encoded(&Written { question: question.clone(), reading: reading.clone() })
    }

    /// Reads back such a part of bytes that are bound to a digest. `name` stands for them in messages.
    pub(super) fn decoded(bytes: &[u8], digest: Digest, name: &str) -> Result<Self> {
        let Written { question, reading } = decoded(bytes, name)?;
        let corrupt = |reason: &str| Error::Corrupt {
            place: crate::Place::object(name),
            reason: reason.to_owned(),
        };
        if Digest::of(&encoded(&question)) != digest {
            return Err(corrupt("its plan is not the one that its header names"));
        }
        if question.encoding().is_none() {
            return Err(corrupt("it names an encoding that this build does not know"));
        }
        reading.sources.iter().try_for_each(|source| check(source))?;
        let Some(format) = question.format() else {
            return Err(corrupt("it names a format of records that this build does not know"));
        };
        let compiled = Program::compile(&question.program, format);
        let compiled = compiled.map_err(|fault| wrong(&question.program, &fault))?;
        let blocksize = reading.blocksize.clamp(1, LARGEST_BLOCK);
        let reading = Reading { blocksize, max_ratio: reading.max_ratio.max(1), ..reading };
        Ok(Self { question, reading, program: Arc::new(compiled) })
    }

    /// What happens to records that are not valid, and where records end.
    pub(crate) fn records(&self) -> program::Records {
        program::Records { delimiter: self.question.delimiter(), invalid: self.question.invalid() }
    }

    /// The program, compiled.
    pub(crate) fn compiled_program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The policy for entries that cannot be read.
    pub(crate) fn missing(&self) -> Missing {
        self.question.on_missing()
    }

    /// Bytes of a block.
    pub(crate) fn bytes_of_block(&self) -> usize {
        self.reading.blocksize as usize
    }

    /// The longest record allowed, if that was said.
    pub(crate) fn longest_record(&self) -> Option<u64> {
        self.reading.max_record
    }

    /// The same plan, for other processes: the sources as they were given, local ones by their paths from the
    /// root.
    ///
    /// # Errors
    /// [`Error::Plan`] for a source that holds a credential, and for one that no other process can read.
    pub(crate) fn for_others(mut self, sources: &[String]) -> Result<Self> {
        sources.iter().try_for_each(|source| check(source))?;
        let sources = sources.iter().map(|source| absolute(source));
        self.reading.sources = sources.collect::<Result<_>>()?;
        Ok(self)
    }

    /// How sources are approached.
    pub(super) fn access(&self, missing: Missing) -> Access {
        Access { anonymous: self.reading.anonymous, missing, look: false }
    }

    /// The sources and how they are read; `missing` is what an entry does that cannot be read.
    pub(crate) fn job(&self, sources: &[String], missing: Missing) -> Result<Job> {
        let Reading { blocksize, max_record, max_ratio, .. } = self.reading;
        let encoding = self.question.encoding();
        let blocks = BlockOptions {
            blocksize: blocksize as usize,
            compression: self.question.compression(),
            encoding: encoding.unwrap_or_else(|| unreachable!("a plan's encoding is known")),
            delimiter: self.question.delimiter(),
            max_record,
            damaged: Damaged::Keep,
            allow_binary: self.question.allow_binary,
            max_ratio,
            ahead: 32 << 20,
            windows: Windows::default(),
        };
        Ok(Job {
            source: Source::parse(sources, self.access(missing))?,
            blocks,
            partition_size: None,
        })
    }
}

/// The digest of the question that a part of bytes is of, if it is one.
#[cfg(fuzzing)]
pub(super) fn digest_of(part: &[u8]) -> Option<Digest> {
    let (written, _) = postcard::take_from_bytes::<Written>(part).ok()?;
    Some(Digest::of(&encoded(&written.question)))
}

/// Plans are equal if they ask and read the same.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.question == other.question && self.reading == other.reading
    }
}

impl Eq for Plan {}

/// A value in postcard's form.
pub(super) fn encoded(value: &impl Serialize) -> Vec<u8> {
    let bytes = postcard::to_allocvec(value);
    bytes.unwrap_or_else(|error| unreachable!("plans, and what is of them, have a form: {error}"))
}

/// A value of which these bytes are all of the form. `name` stands for them in messages.
pub(super) fn decoded<'b, T: Deserialize<'b>>(bytes: &'b [u8], name: &str) -> Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(Error::Corrupt {
            place: crate::Place::object(name),
            reason: "what stands there is nothing that creel wrote; write it again".to_owned(),
        }),
    }
}

/// Refuses a source that holds a credential.
fn check(source: &str) -> Result<()> {
    let shown = concealed_url(source);
    if shown == source {
        return Ok(());
    }
    let reason = format!(
        "a plan holds no credential, and {} has a login, a signature or a query: name it without, and let \
         the process that reads it find its own",
        printable(&shown)
    );
    Err(Error::Plan { reason })
}

/// A source as a process in another folder names it.
fn absolute(source: &str) -> Result<String> {
    /// What has a meaning in patterns.
    const SPECIAL: [char; 5] = ['*', '?', '[', '{', '}'];
    let refuse = |what: &str| {
        let source = Shown::name(source);
        Err(Error::Plan { reason: format!("a plan is for other processes, and {source} {what}") })
    };
    if is_input(source) {
        return refuse("is read by this one alone; name files or objects");
    }
    if source.is_empty() || source.contains("://") || Path::new(source).is_absolute() {
        return Ok(source.to_owned());
    }
    let here = std::env::current_dir().ok().and_then(|here| here.to_str().map(str::to_owned));
    match here {
        Some(here) if !source.contains(SPECIAL) || !here.contains(SPECIAL) => {
            Ok(Path::new(&here).join(source).display().to_string())
        }
        Some(_) => refuse(
            "is a pattern below a folder whose name has a character of patterns; name it from the root, with that \
             character in brackets",
        ),
        None => refuse("is below a folder without a name in UTF-8; name it from the root"),
    }
}

/// The error for a program that does not compile.
fn wrong(program: &str, fault: &program::Fault) -> Error {
    let program::Fault { span, message, hint } = fault;
    let at = program.get(span.clone()).unwrap_or_default();
    let hint = hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
    let reason = format!("{message}, at byte {} ({:?}){hint}", span.start, printable(at));
    Error::Plan { reason: Shown::new(reason).to_string() }
}

#[cfg(test)]
mod tests;
