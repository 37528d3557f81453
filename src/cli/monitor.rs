//! Progress on standard error, by a thread that only looks at counters.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::When;
use super::message::{self, say};
use super::record::{ProgressRecord, Record};
use crate::progress::Progress;
use crate::run::Context;
use crate::watch::{Event, Observer, What};

/// Before this, a run is too short to be told about.
const QUIET: Duration = Duration::from_millis(500);
const REDRAW: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(2);
const RECORD_EVERY: Duration = Duration::from_millis(200);
/// How often it is looked whether something is waited for.
const LOOK: Duration = Duration::from_millis(250);
/// Waits of so long together are told.
const WAITS_LONG: Duration = Duration::from_secs(3);
const STDIN_NOTICE: Duration = Duration::from_secs(1);

/// What is shown while a run goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) when: When,
    /// Records are printed to the terminal that progress would be drawn on.
    pub(crate) streams_to_terminal: bool,
    /// Standard input is read, and is a terminal: say so, for it looks as if nothing happened.
    pub(crate) waits_for_typing: bool,
    /// Something is read over a network, which may have to be waited for.
    pub(crate) reads_network: bool,
}

/// A running thread; it ends, and clears what it drew, when this is dropped.
#[derive(Debug)]
pub(crate) struct Monitor {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Starts to watch a run, if there is anything to show of it.
    pub(crate) fn start(progress: Arc<Progress>, shown: Shown) -> Self {
        let terminal = io::stderr().is_terminal()
            && terminal_size::terminal_size_of(io::stderr()).is_some_and(|(width, _)| width.0 > 0);
        let wanted = match shown.when {
            When::Never => false,
            When::Always | When::Json => true,
            When::Auto => terminal && !shown.streams_to_terminal && !shown.waits_for_typing,
        };
        // A line about a long wait is no progress: only who wants none gets none.
        let tells_waits = !wanted && shown.reads_network && shown.when == When::Auto;
        if !wanted && !shown.waits_for_typing && !tells_waits {
            return Self { end: None, thread: None };
        }
        let (end, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name("creel monitor".into());
        let thread = thread.spawn(move || {
            let wait = |time| matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout));
            if shown.waits_for_typing && wait(STDIN_NOTICE) {
                say("reading standard input, as typed; Ctrl-D ends it");
            }
            match (wanted, terminal) {
                (false, _) if tells_waits => tell_waits(&progress, wait),
                (false, _) => {}
                (true, _) if shown.when == When::Json => tell_records(&progress, wait),
                (true, true) => draw(&progress, shown.when == When::Always, wait),
                (true, false) => tell(&progress, wait),
            }
        });
        // Without it nothing is drawn, and the result is none the worse.
        Self { end: Some(end), thread: thread.ok() }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It only draws: if that failed, the result is none the worse.
            let _ = thread.join();
        }
    }
}

fn draw(progress: &Progress, at_once: bool, wait: impl Fn(Duration) -> bool) {
    // Hidden at first, so that its clock starts with the run and rates are those of all of it.
    let bar = ProgressBar::hidden();
    bar.set_style(style("{binary_bytes} {binary_bytes_per_sec} {msg}"));
    if !at_once && !wait(QUIET) {
        return;
    }
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    let mut total = 0;
    loop {
        let read = progress.bytes_read();
        // More is read than there is where a record reaches over several partitions.
        let known = match progress.bytes_total() {
            0 => 0,
            bytes => bytes.max(read),
        };
        bar.set_position(read);
        if known != total {
            total = known;
            bar.set_style(style(
                "{wide_bar} {binary_bytes} of {binary_total_bytes} {binary_bytes_per_sec} ETA {eta} \
                 {msg}",
            ));
            bar.set_length(total);
        }
        bar.set_message(progress.waiting().unwrap_or_default());
        bar.tick();
        if !wait(REDRAW) {
            return bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// For a log file: a line now and then, and one at the end.
fn tell(progress: &Progress, wait: impl Fn(Duration) -> bool) {
    let start = Instant::now();
    loop {
        let goes_on = wait(LINE_EVERY);
        let waiting = progress.waiting().map(|waiting| format!("; {waiting}"));
        say(summary(progress, start.elapsed()) + &waiting.unwrap_or_default());
        if !goes_on {
            return;
        }
    }
}

/// For a launcher: a record now and then, and one at the end.
fn tell_records(progress: &Progress, wait: impl Fn(Duration) -> bool) {
    let start = Instant::now();
    loop {
        let goes_on = wait(RECORD_EVERY);
        message::tell(&Record::Progress(ProgressRecord::of(progress, start.elapsed())));
        if !goes_on {
            return;
        }
    }
}

/// Counts the records that a run reads, which costs a look at each line end: only launchers are told.
struct RecordsOf(Arc<Progress>);

impl Observer for RecordsOf {
    fn event(&self, event: &Event<'_>) {
        if let What::Read { records, .. } = event.what {
            self.0.add_records(records);
        }
    }
}

/// Has the records of a run counted, if they are told.
pub(super) fn count_records(when: When, context: &mut Context) {
    if when == When::Json {
        context.observers.add(RecordsOf(Arc::clone(&context.progress)));
    }
}

/// One line, if a network has to be waited for for longer than a moment: what for, why, and how long.
fn tell_waits(progress: &Progress, wait: impl Fn(Duration) -> bool) {
    let mut waited = Duration::ZERO;
    while wait(LOOK) {
        let Some(waiting) = progress.waiting() else { continue };
        waited += LOOK;
        if waited >= WAITS_LONG {
            return say(waiting);
        }
    }
}

/// How much was read, and how fast.
pub(crate) fn summary(progress: &Progress, elapsed: Duration) -> String {
    let (read, total) = (progress.bytes_read(), progress.bytes_total());
    let rate = read as f64 / elapsed.as_secs_f64().max(1e-9);
    let of = if total > 0 && total >= read {
        format!(" of {}", HumanBytes(total))
    } else {
        String::new()
    };
    format!("read {}{of}, {}/s", HumanBytes(read), HumanBytes(rate as u64))
}
