//! The tasks of an engine: which wait for what, which goes next, and which values are alive.
//!
//! Tasks are numbered in the order in which a walk from the roots, depth first, leaves them, and
//! of those that can run the one with the least number goes next. So one thread finishes a
//! branch before it starts its neighbour; of a tree over n leaves it holds at most log2 n + 2
//! values, and t threads t times as many. Tasks that a running task adds go before all others.
//!
//! Nothing here runs code of users, or drops what is theirs: that goes to the [`Waste`].

mod ahead;
mod grow;
mod order;
mod settle;
mod slot;
mod tell;
mod turns;
mod waste;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Instant;

use super::node::{Inputs, Key, Node, Shared};
use crate::Error;
use order::Order;
pub(super) use slot::{Arrived, Id, State, Ticket, Tried};
use slot::{Rank, Slot};
pub(super) use waste::Waste;

#[derive(Default)]
pub(super) struct Plan {
    /// What sets it apart from other plans.
    pub(super) number: u32,
    slots: Vec<Slot>,
    /// The first place that is to be used again. They are a chain through the slots: a list of them
    /// grows while values are dropped, and each time the allocator tidies up all of these.
    free: Option<u32>,
    /// Where nodes stand that have a content key, and those that stand in another plan too, by
    /// address; all others know their place. A node is alive for as long as it has one.
    by_address: HashMap<usize, u32, BuildHasherDefault<AddressHasher>>,
    by_key: HashMap<Key, u32>,
    /// Tasks that can run: leaves that were there from the first, which are in order; those that
    /// stand where their numbers say; all others; and those of them that wait for memory. Some have
    /// been given up since.
    leaves: VecDeque<(Rank, Id)>,
    in_line: Order,
    ready: BinaryHeap<Reverse<(Rank, Id)>>,
    parked: BinaryHeap<Reverse<(Rank, Id)>>,
    numbers: u32,
    attempts: u32,
    /// How often tasks have added tasks, and which of these times it is now; 0 for none.
    growths: u32,
    growth: u32,
    /// Tasks of which a future has charge, and all whose value may still come.
    pending: usize,
    under_way: usize,
    /// Bytes that values hold, and how many they may before nothing new is started.
    held: u64,
    pub(super) limit: Option<u64>,
    /// If somebody watches, since when tasks can run, by number.
    pub(super) since: Option<HashMap<u32, Instant>>,
    pub(super) waste: Waste,
    /// Roots that take turns, the next first; how many of them may go ahead, and the last rank that
    /// these can need.
    turns: VecDeque<Id>,
    ahead: usize,
    gate: Option<Rank>,
    /// Found on a walk: tasks that need one that has failed, and uses of those that nobody needs.
    doomed: Vec<(Id, Error)>,
    spurned: Vec<u32>,
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
    /// Whether a task can run.
    pub(super) fn is_ready(&self) -> bool {
        let new = !self.leaves.is_empty() || !self.parked.is_empty();
        let any = !self.ready.is_empty() || !self.in_line.is_empty() || (new && !self.is_full());
        any && (self.gate.is_none() || self.is_one_admitted())
    }

    /// Whether one of those that can run may begin.
    fn is_one_admitted(&self) -> bool {
        let heaps = [self.ready.peek(), self.parked.peek()];
        let heaps = heaps.into_iter().flatten().map(|entry| entry.0.0);
        let leaf = self.leaves.front().map(|leaf| leaf.0);
        let in_line = self.in_line.first().map(|at| self.entry(at).0);
        heaps.chain(leaf).chain(in_line).any(|rank| self.admits(rank))
    }

    /// Whether values hold as much memory as they may.
    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.held >= limit)
    }

    /// How many tasks a future has charge of.
    pub(super) fn pending(&self) -> usize {
        self.pending
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
        Some(Job { ticket: Ticket { id, attempt }, number, node, inputs, before, since })
    }

    /// The task that goes next. Where memory is full and nothing else goes on, also one whose value
    /// counts as nothing: one that frees some may need it.
    fn choose(&mut self, is_still: bool) -> Option<Id> {
        match self.is_full() {
            false => self.first(),
            true if is_still => self.first_that_frees().or_else(|| self.first_that_is_light()),
            true => self.first_that_frees(),
        }
    }

    /// Of all that can run, the first, if it may begin.
    fn first(&mut self) -> Option<Id> {
        loop {
            let leaf = self.leaves.front().copied();
            let in_line = self.in_line.first().map(|at| self.entry(at));
            let ready = self.ready.peek().map(|entry| entry.0);
            let parked = self.parked.peek().map(|entry| entry.0);
            let next = [leaf, in_line, ready, parked].into_iter().flatten().min()?;
            if !self.admits(next.0) {
                return None;
            }
            if Some(next) == leaf {
                self.leaves.pop_front();
            } else if Some(next) == in_line {
                self.in_line.remove(next.1.at);
            } else if Some(next) == ready {
                self.ready.pop();
            } else {
                self.parked.pop();
            }
            if self.get(next.1).is_some_and(Slot::is_ready) {
                return Some(next.1);
            }
        }
    }

    /// The first of those that can run and are the last to use a value that has a weight, or were
    /// begun before.
    fn first_that_frees(&mut self) -> Option<Id> {
        while let Some(Reverse(entry)) = self.ready.pop() {
            if self.get(entry.1).is_some_and(Slot::is_ready) {
                if self.frees(entry.1) {
                    return Some(entry.1);
                }
                self.parked.push(Reverse(entry));
            }
        }
        // What was parked earlier may have become the last user since.
        let mut parked = std::mem::take(&mut self.parked).into_sorted_vec();
        let found = parked.iter().rposition(|entry| self.frees(entry.0.1));
        let found = found.map(|at| parked.remove(at).0.1);
        self.parked = parked.into();
        found
    }

    /// The first of those that can run and of whose values nobody has said what they weigh.
    fn first_that_is_light(&mut self) -> Option<Id> {
        let light = |id: Id| {
            let slot = self.get(id).filter(|slot| slot.is_ready() && self.admits(slot.rank))?;
            let node = slot.node.as_ref()?;
            node.policy.as_ref().is_none_or(|policy| policy.weigh.is_none()).then_some(())
        };
        if let Some(at) = self.leaves.iter().position(|entry| light(entry.1).is_some()) {
            return self.leaves.remove(at).map(|entry| entry.1);
        }
        let parked = self.parked.iter().map(|entry| entry.0);
        let found = parked.filter(|entry| light(entry.1).is_some()).min()?;
        self.parked.retain(|entry| entry.0 != found);
        Some(found.1)
    }

    /// Whether a task can run, whatever it takes to find that out.
    pub(super) fn can_go_on(&mut self, is_still: bool) -> bool {
        let found = self.choose(is_still);
        found.inspect(|id| self.put_back(*id)).is_some()
    }

    /// Puts a task that was chosen where it is found first.
    fn put_back(&mut self, id: Id) {
        let rank = self.slot(id).rank;
        self.ready.push(Reverse((rank, id)));
    }

    fn frees(&self, id: Id) -> bool {
        let Some(slot) = self.get(id).filter(|slot| slot.is_ready() && self.admits(slot.rank))
        else {
            return false;
        };
        let last = |input: &u32| matches!(&self.slots[*input as usize], input if input.uses == 1 && input.weight > 0);
        !matches!(slot.state, State::New) || slot.inputs.iter().any(last)
    }

    fn push(&mut self, id: Id) {
        let slot = self.slot(id);
        let (entry, number) = ((slot.rank, id), slot.number());
        let leaf = slot.inputs.is_empty() && matches!(slot.state, State::New);
        if leaf && self.leaves.back().is_none_or(|last| *last < entry) {
            self.leaves.push_back(entry);
        } else if number == id.at + 1 && entry.0 == Self::rank(0, number) && self.limit.is_none() {
            self.in_line.insert(id.at);
        } else {
            self.ready.push(Reverse(entry));
        }
        if let Some(since) = &mut self.since {
            since.entry(number).or_insert_with(Instant::now);
        }
    }

    /// Before which others the task at a place goes.
    fn entry(&self, at: u32) -> (Rank, Id) {
        let slot = &self.slots[at as usize];
        (slot.rank, Id { at, turn: slot.turn })
    }

    /// Before which others a task goes that was added in this growth.
    fn rank(growth: u32, number: u32) -> Rank {
        u64::from(u32::MAX - growth) << 32 | u64::from(number)
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
