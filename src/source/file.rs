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
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, ReadBuf};

use super::fetch::Feed;
use super::local::error;
use super::object::{Home, Object, io_error};
use crate::{Error, Result};

/// Tells a file from one that takes its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    size: u64,
    /// When it was last written to.
    modified: Option<SystemTime>,
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
        Self { size: found.len(), modified, number: number(found), fresh }
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
            std::cmp::Ordering::Equal if written && self.modified.is_some() => Fate::Changed,
            std::cmp::Ordering::Equal => Fate::Same,
        }
    }
}

/// What has become of a file since it was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Same,
    /// It is longer: what stood there may be as it was.
    Grown,
    Changed,
}

#[cfg(unix)]
fn number(found: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Bytes between samples of what was read.
const BETWEEN: u64 = 1 << 20;
/// Bytes of a sample.
const SAMPLE: usize = 32;

/// A few of the bytes that were read, to know later that they are still there.
#[derive(Debug, Default)]
struct Samples {
    taken: Vec<(u64, Vec<u8>)>,
    /// Where the next may begin.
    next: u64,
}

impl Samples {
    fn take(&mut self, at: u64, bytes: &[u8]) {
        if at >= self.next && !bytes.is_empty() {
            self.taken.push((at, bytes[..bytes.len().min(SAMPLE)].to_vec()));
            self.next = at + BETWEEN;
        }
    }

    /// Whether a file still holds them all, and begins with this.
    fn still_hold(&self, file: &File, head: &[u8]) -> bool {
        let head = std::iter::once((0, head));
        let taken = self.taken.iter().map(|(at, bytes)| (*at, bytes.as_slice()));
        head.chain(taken).all(|(at, bytes)| holds(file, at, bytes))
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
    file: File,
    object: Arc<Object>,
    version: Version,
    samples: Samples,
    at: u64,
    /// It holds more than its size, so that this tells nothing.
    understated: bool,
    ended: bool,
}

impl LocalFile {
    /// Opens the file of an object at an offset.
    pub(super) fn open(object: &Arc<Object>, from: u64) -> Result<Self> {
        let Home::File { path, version } = &object.home else {
            return Err(error(object.place(), io::ErrorKind::Unsupported.into()));
        };
        let failed = |e| error(object.place(), e);
        let mut file = File::open(path).map_err(failed)?;
        if from > 0 {
            file.seek(SeekFrom::Start(from)).map_err(failed)?;
        }
        let reader = Self {
            file,
            object: Arc::clone(object),
            version: *version,
            samples: Samples::default(),
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
        let fate = self.fate()?;
        let early = found && self.at < self.version.size;
        // An early end of a file that has not changed: its size is overstated.
        let changed = fate == Fate::Changed || fate == Fate::Grown && early;
        let doubtful = fate == Fate::Grown || self.version.fresh && self.version.size > 0;
        let head = self.object.known_head();
        if changed || doubtful && !self.samples.still_hold(&self.file, head) {
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
            match self.file.read(room) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            return self.reach_end(true);
        }
        self.samples.take(self.at, &room[..read]);
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
        (LocalFile::open(&objects[0], 0).unwrap(), objects)
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
        let error = LocalFile::open(&objects[0], 0).unwrap_err();
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
        let error = LocalFile::open(&objects[0], 1).unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }
}
