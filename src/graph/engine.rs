//! The engine: a plan, the lock that guards it, and the workers that do its tasks.
//!
//! A worker takes the lock once for each task, to hand in what it has done and to fetch what it
//! does next; values and nodes are dropped, and tasks run, outside of it. Rejected: a queue a
//! thread with stealing, which loses the order that keeps few values alive, and gains where tasks
//! take less than a microsecond, which are not worth being tasks.
//!
//! An engine serves one run, on the thread of its caller and helpers, and is at its end with the
//! first failure; or it serves a client, on threads of its own, for as long as there are handles,
//! and each handle is told of its own failures. Either way threads are started when there is work
//! for them.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Instant;

use futures::FutureExt;

use super::Context;
use super::crew::{Beneath, Crew, Lineage};
use super::node::{Node, Shared};
use super::pending::heard;
use super::plan::{Arrived, Id, Job, Roots, Seen, Ticket, Waste};
use super::seats::Waits;
use super::state::EngineState;
use super::stop::{Entry, Stop};
use super::sync::{Condvar, Mutex, MutexGuard, spawn};
use super::worker::{Came, Role, Step, Waiting, Worker, caught, panicked};
use crate::runtime::TASKS;
use crate::watch::{Event, What};
use crate::{Error, Place, Result};

/// The number of the next engine.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A number for an engine.
pub(super) fn next_number() -> u64 {
    NUMBER.fetch_add(1, Relaxed)
}

/// A plan, and what the workers share.
pub(super) struct Engine {
    pub(super) context: Context,
    /// What sets its tasks apart from those of other engines.
    pub(super) number: u64,
    /// What the thread works for that has started it, and the threads of that and of this.
    pub(super) lineage: Lineage,
    pub(super) crew: Arc<Crew>,
    /// Whether others than its own tasks wait for its tasks.
    pub(super) is_client: bool,
    state: Mutex<EngineState>,
    /// There may be something to do.
    changed: Condvar,
}

impl Engine {
    /// An engine for a client.
    pub(super) fn new(context: Context) -> Arc<Self> {
        Self::within(context, Lineage::default(), true)
    }

    /// An engine that is started by a thread of this lineage.
    fn within(context: Context, lineage: Lineage, is_client: bool) -> Arc<Self> {
        let number = next_number();
        let state = Mutex::new(EngineState::new(&context, number));
        let crew = lineage.crew(context.threads);
        let changed = Condvar::new();
        let engine = Arc::new(Self { context, number, lineage, crew, is_client, state, changed });
        if engine.lineage.is_outermost() && !is_client {
            engine.crew.serves(&engine);
        }
        engine
    }

    /// Runs what the roots need on this thread and helpers, and gives the roots' values.
    pub(super) fn run(context: &Context, roots: &[Arc<Node>]) -> Result<Vec<Shared>> {
        let (engine, ids) = Self::serve(context, |state| state.begin_run(roots));
        engine.with(|state| state.end_run(&ids))
    }

    /// Runs roots that take turns, until one says that no more is wanted.
    pub(super) fn run_in_turn(
        context: &Context,
        roots: Roots,
        needs: &[Arc<Node>],
        ahead: usize,
    ) -> Result<()> {
        let (engine, ()) = Self::serve(context, |state| state.begin_in_turn(roots, needs, ahead));
        engine.with(EngineState::end_in_turn)
    }

    /// An engine that has done what it was begun with, on this thread and helpers.
    fn serve<T>(context: &Context, begin: impl FnOnce(&mut EngineState) -> T) -> (Arc<Self>, T) {
        let engine = Self::within(context.clone(), Lineage::of_this_thread(), false);
        // Under the plain lock: nobody need come for the first task, which this thread will do.
        let begun = begin(&mut engine.lock());
        let entry = engine.hears();
        let seated = engine.lock().sit(context.stop.child());
        Worker::new(&engine, seated, Role::Caller).work();
        drop(entry);
        while let Some(helper) = engine.with(EngineState::helper) {
            // A helper that panics has told so: what it did is a failure of the run.
            let _ = helper.join();
        }
        (engine, begun)
    }

    /// Has the engine hear of the end of the run that it serves.
    fn hears(self: &Arc<Self>) -> Entry {
        let hears = Arc::new(Hears(Arc::downgrade(self)));
        let entry = self.context.stop.enter(Waker::from(Arc::clone(&hears)));
        // It may have been told before it listened.
        hears.wake();
        entry
    }

    /// The number that those who watch know a task by: no other has it that could be alive at the
    /// same time, since both halves only repeat after four billion.
    pub(super) fn number(&self, number: u32) -> u64 {
        self.number << 32 | u64::from(number)
    }

    /// Changes the plan, and has somebody do what can be done then.
    pub(super) fn with<T>(self: &Arc<Self>, change: impl FnOnce(&mut EngineState) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.share(&mut state);
        if state.is_over() {
            self.changed.notify_all();
        }
        let mut waste = std::mem::take(&mut state.plan.waste);
        let stops = state.replace_stops(&waste.seats, &self.context.stop);
        let woken = state.woken(&waste.ended);
        drop(state);
        self.tidy(&mut waste, &stops, woken);
        result
    }

    /// Hands in a step and fetches the next task; `None` when there will be none for this worker.
    pub(super) fn next(self: &Arc<Self>, worker: &mut Worker, last: Option<Step>) -> Option<Job> {
        let mut state = self.lock();
        if let Some((ticket, step)) = worker.ticket.take().zip(last) {
            state.returned(worker.seat);
            if worker.shift == state.shift {
                state.running -= 1;
            }
            self.settle(&mut state, ticket, step);
        }
        loop {
            // Who waited for what has ended goes on, and comes before what has not begun.
            state.rouse_ended();
            let is_crowded = state.workers > self.context.threads;
            let job = if is_crowded { None } else { self.find(&mut state, worker) };
            let leaves = job.is_none() && state.leaves(worker, self.context.threads);
            if leaves || job.is_some() {
                self.share(&mut state);
            }
            if state.is_over() {
                self.changed.notify_all();
            }
            std::mem::swap(&mut state.plan.waste, &mut worker.waste);
            if job.is_none() && !leaves && worker.waste.is_empty() && !state.has_roused() {
                state.idle += 1;
                self.crew.leave();
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                self.crew.join();
                state.idle -= 1;
                continue;
            }
            let stops = state.replace_stops(&worker.waste.seats, &self.context.stop);
            let woken = state.woken(&worker.waste.ended);
            drop(state);
            self.tidy(&mut worker.waste, &stops, woken);
            if leaves || job.is_some() {
                return job;
            }
            state = self.lock();
        }
    }

    /// The next task for a worker, with the stop that it is to hear.
    fn find(self: &Arc<Self>, state: &mut EngineState, worker: &mut Worker) -> Option<Job> {
        if state.shift != worker.shift {
            return None;
        }
        let is_still = state.is_still();
        let mut job = state.next_awaited(worker.seat, is_still, &mut worker.spare);
        if job.is_none() {
            job = state.plan.next(worker.seat, is_still, &mut worker.spare);
        }
        if job.is_none() && state.unstick(false) {
            job = state.plan.next(worker.seat, is_still, &mut worker.spare);
        }
        if job.is_some() {
            state.running += 1;
            let stop = state.begins(worker.seat);
            if !worker.context.stop.is(stop) {
                worker.sit(stop.clone());
            }
        }
        job
    }

    /// A worker has gone home.
    pub(super) fn stand_up(&self, seat: u32) {
        self.lock().stand_up(seat);
    }

    /// Enters what became of a task that was done on a thread on which another waits.
    pub(super) fn returned_inside(
        self: &Arc<Self>,
        seat: u32,
        counts: Option<u32>,
        ticket: Ticket,
        step: Step,
    ) {
        self.with(|state| {
            state.returned(seat);
            if counts == Some(state.shift) {
                (state.workers, state.running) = (state.workers - 1, state.running - 1);
            }
            self.settle(state, ticket, step);
        });
    }

    /// Has other workers take the place of this thread, and of those that cannot go on before it,
    /// while it waits for a task: they might be too few else.
    pub(super) fn step_aside(self: &Arc<Self>, id: Id, key: u64) -> Option<Aside> {
        Lineage::is_inside().then(|| Aside::new(self, id, key))
    }

    /// Looks at the plan, or changes what has nobody else do anything.
    pub(super) fn with_state<T>(&self, look: impl FnOnce(&mut EngineState) -> T) -> T {
        look(&mut self.lock())
    }

    /// Has this thread woken at the end of a task, for which it waits by this key; or says what that
    /// was.
    pub(super) fn watch(self: &Arc<Self>, id: Id, waker: &Waker, key: u64) -> Seen {
        let mut beneath = Lineage::beneath();
        beneath.retain(|beneath| beneath.engine.number == self.number);
        self.with(|state| {
            let seen = state.watch(id, waker, beneath.first().map(|one| (one.at, key)));
            if let Seen::UnderWay = seen {
                beneath.iter().for_each(|one| state.set_told(one.at, key, false));
            }
            seen
        })
    }

    /// Finds another worker for what else can be done, if there is one to be had.
    fn share(self: &Arc<Self>, state: &mut EngineState) {
        if !state.plan.is_ready(|| state.is_still()) {
            return;
        }
        if state.idle > 0 {
            return self.changed.notify_one();
        }
        if state.workers < self.context.threads
            && state.has_stand_in(&self.context)
            && self.crew_has_place()
        {
            return self.start(state);
        }
        // Else who works goes on with it later; if nobody does, those that wait do.
        if state.workers == 0 {
            state.relieve();
        }
    }

    /// Has a helper end that is idle, if there is one: a run within this starts another.
    pub(super) fn retire_idle(&self) {
        let mut state = self.lock();
        if state.idle > state.retiring {
            state.retiring += 1;
            drop(state);
            // The one that is woken may be the caller's thread, which stays.
            self.changed.notify_all();
        }
    }

    /// Takes a place for a helper: a run within another has those that are idle there.
    fn crew_has_place(&self) -> bool {
        if self.lineage.is_outermost() {
            self.crew.join();
            return true;
        }
        self.crew.try_join(self.context.threads)
    }

    /// Starts a helper, which has a place in the crew.
    fn start(self: &Arc<Self>, state: &mut EngineState) {
        let engine = Arc::clone(self);
        let name = format!("creel {}", state.workers);
        state.retiring = 0;
        if !self.lineage.is_outermost() {
            self.crew.replace_idle();
        }
        // Seated here, so that it counts where it was counted however late it comes.
        let seated = state.sit(self.context.stop.child());
        let seat = seated.seat;
        match spawn(name, move || Worker::new(&engine, seated, Role::Helper).work()) {
            Ok(helper) => state.add_helper(helper),
            Err(source) => {
                state.stand_up(seat);
                self.crew.leave();
                // A thread that cannot be had is a slower run, but one must be.
                if state.started == 0 {
                    let place = Place::object("a thread to work on");
                    state.plan.fail_all(&Error::Io { place, source: source.into() });
                } else if state.workers == 0 {
                    state.relieve();
                }
            }
        }
    }

    /// Enters what became of a task.
    fn settle(self: &Arc<Self>, state: &mut EngineState, ticket: Ticket, step: Step) {
        let plan = &mut state.plan;
        if !plan.returned(ticket) {
            return plan.waste.late.push(Box::new(step));
        }
        match step {
            Step::Done(value, weight) => plan.done(ticket.id, value, weight),
            Step::Forward(node) => {
                plan.forward(ticket.id, &node);
                plan.waste.nodes.push((node, 0));
            }
            Step::Failed(error) => state.failed(ticket.id, error),
            Step::Wait(Waiting { future, node, number, tried }) => {
                let engine = Arc::downgrade(self);
                let future = self.lineage.lend(heard(self, ticket, future));
                let came = async move {
                    let came = AssertUnwindSafe(future).catch_unwind().await;
                    let came = came.unwrap_or_else(|panic| Err(panicked(&node.name, panic)));
                    if let Some(engine) = engine.upgrade() {
                        engine.came(ticket, &node, number, came);
                    }
                };
                match TASKS.spawn(came) {
                    Ok(future) => plan.pend(ticket, tried, future),
                    Err(source) => {
                        let place = Place::object("a runtime for futures");
                        state.failed(ticket.id, Error::Io { place, source: source.into() });
                    }
                }
            }
        }
        state.advance();
    }

    /// What a task waited for has come.
    fn came(self: &Arc<Self>, ticket: Ticket, node: &Arc<Node>, number: u32, came: Result<Came>) {
        let came = came.and_then(|came| match came {
            Came::Value(value) => caught(&node.name, || {
                let weight = node.weight(&value);
                self.tell(node, number, What::Done);
                Ok((Some((value, weight)), None))
            }),
            Came::Place(place) => Ok((None, Some(place))),
            Came::Time => Ok((None, None)),
        });
        self.with(|state| {
            let plan = &mut state.plan;
            if !plan.awaits(ticket) {
                return plan.waste.late.push(Box::new(came));
            }
            match came {
                Ok((Some((value, weight)), _)) => plan.done(ticket.id, value, weight),
                Ok((None, permit)) => plan.arrive(ticket.id, |mut tried| {
                    tried.permit = permit;
                    Arrived { failed: None, tried }
                }),
                Err(error) => {
                    plan.arrive(ticket.id, |tried| Arrived { failed: Some(error), tried });
                }
            }
            // It may have been the last that went on.
            state.unstick(false);
        });
    }

    /// Does what is not done under the lock: wakes, tells, and drops.
    fn tidy(self: &Arc<Self>, waste: &mut Waste, stops: &[Stop], woken: Vec<Waker>) {
        stops.iter().for_each(Stop::cancel);
        woken.into_iter().for_each(Waker::wake);
        if waste.is_empty() {
            return;
        }
        if !self.context.observers.is_empty() {
            self.tell_all(waste);
        }
        // A value of the caller's may panic as it is dropped.
        let cleared = caught("the drop of a value", || {
            waste.clear();
            Ok(())
        });
        if let Err(error) = cleared {
            self.with(|state| state.end(error));
        }
    }

    /// Tells those who watch of what has come and what goes.
    fn tell_all(self: &Arc<Self>, waste: &Waste) {
        let planned = waste.planned.iter().map(|task| (task, What::Planned));
        let dropped = waste.nodes.iter().filter(|(_, number)| *number > 0);
        for ((node, number), what) in planned.chain(dropped.map(|task| (task, What::Dropped))) {
            let told = caught(&node.name, || {
                self.tell(node, *number, what);
                Ok(())
            });
            if let Err(error) = told {
                self.with(|state| state.watched(node, *number, error));
            }
        }
    }

    /// Tells those who watch what happened to a task that this thread does not work on.
    fn tell(&self, node: &Node, number: u32, what: What<'_>) {
        if !self.context.observers.is_empty() {
            let task = node.task(self.number(number));
            self.context.observers.tell(&Event { at: Instant::now(), task, what });
        }
    }

    fn lock(&self) -> MutexGuard<'_, EngineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Workers that wait inside of their tasks; they are back when this is dropped, wherever that is, or
/// their tasks have returned.
pub(super) struct Aside {
    /// The engine whose task is awaited, and the key of the wait.
    engine: Arc<Engine>,
    key: u64,
    beneath: Vec<Beneath>,
}

impl Aside {
    fn new(engine: &Arc<Engine>, id: Id, key: u64) -> Self {
        let beneath = Lineage::beneath();
        let is_here = |beneath: &&Beneath| beneath.engine.number == engine.number;
        engine.with(|state| {
            for beneath in beneath.iter().filter(is_here) {
                match beneath.is_own {
                    true => state.steps_aside(beneath.at, key, Waits::Executor),
                    false => state.steps_elsewhere(beneath.at, key),
                }
            }
            state.awaited.push((key, id));
        });
        for Beneath { engine, at, .. } in beneath.iter().filter(|beneath| !is_here(beneath)) {
            engine.with(|state| state.steps_elsewhere(*at, key));
        }
        Self { engine: Arc::clone(engine), key, beneath }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.engine.with(|state| state.awaits_no_more(self.key));
        // Their tasks may have returned, and others that their workers do may wait.
        for Beneath { engine, at, .. } in &self.beneath {
            engine.with(|state| state.steps_back(*at, self.key));
        }
    }
}

/// Tells an engine that the run which it serves was cancelled.
struct Hears(Weak<Engine>);

impl Wake for Hears {
    fn wake(self: Arc<Self>) {
        if let Some(engine) = self.0.upgrade()
            && engine.context.stop.is_cancelled()
        {
            engine.with(|state| state.end(Error::Cancelled));
        }
    }
}
