//! How far an engine has come: its plan, its workers, and those who wait.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::Waker;

use super::Context;
use super::node::{Node, Shared, typed};
use super::plan::{Circle, Id, Plan, Roots, Seen, Ticket};
use super::seats::{AtSeat, Seat};
use super::sync::{JoinHandle, is_finished};
use super::waiting::Blocked;
use super::worker::Worker;
use crate::{Error, Result};

/// Who waits for the end of a task, at which seat, and the key of that wait.
type Waiter = (Waker, Option<(AtSeat, u64)>);

/// What the lock of an engine guards.
#[derive(Default)]
pub(super) struct EngineState {
    pub(super) plan: Plan,
    pub(super) seats: Vec<Seat>,
    /// Which workers are wanted: those that came in an earlier shift go home.
    pub(super) shift: u32,
    pub(super) workers: usize,
    pub(super) idle: usize,
    /// Helpers that are to end, of those that are idle.
    pub(super) retiring: usize,
    pub(super) running: usize,
    /// Workers of this shift that have a thread, also those that wait inside of their tasks.
    pub(super) started: usize,
    helpers: Vec<JoinHandle<()>>,
    /// Nothing will be added from outside.
    pub(super) closed: bool,
    /// If a run is served, what it is for; and its first failure.
    run: Option<Vec<Id>>,
    failure: Option<Error>,
    /// Who waits for the ends of tasks.
    wakers: HashMap<Id, Vec<Waiter>>,
    /// The futures that wait for tasks, by these.
    futures: HashMap<Id, Vec<Ticket>>,
    /// Those that are to be woken: what they wait for has ended, or they are to look whether there is
    /// something else that they can do.
    pub(super) roused: Vec<Waker>,
    /// Those that block inside of a task.
    pub(super) blocked: Vec<Blocked>,
    /// Workers of this shift that wait and can run nothing meanwhile, and those of them that wait for
    /// what is not seen here.
    pub(super) cannot_run: usize,
    pub(super) elsewhere: usize,
    /// The tasks that others wait for inside of theirs, in executors, by a key of the wait.
    pub(super) awaited: Vec<(u64, Id)>,
}

impl EngineState {
    pub(super) fn new(context: &Context, number: u64) -> Self {
        let mut state = Self::default();
        state.plan.number = number;
        state.plan.limit = context.memory;
        let budget = context.budget.as_ref().filter(|_| context.memory.is_some());
        state.plan.reserved = budget.map(|budget| budget.reserve(0));
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
    pub(super) fn begin_in_turn(&mut self, roots: Roots, needs: &[Arc<Node>], ahead: usize) {
        self.begin_run(&[]);
        self.plan.add_in_turn(roots, needs, ahead);
        self.advance();
    }

    /// What became of a run in turn.
    pub(super) fn end_in_turn(&mut self) -> Result<()> {
        self.run = None;
        self.plan.end_turns();
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

    /// Lets a worker go home that is not wanted any more: all is done, others came for it while it
    /// waited inside of a task, another thread works for a run within in its place, or it is the guest
    /// of another run and finds nothing to do.
    pub(super) fn leaves(&mut self, worker: &Worker, threads: usize) -> bool {
        let current = worker.shift == self.shift;
        let mut leaves = self.is_over() || self.workers > threads || worker.is_guest;
        if !leaves && worker.is_helper && self.retiring > 0 {
            self.retiring -= 1;
            leaves = true;
        }
        if current && leaves {
            self.goes_home(worker.seat);
        }
        !current || leaves
    }

    /// Whether tasks wait, and nothing goes on.
    fn is_stuck(&mut self) -> bool {
        // Who has waited for these is about to go on.
        self.rouse_ended();
        self.is_still() && self.plan.is_under_way() && !self.plan.can_go_on(true)
    }

    /// Whether nothing goes on.
    pub(super) fn is_still(&self) -> bool {
        self.is_still_but(0)
    }

    /// Whether nothing goes on but so many workers.
    pub(super) fn is_still_but(&self, workers: usize) -> bool {
        self.running + self.plan.pending() <= workers
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
        let Some((id, held)) = self.plan.starved() else { return self.break_circle() };
        match self.plan.limit {
            Some(limit) if waiting || self.run.is_some() => {
                let task = self.plan.name(self.plan.weighed_above(id));
                self.failed(id, Error::Memory { task, limit, held });
                true
            }
            _ => {
                let wakers = self.wakers.drain().flat_map(|(_, wakers)| wakers);
                self.roused.extend(wakers.map(|(waker, _)| waker));
                false
            }
        }
    }

    /// Fails one of the tasks that wait for each other in a circle, if some do.
    pub(super) fn break_circle(&mut self) -> bool {
        let circle = self.plan.circle(|seat| self.seats[seat as usize].blocked_for.as_slice());
        let Some(Circle { id, is_made }) = circle else { return false };
        self.failed(
            id,
            Error::task(match is_made {
                true => "it waits for itself: a task in it has the key of one that needs it",
                false => "it waits for itself: its function waits for a task that needs its value",
            }),
        );
        true
    }

    /// Somebody has nothing to do but wait for these; if none of them has ended, that is. Where a
    /// worker waits for what is not seen here, it may go on and free memory; not so before one
    /// whose own task is inside of it, or may be.
    pub(super) fn wait(&mut self, awaited: impl Iterator<Item = Id> + Clone, is_inside: bool) {
        while (is_inside || self.elsewhere == 0)
            && self.is_stuck()
            && awaited.clone().all(|id| matches!(self.plan.see(id), Seen::UnderWay))
            && self.unstick(true)
        {}
    }

    /// The future of a task has nothing to do but wait for another task, unless that has ended.
    pub(super) fn future_waits(&mut self, ticket: Ticket, id: Id) {
        if matches!(self.plan.see(id), Seen::UnderWay) && self.plan.waits(ticket, id) {
            let futures = self.futures.entry(id).or_default();
            if !futures.contains(&ticket) {
                futures.push(ticket);
            }
        }
    }

    pub(super) fn add_helper(&mut self, helper: JoinHandle<()>) {
        self.workers += 1;
        // Whoever has gone home leaves nothing to wait for.
        self.helpers.retain(|helper| !is_finished(helper));
        // A run waits for its helpers; those of a client go when they are not needed.
        if self.closed {
            self.helpers.push(helper);
        }
    }

    pub(super) fn helper(&mut self) -> Option<JoinHandle<()>> {
        self.helpers.pop()
    }

    /// Has this woken at the end of a task; or says what that was.
    pub(super) fn watch(&mut self, id: Id, waker: &Waker, at: Option<(AtSeat, u64)>) -> Seen {
        let seen = self.plan.see(id);
        if matches!(seen, Seen::UnderWay) {
            let wakers = self.wakers.entry(id).or_default();
            match wakers.iter_mut().find(|(known, _)| known.will_wake(waker)) {
                Some((_, known)) => *known = at,
                None => wakers.push((waker.clone(), at)),
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
        self.rouse(ended);
        std::mem::take(&mut self.roused)
    }

    /// Those who waited for tasks that have ended go on, though nobody has woken them yet.
    pub(super) fn rouse_ended(&mut self) {
        let ended = std::mem::take(&mut self.plan.waste.ended);
        self.rouse(&ended);
        self.plan.waste.ended = ended;
    }

    fn rouse(&mut self, ended: &[Id]) {
        if self.wakers.is_empty() && self.futures.is_empty() {
            return;
        }
        for id in ended {
            for ticket in self.futures.remove(id).into_iter().flatten() {
                self.plan.goes_on_after(ticket, *id);
            }
            for (waker, at) in self.wakers.remove(id).into_iter().flatten() {
                at.into_iter().for_each(|(at, key)| self.set_told(at, key, true));
                self.roused.push(waker);
            }
        }
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

    /// Forgets all tasks, and sends the workers home as they come back from theirs.
    pub(super) fn restart(&mut self) {
        self.plan.fail_all(&Error::Cancelled);
        self.plan.disown_all();
        (self.shift, self.workers, self.started) = (self.shift.wrapping_add(1), 0, 0);
        // What they are on is nothing to wait for.
        self.running = 0;
        (self.cannot_run, self.elsewhere) = (0, 0);
    }
}
