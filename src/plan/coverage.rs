//! The objects that a state is of, so that the records of none are counted twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{concealed_url, printable};
use crate::source::{Known, Local, Object, Objects, Partition, Seen};

/// So many objects of a state are written with their names, those of the least ids: a message about two
/// states that share many objects nearly always finds one with a name, and states of millions stay small.
pub(super) const NAMED: usize = if cfg!(test) { 3 } else { 10_000 };

/// The id of an object: a hash of its path or URL and of its version.
pub(super) type Id = [u8; 16];

/// Bytes of an object from `start` to `end`, or to its end: the records that begin in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: Option<u64>,
}

impl Span {
    const WHOLE: Self = Self { start: 0, end: None };

    pub(super) fn end(self) -> u64 {
        self.end.unwrap_or(u64::MAX)
    }

    fn is_empty(self) -> bool {
        self.start >= self.end()
    }
}

/// An object, and which bytes of it a state is of: spans in their order, with bytes between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Covered {
    pub(super) id: Id,
    pub(super) spans: Vec<Span>,
    /// Its name, without credentials, as messages show it.
    pub(super) name: Option<String>,
}

impl Covered {
    /// All objects of a frame.
    pub(super) fn of(mut bytes: &[u8]) -> Result<Vec<Self>, &'static str> {
        let mut objects = Vec::new();
        while !bytes.is_empty() {
            let (object, rest) = postcard::take_from_bytes::<Self>(bytes)
                .map_err(|_| "its list of objects is damaged; write it again")?;
            let name = object.name.map(|name| printable(&name));
            objects.push(Self { name, ..object });
            bytes = rest;
        }
        Ok(objects)
    }
}

/// Checks that the objects of a state come in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    last: Option<Id>,
}

impl Ordered {
    /// Checks the next frame of objects.
    pub(super) fn check(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        for object in Covered::of(bytes)? {
            let apart = |spans: &[Span]| spans[0].end() < spans[1].start;
            let is_sound = !object.spans.is_empty()
                && !object.spans.iter().any(|span| span.is_empty())
                && object.spans.windows(2).all(apart);
            if !is_sound || self.last.is_some_and(|last| last >= object.id) {
                return Err("its list of objects is not in order; write it again");
            }
            self.last = Some(object.id);
        }
        Ok(())
    }
}

/// The objects that one run has read, in 16 bytes for each that is read as a whole.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    whole: Vec<Id>,
    slices: BTreeMap<Id, Vec<Span>>,
    /// The names of those of the least ids.
    names: BTreeMap<Id, String>,
    /// The folder of the last file, as it was named and as it is.
    folder: Option<(PathBuf, PathBuf)>,
}

impl Coverage {
    /// That of whole objects. What was named exactly in a store has a version only when it was read.
    pub(crate) fn of(objects: &Objects) -> Self {
        let mut coverage = Self { whole: Vec::with_capacity(objects.len()), ..Self::default() };
        objects.iter().for_each(|object| coverage.add(&object, Span::WHOLE));
        coverage
    }

    /// That of the slices of partitions.
    pub(super) fn of_partitions(partitions: &[Partition]) -> Self {
        let mut coverage = Self::default();
        for slice in partitions.iter().flat_map(|partition| partition.slices().to_vec()) {
            coverage.add(&slice.object, Span { start: slice.start, end: slice.end });
        }
        coverage
    }

    /// Adds bytes of an object. Of one that could not be read there are no records, and of one without
    /// a version nothing is known that would tell it from another.
    fn add(&mut self, object: &Object, span: Span) {
        if object.is_passed_over() {
            return;
        }
        let Some(known) = object.known() else { return };
        let path = match object.local() {
            Some(Local::File(file)) => Some(self.absolute(file.path())),
            Some(Local::Pipe(path)) => Some(self.absolute(path)),
            _ => None,
        };
        if let Some(id) = id(path.as_deref(), &known) {
            self.insert(id, &known.name, span);
        }
    }

    /// The path from the root, through the folders that links lead to. Files of one folder come one
    /// after another: the folder is looked up once for them.
    fn absolute(&mut self, path: &Path) -> PathBuf {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return path.to_owned();
        };
        if self.folder.as_ref().is_none_or(|(last, _)| last != folder) {
            let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let found = named.canonicalize().or_else(|_| std::path::absolute(named));
            let found = found.unwrap_or_else(|_| named.to_owned());
            self.folder = Some((folder.to_owned(), found));
        }
        self.folder.as_ref().map_or_else(|| path.to_owned(), |(_, found)| found.join(name))
    }

    fn insert(&mut self, id: Id, name: &str, span: Span) {
        if span.is_empty() {
            return;
        }
        match span {
            Span::WHOLE => self.whole.push(id),
            part => self.slices.entry(id).or_default().push(part),
        }
        let is_full = self.names.len() >= NAMED;
        if !is_full || self.names.last_key_value().is_some_and(|(last, _)| id < *last) {
            self.names.insert(id, concealed_url(name));
            if self.names.len() > NAMED {
                self.names.pop_last();
            }
        }
    }

    /// The objects in the order of their ids, each once. An object that the run has read twice, as it
    /// was named twice, is there once.
    pub(super) fn into_covered(self) -> impl Iterator<Item = Covered> {
        let Self { mut whole, mut slices, mut names, .. } = self;
        whole.sort_unstable();
        whole.dedup();
        slices.retain(|id, _| whole.binary_search(id).is_err());
        let (mut whole, mut slices) = (whole.into_iter().peekable(), slices.into_iter().peekable());
        std::iter::from_fn(move || {
            let is_whole = match (whole.peek(), slices.peek()) {
                (Some(whole), Some((sliced, _))) => whole < sliced,
                (next, _) => next.is_some(),
            };
            let (id, spans) = match is_whole {
                true => (whole.next()?, vec![Span::WHOLE]),
                false => slices.next().map(|(id, spans)| (id, joined(spans)))?,
            };
            Some(Covered { id, spans, name: names.remove(&id) })
        })
    }
}

/// Spans in their order, of which those that touch are one.
pub(super) fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| (span.start, span.end()));
    spans.dedup_by(|next, last| {
        let touches = next.start <= last.end();
        if touches && next.end() > last.end() {
            last.end = next.end;
        }
        touches
    });
    spans
}

/// The id of an object; `None` of one without a version.
fn id(path: Option<&Path>, Known { name, size, seen }: &Known) -> Option<Id> {
    let name = path.map_or(name.as_bytes(), |path| path.as_os_str().as_encoded_bytes());
    // The size of what was named exactly in a store is not known, and an ETag tells contents apart without.
    let version = match seen {
        Seen::Nothing => return None,
        Seen::Tag(tag) => format!("tag {tag}"),
        // That it was touched since does not make its records others: a link to it may have been made.
        Seen::Written { at, .. } => format!("size {size:?}, written at {at}"),
    };
    let mut hash = Sha256::new();
    // Behind its length, so that no other name and version are the same bytes.
    hash.update((name.len() as u64).to_le_bytes());
    hash.update(name);
    hash.update(version);
    let hash: [u8; 32] = hash.finalize().into();
    hash.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(name: &str, seen: Seen) -> Known {
        Known { name: name.to_owned(), size: Some(7), seen }
    }

    fn written(at: i128) -> Seen {
        Seen::Written { at, touched: Some((at as i64, 1)) }
    }

    #[test]
    fn an_object_is_told_by_its_name_and_version() {
        let one = id(None, &known("a", written(1)));
        assert!(one.is_some());
        assert_eq!(id(Some(Path::new("a")), &known("other", written(1))), one);
        let larger = Known { size: Some(8), ..known("a", written(1)) };
        for other in [
            known("b", written(1)),
            known("a", written(2)),
            known("a", Seen::Tag("1".to_owned())),
            larger,
        ] {
            let other = id(None, &other);
            assert!(other.is_some() && other != one);
        }
        assert_eq!(id(None, &known("a", Seen::Written { at: 1, touched: None })), one);
        assert_eq!(id(None, &known("a", Seen::Nothing)), None);
        // Named exactly in a store, and found by a pattern.
        let tagged = known("s3://b/a", Seen::Tag("1".to_owned()));
        assert_eq!(id(None, &Known { size: None, ..tagged.clone() }), id(None, &tagged));
    }

    #[test]
    fn a_file_is_told_by_its_path_however_it_is_spelt() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        std::fs::create_dir(folder.join("logs")).unwrap();
        let mut coverage = Coverage::default();
        let plain = coverage.absolute(&folder.join("logs/a"));
        assert_eq!(plain, folder.join("logs/a"));
        assert_eq!(coverage.absolute(&folder.join("logs/../logs/./a")), plain);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.join("logs"), folder.join("link")).unwrap();
            assert_eq!(coverage.absolute(&folder.join("link/a")), plain);
        }
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        assert_eq!(coverage.absolute(Path::new("a")), here.join("a"));
    }

    #[test]
    fn few_names_are_kept_and_those_of_the_least_ids() {
        let mut coverage = Coverage::default();
        for n in (0..20_u8).rev() {
            coverage.insert([n; 16], &format!("{n}"), Span::WHOLE);
        }
        let names: Vec<_> = coverage.into_covered().filter_map(|object| object.name).collect();
        assert_eq!(names, ["0", "1", "2"]);
    }

    #[test]
    fn names_hold_no_credential() {
        for name in [
            "https://host/a?X-Amz-Signature=s3cret",
            "az://c/x?sig[]=s3cret",
            "az://c/x?sig%5B%5D=s3cret",
            "az://c/x?{\\\"sig\\\":\\\"s3cret\\\"}",
            "https:\\/\\/u:s3cret@host\\/a",
            "report secret 2024a.csv",
        ] {
            let mut coverage = Coverage::default();
            coverage.insert([1; 16], name, Span::WHOLE);
            let written = coverage.into_covered().next().unwrap().name.unwrap();
            assert!(!written.contains("s3cret"), "{written}");
            // A state holds a name as messages show it.
            assert_eq!(written, crate::Place::object(name).to_string());
        }
    }

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let span = (0..40_u64, prop::option::of(0..9_u64))
            .prop_map(|(start, length)| Span { start, end: length.map(|length| start + length) });
        prop::collection::vec(span, 1..9)
    }

    proptest! {
        #[test]
        fn objects_are_written_in_order_with_the_bytes_that_were_read(
            given in prop::collection::vec((0..4_u8, spans()), 1..6),
        ) {
            let mut coverage = Coverage::default();
            for (n, spans) in &given {
                spans.iter().for_each(|span| coverage.insert([*n; 16], "a", *span));
            }
            let covered: Vec<Covered> = coverage.into_covered().collect();
            let bytes: Vec<u8> =
                covered.iter().flat_map(super::super::data::encoded).collect();
            prop_assert_eq!(&Covered::of(&bytes).unwrap(), &covered);
            prop_assert_eq!(Ordered::default().check(&bytes), Ok(()));
            let holds = |spans: &[Span], at| spans.iter().any(|s| (s.start..s.end()).contains(&at));
            for (n, at) in (0..4_u8).flat_map(|n| (0..60).map(move |at| (n, at))) {
                let read = given.iter().any(|(of, spans)| *of == n && holds(spans, at));
                let written = covered.iter().any(|of| of.id == [n; 16] && holds(&of.spans, at));
                prop_assert_eq!(read, written, "byte {} of {}", at, n);
            }
        }

        #[test]
        fn bytes_that_are_no_objects_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if Ordered::default().check(&bytes).is_ok() {
                prop_assert!(Covered::of(&bytes).is_ok());
            }
        }
    }
}
