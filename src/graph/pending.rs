//! Tasks that are futures, and the tasks of their engine that these wait for.
//!
//! A future goes on by itself, so nothing is stuck while one is under way. But one that awaits a
//! task of its own engine goes on only when that task has ended. Such a future counts as one that
//! waits, as a worker does that waits inside of its task: where all that is left waits like this, the
//! engine has to give up something.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;

use super::engine::Engine;
use super::plan::Ticket;
use super::sync::thread_local;
use super::worker::Coming;

thread_local! {
    /// The futures that this thread polls, one inside of the other.
    static POLLED: RefCell<Vec<Polled>> = const { RefCell::new(Vec::new()) };
}

/// The future of a task that is being polled.
struct Polled {
    /// The number of its engine.
    engine: u64,
    ticket: Ticket,
    /// Whether the engine was told that it waits for another task.
    waits: bool,
}

/// Notes that the future which this thread polls, if it is of a task of this engine, waits for
/// another task of it. Returns the future's task.
pub(super) fn waits(engine: u64) -> Option<Ticket> {
    POLLED.with(|polled| {
        let mut polled = polled.borrow_mut();
        let polled = polled.iter_mut().rfind(|polled| polled.engine == engine)?;
        polled.waits = true;
        Some(polled.ticket)
    })
}

/// The future of a task, which tells its engine when it goes on after it has waited for another.
pub(super) fn heard(engine: &Arc<Engine>, ticket: Ticket, mut future: Coming) -> Coming {
    let (number, engine) = (engine.number, Arc::downgrade(engine));
    let mut waits = false;
    let goes_on = move || {
        if let Some(engine) = engine.upgrade() {
            engine.with_state(|state| state.plan.goes_on(ticket));
        }
    };
    Box::pin(poll_fn(move |context| {
        if std::mem::take(&mut waits) {
            goes_on();
        }
        let polling = Polling::of(number, ticket);
        let came = future.as_mut().poll(context);
        waits = polling.waits();
        if came.is_ready() && std::mem::take(&mut waits) {
            goes_on();
        }
        came
    }))
}

/// A future that is being polled, until this is dropped.
struct Polling;

impl Polling {
    fn of(engine: u64, ticket: Ticket) -> Self {
        let polled = Polled { engine, ticket, waits: false };
        POLLED.with(|all| all.borrow_mut().push(polled));
        Self
    }

    fn waits(&self) -> bool {
        POLLED.with(|all| all.borrow().last().is_some_and(|polled| polled.waits))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        POLLED.with(|all| all.borrow_mut().pop());
    }
}
