//! `frequencies`: how often each record occurs.

use std::fmt;
use std::marker::PhantomData;

use crate::{Combiner, Counts, Feed, Key, Records, Stored};

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

impl<K> Frequencies<K> {
    /// A combiner that counts records stored as `K`.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K> Default for Frequencies<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Clone for Frequencies<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Frequencies<K> {}

impl<K> fmt::Debug for Frequencies<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frequencies")
    }
}

impl<K: Stored> Combiner for Frequencies<K> {
    type State = Counts<K>;
    type Output = Counts<K>;
    const ORDERED: bool = false;

    fn merge(&self, into: &mut Counts<K>, from: Counts<K>) {
        into.merge(from);
    }

    fn finish(&self, state: Counts<K>) -> Counts<K> {
        state
    }
}

impl<T: Key> Feed<T> for Frequencies<T::Owned> {
    fn feed(&self, state: &mut Counts<T::Owned>, record: T) {
        state.add(record, 1);
    }
}

impl<I: Iterator<Item: Key<Owned = K>>, K: Stored> Records<'_, I, Counts<K>> {
    /// Counts how often each record occurs. See [`Frequencies`] and [`Counts`].
    ///
    /// ```
    /// let lines = ["the cod and", "the eel"];
    /// let counts = creel_operators::run(lines, |lines| lines.words().frequencies());
    /// assert_eq!(counts.topk(1), [(String::from("the"), 2)]);
    /// ```
    pub fn frequencies(self) -> Frequencies<K> {
        self.combine(Frequencies::new())
    }
}
