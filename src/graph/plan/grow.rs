//! Adding tasks to a plan.

use std::sync::Arc;

use creel_kernels::prefetch;

use super::slot::{Id, Places, Slot, State};
use super::{Plan, address};
use crate::Error;
use crate::graph::node::Node;

/// How many inputs of a task a walk asks for before it comes to them.
const AHEAD: usize = 4;

/// The way below a node, at its beginning.
fn below(node: Arc<Node>) -> (Arc<Node>, Places) {
    node.inputs.iter().take(AHEAD).for_each(|input| prefetch(&**input));
    let inputs = Places::with_capacity(node.inputs.len());
    (node, inputs)
}

impl Plan {
    /// Adds a task and all that it needs, as far as they are not there; the caller is one of its
    /// users.
    pub(crate) fn add(&mut self, root: &Arc<Node>) -> Id {
        let id = self.begin_walk(root);
        self.end_walk();
        id
    }

    /// Adds a task as [`add`](Self::add) does, without the [end](Self::end_walk) of the walk.
    pub(super) fn begin_walk(&mut self, root: &Arc<Node>) -> Id {
        let root = self.walk(root, false);
        let slot = self.at(root);
        slot.uses += 1;
        Id { at: root, turn: slot.turn }
    }

    /// A task has made another that will make its value.
    pub(crate) fn forward(&mut self, id: Id, to: &Arc<Node>) {
        self.growths = self.growths.wrapping_add(1);
        self.growth = self.growths;
        let to = self.walk(to, false);
        self.growth = 0;
        let slot = self.slot(id);
        (slot.inputs, slot.state) = (Places::from_slice(&[to]), State::Forwards);
        self.await_inputs(id.at);
        self.keep_shared();
        self.end_walk();
    }

    /// Has a failed task, and those below it that failed, tried again.
    pub(crate) fn retry(&mut self, id: Id) {
        let Some(node) = self.get(id).and_then(|slot| slot.node.clone()) else { return };
        if self.find(&node).is_none() {
            // Forgotten, and nobody has begun it since.
            self.own(&node, id.at);
        }
        let at = self.walk(&node, true);
        if at != id.at && self.has_failed(id.at) {
            // Forgotten, and begun for others since: it will have their value.
            let slot = self.at(id.at);
            slot.inputs = Places::from_slice(&[at]);
            let failed = std::mem::replace(&mut slot.state, State::Forwards);
            self.waste.states.push(failed);
            self.under_way += 1;
            self.await_inputs(id.at);
        }
        self.waste.nodes.push((node, 0));
        self.end_walk();
    }

    /// Has no task found any more: what is added from now on is begun anew.
    pub(crate) fn disown_all(&mut self) {
        for at in 0..self.slots.len() {
            if let Some(node) = self.slots[at].node.clone() {
                self.disown(&node, at as u32);
                self.waste.nodes.push((node, 0));
            }
        }
    }

    /// Gives up what a walk has found to be in vain. Not sooner: what nobody uses is freed, and
    /// during the walk those that will use it are not there yet.
    pub(super) fn end_walk(&mut self) {
        for (id, error) in std::mem::take(&mut self.doomed) {
            let error = error.in_task(|| self.path(id));
            self.fail(id, error);
        }
        for place in std::mem::take(&mut self.spurned) {
            self.release_at(place);
        }
    }

    /// Numbers a node and those below it that have no number, without recursion; those that
    /// failed are begun again, if that is asked for.
    fn walk(&mut self, root: &Arc<Node>, again: bool) -> u32 {
        if let Some(at) = self.known(root, again) {
            return at;
        }
        let mut path = vec![below(Arc::clone(root))];
        loop {
            let (node, inputs) =
                path.last_mut().unwrap_or_else(|| unreachable!("the root returns"));
            if let Some(next) = node.inputs.get(inputs.len()) {
                if let Some(soon) = node.inputs.get(inputs.len() + AHEAD) {
                    prefetch(&**soon);
                }
                match self.known(next, again) {
                    Some(at) => {
                        self.slots[at as usize].ask();
                        inputs.push(at);
                    }
                    None => {
                        let next = if again { self.standing(next) } else { Arc::clone(next) };
                        path.push(below(next));
                    }
                }
                continue;
            }
            let Some((node, inputs)) = path.pop() else { unreachable!("it is the last") };
            let at = match self.find(&node) {
                None => self.insert(node, inputs),
                Some(failed) if self.has_failed(failed) => self.begin_again(failed, inputs),
                // A task that it needs has its key: one of the two is not what its key says.
                Some(same) => {
                    let source = "a task that it needs has its key, and so would be it";
                    self.doomed.push((self.entry(same).1, Error::task(source)));
                    inputs.iter().for_each(|input| self.at(*input).uses += 1);
                    self.spurned.extend(inputs);
                    self.waste.nodes.push((node, 0));
                    same
                }
            };
            match path.last_mut() {
                Some((_, inputs)) => inputs.push(at),
                None => return at,
            }
        }
    }

    /// The task of a node, if a walk need not go below it.
    fn known(&self, node: &Arc<Node>, again: bool) -> Option<u32> {
        self.find(node).filter(|at| !(again && self.has_failed(*at)))
    }

    fn has_failed(&self, at: u32) -> bool {
        matches!(self.slots[at as usize].state, State::Failed(_))
    }

    /// The node that stands in the plan for this one: another, if they have equal keys.
    fn standing(&self, node: &Arc<Node>) -> Arc<Node> {
        let at = self.find(node);
        Arc::clone(at.and_then(|at| self.slots[at as usize].node.as_ref()).unwrap_or(node))
    }

    /// The place of a node, if it has one.
    fn find(&self, node: &Arc<Node>) -> Option<u32> {
        match (node.place.get(self.number), node.key()) {
            (Some(at), _) => Some(at),
            (None, Some(key)) => self.by_key.get(key).copied(),
            (None, None) => self.by_address.get(&address(node)).copied(),
        }
    }

    /// The task of a node that has this number, if its value may still come.
    pub(crate) fn under_way(&self, node: &Arc<Node>, number: u32) -> Option<Id> {
        let (_, id) = self.entry(self.find(node)?);
        self.get(id).filter(|slot| slot.number() == number && slot.is_under_way()).map(|_| id)
    }

    /// Has a node found at a place.
    fn own(&mut self, node: &Arc<Node>, at: u32) {
        match node.key() {
            Some(key) => self.by_key.insert(*key, at),
            None if node.place.set(self.number, at) => None,
            None => self.by_address.insert(address(node), at),
        };
    }

    /// Has a node not found at a place any more; it may have another by now.
    pub(super) fn disown(&mut self, node: &Arc<Node>, at: u32) {
        if let Some(key) = node.key() {
            if self.by_key.get(key) == Some(&at) {
                self.by_key.remove(key);
            }
        } else if !node.place.clear(self.number, at)
            && self.by_address.get(&address(node)) == Some(&at)
        {
            self.by_address.remove(&address(node));
        }
    }

    fn insert(&mut self, node: Arc<Node>, inputs: Places) -> u32 {
        let at = self.free.unwrap_or(self.slots.len() as u32);
        let turn = self.slots.get(at as usize).map_or(0, |free| free.turn);
        self.own(&node, at);
        self.numbers = self.numbers.wrapping_add(1);
        if self.since.is_some() {
            self.waste.planned.push((Arc::clone(&node), self.numbers));
        }
        let rank = Self::rank(self.growth, self.numbers);
        let slot = Slot::new(turn, node, rank, inputs);
        if let Some(turns) = &mut self.turns {
            turns.fresh.push(at);
        }
        match self.slots.get_mut(at as usize) {
            Some(free) => {
                if let State::Free(next) = std::mem::replace(free, slot).state {
                    self.free = next;
                }
            }
            None => self.slots.push(slot),
        }
        self.under_way += 1;
        self.await_inputs(at);
        at
    }

    /// A failed task as if it were new.
    fn begin_again(&mut self, at: u32, inputs: Places) -> u32 {
        let id = self.entry(at).1;
        for &input in &inputs {
            // It may wait there still, from before it failed.
            self.at(input).users.retain(|user| *user != id);
        }
        let slot = self.at(at);
        slot.inputs = inputs;
        let failed = std::mem::replace(&mut slot.state, State::New);
        self.waste.states.push(failed);
        self.under_way += 1;
        self.await_inputs(at);
        at
    }

    /// Makes a task a user of its inputs, and ready if none is to come.
    fn await_inputs(&mut self, at: u32) {
        let id = self.entry(at).1;
        let inputs = std::mem::take(&mut self.at(at).inputs);
        let (mut missing, mut failure, has_limit) = (0, None, self.limit.is_some());
        for &input in &inputs {
            let input = self.at(input);
            input.uses += 1;
            match &input.state {
                // Found by what it uses, should it wait for memory.
                State::Done if input.weight > 0 && has_limit => input.users.push(id),
                State::Done => {}
                State::Failed(error) => {
                    failure = Some(Error::clone(error));
                    missing += 1;
                }
                _ => {
                    input.users.push(id);
                    missing += 1;
                }
            }
        }
        let slot = self.slot(id);
        (slot.inputs, slot.missing) = (inputs, missing);
        match failure {
            Some(error) => self.doomed.push((id, error)),
            None if missing == 0 => self.push(id),
            None => {}
        }
    }
}
