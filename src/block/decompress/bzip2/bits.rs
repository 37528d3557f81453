//! Bits of a byte string, the highest of a byte first.

/// What ends a block's decoding early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes end inside.
    Ended,
    /// The bytes are no block, for this reason.
    Damaged(&'static str),
    /// It holds more than was allowed.
    TooLarge,
}

impl Fault {
    /// What is wrong.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Ended => "a block is longer than it can be",
            Self::Damaged(why) => why,
            Self::TooLarge => "a block holds more than is allowed",
        }
    }
}

/// Reads bits, up to 32 at a time.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte that is not in the buffer.
    at: usize,
    /// Bits that were read ahead, the next one highest, and zeros or what follows after them.
    buffer: u64,
    have: u32,
}

impl<'a> Bits<'a> {
    /// From this bit on.
    pub(super) fn new(bytes: &'a [u8], from: usize) -> Self {
        let mut bits = Self { bytes, at: (from / 8).min(bytes.len()), buffer: 0, have: 0 };
        bits.refill();
        bits.skip((from % 8) as u32);
        bits
    }

    /// The place of the next bit.
    pub(super) fn position(&self) -> usize {
        self.at * 8 - self.have as usize
    }

    /// Reads ahead: at least 56 bits, or all there are.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            self.buffer |= u64::from_be_bytes(*word) >> self.have;
            self.at += (63 - self.have as usize) / 8;
            self.have |= 56;
        } else {
            self.refill_slowly();
        }
    }

    #[cold]
    fn refill_slowly(&mut self) {
        while self.have <= 56 && self.at < self.bytes.len() {
            self.buffer |= u64::from(self.bytes[self.at]) << (56 - self.have);
            self.at += 1;
            self.have += 8;
        }
    }

    /// The next bits, at least one, as they were read ahead: zeros stand for those after the end.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (64 - count)) as u32
    }

    /// Passes over bits that were read ahead; whether there were so many.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) -> bool {
        let enough = count <= self.have;
        let count = count.min(self.have);
        self.buffer <<= count;
        self.have -= count;
        enough
    }

    /// Takes 1 to 32 bits.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> Result<u32, Fault> {
        self.refill();
        let bits = self.peek(count);
        if self.skip(count) { Ok(bits) } else { Err(Fault::Ended) }
    }

    pub(super) fn take_flag(&mut self) -> Result<bool, Fault> {
        Ok(self.take(1)? == 1)
    }
}
