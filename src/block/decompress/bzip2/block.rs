//! One block of bzip2: bits to bytes.

use super::bits::{Bits, Fault};
use super::crc;
use super::unsort::Unsort;

/// The longest code, and the most codes that a block may switch between.
const LONGEST: usize = 20;
const MOST_CODES: usize = 6;
/// Symbols after which a block may switch to another code.
const GROUP: usize = 50;
/// Codes up to this length are found by one look into a table: 4 KiB, so that six fit in L1.
const DIRECT: u32 = 10;

/// A block, decoded.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The bit after the block.
    pub(super) end: usize,
    pub(super) crc: u32,
}

/// What decoding works in, kept from block to block.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The last column of the sorted rotations.
    last: Vec<u8>,
    unsort: Unsort,
    /// The text, in which runs are still shortened.
    runs: Vec<u8>,
}

/// Decodes the block whose magic number ends at bit `from`, of a stream with blocks of `most`
/// bytes, to at most `limit` bytes.
pub(super) fn decode(
    bytes: &[u8],
    from: usize,
    most: usize,
    limit: usize,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Decoded, Fault> {
    let mut bits = Bits::new(bytes, from);
    let crc = bits.take(32)?;
    if bits.take_flag()? {
        return Err(Fault::Damaged(
            "a block is randomised, as bzip2 did before version 0.9.5: unpack it with bunzip2",
        ));
    }
    let origin = bits.take(24)? as usize;
    let counts = last_column(&mut bits, most, &mut scratch.last)?;
    if origin >= scratch.last.len() {
        return Err(Fault::Damaged("the text of a block begins outside of it"));
    }
    scratch.unsort.text(&scratch.last, &counts, origin, &mut scratch.runs);
    lengthen_runs(&scratch.runs, limit, out)?;
    if crc::of(out) != crc {
        return Err(Fault::Damaged("the checksum of a block is wrong"));
    }
    Ok(Decoded { end: bits.position(), crc })
}

/// Reads the bytes of the sorted rotations' last column; returns how often each occurs.
fn last_column(bits: &mut Bits, most: usize, last: &mut Vec<u8>) -> Result<[u32; 256], Fault> {
    let mut front = Front::read(bits)?;
    let symbols = front.used + 2;
    let codes = bits.take(3)? as usize;
    if !(2..=MOST_CODES).contains(&codes) {
        return Err(Fault::Damaged("the number of codes of a block is wrong"));
    }
    let selectors = selectors(bits, codes)?;
    let codes = (0..codes).map(|_| Code::read(bits, symbols)).collect::<Result<Vec<_>, _>>()?;

    last.clear();
    creel_kernels::reserve_exact(last, most);
    let mut counts = [0; 256];
    let end = (symbols - 1) as u16;
    let (mut run, mut weight) = (0_usize, 1_usize);
    for &selector in &selectors {
        let code = &codes[usize::from(selector)];
        for _ in 0..GROUP {
            let symbol = code.next(bits)?;
            if symbol <= 1 {
                // Digits of the run's length, least first, that count 1 and 2.
                run += weight << symbol;
                weight <<= 1;
                if run > most {
                    return Err(Fault::Damaged("a block holds more than it can"));
                }
                continue;
            }
            if run > 0 {
                let byte = front.bytes[0];
                counts[usize::from(byte)] += run as u32;
                last.resize(last.len() + run, byte);
                (run, weight) = (0, 1);
            }
            if last.len() > most {
                return Err(Fault::Damaged("a block holds more than it can"));
            }
            if symbol == end {
                return Ok(counts);
            }
            let byte = front.take(usize::from(symbol) - 1);
            counts[usize::from(byte)] += 1;
            last.push(byte);
        }
    }
    Err(Fault::Damaged("a block has no end"))
}

/// The bytes that a block uses, the one used last in front.
struct Front {
    bytes: [u8; 256],
    used: usize,
}

impl Front {
    fn read(bits: &mut Bits) -> Result<Self, Fault> {
        let ranges = bits.take(16)?;
        let mut front = Self { bytes: [0; 256], used: 0 };
        for range in (0..16_u8).filter(|range| ranges & (0x8000 >> range) != 0) {
            let used = bits.take(16)?;
            for byte in (0..16).filter(|byte| used & (0x8000 >> byte) != 0) {
                front.bytes[front.used] = range * 16 + byte;
                front.used += 1;
            }
        }
        if front.used == 0 {
            return Err(Fault::Damaged("a block uses no byte"));
        }
        Ok(front)
    }

    /// Moves a byte to the front.
    #[inline(always)]
    fn take(&mut self, at: usize) -> u8 {
        let byte = self.bytes[at & 0xff];
        if at < 16 {
            let (first, _) = self.bytes.split_first_chunk_mut::<16>().expect("there are 256");
            let old = u128::from_le_bytes(*first);
            let kept = (!0xff_u128) << (8 * at);
            let new = (old & kept) | ((old << 8) & !kept) | u128::from(byte);
            *first = new.to_le_bytes();
        } else {
            self.bytes.copy_within(0..at & 0xff, 1);
            self.bytes[0] = byte;
        }
        byte
    }
}

/// Which code each group of symbols is in.
fn selectors(bits: &mut Bits, codes: usize) -> Result<Vec<u8>, Fault> {
    let count = bits.take(15)? as usize;
    let mut front: [u8; MOST_CODES] = [0, 1, 2, 3, 4, 5];
    let mut selectors = Vec::with_capacity(count);
    for _ in 0..count {
        bits.refill();
        let at = bits.peek(MOST_CODES as u32 + 1);
        let at = (at << (31 - MOST_CODES)).leading_ones() as usize;
        if !bits.skip(at as u32 + 1) {
            return Err(Fault::Ended);
        }
        if at >= codes {
            return Err(Fault::Damaged("a block selects a code that it does not have"));
        }
        front[..=at].rotate_right(1);
        selectors.push(front[0]);
    }
    Ok(selectors)
}

/// A prefix code.
struct Code {
    /// For the next bits: a symbol and above it the length of its code; or nothing, 0.
    direct: Box<[u16; 1 << DIRECT]>,
    /// For each length, the first code that is longer, at the left of a word of `LONGEST` bits.
    limits: [u32; LONGEST + 1],
    /// For each length, what to add to a code for its symbol's place.
    offsets: [u32; LONGEST + 1],
    /// Symbols in the order of their codes.
    symbols: [u16; 258],
}

impl Code {
    fn read(bits: &mut Bits, symbols: usize) -> Result<Self, Fault> {
        let mut lengths = [0_u8; 258];
        let mut length = bits.take(5)?;
        for entry in &mut lengths[..symbols] {
            loop {
                if !(1..=LONGEST as u32).contains(&length) {
                    return Err(Fault::Damaged("the length of a code is wrong"));
                }
                if !bits.take_flag()? {
                    break;
                }
                length = if bits.take_flag()? { length - 1 } else { length + 1 };
            }
            *entry = length as u8;
        }
        Ok(Self::new(&lengths[..symbols]))
    }

    fn new(lengths: &[u8]) -> Self {
        let mut code = Self {
            direct: Box::new([0; 1 << DIRECT]),
            limits: [0; LONGEST + 1],
            offsets: [0; LONGEST + 1],
            symbols: [0; 258],
        };
        let (mut next, mut placed) = (0_u32, 0);
        for length in 1..=LONGEST as u32 {
            code.offsets[length as usize] = (placed as u32).wrapping_sub(next);
            for symbol in (0..lengths.len()).filter(|&s| u32::from(lengths[s]) == length) {
                code.symbols[placed] = symbol as u16;
                placed += 1;
                if length <= DIRECT {
                    // Lengths may ask for more codes than there are: those get no entry.
                    let width = 1 << (DIRECT - length);
                    let from = next as usize * width;
                    if let Some(entries) = code.direct.get_mut(from..from + width) {
                        entries.fill((length as u16) << 9 | symbol as u16);
                    }
                }
                next += 1;
            }
            code.limits[length as usize] = next << (LONGEST as u32 - length);
            next <<= 1;
        }
        code
    }

    /// The next symbol.
    #[inline(always)]
    fn next(&self, bits: &mut Bits) -> Result<u16, Fault> {
        bits.refill();
        let entry = self.direct[bits.peek(DIRECT) as usize];
        if entry != 0 {
            return if bits.skip(u32::from(entry >> 9)) {
                Ok(entry & 0x1ff)
            } else {
                Err(Fault::Ended)
            };
        }
        self.next_long(bits)
    }

    #[cold]
    fn next_long(&self, bits: &mut Bits) -> Result<u16, Fault> {
        let ahead = bits.peek(LONGEST as u32);
        let length = (1..=LONGEST).find(|&length| ahead < self.limits[length]);
        let symbol = length.and_then(|length| {
            let code = ahead >> (LONGEST - length);
            self.symbols.get(code.wrapping_add(self.offsets[length]) as usize)
        });
        match (length, symbol) {
            (Some(length), _) if !bits.skip(length as u32) => Err(Fault::Ended),
            (_, Some(&symbol)) => Ok(symbol),
            // Zeros stand for bits that there are not.
            _ if !bits.skip(LONGEST as u32) => Err(Fault::Ended),
            _ => Err(Fault::Damaged("a block holds a code that stands for nothing")),
        }
    }
}

/// Four equal bytes are followed by how many more there are.
fn lengthen_runs(runs: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    out.clear();
    out.reserve(runs.len());
    let mut rest = runs;
    while let Some(at) = four_equal(rest) {
        let (head, tail) = rest.split_at(at + 4);
        out.extend_from_slice(head);
        let Some((&more, tail)) = tail.split_first() else {
            return Err(Fault::Damaged("a block ends in the midst of a run"));
        };
        out.resize(out.len() + usize::from(more), head[at]);
        if out.len() > limit {
            return Err(Fault::TooLarge);
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    if out.len() > limit { Err(Fault::TooLarge) } else { Ok(()) }
}

/// Where the first four equal bytes stand.
fn four_equal(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(&[a, b, c, d]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if a == b && b == c && c == d {
            return Some(at);
        }
        at += if c != d {
            3
        } else if b != c {
            2
        } else {
            1
        };
    }
    None
}
