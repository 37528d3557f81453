//! A file, opened once for all who read it.
//!
//! The slices of a file are opened one after another, and its name may lead to another file by then, or
//! nowhere, as that of a log does. So whoever opens a slice before the last keeps the file open for those
//! that follow, and what is read is what was there when the first slice was opened.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A file that readers share.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// For slices that will be opened.
    kept: Option<Arc<File>>,
    /// As long as somebody reads it.
    read: Weak<File>,
}

impl Held {
    /// The file that is open, or the one at this path. It stays open if more of it is to be read.
    pub(super) fn open(&self, path: &Path, more: bool) -> io::Result<Arc<File>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match state.read.upgrade() {
            Some(file) => file,
            None => Arc::new(open(path)?),
        };
        state.read = Arc::downgrade(&file);
        state.kept = more.then(|| Arc::clone(&file));
        Ok(file)
    }

    /// The same, without a say in whether it stays open.
    pub(super) fn look(&self, path: &Path) -> io::Result<Arc<File>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.read.upgrade().map_or_else(|| open(path).map(Arc::new), Ok)
    }
}

/// Opens a file to read, and never waits for a writer: a pipe may stand in its place by now.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.read(true).open(path)
}

/// Reads from an offset, and moves no other reader.
#[cfg(unix)]
pub(super) fn read_at(file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, room, at)
}

/// Reads from an offset; it is the only reader of this file.
#[cfg(not(unix))]
pub(super) fn read_at(mut file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    use std::io::{Read, Seek};
    file.seek(io::SeekFrom::Start(at))?;
    file.read(room)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::time::{Duration, SystemTime};

    use tempfile::tempdir;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::source::file::LocalFile;
    use crate::source::{Access, Object, Source};
    use crate::{Error, Progress};

    async fn listed(path: &Path) -> Arc<Object> {
        let pattern = [path.display().to_string()];
        let source = Source::parse(&pattern, Access::default()).unwrap();
        source.list(&Progress::default()).await.unwrap().remove(0)
    }

    fn write(path: &Path, text: &str, modified: SystemTime) {
        fs::write(path, text).unwrap();
        File::options().append(true).open(path).unwrap().set_modified(modified).unwrap();
    }

    fn fifo(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    /// What may happen to the name of a file.
    const FATES: [fn(&Path); 4] = [
        |path| fs::rename(path, path.with_extension("1")).unwrap(),
        |path| fs::remove_file(path).unwrap(),
        |path| fs::rename(path.with_extension("other"), path).unwrap(),
        |path| {
            fs::remove_file(path).unwrap();
            fifo(path);
        },
    ];

    #[tokio::test]
    async fn a_file_is_one_file_from_its_first_slice_to_its_last_whatever_its_name_becomes() {
        for befall in FATES {
            let root = tempdir().unwrap();
            let path = root.path().join("file");
            let aged = SystemTime::now() - Duration::from_secs(1000);
            write(&path, &"old text\n".repeat(1000), aged);
            write(&path.with_extension("other"), &"new text\n".repeat(1000), aged);
            let object = listed(&path).await;
            let read = async |from: u64, more: bool, to: usize| {
                let mut bytes = vec![0; to];
                let mut file = LocalFile::open(&object, from, more).unwrap();
                file.read_exact(&mut bytes).await.unwrap();
                let mut rest = Vec::new();
                if !more {
                    file.read_to_end(&mut rest).await.unwrap();
                }
                String::from_utf8([bytes, rest].concat()).unwrap()
            };
            assert_eq!(read(0, true, 90).await, "old text\n".repeat(10));
            befall(&path);
            assert_eq!(object.head().await.unwrap(), &"old text\n".repeat(456).as_bytes()[..4096]);
            assert_eq!(read(900, true, 900).await, "old text\n".repeat(100));
            assert_eq!(read(1800, false, 900).await, "old text\n".repeat(800));
        }
    }

    #[tokio::test]
    async fn what_takes_the_place_of_a_listed_file_is_not_read_for_it() {
        for befall in [FATES[2], FATES[3]] {
            let root = tempdir().unwrap();
            let path = root.path().join("file");
            let aged = SystemTime::now() - Duration::from_secs(1000);
            write(&path, "old text\n", aged);
            write(&path.with_extension("other"), "new text\n", aged);
            let object = listed(&path).await;
            // Clocks of file systems tick a few times in a hundredth of a second.
            std::thread::sleep(Duration::from_millis(50));
            befall(&path);
            let error = LocalFile::open(&object, 0, false).unwrap_err();
            assert!(matches!(error, Error::Changed { .. }), "{error}");
        }
    }
}
