//! How a computation runs: [`Run`].

use std::path::PathBuf;
use std::sync::Arc;

use super::admission::admitted;
use super::computation::{Computation, Compute, Values};
#[cfg(feature = "cli")]
use crate::cluster::{Call, Resources, Scheduler};
#[cfg(feature = "cli")]
use crate::graph::Lineage;
use crate::graph::caught;
use crate::graph::client::Client;
use crate::memory::LaneNeeds;
use crate::run::{Context, Stop};
use crate::runtime::blocking;
use crate::spill::Budget;
use crate::watch::Observer;
#[cfg(feature = "cli")]
use crate::worker;
use crate::{Error, Place, Progress, Result};

/// There is no cluster without the feature.
#[cfg(not(feature = "cli"))]
type Call = ();

/// The least memory that bounds a run as a whole, its blocks and lanes too.
const LEAST_FOR_LANES: u64 = 64 << 20;

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
    /// The folder of the temporary file, and the largest size of that, if they were named.
    tmpdir: Option<PathBuf>,
    spill_max: Option<u64>,
    /// The cluster that passes over text run on.
    #[cfg(feature = "cli")]
    scheduler: Option<Scheduler>,
}

impl Run {
    /// A thread for each core that this process may use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this many threads; at least one. A run that a task starts works on the thread of that task,
    /// and has helpers only for threads that the outermost run leaves idle: together they have at
    /// most twice as many threads as the larger of the two may use, and no more at work than that.
    pub fn threads(mut self, threads: usize) -> Self {
        self.context.threads = threads.max(1);
        self
    }

    /// Starts no new task while values of tasks hold this many bytes or more, as far as
    /// [`Delayed::weighed`](crate::Delayed::weighed) tells; tasks that free some go on.
    ///
    /// A run in which none of these is left fails with [`Error::Memory`], which says who holds what.
    ///
    /// The states of combiners come out of the same bytes while records are read, as far as they tell
    /// ([`Combiner::held`](crate::operators::Combiner::held)): counts, and groups whose keys and states have a
    /// form in bytes ([`Spill`](crate::operators::Spill)), and records that are [sorted](crate::Bag::sort) or
    /// [distinct](crate::Bag::distinct), go to a file without a name in a [folder](Self::tmpdir) when all together
    /// outgrow these, and are merged from there, in the order of the input where that matters. Keys and records
    /// of your own types without such a form, lists of them by groups, the largest of many records, and folds of
    /// groups stay in memory: over these bytes the run is refused, by [`Error::Memory`]. What is computed beside
    /// them in one pass is spilled all the same. Results have to fit; sorted and distinct records are handed on
    /// from the file to what follows them.
    ///
    /// Results of [`stream`](crate::Run::stream) that wait for those before them are part of it, by the size of
    /// their records and of the text that they were made of. The window of a decoder (zstd, xz) is a quarter of
    /// this at most, on each thread: data that ask for more are an error.
    ///
    /// From 64 MiB on it bounds a run that reads text as a whole: the blocks of its threads, about 8 for each,
    /// come out of the same bytes, and threads are fewer where it is short. Less than that bounds what was named so
    /// far, and blocks are beside it. So are, in any case, the longest record of each thread, some times over, what
    /// [blocks](crate::ReadOptions::blocksize) are longer than a sixteenth of the memory, and blocks that tasks of
    /// [`to_delayed`](crate::Bag::to_delayed) read.
    ///
    /// Not bounded are
    ///
    /// - results that you ask for: all records of [`collect`](crate::Bag::collect) and
    ///   [`compute`](crate::Bag::compute), those of [`take`](crate::Bag::take), and counts that are
    ///   joined in the end;
    /// - the state of a [`fold`](crate::Bag::fold), which holds what your function keeps, once a lane;
    /// - states of your own combiners that do not tell, and what keys and records point to that is
    ///   neither text nor bytes;
    /// - the list of objects, about 500 bytes for each, and of pieces in the temporary file, about 1 % of
    ///   what they hold.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.context.memory = Some(bytes);
        self
    }

    /// Writes what outgrows the [`memory`](Self::memory) to a file without a name in this folder, rather than in
    /// that for temporary files.
    ///
    /// ```
    /// use creel::{Bag, Run};
    ///
    /// let folder = std::env::temp_dir();
    /// let run = Run::new().memory(100_000).tmpdir(&folder);
    /// let words = Bag::from_iter(0..50_000).map(|n| format!("word {n}"));
    /// assert_eq!(run.compute_blocking(&words.frequencies())?.len(), 50_000);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn tmpdir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.tmpdir = Some(folder.into());
        self
    }

    /// Lets that file have this many bytes at most: a computation that needs a larger one fails with
    /// [`Error::Io`], which names the folder.
    ///
    /// ```
    /// use creel::{Bag, Error, Run};
    ///
    /// let run = Run::new().memory(100_000).spill_max(1_000);
    /// let words = Bag::from_iter(0..50_000).map(|n| format!("word {n}"));
    /// assert!(matches!(run.compute_blocking(&words.frequencies()), Err(Error::Io { .. })));
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn spill_max(mut self, bytes: u64) -> Self {
        self.spill_max = Some(bytes);
        self
    }

    /// Reads text on the workers of a Dask cluster, in place of this machine: see [`worker`](mod@crate::worker) for what
    /// a program needs for that, and for what goes there.
    ///
    /// [`memory`](Self::memory) and [`spill_max`](Self::spill_max) are then those of each task on a worker, too, and
    /// [`threads`](Self::threads) those here, of what follows: passes that need nothing of each other are made side by
    /// side, as many as there are threads. Without `memory` a task has its worker's, divided by the threads of that.
    /// Notes, as that no worker is there, are on standard error. [`stream`](Self::stream) and clients run here.
    ///
    /// Computing fails with
    ///
    /// - [`Error::Plan`] for what cannot go to other processes, with the step, and without
    ///   [`worker::init`](crate::worker::init);
    /// - [`Error::Cluster`] for what fails on a worker, with its address and the place in the source, and for a
    ///   scheduler that does not answer or goes away: its `retry` tells whether the same may succeed later;
    /// - [`Error::Unsupported`] without Python and creel-dask.
    ///
    /// ```no_run
    /// creel::worker::init();
    /// let lines = creel::read_text("s3://logs/**/*.gz")?.filter(|line| line.contains("ERROR"));
    /// let run = creel::Run::new().scheduler("tcp://127.0.0.1:8786");
    /// println!("{} errors", run.compute_blocking(&lines.count())?);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[cfg(feature = "cli")]
    pub fn scheduler(mut self, scheduler: impl Into<Scheduler>) -> Self {
        self.scheduler = Some(scheduler.into());
        self
    }

    /// Tells this one what happens to tasks, beside those named before. See [`watch`](crate::watch).
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.context.observers.add(observer);
        self
    }

    /// A client with these threads, this memory limit and these observers, which runs tasks as
    /// they are submitted. See [`client`](crate::client).
    pub fn client(&self) -> Client {
        Client::of(Context { stop: Stop::default(), ..self.context.clone() })
    }

    /// The counters that this run raises: bytes, blocks, records left out. They may be read from
    /// any thread while it goes.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.context.progress)
    }

    /// Computes an item, a task, or a tuple of them in one pass over each source, on this thread
    /// and helpers.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`](crate::Item::compute); on a cluster also those of `Run::scheduler`.
    pub fn compute_blocking<C: Compute>(&self, what: &C) -> Result<C::Output> {
        // A stop is for one run: the next of this value must not be born stopped.
        let (stop, call) = (Stop::of_this_thread(), self.begin(what, true));
        blocking(|| self.compute_in(stop, what, call))
    }

    /// Computes an item, a task, or a tuple of them in one pass over each source, on threads of
    /// its own. Dropping the future cancels the run.
    ///
    /// Of runs that are awaited at once, 64 go on and the others wait for their turn; so a thousand
    /// do not have a thousand times the threads and the open objects. Where none ends for a second,
    /// one more starts: runs may wait for each other.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`](crate::Item::compute); on a cluster also those of `Run::scheduler`.
    pub async fn compute<C>(&self, what: C) -> Result<C::Output>
    where
        C: Compute<Output: Send> + Send + 'static,
    {
        let (stop, call) = (Stop::of_this_thread(), self.begin(&what, false));
        let (run, cancelled) = (self.clone(), stop.clone());
        let _cancel = CancelOnDrop(stop);
        let admitted = admitted().await;
        let (send, receive) = tokio::sync::oneshot::channel();
        let work = move || {
            let _admitted = admitted;
            // Nobody receives if the future was dropped, which is what cancelled the run.
            let _ = send.send(caught("run", || run.compute_in(cancelled, &what, call)));
        };
        let spawned = std::thread::Builder::new().name("creel".into()).spawn(work);
        spawned.map_err(|source| Error::Io {
            place: Place::object("a thread to run on"),
            source: source.into(),
        })?;
        receive.await.unwrap_or(Err(Error::Cancelled))
    }

    /// Begins a computation, if it is one on a cluster. This thread waits for its end, or does something else.
    #[cfg(feature = "cli")]
    fn begin<C: Compute>(&self, what: &C, waits: bool) -> Option<Result<Call>> {
        self.scheduler.as_ref()?;
        let mut computation = Computation::default();
        what.add(&mut computation);
        // Which thread a task is on, and when, differs in each process.
        let is_awaited_here = waits && Lineage::of_this_thread().is_outermost();
        Some(worker::begin(&computation, is_awaited_here))
    }

    #[cfg(not(feature = "cli"))]
    #[expect(clippy::unused_self, reason = "there is no cluster without the feature")]
    fn begin<C: Compute>(&self, _: &C, _: bool) -> Option<Result<Call>> {
        None
    }

    /// Computes what was asked for here, or on the cluster by this call.
    fn values(
        &self,
        computation: &Computation,
        context: &Context,
        call: Option<Result<Call>>,
    ) -> Result<Values> {
        #[cfg(feature = "cli")]
        if let (Some(scheduler), Some(call)) = (&self.scheduler, call) {
            let resources = Resources {
                memory: self.context.memory,
                spill_max: self.spill_max,
                tmpdir: self.tmpdir.clone(),
            };
            return worker::compute(scheduler, &call?, computation, context, resources);
        }
        let _ = call;
        computation.run(context)
    }

    fn compute_in<C: Compute>(
        &self,
        stop: Stop,
        what: &C,
        call: Option<Result<Call>>,
    ) -> Result<C::Output> {
        let mut computation = Computation::default();
        what.add(&mut computation);
        let context = self.context(stop, computation.blocksize());
        let values = self.values(&computation, &context, call);
        caught("that an observer watches", || {
            context.observers.ended();
            Ok(what.take(&mut values?))
        })
    }

    /// Where one computation happens, which has a file of its own for what does not fit, and reads blocks of so
    /// many bytes.
    pub(crate) fn context(&self, stop: Stop, blocksize: Option<usize>) -> Context {
        let (folder, mut threads) = (self.tmpdir.as_deref(), self.context.threads);
        let budget = self.context.memory.map(|bytes| {
            let budget = match (bytes, blocksize) {
                (LEAST_FOR_LANES.., Some(blocksize)) => {
                    let needs = LaneNeeds::new(bytes, blocksize);
                    threads = needs.lanes(threads, 0, 0);
                    Budget::of_lanes(needs, threads, folder).of_passes()
                }
                _ => Budget::new(bytes, folder),
            };
            let cancelled = stop.clone();
            Arc::new(budget.with_largest_file(self.spill_max).checked(move || cancelled.check()))
        });
        Context { threads, stop, budget, ..self.context.clone() }
    }
}

/// Cancels a run whose future is gone; one that has ended does not mind.
struct CancelOnDrop(Stop);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
