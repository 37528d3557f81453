//! Temporary files beside the output: their names, the locks that tell which are in use, and the
//! removal of those that killed runs left.
//!
//! A process holds a lock on its temporary file for as long as it has it open; the system releases
//! the lock however the process ends. A file that can be locked belongs to no running process.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// The temporary files of this process, for the way out that runs no destructors: a signal. The command
/// has one at most; threads of another program may draw pictures at the same time.
static UNFINISHED: Mutex<Vec<Temporary>> = Mutex::new(Vec::new());

/// Removes the temporary files; others cannot be made before what this returns is dropped, which a
/// process that is about to die need not do.
#[cfg(feature = "cli")]
pub(crate) fn remove_unfinished() -> impl Sized {
    let mut unfinished = unfinished();
    for temporary in unfinished.drain(..) {
        // It may be gone already, and there is nobody left to tell.
        let _ = temporary.remove();
    }
    unfinished
}

/// The temporary files of this process. While they are held, a signal removes nothing.
pub(super) fn unfinished() -> MutexGuard<'static, Vec<Temporary>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary name in an open folder.
#[derive(Debug, Clone)]
pub(super) struct Temporary {
    pub(super) folder: Arc<OwnedFd>,
    pub(super) name: OsString,
}

impl Temporary {
    /// Makes a file under a name that is not there yet, and locks it.
    pub(super) fn create(folder: &Arc<OwnedFd>, mode: Mode) -> Result<(File, Self), Errno> {
        let flags = OFlags::CREATE | OFlags::EXCL | OPEN;
        // Each turn has a new name; only somebody who removes all of them at once goes on for long.
        for _ in 0..1000 {
            let temporary = Self { folder: Arc::clone(folder), name: new_name() };
            let file = match rustix::fs::openat(folder, &temporary.name, flags, mode) {
                Err(Errno::EXIST) => continue,
                opened => opened?,
            };
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Another run took it for left over, before it was locked, and removes it.
                Err(Errno::WOULDBLOCK) => continue,
                // Without locks nobody can remove it by mistake, for nobody can lock it.
                Err(_) => return Ok((file.into(), temporary)),
                Ok(()) => match temporary.is(&file) {
                    Ok(true) => return Ok((file.into(), temporary)),
                    Ok(false) => {}
                    Err(error) => {
                        let _ = temporary.remove();
                        return Err(error);
                    }
                },
            }
        }
        Err(Errno::EXIST)
    }

    /// Whether the name is still that of this file.
    pub(super) fn is(&self, file: impl AsFd) -> Result<bool, Errno> {
        let named = match rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            named => named?,
        };
        let opened = rustix::fs::fstat(file)?;
        Ok((named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino))
    }

    /// Takes it out of the temporary files of this process.
    pub(super) fn forget(&self, unfinished: &mut Vec<Self>) {
        unfinished
            .retain(|other| !(Arc::ptr_eq(&other.folder, &self.folder) && other.name == self.name));
    }

    pub(super) fn remove(&self) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty())
    }

    /// Removes the file if no process has it: a file of this user under this name alone. The
    /// superuser may have given it to the owner of the file that it was to replace.
    fn remove_if_left(&self) -> Result<(), Errno> {
        let file = rustix::fs::openat(&self.folder, &self.name, OPEN, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        let user = rustix::process::geteuid();
        let ours = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && (user.is_root() || stat.st_uid == user.as_raw())
            && stat.st_nlink == 1;
        if ours {
            rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            // The lock is held until it is removed, so that nobody begins to use it meanwhile.
            if self.is(&file)? {
                self.remove()?;
            }
        }
        Ok(())
    }
}

const OPEN: OFlags =
    OFlags::WRONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

const PREFIX: &str = ".creel-";
const SUFFIX: &str = ".partial";

/// Removes the temporary files of killed runs from a folder. What cannot be removed stays: the next
/// run tries again.
pub(super) fn sweep(folder: &Arc<OwnedFd>) {
    // A folder that may not be listed has none that could be found.
    let Ok(entries) = Dir::read_from(folder) else { return };
    for entry in entries {
        let Ok(entry) = entry else { return };
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if is_temporary(name) {
            let left = Temporary { folder: Arc::clone(folder), name: name.to_owned() };
            let _ = left.remove_if_left();
        }
    }
}

fn new_name() -> OsString {
    let random: u64 = RandomState::new().hash_one(std::process::id());
    format!("{PREFIX}{random:016x}{:08x}{SUFFIX}", check(random)).into()
}

/// Whether a name is one of those that are made here, and not a user's that looks like them.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    digits.is_some_and(|digits| {
        let parts = digits.split_at_checked(16);
        parts.is_some_and(|(random, check_digits)| {
            let random = u64::from_str_radix(random, 16);
            random.is_ok_and(|random| format!("{random:016x}{:08x}", check(random)) == digits)
                && check_digits.len() == 8
        })
    })
}

/// Check digits of a random number (FNV-1a).
fn check(random: u64) -> u32 {
    let mix = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    random.to_le_bytes().into_iter().fold(0x811c_9dc5, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &tempfile::TempDir) -> Arc<OwnedFd> {
        Arc::new(File::open(folder.path()).expect("a folder").into())
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).expect("a folder");
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into()).collect()
    }

    #[test]
    fn only_names_with_right_check_digits_are_ours() {
        let name = new_name();
        assert!(is_temporary(&name), "{name:?}");
        let text = name.to_str().expect("ASCII");
        for at in 0..text.len() {
            let mut other = text.as_bytes().to_vec();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert!(!is_temporary(OsStr::from_bytes(&other)), "{other:?}");
        }
        for other in ["", ".creel-.partial", ".creel-AbCdEf.partial", ".creel-é.partial"] {
            assert!(!is_temporary(OsStr::new(other)), "{other}");
        }
        assert!(!is_temporary(OsStr::new(&text.to_uppercase())));
    }

    #[test]
    fn files_in_use_stay_and_those_left_over_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open(&folder);
        let mode = Mode::RUSR | Mode::WUSR;
        let (live, used) = Temporary::create(&opened, mode).expect("a file");
        let (dead, _left) = Temporary::create(&opened, mode).expect("a file");
        drop(dead);
        sweep(&opened);
        assert_eq!(names(&folder), [used.name.to_string_lossy()]);
        drop(live);
        sweep(&opened);
        assert_eq!(names(&folder), [""; 0]);
    }

    #[test]
    fn entries_with_such_a_name_that_are_no_temporary_files_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &OsStr| folder.path().join(name);
        std::fs::write(path(OsStr::new("precious")), "kept").expect("a file");
        let link = new_name();
        std::os::unix::fs::symlink("precious", path(&link)).expect("a link");
        let hard = new_name();
        std::fs::hard_link(path(OsStr::new("precious")), path(&hard)).expect("a link");
        std::fs::create_dir(path(&new_name())).expect("a folder");
        let users = OsStr::new(".creel-notes.partial");
        std::fs::write(path(users), "kept").expect("a file");
        let pipe = path(&new_name());
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo runs").success());
        sweep(&open(&folder));
        assert_eq!(names(&folder).len(), 6);
    }

    #[test]
    fn runs_that_begin_and_sweep_at_the_same_time_lose_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open(&folder);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mode = Mode::RUSR | Mode::WUSR;
                        let (file, temporary) = Temporary::create(&opened, mode).expect("a file");
                        sweep(&opened);
                        assert!(temporary.is(&file).expect("it can be asked"));
                    }
                });
            }
        });
        sweep(&opened);
        assert_eq!(names(&folder), [""; 0]);
    }
}
