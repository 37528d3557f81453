//! What becomes of tasks: done, failed, waiting for a future, or of no use.

use smallvec::SmallVec;

use super::slot::{Arrived, Id, Ids, Pending, State, Ticket, Tried};
use super::{Plan, Seen};
use crate::Error;
use crate::graph::node::Shared;
use crate::runtime::Task;

impl Plan {
    /// A worker has come to something with a task. Says whether that is still wanted.
    pub(crate) fn returned(&mut self, ticket: Ticket) -> bool {
        let current = self.get(ticket.id).is_some_and(|slot| {
            matches!(&slot.state, State::Running { attempt, .. } if *attempt == ticket.attempt)
        });
        if current {
            self.slot(ticket.id).state = State::New;
        }
        current
    }

    /// Whether a task waits for this future of it.
    pub(crate) fn awaits(&self, ticket: Ticket) -> bool {
        self.get(ticket.id).is_some_and(|slot| {
            matches!(&slot.state, State::Pending(pending) if pending.attempt == ticket.attempt)
        })
    }

    /// Enters that values hold so many bytes more, and so many less.
    fn weigh(&mut self, more: u64, less: u64) {
        self.held = self.held + more - less;
        if more != less
            && let Some(reserved) = &mut self.reserved
        {
            reserved.set(self.held);
        }
    }

    /// A task is done; its users may be ready.
    pub(crate) fn done(&mut self, id: Id, value: Shared, weight: u64) {
        self.leave(id, State::Done);
        self.weigh(weight, 0);
        let slot = self.slot(id);
        (slot.value, slot.weight) = (Some(value), weight);
        let users = std::mem::take(&mut slot.users);
        for &user in &users {
            let waits = |user: Id| self.slots[user.at as usize].turn == user.turn;
            if waits(user) && self.slot(user).is_under_way() {
                let slot = self.slot(user);
                slot.missing -= 1;
                if slot.missing == 0 {
                    self.push(user);
                }
            }
        }
        if weight > 0 && self.limit.is_some() {
            // Whoever is left of them frees the value, and is found by it.
            self.slot(id).users = users;
        }
    }

    /// A task will not have a value, and so none of those that wait for it; what only they needed
    /// is of no use.
    pub(crate) fn fail(&mut self, id: Id, error: Error) {
        let mut failing = vec![id];
        while let Some(id) = failing.pop() {
            if !self.get(id).is_some_and(|slot| slot.is_under_way()) {
                continue;
            }
            let forwards = matches!(self.slot(id).state, State::Forwards);
            self.leave(id, State::Failed(Box::new(error.clone())));
            let slot = self.slot(id);
            let (inputs, users) =
                (std::mem::take(&mut slot.inputs), std::mem::take(&mut slot.users));
            if forwards {
                // Begun again it will not need this one, and must not be told of it.
                for made in &inputs {
                    self.at(*made).users.retain(|user| *user != id);
                }
            }
            inputs.into_iter().for_each(|input| self.release_at(input));
            failing.extend(users);
        }
    }

    /// A future has charge of a task now.
    pub(crate) fn pend(&mut self, ticket: Ticket, tried: Tried, future: Task<()>) {
        let waits_for = SmallVec::new();
        let pending = Pending { attempt: ticket.attempt, tried, waits_for, _future: future };
        self.pending += 1;
        let slot = self.slot(ticket.id);
        slot.state = State::Pending(Box::new(pending));
    }

    /// The future of a task waits for another task. Says whether that future is wanted.
    pub(crate) fn waits(&mut self, ticket: Ticket, id: Id) -> bool {
        if !self.awaits(ticket) {
            return false;
        }
        let State::Pending(pending) = &mut self.slot(ticket.id).state else { return false };
        let waited = !pending.waits_for.is_empty();
        if !pending.waits_for.contains(&id) {
            pending.waits_for.push(id);
        }
        self.waiting += usize::from(!waited);
        true
    }

    /// The future of a task goes on.
    pub(crate) fn goes_on(&mut self, ticket: Ticket) {
        if self.awaits(ticket)
            && let State::Pending(pending) = &mut self.slot(ticket.id).state
            && !pending.waits_for.is_empty()
        {
            pending.waits_for.clear();
            self.waiting -= 1;
        }
    }

    /// A task has ended: the future of another goes on if it waits for that.
    pub(crate) fn goes_on_after(&mut self, ticket: Ticket, ended: Id) {
        let waits = self.get(ticket.id).is_some_and(|slot| {
            matches!(&slot.state, State::Pending(pending) if pending.waits_for.contains(&ended))
        });
        if waits {
            self.goes_on(ticket);
        }
    }

    /// What a task waited for has come.
    pub(crate) fn arrive(&mut self, id: Id, with: impl FnOnce(Tried) -> Arrived) {
        let slot = self.slot(id);
        match std::mem::replace(&mut slot.state, State::New) {
            State::Pending(pending) => {
                let waited = !pending.waits_for.is_empty();
                slot.state = State::Arrived(Box::new(with(pending.tried)));
                (self.pending, self.waiting) =
                    (self.pending - 1, self.waiting - usize::from(waited));
                self.push(id);
            }
            other => slot.state = other,
        }
    }

    /// One user fewer of a task. What nobody uses goes, and with it what only that needed.
    pub(crate) fn release(&mut self, id: Id) {
        debug_assert!(self.get(id).is_some(), "who uses a task keeps it there");
        self.release_at(id.at);
    }

    pub(super) fn release_at(&mut self, at: u32) {
        let mut unused = vec![at];
        while let Some(at) = unused.pop() {
            let slot = self.at(at);
            slot.uses -= 1;
            if slot.uses > 0 {
                self.unpark(at);
                continue;
            }
            unused.extend(slot.inputs.drain(..));
            self.leave(self.entry(at).1, State::Done);
            self.forget(at);
        }
    }

    /// A task's value, for one of its users, who is one no more.
    pub(super) fn take(&mut self, at: u32) -> Shared {
        let slot = self.at(at);
        slot.uses -= 1;
        let value = if slot.uses > 0 { slot.value.clone() } else { slot.value.take() };
        if slot.uses == 0 {
            self.forget(at);
        } else {
            self.unpark(at);
        }
        value.unwrap_or_else(|| unreachable!("what is ready has its inputs"))
    }

    /// What has become of a task, for one who holds it.
    pub(crate) fn see(&self, id: Id) -> Seen {
        match self.get(id) {
            Some(slot) => match (&slot.state, &slot.value) {
                (State::Failed(error), _) => Seen::Failed(Error::clone(error)),
                (State::Done, Some(value)) => Seen::Done(Shared::clone(value)),
                _ => Seen::UnderWay,
            },
            None => Seen::Failed(Error::Cancelled),
        }
    }

    /// The value of a root for the one who asked for it, who does so once.
    pub(crate) fn collect(&mut self, id: Id) -> Option<Shared> {
        matches!(self.see(id), Seen::Done(_)).then(|| self.take(id.at))
    }

    /// Gives up all tasks, and the values of those that are done.
    pub(crate) fn fail_all(&mut self, error: &Error) {
        for at in 0..self.slots.len() {
            let id = Id { at: at as u32, turn: self.slots[at].turn };
            if self.slots[at].node.is_none() {
                continue;
            }
            self.fail(id, error.clone());
            // Failing has freed it if nobody holds it.
            let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.turn == id.turn) else {
                continue;
            };
            if let State::Done = slot.state {
                slot.state = State::Failed(Box::new(error.clone()));
                slot.users.clear();
                let (weight, value) = (std::mem::take(&mut slot.weight), slot.value.take());
                self.weigh(0, weight);
                self.waste.values.extend(value);
            }
        }
    }

    /// Takes a task out of the state that it is in.
    fn leave(&mut self, id: Id, state: State) {
        let slot = self.slot(id);
        let (was_under_way, number) = (slot.is_under_way(), slot.number());
        let left = std::mem::replace(&mut slot.state, state);
        if was_under_way {
            self.under_way -= 1;
            self.waste.ended.push(id);
            if let Some(since) = &mut self.since {
                since.remove(&number);
            }
        }
        match &left {
            State::Pending(pending) => {
                self.pending -= 1;
                self.waiting -= usize::from(!pending.waits_for.is_empty());
            }
            State::Running { seat, .. } => self.waste.seats.push(*seat),
            _ => {}
        }
        if matches!(left, State::Pending(_) | State::Arrived(_) | State::Failed(_)) {
            self.waste.states.push(left);
        }
    }

    /// Frees the place of a task. Only what is alive has an address of its own: the address is
    /// forgotten before the node is.
    fn forget(&mut self, at: u32) {
        let slot = self.at(at);
        slot.turn = slot.turn.wrapping_add(1);
        let (value, weight) = (slot.value.take(), std::mem::take(&mut slot.weight));
        let number = slot.number();
        slot.users = Ids::new();
        if let Some(node) = slot.node.take() {
            self.disown(&node, at);
            self.waste.nodes.push((node, number));
        }
        if let Some(since) = &mut self.since {
            since.remove(&number);
        }
        self.weigh(0, weight);
        self.waste.values.extend(value);
        let next = self.free.replace(at);
        self.at(at).state = State::Free(next);
    }
}
