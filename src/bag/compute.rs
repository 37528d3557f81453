//! Computing items: one graph for all that are asked for together.

use std::sync::Arc;

use super::Bag;
use super::chain::Chunk;
use super::item::{Item, Reduction, Work};
use super::origin::Chunks;
use crate::graph::{Graph, Handle, Value, caught};
use crate::run::{Context, Pass, Stop, reduction};
use crate::{Error, Place, Progress, Result};

/// How a computation runs: on how many threads, and who watches.
///
/// ```
/// use creel::{Bag, Run};
///
/// let run = Run::new().threads(2);
/// let numbers = Bag::from_iter(0..5000);
/// assert_eq!(run.compute_blocking(&numbers.count())?, 5000);
/// assert!(run.progress().blocks() > 1);
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Run {
    context: Context,
}

impl Run {
    /// A thread for each core that this process may use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this many threads; at least one.
    pub fn threads(mut self, threads: usize) -> Self {
        self.context.threads = threads.max(1);
        self
    }

    /// The counters that this run raises: bytes, blocks, records left out. They may be read from
    /// any thread while it goes.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.context.progress)
    }

    /// Computes an item, or a tuple of items in one pass over each source, on this thread and
    /// helpers.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    pub fn compute_blocking<C: Compute>(&self, what: &C) -> Result<C::Output> {
        what.compute_in(&Self {
            // A stop is for one run: the next of this value must not be born stopped.
            context: Context { stop: Stop::default(), ..self.context.clone() },
        })
    }

    /// Computes an item, or a tuple of items in one pass over each source, on threads of its
    /// own. Dropping the future cancels the run.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    pub async fn compute<C>(&self, what: C) -> Result<C::Output>
    where
        C: Compute<Output: Send> + Send + 'static,
    {
        let stop = Stop::default();
        let run = Self { context: Context { stop: stop.clone(), ..self.context.clone() } };
        let _cancel = CancelOnDrop(stop);
        let (send, receive) = tokio::sync::oneshot::channel();
        let work = move || {
            // Nobody receives if the future was dropped, which is what cancelled the run.
            let _ = send.send(caught("run", || what.compute_in(&run)));
        };
        let spawned = std::thread::Builder::new().name("creel".into()).spawn(work);
        spawned
            .map_err(|source| Error::Io { place: Place::object("a thread to run on"), source })?;
        receive.await.unwrap_or(Err(Error::Cancelled))
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }
}

/// Cancels a run whose future is gone; one that has ended does not mind.
struct CancelOnDrop(Stop);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// What can be computed: an [`Item`], or a tuple of up to eight.
pub trait Compute {
    /// The value, or a tuple of values.
    type Output;

    /// Computes on this thread and helpers. [`Run::compute`] and [`Run::compute_blocking`] call
    /// this.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    fn compute_in(&self, run: &Run) -> Result<Self::Output>;
}

impl<C: Compute> Compute for &C {
    type Output = C::Output;

    fn compute_in(&self, run: &Run) -> Result<C::Output> {
        C::compute_in(self, run)
    }
}

/// Computes a tuple of items; those over one source share one pass over it.
///
/// Nothing is kept for the sharing: each block is fed to every item's combiner in turn. One source
/// is what one call of [`read_text`](crate::read_text) or its like named, in all bags that came of
/// it. Two kinds of item have a pass of their own: that of [`take`](Bag::take), which ends early,
/// and that of a bag [`from_iter`](Bag::from_iter), whose records are made for one taker.
///
/// # Errors
///
/// As [`Item::compute`].
///
/// ```
/// # futures::executor::block_on(async {
/// let lines = creel::read_text("fixtures/access.log")?;
/// let (lines, bytes) = creel::compute_all((
///     lines.clone().count(),
///     lines.map(|line| line.len()).sum(),
/// )).await?;
/// assert!(bytes > i128::from(lines));
/// # Ok::<(), creel::Error>(()) }).unwrap();
/// ```
pub async fn compute_all<C>(items: C) -> Result<C::Output>
where
    C: Compute<Output: Send> + Send + 'static,
{
    Run::new().compute(items).await
}

/// [`compute_all`] on this thread and helpers.
///
/// # Errors
///
/// As [`Item::compute`].
///
/// ```
/// let lines = creel::read_text("fixtures/access.log")?.map(|line| line.len());
/// let (least, greatest) = creel::compute_all_blocking(&(lines.clone().min(), lines.max()))?;
/// assert!(least < greatest);
/// # Ok::<(), creel::Error>(())
/// ```
pub fn compute_all_blocking<C: Compute>(items: &C) -> Result<C::Output> {
    Run::new().compute_blocking(items)
}

macro_rules! tuple {
    ($($name:ident $at:tt),+) => {
        impl<$($name: Send + 'static),+> Compute for ($(Item<$name>,)+) {
            type Output = ($($name,)+);

            fn compute_in(&self, run: &Run) -> Result<Self::Output> {
                let mut plan = Plan::default();
                $(plan.add(&self.$at);)+
                let mut values = plan.run(run.context())?.into_iter();
                Ok(($(value::<$name>(&mut values),)+))
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

fn value<T: 'static>(values: &mut impl Iterator<Item = Value>) -> T {
    let value = values.next().and_then(|value| value.downcast().ok());
    *value.unwrap_or_else(|| unreachable!("a plan gives a value for each item, in their order"))
}

impl<T: Send + 'static> Item<T> {
    /// The value, waiting for it without blocking the caller's runtime, whichever that is.
    ///
    /// Dropping the future cancels the run.
    ///
    /// # Errors
    ///
    /// Whatever went wrong with a source, a record, or a function of the caller's: see
    /// [`Error`](crate::Error).
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// assert_eq!(creel::Bag::from_iter(0..7).count().compute().await?, 7);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn compute(self) -> Result<T> {
        Run::new().compute(self).await
    }

    /// The value, waiting for it on this thread, which works too.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter(0..7).count().compute_blocking()?, 7);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn compute_blocking(&self) -> Result<T> {
        Run::new().compute_blocking(self)
    }
}

impl<T: Send + 'static> Compute for Item<T> {
    type Output = T;

    fn compute_in(&self, run: &Run) -> Result<T> {
        (self.clone(),).compute_in(run).map(|(value,)| value)
    }
}

impl<T: Send + 'static> Bag<T> {
    /// All records, in input order: [`collect`](Self::collect), computed.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let even = creel::Bag::from_iter(0..5).filter(|n| n % 2 == 0);
    /// assert_eq!(even.compute().await?, [0, 2, 4]);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn compute(self) -> Result<Vec<T>> {
        self.collect().compute().await
    }

    /// All records, in input order: [`collect`](Self::collect), computed on this thread.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    pub fn compute_blocking(&self) -> Result<Vec<T>> {
        self.clone().collect().compute_blocking()
    }
}

type Finish = Arc<dyn Fn(Value) -> Value + Send + Sync>;

/// The items of one computation.
#[derive(Default)]
struct Plan {
    items: Vec<(Work, Finish)>,
}

/// Reductions over one origin.
struct Group<'p> {
    /// The place of each in the plan.
    items: Vec<usize>,
    reductions: Vec<&'p dyn Reduction>,
    context: &'p Context,
}

impl Plan {
    fn add<T: Send + 'static>(&mut self, item: &Item<T>) {
        self.items.push(item.erased());
    }

    /// Lists every origin, then runs everything as one graph; the values come in the items'
    /// order.
    fn run(&self, context: &Context) -> Result<Vec<Value>> {
        let groups = self.groups(context);
        let open = groups
            .into_iter()
            .map(|group| Ok((group.reductions[0].origin().open(context)?, group)));
        let open: Vec<(Chunks, Group<'_>)> = open.collect::<Result<_>>()?;
        let mut graph = Graph::default();
        let mut roots: Vec<(Vec<usize>, Handle<Vec<Value>>)> = Vec::new();
        // Before the lanes, which would keep every thread to the end: these are mostly short.
        for (n, (work, finish)) in self.items.iter().enumerate() {
            if let Work::Alone(work) = work {
                // What failed here ends the lanes of the other items too.
                let value = graph.task("take", || {
                    caught("take", || Ok(vec![finish(work(context)?)]))
                        .inspect_err(|_| context.stop.cancel())
                });
                roots.push((vec![n], value));
            }
        }
        for (input, group) in &open {
            let states = reduction(&mut graph, context, input, group);
            let values = graph.map("finish", states, |states| Ok(self.finish(group, states)));
            roots.push((group.items.clone(), values));
        }
        let mut results = graph.run(context.threads)?;
        let values = roots
            .into_iter()
            .flat_map(|(items, values)| items.into_iter().zip(results.take(values)));
        let mut values: Vec<(usize, Value)> = values.collect();
        values.sort_unstable_by_key(|(n, _)| *n);
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }

    /// The values of a group's items, in the group's order.
    fn finish(&self, group: &Group<'_>, states: Vec<Value>) -> Vec<Value> {
        let reductions = group.reductions.iter().zip(&group.items);
        let finished = reductions.zip(states).map(|((reduction, &n), state)| {
            let (_, finish) = &self.items[n];
            finish(reduction.finish(state))
        });
        finished.collect()
    }

    /// The reductions, those over one origin together.
    fn groups<'p>(&'p self, context: &'p Context) -> Vec<Group<'p>> {
        let mut groups: Vec<Group<'p>> = Vec::new();
        for (n, (work, _)) in self.items.iter().enumerate() {
            let Work::Reduce(reduction) = work else { continue };
            let shared = groups
                .iter_mut()
                .find(|group| group.reductions[0].origin().shares(reduction.origin()));
            match shared {
                Some(group) => {
                    group.items.push(n);
                    group.reductions.push(&**reduction);
                }
                None => {
                    groups.push(Group { items: vec![n], reductions: vec![&**reduction], context });
                }
            }
        }
        groups
    }
}

/// One pass that feeds each chunk to all of the group's reductions.
impl Pass<Chunk> for Group<'_> {
    type State = Vec<Value>;

    fn ordered(&self) -> bool {
        self.reductions.iter().any(|reduction| reduction.ordered())
    }

    fn start(&self) -> Vec<Value> {
        self.reductions.iter().map(|reduction| reduction.start()).collect()
    }

    fn feed(&self, states: &mut Vec<Value>, mut chunk: Chunk) -> Result<()> {
        let mut pairs = self.reductions.iter().zip(states);
        pairs.try_for_each(|(r, state)| r.feed(state, &mut chunk, &self.context.progress))
    }

    fn full(&self, states: &Vec<Value>) -> bool {
        self.reductions.iter().zip(states).all(|(reduction, state)| reduction.full(state))
    }

    fn merge(&self, into: &mut Vec<Value>, from: Vec<Value>) {
        for ((reduction, into), from) in self.reductions.iter().zip(into).zip(from) {
            reduction.merge(into, from);
        }
    }
}
