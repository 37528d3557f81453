//! The partitions of a plan as data: which bytes of which objects, and of which version of them.

use std::collections::HashMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::bytes::{Digest, Kind, Writer, only_frame};
use super::data::{Plan, decoded, encoded};
use super::report::Report;
use crate::source::{self, Known, Missing, Seen, Slice, read_once};
use crate::{Error, Place, Result};

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
    list: List,
}

/// Partitions as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct List {
    /// The number of the first partition among all of the plan.
    first: u64,
    objects: Vec<Listed>,
    partitions: Vec<Vec<Range>>,
    /// What the listing has passed over.
    report: Report,
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

/// A range of an object: the records that begin in it. Without an end it is to the object's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    object: u32,
    start: u64,
    end: Option<u64>,
}

impl Partitions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.partitions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each partition by itself, in input order. What the listing has passed over is told with the
    /// first of them.
    pub fn split(&self) -> Vec<Self> {
        self.grouped(&(0..self.len()).collect::<Vec<_>>())
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
        if self.is_empty() {
            return vec![self.clone()];
        }
        let bytes = |partition: &Vec<Range>| -> u128 {
            partition.iter().map(|range| u128::from(self.bytes_of(range)).max(1)).sum()
        };
        let bytes: Vec<u128> = self.list.partitions.iter().map(bytes).collect();
        let (tasks, all) = (tasks.max(1) as u128, bytes.iter().sum::<u128>().max(1));
        let mut before = 0;
        // The task in whose share of the bytes the middle of a partition is.
        let task = bytes.iter().map(|bytes| {
            let middle = 2 * before + bytes;
            before += bytes;
            (middle * tasks / (2 * all)) as usize
        });
        self.grouped(&task.collect::<Vec<_>>())
    }

    /// Neighbouring partitions of the same group together.
    fn grouped(&self, group: &[usize]) -> Vec<Self> {
        let (digest, List { first, objects, partitions, report }) = (self.digest, &self.list);
        let mut report = Some(report.clone());
        let mut groups: Vec<Self> = Vec::new();
        let mut last = None;
        for (number, (ranges, group)) in partitions.iter().zip(group).enumerate() {
            if last.replace(group) != Some(group) {
                let (objects, partitions) = (Vec::new(), Vec::new());
                let (first, report) = (first + number as u64, report.take().unwrap_or_default());
                groups.push(Self { digest, list: List { first, objects, partitions, report } });
            }
            let Some(Self { list: into, .. }) = groups.last_mut() else { continue };
            let ranges = ranges.iter().map(|range| {
                let object = &objects[range.object as usize];
                if into.objects.last() != Some(object) {
                    into.objects.push(object.clone());
                }
                Range { object: into.objects.len() as u32 - 1, ..*range }
            });
            let ranges = ranges.collect();
            into.partitions.push(ranges);
        }
        groups
    }

    /// The number of the first among all of the plan.
    pub(super) fn first(&self) -> usize {
        usize::try_from(self.list.first).unwrap_or(usize::MAX)
    }

    /// The names of the objects.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.objects.iter().map(|object| &*object.name)
    }

    /// Bytes to read, as far as sizes are known.
    pub(crate) fn bytes(&self) -> u64 {
        let ranges = self.list.partitions.iter().flatten();
        ranges.fold(0, |all: u64, range| all.saturating_add(self.bytes_of(range)))
    }

    fn bytes_of(&self, range: &Range) -> u64 {
        let size = || self.list.objects[range.object as usize].size;
        range.end.or_else(size).unwrap_or(0).saturating_sub(range.start)
    }

    /// What the listing has passed over.
    pub fn report(&self) -> &Report {
        &self.list.report
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
                writer.frame(&encoded(&self.list))?;
                writer.end()
            });
        written.unwrap_or_else(|error| unreachable!("memory takes all that is written: {error}"));
        bytes
    }

    /// Reads back what [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for bytes that are no partitions or damaged, [`Error::Unsupported`] for those
    /// of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::read(bytes, "the partitions")
    }

    /// The same, of bytes that are read; `name` stands for them in messages.
    pub(crate) fn read(bytes: impl Read, name: &str) -> Result<Self> {
        let (digest, frame) = only_frame(bytes, Kind::Partitions, name)?;
        let List { first, objects, partitions, report } = decoded(&frame, name)?;
        let ranges = partitions.iter().flatten();
        let sound = |range: &Range| {
            (range.object as usize) < objects.len()
                && range.end.is_none_or(|end| range.start <= end)
        };
        if !ranges.clone().all(sound) {
            let reason = "a range is of no object, or ends before it begins; list again";
            return Err(Error::Corrupt { place: Place::object(name), reason: reason.to_owned() });
        }
        Ok(Self { digest, list: List { first, objects, partitions, report: report.shown() } })
    }

    /// Partitions as they were cut.
    ///
    /// # Errors
    /// If an object can be read only once.
    pub(super) fn of(plan: &Plan, cut: &[source::Partition], report: Report) -> Result<Self> {
        let mut numbers: HashMap<(u64, usize), u32> = HashMap::new();
        let mut objects = Vec::new();
        let mut range = |slice: &Slice| {
            // An object is made anew for each partition: its place in the listing tells it.
            let place = slice.object.order();
            let place = (place.listing, place.object);
            let object = match numbers.get(&place) {
                Some(number) => *number,
                None => {
                    let known = slice.object.known();
                    objects.push(listed(known.ok_or_else(|| read_once(slice.object.name()))?));
                    let number = objects.len() as u32 - 1;
                    numbers.insert(place, number);
                    number
                }
            };
            Ok(Range { object, start: slice.start, end: slice.end })
        };
        let partitions =
            cut.iter().map(|partition| partition.slices().iter().map(&mut range).collect());
        let partitions = partitions.collect::<Result<_>>()?;
        Ok(Self { digest: plan.digest(), list: List { first: 0, objects, partitions, report } })
    }

    /// How many objects there are.
    pub(super) fn objects(&self) -> usize {
        self.list.objects.len()
    }

    /// The partitions, to be read here. Objects that cannot be read any more are passed over, if the
    /// plan says so.
    pub(super) fn to_read(
        &self,
        plan: &Plan,
        missing: Missing,
        progress: &crate::Progress,
    ) -> Result<Vec<source::Partition>> {
        let List { objects, partitions, .. } = &self.list;
        let known: Vec<Known> = objects.iter().map(known).collect();
        let found = source::Source::again(&known, plan.access(missing), progress)?;
        let found: HashMap<&str, _> = found.iter().map(|object| (object.name(), object)).collect();
        let slice = |range: &Range| {
            let object = found.get(&*objects[range.object as usize].name)?;
            Some(Slice {
                object: std::sync::Arc::clone(object),
                start: range.start,
                end: range.end,
            })
        };
        let read = partitions.iter().map(|ranges| ranges.iter().filter_map(slice).collect());
        let read = read.filter(|slices: &Vec<Slice>| !slices.is_empty());
        Ok(read.map(|slices| source::Partition::Pieces(slices.into())).collect())
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
        (objects, prop::collection::vec(prop::collection::vec((0..5_u32, 0..9_u64), 1..4), 0..5))
            .prop_map(|(objects, ranges)| {
                let range = |(object, start): (u32, u64)| Range {
                    object: object % objects.len() as u32,
                    start,
                    end: (start % 2 == 0).then_some(start + 7),
                };
                let partitions = ranges.into_iter().map(|of| of.into_iter().map(range).collect());
                let partitions = partitions.collect();
                let list = List { first: 7, objects, partitions, report: Report::default() };
                Partitions { digest: Digest::of(b"a plan"), list }
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
        let plan = Plan::new("count", InputFormat::TEXT, [source.clone()]).unwrap();
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
            for (alone, ranges) in alone.iter().zip(&partitions.list.partitions) {
                let back = Partitions::from_bytes(&alone.to_bytes()).unwrap();
                let names = |of: &Partitions, ranges: &[Range]| -> Vec<_> {
                    let name = |range: &Range| of.list.objects[range.object as usize].name.clone();
                    ranges.iter().map(|range| (name(range), range.start, range.end)).collect()
                };
                prop_assert_eq!(names(&back, &back.list.partitions[0]), names(&partitions, ranges));
            }
        }

        #[test]
        fn any_bytes_in_a_valid_frame_are_partitions_or_are_refused(
            partitions in partitions(),
            changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut frame = encoded(&partitions.list);
            for (at, byte) in changed {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            let mut bytes = Vec::new();
            let mut writer = Writer::new(Kind::Partitions, partitions.digest, &mut bytes).unwrap();
            writer.frame(&frame).unwrap();
            writer.end().unwrap();
            if let Ok(back) = Partitions::from_bytes(&bytes) {
                prop_assert_eq!(back.split().len(), back.len());
            }
        }
    }
}
