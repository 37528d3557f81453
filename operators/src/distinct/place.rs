//! Where records stand in the input.

/// The place of the next record of a block: the numbers of the block, and the number of the record in it.
///
/// ```
/// use creel_operators::distinct::Place;
///
/// let place = |numbers: &[u64]| Place::new(numbers.iter().copied()).as_bytes().to_vec();
/// assert!(place(&[0, 300]) < place(&[1, 0]) && place(&[1, 255]) < place(&[1, 256]));
/// let mut next = Place::new([1, 256]);
/// next.advance();
/// assert!(place(&[1, 256]).as_slice() < next.as_bytes() && next.as_bytes() < &place(&[1, 257])[..]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Place {
    bytes: [u8; BYTES],
    len: usize,
    /// How many of them are those of the block.
    block: usize,
    record: u64,
}

/// The most numbers of a block, and the bytes of these and of one more.
const NUMBERS: usize = 4;
const BYTES: usize = (NUMBERS + 1) * 9;

impl Default for Place {
    fn default() -> Self {
        Self { bytes: [0; BYTES], len: 0, block: 0, record: 0 }
    }
}

impl Place {
    /// The place of the first record of a block, which stands where its numbers say: the first of them
    /// counts most.
    ///
    /// # Panics
    ///
    /// If there are more than four numbers.
    pub fn new(block: impl IntoIterator<Item = u64>) -> Self {
        let mut place = Self::default();
        block.into_iter().for_each(|number| place.put(number));
        place.block = place.len;
        assert!(place.block + 9 <= BYTES, "a block has four numbers at most");
        place.put(0);
        place
    }

    /// Bytes that sort as places do.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Goes on to the next record.
    #[inline]
    pub fn advance(&mut self) {
        self.record += 1;
        // Most numbers are the same but for their last byte.
        if self.record as u8 > 1 {
            self.bytes[self.len - 1] += 1;
        } else {
            self.len = self.block;
            self.put(self.record);
        }
    }

    /// Appends a number behind how many bytes it has.
    #[inline]
    fn put(&mut self, number: u64) {
        let skipped = number.leading_zeros() as usize / 8;
        let bytes = 8 - skipped;
        self.bytes[self.len] = bytes as u8;
        self.bytes[self.len + 1..][..bytes].copy_from_slice(&number.to_be_bytes()[skipped..]);
        self.len += 1 + bytes;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_place_is_that_of_the_next_number() {
        let mut place = Place::new([7, 300]);
        for record in 0..70_000_u64 {
            let mut expected = Place::new([7, 300]);
            expected.len = expected.block;
            expected.put(record);
            assert_eq!(place.as_bytes(), expected.as_bytes(), "{record}");
            place.advance();
        }
    }

    proptest! {
        #[test]
        fn places_sort_as_their_numbers(a: [u64; 3], b: [u64; 3], shift in 0..64_u32) {
            let [a, b] = [a, b].map(|numbers| numbers.map(|number| number >> shift));
            prop_assert_eq!(Place::new(a).as_bytes().cmp(Place::new(b).as_bytes()), a.cmp(&b));
        }
    }
}
