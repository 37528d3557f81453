//! The tasks of one run: which wait for what, which goes next, and which values are alive.
//!
//! Tasks are numbered in the order in which a walk from the roots, depth first, leaves them, and
//! of those that can run the one with the least number goes next. So one thread finishes a
//! branch before it starts its neighbour; of a tree over n leaves it holds at most log2 n + 2
//! values, and t threads t times as many. Tasks that a running task adds go before all others.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::node::{Inputs, Key, Node, Pending, Shared};

/// A task's number in its run.
pub(super) type Id = u32;

/// Before which others a task goes: those of the latest growth first, then by number.
type Rank = (Reverse<u32>, Id);

#[derive(Default)]
pub(super) struct Plan {
    slots: Vec<Slot>,
    /// Where nodes stand, by address, and those with a content key by that. A node is here, and
    /// alive, for as long as its value may be asked for.
    by_address: HashMap<usize, Id, BuildHasherDefault<AddressHasher>>,
    by_key: HashMap<Key, Id>,
    /// Tasks that can run: the leaves of the first growth, which are in order, and all others.
    leaves: VecDeque<Id>,
    ready: BinaryHeap<Reverse<Rank>>,
    growths: u32,
}

/// A task of the run.
struct Slot {
    /// `None` once nobody can ask for the value any more.
    node: Option<Arc<Node>>,
    growth: u32,
    inputs: Vec<Id>,
    users: Vec<Id>,
    /// Inputs that are still to come.
    missing: u32,
    /// Users that have not taken the value, with the caller as one.
    uses: u32,
    value: Option<Shared>,
    state: State,
}

/// How far a task has come.
pub(super) enum State {
    /// Not started.
    New,
    /// It waits for the task that will make its value.
    Forwards,
    /// Work has given a future.
    Pending(Waiting),
    /// A worker has it; whether its future was woken meanwhile.
    Running {
        woken: bool,
    },
    Done,
}

/// A future that is not ready, and what its task needs for another try.
pub(super) struct Waiting {
    pub(super) future: Pending,
    pub(super) inputs: Inputs,
    /// How many tries have failed.
    pub(super) failed: u32,
    /// Whether it was woken, and so is among the ready.
    pub(super) woken: bool,
}

/// A task that a worker is to go on with.
pub(super) struct Job {
    pub(super) id: Id,
    pub(super) node: Arc<Node>,
    pub(super) state: State,
    pub(super) inputs: Inputs,
    /// Nodes whose values were taken for the last time, to be dropped outside of the lock.
    pub(super) released: Vec<Arc<Node>>,
}

impl Plan {
    /// Adds a task and all that it needs, as far as they are not there; the caller is one of its
    /// users.
    pub(super) fn add(&mut self, root: &Arc<Node>) -> Id {
        let root = self.walk(root);
        self.slots[root as usize].uses += 1;
        root
    }

    /// Another growth: what is added from now on goes before what is there.
    pub(super) fn grow(&mut self) {
        self.growths += 1;
    }

    /// A task has made another that will make its value.
    pub(super) fn forward(&mut self, id: Id, to: &Arc<Node>) {
        self.grow();
        let to = self.walk(to);
        self.slots[id as usize].inputs = vec![to];
        self.slots[id as usize].state = State::Forwards;
        self.await_inputs(id);
    }

    /// Numbers a node and those below it that have no number, without recursion.
    fn walk(&mut self, root: &Arc<Node>) -> Id {
        if let Some(id) = self.find(root) {
            return id;
        }
        let mut path = vec![(Arc::clone(root), Vec::with_capacity(root.inputs.len()))];
        loop {
            let (node, inputs) =
                path.last_mut().unwrap_or_else(|| unreachable!("the root returns"));
            if let Some(next) = node.inputs.get(inputs.len()) {
                match self.find(next) {
                    Some(id) => inputs.push(id),
                    None => {
                        let next = (Arc::clone(next), Vec::with_capacity(next.inputs.len()));
                        path.push(next);
                    }
                }
                continue;
            }
            let Some((node, inputs)) = path.pop() else { unreachable!("it is the last") };
            let id = self.insert(node, inputs);
            match path.last_mut() {
                Some((_, inputs)) => inputs.push(id),
                None => return id,
            }
        }
    }

    fn find(&self, node: &Arc<Node>) -> Option<Id> {
        match &node.key {
            Some(key) => self.by_key.get(key).copied(),
            None => self.by_address.get(&address(node)).copied(),
        }
    }

    fn insert(&mut self, node: Arc<Node>, inputs: Vec<Id>) -> Id {
        let id = self.slots.len() as Id;
        match &node.key {
            Some(key) => self.by_key.insert(*key, id),
            None => self.by_address.insert(address(&node), id),
        };
        self.slots.push(Slot {
            node: Some(node),
            growth: self.growths,
            inputs,
            users: Vec::new(),
            missing: 0,
            uses: 0,
            value: None,
            state: State::New,
        });
        self.await_inputs(id);
        id
    }

    /// Makes a task a user of its inputs, and ready if none is to come.
    fn await_inputs(&mut self, id: Id) {
        let inputs = std::mem::take(&mut self.slots[id as usize].inputs);
        let mut missing = 0;
        for &input in &inputs {
            let input = &mut self.slots[input as usize];
            input.uses += 1;
            if input.value.is_none() {
                input.users.push(id);
                missing += 1;
            }
        }
        let slot = &mut self.slots[id as usize];
        (slot.inputs, slot.missing) = (inputs, missing);
        if missing == 0 {
            if self.growths == 0 { self.leaves.push_back(id) } else { self.push(id) }
        }
    }

    fn push(&mut self, id: Id) {
        let rank = (Reverse(self.slots[id as usize].growth), id);
        self.ready.push(Reverse(rank));
    }

    /// Whether a task can run.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty() || !self.leaves.is_empty()
    }

    /// The task that goes next, with the values of its inputs in `spare`, which is empty.
    pub(super) fn next(&mut self, spare: &mut Inputs) -> Option<Job> {
        let id = match (self.ready.peek(), self.leaves.front()) {
            (Some(&Reverse((growth, id))), leaf)
                if leaf.is_none_or(|&n| (growth, id) < (Reverse(0), n)) =>
            {
                self.ready.pop();
                id
            }
            (_, leaf) => {
                let id = *leaf?;
                self.leaves.pop_front();
                id
            }
        };
        let slot = &mut self.slots[id as usize];
        let node = Arc::clone(slot.node.as_ref().unwrap_or_else(|| unreachable!("not done")));
        let state = std::mem::replace(&mut slot.state, State::Running { woken: false });
        let needed = std::mem::take(&mut slot.inputs);
        let mut inputs = std::mem::take(spare);
        let mut released = Vec::new();
        for input in needed {
            inputs.values.push(Some(self.value(input, &mut released)));
        }
        Some(Job { id, node, state, inputs, released })
    }

    /// A task's value, for one of its users.
    fn value(&mut self, id: Id, released: &mut Vec<Arc<Node>>) -> Shared {
        let slot = &mut self.slots[id as usize];
        slot.uses -= 1;
        let absent = "what is ready has its inputs";
        if slot.uses > 0 {
            return slot.value.clone().unwrap_or_else(|| unreachable!("{absent}"));
        }
        // Only what is alive has an address of its own: forget the one before the other.
        if let Some(node) = slot.node.take() {
            match &node.key {
                Some(key) => self.by_key.remove(key),
                None => self.by_address.remove(&address(&node)),
            };
            released.push(node);
        }
        slot.value.take().unwrap_or_else(|| unreachable!("{absent}"))
    }

    /// A task is done; its users may be ready.
    pub(super) fn done(&mut self, id: Id, value: Shared) {
        let slot = &mut self.slots[id as usize];
        slot.value = Some(value);
        slot.state = State::Done;
        for user in std::mem::take(&mut slot.users) {
            let missing = &mut self.slots[user as usize].missing;
            *missing -= 1;
            if *missing == 0 {
                self.push(user);
            }
        }
    }

    /// A task's future is not ready. Says whether the task waits now; else it was woken already.
    pub(super) fn pend(&mut self, id: Id, mut waiting: Waiting) -> bool {
        let slot = &mut self.slots[id as usize];
        let woken = matches!(slot.state, State::Running { woken: true });
        waiting.woken = woken;
        slot.state = State::Pending(waiting);
        if woken {
            self.push(id);
        }
        !woken
    }

    /// A task's future can go on. Says whether the task has waited for that.
    pub(super) fn wake(&mut self, id: Id) -> bool {
        match self.slots.get_mut(id as usize).map(|slot| &mut slot.state) {
            Some(State::Running { woken }) => *woken = true,
            Some(State::Pending(waiting)) if !waiting.woken => {
                waiting.woken = true;
                self.push(id);
                return true;
            }
            _ => {}
        }
        false
    }

    /// The value of a root; `None` if it was never made, since it waits for itself.
    pub(super) fn root(&mut self, id: Id) -> Option<Shared> {
        let slot = &mut self.slots[id as usize];
        slot.uses -= 1;
        if slot.uses > 0 { slot.value.clone() } else { slot.value.take() }
    }

    /// A task's name, and those of the tasks that lead to it from a root, long ways cut.
    pub(super) fn path(&self, mut id: Id) -> (String, String) {
        /// Names kept at either end.
        const KEPT: usize = 4;
        let name = |id: Id| {
            let node = self.slots[id as usize].node.as_ref();
            node.map_or_else(String::new, |node| node.name.to_string())
        };
        let mut names = VecDeque::from([id]);
        let mut cut = false;
        // A cycle, which equal keys can make, has an end here too.
        for _ in 0..self.slots.len() {
            let Some(&user) = self.slots[id as usize].users.first() else { break };
            id = user;
            names.push_front(id);
            if names.len() > 2 * KEPT {
                names.remove(KEPT);
                cut = true;
            }
        }
        let task = names.back().map_or_else(String::new, |&id| name(id));
        let mut path: Vec<String> = names.into_iter().map(name).collect();
        if cut {
            path.insert(KEPT, "…".to_owned());
        }
        (task, path.join(" > "))
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
