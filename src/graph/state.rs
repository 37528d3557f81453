//! How far an engine has come: its plan, its workers, and those who wait.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::Waker;

use super::Context;
use super::node::{Node, Shared, typed};
use super::plan::{Id, Plan, Seen};
use super::stop::Stop;
use super::sync::JoinHandle;
use super::worker::Worker;
use crate::{Error, Result};

/// What the lock of an engine guards.
#[derive(Default)]
pub(super) struct EngineState {
    pub(super) plan: Plan,
    seats: Vec<Seat>,
    /// Which workers are wanted: those that came in an earlier shift go home.
    pub(super) shift: u32,
    pub(super) workers: usize,
    pub(super) idle: usize,
    pub(super) running: usize,
    helpers: Vec<JoinHandle<()>>,
    /// Nothing will be added from outside.
    pub(super) closed: bool,
    /// If a run is served, what it is for; and its first failure.
    run: Option<Vec<Id>>,
    failure: Option<Error>,
    /// Who waits for the end of a task.
    wakers: HashMap<Id, Vec<Waker>>,
    /// Those of them that are to look whether there is something else that they can do.
    roused: Vec<Waker>,
}

/// A worker's place.
struct Seat {
    /// How the task that it is on is told to end.
    stop: Stop,
    shift: u32,
    taken: bool,
    /// The worker is still at a task that is for nothing.
    late: bool,
}

/// What a worker knows of its place.
pub(super) struct Seated {
    pub(super) seat: u32,
    pub(super) shift: u32,
    /// How the task there is told to end.
    pub(super) stop: Stop,
}

impl EngineState {
    pub(super) fn new(context: &Context, number: u32) -> Self {
        let mut state = Self::default();
        state.plan.number = number;
        state.plan.limit = context.memory;
        state.plan.since = (!context.observers.is_empty()).then(HashMap::new);
        state
    }

    /// Enters the roots of a run, whose caller's thread will be its first worker.
    pub(super) fn begin_run(&mut self, roots: &[Arc<Node>]) -> Vec<Id> {
        let ids: Vec<Id> = roots.iter().map(|root| self.plan.add(root)).collect();
        (self.run, self.closed, self.workers) = (Some(ids.clone()), true, 1);
        ids
    }

    /// Enters roots that take turns, of which `ahead` may go on at once; each says whether the next
    /// is wanted.
    pub(super) fn begin_in_turn(&mut self, roots: &[Arc<Node>], ahead: usize) {
        self.begin_run(&[]);
        self.plan.add_in_turn(roots, ahead);
        self.advance();
    }

    /// What became of a run in turn.
    pub(super) fn end_in_turn(&mut self) -> Result<()> {
        self.run = None;
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Goes on with the root whose turn it is now, if there are such.
    pub(super) fn advance(&mut self) {
        while let Some(root) = self.plan.turn() {
            match self.plan.see(root) {
                Seen::UnderWay => return,
                Seen::Failed(error) => self.end(error),
                Seen::Done(flow) => match *typed(flow) {
                    ControlFlow::Continue(()) => self.plan.next_turn(),
                    ControlFlow::Break(()) => drop(self.close_run()),
                },
            }
        }
    }

    /// Nothing more is needed for the run; says whether it was still going on.
    fn close_run(&mut self) -> bool {
        let roots = self.run.take();
        let was_open = roots.is_some();
        roots.into_iter().flatten().for_each(|root| self.plan.release(root));
        self.plan.end_turns();
        was_open
    }

    /// The values of a run, or why there are none.
    pub(super) fn end_run(&mut self, roots: &[Id]) -> Result<Vec<Shared>> {
        // Who cancels it from now on comes too late: the roots are collected.
        self.run = None;
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        // A task can have failed before the run began.
        let value = |root: &Id| match self.plan.see(*root) {
            Seen::Failed(error) => Err(error),
            _ => self.plan.collect(*root).ok_or(Error::Cancelled),
        };
        roots.iter().map(value).collect()
    }

    /// Ends a run for this reason; a client's tasks end for their own.
    pub(super) fn end(&mut self, error: Error) {
        // What the tasks say that were told to stop is not the cause.
        if self.close_run() || matches!(self.failure, Some(Error::Cancelled)) {
            self.failure = Some(error);
        } else {
            self.plan.waste.late.push(Box::new(error));
        }
    }

    /// A task has failed.
    pub(super) fn failed(&mut self, id: Id, error: Error) {
        let error = error.in_task(|| self.plan.path(id));
        // Of roots that take turns, those before it have theirs first.
        let ends = self.run.is_some() && self.plan.turn().is_none();
        if ends {
            self.end(error);
        } else {
            self.plan.fail(id, error);
            self.advance();
        }
    }

    /// Who watches a task has panicked: the task fails if it can, and else the run.
    pub(super) fn watched(&mut self, node: &Arc<Node>, number: u32, error: Error) {
        match self.plan.under_way(node, number) {
            Some(id) => self.failed(id, error),
            None => self.end(error),
        }
    }

    /// Whether all is done, and nothing will be added.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.running == 0 && !self.plan.is_under_way()
    }

    /// A worker waits inside of its task.
    pub(super) fn steps_aside(&mut self, shift: u32) {
        let counts = usize::from(shift == self.shift);
        self.workers -= counts;
        self.running -= counts;
    }

    /// A worker goes on with its task.
    pub(super) fn steps_back(&mut self, shift: u32) {
        let counts = usize::from(shift == self.shift);
        self.workers += counts;
        self.running += counts;
    }

    /// Lets a worker go home that is not wanted any more: all is done, or others came for it while
    /// it waited inside of a task.
    pub(super) fn leaves(&mut self, worker: &Worker, threads: usize) -> bool {
        let current = worker.shift == self.shift;
        let leaves = self.is_over() || self.workers > threads;
        if current && leaves {
            self.workers -= 1;
        }
        !current || leaves
    }

    /// Whether tasks wait, and nothing goes on.
    fn is_stuck(&mut self) -> bool {
        self.is_still() && self.plan.is_under_way() && !self.plan.can_go_on(true)
    }

    /// Whether nothing goes on.
    pub(super) fn is_still(&self) -> bool {
        self.running + self.plan.pending() == 0
    }

    /// Where nothing goes on and yet something waits, it waits for itself or for memory: ends it.
    /// Says whether that changed anything.
    ///
    /// Who holds handles of a client may drop some when they are told how things are; so memory
    /// is only given up for `waiting`, when somebody knows that, and has nothing to do but wait.
    pub(super) fn unstick(&mut self, waiting: bool) -> bool {
        if !self.is_stuck() {
            return false;
        }
        let Some((id, held)) = self.plan.starved() else {
            let circle = self.plan.forwarded();
            if let Some(id) = circle {
                let source = "it waits for itself: a task in it has the key of one that needs it";
                self.failed(id, Error::task(source));
            }
            return circle.is_some();
        };
        match self.plan.limit {
            Some(limit) if waiting || self.run.is_some() => {
                let task = self.plan.name(self.plan.weighed_above(id));
                self.failed(id, Error::Memory { task, limit, held });
                true
            }
            _ => {
                self.roused.extend(self.wakers.drain().flat_map(|(_, wakers)| wakers));
                false
            }
        }
    }

    /// Somebody has nothing to do but wait for these; if none of them has ended, that is.
    pub(super) fn wait(&mut self, awaited: impl Iterator<Item = Id> + Clone) {
        while self.is_stuck()
            && awaited.clone().all(|id| matches!(self.plan.see(id), Seen::UnderWay))
            && self.unstick(true)
        {}
    }

    /// A seat for a worker, whose tasks will have this stop.
    pub(super) fn sit(&mut self, stop: Stop) -> Seated {
        let seat = Seat { stop: stop.clone(), shift: self.shift, taken: true, late: false };
        let free = self.seats.iter().position(|seat| !seat.taken);
        let at = free.unwrap_or(self.seats.len());
        match free {
            Some(free) => self.seats[free] = seat,
            None => self.seats.push(seat),
        }
        Seated { seat: at as u32, shift: self.shift, stop }
    }

    /// Frees a seat.
    pub(super) fn stand_up(&mut self, seat: u32) {
        self.seats[seat as usize].taken = false;
    }

    /// How the next task at a seat is told to end.
    pub(super) fn stop_at(&self, seat: u32) -> &Stop {
        &self.seats[seat as usize].stop
    }

    /// The stops of tasks that are for nothing, to be cancelled; their workers go on with others.
    pub(super) fn replace_stops(&mut self, seats: &[u32], run: &Stop) -> Vec<Stop> {
        let replace = |seat: &u32| {
            let seat = &mut self.seats[*seat as usize];
            seat.late = true;
            std::mem::replace(&mut seat.stop, run.child())
        };
        seats.iter().map(replace).collect()
    }

    /// A worker has left its task, whatever that came to.
    pub(super) fn returned(&mut self, seat: u32) {
        self.seats[seat as usize].late = false;
    }

    pub(super) fn add_helper(&mut self, helper: JoinHandle<()>) {
        self.workers += 1;
        // A run waits for its helpers; those of a client go when they are not needed.
        if self.closed {
            self.helpers.push(helper);
        }
    }

    pub(super) fn helper(&mut self) -> Option<JoinHandle<()>> {
        self.helpers.pop()
    }

    /// Has this woken at the end of a task; or says what that was.
    pub(super) fn watch(&mut self, id: Id, waker: &Waker) -> Seen {
        let seen = self.plan.see(id);
        if matches!(seen, Seen::UnderWay) {
            let wakers = self.wakers.entry(id).or_default();
            if !wakers.iter().any(|known| known.will_wake(waker)) {
                wakers.push(waker.clone());
            }
        }
        seen
    }

    /// Whether somebody is to be woken.
    pub(super) fn has_roused(&self) -> bool {
        !self.roused.is_empty()
    }

    /// Those who waited for the end of tasks.
    pub(super) fn woken(&mut self, ended: &[Id]) -> Vec<Waker> {
        let mut woken = std::mem::take(&mut self.roused);
        if !self.wakers.is_empty() {
            woken.extend(ended.iter().filter_map(|id| self.wakers.remove(id)).flatten());
        }
        woken
    }

    /// Gives a task up; says whether there was something to give up.
    pub(super) fn cancel(&mut self, id: Id) -> bool {
        let is_under_way = matches!(self.plan.see(id), Seen::UnderWay);
        self.plan.fail(id, Error::Cancelled);
        is_under_way
    }

    /// Nothing will be added any more, and nobody waits.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// The seats of the workers of this shift, and whether they are at a task that is for nothing.
    pub(super) fn present(&self) -> impl Iterator<Item = (u32, bool)> {
        let present = self.seats.iter().enumerate();
        let present = present.filter(|(_, seat)| seat.taken && seat.shift == self.shift);
        present.map(|(at, seat)| (at as u32, seat.late))
    }

    /// Forgets all tasks, and sends the workers home as they come back from theirs.
    pub(super) fn restart(&mut self) {
        self.plan.fail_all(&Error::Cancelled);
        self.plan.disown_all();
        (self.shift, self.workers) = (self.shift + 1, 0);
        // What they are on is nothing to wait for.
        self.running = 0;
    }
}
