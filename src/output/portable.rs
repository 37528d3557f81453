//! Output paths on systems that have no descriptors: a file beside its final name, or a device.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Where the output of a path goes.
#[derive(Debug)]
pub(super) enum Destination {
    Descriptor(File),
    InPlace(Entry),
    Replaced(Entry),
}

#[derive(Debug)]
pub(super) struct Entry(PathBuf);

impl Destination {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(match std::fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => Self::InPlace(Entry(path.to_owned())),
            Ok(_) => Self::Replaced(Entry(std::fs::canonicalize(path)?)),
            Err(_) => Self::Replaced(Entry(path.to_owned())),
        })
    }
}

impl Entry {
    pub(super) fn open(&self) -> io::Result<File> {
        File::options().write(true).open(&self.0)
    }
}

/// Standard output, whatever the number.
pub(super) fn descriptor(_number: u32) -> io::Result<File> {
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
    }
    #[cfg(not(windows))]
    Err(io::ErrorKind::Unsupported.into())
}

#[derive(Debug)]
pub(super) struct Unfinished {
    temporary: NamedTempFile,
    path: PathBuf,
    sync: bool,
}

impl Unfinished {
    pub(super) fn create(entry: Entry, sync: bool, _gathered: usize) -> io::Result<Self> {
        let parent = entry.0.parent().filter(|parent| !parent.as_os_str().is_empty());
        let temporary = NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
        Ok(Self { temporary, path: entry.0, sync })
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.temporary.write_all(bytes)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        if self.sync {
            self.temporary.as_file().sync_all()?;
        }
        self.temporary.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

/// Files that are not finished are removed as their owners are dropped.
#[cfg(feature = "cli")]
pub(crate) fn remove_unfinished() -> impl Sized {}
