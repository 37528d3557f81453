//! The stages of a program that work record by record, run a batch at a time.

use std::ops::ControlFlow;

use super::batch::{BATCH, Batch, Kind};
use super::failure::{Failures, Told};
use super::json;
use super::predicate::Predicate;
use super::taken::Taken;
use super::value::{Evaluated, Value};
use super::words::words;
use crate::record::Invalid;

/// One stage: batches in, batches out.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// Each text to its words.
    Words,
    /// Each list to its members.
    Flatten,
    /// Each array of JSON to its elements; and each object to its values, unless told otherwise.
    Members { arrays_only: bool },
    /// The records that meet a condition.
    Filter(Predicate),
    /// Each record to a value.
    Map(Value),
    /// The first records; only ever run on one thread, in input order.
    Take(u64),
}

/// What one lane keeps for one stage: buffers, and how many records have gone through a `take`.
#[derive(Debug)]
pub(crate) struct Scratch {
    evaluated: Evaluated,
    keep: Vec<bool>,
    taken: u64,
    failures: Failures,
}

impl Scratch {
    /// What the stage had to say of bad records since it was last asked.
    pub(crate) fn told(&mut self) -> Told {
        std::mem::take(&mut self.failures.told)
    }
}

impl Stage {
    /// All records, in their order. An end behind it that depends on the order sees them on one thread, and in
    /// one process.
    pub(crate) const IN_ORDER: Self = Self::Take(u64::MAX);

    /// What it makes of records of a kind.
    pub(crate) fn kind(&self, of: Kind) -> Kind {
        match self {
            Self::Words | Self::Flatten => Kind::Text,
            Self::Members { .. } => Kind::Json,
            Self::Filter(_) | Self::Take(_) => of,
            Self::Map(value) => value.kind(of),
        }
    }

    /// Buffers for records of a kind.
    fn scratch(&self, of: Kind, policy: Invalid) -> Scratch {
        Scratch {
            evaluated: Evaluated::new(self.kind(of)),
            keep: Vec::new(),
            taken: 0,
            failures: Failures::new(policy),
        }
    }

    fn run(
        &self,
        text: &str,
        batch: &mut Batch,
        scratch: &mut Scratch,
        next: &mut Next<'_>,
    ) -> ControlFlow<()> {
        match self {
            Self::Words => {
                let out = &mut scratch.evaluated.batch;
                out.clear();
                for &span in &batch.record.spans {
                    words(text, span, out, |full| next(text, full))?;
                }
                next(text, out)
            }
            Self::Flatten => {
                let out = &mut scratch.evaluated.batch;
                for pieces in batch.record.spans.chunks(BATCH) {
                    out.clear();
                    out.record.spans.extend_from_slice(pieces);
                    next(text, out)?;
                }
                ControlFlow::Continue(())
            }
            Self::Filter(predicate) => {
                scratch.keep.clear();
                scratch.keep.resize(batch.len(), true);
                let Scratch { keep, failures, .. } = scratch;
                predicate.narrow(text, batch, keep, &mut failures.found);
                if failures.found.is_empty() {
                    batch.retain(keep);
                    return next(text, batch);
                }
                let origins = batch.origins.clone();
                failures.settle(&origins, batch, keep, |batch| next(text, batch))
            }
            Self::Map(value) => {
                let Scratch { evaluated, failures, .. } = scratch;
                let base = value.evaluate(text, batch, evaluated);
                let Evaluated { batch: made, text, failures: found, .. } = evaluated;
                let text = base.of(text);
                if found.is_empty() {
                    return next(text, made);
                }
                failures.found.append(found);
                let mut keep = vec![true; batch.len()];
                failures.settle(&batch.origins, made, &mut keep, |made| next(text, made))
            }
            Self::Members { arrays_only } => {
                let Scratch { evaluated, failures, .. } = scratch;
                json::without_members(*arrays_only, text, batch, &mut failures.found);
                let out = &mut evaluated.batch;
                if failures.found.is_empty() {
                    return json::members(text, batch, out, next);
                }
                let (origins, mut keep) = (batch.origins.clone(), vec![true; batch.len()]);
                let members = |batch: &mut Batch| json::members(text, batch, out, next);
                failures.settle(&origins, batch, &mut keep, members)
            }
            Self::Take(n) => {
                let left = n.saturating_sub(scratch.taken);
                batch.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                scratch.taken += batch.len() as u64;
                next(text, batch)?;
                if scratch.taken < *n { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
        }
    }
}

/// Stages that run one inside the other; what comes out of more is gathered between, so that a long
/// program needs no deep stack.
const NESTED: usize = 32;

/// Where a batch goes next, with the text that its spans point into.
pub(crate) type Next<'n> = dyn FnMut(&str, &mut Batch) -> ControlFlow<()> + 'n;

/// Sends a batch through stages; `end` gets what comes out. `Break` means: enough.
pub(crate) fn drive(
    stages: &[Stage],
    scratch: &mut [Scratch],
    text: &str,
    batch: &mut Batch,
    end: &mut Next<'_>,
) -> ControlFlow<()> {
    if batch.len() == 0 {
        return ControlFlow::Continue(());
    }
    if stages.len() > NESTED {
        return drive_many(stages, scratch, text, batch, end);
    }
    match (stages.split_first(), scratch.split_first_mut()) {
        (Some((stage, stages)), Some((own, scratch))) => {
            stage.run(text, batch, own, &mut |text, batch| drive(stages, scratch, text, batch, end))
        }
        _ => end(text, batch),
    }
}

/// The same, for more stages than may run one inside the other.
#[cold]
fn drive_many(
    stages: &[Stage],
    scratch: &mut [Scratch],
    text: &str,
    batch: &mut Batch,
    end: &mut Next<'_>,
) -> ControlFlow<()> {
    let (stages, rest) = stages.split_at(NESTED);
    let (scratch, of_rest) = scratch.split_at_mut(NESTED);
    let mut between = Vec::new();
    let flow = drive(stages, scratch, text, batch, &mut |text, batch| {
        let mut taken = Taken::new(batch.record.kind);
        let _ = taken.extend(text, batch, usize::MAX);
        between.push(taken);
        ControlFlow::Continue(())
    });
    for Taken { text, batch } in &mut between {
        drive(rest, of_rest, text, batch, end)?;
    }
    flow
}

/// Buffers for a chain of stages over records of a kind.
pub(crate) fn scratch(stages: &[Stage], mut kind: Kind, policy: Invalid) -> Vec<Scratch> {
    let mut all = Vec::with_capacity(stages.len());
    for stage in stages {
        all.push(stage.scratch(kind, policy));
        kind = stage.kind(kind);
    }
    all
}
