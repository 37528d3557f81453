//! What a bag is made of, but for the types of its records.

use std::sync::Arc;

use creel_operators::form;

use super::origin::Origin;
use super::repartition::Cut;
use super::verbs::{Code, Text, Verbs};
use crate::graph::{Node, Shared, Step};

/// Where records come from, and what is done with them on the way.
#[derive(Clone)]
pub(super) struct Base {
    pub(super) origin: Origin,
    /// Other partitions than those of the origin, of the records behind some of the steps.
    pub(super) cut: Option<Arc<dyn Cut>>,
    /// The tasks whose values the steps look at, each once.
    pub(super) needs: Vec<Arc<Node>>,
    /// How the value of each goes to another process.
    pub(super) forms: Vec<ValueForm>,
    /// From the one that made the first bag on.
    pub(super) steps: Vec<Step>,
    /// The same steps in the language of the command.
    pub(super) verbs: Verbs,
}

impl Base {
    pub(super) fn new(origin: Origin, step: Step) -> Self {
        let (needs, forms, verbs) = (Vec::new(), Vec::new(), Verbs::default());
        Self { origin, cut: None, needs, forms, steps: vec![step], verbs }
    }

    /// One step more, of a closure.
    pub(super) fn then(self, step: Step, code: Code) -> Self {
        self.named_with(step, Text::Closure, code)
    }

    /// One step more, which is this in the language of the command.
    pub(super) fn named(self, step: Step, text: Text) -> Self {
        self.named_with(step, text, Code::default())
    }

    /// The same, of a step that calls functions of the caller's, or was given a number.
    pub(super) fn named_with(mut self, step: Step, text: Text, code: Code) -> Self {
        self.verbs.push(step.clone(), text, code);
        self.steps.push(step);
        self
    }

    /// One task more whose value, of this type, a step looks at.
    pub(super) fn needing<V: Send + Sync + 'static>(mut self, task: &Arc<Node>) -> Self {
        if add(&mut self.needs, task) {
            self.forms.push(ValueForm::of::<V>());
        }
        self
    }

    /// The tasks whose values a run in input order is given: those of the origin, then the needs.
    pub(super) fn inputs(&self) -> Vec<Arc<Node>> {
        let tasks = self.origin.tasks().map_or(&[][..], |tasks| &tasks.nodes);
        tasks.iter().chain(&self.needs).cloned().collect()
    }
}

/// Adds a task to a list that has each once; returns true if it was not there.
pub(super) fn add(needs: &mut Vec<Arc<Node>>, task: &Arc<Node>) -> bool {
    let is_new = !needs.iter().any(|other| Arc::ptr_eq(other, task));
    if is_new {
        needs.push(Arc::clone(task));
    }
    is_new
}

/// How the value of a task goes to another process, if its type has a [form](creel_operators::form).
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "clusters are of this feature"))]
pub(super) struct ValueForm {
    /// The name of the type.
    pub(super) name: &'static str,
    /// Appends a value to bytes; `false` if it has no form.
    pub(super) save: fn(&Shared, &mut Vec<u8>) -> bool,
    /// Reads one back.
    pub(super) load: fn(&[u8]) -> Option<Shared>,
}

impl ValueForm {
    fn of<V: Send + Sync + 'static>() -> Self {
        Self {
            name: std::any::type_name::<V>(),
            save: |value, bytes| {
                value.downcast_ref::<V>().is_some_and(|value| form::save(value, bytes))
            },
            load: |bytes| Some(Arc::new(form::load::<V>(bytes)?)),
        }
    }
}
