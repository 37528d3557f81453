//! A thread that waits for a task of an engine, inside of another task.
//!
//! It runs what it waits for itself, or something that this needs, as long as there is such a
//! task and less than [`STACK`] of its stack is used. Only such: what is on its stack cannot go on
//! before, so a task that waits for one of these must not come on top; what it waits for does not,
//! unless in a circle, which is an error however many threads there are.
//!
//! Otherwise it blocks, and another thread stands in for it as long as there are few of these. So it
//! is with a thread that waits in an executor, where nothing can be run on top; those that stand in
//! run what is awaited last, so that these waits end first and few threads do. When no thread works
//! and none more is to be had, one that blocks is woken for what it can run of what it waits for;
//! if no such one is there, of the tasks that are awaited and ready the one of the last wait fails.
//! So each task either runs or fails, whatever the tasks before it wait for.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use super::crew::{Crew, Lineage};
use super::engine::Engine;
use super::node::{Inputs, Shared};
use super::plan::{Id, Job, Seen};
use super::seats::{AtSeat, Seated, Waits};
use super::state::EngineState;
use super::stop::Stop;
use super::sync::thread_local;
use super::worker::Worker;
use crate::{Error, Result};

/// So much of a thread's stack tasks may use that run on top of others. Threads have two MiB and
/// more; the rest is for the last of these tasks.
const STACK: usize = 512 << 10;

/// Tasks that are looked at for one that can run, while other threads could take it.
const LOOKED_AT: usize = 64;

/// Waits in executors that are looked at for what they need, the last first.
const LAST: usize = 64;

thread_local! {
    /// Where the stack of this thread was when it began to work for engines.
    static BASE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Notes where the stack is, unless that was noted; says whether it was not.
pub(super) fn note_stack() -> bool {
    let here = here();
    BASE.with(|base| base.get().is_none() && base.replace(Some(here)).is_none())
}

/// Forgets it.
pub(super) fn forget_stack() {
    BASE.with(|base| base.set(None));
}

/// A key for a wait.
pub(super) fn next_key() -> u64 {
    static KEY: AtomicU64 = AtomicU64::new(0);
    KEY.fetch_add(1, Relaxed)
}

/// Where the stack is, about.
fn here() -> usize {
    let here = 0_u8;
    std::hint::black_box(&raw const here).addr()
}

/// Whether there is room on the stack for a task on top of others.
fn has_stack() -> bool {
    BASE.with(|base| base.get().is_none_or(|base| base.abs_diff(here()) < STACK))
}

/// What a thread that waits is to do.
enum Turn {
    Ended(Result<Shared>),
    Run(Inside),
    Wait,
}

/// A task to run on top of the one that waits.
pub(super) struct Inside {
    pub(super) job: Box<Job>,
    pub(super) seated: Seated,
    /// The shift in which the thread counts as a worker for as long as it runs this, if it does not
    /// for the task beneath.
    pub(super) counts: Option<u32>,
}

/// Those that block, to be woken when they may have something to run.
pub(super) struct Blocked {
    key: u64,
    id: Id,
    waker: Waker,
    /// Whether there is room on its stack for a task.
    has_stack: bool,
    /// It is about to look.
    is_roused: bool,
}

impl EngineState {
    /// A wait in an executor is over.
    pub(super) fn awaits_no_more(&mut self, key: u64) {
        if let Some(at) = self.awaited.iter().rposition(|(one, _)| *one == key) {
            self.awaited.remove(at);
        }
    }

    /// A worker's task does not go on before something that is not seen here.
    pub(super) fn steps_elsewhere(&mut self, at: AtSeat, key: u64) {
        self.steps_aside(at, key, Waits::Elsewhere);
        // Where memory is full this may be what others waited for.
        self.unstick(false);
    }

    /// A task that a wait in an executor needs, for the worker at a seat.
    pub(super) fn next_awaited(
        &mut self,
        seat: u32,
        is_still: bool,
        spare: &mut Inputs,
    ) -> Option<Job> {
        let last = self.awaited.iter().rev().take(LAST);
        let id = last.filter_map(|(_, id)| self.ready_for(*id, LOOKED_AT, is_still)).next()?;
        Some(self.plan.begin(id, seat, spare))
    }

    /// A task that can run and that one needs which has not ended.
    fn ready_for(&self, id: Id, within: usize, is_still: bool) -> Option<Id> {
        match self.plan.see(id) {
            Seen::UnderWay => self.plan.needed(id, within, is_still, |seat| match within {
                // No thread is left for it, so a thread blocked further up may run it: the tasks on
                // its stack need it through those of the threads in between.
                usize::MAX => &self.seats[seat as usize].blocked_for,
                _ => &[],
            }),
            Seen::Done(_) | Seen::Failed(_) => None,
        }
    }

    /// Tasks can run, but nobody works, and no thread is to be had for them: wakes one that blocks
    /// and can run what it waits for, or fails what somebody waits for.
    pub(super) fn relieve(&mut self) {
        if self.blocked.iter().any(|blocked| blocked.is_roused) {
            return;
        }
        let is_still = self.is_still();
        let needs = |id: Id| self.ready_for(id, usize::MAX, is_still);
        let can = |blocked: &Blocked| blocked.has_stack && needs(blocked.id).is_some();
        if let Some(at) = self.blocked.iter().position(can) {
            let blocked = &mut self.blocked[at];
            blocked.is_roused = true;
            return self.roused.push(blocked.waker.clone());
        }
        let last = self.awaited.iter().map(|(_, id)| *id).rev();
        let mut last = last.chain(self.blocked.iter().map(|blocked| blocked.id).rev());
        match last.find_map(needs) {
            Some(id) => self.failed(id, too_deep()),
            None if is_still => drop(self.break_circle()),
            None => {}
        }
    }
}

/// A thread that waits for a task.
pub(super) struct Wait {
    engine: Arc<Engine>,
    id: Id,
    /// The tasks of the engine that wait with it, and how: its own is the first, if it has one.
    beneath: Vec<(AtSeat, Waits)>,
    key: u64,
    stop: Stop,
    /// Whether these have stepped aside.
    is_aside: bool,
    /// Its crew, if that was told that it is idle.
    left: Option<Arc<Crew>>,
}

impl Wait {
    /// For a thread that works for the engine, or for a run within one of its tasks; `None` for
    /// others, which just wait.
    pub(super) fn new(engine: &Arc<Engine>, id: Id, stop: &Stop) -> Option<Self> {
        let mut beneath = Lineage::beneath();
        beneath.retain(|beneath| beneath.engine.number == engine.number);
        if beneath.is_empty() {
            return None;
        }
        let waits = |is_own| if is_own { Waits::Blocked } else { Waits::Elsewhere };
        let beneath = beneath.iter().map(|beneath| (beneath.at, waits(beneath.is_own)));
        let beneath = Vec::from_iter(beneath);
        engine.with(|state| beneath.iter().for_each(|(at, _)| state.blocks(*at, id)));
        let key = next_key();
        let (engine, stop) = (Arc::clone(engine), stop.clone());
        Some(Self { engine, id, beneath, key, stop, is_aside: false, left: None })
    }

    /// Looks whether the task has ended, and runs tasks until it has or nothing can be run here.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Shared>> {
        self.is_idle(false);
        loop {
            let engine = Arc::clone(&self.engine);
            match engine.with(|state| self.turn(state, context.waker())) {
                Turn::Ended(ended) => return Poll::Ready(ended),
                Turn::Wait => {
                    self.is_idle(true);
                    return Poll::Pending;
                }
                Turn::Run(inside) => Worker::run_inside(&engine, inside),
            }
        }
    }

    fn turn(&mut self, state: &mut EngineState, waker: &Waker) -> Turn {
        state.blocked.retain(|blocked| blocked.key != self.key);
        match state.watch(self.id, waker, self.beneath.first().map(|(at, _)| (*at, self.key))) {
            Seen::Done(value) => return Turn::Ended(Ok(value)),
            Seen::Failed(error) => return Turn::Ended(Err(error)),
            Seen::UnderWay if self.stop.is_set() => return Turn::Wait,
            Seen::UnderWay => {}
        }
        let mine = usize::from(self.counts(state));
        let has_others = state.workers > mine || state.has_stand_in(&self.engine.context);
        let within = if has_others { LOOKED_AT } else { usize::MAX };
        let is_still = state.is_still();
        if has_stack()
            && let Some(id) = state.ready_for(self.id, within, is_still)
        {
            return self.run(state, id);
        }
        self.block(state, waker)
    }

    /// Whether this thread counts as a worker that runs a task.
    fn counts(&self, state: &EngineState) -> bool {
        let own = self.beneath.iter().find(|(_, waits)| *waits == Waits::Blocked);
        own.is_some_and(|(at, _)| state.counts(at.seat))
    }

    fn run(&mut self, state: &mut EngineState, id: Id) -> Turn {
        // It works again, if it was aside before.
        if self.is_aside {
            self.beneath.iter().for_each(|(at, _)| state.set_told(*at, self.key, true));
        }
        let seated = state.sit_inside(self.engine.context.stop.child());
        let job = state.plan.begin(id, seated.seat, &mut Inputs::default());
        // A thread that counts already does so for the task beneath.
        let counts = (!self.counts(state)).then_some(state.shift);
        state.workers += usize::from(counts.is_some());
        state.running += usize::from(counts.is_some());
        Turn::Run(Inside { job: Box::new(job), seated, counts })
    }

    fn block(&mut self, state: &mut EngineState, waker: &Waker) -> Turn {
        for (at, waits) in &self.beneath {
            match self.is_aside {
                true => state.set_told(*at, self.key, false),
                false => state.steps_aside(*at, self.key, *waits),
            }
        }
        self.is_aside = true;
        let (key, id, waker) = (self.key, self.id, waker.clone());
        state.blocked.push(Blocked { key, id, waker, has_stack: has_stack(), is_roused: false });
        state.wait(std::iter::once(self.id), true);
        Turn::Wait
    }

    /// Tells the crew of this thread whether it works.
    fn is_idle(&mut self, idle: bool) {
        if idle {
            self.left = Lineage::leave_crew();
        } else if let Some(crew) = self.left.take() {
            crew.join();
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.is_idle(false);
        self.engine.with(|state| {
            state.blocked.retain(|blocked| blocked.key != self.key);
            for (at, _) in &self.beneath {
                state.blocks_no_more(*at, self.id);
                state.steps_back(*at, self.key);
            }
        });
    }
}

fn too_deep() -> Error {
    Error::task(
        "tasks wait for tasks too deep: no more threads are started for them, and there is no room \
         on the stacks of those that wait; have a task make the next with `then`, which keeps no \
         thread",
    )
}
