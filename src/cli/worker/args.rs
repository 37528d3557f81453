//! The command line of `creel worker`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::super::args::{Args, Resources, Telling, Writing, to};
use crate::plan::MOST_SHARDS;
use crate::sink::Format;

const TEMPLATE: &str = "\
{about}

{usage-heading} {usage}{after-help}

{options}";

const OVERVIEW: &str = "\
{name}: the steps of a program, each by a process on any machine

{usage-heading} {usage}

{subcommands}{after-help}";

const ABOUT_STEPS: &str = "\
A plan is written by creel --plan-to PLAN [OPTIONS] PROGRAM SOURCE... Then list
finds what there is to read, run reads a part of it, merge makes one state of
many, and finish prints what one run over all prints, to the byte:

  creel --plan-to plan 'words | frequencies | topk(3)' 's3://bucket/**/*.gz'
  creel worker list plan --into parts --tasks 8
  for part in parts/*; do creel worker run plan $part -o $part.state; done
  creel worker finish plan parts/*.state

Every PLAN, PARTITIONS and STATE is a path, or - for standard input. They hold
no credential: each process finds its own in its environment. Damage, another
version and another plan are refused, and so are states of the same bytes.
creel worker STEP --help lists the options of a step.

Exit codes: 0 what was asked for is written; 2 bad option or output, or another
plan; 3 a source or a state not read; 4 records not as they should be; 130
interrupted. What is passed over is in the states: finish tells it, with 3.";

const ABOUT_LIST: &str = "\
Partitions are ranges of objects, with the version that each had. Without
--into all of them are written as one file.";

const ABOUT_RUN: &str = "\
The state is what the program's first reduction came to over these partitions.
An object that has changed since it was listed is an error.

With --shards groups and counts are cut by a hash of their keys that is the same
in every process, and each shard may be merged by itself, side by side. finish
takes the states of all shards. What has no keys is in the first shard: records,
sort, distinct, and results of all records (count, sum, agg).";

const ABOUT_MERGE: &str = "\
States are given in the order of the input, which is that of the names of the
files that list --into writes. Their state is that of one run over all. States
of one shard make one of that shard, and states of all shards make the whole.";

const ABOUT_FINISH: &str = "\
Prints the answer of the states, which are merged, in the order given. Of shards
it takes all: one state of each, or several of the same partitions.";

/// What was typed behind `worker`.
#[derive(Debug, Parser)]
#[command(
    name = "creel worker",
    help_template = OVERVIEW,
    after_help = ABOUT_STEPS,
    override_usage = "creel worker STEP [OPTIONS] PLAN ...",
    max_term_width = 80,
    disable_help_subcommand = true,
    disable_help_flag = true,
    subcommand_required = true,
    subcommand_help_heading = "Steps"
)]
struct Typed {
    #[command(subcommand)]
    step: Step,
    /// Print this
    #[arg(short, long, action = ArgAction::Help, hide = true)]
    help: Option<bool>,
}

/// A step, and what was typed for it.
#[derive(Debug, Subcommand)]
pub(super) enum Step {
    /// What there is to read, as partitions
    #[command(name = "list", help_template = TEMPLATE, after_help = ABOUT_LIST, args_override_self = true,
        override_usage = "creel worker list [OPTIONS] PLAN", disable_help_flag = true)]
    List(List),
    /// The state of some partitions
    #[command(name = "run", help_template = TEMPLATE, after_help = ABOUT_RUN, args_override_self = true,
        override_usage = "creel worker run [OPTIONS] PLAN PARTITIONS", disable_help_flag = true)]
    Run(Run),
    /// One state of many
    #[command(name = "merge", help_template = TEMPLATE, after_help = ABOUT_MERGE, args_override_self = true,
        override_usage = "creel worker merge [OPTIONS] PLAN STATE...", disable_help_flag = true)]
    Merge(Merge),
    /// The answer of states
    #[command(name = "finish", help_template = TEMPLATE, after_help = ABOUT_FINISH, args_override_self = true,
        override_usage = "creel worker finish [OPTIONS] PLAN STATE...", disable_help_flag = true)]
    Finish(Finish),
    /// The result of a function of a program in Rust
    #[command(name = "call", hide = true)]
    Call(Call),
}

/// What `call` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Call {
    #[arg(value_name = "FUNCTION", hide = true)]
    pub(super) function: String,
    #[arg(value_name = "ARGUMENTS", hide = true)]
    pub(super) arguments: String,
    #[command(flatten)]
    common: Common,
}

/// What `list` takes.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[arg(value_name = "PLAN", hide = true)]
    pub(super) plan: String,
    /// Write a file for each task into this folder, and print its name
    #[arg(long, value_name = "FOLDER", requires = "tasks", conflicts_with = "output")]
    pub(super) into: Option<PathBuf>,
    /// Tasks at most: each some neighbouring partitions
    #[arg(long, value_name = "N", value_parser = tasks, requires = "into")]
    pub(super) tasks: Option<usize>,
    #[command(flatten)]
    common: Common,
}

/// What `run` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[arg(value_name = "PLAN", hide = true)]
    pub(super) plan: String,
    #[arg(value_name = "PARTITIONS", hide = true)]
    pub(super) partitions: String,
    /// Write the state of each shard into this folder, and print its name
    #[arg(long, value_name = "FOLDER", requires = "shards", conflicts_with = "output")]
    pub(super) into: Option<PathBuf>,
    /// Shards: each has the keys of a hash, as 0000.state, ...
    #[arg(long, value_name = "N", value_parser = shards, requires = "into")]
    pub(super) shards: Option<usize>,
    #[command(flatten)]
    common: Common,
}

/// What `merge` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Merge {
    #[arg(value_name = "PLAN", hide = true)]
    pub(super) plan: String,
    #[arg(value_name = "STATE", hide = true, required = true)]
    pub(super) states: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// What `finish` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Finish {
    #[arg(value_name = "PLAN", hide = true)]
    pub(super) plan: String,
    #[arg(value_name = "STATE", hide = true, required = true)]
    pub(super) states: Vec<String>,
    /// jsonl, text, or table (so are counts on a terminal)
    #[arg(short, long, value_name = "F", value_parser = to)]
    to: Option<Format>,
    #[command(flatten)]
    common: Common,
}

/// What every step takes.
#[derive(Debug, Clone, clap::Args)]
struct Common {
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    resources: Resources,
    #[command(flatten)]
    telling: Telling,
    /// The memory of a run in Rust, which may be less than `--memory` is
    #[arg(long, value_name = "BYTES", hide = true)]
    run_memory: Option<u64>,
    /// The folder in which a program in Rust was started, if it is not here
    #[arg(long, value_name = "FOLDER", hide = true)]
    folder_missing: Option<String>,
    /// Print this
    #[arg(short, long, action = ArgAction::Help)]
    help: Option<bool>,
}

fn tasks(given: &str) -> Result<usize, String> {
    match given.parse() {
        Ok(n @ 1..=1_000_000) => Ok(n),
        _ => Err("a number from 1 to 1000000".to_owned()),
    }
}

fn shards(given: &str) -> Result<usize, String> {
    match given.parse() {
        Ok(n) if (1..=MOST_SHARDS).contains(&n) => Ok(n),
        _ => Err(format!("a number from 1 to {MOST_SHARDS}")),
    }
}

impl Step {
    /// Reads arguments, of which the first is `worker`.
    pub(super) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let mut command = Typed::command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        let typed = Typed::from_arg_matches(&matches);
        typed.map(|typed| typed.step).map_err(|error| error.format(&mut command))
    }

    /// The path of the plan, if it is of one.
    pub(super) fn plan(&self) -> Option<&str> {
        match self {
            Self::Call(_) => None,
            Self::List(List { plan, .. })
            | Self::Run(Run { plan, .. })
            | Self::Merge(Merge { plan, .. })
            | Self::Finish(Finish { plan, .. }) => Some(plan),
        }
    }

    fn common(&self) -> &Common {
        match self {
            Self::List(List { common, .. })
            | Self::Run(Run { common, .. })
            | Self::Merge(Merge { common, .. })
            | Self::Call(Call { common, .. })
            | Self::Finish(Finish { common, .. }) => common,
        }
    }

    /// The folder in which a program in Rust was started, if it is not here.
    pub(super) fn folder_missing(&self) -> Option<&str> {
        self.common().folder_missing.as_deref()
    }

    /// The memory of a run in Rust, if it was given.
    pub(super) fn run_memory(&self) -> Option<u64> {
        self.common().run_memory
    }

    /// The options of the command that it has, and the defaults of all others.
    pub(super) fn args(&self) -> Args {
        let (common, to) = match self {
            Self::Finish(Finish { common, to, .. }) => (common, *to),
            step => (step.common(), None),
        };
        let Common { writing, resources, telling, .. } = common.clone();
        let mut args = Args::none();
        (args.writing, args.resources, args.telling, args.to) = (writing, resources, telling, to);
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Typed::command().debug_assert();
    }
}
