//! What a bag is made of, but for the types of its records.

use std::sync::Arc;

use super::origin::Origin;
use super::repartition::Cut;
use super::verbs::{Text, Verbs};
use crate::graph::{Node, Step};

/// Where records come from, and what is done with them on the way.
#[derive(Clone)]
pub(super) struct Base {
    pub(super) origin: Origin,
    /// Other partitions than those of the origin, of the records behind some of the steps.
    pub(super) cut: Option<Arc<dyn Cut>>,
    /// The tasks whose values the steps look at, each once.
    pub(super) needs: Vec<Arc<Node>>,
    /// From the one that made the first bag on.
    pub(super) steps: Vec<Step>,
    /// The same steps in the language of the command.
    pub(super) verbs: Verbs,
}

impl Base {
    pub(super) fn new(origin: Origin, step: Step) -> Self {
        let (cut, needs, verbs) = (None, Vec::new(), Verbs::default());
        Self { origin, cut, needs, steps: vec![step], verbs }
    }

    /// One step more, of a closure.
    pub(super) fn then(self, step: Step) -> Self {
        self.named(step, Text::Closure)
    }

    /// One step more, which is this in the language of the command.
    pub(super) fn named(mut self, step: Step, text: Text) -> Self {
        self.verbs.push(step.clone(), text);
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
