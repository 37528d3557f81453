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
    /// Where what runs is read: also if there is another file at the path.
    pub(super) image: PathBuf,
    /// Whether another file is at the path now, or none.
    pub(super) is_replaced: bool,
}

/// What the file was when the process began.
static FIRST: OnceLock<Option<Seen>> = OnceLock::new();

/// What tells a file from another one at its path.
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

/// What the system names an image that its path does not lead to any more, behind the path.
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
    let image = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let image = if image.exists() { image } else { path.clone() };
    let now = Seen::at(&path);
    let is_replaced = now.is_none()
        || image != path && now != Seen::at(&image)
        || FIRST.get().is_some_and(|first| first.is_some() && *first != now);
    Ok(Executable { path, image, is_replaced })
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
