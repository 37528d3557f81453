//! What a file that is replaced hands down to the one that takes its place: owner, mode, access list
//! and the extended attributes of users.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Gid, Mode, Stat, Uid};
use rustix::io::Errno;

/// Who may do what with a file.
#[derive(Debug, Clone)]
pub(super) struct Permissions {
    mode: Mode,
    owner: Uid,
    group: Gid,
    /// The access list, as the kernel hands it out.
    list: Option<Vec<u8>>,
    /// The names and values of extended attributes.
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Permissions {
    /// Those of an open file.
    pub(super) fn of(file: impl AsFd, stat: &Stat) -> io::Result<Self> {
        Ok(Self {
            // Without set-user-id and set-group-id, which writing to a file takes away too.
            mode: Mode::from_raw_mode(stat.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO),
            owner: Uid::from_raw(stat.st_uid),
            group: Gid::from_raw(stat.st_gid),
            list: list(file.as_fd())?,
            attributes: attributes(file.as_fd())?,
        })
    }

    /// Gives them to another file: owner and group as far as this user may. Nobody gets a right that
    /// they did not have.
    pub(super) fn give(&self, file: impl AsFd) -> io::Result<()> {
        let file = file.as_fd();
        let mut mode = self.mode;
        let stat = rustix::fs::fstat(file)?;
        set_attributes(file, &self.attributes)?;
        let (owner, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        if (owner, group) != (self.owner, self.group) {
            let given = allowed(rustix::fs::fchown(file, Some(self.owner), Some(self.group)))?
                || group == self.group
                || allowed(rustix::fs::fchown(file, None, Some(self.group)))?;
            if !given {
                mode = without_group(mode);
            }
        }
        if !set_list(file, self.list.as_deref())? {
            // The bits of the group stood for the whole list.
            mode = without_group(mode);
        }
        Ok(rustix::fs::fchmod(file, mode)?)
    }
}

/// The mode for a group that is another than before: its members have the rights of all others.
fn without_group(mode: Mode) -> Mode {
    let others = mode.bits() & Mode::RWXO.bits();
    mode & !Mode::RWXG | mode & Mode::from_bits_truncate(others << 3)
}

/// Whether something was done, or is not for this user or this file system.
fn allowed(done: Result<(), Errno>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(target_os = "linux")]
const LIST: &str = "system.posix_acl_access";

#[cfg(target_os = "linux")]
fn list(file: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    let mut list = vec![0; 64 << 10];
    match rustix::fs::fgetxattr(file, LIST, &mut list[..]) {
        Ok(length) => {
            list.truncate(length);
            Ok(Some(list))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sets the access list, or removes the one that the folder gave; returns whether it is as asked.
#[cfg(target_os = "linux")]
fn set_list(file: BorrowedFd<'_>, list: Option<&[u8]>) -> io::Result<bool> {
    match list {
        Some(list) => {
            allowed(rustix::fs::fsetxattr(file, LIST, list, rustix::fs::XattrFlags::empty()))
        }
        None => match rustix::fs::fremovexattr(file, LIST) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(true),
            Err(error) => Err(error.into()),
        },
    }
}

/// Those of users. The system sets its own: security labels follow from the folder.
#[cfg(target_os = "linux")]
fn attributes(file: BorrowedFd<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut names = vec![0; 64 << 10];
    let length = match rustix::fs::flistxattr(file, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => 0,
        Err(error) => return Err(error.into()),
    };
    let names = names[..length].split(|byte| *byte == 0);
    let users = names.filter(|name| name.starts_with(b"user."));
    users
        .map(|name| {
            let mut value = vec![0; 64 << 10];
            let length = rustix::fs::fgetxattr(file, name, &mut value[..])?;
            value.truncate(length);
            Ok((name.to_vec(), value))
        })
        .collect()
}

#[cfg(target_os = "linux")]
fn set_attributes(file: BorrowedFd<'_>, attributes: &[(Vec<u8>, Vec<u8>)]) -> io::Result<()> {
    for (name, value) in attributes {
        rustix::fs::fsetxattr(file, &name[..], value, rustix::fs::XattrFlags::empty())?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn attributes(_: BorrowedFd<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    Ok(Vec::new())
}

#[cfg(not(target_os = "linux"))]
fn set_attributes(_: BorrowedFd<'_>, _: &[(Vec<u8>, Vec<u8>)]) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn list(_: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn set_list(_: BorrowedFd<'_>, _: Option<&[u8]>) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_group_gets_no_more_than_all_others() {
        for (mode, expected) in [(0o660, 0o600), (0o664, 0o644), (0o646, 0o646), (0o750, 0o700)] {
            assert_eq!(without_group(Mode::from_raw_mode(mode)).bits(), expected, "{mode:o}");
        }
    }
}
