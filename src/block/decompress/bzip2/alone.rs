//! Block after block, each decoded where it is read: what ends where is known only then.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::super::ahead::Ahead;
use super::super::{After, Object, after_member, damaged, truncated};
use super::bits::Fault;
use super::block::{self, Scratch};
use super::find::{BLOCK, END, MAGIC, at_bit};
use super::{HEADER, LEVEL, LONGEST_BLOCK, Settled, Stream, header, trailer};
use crate::block::codec::Codec;
use crate::error::Place;

/// Reads on from where blocks were settled.
pub(super) struct Alone {
    ahead: Ahead,
    settled: Settled,
    object: Object,
    /// Bytes given before those that follow.
    given: u64,
    bytes: Vec<u8>,
    at: usize,
    scratch: Scratch,
    ended: bool,
}

impl Alone {
    pub(super) fn new(ahead: Ahead, settled: Settled, object: Object, given: u64) -> Self {
        let (bytes, scratch) = (Vec::new(), Scratch::default());
        Self { ahead, settled, object, given, bytes, at: 0, scratch, ended: false }
    }

    /// Decodes a block, or passes over what stands between blocks; `false` at the end.
    fn step(&mut self) -> io::Result<bool> {
        let start = self.settled.at / 8;
        self.ahead.let_go(start);
        match self.settled.stream {
            None => self.next_stream(start),
            Some(stream) => self.next_block(start, stream),
        }
    }

    fn next_stream(&mut self, start: u64) -> io::Result<bool> {
        let bytes = self.ahead.from(start);
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let rest = &bytes[zeros..];
        let after = start + (zeros + HEADER) as u64;
        if let Some(level) = header(rest) {
            self.settled = Settled { at: after * 8, stream: Some(Stream::new(level)) };
            return Ok(true);
        }
        if rest.is_empty() {
            self.settled.at = (start + zeros as u64) * 8;
            let more = !self.ahead.has_ended();
            return self.ahead.take_error().map_or(Ok(more), Err);
        }
        if b"BZh".starts_with(rest) || rest == b"BZh" {
            return Err(self.short());
        }
        let at = start + zeros as u64;
        match after_member(Codec::Bzip2, rest) {
            After::Garbage if at > 0 => {
                self.object.note_trailing(Codec::Bzip2, at);
                Ok(false)
            }
            After::Other(other) if at > 0 => Err(self.object.followed(Codec::Bzip2, other, at)),
            _ => Err(damaged(Codec::Bzip2, self.place(), after, "no stream begins there")),
        }
    }

    fn next_block(&mut self, start: u64, mut stream: Stream) -> io::Result<bool> {
        let (bytes, from) = (self.ahead.from(start), (self.settled.at % 8) as usize);
        let (end, stream) = match at_bit(bytes, from) {
            None => return Err(self.short()),
            Some(END) => match trailer(bytes, from) {
                None => return Err(self.short()),
                Some((crc, end)) if crc == stream.crc => (end, None),
                Some((_, end)) => {
                    let why = "the checksum of a stream is wrong";
                    return Err(damaged(Codec::Bzip2, self.place(), start + end / 8, why));
                }
            },
            Some(BLOCK) => {
                let (out, most) = (&mut self.bytes, stream.level * LEVEL);
                let from = from + MAGIC;
                self.given += out.len() as u64;
                self.at = 0;
                out.clear();
                match block::decode(bytes, from, most, usize::MAX, &mut self.scratch, out) {
                    Ok(block) => {
                        stream.add(block.crc);
                        (block.end as u64, Some(stream))
                    }
                    Err(Fault::Ended) if bytes.len() < LONGEST_BLOCK => return Err(self.short()),
                    Err(fault) => {
                        let read = start + bytes.len().min(LONGEST_BLOCK) as u64;
                        return Err(damaged(Codec::Bzip2, self.place(), read, fault.why()));
                    }
                }
            }
            Some(_) => {
                let (read, why) = (start + 7, "no block begins there");
                return Err(damaged(Codec::Bzip2, self.place(), read, why));
            }
        };
        self.settled = Settled { at: start * 8 + end, stream };
        Ok(true)
    }

    /// Why there are no more bytes: the store's fault, or the data are cut short.
    fn short(&mut self) -> io::Error {
        let start = self.settled.at / 8;
        let read = start + self.ahead.from(start).len() as u64;
        let place = self.place();
        self.ahead.take_error().unwrap_or_else(|| truncated(Codec::Bzip2, place, read))
    }

    /// The place reached in the text.
    fn place(&self) -> Place {
        self.object.at(self.given + self.bytes.len() as u64)
    }
}

impl AsyncRead for Alone {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let rest = &this.bytes[this.at..];
            if !rest.is_empty() || this.ended {
                let some = rest.len().min(buf.remaining());
                buf.put_slice(&rest[..some]);
                this.at += some;
                return Poll::Ready(Ok(()));
            }
            let ahead = this.ahead.from(this.settled.at / 8).len();
            if ahead < LONGEST_BLOCK && !this.ahead.has_ended() {
                ready!(this.ahead.poll_more(cx));
                continue;
            }
            match this.step() {
                Ok(more) => this.ended = !more,
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}
