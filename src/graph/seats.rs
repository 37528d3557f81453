//! The workers of an engine: a seat each, and which of them wait inside of their tasks.
//!
//! A worker whose task waits for another task of the engine does not count as one that works, so
//! that another can stand in for it. It counts again from the moment in which what it waits for has
//! ended, which is before its thread wakes: in between, nothing may be taken for stuck.

use super::plan::Id;
use super::state::EngineState;
use super::stop::Stop;

/// How many threads a client may have beside those that it works on, for workers that wait inside
/// of their tasks. See [`Client`](super::client::Client).
pub(super) const STAND_INS: usize = 32;

/// A worker's place.
pub(super) struct Seat {
    /// How the task that it is on is told to end.
    stop: Stop,
    shift: u32,
    taken: bool,
    /// The worker is still at a task that is for nothing.
    late: bool,
    /// It is taken by a thread that has another seat, for a task that it runs while one waits.
    inner: bool,
    /// How many futures its task waits for on the worker's thread, and in which task.
    waits: u32,
    task: u32,
    /// The worker does not count as one that works.
    aside: bool,
    /// The task that its thread is blocked for until that has ended.
    pub(super) blocked_for: Option<Id>,
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
            late: false,
            inner,
            waits: 0,
            task,
            aside: false,
            blocked_for: None,
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
        if !seat.inner && seat.shift == self.shift {
            self.started -= 1;
        }
    }

    /// The task at a seat, for one who waits there.
    pub(super) fn at_seat(&self, seat: u32) -> AtSeat {
        AtSeat { seat, task: self.seats[seat as usize].task }
    }

    /// A worker waits inside of its task, for one future more.
    pub(super) fn steps_aside(&mut self, seat: u32) -> AtSeat {
        self.seats[seat as usize].waits += 1;
        self.set_aside(seat, true);
        self.at_seat(seat)
    }

    /// A worker's task does not wait for one of the futures any more; it may have returned.
    pub(super) fn steps_back(&mut self, at: AtSeat) {
        let seat = &mut self.seats[at.seat as usize];
        if seat.task == at.task {
            seat.waits -= 1;
            let still = seat.waits > 0;
            self.set_aside(at.seat, still);
        }
    }

    /// What a worker has waited for has ended: it is about to go on.
    pub(super) fn goes_on(&mut self, at: AtSeat) {
        if self.at_seat(at.seat) == at {
            self.set_aside(at.seat, false);
        }
    }

    /// A worker that has looked whether it can go on waits again.
    pub(super) fn waits_on(&mut self, seat: u32) {
        let waits = self.seats[seat as usize].waits > 0;
        self.set_aside(seat, waits);
    }

    /// The thread at a seat is blocked until a task has ended.
    pub(super) fn blocks(&mut self, seat: u32, id: Id) -> AtSeat {
        self.seats[seat as usize].blocked_for = Some(id);
        self.at_seat(seat)
    }

    /// It is not any more.
    pub(super) fn blocks_no_more(&mut self, at: AtSeat) {
        if self.at_seat(at.seat) == at {
            self.seats[at.seat as usize].blocked_for = None;
        }
    }

    /// Whether a worker counts as one that works.
    pub(super) fn counts(&self, seat: u32) -> bool {
        let seat = &self.seats[seat as usize];
        !seat.aside && seat.shift == self.shift
    }

    fn set_aside(&mut self, seat: u32, aside: bool) {
        let seat = &mut self.seats[seat as usize];
        if seat.aside == aside {
            return;
        }
        seat.aside = aside;
        if seat.shift == self.shift {
            if aside {
                (self.workers, self.running) = (self.workers - 1, self.running - 1);
            } else {
                (self.workers, self.running) = (self.workers + 1, self.running + 1);
            }
        }
    }

    /// Whether another thread may be started for a worker that waits inside of its task.
    pub(super) fn has_stand_in(&self, threads: usize) -> bool {
        self.started < threads.saturating_add(STAND_INS)
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

    /// A worker has left its task, whatever that came to, and whatever it left waiting: a future
    /// that it has begun to wait for may lie somewhere.
    pub(super) fn returned(&mut self, seat: u32) {
        self.set_aside(seat, false);
        let seat = &mut self.seats[seat as usize];
        (seat.late, seat.waits, seat.blocked_for) = (false, 0, None);
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
