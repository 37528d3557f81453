//! What a picture tells of a task that its name and its inputs do not say.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;

use super::{Name, Node};

/// How a task looks in a picture.
#[derive(Clone, Default)]
pub(crate) struct Sketch {
    /// What errors call the task.
    pub(crate) operation: &'static str,
    /// What its box says, if not that.
    pub(crate) label: Option<Cow<'static, str>>,
    /// What its box says below.
    pub(crate) steps: Vec<Step>,
    /// Whether the box stands for as many tasks as a run finds best.
    pub(crate) several: bool,
    /// What arrows lead from to it, if not its inputs: tasks that only a run makes.
    pub(crate) from: Option<Vec<Arc<Node>>>,
}

/// A step in a task, and the line of a program that asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) what: Cow<'static, str>,
    pub(crate) at: Option<&'static Location<'static>>,
}

impl Step {
    /// An operation that the caller's caller asks for.
    #[track_caller]
    pub(crate) fn here(operation: &'static str) -> Self {
        Self::of(operation, Some(Location::caller()))
    }

    /// A step without a place.
    pub(crate) fn only(what: impl Into<Cow<'static, str>>) -> Self {
        Self::of(what, None)
    }

    fn of(what: impl Into<Cow<'static, str>>, at: Option<&'static Location<'static>>) -> Self {
        Self { what: what.into(), at }
    }
}

impl Sketch {
    /// A task that stands in pictures for those that a run makes, and never runs.
    pub(crate) fn node(self, inputs: Vec<Arc<Node>>) -> Arc<Node> {
        let name = Name::Sketched(Arc::new(self), None);
        Node::new(name, inputs, |_, _| unreachable!("it is there to be drawn"))
    }
}
