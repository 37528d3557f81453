//! The process that runs a plan on a cluster: `python3 -m creel_dask submit --attached`.
//!
//! The plan goes in on its standard input, and the paths of the states come out. It ends, cancels its tasks and
//! removes the states when that input ends, so nothing is left of it however this process ends.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::executable::{Executable, executable};
use super::process::{ENDS, ended};
use super::python::{failed, python};
use super::scheduler::Scheduler;
use crate::{Error, Place, Result};

/// A plan that is to run on a cluster.
pub(crate) struct Asked<'a> {
    pub(crate) scheduler: &'a Scheduler,
    /// The bytes of the plan, and how many these are.
    pub(crate) plan: &'a mut dyn Read,
    pub(crate) length: u64,
    pub(crate) memory: Option<u64>,
    pub(crate) spill_max: Option<u64>,
    /// The folder of the states.
    pub(crate) tmpdir: Option<&'a Path>,
    /// How workers start a program in Rust; the command if there is none.
    pub(crate) program: Option<&'a Program>,
    pub(crate) telling: Telling,
}

/// How a program in Rust is started on a worker.
pub(crate) struct Program {
    /// Its arguments, without its name.
    pub(crate) arguments: Vec<OsString>,
    /// The folder in which it was started here.
    pub(crate) folder: OsString,
}

/// What the process tells on standard error.
pub(crate) struct Telling {
    /// `never`, `auto`, `always` or `json`.
    pub(crate) progress: &'static str,
    /// Errors and notes as records.
    pub(crate) records: bool,
    /// No notes.
    pub(crate) quiet: bool,
    /// Whether somebody here reads it, in place of the terminal.
    pub(crate) is_read: bool,
}

/// The process.
pub(crate) struct Submission {
    child: Child,
    /// It ends when this does.
    input: Option<ChildStdin>,
    output: Receiver<String>,
    told: Option<Receiver<String>>,
    /// When it was told to end before its answer.
    given_up: Option<Instant>,
    /// The folder of the states. The process removes it, and this one too, as the process may be killed.
    _states: Option<TempDir>,
}

impl Submission {
    /// Starts it and hands it the plan; `None` if Python has no creel-dask.
    ///
    /// # Errors
    ///
    /// If there is no Python, or it does not start.
    pub(crate) fn start(asked: &mut Asked<'_>) -> Result<Option<Self>> {
        let Some(mut command) = python()? else { return Ok(None) };
        let states = states_folder(asked);
        command.args(arguments(asked)?);
        command.args(states.iter().map(|folder| option("--states", folder.path())));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if asked.telling.is_read {
            command.stderr(Stdio::piped());
        }
        let mut child =
            command.spawn().map_err(|error| failed("creel-dask cannot be started", &error))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped")
        };
        // What it says is read meanwhile: it may say more than a pipe holds before it reads the plan.
        let output = lines(output)?;
        let told = child.stderr.take().map(lines).transpose()?;
        let mut started =
            Self { child, input: Some(input), output, told, given_up: None, _states: states };
        if let Err(error) = started.hand_over(asked) {
            let _ = started.end(|_| {});
            return Err(error);
        }
        Ok(Some(started))
    }

    /// Writes the plan to it.
    fn hand_over(&mut self, asked: &mut Asked<'_>) -> Result<()> {
        let Some(input) = &mut self.input else { return Ok(()) };
        let copied = writeln!(input, "{}", asked.length)
            .and_then(|()| std::io::copy(asked.plan, input))
            .and_then(|_| input.flush());
        match copied {
            // One that has ended says why on standard error.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            copied => copied.map_err(|error| Error::io(Place::object("the plan"), error)),
        }
    }

    /// The paths of the states, when all are there; `None` if it fails, or is interrupted. What it tells meanwhile
    /// is given to `hear`, if it is read here.
    pub(crate) fn states(
        &mut self,
        is_interrupted: impl Fn() -> bool,
        mut hear: impl FnMut(&str),
    ) -> Option<Vec<String>> {
        /// How often it is asked whether the run is interrupted.
        const OFTEN: Duration = Duration::from_millis(50);
        let mut states = Vec::new();
        let found = loop {
            let line = self.output.recv_timeout(OFTEN);
            self.told.iter().flat_map(Receiver::try_iter).for_each(|line| hear(&line));
            match line {
                Ok(line) if line.is_empty() => break Some(states),
                Ok(line) => states.push(line),
                Err(RecvTimeoutError::Disconnected) => break None,
                // A terminal tells it too; a signal to this process alone does not.
                Err(RecvTimeoutError::Timeout) if is_interrupted() => self.give_up(),
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        if found.is_none() {
            // It ends, and says why before.
            self.told.iter().flatten().for_each(|line| hear(&line));
        }
        found
    }

    /// Tells it to end before its answer; one that does not is killed.
    fn give_up(&mut self) {
        self.input = None;
        if self.given_up.get_or_insert_with(Instant::now).elapsed() > ENDS {
            let _ = self.child.kill();
        }
    }

    /// Lets it end, and waits for that. What it told last is given to `hear`, if it is read here.
    pub(crate) fn end(mut self, hear: impl FnMut(&str)) -> Result<ExitStatus> {
        self.input = None;
        let status = ended(&mut self.child, ENDS);
        let mut hear = hear;
        self.told.iter().flatten().for_each(|line| hear(&line));
        status.map_err(|error| failed("creel-dask did not end", &error))
    }
}

/// A folder for the states; `None` if there can be none, and the process tells why.
fn states_folder(asked: &Asked<'_>) -> Option<TempDir> {
    let folder = asked.tmpdir.map_or_else(std::env::temp_dir, Path::to_owned);
    tempfile::Builder::new().prefix("creel-").tempdir_in(std::path::absolute(folder).ok()?).ok()
}

/// The lines of a pipe, by a thread that ends with it.
fn lines(pipe: impl std::io::Read + Send + 'static) -> Result<Receiver<String>> {
    let (lines, receiver) = channel();
    let read = move || {
        let all = BufReader::new(pipe).lines().map_while(std::io::Result::ok);
        let _ = all.map(|line| lines.send(line)).find(std::result::Result::is_err);
    };
    let reading = std::thread::Builder::new().name("creel cluster".to_owned()).spawn(read);
    reading.map_err(|error| failed("no thread can be started", &error))?;
    Ok(receiver)
}

/// An option and its value, as one argument.
fn option(name: &str, value: impl Into<OsString>) -> OsString {
    let mut option = OsString::from(name);
    option.push("=");
    option.push(value.into());
    option
}

/// The options that say where a program in Rust runs, and how it is started there.
pub(super) fn of_program(scheduler: &Scheduler, program: &Program) -> Result<Vec<OsString>> {
    let Executable { path, image, .. } = started_from(scheduler)?;
    let mut all = of_cluster(scheduler, &image);
    if scheduler.worker_binary.is_none() {
        all.push(option("--worker-creel", path));
    }
    all.push(option("--folder", program.folder.clone()));
    all.extend(program.arguments.iter().map(|argument| option("--argument", argument.clone())));
    Ok(all)
}

/// The executable of this process, if workers can start it.
fn started_from(scheduler: &Scheduler) -> Result<Executable> {
    let executable = executable()?;
    // Workers start another file, or what runs is sent, which can be wherever the system lets it be read.
    let is_sent = scheduler.ships && executable.image != executable.path;
    if scheduler.worker_binary.is_none() && !is_sent {
        executable.check()?;
    }
    Ok(executable)
}

/// The options that say where something runs, by this binary.
fn of_cluster(scheduler: &Scheduler, binary: &Path) -> Vec<OsString> {
    let mut all = vec![option("--scheduler", &scheduler.address), option("--creel", binary)];
    all.extend(scheduler.worker_binary.iter().map(|there| option("--worker-creel", there.clone())));
    all.extend(scheduler.ships.then(|| "--ship-binary".into()));
    all
}

/// What the process is started with.
fn arguments(asked: &Asked<'_>) -> Result<Vec<OsString>> {
    let mut all: Vec<OsString> =
        ["-m", "creel_dask", "submit", "--attached"].map(OsString::from).into();
    match asked.program {
        Some(program) => {
            all.push("--program".into());
            all.extend(of_program(asked.scheduler, program)?);
        }
        None => all.extend(of_cluster(asked.scheduler, &executable()?.path)),
    }
    for (name, bytes) in [("--memory", asked.memory), ("--spill-max", asked.spill_max)] {
        all.extend(bytes.map(|bytes| option(name, bytes.to_string())));
    }
    all.extend(asked.tmpdir.map(|folder| option("--tmpdir", folder)));
    all.push(option("--progress", asked.telling.progress));
    all.push(option("--errors", if asked.telling.records { "json" } else { "text" }));
    all.extend(asked.telling.quiet.then(|| "--quiet".into()));
    Ok(all)
}
