//! Between bags and tasks of one's own, both ways.

use std::any::TypeId;
use std::ops::ControlFlow;
use std::panic::Location;
use std::sync::Arc;

use super::base::Base;
use super::broadcast::Env;
use super::chain::{BatchIter, Chunk};
use super::computation::Compute;
use super::computation::{Computation, Values};
use super::memory::{Pace, batches};
use super::origin::{Chunks, Origin, whole};
use super::phases::Phase;
use super::run::Run;
use super::tasks::Tasks;
use super::verbs::{Code, Text, Verbs};
use super::{Bag, Item};
use crate::graph::delayed::Argument;
use crate::graph::{Delayed, Moved, Name, Node, Outcome, Shared, Sketch, Step, Value, typed};
use crate::run::{Context, Input, Order, Reader};
use crate::{Error, Result};

impl<T: Send + Sync + 'static> Bag<T> {
    /// A handle on the records of each partition, in input order, for tasks of your own.
    ///
    /// The source is listed now; it is read when a handle is computed, each partition by itself.
    ///
    /// # Errors
    ///
    /// Whatever went wrong as the source was listed.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let lines = creel::read_text("fixtures/peps/*.rst")?;
    /// let parts = lines.to_delayed().await?;
    /// let longest = parts.iter().map(|part| part.map(|lines| lines.iter().map(String::len).max()));
    /// let longest = creel::delayed::all(longest).map(|all| all.iter().filter_map(|n| **n).max());
    /// assert_eq!(longest.compute().await?, Some(315));
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn to_delayed(&self) -> Result<Vec<Delayed<Vec<T>>>> {
        self.listed().compute().await
    }

    /// [`to_delayed`](Self::to_delayed), listing on this thread.
    ///
    /// # Errors
    ///
    /// As [`to_delayed`](Self::to_delayed).
    pub fn to_delayed_blocking(&self) -> Result<Vec<Delayed<Vec<T>>>> {
        self.listed().compute_blocking()
    }

    fn listed(&self) -> Item<Vec<Delayed<Vec<T>>>> {
        let bag = self.clone();
        let sketch = Sketch { operation: "list", ..Sketch::default() };
        Item::alone(Verbs::default(), sketch, Vec::new(), move |context, _| bag.handles(context))
    }

    /// A handle on each partition. The source is listed here.
    pub(super) fn handles(&self, context: &Context) -> Result<Vec<Delayed<Vec<T>>>> {
        if let Some(cut) = &self.base.cut {
            return Ok(self.over(&cut.tasks(context)?));
        }
        if let Origin::Tasks(tasks) = &self.base.origin {
            return Ok(self.over(tasks));
        }
        let opened = self.base.origin.open(context, Vec::new(), Order::Any)?;
        let input = Arc::new(opened.apart());
        let sketch = Arc::new(self.base.partition());
        let partitions = (0..input.partitions()).map(|partition| {
            let (bag, input) = (self.clone(), Arc::clone(&input));
            let name = Name::Sketched(Arc::clone(&sketch), Some(partition));
            let needs = bag.base.needs.clone();
            let node = Node::new(name, needs, move |context, inputs| {
                let shared = inputs.take_all();
                bag.partition(context, &shared, &input, partition).map(Outcome::value)
            });
            Delayed::of(node)
        });
        Ok(partitions.collect())
    }

    /// The records of one partition.
    fn partition(
        &self,
        context: &Context,
        shared: &[Shared],
        input: &Chunks,
        partition: usize,
    ) -> Result<Vec<T>> {
        let mut made = Vec::new();
        let mut reader = input.open_for(partition, &context.progress);
        while let Some(chunk) = context.stop.wait(reader.next()).unwrap_or(Ok(None))? {
            self.append(context, shared, chunk, usize::MAX, &mut made)?;
        }
        if context.stop.is_cancelled() { Err(Error::Cancelled) } else { Ok(made) }
    }

    /// Reads and computes the bag once and keeps its records in memory, for all that is made of
    /// the returned bag.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let kept = creel::Bag::from_iter(0..10).map(|n| n * n).persist().await?;
    /// assert_eq!(kept.clone().count().compute().await?, 10);
    /// assert_eq!(kept.max().compute().await?, Some(81));
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn persist(self) -> Result<Self>
    where
        T: Clone,
    {
        let parts = self.to_delayed().await?;
        Ok(Self::from_delayed(Run::new().compute(Persist(parts)).await?))
    }

    /// [`persist`](Self::persist), waiting for it on this thread, which works too.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    pub fn persist_blocking(&self) -> Result<Self>
    where
        T: Clone,
    {
        let parts = self.to_delayed_blocking()?;
        Ok(Self::from_delayed(Run::new().compute_blocking(&Persist(parts))?))
    }
}

impl<T: Send + 'static> Bag<T> {
    /// Adds the records of a chunk to those that were made; no more are of use than `most`.
    pub(super) fn append(
        &self,
        context: &Context,
        shared: &[Shared],
        mut chunk: Chunk,
        most: usize,
        made: &mut Vec<T>,
    ) -> Result<()> {
        context.read(|| self.base.origin.amount(&chunk));
        let env = Env { progress: &context.progress, needs: &self.base.needs, values: shared };
        let mut append = |batch: &mut Vec<T>| {
            made.append(batch);
            let enough = made.len() >= most;
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        chunk.with("", |chunk| self.stage.run(chunk, &env, &mut append)).map(drop)
    }

    /// A bag of the records that tasks make, one partition a task: of `Vec`s, or of any
    /// collection.
    ///
    /// Each task runs once in a computation, just before its records are wanted, and its value is
    /// dropped after. [`take`](Self::take) and [`stream`](Self::stream) run those whose records
    /// are asked for, and a few ahead, and plan no others; where records of handles further on may
    /// need the same tasks, their graphs are looked through once. Any other end plans a task and a
    /// merge for each handle before the first runs: some 700 bytes each. Records are cloned out of
    /// values that something else holds too.
    ///
    /// ```
    /// use creel::{Bag, delayed};
    ///
    /// let parts = [1, 2].map(|n| delayed(n).map(|n| vec![*n; 3]));
    /// let bag = Bag::from_delayed(parts).map(|n| n * 10);
    /// assert_eq!(bag.compute_blocking()?, [10, 10, 10, 20, 20, 20]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn from_delayed<C>(parts: impl IntoIterator<Item = Delayed<C>>) -> Self
    where
        C: IntoIterator<Item = T, IntoIter: Send + 'static> + Clone + Send + Sync + 'static,
    {
        let nodes = parts.into_iter().map(|part| Arc::clone(part.node())).collect();
        let origin = Origin::Tasks(Arc::new(Tasks { nodes, records: records::<C>, phase: None }));
        Self { base: Base::new(origin, Step::here("from_delayed")), stage: whole() }
    }
}

/// The records of a task's value, in batches.
fn records<C>(value: Shared, pace: Arc<Pace>) -> BatchIter
where
    C: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static> + Clone + Send + Sync + 'static,
{
    batches(pace, move || Arc::unwrap_or_clone(typed::<C>(value)).into_iter())
}

impl<T: Send + Sync + 'static> Item<T> {
    /// A handle on the value, for tasks of your own. Items over one source that become handles
    /// read it once each; [`Delayed::together`] makes one handle of several, for which it is read
    /// once.
    ///
    /// ```
    /// let count = creel::Bag::from_iter(0..7).count().to_delayed();
    /// assert_eq!(count.map(|n| n * 2).compute_blocking()?, 14);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn to_delayed(&self) -> Delayed<T> {
        self.handle(Name::At("item", Location::caller()))
    }

    /// A handle of this name on the value.
    pub(super) fn handle(&self, name: Name) -> Delayed<T> {
        let mut computation = Computation::default();
        computation.item(self);
        let inputs = computation.roots().into_iter().map(|(_, root)| root);
        let handle = Delayed::of(Node::new(name, inputs, |_, inputs| {
            let values: Vec<Value> = Moved::out_of(inputs.take(0));
            let value = values.into_iter().next().and_then(|value| value.downcast::<T>().ok());
            let value = value.unwrap_or_else(|| unreachable!("an item is asked for, and given"));
            Ok(Outcome::Value(Arc::<T>::from(value)))
        }));
        // However often it is asked for: an argument of several bags is computed once.
        handle.once().only(TypeId::of::<Self>(), self.id)
    }
}

impl<T: Send + Sync + 'static> Argument<T> for Item<T> {
    fn into_delayed(self) -> Delayed<T> {
        self.to_delayed()
    }
}

impl<C> Item<C>
where
    C: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static> + Clone + Send + Sync + 'static,
{
    /// A bag of the value's records, which is computed in the same run: what follows a reduction.
    ///
    /// What the item reads is read once in a run, also where other items over the same source, bags
    /// of other items over it, or this item itself are asked for with it.
    ///
    /// The bag has one partition. Its records are in the order of the collection; that of
    /// `Counts` is none, which `map(|counts| counts.sorted())` gives one.
    ///
    /// ```
    /// let lines = creel::Bag::from_iter(["a/x a/y", "b/x a/x"].map(String::from));
    /// let pages = lines.words().frequencies().into_bag().filter(|(_, n)| *n == 1);
    /// let sections = pages.map(|(page, _)| page[..1].to_owned()).frequencies().topk(1);
    /// let top = sections.compute_blocking()?;
    /// assert_eq!(top, [("a".to_owned(), 1)]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn into_bag(self) -> Bag<C::Item> {
        let node = Arc::clone(self.to_delayed().node());
        let phase = Phase {
            id: self.id,
            erased: self.erased(),
            node: Arc::clone(&node),
            share: |value| {
                let value = value.downcast::<C>();
                Arc::<C>::from(value.unwrap_or_else(|_| unreachable!("an item knows its type")))
            },
            copy: |value| Ok(Box::new(C::clone(&typed::<C>(Arc::clone(value))))),
            direct: None,
        };
        let phase = Some(Box::new(phase));
        let origin =
            Origin::Tasks(Arc::new(Tasks { nodes: vec![node], records: records::<C>, phase }));
        let mut verbs = self.verbs;
        let made = Text::Rust("a bag of a Rust value");
        verbs.push(Step::here("into_bag"), made, Code::default());
        let base = Base::new(origin, Step::here("into_bag"));
        Bag { base: Base { verbs, ..base }, stage: whole() }
    }
}

impl<T: Send + Sync + 'static> Argument<T> for &Item<T> {
    fn into_delayed(self) -> Delayed<T> {
        self.to_delayed()
    }
}

impl<T: Send + Sync + 'static> From<Item<T>> for Delayed<T> {
    #[track_caller]
    fn from(item: Item<T>) -> Self {
        item.to_delayed()
    }
}

impl<T: Send + Sync + 'static> From<&Item<T>> for Delayed<T> {
    #[track_caller]
    fn from(item: &Item<T>) -> Self {
        item.to_delayed()
    }
}

impl<T: Clone + Send + Sync + 'static> Item<T> {
    /// An item of a task's value.
    ///
    /// ```
    /// let item = creel::Item::from_delayed(&creel::delayed(7)).map(|n| n + 1);
    /// assert_eq!(item.compute_blocking()?, 8);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn from_delayed(task: &Delayed<T>) -> Self {
        let step = Step::here("from_delayed");
        Self::task(step, Arc::clone(task.node()), |value| {
            let value = value.downcast::<Shared>();
            let value = value.unwrap_or_else(|_| unreachable!("a task's value is shared"));
            Arc::unwrap_or_clone(typed(*value))
        })
    }

    /// Computes the value now and keeps it, for all that is made of the returned item.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let lines = creel::read_text("fixtures/access.log")?;
    /// let longest = lines.clone().map(|line| line.len()).max().persist().await?;
    /// let near = lines.filter_with(&longest, |line, most| Some(line.len() + 10) > *most).count();
    /// assert!(near.compute().await? >= 1);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn persist(self) -> Result<Self> {
        Ok(Self::from_delayed(&self.to_delayed().persist().await?))
    }

    /// [`persist`](Self::persist), waiting for it on this thread, which works too.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    pub fn persist_blocking(&self) -> Result<Self> {
        Ok(Self::from_delayed(&self.to_delayed().persist_blocking()?))
    }
}

impl<T: Send + Sync + 'static> Delayed<T> {
    /// One handle on what can be computed together, as by [`compute_all`](crate::compute_all):
    /// items over one source share one pass over it. `unzip` makes a handle of each.
    ///
    /// ```
    /// use creel::{Bag, Delayed, Run};
    ///
    /// let lines = creel::read_text("fixtures/access.log")?.map(|line| line.len());
    /// let (count, longest) = Delayed::together((lines.clone().count(), lines.max())).unzip();
    /// let longer = longest.map(|longest| longest.map_or(0, |n| n + 1));
    /// let run = Run::new();
    /// let (count, longer) = run.compute_blocking(&(count, longer))?;
    /// assert!(count > 0 && longer > 1);
    /// let read = run.progress().bytes_read();
    /// assert_eq!(read, std::fs::metadata("fixtures/access.log").unwrap().len()); // once
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn together<C>(what: C) -> Self
    where
        C: Compute<Output = T> + Send + Sync + 'static,
    {
        let mut computation = Computation::default();
        what.add(&mut computation);
        let (places, roots) = computation.all_roots();
        let name = Name::At("together", Location::caller());
        let handle = Self::of(Node::new(name, roots, move |_, inputs| {
            let mut values = computation.given(&places, inputs.take_all());
            Ok(Outcome::value(what.take(&mut values)))
        }));
        handle.once()
    }

    /// The value, waiting for it without blocking the caller's runtime, whichever that is. It is
    /// cloned only if something else holds it. Dropping the future cancels the run.
    ///
    /// # Errors
    ///
    /// [`Error::Task`] and [`Error::Panic`] for what the tasks met; any other [`Error`] for
    /// what bags among them did.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// assert_eq!(creel::delayed(3).map(|n| n + 4).compute().await?, 7);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn compute(self) -> Result<T>
    where
        T: Clone,
    {
        Run::new().compute(self).await
    }

    /// The value, waiting for it on this thread, which works too. A task may call this.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// ```
    /// assert_eq!(creel::delayed(3).map(|n| n + 4).compute_blocking()?, 7);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn compute_blocking(&self) -> Result<T>
    where
        T: Clone,
    {
        Run::new().compute_blocking(self)
    }

    /// Computes the value now and keeps it, for all that is made of the returned handle.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let kept = creel::delayed(3).map(|n| { assert_eq!(*n, 3); n + 4 }).persist().await?;
    /// assert_eq!(kept.map(|n| n * 2).compute().await?, 14);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn persist(self) -> Result<Self> {
        let mut kept = Run::new().compute(Persist(vec![self])).await?;
        Ok(kept.remove(0))
    }

    /// [`persist`](Self::persist), waiting for it on this thread, which works too. Values need
    /// not be `Clone`: what is made of the handle sees a share.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    pub fn persist_blocking(&self) -> Result<Self> {
        let mut kept = Run::new().compute_blocking(&Persist(vec![self.clone()]))?;
        Ok(kept.remove(0))
    }
}

/// Tasks whose values are kept: computed, they are tasks that have their values.
struct Persist<T>(Vec<Delayed<T>>);

impl<T: Send + Sync + 'static> Compute for Persist<T> {
    type Output = Vec<Delayed<T>>;

    fn add(&self, computation: &mut Computation) {
        self.0.iter().for_each(|task| computation.task(task));
    }

    fn take(&self, values: &mut Values) -> Self::Output {
        let kept =
            self.0.iter().map(|task| Delayed::ready(task.node().name().clone(), values.shared()));
        kept.collect()
    }
}
