//! The bytes of an archive as they are stored, and how far they were read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, BufReader, ReadBuf};

use super::super::cut::Bytes;
use crate::error::{Place, printable};
use crate::{Error, Result};

/// A block of an archive: headers are one, and contents are padded to one.
const BLOCK: usize = 512;
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
/// The most that the headers of one member may take, as they are kept in memory.
const LONGEST_HEADERS: u64 = 8 << 20;

/// How far an archive was read; shared by its reader and its members.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes read so far.
    pub(super) read: Arc<AtomicU64>,
    /// No more can be read, and somebody was told.
    pub(super) broken: AtomicBool,
    ended: AtomicBool,
    /// How many of the last bytes are zeros.
    zeros: AtomicU64,
    headers: AtomicBool,
    /// Where the headers of the next member begin.
    headers_from: AtomicU64,
}

impl Progress {
    /// From here on headers are read.
    pub(super) fn begin_headers(&self) {
        self.headers_from.fetch_max(self.read.load(Relaxed), Relaxed);
        self.headers.store(true, Relaxed);
    }

    /// From here on a member is read, which ends at this byte. What nobody reads of it is no header.
    pub(super) fn end_headers(&self, end: u64) {
        self.headers_from.store(end, Relaxed);
        self.headers.store(false, Relaxed);
    }

    /// Whether the bytes end with a block of zeros, as archives do.
    pub(super) fn has_end_mark(&self) -> bool {
        self.zeros.load(Relaxed) >= BLOCK as u64
    }

    /// The error for an archive that ends too early.
    pub(super) fn truncated(&self, place: Place) -> Error {
        Error::Truncated { place, codec: "tar", at: self.read.load(Relaxed) }
    }

    /// The error for what the reader of the archive said.
    pub(super) fn fault(&self, place: Place, error: io::Error) -> Error {
        if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            return Error::io(place, error);
        }
        if self.ended.load(Relaxed) {
            return self.truncated(place);
        }
        let (read, why) = (self.read.load(Relaxed), printable(&error.to_string()));
        let reason =
            format!("tar archive damaged before byte {read} of it ({why}); fetch it again");
        Error::Corrupt { place, reason }
    }
}

/// The bytes of an archive.
pub(super) struct Stored {
    bytes: BufReader<Bytes>,
    progress: Arc<Progress>,
    /// Headers that were read together, and how much of them was given. The reader of archives
    /// forgets where it is if the blocks of a sparse member's map do not come at once.
    block: Vec<u8>,
    given: usize,
    gathering: bool,
}

impl Stored {
    pub(super) fn new(bytes: Bytes, progress: Arc<Progress>) -> Self {
        let bytes = BufReader::with_capacity(CHUNK, bytes);
        Self { bytes, progress, block: Vec::new(), given: 0, gathering: false }
    }

    /// Reads on; counts what was read.
    fn poll_stored(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.bytes).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        let progress = &self.progress;
        if read.is_empty() {
            progress.ended.store(true, Relaxed);
            return Poll::Ready(Ok(()));
        }
        let zeros = read.iter().rev().take_while(|byte| **byte == 0).count();
        let zeros_before = if zeros == read.len() { progress.zeros.load(Relaxed) } else { 0 };
        progress.zeros.store(zeros_before + zeros as u64, Relaxed);
        let total = progress.read.fetch_add(read.len() as u64, Relaxed) + read.len() as u64;
        let headers = total.saturating_sub(progress.headers_from.load(Relaxed));
        // Zeros between archives are no headers.
        if progress.headers.load(Relaxed) && headers > LONGEST_HEADERS && zeros < read.len() {
            return Poll::Ready(Err(io::Error::other(
                "the headers of a member are over 8 MiB long",
            )));
        }
        Poll::Ready(Ok(()))
    }

    /// Reads a header, and the blocks that go on with it.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        while self.block.is_empty()
            || !self.block.len().is_multiple_of(BLOCK)
            || goes_on(&self.block)
        {
            let mut read = [0; BLOCK];
            let mut read = ReadBuf::new(&mut read[..BLOCK - self.block.len() % BLOCK]);
            ready!(self.poll_stored(cx, &mut read))?;
            if read.filled().is_empty() {
                break;
            }
            self.block.extend_from_slice(read.filled());
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether the map of a sparse member goes on in the next block.
fn goes_on(blocks: &[u8]) -> bool {
    let sparse = blocks.get(156) == Some(&b'S') && blocks.get(257..263) == Some(b"ustar ");
    let flag = if blocks.len() == BLOCK { 482 } else { blocks.len() - BLOCK + 504 };
    sparse && blocks[flag] == 1
}

impl AsyncRead for Stored {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let headers = this.progress.headers.load(Relaxed);
        if this.given == this.block.len() && !this.gathering {
            if !headers || buf.remaining() != BLOCK {
                return this.poll_stored(cx, buf);
            }
            this.block.clear();
            (this.given, this.gathering) = (0, true);
        }
        if this.gathering {
            ready!(this.poll_gather(cx))?;
            this.gathering = false;
        }
        let rest = &this.block[this.given..];
        let some = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..some]);
        this.given += some;
        Poll::Ready(Ok(()))
    }
}
