//! The executable of this process, which workers start.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::python::failed;
use crate::{Error, Result};

/// The executable of this process.
pub(super) struct Executable {
    /// Its path.
    pub(super) path: PathBuf,
    /// Where what runs is read: not at the path if there is another file now, or none.
    pub(super) image: PathBuf,
    /// True if the path has another file now, or none.
    pub(super) is_replaced: bool,
}

/// The identity of the file when the process began, for systems that do not keep it open for others.
static FIRST: OnceLock<Option<Seen>> = OnceLock::new();

/// The identity of a file: it differs from that of another file at the same path.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    len: u64,
    modified: Option<std::time::SystemTime>,
    file: (u64, u64),
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let file = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let file = (0, 0);
        Self { len: metadata.len(), modified: metadata.modified().ok(), file }
    }

    fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

/// The system adds this to the path of an image that was removed.
const DELETED: &str = " (deleted)";

/// Notes which file this process was started from, as far as the system does not know that itself.
pub(crate) fn note_executable() {
    FIRST.get_or_init(|| std::env::current_exe().ok().and_then(|path| Seen::at(&path)));
}

/// The executable of this process.
///
/// # Errors
///
/// If the system does not tell its path.
pub(super) fn executable() -> Result<Executable> {
    let path = std::env::current_exe().map_err(|error| failed("no path of this binary", &error))?;
    let text = path.to_string_lossy();
    let path = text.strip_suffix(DELETED).map_or_else(|| path.clone(), PathBuf::from);
    let running = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let is_replaced = match Seen::at(&running) {
        Some(_) => !is_same(&path, &running),
        None => FIRST.get().is_some_and(|first| first.is_some() && *first != Seen::at(&path)),
    };
    // Other processes may not read what runs wherever they may read its path: one that has changed its user.
    let image = if is_replaced && running.exists() { running } else { path.clone() };
    Ok(Executable { path, image, is_replaced })
}

/// Returns true if two paths lead to one file, or to files of the same bytes: a file may be given a new time, or be
/// installed again.
fn is_same(path: &Path, other: &Path) -> bool {
    let (Some(a), Some(b)) = (Seen::at(path), Seen::at(other)) else { return false };
    let read = |path| std::fs::read(path).ok();
    a.len == b.len
        && (a.file == b.file || read(path).is_some_and(|bytes| Some(bytes) == read(other)))
}

impl Executable {
    /// Fails if workers would start another file than this process was started from.
    pub(super) fn check(&self) -> Result<()> {
        if !self.is_replaced {
            return Ok(());
        }
        let reason = format!(
            "{}, which workers start, was replaced or removed since this program began: start the program again, or \
             have what runs sent to the workers, by `Scheduler::ship_binary`",
            self.path.display()
        );
        Err(Error::Plan { reason })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_executable_is_replaced_by_other_bytes_and_not_by_a_new_time() {
        let folder = tempfile::tempdir().unwrap();
        let [runs, path] = ["runs", "path"].map(|name| folder.path().join(name));
        std::fs::write(&runs, "one build").unwrap();
        assert!(!is_same(&path, &runs), "it is removed");
        std::fs::hard_link(&runs, &path).unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert!(is_same(&path, &runs));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "one build").unwrap();
        assert!(is_same(&path, &runs), "the same build was installed again");
        std::fs::write(&path, "two build").unwrap();
        assert!(!is_same(&path, &runs));
    }
}
