//! The four operations on plans: list, run, merge, finish.

use std::sync::Arc;

use super::coverage::Coverage;
use super::data::Plan;
use super::overlap;
use super::partition::Partitions;
use super::report::Report;
use super::state::{Stored, StoredRows};
use super::writer::StateWriter;
use crate::program::{self, Carries, Carry as _, Parts};
use crate::run::{Context, Job, Text};
use crate::sink::{Encoder, Format, Printer, Write};
use crate::source::Missing;
use crate::{Error, Result};

/// Lists what a plan reads and cuts it into partitions of 64 MiB at most.
///
/// # Errors
/// As for computing a bag of the sources; and [`Error::Unsupported`] for what can be read only once, as
/// standard input, which no other process can read.
///
/// ```
/// use creel::plan::{self, InputFormat, Plan};
///
/// let plan = Plan::new("count", InputFormat::TEXT, ["fixtures/access.log"])?;
/// assert_eq!(plan::list(&plan)?.len(), 1);
/// assert!(plan::list(&Plan::new("count", InputFormat::TEXT, ["-"])?).is_err());
/// # Ok::<(), creel::Error>(())
/// ```
pub fn list(plan: &Plan) -> Result<Partitions> {
    let context = Context::default();
    let job = Job { partition_size: Some(PARTITION), ..plan.job(plan.sources(), plan.missing())? };
    let objects = job.list(&context)?;
    let cut = job.cut(&objects, &context, plan.program.order());
    // Entries that can be read are told by those who read them.
    let report = Report::of(&context.progress, 0, &ToString::to_string);
    Partitions::of(plan, cut.plan(), report)
}

/// Bytes of a partition, about.
const PARTITION: u64 = 64 << 20;

/// Reads partitions and runs the first phase of the plan over their records.
///
/// # Errors
/// [`Error::Plan`] for partitions of another plan, [`Error::Changed`] for an object that is another than the one
/// that was listed, and as for computing a bag.
///
/// ```
/// use creel::plan::{self, InputFormat, Plan};
///
/// let plan = Plan::new("count", InputFormat::TEXT, ["fixtures/access.log"])?;
/// let other = Plan::new("words | count", InputFormat::TEXT, ["fixtures/access.log"])?;
/// assert!(plan::run(&plan, &plan::list(&plan)?).is_ok());
/// assert!(matches!(plan::run(&plan, &plan::list(&other)?), Err(creel::Error::Plan { .. })));
/// # Ok::<(), creel::Error>(())
/// ```
pub fn run(plan: &Plan, partitions: &Partitions) -> Result<State> {
    if partitions.digest != plan.digest() {
        let reason = format!(
            "these partitions are of the plan {}, and not of {}; list them with this one",
            partitions.digest,
            plan.digest(),
        );
        return Err(Error::Plan { reason });
    }
    let context = Context::default();
    let missing = RunOf::missing(plan);
    let to_read = partitions.to_read(plan, missing, &context.progress)?;
    let job = plan.job(&[], missing)?;
    let input = Arc::new(job.read_in(to_read.clone(), &context));
    let run = RunOf {
        plan,
        input: &input,
        listed: partitions.objects(),
        coverage: &|| Coverage::of_partitions(&to_read),
        context: &context,
    };
    let (mut bytes, mut report) = (Vec::new(), partitions.report().clone());
    run.write(&mut bytes, |progress, listed| {
        report.add(Report::of(progress, listed, &ToString::to_string));
        report
    })?;
    State::from_bytes(bytes)
}

/// Merges states: into that of one run over all that they have read, in the order given.
///
/// # Errors
/// [`Error::Plan`] for a state of another plan, and for two states that share bytes of an object, whose
/// records would be counted twice; both states and the object are named. A state knows the objects that
/// it is of by path or URL and by version, and which bytes of them; a merged state knows those of all.
/// Of what has no version, as standard input, nothing is known.
///
/// ```
/// use creel::plan::{self, InputFormat, Plan};
///
/// let plan = Plan::new("count", InputFormat::TEXT, ["fixtures/peps/*.rst"])?;
/// let states: Vec<_> = plan::list(&plan)?.split().iter().map(|part| plan::run(&plan, part)).collect();
/// let mut states = states.into_iter().collect::<Result<Vec<_>, _>>()?;
/// let merged = plan::merge(&plan, &states)?;
/// assert_eq!(plan::finish(&plan, &merged)?.iter().collect::<Vec<_>>(), ["9084"]);
/// states.push(states[0].clone());
/// assert!(matches!(plan::merge(&plan, &states), Err(creel::Error::Plan { .. })));
/// # Ok::<(), creel::Error>(())
/// ```
pub fn merge(plan: &Plan, states: &[State]) -> Result<State> {
    let mut bytes = Vec::new();
    partials(plan, states)?.write(&Context::default(), &mut bytes)?;
    State::from_bytes(bytes)
}

/// Runs what is behind the first phase of the plan, and gives the rows of the answer.
///
/// # Errors
/// [`Error::Plan`] for a state of another plan, and as for computing an item.
pub fn finish(plan: &Plan, state: &State) -> Result<Rows> {
    let (context, mut lines) = (Context::default(), Vec::new());
    let mut printer = Printer::new(Encoder::new(Format::Jsonl, false), None, &mut lines);
    let partials = partials(plan, std::slice::from_ref(state))?;
    partials.print(&context, &mut printer)?;
    printer.flush()?;
    drop(printer);
    let text = String::from_utf8(lines);
    Ok(Rows {
        text: text.unwrap_or_else(|_| unreachable!("rows are JSON")),
        report: partials.report_of_all(&context.progress, &ToString::to_string),
    })
}

/// States of one plan.
fn partials(plan: &Plan, states: &[State]) -> Result<Partials> {
    let states = states.iter().enumerate();
    let named = states.map(|(n, state)| state.stored.clone().named(format!("state {}", n + 1)));
    Partials::new("the plan", plan.clone(), named.collect())
}

/// What some of the records of a plan came to: the first phase over them, in bytes.
///
/// ```
/// use creel::plan::{self, InputFormat, Plan, State};
///
/// let plan = Plan::new("count", InputFormat::TEXT, ["fixtures/access.log"])?;
/// let state = plan::run(&plan, &plan::list(&plan)?)?;
/// let back = State::from_bytes(state.as_bytes().to_vec())?;
/// assert_eq!(plan::finish(&plan, &back)?.iter().collect::<Vec<_>>(), ["1500"]);
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct State {
    bytes: Arc<[u8]>,
    stored: Stored,
}

impl State {
    /// Checks bytes that [`into_bytes`](Self::into_bytes) made, or `creel --partial`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for bytes that are no state or damaged, [`Error::Unsupported`] for those of another
    /// version.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Self> {
        let bytes = bytes.into();
        Ok(Self { stored: Stored::of(Arc::clone(&bytes))?, bytes })
    }

    /// The state as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The state as bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// The plan that it is of, with the sources that it was run over.
    pub fn plan(&self) -> &Plan {
        &self.stored.plan
    }

    /// What was passed over.
    pub fn report(&self) -> &Report {
        &self.stored.report
    }
}

/// The rows of an answer, each a value of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    text: String,
    report: Report,
}

impl Rows {
    /// The rows, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// The report of the records and entries that the runs of the parts and the stages behind the first
    /// reduction passed over.
    ///
    /// ```
    /// use creel::plan::{self, InputFormat, Plan};
    ///
    /// // A word has no fields: the stage behind the counts leaves all of them out.
    /// let plan = Plan::new("words | frequencies | map(.[0].a)", InputFormat::TEXT, ["fixtures/access.log"])?;
    /// let plan = plan.invalid(creel::Invalid::Skip);
    /// let state = plan::run(&plan, &plan::list(&plan)?)?;
    /// assert_eq!(state.report().records_skipped(), 0);
    /// assert!(plan::finish(&plan, &state)?.report().records_skipped() > 0);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn report(&self) -> &Report {
        &self.report
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
        match plan.missing() {
            Missing::Report => Missing::Skip,
            missing => missing,
        }
    }

    /// Runs it and writes the state, with the report that is made of what the run has told.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        report: impl FnOnce(&crate::Progress, usize) -> Report,
    ) -> Result<()> {
        let Self { plan, input, listed, coverage, context } = self;
        let (program, records) = (&plan.program, plan.records());
        let mut writer = StateWriter::new(plan, out)?;
        program::run_part(program, input, &records, context, &mut writer)?;
        let report = report(&context.progress, *listed).without_partitions();
        coverage().into_covered().try_for_each(|object| writer.object(&object))?;
        writer.end(&report)
    }
}

/// States of parts of the input, which are merged.
#[derive(Debug)]
pub(crate) struct Partials {
    /// What is asked, of the sources of all.
    plan: Plan,
    states: Vec<Stored>,
    report: Report,
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
        overlap::union(&states, &mut |_| Ok(()))?;
        if !states.is_empty() {
            let sources = states.iter().flat_map(|state| state.plan.sources());
            plan.reading.sources = sources.cloned().collect();
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
        Ok(Self { plan, states, report })
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
        let mut writer = StateWriter::new(&self.plan, out)?;
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
    use crate::plan::InputFormat;

    #[test]
    fn a_merge_that_is_told_to_stop_prints_no_answer_of_some_of_the_states() {
        let sources = ["fixtures/access.log"];
        for (program, is_printed) in
            [("words | frequencies", false), (".", true), ("take(3)", true)]
        {
            let plan = Plan::new(program, InputFormat::TEXT, sources).unwrap();
            let state = run(&plan, &list(&plan).unwrap()).unwrap();
            let partials = partials(&plan, &[state]).unwrap();
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
