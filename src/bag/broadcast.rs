//! Values that records are worked with: computed once in a run, and shared by all lanes.
//!
//! A bag carries the tasks whose values its stages look at. In a run they are inputs of whatever
//! sends blocks through the stages, so the graph computes each once, whoever else wants it, and
//! drops it with the last lane. A stage finds its value by the task, once for a batch of records:
//! bags that are computed together need different ones, and each sees all.

use std::sync::Arc;

use creel_operators::{Collect, Combiner, Records};

use super::chain::{Drained, Filter, Operator, to_front};
use super::lend::{Lend, LentRecords, Planned, lent};
use super::verbs::Code;
use super::{Bag, Item};
use crate::Progress;
use crate::graph::delayed::Argument;
use crate::graph::{Node, Shared, Step};

/// What stages work with, beside records.
pub(super) struct Env<'a> {
    pub(super) progress: &'a Progress,
    /// The tasks that are needed, and their values.
    pub(super) needs: &'a [Arc<Node>],
    pub(super) values: &'a [Shared],
}

impl<'a> Env<'a> {
    /// The value of a task that is needed.
    fn value<V: 'static>(&self, task: &Arc<Node>) -> &'a V {
        let at = self.needs.iter().position(|need| Arc::ptr_eq(need, task));
        let value = at.and_then(|at| self.values[at].downcast_ref());
        value.unwrap_or_else(|| unreachable!("a bag needs what its stages look at"))
    }
}

/// With a value that is computed first: of a [`Delayed`](crate::Delayed), of an [`Item`], or of a
/// reference to either. It is computed once in a run, before records are read, and shared by all
/// threads; it costs nothing for a record, and is dropped with the last one. Closures name its
/// type.
///
/// An item that is asked for beside is computed for itself; its handle,
/// [`to_delayed`](Item::to_delayed), is computed once for all.
///
/// ```
/// use creel::Bag;
///
/// // Two passes: one for the greatest, one for what becomes of all.
/// let lengths = creel::read_text("fixtures/access.log")?.map(|line| line.len() as f64);
/// let longest = lengths.clone().fold(|| 0.0, f64::max, f64::max);
/// let relative = lengths.map_with(&longest, |length, longest: &f64| length / longest);
/// assert_eq!(relative.fold(|| 0.0, f64::max, f64::max).compute_blocking()?, 1.0);
/// # Ok::<(), creel::Error>(())
/// ```
impl<T: Send + 'static> Bag<T> {
    /// As `adapt`, with a value.
    #[track_caller]
    fn adapt_with<V, U>(
        self,
        operation: &'static str,
        code: Code,
        argument: impl Argument<V>,
        plan: impl for<'a> Fn(Records<'a, Drained<'a, T>, Vec<U>>, &V) -> Collect<U>
        + Send
        + Sync
        + 'static,
    ) -> Bag<U>
    where
        V: Send + Sync + 'static,
        U: Send + 'static,
    {
        let step = Step::here(operation);
        let task = Arc::clone(argument.into_delayed().node());
        let base = self.base.then(step, code).needing::<V>(&task);
        let stage = Operator::new(self.stage, move |env, records| plan(records, env.value(&task)));
        Bag { base, stage: Arc::new(stage) }
    }

    /// [`map`](Self::map) with a value that is computed first.
    ///
    /// ```
    /// let ten = creel::delayed(1).map(|n| n * 10);
    /// let more = creel::Bag::from_iter(1..4).map_with(&ten, |n, ten: &i32| n + ten);
    /// assert_eq!(more.compute_blocking()?, [11, 12, 13]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn map_with<V, U>(
        self,
        argument: impl Argument<V>,
        f: impl Fn(T, &V) -> U + Send + Sync + 'static,
    ) -> Bag<U>
    where
        V: Send + Sync + 'static,
        U: Send + 'static,
    {
        self.adapt_with("map_with", Code::of(&f), argument, move |records, value| {
            records.map(|record| f(record, value)).collect()
        })
    }

    /// [`filter`](Self::filter) with a value that is computed first.
    ///
    /// ```
    /// use std::collections::HashSet;
    ///
    /// let stop = creel::delayed(["the", "a"]).map(|words| HashSet::from(*words));
    /// let words = creel::Bag::from_iter(["a", "creel"])
    ///     .filter_with(stop, |word, stop: &HashSet<&str>| !stop.contains(word));
    /// assert_eq!(words.compute_blocking()?, ["creel"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn filter_with<V>(
        self,
        argument: impl Argument<V>,
        keep: impl Fn(&T, &V) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        V: Send + Sync + 'static,
    {
        let step = Step::here("filter_with");
        let task = Arc::clone(argument.into_delayed().node());
        let base = self.base.then(step, Code::of(&keep)).needing::<V>(&task);
        let stage = Filter::new(self.stage, move |env: &Env<'_>, records: &mut [T]| {
            let value = env.value(&task);
            to_front(records, |record| keep(record, value))
        });
        Self { base, stage: Arc::new(stage) }
    }

    /// [`flat_map`](Self::flat_map) with a value that is computed first.
    ///
    /// ```
    /// let count = creel::Bag::from_iter([7, 8]).count();
    /// let repeated = creel::Bag::from_iter(["a", "b"])
    ///     .flat_map_with(count, |record, count: &u64| vec![record; *count as usize]);
    /// assert_eq!(repeated.compute_blocking()?, ["a", "a", "b", "b"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_with<V, U>(
        self,
        argument: impl Argument<V>,
        f: impl Fn(T, &V) -> U + Send + Sync + 'static,
    ) -> Bag<U::Item>
    where
        V: Send + Sync + 'static,
        U: IntoIterator<Item: Send + 'static>,
    {
        self.adapt_with("flat_map_with", Code::of(&f), argument, move |records, value| {
            records.flat_map(|record| f(record, value)).collect()
        })
    }
}

impl<T: Lend> Bag<T> {
    /// [`lend`](Self::lend) with a value that is computed first, which the combiner may depend
    /// on too. The plan is called on no records once for each lane, instead of here and now.
    ///
    /// ```
    /// let lines = creel::read_text("fixtures/access.log")?;
    /// let longest = lines.clone().lend(|lines| lines.map(str::len).max());
    /// let as_long = lines.lend_with(longest, |lines, longest: &Option<usize>| {
    ///     lines.filter(|line| Some(line.len()) == *longest).count()
    /// });
    /// assert_eq!(as_long.compute_blocking()?, 1);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn lend_with<V, C, P>(self, argument: impl Argument<V>, plan: P) -> Item<C::Output>
    where
        V: Send + Sync + 'static,
        C: Combiner,
        P: Fn(LentRecords<'_, '_, T, C::State>, &V) -> C + Send + Sync + 'static,
    {
        let step = Step::here("lend_with");
        let task = Arc::clone(argument.into_delayed().node());
        let base = self.base.then(step, Code::of(&plan)).needing::<V>(&task);
        let stage = self.stage;
        let plan = Arc::new(move |env: &Env<'_>, records: LentRecords<'_, '_, T, C::State>| {
            plan(records, env.value(&task))
        });
        Item::reduced::<C>(base, move |env| {
            let combiner = plan(env, lent::<T, _>(T::lend(&[]), &mut C::State::default()));
            Arc::new(Planned::new(Arc::clone(&stage), combiner, Arc::clone(&plan)))
        })
    }
}
