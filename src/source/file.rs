//! A file, read in place: one file from its listing to its end.
//!
//! The size that a file system tells is a hint. Files of /proc say that they are empty, files of
//! /sys that they are a page long, and logs grow. So a file ends where reading it ends, unless it
//! has grown since it was listed: then it ends where it did.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::evidence::{BETWEEN, Range, SAMPLE, Sum, read_at, read_on};
use super::fetch::Feed;
use super::local::error;
use super::object::{Home, Object, io_error};
use super::one_file::{OneFile, Open};
use super::pack::Slice;
use super::version::Fate;
use crate::Result;

/// A slice of a file that is being read, from some offset on.
#[derive(Debug)]
pub(super) struct LocalFile(Arc<Mutex<Reading>>);

/// The same, for the one who looks at its end.
#[derive(Debug)]
pub(super) struct Finish(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    open: Open,
    slice: Slice,
    from: u64,
    at: u64,
    /// Of what was read, where that is to be summed.
    sum: Option<Sum>,
    /// Where the next sample may begin.
    sampled: u64,
    /// The last bytes that were read, as a sample for the end.
    tail: Vec<u8>,
    /// It may hold more than its size, so that this tells nothing.
    understated: bool,
    ended: bool,
}

impl LocalFile {
    /// Opens the file of a slice at an offset.
    ///
    /// # Errors
    /// If it cannot be opened, or is not the file that was listed and that others read.
    pub(super) fn open(slice: &Slice, from: u64) -> Result<Self> {
        let object = &slice.object;
        let divided = slice.start > 0 || slice.end.is_some();
        let open = file_of(object)?.open(divided).map_err(|fault| object.fault(fault, from))?;
        Ok(Self(Arc::new(Mutex::new(Reading {
            sum: open.live.then(Sum::default),
            open,
            slice: slice.clone(),
            from,
            at: from,
            sampled: from,
            tail: Vec::new(),
            understated: false,
            ended: false,
        }))))
    }

    /// What is to be called when the slice was read, by whoever read it through any decoder.
    pub(super) fn finish(&self) -> Finish {
        Finish(Arc::clone(&self.0))
    }
}

impl Finish {
    /// The object that was read.
    pub(super) fn object(&self) -> Arc<Object> {
        Arc::clone(&lock(&self.0).slice.object)
    }

    /// Looks whether what was read is of the file that all slices are of.
    ///
    /// # Errors
    /// If it cannot be read, or has changed.
    pub(super) async fn look(self) -> Result<()> {
        let (slice, open, read) = {
            let mut reading = lock(&self.0);
            reading.sample_tail();
            let sum = reading.sum.as_ref().map(Sum::finish);
            let fresh = reading.open.fresh;
            let read = Range { from: reading.from, to: reading.at, sum, fresh };
            (reading.slice.clone(), reading.open.clone(), read)
        };
        let (object, bounds) = (&slice.object, (slice.start, slice.end));
        let finished = file_of(object)?.finish(&open.file, bounds, read, object.known_head());
        finished.await.map_err(|fault| object.fault(fault, read.to))
    }
}

fn lock(reading: &Mutex<Reading>) -> MutexGuard<'_, Reading> {
    reading.lock().unwrap_or_else(PoisonError::into_inner)
}

fn file_of(object: &Object) -> Result<&OneFile> {
    match &object.home {
        Home::File(file) => Ok(file),
        _ => Err(error(object.place(), io::ErrorKind::Unsupported.into())),
    }
}

impl Reading {
    fn file(&self) -> io::Result<&OneFile> {
        file_of(&self.slice.object).map_err(io_error)
    }

    /// Looks, at the end that the size tells or that reading has found, at what it is.
    fn reach_end(&mut self, found: bool) -> io::Result<()> {
        let file = self.file()?;
        let listed = file.size();
        if found && self.at >= listed {
            self.ended = true;
            return Ok(());
        }
        let (fate, size) = file.fate(&self.open.file)?;
        // An early end of a file that has not changed: its size is overstated.
        let early = found && self.at < listed && fate != Fate::Same;
        if fate == Fate::Changed || early {
            return Err(self.changed());
        }
        // Its size may be understated: there is only one way to know.
        self.ended = found || size > listed;
        self.understated = !self.ended;
        Ok(())
    }

    fn changed(&self) -> io::Error {
        io_error(self.slice.object.fault(None, self.at))
    }

    /// Whether the whole file is one slice, read through a descriptor of its own.
    fn is_alone(&self) -> bool {
        self.slice.start == 0 && self.slice.end.is_none()
    }

    /// Keeps a sample of the last bytes.
    fn sample_tail(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        if let Ok(file) = self.file()
            && !tail.is_empty()
        {
            file.sample(self.at - tail.len() as u64, &tail);
        }
    }

    /// The next bytes, as many as were put there; none at the end.
    fn read(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let listed = self.file()?.size();
        if !self.understated && self.at >= listed && !self.ended {
            self.reach_end(false)?;
        }
        if self.ended || buf.remaining() == 0 {
            return Ok(());
        }
        let left = listed.saturating_sub(self.at);
        // One byte more than there should be: a read that gives no more has met the end.
        let most = if self.understated { u64::MAX } else { left.saturating_add(1) };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let room = buf.initialize_unfilled_to(most.min(buf.remaining()));
        let asked = room.len();
        // Some files that are made as they are read have no offsets.
        let mut read = match self.is_alone() {
            true => read_on(&self.open.file, room)?,
            false => read_at(&self.open.file, room, self.at)?,
        };
        if read == 0 {
            return self.reach_end(true);
        }
        let all = usize::try_from(left).unwrap_or(usize::MAX);
        if self.understated || read > all {
            // It may have grown since, by these bytes.
            self.understated = false;
            self.reach_end(false)?;
            if self.ended {
                read = read.min(all);
            }
            if read == 0 {
                return Ok(());
            }
        } else if read == all && read < asked {
            self.ended = true;
        }
        self.keep(&room[..read])?;
        buf.advance(read);
        Ok(())
    }

    /// Keeps what tells later that these bytes were read.
    fn keep(&mut self, read: &[u8]) -> io::Result<()> {
        if let Some(sum) = &mut self.sum {
            sum.write(read);
        }
        // Bytes that one read gives, from the beginning to the end, are of one content: no sample
        // has to show that later.
        let at_once = self.is_alone() && self.at == 0 && self.ended;
        if !at_once {
            if self.at >= self.sampled {
                self.file()?.sample(self.at, read);
                self.sampled = self.at + BETWEEN;
            }
            self.tail.clear();
            self.tail.extend_from_slice(&read[read.len().saturating_sub(SAMPLE)..]);
        }
        self.at += read.len() as u64;
        Ok(())
    }
}

impl Feed for LocalFile {}

impl AsyncRead for LocalFile {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(lock(&self.0).read(buf))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use tempfile::{TempDir, tempdir};
    use tokio::io::AsyncReadExt;

    use super::super::version::Version;
    use super::*;
    use crate::source::pack::all_slices;
    use crate::source::{Access, Source, partitions};
    use crate::{Error, Place, Progress};

    /// The slices of a file, of about this many bytes each.
    async fn slices(path: &Path, size: u64) -> Arc<[Slice]> {
        let pattern = [path.display().to_string()];
        let source = Source::parse(&pattern, Access::default()).unwrap();
        let objects = source.list(&Progress::default()).await.unwrap();
        all_slices(partitions(&objects, size, true))
    }

    async fn open(path: &Path) -> LocalFile {
        LocalFile::open(&slices(path, u64::MAX).await[0], 0).unwrap()
    }

    /// Reads so many bytes, or to the end.
    async fn read(file: &mut LocalFile, most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = file.take(most).read_to_end(&mut bytes).await;
        read.map_err(|error| Error::io(Place::object("?"), error)).map(|_| bytes)
    }

    /// Reads on to the end, and looks at it.
    async fn read_on(mut file: LocalFile) -> Result<Vec<u8>> {
        let bytes = read(&mut file, u64::MAX).await?;
        file.finish().look().await.map(|()| bytes)
    }

    /// Reads the bytes of a slice, and looks at its end.
    async fn read_slice(slice: &Slice) -> Result<Vec<u8>> {
        let mut file = LocalFile::open(slice, slice.start)?;
        let most = slice.end.map_or(u64::MAX, |end| end - slice.start);
        let bytes = read(&mut file, most).await?;
        file.finish().look().await.map(|()| bytes)
    }

    fn is_changed<T>(result: &Result<T>) -> bool {
        matches!(result, Err(Error::Changed { .. }))
    }

    fn set_back(path: &Path, time: SystemTime) {
        File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
    }

    /// A file of this text, written to a thousand seconds before.
    fn aged(text: &[u8]) -> (TempDir, std::path::PathBuf, SystemTime) {
        let root = tempdir().unwrap();
        let path = root.path().join("file");
        let time = SystemTime::now() - Duration::from_secs(1000);
        fs::write(&path, text).unwrap();
        set_back(&path, time);
        (root, path, time)
    }

    #[tokio::test]
    async fn a_file_that_shrinks_is_an_error_and_one_that_grows_is_read_as_it_was() {
        let root = tempdir().unwrap();
        fs::write(root.path().join("grows"), "grows").unwrap();
        fs::write(root.path().join("shrinks"), "shrinks").unwrap();
        let grows = open(&root.path().join("grows")).await;
        let shrinks = open(&root.path().join("shrinks")).await;
        fs::write(root.path().join("grows"), "grows on").unwrap();
        fs::write(root.path().join("shrinks"), "sh").unwrap();
        assert_eq!(read_on(grows).await.unwrap(), b"grows");
        let error = read_on(shrinks).await.unwrap_err();
        assert!(matches!(&error, Error::Changed { place } if place.offset == Some(2)), "{error}");
    }

    #[tokio::test]
    async fn a_file_written_anew_between_listing_and_reading_is_an_error() {
        let (_root, path, _) = aged(b"file");
        let slices = slices(&path, u64::MAX).await;
        set_back(&path, SystemTime::UNIX_EPOCH);
        assert!(is_changed(&LocalFile::open(&slices[0], 0)));
    }

    #[tokio::test]
    async fn bytes_that_change_between_the_reading_of_slices_are_an_error_however_few_they_are() {
        let old = b"0123456789abcde\n".repeat(1 << 16);
        let mut new = old.clone();
        // No sample is taken of these, and one of them was read.
        (new[1000], new[old.len() - 1000]) = (b'x', b'x');
        let longer = [&new[..], b"more\n"].concat();
        for (written, back) in [(&longer, false), (&longer, true), (&new, false), (&new, true)] {
            for order in [[0, 1, 2], [0, 2, 1], [2, 1, 0], [2, 0, 1]] {
                let (_root, path, time) = aged(&old);
                let slices = slices(&path, 400_000).await;
                assert_eq!(slices.len(), 3);
                read_slice(&slices[order[0]]).await.unwrap();
                fs::write(&path, written).unwrap();
                if back {
                    set_back(&path, time);
                }
                let middle = read_slice(&slices[order[1]]).await;
                let last = read_slice(&slices[order[2]]).await;
                assert!(is_changed(&middle) || is_changed(&last), "{order:?} {back}");
            }
        }
    }

    #[tokio::test]
    async fn bytes_that_change_while_a_file_of_one_slice_is_read_are_an_error() {
        let old = b"0123456789abcde\n".repeat(1 << 16);
        let mut new = old.clone();
        (new[1000], new[old.len() - 1000]) = (b'x', b'x');
        let (_root, path, time) = aged(&old);
        let mut file = open(&path).await;
        read(&mut file, 500_000).await.unwrap();
        fs::write(&path, new).unwrap();
        set_back(&path, time);
        assert!(is_changed(&read_on(file).await));
    }

    #[tokio::test]
    async fn a_log_that_grows_and_bytes_that_are_written_as_they_stood_are_no_change() {
        let old = b"0123456789abcde\n".repeat(1 << 16);
        let (_root, path, _) = aged(&old);
        let slices = slices(&path, 400_000).await;
        let mut bytes = Vec::new();
        for slice in slices.iter() {
            bytes.extend(read_slice(slice).await.unwrap());
            let more = [&fs::read(&path).unwrap()[..], b"more\n"].concat();
            fs::write(&path, more).unwrap();
        }
        assert_eq!(bytes, old);
        let (_root, path, _) = aged(&old);
        let mut file = open(&path).await;
        let first = read(&mut file, 1000).await.unwrap();
        fs::write(&path, &old).unwrap();
        assert_eq!([first, read_on(file).await.unwrap()].concat(), old);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_is_read_to_its_end_whatever_becomes_of_its_name() {
        let old = b"old text\n".repeat(1000);
        let new = b"new text\n".repeat(1000);
        type Change<'a> = &'a dyn Fn(&Path, &Path);
        let fates: [Change<'_>; 6] = [
            &|path, other| fs::rename(path, other).unwrap(),
            &|path, _| fs::remove_file(path).unwrap(),
            &|path, other| {
                fs::write(other, &new).unwrap();
                let time = fs::metadata(path).unwrap().modified().unwrap();
                set_back(other, time);
                fs::rename(other, path).unwrap();
            },
            &|path, _| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            },
            &|path, _| {
                fs::remove_file(path).unwrap();
                assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
            },
            &|path, other| {
                fs::rename(path, other).unwrap();
                std::os::unix::fs::symlink(other, path).unwrap();
            },
        ];
        for (number, fate) in fates.iter().enumerate() {
            let (root, path, _) = aged(&old);
            let slices = slices(&path, 4000).await;
            let mut bytes = read_slice(&slices[0]).await.unwrap();
            let mut second = LocalFile::open(&slices[1], slices[1].start).unwrap();
            fate(&path, &root.path().join("other"));
            let most = slices[1].end.unwrap() - slices[1].start;
            bytes.extend(read(&mut second, most).await.unwrap());
            second.finish().look().await.unwrap();
            bytes.extend(read_slice(&slices[2]).await.unwrap());
            assert_eq!(bytes, old, "{number}");
            assert!(!path.is_file() || number == 2 || number == 5);
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_name_that_is_no_file_any_more_when_reading_begins_is_an_error_at_once() {
        let (_root, path, _) = aged(b"file");
        let slices = slices(&path, u64::MAX).await;
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(is_changed(&LocalFile::open(&slices[0], 0)));
        fs::remove_file(&path).unwrap();
        assert!(matches!(LocalFile::open(&slices[0], 0), Err(Error::NotFound { .. })));
    }

    #[tokio::test]
    async fn a_file_that_was_read_may_change_before_it_is_read_again() {
        let (_root, path, _) = aged(b"old text");
        let slices = slices(&path, 4).await;
        for text in [&b"old text"[..], b"new text"] {
            let halves = (read_slice(&slices[1]).await, read_slice(&slices[0]).await);
            assert_eq!([halves.1.unwrap(), halves.0.unwrap()].concat(), text);
            // It is longer, as a log that goes on.
            fs::write(&path, "new text and more").unwrap();
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn files_with_sizes_that_tell_nothing_are_read_to_their_ends() {
        for name in ["/proc/version", "/proc/uptime", "/proc/self/status"] {
            let text = read_on(open(Path::new(name)).await).await.unwrap();
            assert!(text.ends_with(b"\n"), "{name}");
        }
        let page = Path::new("/sys/class/net/lo/address");
        if page.exists() {
            let slices = slices(page, u64::MAX).await;
            assert_eq!(slices[0].object.size(), Some(4096));
            assert_eq!(read_slice(&slices[0]).await.unwrap(), b"00:00:00:00:00:00\n");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn another_file_in_the_place_of_the_one_listed_is_an_error() {
        for now in ["old", "new and longer"] {
            let (root, path, time) = aged(b"old");
            let slices = slices(&path, u64::MAX).await;
            // Or it would be the other's time as well.
            while Version::of(&fs::metadata(&path).unwrap()).is_fresh() {}
            let other = root.path().join("other");
            fs::write(&other, now).unwrap();
            set_back(&other, time);
            fs::rename(&other, &path).unwrap();
            assert!(is_changed(&LocalFile::open(&slices[0], 0)), "{now}");
        }
    }
}
