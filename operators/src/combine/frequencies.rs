//! `frequencies`: how often each record occurs.

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

mark! { Frequencies<K>, "A combiner that counts records stored as `K`." }

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

    fn weight(&self, state: &Counts<K>) -> usize {
        if Counts::<K>::HAS_PARTS { state.weight() } else { 0 }
    }

    fn held(&self, state: &Counts<K>) -> usize {
        state.held()
    }

    fn parts(&self, state: Counts<K>, bits: u32) -> Vec<Counts<K>> {
        state.parts(bits)
    }

    fn join(&self, parts: Vec<Counts<K>>) -> Counts<K> {
        Counts::join(parts)
    }

    fn save(&self, state: &Counts<K>, bytes: &mut Vec<u8>) -> bool {
        state.save(bytes)
    }

    fn load(&self, into: &mut Counts<K>, bytes: &[u8]) -> bool {
        into.load(bytes)
    }
}

impl<T: Key> Feed<T> for Frequencies<T::Owned> {
    fn feed(&self, state: &mut Counts<T::Owned>, record: T) {
        state.add(record, 1);
    }

    fn feed_all(&self, state: &mut Counts<T::Owned>, records: impl Iterator<Item = T>) {
        state.add_all(records);
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
