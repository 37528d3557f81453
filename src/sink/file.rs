//! Where results go: standard output, or a file that appears when it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// The temporary file of this process, for the way out that runs no destructors: a signal.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Removes the temporary file, if there is one; another cannot be made before what this returns is
/// dropped, which a process that is about to die need not do.
pub(crate) fn remove_unfinished() -> impl Sized {
    let mut unfinished = lock();
    if let Some(path) = unfinished.take() {
        // It may be gone already, and there is nobody left to tell.
        let _ = std::fs::remove_file(path);
    }
    unfinished
}

fn lock() -> MutexGuard<'static, Option<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where results go.
#[derive(Debug)]
pub(crate) enum Target {
    /// Standard output.
    Stdout(io::Stdout),
    /// A file, written under a temporary name.
    File(Unfinished),
    /// A device or a named pipe, which is written in place: it cannot be replaced.
    Device(PathBuf, File),
}

/// A file that is being written beside its final name.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
    file: BufWriter<File>,
    temporary: NamedTempFile,
}

impl Target {
    pub(crate) fn stdout() -> Self {
        Self::Stdout(io::stdout())
    }

    /// Opens a file: the temporary file is made at once, beside the final one, so that a path
    /// that cannot be written is known before anything is read.
    pub(crate) fn file(path: &Path) -> Result<Self> {
        let opened = match std::fs::metadata(path) {
            Ok(there) if !there.is_file() && !there.is_dir() => {
                let device = File::options().write(true).open(path);
                device.map(|device| Self::Device(path.to_owned(), device))
            }
            _ => Unfinished::create(path).map(Self::File),
        };
        opened.map_err(|source| output(path, source))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(bytes).map_err(|e| output("standard output", e)),
            Self::File(out) => out.file.write_all(bytes).map_err(|e| output(&out.path, e)),
            Self::Device(path, out) => out.write_all(bytes).map_err(|e| output(path, e)),
        }
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        match self {
            Self::Stdout(out) => out.flush().map_err(|e| output("standard output", e)),
            Self::File(_) | Self::Device(..) => Ok(()),
        }
    }

    /// Gives the file its name. A target that is dropped instead leaves nothing behind.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(mut out) => out.flush().map_err(|e| output("standard output", e)),
            Self::File(out) => {
                let path = out.path.clone();
                out.persist().map_err(|source| output(path, source))
            }
            Self::Device(..) => Ok(()),
        }
    }
}

fn output(path: impl AsRef<Path>, source: io::Error) -> Error {
    Error::Output { path: path.as_ref().display().to_string(), source: source.into() }
}

impl Unfinished {
    fn create(path: &Path) -> io::Result<Self> {
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
        }
        if std::fs::metadata(path).is_ok_and(|file| file.permissions().readonly()) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
        }
        // Through a symbolic link: the file that it names is replaced, not the link.
        let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !directory.is_dir() {
            let reason = format!("there is no directory {}", directory.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, reason));
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".creel-").suffix(".partial");
        permissions(&mut builder, path);
        // Held while the file is made: a signal must find either none or the one to remove.
        let mut unfinished = lock();
        let temporary = builder.tempfile_in(directory).map_err(|error| {
            // Its own message tells of a temporary name that nobody has heard of.
            let reason = format!("no file can be made in {}", directory.display());
            io::Error::new(error.kind(), format!("{reason}: {}", error.kind()))
        })?;
        *unfinished = Some(temporary.path().to_owned());
        drop(unfinished);
        let file = BufWriter::with_capacity(1 << 20, temporary.reopen()?);
        Ok(Self { path: path.to_owned(), file, temporary })
    }

    fn persist(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.temporary.persist(&self.path).map_err(|error| error.error)?;
        lock().take();
        Ok(())
    }
}

/// As a file made by `>`: the mode of the file that is replaced, or what the umask leaves.
#[cfg(unix)]
fn permissions(builder: &mut tempfile::Builder<'_, '_>, path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(0o666, |file| file.permissions().mode() & 0o777);
    builder.permissions(std::fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
fn permissions(_builder: &mut tempfile::Builder<'_, '_>, _path: &Path) {}

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
}
