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
#[derive(Debug, Clone, Default)]
pub struct Place {
    bytes: Vec<u8>,
    /// How many of them are those of the block.
    block: usize,
    record: u64,
}

impl Place {
    /// The place of the first record of a block, which stands where its numbers say: the first of them
    /// counts most.
    pub fn new(block: impl IntoIterator<Item = u64>) -> Self {
        let mut place = Self::default();
        block.into_iter().for_each(|number| put(&mut place.bytes, number));
        place.block = place.bytes.len();
        put(&mut place.bytes, 0);
        place
    }

    /// Bytes that sort as places do.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Goes on to the next record.
    #[inline]
    pub fn advance(&mut self) {
        self.record += 1;
        // Most numbers are the same but for their last byte.
        match self.bytes.last_mut() {
            Some(last) if self.record as u8 > 1 => *last += 1,
            _ => {
                self.bytes.truncate(self.block);
                put(&mut self.bytes, self.record);
            }
        }
    }
}

/// Appends a number behind how many bytes it has.
#[inline]
fn put(place: &mut Vec<u8>, number: u64) {
    let skipped = number.leading_zeros() as usize / 8;
    place.push(8 - skipped as u8);
    place.extend_from_slice(&number.to_be_bytes()[skipped..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_place_is_that_of_the_next_number() {
        let mut place = Place::new([7, 300]);
        for record in 0..70_000_u64 {
            let mut expected = Place::new([7, 300]).bytes;
            expected.truncate(Place::new([7, 300]).block);
            put(&mut expected, record);
            assert_eq!(place.as_bytes(), expected, "{record}");
            place.advance();
        }
    }

    proptest! {
        #[test]
        fn places_sort_as_their_numbers(a: [u64; 3], b: [u64; 3], shift in 0..64_u32) {
            let [a, b] = [a, b].map(|numbers| numbers.map(|number| number >> shift));
            prop_assert_eq!(Place::new(a).bytes.cmp(&Place::new(b).bytes), a.cmp(&b));
        }
    }
}
