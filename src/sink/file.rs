//! A file that appears when it is whole: written under a temporary name in the folder of its own.

use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::destination::Entry;

/// The temporary file of this process, for the way out that runs no destructors: a signal.
static UNFINISHED: Mutex<Option<Temporary>> = Mutex::new(None);

/// Removes the temporary file, if there is one; another cannot be made before what this returns is
/// dropped, which a process that is about to die need not do.
pub(crate) fn remove_unfinished() -> impl Sized {
    let mut unfinished = lock();
    if let Some(temporary) = unfinished.take() {
        // It may be gone already, and there is nobody left to tell.
        let _ = temporary.remove();
    }
    unfinished
}

fn lock() -> MutexGuard<'static, Option<Temporary>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary name in an open folder.
#[derive(Debug, Clone)]
struct Temporary {
    folder: Arc<OwnedFd>,
    name: OsString,
}

impl Temporary {
    fn remove(&self) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty())?)
    }
}

/// A file that is being written beside its final name. Dropped instead of finished, it leaves nothing.
#[derive(Debug)]
pub(super) struct Unfinished {
    file: BufWriter<File>,
    temporary: Temporary,
    name: OsString,
    /// The mode of the file that is replaced.
    mode: Option<Mode>,
    finished: bool,
}

impl Unfinished {
    /// Makes the temporary file at once, so that a path that cannot be written is known before
    /// anything is read.
    pub(super) fn create(entry: Entry) -> io::Result<Self> {
        let replaced = replaced(&entry)?;
        let mode = replaced.map(|stat| Mode::from_raw_mode(stat.st_mode) & PERMISSIONS);
        let Entry { folder, name, path } = entry;
        let folder = Arc::new(folder);
        // Held while the file is made: a signal must find either none or the one to remove.
        let mut unfinished = lock();
        let (file, temporary) =
            create(&folder, mode.unwrap_or(PERMISSIONS_OF_NEW)).map_err(|error| {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let parent = parent.map_or(".".into(), |parent| parent.display().to_string());
                // Its own message tells of a temporary name that nobody has heard of.
                let kind = io::Error::from(error).kind();
                io::Error::new(kind, format!("no file can be made in {parent}: {kind}"))
            })?;
        *unfinished = Some(temporary.clone());
        drop(unfinished);
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(Self { file, temporary, name, mode, finished: false })
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_ref();
        if let Some(mode) = self.mode {
            // Whatever the umask is: the file had it already.
            rustix::fs::fchmod(file, mode)?;
        }
        let Temporary { folder, name } = &self.temporary;
        let mut unfinished = lock();
        // Within one open folder: wherever its path leads by now, the file is not led elsewhere.
        rustix::fs::renameat(folder, name, folder, &self.name)?;
        self.finished = true;
        unfinished.take();
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            let mut unfinished = lock();
            // Whatever made the run fail is reported already.
            let _ = self.temporary.remove();
            unfinished.take();
        }
    }
}

/// Without the bits that a write takes away from a file: set-user-id and set-group-id.
const PERMISSIONS: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

/// Less what the umask takes away, as for a file made by a shell's `>`.
const PERMISSIONS_OF_NEW: Mode = Mode::from_raw_mode(0o666);

/// The file that is replaced, if there is one, and if this user may write to it and replace it.
fn replaced(entry: &Entry) -> io::Result<Option<Stat>> {
    // Opened for writing and not written: the kernel refuses what it would refuse.
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&entry.folder, &entry.name, flags, Mode::empty()) {
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
    Ok(Some(stat))
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

/// Makes a temporary file, under a name that is not there yet.
fn create(folder: &Arc<OwnedFd>, mode: Mode) -> Result<(File, Temporary), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let random = RandomState::new().hash_one(std::process::id());
        let name = OsString::from(format!(".creel-{random:016x}.partial"));
        match rustix::fs::openat(folder, &name, flags, mode) {
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
            Ok(file) => {
                return Ok((File::from(file), Temporary { folder: Arc::clone(folder), name }));
            }
        }
    }
}
