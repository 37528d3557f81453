//! The engine under a model checker: its sources are built here once more on loom's locks, atomics
//! and threads, and small runs of it are gone through in every order that two or three
//! preemptions can make. An order in which a wake-up is lost is a deadlock, and that is an error.

#![allow(dead_code, unused_imports, reason = "models use a part of the engine")]
#![allow(missing_docs, unreachable_pub, unnameable_types, missing_debug_implementations, missing_copy_implementations, reason = "the sources are checked where they belong")]

mod graph;
mod runtime;

#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/progress.rs"]
mod progress;
#[path = "../../src/watch/mod.rs"]
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

pub(crate) use error::{Error, Place, Result};
pub(crate) use progress::Progress;
use graph::client::Client;
use graph::delayed::{Delayed, all, call, delayed};
use graph::{Context, Stop};

use libtest_mimic::{Arguments, Trial};

/// Goes through the orders of a model.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    let start = std::time::Instant::now();
    builder.check(move || {
        counted.fetch_add(1, SeqCst);
        model();
    });
    eprintln!("{} orders in {:?}", orders.load(SeqCst), start.elapsed());
}

fn context(threads: usize) -> Context {
    Context { threads, ..Context::default() }
}

/// How often each task ran.
#[derive(Clone)]
struct Runs(Arc<[AtomicUsize]>);

impl Runs {
    fn new(tasks: usize) -> Self {
        Self((0..tasks).map(|_| AtomicUsize::new(0)).collect())
    }

    fn ran(&self, task: usize) {
        self.0[task].fetch_add(1, SeqCst);
    }

    fn all(&self) -> Vec<usize> {
        self.0.iter().map(|runs| runs.load(SeqCst)).collect()
    }
}

fn compute(context: &Context, task: &Delayed<u32>) -> Result<u32> {
    let values = graph::run(context, &[Arc::clone(task.node())])?;
    Ok(values[0].downcast_ref::<u32>().copied().expect("a number"))
}

/// 0 and, over it, 1 and 2, and 3 over these.
fn diamond(runs: &Runs) -> Delayed<u32> {
    let task = |n: usize| {
        let runs = runs.clone();
        move |input: u32| {
            runs.ran(n);
            input + 1
        }
    };
    let (a, b, c, d) = (task(0), task(1), task(2), task(3));
    let top = delayed(1).map(move |n| a(*n));
    let (left, right) = (top.map(move |n| b(*n)), top.map(move |n| c(*n)));
    call(move |l: &u32, r: &u32| d(l + r), (left, right))
}

fn a_diamond_on_two_threads() {
    check(2, || {
        let runs = Runs::new(4);
        let value = compute(&context(2), &diamond(&runs)).expect("nothing fails");
        assert_eq!(value, 7);
        assert_eq!(runs.all(), [1; 4]);
    });
}

fn main() {
    let models: [(&str, fn()); 1] = [
        ("a diamond on two threads", a_diamond_on_two_threads),
    ];
    let trials = models.into_iter().map(|(name, model)| {
        Trial::test(name, move || {
            model();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
