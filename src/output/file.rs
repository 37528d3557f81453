//! A file that appears when it is whole: written under a temporary name in the folder of its own.
//!
//! When it is finished, its bytes are on the disk before it gets its name, and the name is on the disk
//! before the run succeeds: whenever the power fails, the old file is there, or the new one whole.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::destination::{Entry, named};
use super::permissions::Permissions;
use super::temporary::{Temporary, is_temporary, sweep, unfinished};
use crate::error::{Shown, remedy};

/// A file that is being written beside its final name. Dropped instead of finished, it leaves nothing.
#[derive(Debug)]
pub(super) struct Unfinished {
    file: BufWriter<File>,
    temporary: Temporary,
    name: OsString,
    path: PathBuf,
    /// Those of the file that is replaced.
    permissions: Option<Permissions>,
    /// That of a file which replaces none.
    mode: Mode,
    /// Whether to wait for the disk.
    sync: bool,
    finished: bool,
}

impl Unfinished {
    /// Makes the temporary file at once, so that a path that cannot be written is known before
    /// anything is read. Removes those that killed runs left in the folder.
    pub(super) fn create(entry: Entry, sync: bool, gathered: usize) -> io::Result<Self> {
        let permissions = replaced(&entry.folder, &entry.name)?;
        if is_temporary(&entry.name) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "creel names its temporary files so, and removes them; choose another name",
            ));
        }
        let Entry { folder, name, path } = entry;
        let folder = Arc::new(folder);
        // First, so that however many runs are killed, they leave one file at most.
        sweep(&folder);
        // Held while the file is made: a signal must find either none or the one to remove.
        let mut unfinished = unfinished();
        let (file, temporary) = Temporary::create(&folder, NEW).map_err(|error| {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = named(parent.unwrap_or(Path::new(".")));
            // Its own message tells of a temporary name that nobody has heard of.
            let error = io::Error::from(error);
            let (kind, remedy) = (error.kind(), remedy(&error));
            let said = Shown::ours("no file can be made in ").and(parent);
            io::Error::new(kind, said.and(Shown::new(format_args!(": {kind}{remedy}"))))
        })?;
        unfinished.push(temporary.clone());
        drop(unfinished);
        let file = BufWriter::with_capacity(gathered, file);
        let finished = false;
        let mut made = Self { file, temporary, name, path, permissions, mode: NEW, sync, finished };
        made.hide()?;
        Ok(made)
    }

    /// Takes the rights of all others, and remembers them.
    fn hide(&mut self) -> io::Result<()> {
        let file = self.file.get_ref();
        self.mode = Mode::from_raw_mode(rustix::fs::fstat(file)?.st_mode);
        Ok(rustix::fs::fchmod(file, PRIVATE)?)
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_ref();
        // Permissions may have changed, and another file may stand there, since the run began.
        let now = replaced(&self.temporary.folder, &self.name)?;
        match now.or(self.permissions.take()) {
            Some(permissions) => permissions.give(file)?,
            None => rustix::fs::fchmod(file, self.mode)?,
        }
        if self.sync {
            file.sync_all()?;
        }
        self.rename()?;
        if self.sync {
            sync_folder(&self.temporary.folder, self.file.get_ref())?;
        }
        self.check_path()
    }

    /// Checks that the path still leads to the file: its folder may have been moved meanwhile.
    fn check_path(&self) -> io::Result<()> {
        let written = rustix::fs::fstat(self.file.get_ref())?;
        match rustix::fs::stat(&self.path) {
            Ok(found) if (found.st_dev, found.st_ino) == (written.st_dev, written.st_ino) => Ok(()),
            Err(error) if error != Errno::NOENT && error != Errno::NOTDIR => Err(error.into()),
            // Another run gave the name to its file, or somebody removed it.
            _ if self.is_in_its_folder()? => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "its folder was moved while the run wrote; the file is whole and went with it",
            )),
        }
    }

    /// Whether the path leads to the folder where the file was written.
    fn is_in_its_folder(&self) -> io::Result<bool> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let written = rustix::fs::fstat(&self.temporary.folder)?;
        let found = rustix::fs::stat(folder);
        Ok(found.is_ok_and(|at| (at.st_dev, at.st_ino) == (written.st_dev, written.st_ino)))
    }

    fn rename(&mut self) -> io::Result<()> {
        let Temporary { folder, name } = &self.temporary;
        let mut unfinished = unfinished();
        if !self.temporary.is(self.file.get_ref())? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "its temporary file was removed or replaced by somebody else",
            ));
        }
        // Within one open folder: wherever its path leads by now, the file is not led elsewhere.
        rustix::fs::renameat(folder, name, folder, &self.name)?;
        self.finished = true;
        self.temporary.forget(&mut unfinished);
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            let mut unfinished = unfinished();
            // Whatever made the run fail is reported already; the next run removes what stays.
            let _ = self.temporary.remove();
            self.temporary.forget(&mut unfinished);
        }
    }
}

/// While it is written, a file is for its owner alone: its rights are given to it when it is whole.
/// Nobody else can hold the lock that keeps a file from being swept.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);

/// Less what the umask takes away, as for a file made by a shell's `>`.
const NEW: Mode = Mode::from_raw_mode(0o666);

/// The permissions of the file that is replaced, if there is one, and if this user may write to it
/// and replace it.
fn replaced(folder: &OwnedFd, name: &OsStr) -> io::Result<Option<Permissions>> {
    // Opened for writing and not written: the kernel refuses what it would refuse.
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it was replaced by something else; run again"));
    }
    if is_mount_point(&file) {
        let reason = "it is a mount point, which cannot be replaced: write to another name, or \
                      redirect standard output to it";
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, reason));
    }
    Permissions::of(&file, &stat).map(Some)
}

/// Whether a file of another place is mounted here, as containers do with single files.
#[cfg(target_os = "linux")]
fn is_mount_point(file: &OwnedFd) -> bool {
    use rustix::fs::{StatxAttributes, StatxFlags, statx};
    // Before Linux 5.8 nobody knows; then the rename fails.
    statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::empty())
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mount_point(_: &OwnedFd) -> bool {
    false
}

/// Waits until the names of a folder are on the disk.
fn sync_folder(folder: &OwnedFd, file: &File) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        // It is not open for reading, or its file system syncs no folders: then all of it is synced.
        #[cfg(target_os = "linux")]
        Err(Errno::BADF | Errno::INVAL | Errno::OPNOTSUPP) => Ok(rustix::fs::syncfs(file)?),
        #[cfg(not(target_os = "linux"))]
        Err(Errno::BADF | Errno::INVAL | Errno::OPNOTSUPP) => file.sync_all(),
        synced => Ok(synced?),
    }
}
