//! The user's handles: bags of records, items of one value, and the runs that compute them.

mod admission;
mod aggregates;
mod base;
mod broadcast;
mod chain;
mod computation;
mod compute;
mod delayed;
mod distinct;
mod group;
mod item;
mod lend;
mod memory;
mod merging;
mod ordered;
mod origin;
#[cfg(feature = "cli")]
mod pass;
#[cfg(all(test, feature = "cli"))]
mod pass_tests;
mod phases;
#[cfg(feature = "cli")]
mod planned;
mod read;
mod reduction;
mod repartition;
mod run;
mod sketch;
mod sorted;
mod sorting;
mod stream;
mod tasks;
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "plans are of this feature"))]
mod verbs;

use std::fmt;
use std::sync::Arc;

use creel_operators::{
    Collect, Count, Counts, Feed, Fold, Frequencies, Key, Max, Min, Records, Stored, Sum, Summand,
    TopK, TopKBy, Total, Value,
};

use crate::graph::Step;
use base::Base;
use broadcast::Env;
use chain::{Cut, Drained, Filter, Operator, Separator, Stage, to_front};
use verbs::{Code, Text};

pub use aggregates::Groups;
pub use computation::Compute;
pub use computation::{Computation, Values};
pub use compute::{compute_all, compute_all_blocking};
pub use item::Item;
pub use lend::{Lend, LentRecords};
#[cfg(feature = "cli")]
pub(crate) use pass::{Elsewhere, MakePass, NamedState, TextPass};
pub use read::{ReadOptions, read_bytes, read_text};
pub use run::Run;
pub use sketch::visualize;
pub use stream::RecordStream;

/// A lazy collection of records, in partitions.
///
/// Making a bag and chaining operators on it reads nothing; [`compute`](Self::compute),
/// [`stream`](Self::stream) or the `compute` of an [`Item`] does. A bag is cheap to clone, can be
/// computed any number of times, and can be named in a struct: the chain behind it is erased once
/// for each batch of records, never for each record.
///
/// Records are owned here, and every operator hands on owned ones. Where that costs too much
/// (a `String` for each word), [`lend`](Bag::lend) runs the same verbs over records lent
/// from the block they were read into.
///
/// Record order is the input's, through every operator. How the input is cut into partitions, how
/// many threads there are and how large blocks are never shows in a result.
///
/// ```
/// let lines = creel::Bag::from_iter(["a b", "c d e"].map(String::from));
/// let words = lines.words().map(|w| w.to_uppercase());
/// assert_eq!(words.compute_blocking()?, ["A", "B", "C", "D", "E"]);
/// assert_eq!(words.count().compute_blocking()?, 5);
/// # Ok::<(), creel::Error>(())
/// ```
#[must_use = "bags are lazy: nothing is read until one is computed"]
pub struct Bag<T> {
    base: Base,
    stage: Arc<dyn Stage<T>>,
}

impl<T> Clone for Bag<T> {
    fn clone(&self) -> Self {
        Self { base: self.base.clone(), stage: Arc::clone(&self.stage) }
    }
}

impl<T> fmt::Debug for Bag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bag").field("origin", &self.base.origin).finish_non_exhaustive()
    }
}

/// Record to records. Each does what the operator of the same name in [`creel_operators`] does, over
/// owned records.
impl<T: Send + 'static> Bag<T> {
    /// The door through which operators go that make records: a plan from one batch to the next.
    #[track_caller]
    fn adapt<U: Send + 'static>(
        self,
        operation: &'static str,
        code: Code,
        plan: impl for<'a> Fn(Records<'a, Drained<'a, T>, Vec<U>>) -> Collect<U> + Send + Sync + 'static,
    ) -> Bag<U> {
        let base = self.base.then(Step::here(operation), code);
        let stage = Operator::new(self.stage, move |_: &Env<'_>, records| plan(records));
        Bag { base, stage: Arc::new(stage) }
    }

    /// The door of operators that keep some records: the others go back to whoever made them, to be
    /// written over.
    #[track_caller]
    fn keeping(
        self,
        operation: &'static str,
        kept: impl Fn(&mut [T]) -> usize + Send + Sync + 'static,
    ) -> Self {
        let base = self.base.then(Step::here(operation), Code::of(&kept));
        let stage = Filter::new(self.stage, move |_: &Env<'_>, records: &mut [T]| kept(records));
        Self { base, stage: Arc::new(stage) }
    }

    /// The same for every end: a combiner of all records.
    #[track_caller]
    fn ends<C: Feed<T>>(self, operation: &'static str, combiner: C) -> Item<C::Output> {
        let code = Code::of_combiner(&combiner);
        self.ends_with(Text::Closure, code, operation, combiner)
    }

    /// The same for an end that has a text.
    #[track_caller]
    fn ends_named<C: Feed<T>>(
        self,
        text: Text,
        operation: &'static str,
        combiner: C,
    ) -> Item<C::Output> {
        self.ends_with(text, Code::default(), operation, combiner)
    }

    /// The same, of a step that calls functions of the caller's, or was given a number.
    #[track_caller]
    fn ends_with<C: Feed<T>>(
        self,
        text: Text,
        code: Code,
        operation: &'static str,
        combiner: C,
    ) -> Item<C::Output> {
        let base = self.base.named_with(Step::here(operation), text, code);
        Item::combined(base, self.stage, combiner)
    }

    /// One record from each.
    ///
    /// ```
    /// let lengths = creel::Bag::from_iter(["a", "bcd"]).map(str::len);
    /// assert_eq!(lengths.compute_blocking()?, [1, 3]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn map<U: Send + 'static>(self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Bag<U> {
        self.adapt("map", Code::of(&f), move |records| records.map(&f).collect())
    }

    /// The records for which `keep` says so.
    ///
    /// ```
    /// let even = creel::Bag::from_iter(0..6).filter(|n| n % 2 == 0);
    /// assert_eq!(even.compute_blocking()?, [0, 2, 4]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.keeping("filter", move |records| to_front(records, &keep))
    }

    /// The records for which `drop` does not say so.
    ///
    /// ```
    /// let odd = creel::Bag::from_iter(0..6).remove(|n| n % 2 == 0);
    /// assert_eq!(odd.compute_blocking()?, [1, 3, 5]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn remove(self, drop: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.keeping("remove", move |records| to_front(records, |record| !drop(record)))
    }

    /// One record from each, or none.
    ///
    /// ```
    /// let numbers = creel::Bag::from_iter(["1", "x", "3"]).filter_map(|s| s.parse::<u32>().ok());
    /// assert_eq!(numbers.compute_blocking()?, [1, 3]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn filter_map<U: Send + 'static>(
        self,
        f: impl Fn(T) -> Option<U> + Send + Sync + 'static,
    ) -> Bag<U> {
        self.adapt("filter_map", Code::of(&f), move |records| records.filter_map(&f).collect())
    }

    /// Any number of records from each.
    ///
    /// ```
    /// let repeated = creel::Bag::from_iter(1..4).flat_map(|n| vec![n; n]);
    /// assert_eq!(repeated.compute_blocking()?, [1, 2, 2, 3, 3, 3]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map<U>(self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Bag<U::Item>
    where
        U: IntoIterator<Item: Send + 'static>,
    {
        self.adapt("flat_map", Code::of(&f), move |records| records.flat_map(&f).collect())
    }

    /// The records of each record, one level down.
    ///
    /// ```
    /// let flat = creel::Bag::from_iter([vec![1, 2], vec![], vec![3]]).flatten();
    /// assert_eq!(flat.compute_blocking()?, [1, 2, 3]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn flatten(self) -> Bag<T::Item>
    where
        T: IntoIterator<Item: Send + 'static>,
    {
        self.adapt("flatten", Code::default(), move |records| records.flatten().collect())
    }
}

/// Text to text.
impl Bag<String> {
    /// Pieces are cut from text that is lent, wherever the stage before can lend it.
    #[track_caller]
    fn cut(self, operation: &'static str, at: Separator) -> Self {
        let code = match &at {
            Separator::Space => Code::default(),
            Separator::Text(text) => Code::text(text),
        };
        let base = self.base.named_with(Step::here(operation), Text::of_separator(&at), code);
        Self { base, stage: Arc::new(Cut::new(self.stage, at)) }
    }

    /// The words of each record, as Unicode white space splits it.
    ///
    /// ```
    /// let words = creel::Bag::from_iter([" a\tb ", "", "c"].map(String::from)).words();
    /// assert_eq!(words.compute_blocking()?, ["a", "b", "c"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn words(self) -> Self {
        self.cut("words", Separator::Space)
    }

    /// The pieces of each record between `separator`s, empty ones too.
    ///
    /// ```
    /// let cells = creel::Bag::from_iter(["a,,b", "c"].map(String::from)).split(",");
    /// assert_eq!(cells.compute_blocking()?, ["a", "", "b", "c"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn split(self, separator: impl Into<String>) -> Self {
        self.cut("split", Separator::Text(separator.into()))
    }
}

/// Records to one. Each is the combiner of the same name in [`creel_operators`].
impl<T: Send + 'static> Bag<T> {
    /// Any combiner, your own too.
    ///
    /// ```
    /// use creel::operators::{Count, Max};
    ///
    /// let both = creel::Bag::from_iter(0..10).combine((Count, Max::new()));
    /// assert_eq!(both.compute_blocking()?, (10, Some(9)));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn combine<C: Feed<T>>(self, combiner: C) -> Item<C::Output> {
        let (text, code) = (Text::Rust("a combiner of Rust types"), Code::of_combiner(&combiner));
        self.ends_with(text, code, "combine", combiner)
    }

    /// How many records there are.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter('a'..='e').count().compute_blocking()?, 5);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn count(self) -> Item<u64> {
        let base = self.base.named(Step::here("count"), Text::of("count"));
        Item::looking(base, self.stage, Count)
    }

    /// The sum: of integers an `i128`, of floats the `f64` nearest to the exact sum, in whatever
    /// order they come. See [`Summand`].
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([0.1_f64; 10]).sum().compute_blocking()?, 1.0);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn sum(self) -> Item<<T::Sum as Total>::Output>
    where
        T: Summand,
    {
        self.ends("sum", Sum::<T::Sum>::new())
    }

    /// The least record; `None` if there is none.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([3, 1, 2]).min().compute_blocking()?, Some(1));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn min(self) -> Item<Option<T>>
    where
        T: Value<Owned = T>,
    {
        self.ends_named(Text::of("min"), "min", Min::new())
    }

    /// The greatest record; `None` if there is none.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([3, 1, 2]).max().compute_blocking()?, Some(3));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn max(self) -> Item<Option<T>>
    where
        T: Value<Owned = T>,
    {
        self.ends_named(Text::of("max"), "max", Max::new())
    }

    /// A state that sees every record in input order, made anew for each lane and merged.
    ///
    /// What `init` makes has to be neutral for `merge`: how often it is called depends on the
    /// machine. (In dask.bag an `initial` that is not neutral counts once for each partition.)
    ///
    /// [`Run::memory`](crate::Run::memory) does not bound these states: nobody knows what they hold.
    ///
    /// ```
    /// let total = creel::Bag::from_iter(["a", "bb"]).fold(|| 0, |sum, s| sum + s.len(), |a, b| a + b);
    /// assert_eq!(total.compute_blocking()?, 3);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn fold<A: Send + 'static>(
        self,
        init: impl Fn() -> A + Send + Sync + 'static,
        update: impl Fn(A, T) -> A + Send + Sync + 'static,
        merge: impl Fn(A, A) -> A + Send + Sync + 'static,
    ) -> Item<A> {
        self.ends("fold", Fold::new(init, update, merge))
    }

    /// All records, in input order. They have to fit in memory.
    ///
    /// ```
    /// let sorted = creel::Bag::from_iter([3, 1, 2]).collect().map(|mut v| { v.sort(); v });
    /// assert_eq!(sorted.compute_blocking()?, [1, 2, 3]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn collect(self) -> Item<Vec<T>> {
        self.collected(Step::here("collect"))
    }

    /// The same, by a step that is given.
    fn collected(self, step: Step) -> Item<Vec<T>> {
        match self.all_direct() {
            Some(all) => all,
            None => {
                let base = self.base.named(step, Text::none());
                Item::combined(base, self.stage, Collect::default())
            }
        }
    }

    /// How often each record occurs. Of the counts, [`topk`](Item::topk) keeps the commonest,
    /// [`filter`](Item::filter) some, and [`into_bag`](Item::into_bag) makes the records of what
    /// follows.
    ///
    /// ```
    /// let counts = creel::Bag::from_iter(["a", "b", "a"].map(String::from)).frequencies();
    /// assert_eq!(counts.topk(1).compute_blocking()?, [("a".to_string(), 2)]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn frequencies(self) -> Item<Counts<T>>
    where
        T: Stored + Key<Owned = T>,
    {
        let base = self.base.named(Step::here("frequencies"), Text::of("frequencies"));
        Item::looking(base, self.stage, Frequencies::new())
    }

    /// The `k` greatest records, the greatest first.
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter([3, 1, 2]).topk(2).compute_blocking()?, [3, 2]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn topk(self, k: usize) -> Item<Vec<T>>
    where
        T: Value<Owned = T>,
    {
        self.ends_named(Text::with("topk", k), "topk", TopK::new(k))
    }

    /// The `k` records of the greatest rank, the greatest first; those of equal rank by their own
    /// order, ascending.
    ///
    /// ```
    /// let longest = creel::Bag::from_iter(["aaa", "b", "cc", "dd"].map(String::from))
    ///     .topk_by(3, |word| word.len());
    /// assert_eq!(longest.compute_blocking()?, ["aaa", "cc", "dd"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn topk_by<R>(
        self,
        k: usize,
        rank: impl Fn(&T) -> R + Send + Sync + 'static,
    ) -> Item<Vec<T>>
    where
        T: Value<Owned = T>,
        R: Value<Owned = R> + Send + 'static,
    {
        let step = Step::here("topk_by");
        let code = Code::of(&rank).and_number(k as u64);
        let ranked = Operator::new(self.stage, move |_: &Env<'_>, records| {
            records.map(|record| (rank(&record), record)).collect()
        });
        Item::combined(self.base.then(step, code), Arc::new(ranked), TopKBy::new(k))
    }
}
