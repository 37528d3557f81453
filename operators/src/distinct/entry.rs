//! One record in a log: its key, its place in the input, and the record, behind each other in bytes.

use crate::table::saved;

/// The part of a record that an entry keeps beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Nothing: keys are only counted.
    Keys,
    /// Its place. The record is the key.
    Records,
    /// Its place and the record, which is another text than the key.
    Pairs,
}

impl Form {
    /// Returns true if records have a place.
    pub(super) fn is_placed(self) -> bool {
        self != Self::Keys
    }
}

/// A record, with the key by which records are told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Two records are the same if their keys are.
    pub(super) key: &'a [u8],
    /// Bytes that sort as the records stand in the input, 255 at most: those of a [`Place`](super::Place).
    pub(super) place: &'a [u8],
    /// The record itself; ignored where it is the key.
    pub(super) record: &'a [u8],
}

/// The longest length that stands before bytes.
const LENGTH: usize = 10;

impl<'a> Entry<'a> {
    /// The most bytes that it is written in.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.key.len() + self.place.len() + self.record.len() + 2 * LENGTH + 1
    }

    /// Writes it to the front of bytes, of which there are enough. Returns how many it takes.
    #[inline]
    pub(super) fn write(&self, form: Form, to: &mut [u8]) -> usize {
        let mut at = put_length(to, 0, self.key.len());
        match form {
            Form::Keys => return copy(to, at, self.key),
            Form::Records => {}
            Form::Pairs => at = put_length(to, at, self.record.len()),
        }
        to[at] = self.place.len() as u8;
        at = copy(to, at + 1, self.place);
        at = copy(to, at, self.key);
        if form == Form::Pairs { copy(to, at, self.record) } else { at }
    }

    /// Appends it.
    #[inline]
    pub(super) fn append(&self, form: Form, bytes: &mut Vec<u8>) {
        let at = bytes.len();
        creel_kernels::reserve(bytes, self.room());
        bytes.resize(at + self.room(), 0);
        let len = self.write(form, &mut bytes[at..]);
        bytes.truncate(at + len);
    }

    /// Takes an entry off the front of bytes; `None` if none begins there.
    #[inline]
    pub(super) fn take(form: Form, bytes: &mut &'a [u8]) -> Option<Self> {
        let key = length(bytes)?;
        let (place, record) = match form {
            Form::Keys => (0, 0),
            Form::Records => (length_of_place(bytes)?, 0),
            Form::Pairs => {
                let record = length(bytes)?;
                (length_of_place(bytes)?, record)
            }
        };
        let place = split(bytes, place)?;
        let key = split(bytes, key)?;
        let record = if form == Form::Pairs { split(bytes, record)? } else { key };
        Some(Self { key, place, record })
    }
}

/// The next entry of bytes that hold whole entries; `None` at their end.
#[inline]
pub(super) fn next<'b>(form: Form, bytes: &mut &'b [u8]) -> Option<Entry<'b>> {
    if bytes.is_empty() { None } else { Entry::take(form, bytes) }
}

/// Writes a number of seven bits a byte. Returns where it ends.
#[inline]
fn put_length(to: &mut [u8], mut at: usize, mut length: usize) -> usize {
    while length >= 0x80 {
        to[at] = length as u8 | 0x80;
        (at, length) = (at + 1, length >> 7);
    }
    to[at] = length as u8;
    at + 1
}

/// Copies bytes to a place. Returns where they end.
///
/// Most keys have 8 to 32 bytes: two copies of fixed length, which overlap, are no call.
#[inline]
fn copy(to: &mut [u8], at: usize, from: &[u8]) -> usize {
    let end = at + from.len();
    let to = &mut to[at..end];
    match from.len() {
        16..=32 => copy_ends::<16>(to, from),
        8..16 => copy_ends::<8>(to, from),
        _ => to.copy_from_slice(from),
    }
    end
}

/// Copies the first and the last bytes of a slice, as long as the other.
#[inline]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
    }
}

#[inline]
fn length(bytes: &mut &[u8]) -> Option<usize> {
    // Of one byte, as a rule.
    if let [length @ 0..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Some(usize::from(*length));
    }
    usize::try_from(saved::take(bytes)?).ok()
}

#[inline]
fn length_of_place(bytes: &mut &[u8]) -> Option<usize> {
    let (length, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(usize::from(*length))
}

#[inline]
fn split<'b>(bytes: &mut &'b [u8], at: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(at)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Place;
    use super::*;

    proptest! {
        #[test]
        fn entries_are_read_as_they_were_written(
            entries: Vec<(Vec<u8>, [u64; 3], Vec<u8>)>,
            form in prop::sample::select(vec![Form::Keys, Form::Records, Form::Pairs]),
        ) {
            let mut bytes = Vec::new();
            let place = |numbers: &[u64; 3]| Place::new(*numbers).as_bytes().to_vec();
            for (key, numbers, record) in &entries {
                let place = place(numbers);
                let entry = Entry { key, place: &place, record };
                let before = bytes.len();
                entry.append(form, &mut bytes);
                prop_assert!(bytes.len() - before <= entry.room());
            }
            let mut rest = &bytes[..];
            for (key, numbers, record) in &entries {
                let entry = Entry::take(form, &mut rest).unwrap();
                prop_assert_eq!(entry.key, key);
                match form {
                    Form::Keys => {}
                    Form::Records => prop_assert_eq!(entry.place, place(numbers)),
                    Form::Pairs => prop_assert_eq!((entry.place, entry.record), (&place(numbers)[..], &record[..])),
                }
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_entries_or_are_refused(bytes: Vec<u8>) {
            for form in [Form::Keys, Form::Records, Form::Pairs] {
                let mut rest = &bytes[..];
                while !rest.is_empty() && Entry::take(form, &mut rest).is_some() {}
            }
        }
    }
}
