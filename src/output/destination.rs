//! What an output path names: a stream of this process, something that is written in place, or a
//! name in a folder whose file is replaced.
//!
//! The links of a path are followed one by one, each relative to its open folder, so that the file
//! that a link names is replaced and not the link. The rules of the kernel for links and files of
//! other users in sticky folders hold here too.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::standard;
use crate::error::Shown;

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// Where the output of a path goes.
#[derive(Debug)]
pub(super) enum Destination {
    /// A descriptor that this process was given.
    Descriptor(File),
    /// A device, a named pipe or a file of another process: it cannot be replaced.
    InPlace(Entry),
    /// A file that is replaced, or made.
    Replaced(Entry),
}

/// A name in a folder, which may or may not be there.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
    /// As a user would write it.
    pub(super) path: PathBuf,
}

impl Destination {
    /// Finds out what a path names; creates nothing, and opens nothing that could block.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..=MOST_LINKS {
            if let Some(number) = own_descriptor(&path) {
                return descriptor(number).map(Self::Descriptor);
            }
            let entry = Entry::at(&path)?;
            let Some(stat) = entry.stat()? else { return Ok(Self::Replaced(entry)) };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => return Err(is_a_folder()),
                FileType::RegularFile => {
                    entry.check_owner(&stat)?;
                    return Ok(Self::Replaced(entry));
                }
                FileType::Symlink if entry.is_in_proc() => return Ok(Self::InPlace(entry)),
                FileType::Symlink => path = entry.follow()?,
                FileType::Socket => {
                    return Err(io::Error::new(
                        io::ErrorKind::Unsupported,
                        "it is a socket; pipe the result into a program that connects to it",
                    ));
                }
                _ => {
                    entry.check_owner(&stat)?;
                    return Ok(Self::InPlace(entry));
                }
            }
        }
        Err(Errno::LOOP.into())
    }
}

impl Entry {
    fn at(path: &Path) -> io::Result<Self> {
        let name = match path.file_name() {
            Some(name) if path.as_os_str().as_bytes().ends_with(name.as_bytes()) => name,
            // Names that end in a slash or a dot are names of folders.
            _ => return Err(is_a_folder()),
        };
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let open = |flags| rustix::fs::open(parent, flags | FOLDER, Mode::empty());
        let folder = match open(OFlags::RDONLY) {
            // A folder that may not be listed may still be written.
            #[cfg(target_os = "linux")]
            Err(Errno::ACCESS) => open(OFlags::PATH),
            opened => opened,
        };
        let folder = folder.map_err(|error| match error {
            Errno::NOENT => {
                let reason = Shown::ours("there is no directory ").and(named(parent));
                io::Error::new(io::ErrorKind::NotFound, reason)
            }
            error => {
                let error = io::Error::from(error);
                let reason = named(parent).and(Shown::new(format_args!(": {error}")));
                io::Error::new(error.kind(), reason)
            }
        })?;
        Ok(Self { folder, name: name.to_owned(), path: path.to_owned() })
    }

    /// What is there under the name itself, which may be a link.
    pub(super) fn stat(&self) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens what is written in place; blocks until a named pipe has a reader.
    pub(super) fn open(&self) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        if self.is_in_proc() {
            // A file that another process has open: nothing of it is written over.
            let path = rustix::fs::openat(
                &self.folder,
                &self.name,
                flags | OFlags::APPEND,
                Mode::empty(),
            )?;
            return Ok(File::from(path));
        }
        let opened =
            rustix::fs::openat(&self.folder, &self.name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        let opened = File::from(opened);
        if opened.metadata()?.is_file() {
            return Err(io::Error::other("it was replaced by a file; run again"));
        }
        Ok(opened)
    }

    /// Whether this is a link that procfs makes up: its text is a description, and opening it leads
    /// to the file all the same.
    #[cfg(target_os = "linux")]
    fn is_in_proc(&self) -> bool {
        rustix::fs::fstatfs(&self.folder)
            .is_ok_and(|stat| stat.f_type == rustix::fs::PROC_SUPER_MAGIC)
    }

    #[cfg(not(target_os = "linux"))]
    fn is_in_proc(&self) -> bool {
        false
    }

    /// Where a link leads, if this user may follow it.
    fn follow(&self) -> io::Result<PathBuf> {
        #[cfg(target_os = "linux")]
        let (stat, target) = {
            // The link itself is opened: what is checked is what is read.
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let link = rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty())?;
            (rustix::fs::fstat(&link)?, rustix::fs::readlinkat(&link, "", Vec::new())?)
        };
        #[cfg(not(target_os = "linux"))]
        let (stat, target) = {
            let stat = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
            (stat, rustix::fs::readlinkat(&self.folder, &self.name, Vec::new())?)
        };
        self.check_owner(&stat)?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        Ok(match self.path.parent() {
            Some(parent) => parent.join(target),
            None => target,
        })
    }

    /// In a sticky folder that others can write to, nothing of another user is followed, opened or
    /// replaced, unless it belongs to the folder's owner: anybody could have put it there.
    fn check_owner(&self, stat: &Stat) -> io::Result<()> {
        let folder = rustix::fs::fstat(&self.folder)?;
        let mode = Mode::from_raw_mode(folder.st_mode);
        let shared = mode.contains(Mode::SVTX) && mode.intersects(Mode::WGRP | Mode::WOTH);
        let own = stat.st_uid == rustix::process::geteuid().as_raw();
        if !shared || own || stat.st_uid == folder.st_uid {
            return Ok(());
        }
        let reason = named(&self.path).and(Shown::ours(
            " belongs to another user, in a folder that all can write to; name another path",
        ));
        Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
    }
}

/// A path in a message.
pub(super) fn named(path: &Path) -> Shown {
    Shown::name(&path.display().to_string())
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

fn is_a_folder() -> io::Error {
    io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")
}

/// The number of the descriptor of this process that a path names: `/dev/stdout`, `/dev/fd/3`.
fn own_descriptor(path: &Path) -> Option<u32> {
    let (parent, name) = (path.parent()?, path.file_name()?);
    named_descriptor(parent, name).or_else(|| {
        // Through whatever links the folder is reached.
        named_descriptor(&std::fs::canonicalize(parent).ok()?, name)
    })
}

fn named_descriptor(folder: &Path, name: &OsStr) -> Option<u32> {
    let (folder, name) = (folder.to_str()?, name.to_str()?);
    let number = || {
        let digits = name.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| name.parse().ok()).flatten()
    };
    let mut parts = folder.strip_prefix("/proc/").unwrap_or_default().split('/');
    let own = std::process::id().to_string();
    match (folder, parts.next(), parts.next(), parts.next(), parts.next()) {
        ("/dev", ..) => match name {
            "stdin" => Some(0),
            "stdout" => Some(1),
            "stderr" => Some(2),
            _ => None,
        },
        ("/dev/fd", ..) => number(),
        (_, Some("self" | "thread-self"), Some("fd"), None, None) => number(),
        (_, Some(id), Some("fd"), None, None) if id == own => number(),
        // A thread's descriptors are those of its process.
        (_, Some(id), Some("task"), Some(_), Some("fd")) if id == own => number(),
        _ => None,
    }
}

/// A descriptor that this process was given, and another on the same open file: what is written goes
/// where the next writer of that file goes on, and nothing is cut off.
pub(super) fn descriptor(number: u32) -> io::Result<File> {
    let duplicate = match number {
        0 => rustix::stdio::stdin().try_clone_to_owned(),
        1 => rustix::stdio::stdout().try_clone_to_owned(),
        2 => rustix::stdio::stderr().try_clone_to_owned(),
        _ => duplicate(number),
    };
    let duplicate = duplicate?;
    standard::check_output(number, duplicate.as_fd())?;
    Ok(File::from(duplicate))
}

#[cfg(target_os = "linux")]
fn duplicate(number: u32) -> io::Result<OwnedFd> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let is_not_open = || io::Error::new(io::ErrorKind::NotFound, "it is not open");
    let number = i32::try_from(number).map_err(|_| is_not_open())?;
    // Before the next line opens one, which may have this number.
    if std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_err() {
        return Err(is_not_open());
    }
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    match own.and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty())) {
        Err(error) => {
            // Sandboxes forbid the call. Opened again, a file would be written from its beginning.
            let reason = "it cannot be had here; redirect standard output to it instead";
            Err(io::Error::new(io::Error::from(error).kind(), reason))
        }
        Ok(duplicate) => Ok(duplicate),
    }
}

/// Elsewhere opening the name gives the same open file.
#[cfg(not(target_os = "linux"))]
fn duplicate(number: u32) -> io::Result<OwnedFd> {
    Ok(File::options().write(true).open(format!("/dev/fd/{number}"))?.into())
}
