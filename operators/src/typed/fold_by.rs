//! `fold_by`: the records of each group, folded by closures.

use std::fmt;
use std::marker::PhantomData;

use super::Keys;
use crate::{Combiner, Feed, Fold, Key, Records, Stored};

/// Folds the records of each group by closures: a [`Fold`] for each key. `K` is what a key is stored
/// as, `String` for `&str`.
///
/// The output is a row for each group, in the order of the keys. `init` makes the accumulator of a
/// group, once for each piece of the input that has a record of it: so it must be neutral for
/// `merge`, and `merge` has to be associative. Then the output does not depend on where the input
/// was cut. (dask.bag shares one `initial` between groups and adds it once for each partition.)
///
/// ```
/// use creel_operators::{FoldBy, run};
///
/// let update = |letters: usize, word: &str| letters + word.len();
/// let letters = FoldBy::new(|word: &&str| word.as_bytes()[0], || 0, update, |a, b| a + b);
/// let rows = run(["cod", "eel", "crab"], |words| words.combine(letters));
/// assert_eq!(rows, [(b'c', 7), (b'e', 3)]);
/// ```
pub struct FoldBy<K, F, Init, Update, Merge> {
    key: F,
    fold: Fold<Init, Update, Merge>,
    kept: PhantomData<fn() -> K>,
}

impl<K, F, Init, Update, Merge> FoldBy<K, F, Init, Update, Merge> {
    /// A combiner from its closures.
    pub fn new(key: F, init: Init, update: Update, merge: Merge) -> Self {
        Self { key, fold: Fold::new(init, update, merge), kept: PhantomData }
    }
}

impl<K, F, Init, Update, Merge> fmt::Debug for FoldBy<K, F, Init, Update, Merge> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FoldBy")
    }
}

/// Keys, and the accumulator of each.
#[derive(Debug)]
pub struct Folded<K, S> {
    keys: Keys<K>,
    folds: Vec<Option<S>>,
}

impl<K, S> Default for Folded<K, S> {
    fn default() -> Self {
        Self { keys: Keys::default(), folds: Vec::new() }
    }
}

impl<K: Stored, S> Folded<K, S> {
    /// The accumulator of a key, if it has one as yet.
    #[inline]
    fn of(&mut self, key: impl Key<Owned = K>) -> &mut Option<S> {
        let group = self.keys.number(key) as usize;
        if group == self.folds.len() {
            self.folds.push(None);
        }
        &mut self.folds[group]
    }
}

impl<K, S, F, Init, Update, Merge> Combiner for FoldBy<K, F, Init, Update, Merge>
where
    K: Stored,
    S: Send + 'static,
    F: Send + Sync + 'static,
    Init: Fn() -> S + Send + Sync + 'static,
    Update: Send + Sync + 'static,
    Merge: Fn(S, S) -> S + Send + Sync + 'static,
{
    type State = Folded<K, S>;
    type Output = Vec<(K, S)>;
    const ORDERED: bool = true;

    fn merge(&self, into: &mut Folded<K, S>, from: Folded<K, S>) {
        if into.keys.is_empty() {
            *into = from;
            return;
        }
        let map = into.keys.merge(from.keys);
        into.folds.resize_with(into.keys.len(), || None);
        for (fold, group) in from.folds.into_iter().zip(map) {
            self.fold.merge(&mut into.folds[group as usize], fold);
        }
    }

    fn finish(&self, state: Folded<K, S>) -> Vec<(K, S)> {
        state.keys.sorted(state.folds.into_iter().map(|fold| self.fold.finish(fold)))
    }

    fn weight(&self, state: &Folded<K, S>) -> usize {
        state.keys.held() + state.folds.capacity() * size_of::<Option<S>>()
    }

    fn parts(&self, state: Folded<K, S>, bits: u32) -> Vec<Folded<K, S>> {
        let (of, parts) = state.keys.split(bits);
        let folds = |keys| Folded { keys, folds: Vec::new() };
        let mut parts: Vec<_> = parts.into_iter().map(folds).collect();
        for (fold, part) in state.folds.into_iter().zip(of) {
            parts[part as usize].folds.push(fold);
        }
        parts
    }
}

impl<T, Q, S, F, Init, Update, Merge> Feed<T> for FoldBy<Q::Owned, F, Init, Update, Merge>
where
    Q: Key,
    S: Send + 'static,
    F: Fn(&T) -> Q + Send + Sync + 'static,
    Init: Fn() -> S + Send + Sync + 'static,
    Update: Fn(S, T) -> S + Send + Sync + 'static,
    Merge: Fn(S, S) -> S + Send + Sync + 'static,
{
    fn feed(&self, state: &mut Folded<Q::Owned, S>, record: T) {
        self.fold.feed(state.of((self.key)(&record)), record);
    }
}

impl<I: Iterator, K: Stored, S: Send + 'static, W> Records<'_, I, Folded<K, S>, W> {
    /// Folds the records of each group by closures: a row for each group, in the order of the keys.
    /// See [`FoldBy`] for what the closures must keep.
    ///
    /// ```
    /// use creel_operators::run;
    ///
    /// let lines = ["cod 3", "eel 1", "cod 4"];
    /// let catch = run(lines, |lines| {
    ///     let pairs = lines.filter_map(|line| line.split_once(' '));
    ///     let update = |sum: u32, (_, n): (&str, &str)| sum + n.parse().unwrap_or(0);
    ///     pairs.fold_by(|(fish, _)| *fish, || 0, update, |a, b| a + b)
    /// });
    /// assert_eq!(catch, [("cod".to_owned(), 7), ("eel".to_owned(), 1)]);
    /// ```
    pub fn fold_by<Q, Init, Update, Merge>(
        self,
        key: impl Fn(&I::Item) -> Q,
        init: Init,
        update: Update,
        merge: Merge,
    ) -> FoldBy<K, (), Init, (), Merge>
    where
        Q: Key<Owned = K>,
        Init: Fn() -> S + Send + Sync + 'static,
        Update: Fn(S, I::Item) -> S,
        Merge: Fn(S, S) -> S + Send + Sync + 'static,
    {
        self.combine_by(FoldBy::new((), init, (), merge), |by, state, record| {
            let fold = state.of(key(&record));
            *fold = Some(update(by.fold.take(fold), record));
        })
    }
}
