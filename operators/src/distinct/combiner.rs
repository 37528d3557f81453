//! The first record of each key, of records of any type.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use hashbrown::HashTable;

use crate::table::{Seed, saved};
use crate::{Combiner, Feed, Spill};

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

impl<T, K> Distinct<T, K> {
    /// A combiner that tells records apart by a key of each, or by themselves ([`Whole`]).
    ///
    /// ```
    /// use creel_operators::{distinct::{Distinct, Whole}, run};
    ///
    /// let by_digit = Distinct::by(|n: &u32| n % 10);
    /// assert_eq!(run([1, 12, 11, 3], |numbers| numbers.combine(by_digit)), [1, 12, 3]);
    /// assert_eq!(run([1, 12, 1, 3], |numbers| numbers.combine(Distinct::by(Whole))), [1, 12, 3]);
    /// ```
    pub fn by(keys: K) -> Self
    where
        K: KeysOf<T>,
    {
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
}

impl<T: Spill, K: KeysOf<T>> Distinct<T, K> {
    fn hash(&self, seed: &Seed, record: &T) -> u64 {
        let mut hasher = seed.hasher();
        self.keys.hash(record, &mut hasher);
        hasher.finish()
    }

    /// Adds a record, unless one of its key is there. Returns true if it was added.
    #[inline]
    fn add(&self, state: &mut Kept<T>, record: T) -> bool {
        if state.records.len() >= self.most {
            return false;
        }
        let Kept { records, places, seed, heap, .. } = state;
        let hash = self.hash(seed, &record);
        let is_same = |&(other, place): &(u64, usize)| {
            other == hash && self.keys.are_same(&records[place], &record)
        };
        if places.find(hash, is_same).is_some() {
            return false;
        }
        places.insert_unique(hash, (hash, records.len()), |&(hash, _)| hash);
        *heap += record.heap_size();
        records.push(record);
        true
    }

    /// Adds a record behind a part.
    #[cold]
    fn add_behind(&self, state: &mut Kept<T>, record: T) {
        self.index(state);
        if self.add(state, record) {
            let part = state.part();
            part.positions.push(part.seen);
            part.seen += 1;
        }
    }

    /// Makes the table of the records, where they were cut or loaded.
    fn index(&self, state: &mut Kept<T>) {
        let Kept { records, places, seed, .. } = state;
        if places.len() < records.len() {
            places.clear();
            places.reserve(records.len(), |&(hash, _)| hash);
            for (place, record) in records.iter().enumerate() {
                let hash = self.hash(seed, record);
                places.insert_unique(hash, (hash, place), |&(hash, _)| hash);
            }
        }
    }

    /// The hash of each record.
    fn hashes(&self, state: &mut Kept<T>) -> Vec<u64> {
        let places = std::mem::take(&mut state.places);
        if places.len() < state.records.len() {
            return state.records.iter().map(|record| self.hash(&state.seed, record)).collect();
        }
        let mut hashes = vec![0; state.records.len()];
        places.into_iter().for_each(|(hash, place)| hashes[place] = hash);
        hashes
    }
}

impl<T, K> fmt::Debug for Distinct<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Distinct")
    }
}

/// The state of a [`Distinct`]: the first records so far, in the order of the input.
pub struct Kept<T> {
    records: Vec<T>,
    /// The hashes of their keys and their places. There are fewer, or none, of records that were cut or loaded.
    places: HashTable<(u64, usize)>,
    seed: Seed,
    /// The bytes that the records point to.
    heap: usize,
    /// Set if these are not all of the records.
    part: Option<Part>,
}

/// The positions of the records of a part among all.
#[derive(Default)]
struct Part {
    /// The position of each record, ascending.
    positions: Vec<u64>,
    /// Positions before this one belong to this part or to the others.
    seen: u64,
    /// How many bits of the hashes are the same in all records.
    depth: u32,
    /// Returns true if some of it was saved.
    is_loaded: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        let (records, places, seed) = (Vec::new(), HashTable::new(), Seed::default());
        Self { records, places, seed, heap: 0, part: None }
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("records", &self.records.len()).finish_non_exhaustive()
    }
}

impl<T> Kept<T> {
    /// Returns true if it has seen no record.
    fn is_new(&self) -> bool {
        self.records.is_empty() && self.part.as_ref().is_none_or(|part| part.seen == 0)
    }

    /// The records as a part of all.
    fn part(&mut self) -> &mut Part {
        let seen = self.records.len() as u64;
        let whole = || Part { positions: (0..seen).collect(), seen, ..Part::default() };
        self.part.get_or_insert_with(whole)
    }

    /// Returns true if it holds records that were saved and loaded.
    ///
    /// ```
    /// assert!(!creel_operators::distinct::Kept::<String>::default().is_loaded());
    /// ```
    pub fn is_loaded(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.is_loaded)
    }

    /// The records behind their positions among all, ascending.
    ///
    /// ```
    /// use creel_operators::{Feed, distinct::{Distinct, Kept, Whole}};
    ///
    /// let mut kept = Kept::default();
    /// Distinct::by(Whole).feed_all(&mut kept, ["eel", "cod", "eel"].into_iter());
    /// assert!(kept.into_positioned().eq([(0, "eel"), (1, "cod")]));
    /// ```
    pub fn into_positioned(mut self) -> impl Iterator<Item = (u64, T)> {
        self.part();
        let positions = self.part.unwrap_or_default().positions;
        positions.into_iter().zip(self.records)
    }
}

/// The bits of a hash that tell a part, behind so many. The first ones tell slots of a table apart.
fn bits(hash: u64, behind: u32, bits: u32) -> usize {
    const OF_TABLE: u32 = 7;
    let hash = hash.checked_shl(OF_TABLE + behind).unwrap_or(0);
    hash.checked_shr(u64::BITS - bits).unwrap_or(0) as usize
}

impl<T: Spill, K: KeysOf<T>> Combiner for Distinct<T, K> {
    type State = Kept<T>;
    type Output = Vec<T>;
    const ORDERED: bool = true;
    const STOPS: bool = true;

    fn merge(&self, into: &mut Kept<T>, mut from: Kept<T>) {
        if into.is_new() {
            let depth = into.part.as_ref().map_or(0, |part| part.depth);
            *into = from;
            into.part.iter_mut().for_each(|part| part.depth = part.depth.max(depth));
            return;
        }
        self.index(into);
        if into.part.is_none() && from.part.is_none() {
            from.records.into_iter().for_each(|record| {
                self.add(into, record);
            });
            return;
        }
        let before = into.part().seen;
        let behind = std::mem::take(from.part());
        for (record, position) in from.records.into_iter().zip(behind.positions) {
            if self.add(into, record) {
                into.part().positions.push(before + position);
            }
        }
        let part = into.part();
        part.seen += behind.seen;
        part.is_loaded |= behind.is_loaded;
    }

    fn full(&self, state: &Kept<T>) -> bool {
        state.records.len() >= self.most
    }

    fn finish(&self, state: Kept<T>) -> Vec<T> {
        state.records
    }

    fn held(&self, state: &Kept<T>) -> usize {
        let positions = state.part.as_ref().map_or(0, |part| part.positions.capacity());
        state.records.capacity() * size_of::<T>()
            + state.places.allocation_size()
            + positions * size_of::<u64>()
            + state.heap
    }

    fn parts(&self, mut state: Kept<T>, bits_of_part: u32) -> Vec<Kept<T>> {
        let hashes = self.hashes(&mut state);
        let whole = std::mem::take(state.part());
        let part_of = |hash: &u64| bits(*hash, whole.depth, bits_of_part);
        let mut sizes = vec![0; 1 << bits_of_part];
        hashes.iter().for_each(|hash| sizes[part_of(hash)] += 1);
        let empty = |size| {
            let positions = Vec::with_capacity(size);
            let part = Part { positions, depth: whole.depth + bits_of_part, ..whole };
            Kept { records: Vec::with_capacity(size), part: Some(part), ..Kept::default() }
        };
        let mut parts: Vec<Kept<T>> = sizes.into_iter().map(empty).collect();
        let records = state.records.into_iter().zip(&whole.positions).zip(&hashes);
        for ((record, position), hash) in records {
            let part = &mut parts[part_of(hash)];
            part.heap += record.heap_size();
            part.records.push(record);
            part.part().positions.push(*position);
        }
        parts
    }

    fn join(&self, parts: Vec<Kept<T>>) -> Kept<T> {
        let mut all: Vec<(u64, T)> = parts.into_iter().flat_map(Kept::into_positioned).collect();
        all.sort_unstable_by_key(|(position, _)| *position);
        all.truncate(self.most);
        let records: Vec<T> = all.into_iter().map(|(_, record)| record).collect();
        let heap = records.iter().map(T::heap_size).sum();
        let mut joined = Kept { records, heap, ..Kept::default() };
        self.index(&mut joined);
        joined
    }

    fn save(&self, state: &Kept<T>, bytes: &mut Vec<u8>) -> bool {
        if !T::HAS_FORM {
            return false;
        }
        let records = state.records.len() as u64;
        saved::put(bytes, state.part.as_ref().map_or(records, |part| part.seen));
        saved::put(bytes, records);
        let mut next = 0;
        for at in 0..records {
            let position = state.part.as_ref().map_or(at, |part| part.positions[at as usize]);
            saved::put(bytes, position - next);
            next = position + 1;
        }
        T::save_all(&state.records, bytes)
    }

    fn load(&self, into: &mut Kept<T>, mut bytes: &[u8]) -> bool {
        let depth = into.part.as_ref().map_or(0, |part| part.depth);
        match loaded(&mut bytes, depth).filter(|_| bytes.is_empty()) {
            Some(state) => self.merge(into, state),
            None => return false,
        }
        true
    }
}

/// A state that was saved; `None` if none was as these bytes.
fn loaded<T: Spill>(bytes: &mut &[u8], depth: u32) -> Option<Kept<T>> {
    let seen = saved::take(bytes)?;
    // A position takes a byte, at least.
    let len = saved::take(bytes).filter(|len| *len <= bytes.len() as u64)? as usize;
    let mut positions = Vec::with_capacity(len);
    let mut next = 0_u64;
    for _ in 0..len {
        let position = next.checked_add(saved::take(bytes)?).filter(|at| *at < seen)?;
        positions.push(position);
        next = position + 1;
    }
    let (mut records, mut heap) = (Vec::with_capacity(len), 0);
    T::load_all(bytes, len, |record| {
        heap += record.heap_size();
        records.push(record);
    })?;
    let part = Some(Part { positions, seen, depth, is_loaded: true });
    Some(Kept { records, heap, part, ..Kept::default() })
}

impl<T: Spill, K: KeysOf<T>> Feed<T> for Distinct<T, K> {
    #[inline]
    fn feed(&self, state: &mut Kept<T>, record: T) {
        if state.part.is_some() {
            return self.add_behind(state, record);
        }
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
