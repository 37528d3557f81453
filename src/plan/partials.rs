//! The state of a run of some partitions, written; and the states of many, merged and finished.

use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::bytes::Digest;
use super::coverage::Coverage;
use super::data::Plan;
use super::listing::Listing;
use super::overlap;
use super::partition::Partitions;
use super::report::Report;
use super::shard::{self, Shard};
use super::state::{Stored, StoredRows};
use super::writer::StateWriter;
use crate::memory::Reservation;
use crate::program::{self, Carries, Carry, Parts};
use crate::run::{Context, Job, Order, Text};
use crate::sink::{Printer, Write};
use crate::source::Missing;
use crate::watch::bytes;
use crate::{Error, Result};

/// Lists what a plan reads and cuts it into partitions: for so many tasks at least, if that is said, and if there is
/// enough to read.
pub(crate) fn list_in(plan: &Plan, tasks: Option<usize>, context: &Context) -> Result<Listing> {
    let job = plan.job(plan.sources(), plan.missing())?;
    list_job(plan.digest(), job, plan.program.order(), tasks, context)
}

/// Lists what a job reads, for the plan of this digest, whose results ask for this order of the blocks.
pub(crate) fn list_job(
    digest: Digest,
    job: Job,
    order: Order,
    tasks: Option<usize>,
    context: &Context,
) -> Result<Listing> {
    let objects = job.list(context)?;
    let size = tasks.map_or(PARTITION, |tasks| {
        // Several a task: tasks of about equal bytes are made of them.
        let each = objects.total() / (tasks as u64).saturating_mul(4).max(1);
        each.clamp(LEAST_PARTITION, PARTITION)
    });
    let job = Job { partition_size: Some(size), ..job };
    let cut = job.cut(&objects, context, order);
    // Entries that can be read are told by those who read them.
    let report = Report::of(&context.progress, 0, &ToString::to_string);
    Ok(Listing::new(digest, cut, report))
}

/// Bytes of a partition, about.
const PARTITION: u64 = 64 << 20;

/// Bytes of a partition at least, where tasks are many: what is done once for each costs less than this.
const LEAST_PARTITION: u64 = 64 << 10;

/// Partitions of a plan that a process reads.
pub(crate) struct RunOfPartitions<'r> {
    pub(crate) plan: &'r Plan,
    pub(crate) partitions: &'r Partitions,
    /// How blocks are read.
    pub(crate) job: Job,
    pub(crate) context: &'r Context,
    /// The words in which errors are told.
    pub(crate) tell: &'r dyn Fn(&Error) -> String,
}

/// Reserves what so many objects take that were listed elsewhere.
///
/// # Errors
/// [`Error::Memory`] if there is not so much.
pub(super) fn reserved(objects: usize, context: &Context) -> Result<Option<Reservation>> {
    /// Bytes of an object, about: 200,000 files took 158 MB.
    const OBJECT: u64 = 800;
    let Some(budget) = &context.budget else { return Ok(None) };
    let takes = OBJECT.saturating_mul(objects as u64);
    if takes > budget.limit() {
        return Err(Error::Memory {
            task: "the list of objects".to_owned(),
            limit: budget.limit(),
            held: format!(
                "{objects} objects take {} when they are read; give the process fewer \
                 (creel worker list --tasks N), or `--memory {}M`",
                bytes(takes),
                budget.least(2 * takes) >> 20
            ),
        });
    }
    Ok(Some(budget.reserve(takes)))
}

impl RunOfPartitions<'_> {
    /// Runs the first phase over their records and writes the state, or that of each shard if there are several to
    /// write to. Returns what this run has passed over; the state
    /// has what the listing passed over as well.
    ///
    /// # Errors
    /// As [`run`](super::run).
    pub(crate) fn write(self, outs: &mut [&mut dyn Write]) -> Result<Report> {
        let Self { plan, partitions, job, context, tell } = self;
        partitions.check(plan.digest())?;
        context.progress.add_total(partitions.bytes());
        let objects = partitions.number_of_objects();
        let _listed = reserved(objects, context)?;
        let (numbers, to_read) =
            partitions.to_read(plan.access(RunOf::missing(plan)), &context.progress)?;
        let input = Arc::new(job.read_in(to_read.clone(), context));
        let run = RunOf {
            plan,
            input: &input,
            listed: objects,
            coverage: &|| Coverage::of_partitions(&to_read),
            context,
        };
        let mut own = Report::default();
        let hash = XxHash3_64::oneshot(&partitions.to_bytes());
        let written = run.write_shards(outs, hash, |progress, listed| {
            own = Report::of(progress, listed, tell);
            let mut report = partitions.report().clone();
            report.add(own.clone());
            report
        });
        written.map_err(|error| error.with_partitions_of(&numbers))?;
        Ok(own)
    }
}

/// What an entry does that cannot be read by the run of a part.
pub(super) fn missing_of_part(missing: Missing) -> Missing {
    match missing {
        Missing::Report => Missing::Skip,
        missing => missing,
    }
}

/// A run of the first phase of a plan over an input of its records.
pub(crate) struct RunOf<'r> {
    pub(crate) plan: &'r Plan,
    pub(crate) input: &'r Arc<Text>,
    /// How many entries were listed that may be read.
    pub(crate) listed: usize,
    /// Which objects it is of, asked for when all was read.
    pub(crate) coverage: &'r dyn Fn() -> Coverage,
    pub(crate) context: &'r Context,
}

impl RunOf<'_> {
    /// What an entry does that cannot be read by the run of a part. That none of all can be read is known
    /// only at the merge.
    pub(crate) fn missing(plan: &Plan) -> Missing {
        missing_of_part(plan.missing())
    }

    /// Runs it and writes the state, with the report that is made of what the run has told.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        report: impl FnOnce(&crate::Progress, usize) -> Report,
    ) -> Result<()> {
        self.write_shards(&mut [out], 0, report)
    }

    /// The same; of several to write to, each gets the shard of its number of a run over partitions of this hash.
    fn write_shards(
        &self,
        outs: &mut [&mut dyn Write],
        partitions: u64,
        report: impl FnOnce(&crate::Progress, usize) -> Report,
    ) -> Result<()> {
        let Self { plan, input, listed, coverage, context } = self;
        let (program, records, shards) = (&plan.program, plan.records(), outs.len());
        let writers = outs.iter_mut().enumerate().map(|(number, out)| {
            StateWriter::new(plan, Shard::of_run(number, shards, partitions), &mut **out)
        });
        let mut writers: Vec<StateWriter<'_>> = writers.collect::<Result<_>>()?;
        let mut carries: Vec<&mut dyn Carry> = Vec::with_capacity(shards);
        carries.extend(writers.iter_mut().map(|writer| writer as &mut dyn Carry));
        program::run_part(program, input, &records, context, &mut carries)?;
        let mut report = Some(report(&context.progress, *listed).without_partitions());
        for object in coverage().into_covered() {
            writers.iter_mut().try_for_each(|writer| writer.object(&object))?;
        }
        // It is told once, by the first.
        writers.into_iter().try_for_each(|writer| writer.end(&report.take().unwrap_or_default()))
    }
}

/// States of parts of the input, which are merged.
#[derive(Debug)]
pub(crate) struct Partials {
    /// What is asked, of the sources of all.
    plan: Plan,
    states: Vec<Stored>,
    report: Report,
    /// The shard that they are of, if they have not all keys.
    shard: Option<Shard>,
}

impl Partials {
    /// States of this plan, which is that of `first` in messages.
    ///
    /// # Errors
    /// [`Error::Plan`] for a state of another plan, and for two that share bytes of an object.
    pub(crate) fn new(first: &str, mut plan: Plan, states: Vec<Stored>) -> Result<Self> {
        let digest = plan.digest();
        if let Some(other) = states.iter().find(|state| state.digest != digest) {
            let difference = other.plan.question.difference(&plan.question);
            let difference = difference.map(|how| format!(": {how}")).unwrap_or_default();
            let reason = format!(
                "{} is a state of another plan than {first}{difference} (plan {}, not {digest})",
                other.name(),
                other.digest,
            );
            return Err(Error::Plan { reason });
        }
        let shard = shard::of_all(&states)?;
        overlap::union(&states, &mut |_| Ok(()))?;
        shard::check_partitions(&states)?;
        if let Some(first) = states.first() {
            // Parts of one listing have the same.
            let sources = first.plan.sources();
            plan.reading.sources = match states.iter().all(|state| state.plan.sources() == sources)
            {
                true => sources.to_vec(),
                false => states.iter().flat_map(|state| state.plan.sources()).cloned().collect(),
            };
        }
        // What stands behind enough records for a `take` is read by no run, and what is wrong there
        // is told by none. In what order that is, only the order of the states tells.
        let enough = plan.program.first_take().unwrap_or(u64::MAX);
        let (mut report, mut rows) = (Report::default(), 0_u64);
        for state in &states {
            let told = state.report.clone();
            report.add(if rows >= enough { told.of_the_listing() } else { told });
            rows = rows.saturating_add(state.rows(0));
        }
        Ok(Self { plan, states, report, shard })
    }

    /// States of the plan of the first of them.
    ///
    /// # Errors
    /// [`Error::Plan`] if there is none, or one is of another plan.
    pub(crate) fn of_one_plan(states: Vec<Stored>) -> Result<Self> {
        let Some(first) = states.first() else {
            return Err(Error::Plan { reason: "there is no state to merge".to_owned() });
        };
        let (name, plan) = (first.name().to_owned(), first.plan.clone());
        Self::new(&name, plan, states)
    }

    /// Fails if they have the keys of one shard alone, of which there is no answer.
    ///
    /// # Errors
    /// [`Error::Plan`] that names a shard that is missing.
    pub(crate) fn check_whole(&self) -> Result<()> {
        match self.shard {
            None => Ok(()),
            Some(shard) => {
                let number = u32::from(shard.number == 0);
                Err(shard::missing_shard(Shard { number, ..shard }))
            }
        }
    }

    /// What is asked, of the sources of all.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The report of the records and entries that the runs of the parts passed over.
    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    /// Bytes of all states.
    pub(crate) fn size(&self) -> u64 {
        self.states.iter().map(|state| state.size).sum()
    }

    /// Whether they have rows, of which a merge that is interrupted has printed what it read.
    pub(crate) fn have_rows(&self) -> bool {
        self.carries().iter().any(|of| matches!(of, Carries::Rows | Carries::Records))
    }

    fn carries(&self) -> Vec<Carries> {
        self.plan.program.carries(self.plan.records().invalid)
    }

    /// Writes one state of all.
    ///
    /// # Errors
    /// [`Error::Cancelled`] for a run that is told to stop: a state of some of them would be taken for
    /// one of all.
    pub(crate) fn write(&self, context: &Context, out: &mut dyn Write) -> Result<()> {
        let mut writer = StateWriter::new(&self.plan, self.shard, out)?;
        match self.carries().as_slice() {
            [Carries::Records] => self.write_records(context, &mut writer)?,
            _ => {
                let (program, invalid) = (&self.plan.program, self.plan.records().invalid);
                program::merge_parts(program, self.parts(context), invalid, context, &mut writer)?;
            }
        }
        overlap::union(&self.states, &mut |object| writer.object(&object))?;
        writer.end(&self.report)
    }

    /// Writes the records of all, no more than a `take` behind them takes.
    fn write_records(&self, context: &Context, writer: &mut StateWriter<'_>) -> Result<()> {
        let mut wanted = self.plan.program.first_take().unwrap_or(u64::MAX);
        for state in &self.states {
            let mut frames = state.frames(0, &context.stop, &context.progress);
            while wanted > 0
                && let Some(lines) = frames.next_rows()?
            {
                let last = usize::try_from(wanted - 1).unwrap_or(usize::MAX);
                let end = memchr::memchr_iter(b'\n', lines).nth(last);
                writer.rows(0, end.map_or(lines, |end| &lines[..=end]))?;
                wanted = match end {
                    Some(_) => 0,
                    None => wanted - memchr::memchr_iter(b'\n', lines).count() as u64,
                };
            }
        }
        Ok(())
    }

    /// Prints what one run over all would print.
    pub(crate) fn print(&self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        self.check_whole()?;
        let (program, records) = (&self.plan.program, self.plan.records());
        program::finish_parts(program, self.parts(context), &records, context, out)
    }

    /// The report of the runs of the parts and of the stages that ran when the rows were
    /// [printed](Self::print), of which `progress` tells; in the words of `tell`.
    pub(crate) fn report_of_all(
        &self,
        progress: &crate::Progress,
        tell: &dyn Fn(&Error) -> String,
    ) -> Report {
        let mut report = self.report.clone();
        report.add(Report::of(progress, 0, tell).without_partitions());
        report
    }

    /// What all states have of each result.
    fn parts(&self, context: &Context) -> Vec<Parts<StoredRows>> {
        let parts = self.carries().into_iter().enumerate().map(|(result, of)| match of {
            Carries::State(_) => {
                let runs = self.states.iter().filter_map(|state| state.run(result, context));
                Parts::Chunks(runs.collect())
            }
            Carries::Rows | Carries::Records => {
                Parts::Rows(Arc::new(StoredRows::new(&self.states, result, context)))
            }
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{self, InputFormat};
    use crate::sink::{Encoder, Format};

    #[test]
    fn a_merge_that_is_told_to_stop_prints_no_answer_of_some_of_the_states() {
        let sources = ["fixtures/access.log"];
        for (program, is_printed) in
            [("words | frequencies", false), (".", true), ("take(3)", true)]
        {
            let plan = Plan::new(program, InputFormat::TEXT, sources).unwrap();
            let state = plan::run(&plan, &plan::list(&plan).unwrap()).unwrap();
            let partials = Partials::new("the plan", plan, vec![state.stored()]).unwrap();
            let context = Context::default();
            context.stop.stop();
            let mut lines = Vec::new();
            let mut printer = Printer::new(Encoder::new(Format::Jsonl, false), None, &mut lines);
            let printed = partials.print(&context, &mut printer);
            // Rows that were read until then are an answer, and none was.
            assert_eq!(printed.is_ok(), is_printed, "{program}: {printed:?}");
            drop(printer);
            assert!(lines.is_empty());
            let mut bytes = Vec::new();
            assert!(matches!(partials.write(&context, &mut bytes), Err(Error::Cancelled)));
        }
    }
}
