//! Finding tasks that wait for each other in a circle.

use std::collections::HashMap;

use super::Plan;
use super::slot::{Id, State};

/// Tasks in a circle.
pub(crate) struct Circle {
    /// The one that is to fail.
    pub(crate) id: Id,
    /// Whether one of them has made the task that it waits for.
    pub(crate) is_made: bool,
}

/// Whether a walk has left a task, or has it on its way.
#[derive(PartialEq, Eq)]
enum Walked {
    On,
    Left,
}

impl Plan {
    /// Tasks that wait for each other in a circle: for inputs, for a task that one of them has made,
    /// in a future, or, as `blocked` tells by the seat, on a thread.
    pub(crate) fn circle<'b>(&'b self, blocked: impl Fn(u32) -> &'b [Id]) -> Option<Circle> {
        let mut walked = HashMap::new();
        // Inputs alone make no circle.
        let starts = (0..self.slots.len() as u32).filter(|at| {
            let state = &self.slots[*at as usize].state;
            matches!(state, State::Forwards | State::Running { .. } | State::Pending(_))
        });
        for start in starts {
            if walked.contains_key(&start) {
                continue;
            }
            let mut path = vec![(start, self.under_way_for(start, &blocked))];
            walked.insert(start, Walked::On);
            while let Some((at, needed)) = path.last_mut() {
                let Some(next) = needed.pop() else {
                    walked.insert(*at, Walked::Left);
                    path.pop();
                    continue;
                };
                match walked.get(&next) {
                    None => {
                        walked.insert(next, Walked::On);
                        path.push((next, self.under_way_for(next, &blocked)));
                    }
                    Some(Walked::On) => {
                        let circle = path.iter().map(|(at, _)| *at).skip_while(|at| *at != next);
                        return Some(self.told(circle));
                    }
                    Some(Walked::Left) => {}
                }
            }
        }
        None
    }

    /// The tasks that a task waits for, also those that have ended.
    pub(super) fn waits_for<'b>(
        &'b self,
        at: u32,
        blocked: impl Fn(u32) -> &'b [Id],
    ) -> impl Iterator<Item = u32> {
        let slot = &self.slots[at as usize];
        let awaited = match &slot.state {
            State::Running { seat, .. } => blocked(*seat),
            State::Pending(pending) => &pending.waits_for,
            _ => &[],
        };
        let awaited = awaited.iter().filter(|id| self.get(**id).is_some());
        slot.inputs.iter().copied().chain(awaited.map(|id| id.at))
    }

    fn under_way_for<'b>(&'b self, at: u32, blocked: impl Fn(u32) -> &'b [Id]) -> Vec<u32> {
        let all = self.waits_for(at, blocked);
        all.filter(|at| self.slots[*at as usize].is_under_way()).collect()
    }

    fn told(&self, circle: impl Iterator<Item = u32> + Clone) -> Circle {
        let is_made = |at: &u32| matches!(self.slots[*at as usize].state, State::Forwards);
        let made = circle.clone().find(is_made);
        let at = made.or_else(|| circle.clone().next());
        let at = at.unwrap_or_else(|| unreachable!("a circle has tasks"));
        Circle { id: self.entry(at).1, is_made: made.is_some() }
    }
}
