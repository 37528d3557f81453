//! One file, however many readers its slices have, and whatever is done to its name meanwhile.
//!
//! Each reader opens the file by its name, for a descriptor of its own: the kernel reads ahead for
//! each of them. While slices of it are to be read, one of the descriptors is kept. A reader that
//! meets another file behind the name, or none, reads through that one. So a file that is renamed,
//! replaced or removed is read to its end all the same.
//!
//! The process keeps a quarter of the descriptors that it may have, at most. Files beyond that are
//! opened by name alone, and one that is another by then is an error.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::evidence::{Evidence, Range};
use super::local;
use super::version::{Fate, Version, is_made_when_read, numbers_files_anew};
#[cfg(feature = "cli")]
use crate::{Error, Place};

/// A file, as it was listed, and what is known of it since.
#[derive(Debug)]
pub(crate) struct OneFile {
    path: PathBuf,
    listed: Version,
    /// From the first reader until all was read.
    state: Mutex<Option<Box<State>>>,
}

#[derive(Debug, Default)]
struct State {
    /// What it was when the first reader opened it.
    begun: Option<Version>,
    kept: Option<Kept>,
    /// It was touched since.
    touched: bool,
    /// It was written to since, and has not grown.
    written: bool,
    evidence: Evidence,
}

/// A fault of the file system, or `None`: the file has changed.
pub(super) type Fault = Option<io::Error>;

/// An open file, and how to read it.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) file: Arc<File>,
    /// It was touched a short time ago, so that what is read is to be summed.
    pub(super) live: bool,
    /// Its times may not tell the next write.
    pub(super) fresh: bool,
}

impl OneFile {
    pub(super) fn new(path: PathBuf, listed: Version) -> Self {
        Self { path, listed, state: Mutex::default() }
    }

    /// Bytes, as it was listed.
    pub(super) fn size(&self) -> u64 {
        self.listed.size
    }

    /// Where it is.
    #[cfg(feature = "cli")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What opens it again and again, for one who reads it in no order.
    #[cfg(feature = "cli")]
    pub(crate) fn opener(&self) -> Opener {
        Opener { path: self.path.clone(), listed: self.listed }
    }

    /// What it was as it was listed.
    #[cfg(feature = "cli")]
    pub(super) fn listed(&self) -> &Version {
        &self.listed
    }

    /// Opens it for a reader. `again`: others are to follow.
    ///
    /// # Errors
    /// If it cannot be opened, or is not the file that was listed.
    pub(super) fn open(&self, again: bool) -> Result<Open, Fault> {
        let mut state = self.lock();
        let state = state.get_or_insert_default();
        let named = open_named(&self.path);
        let (file, now) = match (named, &state.kept) {
            (Ok((file, now)), Some(kept)) if now.number == Some(kept.number) => {
                (Arc::new(file), now)
            }
            (_, Some(kept)) => {
                let now = Version::of(&kept.file.metadata().map_err(Some)?);
                (Arc::clone(&kept.file), now)
            }
            (Ok((file, now)), None) => (Arc::new(file), now),
            (Err(Some(e)), None) if state.begun.is_some() && local::is_absent(&e) => {
                return Err(None);
            }
            (Err(fault), None) => return Err(fault),
        };
        match state.begun {
            None => match self.listed.fate(&now, &file) {
                // Nothing was read, but the slices may be those of another. Nothing tells a file that was
                // written to and whose time was set back from one that was renamed or shared.
                Fate::Changed | Fate::Written => return Err(None),
                Fate::Touched if !numbers_files_anew(&file) => return Err(None),
                Fate::Same | Fate::Touched | Fate::Grown => state.begun = Some(now),
            },
            Some(_) => state.look(&self.listed, &now, &file)?,
        }
        if again && state.kept.is_none() {
            state.kept = Keeper::get().keep(&file, &now);
        }
        let live = self.listed.size > 0 && now.is_live();
        Ok(Open { file, live, fresh: live && now.is_fresh() })
    }

    /// What has become of an open file since the first reader opened it, and what its size is now.
    pub(super) fn fate(&self, file: &File) -> io::Result<(Fate, u64)> {
        let now = Version::of(&file.metadata()?);
        let begun = self.lock().as_ref().and_then(|state| state.begun).unwrap_or(self.listed);
        Ok((begun.fate(&now, file), now.size))
    }

    /// Remembers some of the bytes that were read.
    pub(super) fn sample(&self, at: u64, bytes: &[u8]) {
        self.lock().get_or_insert_default().evidence.sample(at, bytes);
    }

    /// Looks, when a slice was read, whether it is of the file that the others were read of. The
    /// last of them reads again what is in doubt.
    ///
    /// # Errors
    /// If it cannot be read, or has changed.
    pub(super) async fn finish(
        &self,
        file: &File,
        (start, end): (u64, Option<u64>),
        read: Range,
        head: &[u8],
    ) -> Result<(), Fault> {
        let doubtful = self.close(file, (start, end), read, head)?;
        for range in doubtful {
            if !range.is_held_by(file).await.map_err(Some)? {
                return Err(None);
            }
        }
        Ok(())
    }

    /// Adds what was read of a slice, and gives what is to be read again.
    fn close(
        &self,
        file: &File,
        (start, end): (u64, Option<u64>),
        read: Range,
        head: &[u8],
    ) -> Result<Vec<Range>, Fault> {
        let now = Version::of(&file.metadata().map_err(Some)?);
        let mut all = self.lock();
        let state = all.get_or_insert_default();
        if !state.evidence.add(start, end, read) && !is_made_when_read(file) {
            return Err(None);
        }
        state.look(&self.listed, &now, file)?;
        if state.touched && !state.evidence.samples_are_held_by(file, head) {
            return Err(None);
        }
        if !state.evidence.is_whole() {
            return Ok(Vec::new());
        }
        let mut doubtful = state.evidence.summed(!state.touched);
        // Who reads it once more begins anew.
        *all = None;
        if !doubtful.is_empty() && is_made_when_read(file) {
            doubtful.clear();
        }
        Ok(doubtful)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<State>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a file by its name, each time as it was listed.
#[cfg(feature = "cli")]
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    path: PathBuf,
    listed: Version,
}

#[cfg(feature = "cli")]
impl Opener {
    /// Opens the file.
    ///
    /// # Errors
    /// If it cannot be opened, or is not the file that was listed, or may have been written to since.
    pub(crate) fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        match self.listed.fate(&Version::of(&file.metadata()?), &file) {
            Fate::Same => Ok(file),
            _ => {
                Err(Error::Changed { place: Place::object(self.path.display().to_string()) }.into())
            }
        }
    }
}

impl State {
    /// Takes in what an open file is now.
    ///
    /// # Errors
    /// `None`, if it has changed.
    fn look(&mut self, listed: &Version, now: &Version, file: &File) -> Result<(), Fault> {
        let fate = self.begun.unwrap_or(*listed).fate(now, file);
        self.touched |= fate != Fate::Same;
        self.written |= fate == Fate::Written;
        // What was written may be what stood there, but nobody can tell.
        let lost = self.written && self.evidence.has_gaps();
        if fate == Fate::Changed || lost { Err(None) } else { Ok(()) }
    }
}

/// The descriptors that are kept, of which there may be so many.
#[derive(Debug)]
struct Keeper {
    kept: AtomicUsize,
    most: usize,
}

impl Keeper {
    /// The one of this process.
    fn get() -> &'static Self {
        static KEEPER: OnceLock<Keeper> = OnceLock::new();
        KEEPER.get_or_init(|| Self { kept: AtomicUsize::new(0), most: most_kept() })
    }

    /// Keeps a descriptor, if there may be one more and files have numbers.
    fn keep(&'static self, file: &Arc<File>, found: &Version) -> Option<Kept> {
        let number = found.number?;
        let more = |kept| (kept < self.most).then_some(kept + 1);
        self.kept.fetch_update(SeqCst, SeqCst, more).ok()?;
        Some(Kept { file: Arc::clone(file), number, by: self })
    }
}

/// A descriptor that is kept for the readers to come.
#[derive(Debug)]
struct Kept {
    file: Arc<File>,
    number: (u64, u64),
    by: &'static Keeper,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.by.kept.fetch_sub(1, SeqCst);
    }
}

#[cfg(unix)]
fn most_kept() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit / 4).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn most_kept() -> usize {
    0
}

/// Opens what is at a path, which was a regular file.
///
/// # Errors
/// `None`, if it is none any more.
fn open_named(path: &Path) -> Result<(File, Version), Fault> {
    let file = unblocked(path).map_err(Some)?;
    let found = file.metadata().map_err(Some)?;
    if !found.is_file() {
        return Err(None);
    }
    Ok((file, Version::of(&found)))
}

/// Opens a file or a pipe without waiting for anybody.
#[cfg(unix)]
pub(super) fn unblocked(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    match File::options().read(true).custom_flags(flags.bits() as i32).open(path) {
        // Another program has a lease on it, and is to be waited for.
        Err(e) if e.kind() == io::ErrorKind::WouldBlock && fs::metadata(path)?.is_file() => {
            File::open(path)
        }
        opened => opened,
    }
}

#[cfg(not(unix))]
pub(super) fn unblocked(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, OneFile) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "a file").unwrap();
        let listed = Version::of(&fs::metadata(&path).unwrap());
        (root, OneFile::new(path, listed))
    }

    #[test]
    fn no_more_descriptors_are_kept_than_there_may_be() {
        let keeper = Box::leak(Box::new(Keeper { kept: AtomicUsize::new(0), most: 2 }));
        let (_root, one) = file();
        let open = one.open(false).unwrap();
        let keep = || keeper.keep(&open.file, &one.listed);
        let (first, second) = (keep().unwrap(), keep().unwrap());
        assert!(keep().is_none());
        drop(first);
        assert!(keep().is_some());
        drop(second);
        assert!(most_kept() > 0);
    }

    #[test]
    fn a_descriptor_is_kept_until_all_slices_were_read() {
        let (_root, one) = file();
        let read = Range { from: 0, to: 0, sum: None, fresh: false };
        let open = one.open(true).unwrap();
        let is_kept = || one.lock().as_ref().is_some_and(|state| state.kept.is_some());
        assert!(is_kept());
        one.close(&open.file, (3, None), read, b"").unwrap();
        assert!(is_kept());
        one.close(&open.file, (0, Some(3)), read, b"").unwrap();
        assert!(!is_kept());
    }

    #[test]
    fn a_file_without_a_descriptor_that_is_gone_or_another_has_changed() {
        let (root, one) = file();
        let open = one.open(false).unwrap();
        while one.listed.is_fresh() {}
        fs::rename(&one.path, root.path().join("other")).unwrap();
        assert!(matches!(one.open(true), Err(None)), "gone");
        fs::copy(root.path().join("other"), &one.path).unwrap();
        let time = open.file.metadata().unwrap().modified().unwrap();
        File::options().append(true).open(&one.path).unwrap().set_modified(time).unwrap();
        assert!(matches!(one.open(true), Err(None)), "another");
        fs::rename(root.path().join("other"), &one.path).unwrap();
        assert!(one.open(true).is_ok(), "the same, renamed twice");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_file_that_is_opened_again_is_the_one_that_was_listed() {
        let replace: [fn(&Path); 3] = [
            |path| fs::write(path, "a life").unwrap(),
            |path| fs::write(path, "a file that is longer").unwrap(),
            |path| {
                fs::write(path.with_extension("new"), "a file").unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            },
        ];
        for replace in replace {
            let (_root, one) = file();
            let opener = one.opener();
            assert!(opener.open().is_ok() && opener.open().is_ok());
            while one.listed.is_fresh() {}
            replace(&one.path);
            let error = Error::io(Place::object("x"), opener.open().unwrap_err());
            assert!(matches!(error, Error::Changed { .. }), "{error}");
        }
    }
}
