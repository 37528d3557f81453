//! Where a block may begin: a number of 48 bits, at any bit.

use memchr::memmem::Finder;

use super::bits::Bits;

/// The number before a block, and that before the end of a stream.
pub(super) const BLOCK: u64 = 0x3141_5926_5359;
pub(super) const END: u64 = 0x1772_4538_5090;
/// Their length in bits.
pub(super) const MAGIC: usize = 48;

/// Finds both numbers.
///
/// Whatever bit it begins at, five whole bytes lie inside of such a number; so there are eight
/// needles for each, which are found faster one after another than bits are looked at.
#[derive(Debug)]
pub(super) struct Magics(Vec<(u64, usize, Finder<'static>)>);

impl Default for Magics {
    fn default() -> Self {
        let needle = |magic: u64, shift: usize| {
            let inner = (magic << (64 - MAGIC - shift)).to_be_bytes();
            (magic, shift, Finder::new(&inner[1..6]).into_owned())
        };
        // Blocks first: an end is then looked for up to the next block only.
        Self([BLOCK, END].iter().flat_map(|&m| (0..8).map(move |s| needle(m, s))).collect())
    }
}

impl Magics {
    /// The first of the numbers that begins at this bit or later.
    pub(super) fn first(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut first = None;
        for (magic, shift, finder) in &self.0 {
            let until = first.map_or(bytes.len(), |bit: usize| bytes.len().min(bit / 8 + 8));
            let mut at = from / 8 + 1;
            while let Some(found) = bytes.get(at..until).and_then(|rest| finder.find(rest)) {
                let bit = (at + found - 1) * 8 + shift;
                if bit >= from && at_bit(bytes, bit) == Some(*magic) {
                    first = Some(first.map_or(bit, |first| bit.min(first)));
                    break;
                }
                at += found + 1;
            }
        }
        first
    }
}

/// The 48 bits at a bit.
pub(super) fn at_bit(bytes: &[u8], bit: usize) -> Option<u64> {
    let mut bits = Bits::new(bytes, bit);
    let (high, low) = (bits.take(24).ok()?, bits.take(24).ok()?);
    Some(u64::from(high) << 24 | u64::from(low))
}
