//! Many tasks whose values are taken one after another, and are never all there.

use std::sync::{Arc, Mutex, PoisonError};

use super::engine::Engine;
use super::node::{Name, Node, Outcome, Shared};
use super::plan::Roots;
use super::{Context, Result};

/// Runs tasks as one graph and gives `take` their values, in their order, until it breaks: its outcome is a
/// [`ControlFlow<()>`](std::ops::ControlFlow), or a task that makes one. It is called by workers, one at a
/// time, in tasks that are named after it.
///
/// Of each task `over` tells what it is made over, by number; and all of them may need `needs`. What
/// they share is run once, but a task is made only as it is among the first `ahead` that were not
/// taken. So a taker that is slow holds all back, and one that breaks early pays for few.
///
/// # Errors
///
/// As [`run`](super::run), but the first in the order of the tasks: what stands before it is taken.
pub(crate) fn take_in_turn(
    context: &Context,
    (name, ahead): (&'static str, usize),
    over: impl Fn(usize) -> Option<Arc<Node>> + Send + 'static,
    tasks: impl Iterator<Item = Arc<Node>> + Send + 'static,
    needs: &[Arc<Node>],
    take: impl FnMut(&Context, Shared) -> Result<Outcome> + Send + 'static,
) -> Result<()> {
    let take = Arc::new(Mutex::new(take));
    let ends = tasks.enumerate().map(move |(n, task)| {
        let take = Arc::clone(&take);
        Node::new(Name::Numbered(name, n), [task], move |context, inputs| {
            // Never contended: they take turns.
            let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
            take(context, inputs.take(0))
        })
    });
    let roots = Roots { next: Box::new(ends), over: Box::new(over) };
    Engine::run_in_turn(context, roots, needs, ahead)
}
