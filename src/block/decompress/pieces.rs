//! Pieces of compressed data, decoded by whoever has time, and given in order.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::oneshot;

use super::super::Undecoded;
use super::super::cut::Bytes;
use super::super::window::{Cutter, Grant, Kept};
use super::Object;
use super::ahead::Ahead;

/// The most that one piece may hold, decoded: one that turns out to hold more is decoded alone,
/// bit by bit, so that a few bytes which stand for very many do not fill the memory of each lane.
pub(super) const LARGEST_PIECE: usize = 16 << 20;

/// The largest buffer that is kept to decode into: as large as pieces mostly are.
const LARGEST_SPARE: usize = 4 << 20;

/// A format whose data can be cut into pieces that are decoded by themselves.
pub(super) trait Format: Send + 'static {
    /// A piece, and all that it takes to decode it.
    type Piece: Send + 'static;
    /// What is known of a piece once it is decoded.
    type Seen: Send + 'static;

    /// Cuts off the next piece.
    fn cut(&mut self, ahead: &Ahead) -> Cut<Self::Piece>;

    /// The bytes of memory that a piece takes at most while it is decoded.
    fn needs(piece: &Self::Piece) -> u64;

    /// Decodes a piece, of which nothing else is known yet, in memory that is kept for others; `None` for
    /// one that cannot be.
    fn decode(piece: Self::Piece, out: &mut Vec<u8>, kept: &Kept) -> Option<Self::Seen>;

    /// Whether a piece is indeed what comes next, now that all before it are known to be right.
    fn settle(&mut self, seen: Self::Seen) -> bool;

    /// The offset of the first compressed byte that is not decoded and settled.
    fn settled(&self) -> u64;

    /// Reads on from there, one piece after another; `given` bytes were made of what stands before.
    fn alone(self, ahead: Ahead, object: Object, given: u64) -> Bytes;
}

/// What a format finds ahead.
pub(super) enum Cut<P> {
    Piece(P),
    /// More bytes are needed to tell; never if there are none.
    More,
    /// The end, or something that cannot be cut.
    Alone,
}

/// Hands out the pieces of one stream.
pub(in super::super) trait Shared: Send + Sync {
    /// From now on who reads the stream waits for pieces that lanes decode, `lanes` of them, and
    /// decodes none himself. Whether there may be such pieces still.
    fn share(&self, lanes: usize) -> bool;

    /// The next piece to decode; `None` if no more may be out at once, or ever.
    fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<Option<Undecoded>>;
}

/// The pieces of an object.
pub(super) struct Pieces<F: Format> {
    /// `None` once the rest is read alone.
    cutting: Option<Cutting<F>>,
    alone: Option<Bytes>,
    object: Object,
    /// Bytes that were decoded and are being given.
    bytes: Vec<u8>,
    at: usize,
    /// Bytes given before those.
    given: u64,
}

struct Cutting<F: Format> {
    format: F,
    ahead: Ahead,
    /// The pieces that were cut off and not settled yet.
    out: VecDeque<oneshot::Receiver<Decoded<F::Seen>>>,
    /// How many there may be; none, as long as each is decoded where it is read.
    most: usize,
    /// Asks for the memory of each piece; `None` if nothing bounds it.
    cutter: Option<Cutter>,
    /// A piece that was cut off, until there is memory for it.
    next: Option<F::Piece>,
    /// There is nothing more to cut off.
    all_cut: bool,
}

/// A decoded piece: its bytes, and the grant for them until they are given; `None` if it cannot be decoded.
type Decoded<S> = Option<(S, Vec<u8>, Option<Grant>)>;

impl<F: Format> Pieces<F> {
    pub(super) fn all(format: F, bytes: Bytes, object: Object) -> (Bytes, Option<Arc<dyn Shared>>) {
        let (ahead, out) = (Ahead::new(bytes), VecDeque::new());
        let cutter = object.windows.enter(object.end);
        let (next, all_cut) = (None, false);
        let cutting = Some(Cutting { format, ahead, out, most: 0, cutter, next, all_cut });
        let bytes = Vec::new();
        let pieces = Self { cutting, alone: None, object, bytes, at: 0, given: 0 };
        let shared = Arc::new(Mutex::new(pieces));
        (Box::pin(InOrder(Arc::clone(&shared))), Some(shared))
    }

    /// Gives bytes of what was decoded; whether there were any.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let rest = &self.bytes[self.at..];
        let some = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..some]);
        self.at += some;
        some > 0
    }

    /// Takes the bytes of the next piece, or goes on alone.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(cutting) = &mut self.cutting else { return Poll::Ready(()) };
        let mut right = false;
        if let Some(next) = cutting.out.front_mut() {
            // Of a piece that a lane gave up, by a panic, nothing comes.
            let decoded = ready!(Pin::new(next).poll(cx)).ok().flatten();
            cutting.out.pop_front();
            if let Some((seen, bytes, _)) = decoded
                && cutting.format.settle(seen)
            {
                cutting.ahead.let_go(cutting.format.settled());
                self.given += self.bytes.len() as u64;
                self.at = 0;
                let spare = std::mem::replace(&mut self.bytes, bytes);
                if (1..=LARGEST_SPARE).contains(&spare.capacity()) {
                    self.object.windows.kept().give(spare);
                }
                right = true;
            }
        } else if !cutting.all_cut || cutting.next.is_some() {
            if cutting.most == 0
                && let Some(piece) = ready!(cutting.poll_cut(1, &self.object, cx))
            {
                piece.decode();
            }
            // Else whoever waits for this is to cut one off before it waits on.
            return if cutting.most == 0 { Poll::Ready(()) } else { Poll::Pending };
        }
        if !right && let Some(Cutting { format, ahead, .. }) = self.cutting.take() {
            self.given += self.bytes.len() as u64;
            (self.bytes, self.at) = (Vec::new(), 0);
            self.alone = Some(format.alone(ahead, self.object.clone(), self.given));
        }
        Poll::Ready(())
    }
}

impl<F: Format> Cutting<F> {
    /// Cuts off a piece, if fewer than so many are out.
    fn poll_cut(
        &mut self,
        most: usize,
        object: &Object,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Undecoded>> {
        if self.out.len() >= most {
            return Poll::Ready(None);
        }
        while self.next.is_none() && !self.all_cut {
            match self.format.cut(&self.ahead) {
                Cut::Piece(piece) => self.next = Some(piece),
                Cut::More if !self.ahead.has_ended() => ready!(self.ahead.poll_more(cx)),
                Cut::More | Cut::Alone => self.all_cut = true,
            }
        }
        let Some(next) = &self.next else { return Poll::Ready(None) };
        let granted = match &self.cutter {
            Some(cutter) => Some(ready!(cutter.poll_piece(F::needs(next), cx))),
            None => None,
        };
        let Some(piece) = self.next.take() else { return Poll::Ready(None) };
        let (done, decoded) = oneshot::channel();
        self.out.push_back(decoded);
        let windows = object.windows.clone();
        Poll::Ready(Some(Undecoded::new(move || {
            let mut bytes = windows.kept().take::<Vec<u8>>();
            bytes.clear();
            let seen = F::decode(piece, &mut bytes, windows.kept());
            if let Some(granted) = &granted {
                granted.shrink(bytes.capacity() as u64);
            }
            // Nobody waits for it if the stream was dropped, or is read alone.
            let _ = done.send(seen.map(|seen| (seen, bytes, granted)));
        })))
    }
}

impl<F: Format> Shared for Mutex<Pieces<F>> {
    fn share(&self, lanes: usize) -> bool {
        let mut pieces = lock(self);
        if let Some(cutting) = &mut pieces.cutting {
            // Twice as many, so that one slow piece does not stop the others at once.
            cutting.most = 2 * lanes.max(1);
        }
        pieces.cutting.is_some()
    }

    fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<Option<Undecoded>> {
        let mut pieces = lock(self);
        let Pieces { cutting, object, .. } = &mut *pieces;
        let Some(cutting) = cutting else { return Poll::Ready(None) };
        cutting.poll_cut(cutting.most, object, cx)
    }
}

/// The bytes of the pieces, in order.
struct InOrder<F: Format>(Arc<Mutex<Pieces<F>>>);

impl<F: Format> AsyncRead for InOrder<F> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pieces = lock(&self.0);
        loop {
            if let Some(alone) = &mut pieces.alone {
                return alone.as_mut().poll_read(cx, buf);
            }
            if pieces.give(buf) || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(pieces.poll_piece(cx));
        }
    }
}

/// Whoever holds the reader has it alone; the lock says so to the compiler.
fn lock<F: Format>(pieces: &Mutex<Pieces<F>>) -> MutexGuard<'_, Pieces<F>> {
    pieces.lock().unwrap_or_else(PoisonError::into_inner)
}
