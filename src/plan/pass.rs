//! Passes of programs in Rust as data: what another process of the same program needs to make one, and what it came to.
//!
//! A program in Rust has no text that another process could compile. The other process is the same executable,
//! which builds the same bags, so its plan only says which pass is meant, and has the digest of all that it is made
//! of. The states of passes that the program made before, and the values that its steps look at, are there too.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

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

/// A pass of a program, by the number of the call that computes it, and its own among those of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct PassId {
    pub(crate) call: u64,
    pub(crate) number: u32,
}

/// What a process needs to make a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepPlan {
    /// The digest of all that the pass is made of.
    pub(crate) digest: Digest,
    pub(crate) pass: PassId,
    /// The values that its steps look at.
    pub(crate) values: Vec<Vec<u8>>,
    /// What calls before it came to.
    pub(crate) before: Before,
}

/// What calls of a program came to, before the one of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// The states of their passes.
    pub(crate) states: Vec<KnownState>,
    /// The numbers of those that failed, and why: the program may have gone on.
    pub(crate) failed: Vec<(u64, String)>,
}

impl Before {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self { states: Vec::new(), failed: Vec::new() }
    }
}

/// The state of a pass that was made, as bytes.
pub(crate) type KnownState = (PassId, Arc<[u8]>);

/// The first frame of such a plan; values and states follow, a frame each.
#[derive(Serialize, Deserialize)]
struct StepHead {
    pass: PassId,
    values: u32,
    states: Vec<PassId>,
    failed: Vec<(u64, String)>,
}

/// What stands before the bytes of a value or a state, as a frame has one byte at least.
const BYTES: u8 = b'B';

impl StepPlan {
    /// The plan as bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(Kind::Step, self.digest, &mut bytes)?;
        writer.frame(&encoded(&StepHead {
            pass: self.pass,
            values: self.values.len() as u32,
            states: self.before.states.iter().map(|(pass, _)| *pass).collect(),
            failed: self.before.failed.clone(),
        }))?;
        let states = self.before.states.iter().map(|(_, state)| &**state);
        for part in self.values.iter().map(Vec::as_slice).chain(states) {
            writer.frame(&[&[BYTES], part].concat())?;
        }
        writer.end()?;
        Ok(bytes)
    }

    /// Reads a plan back; `name` stands for the bytes in messages.
    pub(crate) fn read(bytes: impl Read, name: &str) -> Result<Self> {
        let mut reader = Reader::new(bytes, Kind::Step, name)?;
        let (mut frame, mut parts) = (Vec::new(), Vec::new());
        if !reader.next(&mut frame)? {
            return Err(reader.damaged("it has no beginning; submit it again"));
        }
        let StepHead { pass, values, states, failed } = decoded(&frame, name)?;
        while reader.next(&mut frame)? {
            let Some((&BYTES, part)) = frame.split_first() else {
                return Err(reader.damaged("a part of it is of no known kind; submit it again"));
            };
            parts.push(part.to_vec());
        }
        let values = values as usize;
        if parts.len() != values + states.len() {
            return Err(reader.damaged("parts of it are missing; submit it again"));
        }
        let of_passes = parts.split_off(values).into_iter().map(Arc::from);
        let states = states.into_iter().zip(of_passes).collect();
        let before = Before { states, failed };
        Ok(Self { digest: reader.digest, pass, values: parts, before })
    }
}

/// Partitions that a pass reads here.
pub(crate) struct ReadPartitions {
    pub(crate) input: Text,
    /// What the listing has passed over.
    pub(crate) listed: Report,
    /// Their numbers among all.
    pub(crate) numbers: Range<u64>,
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
        let to_read = partitions.to_read(access, &context.progress)?;
        let (input, listed) = (job.read_in(to_read, context), partitions.report().clone());
        let first = partitions.first() as u64;
        let numbers = first..first + partitions.len() as u64;
        Ok(Self { input, listed, numbers, objects, _listed: reserved })
    }
}

/// What is said of a state behind all that it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateTail {
    /// The numbers of the partitions that it is of.
    pub(crate) partitions: Vec<Range<u64>>,
    pub(crate) report: Report,
}

impl StateTail {
    /// Fails if it is not of all partitions from the first on.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for partitions of which there is no state.
    pub(crate) fn check_whole(&self) -> Result<()> {
        match &self.partitions[..] {
            [] => Ok(()),
            [all] if all.start == 0 => Ok(()),
            some => {
                let first = if some[0].start > 0 { 0 } else { some[0].end };
                let reason = format!("there is no state of partition {first}; submit it again");
                Err(Error::Plan { reason })
            }
        }
    }

    /// Adds that of a state that stands behind.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for a partition that both are of: its records would be counted twice.
    pub(crate) fn add(&mut self, other: Self) -> Result<()> {
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
        self.0.frame(&[&[CHUNK], &number[..], bytes].concat())
    }

    /// Writes the end.
    pub(crate) fn end(mut self, tail: &StateTail) -> Result<()> {
        self.0.frame(&[vec![TAIL], encoded(tail)].concat())?;
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
    fn a_plan_is_read_back_with_its_values_and_states() {
        let pass = PassId { call: 2, number: 0 };
        let plan = StepPlan {
            digest: digest(),
            pass,
            values: vec![Vec::new(), vec![7]],
            before: Before {
                states: vec![(PassId { call: 1, number: 0 }, Arc::from([1, 2]))],
                failed: vec![(0, "it was lost".to_owned())],
            },
        };
        let bytes = plan.to_bytes().unwrap();
        assert_eq!(StepPlan::read(&bytes[..], "the plan").unwrap(), plan);
        assert!(StepPlan::read(&bytes[..bytes.len() - 1], "the plan").is_err());
    }

    #[test]
    fn states_that_share_a_partition_or_miss_one_are_refused() {
        let of = |range| StateTail { partitions: vec![range], ..StateTail::default() };
        let mut tail = of(0..3);
        tail.add(of(3..5)).unwrap();
        assert_eq!(tail, of(0..5));
        let error = tail.add(of(4..6)).unwrap_err().to_string();
        assert!(error.contains("partition 4"), "{error}");
        assert!(tail.check_whole().is_ok());
        tail.add(of(7..9)).unwrap();
        assert!(tail.check_whole().unwrap_err().to_string().contains("no state of partition 5"));
        assert!(
            of(1..2).check_whole().unwrap_err().to_string().contains("no state of partition 0")
        );
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
