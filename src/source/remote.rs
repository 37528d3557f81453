//! An object in a store as a stream of bytes, over the ranges that are fetched ahead.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};

use super::ahead::{Opening, Piece};
use super::fetch::Feed;
use super::known::Remote;
use super::landing::Chunk;
use super::object::Object;
use super::pack::Slice;
use super::pool::Buffer;
use super::range::Body;
use super::refused::corrupt;
use super::sums::Summing;

/// The second range past a slice's end; each is four times the one before.
const PAST: u64 = 256 << 10;

/// The bytes of one object in a store, from some offset to its end.
#[derive(Debug)]
pub(super) struct RemoteReader {
    opening: Arc<Opening>,
    /// Its slice's place in the partition.
    slice: usize,
    object: Arc<Object>,
    remote: Arc<Remote>,
    at: u64,
    /// What came and is to be read next.
    bytes: Chunk,
    piece: Option<Piece>,
    /// How long the next range past the slice's end is.
    past: u64,
    /// The rest of the object, if its server ignores ranges.
    whole: Option<Body>,
    /// The checksum of what came.
    sum: Summing,
    /// Since when nothing has come.
    waiting: Option<Instant>,
}

impl RemoteReader {
    /// Asks for nothing before it is read from. `index`: the slice's place in the partition.
    pub(super) fn new(
        opening: &Arc<Opening>,
        index: usize,
        slice: &Slice,
        remote: &Arc<Remote>,
        at: u64,
    ) -> Self {
        Self {
            opening: Arc::clone(opening),
            slice: index,
            object: Arc::clone(&slice.object),
            remote: Arc::clone(remote),
            at,
            bytes: Chunk::default(),
            piece: None,
            past: PAST,
            whole: None,
            sum: Summing::new(slice.start, slice.end),
            waiting: None,
        }
    }

    /// What comes next: a range of the slice, or one past its end; `None` at the object's end.
    fn next(&mut self) -> io::Result<Option<Piece>> {
        if let Some(piece) = self.opening.take(self.slice)? {
            return Ok(Some(piece));
        }
        let end = self.remote.size().unwrap_or(u64::MAX);
        if self.at >= end {
            return Ok(None);
        }
        let range = self.at..end.min(self.at.saturating_add(self.past));
        self.past = self.past.saturating_mul(4);
        self.opening.past(self.slice, range)
    }

    /// Sees to it that there are bytes; there are none at the end.
    fn poll_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if self.piece.as_ref().is_some_and(|piece| self.at >= piece.end) {
            self.leave();
        }
        self.poll_more(cx)
    }

    /// More bytes; none at the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(whole) = &mut self.whole {
                if let Some(chunk) = ready!(whole.poll_next(cx)) {
                    self.bytes = chunk?;
                }
                return Poll::Ready(Ok(()));
            }
            if let Some(piece) = &mut self.piece {
                let next = match piece.body.poll_next(cx) {
                    Poll::Pending => {
                        self.waiting.get_or_insert_with(Instant::now);
                        return Poll::Pending;
                    }
                    Poll::Ready(next) => next.transpose()?,
                };
                if let Some(mut chunk) = next {
                    let left = usize::try_from(piece.end - self.at).unwrap_or(usize::MAX);
                    chunk.truncate(left);
                    let waited = if piece.is_long() { waited(&mut self.waiting) } else { None };
                    let waited = waited.unwrap_or_default();
                    self.opening.read(piece, self.at, chunk.len(), waited)?;
                    let Remote { sums, .. } = &*self.remote;
                    let (tag, size) = (self.remote.tag(), self.remote.size());
                    if let Some(wrong) = self.sum.add(sums, tag, size, self.at, &chunk) {
                        let place = self.object.place().at(self.at);
                        return Poll::Ready(Err(corrupt(place, &wrong).into()));
                    }
                    self.bytes = chunk;
                    return Poll::Ready(Ok(()));
                }
                self.leave();
                // The server has no more: the object ends here.
                if self.remote.size().is_some_and(|size| self.at >= size) {
                    return Poll::Ready(Ok(()));
                }
            }
            if self.remote.whole.load(Relaxed) {
                let (remote, place) = (Arc::clone(&self.remote), self.object.place());
                self.whole = Some(Body::whole(remote, place, self.at)?);
                continue;
            }
            match self.next()? {
                None => return Poll::Ready(Ok(())),
                piece => self.piece = piece,
            }
        }
    }

    /// Gives up the current piece.
    fn leave(&mut self) {
        if let Some(piece) = self.piece.take() {
            self.opening.done(piece, waited(&mut self.waiting).unwrap_or_default());
        }
    }
}

/// How long nothing came, until now.
fn waited(waiting: &mut Option<Instant>) -> Option<Duration> {
    waiting.take().map(|since| since.elapsed())
}

impl Drop for RemoteReader {
    fn drop(&mut self) {
        self.leave();
    }
}

impl AsyncRead for RemoteReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_some(cx))?;
        let taken = self.bytes.len().min(buf.remaining());
        buf.put_slice(&self.bytes[..taken]);
        self.bytes.advance(taken);
        self.at += taken as u64;
        Poll::Ready(Ok(()))
    }
}

impl Feed for RemoteReader {
    fn poll_landed(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<Option<Buffer>>> {
        ready!(self.poll_some(cx))?;
        let landed = self.bytes.take_landed(most);
        self.at += landed.as_ref().map_or(0, |buffer| buffer.len() as u64);
        Poll::Ready(Ok(landed))
    }
}
