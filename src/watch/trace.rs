//! A run as a file that trace viewers show on a time line.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::json::{Micros, Quoted};
use super::underway::{Stage, Stretch, Underway, thread};
use super::{Event, Observer, What};
use crate::{Error, Result};

/// Counters that change with every task are written this often at most.
const COUNTED_EVERY: Duration = Duration::from_millis(1);

/// Writes what happens to a file in Chrome's Trace Event Format, which <https://ui.perfetto.dev>
/// and `chrome://tracing` open.
///
/// Each thread is a track with the tasks that it worked on, by their kind; a click on one tells its
/// name, its number and how long it was queued. What waits for a future, a limit or its next try
/// has a track of its own; retries and failures are marks, with their errors; bytes read and
/// values in memory are curves.
///
/// ```
/// use std::sync::Arc;
///
/// use creel::watch::Trace;
///
/// let path = std::env::temp_dir().join("creel-trace.json");
/// let trace = Arc::new(Trace::create(&path)?);
/// let ten = creel::delayed(9).map(|n| n + 1).named("add");
/// assert_eq!(creel::Run::new().observer(Arc::clone(&trace)).compute_blocking(&ten)?, 10);
/// trace.finish()?;
///
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.starts_with("[\n") && text.ends_with("\n]\n"));
/// assert!(text.contains(r#""name":"add""#));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), creel::Error>(())
/// ```
///
/// The file grows as the run goes, by some 300 bytes a task, and what is held in memory is some
/// 100 bytes for each task under way and for each value alive. If the process dies, the file lacks
/// its end, which viewers put up with. Dropping the trace finishes it too, but leaves nobody to
/// tell of a full disk. A task costs about 0.6 microseconds.
#[derive(Debug)]
pub struct Trace {
    path: PathBuf,
    file: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    /// Until it is finished, or could not be written.
    out: Option<BufWriter<File>>,
    /// Why it could not.
    fault: Option<io::Error>,
    start: Instant,
    process: u32,
    underway: Underway,
    /// The threads whose names are written.
    named: HashSet<u64>,
    /// The tasks that have a value in memory.
    alive: HashSet<u64>,
    bytes: u64,
    /// When the counters were written last.
    counted: Option<Instant>,
    /// The last that happened.
    last: Instant,
    /// The start of the text of the next event.
    separator: &'static str,
}

impl Trace {
    /// Creates the file; one of this name is overwritten.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] where that cannot be.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let file = File::create(&path).map_err(|source| output(&path, source))?;
        let start = Instant::now();
        let writer = Writer {
            out: Some(BufWriter::new(file)),
            fault: None,
            start,
            process: std::process::id(),
            underway: Underway::default(),
            named: HashSet::new(),
            alive: HashSet::new(),
            bytes: 0,
            counted: None,
            last: start,
            separator: "[\n",
        };
        Ok(Self { path, file: Mutex::new(writer) })
    }

    /// Writes the end of the file. What happens from now on is not in it.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] where this, or anything before, could not be written.
    pub fn finish(&self) -> Result<()> {
        self.lock().finish().map_err(|source| output(&self.path, source))
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Trace {
    fn event(&self, event: &Event<'_>) {
        self.lock().event(event);
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // Who wants to know calls `finish`.
        let _ = self.lock().finish();
    }
}

impl Writer {
    fn event(&mut self, event: &Event<'_>) {
        if self.out.is_none() {
            return;
        }
        self.last = self.last.max(event.at);
        let past = self.underway.follow(event);
        if self.named.insert(thread()) {
            self.name_thread(event.at);
        }
        match past {
            Some(past) if past.stage == Stage::Working => self.worked(event, &past),
            Some(past) if past.stage == Stage::Waiting => self.waited(event, &past),
            _ => {}
        }
        match event.what {
            What::Read { bytes, .. } => self.bytes += bytes,
            What::Retried { error, .. } => self.mark("retried", event, error),
            What::Failed { error } => self.mark("failed", event, error),
            What::Done if past.is_some_and(|past| !past.dropped) => {
                self.alive.insert(event.task.id);
            }
            What::Dropped => _ = self.alive.remove(&event.task.id),
            What::Planned | What::Ready | What::Started | What::Waiting | What::Done => return,
        }
        let due = |then| event.at.saturating_duration_since(then) >= COUNTED_EVERY;
        if self.counted.is_none_or(due) {
            self.count(event.at);
        }
    }

    /// A thread worked on a task from then until now.
    fn worked(&mut self, event: &Event<'_>, past: &Stretch) {
        let Event { at, task, .. } = event;
        let took = Micros(at.saturating_duration_since(past.since));
        let (id, name, queued) = (task.id, Quoted(task.name), Micros(past.queued));
        self.write(
            "X",
            task.kind,
            past.thread,
            past.since,
            format_args!(r#""dur":{took},"args":{{"task":{name},"id":{id},"queued us":{queued}}}"#),
        );
    }

    /// A task waited from then until now. Both ends are written now, so that neither lacks the
    /// other.
    fn waited(&mut self, event: &Event<'_>, past: &Stretch) {
        let Event { at, task, .. } = event;
        let (id, name) = (task.id, Quoted(task.name));
        let args = format_args!(r#""id2":{{"local":"{id}"}},"args":{{"task":{name}}}"#);
        self.write("b", task.kind, past.thread, past.since, args);
        self.write("e", task.kind, past.thread, *at, args);
    }

    /// Something happened to a task that is worth a mark.
    fn mark(&mut self, what: &str, event: &Event<'_>, error: &Error) {
        let (name, error) = (Quoted(event.task.name), Quoted(error));
        self.write(
            "i",
            what,
            thread(),
            event.at,
            format_args!(r#""s":"t","args":{{"task":{name},"error":{error}}}"#),
        );
    }

    /// Writes the counters.
    fn count(&mut self, at: Instant) {
        self.counted = Some(at);
        let (bytes, alive) = (self.bytes, self.alive.len());
        // Viewers show the two names of a counter one behind the other.
        self.write("C", "read", 0, at, format_args!(r#""args":{{"bytes":{bytes}}}"#));
        self.write("C", "values", 0, at, format_args!(r#""args":{{"in memory":{alive}}}"#));
    }

    fn name_thread(&mut self, at: Instant) {
        let current = std::thread::current();
        let name = Quoted(current.name().unwrap_or("a thread without a name"));
        let args = format_args!(r#""args":{{"name":{name}}}"#);
        self.write("M", "thread_name", thread(), at, args);
    }

    fn write(
        &mut self,
        phase: &str,
        name: &str,
        thread: u64,
        at: Instant,
        rest: fmt::Arguments<'_>,
    ) {
        let Some(out) = &mut self.out else { return };
        let (name, at) = (Quoted(name), Micros(at.saturating_duration_since(self.start)));
        let written = write!(
            out,
            r#"{}{{"ph":"{phase}","cat":"task","name":{name},"pid":{},"tid":{thread},"ts":{at},{rest}}}"#,
            self.separator, self.process,
        );
        // It stands before each further event, not behind each, so that the end may be missing.
        self.separator = ",\n";
        if let Err(fault) = written {
            self.fault = Some(fault);
            self.out = None;
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.count(self.last);
        let flushed = match self.out.take() {
            Some(mut out) => out.write_all(b"\n]\n").and_then(|()| out.flush()),
            None => Ok(()),
        };
        self.fault.take().map_or(flushed, Err)
    }
}

fn output(path: &Path, source: io::Error) -> Error {
    Error::Output { path: path.display().to_string(), source: source.into() }
}
