//! Member after member, by decoders that know where a member ends when they get there.
//!
//! A member is decoded in steps, which end at the same bytes for any size of blocks: what there is
//! of a damaged member is the same then, too. Steps are short at a member's beginning and grow with
//! it, as a step that fails is lost in part.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::codecs::{self, DecodeV2};
use async_compression::core::util::{PartialBuffer, WriteBuffer};
use tokio::io::{AsyncRead, ReadBuf};

use super::super::codec::Codec;
use super::super::counted::Counted;
use super::super::cut::Bytes;
use super::super::window::{Grant, Window, window};
use super::chunks::Chunks;
use super::{After, LONGEST_MAGIC, Object, after_member, damaged, truncated};
use crate::{Error, Place};

/// The shortest and the longest step, in decoded bytes. Each step costs a copy of the decoder's
/// window, so with steps of 64 KiB gzip takes 1.04 times as long.
const STEPS: (usize, usize) = (1 << 10, 256 << 10);
/// A step is this part of what was decoded of its member before.
const PART: u64 = 8;
/// The first bytes of a gzip member, of which the last has its flags.
const FLAGS: usize = 4;
/// Flags that no version of gzip knows yet.
const RESERVED: u8 = 0xe0;

/// Memory that one decoder may ask for, as a power of two; what the longest windows of zstd and
/// the largest dictionaries of xz need.
#[cfg(any(feature = "zstd", feature = "xz"))]
pub(super) const MEMORY_LOG: u32 = if usize::BITS > 32 { 31 } else { 30 };
const LARGEST_WINDOW: u64 = if usize::BITS > 32 { 1 << 31 } else { 1 << 30 };

/// A decoder of one member (stream, frame).
pub(super) trait Member: DecodeV2 + Unpin + Send + 'static {
    const CODEC: Codec;
    /// A decoder whose window may take so many bytes.
    fn begin(window: u64) -> Self;
}

macro_rules! member {
    ($feature:literal, $codec:ident, $decoder:ident, $begin:expr) => {
        #[cfg(feature = $feature)]
        impl Member for codecs::$decoder {
            const CODEC: Codec = Codec::$codec;
            fn begin(window: u64) -> Self {
                ($begin)(window)
            }
        }
    };
}

member!("gzip", Gzip, GzipDecoder, |_| Self::new());
member!("zstd", Zstd, ZstdDecoder, |_| {
    // What its header asks for was looked at.
    let window = async_compression::zstd::DParameter::window_log_max(MEMORY_LOG);
    Self::new_with_params(&[window])
});
member!("xz", Xz, XzDecoder, |window: u64| {
    // Of blocks behind the first, nobody has looked at the headers.
    Self::with_memlimit(window.saturating_add(1 << 20).min(1 << MEMORY_LOG))
});
member!("lz4", Lz4, Lz4Decoder, |_| Self::new());

/// The members of an object, one after another, and zeros after any of them (padding, as tapes
/// leave it). The decoders' own way to do several members takes padding for damage.
pub(super) struct Members<D> {
    object: Object,
    bytes: Chunks,
    live: bool,
    state: State<D>,
    /// What was made in this step, how much of it may be given, and how much was.
    step: Vec<u8>,
    made: usize,
    ready: usize,
    given: usize,
    /// Bytes made in the steps before, and before this member.
    before: u64,
    member: u64,
    /// Zeros after the last member.
    padding: u64,
    /// A member was read to its end.
    any: bool,
    /// The error behind what may be given.
    fault: Option<io::Error>,
    /// The window of the decoder.
    grant: Option<Grant>,
}

enum State<D> {
    Between,
    Inside(D),
    /// After the end, or an error.
    Ended,
}

impl<D: Member> Members<D> {
    /// From the start of an object.
    pub(super) fn all(bytes: Bytes, object: Object, live: bool) -> Bytes {
        Self::stream(bytes, object, 0, 0, live)
    }

    /// From the start of a member, before which `read` bytes were read and `given` made of them.
    #[cfg(any(feature = "gzip", feature = "zstd"))]
    pub(super) fn after(bytes: Bytes, object: Object, read: u64, given: u64) -> Bytes {
        Self::stream(bytes, object, read, given, false)
    }

    fn stream(bytes: Bytes, object: Object, read: u64, given: u64, live: bool) -> Bytes {
        let place = object.place.clone();
        // The errors of the store get their place, so that they are not taken for damage.
        let placed = Counted::over(bytes, move |read| match read {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::io(place.clone(), error).into()),
        });
        Box::pin(Self {
            object,
            bytes: Chunks::new(placed, read, live),
            live,
            state: State::<D>::Between,
            step: Vec::new(),
            made: 0,
            ready: 0,
            given: 0,
            before: given,
            member: given,
            padding: 0,
            any: read > 0,
            fault: None,
            grant: None,
        })
    }

    /// The error for what a decoder said.
    fn fault(&self, error: io::Error) -> io::Error {
        if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            return error;
        }
        let (place, read) = (self.object.at(self.before + self.made as u64), self.bytes.count());
        // Of an xz stream that ends early, the decoder sometimes says that memory is needed: it
        // takes "no progress is possible" for that. Want of memory proper has another kind.
        let ended = match error.kind() {
            io::ErrorKind::UnexpectedEof => true,
            io::ErrorKind::OutOfMemory => D::CODEC == Codec::Xz,
            _ => false,
        };
        if ended { truncated(D::CODEC, place, read) } else { damaged(D::CODEC, place, read, error) }
    }

    /// Ends the stream by an error, after what was made before it.
    fn fail(&mut self, error: io::Error) {
        self.fault = Some(self.fault(error));
        self.ready = self.made;
        (self.state, self.grant) = (State::Ended, None);
    }

    /// Has room made for the window of the member that begins here.
    fn poll_window(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut within = FLAGS;
        let bytes = loop {
            let head = ready!(self.bytes.poll_some(within, cx))?;
            match window(D::CODEC, head) {
                Window::Within(more) if head.len() < more && head.len() >= within => within = more,
                // Cut short: its decoder says so.
                Window::Within(_) => break 0,
                Window::Bytes(bytes) => break bytes,
            }
        };
        // More than decoders may have at all, they refuse themselves.
        if bytes == 0 || bytes > LARGEST_WINDOW {
            return Poll::Ready(Ok(()));
        }
        let Object { windows, end, place, .. } = &self.object;
        match ready!(windows.poll_grant(D::CODEC, *end, bytes, cx)) {
            Ok(grant) => self.grant = grant,
            Err(reason) => {
                let place = Place { offset: None, ..place.clone() };
                return Poll::Ready(Err(Error::Unsupported { place, reason }.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Passes over padding, and begins the next member if there is one.
    fn poll_between(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let wanted = if self.any && !self.live { LONGEST_MAGIC } else { FLAGS };
            let bytes = match ready!(self.bytes.poll_some(wanted, cx)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.fail(error);
                    return Poll::Ready(());
                }
            };
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            if zeros > 0 {
                self.padding += zeros as u64;
                self.bytes.consume(zeros);
                continue;
            }
            let after = if self.any { after_member(D::CODEC, bytes) } else { After::Member };
            let reserved = bytes.get(FLAGS - 1).is_some_and(|flags| flags & RESERVED != 0);
            let (empty, at) = (bytes.is_empty(), self.bytes.position());
            let torn = D::CODEC == Codec::Xz && !self.padding.is_multiple_of(4);
            match after {
                _ if empty && !torn => self.state = State::Ended,
                After::Garbage if !empty => {
                    self.object.note_trailing(D::CODEC, at);
                    self.state = State::Ended;
                }
                After::Other(other) => {
                    let followed = self.object.followed(D::CODEC, other, at);
                    self.fail(followed);
                }
                _ if torn => {
                    self.fail(io::Error::other("the padding is no multiple of 4 bytes"));
                }
                _ if D::CODEC == Codec::Gzip && reserved => {
                    self.fail(io::Error::other("a reserved flag of its header is set"));
                }
                _ => {
                    if let Err(error) = ready!(self.poll_window(cx)) {
                        self.fail(error);
                        return Poll::Ready(());
                    }
                    self.member = self.before + self.made as u64;
                    self.padding = 0;
                    self.state = State::Inside(D::begin(self.object.windows.largest()));
                }
            }
            return Poll::Ready(());
        }
    }

    /// Decodes up to the end of a step, or of the member: into the reader's own buffer, if that has
    /// room for the whole step.
    fn poll_step(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<()> {
        if self.ready == self.made {
            self.begin_step();
        }
        let length = step(self.before - self.member);
        if self.made > 0 || buf.remaining() < length {
            let mut step = std::mem::take(&mut self.step);
            step.resize(length.max(step.len()), 0);
            let polled = self.poll_into(cx, &mut step[..length]);
            self.step = step;
            return polled;
        }
        let room = buf.initialize_unfilled_to(length);
        let polled = self.poll_into(cx, room);
        if polled.is_ready() {
            buf.advance(self.made);
            self.begin_step();
        } else {
            // The next buffer may be another.
            self.step.clear();
            self.step.extend_from_slice(&room[..self.made]);
        }
        polled
    }

    /// Counts what a step has made, all of which was given.
    fn begin_step(&mut self) {
        self.before += self.made as u64;
        (self.made, self.ready, self.given) = (0, 0, 0);
    }

    fn poll_into(&mut self, cx: &mut Context<'_>, step: &mut [u8]) -> Poll<()> {
        let length = step.len();
        loop {
            let State::Inside(decoder) = &mut self.state else { return Poll::Ready(()) };
            let into = &mut step[self.made..];
            let chunk = match self.bytes.poll_chunk(cx) {
                Poll::Pending => {
                    if self.live {
                        // It may hold some back for which there was no room.
                        self.made += drain(decoder, into);
                        self.ready = self.made;
                    }
                    return if self.made > 0 && self.live {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    };
                }
                Poll::Ready(Ok(chunk)) => chunk,
                Poll::Ready(Err(error)) => {
                    self.made += drain(decoder, into);
                    self.fail(error);
                    return Poll::Ready(());
                }
            };
            let ended = chunk.is_empty();
            let mut output = WriteBuffer::new_initialized(into);
            let mut input = PartialBuffer::new(chunk);
            let result = decoder.decode(&mut input, &mut output);
            let (read, wrote) = (input.written_len(), output.written_len());
            self.bytes.consume(read);
            self.made += wrote;
            match result {
                Ok(true) => {
                    (self.state, self.any, self.ready) = (State::Between, true, self.made);
                    self.grant = None;
                    return Poll::Ready(());
                }
                // At the end, some decoders complain that there is no input.
                Err(error) if !ended => {
                    self.fail(error);
                    return Poll::Ready(());
                }
                _ if self.made == length => {
                    self.ready = self.made;
                    return Poll::Ready(());
                }
                _ if ended && wrote == 0 => {
                    self.fail(io::ErrorKind::UnexpectedEof.into());
                    return Poll::Ready(());
                }
                _ => {}
            }
        }
    }
}

/// How many bytes are decoded at a time, after so many of a member.
fn step(decoded: u64) -> usize {
    let part = usize::try_from(decoded / PART).unwrap_or(usize::MAX);
    part.clamp(STEPS.0, STEPS.1).next_multiple_of(STEPS.0)
}

/// Takes what a decoder holds back; how many bytes that was.
fn drain(decoder: &mut impl DecodeV2, into: &mut [u8]) -> usize {
    let mut output = WriteBuffer::new_initialized(into);
    // It complains if it holds nothing.
    let _ = decoder.decode(&mut PartialBuffer::new(&[][..]), &mut output);
    output.written_len()
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
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            let ready = &this.step[this.given..this.ready];
            if !ready.is_empty() {
                let some = ready.len().min(buf.remaining());
                buf.put_slice(&ready[..some]);
                this.given += some;
                continue;
            }
            match this.state {
                State::Between => ready!(this.poll_between(cx)),
                State::Inside(_) => ready!(this.poll_step(cx, buf)),
                State::Ended => return Poll::Ready(this.fault.take().map_or(Ok(()), Err)),
            }
        }
    }
}
