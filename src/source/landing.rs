//! The way of bytes from a request to their reader, in which so many may wait.
//!
//! The client reads from its connection into a buffer and lends parts of it; while one of them
//! waits for a reader, the buffer cannot be used again, and each read needs a new one. So what
//! makes a block is copied at once, while it is in the cache, into a buffer that its reader takes
//! as it is. Fewer bytes are not worth such a buffer, and are handed on as they came.

use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::pool::{Buffer, Pool};
use crate::{Error, Result};

/// Bytes that came.
#[derive(Debug)]
pub(super) enum Chunk {
    Lent(Bytes),
    Landed(Buffer),
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Lent(Bytes::new())
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Landed(buffer) => buffer,
        }
    }
}

impl Chunk {
    pub(super) fn truncate(&mut self, length: usize) {
        match self {
            Self::Lent(bytes) => bytes.truncate(length),
            Self::Landed(buffer) => buffer.truncate(length),
        }
    }

    /// Drops the first bytes.
    pub(super) fn advance(&mut self, length: usize) {
        match self {
            Self::Lent(bytes) => bytes.advance(length),
            Self::Landed(buffer) => buffer.advance(length),
        }
    }

    /// The bytes with the buffer that they landed in, if there is one and it holds some, but no
    /// more than `most`.
    pub(super) fn take_landed(&mut self, most: usize) -> Option<Buffer> {
        match self {
            Self::Landed(buffer) if (1..=most).contains(&buffer.len()) => {
                Some(std::mem::take(buffer))
            }
            _ => None,
        }
    }
}

/// A chunk, and the room that it takes until it is read; `None` after the last. A way that closes
/// without this has not ended: who sent has gone.
type Sent = Result<Option<(Chunk, OwnedSemaphorePermit)>>;

/// A way in which so many bytes may wait. They land in buffers of this pool, if there is one and
/// the room is that of a block.
pub(super) fn way(room: usize, pool: Option<Pool>) -> (Outlet, Inlet) {
    let (send, chunks) = mpsc::unbounded_channel();
    let pool = pool.filter(|pool| pool.blocksize() <= room);
    let (most, room) = (room, Arc::new(Semaphore::new(room)));
    (Outlet { send, room, most, pool, landed: None }, Inlet { chunks, ended: false })
}

/// Where bytes are read from.
#[derive(Debug)]
pub(super) struct Inlet {
    chunks: mpsc::UnboundedReceiver<Sent>,
    ended: bool,
}

impl Inlet {
    /// The next bytes; `None` at the end.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let sent = ready!(self.chunks.poll_recv(cx)).unwrap_or_else(|| Err(Error::Cancelled));
        self.ended = !matches!(sent, Ok(Some(_)));
        Poll::Ready(sent.map(|sent| sent.map(|(chunk, _room)| chunk)).transpose())
    }
}

/// Where bytes are sent.
pub(super) struct Outlet {
    send: mpsc::UnboundedSender<Sent>,
    /// Bytes that may be sent and not yet taken.
    room: Arc<Semaphore>,
    most: usize,
    pool: Option<Pool>,
    /// A buffer that is not full yet, and the room of a full one.
    landed: Option<(Buffer, OwnedSemaphorePermit)>,
}

impl Outlet {
    /// Hands on bytes when there is room for them; `false` if nobody wants them any more.
    pub(super) async fn send(&mut self, bytes: Bytes) -> bool {
        match self.pool.clone() {
            Some(pool) => self.land(&bytes, &pool).await.is_some(),
            None => self.lend(bytes).await.is_some(),
        }
    }

    async fn lend(&mut self, mut bytes: Bytes) -> Option<()> {
        while !bytes.is_empty() {
            // One that is longer than the room would wait for ever.
            let part = bytes.split_to(bytes.len().min(self.most));
            let room = self.wait(part.len()).await?;
            self.send.send(Ok(Some((Chunk::Lent(part), room)))).ok()?;
        }
        Some(())
    }

    async fn land(&mut self, mut bytes: &[u8], pool: &Pool) -> Option<()> {
        while !bytes.is_empty() {
            // All that came before is on its way: what the reader waits for never waits for it.
            if self.landed.is_none() {
                let room = self.wait(pool.blocksize()).await?;
                self.landed = Some((pool.take_to_land(), room));
            }
            let (buffer, _) = self.landed.as_mut()?;
            let (part, rest) = bytes.split_at(bytes.len().min(pool.blocksize() - buffer.len()));
            buffer.extend(part);
            bytes = rest;
            if buffer.len() == pool.blocksize() {
                self.hand_on()?;
            }
        }
        Some(())
    }

    /// Waits for room; `None` never comes, as nobody closes it.
    async fn wait(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_many_owned(bytes as u32).await.ok()
    }

    /// Sends the buffer, however full it is.
    fn hand_on(&mut self) -> Option<()> {
        let Some((buffer, room)) = self.landed.take() else { return Some(()) };
        self.send.send(Ok(Some((Chunk::Landed(buffer), room)))).ok()
    }

    /// Nothing more comes, or this error. Nobody may want it any more.
    pub(super) fn end(mut self, result: Result<()>) {
        self.hand_on();
        let _ = self.send.send(result.map(|()| None));
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use proptest::prelude::*;

    use super::*;
    use crate::Place;

    proptest! {
        #[test]
        fn whatever_comes_lands_and_a_reader_of_one_chunk_at_a_time_gets_it_all(
            chunks in prop::collection::vec(0..700_usize, 0..20),
            room in 1..2_000_usize,
            blocksize in 64..500_usize,
        ) {
            let whole: Vec<u8> = (0..chunks.iter().sum()).map(|i| (i % 251) as u8).collect();
            let pool = Pool::new(blocksize, 1);
            let (mut out, mut inlet) = way(room, Some(pool));
            let send = async {
                let mut rest = Bytes::from(whole.clone());
                for chunk in &chunks {
                    assert!(out.send(rest.split_to(*chunk)).await);
                }
                out.end(Err(Error::Changed { place: Place::object("x") }));
            };
            let read = async {
                let (mut bytes, mut landed) = (Vec::new(), Vec::new());
                while let Some(chunk) = poll_fn(|cx| inlet.poll_next(cx)).await {
                    let Ok(chunk) = chunk else { break };
                    landed.extend(matches!(chunk, Chunk::Landed(_)).then_some(chunk.len()));
                    bytes.extend_from_slice(&chunk);
                    tokio::task::yield_now().await;
                }
                (bytes, landed)
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let ((), (bytes, landed)) = runtime.block_on(async { tokio::join!(send, read) });
            prop_assert!(bytes == whole);
            let expected = if blocksize <= room { whole.len().div_ceil(blocksize) } else { 0 };
            prop_assert_eq!(landed.len(), expected);
            prop_assert!(landed.iter().rev().skip(1).all(|&length| length == blocksize));
        }
    }

    #[test]
    fn an_end_is_one_that_was_told() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (out, mut inlet) = way(250, None);
            out.end(Ok(()));
            for _ in 0..2 {
                assert!(poll_fn(|cx| inlet.poll_next(cx)).await.is_none());
            }
            let (out, mut inlet) = way(250, None);
            drop(out);
            assert!(poll_fn(|cx| inlet.poll_next(cx)).await.is_some_and(|told| told.is_err()));
            assert!(poll_fn(|cx| inlet.poll_next(cx)).await.is_none());
        });
    }

    #[test]
    fn no_more_waits_than_there_is_room_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut out, mut inlet) = way(250, Some(Pool::new(100, 1)));
            // Two buffers are all that may wait, and the third is not begun.
            assert!(out.send(Bytes::from(vec![0; 200])).await);
            let mut third = Box::pin(out.send(Bytes::from(vec![0; 1])));
            assert!(futures::poll!(&mut third).is_pending());
            let first = poll_fn(|cx| inlet.poll_next(cx)).await.unwrap().unwrap();
            assert_eq!(first.len(), 100);
            assert!(third.await);
            drop(inlet);
            assert!(!out.send(Bytes::from(vec![0; 100])).await, "nobody wants it");
        });
    }
}
