//! How lanes are started, for every end.
//!
//! Lanes are [tasks](tasks()) of the graph of their run: its threads work on them, and observers,
//! cancellation and errors see each. Where lanes borrow what their caller has, as those of the
//! command borrow its output, they cannot be tasks of a graph, whose work owns what it uses. Such
//! lanes are [scoped](scoped()): the caller's thread works on one of them, threads that the run
//! leaves idle work on the others, and observers see them as tasks all the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::dispatch::{Dispatch, EndState};
use super::schedule::Policy;
use super::{Context, Input};
use crate::graph::{Lineage, Name, Node, Outcome, Shared};
use crate::{Error, Result};

/// The blocks of an input, for a lane a thread.
pub(super) fn dispatch<I: Input, K: EndState>(
    context: &Context,
    input: Arc<I>,
    policy: Policy,
    kept: K,
) -> Arc<Dispatch<I, K>> {
    Arc::new(Dispatch::new(input, context.threads.max(1), policy, kept))
}

/// The tasks of lanes, which are given the values of what they need.
pub(super) fn tasks<I, K>(
    dispatch: &Arc<Dispatch<I, K>>,
    needs: &[Arc<Node>],
    lane: impl Fn(usize, &Context, &Dispatch<I, K>, &[Shared]) -> Result<Outcome>
    + Clone
    + Send
    + Sync
    + 'static,
) -> Vec<Arc<Node>>
where
    I: Input,
    K: EndState + Send + 'static,
{
    let lanes = (0..dispatch.lanes()).map(|n| {
        let (dispatch, lane) = (Arc::clone(dispatch), lane.clone());
        Node::new(Name::Numbered("lane", n), needs.to_vec(), move |context, inputs| {
            lane(n, context, &dispatch, &inputs.take_all())
        })
    });
    lanes.collect()
}

/// A task that hands on its value, once, and keeps nothing: others keep the task.
pub(super) fn ready(value: Shared) -> Arc<Node> {
    let value = Mutex::new(Some(value));
    Node::new(Name::Only("shared"), [], move |_, _| {
        let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Outcome::Value(value.unwrap_or_else(|| unreachable!("a task of a run runs once"))))
    })
}

/// Runs `context.threads` lanes at most, of which one is on this thread, until all have returned.
///
/// # Errors
///
/// [`Error::Panic`] for an observer that panics.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(super) fn scoped(context: &Context, lane: impl Fn(&Context) + Sync) -> Result<()> {
    let lineage = Lineage::of_this_thread();
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    let run = |n: usize| {
        if let Err(error) = context.within_task(Name::Numbered("lane", n), &lane) {
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    };
    thread::scope(|scope| {
        for n in 1..context.threads {
            // Within a task there is a helper for each thread that the run has idle. One thread can
            // do it all, also where no other can be started.
            let Some(helper) = lineage.help(context.threads) else { break };
            let named = thread::Builder::new().name(format!("creel {}", n + 1));
            let run = &run;
            let _ = named.spawn_scoped(scope, move || helper.work(|| run(n)));
        }
        run(0);
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
