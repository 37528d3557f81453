//! Progress on a terminal, by a thread that only looks at counters.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::table::{bytes, cut};
use super::underway::{Stage, Stretch, Underway, works};
use super::{Event, Observer, What};

/// Before this, a run is too short to be told about.
const QUIET: Duration = Duration::from_millis(500);
const REDRAW: Duration = Duration::from_millis(100);
/// So many kinds of running tasks are named.
const NAMED: usize = 4;

/// A progress bar on standard error: how many of the tasks known so far have ended, what was read
/// and how fast, what runs now.
///
/// It appears after half a second, is drawn ten times a second, and is erased at the end of the run,
/// by [`clear`](Self::clear), and when it is dropped; for a client also while there is nothing to do. Where standard
/// error is not a terminal nothing is drawn. As text it is one line, for whoever wants to print a
/// last one.
///
/// ```
/// use std::sync::Arc;
///
/// let bar = Arc::new(creel::watch::Bar::new());
/// let squares = (0..100_u64).map(|n| creel::delayed(n).map(|n| n * n));
/// let sum = creel::delayed::all(squares).map(|squares| squares.iter().map(|n| **n).sum::<u64>());
/// assert_eq!(creel::Run::new().observer(Arc::clone(&bar)).compute_blocking(&sum)?, 328_350);
/// eprintln!("{bar}");
/// # let line = bar.to_string();
/// # assert!(line.contains(" tasks, ") && !line.contains('\n'), "{line}");
/// # Ok::<(), creel::Error>(())
/// ```
///
/// ```text
/// ███████████░░░░░░░░░ 17/31 tasks, 512.00 MiB, 240.94 MiB/s, 2.1s, lane x2, merge
/// ```
///
/// A graph grows as it runs, and so does the number of known tasks. It takes some 100 bytes for
/// each task under way, and some ten for each that has ended and is not dropped. A task costs 0.15
/// microseconds.
#[derive(Debug)]
pub struct Bar {
    counts: Arc<Mutex<Counts>>,
    /// Whether there is something to draw on.
    terminal: bool,
    /// How long nothing is drawn.
    quiet: Option<Duration>,
    drawn: Mutex<Option<Drawn>>,
}

#[derive(Debug, Default)]
struct Counts {
    underway: Underway,
    planned: u64,
    ended: u64,
    /// Planned, but dropped before they ended.
    gone: u64,
    /// Those that have ended and are not dropped yet.
    held: HashSet<u64>,
    failed: u64,
    bytes: u64,
    /// How many of each kind run now.
    running: BTreeMap<Box<str>, u64>,
    /// The first event and the last.
    span: Option<(Instant, Instant)>,
}

/// A thread that draws until all has ended; it erases what it drew, and ends, when this is
/// dropped.
#[derive(Debug)]
struct Drawn {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    /// A bar for a run that is about to begin.
    pub fn new() -> Self {
        Self {
            counts: Arc::default(),
            terminal: io::stderr().is_terminal(),
            quiet: Some(QUIET),
            drawn: Mutex::default(),
        }
    }

    /// The same bar, which appears with the first task.
    pub fn at_once(self) -> Self {
        Self { quiet: None, ..self }
    }

    /// Erases the bar. It comes back if it is told of further tasks.
    pub fn clear(&self) {
        // Those who tell of a task meanwhile need not wait for the thread.
        let drawn = lock(&self.drawn).take();
        drop(drawn);
    }

    /// Makes sure that there is somebody who draws.
    fn draw(&self) {
        let mut drawn = lock(&self.drawn);
        if drawn.as_ref().is_none_or(Drawn::is_over) {
            *drawn = Some(Drawn::start(Arc::clone(&self.counts), self.quiet));
        }
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Bar {
    fn event(&self, event: &Event<'_>) {
        lock(&self.counts).event(event);
        if self.terminal && matches!(event.what, What::Started) {
            self.draw();
        }
    }

    fn ended(&self) {
        self.clear();
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = lock(&self.counts);
        let elapsed = counts.span.map_or(Duration::ZERO, |(first, last)| last - first);
        let s = if counts.ended == 1 { "" } else { "s" };
        write!(f, "{} task{s}, {}", counts.ended, counts.told(elapsed))
    }
}

impl Counts {
    fn event(&mut self, event: &Event<'_>) {
        let (first, last) = self.span.unwrap_or((event.at, event.at));
        self.span = Some((first.min(event.at), last.max(event.at)));
        let past = self.underway.follow(event);
        if past.is_some_and(|past| past.stage == Stage::Working) {
            self.leave(event.task.kind);
        }
        if works(event.what) {
            self.enter(event.task.kind);
        }
        match event.what {
            What::Planned => self.planned += 1,
            What::Read { bytes, .. } => self.bytes += bytes,
            What::Done => _ = self.end(event, past),
            What::Failed { .. } => self.failed += u64::from(self.end(event, past)),
            What::Dropped => self.gone += u64::from(!self.held.remove(&event.task.id)),
            What::Ready | What::Started | What::Waiting | What::Retried { .. } => {}
        }
    }

    /// A task has ended; one that had been dropped counts no more.
    fn end(&mut self, event: &Event<'_>, past: Option<Stretch>) -> bool {
        let counts = past.is_some_and(|past| !past.dropped);
        if counts {
            self.ended += 1;
            self.held.insert(event.task.id);
        }
        counts
    }

    /// One more of this kind runs.
    fn enter(&mut self, kind: &str) {
        match self.running.get_mut(kind) {
            Some(running) => *running += 1,
            None => _ = self.running.insert(kind.into(), 1),
        }
    }

    /// One of this kind no longer runs.
    fn leave(&mut self, kind: &str) {
        if let Some(running) = self.running.get_mut(kind) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(kind);
            }
        }
    }

    /// How many tasks there are, as far as that was told: it may be told late.
    fn known(&self) -> u64 {
        let running = self.ended + self.underway.len() as u64;
        self.planned.saturating_sub(self.gone).max(running)
    }

    /// Whether no task is known that has not ended.
    fn is_idle(&self) -> bool {
        self.known() == self.ended
    }

    /// What goes behind the number of tasks.
    fn told(&self, elapsed: Duration) -> String {
        let mut told = Vec::new();
        if self.failed > 0 {
            told.push(format!("{} failed", self.failed));
        }
        if self.bytes > 0 {
            let rate = self.bytes as f64 / elapsed.as_secs_f64().max(1e-9);
            told.push(format!("{}, {}/s", bytes(self.bytes), bytes(rate as u64)));
        }
        told.push(format!("{:.1}s", elapsed.as_secs_f64()));
        told.extend(self.running.iter().take(NAMED).map(|(kind, &n)| match n {
            1 => cut(kind),
            n => format!("{} x{n}", cut(kind)),
        }));
        if self.running.len() > NAMED {
            told.push("…".to_owned());
        }
        told.join(", ")
    }
}

impl Drawn {
    fn start(counts: Arc<Mutex<Counts>>, quiet: Option<Duration>) -> Self {
        let (end, ended) = mpsc::channel();
        let drawing = move || draw(&counts, quiet, &ended);
        // Without a thread there is no bar, and the result is none the worse.
        let thread = Builder::new().name("creel bar".to_owned()).spawn(drawing).ok();
        Self { end: Some(end), thread }
    }

    fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn draw(counts: &Mutex<Counts>, quiet: Option<Duration>, ended: &Receiver<()>) {
    let goes_on = |time| matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    if quiet.is_some_and(|quiet| !goes_on(quiet)) {
        return;
    }
    let bar = ProgressBar::hidden();
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} tasks, {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let now = lock(counts);
        let elapsed = now.span.map_or(Duration::ZERO, |(first, _)| first.elapsed());
        let (done, known, told) = (now.ended, now.known(), now.told(elapsed));
        drop(now);
        bar.set_length(known);
        bar.set_position(done);
        bar.set_message(match crate::progress::waiting() {
            Some(waiting) => format!("{told}, {waiting}"),
            None => told,
        });
        if bar.is_hidden() {
            // From here on, so that nothing is drawn before all of it is known.
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        bar.tick();
        // A client may have nothing to do for long.
        if !goes_on(REDRAW) || lock(counts).is_idle() {
            return bar.finish_and_clear();
        }
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
