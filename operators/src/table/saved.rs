//! Keys and counts as bytes: length, key, count, one after another. Numbers are of seven bits a
//! byte, least first, the eighth saying that more follow: most take one byte.

/// The bytes of the longest number.
pub(super) const LONGEST_NUMBER: usize = 10;

/// Appends a number.
pub(crate) fn put(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

/// Takes a number off the front; `None` if there is none that fits.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let seven = u64::from(byte & 0x7f);
        if seven << shift >> shift != seven {
            return None;
        }
        n |= seven << shift;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

/// Appends bytes behind their length.
pub(crate) fn put_bytes(bytes: &mut Vec<u8>, key: &[u8]) {
    put(bytes, key.len() as u64);
    bytes.extend_from_slice(key);
}

/// The bytes that [`put_bytes`] appended at a place.
///
/// # Panics
///
/// If it did not append any there.
#[inline]
pub(super) fn bytes_at(bytes: &[u8], place: usize) -> &[u8] {
    let mut rest = &bytes[place..];
    // Of one byte, as a rule.
    let len = match *rest {
        [len @ 0..0x80, ref behind @ ..] => {
            rest = behind;
            u64::from(len)
        }
        _ => take(&mut rest).unwrap_or(u64::MAX),
    };
    &rest[..len as usize]
}

/// Takes bytes that [`put_bytes`] appended off the front; `None` if there are none.
pub(crate) fn take_bytes<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let len = usize::try_from(take(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

/// Appends a key and its count.
///
/// ```
/// use creel_operators::table::saved::{load, save};
///
/// let mut bytes = Vec::new();
/// save(&mut bytes, b"net", 300);
/// let mut rest = &bytes[..];
/// assert_eq!(load(&mut rest), Some((&b"net"[..], 300)));
/// assert_eq!(load(&mut rest), None);
/// ```
pub fn save(bytes: &mut Vec<u8>, key: &[u8], n: u64) {
    put_bytes(bytes, key);
    put(bytes, n);
}

/// Takes a key and its count off the front; `None` if the bytes are nothing of that kind.
pub fn load<'b>(bytes: &mut &'b [u8]) -> Option<(&'b [u8], u64)> {
    Some((take_bytes(bytes)?, take(bytes)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_saved_is_loaded(pairs: Vec<(Vec<u8>, u64)>) {
            let mut bytes = Vec::new();
            pairs.iter().for_each(|(key, n)| save(&mut bytes, key, *n));
            let mut rest = &bytes[..];
            for (key, n) in &pairs {
                prop_assert_eq!(load(&mut rest), Some((&key[..], *n)));
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_pairs_or_are_refused(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while !rest.is_empty() && load(&mut rest).is_some() {}
        }
    }
}
