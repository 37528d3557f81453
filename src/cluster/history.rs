//! What this process has computed on clusters.
//!
//! A process on a worker does what the program did before its step, and takes what computations came to from the
//! plan. So it has to know them again: by the digest of all that they are made of, and by how many of that digest were
//! begun before. Rejected: numbers in the order in which they are begun, as threads begin theirs in any order.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;

use crate::Result;
use crate::plan::{Before, Digest, Failure, KnownState, Outcome, StateBytes, StateFile};

/// A computation, as it was begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// What it is made of.
    pub(crate) digest: Digest,
    /// How many of that digest were begun before.
    pub(crate) nth: u32,
    /// Its place among those that the thread of `main` has begun, if it is one and their order is the same in each
    /// process.
    pub(crate) place: Option<usize>,
}

#[derive(Default)]
struct History {
    /// How many computations of a digest were begun.
    begun: HashMap<Digest, u32>,
    /// Those that the thread of `main` has begun one behind the other, each when that before it had ended.
    of_main: Vec<Digest>,
    /// Whether that thread has begun one for which it did not wait: futures may come to theirs in any order.
    is_async: bool,
    /// The first of these that has a pass of a digest.
    first: HashMap<Digest, usize>,
    /// What computations came to, with their places.
    outcomes: Vec<(Option<usize>, Outcome)>,
    /// The states of all, which later plans have.
    states: Option<StateFile>,
}

impl History {
    /// A computation begins, of these passes.
    fn begin(&mut self, passes: &[Digest], is_main: bool, is_awaited_here: bool) -> Call {
        let digest = Digest::of_all(passes);
        let counted = self.begun.entry(digest).or_default();
        let nth = std::mem::replace(counted, *counted + 1);
        self.is_async |= is_main && !is_awaited_here;
        let place = (is_main && !self.is_async).then_some(self.of_main.len());
        if let Some(place) = place {
            self.of_main.push(digest);
            passes.iter().for_each(|pass| {
                self.first.entry(*pass).or_insert(place);
            });
        }
        Call { digest, nth, place }
    }

    /// What computations came to that have ended, as far as a process has to know it that comes to the first pass of
    /// this digest: in a loop over one bag nothing of the rounds before.
    fn before(&self, pass: &Digest) -> Before {
        let first = self.first.get(pass);
        let is_needed = |place: &Option<usize>| match (place, first) {
            (Some(place), Some(first)) => place < first,
            // Other threads and futures may come to theirs at any time.
            (None, _) | (_, None) => true,
        };
        let needed = self.outcomes.iter().filter(|(place, _)| is_needed(place));
        let outcomes = needed.map(|(_, outcome)| outcome.clone()).collect();
        // The process goes no further.
        let begun = &self.of_main[..first.map_or(self.of_main.len(), |first| first + 1)];
        Before { outcomes, begun: begun.to_vec() }
    }
}

static HISTORY: LazyLock<Mutex<History>> = LazyLock::new(Mutex::default);

/// The thread of `main`.
static MAIN: OnceLock<ThreadId> = OnceLock::new();

fn history() -> MutexGuard<'static, History> {
    HISTORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that this is the thread of `main`.
pub(crate) fn note_main() {
    let _ = MAIN.set(std::thread::current().id());
}

/// Notes that this thread begins a computation that is made of these passes, and whether it waits for its end.
pub(crate) fn begin(passes: &[Digest], is_awaited_here: bool) -> Call {
    let is_main = MAIN.get() == Some(&std::thread::current().id());
    history().begin(passes, is_main, is_awaited_here)
}

/// Notes what a computation came to.
pub(crate) fn end(call: &Call, made: Result<Vec<KnownState>, Failure>) {
    let outcome = Outcome { computation: call.digest, nth: call.nth, made };
    history().outcomes.push((call.place, outcome));
}

/// What the plan of a pass of this digest has of the computations that have ended.
pub(super) fn before(pass: &Digest) -> Before {
    history().before(pass)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn end(history: &mut History, call: Call) {
        let made = Ok(Vec::new());
        let outcome = Outcome { computation: call.digest, nth: call.nth, made };
        history.outcomes.push((call.place, outcome));
    }

    #[test]
    fn a_plan_has_what_stands_before_the_first_pass_of_its_digest() {
        let [once, round, other] = [b"once".as_slice(), b"round", b"other"].map(Digest::of);
        let mut history = History::default();
        let mut compute = |pass: Digest, is_main: bool| {
            let call = history.begin(&[pass], is_main, true);
            let before = history.before(&pass);
            end(&mut history, call);
            (call.nth, call.place, before.outcomes.len(), before.begun.len())
        };
        assert_eq!(compute(once, true), (0, Some(0), 0, 1));
        // Each round of a loop needs what stands before the loop.
        assert_eq!(compute(round, true), (0, Some(1), 1, 2));
        assert_eq!(compute(round, true), (1, Some(2), 1, 2));
        assert_eq!(compute(round, true), (2, Some(3), 1, 2));
        // Another thread may do anything before.
        assert_eq!(compute(other, false), (0, None, 4, 4));
        assert_eq!(compute(round, true), (3, Some(4), 2, 2));
    }

    #[test]
    fn futures_of_the_thread_of_main_have_no_order() {
        let [first, a, b] = [b"first".as_slice(), b"a", b"b"].map(Digest::of);
        let mut history = History::default();
        let call = history.begin(&[first], true, true);
        end(&mut history, call);
        // Two chains of computations: that of `a` is quicker here.
        let of_a = history.begin(&[a], true, false);
        let of_b = history.begin(&[b], true, false);
        assert_eq!((of_a.place, of_b.place), (None, None));
        [of_a, of_b].into_iter().for_each(|call| end(&mut history, call));
        assert_eq!(history.begin(&[a], true, false).place, None);
        // What they have made goes with each later plan, as a process may come to any of it first.
        let before = history.before(&a);
        assert_eq!((before.outcomes.len(), before.begun), (3, vec![call.digest]));
        assert_eq!(history.begin(&[b], true, true).place, None);
    }
}
