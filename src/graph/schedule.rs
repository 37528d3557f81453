//! Running a graph: each task once, on as many threads as were asked for.
//!
//! One lock guards the ready tasks and the values that wait for their users. A task of a run is
//! a lane or a merge, milliseconds to minutes long, so the lock is never contended; a queue a
//! thread would buy nothing here.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Graph, Node, Results, Value};
use crate::{Error, Result};

/// What the workers share.
struct Shared<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    /// For each task the one that takes its value.
    users: Vec<Option<usize>>,
}

struct State<'a> {
    /// Tasks that have not been started.
    nodes: Vec<Option<Node<'a>>>,
    /// For each task, how many inputs are still to come.
    missing: Vec<usize>,
    /// Tasks that can start. The last is taken first: a merge that has just become possible goes
    /// before the next leaf, since it frees memory and the leaf takes some.
    ready: Vec<usize>,
    values: Vec<Option<Value>>,
    running: usize,
    failure: Option<Error>,
}

impl Graph<'_> {
    /// Runs every task once, on `threads` threads of which the caller's is one.
    ///
    /// # Errors
    ///
    /// The first error that a task returned, or [`Error::Panic`] for one that panicked; tasks
    /// that had not started by then never do.
    pub(crate) fn run(self, threads: usize) -> Result<Results> {
        let shared = Shared::new(self);
        let helpers = threads.min(shared.users.len()).saturating_sub(1);
        thread::scope(|scope| {
            for n in 1..=helpers {
                // A thread that cannot be had is a slower run, not a failed one.
                let named = thread::Builder::new().name(format!("creel {n}"));
                let _ = named.spawn_scoped(scope, || shared.work());
            }
            shared.work();
        });
        let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.failure {
            Some(error) => Err(error),
            None => Ok(Results { values: state.values }),
        }
    }
}

impl<'a> Shared<'a> {
    fn new(graph: Graph<'a>) -> Self {
        let mut users = vec![None; graph.nodes.len()];
        for (id, node) in graph.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&input| users[input] = Some(id));
        }
        let missing: Vec<usize> = graph.nodes.iter().map(|node| node.inputs.len()).collect();
        let ready = (0..missing.len()).rev().filter(|&id| missing[id] == 0).collect();
        let values = graph.nodes.iter().map(|_| None).collect();
        let nodes = graph.nodes.into_iter().map(Some).collect();
        let state = State { nodes, missing, ready, values, running: 0, failure: None };
        Self { state: Mutex::new(state), changed: Condvar::new(), users }
    }

    /// One thread: takes ready tasks until none is left and none can become ready.
    fn work(&self) {
        while let Some((id, node, inputs)) = self.next() {
            let outcome = caught(node.name, || (node.work)(inputs));
            self.done(id, outcome);
        }
    }

    /// The next task and its inputs' values; `None` when the run is over.
    fn next(&self) -> Option<(usize, Node<'a>, Vec<Value>)> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if let Some(id) = state.ready.pop() {
                let node = state.nodes[id].take().expect("a ready task was not started before");
                let inputs = node.inputs.iter().map(|&input| {
                    state.values[input].take().expect("a ready task has all of its inputs")
                });
                let inputs = inputs.collect();
                state.running += 1;
                return Some((id, node, inputs));
            }
            if state.running == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, id: usize, outcome: Result<Value>) {
        let mut state = self.lock();
        state.running -= 1;
        match outcome {
            Ok(value) => {
                state.values[id] = Some(value);
                if let Some(user) = self.users[id] {
                    state.missing[user] -= 1;
                    if state.missing[user] == 0 {
                        state.ready.push(user);
                    }
                }
            }
            // The tasks that were told to stop because of the first failure say so themselves:
            // that is not the cause.
            Err(error) => {
                if matches!(state.failure, None | Some(Error::Cancelled)) {
                    state.failure = Some(error);
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a caller's code; a panic of it is an error that names the task.
pub(crate) fn caught<T>(task: impl Display, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What panics leaves nothing behind that another could see half done: a task's inputs were
    // moved into it, and its value is dropped.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Error::Panic { task: task.to_string(), message: message(&*panic) })
    })
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_names_the_task() {
        for threads in [1, 2] {
            let mut graph = Graph::default();
            let good = graph.task("good", || Ok(1));
            let bad = graph.task("bad", || -> Result<u32> { panic!("out of eggs") });
            let sum = graph.zip("sum", (good, bad), |a, b| Ok(a + b));
            let error = graph.run(threads).map(|mut r| r.take(sum)).expect_err("it panics");
            assert_eq!(error.to_string(), "the task bad 1 panicked: out of eggs");
        }
    }

    #[test]
    fn the_cause_wins_over_those_it_cancelled() {
        let mut graph = Graph::default();
        let _roots = [
            graph.task("lane", || -> Result<()> { Err(Error::Cancelled) }),
            graph.task("lane", || Ok(())),
        ];
        assert!(matches!(graph.run(1), Err(Error::Cancelled)));
    }

    #[test]
    fn a_chain_runs_in_order_and_each_task_once() {
        let mut graph = Graph::default();
        let mut end = graph.task("start", || Ok(Vec::new()));
        for n in 0..1000 {
            end = graph.map("push", end, move |mut seen: Vec<u32>| {
                seen.push(n);
                Ok(seen)
            });
        }
        let seen = graph.run(3).map(|mut results| results.take(end)).expect("nothing fails");
        assert_eq!(seen, Vec::from_iter(0..1000));
    }
}
