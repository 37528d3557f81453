//! A thread that waits for a task of an engine, inside of another task.
//!
//! It runs what it waits for itself, or something that this needs, as long as there is such a
//! task and less than [`STACK`] of its stack is used. Only such: what is on its stack cannot go on
//! before, so a task that waits for one of these must not come on top; what it waits for does not,
//! unless in a circle, which is an error however many threads there are.
//!
//! Otherwise it blocks, and another thread stands in for it as long as there are few of these. When
//! there are not, others that block are woken as tasks become ready that they wait for.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use super::crew::Lineage;
use super::engine::{Aside, Engine};
use super::node::{Inputs, Shared};
use super::plan::{Id, Job, Seen};
use super::seats::{AtSeat, STAND_INS, Seated};
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

/// Where the stack is, about.
fn here() -> usize {
    let here = 0_u8;
    std::hint::black_box(&raw const here).addr()
}

/// Whether there is room on the stack for a task on top of others.
fn has_stack() -> bool {
    BASE.with(|base| base.get().is_none_or(|base| base.abs_diff(here()) < STACK))
}

/// How this thread stands to an engine whose task it waits for.
#[derive(Clone, Copy)]
enum Place {
    /// It is a worker of it.
    Seat(u32),
    /// It works for a run within one of its tasks.
    Within,
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
    waker: Waker,
    /// Whether it works for a run within a task of the engine.
    pub(super) is_within: bool,
}

impl EngineState {
    /// Has those look that block inside of tasks, where nobody else may take what can run.
    pub(super) fn rouse_blocked(&mut self) {
        self.roused.extend(self.blocked.drain(..).map(|blocked| blocked.waker));
    }
}

/// A thread that waits for a task.
pub(super) struct Wait {
    engine: Arc<Engine>,
    id: Id,
    place: Place,
    at: Option<AtSeat>,
    key: u64,
    stop: Stop,
    aside: Option<Aside>,
    /// Whether the thread has told its crew that it is idle.
    idle: Option<Lineage>,
}

impl Wait {
    /// For a thread that works for the engine; `None` for others, which just wait.
    pub(super) fn new(engine: &Arc<Engine>, id: Id, stop: &Stop) -> Option<Self> {
        static KEY: AtomicU64 = AtomicU64::new(0);
        let place = match Worker::of_this_thread(engine.number) {
            Some(seat) => Place::Seat(seat),
            None if Lineage::has(engine.number) => Place::Within,
            None => return None,
        };
        let at = match place {
            Place::Seat(seat) => Some(engine.with(|state| state.blocks(seat, id))),
            Place::Within => None,
        };
        let (engine, stop, key) = (Arc::clone(engine), stop.clone(), KEY.fetch_add(1, Relaxed));
        Some(Self { engine, id, place, at, key, stop, aside: None, idle: None })
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
        match state.watch(self.id, waker, self.at) {
            Seen::Done(value) => return Turn::Ended(Ok(value)),
            Seen::Failed(error) => return Turn::Ended(Err(error)),
            Seen::UnderWay if self.stop.is_set() => return Turn::Wait,
            Seen::UnderWay => {}
        }
        let mine = usize::from(self.counts(state));
        let has_others = state.workers > mine || state.has_stand_in(self.engine.context.threads);
        let within = if has_others { LOOKED_AT } else { usize::MAX };
        let is_still = state.is_still();
        if let Some(id) = state.plan.needed(self.id, within, is_still) {
            if has_stack() {
                return self.run(state, id);
            }
            if !has_others && state.is_still_but(mine) {
                return Turn::Ended(Err(too_deep()));
            }
        }
        self.block(state, waker)
    }

    /// Whether this thread counts as a worker that runs a task.
    fn counts(&self, state: &EngineState) -> bool {
        matches!(self.place, Place::Seat(seat) if state.counts(seat))
    }

    fn run(&mut self, state: &mut EngineState, id: Id) -> Turn {
        // It works again, if it was aside before.
        if let Some(aside) = &self.aside {
            state.goes_on(aside.at());
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
        if let Place::Seat(seat) = self.place {
            match &self.aside {
                Some(_) => state.waits_on(seat),
                None => {
                    let at = state.steps_aside(seat);
                    self.aside = Some(Aside::new(&self.engine, at));
                }
            }
        }
        let is_within = matches!(self.place, Place::Within);
        state.blocked.push(Blocked { key: self.key, waker: waker.clone(), is_within });
        state.wait(std::iter::once(self.id));
        Turn::Wait
    }

    /// Tells the crew of this thread whether it works.
    fn is_idle(&mut self, idle: bool) {
        if idle {
            self.idle = Some(Lineage::of_this_thread().idle());
        } else if let Some(lineage) = self.idle.take() {
            lineage.back();
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.is_idle(false);
        let aside = self.aside.take();
        self.engine.with(|state| {
            state.blocked.retain(|blocked| blocked.key != self.key);
            if let Some(at) = self.at {
                state.blocks_no_more(at);
            }
        });
        drop(aside);
    }
}

fn too_deep() -> Error {
    Error::task(format!(
        "tasks wait for tasks too deep: {} threads wait, and the stack of each is used; have a task make \
         the next with `then`, which keeps no thread",
        STAND_INS
    ))
}
