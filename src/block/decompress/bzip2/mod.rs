//! bzip2: streams of blocks that begin at any bit.
//!
//! A block does not say how long it is, but the next one begins with a number of 48 bits; so the
//! data are cut wherever that number stands. It may stand inside of a block by chance, or because
//! somebody put it there: then what was cut off there does not decode to its end, and the rest is
//! read block after block, each from where the one before it ended.
//!
//! The decoder is our own, since the libraries begin at a stream's start and do not say where a
//! block ended. It takes half the time of libbzip2 (15 ns a byte of text), see `unsort`.

mod alone;
mod bits;
mod block;
mod crc;
mod find;
#[cfg(test)]
mod tests;
mod unsort;

use super::super::cut::Bytes;
use super::super::window::{Kept, Windows};
use super::Object;
use super::ahead::Ahead;
use super::pieces::{Cut, Format, LARGEST_PIECE};
use alone::Alone;
use bits::Bits;
use block::Scratch;
use find::{BLOCK, END, MAGIC, Magics, at_bit};

/// More bytes than a block takes, compressed: 900,000 codes of 20 bits, and what describes them.
const LONGEST_BLOCK: usize = 3 << 20;
/// Bytes of text that blocks hold, by the level that a stream names.
const LEVEL: usize = 100_000;
/// Bytes of memory that a byte of the text takes while a block is decoded: itself in four forms, and its row.
const SCRATCH: u64 = 7;

/// Cuts a file of bzip2 into blocks.
pub(super) struct Blocks {
    magics: Magics,
    /// Where the next block, stream or padding begins, and the level of the stream inside which
    /// that is.
    at: u64,
    level: Option<usize>,
    /// It is the first of its stream.
    first: bool,
    /// No number stands before this bit, behind the one at `at`.
    searched: u64,
    settled: Settled,
    /// The most that a piece may hold.
    largest: usize,
}

/// How far blocks are decoded, and known to be right.
#[derive(Debug, Default, Clone, Copy)]
struct Settled {
    /// The bit after them.
    at: u64,
    /// The stream inside which that is.
    stream: Option<Stream>,
}

/// A stream of blocks.
#[derive(Debug, Clone, Copy)]
struct Stream {
    level: usize,
    /// The checksums of its blocks so far, combined.
    crc: u32,
}

impl Stream {
    /// A stream of which nothing is read yet.
    fn new(level: usize) -> Self {
        Self { level, crc: 0 }
    }

    fn add(&mut self, block: u32) {
        self.crc = self.crc.rotate_left(1) ^ block;
    }
}

/// A block that was cut off.
pub(super) struct Piece {
    /// The bytes that it lies in.
    bytes: Vec<u8>,
    /// The bit of them where it begins, after the number, and the one where it should end.
    from: usize,
    to: usize,
    place: PlaceOf,
    largest: usize,
}

/// What the data say of a block's place.
struct PlaceOf {
    level: usize,
    first: bool,
    /// The bit where the block ends, or the stream if it is its last, and the stream's checksum.
    end: u64,
    last: Option<u32>,
}

/// A block's checksum, and its place.
pub(super) struct Seen {
    crc: u32,
    place: PlaceOf,
}

impl Format for Blocks {
    type Piece = Piece;
    type Seen = Seen;

    fn cut(&mut self, ahead: &Ahead) -> Cut<Piece> {
        loop {
            let start = self.at / 8;
            let bytes = ahead.from(start);
            let Some(level) = self.level else {
                let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
                match (header(&bytes[zeros..]), bytes.len() - zeros) {
                    (Some(level), _) => (self.level, self.first) = (Some(level), true),
                    (None, 0..HEADER) => return Cut::More,
                    (None, _) => return Cut::Alone,
                }
                self.at = (start + (zeros + HEADER) as u64) * 8;
                self.searched = self.at;
                continue;
            };
            let from = (self.at % 8) as usize;
            match at_bit(bytes, from) {
                Some(BLOCK) => return self.block(level, start, bytes),
                // A stream without a block.
                Some(END) => match trailer(bytes, from) {
                    Some((0, end)) if self.first => (self.at, self.level) = (start * 8 + end, None),
                    Some(_) => return Cut::Alone,
                    None => return Cut::More,
                },
                Some(_) => return Cut::Alone,
                None => return Cut::More,
            }
        }
    }

    fn decode(piece: Piece, out: &mut Vec<u8>, kept: &Kept) -> Option<Seen> {
        let Piece { bytes, from, to, place, largest } = piece;
        let mut scratch = kept.take::<Scratch>();
        let most = place.level * LEVEL;
        let decoded = block::decode(&bytes, from, most, largest, &mut scratch, out);
        kept.give(scratch);
        decoded.ok().filter(|block| block.end == to).map(|block| Seen { crc: block.crc, place })
    }

    fn needs(piece: &Piece) -> u64 {
        (piece.place.level * LEVEL) as u64 * (SCRATCH + 1) + piece.bytes.len() as u64
    }

    fn settle(&mut self, seen: Seen) -> bool {
        let Seen { crc, place: PlaceOf { level, first, end, last } } = seen;
        let fresh = Stream::new(level);
        let mut stream = if first { fresh } else { self.settled.stream.unwrap_or(fresh) };
        stream.add(crc);
        if last.is_some_and(|last| last != stream.crc) {
            return false;
        }
        self.settled = Settled { at: end, stream: last.is_none().then_some(stream) };
        true
    }

    fn settled(&self) -> u64 {
        self.settled.at / 8
    }

    fn alone(self, ahead: Ahead, object: Object, given: u64) -> Bytes {
        Box::pin(Alone::new(ahead, self.settled, object, given))
    }
}

impl Blocks {
    /// Nothing as yet of a file, whose blocks are decoded within this memory.
    pub(super) fn new(windows: &Windows) -> Self {
        Self {
            magics: Magics::default(),
            at: 0,
            level: None,
            first: false,
            searched: 0,
            settled: Settled::default(),
            largest: windows.largest_piece().min(LARGEST_PIECE),
        }
    }

    /// Cuts off the block at `at`, which lies in `bytes`, which begin at the byte `start`.
    fn block(&mut self, level: usize, start: u64, bytes: &[u8]) -> Cut<Piece> {
        let from = (self.at % 8) as usize + MAGIC;
        let searched = (self.searched.max(self.at) - start * 8) as usize;
        let Some(to) = self.magics.first(bytes, searched.max(from)) else {
            // One may begin in the last bytes.
            self.searched = start * 8 + (bytes.len().saturating_sub(8) * 8) as u64;
            return if bytes.len() > LONGEST_BLOCK { Cut::Alone } else { Cut::More };
        };
        self.searched = start * 8 + to as u64;
        let mut end = self.searched;
        let mut last = None;
        if at_bit(bytes, to) == Some(END) {
            let Some((crc, after)) = trailer(bytes, to) else { return Cut::More };
            (last, end) = (Some(crc), start * 8 + after);
        }
        let place = PlaceOf { level, first: self.first, end, last };
        let bytes = bytes[..to.div_ceil(8)].to_vec();
        self.at = end;
        self.first = false;
        self.level = last.is_none().then_some(level);
        Cut::Piece(Piece { bytes, from, to, place, largest: self.largest })
    }
}

/// The length of a stream's header.
const HEADER: usize = 4;

/// The level of the stream that begins so.
fn header(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'B', b'Z', b'h', level @ b'1'..=b'9', ..] => Some(usize::from(level - b'0')),
        _ => None,
    }
}

/// A stream's checksum, and the bit after the stream, whose end begins at this bit.
fn trailer(bytes: &[u8], at: usize) -> Option<(u32, u64)> {
    let mut bits = Bits::new(bytes, at + MAGIC);
    let crc = bits.take(32).ok()?;
    Some((crc, bits.position().next_multiple_of(8) as u64))
}
