//! The formats of records: a file, and a row of [`FORMATS`], for each.
//!
//! A format takes the text of a block and gives batches: the records, and a column for each field that a
//! program asks for. The command, plans and phases know formats by their rows only.

mod jsonl;
mod text;

use std::fmt;
use std::ops::ControlFlow;

use super::batch::{Batch, Kind};
use super::failure::Told;
use super::stage::Next;
use crate::Result;
use crate::block::{Block, Delimiter};
use crate::record::{Checked, Invalid};

#[cfg(fuzzing)]
pub(crate) use jsonl::spelled;

/// Every format, the one for objects whose name tells nothing first.
pub(crate) static FORMATS: &[InputFormat] = &[InputFormat::TEXT, InputFormat::JSONL];

/// How records are read.
pub(crate) trait RecordFormat: Sync {
    /// The name by which options and the bytes of plans know it.
    fn name(&self) -> &'static str;

    /// What messages call such data.
    fn title(&self) -> &'static str;

    /// Other names for it that an option takes.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// The suffixes of names of objects that hold such records.
    fn suffixes(&self) -> &'static [&'static str] {
        &[]
    }

    /// The type of a record.
    fn kind(&self) -> Kind;

    /// Returns true if a record is what stands between two delimiters, whatever that is: then a search
    /// for lines is a search for records.
    fn is_plain(&self) -> bool {
        false
    }

    /// Checks the text of a block.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`](crate::Error::Encoding) for a delimiter that is no text.
    fn text<'b>(
        &self,
        block: &'b Block,
        delimiter: &Delimiter,
        invalid: Invalid,
    ) -> Result<Checked<'b>>;

    /// Sends the records of a text to `next`, a batch at a time. `Break` means that no more are wanted,
    /// or that one is wrong, which `told` then says.
    fn read(
        &self,
        text: &str,
        reading: &Reading<'_>,
        batch: &mut Batch,
        told: &mut Told,
        next: &mut Next<'_>,
    ) -> ControlFlow<()>;
}

/// What a format is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'r> {
    pub(crate) delimiter: &'r Delimiter,
    /// The names of the fields of which columns are made, by column.
    pub(crate) fields: &'r [Box<str>],
    pub(crate) invalid: Invalid,
}

/// The format of the records that are read.
///
/// ```
/// use creel::plan::InputFormat;
///
/// assert_eq!(InputFormat::named("jsonl"), Some(InputFormat::JSONL));
/// assert_eq!(InputFormat::TEXT.name(), "text");
/// assert!(InputFormat::named("docx").is_none());
/// ```
#[derive(Clone, Copy)]
pub struct InputFormat(&'static dyn RecordFormat);

impl InputFormat {
    /// Lines, or what else a delimiter ends: each is a text.
    pub const TEXT: Self = Self(&text::Text);

    /// JSON Lines: values of JSON, one or more a line.
    pub const JSONL: Self = Self(&jsonl::JsonLines);

    /// The format of this name, or of another name for it; `None` if there is none.
    ///
    /// ```
    /// use creel::plan::InputFormat;
    ///
    /// assert_eq!(InputFormat::named("ndjson"), Some(InputFormat::JSONL));
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        let is_it =
            |format: &&Self| format.name() == name || format.reader().aliases().contains(&name);
        FORMATS.iter().find(is_it).copied()
    }

    /// The name of the format.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What reads its records.
    pub(crate) fn reader(self) -> &'static dyn RecordFormat {
        self.0
    }
}

impl fmt::Debug for InputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InputFormat").field(&self.name()).finish()
    }
}

impl PartialEq for InputFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for InputFormat {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_suffix_is_of_one_format() {
        let mut seen = Vec::new();
        for format in FORMATS {
            assert_eq!(InputFormat::named(format.name()), Some(*format));
            seen.push(format.name());
            seen.extend(format.reader().aliases());
        }
        let suffixes = FORMATS.iter().flat_map(|format| format.reader().suffixes());
        for mut names in [seen, suffixes.copied().collect()] {
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{names:?}");
        }
    }
}
