//! Passes of a program in Rust on a cluster: each is submitted as a plan, and its state is read back.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::history;
use super::python::missing;
use super::scheduler::Scheduler;
use super::submission::{Asked, Program, Submission, Telling};
use crate::bag::{MakePass, NamedState, TextPass};
use crate::error::{Shown, concealed_url};
use crate::graph::Shared;
use crate::plan::{KnownState, StateBytes, StepPlan, digest_of_values};
use crate::run::Context;
use crate::source::Missing;
use crate::{Error, Place, Result};

/// What a task on a worker may use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resources {
    pub(crate) memory: Option<u64>,
    pub(crate) spill_max: Option<u64>,
    pub(crate) tmpdir: Option<PathBuf>,
}

/// Has the passes of a computation of this program made on a cluster.
pub(crate) struct Submitter {
    scheduler: Scheduler,
    resources: Resources,
    program: Program,
    /// The states that it has made.
    states: Arc<Mutex<Vec<KnownState>>>,
}

/// The states that a [`Submitter`] has made.
pub(crate) struct MadeStates(Arc<Mutex<Vec<KnownState>>>);

impl MadeStates {
    /// All of them.
    pub(crate) fn take(&self) -> Vec<KnownState> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Submitter {
    /// One for a computation.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for arguments of this process that hold a credential.
    pub(crate) fn new(scheduler: &Scheduler, resources: Resources) -> Result<(Self, MadeStates)> {
        let (program, states) = (started()?, Arc::<Mutex<Vec<_>>>::default());
        let made = MadeStates(Arc::clone(&states));
        Ok((Self { scheduler: scheduler.clone(), resources, program, states }, made))
    }

    /// Runs a plan, and keeps the state of all.
    fn submit(&self, plan: &StepPlan, quiet: bool, context: &Context) -> Result<StateBytes> {
        let folder = self.resources.tmpdir.as_deref();
        let (mut plan, length) = plan.spooled(folder)?;
        let submission = Submission::start(&mut Asked {
            scheduler: &self.scheduler,
            plan: &mut plan,
            length,
            memory: self.resources.memory,
            spill_max: self.resources.spill_max,
            tmpdir: folder,
            program: Some(&self.program),
            telling: Telling { progress: "json", records: true, quiet, is_read: true },
        });
        let Some(mut submission) = submission? else { return Err(missing()) };
        let mut told = Told::default();
        let states = submission.states(|| context.stop.is_set(), |line| told.hear(line, context));
        let state = states.as_deref().and_then(<[_]>::first).map(|path| {
            let failed = |error| Error::io(Place::object("the state of all"), error);
            history::keep(&mut File::open(path).map_err(failed)?, folder)
        });
        let status = submission.end(|line| told.hear(line, context))?;
        match state {
            Some(state) => state,
            None if context.stop.is_set() => Err(Error::Cancelled),
            None => Err(told.error(&status)),
        }
    }
}

impl MakePass for Submitter {
    fn make(&self, pass: &TextPass, values: &[Shared], context: &Context) -> Result<NamedState> {
        let (digest, values) = (pass.digest(), pass.encode(values)?);
        let of_values = digest_of_values(&values);
        let plan = StepPlan { digest, values, before: history::before(&digest) };
        let bytes = self.submit(&plan, pass.missing() == Missing::Skip, context)?;
        let state = bytes.open();
        let known = KnownState { pass: digest, values: of_values, bytes };
        self.states.lock().unwrap_or_else(PoisonError::into_inner).push(known);
        Ok(("the state of all".to_owned(), state))
    }
}

/// How this program was started.
///
/// # Errors
///
/// [`Error::Plan`] for an argument that holds a credential: arguments go to workers, and are seen there.
pub(super) fn started() -> Result<Program> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    check_arguments(&arguments)?;
    let folder = std::env::current_dir().unwrap_or_default().into();
    Ok(Program { arguments, folder })
}

/// Fails for an argument that holds a credential; also for the value of an option that is an argument of its own.
fn check_arguments(arguments: &[OsString]) -> Result<()> {
    let texts: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    for (n, text) in texts.iter().enumerate() {
        let value = texts.get(n + 1).filter(|next| text.starts_with('-') && !next.starts_with('-'));
        let option = value.map(|value| format!("{text}={value}"));
        for given in [Some(&**text), option.as_deref()].into_iter().flatten() {
            let shown = concealed_url(given);
            if shown != given {
                let reason = format!(
                    "argument {}, {shown}, has a login, a password, a signature or a query, and arguments are seen on \
                     workers: hand secrets over in the environment of the workers",
                    n + 1
                );
                return Err(Error::Plan { reason });
            }
        }
    }
    Ok(())
}

/// What the process of a submission has told.
#[derive(Default)]
struct Told {
    error: Option<Error>,
    /// What is no record.
    lines: Vec<String>,
    /// The bytes that are counted already: read, and to be read.
    read: u64,
    total: u64,
}

impl Told {
    fn hear(&mut self, line: &str, context: &Context) {
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            self.lines.push(line.to_owned());
            return;
        };
        if let Some(error) = record.get("error") {
            self.error.get_or_insert_with(|| failure(error));
        } else if let Some(note) = record.pointer("/note/message").and_then(Value::as_str) {
            // Such as that no worker is there, and the run waits for one.
            eprintln!("creel: {}", Shown::ours(note));
        } else if let Some(progress) = record.get("progress") {
            let more = |name: &str, known: &mut u64| {
                let now = progress.get(name).and_then(Value::as_u64).unwrap_or(0);
                now.saturating_sub(std::mem::replace(known, now.max(*known)))
            };
            context.progress.add_read(more("bytes", &mut self.read));
            context.progress.add_total(more("total", &mut self.total));
        }
    }

    /// Why it has ended before its answer.
    fn error(self, status: &std::process::ExitStatus) -> Error {
        self.error.unwrap_or_else(|| {
            let said = self.lines.join("\n");
            let said = if said.is_empty() { status.to_string() } else { said };
            Error::Cluster {
                kind: "internal".to_owned(),
                worker: None,
                place: None,
                message: format!("creel-dask ended before its answer: {said}"),
                retry: false,
            }
        })
    }
}

/// The error that a record tells of.
pub(super) fn failure(record: &Value) -> Error {
    let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| record.get(name).and_then(Value::as_u64);
    let place = text("object").map(|object| {
        let partition = number("partition").and_then(|number| usize::try_from(number).ok());
        Box::new(Place { object, partition, offset: number("offset") })
    });
    let (kind, worker) = (text("kind").unwrap_or_default(), text("worker"));
    let said = text("message").unwrap_or_default();
    // The message begins with it, and so does that of the error.
    let prefix = worker.as_ref().map(|worker| format!("worker {worker}: "));
    let message = prefix.and_then(|prefix| said.strip_prefix(&*prefix).map(str::to_owned));
    let retry = record.get("retry").and_then(Value::as_bool).unwrap_or(false);
    Error::Cluster { kind, worker, place, message: message.unwrap_or(said), retry }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(arguments: &[&str]) -> Result<()> {
        check_arguments(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_with_a_credential_are_refused_and_do_not_show_it() {
        for arguments in [
            &["--password=hunter2"][..],
            &["in.log", "--password", "hunter2"],
            &["--token", "hunter2", "in.log"],
            &["s3://me:hunter2@bucket/a.log"],
        ] {
            let error = checked(arguments).unwrap_err().to_string();
            assert!(error.contains("argument ") && !error.contains("hunter2"), "{error}");
        }
        assert!(checked(&["--passwords-from", "--verbose", "in.log", "-n", "3"]).is_ok());
    }
}
