//! A file, read in place: one file from its listing to its end.
//!
//! The size that a file system tells is a hint. Files of /proc say that they are empty, files of
//! /sys that they are a page long, and logs grow. So a file ends where reading it ends, unless it
//! has grown since it was listed: then it ends where it did.
//!
//! A file has changed on evidence only: it is shorter, was written to without growing, is another
//! file by now, or bytes that were read before are others now. The last is looked at where a file
//! has grown, for a file that is written over by a longer one looks like a log.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, ReadBuf};

use super::fetch::Feed;
use super::held;
use super::local::error;
use super::object::{Home, Object, io_error};
use crate::{Error, Result};

/// Tells a file from one that takes its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    size: u64,
    /// When it was last written to.
    modified: Option<SystemTime>,
    /// When it, its name or its mode last changed, which nobody can set.
    touched: Option<(i64, i64)>,
    /// Its device and its number there, where files have one.
    number: Option<(u64, u64)>,
    /// It was written to so shortly before that clocks may not tell the next write from that one.
    fresh: bool,
}

/// How coarse the clocks of file systems are; most are much finer.
const CLOCK: Duration = Duration::from_secs(2);

impl Version {
    pub(super) fn of(found: &Metadata) -> Self {
        let modified = found.modified().ok();
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        let fresh = age.is_none_or(|age| age < CLOCK);
        let (number, touched) = (number(found), touched(found));
        Self { size: found.len(), modified, touched, number, fresh }
    }

    /// How a file that was of this version has fared, given what it is now.
    fn fate(&self, now: &Self) -> Fate {
        let written = self.modified != now.modified;
        match now.size.cmp(&self.size) {
            std::cmp::Ordering::Less => Fate::Changed,
            // Not asked of the others: some network file systems number their files anew.
            std::cmp::Ordering::Greater if self.number != now.number => Fate::Changed,
            std::cmp::Ordering::Greater => Fate::Grown,
            // What is made as it is read may be made anew each time.
            std::cmp::Ordering::Equal if self.size == 0 => Fate::Same,
            // A file with the size and the time of the one in whose place it was put.
            std::cmp::Ordering::Equal
                if self.number != now.number && self.touched != now.touched =>
            {
                Fate::Changed
            }
            std::cmp::Ordering::Equal if written && self.modified.is_some() => Fate::Changed,
            // Renamed, as logs are; or written to, and its time set back.
            std::cmp::Ordering::Equal if self.touched != now.touched => Fate::Doubtful,
            std::cmp::Ordering::Equal if self.fresh => Fate::Doubtful,
            std::cmp::Ordering::Equal => Fate::Same,
        }
    }
}

/// What has become of a file since it was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Same,
    /// It may have been written to.
    Doubtful,
    /// It is longer: what stood there may be as it was.
    Grown,
    Changed,
}

#[cfg(unix)]
pub(super) fn number(found: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(unix)]
fn touched(found: &Metadata) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.ctime(), found.ctime_nsec()))
}

#[cfg(not(unix))]
pub(super) fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(not(unix))]
fn touched(_: &Metadata) -> Option<(i64, i64)> {
    None
}

/// Bytes between samples of what was read.
const BETWEEN: u64 = 1 << 20;
/// The most samples of a file; then every second is let go.
const MOST_SAMPLES: usize = 8192;
/// Bytes of a sample.
const SAMPLE: usize = 32;

/// A few of the bytes that were read of a file, by all its readers, to know later that they are
/// still there.
#[derive(Debug, Default)]
pub(super) struct Samples(Mutex<Vec<(u64, Vec<u8>)>>);

impl Samples {
    fn take(&self, at: u64, bytes: &[u8]) {
        let most = bytes.len().min(SAMPLE);
        let last = bytes.len() - most;
        // From both ends: many files begin alike.
        let mut taken = self.lock();
        if taken.len() >= MOST_SAMPLES {
            let mut kept = false;
            taken.retain(|_| {
                kept = !kept;
                kept
            });
        }
        taken.push((at, bytes[..most].to_vec()));
        taken.push((at + last as u64, bytes[last..].to_vec()));
    }

    /// Whether a file still holds them all, and begins with this.
    fn still_hold(&self, file: &File, head: &[u8]) -> bool {
        holds(file, 0, head) && self.lock().iter().all(|(at, bytes)| holds(file, *at, bytes))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn holds(file: &File, at: u64, bytes: &[u8]) -> bool {
    use std::os::unix::fs::FileExt;
    let mut now = vec![0; bytes.len()];
    file.read_exact_at(&mut now, at).is_ok() && now == bytes
}

#[cfg(not(unix))]
fn holds(_: &File, _: u64, _: &[u8]) -> bool {
    true
}

/// A file that is read from some offset on.
#[derive(Debug)]
pub(super) struct LocalFile {
    file: Arc<File>,
    /// Others may read it, so that it has no place of its own.
    shared: bool,
    object: Arc<Object>,
    version: Version,
    /// Where the next sample may begin.
    sampled: u64,
    /// The last bytes that were read, as a sample for the end.
    tail: Vec<u8>,
    at: u64,
    /// It holds more than its size, so that this tells nothing.
    understated: bool,
    ended: bool,
}

impl LocalFile {
    /// Opens the file of an object at an offset. `more`: other slices of it will be opened.
    pub(super) fn open(object: &Arc<Object>, from: u64, more: bool) -> Result<Self> {
        let Home::File { path, version, held, .. } = &object.home else {
            return Err(error(object.place(), io::ErrorKind::Unsupported.into()));
        };
        let failed = |e| error(object.place(), e);
        // Some files that are made as they are read have no offsets: all of one is read in turn.
        let shared = more || from > 0;
        let file = match shared {
            true => held.open(path, more).map_err(failed)?,
            false => Arc::new(held::open(path).map_err(failed)?),
        };
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Error::Changed { place: object.place().at(from) });
        }
        let reader = Self {
            file,
            shared,
            object: Arc::clone(object),
            version: *version,
            sampled: from,
            tail: Vec::new(),
            at: from,
            understated: false,
            ended: false,
        };
        match reader.fate() {
            Ok(Fate::Changed) => Err(Error::io(object.place(), reader.changed())),
            Ok(_) => Ok(reader),
            Err(error) => Err(failed(error)),
        }
    }

    fn fate(&self) -> io::Result<Fate> {
        Ok(self.version.fate(&Version::of(&self.file.metadata()?)))
    }

    fn changed(&self) -> io::Error {
        io_error(Error::Changed { place: self.object.place().at(self.at) })
    }

    /// Looks, at the end that the size tells or that reading has found, at what it is.
    fn reach_end(&mut self, found: bool) -> io::Result<()> {
        if let Home::File { samples, .. } = &self.object.home {
            samples.take(self.at - self.tail.len() as u64, &self.tail);
            self.tail.clear();
        }
        let fate = self.fate()?;
        let early = found && self.at < self.version.size;
        // An early end of a file that has not changed: its size is overstated.
        let changed = match fate {
            Fate::Same => false,
            Fate::Changed => true,
            Fate::Grown if early => true,
            Fate::Grown | Fate::Doubtful => match &self.object.home {
                Home::File { samples, .. } => {
                    !samples.still_hold(&self.file, self.object.known_head())
                }
                _ => false,
            },
        };
        if changed {
            return Err(self.changed());
        }
        self.ended = found || fate == Fate::Grown;
        // Its size may be understated: there is only one way to know.
        self.understated = !self.ended;
        Ok(())
    }

    fn read(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        if buf.remaining() == 0 {
            return Ok(());
        }
        if !self.understated && self.at >= self.version.size && !self.ended {
            self.reach_end(false)?;
        }
        if self.ended {
            return Ok(());
        }
        let left = match self.understated {
            true => usize::MAX,
            false => usize::try_from(self.version.size - self.at).unwrap_or(usize::MAX),
        };
        let most = left.min(buf.remaining());
        let room = buf.initialize_unfilled_to(most);
        let read = loop {
            let read = match self.shared {
                true => held::read_at(&self.file, room, self.at),
                false => (&*self.file).read(room),
            };
            match read {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            return self.reach_end(true);
        }
        if self.at >= self.sampled
            && let Home::File { samples, .. } = &self.object.home
        {
            samples.take(self.at, &room[..read]);
            self.sampled = self.at + BETWEEN;
        }
        self.tail.clear();
        self.tail.extend_from_slice(&room[read.saturating_sub(SAMPLE)..read]);
        buf.advance(read);
        self.at += read as u64;
        Ok(())
    }
}

impl Feed for LocalFile {}

impl AsyncRead for LocalFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(self.read(buf))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::tempdir;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::Place;
    use crate::Progress;
    use crate::source::{Access, Source};

    async fn open(path: &Path) -> (LocalFile, Vec<Arc<Object>>) {
        let pattern = [path.display().to_string()];
        let objects = Source::parse(&pattern, Access::default())
            .unwrap()
            .list(&Progress::default())
            .await
            .unwrap();
        (LocalFile::open(&objects[0], 0, false).unwrap(), objects)
    }

    #[tokio::test]
    async fn a_file_that_shrinks_is_an_error_and_one_that_grows_is_read_as_it_was() {
        let root = tempdir().unwrap();
        fs::write(root.path().join("grows"), "grows").unwrap();
        fs::write(root.path().join("shrinks"), "shrinks").unwrap();
        let (mut grows, _) = open(&root.path().join("grows")).await;
        let (mut shrinks, _) = open(&root.path().join("shrinks")).await;
        fs::write(root.path().join("grows"), "grows on").unwrap();
        fs::write(root.path().join("shrinks"), "sh").unwrap();
        let mut text = String::new();
        grows.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "grows");
        let error =
            Error::io(Place::object("?"), shrinks.read_to_string(&mut text).await.unwrap_err());
        assert!(matches!(&error, Error::Changed { place } if place.offset == Some(2)), "{error}");
    }

    #[tokio::test]
    async fn a_file_written_anew_between_listing_and_reading_is_an_error() {
        let root = tempdir().unwrap();
        fs::write(root.path().join("file"), "file").unwrap();
        let (_, objects) = open(&root.path().join("file")).await;
        let file = File::options().append(true).open(root.path().join("file")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let error = LocalFile::open(&objects[0], 0, false).unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_written_over_by_a_longer_one_is_an_error_and_a_log_is_not() {
        let root = tempdir().unwrap();
        let path = root.path().join("file");
        let old = b"old text\n".repeat(1000);
        for (now, same) in
            [(b"new text\n".repeat(2000), false), ([&old[..], b"more\n"].concat(), true)]
        {
            fs::write(&path, &old).unwrap();
            let (mut file, _) = open(&path).await;
            let mut first = vec![0; 100];
            file.read_exact(&mut first).await.unwrap();
            fs::write(&path, now).unwrap();
            let mut rest = Vec::new();
            let read = file.read_to_end(&mut rest).await;
            assert_eq!(read.is_ok(), same);
            assert!(!same || [first, rest].concat() == old);
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn slices_of_two_files_are_an_error_whichever_is_read_first() {
        let root = tempdir().unwrap();
        let path = root.path().join("file");
        let line = b"the same head of both files, which tells nothing of what comes after it\n";
        let old = [&line[..], &b"old text\n".repeat(1000)].concat();
        let new = [&line[..], &b"new text\n".repeat(2000)].concat();
        for first in [0, 4000] {
            fs::write(&path, &old).unwrap();
            let (_, objects) = open(&path).await;
            let read = async |from: u64| {
                let mut bytes = Vec::new();
                let mut file = LocalFile::open(&objects[0], from, false).unwrap();
                file.read_to_end(&mut bytes).await.map(|_| bytes)
            };
            assert_eq!(read(first).await.unwrap(), old[first as usize..]);
            fs::write(&path, &new).unwrap();
            assert!(read(4000 - first).await.is_err(), "{first}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_is_renamed_while_it_is_read_is_the_same_and_one_set_back_is_not() {
        let root = tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, b"old text\n".repeat(1000)).unwrap();
        let aged = SystemTime::now() - Duration::from_secs(1000);
        let set_back = |path: &Path| {
            File::options().append(true).open(path).unwrap().set_modified(aged).unwrap();
        };
        set_back(&path);
        let (mut file, _) = open(&path).await;
        let mut bytes = vec![0; 100];
        file.read_exact(&mut bytes).await.unwrap();
        fs::rename(&path, root.path().join("file.1")).unwrap();
        assert_eq!(file.read_to_end(&mut bytes).await.unwrap(), 8900);
        let path = root.path().join("file.1");
        let (mut file, _) = open(&path).await;
        file.read_exact(&mut bytes[..100]).await.unwrap();
        fs::write(&path, b"new text\n".repeat(1000)).unwrap();
        set_back(&path);
        assert!(file.read_to_end(&mut bytes).await.is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn files_with_sizes_that_tell_nothing_are_read_to_their_ends() {
        let (mut empty, _) = open(Path::new("/proc/version")).await;
        let mut text = String::new();
        empty.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("Linux"), "{text}");
        let page = Path::new("/sys/class/net/lo/address");
        if page.exists() {
            let (mut page, objects) = open(page).await;
            let mut text = String::new();
            assert!(page.read_to_string(&mut text).await.unwrap() < 100);
            assert_eq!((text.as_str(), objects[0].size()), ("00:00:00:00:00:00\n", Some(4096)));
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_longer_file_in_the_place_of_the_one_listed_is_an_error() {
        let root = tempdir().unwrap();
        let (listed, other) = (root.path().join("listed"), root.path().join("other"));
        fs::write(&listed, "old").unwrap();
        let (_, objects) = open(&listed).await;
        fs::write(&other, "new and longer").unwrap();
        fs::rename(&other, &listed).unwrap();
        let error = LocalFile::open(&objects[0], 1, false).unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }
}
