//! The workers of an engine: a seat each, and which of them wait inside of their tasks.
//!
//! A worker whose task waits for another task, of this engine or of another, does not count as one
//! that works, so that another can stand in for it. It counts again from the moment in which what
//! it waits for has ended, which is before its thread wakes: in between, nothing may be taken for
//! stuck.

use super::Context;
use super::plan::Id;
use super::state::EngineState;
use super::stop::Stop;

/// How many threads a client may have beside those that it works on, for workers that wait inside
/// of their tasks. See [`Client`](super::client::Client).
#[derive(Debug, Clone, Copy)]
pub(crate) struct StandIns {
    /// For those that could run other tasks meanwhile.
    pub(crate) blocked: usize,
    /// For those that could not: they are in an executor, or a thread waits that works for them.
    pub(crate) elsewhere: usize,
}

impl Default for StandIns {
    fn default() -> Self {
        Self { blocked: 32, elsewhere: 512 }
    }
}

/// Where a worker waits inside of its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waits {
    /// For a task of the engine, on a thread that is blocked and may run others.
    Blocked,
    /// For a task of the engine, in an executor.
    Executor,
    /// For what the engine does not see: a task of another engine, or a thread that works for the
    /// worker's task.
    Elsewhere,
}

/// A worker's place.
pub(super) struct Seat {
    /// How the task that it is on is told to end.
    stop: Stop,
    shift: u32,
    taken: bool,
    /// The worker has gone home, and its thread is about to end.
    left: bool,
    /// Whether the worker is on a task.
    busy: bool,
    /// The worker is still at a task that is for nothing.
    late: bool,
    /// It is taken by a thread that has another seat, for a task that it runs while one waits.
    inner: bool,
    /// The waits of its task, by key, and whether they are about to end.
    waits: Vec<(u64, Waits, bool)>,
    task: u32,
    /// The worker does not count as one that works.
    aside: Option<Waits>,
    /// The tasks that its thread, and those that work for its task, are blocked for until they have
    /// ended.
    pub(super) blocked_for: Vec<Id>,
}

/// What a worker knows of its place.
pub(super) struct Seated {
    pub(super) seat: u32,
    pub(super) shift: u32,
    /// How the task there is told to end.
    pub(super) stop: Stop,
}

/// A task at a seat: what waits in an earlier one is nothing to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtSeat {
    pub(super) seat: u32,
    task: u32,
}

impl EngineState {
    /// A seat for a worker, whose tasks will have this stop.
    pub(super) fn sit(&mut self, stop: Stop) -> Seated {
        self.started += 1;
        self.take_seat(stop, false)
    }

    /// A seat for a task that a thread runs while another task on it waits.
    pub(super) fn sit_inside(&mut self, stop: Stop) -> Seated {
        self.take_seat(stop, true)
    }

    fn take_seat(&mut self, stop: Stop, inner: bool) -> Seated {
        let free = self.seats.iter().position(|seat| !seat.taken);
        let at = free.unwrap_or(self.seats.len());
        let task = free.map_or(0, |free| self.seats[free].task.wrapping_add(1));
        let seat = Seat {
            stop: stop.clone(),
            shift: self.shift,
            taken: true,
            left: false,
            busy: inner,
            late: false,
            inner,
            waits: Vec::new(),
            task,
            aside: None,
            blocked_for: Vec::new(),
        };
        match free {
            Some(free) => self.seats[free] = seat,
            None => self.seats.push(seat),
        }
        Seated { seat: at as u32, shift: self.shift, stop }
    }

    /// Frees a seat.
    pub(super) fn stand_up(&mut self, seat: u32) {
        let seat = &mut self.seats[seat as usize];
        seat.taken = false;
        if !seat.inner && !seat.left && seat.shift == self.shift {
            self.started -= 1;
        }
    }

    /// A worker goes home: from now on another may be started for it.
    pub(super) fn goes_home(&mut self, seat: u32) {
        self.seats[seat as usize].left = true;
        (self.workers, self.started) = (self.workers - 1, self.started - 1);
    }

    /// The task at a seat, for one who waits there.
    pub(super) fn at_seat(&self, seat: u32) -> AtSeat {
        AtSeat { seat, task: self.seats[seat as usize].task }
    }

    /// A worker waits inside of its task, in one place more; its task may have returned.
    pub(super) fn steps_aside(&mut self, at: AtSeat, key: u64, waits: Waits) {
        self.change_waits(at, |all| all.push((key, waits, false)));
    }

    /// A worker's task does not wait in one of these places any more; it may have returned.
    pub(super) fn steps_back(&mut self, at: AtSeat, key: u64) {
        self.change_waits(at, |all| all.retain(|(one, ..)| *one != key));
    }

    /// What a worker has waited for in one place has ended, and it is about to go on; or it has
    /// looked, and waits there again. A wait that is over changes nothing, whoever still tells of
    /// it: others that work for the same task may wait.
    pub(super) fn set_told(&mut self, at: AtSeat, key: u64, told: bool) {
        self.change_waits(at, |all| {
            all.iter_mut().filter(|(one, ..)| *one == key).for_each(|one| one.2 = told);
        });
    }

    fn change_waits(&mut self, at: AtSeat, change: impl FnOnce(&mut Vec<(u64, Waits, bool)>)) {
        let seat = &mut self.seats[at.seat as usize];
        if seat.task != at.task || !seat.busy {
            return;
        }
        change(&mut seat.waits);
        let goes_on = seat.waits.iter().any(|(.., told)| *told);
        let waits = seat.waits.iter().map(|(_, waits, _)| *waits).max();
        self.set_aside(at.seat, waits.filter(|_| !goes_on));
    }

    /// The task at a seat does not return until another has ended.
    pub(super) fn blocks(&mut self, at: AtSeat, id: Id) {
        if self.at_seat(at.seat) == at {
            self.seats[at.seat as usize].blocked_for.push(id);
        }
    }

    /// It does not wait for that any more.
    pub(super) fn blocks_no_more(&mut self, at: AtSeat, id: Id) {
        if self.at_seat(at.seat) == at {
            let blocked = &mut self.seats[at.seat as usize].blocked_for;
            if let Some(at) = blocked.iter().position(|one| *one == id) {
                blocked.swap_remove(at);
            }
        }
    }

    /// Whether a worker counts as one that works.
    pub(super) fn counts(&self, seat: u32) -> bool {
        let seat = &self.seats[seat as usize];
        seat.aside.is_none() && seat.shift == self.shift
    }

    fn set_aside(&mut self, seat: u32, aside: Option<Waits>) {
        let seat = &mut self.seats[seat as usize];
        let before = std::mem::replace(&mut seat.aside, aside);
        if seat.shift != self.shift {
            return;
        }
        match (before.is_some(), aside.is_some()) {
            (false, true) => (self.workers, self.running) = (self.workers - 1, self.running - 1),
            (true, false) => (self.workers, self.running) = (self.workers + 1, self.running + 1),
            _ => {}
        }
        let is_from = |from: Waits, waits: Option<Waits>| waits.is_some_and(|waits| waits >= from);
        self.cannot_run += usize::from(is_from(Waits::Executor, aside));
        self.cannot_run -= usize::from(is_from(Waits::Executor, before));
        self.elsewhere += usize::from(is_from(Waits::Elsewhere, aside));
        self.elsewhere -= usize::from(is_from(Waits::Elsewhere, before));
    }

    /// Whether another thread may be started for a worker that waits inside of its task.
    pub(super) fn has_stand_in(&self, context: &Context) -> bool {
        let StandIns { blocked, elsewhere } = context.stand_ins;
        let stand_ins = blocked + self.cannot_run.min(elsewhere);
        self.started < context.threads.saturating_add(stand_ins)
    }

    /// A worker begins a task, which this tells to end.
    pub(super) fn begins(&mut self, seat: u32) -> &Stop {
        let seat = &mut self.seats[seat as usize];
        seat.busy = true;
        &seat.stop
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

    /// A worker has left its task, whatever that came to, and whatever it left waiting: a future
    /// that it has begun to wait for may lie somewhere.
    pub(super) fn returned(&mut self, seat: u32) {
        self.set_aside(seat, None);
        let seat = &mut self.seats[seat as usize];
        (seat.late, seat.busy) = (false, false);
        seat.waits.clear();
        seat.blocked_for.clear();
        seat.task = seat.task.wrapping_add(1);
    }

    /// The seats of the workers of this shift, and whether they are at a task that is for nothing.
    pub(super) fn present(&self) -> impl Iterator<Item = (u32, bool)> {
        let present = self.seats.iter().enumerate();
        let present =
            present.filter(|(_, seat)| seat.taken && !seat.inner && seat.shift == self.shift);
        present.map(|(at, seat)| (at as u32, seat.late))
    }
}
