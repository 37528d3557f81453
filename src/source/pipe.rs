//! Standard input and pipes, read by a thread of their own.
//!
//! A `read(2)` on a terminal or an idle pipe may never return, and whoever drives a reader must
//! stay free to stop. So a thread reads into a short queue. It waits until there is something to
//! read, or until nobody wants more: then it ends.
//!
//! Rejected: to register pipes with the runtime of requests. Standard input may be a file, which
//! no selector takes, and its mode is shared with other processes, so it must not be changed.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use super::fetch::Feed;
use super::one_file::unblocked;
#[cfg(unix)]
use super::redirect::Redirect;
use crate::Place;

/// What a pipe holds on Linux, so one read empties a full one.
const CHUNK: usize = 64 << 10;
/// Chunks read and not yet wanted.
const QUEUE: usize = 8;

/// Whether some of standard input was read: it cannot be read again.
static STDIN_READ: AtomicBool = AtomicBool::new(false);

/// The reading end of the queue.
#[derive(Debug)]
pub(super) struct Pipe {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    /// Wakes the thread when it is dropped.
    _wanted: io::PipeWriter,
}

impl Pipe {
    /// Reads a pipe or a device. A FIFO that nobody has opened for writing is waited for.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let pipe = unblocked(path)?;
        Self::start(move |send, unwanted| {
            pump(|chunk| io::Read::read(&mut &pipe, chunk), || wait(&pipe, unwanted), send)
        })
    }

    /// Reads standard input, which messages name by this place.
    ///
    /// # Errors
    /// If some of it was read before, in this process.
    pub(super) fn stdin(place: Place) -> io::Result<Self> {
        if STDIN_READ.load(SeqCst) {
            return Err(io::Error::other(
                "an earlier computation has read it, and it can be read only once; compute \
                 together what needs it, or keep its records",
            ));
        }
        #[cfg(unix)]
        let mut file = Redirect::of_stdin(place)?;
        #[cfg(not(unix))]
        drop(place);
        Self::start(move |send, unwanted| {
            let read = |chunk: &mut [u8]| {
                #[cfg(unix)]
                let read = match &mut file {
                    Some(file) => file.read(chunk)?,
                    None => read_stdin(chunk)?,
                };
                #[cfg(not(unix))]
                let read = read_stdin(chunk)?;
                STDIN_READ.store(true, SeqCst);
                Ok(read)
            };
            pump(read, || wait(&io::stdin(), unwanted), send)
        })
    }

    fn start(
        run: impl FnOnce(&mpsc::Sender<io::Result<Vec<u8>>>, &io::PipeReader) -> io::Result<()>
        + Send
        + 'static,
    ) -> io::Result<Self> {
        let (send, chunks) = mpsc::channel(QUEUE);
        let (unwanted, wanted) = io::pipe()?;
        let thread = std::thread::Builder::new().name("creel-pipe".to_owned());
        thread.spawn(move || {
            if let Err(error) = run(&send, &unwanted) {
                let _ = send.blocking_send(Err(error));
            }
        })?;
        Ok(Self { chunks, chunk: Vec::new(), at: 0, _wanted: wanted })
    }
}

/// Reads to the end, or until nobody wants more.
fn pump(
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    wait: impl Fn() -> io::Result<bool>,
    send: &mpsc::Sender<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    while wait()? {
        let mut chunk = vec![0; CHUNK];
        let read = match read(&mut chunk) {
            Err(e)
                if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) =>
            {
                continue;
            }
            read => read?,
        };
        chunk.truncate(read);
        if read == 0 || send.blocking_send(Ok(chunk)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Waits until there is something to read, or the end; `false` if nobody wants it any more.
#[cfg(unix)]
fn wait(input: &impl std::os::fd::AsFd, unwanted: &io::PipeReader) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut fds = [PollFd::new(input, PollFlags::IN), PollFd::new(unwanted, PollFlags::IN)];
    loop {
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(fds[1].revents().is_empty()),
        }
    }
}

#[cfg(not(unix))]
fn wait<T>(_: &T, _: &io::PipeReader) -> io::Result<bool> {
    Ok(true)
}

/// Reads from standard input, past the buffer of the standard library.
#[cfg(unix)]
fn read_stdin(chunk: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(io::stdin(), chunk)?)
}

#[cfg(not(unix))]
fn read_stdin(chunk: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut io::stdin(), chunk)
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use tokio::io::AsyncReadExt;

    use super::*;

    fn fifo() -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        (root, path)
    }

    /// The descriptors of this process that are this FIFO.
    fn readers(path: &Path) -> usize {
        let links = std::fs::read_dir("/proc/self/fd").unwrap();
        links
            .filter(|fd| std::fs::read_link(fd.as_ref().unwrap().path()).is_ok_and(|to| to == path))
            .count()
    }

    #[tokio::test]
    async fn a_fifo_is_waited_for_and_read_to_the_end_of_its_writer() {
        let (_root, path) = fifo();
        let mut pipe = Pipe::open(&path).unwrap();
        let writer = std::thread::spawn(move || {
            let mut writer = File::options().write(true).open(path).unwrap();
            for _ in 0..3 {
                writer.write_all(&[b'x'; 100_000]).unwrap();
                std::thread::yield_now();
            }
        });
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes.len(), 300_000);
        writer.join().unwrap();
    }

    #[tokio::test]
    async fn a_reader_that_is_dropped_ends_its_thread_with_and_without_a_writer() {
        for with_writer in [false, true] {
            let (_root, path) = fifo();
            let mut pipe = Pipe::open(&path).unwrap();
            let mut writer = with_writer.then(|| File::options().write(true).open(&path).unwrap());
            if let Some(writer) = &mut writer {
                writer.write_all(b"x").unwrap();
                assert_eq!(pipe.read_u8().await.unwrap(), b'x');
            }
            drop(pipe);
            // Only the thread has the FIFO open for reading.
            while readers(&path) > usize::from(with_writer) {
                std::thread::yield_now();
            }
        }
    }

    #[tokio::test]
    async fn a_socket_is_an_error_at_open() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(Pipe::open(&path).unwrap_err().raw_os_error().is_some());
    }
}
