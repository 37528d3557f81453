//! The partitions of a listing, which are written one at a time.

use std::ops::Range;

use super::bytes::{Digest, Kind, Writer};
use super::data::encoded;
use super::partition::{Head, Part, Partitions};
use super::report::Report;
use super::tasks::divided;
use crate::Result;
use crate::run::Text;
use crate::sink::Write;
use crate::source;

/// The partitions of a listing, which are made as they are written.
pub(crate) struct Listing {
    /// The digest of the plan.
    digest: Digest,
    cut: Text,
    report: Report,
}

impl Listing {
    pub(super) fn new(digest: Digest, cut: Text, report: Report) -> Self {
        Self { digest, cut, report }
    }

    /// All of them.
    ///
    /// # Errors
    /// If an object can be read only once.
    pub(super) fn into_partitions(self) -> Result<Partitions> {
        Partitions::of(self.digest, self.cut.plan(), self.report)
    }

    /// What it has passed over.
    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    /// The numbers of the partitions of each of so many tasks at most. See [`Partitions::divide`].
    ///
    /// # Errors
    /// If an object can be read only once.
    pub(crate) fn divide(&self, tasks: usize) -> Result<Vec<Range<usize>>> {
        let bytes = |part: &source::Partition| Ok(Part::of(&part.slices())?.bytes());
        let bytes: Vec<u64> = self.cut.plan().iter().map(bytes).collect::<Result<_>>()?;
        Ok(divided(&bytes, tasks))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.cut.plan().len()
    }

    /// Writes those of these numbers.
    ///
    /// # Errors
    /// Those of the output; and if an object can be read only once.
    pub(crate) fn write(&self, numbers: Range<usize>, out: &mut dyn Write) -> Result<()> {
        let head = Head { first: 0, all: self.len() as u64, report: self.report.clone() };
        let head = head.of(numbers.start);
        let mut writer = Writer::new(Kind::Partitions, self.digest, out)?;
        writer.frame(&encoded(&head))?;
        for part in &self.cut.plan()[numbers] {
            writer.frame(&encoded(&Part::of(&part.slices())?))?;
        }
        writer.end()
    }
}
