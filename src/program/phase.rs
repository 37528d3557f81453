//! One phase of a program: stages over the records of one input, and an end.

use std::sync::Arc;

use super::batch::Kind;
use super::combine::{End, State};
use super::grouping::Grouping;
use super::groups::Groups;
use super::search::Search;
use super::stage::Stage;
use super::{Input, fields};
use crate::record::Invalid;
use crate::run::Order;

/// The stages of a program up to a reduction, or to its end.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(super) input: Input,
    /// The fields of records of JSON that it uses.
    pub(super) fields: Vec<Box<str>>,
    /// What every lane runs over its blocks.
    pub(super) stages: Vec<Stage>,
    /// What finds the lines that the first of them can let pass.
    pub(super) search: Option<Search>,
    /// From the first `take` on: run on one thread, in input order.
    pub(super) ordered: Vec<Stage>,
    pub(super) end: End,
    /// Of `End::Groups`.
    grouping: Option<Arc<Grouping>>,
    pub(super) limit: Option<u64>,
    pub(super) rows_counted: bool,
}

/// How a phase ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) end: End,
    /// Of `End::Groups`.
    pub(super) grouping: Option<Grouping>,
    /// How many rows of the result are wanted.
    pub(super) limit: Option<u64>,
    /// Whether the rows are counted instead of shown.
    pub(super) rows_counted: bool,
}

impl Phase {
    /// A phase of these stages over records of an input.
    pub(super) fn new(input: Input, mut stages: Vec<Stage>, ending: Ending) -> Self {
        let Ending { end, mut grouping, limit, rows_counted } = ending;
        let last = grouping.iter_mut().flat_map(Grouping::values_mut);
        let fields = fields::resolve(&mut stages, last, input.kind());
        let grouping = grouping.map(Arc::new);
        let first_take = stages.iter().position(|stage| matches!(stage, Stage::Take(_)));
        let ordered = stages.split_off(first_take.unwrap_or(stages.len()));
        let search = match stages.first() {
            Some(Stage::Filter(condition)) if input == Input::Text => Search::new(condition),
            _ => None,
        };
        Self { input, fields, stages, search, ordered, end, grouping, limit, rows_counted }
    }

    /// An empty state of the end.
    pub(super) fn start(&self, policy: Invalid) -> State {
        match &self.grouping {
            Some(grouping) => State::Groups(Box::new(Groups::new(grouping, policy))),
            None => self.end.start(self.end_kind()),
        }
    }

    /// Returns true if the end sees all records in their order, on one thread.
    pub(super) fn is_ordered(&self) -> bool {
        !self.ordered.is_empty() || self.grouping.as_ref().is_some_and(|of| of.is_ordered())
    }

    /// Whether records are printed while they are read, rather than a result at the end.
    pub(super) fn streams(&self) -> bool {
        self.end == End::Records
    }

    /// The bytes of memory that a lane needs for its state beside blocks, about; 0 for one that stays
    /// small.
    pub(super) fn state_of_lane(&self) -> u64 {
        /// What a row that is kept takes, at least.
        const ROW: u64 = 64;
        /// Counts that are cut, saved and compressed as they are put away.
        const COUNTS: u64 = 16 << 20;
        match self.end {
            End::Frequencies => COUNTS,
            End::Top(k) => (2 * ROW).saturating_mul(k as u64),
            _ => 0,
        }
    }

    /// Whether the order of blocks shows in what is printed.
    pub(super) fn order(&self) -> Order {
        if self.streams() || self.is_ordered() { Order::Kept } else { Order::Any }
    }

    /// Whether the result is rows of keys and counts, for which a terminal gets a table.
    pub(super) fn gives_pairs(&self) -> bool {
        self.end == End::Frequencies && !self.rows_counted
    }

    /// What records are after the stages that lanes run.
    pub(super) fn lane_kind(&self) -> Kind {
        self.stages.iter().fold(self.input.kind(), |kind, stage| stage.kind(kind))
    }

    /// What records are where the program ends.
    pub(super) fn end_kind(&self) -> Kind {
        self.ordered.iter().fold(self.lane_kind(), |kind, stage| stage.kind(kind))
    }
}
