//! The four operations on plans: list, run, merge, finish.

use std::sync::Arc;

use super::data::Plan;
use super::partials::{Partials, RunOf, RunOfPartitions, list_in};
use super::partition::Partitions;
use super::report::Report;
use super::shard::MOST_SHARDS;
use super::state::Stored;
use crate::run::Context;
use crate::sink::{Encoder, Format, Printer, Write};
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
    list_in(plan, None, &Context::default())?.into_partitions()
}

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
    let job = plan.job(&[], RunOf::missing(plan))?;
    let (context, mut bytes) = (&Context::default(), Vec::new());
    let tell = &ToString::to_string;
    RunOfPartitions { plan, partitions, job, context, tell }.write(&mut [&mut bytes])?;
    State::from_bytes(bytes)
}

/// The same, as the states of so many shards, at most 256: each has the keys of a hash, which is the same in every
/// process. So groups and counts may be merged shard by shard, side by side. What has no keys is in the first:
/// records, aggregates of all records, and the rows of `sort` and `distinct`.
///
/// States of one shard are [merged](merge) into one of that shard, and those of all shards into the whole.
///
/// # Errors
/// As [`run`]; and [`Error::Plan`](crate::Error::Plan) for no shard or too many.
///
/// ```
/// use creel::plan::{self, InputFormat, Plan};
///
/// let plan = Plan::new("words | frequencies | topk(1)", InputFormat::TEXT, ["fixtures/peps/*.rst"])?;
/// let mut shards = plan::run_shards(&plan, &plan::list(&plan)?, 3)?;
/// let whole = plan::merge(&plan, &shards)?;
/// assert_eq!(plan::finish(&plan, &whole)?.iter().collect::<Vec<_>>(), [r#"["the",2415]"#]);
/// shards.pop();
/// let error = plan::merge(&plan, &shards).unwrap_err();
/// assert!(error.to_string().contains("there is no state of shard 2 of 3"));
/// # Ok::<(), creel::Error>(())
/// ```
pub fn run_shards(plan: &Plan, partitions: &Partitions, shards: usize) -> Result<Vec<State>> {
    if !(1..=MOST_SHARDS).contains(&shards) {
        let reason = format!("a run is cut into 1 to {MOST_SHARDS} shards, not {shards}");
        return Err(Error::Plan { reason });
    }
    let job = plan.job(&[], RunOf::missing(plan))?;
    let (context, mut bytes) = (&Context::default(), vec![Vec::new(); shards]);
    let tell = &ToString::to_string;
    let mut outs: Vec<&mut dyn Write> = Vec::with_capacity(shards);
    outs.extend(bytes.iter_mut().map(|bytes| bytes as &mut dyn Write));
    RunOfPartitions { plan, partitions, job, context, tell }.write(&mut outs)?;
    bytes.into_iter().map(State::from_bytes).collect()
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

    /// The state, as it is read.
    #[cfg(test)]
    pub(super) fn stored(&self) -> Stored {
        self.stored.clone()
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
