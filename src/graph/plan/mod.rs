//! The tasks of an engine: which wait for what, which goes next, and which values are alive.
//!
//! Tasks are numbered in the order in which a walk from the roots, depth first, leaves them, and
//! of those that can run the one with the least number goes next. So one thread finishes a
//! branch before it starts its neighbour; of a tree over n leaves it holds at most log2 n + 2
//! values, and t threads t times as many. Tasks that a running task adds go before all others.
//!
//! Nothing here runs code of users, or drops what is theirs: that goes to the [`Waste`].

mod ahead;
mod choose;
mod circle;
mod grow;
mod order;
mod settle;
mod slot;
mod tell;
mod turns;
mod waste;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Instant;

use super::node::{Inputs, Key, Node, Shared};
use crate::Error;
use crate::memory::Reservation;
pub(super) use circle::Circle;
use order::Order;
pub(super) use slot::{Arrived, Id, State, Ticket, Tried};
use slot::{Rank, Slot};
pub(super) use turns::Roots;
use turns::Turns;
pub(super) use waste::Waste;

#[derive(Default)]
pub(super) struct Plan {
    /// What sets it apart from other plans.
    pub(super) number: u64,
    slots: Vec<Slot>,
    /// The first place that is to be used again. They are a chain through the slots: a list of them
    /// grows while values are dropped, and each time the allocator tidies up all of these.
    free: Option<u32>,
    /// Where nodes stand that have a content key, and those that stand in another plan too, by
    /// address; all others know their place. A node is alive for as long as it has one.
    by_address: HashMap<usize, u32, BuildHasherDefault<AddressHasher>>,
    by_key: HashMap<Key, u32>,
    /// Tasks that can run: leaves that were there from the first, which are in order; those that
    /// stand where their numbers say; all others; and those that wait for memory because they free
    /// none, apart those whose values count and those whose do not. Some have been given up since.
    leaves: VecDeque<(Rank, Id)>,
    in_line: Order,
    ready: BinaryHeap<Reverse<(Rank, Id)>>,
    parked_heavy: BTreeSet<(Rank, Id)>,
    parked_light: BTreeSet<(Rank, Id)>,
    numbers: u32,
    attempts: u32,
    /// How often tasks have added tasks, and which of these times it is now; 0 for none.
    growths: u32,
    growth: u32,
    /// Tasks of which a future has charge, and all whose value may still come.
    pending: usize,
    /// Of these futures, those that wait for other tasks.
    waiting: usize,
    under_way: usize,
    /// Bytes that values hold, and how many they may before nothing new is started.
    held: u64,
    pub(super) limit: Option<u64>,
    /// The same bytes, reserved of the memory of the run: its states have what is left.
    pub(super) reserved: Option<Reservation>,
    /// If somebody watches, since when tasks can run, by number.
    pub(super) since: Option<HashMap<u32, Instant>>,
    pub(super) waste: Waste,
    /// Roots that take turns, if there are such.
    turns: Option<Turns>,
    /// Found on a walk: tasks that need one that has failed, and uses of those that nobody needs.
    doomed: Vec<(Id, Error)>,
    spurned: Vec<u32>,
    /// How often a task was asked whether it frees memory.
    #[cfg(test)]
    looked: std::cell::Cell<u64>,
}

/// A task that a worker is to go on with.
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) number: u32,
    pub(super) node: Arc<Node>,
    pub(super) inputs: Inputs,
    /// How far it was.
    pub(super) before: State,
    /// Since when it could run, if somebody watches.
    pub(super) since: Option<Instant>,
}

/// What a handle sees of its task.
pub(super) enum Seen {
    UnderWay,
    Done(Shared),
    Failed(Error),
}

impl Plan {
    /// How many tasks a future has charge of that goes on by itself.
    pub(super) fn pending(&self) -> usize {
        self.pending - self.waiting
    }

    /// Whether the value of some task may still come.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way > 0
    }

    /// The task that goes next, for the worker at a seat, with the values of its inputs in
    /// `spare`, which is empty.
    pub(super) fn next(&mut self, seat: u32, is_still: bool, spare: &mut Inputs) -> Option<Job> {
        let id = self.choose(is_still)?;
        self.look_ahead(id.at);
        Some(self.begin(id, seat, spare))
    }

    /// A task that can run, for the worker at a seat.
    pub(super) fn begin(&mut self, id: Id, seat: u32, spare: &mut Inputs) -> Job {
        self.attempts = self.attempts.wrapping_add(1);
        let attempt = self.attempts;
        let slot = self.slot(id);
        let before = std::mem::replace(&mut slot.state, State::Running { attempt, seat });
        let node = slot.node.clone().unwrap_or_else(|| unreachable!("it is ready, so it is here"));
        let number = slot.number();
        let needed = std::mem::take(&mut slot.inputs);
        let mut inputs = std::mem::take(spare);
        inputs.values.extend(needed.into_iter().map(|input| Some(self.take(input))));
        let since = self.since.as_mut().and_then(|since| since.remove(&number));
        Job { ticket: Ticket { id, attempt }, number, node, inputs, before, since }
    }

    /// Before which others the task at a place goes.
    fn entry(&self, at: u32) -> (Rank, Id) {
        let slot = &self.slots[at as usize];
        (slot.rank, Id { at, turn: slot.turn })
    }

    /// Before which others a task goes that was added in this growth.
    fn rank(growth: u32, number: u32) -> Rank {
        u64::from(u32::MAX.wrapping_sub(growth)) << 32 | u64::from(number)
    }

    /// The task at a place that is not free.
    fn at(&mut self, place: u32) -> &mut Slot {
        &mut self.slots[place as usize]
    }

    /// A task that is there.
    fn slot(&mut self, id: Id) -> &mut Slot {
        let slot = self.slots.get_mut(id.at as usize).filter(|slot| slot.turn == id.turn);
        slot.unwrap_or_else(|| unreachable!("what is used is there"))
    }

    /// A task, if it is still there.
    fn get(&self, id: Id) -> Option<&Slot> {
        self.slots.get(id.at as usize).filter(|slot| slot.turn == id.turn)
    }
}

fn address(node: &Arc<Node>) -> usize {
    Arc::as_ptr(node).addr()
}

/// Hashes an address. They are ours, so that nobody can choose them to collide.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("addresses are hashed whole")
    }

    fn write_usize(&mut self, address: usize) {
        // Fibonacci hashing; the high bits are the good ones, and tables look at both ends.
        self.0 = (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}
