//! Ctrl-C and its kin: only the command touches signals, never the library.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::message::{INTERRUPTED, interrupted};
use crate::output::{Calls, is_ready, remove_unfinished};
use crate::run::Stop;

/// Whether the run was interrupted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(SeqCst)
    }
}

/// What the first Ctrl-C does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// It ends the input, so that what was read is still printed.
    EndsInput,
    /// It ends the run, of which nothing is written then.
    EndsRun,
}

impl First {
    /// What it does where the output is `replaced` as a whole, or written as it is made.
    pub(crate) fn of(replaced: bool) -> Self {
        if replaced { Self::EndsRun } else { Self::EndsInput }
    }
}

/// Has the first Ctrl-C end the input or the run, and anything after it kill the process. Either way
/// no temporary file stays. Output that nobody takes is not waited for any more after the first.
pub(crate) fn watch(stop: Stop, calls: Arc<Calls>, first: First) -> Interrupted {
    let interrupted = Interrupted::default();
    // The fuzzer runs in one process many times.
    if cfg!(fuzzing) {
        return interrupted;
    }
    // Past `ulimit -f` a write fails and is told, where the signal would kill without a word.
    #[cfg(unix)]
    let _unset =
        signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), Arc::default());
    // Without signal handlers the run is as good; only its temporary file may stay.
    let ignored = ignored();
    let is_handled = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    if let Ok(mut signals) = Signals::new(SIGNALS.into_iter().filter(is_handled)) {
        let (flag, handle) = (interrupted.clone(), signals.handle());
        let watching = start("creel signals", move || {
            for signal in signals.forever() {
                if signal == SIGINT && !flag.0.swap(true, SeqCst) {
                    match first {
                        First::EndsInput => stop.stop(),
                        First::EndsRun => stop.cancel(),
                    }
                    let calls = Arc::clone(&calls);
                    // Without it, the second signal ends a run whose output nobody takes.
                    let _ = start("creel patience", move || give_up(&calls));
                } else {
                    die_by(signal);
                }
            }
        });
        if watching.is_err() {
            handle.close();
        }
    }
    interrupted
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// As long as a reader may take nothing after an interrupt, before the output is given up.
const PATIENCE: Duration = Duration::from_millis(200);

/// Ends the process if, after an interrupt, it waits for somebody who takes what it writes: the
/// reader of a pipe that is full, a named pipe that has none, a terminal that is stopped.
fn give_up(calls: &Calls) {
    let blocked = || calls.blocked().or_else(|| (!is_ready(io::stderr())).then_some(u64::MAX));
    let mut before = None;
    loop {
        std::thread::sleep(PATIENCE);
        let now = blocked();
        if now.is_some() && now == before {
            let _none = remove_unfinished();
            if is_ready(io::stderr()) {
                interrupted("interrupted: the output is not complete, for nobody reads it");
            }
            std::process::exit(INTERRUPTED.into());
        }
        before = now;
    }
}

#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::signal::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// The signals, a bit each, that whoever started this process had ignored, as `nohup` does, and shells for
/// Ctrl-C and jobs in the background: they stay so.
fn ignored() -> u64 {
    // Linux tells in a file; elsewhere it takes unsafe code to ask.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Ends as if the signal had not been handled, so that the shell sees what happened.
fn die_by(signal: i32) {
    let _none = remove_unfinished();
    let _ = emulate_default_handler(signal);
    std::process::exit(128 + signal);
}

/// Ends as a program does whose reader went away: silently.
pub(crate) fn die_of_broken_pipe() -> ! {
    let _none = remove_unfinished();
    #[cfg(unix)]
    let _ = emulate_default_handler(signal_hook::consts::signal::SIGPIPE);
    std::process::exit(141);
}
