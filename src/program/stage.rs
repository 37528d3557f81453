//! The stages of a program that work record by record, run a batch at a time.

use std::ops::ControlFlow;

use super::batch::{BATCH, Batch, Kind};
use super::predicate::Predicate;
use super::value::{Columns, Value};
use super::words::words;

/// One stage: batches in, batches out.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// Each text to its words.
    Words,
    /// Each list to its members.
    Flatten,
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
    columns: Columns,
    keep: Vec<bool>,
    taken: u64,
}

impl Stage {
    /// What it makes of records of a kind.
    pub(crate) fn kind(&self, of: Kind) -> Kind {
        match self {
            Self::Words | Self::Flatten => Kind::Text,
            Self::Filter(_) | Self::Take(_) => of,
            Self::Map(value) => value.kind(of),
        }
    }

    /// Buffers for records of a kind.
    pub(crate) fn scratch(&self, of: Kind) -> Scratch {
        Scratch { columns: Columns::new(self.kind(of)), keep: Vec::new(), taken: 0 }
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
                let out = &mut scratch.columns.batch;
                out.clear();
                for &span in &batch.spans {
                    words(text, span, out, |full| next(text, full))?;
                }
                next(text, out)
            }
            Self::Flatten => {
                let out = &mut scratch.columns.batch;
                for pieces in batch.spans.chunks(BATCH) {
                    out.clear();
                    out.spans.extend_from_slice(pieces);
                    next(text, out)?;
                }
                ControlFlow::Continue(())
            }
            Self::Filter(predicate) => {
                scratch.keep.clear();
                scratch.keep.resize(batch.len(), true);
                predicate.narrow(text, batch, &mut scratch.keep);
                batch.retain(&scratch.keep);
                next(text, batch)
            }
            Self::Map(value) => {
                let columns = &mut scratch.columns;
                let base = value.evaluate(text, batch, columns);
                next(base.of(&columns.text), &mut columns.batch)
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
    match (stages.split_first(), scratch.split_first_mut()) {
        (Some((stage, stages)), Some((own, scratch))) => {
            stage.run(text, batch, own, &mut |text, batch| drive(stages, scratch, text, batch, end))
        }
        _ => end(text, batch),
    }
}

/// Buffers for a chain of stages over records of a kind.
pub(crate) fn scratch(stages: &[Stage], mut kind: Kind) -> Vec<Scratch> {
    let mut all = Vec::with_capacity(stages.len());
    for stage in stages {
        all.push(stage.scratch(kind));
        kind = stage.kind(kind);
    }
    all
}
