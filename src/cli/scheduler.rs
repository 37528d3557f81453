//! `--scheduler`: the first phase of a program on a Dask cluster, and the rest here.
//!
//! The cluster is reached through the Python package creel-dask, which speaks Dask's protocol. It is a process of its
//! own: the plan goes in on its standard input, and the paths of the states come out. It ends, cancels its tasks and
//! removes the states when that input ends, so nothing is left of it however this process ends.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::args::{Args, Errors, When};
use super::{message, partial, signals};
use crate::plan::{Partials, Plan};
use crate::program::{InputFormat, Program};
use crate::run::Context;
use crate::source::Missing;
use crate::{Error, Place, Result};

/// The line that installs the package.
const INSTALL: &str = "python3 -m pip install ./python/creel-dask, in the folder of creel's source";

/// What tells whether Python has the package, without the time that it takes to load.
const FIND: &str =
    "import importlib.util as u, sys; sys.exit(0 if u.find_spec('creel_dask') else 3)";

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
    let Some(python) = python()? else {
        return Ok(message::usage(format_args!(
            "--scheduler needs the Python package creel-dask, which python3 does not have; install it: {INSTALL}"
        )));
    };
    let context = Context::default();
    let first = signals::First::EndsRun;
    let interrupted = signals::watch(context.stop.clone(), Arc::default(), first);
    let mut submitted = Submitted::new(Command::new(python), args, address, &plan)?;
    let Some(states) = submitted.states(&interrupted) else {
        let status = submitted.end()?;
        return Ok(if interrupted.is_set() { message::INTERRUPTED } else { exit_code(status) });
    };
    let partials = Partials::new("the plan", plan, partial::states(args, &states)?)?;
    let code = partial::print_answer(args, &partials);
    submitted.end()?;
    code
}

/// A Python that has the package; `None` if one is there without it.
fn python() -> Result<Option<&'static str>> {
    for python in ["python3", "python"] {
        let found = Command::new(python).args(["-c", FIND]).stdin(Stdio::null()).status();
        match found {
            Ok(status) => return Ok(status.success().then_some(python)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed("Python cannot be started", &error)),
        }
    }
    let reason =
        format!("--scheduler needs Python 3, and there is no python3 on the path; then {INSTALL}");
    Err(Error::Unsupported { place: Place::object("the Dask cluster"), reason })
}

/// The process that runs a plan on a cluster.
struct Submitted {
    child: Child,
    /// It ends when this does.
    input: Option<ChildStdin>,
    output: Receiver<String>,
}

impl Submitted {
    /// Starts it and hands it the plan.
    fn new(mut python: Command, args: &Args, address: &str, plan: &Plan) -> Result<Self> {
        python.args(["-m", "creel_dask", "submit", "--attached", "--scheduler", address]);
        let binary = std::env::current_exe();
        python
            .arg("--creel")
            .arg(binary.map_err(|error| failed("no path of this binary", &error))?);
        if args.ship_binary {
            python.arg("--ship-binary");
        }
        for (option, bytes) in
            [("--memory", args.resources.memory), ("--spill-max", args.resources.spill_max)]
        {
            python.args(bytes.iter().flat_map(|bytes| [option.to_owned(), bytes.to_string()]));
        }
        if let Some(folder) = &args.resources.tmpdir {
            python.arg("--tmpdir").arg(folder);
        }
        python.args([
            "--progress",
            match args.telling.progress {
                When::Never => "never",
                When::Always => "always",
                When::Json => "json",
                _ if args.telling.quiet => "never",
                _ => "auto",
            },
        ]);
        if args.telling.errors == Errors::Json {
            python.args(["--errors", "json"]);
        }
        // What could not be read is told with the answer, if it is to be told.
        if args.telling.quiet || args.on_missing == Missing::Skip {
            python.arg("--quiet");
        }
        let started = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| failed("creel-dask cannot be started", &error))?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped")
        };
        let bytes = plan.to_bytes();
        // One that has ended says why on standard error.
        let _ = writeln!(input, "{}", bytes.len()).and_then(|()| input.write_all(&bytes));
        let _ = input.flush();
        let (lines, receiver) = channel();
        let read = move || {
            let all = BufReader::new(output).lines().map_while(std::io::Result::ok);
            let _ = all.map(|line| lines.send(line)).find(std::result::Result::is_err);
        };
        let reading = std::thread::Builder::new().name("creel cluster".to_owned()).spawn(read);
        reading.map_err(|error| failed("no thread can be started", &error))?;
        Ok(Self { child, input: Some(input), output: receiver })
    }

    /// The paths of the states, when all are there; `None` if it fails, or is interrupted.
    fn states(&mut self, interrupted: &signals::Interrupted) -> Option<Vec<String>> {
        /// How often it is asked whether the run is interrupted.
        const OFTEN: Duration = Duration::from_millis(50);
        let mut states = Vec::new();
        loop {
            match self.output.recv_timeout(OFTEN) {
                Ok(line) if line.is_empty() => return Some(states),
                Ok(line) => states.push(line),
                Err(RecvTimeoutError::Disconnected) => return None,
                // A terminal tells it too; a signal to this process alone does not.
                Err(RecvTimeoutError::Timeout) if interrupted.is_set() => self.input = None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Lets it end, and waits for that.
    fn end(mut self) -> Result<ExitStatus> {
        self.input = None;
        self.child.wait().map_err(|error| failed("creel-dask did not end", &error))
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

fn failed(what: &str, error: &std::io::Error) -> Error {
    let reason = format!("{what}: {error}");
    Error::Unsupported { place: Place::object("the Dask cluster"), reason }
}
