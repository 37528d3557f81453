//! Passes of programs in Rust as data: partitions that another process reads, and what they came to.

use std::io::Read;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bytes::{Digest, Kind, Reader, Writer};
use super::data::{decoded, encoded};
use super::partials::{missing_of_part, reserved};
use super::partition::Partitions;
use super::report::Report;
use crate::memory::Reservation;
use crate::run::{Context, Job, Text};
use crate::sink::Write;
use crate::source::Access;
use crate::{Error, Result};

/// Partitions that a pass reads here.
pub(crate) struct ReadPartitions {
    pub(crate) input: Text,
    /// What the listing has passed over.
    pub(crate) listed: Report,
    /// The numbers of those that are opened, among all of the listing.
    pub(crate) numbers: Vec<usize>,
    /// The numbers of all of these, and how many there are in the listing.
    pub(crate) range: Range<u64>,
    pub(crate) all: u64,
    /// How many objects they are of.
    pub(crate) objects: usize,
    /// The memory of the list of objects.
    _listed: Option<Reservation>,
}

impl ReadPartitions {
    /// Opens partitions of the plan with this digest, to be read as a job says.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for those of another plan, [`Error::Changed`] for an object that is another one now.
    pub(crate) fn new(
        partitions: &Partitions,
        digest: Digest,
        job: &Job,
        context: &Context,
    ) -> Result<Self> {
        partitions.check(digest)?;
        context.progress.add_total(partitions.bytes());
        let objects = partitions.number_of_objects();
        let reserved = reserved(objects, context)?;
        let access = job.source.access();
        let access = Access { missing: missing_of_part(access.missing), look: false, ..access };
        let (numbers, to_read) = partitions.to_read(access, &context.progress)?;
        let (input, listed) = (job.read_in(to_read, context), partitions.report().clone());
        let first = partitions.first() as u64;
        let (range, all) = (first..first + partitions.len() as u64, partitions.all());
        Ok(Self { input, listed, numbers, range, all, objects, _listed: reserved })
    }
}

/// What is said of a state behind all that it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateTail {
    /// The numbers of the partitions that it is of.
    partitions: Vec<Range<u64>>,
    /// How many the listing has; `None` before the first is added.
    all: Option<u64>,
    pub(crate) report: Report,
}

impl StateTail {
    /// That of partitions of these numbers, of a listing that has so many.
    pub(crate) fn of(numbers: Range<u64>, all: u64, report: Report) -> Self {
        Self { partitions: vec![numbers], all: Some(all), report }
    }

    /// Fails if it is not of all partitions of the listing.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for partitions of which there is no state.
    pub(crate) fn check_whole(&self) -> Result<()> {
        let all = self.all.unwrap_or(u64::MAX);
        let first = match self.partitions.iter().find(|range| !range.is_empty()) {
            Some(first) if first.start == 0 => first.end,
            _ => 0,
        };
        if first >= all {
            return Ok(());
        }
        let reason = format!("there is no state of partition {first}; submit it again");
        Err(Error::Plan { reason })
    }

    /// Adds that of a state that stands behind.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for a partition that both are of, as its records would be counted twice, and for partitions of
    /// another listing.
    pub(crate) fn add(&mut self, other: Self) -> Result<()> {
        if self.all.is_some() && self.all != other.all {
            let reason = "two states are of listings with different partitions; submit it again";
            return Err(Error::Plan { reason: reason.to_owned() });
        }
        self.all = other.all;
        for range in other.partitions {
            let shared = |known: &&Range<u64>| known.start < range.end && range.start < known.end;
            if let Some(known) = self.partitions.iter().find(shared) {
                let reason = format!(
                    "two states are of partition {}, whose records would be counted twice; submit it again",
                    known.start.max(range.start)
                );
                return Err(Error::Plan { reason });
            }
            match self.partitions.last_mut().filter(|last| last.end == range.start) {
                Some(last) => last.end = range.end,
                None if range.is_empty() => {}
                None => self.partitions.push(range),
            }
        }
        self.report.add(other.report);
        Ok(())
    }
}

/// What a frame of a state is of.
const CHUNK: u8 = b'S';
const TAIL: u8 = b'T';

/// Bytes before a chunk: the kind of the frame, and the number of the result.
const OF_CHUNK: usize = 5;

/// Writes what partitions came to in a pass.
pub(crate) struct PassWriter<'w>(Writer<'w>);

impl<'w> PassWriter<'w> {
    pub(crate) fn new(digest: Digest, out: &'w mut dyn Write) -> Result<Self> {
        Writer::new(Kind::StateOfPass, digest, out).map(Self)
    }

    /// Writes a piece of a result.
    pub(crate) fn chunk(&mut self, result: usize, bytes: &[u8]) -> Result<()> {
        let number = (result as u32).to_le_bytes();
        self.0.frame_of(&[&[CHUNK], &number, bytes])
    }

    /// Writes the end.
    pub(crate) fn end(mut self, tail: &StateTail) -> Result<()> {
        self.0.frame_of(&[&[TAIL], &encoded(tail)])?;
        self.0.end()
    }
}

/// A piece of a state that is read.
pub(crate) enum Piece<'b> {
    Chunk {
        result: usize,
        bytes: &'b [u8],
    },
    /// The last.
    Tail(StateTail),
}

/// Reads what a [`PassWriter`] wrote.
pub(crate) struct PassReader<R> {
    reader: Reader<R>,
    name: String,
    frame: Vec<u8>,
}

impl<R: Read> PassReader<R> {
    /// A state of the pass with this digest; `name` stands for it in messages.
    pub(crate) fn new(bytes: R, digest: Digest, name: &str) -> Result<Self> {
        let reader = Reader::new(bytes, Kind::StateOfPass, name)?;
        if reader.digest != digest {
            let reason =
                format!("{name} is a state of another plan: {}, not {digest}", reader.digest);
            return Err(Error::Plan { reason });
        }
        Ok(Self { reader, name: name.to_owned(), frame: Vec::new() })
    }

    /// The next piece; the tail is the last, and behind it there is nothing.
    pub(crate) fn next(&mut self) -> Result<Piece<'_>> {
        if !self.reader.next(&mut self.frame)? {
            return Err(self.damaged());
        }
        match self.frame.first() {
            Some(&CHUNK) if self.frame.len() >= OF_CHUNK => {
                let number = &self.frame[1..OF_CHUNK];
                let result = number.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX);
                Ok(Piece::Chunk { result: result as usize, bytes: &self.frame[OF_CHUNK..] })
            }
            Some(&TAIL) => {
                let tail: StateTail = decoded(&self.frame[1..], &self.name)?;
                match self.reader.next(&mut self.frame)? {
                    true => Err(self.damaged()),
                    false => Ok(Piece::Tail(tail)),
                }
            }
            _ => Err(self.damaged()),
        }
    }

    /// The error for bytes that are not what they should be.
    pub(crate) fn damaged(&self) -> Error {
        self.reader.damaged("it is no state of this program; submit it again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        Digest::of(b"a pass")
    }

    #[test]
    fn states_that_share_a_partition_or_miss_one_are_refused() {
        let of = |range| StateTail::of(range, 9, Report::default());
        let missing = |tail: &StateTail| tail.check_whole().unwrap_err().to_string();
        let mut tail = of(0..3);
        tail.add(of(3..5)).unwrap();
        assert_eq!(tail, of(0..5));
        let error = tail.add(of(4..6)).unwrap_err().to_string();
        assert!(error.contains("partition 4"), "{error}");
        // The last ones, too, are known to be missing.
        assert!(missing(&tail).contains("no state of partition 5"));
        tail.add(of(7..9)).unwrap();
        assert!(missing(&tail).contains("no state of partition 5"));
        assert!(missing(&of(1..2)).contains("no state of partition 0"));
        assert!(missing(&StateTail::default()).contains("no state of partition 0"));
        assert!(of(0..9).check_whole().is_ok());
        assert!(StateTail::of(0..0, 0, Report::default()).check_whole().is_ok());
        assert!(of(0..5).add(StateTail::of(5..6, 6, Report::default())).is_err());
    }

    #[test]
    fn a_state_is_read_piece_by_piece_and_one_of_another_pass_is_refused() {
        let (mut bytes, tail) = (Vec::new(), StateTail::default());
        let mut writer = PassWriter::new(digest(), &mut bytes).unwrap();
        writer.chunk(1, b"cod").unwrap();
        writer.end(&tail).unwrap();
        let mut reader = PassReader::new(&bytes[..], digest(), "a state").unwrap();
        assert!(matches!(reader.next().unwrap(), Piece::Chunk { result: 1, bytes: b"cod" }));
        assert!(matches!(reader.next().unwrap(), Piece::Tail(read) if read == tail));
        assert!(PassReader::new(&bytes[..], Digest::of(b"another"), "a state").is_err());
    }
}
