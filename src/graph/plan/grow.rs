//! Adding tasks to a plan.

use std::sync::Arc;

use super::slot::{Id, Slot, State};
use super::{Plan, address};
use crate::Error;
use crate::graph::node::Node;

/// Why a task cannot have a value that needs itself.
pub(crate) const CIRCLE: &str =
    "it waits for itself: a task in it has the key of one that needs it";

impl Plan {
    /// Adds a task and all that it needs, as far as they are not there; the caller is one of its
    /// users.
    pub(crate) fn add(&mut self, root: &Arc<Node>) -> Id {
        let root = self.walk(root, false);
        self.slot(root).uses += 1;
        root
    }

    /// A task has made another that will make its value.
    pub(crate) fn forward(&mut self, id: Id, to: &Arc<Node>) {
        self.growths += 1;
        self.growth = self.growths;
        let to = self.walk(to, false);
        self.growth = 0;
        let slot = self.slot(id);
        (slot.inputs, slot.state) = (vec![to], State::Forwards);
        self.await_inputs(id);
    }

    /// Has a failed task, and those below it that failed, tried again.
    pub(crate) fn retry(&mut self, id: Id) {
        if let Some(node) = self.get(id).and_then(|slot| slot.node.clone()) {
            self.walk(&node, true);
            self.waste.nodes.push((node, 0));
        }
    }

    /// Numbers a node and those below it that have no number, without recursion; those that
    /// failed are begun again, if that is asked for.
    fn walk(&mut self, root: &Arc<Node>, again: bool) -> Id {
        if let Some(id) = self.known(root, again) {
            return id;
        }
        let mut path = vec![(Arc::clone(root), Vec::with_capacity(root.inputs.len()))];
        loop {
            let (node, inputs) =
                path.last_mut().unwrap_or_else(|| unreachable!("the root returns"));
            if let Some(next) = node.inputs.get(inputs.len()) {
                match self.known(next, again) {
                    Some(id) => inputs.push(id),
                    None => {
                        let next = (Arc::clone(next), Vec::with_capacity(next.inputs.len()));
                        path.push(next);
                    }
                }
                continue;
            }
            let Some((node, inputs)) = path.pop() else { unreachable!("it is the last") };
            let id = match self.find(&node) {
                Some(there) if self.has_failed(there) => self.begin_again(there, inputs),
                Some(needed) => self.circle(needed, inputs),
                None => self.insert(node, inputs),
            };
            match path.last_mut() {
                Some((_, inputs)) => inputs.push(id),
                None => return id,
            }
        }
    }

    /// The task of a node, if a walk need not go below it.
    fn known(&self, node: &Arc<Node>, again: bool) -> Option<Id> {
        self.find(node).filter(|id| !(again && self.has_failed(*id)))
    }

    fn has_failed(&self, id: Id) -> bool {
        self.get(id).is_some_and(|slot| matches!(slot.state, State::Failed(_)))
    }

    /// A task that needs one with its own key: it fails, and what only it needed goes.
    fn circle(&mut self, id: Id, inputs: Vec<Id>) -> Id {
        self.slot(id).uses += 1;
        inputs.iter().for_each(|input| self.slot(*input).uses += 1);
        let error = Error::task(CIRCLE).in_task(|| (self.name(id), self.name(id)));
        self.fail(id, error);
        inputs.into_iter().for_each(|input| self.release(input));
        self.slot(id).uses -= 1;
        id
    }

    /// The task of a node, if it is there.
    fn find(&self, node: &Arc<Node>) -> Option<Id> {
        match &node.key {
            Some(key) => self.by_key.get(key).copied(),
            None => match node.place.get(self.number) {
                Some(at) => Some(Id { at, turn: self.slots[at as usize].turn }),
                None => self.by_address.get(&address(node)).copied(),
            },
        }
    }

    fn insert(&mut self, node: Arc<Node>, inputs: Vec<Id>) -> Id {
        let at = self.free.pop().unwrap_or(self.slots.len() as u32);
        let turn = self.slots.get(at as usize).map_or(0, |free| free.turn);
        let id = Id { at, turn };
        match &node.key {
            Some(key) => self.by_key.insert(*key, id),
            None if node.place.set(self.number, at) => None,
            None => self.by_address.insert(address(&node), id),
        };
        self.numbers = self.numbers.wrapping_add(1);
        if self.since.is_some() {
            self.waste.planned.push((Arc::clone(&node), self.numbers));
        }
        let rank = u64::from(u32::MAX - self.growth) << 32 | u64::from(self.numbers);
        let slot = Slot::new(turn, node, rank, inputs);
        match self.slots.get_mut(at as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.under_way += 1;
        self.await_inputs(id);
        id
    }

    /// A failed task as if it were new.
    fn begin_again(&mut self, id: Id, inputs: Vec<Id>) -> Id {
        for &input in &inputs {
            // It may wait there still, from before it failed.
            self.slot(input).users.retain(|user| *user != id);
        }
        let slot = self.slot(id);
        (slot.inputs, slot.state) = (inputs, State::New);
        self.under_way += 1;
        self.await_inputs(id);
        id
    }

    /// Makes a task a user of its inputs, and ready if none is to come.
    fn await_inputs(&mut self, id: Id) {
        let inputs = std::mem::take(&mut self.slot(id).inputs);
        let (mut missing, mut failure) = (0, None);
        for &input in &inputs {
            let input = self.slot(input);
            input.uses += 1;
            match &input.state {
                State::Done => {}
                State::Failed(error) => failure = Some(error.clone()),
                _ => {
                    input.users.push(id);
                    missing += 1;
                }
            }
        }
        let slot = self.slot(id);
        (slot.inputs, slot.missing) = (inputs, missing);
        match failure {
            Some(error) => self.fail(id, *error),
            None if missing == 0 => self.push(id),
            None => {}
        }
    }
}
