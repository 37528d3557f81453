//! Which task goes next: the first, or, where values hold as much memory as they may, the first
//! that frees some.
//!
//! A task that frees nothing is parked while memory is full. It is looked at again only when it may
//! have become the last user of a value with a weight: a pick costs the logarithm of the tasks that
//! can run, however many are parked.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use super::Plan;
use super::slot::{Id, Rank, Slot, State};

/// So many uses of a value may be those of one task, which frees it then: a task seldom names one
/// argument more often.
const USES_OF_ONE: u32 = 8;

impl Plan {
    /// Whether a task can run, as far as that is seen at once. Where memory is full and nothing else
    /// goes on, this counts those whose values count as nothing.
    pub(crate) fn is_ready(&self, is_still: impl FnOnce() -> bool) -> bool {
        if !self.ready.is_empty() || !self.in_line.is_empty() {
            return true;
        }
        // With a limit no leaf stands among these whose value has a weight.
        let light = !self.leaves.is_empty() || !self.parked_light.is_empty();
        match self.is_full() {
            false => light || !self.parked_heavy.is_empty(),
            true => light && is_still(),
        }
    }

    /// Whether values hold as much memory as they may.
    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.held >= limit)
    }

    /// The task that goes next. Where memory is full and nothing else goes on, also one whose value
    /// counts as nothing: one that frees some may need it.
    pub(super) fn choose(&mut self, is_still: bool) -> Option<Id> {
        match self.is_full() {
            false => self.first(),
            true if is_still => self.first_that_frees().or_else(|| self.first_that_is_light()),
            true => self.first_that_frees(),
        }
    }

    /// Of all that can run, the first.
    pub(super) fn first(&mut self) -> Option<Id> {
        loop {
            let leaf = self.leaves.front().copied();
            let in_line = self.in_line.first().map(|at| self.entry(at));
            let ready = self.ready.peek().map(|entry| entry.0);
            let heavy = self.parked_heavy.first().copied();
            let light = self.parked_light.first().copied();
            let next = [leaf, in_line, ready, heavy, light].into_iter().flatten().min()?;
            if Some(next) == leaf {
                self.leaves.pop_front();
            } else if Some(next) == in_line {
                self.in_line.remove(next.1.at);
            } else if Some(next) == ready {
                self.ready.pop();
            } else if Some(next) == heavy {
                self.parked_heavy.pop_first();
            } else {
                self.parked_light.pop_first();
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
                self.parked(entry.1).insert(entry);
            }
        }
        None
    }

    /// The first of those that can run and of whose values nobody has said what they weigh.
    fn first_that_is_light(&mut self) -> Option<Id> {
        loop {
            // With a limit no leaf stands among these whose value has a weight.
            let leaf = self.leaves.front().copied();
            let parked = self.parked_light.first().copied();
            let next = [leaf, parked].into_iter().flatten().min()?;
            if Some(next) == leaf {
                self.leaves.pop_front();
            } else {
                self.parked_light.pop_first();
            }
            if self.get(next.1).is_some_and(Slot::is_ready) {
                return Some(next.1);
            }
        }
    }

    /// Returns a ready task that this one needs, or this one itself. Looks at `most` tasks at most.
    /// A running task needs what its thread is blocked for, which `blocked` tells by the seat.
    pub(crate) fn needed<'b>(
        &'b self,
        id: Id,
        most: usize,
        is_still: bool,
        blocked: impl Fn(u32) -> &'b [Id],
    ) -> Option<Id> {
        // The common case: the task itself is ready.
        let slot = self.get(id)?;
        if slot.is_ready() {
            return Some(id).filter(|id| self.may_begin(*id, is_still));
        }
        let mut seen = HashSet::new();
        let mut path = vec![id.at];
        while let Some(at) = path.pop() {
            if seen.len() == most || !seen.insert(at) {
                continue;
            }
            let (slot, id) = (&self.slots[at as usize], self.entry(at).1);
            if slot.is_ready() {
                if self.may_begin(id, is_still) {
                    return Some(id);
                }
            } else {
                let from = path.len();
                let all = self.waits_for(at, &blocked).take(most);
                path.extend(all.filter(|at| self.slots[*at as usize].is_under_way()));
                path[from..].reverse();
            }
        }
        None
    }

    /// Whether there is memory for a task that can run.
    fn may_begin(&self, id: Id, is_still: bool) -> bool {
        let is_heavy = || self.get(id).is_some_and(|slot| slot.has_weight());
        !self.is_full() || self.frees(id) || (is_still && !is_heavy())
    }

    /// Whether a task can run, whatever it takes to find that out.
    pub(crate) fn can_go_on(&mut self, is_still: bool) -> bool {
        let found = self.choose(is_still);
        found.inspect(|id| self.put_back(*id)).is_some()
    }

    /// Puts a task that was chosen where it is found first.
    pub(super) fn put_back(&mut self, id: Id) {
        let rank = self.slot(id).rank;
        self.ready.push(Reverse((rank, id)));
    }

    /// Where a task waits for memory.
    fn parked(&mut self, id: Id) -> &mut BTreeSet<(Rank, Id)> {
        if self.slot(id).has_weight() { &mut self.parked_heavy } else { &mut self.parked_light }
    }

    /// Whether a task that can run frees memory: it was begun before, or nobody else uses one of its
    /// inputs that has a weight.
    fn frees(&self, id: Id) -> bool {
        #[cfg(test)]
        self.looked.set(self.looked.get() + 1);
        let Some(slot) = self.get(id).filter(|slot| slot.is_ready()) else {
            return false;
        };
        let is_last = |at: &u32| {
            let input = &self.slots[*at as usize];
            self.is_last(id, input, &input.users)
        };
        !matches!(slot.state, State::New) || slot.inputs.iter().any(is_last)
    }

    /// Whether all uses that are left of a value with a weight are those of one task. Counted among
    /// the value's users, of whom the last few look here, and not among the task's inputs: each of
    /// so many would count all of them.
    fn is_last(&self, user: Id, input: &Slot, users: &[Id]) -> bool {
        if input.weight == 0 || input.uses > USES_OF_ONE {
            return false;
        }
        #[cfg(test)]
        self.looked.set(self.looked.get() + users.len() as u64);
        users.iter().filter(|one| **one == user).count() as u32 == input.uses
    }

    /// A value has a user fewer: the one that is left may wait for memory, and free it now.
    pub(super) fn unpark(&mut self, at: u32) {
        let slot = self.at(at);
        if slot.weight == 0 || slot.uses > USES_OF_ONE {
            return;
        }
        let users = std::mem::take(&mut slot.users);
        for &user in &users {
            let Some(rank) = self.get(user).filter(|slot| slot.is_ready()).map(|slot| slot.rank)
            else {
                continue;
            };
            // Others need not be found, however many inputs they have.
            let entry = (rank, user);
            let is_parked = self.parked(user).contains(&entry);
            if is_parked && self.is_last(user, &self.slots[at as usize], &users) {
                self.parked(user).remove(&entry);
                self.ready.push(Reverse(entry));
            }
        }
        self.at(at).users = users;
    }

    /// A task can run.
    pub(super) fn push(&mut self, id: Id) {
        let slot = self.slot(id);
        let (entry, number) = ((slot.rank, id), slot.number());
        let is_leaf = slot.inputs.is_empty() && matches!(slot.state, State::New);
        let is_heavy = slot.has_weight();
        if is_leaf && is_heavy && self.limit.is_some() {
            // It frees nothing.
            self.parked_heavy.insert(entry);
        } else if is_leaf && self.leaves.back().is_none_or(|last| *last < entry) {
            self.leaves.push_back(entry);
        } else if number == id.at + 1 && entry.0 == Self::rank(0, number) && self.limit.is_none() {
            self.in_line.insert(id.at);
        } else {
            self.ready.push(Reverse(entry));
        }
        if let Some(since) = &mut self.since {
            since.entry(number).or_insert_with(std::time::Instant::now);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::Context;
    use crate::graph::delayed::{all, call, delayed};
    use crate::graph::node::{Inputs, Outcome};
    use crate::graph::plan::Plan;

    /// Runs sums of values that have a weight where there is room for one of them; says how many
    /// tasks ran, and how often one was asked whether it frees memory.
    fn looked_at(sums: u32, shared: bool) -> (u32, u64) {
        let base = delayed(1_u32).map(|n| *n);
        let base = if shared { base.weighed(|_| 1) } else { base };
        let block = |n: u32| delayed(n).map(|n| *n).weighed(|_| 1);
        let sum = |n| call(|a: &u32, b: &u32| a + b, (block(n), &base));
        let sum = all((0..sums).map(sum)).map(|sums| sums.iter().map(|n| **n).sum::<u32>());
        let mut plan = Plan { limit: Some(if shared { 2 } else { 1 }), ..Plan::default() };
        plan.number = 1;
        let (id, ran) = (plan.add(sum.node()), run(&mut plan));
        let sum = plan.collect(id).expect("it is done");
        assert_eq!(*crate::graph::node::typed::<u32>(sum), sums * (sums - 1) / 2 + sums);
        (ran, plan.looked.get())
    }

    /// Runs all that can run, and counts it.
    fn run(plan: &mut Plan) -> u32 {
        let mut ran = 0;
        while let Some(job) = plan.next(0, true, &mut Inputs::default()) {
            let mut inputs = job.inputs;
            let Ok(Outcome::Value(value)) = job.node.run(&Context::default(), &mut inputs) else {
                unreachable!("functions of values")
            };
            assert!(plan.returned(job.ticket));
            let weight = job.node.weight(&value);
            plan.done(job.ticket.id, value, weight);
            plan.waste.clear();
            ran += 1;
        }
        ran
    }

    #[test]
    fn tasks_of_many_inputs_that_they_share_look_at_each_a_few_times() {
        for blocks in [100, 1000] {
            let block = |n: u32| delayed(n).map(|n| *n).weighed(|_| 1);
            let blocks: Vec<_> = (0..blocks).map(block).collect();
            let one = |_| all(blocks.iter().cloned()).map(|all| all.len() as u32);
            let sum = all((0..4).map(one)).map(|all| all.iter().map(|n| **n).sum::<u32>());
            let mut plan = Plan { limit: Some(blocks.len() as u64), ..Plan::default() };
            plan.number = 1;
            let (_, ran) = (plan.add(sum.node()), run(&mut plan));
            // Plain values and blocks; and five lists, of each of which a task makes a number.
            assert_eq!(ran, 2 * blocks.len() as u32 + 2 * 5);
            // Each of the four tasks has so many inputs.
            let uses = 4 * blocks.len() as u64;
            let looked = plan.looked.get();
            assert!(looked <= 16 * uses, "{looked} looks at {uses} uses");
        }
    }

    #[test]
    fn a_pick_under_full_memory_does_not_look_at_all_that_are_parked() {
        for shared in [false, true] {
            for sums in [100, 1000] {
                let (ran, looked) = looked_at(sums, shared);
                assert_eq!(ran, 3 * sums + 4);
                assert!(looked <= 4 * u64::from(ran), "{looked} looks at {ran} tasks");
            }
        }
    }
}
