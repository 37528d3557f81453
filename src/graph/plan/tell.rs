//! What a plan has to say: the way to a task, who holds memory, how many are where.

use std::collections::VecDeque;

use super::Plan;
use super::slot::{Id, Slot, State};
use crate::Error;
use crate::graph::client::Status;
use crate::graph::node::Name;
use crate::watch::bytes;

/// How many tasks are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) waiting: usize,
    pub(crate) running: usize,
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) cancelled: usize,
}

impl Plan {
    /// A task's name, and those of the tasks that lead to it from a root, long ways cut.
    pub(crate) fn path(&self, mut id: Id) -> (String, String) {
        /// Names kept at either end.
        const KEPT: usize = 4;
        let mut names = VecDeque::from([id]);
        let mut cut = false;
        // A circle, which equal keys can make, has an end here too.
        for _ in 0..self.slots.len() {
            let users = self.get(id).map_or(&[][..], |slot| &slot.users);
            let Some(&user) = users.iter().find(|user| self.get(**user).is_some()) else { break };
            id = user;
            names.push_front(id);
            if names.len() > 2 * KEPT {
                names.remove(KEPT);
                cut = true;
            }
        }
        let task = names.back().map_or_else(String::new, |&id| self.name(id));
        let mut path: Vec<String> = names.into_iter().map(|id| self.name(id)).collect();
        if cut {
            path.insert(KEPT, "…".to_owned());
        }
        (task, path.join(" > "))
    }

    pub(crate) fn name(&self, id: Id) -> String {
        let node = self.get(id).and_then(|slot| slot.node.as_ref());
        node.map_or_else(String::new, |node| node.name.to_string())
    }

    /// The bytes that values hold.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// The task that would go next if there were memory for it, and who holds that.
    pub(crate) fn starved(&mut self) -> Option<(Id, String)> {
        /// Holders that are named.
        const NAMED: usize = 5;
        let next = self.first()?;
        self.put_back(next);
        let mut holders: Vec<&Slot> = self.slots.iter().filter(|slot| slot.weight > 0).collect();
        holders.sort_by_key(|slot| std::cmp::Reverse(slot.weight));
        let more = holders.len().saturating_sub(NAMED);
        let mut held: Vec<String> =
            holders.into_iter().take(NAMED).map(|slot| self.holder(slot)).collect();
        if more > 0 {
            held.push(format!("and {more} more"));
        }
        let held = if held.is_empty() { "nothing is held".to_owned() } else { held.join(", ") };
        Some((next, held))
    }

    /// The first task on the way up from this one whose value has a weight: what users know as
    /// the one that needs memory, and not its plain arguments.
    pub(crate) fn weighed_above(&self, id: Id) -> Id {
        let mut at = id;
        for _ in 0..self.slots.len() {
            let Some(slot) = self.get(at) else { break };
            if slot.node.as_ref().is_some_and(|node| node.has_weight()) {
                return at;
            }
            let Some(&user) = slot.users.first() else { break };
            at = user;
        }
        id
    }

    /// A value that is held, and for whom.
    fn holder(&self, slot: &Slot) -> String {
        let node = slot.node.as_ref().map_or_else(String::new, |node| node.name.to_string());
        let is_it = |input: &u32| std::ptr::eq(&self.slots[*input as usize], slot);
        let user = self.slots.iter().find(|user| user.inputs.iter().any(is_it));
        let user = user.and_then(|user| user.node.as_ref());
        match user {
            Some(user) => format!("{node} holds {} for {}", bytes(slot.weight), user.name),
            None => format!("{node} holds {} for a handle", bytes(slot.weight)),
        }
    }

    /// How far a task is, for those who hold it.
    pub(crate) fn status(&self, id: Id) -> Status {
        match self.get(id).map(|slot| &slot.state) {
            Some(State::New | State::Forwards | State::Arrived(_)) => Status::Waiting,
            Some(State::Pending(_) | State::Running { .. }) => Status::Running,
            Some(State::Done) => Status::Done,
            Some(State::Failed(error)) if !matches!(**error, Error::Cancelled) => Status::Failed,
            Some(State::Failed(_) | State::Free(_)) | None => Status::Cancelled,
        }
    }

    /// How many tasks are in which state; plain arguments are none.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let is_task = |slot: &&Slot| {
            slot.node.as_ref().is_some_and(|node| !matches!(node.name, Name::Value(_)))
        };
        for slot in self.slots.iter().filter(is_task) {
            match &slot.state {
                State::New | State::Forwards | State::Arrived(_) => counts.waiting += 1,
                State::Pending(_) | State::Running { .. } => counts.running += 1,
                State::Done => counts.done += 1,
                State::Failed(error) if matches!(**error, Error::Cancelled) => {
                    counts.cancelled += 1;
                }
                State::Failed(_) => counts.failed += 1,
                State::Free(_) => {}
            }
        }
        counts
    }

    /// The tasks that are being worked on, by seat.
    pub(crate) fn running(&self) -> impl Iterator<Item = (u32, String)> {
        self.slots.iter().filter_map(|slot| match (&slot.state, &slot.node) {
            (State::Running { seat, .. }, Some(node)) => Some((*seat, node.name.to_string())),
            _ => None,
        })
    }
}
