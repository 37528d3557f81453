//! Many tasks whose values are taken one after another, and are never all there.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::engine::Engine;
use super::node::{Name, Node, Outcome, Shared};
use super::{Context, Result};

/// Runs the tasks as one graph and gives `take` their values, in their order, until it breaks. It
/// is called by workers, one at a time, in tasks that are named after it.
///
/// What they share is run once, as all are there from the first; but only what the first `ahead`
/// need that were not taken is begun. So a taker that is slow holds all back.
///
/// # Errors
///
/// As [`run`](super::run), but the first in the order of the tasks: what stands before it is taken.
pub(crate) fn take_in_turn(
    context: &Context,
    name: &'static str,
    ahead: usize,
    tasks: impl IntoIterator<Item = Arc<Node>>,
    take: impl FnMut(&Context, Shared) -> Result<ControlFlow<()>> + Send + 'static,
) -> Result<()> {
    let take = Arc::new(Mutex::new(take));
    let ends = tasks.into_iter().enumerate().map(|(n, task)| {
        let take = Arc::clone(&take);
        Node::new(Name::Numbered(name, n), [task], move |context, inputs| {
            // Never contended: they take turns.
            let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
            take(context, inputs.take(0)).map(Outcome::value)
        })
    });
    Engine::run_in_turn(context, &Vec::from_iter(ends), ahead)
}
