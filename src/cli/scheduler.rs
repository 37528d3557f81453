//! `--scheduler`: the first phase of a program on a Dask cluster, and the rest here.

use std::process::ExitStatus;
use std::sync::Arc;

use super::args::{Args, Errors, When};
use super::{message, partial, signals};
use crate::Result;
use crate::cluster::{Asked, INSTALL, Scheduler, Submission, Telling};
use crate::plan::Partials;
use crate::program::{InputFormat, Program};
use crate::run::Context;
use crate::source::Missing;

/// Runs a program on the cluster of a scheduler, and prints the answer; returns the exit code.
pub(super) fn run(
    args: &Args,
    address: &str,
    text: &str,
    input: InputFormat,
    program: &Arc<Program>,
) -> Result<u8> {
    let plan = partial::plan(args, text, input, program).for_others(&args.sources)?;
    // What is wrong with the output is told before the cluster works for it.
    super::output(args)?;
    let context = Context::default();
    let first = signals::First::EndsRun;
    let interrupted = signals::watch(context.stop.clone(), Arc::default(), first);
    let scheduler = Scheduler::new(address);
    let plan_bytes = plan.to_bytes();
    let submitted = Submission::start(&mut Asked {
        scheduler: &if args.ship_binary { scheduler.ship_binary() } else { scheduler },
        plan: &mut &plan_bytes[..],
        length: plan_bytes.len() as u64,
        memory: args.resources.memory,
        spill_max: args.resources.spill_max,
        tmpdir: args.resources.tmpdir.as_deref(),
        program: None,
        telling: telling(args),
    });
    let Some(mut submitted) = submitted? else {
        return Ok(message::usage(format_args!(
            "--scheduler needs the Python package creel-dask, which python3 does not have; install it: {INSTALL}"
        )));
    };
    let Some(states) = submitted.states(|| interrupted.is_set(), |_| {}) else {
        let status = submitted.end(|_| {})?;
        return Ok(if interrupted.is_set() { message::INTERRUPTED } else { exit_code(status) });
    };
    let partials = Partials::new("the plan", plan, partial::states(args, &states)?)?;
    let code = partial::print_answer(args, &partials);
    submitted.end(|_| {})?;
    code
}

/// What creel-dask tells, on the standard error of this process.
fn telling(args: &Args) -> Telling {
    Telling {
        progress: match args.telling.progress {
            When::Never => "never",
            When::Always => "always",
            When::Json => "json",
            _ if args.telling.quiet => "never",
            _ => "auto",
        },
        records: args.telling.errors == Errors::Json,
        // What could not be read is told with the answer, if it is to be told.
        quiet: args.telling.quiet || args.on_missing == Missing::Skip,
        is_read: false,
    }
}

/// The exit code of the process that failed, which has said why.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.filter(|code| *code != 0).unwrap_or_else(|| {
        message::say(format_args!("creel-dask ended before its answer: {status}"));
        message::SOURCE
    })
}
