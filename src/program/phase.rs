//! One phase of a program: stages over the records of one input, and an end.

use std::sync::Arc;

use super::batch::Kind;
use super::end::{End, State};
use super::fields;
use super::format::InputFormat;
use super::predicate::Predicate;
use super::search::Search;
use super::stage::Stage;
use super::value::Value;
use crate::record::Invalid;
use crate::run::Order;

/// The stages of a program up to a reduction, or to its end.
#[derive(Debug)]
pub(crate) struct Phase {
    /// What its records are.
    pub(super) format: InputFormat,
    /// The names of the columns that it needs of each record beside the record itself, by column.
    pub(super) fields: Vec<Box<str>>,
    /// What every lane runs over its blocks.
    pub(super) stages: Vec<Stage>,
    /// What finds the lines that the first of them can let pass.
    pub(super) search: Option<Search>,
    /// From the first `take` to the last, or to an end that is ordered: run on one thread at a time, in input
    /// order.
    pub(super) ordered: Vec<Stage>,
    /// What every lane runs over what these let through.
    pub(super) behind: Vec<Stage>,
    /// Its reduction; without one its records are printed, in input order.
    pub(super) end: Option<Arc<dyn End>>,
}

impl Phase {
    /// A phase of these stages over records of an input.
    pub(super) fn new(
        format: InputFormat,
        mut stages: Vec<Stage>,
        mut end: Option<Box<dyn End>>,
    ) -> Self {
        let mut fields = Vec::new();
        fields::resolve(&mut stages, end.as_deref_mut(), &mut fields);
        let first_take = stages.iter().position(|stage| matches!(stage, Stage::Take(_)));
        let ordered = stages.split_off(first_take.unwrap_or(stages.len()));
        let search = search(format, &stages);
        let end = end.map(Arc::from);
        Self { format, fields, stages, search, ordered, behind: Vec::new(), end }.cut_behind()
    }

    /// Lets lanes run what stands behind the last `take`.
    fn cut_behind(mut self) -> Self {
        if !self.ends_in_order() {
            let last = self.ordered.iter().rposition(|stage| matches!(stage, Stage::Take(_)));
            self.behind = self.ordered.split_off(last.map_or(0, |last| last + 1));
        }
        self
    }

    /// The same with the rows of its end, if only their number is wanted and a part of the sources carries the
    /// rows.
    pub(super) fn uncounted(&self) -> Option<Self> {
        let Self { format, fields, stages, ordered, behind, .. } = self;
        Some(Self {
            end: Some(self.end.as_ref()?.uncounted()?),
            format: *format,
            fields: fields.clone(),
            search: search(*format, stages),
            stages: stages.clone(),
            ordered: ordered.clone(),
            behind: behind.clone(),
        })
    }

    /// The phase of which a part of the sources carries the records: those that reach the first `take`, no more
    /// of each part than that takes, or those that are printed.
    pub(super) fn carrying(&self) -> Self {
        let Self { format, fields, stages, ordered, .. } = self;
        Self {
            format: *format,
            fields: fields.clone(),
            search: search(*format, stages),
            stages: stages.clone(),
            ordered: ordered.first().cloned().into_iter().collect(),
            behind: Vec::new(),
            end: None,
        }
    }

    /// The phase that goes on with the records that a partial result of this one carries, as values of JSON: with
    /// those that reach its first `take`, or with those that it prints.
    pub(super) fn resumed(&self) -> Self {
        match self.ordered.is_empty() && self.end.is_none() {
            // The records are printed as they are.
            true => self.of_rows(Kind::Json, Vec::new(), None),
            false => {
                let ordered = self.ordered.iter().chain(&self.behind).cloned().collect();
                self.of_rows(self.lane_kind(), ordered, self.end.clone())
            }
        }
    }

    /// The phase that merges the rows of one of the results of this one, whose end takes records of a kind.
    pub(super) fn merging(&self, end: &Arc<dyn End>, kind: Kind) -> Self {
        self.of_rows(kind, Vec::new(), Some(Arc::clone(end)))
    }

    /// A phase over values of JSON that were records of a kind.
    fn of_rows(&self, kind: Kind, ordered: Vec<Stage>, end: Option<Arc<dyn End>>) -> Self {
        let as_it_was = match kind {
            Kind::Text => Some(Value::StringText),
            Kind::Number => Some(Value::JsonInteger),
            Kind::Bool => Some(Value::Test(Predicate::Truthy)),
            Kind::List => Some(Value::JsonTexts),
            Kind::Key => Some(Value::Key),
            Kind::Json => None,
        };
        let stages = as_it_was.into_iter().map(Stage::Map).collect();
        let (format, fields) = (InputFormat::JSONL, self.fields.clone());
        let behind = Vec::new();
        Self { format, fields, stages, search: None, ordered, behind, end }.cut_behind()
    }

    /// An empty state of its reduction.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub(super) fn start(&self, policy: Invalid) -> Box<dyn State> {
        match &self.end {
            Some(end) => Arc::clone(end).start(policy),
            None => unreachable!("only a phase with a reduction has a state"),
        }
    }

    /// Returns true if the end sees all records in their order, on one thread.
    pub(super) fn ends_in_order(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.is_ordered())
    }

    /// Returns true if lanes run stages over what the last `take` lets through.
    pub(super) fn behind_takes(&self) -> bool {
        !self.ordered.is_empty() && !self.ends_in_order()
    }

    /// Returns true if records are seen in their order by a stage or by the end.
    fn is_ordered(&self) -> bool {
        !self.ordered.is_empty() || self.ends_in_order()
    }

    /// Returns true if what leaves the process of a part of the sources is its records, or those that reach its
    /// first `take`: it has no reduction, or one that has to see the records of all parts in their order.
    pub(super) fn carries_records(&self) -> bool {
        self.streams() || !self.ordered.is_empty()
    }

    /// Whether records are printed while they are read, rather than a result at the end.
    pub(super) fn streams(&self) -> bool {
        self.end.is_none()
    }

    /// The bytes of memory that a lane needs for its state beside blocks, about; 0 for one that stays
    /// small.
    pub(super) fn state_of_lane(&self) -> u64 {
        self.end.as_ref().map_or(0, |end| end.state_of_lane())
    }

    /// The least memory for the state of all lanes: what it takes to spill it, and to read it back.
    pub(super) fn least_state(&self) -> u64 {
        self.end.as_ref().map_or(0, |end| end.least_state())
    }

    /// Whether the order of blocks shows in what is printed.
    pub(super) fn order(&self) -> Order {
        if self.streams() || self.is_ordered() { Order::Kept } else { Order::Any }
    }

    /// Whether the result is rows of keys and counts, for which a terminal gets a table.
    pub(super) fn gives_pairs(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.gives_pairs())
    }

    /// What records are after the stages that lanes run.
    pub(super) fn lane_kind(&self) -> Kind {
        self.stages.iter().fold(self.format.reader().kind(), |kind, stage| stage.kind(kind))
    }

    /// What they are after the stages that see all in their order.
    pub(super) fn ordered_kind(&self) -> Kind {
        self.ordered.iter().fold(self.lane_kind(), |kind, stage| stage.kind(kind))
    }
}

/// What finds the lines that the first stage lets pass.
fn search(format: InputFormat, stages: &[Stage]) -> Option<Search> {
    match stages.first() {
        Some(Stage::Filter(condition)) if format.reader().is_plain() => Search::new(condition),
        _ => None,
    }
}
