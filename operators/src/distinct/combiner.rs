//! The first record of each key, of records of any type.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use hashbrown::HashTable;

use crate::table::Seed;
use crate::{Combiner, Feed};

/// Keeps the first record of each key, in the order of the input.
///
/// ```
/// use creel_operators::{distinct::Distinct, run};
///
/// let by_length = Distinct::by(|word: &String| word.len());
/// let words = run(["bass cod eel", "trout"], |lines| {
///     lines.words().map(str::to_owned).combine(by_length)
/// });
/// assert_eq!(words, ["bass", "cod", "trout"]);
/// ```
pub struct Distinct<T, K> {
    keys: K,
    /// The most records that are wanted.
    most: usize,
    records: PhantomData<fn() -> T>,
}

/// What records are told apart by: [`Whole`], or a function that returns a key of each.
pub trait KeysOf<T>: Send + Sync + 'static {
    /// Hashes the key of a record.
    fn hash(&self, record: &T, hasher: &mut impl Hasher);

    /// Returns true if two records have the same key.
    fn are_same(&self, a: &T, b: &T) -> bool;
}

/// Records that are told apart by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Whole;

impl<T: Hash + Eq> KeysOf<T> for Whole {
    fn hash(&self, record: &T, hasher: &mut impl Hasher) {
        record.hash(hasher);
    }

    fn are_same(&self, a: &T, b: &T) -> bool {
        a == b
    }
}

impl<T, K: Hash + Eq, F: Fn(&T) -> K + Send + Sync + 'static> KeysOf<T> for F {
    fn hash(&self, record: &T, hasher: &mut impl Hasher) {
        self(record).hash(hasher);
    }

    fn are_same(&self, a: &T, b: &T) -> bool {
        self(a) == self(b)
    }
}

impl<T, K: KeysOf<T>> Distinct<T, K> {
    /// A combiner that tells records apart by a key of each, or by themselves ([`Whole`]).
    ///
    /// ```
    /// use creel_operators::{distinct::{Distinct, Whole}, run};
    ///
    /// let by_digit = Distinct::by(|n: &u32| n % 10);
    /// assert_eq!(run([1, 12, 11, 3], |numbers| numbers.combine(by_digit)), [1, 12, 3]);
    /// assert_eq!(run([1, 12, 1, 3], |numbers| numbers.combine(Distinct::by(Whole))), [1, 12, 3]);
    /// ```
    pub fn by(keys: K) -> Self {
        Self { keys, most: usize::MAX, records: PhantomData }
    }

    /// The same for the first so many of these records: a state that has them is
    /// [full](Combiner::full).
    ///
    /// ```
    /// let first = creel_operators::distinct::Distinct::by(|n: &u32| n % 10).first(2);
    /// assert_eq!(creel_operators::run([1, 11, 2, 3], |numbers| numbers.combine(first)), [1, 2]);
    /// ```
    pub fn first(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Adds a record, unless one of its key is there.
    fn add(&self, state: &mut Kept<T>, record: T) {
        if state.records.len() >= self.most {
            return;
        }
        let Kept { records, places, seed } = state;
        let mut hasher = seed.hasher();
        self.keys.hash(&record, &mut hasher);
        let hash = hasher.finish();
        let is_same = |&(other, place): &(u64, usize)| {
            other == hash && self.keys.are_same(&records[place], &record)
        };
        if places.find(hash, is_same).is_none() {
            places.insert_unique(hash, (hash, records.len()), |&(hash, _)| hash);
            records.push(record);
        }
    }
}

impl<T, K> fmt::Debug for Distinct<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Distinct")
    }
}

/// The state of a [`Distinct`]: the first records so far.
pub struct Kept<T> {
    records: Vec<T>,
    /// The hashes of their keys and their places.
    places: HashTable<(u64, usize)>,
    seed: Seed,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { records: Vec::new(), places: HashTable::new(), seed: Seed::default() }
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("records", &self.records.len()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static, K: KeysOf<T>> Combiner for Distinct<T, K> {
    type State = Kept<T>;
    type Output = Vec<T>;
    const ORDERED: bool = true;
    const STOPS: bool = true;

    fn merge(&self, into: &mut Kept<T>, from: Kept<T>) {
        if into.records.is_empty() {
            *into = from;
        } else {
            from.records.into_iter().for_each(|record| self.add(into, record));
        }
    }

    fn full(&self, state: &Kept<T>) -> bool {
        state.records.len() >= self.most
    }

    fn finish(&self, state: Kept<T>) -> Vec<T> {
        state.records
    }

    fn held(&self, state: &Kept<T>) -> usize {
        state.records.capacity() * size_of::<T>() + state.places.allocation_size()
    }
}

impl<T: Send + 'static, K: KeysOf<T>> Feed<T> for Distinct<T, K> {
    fn feed(&self, state: &mut Kept<T>, record: T) {
        self.add(state, record);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::laws;

    proptest! {
        #[test]
        fn first_records_keep_the_laws_and_are_those_of_a_set(
            records in prop::collection::vec((0..4_u8, any::<u8>()), 0..12),
            most in prop::sample::select(vec![0, 1, 3, usize::MAX]),
        ) {
            let by_first = || Distinct::by(|record: &(u8, u8)| record.0).first(most);
            laws::check(&by_first(), &records);
            let distinct = by_first();
            let mut state = Kept::default();
            records.iter().for_each(|record| distinct.feed(&mut state, *record));
            let mut seen = HashSet::new();
            let expected = records.iter().filter(|record| seen.insert(record.0));
            let expected: Vec<(u8, u8)> = expected.copied().take(most).collect();
            prop_assert_eq!(distinct.finish(state), expected);
        }
    }
}
