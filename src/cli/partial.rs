//! `--partial` and `--merge`: the answer in two steps, which may be of different processes.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::args::Args;
use super::message::{self, say};
use super::{monitor, report, signals};
use crate::block::Delimiter;
use crate::error::Shown;
use crate::output::{Calls, Output, Target};
use crate::plan::{Coverage, Partials, Plan, Report, RunOf, Stored};
use crate::program::{InputFormat, Program};
use crate::run::{Context, Job};
use crate::source::{Access, Missing, Object, Source};
use crate::{Error, Result};

/// What the command asks, as data.
pub(super) fn plan(args: &Args, text: &str, input: InputFormat, program: &Arc<Program>) -> Plan {
    let delimiter = args.delimiter.as_ref().map(|bytes| Delimiter::Bytes(bytes.0.clone()));
    let plan = Plan::compiled(text.to_owned(), Arc::clone(program), input, args.sources.clone())
        .delimiter(delimiter.unwrap_or(Delimiter::Line))
        .compression(args.compression)
        .encoding(args.encoding)
        .invalid(args.invalid)
        .on_missing(args.on_missing)
        .allow_binary(args.text)
        .anonymous(args.anonymous)
        .blocksize(super::blocksize(args) as u64)
        .max_ratio(args.max_ratio);
    match args.max_record {
        Some(bytes) => plan.max_record(bytes),
        None => plan,
    }
}

/// Runs the first phase of a plan and writes its state; returns the exit code.
pub(super) fn write(args: &Args, plan: &Plan, job: &Job, context: &Context) -> Result<u8> {
    let Some(path) = &args.partial else { return Ok(message::USAGE) };
    let written = write_state(args, Out::bytes(path), args.on_missing, context, |target| {
        let objects = job.list(context)?;
        let input = Arc::new(job.cut(&objects, context, plan.compiled_program().order()));
        let coverage = || Coverage::of(&objects);
        let coverage = &coverage;
        let run = RunOf { plan, input: &input, listed: objects.len(), coverage, context };
        let mut told = Report::default();
        run.write(target, |progress, listed| {
            told = Report::of(progress, listed, &message::with_options);
            told.clone()
        })?;
        Ok(told)
    });
    written.map(Written::code)
}

/// What became of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It was written; this is the exit code where what was passed over is a failure.
    Whole(u8),
    /// It was not; this is the exit code.
    Not(u8),
}

impl Written {
    fn code(self) -> u8 {
        let (Self::Whole(code) | Self::Not(code)) = self;
        code
    }
}

/// Where a state goes, or another thing that has no format of rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out<'p> {
    path: &'p Path,
    /// Whether it may be shown on a terminal.
    is_text: bool,
}

impl<'p> Out<'p> {
    /// Names on standard output.
    pub(super) fn names() -> Self {
        Self { path: Path::new("-"), is_text: true }
    }

    /// Bytes at a path.
    pub(super) fn bytes(path: &'p Path) -> Self {
        Self { path, is_text: false }
    }
}

/// Writes a state, and says what was passed over: what `write` returns.
pub(super) fn write_state(
    args: &Args,
    out: Out<'_>,
    missing: Missing,
    context: &Context,
    write: impl FnOnce(&mut Target) -> Result<Report>,
) -> Result<Written> {
    let (mut target, interrupted) = target(args, out, context)?;
    let start = Instant::now();
    let monitor = super::monitor(args, context, false);
    let written = write(&mut target);
    drop(monitor);
    let told = match written {
        Err(Error::Cancelled) if interrupted.is_set() => Report::default(),
        Err(error) => return report::failed(args, &context.progress, error).map(Written::Not),
        Ok(told) => told,
    };
    let read = monitor::summary(&context.progress, start.elapsed());
    if interrupted.is_set() {
        let path = report::shown(out.path);
        let said = format!("interrupted: {read}; {path} was not written");
        return Ok(Written::Not(message::interrupted(said)));
    }
    // Also of what is damaged: the state says so, and the merge will.
    target.finish()?;
    if args.telling.verbose {
        say(read);
    }
    let unread = !report::tell_unread(args, missing, &told).is_empty();
    Ok(Written::Whole(report::tell(args, false, &told, unread)))
}

/// Merges states, and prints the answer or writes the state of all; returns the exit code.
pub(super) fn merge(args: &Args) -> Result<u8> {
    let given: Vec<String> = args.program.iter().chain(&args.sources).cloned().collect();
    if given.is_empty() {
        return Ok(message::usage(
            "--merge needs the states that --partial wrote: creel --merge s/*.creel",
        ));
    }
    let states = match states(args, &given) {
        Err(error) if is_program(args, &error) => {
            return Ok(message::usage(
                "this is a program, where a state is needed; states carry their program, so leave it out",
            ));
        }
        states => states?,
    };
    let partials = Partials::of_one_plan(states)?;
    match &args.partial {
        Some(path) => write_merged(args, Out::bytes(path), &partials).map(Written::code),
        None => print_answer(args, &partials),
    }
}

/// The states that were named, checked.
pub(super) fn states(args: &Args, given: &[String]) -> Result<Vec<Stored>> {
    super::check_given(given)?;
    let objects = found(given)?;
    let open = |object: &Arc<Object>| Stored::open(object, args.resources.tmpdir.as_deref());
    objects.iter().map(open).collect()
}

/// Writes the state of all states.
pub(super) fn write_merged(args: &Args, out: Out<'_>, partials: &Partials) -> Result<Written> {
    let plan = partials.plan();
    let division = super::divide(args, plan.compiled_program())?;
    let context = super::context(args, &division);
    context.progress.add_total(partials.size());
    write_state(args, out, plan.missing(), &context, |target| {
        partials.write(&context, target)?;
        Ok(partials.report().clone())
    })
}

/// Prints the answer of all states; returns the exit code.
pub(super) fn print_answer(args: &Args, partials: &Partials) -> Result<u8> {
    partials.check_whole()?;
    let (plan, told) = (partials.plan(), partials.report());
    let division = super::divide(args, plan.compiled_program())?;
    let context = super::context(args, &division);
    context.progress.add_total(partials.size());
    let missing = plan.missing();
    let start = Instant::now();
    // As one run that can read nothing: it prints nothing.
    if missing == Missing::Report && told.entries_read() == 0 && told.entries_unread() > 0 {
        report::tell_unread(args, missing, told);
        return Ok(message::SOURCE);
    }
    let output = super::output(args)?;
    let replaced = output.is_replaced();
    let calls = Arc::new(Calls::default());
    let first = signals::First::of(replaced);
    let interrupted = signals::watch(context.stop.clone(), Arc::clone(&calls), first);
    let mut target = output.open(!args.writing.no_sync, &calls)?;
    let printed = super::print(args, plan.compiled_program(), &context, &mut target, |printer| {
        partials.print(&context, printer)
    });
    let read = monitor::summary(&context.progress, start.elapsed());
    if interrupted.is_set() && matches!(printed, Ok(()) | Err(Error::Cancelled)) {
        return Ok(message::interrupted(match (&args.writing.output, &printed) {
            (Some(path), _) if replaced => {
                format!("interrupted: {read}; {} was not written", report::shown(path))
            }
            (_, Ok(())) if partials.have_rows() => {
                format!("interrupted: the result is of what was read until then: {read}")
            }
            (_, Ok(())) => {
                "interrupted when all states were merged: the answer is complete".to_owned()
            }
            (_, Err(_)) => format!("interrupted: {read}; the answer was not printed to its end"),
        }));
    }
    printed?;
    let told = partials.report_of_all(&context.progress, &message::with_options);
    super::finish(args, target, replaced, missing, &told, args.telling.verbose.then_some(read))
}

/// The files and pipes of states that were named, as sources are: by paths, folders and patterns.
///
/// # Errors
/// As of listing sources; and for one that is named twice.
fn found(given: &[String]) -> Result<Vec<Arc<Object>>> {
    let access = Access { anonymous: false, missing: Missing::Fail, look: true };
    let source = Source::parse(given, access)?;
    let context = Context::default();
    let listed = source.list_in(&context.progress, None);
    let objects = context.stop.wait(listed).unwrap_or(Err(Error::Cancelled))?;
    let mut known = HashSet::new();
    for object in objects.iter().filter(|object| object.is_file()) {
        let path = std::fs::canonicalize(object.name()).unwrap_or_else(|_| object.name().into());
        if !known.insert(path) {
            let reason = format!(
                "{} is named twice, and its records would be counted twice; name it once",
                Shown::name(object.name())
            );
            return Err(Error::Plan { reason });
        }
    }
    Ok(objects.iter().collect())
}

/// Whether the first of what was named is a program, of which there is no file.
fn is_program(args: &Args, error: &Error) -> bool {
    let Some(text) = &args.program else { return false };
    let compiles = |input| Program::compile(text, input).is_ok();
    matches!(error, Error::NotFound { .. } | Error::Pattern { .. })
        && !Path::new(text).exists()
        && (compiles(InputFormat::TEXT) || compiles(InputFormat::JSONL))
}

/// Opens where a state goes, before there is anything to write.
pub(super) fn target(
    args: &Args,
    Out { path, is_text }: Out<'_>,
    context: &Context,
) -> Result<(Target, signals::Interrupted)> {
    let output: Output = super::output_at(path, false)?;
    let calls = Arc::new(Calls::default());
    // A state of what was read until then would be taken for one of all.
    let first = signals::First::EndsRun;
    let interrupted = signals::watch(context.stop.clone(), Arc::clone(&calls), first);
    let target = output.open(!args.writing.no_sync, &calls)?;
    if target.is_terminal() && !is_text {
        let reason = "this is no text; name a file";
        let source = io::Error::new(io::ErrorKind::Unsupported, reason).into();
        return Err(Error::Output { path: path.display().to_string(), source });
    }
    Ok((target, interrupted))
}
