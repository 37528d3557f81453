//! Items: lazy single values, each a reduction of a bag and what is done with its result.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use creel_operators::{Combiner, Counts, Feed, Key, Stored};

use super::base::Base;
use super::broadcast::Env;
use super::chain::Stage;
use super::reduction::{Combined, Looking, Reduction};
use super::verbs::{Code, Text, Verbs};
use crate::Result;
use crate::graph::{Node, Shared, Sketch, Step, Value};
use crate::run::Context;

/// A lazy single value: what a bag comes to.
///
/// Cheap to clone, and computed anew each time it is asked for. Several items of one bag that
/// are computed together, by [`compute_all`](crate::compute_all), mostly read it once.
///
/// ```
/// let total = creel::Bag::from_iter(1..=4_i64).sum().map(|sum| sum * 10);
/// assert_eq!(total.compute_blocking()?, 100);
/// # Ok::<(), creel::Error>(())
/// ```
#[must_use = "items are lazy: nothing is read until one is computed"]
pub struct Item<T> {
    work: Work,
    finish: Arc<dyn Fn(Value) -> Result<T> + Send + Sync>,
    /// The same in all clones, so that handles on them are one task.
    pub(super) id: u64,
    /// What is done with the value.
    steps: Vec<Step>,
    /// All steps in the language of the command.
    pub(super) verbs: Verbs,
}

/// What has to run for an item.
#[derive(Clone)]
pub(super) enum Work {
    /// Combining all blocks of an origin, beside others over the same.
    Reduce(Arc<Reduced>),
    /// Anything else, by itself.
    Alone(Arc<Alone>),
    /// A task, whose value this is.
    Task(Arc<Node>),
}

/// An item, its type forgotten.
pub(super) struct Erased {
    /// The same for all that are clones of one item.
    pub(super) id: u64,
    pub(super) work: Work,
    pub(super) finish: Finish,
    pub(super) steps: Vec<Step>,
}

/// Makes an item's value of what its work gave.
pub(super) type Finish = Arc<dyn Fn(Value) -> Result<Value> + Send + Sync>;

type Make = dyn Fn(&Env<'_>) -> Arc<dyn Reduction> + Send + Sync;

type AloneWork = dyn Fn(&Context, Vec<Shared>) -> Result<Made<Value>> + Send + Sync;

type LazyWork = dyn Fn(&Context) -> Result<Value> + Send + Sync;

/// The result of work that reads its origin in its own way.
pub(super) enum Made<T> {
    /// A value.
    Value(T),
    /// Tasks, and what makes the value once the last of them is done.
    Tasks(Arc<Node>, Box<dyn Fn() -> T + Send + Sync>),
}

/// A bag that is combined.
pub(super) struct Reduced {
    pub(super) base: Base,
    /// Whether a state must see its blocks in input order.
    pub(super) ordered: bool,
    pub(super) spills: Spills,
    /// Makes the reduction once for each lane: with the values that are needed, it may be another
    /// in each run.
    pub(super) make: Box<Make>,
}

/// How states are spilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spills {
    /// As the combiner saves them, if it does; the result is in memory.
    Saved,
    /// The same, and the result of each part is spilled too.
    Parts,
    /// A state spills by itself, and keeps the places.
    ByItself,
    /// They would be spilled if their records had a form in bytes.
    NeedsForm,
}

/// Work that reads its origin in its own way.
pub(super) struct Alone {
    pub(super) operation: &'static str,
    /// How it looks in a picture: made when it is run or drawn, since it may hold many tasks.
    pub(super) sketch: Box<dyn Fn() -> Sketch + Send + Sync>,
    /// The tasks whose values it is given: listed when they are run, since there may be many.
    pub(super) inputs: Box<dyn Fn() -> Vec<Arc<Node>> + Send + Sync>,
    pub(super) work: Box<AloneWork>,
    /// Does the same where nothing else is asked for, and computes no more inputs than it needs.
    pub(super) lazy: Option<Box<LazyWork>>,
    /// The bytes of the blocks that it reads, if it does.
    pub(super) blocksize: Option<usize>,
}

impl<T> Clone for Item<T> {
    fn clone(&self) -> Self {
        Self {
            work: self.work.clone(),
            finish: Arc::clone(&self.finish),
            id: self.id,
            steps: self.steps.clone(),
            verbs: self.verbs.clone(),
        }
    }
}

impl<T> fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Item");
        if let Work::Reduce(reduced) = &self.work {
            out.field("origin", &reduced.base.origin);
        }
        out.finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Item<T> {
    /// A bag's records, combined.
    pub(super) fn combined<R: 'static, C: Feed<R, Output = T>>(
        base: Base,
        stage: Arc<dyn Stage<R>>,
        combiner: C,
    ) -> Self {
        let combined: Arc<dyn Reduction> = Arc::new(Combined { stage, combiner });
        Self::reduced::<C>(base, move |_| Arc::clone(&combined))
    }

    /// The same by a combiner that only looks at the records: who made them may use them again.
    pub(super) fn looking<R, C>(base: Base, stage: Arc<dyn Stage<R>>, combiner: C) -> Self
    where
        R: 'static,
        C: for<'r> Feed<&'r R> + Combiner<Output = T>,
    {
        let looking: Arc<dyn Reduction> = Arc::new(Looking { stage, combiner });
        Self::reduced::<C>(base, move |_| Arc::clone(&looking))
    }

    /// What a reduction by a `C` gives.
    pub(super) fn reduced<C: Combiner<Output = T>>(
        base: Base,
        make: impl Fn(&Env<'_>) -> Arc<dyn Reduction> + Send + Sync + 'static,
    ) -> Self {
        let (ordered, spills) = (C::ORDERED, Spills::Saved);
        Self::of_reduced(Reduced { base, ordered, spills, make: Box::new(make) })
    }

    /// What a reduction gives that makes values of this type.
    pub(super) fn of_reduced(reduced: Reduced) -> Self {
        Self::of(reduced.base.verbs.clone(), Work::Reduce(Arc::new(reduced)))
    }

    /// The same item, its value in another form.
    pub(super) fn in_form<U: Send + 'static>(
        &self,
        form: impl Fn(T) -> Result<U> + Send + Sync + 'static,
    ) -> Item<U> {
        let finish = Arc::clone(&self.finish);
        Item {
            work: self.work.clone(),
            finish: Arc::new(move |value| form(finish(value)?)),
            id: self.id,
            steps: self.steps.clone(),
            verbs: self.verbs.clone(),
        }
    }

    pub(super) fn alone(
        verbs: Verbs,
        sketch: Sketch,
        inputs: Vec<Arc<Node>>,
        work: impl Fn(&Context, Vec<Shared>) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let (inputs, operation) = (move || inputs.clone(), sketch.operation);
        let sketch = (operation, move || sketch.clone());
        let work = move |context: &Context, values| work(context, values).map(Made::Value);
        let lazy = None::<fn(&Context) -> Result<T>>;
        Self::alone_or_lazy(verbs, sketch, (inputs, None), work, lazy)
    }

    /// The same, of inputs and of blocks of so many bytes; and another way to its value, for a run that has
    /// nothing else to do, which computes no more inputs than it needs.
    pub(super) fn alone_or_lazy(
        verbs: Verbs,
        (operation, sketch): (&'static str, impl Fn() -> Sketch + Send + Sync + 'static),
        (inputs, blocksize): (impl Fn() -> Vec<Arc<Node>> + Send + Sync + 'static, Option<usize>),
        work: impl Fn(&Context, Vec<Shared>) -> Result<Made<T>> + Send + Sync + 'static,
        lazy: Option<impl Fn(&Context) -> Result<T> + Send + Sync + 'static>,
    ) -> Self {
        let work = move |context: &Context, values| -> Result<Made<Value>> {
            Ok(match work(context, values)? {
                Made::Value(value) => Made::Value(Box::new(value)),
                Made::Tasks(last, made) => Made::Tasks(last, Box::new(move || Box::new(made()))),
            })
        };
        let lazy = lazy
            .map(|lazy| -> Box<LazyWork> { Box::new(move |context| Ok(Box::new(lazy(context)?))) });
        let alone = Alone {
            operation,
            sketch: Box::new(sketch),
            inputs: Box::new(inputs),
            work: Box::new(work),
            lazy,
            blocksize,
        };
        Self::of(verbs, Work::Alone(Arc::new(alone)))
    }

    /// An item of what its work gives as it is.
    fn of(verbs: Verbs, work: Work) -> Self {
        Self::finished(work, Vec::new(), verbs, |value: Value| {
            Ok(*value.downcast().unwrap_or_else(|_| unreachable!("an item knows its work's type")))
        })
    }

    /// An item of a task's value, which `finish` makes of a share of that.
    pub(super) fn task(
        step: Step,
        node: Arc<Node>,
        finish: impl Fn(Value) -> T + Send + Sync + 'static,
    ) -> Self {
        Self::finished(Work::Task(node), vec![step], Verbs::default(), move |value| {
            Ok(finish(value))
        })
    }

    fn finished(
        work: Work,
        steps: Vec<Step>,
        verbs: Verbs,
        finish: impl Fn(Value) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        static ITEMS: AtomicU64 = AtomicU64::new(0);
        Self { work, finish: Arc::new(finish), id: ITEMS.fetch_add(1, Relaxed), steps, verbs }
    }

    /// A function of the value, once it is there.
    ///
    /// ```
    /// let count = creel::Bag::from_iter(0..7).count().map(|n| format!("{n} records"));
    /// assert_eq!(count.compute_blocking()?, "7 records");
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn map<U: Send + 'static>(self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Item<U> {
        self.then(Step::here("map"), Text::Closure, f)
    }

    /// A step, which is this in the language of the command.
    pub(super) fn then<U: Send + 'static>(
        self,
        step: Step,
        text: Text,
        f: impl Fn(T) -> U + Send + Sync + 'static,
    ) -> Item<U> {
        let Self { work, finish, mut steps, mut verbs, .. } = self;
        verbs.push(step.clone(), text, Code::of(&f));
        steps.push(step);
        Item::finished(work, steps, verbs, move |value| Ok(f(finish(value)?)))
    }

    /// What has to run, and what makes the value of it.
    pub(super) fn erased(&self) -> Erased {
        let finish = Arc::clone(&self.finish);
        let finish = Arc::new(move |value| -> Result<Value> { Ok(Box::new(finish(value)?)) });
        Erased { id: self.id, work: self.work.clone(), finish, steps: self.steps.clone() }
    }
}

impl<K: Stored> Item<Counts<K>> {
    /// The `k` commonest, the commonest first; those that occur equally often by key, ascending.
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["b", "a", "b", "a", "c"].map(String::from));
    /// let top = words.frequencies().topk(2).compute_blocking()?;
    /// assert_eq!(top, [("a".to_string(), 2), ("b".to_string(), 2)]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn topk(self, k: usize) -> Item<Vec<(K, u64)>> {
        self.then(Step::here("topk"), Text::with("topk", k), move |counts| counts.topk(k))
    }

    /// The counts of the keys for which `keep` says so: it is given the key, lent, and its count.
    ///
    /// ```
    /// let words = creel::Bag::from_iter(["b", "a", "b", "c"].map(String::from));
    /// let often = words.frequencies().filter(|word, n| n > 1 && word != "c");
    /// assert_eq!(often.compute_blocking()?.sorted(), [("b".to_string(), 2)]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(
        self,
        keep: impl for<'k> Fn(K::Lent<'k>, u64) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        K: Key<Owned = K>,
    {
        self.then(Step::here("filter"), Text::Closure, move |counts| counts.filter(&keep))
    }
}
