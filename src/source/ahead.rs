//! Reading ahead: the next ranges of a partition are under way before they are asked for.
//!
//! All slices of a partition share one queue of ranges, in order, so that small objects are
//! fetched side by side. Whoever reads takes from its front and fills it up again at its back, as
//! long as what is fetched and not yet read stays in the budget. As only readers fill it, and the
//! front is what is read next, it cannot lock up.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use super::object::{Home, Object};
use super::pack::Slice;
use super::range::{self, Whole};
use super::store::Remote;
use crate::Result;
use crate::runtime::{REQUESTS, Task};

/// The first range that is asked for: soon there, and often enough.
const FIRST: u64 = 256 << 10;
/// What is asked for past a slice's end, where mostly one record is wanted.
const PAST: u64 = 64 << 10;
/// The longest range. Longer ones gain nothing: a request costs as much time as a MiB or two.
const LONGEST: u64 = 8 << 20;
/// The most requests of one partition at a time.
const MOST: usize = 32;

type Get = Task<Result<Option<Bytes>>>;

/// The ranges of one partition that are under way.
#[derive(Debug)]
pub(super) struct Ahead {
    slices: Vec<Slice>,
    lookback: u64,
    /// Bytes that may be fetched and not yet read.
    limit: u64,
    /// The slice and the offset to ask for next; `None`: its first.
    slice: usize,
    at: Option<u64>,
    /// How long the next range will be.
    step: u64,
    pieces: VecDeque<Piece>,
    held: u64,
}

/// A range that is under way.
#[derive(Debug)]
struct Piece {
    slice: usize,
    len: u64,
    get: Get,
}

impl Ahead {
    pub(super) fn new(slices: Vec<Slice>, lookback: u64, limit: usize) -> Self {
        Self {
            slices,
            lookback,
            limit: limit as u64,
            slice: 0,
            at: None,
            step: FIRST,
            pieces: VecDeque::new(),
            held: 0,
        }
    }

    /// The longest range, such that some fit into the budget side by side.
    fn longest(&self) -> u64 {
        (self.limit / 4).clamp(PAST, LONGEST)
    }

    /// The next range of this slice; `None` if all were taken. Gives up the slices before it.
    fn take(&mut self, slice: usize) -> io::Result<Option<Piece>> {
        while self.pieces.front().is_some_and(|p| p.slice < slice) {
            self.held -= self.pieces.pop_front().map_or(0, |p| p.len);
        }
        if self.slice < slice {
            (self.slice, self.at) = (slice, None);
        }
        self.fill()?;
        Ok(self.pieces.pop_front_if(|p| p.slice == slice))
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.pieces.len() < MOST {
            let Some((object, remote, range)) = self.next() else { break };
            let len = range.end - range.start;
            if self.held > 0 && self.held + len > self.limit {
                break;
            }
            self.at = Some(range.end);
            self.step = (self.step * 2).min(self.longest());
            self.held += len;
            let get = REQUESTS.spawn(range::get(remote, object.place(), range))?;
            self.pieces.push_back(Piece { slice: self.slice, len, get });
        }
        Ok(())
    }

    /// What to ask for next, if that is known.
    fn next(&mut self) -> Option<(Arc<Object>, Arc<Remote>, Range<u64>)> {
        loop {
            let slice = self.slices.get(self.slice)?;
            if let Home::Remote(remote) = &slice.object.home
                && !remote.whole.load(Relaxed)
            {
                let at = self.at.unwrap_or(slice.start.saturating_sub(self.lookback));
                let end = match (slice.end, remote.size()) {
                    (Some(end), Some(size)) => end.min(size),
                    (Some(end), None) | (None, Some(end)) => end,
                    // The first range tells the size.
                    (None, None) if self.at.is_none() => u64::MAX,
                    (None, None) => return None,
                };
                if at < end {
                    let step = self.step.min(self.longest());
                    let range = at..end.min(at + step);
                    return Some((Arc::clone(&slice.object), Arc::clone(remote), range));
                }
            }
            self.slice += 1;
            self.at = None;
        }
    }
}

/// The bytes of one object in a store, from some offset to its end.
#[derive(Debug)]
pub(super) struct RemoteReader {
    ahead: Arc<Mutex<Ahead>>,
    /// Its slice's place in the partition.
    index: usize,
    object: Arc<Object>,
    remote: Arc<Remote>,
    at: u64,
    /// What was fetched and is to be read next.
    bytes: Bytes,
    /// How much of the budget it takes.
    held: u64,
    get: Option<Get>,
    past: Past,
    whole: Option<Whole>,
}

impl RemoteReader {
    /// Asks for nothing before it is read from.
    pub(super) fn new(
        ahead: &Arc<Mutex<Ahead>>,
        index: usize,
        object: &Arc<Object>,
        remote: &Arc<Remote>,
        at: u64,
    ) -> Self {
        Self {
            ahead: Arc::clone(ahead),
            index,
            object: Arc::clone(object),
            remote: Arc::clone(remote),
            at,
            bytes: Bytes::new(),
            held: 0,
            get: None,
            past: Past::default(),
            whole: None,
        }
    }

    /// What comes next: a range of the slice, or one past its end; `None` at the object's end.
    fn next(&mut self) -> io::Result<Option<Get>> {
        let longest = {
            let mut ahead = lock(&self.ahead);
            ahead.held -= std::mem::take(&mut self.held);
            if let Some(piece) = ahead.take(self.index)? {
                self.held = piece.len;
                return Ok(Some(piece.get));
            }
            ahead.longest()
        };
        self.past.take(&self.object, &self.remote, self.at, longest)
    }

    /// More bytes; none at the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(whole) = &mut self.whole {
                let Some(chunk) = ready!(whole.chunks.poll_recv(cx)) else { break };
                let chunk = chunk?;
                self.bytes = chunk;
                break;
            }
            if let Some(get) = &mut self.get {
                let got = ready!(Pin::new(get).poll(cx));
                self.get = None;
                if let Some(bytes) = got?? {
                    self.bytes = bytes;
                    break;
                }
            }
            if self.remote.whole.load(Relaxed) {
                let place = self.object.place();
                self.whole = Some(Whole::start(Arc::clone(&self.remote), place)?);
                continue;
            }
            match self.next()? {
                None => break,
                get => self.get = get,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for RemoteReader {
    fn drop(&mut self) {
        lock(&self.ahead).held -= self.held;
    }
}

impl AsyncRead for RemoteReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            ready!(self.poll_more(cx))?;
        }
        let taken = self.bytes.len().min(buf.remaining());
        buf.put_slice(&self.bytes.split_to(taken));
        self.at += taken as u64;
        Poll::Ready(Ok(()))
    }
}

/// Ranges past a slice's end: small at first, as the last record is mostly short. Who reads far
/// over it (a compressed object that was cut into slices in vain) gets several at a time.
#[derive(Debug)]
struct Past {
    step: u64,
    next: u64,
    queue: VecDeque<Get>,
}

impl Default for Past {
    fn default() -> Self {
        Self { step: PAST, next: 0, queue: VecDeque::new() }
    }
}

impl Past {
    /// How many long ranges are under way at a time.
    const SIDE_BY_SIDE: usize = 3;

    fn take(
        &mut self,
        object: &Arc<Object>,
        remote: &Arc<Remote>,
        at: u64,
        longest: u64,
    ) -> io::Result<Option<Get>> {
        let size = remote.size().unwrap_or(u64::MAX);
        self.next = self.next.max(at);
        let most = if self.step >= longest { Self::SIDE_BY_SIDE } else { 1 };
        while self.queue.len() < most && self.next < size {
            let range = self.next..size.min(self.next + self.step);
            self.next = range.end;
            self.step = (self.step * 2).min(longest);
            let get = range::get(Arc::clone(remote), object.place(), range);
            self.queue.push_back(REQUESTS.spawn(get)?);
        }
        Ok(self.queue.pop_front())
    }
}

fn lock(ahead: &Mutex<Ahead>) -> MutexGuard<'_, Ahead> {
    ahead.lock().unwrap_or_else(PoisonError::into_inner)
}
