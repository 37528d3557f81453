//! A file, read in place, as it was when it was listed.

use std::cmp::Ordering;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use tokio::io::{AsyncRead, ReadBuf};

use super::fetch::Feed;
use super::local::error;
use super::object::{Home, Object, io_error};
use crate::{Error, Result};

/// Tells a file from one that takes its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    /// When it was last written to.
    modified: Option<SystemTime>,
    /// Its device and its number there, where files have one.
    number: Option<(u64, u64)>,
}

impl Version {
    pub(super) fn of(found: &Metadata) -> Self {
        Self { modified: found.modified().ok(), number: number(found) }
    }
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

/// A file that is read from some offset to the end that it had when it was listed.
///
/// What is appended meanwhile is not read: logs grow. A file that shrinks, or is written to
/// without growing, has been replaced, and so has one that is another file by now; that is an
/// error.
#[derive(Debug)]
pub(super) struct LocalFile {
    file: File,
    object: Arc<Object>,
    version: Version,
    size: u64,
    at: u64,
}

impl LocalFile {
    /// Opens the file of an object at an offset.
    pub(super) fn open(object: &Arc<Object>, from: u64) -> Result<Self> {
        let (Home::File { path, version }, Some(size)) = (&object.home, object.size()) else {
            return Err(error(object.place(), io::ErrorKind::Unsupported.into()));
        };
        let failed = |e| error(object.place(), e);
        let mut file = File::open(path).map_err(failed)?;
        if from > 0 {
            file.seek(SeekFrom::Start(from)).map_err(failed)?;
        }
        let reader = Self { file, object: Arc::clone(object), version: *version, size, at: from };
        reader.check().map_err(|e| Error::io(object.place(), e))?;
        Ok(reader)
    }

    /// Whether the file is still the one that was listed.
    fn check(&self) -> io::Result<()> {
        let found = self.file.metadata()?;
        let (before, now) = (self.version, Version::of(&found));
        let replaced = match found.len().cmp(&self.size) {
            Ordering::Less => true,
            Ordering::Equal => before.modified.is_some() && before.modified != now.modified,
            // Not asked of the others: some network file systems number their files anew.
            Ordering::Greater => before.number != now.number,
        };
        if replaced { Err(self.changed()) } else { Ok(()) }
    }

    fn changed(&self) -> io::Error {
        io_error(Error::Changed { place: self.object.place().at(self.at) })
    }

    fn read(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        if left == 0 {
            return self.check();
        }
        let most = left.min(buf.remaining());
        if most == 0 {
            return Ok(());
        }
        let read = loop {
            match self.file.read(buf.initialize_unfilled_to(most)) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            return Err(self.changed());
        }
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
    use crate::source::{Access, Source};

    async fn open(path: &Path) -> (LocalFile, Vec<Arc<Object>>) {
        let pattern = [path.display().to_string()];
        let objects = Source::parse(&pattern, Access::default()).unwrap().list().await.unwrap();
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
