//! What a bag is made of, but for the types of its records.

use std::sync::Arc;

use super::origin::Origin;
use crate::graph::{Node, Step};

/// Where records come from, and what is done with them on the way.
#[derive(Clone)]
pub(super) struct Base {
    pub(super) origin: Origin,
    /// The tasks whose values the steps look at, each once.
    pub(super) needs: Vec<Arc<Node>>,
    /// From the one that made the first bag on.
    pub(super) steps: Vec<Step>,
}

impl Base {
    pub(super) fn new(origin: Origin, step: Step) -> Self {
        Self { origin, needs: Vec::new(), steps: vec![step] }
    }

    /// One step more.
    pub(super) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// One task more whose value a step looks at.
    pub(super) fn needing(mut self, task: &Arc<Node>) -> Self {
        add(&mut self.needs, task);
        self
    }

    /// The tasks whose values a run in input order is given: those of the origin, then the needs.
    pub(super) fn inputs(&self) -> Vec<Arc<Node>> {
        let tasks = self.origin.tasks().map_or(&[][..], |tasks| &tasks.nodes);
        tasks.iter().chain(&self.needs).cloned().collect()
    }
}

/// Adds a task to a list that has each once.
pub(super) fn add(needs: &mut Vec<Arc<Node>>, task: &Arc<Node>) {
    if !needs.iter().any(|other| Arc::ptr_eq(other, task)) {
        needs.push(Arc::clone(task));
    }
}
