//! How a phase ends in one result of its records: what each lane keeps, how lanes are merged, and
//! what is printed.
//!
//! An [`End`] is a part of a compiled phase, and makes the [`State`] of each lane. A file for each:
//! [`counted`] has how often each record occurs, [`groups`] has aggregates, of groups or of all records,
//! [`sort`] has the records in order, [`distinct`] has the first record of each key, and [`several`] has several
//! results of the same records. States leave a process in [`chunks`], of which [`merge`] makes one again.

mod chunks;
mod counted;
mod distinct;
mod groups;
mod keys;
mod labels;
mod lane_state;
mod merge;
mod pieces;
mod places;
mod rows;
mod set_chunks;
mod several;
mod shards;
mod sort;
mod state;
mod within;

use std::fmt;
use std::sync::Arc;

use super::batch::{Batch, Kind};
use crate::Result;
use crate::record::Invalid;
use crate::run::Context;
use crate::sink::Printer;

pub(super) use chunks::ChunkWriter;
pub(crate) use chunks::{ReadChunks, Run};
pub(super) use counted::Frequencies;
pub(super) use distinct::Distinct;
use lane_state::LaneState;
pub(super) use merge::{Follows, check_whole, merge};
pub(super) use several::{Branch, Several};
pub(super) use shards::ShardWriter;
pub(super) use sort::Sort;
pub(crate) use state::State;

/// What a phase makes of all its records, if it does not print them.
pub(super) trait End: fmt::Debug + Send + Sync {
    /// An empty state; `policy` is for records that an expression of the end cannot be evaluated for.
    fn start(self: Arc<Self>, policy: Invalid) -> Box<dyn State>;

    /// What a `topk`, `take` or `count` right behind it is asked of.
    fn rows(&mut self) -> Rows<'_>;

    /// Replaces the fields that it takes of whole records by their columns, whose names are in `fields`:
    /// those that are missing there are appended.
    fn resolve(&mut self, fields: &mut Vec<Box<str>>);

    /// Returns true if it has to see all records in their order.
    fn is_ordered(&self) -> bool {
        false
    }

    /// Returns true if it numbers the records of the whole input, which has to be one run's.
    fn numbers_records(&self) -> bool {
        false
    }

    /// The bytes of memory that a lane needs for its state beside blocks, about; 0 for one that stays
    /// small.
    fn state_of_lane(&self) -> u64 {
        0
    }

    /// The least memory for a state: what it takes to spill it, and to read it back.
    fn least_state(&self) -> u64 {
        const LEAST: u64 = 4 << 20;
        self.state_of_lane().min(LEAST)
    }

    /// Returns true if its rows are pairs of a key and a count, commonest first.
    fn gives_pairs(&self) -> bool {
        false
    }

    /// What leaves the process of a part of the sources.
    fn carried(&self) -> Carried {
        Carried::State
    }

    /// The same end with its rows, if only their number is wanted and a part of the sources carries the rows.
    fn uncounted(&self) -> Option<Arc<dyn End>> {
        None
    }

    /// Itself, if it is several results, each of which is carried by itself.
    fn several(&self) -> Option<&Several> {
        None
    }
}

/// What a process hands on of a part of the sources, for another one to merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// The state.
    State,
    /// Its rows, which are records of the same end again.
    Rows,
}

/// Visits each of the results that an end makes of records of a kind: its end, and what the records of that are.
pub(super) fn each_result(
    end: &Arc<dyn End>,
    kind: Kind,
    visit: &mut dyn FnMut(&Arc<dyn End>, Kind),
) {
    match end.several() {
        Some(several) => several.each_result(visit),
        None => visit(end, kind),
    }
}

/// Prints the results of an end, whose states come one after another, each when it is printed.
pub(super) fn print_results(
    end: &Arc<dyn End>,
    policy: Invalid,
    next: &mut dyn FnMut() -> Result<Box<dyn State>>,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    match end.several() {
        Some(several) => several.print_results(policy, next, context, out),
        None => next()?.print(context, out),
    }
}

/// The rows of an end.
pub(super) enum Rows<'e> {
    /// Largest first: the first of them, or their number, may be all that is wanted.
    Ranked(&'e mut Wanted),
    /// In another order, of which the first, or their number, may be all that is wanted.
    Ordered(&'e mut Wanted),
    /// One value.
    Single,
    /// Pairs of the key of a group and a value, sorted by key: what stands behind reads them as records.
    Pairs,
    /// Objects of groups, sorted by key.
    Objects,
    /// The rows of several results.
    Mixed,
}

impl Rows<'_> {
    /// What they are as the records of the next phase.
    pub(super) fn shape(&self) -> RowShape {
        match self {
            Self::Pairs => RowShape::Pairs,
            Self::Objects => RowShape::Objects,
            Self::Ranked(_) | Self::Ordered(_) | Self::Single | Self::Mixed => RowShape::Values,
        }
    }
}

/// What the rows of the phase before are, as records: whether they have a value by which groups are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowShape {
    /// Values, which are ranked by themselves.
    Values,
    /// Pairs of a key and a count, commonest first.
    Counts,
    /// Pairs of the key of a group and a value.
    Pairs,
    /// Objects of groups.
    Objects,
}

/// What is wanted of the rows of an end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// How many of them.
    pub(super) limit: Option<u64>,
    /// Whether they are counted instead of shown.
    pub(super) counted: bool,
}

impl Wanted {
    /// How many rows are wanted of so many that there are.
    pub(super) fn of(self, rows: usize) -> usize {
        self.limit
            .map_or(rows, |limit| usize::try_from(limit).map_or(rows, |limit| limit.min(rows)))
    }
}
