//! Which part of an input a state is of, so that the same part is not counted twice.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::source::{Known, Objects, Partition, Seen};

/// The id of what one run has read: a hash of the objects by name, size and version, of the ranges of
/// them, and of the state that it came to.
///
/// The name and the version alone may be the same for files of two machines; with the state that
/// each of them came to, that is so for copies only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Part([u8; 16]);

/// The objects that one run reads, hashed one after another.
#[derive(Debug, Clone)]
pub(crate) struct Coverage {
    hash: Sha256,
    /// Whether there is an object, and each can be told from another of its name.
    is_any: bool,
    are_known: bool,
}

impl Coverage {
    /// That of whole objects. What was named exactly in a store has a version only when it was read.
    pub(crate) fn of(objects: &Objects) -> Self {
        let mut coverage = Self::none();
        objects.iter().for_each(|object| coverage.add(object.known().as_ref(), 0, None));
        coverage
    }

    /// That of the slices of partitions.
    pub(super) fn of_partitions(partitions: &[Partition]) -> Self {
        let mut coverage = Self::none();
        for slice in partitions.iter().flat_map(|partition| partition.slices().to_vec()) {
            coverage.add(slice.object.known().as_ref(), slice.start, slice.end);
        }
        coverage
    }

    /// That of nothing.
    pub(super) fn none() -> Self {
        Self { hash: Sha256::new(), is_any: false, are_known: true }
    }

    /// Adds a range of an object; of `None` nothing is known that would tell it.
    pub(super) fn add(&mut self, object: Option<&Known>, start: u64, end: Option<u64>) {
        self.is_any = true;
        let Some(Known { name, size, seen }) = object else {
            self.are_known = false;
            return;
        };
        let name = match std::path::absolute(name) {
            Ok(path) if !name.contains("://") => path.display().to_string(),
            _ => name.clone(),
        };
        let version = match seen {
            Seen::Nothing => {
                self.are_known = false;
                return;
            }
            Seen::Tag(tag) => format!("tag {tag}"),
            Seen::Written(at) => format!("at {at}"),
        };
        // Each text behind its length, so that no two lists of texts are the same bytes.
        for text in [&*name, &*version, &format!("{size:?} {start} {end:?}")] {
            self.hash.update((text.len() as u64).to_le_bytes());
            self.hash.update(text);
        }
    }

    /// The id of a state of these objects that has this checksum; `None` if it cannot be told from
    /// others.
    pub(super) fn part(mut self, state: u64) -> Option<Part> {
        self.hash.update(state.to_le_bytes());
        let hash: [u8; 32] = self.hash.finalize().into();
        let id = *hash.first_chunk().unwrap_or_else(|| unreachable!("16 of 32 bytes"));
        (self.is_any && self.are_known).then_some(Part(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, seen: Seen) -> Known {
        Known { name: name.to_owned(), size: Some(7), seen }
    }

    fn part(of: &[(Known, u64)], state: u64) -> Option<Part> {
        let mut coverage = Coverage::none();
        of.iter().for_each(|(object, start)| coverage.add(Some(object), *start, None));
        coverage.part(state)
    }

    #[test]
    fn other_records_have_another_id() {
        let one = [(known("a", Seen::Written(1)), 0)];
        assert_eq!(part(&one, 5), part(&one, 5));
        let absolute = std::path::absolute("a").unwrap().display().to_string();
        assert_eq!(part(&one, 5), part(&[(known(&absolute, Seen::Written(1)), 0)], 5));
        let others = [
            part(&one, 6),
            part(&[(known("b", Seen::Written(1)), 0)], 5),
            part(&[(known("a", Seen::Written(2)), 0)], 5),
            part(&[(known("a", Seen::Tag("1".to_owned())), 0)], 5),
            part(&[(known("a", Seen::Written(1)), 3)], 5),
            part(&[one[0].clone(), one[0].clone()], 5),
        ];
        for other in others {
            assert!(other.is_some() && other != part(&one, 5));
        }
    }

    #[test]
    fn records_that_cannot_be_told_from_others_have_no_id() {
        assert_eq!(part(&[], 5), None);
        assert_eq!(part(&[(known("a", Seen::Nothing), 0)], 5), None);
        let mut input = Coverage::none();
        input.add(None, 0, None);
        assert_eq!(input.part(5), None);
    }
}
