//! Where results go: standard output, a stream, or a file that appears when it is whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(unix)]
use super::destination::{Destination, descriptor};
#[cfg(unix)]
use super::file::Unfinished;
#[cfg(not(unix))]
use super::portable::{Destination, Unfinished, descriptor};
use super::stream::{Calls, Stream};
use crate::{Error, Result};

/// The path that stands for standard output.
const STDOUT: &str = "-";

/// Where results will go: what a path names, before anything is made.
#[derive(Debug)]
pub(crate) struct Output {
    /// As messages name it.
    name: PathBuf,
    destination: Destination,
    is_stdout: bool,
    /// Bytes that are gathered for a file before they are written.
    gathered: usize,
}

/// Bytes that are gathered for a file, and the fewest of one of many.
const GATHERED: usize = 1 << 20;
#[cfg(feature = "cli")]
const LEAST_GATHERED: usize = 16 << 10;

/// Where results go.
#[derive(Debug)]
pub(crate) struct Target {
    name: PathBuf,
    writer: Writer,
}

#[derive(Debug)]
enum Writer {
    Stream(Stream),
    File(Box<Unfinished>),
}

impl Output {
    /// Standard output.
    pub(crate) fn stdout() -> Result<Self> {
        let name = PathBuf::from("standard output");
        match descriptor(1) {
            Ok(file) => {
                let destination = Destination::Descriptor(file);
                Ok(Self { name, destination, is_stdout: true, gathered: GATHERED })
            }
            Err(error) => Err(output(&name, error)),
        }
    }

    /// What a path names: `-` is standard output. This makes nothing, and must come before the
    /// process opens descriptors of its own.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        if path == Path::new(STDOUT) {
            return Self::stdout();
        }
        let destination = Destination::of(path).map_err(|error| output(path, error))?;
        let name = path.to_owned();
        Ok(Self { name, destination, is_stdout: false, gathered: GATHERED })
    }

    /// The same, one of so many files that are written side by side: each takes less memory.
    #[cfg(feature = "cli")]
    pub(crate) fn one_of(self, files: usize) -> Self {
        Self { gathered: (GATHERED / files.max(1)).max(LEAST_GATHERED), ..self }
    }

    /// Whether the result shows only when it is whole.
    #[cfg(feature = "cli")]
    pub(crate) fn is_replaced(&self) -> bool {
        matches!(self.destination, Destination::Replaced(_))
    }

    /// Opens it, and makes a temporary file where one is needed; blocks until a named pipe has a
    /// reader. If `sync` is set, a file named by a path is on the disk once it is finished.
    pub(crate) fn open(self, sync: bool, calls: &Arc<Calls>) -> Result<Target> {
        let Self { name, destination, is_stdout, gathered } = self;
        let sync = sync && !is_stdout;
        let stream = |file| Stream::new(file, sync, Arc::clone(calls)).map(Writer::Stream);
        let writer = match destination {
            Destination::Descriptor(file) => stream(file),
            Destination::InPlace(entry) => calls.call(|| entry.open()).and_then(stream),
            Destination::Replaced(entry) => {
                Unfinished::create(entry, sync, gathered).map(|file| Writer::File(Box::new(file)))
            }
        };
        match writer {
            Ok(writer) => Ok(Target { name, writer }),
            Err(error) => Err(output(&name, error)),
        }
    }
}

impl Target {
    /// Standard output, for what is printed without a run.
    #[cfg(feature = "cli")]
    pub(crate) fn stdout() -> Result<Self> {
        Output::stdout()?.open(false, &Arc::default())
    }

    /// A file, for tests of what is printed.
    #[cfg(test)]
    pub(crate) fn file(path: &Path) -> Result<Self> {
        Output::of(path)?.open(false, &Arc::default())
    }

    /// Whether it is a terminal, on which nothing that was read may move the cursor.
    #[cfg(feature = "cli")]
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(&self.writer, Writer::Stream(stream) if stream.is_terminal())
    }

    /// Writes bytes. They are not buffered for a stream.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match &mut self.writer {
            Writer::Stream(stream) => stream.write_all(bytes),
            Writer::File(file) => file.write_all(bytes),
        };
        written.map_err(|error| output(&self.name, error))
    }

    /// Gives a file its name. A target that is dropped instead leaves nothing behind.
    pub(crate) fn finish(self) -> Result<()> {
        let finished = match self.writer {
            Writer::Stream(stream) => stream.finish(),
            Writer::File(file) => file.finish(),
        };
        finished.map_err(|error| output(&self.name, error))
    }
}

/// Writes all of what a path names; a file is on the disk when this returns.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut target = Output::of(path)?.open(true, &Arc::default())?;
    target.write(bytes)?;
    target.finish()
}

fn output(path: &Path, source: io::Error) -> Error {
    Error::Output { path: path.display().to_string(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mut dropped = Target::file(&path).unwrap();
        dropped.write(b"half").unwrap();
        drop(dropped);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);

        let mut finished = Target::file(&path).unwrap();
        finished.write(b"whole").unwrap();
        assert!(!path.exists());
        finished.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn a_path_that_cannot_be_written_is_known_at_once() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Target::file(directory.path()), Err(Error::Output { .. })));
        let missing = directory.path().join("no/such/out");
        assert!(matches!(Target::file(&missing), Err(Error::Output { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_signal_finds_each_file_that_is_neither_finished_nor_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(&directory).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
        };
        let finished = Target::file(&directory.path().join("finished")).unwrap();
        let written = Target::file(&directory.path().join("written")).unwrap();
        let dropped = Target::file(&directory.path().join("dropped")).unwrap();
        finished.finish().unwrap();
        drop(dropped);
        let left: Vec<_> = names().into_iter().filter(|name| name != "finished").collect();
        assert_eq!(left.len(), 1, "{left:?}");
        let known = super::super::temporary::unfinished();
        assert!(known.iter().any(|temporary| temporary.name == left[0]));
        drop(known);
        written.finish().unwrap();
        assert_eq!(names().len(), 2);
    }
}
