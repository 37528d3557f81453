//! One-liners: a program's text to stages, and stages run over blocks.
//!
//! A program is one jq term. Its top-level chain is cut at `|` ([`parse`], [`syntax`]); a segment that names a
//! stage of the table in [`verbs`] becomes that stage, any other is an expression that runs once
//! a record ([`expression`]). What comes out is data, not closures: a list of [`stage`]s that work
//! on batches of spans, and an [`end`].
//!
//! What stands behind a reduction is another [`phase`]: the rows of one phase are the records of the
//! next ([`phases`]). Several results of one pass, `a, b`, are one end of a phase.

mod batch;
#[cfg(test)]
mod budget_tests;
mod column;
mod compile;
#[cfg(test)]
mod conditions_tests;
mod depth;
#[cfg(test)]
mod distinct_tests;
mod edits;
mod end;
mod expression;
mod failure;
mod fault;
#[cfg(test)]
mod fault_tests;
mod fields;
mod format;
mod grouping;
#[cfg(test)]
mod groups_tests;
mod json;
#[cfg(test)]
mod json_tests;
mod lane;
mod ordered;
mod parse;
mod partial;
#[cfg(test)]
mod partial_tests;
mod phase;
mod phases;
#[cfg(test)]
mod phases_tests;
mod predicate;
mod records;
mod rows;
mod search;
#[cfg(test)]
mod several_tests;
#[cfg(test)]
mod shards_tests;
#[cfg(test)]
mod sort_tests;
mod stage;
mod syntax;
#[cfg(test)]
mod take_tests;
mod taken;
#[cfg(test)]
mod tests;
mod value;
mod verbs;
mod words;

pub(crate) use end::{ReadChunks, Run, State};
pub(crate) use fault::Fault;
pub(crate) use format::FORMATS;
pub use format::InputFormat;
#[cfg(fuzzing)]
pub(crate) use format::spelled;
pub(crate) use partial::{Carries, Carry, Parts, finish_parts, merge_parts, run_part};
pub(crate) use phases::run;
pub(crate) use records::Records;
pub(crate) use verbs::{VERBS, aggregates};

use std::sync::Arc;

use compile::Compiler;
use phase::Phase;

use crate::run::Order;

/// A program, compiled for records of a format.
#[derive(Debug)]
pub(crate) struct Program {
    /// The phase that reads the sources.
    first: Arc<Phase>,
    /// The phases after it: the rows of each are the records of the next.
    rest: Vec<Arc<Phase>>,
}

impl Program {
    /// Compiles the text of a program.
    pub(crate) fn compile(text: &str, format: InputFormat) -> Result<Self, Fault> {
        let mut phases = Compiler::compile(text, format)?.into_iter().map(Arc::new);
        let Some(first) = phases.next() else { unreachable!("a program has a phase") };
        Ok(Self { first, rest: phases.collect() })
    }

    /// The phase that reads the sources.
    fn first(&self) -> &Arc<Phase> {
        &self.first
    }

    /// The phases after it.
    fn rest(&self) -> &[Arc<Phase>] {
        &self.rest
    }

    /// Returns true if records are printed while they are read, rather than a result at the end.
    pub(crate) fn streams(&self) -> bool {
        self.first().streams()
    }

    /// The bytes of memory that a lane needs for its state beside blocks, about; 0 for one that stays
    /// small.
    pub(crate) fn state_of_lane(&self) -> u64 {
        let phases = std::iter::once(&self.first).chain(&self.rest);
        phases.map(|phase| phase.state_of_lane()).max().unwrap_or(0)
    }

    /// The least memory for the states of its phases, beside blocks.
    pub(crate) fn least_state(&self) -> u64 {
        let phases = std::iter::once(&self.first).chain(&self.rest);
        phases.map(|phase| phase.least_state()).max().unwrap_or(0)
    }

    /// Whether the order of blocks shows in what is printed.
    pub(crate) fn order(&self) -> Order {
        self.first().order()
    }

    /// Returns true if the result is rows of keys and counts, for which a terminal gets a table.
    pub(crate) fn gives_pairs(&self) -> bool {
        self.rest.last().unwrap_or(&self.first).gives_pairs()
    }
}
