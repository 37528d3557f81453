//! Standard input and pipes, read by a thread of their own.
//!
//! A `read(2)` on a terminal or an idle pipe may never return, and whoever drives a reader must
//! stay free to stop. So a thread reads into a short queue; when nobody wants more it ends with
//! its next read, at the latest with the process.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use super::fetch::Feed;

/// What a pipe holds on Linux, so one read empties a full one.
const CHUNK: usize = 64 << 10;
/// Chunks read and not yet wanted.
const QUEUE: usize = 8;

/// The reading end of the queue.
#[derive(Debug)]
pub(super) struct Pipe {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Pipe {
    /// Starts the thread, which opens the pipe too: opening a FIFO waits for its writer.
    pub(super) fn start<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> io::Result<Self> {
        let (send, chunks) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("creel-pipe".to_owned());
        thread.spawn(move || {
            if let Err(error) = open().and_then(|input| pump(input, &send)) {
                let _ = send.blocking_send(Err(error));
            }
        })?;
        Ok(Self { chunks, chunk: Vec::new(), at: 0 })
    }
}

/// Reads to the end, or until nobody wants more.
fn pump(mut input: impl Read, send: &mpsc::Sender<io::Result<Vec<u8>>>) -> io::Result<()> {
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = match input.read(&mut chunk) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        chunk.truncate(read);
        if read == 0 || send.blocking_send(Ok(chunk)).is_err() {
            return Ok(());
        }
    }
}

impl Feed for Pipe {}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at == self.chunk.len() {
            match ready!(self.chunks.poll_recv(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(chunk) => self.chunk = chunk?,
            }
            self.at = 0;
        }
        let rest = &self.chunk[self.at..];
        let taken = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..taken]);
        self.at += taken;
        Poll::Ready(Ok(()))
    }
}
