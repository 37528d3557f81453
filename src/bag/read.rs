//! Making bags of what sources hold.

use super::Bag;
use super::verbs::Verbs;
use crate::block::{BlockOptions, Compression, Damaged, Delimiter, Encoding, Windows};
use crate::graph::Step;
use crate::record::{Invalid, fits};
use crate::run::Job;
use crate::source::{Access, Missing, Source};
use crate::{Place, Result};

/// A bag of the lines of the objects that a pattern names, with the options of
/// [`ReadOptions::new`].
///
/// Patterns are paths, directories, `-` for standard input, `file://`, `s3://`, `gs://`, `az://`
/// and `http(s)://` URLs, with `*`, `**`, `?`, `[a-z]`, `{a,b}` and `{01..31}`. Nothing is listed
/// or read before the bag is computed. Credentials and endpoints come from the environment.
///
/// A line is its text without the line end (`\n`, or `\r\n`): dask.bag keeps it. The last line
/// needs none. A byte order mark is not part of the first line. How an object is compressed is
/// told by its first bytes, not by its name.
///
/// # Errors
///
/// [`Error::Pattern`](crate::Error::Pattern) for a pattern that cannot be understood.
///
/// ```
/// let lines = creel::read_text("fixtures/*.log")?;
/// assert!(lines.filter(|line| line.contains(" 404 ")).count().compute_blocking()? > 0);
/// # Ok::<(), creel::Error>(())
/// ```
#[track_caller]
pub fn read_text(pattern: impl AsRef<str>) -> Result<Bag<String>> {
    ReadOptions::new().read_text([pattern])
}

/// A bag of the lines of the objects that a pattern names, as bytes that nobody has checked or
/// decoded: a byte order mark is part of the first line. Otherwise as [`read_text`].
///
/// # Errors
///
/// As [`read_text`].
///
/// ```
/// let bytes = creel::read_bytes("fixtures/*.log")?.map(|line| line.len() as u64 + 1).sum();
/// assert!(bytes.compute_blocking()? > 100_000);
/// # Ok::<(), creel::Error>(())
/// ```
#[track_caller]
pub fn read_bytes(pattern: impl AsRef<str>) -> Result<Bag<Vec<u8>>> {
    ReadOptions::new().read_bytes([pattern])
}

/// How sources are read.
///
/// ```
/// use creel::{Delimiter, Invalid, ReadOptions};
///
/// let words = ReadOptions::new()
///     .delimiter(Delimiter::Bytes(b" ".to_vec()))
///     .invalid(Invalid::Replace)
///     .read_text(["fixtures/peps/pep-0020.rst", "fixtures/*.log"])?;
/// assert!(words.count().compute_blocking()? > 10_000);
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReadOptions {
    access: Access,
    blocks: BlockOptions,
    partition_size: Option<u64>,
    invalid: Invalid,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let blocks = BlockOptions {
            blocksize: crate::block::BLOCKSIZE,
            compression: Compression::Auto,
            encoding: Encoding::Auto,
            delimiter: Delimiter::Line,
            max_record: None,
            windows: Windows::default(),
            damaged: Damaged::Fail,
            allow_binary: false,
            max_ratio: crate::block::MAX_RATIO,
            ahead: 32 << 20,
        };
        Self { access: Access::default(), blocks, partition_size: None, invalid: Invalid::Fail }
    }
}

impl ReadOptions {
    /// Lines of UTF-8, signed requests, any compression; what is damaged or invalid fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends requests to object stores unsigned, for public buckets.
    pub fn anonymous(mut self, yes: bool) -> Self {
        self.access.anonymous = yes;
        self
    }

    /// How objects are compressed; as their first bytes say, if not set.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.blocks.compression = compression;
        self
    }

    /// How text is encoded; UTF-8, or as a byte order mark says, if not set. Bytes are never
    /// decoded.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.blocks.encoding = encoding;
        self
    }

    /// What ends a record; a line end, if not set.
    pub fn delimiter(mut self, delimiter: Delimiter) -> Self {
        self.blocks.delimiter = delimiter;
        self
    }

    /// What a record does that is not valid text; it fails the run, if not set.
    ///
    /// ```
    /// use creel::{Invalid, ReadOptions, Run};
    ///
    /// let options = ReadOptions::new().invalid(Invalid::Skip);
    /// let run = Run::new();
    /// let lines = run.compute_blocking(&options.read_text(["Cargo.toml"])?.count())?;
    /// assert!(lines > 0);
    /// assert_eq!(run.progress().records_skipped(), 0);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn invalid(mut self, invalid: Invalid) -> Self {
        self.invalid = invalid;
        self
    }

    /// What a truncated or broken compressed stream does; it fails the run, if not set. What was
    /// let pass is in [`Progress::take_faults`](crate::Progress::take_faults).
    pub fn damaged(mut self, damaged: Damaged) -> Self {
        self.blocks.damaged = damaged;
        self
    }

    /// What an entry does that cannot be read, such as a file that is missing; it fails the run,
    /// if not set. See [`Missing`].
    pub fn on_missing(mut self, missing: Missing) -> Self {
        self.access.missing = missing;
        self
    }

    /// Reads data that is no text as text all the same; without, archives, images, programs, text in
    /// an unnamed UTF-16 and the like are refused with [`Error::NotText`](crate::Error::NotText).
    /// So is a record behind text of which a fifth are NUL bytes, four at least, if
    /// [`invalid`](Self::invalid) does not say otherwise; behind an object's first MiB, NULs are searched
    /// in 4 KiB of each 64 KiB.
    /// Bytes are never looked at: [`read_bytes`] gives them as they are.
    ///
    /// ```
    /// use creel::{Error, ReadOptions};
    ///
    /// let file = std::env::temp_dir().join(format!("creel-not-text-{}", std::process::id()));
    /// std::fs::write(&file, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").expect("it is written");
    /// let path = file.display().to_string();
    /// let image = creel::read_text(&path)?.count().compute_blocking();
    /// assert!(matches!(image, Err(Error::NotText { found, .. }) if found == "a PNG image"));
    /// let options = ReadOptions::new().allow_binary(true).invalid(creel::Invalid::Replace);
    /// assert_eq!(options.read_text([&path])?.count().compute_blocking()?, 3);
    /// # std::fs::remove_file(&file).expect("it is removed");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn allow_binary(mut self, yes: bool) -> Self {
        self.blocks.allow_binary = yes;
        self
    }

    /// The longest record allowed, in bytes without its delimiter. A 64th of the run's memory
    /// ([`Run::memory`](crate::Run::memory), or half of what there is), and 1 MiB at least, if not set: a
    /// record is in memory as a whole, some times over, and on each thread.
    ///
    /// Counted are the bytes of the decompressed object; of UTF-16, those of the text in UTF-8.
    ///
    /// ```
    /// use creel::{Error, ReadOptions};
    ///
    /// let lines = ReadOptions::new().max_record(50).read_text(["fixtures/access.log"])?;
    /// let error = lines.count().compute_blocking().unwrap_err();
    /// assert!(matches!(error, Error::RecordTooLong { place, .. } if place.offset == Some(0)));
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn max_record(mut self, bytes: u64) -> Self {
        self.blocks.max_record = Some(bytes);
        self
    }

    /// How many decoded bytes a compressed one may stand for, once 64 MiB were decoded: 5000 if not
    /// set. More is an [`Error::Ratio`](crate::Error::Ratio): a few bytes can be made to stand for
    /// more than anybody can read.
    pub fn max_ratio(mut self, ratio: u64) -> Self {
        self.blocks.max_ratio = ratio.max(1);
        self
    }

    /// Bytes of a block, which is what goes through the operators at a time: 1 MiB if not set, at
    /// least 1 and at most 1 GiB. It never shows in a result.
    pub fn blocksize(mut self, bytes: usize) -> Self {
        self.blocks.blocksize = bytes.max(1);
        self
    }

    /// Bytes of a partition, about, but no less than a 65,536th of the input; as suits the input
    /// and the threads, if not set. It never shows in a result.
    pub fn partition_size(mut self, bytes: u64) -> Self {
        self.partition_size = Some(bytes.max(1));
        self
    }

    /// A bag of the lines of what the patterns name, in their order. See [`read_text`].
    ///
    /// # Errors
    ///
    /// As [`read_text`]; and [`Error::Encoding`](crate::Error::Encoding) for a delimiter that is
    /// not valid text.
    ///
    /// ```
    /// use creel::{Delimiter, Error, ReadOptions};
    ///
    /// let half = Delimiter::Bytes(b"\xa9".to_vec());
    /// let text = ReadOptions::new().delimiter(half).read_text(["fixtures/access.log"]);
    /// assert!(matches!(text, Err(Error::Encoding { .. })));
    /// ```
    #[track_caller]
    pub fn read_text<P: AsRef<str>>(
        &self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Bag<String>> {
        let sources = sources(patterns);
        let job = self.job(&sources)?;
        let place = || {
            let (first, others) = (job.source.shown().next().unwrap_or_default(), sources.len());
            match others {
                0 | 1 => Place::object(first),
                _ => Place::object(format!("{first} and {} more", others - 1)),
            }
        };
        fits(&self.blocks.delimiter, place)?;
        let verbs = Verbs::reading(sources, self.clone());
        Ok(Bag::read(job, self.invalid, Step::here("read_text"), verbs))
    }

    /// A bag of the records of what the patterns name, as bytes. See [`read_bytes`].
    ///
    /// # Errors
    ///
    /// As [`read_text`].
    #[track_caller]
    pub fn read_bytes<P: AsRef<str>>(
        &self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Bag<Vec<u8>>> {
        let mut raw = self.clone();
        // Encodings are for text; a record of bytes is what the object holds.
        raw.blocks.encoding = Encoding::Raw;
        let job = raw.job(&sources(patterns))?;
        Ok(Bag::read(job, self.invalid, Step::here("read_bytes"), Verbs::default()))
    }

    /// A plan that reads in this way.
    #[cfg(feature = "cli")]
    pub(super) fn of_plan(&self, plan: crate::plan::Plan) -> crate::plan::Plan {
        let Self { access, blocks, partition_size: _, invalid } = self.clone();
        let plan = plan
            .delimiter(blocks.delimiter)
            .compression(blocks.compression)
            .encoding(blocks.encoding)
            .invalid(invalid)
            .on_missing(access.missing)
            .allow_binary(blocks.allow_binary)
            .anonymous(access.anonymous)
            .blocksize(blocks.blocksize as u64)
            .max_ratio(blocks.max_ratio);
        match blocks.max_record {
            Some(bytes) => plan.max_record(bytes),
            None => plan,
        }
    }

    fn job(&self, patterns: &[String]) -> Result<Job> {
        let source = Source::parse(patterns, self.access)?;
        Ok(Job { source, blocks: self.blocks.clone(), partition_size: self.partition_size })
    }
}

fn sources<P: AsRef<str>>(patterns: impl IntoIterator<Item = P>) -> Vec<String> {
    patterns.into_iter().map(|pattern| pattern.as_ref().to_owned()).collect()
}
