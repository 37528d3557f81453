//! Member after member, by decoders that know where a member ends when they get there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread;
use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

use super::super::codec::Codec;
use super::super::cut::Bytes;
use super::{After, Object, after_member, damaged, truncated};
use crate::{Error, Result};

/// Compressed bytes read at a time.
const CHUNK: usize = 128 << 10;

/// Memory that one decoder may ask for, as a power of two; what the longest windows of zstd and
/// the largest dictionaries of xz need.
#[cfg(any(feature = "zstd", feature = "xz"))]
pub(super) const MEMORY_LOG: u32 = if usize::BITS > 32 { 31 } else { 30 };

/// Compressed bytes.
pub(super) type Compressed = BufReader<Counted>;

/// A decoder of one member (stream, frame): it ends where the member ends.
pub(super) trait Member: AsyncRead + Unpin + Send + 'static {
    const CODEC: Codec;
    fn begin(bytes: Compressed) -> Self;
    fn end(self) -> Compressed;
}

macro_rules! member {
    ($feature:literal, $codec:ident, $decoder:ident, $begin:expr) => {
        #[cfg(feature = $feature)]
        impl Member for bufread::$decoder<Compressed> {
            const CODEC: Codec = Codec::$codec;
            fn begin(bytes: Compressed) -> Self {
                $begin(bytes)
            }
            fn end(self) -> Compressed {
                self.into_inner()
            }
        }
    };
}

member!("gzip", Gzip, GzipDecoder, Self::new);
member!("zstd", Zstd, ZstdDecoder, |bytes| {
    let window = async_compression::zstd::DParameter::window_log_max(MEMORY_LOG);
    Self::with_params(bytes, &[window])
});
member!("xz", Xz, XzDecoder, |bytes| Self::with_mem_limit(bytes, 1 << MEMORY_LOG));
member!("lz4", Lz4, Lz4Decoder, Self::new);

/// The members of an object, one after another, and zeros after any of them (padding, as tapes
/// leave it). The decoders' own way to do several members takes padding for damage.
pub(super) struct Members<D> {
    object: Object,
    state: State<D>,
    /// Bytes decompressed so far.
    given: u64,
    /// A member was read to its end.
    any: bool,
}

enum State<D> {
    Between(Compressed),
    Inside(D),
    /// After the end, or an error.
    Ended,
}

impl<D: Member> Members<D> {
    /// From the start of an object.
    pub(super) fn all(bytes: Bytes, object: Object) -> Bytes {
        Self::after(bytes, object, 0, 0)
    }

    /// From the start of a member, before which `read` bytes were read and `given` made of them.
    pub(super) fn after(bytes: Bytes, object: Object, read: u64, given: u64) -> Bytes {
        let counted = Counted { bytes, count: read, object: object.clone() };
        let bytes = BufReader::with_capacity(CHUNK, counted);
        Box::pin(Self { object, state: State::Between(bytes), given, any: read > 0 })
    }

    /// The error for what a decoder said, after `read` compressed bytes.
    fn fault(&self, error: io::Error, read: u64) -> io::Error {
        if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            return error;
        }
        let place = self.object.at(self.given);
        // Of an xz stream that ends early, the decoder sometimes says that memory is needed: it
        // takes "no progress is possible" for that. Want of memory proper has another kind.
        let ended = match error.kind() {
            io::ErrorKind::UnexpectedEof => true,
            io::ErrorKind::OutOfMemory => D::CODEC == Codec::Xz,
            _ => false,
        };
        if ended { truncated(D::CODEC, place, read) } else { damaged(D::CODEC, place, read, error) }
    }
}

impl<D: Member> AsyncRead for Members<D> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        loop {
            let (state, step) = match std::mem::replace(&mut this.state, State::Ended) {
                State::Between(bytes) => next_member(bytes, this.any, cx),
                State::Inside(decoder) => inside(decoder, cx, buf),
                State::Ended => return Poll::Ready(Ok(())),
            };
            this.state = state;
            match ready!(step) {
                Ok(Step::On) => {}
                Ok(Step::Ended) => this.any = true,
                Ok(Step::Trailing(at)) => this.object.note_trailing(D::CODEC, at),
                Ok(Step::Followed(other, at)) => {
                    return Poll::Ready(Err(this.object.followed(D::CODEC, other, at)));
                }
                Ok(Step::Given) => {
                    this.given += (buf.filled().len() - before) as u64;
                    return Poll::Ready(Ok(()));
                }
                Err((error, read)) => return Poll::Ready(Err(this.fault(error, read))),
            }
        }
    }
}

enum Step {
    /// The state changed; nothing was given.
    On,
    /// Bytes were given.
    Given,
    /// A member has ended.
    Ended,
    /// What follows the last member, at this byte, is not in this codec.
    Trailing(u64),
    /// It is in another one.
    Followed(Codec, u64),
}

/// An error, and how many compressed bytes had been read.
type Fault = (io::Error, u64);

/// Passes over padding, and begins the next member if there is one.
fn next_member<D: Member>(
    mut bytes: Compressed,
    any: bool,
    cx: &mut Context<'_>,
) -> (State<D>, Poll<Result<Step, Fault>>) {
    loop {
        let chunk = match Pin::new(&mut bytes).poll_fill_buf(cx) {
            Poll::Pending => return (State::Between(bytes), Poll::Pending),
            Poll::Ready(Ok([])) => return (State::Ended, Poll::Ready(Ok(Step::On))),
            Poll::Ready(Ok(chunk)) => chunk,
            Poll::Ready(Err(error)) => {
                let read = bytes.get_ref().count;
                return (State::Ended, Poll::Ready(Err((error, read))));
            }
        };
        let zeros = chunk.iter().take_while(|&&byte| byte == 0).count();
        let all = zeros == chunk.len();
        let after = if any { after_member(D::CODEC, &chunk[zeros..]) } else { After::Member };
        Pin::new(&mut bytes).consume(zeros);
        let at = bytes.get_ref().count - bytes.buffer().len() as u64;
        if !all {
            match after {
                After::Member => {}
                After::Garbage => return (State::Ended, Poll::Ready(Ok(Step::Trailing(at)))),
                After::Other(other) => {
                    return (State::Ended, Poll::Ready(Ok(Step::Followed(other, at))));
                }
            }
            return (State::Inside(D::begin(bytes)), Poll::Ready(Ok(Step::On)));
        }
    }
}

/// Decompresses once.
fn inside<D: Member>(
    mut decoder: D,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> (State<D>, Poll<Result<Step, Fault>>) {
    let before = buf.filled().len();
    match Pin::new(&mut decoder).poll_read(cx, buf) {
        Poll::Pending => (State::Inside(decoder), Poll::Pending),
        Poll::Ready(Ok(())) if buf.filled().len() > before || buf.remaining() == 0 => {
            (State::Inside(decoder), Poll::Ready(Ok(Step::Given)))
        }
        Poll::Ready(Ok(())) => (State::Between(decoder.end()), Poll::Ready(Ok(Step::Ended))),
        Poll::Ready(Err(error)) => {
            let read = decoder.end().get_ref().count;
            (State::Ended, Poll::Ready(Err((error, read))))
        }
    }
}

/// Counts the compressed bytes, and gives the errors of the store their place, so that they are
/// not taken for damage.
pub(super) struct Counted {
    bytes: Bytes,
    count: u64,
    object: Object,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(self.bytes.as_mut().poll_read(cx, buf));
        self.count += (buf.filled().len() - before) as u64;
        Poll::Ready(read.map_err(|error| Error::io(self.object.place.clone(), error).into()))
    }
}
