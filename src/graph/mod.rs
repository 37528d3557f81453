//! The one engine: tasks, what each needs, and the run that does each once.
//!
//! Everything that is computed is a graph of nodes. Users make them through the typed handles of
//! [`delayed`]; a bag's lanes and merges are nodes like any other. The graph knows nothing of
//! blocks and records: reading a lane is a task to it.

mod context;
pub mod delayed;
mod node;
mod picture;
mod plan;
mod schedule;
mod sketch;
mod stop;
#[cfg(test)]
mod tests;
mod tree;
mod visualize;

use std::any::Any;

pub(crate) use context::Context;
pub use delayed::{Delayed, delayed};
pub(crate) use node::{Moved, Name, Node, Outcome, Shared, typed};
pub(crate) use schedule::{caught, run};
pub(crate) use sketch::{Sketch, Step};
pub(crate) use stop::Stop;
pub(crate) use tree::tree;
pub(crate) use visualize::draw;

/// A value whose type is known to those who hand it on and those who take it, and to nobody
/// between them.
pub(crate) type Value = Box<dyn Any + Send>;
