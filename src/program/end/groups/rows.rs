//! Rows of groups that do not fit into memory: sorted by key in the spill file, a run for each part, and
//! merged as they are printed.

use std::ops::ControlFlow;

use creel_operators::aggregate::{Damaged, Reader};
use creel_operators::column::OwnedColumn;

use super::super::super::grouping::Shape;
use super::super::labels::Labels;
use super::super::{LaneState, State};
use super::Groups;
use crate::Result;
use crate::run::Context;
use crate::sink::{Cell, Printer};
use crate::spill::{Batch, KeyedRow, KeyedWriter, RecordRun, merge_rows, merged_rows};

/// Rows of all groups, or of some, that were spilled.
#[derive(Debug, Default)]
pub(super) struct SpilledRows {
    /// A run for each part, in the order of the keys.
    runs: Vec<RecordRun<KeyedRow>>,
}

impl LaneState for SpilledRows {
    fn fresh(&self) -> Self {
        Self::default()
    }

    fn feed(&mut self, _: &str, _: &mut super::super::Batch) -> ControlFlow<()> {
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
        let Some(budget) = context.budget.as_ref().filter(|_| self.runs.len() > 1) else {
            return Ok(Box::new(self));
        };
        Ok(Box::new(Self { runs: vec![merge_rows(budget, self.runs, usize::MAX)?] }))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("states are encoded before they are settled")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("states that are encoded are not settled")
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        let Some(budget) = &context.budget else { return Ok(()) };
        merged_rows(budget, self.runs, usize::MAX)?.try_for_each(|row| {
            let KeyedRow { parts, rest, .. } = row?;
            if parts.is_empty() {
                return out.value(Cell::Json(&rest));
            }
            for extent in parts {
                let part = budget.read(extent)?;
                let part = std::str::from_utf8(&part)
                    .map_err(|_| budget.damaged(extent, "it is no text"))?;
                out.part(part)?;
            }
            out.last_part(&rest)
        })
    }
}

impl Groups {
    /// Spills the rows of its results, if states of the run are spilled. See [`State::settle`].
    pub(super) fn spill_rows(self, context: &Context) -> Result<Box<dyn State>> {
        let spills = context.budget.as_deref().filter(|budget| budget.is_spilling());
        let (Some(budget), Some(kind)) = (spills, self.grouping.kind_of_key()) else {
            return Ok(Box::new(self));
        };
        let Self { grouping, keys, states, .. } = self;
        let results: Vec<OwnedColumn> = states.into_iter().map(|state| state.finish()).collect();
        let (labels, mut row) = (Labels::new(&grouping.shape), String::new());
        let mut writer = KeyedWriter::new(budget);
        keys.each_sorted(kind, ask_for(&results), |order, key, group| {
            let mut long: Option<Batch<'_>> = None;
            labels.write(Some(key), &results, group as usize, &mut row, &mut |part| {
                long.get_or_insert_with(|| Batch::new(budget)).add(part.as_bytes())?;
                part.clear();
                Ok(())
            })?;
            let parts = long.map_or(Ok(Vec::new()), Batch::finish)?;
            writer.add(order, &parts, &row)
        })?;
        Ok(Box::new(SpilledRows { runs: vec![writer.finish()?] }))
    }

    /// Prints what is wanted of its results. See [`State::print`].
    pub(super) fn print_rows(self, out: &mut Printer<'_>) -> Result<()> {
        let Self { grouping, keys, states, .. } = self;
        let results: Vec<OwnedColumn> = states.into_iter().map(|state| state.finish()).collect();
        let mut row = String::new();
        if let Shape::Members(wanted) = &grouping.shape
            && let Some((members, range)) = results.first().and_then(|list| list.members(0))
        {
            let rows = wanted.of(range.len());
            if wanted.counted {
                return out.value(Cell::Number(rows as i128));
            }
            return range.take(rows).try_for_each(|at| {
                row.clear();
                members.write_json(at, &mut row);
                out.value(Cell::Json(&row))
            });
        }
        let labels = Labels::new(&grouping.shape);
        let mut print = |key: Option<&str>, group: u32| {
            let mut is_cut = false;
            labels.write(key, &results, group as usize, &mut row, &mut |part| {
                is_cut = true;
                out.part(part)?;
                part.clear();
                Ok(())
            })?;
            match is_cut {
                true => out.last_part(&row),
                false => out.value(Cell::Json(&row)),
            }
        };
        match grouping.kind_of_key() {
            None => print(None, 0),
            Some(kind) => {
                keys.each_sorted(kind, ask_for(&results), |_, key, group| print(Some(key), group))
            }
        }
    }
}

/// Asks for the results of a group, which is one by chance: in the order of their keys, groups are anywhere.
fn ask_for(results: &[OwnedColumn]) -> impl Fn(u32) {
    move |group| results.iter().for_each(|result| result.prefetch(group as usize))
}
