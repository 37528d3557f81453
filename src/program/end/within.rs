//! Places among the groups of a state, and among the values of a group that holds sets: where chunks begin, and
//! where states are cut.
//!
//! The bytes of a place sort as places do: the key of the group, whose zeros are told from its end, then the
//! aggregate whose set it is in, and the key of a value. Those of the place where a group begins stop behind
//! its key.

use creel_operators::aggregate::{Damaged, Reader};
use creel_operators::column::{Canonical, Datum};

/// A zero of a key is followed by this, and the end of a key by two zeros.
const IN_KEY: u8 = 0xff;

/// A place among the values of a group.
#[derive(Debug, Clone)]
pub(super) struct Within<'b> {
    /// The number of the aggregate.
    pub(super) aggregate: usize,
    /// The value of its set.
    pub(super) value: Canonical<'b>,
}

impl<'b> Within<'b> {
    /// Its bytes behind those of the group.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut key = String::new();
        self.value.write_key(&mut key);
        let aggregate = self.aggregate as u32;
        [&aggregate.to_be_bytes(), key.as_bytes()].concat()
    }

    /// The place of bytes; nothing if there are none, and the group begins there.
    pub(super) fn of(bytes: &'b [u8]) -> Result<Option<Self>, Damaged> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut reader = Reader::new(bytes);
        let damaged = reader.damaged("no place among values");
        let aggregate = reader.take(4)?.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
        let key = std::str::from_utf8(reader.take(reader.left())?).map_err(|_| damaged)?;
        Ok(Some(Self { aggregate, value: Datum::Key(key).canonical() }))
    }
}

/// The bytes of a place: of a group, and of a place among its values, if it is not where the group begins.
pub(super) fn place(key: &[u8], within: &[u8]) -> Vec<u8> {
    let mut place = Vec::with_capacity(key.len() + within.len() + 2);
    for byte in key {
        place.push(*byte);
        if *byte == 0 {
            place.push(IN_KEY);
        }
    }
    place.extend_from_slice(&[0, 0]);
    place.extend_from_slice(within);
    place
}

/// The key of the group of a place, and the bytes of the place among its values.
///
/// # Panics
///
/// If these are no bytes that [`place`] made.
pub(super) fn parts(place: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut key, mut rest) = (Vec::new(), place);
    loop {
        match rest {
            [0, 0, within @ ..] => return (key, within),
            [0, IN_KEY, behind @ ..] => {
                key.push(0);
                rest = behind;
            }
            [byte, behind @ ..] => {
                key.push(*byte);
                rest = behind;
            }
            [] => unreachable!("a place has an end of its key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![0..2_u8, Just(255)], 0..5)
    }

    proptest! {
        #[test]
        fn places_sort_by_the_key_and_then_by_what_is_within(a in key(), b in key(), m in 0..3_usize, n in 0..3_usize) {
            let within = |n: usize| match n {
                0 => Vec::new(),
                n => Within { aggregate: n, value: Datum::Integer(7).canonical() }.to_bytes(),
            };
            let (first, second) = (place(&a, &within(m)), place(&b, &within(n)));
            prop_assert_eq!(first.cmp(&second), (&a, m).cmp(&(&b, n)));
            prop_assert_eq!(parts(&first), (a, &*within(m)));
        }
    }

    #[test]
    fn a_place_among_values_is_read_back() {
        for json in ["null", "-3", "0.5", "\"a\\u0000b\"", "[1,2]", "1e400"] {
            let value = Datum::Json(json).canonical();
            let bytes = Within { aggregate: 300, value: value.clone() }.to_bytes();
            let back = Within::of(&bytes).unwrap().unwrap();
            assert_eq!((back.aggregate, back.value), (300, value));
        }
        assert!(Within::of(&[]).unwrap().is_none());
        assert!(Within::of(&[0, 0, 1]).is_err() && Within::of(&[0, 0, 0, 1, 255]).is_err());
    }
}
