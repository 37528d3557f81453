//! The one engine: tasks, what each needs, and the run that does each once.
//!
//! Everything that is computed is a graph of nodes. Users make them through the typed handles of
//! [`delayed`]; a bag's lanes and merges are nodes like any other. The graph knows nothing of
//! blocks and records: reading a lane is a task to it.

#[cfg(test)]
mod chance_tests;
pub mod client;
#[cfg(test)]
mod client_memory_tests;
#[cfg(test)]
mod client_tests;
mod context;
mod crew;
pub mod delayed;
mod engine;
#[cfg(test)]
mod future_tests;
mod node;
mod pending;
mod picture;
mod plan;
mod policy;
mod seats;
mod sketch;
mod state;
mod stop;
pub(crate) mod sync;
#[cfg(test)]
mod tests;
mod tree;
mod turns;
#[cfg(test)]
mod turns_tests;
mod visualize;
mod waiting;
#[cfg(test)]
mod watched_tests;
mod worker;

use std::any::Any;
use std::sync::Arc;

use crate::Result;

pub(crate) use context::Context;
pub(crate) use crew::Lineage;
pub use delayed::{Delayed, delayed};
#[cfg(feature = "cli")]
pub(crate) use node::passes;
pub(crate) use node::{Moved, Name, Node, Outcome, Shared, typed};
pub(crate) use sketch::{Sketch, Step};
pub(crate) use stop::{Entry as StopEntry, Stop};
pub(crate) use tree::tree;
pub(crate) use turns::take_in_turn;
pub(crate) use visualize::draw;
pub(crate) use worker::caught;

/// A value whose type is known to those who hand it on and those who take it, and to nobody
/// between them.
pub(crate) type Value = Box<dyn Any + Send>;

/// Runs what the roots need, each task once, on `context.threads` threads of which the caller's
/// is one, and gives the roots' values.
///
/// # Errors
///
/// The first that a task returned, [`Error::Panic`](crate::Error::Panic) for one that panicked,
/// or [`Error::Cancelled`](crate::Error::Cancelled); tasks that had not started by then never do.
pub(crate) fn run(context: &Context, roots: &[Arc<Node>]) -> Result<Vec<Shared>> {
    engine::Engine::run(context, roots)
}
