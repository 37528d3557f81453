//! `creel worker`: the operations on a plan, each by a process of its own, from bytes to bytes.
//!
//! A launcher of any kind starts the processes and moves the bytes: it needs to know nothing of what is in them.

mod args;
mod pass;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use self::args::Step;
pub(crate) use self::pass::ProgramStep;
use super::args::Args;
use super::memory::Division;
use super::message;
use super::partial::{self, Out, Written};
use crate::output::{Target, is_input};
use crate::plan::{Listing, Partials, Partitions, Plan, Report, RunOf, RunOfPartitions, list_in};
use crate::program::{InputFormat, Program};
use crate::run::{Context, Job};
use crate::sink::Write;
use crate::source::Missing;
use crate::{Error, Place, Result};

/// Runs a step; returns the exit code. The first argument is `worker`.
pub(super) fn run(arguments: &[OsString]) -> u8 {
    let step = match Step::read(arguments) {
        Ok(step) => step,
        Err(error) => return super::explain(&error),
    };
    let args = step.args();
    args.resources.memory.iter().for_each(|asked| message::memory_is(*asked));
    let code = match &step {
        Step::List(list) => self::list(args, list),
        Step::Run(run) => self::run_partitions(args, run),
        Step::Merge(merge) => self::merge(&args, merge),
        Step::Finish(finish) => self::finish(&args, finish),
        Step::Call(_) => {
            Ok(message::usage("a call is a step of a program in Rust, and not of creel"))
        }
    };
    code.unwrap_or_else(|error| super::end(&error))
}

/// Writes the plan of a program, and lists nothing; returns the exit code.
pub(super) fn write_plan(
    args: &Args,
    path: &Path,
    text: &str,
    input: InputFormat,
    program: &Arc<Program>,
) -> Result<u8> {
    let plan = partial::plan(args, text, input, program).for_others(&args.sources)?;
    let (mut target, _) = partial::target(args, Out::bytes(path), &Context::default())?;
    target.write(&plan.to_bytes())?;
    target.finish()?;
    Ok(0)
}

/// Lists what a plan reads.
fn list(mut args: Args, list: &args::List) -> Result<u8> {
    let plan = read_plan(&list.plan)?;
    read_as(&mut args, &plan);
    args.sources = plan.sources().to_vec();
    let division = super::divide(&args, plan.compiled_program())?;
    let context = super::context(&args, &division);
    let found = |tasks| list_in(&plan, tasks, &context);
    Ok(code(write_listing(&args, list, plan.missing(), &context, found)?))
}

/// Writes what is found for so many tasks at least: a file for each task, or one of all.
fn write_listing(
    args: &Args,
    list: &args::List,
    missing: Missing,
    context: &Context,
    found: impl Fn(Option<usize>) -> Result<Listing>,
) -> Result<Written> {
    match (&list.into, list.tasks) {
        (Some(folder), Some(tasks)) => {
            partial::write_state(args, Out::names(), missing, context, |names| {
                let listing = found(Some(tasks))?;
                write_tasks(args, &listing, tasks, folder, context, names)?;
                Ok(listing.report().clone())
            })
        }
        _ => partial::write_state(args, out(args), missing, context, |target| {
            let listing = found(None)?;
            listing.write(0..listing.len(), target)?;
            Ok(listing.report().clone())
        }),
    }
}

/// Writes a file for each task, and prints its name.
fn write_tasks(
    args: &Args,
    listing: &Listing,
    tasks: usize,
    folder: &Path,
    context: &Context,
    names: &mut Target,
) -> Result<()> {
    if folder.exists() {
        check_no_parts(folder)?;
    }
    let tasks = listing.divide(tasks)?;
    // Names are in the order of the input.
    let digits = tasks.len().saturating_sub(1).to_string().len().max(4);
    // A process that ends while it writes leaves no part of the listing, which could be taken for all of it.
    let unfinished = Unfinished::new(folder)?;
    let mut files = Vec::with_capacity(tasks.len());
    for (number, task) in tasks.into_iter().enumerate() {
        if context.stop.is_set() {
            return Err(Error::Cancelled);
        }
        let name = format!("{number:0digits$}.parts");
        let mut target = open(args, &unfinished.within.path().join(&name), 1)?;
        listing.write(task, &mut target)?;
        target.finish()?;
        files.push(name);
    }
    unfinished.finish(folder, &files)?;
    drop(unfinished);
    for name in files {
        names.write(format!("{}\n", folder.join(name).display()).as_bytes())?;
    }
    Ok(())
}

/// A folder inside of another, for files that are not whole as yet. It goes in the end, whatever comes.
struct Unfinished {
    within: TempDir,
    /// While it is locked it is of a process that runs.
    _lock: Option<File>,
}

impl Unfinished {
    /// A new one, of which nobody takes the files for partitions. Those that killed processes left there are removed.
    fn new(folder: &Path) -> Result<Self> {
        const PREFIX: &str = ".partial-";
        make_folder(folder)?;
        let failed = |error| cannot_write(folder, error);
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with(PREFIX) && lock(&path).is_some() {
                // A folder that cannot be removed does no harm.
                let _ = std::fs::remove_dir_all(path);
            }
        }
        let within = tempfile::Builder::new().prefix(PREFIX).tempdir_in(folder).map_err(failed)?;
        Ok(Self { _lock: lock(within.path()), within })
    }

    /// Moves its files into the folder: all of them, or none if it fails.
    fn finish(&self, folder: &Path, files: &[String]) -> Result<()> {
        for (moved, name) in files.iter().enumerate() {
            if let Err(error) = std::fs::rename(self.within.path().join(name), folder.join(name)) {
                for name in &files[..moved] {
                    let _ = std::fs::remove_file(folder.join(name));
                }
                return Err(cannot_write(folder, error));
            }
        }
        Ok(())
    }
}

/// Locks a folder that no process has locked.
fn lock(folder: &Path) -> Option<File> {
    let opened =
        File::open(folder).ok().filter(|file| file.metadata().is_ok_and(|it| it.is_dir()))?;
    opened.try_lock().is_ok().then_some(opened)
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::Output { path: path.display().to_string(), source: error.into() }
}

/// Fails if a folder has partitions: a launcher that takes all files would run them too.
fn check_no_parts(folder: &Path) -> Result<()> {
    let failed = |error| cannot_write(folder, error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|suffix| suffix == "parts") {
            let reason = format!(
                "it has partitions of another listing ({}); name a new folder, or remove them",
                path.file_name().unwrap_or_default().display()
            );
            return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, reason)));
        }
    }
    Ok(())
}

/// Makes a folder, if it is not there.
fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, error))
}

/// Opens a file that appears when it is whole, one of so many that are written side by side.
fn open(args: &Args, path: &Path, files: usize) -> Result<Target> {
    let output = super::output_at(path, false)?.one_of(files);
    output.open(!args.writing.no_sync, &Arc::default())
}

/// Runs the first phase of a plan over partitions, and writes the state.
fn run_partitions(mut args: Args, run: &args::Run) -> Result<u8> {
    check_one_input([run.plan.as_str(), &run.partitions].into_iter())?;
    let plan = read_plan(&run.plan)?;
    let partitions = Partitions::read(opened(&run.partitions)?, &name(&run.partitions))?;
    read_as(&mut args, &plan);
    // Whether one is read over a network is all that is asked of them.
    args.sources.extend(partitions.names().find(|name| name.contains("://")).map(str::to_owned));
    let division = super::divide(&args, plan.compiled_program())?;
    let context = super::context(&args, &division);
    let (partitions, tell) = (&partitions, &message::with_options);
    let job = job(&plan, &division)?;
    let of_run = RunOfPartitions { plan: &plan, partitions, job, context: &context, tell };
    let written = match (&run.into, run.shards) {
        (Some(folder), Some(shards)) => {
            partial::write_state(&args, Out::names(), plan.missing(), &context, |names| {
                write_shards(&args, of_run, folder, shards, names)
            })
        }
        _ => partial::write_state(&args, out(&args), plan.missing(), &context, |target| {
            of_run.write(&mut [target])
        }),
    };
    Ok(code(written?))
}

/// Writes the state of each shard of a run into a folder, and prints its name.
fn write_shards(
    args: &Args,
    run: RunOfPartitions<'_>,
    folder: &Path,
    shards: usize,
    names: &mut Target,
) -> Result<Report> {
    make_folder(folder)?;
    let paths = (0..shards).map(|number| folder.join(format!("{number:04}.state")));
    let paths: Vec<PathBuf> = paths.collect();
    let targets = paths.iter().map(|path| open(args, path, shards));
    let mut targets: Vec<Target> = targets.collect::<Result<_>>()?;
    let mut outs: Vec<&mut dyn Write> = Vec::with_capacity(shards);
    outs.extend(targets.iter_mut().map(|target| target as &mut dyn Write));
    let context = run.context;
    let told = run.write(&mut outs)?;
    if context.stop.is_set() {
        return Err(Error::Cancelled);
    }
    for (target, path) in targets.into_iter().zip(paths) {
        target.finish()?;
        names.write(format!("{}\n", path.display()).as_bytes())?;
    }
    Ok(told)
}

/// Merges states.
fn merge(args: &Args, merge: &args::Merge) -> Result<u8> {
    let partials = partials(args, &merge.plan, &merge.states)?;
    Ok(code(partial::write_merged(args, out(args), &partials)?))
}

/// Prints the answer of states.
fn finish(args: &Args, finish: &args::Finish) -> Result<u8> {
    let partials = partials(args, &finish.plan, &finish.states)?;
    partial::print_answer(args, &partials)
}

/// States of a plan.
fn partials(args: &Args, plan: &str, states: &[String]) -> Result<Partials> {
    check_one_input(std::iter::once(plan).chain(states.iter().map(String::as_str)))?;
    let (name, plan) = (name(plan), read_plan(plan)?);
    Partials::new(&name, plan, partial::states(args, states)?)
}

/// The exit code of a step that wrote what it was asked for, or did not. What was passed over is in the bytes, and
/// told as a failure by the last step: a launcher would take it for one of the process, and run that again.
fn code(written: Written) -> u8 {
    match written {
        Written::Whole(_) => 0,
        Written::Not(code) => code,
    }
}

/// Where the bytes of a step go.
fn out(args: &Args) -> Out<'_> {
    Out::bytes(args.writing.output.as_deref().unwrap_or(Path::new("-")))
}

/// Has the process read as its plan says.
fn read_as(args: &mut Args, plan: &Plan) {
    args.blocksize = Some(plan.bytes_of_block());
    args.max_record = plan.longest_record();
    args.on_missing = plan.missing();
}

/// How blocks are read: as the plan says, in the memory of the process.
fn job(plan: &Plan, division: &Division) -> Result<Job> {
    let mut job = plan.job(&[], RunOf::missing(plan))?;
    job.blocks.blocksize = division.blocksize;
    job.blocks.max_record = job.blocks.max_record.or(division.longest_record);
    job.blocks.ahead = division.ahead;
    job.blocks.windows = division.windows.clone();
    Ok(job)
}

fn read_plan(path: &str) -> Result<Plan> {
    Plan::read(opened(path)?, &name(path))
}

/// A path as messages name what it leads to.
fn name(path: &str) -> String {
    if is_input(path) { "standard input".to_owned() } else { path.to_owned() }
}

/// Opens a file, or standard input.
fn opened(path: &str) -> Result<Box<dyn Read>> {
    if is_input(path) {
        super::check_given(&[path.to_owned()])?;
        return Ok(Box::new(io::stdin().lock()));
    }
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            let reason = "no such file".to_owned();
            Error::NotFound { place: Place::object(path), reason }
        }
        _ => Error::io(Place::object(path), error),
    };
    Ok(Box::new(io::BufReader::new(File::open(path).map_err(failed)?)))
}

/// Fails if standard input is named twice: it can be read once.
fn check_one_input<'p>(paths: impl Iterator<Item = &'p str>) -> Result<()> {
    if paths.filter(|path| is_input(path)).count() <= 1 {
        return Ok(());
    }
    let reason = "standard input is named twice, and can be read once; name files".to_owned();
    Err(Error::Plan { reason })
}
