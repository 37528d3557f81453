//! `--partial` and `--merge`: the answer in two steps, which may be of different processes.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::args::Args;
use super::message::{self, say, say_ours};
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
    let (mut target, interrupted) = target(args, path, context)?;
    let start = Instant::now();
    let mut told = Report::default();
    let mut run = || {
        let objects = job.list(context)?;
        let input = Arc::new(job.cut(&objects, context, plan.compiled_program().order()));
        let coverage = || Coverage::of(&objects);
        let coverage = &coverage;
        let run = RunOf { plan, input: &input, listed: objects.len(), coverage, context };
        let _monitor = super::monitor(args, context, false);
        run.write(&mut target, |progress, listed| {
            told = Report::of(progress, listed, &message::with_options);
            told.clone()
        })
    };
    match run() {
        Err(Error::Cancelled) if interrupted.is_set() => {}
        Err(error) => return report::failed(args, &context.progress, error),
        Ok(()) => {}
    }
    let read = monitor::summary(&context.progress, start.elapsed());
    if interrupted.is_set() {
        say_ours(format_args!("interrupted: {read}; {} was not written", report::shown(path)));
        return Ok(message::INTERRUPTED);
    }
    // Also of what is damaged: the state says so, and the merge will.
    target.finish()?;
    if args.verbose {
        say(read);
    }
    let unread = !report::tell_unread(args, args.on_missing, &told).is_empty();
    Ok(report::tell(args, false, &told, unread))
}

/// Merges states, and prints the answer or writes the state of all; returns the exit code.
pub(super) fn merge(args: &Args) -> Result<u8> {
    let given: Vec<String> = args.program.iter().chain(&args.sources).cloned().collect();
    if given.is_empty() {
        say("--merge needs the states that --partial wrote: creel --merge s/*.creel");
        return Ok(message::USAGE);
    }
    super::check_given(&given)?;
    let objects = match found(&given) {
        Ok(objects) => objects,
        Err(error) if is_program(args, &error) => {
            say(
                "this is a program, where a state is needed; states carry their program, so leave it out",
            );
            return Ok(message::USAGE);
        }
        Err(error) => return Err(error),
    };
    let open = |object: &Arc<Object>| Stored::open(object, args.tmpdir.as_deref());
    let partials = Partials::of_one_plan(objects.iter().map(open).collect::<Result<_>>()?)?;
    let (plan, told) = (partials.plan(), partials.report());
    let division = super::divide(args, plan.compiled_program())?;
    let context = super::context(args, &division);
    context.progress.add_total(partials.size());
    let missing = plan.missing();
    let start = Instant::now();
    if let Some(path) = &args.partial {
        let (mut target, interrupted) = target(args, path, &context)?;
        let monitor = super::monitor(args, &context, false);
        let written = partials.write(&context, &mut target);
        drop(monitor);
        if interrupted.is_set() {
            say_ours(format_args!("interrupted: {} was not written", report::shown(path)));
            return Ok(message::INTERRUPTED);
        }
        written?;
        target.finish()?;
        if args.verbose {
            say(monitor::summary(&context.progress, start.elapsed()));
        }
        let unread = !report::tell_unread(args, missing, told).is_empty();
        return Ok(report::tell(args, false, told, unread));
    }
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
    let mut target = output.open(!args.no_sync, &calls)?;
    let printed = super::print(args, plan.compiled_program(), &context, &mut target, |printer| {
        partials.print(&context, printer)
    });
    let read = monitor::summary(&context.progress, start.elapsed());
    if interrupted.is_set() && matches!(printed, Ok(()) | Err(Error::Cancelled)) {
        say_ours(match (&args.output, &printed) {
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
        });
        return Ok(message::INTERRUPTED);
    }
    printed?;
    let told = partials.report_of_all(&context.progress, &message::with_options);
    super::finish(args, target, replaced, missing, &told, args.verbose.then_some(read))
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
fn target(args: &Args, path: &Path, context: &Context) -> Result<(Target, signals::Interrupted)> {
    let output: Output = super::output_at(path, false)?;
    let calls = Arc::new(Calls::default());
    let first = signals::First::of(output.is_replaced());
    let interrupted = signals::watch(context.stop.clone(), Arc::clone(&calls), first);
    let target = output.open(!args.no_sync, &calls)?;
    if target.is_terminal() {
        let reason = "a state is no text; name a file";
        let source = io::Error::new(io::ErrorKind::Unsupported, reason).into();
        return Err(Error::Output { path: path.display().to_string(), source });
    }
    Ok((target, interrupted))
}
