//! Programs that run on the workers of a cluster.
//!
//! A program that computes on a cluster is started there again, with the same arguments: the executable is the code, so
//! closures go wherever it goes. Such a process builds the bags by the same code and does one step of one computation,
//! for example over some partitions of a source; then it ends. [`init`] tells it that it is such a process:
//!
//! ```no_run
//! fn main() -> creel::Result<()> {
//!     creel::worker::init();
//!     let lines = creel::read_text("/data/logs/*.log.gz")?;
//!     let hosts = lines.filter(|line| line.contains(" 404 ")).map(|line| {
//!         line.split(' ').next().unwrap_or_default().to_owned()
//!     });
//!     let run = creel::Run::new().scheduler("tcp://127.0.0.1:8786");
//!     for (host, n) in run.compute_blocking(&hosts.frequencies().topk(10))? {
//!         println!("{n} {host}");
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What runs where
//!
//! - Each reduction of text from sources is a *pass*. One worker lists the sources, tasks run partitions of them, and
//!   states are merged in a tree. What is done with the result is done here: [`Item::map`](crate::Item::map), bags
//!   of what a reduction gave, and tasks behind arguments, each once.
//! - A process on a worker runs `main` up to the first pass that is like the one of its step. Computations before it
//!   that had a scheduler are not made again: their states, or the errors that they failed with, go with the plan. All
//!   else in `main` is done again: computations without a scheduler, tasks, and writes to files. What it prints is not
//!   shown.
//! - An error that a computation failed with is the same there, with its `kind`, `worker`, `place`, message and `retry`,
//!   if it is an [`Error::Cluster`], [`Error::Plan`], [`Error::Unsupported`] or [`Error::Cancelled`]. Others are of this
//!   machine, as a panic in a task behind the reading: there they are an [`Error::Cluster`] of the kind `failed`.
//! - Workers read the sources, with credentials of their own environment. They see the arguments of the program, so
//!   an argument that looks like a credential is refused.
//!
//! # What cannot go
//!
//! - A function that has captured a local value: the value may be another one there. It is an error that names the
//!   step. Values go as arguments: [`map_with`](crate::Bag::map_with) and its like.
//! - A state, or an argument, of a type whose form in bytes is not known: [`form`] makes it known.
//! - Bags in memory and of tasks, and [`take`](crate::Bag::take), which ends the reading. As an argument of a step, a
//!   `take`, a `first` or a task of [`to_delayed`](crate::Bag::to_delayed) is computed here: this machine reads what
//!   they need. The arguments of the step itself go with its plan. Those of computations before it are computed again by
//!   each task on a worker, which then reads what they need.
//!
//! # What differs between processes
//!
//! Computations are known by what they are made of: the lines of their steps, the types of their functions, numbers,
//! sources and options. So a program has to begin the same ones on workers as here; it may depend on arguments, and on
//! nothing that differs there, as a host or a time. The thread of `main` begins those for which it waits
//! ([`compute_blocking`](crate::Run::compute_blocking)) in the same order, or it is an error at once. Futures, tasks and
//! other threads may begin theirs in any order: a process waits for the step until no thread has begun or ended a
//! computation for two minutes, and as long as it takes once one makes the step.
//!
//! Computations that are made of the same are told apart by the values that their steps look at; if these are the same,
//! too, they have the same result, unless the sources change meanwhile. Values that are a `HashMap` or a `HashSet` have
//! another order in each process, so they tell nothing apart: where threads or futures begin such computations, a
//! process may take the result of one for that of another. A `BTreeMap`, or a sorted list, tells them apart.
//!
//! # What it costs
//!
//! - Each pass starts Python here, which takes about a second, and each task starts the program on a worker, which
//!   takes some milliseconds beside what `main` does before the pass.
//! - The states of all computations stay in a file in [`Run::tmpdir`](crate::Run::tmpdir) as long as this process
//!   lives, and go into the plans of later ones. A loop of `compute_blocking` on the thread of `main` over the same bag
//!   leaves out what its rounds before have made. Plans of futures, tasks and other threads have all states. So the
//!   bytes that are sent may grow with the square of the number of computations. Ask for what belongs together in one
//!   computation, from one thread, and for counts rather than for records.
//! - A worker makes the results of computations before its step of their states, in the memory of the step.
//! - Collected records, and what a [`fold`](crate::Bag::fold) holds, have to fit into the memory of a worker and of
//!   this process. No [`memory`](crate::Run::memory) bounds them.

mod step;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;

use creel_operators::{Spill, form as forms};

use crate::bag::{Computation, Elsewhere, TextPass, Values};
use crate::cli::ProgramStep;
use crate::cluster::{self, Call, ClusterClient, Registered, Resources, Scheduler, Submitter};
use crate::graph::client::Client;
use crate::graph::delayed::{Function, Sent};
use crate::plan::Failure;
use crate::run::Context;
use crate::{Error, Place, Result};

/// The variable that names the file with the step that a process is to do.
const STEP: &str = "CREEL_STEP";

/// What this process is.
enum Role {
    /// What its user started.
    Client,
    /// A step, on a worker.
    Step(Box<ProgramStep>),
    /// A program that a step has started.
    WithinStep,
}

static ROLE: OnceLock<Role> = OnceLock::new();

/// Lets this program run on workers: what `main` calls first of all.
///
/// In the process that a user started it notes the thread and the executable. On a worker it reads which step the
/// process is to do. What stands before it in `main` is done on each worker too.
///
/// ```
/// creel::worker::init();
/// ```
pub fn init() {
    cluster::note_main();
    ROLE.get_or_init(|| match std::env::var_os(STEP) {
        None => {
            cluster::note_executable();
            Role::Client
        }
        Some(file) => match arguments(Path::new(&file)) {
            Ok(arguments) => Role::Step(Box::new(
                ProgramStep::read(&arguments).unwrap_or_else(|code| exit(code.into())),
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => Role::WithinStep,
            Err(error) => {
                let place = Place::object(file.to_string_lossy());
                exit(ProgramStep::refuse(&Error::io(place, error)).into())
            }
        },
    });
}

/// The arguments of a step, in the file that its variable names: a list of texts in JSON. The file is removed, so that
/// a program which `main` starts is not taken for a step.
fn arguments(file: &Path) -> std::io::Result<Vec<OsString>> {
    let text = std::fs::read(file)?;
    std::fs::remove_file(file)?;
    let arguments: Vec<String> = serde_json::from_slice(&text)?;
    Ok(arguments.into_iter().map(OsString::from).collect())
}

/// Makes the form in bytes of a type known, so that records and states of it go to other processes; that of `Vec`s and
/// `Option`s of it too.
///
/// Known are text, numbers, times and addresses, vectors and options of them, pairs of texts and numbers, and maps and
/// sets of these. Sorted and distinct records, and keys, need no call: their types say what form they have.
///
/// ```
/// use creel::operators::Spill;
///
/// #[derive(Debug, Clone)]
/// struct Hit {
///     path: String,
///     bytes: u64,
/// }
///
/// impl Spill for Hit {
///     const HAS_FORM: bool = true;
///     fn save(&self, bytes: &mut Vec<u8>) -> bool {
///         self.path.save(bytes) && self.bytes.save(bytes)
///     }
///     fn load(bytes: &mut &[u8]) -> Option<Self> {
///         let (path, bytes) = Spill::load(bytes)?;
///         Some(Self { path, bytes })
///     }
///     fn heap_size(&self) -> usize {
///         self.path.heap_size()
///     }
/// }
///
/// creel::worker::init();
/// creel::worker::form::<Hit>();
/// ```
///
/// A type without a form is an error of the compiler:
///
/// ```compile_fail
/// creel::worker::form::<&'static str>();
/// ```
pub fn form<T: Spill>() {
    forms::register::<T>();
}

/// Makes a function known by a name, so that a [client](Client::connect) of a cluster can call it. It is to be known
/// before the client connects, as it is on workers.
///
/// Arguments and results go as bytes: their types are [`Spill`], with a form. A function that has captured a local value
/// is an error of the compiler:
///
/// ```compile_fail
/// let factor = 3;
/// creel::worker::register("times", move |n: &u64| n * factor);
/// ```
///
/// # Panics
///
/// If there is a function of that name already.
///
/// ```
/// let square = creel::worker::register("square", |n: &u64| n * n);
/// let joined = creel::worker::register("join", |a: &String, b: &String| format!("{a}{b}"));
/// # let _ = (square, joined);
/// ```
pub fn register<A, U, F>(name: &str, f: F) -> Registered<A, U>
where
    A: Sent,
    U: Spill,
    F: Function<A, U>,
{
    cluster::register(name, |f: &F, values| Ok(f.apply(values)), f)
}

/// [`register`] for a function that can fail, with an error of yours.
///
/// # Panics
///
/// As [`register`].
///
/// ```
/// let parse = creel::worker::try_register("parse", |text: &String| text.parse::<u64>());
/// # let _ = parse;
/// ```
pub fn try_register<A, U, E, F>(name: &str, f: F) -> Registered<A, U>
where
    A: Sent,
    U: Spill,
    F: Function<A, Result<U, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    cluster::register(name, cluster::fallible::<A, U, E, F>, f)
}

impl Client {
    /// Connects to the scheduler of a Dask cluster, whose workers call [registered](register) functions of this program.
    ///
    /// On a worker this is where the function is called, and the process ends. So a program that computes on a cluster,
    /// too, connects before it computes, and calls functions after that. In a process that does a step of a computation
    /// it connects to nothing: there calls fail, and no workers are known.
    ///
    /// # Errors
    ///
    /// [`Error::Cluster`] if no scheduler answers, [`Error::Plan`] without [`init`], [`Error::Unsupported`] without
    /// Python and creel-dask.
    ///
    /// ```no_run
    /// fn main() -> creel::Result<()> {
    ///     creel::worker::init();
    ///     let square = creel::worker::register("square", |n: &u64| n * n);
    ///     let cluster = creel::Client::connect("tcp://127.0.0.1:8786")?;
    ///     assert_eq!(cluster.submit(&square, (7,)).wait()?, 49);
    ///     Ok(())
    /// }
    /// ```
    pub fn connect(scheduler: impl Into<Scheduler>) -> Result<ClusterClient> {
        match role()? {
            Role::Step(step) if step.plan().is_none() => exit(step.call().into()),
            // The process comes to its computation later, unless it needs the result of a call for that.
            Role::Step(_) => {
                let why = "the program calls a function before the computation that this step on a worker is of: \
                           compute first";
                Ok(ClusterClient::absent(refused(why)))
            }
            Role::Client | Role::WithinStep => ClusterClient::open(&scheduler.into()),
        }
    }
}

/// What this process is.
///
/// # Errors
///
/// [`Error::Plan`] if that is not known, or it is one that has to leave clusters alone.
fn role() -> Result<&'static Role> {
    match ROLE.get() {
        None => {
            Err(refused("call `creel::worker::init()` first in `main`: workers start this program"))
        }
        Some(Role::WithinStep) => {
            Err(refused("this program was started by a step on a worker, and uses no cluster"))
        }
        Some(role) => Ok(role),
    }
}

/// Notes that a computation on a cluster begins, and whether the thread does nothing else before it ends.
///
/// # Errors
///
/// [`Error::Plan`] for one that no cluster can make.
pub(crate) fn begin(computation: &Computation, is_awaited_here: bool) -> Result<Call> {
    let (_, roots) = computation.all_roots();
    let passes = computation.passes(&roots)?;
    if let Role::Step(_) = role()? {
        step::came_on();
    }
    let passes: Vec<_> = passes.iter().map(TextPass::digest).collect();
    Ok(cluster::begin(&passes, is_awaited_here))
}

/// Computes on a cluster what was asked for; or, on a worker, does the step of it.
pub(crate) fn compute(
    scheduler: &Scheduler,
    call: &Call,
    computation: &Computation,
    context: &Context,
    resources: Resources,
) -> Result<Values> {
    let (places, roots) = computation.all_roots();
    let passes = computation.passes(&roots)?;
    if let Role::Step(step) = role()? {
        let known = step::in_step(step, call, &passes)?;
        let context = step.context(computation.blocksize(), context);
        let context = Elsewhere::new(&passes, Box::new(known)).known_to(&context);
        let values = computation.run_roots(&context, &places, &roots);
        step::came_on();
        return values;
    }
    let (submitter, made) = Submitter::new(scheduler, resources)?;
    let context = Elsewhere::new(&passes, Box::new(submitter)).known_to(context);
    let values = computation.run_roots(&context, &places, &roots);
    // Later plans say what it came to.
    let told = values.as_ref().map(|_| made.take()).map_err(Failure::of);
    cluster::end(call, told);
    values
}

fn refused(why: &str) -> Error {
    Error::Plan { reason: why.to_owned() }
}
