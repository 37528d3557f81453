//! Sparse members in the formats of pax: files with holes, of which only the rest is stored.
//!
//! GNU tar writes three of them: 0.0 and 0.1 have the map in the extended header, 1.0 at the
//! beginning of the content. The older format of its own is read by the reader of archives.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::super::cut::Bytes;

/// A block of an archive.
const BLOCK: usize = 512;
/// The most pieces that a map may have.
const MOST_PIECES: u64 = 1 << 20;

/// What an extended header tells of a sparse member.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The member's name, where the header has another.
    pub(super) name: Option<Vec<u8>>,
    size: Option<u64>,
    /// Offsets and lengths, one after another.
    map: Vec<u64>,
    told_map: bool,
    major: Option<u64>,
    wrong: bool,
}

/// The pieces of a member that are stored, and its size.
#[derive(Debug)]
pub(super) struct Holes {
    pieces: VecDeque<(u64, u64)>,
    size: u64,
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Told {
    /// Learns from an extension.
    pub(super) fn learn(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"GNU.sparse.name" => self.name = Some(value.to_vec()),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.size = number(value),
            b"GNU.sparse.major" => self.major = number(value),
            b"GNU.sparse.map" => {
                self.told_map = true;
                let numbers = value.split(|byte| *byte == b',').map(number);
                match numbers.collect::<Option<Vec<_>>>() {
                    Some(map) => self.map = map,
                    None => self.wrong = !value.is_empty(),
                }
            }
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                self.told_map = true;
                match number(value) {
                    Some(number) => self.map.push(number),
                    None => self.wrong = true,
                }
            }
            _ => {}
        }
    }

    /// The member's holes, if it has some; reads the map that stands in front of the content.
    pub(super) async fn holes(
        self,
        content: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Option<Holes>> {
        let map = match (self.major, self.told_map) {
            (Some(1), _) => read_map(content).await?,
            (_, true) => self.map,
            _ => return Ok(None),
        };
        let wrong = || io::Error::other("the map of a sparse member is damaged");
        let size = self.size.filter(|_| !self.wrong).ok_or_else(wrong)?;
        let (pieces, rest) = map.as_chunks::<2>();
        let mut end = 0_u64;
        for [offset, length] in pieces {
            let next = offset.checked_add(*length).filter(|next| *offset >= end && *next <= size);
            end = next.ok_or_else(wrong)?;
        }
        if !rest.is_empty() {
            return Err(wrong());
        }
        let pieces = pieces.iter().map(|[offset, length]| (*offset, *length)).collect();
        Ok(Some(Holes { pieces, size }))
    }
}

/// Reads the map of format 1.0: a number of pieces, and two numbers for each, a line each; padded
/// to a block.
async fn read_map(content: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u64>> {
    let wrong = || io::Error::other("the map of a sparse member is damaged");
    let (mut map, mut wanted) = (Vec::new(), None);
    let mut digits = Vec::new();
    loop {
        let mut block = [0; BLOCK];
        content.read_exact(&mut block).await?;
        for byte in block {
            if byte != b'\n' {
                digits.push(byte);
                if digits.len() > 20 {
                    return Err(wrong());
                }
                continue;
            }
            let number = number(&digits).ok_or_else(wrong)?;
            digits.clear();
            match wanted {
                None if number > MOST_PIECES => return Err(wrong()),
                None => wanted = Some(2 * number as usize),
                Some(_) => map.push(number),
            }
            if wanted == Some(map.len()) {
                return Ok(map);
            }
        }
    }
}

impl Holes {
    /// The content with its holes, which are zeros, of the pieces that are stored.
    pub(super) fn filled(self, stored: Bytes) -> Bytes {
        Box::pin(Filled { holes: self, stored, at: 0 })
    }
}

/// Content with its holes.
struct Filled {
    holes: Holes,
    stored: Bytes,
    at: u64,
}

impl AsyncRead for Filled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let room = |length: u64, buf: &ReadBuf<'_>| {
            usize::try_from(length).unwrap_or(usize::MAX).min(buf.remaining())
        };
        while this.holes.pieces.front().is_some_and(|(offset, length)| this.at >= offset + length) {
            this.holes.pieces.pop_front();
        }
        let (offset, end) = match this.holes.pieces.front() {
            Some((offset, length)) => (*offset, offset + length),
            None => (this.holes.size, this.holes.size),
        };
        if this.at < offset {
            let zeros = room(offset - this.at, buf);
            buf.initialize_unfilled_to(zeros).fill(0);
            buf.advance(zeros);
            this.at += zeros as u64;
            return Poll::Ready(Ok(()));
        }
        let most = room(end - this.at, buf);
        if most == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(this.stored.as_mut().poll_read(cx, &mut part))?;
        let length = part.filled().len();
        buf.advance(length);
        this.at += length as u64;
        Poll::Ready(Ok(()))
    }
}
