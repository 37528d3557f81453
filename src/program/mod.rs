//! One-liners: a program's text to stages, and stages run over blocks.
//!
//! A program is one jq term. Its top-level chain is cut at `|` ([`parse`], [`syntax`]); a segment that names a
//! stage of the table in [`verbs`] becomes that stage, any other is an expression that runs once
//! a record ([`expression`]). What comes out is data, not closures: a list of [`stage`]s that work
//! on batches of spans, and an end ([`combine`]).

mod away;
mod batch;
mod combine;
mod compile;
mod depth;
mod expression;
mod failure;
mod fault;
#[cfg(test)]
mod fault_tests;
mod fields;
mod json;
#[cfg(test)]
mod json_tests;
mod lane;
mod ordered;
mod parse;
mod predicate;
mod rows;
mod search;
mod stage;
mod sum;
mod syntax;
#[cfg(test)]
mod tests;
mod value;
mod verbs;
mod words;

pub(crate) use fault::Fault;
#[cfg(fuzzing)]
pub(crate) use json::spelled;
pub(crate) use lane::{Records, run};
pub(crate) use verbs::VERBS;

use batch::Kind;
use combine::End;
use compile::Compiler;
use search::Search;
use stage::Stage;

use crate::run::Order;

/// What the records of an input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Text,
    /// Values of JSON, one a record.
    Json,
}

/// A program, compiled for an input.
#[derive(Debug)]
pub(crate) struct Program {
    input: Input,
    /// The fields of records of JSON that it uses.
    fields: Vec<Box<str>>,
    /// What every lane runs over its blocks.
    stages: Vec<Stage>,
    /// What finds the lines that the first of them can let pass.
    search: Option<Search>,
    /// From the first `take` on: run on one thread, in input order.
    ordered: Vec<Stage>,
    end: End,
    limit: Option<u64>,
    rows_counted: bool,
}

impl Input {
    fn kind(self) -> Kind {
        match self {
            Self::Text => Kind::Text,
            Self::Json => Kind::Record,
        }
    }
}

impl Program {
    /// Compiles the text of a program.
    pub(crate) fn compile(text: &str, input: Input) -> Result<Self, Fault> {
        let compiler = Compiler::compile(text, input.kind())?;
        let end = compiler.ending();
        let mut stages = compiler.stages;
        let fields = fields::resolve(&mut stages, input.kind());
        let first_take = stages.iter().position(|stage| matches!(stage, Stage::Take(_)));
        let ordered = stages.split_off(first_take.unwrap_or(stages.len()));
        let (limit, rows_counted) = (compiler.limit, compiler.rows_counted);
        let search = match stages.first() {
            Some(Stage::Filter(condition)) if input == Input::Text => Search::new(condition),
            _ => None,
        };
        Ok(Self { input, fields, stages, search, ordered, end, limit, rows_counted })
    }

    /// Whether records are printed while they are read, rather than a result at the end.
    pub(crate) fn streams(&self) -> bool {
        self.end == End::Records
    }

    /// The bytes of memory that a lane needs for its state beside blocks, about; 0 for one that stays
    /// small.
    pub(crate) fn state_of_lane(&self) -> u64 {
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
    pub(crate) fn order(&self) -> Order {
        if self.streams() || !self.ordered.is_empty() { Order::Kept } else { Order::Any }
    }

    /// Whether the result is rows of keys and counts, for which a terminal gets a table.
    pub(crate) fn gives_pairs(&self) -> bool {
        self.end == End::Frequencies && !self.rows_counted
    }

    /// What records are after the stages that lanes run.
    fn lane_kind(&self) -> Kind {
        self.stages.iter().fold(self.input.kind(), |kind, stage| stage.kind(kind))
    }

    /// What records are where the program ends.
    fn end_kind(&self) -> Kind {
        self.ordered.iter().fold(self.lane_kind(), |kind, stage| stage.kind(kind))
    }
}
