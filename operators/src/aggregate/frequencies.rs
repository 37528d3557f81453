//! `frequencies`: each value and how often it occurs, commonest first.

use std::marker::PhantomData;
use std::ops::Range;

use super::tally::Tally;
use super::{Kind, Needs, Order, Traits};
use crate::table::Table;
use crate::{Combiner, Counts, Feed, Key, Records, Stored};

pub(super) static FREQUENCIES: Kind = Kind {
    name: "frequencies",
    usage: "frequencies, frequencies(f)",
    help: "each value and how often it occurs, commonest first",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Values,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Tally::<true>::new()),
};

/// Counts how often each record occurs; `K` is what a record is stored as, `String` for `&str`.
///
/// A record is looked up lent and stored once, when it is first seen.
///
/// ```
/// use creel_operators::{Frequencies, run};
///
/// let counts = run(["cod", "eel", "cod"], |fish| fish.combine(Frequencies::<String>::new()));
/// assert_eq!(counts.sorted_lent(), [("cod", 2), ("eel", 1)]);
/// ```
pub struct Frequencies<K>(PhantomData<fn() -> K>);

mark! { Frequencies<K>, "A combiner that counts records stored as `K`." }

/// The state of [`Frequencies`]: counts, and keys that wait to be counted with others.
/// [`finish`](Combiner::finish) makes [`Counts`] of it.
///
/// ```
/// use creel_operators::{Combiner, Feed, Frequencies};
///
/// let (frequencies, mut counting) = (Frequencies::<u64>::new(), Default::default());
/// frequencies.feed_all(&mut counting, [7_u64, 8, 7].into_iter());
/// assert_eq!(frequencies.finish(counting).topk(1), [(7, 2)]);
/// ```
#[derive(Clone)]
pub struct Counting<K: Stored>(Counts<K>);

impl<K: Stored> Default for Counting<K> {
    fn default() -> Self {
        Self(Counts::default())
    }
}

impl<K: Stored> std::fmt::Debug for Counting<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

impl Counting<String> {
    /// Counts pieces of a text once each, as [`Counts::add_pieces`] does, or has them wait.
    ///
    /// ```
    /// use creel_operators::Counting;
    ///
    /// let mut counting = Counting::default();
    /// counting.add_pieces("one fish two fish", [4..8, 13..17].into_iter());
    /// assert_eq!(counting.finish().sorted_lent(), [("fish", 2)]);
    /// ```
    ///
    /// # Panics
    ///
    /// If a piece is not within the text, or begins or ends inside a character.
    #[inline]
    pub fn add_pieces(&mut self, text: &str, pieces: impl ExactSizeIterator<Item = Range<usize>>) {
        self.0.table.add_pieces_later(text, pieces);
    }
}

impl Counting<String> {
    /// Adds texts and how often each occurs, as [`Counts::save_by_key`] writes them. Returns false, and some may have
    /// been added, if these are no such bytes.
    pub fn add_rows(&mut self, rows: &[u8]) -> bool {
        self.0.table.add_rows(rows, |key| std::str::from_utf8(key).is_ok()).is_some()
    }
}

impl<K: Stored> Counting<K> {
    /// Counts the keys that wait, and returns all.
    pub fn finish(mut self) -> Counts<K> {
        self.0.table.settle();
        self.0
    }

    /// [Saves](Counts::save_parts) each of its parts.
    pub fn save_parts(self, bits: u32, write: impl FnMut(&[u8]) -> bool) -> bool {
        self.0.save_parts(bits, write)
    }

    /// Of its [weight](Combiner::weight), the bytes of keys that wait.
    pub fn waiting(&self) -> usize {
        self.0.table.waiting()
    }

    /// The bytes that the keys that wait take when all of them are [counted](Self::finish), at most.
    pub fn counted(&self) -> usize {
        self.0.table.counted()
    }

    /// The bytes of memory besides what is [held](Combiner::held), that hold nothing and are there for keys that come.
    pub fn unused(&self) -> usize {
        self.0.table.unused()
    }

    /// Counts the keys that wait, and visits counts of some keys each: all keys are in one of them. The next are made in
    /// the memory of the last, so that they stay in the caches.
    ///
    /// ```
    /// use creel_operators::{Combiner, Feed, Frequencies};
    ///
    /// let (frequencies, mut counting) = (Frequencies::<u64>::new(), Default::default());
    /// frequencies.feed_all(&mut counting, [7_u64, 8, 7].into_iter());
    /// let mut keys = 0;
    /// counting.each_part(&mut |counts| keys += counts.len());
    /// assert_eq!(keys, 2);
    /// ```
    pub fn each_part(self, visit: &mut dyn FnMut(&Counts<K>)) {
        self.0.table.each_part(&mut |table| {
            let counts = Counts { table };
            visit(&counts);
            counts.table
        });
    }
}

impl<K: Stored> From<Counts<K>> for Counting<K> {
    fn from(counts: Counts<K>) -> Self {
        Self(counts)
    }
}

impl<K: Stored> Combiner for Frequencies<K> {
    type State = Counting<K>;
    type Output = Counts<K>;
    const ORDERED: bool = false;

    fn merge(&self, into: &mut Counting<K>, from: Counting<K>) {
        into.0.merge(from.0);
    }

    fn finish(&self, state: Counting<K>) -> Counts<K> {
        state.finish()
    }

    fn weight(&self, state: &Counting<K>) -> usize {
        if Counts::<K>::HAS_PARTS { state.0.weight() } else { 0 }
    }

    fn held(&self, state: &Counting<K>) -> usize {
        state.0.held()
    }

    fn parts(&self, state: Counting<K>, bits: u32) -> Vec<Counting<K>> {
        state.0.parts(bits).into_iter().map(Counting).collect()
    }

    fn complete(&self, part: &mut Counting<K>) {
        part.0.table.settle();
    }

    fn join(&self, parts: Vec<Counting<K>>) -> Counting<K> {
        Counting(Counts::join(parts.into_iter().map(|part| part.0).collect()))
    }

    fn save(&self, state: &Counting<K>, bytes: &mut Vec<u8>) -> bool {
        state.0.save(bytes)
    }

    fn load(&self, into: &mut Counting<K>, bytes: &[u8]) -> bool {
        // Keys go on waiting, unlike those of `Counts::load`.
        into.0.table.load(bytes)
    }
}

impl<T: Key> Feed<T> for Frequencies<T::Owned> {
    fn feed(&self, state: &mut Counting<T::Owned>, record: T) {
        state.0.add(record, 1);
    }

    fn feed_all(&self, state: &mut Counting<T::Owned>, records: impl Iterator<Item = T>) {
        state.0.table.add_later(records);
    }
}

impl<I: Iterator, S, W> Records<'_, I, S, W> {
    /// Counts how often each record occurs. See [`Frequencies`] and [`Counts`].
    ///
    /// ```
    /// let lines = ["the cod and", "the eel"];
    /// let counts = creel_operators::run(lines, |lines| lines.words().frequencies());
    /// assert_eq!(counts.topk(1), [(String::from("the"), 2)]);
    /// ```
    pub fn frequencies<K: Stored>(self) -> Frequencies<K>
    where
        I::Item: Key<Owned = K>,
        Frequencies<K>: Feed<I::Item, State = S>,
    {
        self.combine(Frequencies::new())
    }
}

#[cfg(test)]
mod tests {
    use super::Frequencies;
    use crate::laws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frequencies_keeps_the_laws(words in prop::collection::vec("[a-c]{0,2}", 0..12)) {
            let lent: Vec<&str> = words.iter().map(String::as_str).collect();
            laws::check(&Frequencies::<String>::new(), &lent);
            laws::check(&Frequencies::<Vec<u8>>::new(), &words.iter().map(|w| w.as_bytes()).collect::<Vec<_>>());
            let pairs: Vec<_> = lent.iter().map(|w| (*w, w.len())).collect();
            laws::check(&(Frequencies::<(String, usize)>::new(), Frequencies::new()), &pairs);
        }
    }
}
