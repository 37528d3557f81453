//! Aggregates of a bag: of all records, and of each group.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use creel_operators::typed::{self, Aggregates, FoldBy, FromDatum, GroupBy, Numeric, Takes, Whole};
use creel_operators::{BottomK, Frequencies, Key, Last, Stored, TopKBy, Value};

use super::broadcast::Env;
use super::chain::Operator;
use super::verbs::{Code, Text};
use super::{Bag, Item};
use crate::graph::Step;

/// A bag whose records have keys: [`aggregate`](Self::aggregate) makes a row for each.
///
/// [`Bag::group_by`] makes one.
#[must_use = "groups are lazy: end them with `aggregate`"]
pub struct Groups<T, F> {
    bag: Bag<T>,
    key: F,
}

impl<T, F> fmt::Debug for Groups<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").field("bag", &self.bag).finish_non_exhaustive()
    }
}

impl<T: Send + 'static, F> Groups<T, F> {
    /// Aggregates the records of each group, in one pass: a row for each group, in the order of the
    /// keys.
    ///
    /// One aggregate gives pairs of a key and a result; a tuple of up to twelve gives pairs of a key
    /// and a tuple. [`aggregate`](mod@crate::aggregate) has what there is. A closure in it is given a
    /// reference to a record, whose type it has to name.
    ///
    /// [`Run::memory`](crate::Run::memory) bounds what all groups hold: what outgrows it goes to a
    /// file, if keys and states have a form in bytes, or ends the run with
    /// [`Error::Memory`](crate::Error::Memory).
    ///
    /// ```
    /// use creel::aggregate::{count, mean, p99};
    ///
    /// struct Hit {
    ///     url: &'static str,
    ///     time: f64,
    /// }
    ///
    /// let hits = creel::Bag::from_iter([("/b", 0.5), ("/a", 4.0), ("/b", 1.5)])
    ///     .map(|(url, time)| Hit { url, time });
    /// let rows = hits.group_by(|hit| hit.url.to_owned()).aggregate((
    ///     count(),
    ///     mean(|hit: &Hit| hit.time),
    ///     p99(|hit: &Hit| hit.time),
    /// ));
    /// assert_eq!(rows.compute_blocking()?, [
    ///     ("/a".to_owned(), (1, Some(4.0), Some(4.0))),
    ///     ("/b".to_owned(), (2, Some(1.0), Some(1.5))),
    /// ]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    ///
    /// What is not a number has no mean:
    ///
    /// ```compile_fail,E0277
    /// use creel::aggregate::mean;
    ///
    /// let words = creel::Bag::from_iter(["a", "b"].map(String::from));
    /// let _ = words.group_by(String::clone).aggregate(mean(|word: &String| word.clone()));
    /// ```
    #[track_caller]
    pub fn aggregate<Q, A>(self, aggregates: A) -> Item<Vec<(Q::Owned, A::Output)>>
    where
        Q: Key,
        F: Fn(&T) -> Q + Send + Sync + 'static,
        A: Takes<T> + Send + Sync + 'static,
    {
        let code = Code::of_aggregates(&aggregates);
        let base = self.bag.base.then(Step::here("aggregate"), code);
        Item::looking(base, self.bag.stage, GroupBy::new(self.key, aggregates))
    }
}

/// Aggregates by key.
impl<T: Send + 'static> Bag<T> {
    /// Groups the records by a key, for [`aggregate`](Groups::aggregate).
    ///
    /// ```
    /// use creel::aggregate::{count, max};
    ///
    /// let by_length = creel::Bag::from_iter(["a", "bb", "c"])
    ///     .group_by(|word| word.len())
    ///     .aggregate((count(), max(|word: &&str| word.to_string())));
    /// let rows = by_length.compute_blocking()?;
    /// assert_eq!(rows, [(1, (2, Some("c".to_owned()))), (2, (1, Some("bb".to_owned())))]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    ///
    /// A key that is text of the record allocates for each. [`lend`](Bag::lend) looks keys up as they
    /// are lent:
    ///
    /// ```
    /// use creel::aggregate::count;
    ///
    /// let log = creel::read_text("fixtures/access.log")?;
    /// let by_host = log.lend(|lines| {
    ///     lines.group_by(|line| line.split(' ').next().unwrap_or("")).aggregate(count())
    /// });
    /// assert_eq!(by_host.compute_blocking()?[0], ("100.43.83.137".to_owned(), 26));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by<Q, F>(self, key: F) -> Groups<T, F>
    where
        Q: Key,
        F: Fn(&T) -> Q + Send + Sync + 'static,
    {
        let Self { base, stage } = self;
        let base = base.then(Step::here("group_by"), Code::of(&key));
        Groups { bag: Self { base, stage }, key }
    }

    /// Folds the records of each group: a row of the key and what was folded for each, in the order
    /// of the keys.
    ///
    /// `init` makes the accumulator of a group, `update` adds a record, `merge` joins two of one
    /// group, of which the first has seen what comes first. Where the input is cut does not show if
    /// `merge` is associative, what `init` makes is neutral for it, and `update` agrees with it. (In
    /// dask.bag `initial` counts once for each partition and key, and one that is changed in place is
    /// shared by all keys; here each has its own.)
    ///
    /// [`Run::memory`](crate::Run::memory) bounds the keys and the accumulators, without what these
    /// point to: a run over it ends with [`Error::Memory`](crate::Error::Memory).
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["cod", "eel", "crab"]);
    /// let by_letter = words.fold_by(
    ///     |word| word.as_bytes()[0] as char,
    ///     Vec::new,
    ///     |mut words, word| {
    ///         words.push(word);
    ///         words
    ///     },
    ///     |mut words, more| {
    ///         words.extend(more);
    ///         words
    ///     },
    /// );
    /// assert_eq!(by_letter.compute_blocking()?, [('c', vec!["cod", "crab"]), ('e', vec!["eel"])]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_by<Q: Key, S: Send + 'static>(
        self,
        key: impl Fn(&T) -> Q + Send + Sync + 'static,
        init: impl Fn() -> S + Send + Sync + 'static,
        update: impl Fn(S, T) -> S + Send + Sync + 'static,
        merge: impl Fn(S, S) -> S + Send + Sync + 'static,
    ) -> Item<Vec<(Q::Owned, S)>> {
        let code = Code::of(&key).and(&init).and(&update).and(&merge);
        self.ends_with(Text::Closure, code, "fold_by", FoldBy::new(key, init, update, merge))
    }
}

/// Aggregates of all records. Results do not depend on how the input is cut, to the last bit; those
/// of nothing are said with each.
impl<T: Send + 'static> Bag<T> {
    /// The door through which aggregates go that look at records.
    #[track_caller]
    fn whole<A>(self, operation: &'static str, aggregates: A) -> Item<A::Output>
    where
        A: Takes<T> + Aggregates + Send + Sync + 'static,
    {
        let text = Text::Rust("an aggregate of Rust types");
        let code = Code::of_aggregates(&aggregates);
        let base = self.base.named_with(Step::here(operation), text, code);
        Item::looking(base, self.stage, Whole::new(aggregates))
    }

    /// One or several aggregates of all records, in one pass: a result, or a tuple of up to twelve.
    /// [`aggregate`](mod@crate::aggregate) has what there is.
    ///
    /// ```
    /// use creel::aggregate::{count, mean};
    ///
    /// let both = creel::Bag::from_iter(["a", "bcd"]).aggregate((count(), mean(|s: &&str| s.len())));
    /// assert_eq!(both.compute_blocking()?, (2, Some(2.0)));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate<A>(self, aggregates: A) -> Item<A::Output>
    where
        A: Takes<T> + Send + Sync + 'static,
    {
        self.whole("aggregate", aggregates)
    }

    /// The arithmetic mean, of the exact sum; `None` of nothing.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([0.1; 10]).mean().compute_blocking()?, Some(0.1));
    /// assert_eq!(creel::Bag::from_iter([0; 0]).mean().compute_blocking()?, None);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn mean(self) -> Item<Option<f64>>
    where
        T: Numeric + Copy,
    {
        self.whole("mean", typed::mean(|n: &T| *n))
    }

    /// The variance of all of them: what is squared is divided by how many they are. It is never
    /// negative; `None` of nothing.
    ///
    /// ```
    /// let far = creel::Bag::from_iter([4.0, 7.0, 13.0, 16.0]).map(|x| 1e9 + x);
    /// assert_eq!(far.var().compute_blocking()?, Some(22.5));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn var(self) -> Item<Option<f64>>
    where
        T: Numeric + Copy,
    {
        self.whole("var", typed::var(|n: &T| *n))
    }

    /// The standard deviation, the square root of [`var`](Self::var); `None` of nothing.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([1, 3]).std().compute_blocking()?, Some(1.0));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn std(self) -> Item<Option<f64>>
    where
        T: Numeric + Copy,
    {
        self.whole("std", typed::std(|n: &T| *n))
    }

    /// The number that the share `q` of all does not exceed, from 0 to 1; `None` of nothing. It is
    /// exact up to a million numbers, then to 0.4 %, and below 2^-1022 to 2^-1030.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter(0..=100).quantile(0.9).compute_blocking()?, Some(90.0));
    /// # Ok::<(), creel::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `q` is not from 0 to 1.
    #[track_caller]
    pub fn quantile(self, q: f64) -> Item<Option<f64>>
    where
        T: Numeric + Copy,
    {
        self.whole("quantile", typed::quantile(q, |n: &T| *n))
    }

    /// How many numbers lie in each interval of a width that has any: where it begins, and the
    /// number, in the order of the intervals.
    ///
    /// ```
    /// let tens = creel::Bag::from_iter([3, 7, 25]).histogram(10.0);
    /// assert_eq!(tens.compute_blocking()?, [(0.0, 2), (20.0, 1)]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the width is not from 1e-300 to 1e300.
    #[track_caller]
    pub fn histogram(self, width: f64) -> Item<Vec<(f64, u64)>>
    where
        T: Numeric + Copy,
    {
        self.whole("histogram", typed::histogram(width, |n: &T| *n))
    }

    /// Whether any record meets a condition; reading stops when one was found. `false` of nothing.
    ///
    /// ```
    /// let numbers = creel::Bag::from_iter(0..); // without end
    /// assert!(numbers.any(|n| *n > 1000).compute_blocking()?);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn any(self, meets: impl Fn(&T) -> bool + Send + Sync + 'static) -> Item<bool> {
        self.whole("any", typed::any(meets))
    }

    /// Whether all records meet a condition; reading stops when one was found that does not. `true`
    /// of nothing.
    ///
    /// ```
    /// assert!(creel::Bag::from_iter(0..9).all(|n| *n < 9).compute_blocking()?);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn all(self, meets: impl Fn(&T) -> bool + Send + Sync + 'static) -> Item<bool> {
        self.whole("all", typed::all(meets))
    }

    /// How many distinct records there are, exactly: those of [`frequencies`](Self::frequencies).
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([7, 8, 7]).nunique().compute_blocking()?, 2);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn nunique(self) -> Item<u64>
    where
        T: Stored + Key<Owned = T>,
    {
        let base = self.base.named(Step::here("nunique"), Text::of("nunique"));
        let counts = Item::looking(base, self.stage, Frequencies::<T>::new());
        counts.then(Step::here("map"), Text::none(), |counts| counts.len() as u64)
    }

    /// The `k` least records, the least first.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([3, 1, 2]).bottomk(2).compute_blocking()?, [1, 2]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn bottomk(self, k: usize) -> Item<Vec<T>>
    where
        T: Value<Owned = T>,
    {
        self.ends_named(Text::with("bottomk", k), "bottomk", BottomK::new(k))
    }

    /// The record of the lowest rank, and of several the least; `None` of nothing.
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["crab", "ray", "eel"].map(String::from));
    /// assert_eq!(words.min_by(|word| word.len()).compute_blocking()?, Some("eel".to_owned()));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn min_by<R>(self, rank: impl Fn(&T) -> R + Send + Sync + 'static) -> Item<Option<T>>
    where
        T: Value<Owned = T>,
        R: Value<Owned = R> + Send + 'static,
    {
        self.foremost(Step::here("min_by"), move |record| Reverse(rank(record)))
    }

    /// The record of the highest rank, and of several the least; `None` of nothing.
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["crab", "ray", "bass"].map(String::from));
    /// assert_eq!(words.max_by(|word| word.len()).compute_blocking()?, Some("bass".to_owned()));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn max_by<R>(self, rank: impl Fn(&T) -> R + Send + Sync + 'static) -> Item<Option<T>>
    where
        T: Value<Owned = T>,
        R: Value<Owned = R> + Send + 'static,
    {
        self.foremost(Step::here("max_by"), rank)
    }

    fn foremost<R>(
        self,
        step: Step,
        rank: impl Fn(&T) -> R + Send + Sync + 'static,
    ) -> Item<Option<T>>
    where
        T: Value<Owned = T>,
        R: Value<Owned = R> + Send + 'static,
    {
        let code = Code::of(&rank);
        let ranked = Operator::new(self.stage, move |_: &Env<'_>, records| {
            records.map(|record| (rank(&record), record)).collect()
        });
        let top = Item::combined(self.base.then(step, code), Arc::new(ranked), TopKBy::new(1));
        top.map(|top: Vec<T>| top.into_iter().next())
    }

    /// The first record, in input order, after which nothing more is read; `None` of nothing.
    ///
    /// ```
    /// let first = creel::Bag::from_iter(0..).filter(|n| n % 7 == 6).first();
    /// assert_eq!(first.compute_blocking()?, Some(6));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn first(self) -> Item<Option<T>> {
        let first = self.taken(1, Text::of("first"));
        first.then(Step::here("map"), Text::none(), |first| first.into_iter().next())
    }

    /// The last record, in input order; `None` of nothing.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([3, 1, 2]).last().compute_blocking()?, Some(2));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn last(self) -> Item<Option<T>> {
        self.ends_named(Text::of("last"), "last", Last::new())
    }

    /// `n` of the records by chance, the same ones for a seed, in no order that means anything.
    ///
    /// Records are drawn by their own hashes, so that neither threads nor blocks show: of equal ones
    /// all are drawn or none, as far as there is room.
    ///
    /// ```
    /// let numbers = creel::Bag::from_iter(0..10_000_i64);
    /// let drawn = numbers.clone().sample(3, 7).compute_blocking()?;
    /// assert_eq!((drawn.len(), drawn), (3, numbers.sample(3, 7).compute_blocking()?));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn sample(self, n: usize, seed: u64) -> Item<Vec<T>>
    where
        T: FromDatum,
        for<'r> &'r T: creel_operators::aggregate::AsRow,
    {
        self.whole("sample", typed::sample_of_all(n, seed))
    }
}
