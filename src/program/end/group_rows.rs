//! Rows of groups that do not fit into memory: sorted by key in the spill file, a run for each part, and
//! merged as they are printed.

use std::ops::ControlFlow;

use creel_operators::aggregate::{Damaged, Reader};

use super::{Batch, LaneState, State};
use crate::run::Context;
use crate::sink::{Cell, Printer};
use crate::spill::{Merged, RowWriter, Run, merge_into_one};
use crate::{Error, Place, Result};

/// Rows of all groups, or of some, that were spilled.
#[derive(Debug, Default)]
pub(super) struct SpilledRows {
    /// A run for each part, in the order of the keys.
    runs: Vec<Run>,
}

impl SpilledRows {
    /// The rows that a writer was given.
    pub(super) fn new(writer: RowWriter<'_>) -> Result<Self> {
        Ok(Self { runs: vec![writer.finish()?] })
    }
}

impl LaneState for SpilledRows {
    fn fresh(&self) -> Self {
        Self::default()
    }

    fn feed(&mut self, _: &str, _: &mut Batch) -> ControlFlow<()> {
        unreachable!("lanes are fed before their states are settled")
    }

    fn merge(&mut self, other: Self) {
        self.runs.extend(other.runs);
    }

    fn held(&self) -> usize {
        0
    }

    fn name(&self) -> String {
        "groupby".to_owned()
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        let Some(budget) = context.budget.as_deref().filter(|_| self.runs.len() > 1) else {
            return Ok(Box::new(self));
        };
        Ok(Box::new(Self { runs: vec![merge_into_one(budget, self.runs, usize::MAX)?] }))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("states are encoded before they are settled")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("states that are encoded are not settled")
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        let Some(budget) = context.budget.as_deref() else { return Ok(()) };
        Merged::new(budget, self.runs, usize::MAX)?.try_for_each(|row| {
            let (_, row) = row?;
            let row = std::str::from_utf8(&row).map_err(|_| Error::Corrupt {
                place: Place::object("the temporary file"),
                reason: "a row of it is no text".to_owned(),
            })?;
            out.value(Cell::Json(row))
        })
    }
}
