//! `group_by`: aggregates of the records of each group.

use std::fmt;
use std::marker::PhantomData;

use super::{Aggregates, Keys, Takes};
use crate::aggregate::{Reader, Writer};
use crate::{Combiner, Feed, Key, Records, Stored};

/// Aggregates the records of each group; `K` is what a key is stored as, `String` for `&str`.
///
/// The output is a row for each group, in the order of the keys. It takes references to records.
///
/// ```
/// use creel_operators::run;
/// use creel_operators::typed::{GroupBy, count, max};
///
/// let longest = max(|word: &&str| word.len());
/// let by_letter = GroupBy::new(|word: &&str| word.as_bytes()[0], (count(), longest));
/// let rows = run(&["cod", "eel", "crab"], |words| words.combine(by_letter));
/// assert_eq!(rows, [(b'c', (2, Some(4))), (b'e', (1, Some(3)))]);
/// ```
pub struct GroupBy<K, F, A> {
    key: F,
    aggregates: A,
    kept: PhantomData<fn() -> K>,
}

impl<K, F, A> GroupBy<K, F, A> {
    /// A combiner of these aggregates, for each key that `key` makes of a record.
    pub fn new(key: F, aggregates: A) -> Self {
        Self { key, aggregates, kept: PhantomData }
    }
}

impl<K, F, A> fmt::Debug for GroupBy<K, F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupBy")
    }
}

/// Keys, and the states of what is aggregated for each.
#[derive(Debug)]
pub struct Grouped<K, S> {
    pub(super) keys: Keys<K>,
    pub(super) states: Option<S>,
}

impl<K, S> Default for Grouped<K, S> {
    fn default() -> Self {
        Self { keys: Keys::default(), states: None }
    }
}

impl<K: Stored, S> Grouped<K, S> {
    #[inline]
    fn feed<A, T>(&mut self, aggregates: &A, key: impl Key<Owned = K>, record: &T)
    where
        A: Takes<T, State = S>,
    {
        let group = self.keys.number(key);
        let states = self.states.get_or_insert_with(|| aggregates.start());
        aggregates.feed(states, group, record);
    }
}

impl<K, F, A> Combiner for GroupBy<K, F, A>
where
    K: Stored,
    F: Send + Sync + 'static,
    A: Aggregates + Send + Sync + 'static,
{
    type State = Grouped<K, A::State>;
    type Output = Vec<(K, A::Output)>;
    const ORDERED: bool = A::ORDERED;

    fn merge(&self, into: &mut Self::State, mut from: Self::State) {
        if into.keys.is_empty() || !A::ORDERED && into.keys.len() < from.keys.len() {
            std::mem::swap(into, &mut from);
        }
        let Some(others) = from.states else { return };
        let map = into.keys.merge(from.keys);
        let states = into.states.get_or_insert_with(|| self.aggregates.start());
        self.aggregates.resize(states, into.keys.len());
        self.aggregates.merge(states, others, &map);
    }

    fn finish(&self, state: Self::State) -> Self::Output {
        let results = state.states.map_or_else(Vec::new, |states| self.aggregates.finish(states));
        state.keys.sorted(results)
    }

    fn weight(&self, state: &Self::State) -> usize {
        let states = state.states.as_ref().map_or(0, |states| self.aggregates.held(states));
        state.keys.held() + states
    }

    fn parts(&self, state: Self::State, bits: u32) -> Vec<Self::State> {
        let (of, parts) = state.keys.split(bits);
        let states = state.states.map(|states| self.aggregates.split(states, &of, parts.len()));
        let mut states = states.map(Vec::into_iter);
        let mut next = || states.as_mut().and_then(Iterator::next);
        parts.into_iter().map(|keys| Grouped { keys, states: next() }).collect()
    }

    fn save(&self, state: &Self::State, bytes: &mut Vec<u8>) -> bool {
        if !K::HAS_FORM || !self.aggregates.has_form() {
            return false;
        }
        let start = bytes.len();
        bytes.put_u64(state.keys.len() as u64);
        let states = state.states.as_ref();
        let saved = state.keys.save(bytes)
            && states.is_none_or(|states| self.aggregates.save(states, bytes));
        if !saved {
            bytes.truncate(start);
        }
        saved
    }

    fn captured(&self) -> usize {
        size_of::<F>() + self.aggregates.captured()
    }

    fn load(&self, into: &mut Self::State, mut bytes: &[u8]) -> bool {
        let Some(groups) = crate::table::saved::take(&mut bytes) else { return false };
        let Some(keys) = Keys::load(groups as usize, &mut bytes) else { return false };
        if groups == 0 {
            return true;
        }
        let mut reader = Reader::new(bytes);
        let states = self.aggregates.load(groups as usize, &mut reader);
        if states.is_none() || reader.end().is_err() {
            return false;
        }
        self.merge(into, Grouped { keys, states });
        true
    }
}

impl<'r, T, Q, F, A> Feed<&'r T> for GroupBy<Q::Owned, F, A>
where
    Q: Key,
    F: Fn(&T) -> Q + Send + Sync + 'static,
    A: Takes<T> + Send + Sync + 'static,
{
    fn feed(&self, state: &mut Self::State, record: &'r T) {
        state.feed(&self.aggregates, (self.key)(record), record);
    }
}

/// Records with the key of each, of which [`aggregate`](Self::aggregate) makes rows.
#[must_use = "records are lazy: end the plan with `aggregate`"]
pub struct GroupedRecords<'s, I, S, W, F> {
    records: Records<'s, I, S, W>,
    key: F,
}

impl<I, S, W, F> fmt::Debug for GroupedRecords<'_, I, S, W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupedRecords")
    }
}

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Groups the records by a key, for [`aggregate`](GroupedRecords::aggregate).
    ///
    /// A key is looked up as it is lent, and stored when it is first seen.
    ///
    /// ```
    /// use creel_operators::run;
    /// use creel_operators::typed::{count, sum};
    ///
    /// let lines = ["cod 3", "eel 1", "cod 4"];
    /// let catch = run(lines, |lines| {
    ///     let split = lines.filter_map(|line| line.split_once(' '));
    ///     let pairs = split.map(|(fish, n)| (fish, n.parse().unwrap_or(0)));
    ///     pairs.group_by(|(fish, _)| *fish).aggregate((count(), sum(|pair: &(&str, u32)| pair.1)))
    /// });
    /// assert_eq!(catch, [("cod".to_owned(), (2, 7)), ("eel".to_owned(), (1, 1))]);
    /// ```
    pub fn group_by<Q: Key, F: Fn(&I::Item) -> Q>(self, key: F) -> GroupedRecords<'s, I, S, W, F> {
        GroupedRecords { records: self, key }
    }
}

impl<I, K, S, W, F> GroupedRecords<'_, I, Grouped<K, S>, W, F>
where
    I: Iterator,
    K: Stored,
    S: Send + 'static,
{
    /// Aggregates the records of each group: a row for each, in the order of the keys. See
    /// [`GroupBy`].
    ///
    /// ```
    /// use creel_operators::run;
    /// use creel_operators::typed::p50;
    ///
    /// let halves = run(0..9_i64, |n| n.group_by(|n| n % 2).aggregate(p50(|n: &i64| *n)));
    /// assert_eq!(halves, [(0, Some(4.0)), (1, Some(3.0))]);
    /// ```
    pub fn aggregate<Q, A>(self, aggregates: A) -> GroupBy<K, (), A::Bare>
    where
        Q: Key<Owned = K>,
        F: Fn(&I::Item) -> Q,
        A: Takes<I::Item, State = S>,
    {
        let Self { records, key } = self;
        let bare = GroupBy::new((), aggregates.bare());
        records.combine_by(bare, |_, state, record| {
            state.feed(&aggregates, key(&record), &record);
        })
    }
}
