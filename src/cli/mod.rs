//! The `creel` command: its arguments to a program, a job and a place for the result.

mod args;
mod dry_run;
mod format;
mod memory;
mod message;
mod monitor;
mod partial;
mod record;
mod report;
mod scheduler;
mod signals;
mod worker;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use args::{Args, When};
use message::{fail, say};
use monitor::Monitor;
pub(crate) use worker::ProgramStep;

use self::memory::{Asked, Division};
use crate::block::{BLOCKSIZE, BlockOptions, Damaged, Delimiter};
use crate::error::{Shown, concealed_url, is_caught, refused, snippet};
use crate::output::{Calls, Output, Target, check_input, is_input};
use crate::plan::{Report, RunOf};
use crate::program::{self, Fault, InputFormat, Program, Records, aggregates};
use crate::run::{Context, Job};
use crate::sink::{Encoder, Format, Printer};
use crate::source::{Access, Missing, Source};
use crate::spill::Budget;
use crate::{Error, Place, Result};

/// Compiles a program for each input and draws the fault if it is none: what the fuzzer runs, which
/// sets this.
#[cfg(fuzzing)]
pub fn check(program: &str) {
    for format in program::FORMATS {
        if let Err(fault) = Program::compile(program, *format) {
            message::drawn(program, &fault, true);
        }
    }
}

/// Of each record of a text its value and its fields of these names, as JSON in one spelling: what
/// the fuzzer compares.
#[cfg(fuzzing)]
pub fn spelled(text: &str, names: &[&str]) -> Vec<Vec<String>> {
    program::spelled(text, names)
}

/// Looks at the standard streams, which the standard library changes before `main`: what the
/// executable calls first of all.
#[doc(hidden)]
pub fn before_main() {
    crate::output::look();
}

/// Whether errors are told as records: what the executable asks when no memory is left.
#[doc(hidden)]
pub fn tells_records() -> bool {
    record::are_told()
}

/// The stack of the thread that runs the command.
const STACK: usize = 8 << 20;

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_panic));
    // How large the stack of the process's first thread is, its environment says.
    let thread = std::thread::Builder::new().name("creel".into()).stack_size(STACK);
    let thread = thread.spawn(|| run(std::env::args_os()));
    let code = match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The hook has ended the process, unless that is told to go on, or memory was refused.
        Ok(Err(panic)) => refused(&*panic).map_or(101, |error| fail(&error)),
        Err(_) => run(std::env::args_os()),
    };
    ExitCode::from(match code {
        // A message that nobody could read is no message.
        0 if message::was_lost() => message::USAGE,
        code => code,
    })
}

/// Runs the command in this process, and handles no signal; returns the exit code and what was said
/// on standard error: what the fuzzer runs.
#[cfg(fuzzing)]
pub fn run_in_process(arguments: &[&str]) -> (u8, String) {
    let arguments = std::iter::once("creel").chain(arguments.iter().copied());
    let code = run(arguments.map(Into::into));
    (code, message::take_said())
}

/// The command; returns the exit code.
fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    record::tell_records(args::asks_for_records(&arguments));
    if arguments.get(1).is_some_and(|first| first == "worker") {
        return worker::run(&arguments[1..]);
    }
    let mut args = match Args::read(arguments) {
        Ok(args) => args,
        Err(error) => return explain(&error),
    };
    if args.aggregates {
        return print_help(&aggregates().into()).map_or_else(|error| end(&error), |()| 0);
    }
    args.resources.memory.iter().for_each(|asked| message::memory_is(*asked));
    if args.merge {
        return partial::merge(&args).unwrap_or_else(|error| end(&error));
    }
    let Some(text) = args.program.take() else {
        return short_usage();
    };
    if args.sources.is_empty() {
        if io::stdin().is_terminal() {
            return short_usage();
        }
        args.sources.push("-".to_owned());
    }
    let input = match format::of(args.from, &args.sources) {
        Ok(input) => input,
        Err(message) => return message::usage(message),
    };
    let program = match Program::compile(&text, input) {
        Ok(program) => Arc::new(program),
        Err(_) if Path::new(&text).exists() => {
            let fault = Fault::new(0..text.len(), "this is a path, where a program is needed");
            return message::fault(&text, &fault.hint("the program stands before the sources"));
        }
        Err(_) if is_url(&text) => {
            return message::usage(
                "this is a URL, where a program is needed; the program stands before the sources",
            );
        }
        Err(fault) => return message::fault(&text, &fault),
    };
    match command(&args, &text, input, &program) {
        Ok(code) => code,
        Err(error) => end(&error),
    }
}

/// Whether a text begins as a URL does.
fn is_url(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.trim_start().split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(is_part))
}

fn command(args: &Args, text: &str, input: InputFormat, program: &Arc<Program>) -> Result<u8> {
    if let Some(path) = &args.plan_to {
        return worker::write_plan(args, path, text, input, program);
    }
    if let Some(address) = &args.scheduler {
        return scheduler::run(args, address, text, input, program);
    }
    check_given(&args.sources)?;
    let plan = args.partial.is_some().then(|| partial::plan(args, text, input, program));
    let access = Access {
        anonymous: args.anonymous,
        missing: plan.as_ref().map_or(args.on_missing, RunOf::missing),
        // Then nothing is printed.
        look: args.on_missing == Missing::Fail && program.streams(),
    };
    let source = Source::parse(&args.sources, access)?;
    let division = divide(args, program)?;
    let (job, context) = (job(args, source, &division), context(args, &division));
    if let Some(plan) = plan {
        return partial::write(args, &plan, &job, &context);
    }
    if args.dry_run {
        return dry_run::list(args, &job, &context, program.order());
    }
    // Before this process opens descriptors of its own, whose numbers a path could name.
    let output = output(args)?;
    let replaced = output.is_replaced();
    let calls = Arc::new(Calls::default());
    // Before there is a temporary file to remove, or a pipe to wait for.
    let first = signals::First::of(replaced);
    let interrupted = signals::watch(context.stop.clone(), Arc::clone(&calls), first);
    let mut target = output.open(!args.writing.no_sync, &calls)?;
    let start = Instant::now();
    let records = Records { delimiter: job.blocks.delimiter.clone(), invalid: args.invalid };
    let computed = print(args, program, &context, &mut target, |printer| {
        let input = Arc::new(job.open(&context, program.order())?);
        program::run(program, &input, &records, &context, printer)
    });
    match computed {
        Err(Error::Cancelled) if interrupted.is_set() => {}
        Err(error) => return report::failed(args, &context.progress, error),
        Ok(()) => {}
    }
    let read = monitor::summary(&context.progress, start.elapsed());
    if interrupted.is_set() {
        return Ok(message::interrupted(match &args.writing.output {
            Some(path) if replaced => {
                format!("interrupted: {read}; {} was not written", report::shown(path))
            }
            _ => format!("interrupted: the result is of what was read until then: {read}"),
        }));
    }
    let told = Report::of(&context.progress, 0, &message::with_options);
    finish(args, target, replaced, args.on_missing, &told, args.telling.verbose.then_some(read))
}

/// Fails if standard input is one of the sources, and cannot be read.
fn check_given(sources: &[String]) -> Result<()> {
    let Some(source) = sources.iter().find(|source| is_input(source)) else { return Ok(()) };
    let place = || Place::object(if source == "-" { "standard input" } else { source });
    check_input().map_err(|error| Error::Io { place: place(), source: error.into() })
}

/// Gives the output its name and says what was passed over; returns the exit code.
fn finish(
    args: &Args,
    target: Target,
    replaced: bool,
    missing: Missing,
    told: &Report,
    read: Option<String>,
) -> Result<u8> {
    let unread = !report::tell_unread(args, missing, told).is_empty();
    // The user asked for the answer without the entries that cannot be read, as `cat a b > out` gives
    // it, so the file is written. Nobody asked for half of an object: a file does not appear then, and
    // on standard output what could be read is there already.
    if told.streams_damaged() == 0 || !replaced {
        target.finish()?;
    }
    read.iter().for_each(say);
    Ok(report::tell(args, replaced, told, unread))
}

/// Prints what a program gives, with progress shown beside it.
fn print(
    args: &Args,
    program: &Program,
    context: &Context,
    target: &mut Target,
    run: impl FnOnce(&mut Printer<'_>) -> Result<()>,
) -> Result<()> {
    let to_terminal = target.is_terminal();
    let monitor = monitor(args, context, program.streams() && to_terminal);
    let default = if program.gives_pairs() && to_terminal { Format::Table } else { Format::Jsonl };
    let encoder = Encoder::new(args.to.unwrap_or(default), to_terminal);
    let width = to_terminal.then(terminal_size::terminal_size).flatten().map(|(width, _)| width.0);
    let mut printer = Printer::new(encoder, width, target);
    // Its drawing is cleared before anything else appears on the terminal. What goes down a pipe may
    // appear there too, so only records that stream elsewhere are written beside it.
    if to_terminal || !program.streams() {
        printer.before_first(|| drop(monitor));
    }
    run(&mut printer)?;
    printer.flush()
}

/// Starts to show the progress of a run.
fn monitor(args: &Args, context: &Context, streams_to_terminal: bool) -> Monitor {
    let shown = monitor::Shown {
        when: if args.telling.quiet { When::Never } else { args.telling.progress },
        streams_to_terminal,
        waits_for_typing: args.reads_input() && io::stdin().is_terminal(),
        reads_network: args.sources.iter().any(|source| source.contains("://")),
    };
    Monitor::start(Arc::clone(&context.progress), shown)
}

/// Divides the memory of a run of a program; a process whose memory was named, or is little, returns what it frees.
fn divide(args: &Args, program: &Program) -> Result<Division> {
    let division = memory::divide(Asked {
        memory: args.resources.memory,
        threads: args.resources.threads.unwrap_or(Context::default().threads),
        blocksize: blocksize(args),
        max_record: args.max_record,
        state: program.state_of_lane(),
        least_state: program.least_state(),
    })?;
    if division.returns_freed {
        creel_kernels::return_freed();
    }
    Ok(division)
}

fn job(args: &Args, source: Source, division: &Division) -> Job {
    let blocks = BlockOptions {
        blocksize: division.blocksize,
        compression: args.compression,
        encoding: args.encoding,
        delimiter: match &args.delimiter {
            Some(bytes) if bytes.0 != b"\n" => Delimiter::Bytes(bytes.0.clone()),
            _ => Delimiter::Line,
        },
        max_record: args.max_record.or(division.longest_record),
        // What was read before the damage is worth having; the exit code tells that it is not all.
        damaged: Damaged::Keep,
        allow_binary: args.text,
        max_ratio: args.max_ratio,
        ahead: division.ahead,
        windows: division.windows.clone(),
    };
    Job { source, blocks, partition_size: None }
}

fn context(args: &Args, division: &Division) -> Context {
    let &Division { threads, needs, .. } = division;
    let mut context = Context { threads, ..Context::default() };
    context.budget = needs.map(|needs| {
        let budget = Budget::of_lanes(needs, threads, args.resources.tmpdir.as_deref());
        let stop = context.stop.clone();
        Arc::new(budget.with_largest_file(args.resources.spill_max).checked(move || stop.check()))
    });
    if let Some(budget) = &context.budget {
        division.windows.count_in(budget);
    }
    monitor::count_records(args.telling.progress, &mut context);
    context
}

/// The bytes of a block.
fn blocksize(args: &Args) -> usize {
    args.blocksize.unwrap_or(BLOCKSIZE)
}

/// Where the result goes: refused before anything is read, if it cannot be written.
fn output(args: &Args) -> Result<Output> {
    match &args.writing.output {
        Some(path) => output_at(path, args.to.is_none()),
        None => Output::stdout(),
    }
}

/// A path to write to. `by_suffix`: the suffix should tell the format.
fn output_at(path: &Path, by_suffix: bool) -> Result<Output> {
    let refuse = |reason: String| Error::Output {
        path: path.display().to_string(),
        source: io::Error::new(io::ErrorKind::Unsupported, reason).into(),
    };
    if path.to_str().is_some_and(|path| path.contains("://")) {
        return Err(refuse("writing to URLs is not there yet; name a local path".to_owned()));
    }
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    match suffix.to_ascii_lowercase().as_str() {
        "gz" | "zst" | "bz2" | "xz" | "lz4" => {
            let reason = "writing compressed files is not there yet; leave the suffix out";
            Err(refuse(format!("{reason}, or pipe the result into a compressor")))
        }
        "csv" | "tsv" | "json" | "parquet" | "svg" | "png" | "html" if by_suffix => {
            let reason = "is not there yet; name a path that ends in .jsonl, or choose with -t";
            Err(refuse(format!("writing .{suffix} {reason}")))
        }
        _ => Output::of(path),
    }
}

fn short_usage() -> u8 {
    if record::are_told() {
        return message::usage("there is no program; creel --help tells more");
    }
    let _ = writeln!(io::stderr().lock(), "{}", Args::usage());
    message::USAGE
}

/// What clap has to say: help and version to standard output, faults as all others.
fn explain(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        return match print_help(&error.render()) {
            Ok(()) => 0,
            Err(error) => end(&error),
        };
    }
    if error.kind() == clap::error::ErrorKind::InvalidUtf8 {
        let wrong = std::env::args_os().find(|argument| argument.to_str().is_none());
        let wrong = snippet(wrong.unwrap_or_default().as_encoded_bytes());
        return message::usage(format_args!(
            "{}: not valid UTF-8; for a file, name its folder or a pattern with *",
            Shown::new(wrong)
        ));
    }
    let text = without_secrets(error.render().to_string());
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    message::usage_lines(text.trim_end())
}

/// A text without the secrets of the arguments that it quotes: each is known as a whole here, with
/// the quotes and the spaces that may be in it.
fn without_secrets(text: String) -> String {
    let arguments = std::env::args_os().skip(1).filter_map(|argument| argument.into_string().ok());
    arguments.fold(text, |text, argument| {
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        [value, &argument].into_iter().fold(text, |text, quoted| match concealed_url(quoted) {
            shown if shown == quoted => text,
            shown => text.replace(quoted, &shown),
        })
    })
}

/// Prints help, with colours on a terminal that has them.
fn print_help(text: &clap::builder::StyledStr) -> Result<()> {
    let mut target = Target::stdout()?;
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    if target.is_terminal() && !plain {
        target.write(text.ansi().to_string().as_bytes())?;
    } else {
        target.write(text.to_string().as_bytes())?;
    }
    target.finish()
}

/// Ends a run that failed: silently, if the reader of the output went away.
fn end(error: &Error) -> u8 {
    match error {
        Error::Output { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => {
            signals::die_of_broken_pipe()
        }
        error => fail(error),
    }
}

/// A fault of ours: one line that can be reported, and no temporary file. One in a request is an error
/// of the run, which tells it.
fn report_panic(info: &std::panic::PanicHookInfo<'_>) {
    if is_caught(info.location()) {
        return;
    }
    crate::output::remove_unfinished();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let what = crate::error::said(info.payload());
    let what = format!("internal fault at {place}: {what}; please report it with the command");
    message::refuse("internal", &Shown::new(what).to_string());
    std::process::exit(101);
}
