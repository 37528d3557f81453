//! Roots that take turns, and the gate behind which all others wait that only later ones need.
//!
//! A root that is not the first lacks an input more than it has: its turn. The gate is a rank.
//! Tasks are numbered depth first, root after root, so all that a root needs stands before the
//! root itself, and what stands behind the last that may go ahead is needed by none of these.

use std::sync::Arc;

use super::slot::{Id, Rank};
use super::{Plan, State};
use crate::graph::node::Node;

impl Plan {
    /// Adds roots that take turns. Of what they need, tasks begin that the first `ahead` of those
    /// need that are left.
    pub(crate) fn add_in_turn(&mut self, roots: &[Arc<Node>], ahead: usize) {
        for root in roots {
            let root = self.add(root);
            self.slot(root).missing += 1;
            self.turns.push_back(root);
        }
        self.ahead = ahead.max(1);
        self.begin_turn();
    }

    /// The root whose turn it is.
    pub(crate) fn turn(&self) -> Option<Id> {
        self.turns.front().copied()
    }

    /// It is done: the next has its turn.
    pub(crate) fn next_turn(&mut self) {
        if let Some(done) = self.turns.pop_front() {
            self.release(done);
        }
        self.begin_turn();
    }

    /// No more is wanted of them.
    pub(crate) fn end_turns(&mut self) {
        self.gate = None;
        for root in std::mem::take(&mut self.turns) {
            self.release(root);
        }
    }

    fn begin_turn(&mut self) {
        self.gate = self.turns.get(self.ahead - 1).map(|last| {
            let rank = self.get(*last).map_or(0, |slot| slot.rank);
            self.gate.map_or(rank, |gate| gate.max(rank))
        });
        let Some(first) = self.turn() else { return };
        let slot = self.slot(first);
        if let State::New = slot.state {
            slot.missing -= 1;
            if slot.missing == 0 {
                self.push(first);
            }
        }
    }

    /// Whether a task may begin, or stands behind the gate.
    pub(super) fn admits(&self, rank: Rank) -> bool {
        self.gate.is_none_or(|gate| rank <= gate)
    }

    /// Something that has begun waits for this one, and so for all that this one needs.
    pub(super) fn admit(&mut self, rank: Rank) {
        self.gate = self.gate.map(|gate| gate.max(rank));
    }
}
