//! What a plan has no more use for, to be dropped where no lock is held: that runs users' code.

use std::sync::Arc;

use super::slot::{Id, State};
use crate::graph::node::{Node, Shared};

/// What a plan has no more use for, and what others are to be told.
#[derive(Default)]
pub(crate) struct Waste {
    /// Nodes, with their numbers; 0 for those that only passed by.
    pub(crate) nodes: Vec<(Arc<Node>, u32)>,
    pub(crate) values: Vec<Shared>,
    pub(crate) states: Vec<State>,
    /// What workers and futures have come to in vain.
    pub(crate) late: Vec<Box<dyn Send>>,
    /// Seats whose workers' tasks are for nothing.
    pub(crate) seats: Vec<u32>,
    /// Tasks that have come to their end.
    pub(crate) ended: Vec<Id>,
    /// Tasks that are new, if somebody wants to know.
    pub(crate) planned: Vec<(Arc<Node>, u32)>,
}

impl Waste {
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
            && self.values.is_empty()
            && self.states.is_empty()
            && self.late.is_empty()
            && self.seats.is_empty()
            && self.ended.is_empty()
            && self.planned.is_empty()
    }

    /// Drops all; there is room for more of it afterwards. First what can be dropped without a
    /// panic: of the rest something may be left then, to be dropped the next time.
    pub(crate) fn clear(&mut self) {
        self.seats.clear();
        self.ended.clear();
        self.planned.clear();
        self.nodes.clear();
        self.values.clear();
        self.states.clear();
        self.late.clear();
    }
}
