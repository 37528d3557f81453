//! UTF-16 as UTF-8, as a stream.
//!
//! What is not valid becomes a byte that never stands in UTF-8, for each code unit or half of one.
//! So the check that every block of text gets finds it, at its place, and one policy serves all
//! encodings; a decoder that replaces by itself would have changed the text silently.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};
use tokio::io::{AsyncRead, ReadBuf};

use super::cut::Bytes;
use super::encoding::{HALF_UNIT, LONE_SURROGATE};

/// Bytes of UTF-16 decoded at a time.
const CHUNK: usize = 64 << 10;

/// The UTF-8 of a stream of UTF-16 without a mark.
pub(super) struct Utf16 {
    bytes: Bytes,
    read: Box<[u8]>,
    decoder: Decoder,
    text: Vec<u8>,
    /// How much of the text has been given.
    given: usize,
    ended: bool,
}

impl Utf16 {
    pub(super) fn new(bytes: Bytes, big_endian: bool) -> Self {
        let encoding = if big_endian { UTF_16BE } else { UTF_16LE };
        Self {
            bytes,
            read: vec![0; CHUNK].into(),
            decoder: encoding.new_decoder_without_bom_handling(),
            text: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Decodes the first `length` bytes that were read.
    fn decode(&mut self, length: usize) {
        self.text.clear();
        self.given = 0;
        let mut rest = &self.read[..length];
        loop {
            let at = self.text.len();
            // Three bytes for each unit, and a character held back from the chunk before.
            self.text.resize(at + rest.len() / 2 * 3 + 8, 0);
            let into = &mut self.text[at..];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(rest, into, self.ended);
            self.text.truncate(at + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(1, _) => self.text.push(HALF_UNIT),
                DecoderResult::Malformed(3, _) => self.text.extend([LONE_SURROGATE, HALF_UNIT]),
                DecoderResult::Malformed(..) => self.text.push(LONE_SURROGATE),
            }
        }
    }
}

impl AsyncRead for Utf16 {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.given == this.text.len() && !this.ended {
            let mut read = ReadBuf::new(&mut this.read);
            ready!(this.bytes.as_mut().poll_read(cx, &mut read))?;
            let length = read.filled().len();
            this.ended = length == 0;
            this.decode(length);
        }
        let end = this.text.len().min(this.given + buf.remaining());
        buf.put_slice(&this.text[this.given..end]);
        this.given = end;
        Poll::Ready(Ok(()))
    }
}
