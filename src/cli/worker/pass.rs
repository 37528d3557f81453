//! The steps of a program in Rust: the same operations and options, on a pass of that program.

use std::ffi::OsString;
use std::io::Read;
use std::sync::Arc;

use super::super::args;
use super::super::{message, monitor, partial, record};
use super::args::Step;
use crate::bag::TextPass;
use crate::plan::{Partitions, Report, StepPlan};
use crate::run::{Context, Stop};
use crate::{Error, Place, Result, Run, cluster};

/// A step of a program in Rust, in a process that is there for it.
pub(crate) struct ProgramStep {
    step: Step,
    /// What it needs to come to its pass, if it is of one.
    plan: Option<StepPlan>,
}

impl ProgramStep {
    /// Reads the arguments of a step, which are those of `creel worker`; or tells what is wrong with them, and returns
    /// the exit code.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, u8> {
        record::tell_records(args::asks_for_records(arguments));
        let step = Step::read(arguments).map_err(|error| super::super::explain(&error))?;
        let plan = step.plan().map(StepPlan::read).transpose();
        let plan = plan.map_err(|error| super::super::end(&error))?;
        Ok(Self { step, plan })
    }

    /// Which pass it is of; `None` for a call of a function.
    pub(crate) fn plan(&self) -> Option<&StepPlan> {
        self.plan.as_ref()
    }

    /// Calls the function of the step; returns the exit code.
    pub(crate) fn call(&self) -> u8 {
        self.called().unwrap_or_else(|error| super::super::end(&error))
    }

    fn called(&self) -> Result<u8> {
        let Step::Call(call) = &self.step else {
            let reason = "the program connects before it computes what the step is of".to_owned();
            return Err(Error::Plan { reason });
        };
        let (args, mut arguments) = (self.step.args(), Vec::new());
        let read = super::opened(&call.arguments)?.read_to_end(&mut arguments);
        read.map_err(|error| Error::io(Place::object(&call.arguments), error))?;
        let result = cluster::call(&call.function, &arguments)?;
        let (mut target, _) = partial::target(&args, super::out(&args), &Context::default())?;
        target.write(&result)?;
        target.finish()?;
        Ok(0)
    }

    /// Where a computation before the step happens: in what the step may use, with the counters of the program.
    pub(crate) fn context(&self, blocksize: Option<usize>, of: &Context) -> Context {
        let context = self.run().context(of.stop.clone(), blocksize);
        let (progress, observers) = (Arc::clone(&of.progress), of.observers.clone());
        Context { progress, observers, ..context }
    }

    /// The threads and the memory that the step was given.
    fn run(&self) -> Run {
        let resources = self.step.args().resources;
        let mut run = Run::new().threads(resources.threads.unwrap_or(1));
        if let Some(memory) = self.step.run_memory().or(resources.memory) {
            creel_kernels::return_freed();
            run = run.memory(memory);
        }
        if let Some(bytes) = resources.spill_max {
            run = run.spill_max(bytes);
        }
        match resources.tmpdir {
            Some(folder) => run.tmpdir(folder),
            None => run,
        }
    }

    /// Tells why there is no step, as a record: a launcher reads it. Returns the exit code.
    pub(crate) fn refuse(error: &Error) -> u8 {
        record::tell_records(true);
        super::super::end(error)
    }

    /// Tells an error; returns the exit code.
    pub(crate) fn fail(&self, error: &Error) -> u8 {
        super::super::end(error)
    }

    /// Does the step of a pass; returns the exit code.
    pub(crate) fn make(&self, plan: &StepPlan, pass: &TextPass) -> u8 {
        self.made(plan, pass).unwrap_or_else(|error| super::super::end(&error))
    }

    fn made(&self, plan: &StepPlan, pass: &TextPass) -> Result<u8> {
        let args = self.step.args();
        args.resources.memory.iter().for_each(|asked| message::memory_is(*asked));
        if let Some(folder) = self.step.folder_missing() {
            pass.check_paths(folder)?;
        }
        let mut context = self.run().context(Stop::default(), Some(pass.blocksize()));
        monitor::count_records(args.telling.progress, &mut context);
        let digest = plan.digest;
        let missing = pass.missing();
        let written = match &self.step {
            Step::List(list) => {
                let found = |tasks| pass.list(digest, tasks, &context);
                super::write_listing(&args, list, missing, &context, found)
            }
            Step::Run(run) => {
                let given = &run.partitions;
                let partitions = Partitions::read(super::opened(given)?, &super::name(given))?;
                let shared = pass.decode(&plan.values)?;
                pass.check_forms(&context, &shared)?;
                partial::write_state(&args, super::out(&args), missing, &context, |out| {
                    pass.run(digest, &shared, &partitions, &context, out)
                })
            }
            Step::Merge(merge) => {
                let shared = pass.decode(&plan.values)?;
                let open = |path: &String| Ok((super::name(path), super::opened(path)?));
                let states = merge.states.iter().map(open).collect::<Result<_>>()?;
                partial::write_state(&args, super::out(&args), missing, &context, |out| {
                    pass.merge(digest, &shared, states, &context, out)?;
                    Ok(Report::default())
                })
            }
            Step::Finish(_) | Step::Call(_) => {
                let reason = "it is no step of a pass of a program in Rust".to_owned();
                return Err(Error::Plan { reason });
            }
        };
        Ok(super::code(written?))
    }
}
