//! The partitions of a plan as data: which bytes of which objects, and of which version of them.

use std::collections::HashMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::bytes::{Digest, Kind, Reader, Writer};
use super::data::{decoded, encoded};
use super::report::Report;
use super::tasks::divided;
use crate::source::{self, Access, Known, Seen, Slice, read_once};
use crate::{Error, Result};

/// What a plan reads, as a listing has found it: partitions that any process can read, in input order.
///
/// A part of them is as good as all: each process of several takes some, and their states are merged.
///
/// ```
/// use creel::plan::{self, InputFormat, Partitions, Plan};
///
/// let plan = Plan::new("count", InputFormat::TEXT, ["fixtures/peps/*.rst", "fixtures/access.log"])?;
/// let partitions = plan::list(&plan)?;
/// let bytes = partitions.to_bytes();
/// assert_eq!(Partitions::from_bytes(&bytes)?, partitions);
/// // Each by itself is read by a process of its own.
/// let alone: Vec<Partitions> = partitions.split();
/// assert_eq!(alone.len(), partitions.len());
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitions {
    pub(super) digest: Digest,
    head: Head,
    parts: Vec<Part>,
}

/// What is written before the partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The number of the first partition among all of the plan.
    pub(super) first: u64,
    /// How many there are in all.
    pub(super) all: u64,
    /// What the listing has passed over.
    pub(super) report: Report,
}

/// A partition, which is written and read by itself: a list of millions of objects is in memory some at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    objects: Vec<Listed>,
    ranges: Vec<Range>,
}

/// An object, by what a listing has told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    name: String,
    size: Option<u64>,
    version: Version,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Version {
    Unknown,
    Tag(String),
    Written { at: i128, touched: Option<(i64, i64)> },
}

/// A range of an object of its partition: the records that begin in it. Without an end it is to the object's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    object: u32,
    start: u64,
    end: Option<u64>,
}

impl Partitions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each partition by itself, in input order. What the listing has passed over is told with the
    /// first of them.
    pub fn split(&self) -> Vec<Self> {
        (0..self.len()).map(|number| self.part(number..number + 1)).collect()
    }

    /// As many parts as there are tasks, or fewer if there are fewer partitions: each some neighbouring
    /// partitions, of about as many bytes as the others. There is one at least, which has no partition if there is
    /// none; what the listing has passed over is told with the first of them.
    ///
    /// ```
    /// use creel::plan::{self, InputFormat, Plan};
    ///
    /// let plan = Plan::new("count", InputFormat::TEXT, ["fixtures/peps/*.rst", "fixtures/access.log"])?;
    /// let tasks = plan::list(&plan)?.divide(2);
    /// assert!((1..=2).contains(&tasks.len()));
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn divide(&self, tasks: usize) -> Vec<Self> {
        let bytes: Vec<u64> = self.parts.iter().map(Part::bytes).collect();
        divided(&bytes, tasks).into_iter().map(|numbers| self.part(numbers)).collect()
    }

    /// Those of these numbers.
    fn part(&self, numbers: std::ops::Range<usize>) -> Self {
        let head = self.head.of(numbers.start);
        Self { digest: self.digest, head, parts: self.parts[numbers].to_vec() }
    }

    /// What the listing has passed over.
    pub fn report(&self) -> &Report {
        &self.head.report
    }

    /// The digest of the plan that they are of.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The partitions as bytes, bound to the plan by its digest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written =
            Writer::new(Kind::Partitions, self.digest, &mut bytes).and_then(|mut writer| {
                writer.frame(&encoded(&self.head))?;
                self.parts.iter().try_for_each(|part| writer.frame(&encoded(part)))?;
                writer.end()
            });
        written.unwrap_or_else(|error| unreachable!("memory takes all that is written: {error}"));
        bytes
    }

    /// Reads back what [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) for bytes that are no partitions or damaged,
    /// [`Error::Unsupported`](crate::Error::Unsupported) for those
    /// of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::read(bytes, "the partitions")
    }

    /// The same, of bytes that are read; `name` stands for them in messages.
    pub(crate) fn read(bytes: impl Read, name: &str) -> Result<Self> {
        let mut reader = Reader::new(bytes, Kind::Partitions, name)?;
        let mut frame = Vec::new();
        if !reader.next(&mut frame)? {
            return Err(reader.damaged("it has no beginning; list again"));
        }
        let Head { first, all, report } = decoded(&frame, name)?;
        let (head, mut parts) = (Head { first, all, report: report.shown() }, Vec::new());
        while reader.next(&mut frame)? {
            let part: Part = decoded(&frame, name)?;
            if !part.is_sound() {
                let reason = "a range is of no object, or ends before it begins; list again";
                return Err(reader.damaged(reason));
            }
            parts.push(part);
        }
        Ok(Self { digest: reader.digest, head, parts })
    }

    /// Partitions as they were cut.
    ///
    /// # Errors
    /// If an object can be read only once.
    pub(super) fn of(digest: Digest, cut: &[source::Partition], report: Report) -> Result<Self> {
        let parts = cut.iter().map(|partition| Part::of(&partition.slices()));
        let (parts, head) =
            (parts.collect::<Result<Vec<_>>>()?, Head { first: 0, all: cut.len() as u64, report });
        Ok(Self { digest, head, parts })
    }

    /// Fails if they are of another plan than that of a digest.
    ///
    /// # Errors
    /// [`Error::Plan`] with both digests.
    pub(super) fn check(&self, digest: Digest) -> Result<()> {
        if self.digest == digest {
            return Ok(());
        }
        let reason = format!(
            "these partitions are of the plan {}, and not of {digest}; list them with this one",
            self.digest,
        );
        Err(Error::Plan { reason })
    }

    /// The number of the first among all of the plan.
    pub(super) fn first(&self) -> usize {
        usize::try_from(self.head.first).unwrap_or(usize::MAX)
    }

    /// How many there are in the listing.
    pub(super) fn all(&self) -> u64 {
        self.head.all
    }

    /// The names of the objects.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.objects().map(|object| &*object.name)
    }

    /// Bytes to read, as far as sizes are known.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |all: u64, part| all.saturating_add(part.bytes()))
    }

    /// The objects, of which one that neighbouring partitions share is there once.
    fn objects(&self) -> impl Iterator<Item = &Listed> {
        let mut last = None;
        let objects = self.parts.iter().flat_map(|part| &part.objects);
        objects.filter(move |object| last.replace(*object) != Some(object))
    }

    /// How many objects there are.
    pub(super) fn number_of_objects(&self) -> usize {
        self.objects().count()
    }

    /// The partitions, to be read here. Objects that cannot be read any more are passed over, if their access
    /// says so; a partition that has none left is left out. Each comes with its number among all of the plan.
    pub(super) fn to_read(
        &self,
        access: Access,
        progress: &crate::Progress,
    ) -> Result<(Vec<usize>, Vec<source::Partition>)> {
        let known: Vec<Known> = self.objects().map(known).collect();
        let found = source::Source::again(&known, access, progress)?;
        let found: HashMap<&str, _> = found.iter().map(|object| (object.name(), object)).collect();
        let read = self.parts.iter().enumerate().map(|(number, part)| {
            let slice = |range: &Range| {
                let object = found.get(&*part.objects[range.object as usize].name)?;
                let object = std::sync::Arc::clone(object);
                Some(Slice { object, start: range.start, end: range.end })
            };
            let slices: Vec<Slice> = part.ranges.iter().filter_map(slice).collect();
            (self.first().saturating_add(number), slices)
        });
        let read = read.filter(|(_, slices)| !slices.is_empty());
        Ok(read.map(|(number, slices)| (number, source::Partition::Pieces(slices.into()))).unzip())
    }
}

impl Head {
    /// That of the partitions from this one on.
    pub(super) fn of(&self, number: usize) -> Self {
        let report = if number == 0 { self.report.clone() } else { Report::default() };
        Self { first: self.first.saturating_add(number as u64), all: self.all, report }
    }
}

impl Part {
    pub(super) fn of(slices: &[Slice]) -> Result<Self> {
        let (mut objects, mut ranges, mut last) = (Vec::new(), Vec::new(), None);
        for slice in slices {
            // An object is made anew for each partition: its place in the listing tells it.
            let place = slice.object.order();
            if last.replace((place.listing, place.object)) != Some((place.listing, place.object)) {
                let known = slice.object.known();
                objects.push(listed(known.ok_or_else(|| read_once(slice.object.name()))?));
            }
            let object = objects.len() as u32 - 1;
            ranges.push(Range { object, start: slice.start, end: slice.end });
        }
        Ok(Self { objects, ranges })
    }

    fn is_sound(&self) -> bool {
        self.ranges.iter().all(|range| {
            (range.object as usize) < self.objects.len()
                && range.end.is_none_or(|end| range.start <= end)
        })
    }

    /// Bytes to read, as far as sizes are known.
    pub(super) fn bytes(&self) -> u64 {
        let size = |range: &Range| self.objects[range.object as usize].size;
        let bytes = |range: &Range| {
            range.end.or_else(|| size(range)).unwrap_or(0).saturating_sub(range.start)
        };
        self.ranges.iter().fold(0, |all, range| all.saturating_add(bytes(range)))
    }
}

fn listed(Known { name, size, seen }: Known) -> Listed {
    let version = match seen {
        Seen::Nothing => Version::Unknown,
        Seen::Tag(tag) => Version::Tag(tag),
        Seen::Written { at, touched } => Version::Written { at, touched },
    };
    Listed { name, size, version }
}

fn known(listed: &Listed) -> Known {
    let seen = match &listed.version {
        Version::Unknown => Seen::Nothing,
        Version::Tag(tag) => Seen::Tag(tag.clone()),
        Version::Written { at, touched } => Seen::Written { at: *at, touched: *touched },
    };
    Known { name: listed.name.clone(), size: listed.size, seen }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Error;

    fn partitions() -> impl Strategy<Value = Partitions> {
        let version = prop_oneof![
            Just(Version::Unknown),
            ".{0,9}".prop_map(Version::Tag),
            any::<(i128, Option<(i64, i64)>)>()
                .prop_map(|(at, touched)| Version::Written { at, touched }),
        ];
        let object = ("[a-z/]{1,9}", any::<Option<u64>>(), version)
            .prop_map(|(name, size, version)| Listed { name, size, version });
        let objects = prop::collection::vec(object, 1..5);
        let ranges = prop::collection::vec((0..5_u32, 0..9_u64), 1..4);
        let part = (objects, ranges).prop_map(|(objects, ranges)| {
            let range = |(object, start): (u32, u64)| Range {
                object: object % objects.len() as u32,
                start,
                end: (start % 2 == 0).then_some(start + 7),
            };
            let ranges = ranges.into_iter().map(range).collect();
            Part { objects, ranges }
        });
        (0..9_u64, prop::collection::vec(part, 0..6)).prop_map(|(first, parts)| {
            let head = Head { first, all: first + parts.len() as u64, report: Report::default() };
            Partitions { digest: Digest::of(b"a plan"), head, parts }
        })
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_another_one_is_told_in_another_process_also_with_its_times_set_back() {
        use crate::plan::{self, InputFormat};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "one\n").unwrap();
        let written = std::fs::metadata(&path).unwrap().modified().unwrap();
        let source = path.display().to_string();
        let plan = crate::plan::Plan::new("count", InputFormat::TEXT, [source.clone()]).unwrap();
        let bytes = plan::list(&plan).unwrap().to_bytes();
        let run = || plan::run(&plan, &Partitions::from_bytes(&bytes).unwrap());
        assert!(run().is_ok());
        // The clock that stamps files has to have moved on.
        std::thread::sleep(std::time::Duration::from_millis(50));
        for content in ["two\n", "1\n2\n", "longer\n"] {
            std::fs::write(&path, content).unwrap();
            std::fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(written)
                .unwrap();
            let error = run().unwrap_err();
            assert!(
                matches!(&error, Error::Changed { place } if place.object == source),
                "{error}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(run(), Err(Error::NotFound { .. })));
    }

    proptest! {
        #[test]
        fn partitions_come_back_from_their_bytes(partitions in partitions()) {
            let back = Partitions::from_bytes(&partitions.to_bytes()).unwrap();
            prop_assert_eq!(&back, &partitions);
            let alone = partitions.split();
            prop_assert_eq!(alone.len(), partitions.len());
            for (number, (alone, part)) in alone.iter().zip(&partitions.parts).enumerate() {
                let back = Partitions::from_bytes(&alone.to_bytes()).unwrap();
                prop_assert_eq!(&back.parts, std::slice::from_ref(part));
                prop_assert_eq!(back.first(), partitions.first() + number);
            }
        }

        #[test]
        fn any_bytes_in_a_valid_frame_are_partitions_or_are_refused(
            partitions in partitions(),
            changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let parts = partitions.parts.iter().map(encoded);
            let mut frames: Vec<_> = std::iter::once(encoded(&partitions.head)).chain(parts).collect();
            for (at, byte) in changed {
                let frame = at.index(frames.len());
                let at = at.index(frames[frame].len());
                frames[frame][at] = byte;
            }
            let mut bytes = Vec::new();
            let mut writer = Writer::new(Kind::Partitions, partitions.digest, &mut bytes).unwrap();
            frames.iter().for_each(|frame| writer.frame(frame).unwrap());
            writer.end().unwrap();
            if let Ok(back) = Partitions::from_bytes(&bytes) {
                prop_assert_eq!(back.split().len(), back.len());
            }
        }
    }
}
