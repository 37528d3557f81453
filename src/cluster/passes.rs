//! Passes of a program in Rust on a cluster: each is submitted as a plan, and its state is read back.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::python::missing;
use super::scheduler::Scheduler;
use super::submission::{Asked, Program, Submission, Telling};
use crate::bag::{MadePasses, TextPass};
use crate::error::{Shown, concealed_url};
use crate::plan::{Before, KnownState, PassId, StepPlan};
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

/// Submits the passes of a call of this program.
pub(crate) struct Submitter<'a> {
    pub(crate) scheduler: &'a Scheduler,
    pub(crate) resources: Resources,
    pub(crate) context: &'a Context,
}

impl Submitter<'_> {
    /// Makes the passes of a call, one after another; `before` is what calls before came to. Returns the states of this
    /// one, too.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for what cannot go there, [`Error::Cluster`] for what fails there.
    pub(crate) fn make(
        &self,
        call: u64,
        passes: &[TextPass],
        before: &Before,
    ) -> Result<(MadePasses, Vec<KnownState>)> {
        let (started, mut states) = (started()?, Vec::new());
        let mut made = MadePasses::default();
        for (number, pass) in passes.iter().enumerate() {
            let digest = pass.digest();
            let context = made.clone().known_to(self.context);
            let values = pass.values(&context)?;
            pass.check_forms(&context, &values)?;
            let id = PassId { call, number: number as u32 };
            let (values, before) = (pass.encode(&values)?, before.clone());
            let plan = StepPlan { digest, pass: id, values, before };
            let quiet = pass.missing() == Missing::Skip;
            let state = self.submit(&plan.to_bytes()?, &started, quiet)?;
            made.add(pass, digest, Arc::clone(&state));
            states.push((id, state));
        }
        Ok((made, states))
    }

    /// Runs a plan, and reads the state of all.
    fn submit(&self, plan: &[u8], program: &Program, quiet: bool) -> Result<Arc<[u8]>> {
        let submission = Submission::start(&Asked {
            scheduler: self.scheduler,
            plan,
            memory: self.resources.memory,
            spill_max: self.resources.spill_max,
            tmpdir: self.resources.tmpdir.as_deref(),
            program: Some(program),
            telling: Telling { progress: "json", records: true, quiet, is_read: true },
        });
        let Some(mut submission) = submission? else { return Err(missing()) };
        let mut told = Told::default();
        let states =
            submission.states(|| self.context.stop.is_set(), |line| told.hear(line, self.context));
        let state = states.as_deref().and_then(<[_]>::first).map(std::fs::read);
        let status = submission.end()?;
        match state {
            Some(Ok(state)) => Ok(state.into()),
            Some(Err(error)) => Err(Error::io(Place::object("the state of all"), error)),
            None if self.context.stop.is_set() => Err(Error::Cancelled),
            None => Err(told.error(&status)),
        }
    }
}

/// How this program was started.
///
/// # Errors
///
/// [`Error::Plan`] for an argument that holds a credential: arguments go to workers, and are seen there.
pub(super) fn started() -> Result<Program> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    for (n, argument) in arguments.iter().enumerate() {
        let text = argument.to_string_lossy();
        let shown = concealed_url(&text);
        if shown != text {
            let reason = format!(
                "argument {}, {shown}, has a login, a signature or a query, and arguments are seen on workers: hand \
                 secrets over in the environment of the workers",
                n + 1
            );
            return Err(Error::Plan { reason });
        }
    }
    let folder = std::env::current_dir().unwrap_or_default().into();
    Ok(Program { arguments, folder })
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
