//! What a process on a worker does with the computations of the program: it makes the step in one of them.

use std::process::exit;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::refused;
use crate::bag::{MakePass, NamedState, TextPass};
use crate::cli::ProgramStep;
use crate::cluster::Call;
use crate::graph::Shared;
use crate::plan::{Digest, KnownState, Outcome, digest_of_values};
use crate::run::Context;
use crate::{Error, Result};

/// What a computation before the step came to; the step itself, if it is of one of these passes.
pub(super) fn in_step(
    step: &ProgramStep,
    call: &Call,
    passes: &[TextPass],
) -> Result<impl MakePass + 'static> {
    let Some(plan) = step.plan() else {
        let why = "the program computes on the cluster before it connects to it: connect first";
        exit(step.fail(&refused(why)).into());
    };
    // What a pass comes to depends on nothing but its digest, and on values that the plan has.
    if let Some(pass) = passes.iter().find(|pass| pass.digest() == plan.digest) {
        // Two threads may come to it: one makes it, and the process ends.
        STEP.begin();
        exit(step.make(plan, pass).into());
    }
    let of_call = |outcome: &&Outcome| outcome.computation == call.digest;
    let outcomes = || plan.before.outcomes.iter().filter(of_call);
    let Some(outcome) = outcomes().find(|outcome| outcome.nth == call.nth) else {
        wait_for_step(step, call, passes);
    };
    match &outcome.made {
        Err(failure) => Err(failure.error()),
        // Threads may have begun equal ones in another order.
        Ok(own) => {
            let others = outcomes().filter_map(|outcome| outcome.made.as_ref().ok()).flatten();
            Ok(KnownStates(own.iter().chain(others).cloned().collect()))
        }
    }
}

/// Waits for the step, to which another thread comes, in a computation that the client had not ended when it wrote the
/// plan. It ends the process if no thread comes to the step, or none can.
fn wait_for_step(step: &ProgramStep, call: &Call, passes: &[TextPass]) -> ! {
    /// Longer than a program takes from one computation to the next.
    const PATIENCE: Duration = Duration::from_secs(120);
    let begun = step.plan().map_or(&[][..], |plan| &plan.before.begun);
    if is_another(call, begun) {
        exit(step.fail(&another(passes)).into());
    }
    STEP.wait(PATIENCE);
    exit(step.fail(&nobody(passes)).into())
}

/// Whether the client began something else in the place of a computation, and this one nowhere.
fn is_another(call: &Call, begun: &[Digest]) -> bool {
    call.place.is_some_and(|place| place < begun.len()) && !begun.contains(&call.digest)
}

/// The step of this process, to which several threads may come.
static STEP: Gate = Gate::new();

/// Notes that a thread has come to another place of the program: the step may be next.
pub(super) fn came_on() {
    STEP.came_on();
}

/// Tells the threads that wait for a step of the one that makes it.
struct Gate {
    now: Mutex<Now>,
    changed: Condvar,
}

struct Now {
    /// Whether a thread makes the step.
    is_made: bool,
    /// How often threads have begun or ended a computation.
    moves: u64,
}

impl Gate {
    const fn new() -> Self {
        Self { now: Mutex::new(Now { is_made: false, moves: 0 }), changed: Condvar::new() }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The step begins. Whoever comes second waits for the end of the process.
    fn begin(&self) {
        let mut now = self.now();
        if !now.is_made {
            now.is_made = true;
            self.changed.notify_all();
            return;
        }
        loop {
            now = self.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn came_on(&self) {
        self.now().moves += 1;
        self.changed.notify_all();
    }

    /// Waits until no thread has come on for so long. While a thread makes the step it waits without an end.
    fn wait(&self, patience: Duration) {
        let mut now = self.now();
        loop {
            let moves = now.moves;
            let is_quiet = |now: &mut Now| !now.is_made && now.moves == moves;
            let waited = self.changed.wait_timeout_while(now, patience, is_quiet);
            let (after, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                return;
            }
            now = after;
            while now.is_made {
                now = self.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// The states of a computation, the most likely first.
struct KnownStates(Vec<KnownState>);

impl MakePass for KnownStates {
    fn make(&self, pass: &TextPass, values: &[Shared], _: &Context) -> Result<NamedState> {
        let (digest, values) = (pass.digest(), digest_of_values(&pass.encode(values)?));
        let of_pass = |state: &&KnownState| state.pass == digest;
        // Values may differ in each process, as a time does: then it is that of the client.
        let exact = self.0.iter().filter(of_pass).find(|state| state.values == values);
        let state = exact.or_else(|| self.0.iter().find(of_pass));
        let state = state.ok_or_else(|| another(std::slice::from_ref(pass)))?;
        Ok(("the state of all".to_owned(), state.bytes.open()))
    }
}

/// The error for a step that finds another computation than its plan is of.
fn another(passes: &[TextPass]) -> Error {
    let names: Vec<String> = passes.iter().map(TextPass::name).collect();
    refused(&format!(
        "the program builds another computation on the worker ({}) than where it was started: what it builds may \
         depend on its arguments, and on nothing else that differs there",
        names.join("; ")
    ))
}

/// The error for a step to which no thread comes.
fn nobody(passes: &[TextPass]) -> Error {
    let names: Vec<String> = passes.iter().map(TextPass::name).collect();
    refused(&format!(
        "no thread of the program came to the computation of this step within two minutes, and one waits for it in \
         another ({}): begin the same computations on workers as where the program was started",
        names.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn a_wait_for_a_step_lasts_as_long_as_another_thread_makes_it() {
        let gate = Arc::new(Gate::new());
        gate.wait(SOON);
        gate.begin();
        let (ended, ends) = channel();
        for waits in [|gate: &Gate| gate.wait(SOON), Gate::begin] {
            let (gate, ended) = (Arc::clone(&gate), ended.clone());
            // Such a thread ends with the process.
            thread::spawn(move || {
                waits(&gate);
                let _ = ended.send(());
            });
        }
        gate.came_on();
        assert_eq!(ends.recv_timeout(SOON * 10), Err(RecvTimeoutError::Timeout));
    }

    #[test]
    fn only_a_computation_that_is_nowhere_among_those_begun_is_another() {
        let [a, b, other] = [b"a".as_slice(), b"b", b"other"].map(Digest::of);
        let is = |digest, place| is_another(&Call { digest, nth: 0, place }, &[a, b]);
        assert!(is(other, Some(0)) && is(other, Some(1)));
        // It may come behind them, on another thread, or among futures that wait for each other's end.
        assert!(!is(other, Some(2)) && !is(other, None));
        assert!(!is(b, Some(0)) && !is(a, None));
    }
}
