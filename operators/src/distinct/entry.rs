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

    /// Appends it.
    #[inline]
    pub(super) fn write(&self, form: Form, bytes: &mut Vec<u8>) {
        saved::put(bytes, self.key.len() as u64);
        match form {
            Form::Keys => return bytes.extend_from_slice(self.key),
            Form::Records => {}
            Form::Pairs => saved::put(bytes, self.record.len() as u64),
        }
        bytes.push(self.place.len() as u8);
        bytes.extend_from_slice(self.place);
        bytes.extend_from_slice(self.key);
        if form == Form::Pairs {
            bytes.extend_from_slice(self.record);
        }
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
                entry.write(form, &mut bytes);
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
