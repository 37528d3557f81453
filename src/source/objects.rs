//! The objects of a listing, in little memory: each is made when it is read.
//!
//! A bucket may hold millions of objects. Of one that a listing told of, its row is kept; the object,
//! with all that its readers learn of it, lives from the opening of its partition to the end of that.
//! Objects of which no listing tells, as a pipe or one that is named exactly, are few: they are kept.

use std::sync::Arc;
#[cfg(feature = "cloud")]
use std::time::Instant;

#[cfg(feature = "cloud")]
use object_store::ObjectMeta;

#[cfg(feature = "cloud")]
use super::known::Remote;
use super::missing::{Entries, Entry};
use super::object::{Home, Object};
use super::one_file::OneFile;
use super::pack::Slice;
use super::rows::{NUMBERS, Row, Rows};
#[cfg(feature = "cloud")]
use super::spell::Name;
#[cfg(feature = "cloud")]
use super::store::Store;
use super::version::Version;

/// The objects of a source, in order. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Objects(Arc<List>);

/// What an object is, by the first number of its row.
const KEPT: i64 = 0;
const FILE: i64 = 1;
#[cfg(feature = "cloud")]
const LISTED: i64 = 2;

/// Objects, as they are found.
#[derive(Debug)]
pub(super) struct List {
    rows: Rows,
    kept: Vec<Arc<Object>>,
    entries: Arc<Entries>,
    #[cfg(feature = "cloud")]
    stores: Vec<Arc<Store>>,
    #[cfg(feature = "cloud")]
    since: Instant,
    total: u64,
    are_files: bool,
}

impl List {
    pub(super) fn new(entries: Arc<Entries>) -> Self {
        Self {
            rows: Rows::default(),
            kept: Vec::new(),
            entries,
            #[cfg(feature = "cloud")]
            stores: Vec::new(),
            #[cfg(feature = "cloud")]
            since: Instant::now(),
            total: 0,
            are_files: true,
        }
    }

    /// Adds an object that is kept as it is.
    pub(super) fn keep(&mut self, object: Object) {
        self.count(object.size(), object.is_file());
        let mut numbers = [0; NUMBERS];
        (numbers[0], numbers[1]) = (KEPT, self.kept.len() as i64);
        self.rows.push("", numbers, None);
        self.kept.push(Arc::new(object));
    }

    /// Adds a file, which was of this version when it was found.
    pub(super) fn add_file(&mut self, path: std::path::PathBuf, found: Version, rank: usize) {
        match (path.to_str(), found.numbers()) {
            (Some(name), Some([a, b, c, d, e, f, g])) => {
                self.count(Some(found.size), true);
                let numbers = [FILE, rank as i64, a, b, c, d, e, f, g];
                self.rows.push(name, numbers, None);
            }
            _ => {
                let name = path.display().to_string();
                let home = Home::File(Box::new(OneFile::new(path, found)));
                let entry = Entry::new(&self.entries, rank);
                self.keep(Object::new(name, Some(found.size), home, entry));
            }
        }
    }

    /// Adds an object that a listing of a store told of: its key, and size and date with its ETag.
    #[cfg(feature = "cloud")]
    pub(super) fn add_listed(&mut self, store: &Arc<Store>, listed: &Row, rank: usize) {
        let is_it = |known: &Arc<Store>| Arc::ptr_eq(known, store);
        let number = self.stores.iter().rposition(is_it).unwrap_or_else(|| {
            self.stores.push(Arc::clone(store));
            self.stores.len() - 1
        });
        let [size, date, ..] = listed.numbers;
        self.count(Some(size as u64), false);
        let name = format!("{}/{}", store.base, listed.name);
        let numbers = [LISTED, rank as i64, size, date, number as i64, 0, 0, 0, 0];
        self.rows.push(&name, numbers, listed.tag.as_deref());
    }

    fn count(&mut self, size: Option<u64>, is_file: bool) {
        self.total = self.total.saturating_add(size.unwrap_or(0));
        self.are_files &= is_file;
    }

    /// Bytes of memory that they take.
    pub(super) fn weight(&self) -> usize {
        /// What one that is kept takes, about, with its name.
        const KEPT_WEIGHT: usize = 600;
        self.rows.weight() + self.kept.len() * KEPT_WEIGHT
    }

    /// All that were found.
    pub(super) fn finish(mut self) -> Objects {
        self.rows.finish();
        self.kept.shrink_to_fit();
        Objects(Arc::new(self))
    }

    /// The object of a row.
    fn object(&self, row: &Row) -> Arc<Object> {
        let [kind, number, a, b, c, d, e, f, g] = row.numbers;
        if kind == KEPT {
            return Arc::clone(&self.kept[number as usize]);
        }
        let entry = Entry::new(&self.entries, number as usize);
        let (name, size) = (row.name.clone(), Some(a as u64));
        #[cfg(feature = "cloud")]
        if kind == LISTED {
            let store = &self.stores[c as usize];
            let key = name.get(store.base.len() + 1..).unwrap_or_default();
            let meta = ObjectMeta { e_tag: row.tag.clone(), ..meta(a as u64, b) };
            let remote = Remote::listed(store, Name::of(key), meta, self.since);
            return Arc::new(Object::new(name, size, Home::Remote(remote), entry));
        }
        let found = Version::of_numbers([a, b, c, d, e, f, g]);
        let home = Home::File(Box::new(OneFile::new(row.name.clone().into(), found)));
        Arc::new(Object::new(name, size, home, entry))
    }

    fn size(&self, row: &Row) -> Option<u64> {
        match row.numbers {
            [KEPT, number, ..] => self.kept[number as usize].size(),
            [_, _, size, ..] => Some(size as u64),
        }
    }
}

/// What a listing tells of an object besides its ETag.
#[cfg(feature = "cloud")]
fn meta(size: u64, date: i64) -> ObjectMeta {
    let date = i128::from(date).clamp(-(1 << 40), 1 << 40) as i64;
    let since = std::time::Duration::from_secs(date.unsigned_abs());
    let date = match date {
        0.. => std::time::UNIX_EPOCH.checked_add(since),
        _ => std::time::UNIX_EPOCH.checked_sub(since),
    };
    ObjectMeta {
        location: object_store::path::Path::default(),
        last_modified: date.unwrap_or(std::time::UNIX_EPOCH).into(),
        size,
        e_tag: None,
        version: None,
    }
}

impl Objects {
    /// How many there are.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn len(&self) -> usize {
        self.0.rows.len()
    }

    /// Bytes of all of which they are known.
    pub(crate) fn total(&self) -> u64 {
        self.0.total
    }

    /// Whether all are files, which can be opened again and again for nothing.
    pub(crate) fn are_files(&self) -> bool {
        self.0.are_files
    }

    /// Bytes of memory that they take, for as long as they are to be read.
    pub(crate) fn weight(&self) -> usize {
        self.0.weight() + self.0.entries.weight()
    }

    /// The size of each, where that is known.
    pub(super) fn sizes(&self) -> impl Iterator<Item = Option<u64>> {
        let mut rows = self.0.rows.from(0);
        std::iter::from_fn(move || rows.advance().map(|row| self.0.size(row)))
    }

    /// Each of them, made anew unless it is kept.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Arc<Object>> {
        self.starting(0)
    }

    /// The object of this number, made anew unless it is kept.
    pub(super) fn at(&self, number: usize) -> Option<Arc<Object>> {
        self.starting(number).next()
    }

    /// Some of them that follow each other, each as one slice.
    pub(super) fn slices(&self, first: usize, count: usize) -> Arc<[Slice]> {
        self.starting(first).take(count).map(Slice::whole).collect()
    }

    fn starting(&self, first: usize) -> impl Iterator<Item = Arc<Object>> {
        let mut rows = self.0.rows.from(first);
        std::iter::from_fn(move || rows.advance().map(|row| self.0.object(row)))
    }

    /// Objects that are kept.
    #[cfg(test)]
    pub(super) fn kept(objects: impl IntoIterator<Item = Object>) -> Self {
        let mut list = List::new(Arc::default());
        objects.into_iter().for_each(|object| list.keep(object));
        list.finish()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::{Missing, Progress};

    #[test]
    fn a_file_that_is_made_of_its_row_is_the_one_that_was_found() {
        let root = tempfile::tempdir().unwrap();
        let mut list = List::new(Arc::default());
        let mut expected = Vec::new();
        for number in 0..100 {
            let path = root.path().join(format!("file-{number}"));
            std::fs::write(&path, "x".repeat(number)).unwrap();
            let found = Version::of(&std::fs::metadata(&path).unwrap());
            expected.push((path.display().to_string(), Some(number as u64), number));
            list.add_file(path, found, number);
        }
        let objects = list.finish();
        let made: Vec<_> = objects
            .iter()
            .map(|object| (object.name().to_owned(), object.size(), object.order().object))
            .collect();
        assert_eq!(made, expected);
        assert_eq!((objects.len(), objects.total(), objects.are_files()), (100, 99 * 50, true));
        let from = objects.at(57).unwrap();
        let Home::File(file) = &from.home else { panic!("a file") };
        // It is opened only if it is the one that was found.
        assert!(file.open(false).is_ok());
    }

    #[test]
    fn an_object_that_was_passed_over_stays_so_when_it_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let progress = Progress::default();
        let mut listing = super::super::missing::Listing::new(Missing::Skip, &progress);
        for name in ["a", "b"] {
            let path = root.path().join(name);
            std::fs::write(&path, name).unwrap();
            let found = Version::of(&std::fs::metadata(&path).unwrap());
            listing.push_file(path, found).unwrap();
        }
        let objects = listing.finish().unwrap();
        let error = crate::Error::Changed { place: crate::Place::object("a") };
        objects.at(0).unwrap().entry().refuse(error, &progress).unwrap();
        assert!(!objects.at(0).unwrap().entry().accept());
        assert!(objects.at(1).unwrap().entry().accept());
    }

    #[cfg(feature = "cloud")]
    #[test]
    fn a_date_comes_back_to_the_second() {
        for date in [0, 1, -1, 1_700_000_000, -60_000_000_000] {
            assert_eq!(meta(1, date).last_modified.timestamp(), date);
        }
        // Whatever a server says.
        meta(1, i64::MAX);
        meta(1, i64::MIN);
    }
}
