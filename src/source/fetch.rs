//! The slices of one partition, opened one after another.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

#[cfg(feature = "cloud")]
use super::ahead::Opening;
use super::file::{Finish, LocalFile};
use super::local;
use super::object::{Home, Object};
use super::pack::{Partitions, Slice};
use super::pipe::Pipe;
use super::pool::Buffer;
#[cfg(feature = "cloud")]
use super::remote::RemoteReader;
use crate::progress::Progress;
use crate::{Error, Result};

/// Opens the slices of one partition one after another, and fetches ahead of the reader.
#[derive(Debug)]
pub(crate) struct Fetch {
    slices: Arc<[Slice]>,
    /// The slice to open next.
    next: usize,
    lookback: u64,
    progress: Arc<Progress>,
    /// What is to be looked at when the file was read that was opened last.
    finish: Option<Finish>,
    #[cfg(feature = "cloud")]
    opening: Arc<Opening>,
}

/// A slice that is being read.
pub(crate) struct Opened {
    pub(crate) slice: Slice,
    /// The offset in the object of the first byte that `bytes` gives: `lookback` before the
    /// slice's start, or 0.
    pub(crate) at: u64,
    /// The object's bytes from there on. They do not end at the slice's end, but at the
    /// object's: the last record of a slice runs over it. Reading ahead stops at the slice's end.
    pub(crate) bytes: Pin<Box<dyn Feed>>,
}

/// What bytes are read from. Some may have come in buffers, and are taken with these.
pub(crate) trait Feed: AsyncRead + Send {
    /// Takes the next bytes with the buffer that they are in, which has room in front; `None` if
    /// they are in none, or are more than `most`, or are no more: then they are to be read.
    fn poll_landed(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _most: usize,
    ) -> Poll<io::Result<Option<Buffer>>> {
        Poll::Ready(Ok(None))
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("slice", &self.slice).field("at", &self.at).finish()
    }
}

impl Fetch {
    /// `lookback`: how many bytes before a slice's start are wanted too.
    pub(crate) fn new(
        partitions: &Partitions,
        partition: usize,
        lookback: u64,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            #[cfg(feature = "cloud")]
            opening: Arc::new(partitions.ahead.open(partition, lookback)),
            slices: partitions.slices(partition),
            next: 0,
            lookback,
            progress,
            finish: None,
        }
    }

    /// Looks, when a slice was read, whether it is of the file that was listed and that the other
    /// slices are of.
    ///
    /// # Errors
    /// If it is not, or nobody can tell.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        let Some(finish) = self.finish.take() else { return Ok(()) };
        let object = finish.object();
        finish.look().await.or_else(|error| self.refuse(&object, error))
    }

    /// The next slice; `None` after the last.
    ///
    /// # Errors
    /// Whatever keeps the object from being opened. Faults met while reading come out of
    /// [`Opened::bytes`]; [`crate::Error::io`] takes the error of ours out of them.
    pub(crate) async fn open(&mut self) -> Result<Option<Opened>> {
        loop {
            let Some(slice) = self.slices.get(self.next).cloned() else { return Ok(None) };
            self.next += 1;
            match self.opened(&slice) {
                Ok(opened) => return Ok(Some(opened)),
                Err(error) => self.refuse(&slice.object, error)?,
            }
        }
    }

    /// Passes over an object that cannot be read, before a record of it was given.
    ///
    /// # Errors
    /// This error, if the policy does not allow it; see [`Missing`](super::Missing).
    pub(crate) fn refuse(&self, object: &Object, error: Error) -> Result<()> {
        object.entry().refuse(error, &self.progress)
    }

    /// Passes over the member of this number of an archive, which cannot be read.
    ///
    /// # Errors
    /// This error, if the policy does not allow it; see [`Missing`](super::Missing).
    #[cfg(feature = "tar")]
    pub(crate) fn refuse_member(&self, archive: &Object, number: u64, error: &Error) -> Result<()> {
        archive.entry().refuse_member(number, error, &self.progress)
    }

    /// Ends an archive, whose first member was refused if none was read.
    ///
    /// # Errors
    /// If nothing at all can be read, and the policy says so.
    #[cfg(feature = "tar")]
    pub(crate) fn end_archive(&self, archive: &Object, refused: Option<Error>) -> Result<()> {
        refused.map_or(Ok(()), |error| archive.entry().refuse_all(error))
    }

    /// Says that records of an object are going to be given; `false` if it was passed over as a
    /// whole, when another of its slices was opened.
    pub(crate) fn accept(object: &Object) -> bool {
        object.entry().accept()
    }

    fn opened(&mut self, slice: &Slice) -> Result<Opened> {
        let slice = slice.clone();
        let at = slice.start.saturating_sub(self.lookback);
        let progress = Arc::clone(&self.progress);
        let uncounted = slice.start - at;
        let bytes: Pin<Box<dyn Feed>> = match &slice.object.home {
            Home::File(_) => {
                let inner = LocalFile::open(&slice, at)?;
                self.finish = Some(inner.finish());
                Box::pin(Counted { inner, progress, uncounted })
            }
            Home::Pipe(path) => {
                let failed = |e| local::error(slice.object.place(), e);
                let inner = Pipe::open(path).map_err(failed)?;
                Box::pin(Counted { inner, progress, uncounted })
            }
            Home::Stdin => {
                let failed = |e| local::error(slice.object.place(), e);
                let inner = Pipe::stdin(slice.object.place()).map_err(failed)?;
                Box::pin(Counted { inner, progress, uncounted })
            }
            #[cfg(feature = "cloud")]
            Home::Remote(remote) => {
                let (opening, index) = (&self.opening, self.next - 1);
                let inner = RemoteReader::new(opening, index, &slice, remote, at);
                Box::pin(Counted { inner, progress, uncounted })
            }
        };
        Ok(Opened { slice, at, bytes })
    }
}

/// A reader that tells the progress what it delivers, but for the bytes before its slice: the
/// slice before it counts those.
struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
    uncounted: u64,
}

impl<R> Counted<R> {
    fn count(&mut self, read: usize) {
        let skipped = (read as u64).min(self.uncounted);
        self.uncounted -= skipped;
        self.progress.add_read(read as u64 - skipped);
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.count(buf.filled().len() - before);
        poll
    }
}

impl<R: Feed + Unpin> Feed for Counted<R> {
    fn poll_landed(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<Option<Buffer>>> {
        let poll = Pin::new(&mut self.inner).poll_landed(cx, most);
        if let Poll::Ready(Ok(Some(buffer))) = &poll {
            self.count(buffer.len());
        }
        poll
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::source::pack::all_slices;
    use crate::source::{Access, Partition, Pool, Source, partitions};

    async fn read(opened: Opened) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut reader = opened.bytes;
        reader.read_to_end(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn a_slice_opens_at_its_start_less_the_lookback_and_runs_to_the_objects_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let pattern = [file.path().display().to_string()];
        let objects = Source::parse(&pattern, Access::default())
            .unwrap()
            .list(&Progress::default())
            .await
            .unwrap();
        let slices = all_slices(partitions(&objects, 5, true));
        let progress = Arc::new(Progress::default());
        let partition = Partitions::new(vec![Partition::Pieces(slices)], 1 << 20, &Pool::new(0, 1));
        let mut fetch = Fetch::new(&partition, 0, 2, Arc::clone(&progress));
        let first = fetch.open().await.unwrap().unwrap();
        assert_eq!((first.at, read(first).await), (0, b"0123456789".to_vec()));
        assert_eq!(progress.bytes_read(), 10);
        let second = fetch.open().await.unwrap().unwrap();
        assert_eq!((second.at, read(second).await), (3, b"3456789".to_vec()));
        assert_eq!(progress.bytes_read(), 15);
        assert!(fetch.open().await.unwrap().is_none());
        assert_eq!(objects.at(0).unwrap().head().await.unwrap(), b"0123456789");
    }

    #[tokio::test]
    async fn a_fifo_is_one_slice_of_unknown_size() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let pattern = [path.display().to_string()];
        let objects = Source::parse(&pattern, Access::default())
            .unwrap()
            .list(&Progress::default())
            .await
            .unwrap();
        let partitions =
            Partitions::new(partitions(&objects, 1 << 20, true), 1 << 20, &Pool::new(0, 1));
        assert_eq!((partitions.len(), objects.at(0).unwrap().size()), (1, None));
        let writer = std::thread::spawn(move || std::fs::write(path, vec![b'x'; 300_000]));
        let mut fetch = Fetch::new(&partitions, 0, 0, Arc::default());
        let opened = fetch.open().await.unwrap().unwrap();
        assert_eq!(read(opened).await.len(), 300_000);
        writer.join().unwrap().unwrap();
    }
}
