//! Records as they come, in input order: `take` and `stream`.

use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll};
use std::thread;

use futures::channel::mpsc::{Receiver, channel};
use futures::{SinkExt, Stream, StreamExt};

use super::broadcast::Env;
use super::chain::Chunk;
use super::item::Made;
use super::origin::Chunks;
use super::verbs::{Code, Text};
use super::{Bag, Item, Run};
use crate::graph::{self, Lineage, Name, Node, Outcome, Shared, Step, caught};
use crate::memory::Reservation;
use crate::run::{Context, Order, Stop, streaming};
use crate::{Error, Place, Result};

/// Batches that may wait for a consumer before the lanes do: one to be taken while the next is
/// made.
const WAITING_BATCHES: usize = 2;

impl<T: Send + 'static> Bag<T> {
    /// The first `n` records, over all partitions; reading stops, and requests in flight are
    /// cancelled, as soon as they are there.
    ///
    /// Of a bag of tasks those run whose records are taken, and a few ahead; but where others are
    /// computed beside it, or it has become a task itself, all of them do: each may be wanted
    /// there, and runs once.
    ///
    /// ```
    /// let first = creel::Bag::from_iter(0..).filter(|n| n % 7 == 6).take(2);
    /// assert_eq!(first.compute_blocking()?, [6, 13]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn take(self, n: usize) -> Item<Vec<T>> {
        self.taken(n, Text::with("take", n))
    }

    /// The first records, by a step that is this in the language of the command.
    #[track_caller]
    pub(super) fn taken(self, n: usize, text: Text) -> Item<Vec<T>> {
        let (base, at) = (self.base.clone(), Step::here("take"));
        let mut verbs = base.verbs.clone();
        verbs.push(at.clone(), text, Code::default());
        if n == 0 {
            return Item::alone(verbs, base.taken(at), Vec::new(), |_, _| Ok(Vec::new()));
        }
        if let Some(first) = self.first_direct(n, &at, &verbs) {
            return first;
        }
        let drawn = self.base.clone();
        let sketch = ("take", move || drawn.taken(at.clone()));
        let inputs = (move || base.inputs(), self.base.origin.blocksize());
        let (bag, tasks) = (self.clone(), self.base.origin.tasks().cloned());
        let all = move |context: &Context, values| {
            let taken = Arc::new(Taken::new(n));
            let adds = Arc::clone(&taken);
            let add = move |_: &Context, given: Given<T>| Ok(adds.add(given.records));
            let last = self.each_block(context, values, n, add)?;
            Ok(Made::Tasks(last, Box::new(move || taken.all())))
        };
        let few = tasks.map(|tasks| {
            move |context: &Context| {
                let taken = Arc::new(Taken::new(n));
                let adds = Arc::clone(&taken);
                let add = move |_: &Context, given: Given<T>| Ok(adds.add(given.records));
                bag.each_task(context, &tasks, ("take", n), add)?;
                Ok(taken.all())
            }
        });
        Item::alone_or_lazy(verbs, sketch, inputs, all, few)
    }

    /// The records as a [`futures::Stream`], in input order, as they are asked for.
    ///
    /// Lanes read ahead through a small window, so memory is bounded by some blocks, or values of
    /// tasks, for each thread however long the input is. Dropping the stream ends the reading.
    /// After an error the stream ends; what stands before it is given. It runs on a thread a core;
    /// [`Run::stream`] says otherwise, and who watches.
    ///
    /// ```
    /// use futures::StreamExt;
    /// # futures::executor::block_on(async {
    /// let mut squares = creel::Bag::from_iter(0..).map(|n: u64| n * n).stream();
    /// assert_eq!(squares.next().await.transpose()?, Some(0));
    /// assert_eq!(squares.next().await.transpose()?, Some(1));
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub fn stream(self) -> RecordStream<T> {
        Run::new().stream(self)
    }

    /// The tasks that give `sink` the records of block after block, in order, until it breaks; the
    /// last of them ends when it has. Of one block no more than `most` are made.
    fn each_block(
        &self,
        context: &Context,
        mut values: Vec<Shared>,
        most: usize,
        sink: impl FnMut(&Context, Given<T>) -> Result<ControlFlow<()>> + Send + 'static,
    ) -> Result<Arc<Node>> {
        let shared = values.split_off(values.len() - self.base.needs.len());
        let input = Arc::new(self.base.origin.open(context, values, Order::Kept)?);
        Ok(self.each_chunk(context, input, shared, ("stream".to_owned(), most), sink))
    }

    /// The same, of blocks of the bag's origin. Errors of the caller's functions have this name.
    pub(super) fn each_chunk(
        &self,
        context: &Context,
        input: Arc<Chunks>,
        shared: Vec<Shared>,
        (name, most): (String, usize),
        mut sink: impl FnMut(&Context, Given<T>) -> Result<ControlFlow<()>> + Send + 'static,
    ) -> Arc<Node> {
        let bag = self.clone();
        let work = move |context: &Context, shared: &[Shared], mut chunk: Chunk| {
            context.read(|| bag.base.origin.amount(&chunk));
            let text = match &chunk {
                Chunk::Text(block) => block.bytes().len(),
                Chunk::Records(_) => 0,
            };
            let env = Env { progress: &context.progress, needs: &bag.base.needs, values: shared };
            let mut records = Vec::new();
            let mut append = |batch: &mut Vec<T>| {
                records.append(batch);
                let enough = records.len() >= most;
                Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            };
            let ran = chunk.with("", |chunk| bag.stage.run(chunk, &env, &mut append));
            let named = |error: Error| error.in_task(|| (name.clone(), String::new()));
            Ok((Given { records, text }, ran.map(drop).map_err(named)))
        };
        // What stands before a bad record is given before the run fails, or may be enough.
        let sink = move |context: &Context, (given, ran): (Given<T>, Result<()>)| {
            let flow = sink(context, given)?;
            if flow.is_continue() {
                ran?;
            }
            Ok(flow)
        };
        let weigh = |(given, _): &(Given<T>, _)| given.weight();
        streaming(context, input, shared, work, weigh, sink)
    }
}

impl Run {
    /// The records of a bag as a [`futures::Stream`], with this run's threads, its limit on what
    /// values of tasks hold, and its observers. See [`Bag::stream`].
    ///
    /// ```
    /// use creel::{Bag, Run};
    /// use futures::StreamExt;
    ///
    /// # futures::executor::block_on(async {
    /// let run = Run::new().threads(1);
    /// let lines = creel::read_text("fixtures/access.log")?;
    /// let mut long = run.stream(lines.filter(|line| line.len() > 200));
    /// assert!(long.next().await.transpose()?.is_some_and(|line| line.len() > 200));
    /// assert!(run.progress().bytes_read() > 0);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub fn stream<T: Send + 'static>(&self, bag: Bag<T>) -> RecordStream<T> {
        let (mut send, receive) = channel(WAITING_BATCHES);
        let stop = Stop::default();
        let context = self.context(stop.clone(), bag.base.origin.blocksize());
        let mut failed = send.clone();
        let give = move |context: &Context, given: Given<T>| {
            // Until the consumer has taken them.
            let weight = given.weight() as u64;
            let reserved = context.budget.as_ref().map(|budget| budget.reserve(weight));
            let sent = context.stop.wait(send.send(Ok((given.records, reserved))));
            let gone = !matches!(sent, Some(Ok(())));
            Ok(if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        let lineage = Lineage::of_this_thread();
        let run = move || {
            let _entered = lineage.enter();
            let outcome = caught("stream", || bag.give_all(&context, give));
            let told = caught("that an observer watches", || {
                context.observers.ended();
                Ok(())
            });
            if let Err(error) = outcome.and(told) {
                // A consumer that is gone does not want the error either.
                let _ = context.stop.wait(failed.send(Err(error)));
            }
        };
        let started = thread::Builder::new().name("creel".into()).spawn(run);
        let unstarted = started.err().map(|source| Error::Io {
            place: Place::object("a thread to stream on"),
            source: source.into(),
        });
        RecordStream { batches: receive, batch: (Vec::new().into_iter(), None), unstarted, stop }
    }
}

impl<T: Send + 'static> Bag<T> {
    /// Runs what makes the records, and gives them to `give` in input order, until it breaks.
    fn give_all(
        self,
        context: &Context,
        give: impl FnMut(&Context, Given<T>) -> Result<ControlFlow<()>> + Send + 'static,
    ) -> Result<()> {
        if let Some(tasks) = self.base.origin.tasks() {
            return self.each_task(context, tasks, ("stream", usize::MAX), give);
        }
        // A task of its own, so that observers see what it reads.
        let name = Name::Sketched(Arc::new(self.base.streamed()), None);
        let (needs, give) = (self.base.needs.clone(), Mutex::new(Some(give)));
        let node = Node::new(name, needs, move |context, inputs| {
            let give = give.lock().unwrap_or_else(PoisonError::into_inner).take();
            let give = give.unwrap_or_else(|| unreachable!("a task of a run runs once"));
            let last = self.each_block(context, inputs.take_all(), usize::MAX, give)?;
            Ok(Outcome::Node(last))
        });
        graph::run(context, &[node]).map(drop)
    }
}

/// Records of a block, and the bytes of the text that they were made of.
pub(super) struct Given<T> {
    pub(super) records: Vec<T>,
    pub(super) text: usize,
}

impl<T> Given<T> {
    /// The bytes of memory that the records take, about. What they point to is not known: if it is pieces of the
    /// text, it is as much as the text, and what an allocator adds to each.
    fn weight(&self) -> usize {
        /// Bytes that an allocator adds to a piece of memory.
        const HEADER: usize = 16;
        let Self { records, text } = self;
        let pieces = if std::mem::needs_drop::<T>() { records.len() * HEADER } else { 0 };
        let text = if records.is_empty() { 0 } else { *text };
        records.capacity() * size_of::<T>() + pieces + text
    }
}

/// The first records of a bag, as many as are wanted.
struct Taken<T> {
    most: usize,
    records: Mutex<Vec<T>>,
}

impl<T> Taken<T> {
    fn new(most: usize) -> Self {
        Self { most, records: Mutex::default() }
    }

    /// Says whether more are wanted.
    fn add(&self, records: Vec<T>) -> ControlFlow<()> {
        let mut taken = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        taken.extend(records);
        if taken.len() < self.most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn all(&self) -> Vec<T> {
        let mut taken = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        taken.truncate(self.most);
        std::mem::take(&mut taken)
    }
}

/// The records of a bag as they come. See [`Bag::stream`].
pub struct RecordStream<T> {
    batches: Receiver<Result<(Vec<T>, Option<Reservation>)>>,
    batch: (std::vec::IntoIter<T>, Option<Reservation>),
    unstarted: Option<Error>,
    stop: Stop,
}

impl<T> fmt::Debug for RecordStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordStream").finish_non_exhaustive()
    }
}

// Nothing is pinned in it: the records are moved out of a vector.
impl<T> Unpin for RecordStream<T> {}

impl<T> Stream for RecordStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<T>>> {
        if let Some(error) = self.unstarted.take() {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            if let Some(record) = self.batch.0.next() {
                return Poll::Ready(Some(Ok(record)));
            }
            match std::task::ready!(self.batches.poll_next_unpin(task)) {
                Some(Ok((batch, reserved))) => self.batch = (batch.into_iter(), reserved),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T> Drop for RecordStream<T> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
