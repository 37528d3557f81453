//! What this process has computed on clusters.
//!
//! A process on a worker does what the program did before its step, and takes what computations came to from the
//! plan. So it has to know them again: by the digest of all that they are made of, and by how many of that digest were
//! begun before. Rejected: numbers in the order in which they are begun, as threads begin theirs in any order.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;

use crate::Result;
use crate::plan::{Before, Digest, KnownState, Outcome, StateBytes, StateFile};

/// A computation, as it was begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// What it is made of.
    pub(crate) digest: Digest,
    /// How many of that digest were begun before.
    pub(crate) nth: u32,
    /// Its place among those that the thread of `main` has begun, if it is one.
    pub(crate) place: Option<usize>,
}

struct History {
    /// How many computations of a digest were begun.
    begun: Option<HashMap<Digest, u32>>,
    before: Before,
    /// The states of all, which later plans have.
    states: Option<StateFile>,
}

static HISTORY: Mutex<History> =
    Mutex::new(History { begun: None, before: Before::new(), states: None });

/// The thread of `main`.
static MAIN: OnceLock<ThreadId> = OnceLock::new();

fn history() -> MutexGuard<'static, History> {
    HISTORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that this is the thread of `main`.
pub(crate) fn note_main() {
    let _ = MAIN.set(std::thread::current().id());
}

/// Notes that this thread begins a computation that is made of these passes.
pub(crate) fn begin(passes: &[Digest]) -> Call {
    let digest = Digest::of_all(passes);
    let is_main = MAIN.get() == Some(&std::thread::current().id());
    let mut history = history();
    let counted = history.begun.get_or_insert_default().entry(digest).or_default();
    let nth = std::mem::replace(counted, *counted + 1);
    let begun = &mut history.before.begun;
    let place = is_main.then(|| {
        begun.push(digest);
        begun.len() - 1
    });
    Call { digest, nth, place }
}

/// Notes what a computation came to.
pub(crate) fn end(call: &Call, made: Result<Vec<KnownState>, String>) {
    let outcome = Outcome { computation: call.digest, nth: call.nth, made };
    history().before.outcomes.push(outcome);
}

/// What the computations came to that have ended.
pub(super) fn before() -> Before {
    history().before.clone()
}

/// Keeps a state for later plans, in a file in this folder or in that of the first.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if the file cannot be written.
pub(super) fn keep(state: &mut dyn Read, folder: Option<&Path>) -> Result<StateBytes> {
    let mut history = history();
    if history.states.is_none() {
        history.states = Some(StateFile::new(folder)?);
    }
    match &mut history.states {
        Some(states) => states.keep(state),
        None => unreachable!("it was made above"),
    }
}
