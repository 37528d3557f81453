//! A key and its count in sixteen bytes, of which four lie in a cache line.
//!
//! What a count of many words waits for is memory, and to touch less of it is worth some instructions.
//! So the first thirteen bytes are the key, padded with zeros; its length is told by the zeros, and its
//! hash, which is two multiplications, is not kept. The last three bytes are the count; what is past them
//! is carried to the shard, once in 16 million times. Against slots of 32 bytes, with keys of up to 16,
//! a hash and a whole count, a table takes half the memory and a count of words of mail a sixth less
//! time. With twelve bytes for keys and four for counts, these words would be too long four times as
//! often, one in eighteen.

use creel_kernels::padded;

use super::saved;

/// The longest key that lives in its slot.
pub(super) const INLINE: usize = 13;

/// Where in a slot's number the count begins.
const COUNT: u32 = 8 * INLINE as u32;
/// The bits of the key.
const KEY: u128 = (1 << COUNT) - 1;
/// The bits of a count that a slot has.
pub(super) const COUNT_BITS: u32 = 128 - COUNT;

/// The last byte of a key that is elsewhere: in the arena, where a number tells. Hash and number
/// stand in front of it.
const LONG: u8 = 0xff;

/// A key that lives in its slot, as the number that its bytes are; `None` if it has to be elsewhere.
///
/// That is what is too long, and the few whose last byte is nothing that ends text: a zero, which would be
/// padding (of the empty key all is), or what marks those that are elsewhere.
#[inline]
pub(super) fn short(bytes: &[u8]) -> Option<u128> {
    is_short(bytes).then(|| padded(bytes))
}

/// Whether a key lives in its slot.
#[inline]
pub(super) fn is_short(bytes: &[u8]) -> bool {
    bytes.len() <= INLINE && bytes.last().is_some_and(|&last| last.wrapping_sub(1) < LONG - 1)
}

/// A key and its count, aligned so that it never lies in two cache lines.
#[derive(Clone, Copy)]
#[repr(align(16))]
pub(super) struct Slot([u8; 16]);

impl Slot {
    pub(super) const EMPTY: Self = Self([0; 16]);

    /// A key that lives here, not counted yet.
    #[inline]
    pub(super) fn short(key: u128) -> Self {
        Self(key.to_le_bytes())
    }

    /// A key that begins at this place of the arena, not counted yet.
    #[inline]
    pub(super) fn long(hash: u32, place: usize) -> Self {
        let key = u128::from(hash) | (place as u128) << 32 | u128::from(LONG) << (COUNT - 8);
        Self(key.to_le_bytes())
    }

    #[inline]
    fn number(&self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    /// Whether it has a key, which is never 0.
    #[inline]
    pub(super) fn is_taken(&self) -> bool {
        self.number() != 0
    }

    #[inline]
    pub(super) fn is_long(&self) -> bool {
        self.0[INLINE - 1] == LONG
    }

    /// Whether this key lives here.
    #[inline]
    pub(super) fn is(&self, key: u128) -> bool {
        (self.number() ^ key) << COUNT_BITS == 0
    }

    /// The key that lives here; of one that is elsewhere, a number that no other key of the shard has.
    #[inline]
    pub(super) fn key(&self) -> u128 {
        self.number() & KEY
    }

    /// The first eight bytes.
    #[inline]
    pub(super) fn first(&self) -> u64 {
        self.number() as u64
    }

    /// The hash of a key that is elsewhere.
    #[inline]
    pub(super) fn hash_of_long(&self) -> u32 {
        self.number() as u32
    }

    /// Where in the arena a key begins that is elsewhere.
    #[inline]
    pub(super) fn place(&self) -> usize {
        (self.number() >> 32) as usize
    }

    /// The same key, which is at another place now.
    #[inline]
    pub(super) fn moved(&self, place: usize) -> Self {
        let count = self.number() & !KEY;
        Self((Self::long(self.hash_of_long(), place).number() | count).to_le_bytes())
    }

    #[inline]
    pub(super) fn bytes<'k>(&'k self, arena: &'k [u8]) -> &'k [u8] {
        if self.is_long() {
            saved::bytes_at(arena, self.place())
        } else {
            let zeros = self.key().leading_zeros() / 8;
            &self.0[..self.0.len() - zeros as usize]
        }
    }

    /// The last bits of the count.
    #[inline]
    pub(super) fn count(&self) -> u64 {
        (self.number() >> COUNT) as u64
    }

    /// Counts it `n` times more, and gives what there is no room for, in units of `1 << COUNT_BITS`.
    #[inline]
    pub(super) fn add(&mut self, n: u64) -> u64 {
        let (sum, carry) = self.number().overflowing_add(u128::from(n) << COUNT);
        self.0 = sum.to_le_bytes();
        (n >> COUNT_BITS) + u64::from(carry)
    }

    /// Has the last bits of the count all set.
    pub(super) fn fill(&mut self) {
        self.0 = (self.number() | !KEY).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(0), 1..4_u8, Just(LONG - 1), Just(LONG)];
        prop::collection::vec(byte, 0..INLINE + 3)
    }

    proptest! {
        #[test]
        fn a_short_key_is_its_bytes_and_nothing_else(bytes in key(), other in key(), n: u64) {
            let Some(key) = short(&bytes) else {
                let last = bytes.last().copied();
                let is_long = bytes.len() > INLINE || matches!(last, None | Some(0 | LONG));
                prop_assert!(is_long);
                return Ok(());
            };
            let mut slot = Slot::short(key);
            slot.add(n);
            prop_assert!(slot.is_taken() && !slot.is_long() && slot.is(key));
            prop_assert_eq!(slot.bytes(&[]), &bytes[..]);
            prop_assert_eq!(slot.key(), key);
            prop_assert_eq!(short(&other).is_some_and(|other| slot.is(other)), bytes == other);
        }

        #[test]
        fn a_long_key_is_where_it_is_said_to_be(
            first in prop::collection::vec(0..3_u8, 0..300),
            bytes in prop::collection::vec(0..3_u8, 0..300),
            hash: u32,
            n: u64,
        ) {
            let mut arena = Vec::new();
            saved::put_bytes(&mut arena, &first);
            let mut slot = Slot::long(hash, arena.len());
            saved::put_bytes(&mut arena, &bytes);
            slot.add(n);
            prop_assert!(slot.is_taken() && slot.is_long());
            prop_assert_eq!((slot.hash_of_long(), slot.bytes(&arena)), (hash, &bytes[..]));
            let moved = slot.moved(0);
            prop_assert_eq!((moved.hash_of_long(), moved.bytes(&arena)), (hash, &first[..]));
            prop_assert_eq!(moved.count(), slot.count());
        }

        #[test]
        fn counts_are_added_and_carried(key in key(), counts: [u64; 3]) {
            let mut slot = short(&key).map_or(Slot::long(7, usize::MAX), Slot::short);
            let before = slot.key();
            let carried: u64 = counts.iter().map(|n| slot.add(*n)).sum();
            let sum: u128 = counts.iter().map(|n| u128::from(*n)).sum();
            prop_assert_eq!(u128::from(carried) << COUNT_BITS | u128::from(slot.count()), sum);
            slot.fill();
            prop_assert_eq!((slot.count(), slot.key()), ((1 << COUNT_BITS) - 1, before));
        }
    }
}
