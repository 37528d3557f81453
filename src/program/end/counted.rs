//! `frequencies`: how often each record occurs, counted in the tables that are fastest at it.

mod numbers;
mod texts;

use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::aggregate::{Damaged, Reader};
use creel_operators::{Counting, Counts};

use super::super::rows;
use super::{Batch, End, Kind, LaneState, Rows, State, Wanted};
use crate::Result;
use crate::record::Invalid;
use crate::run::Context;
use crate::sink::{Cell, Printer};
use numbers::Numbers;
use texts::Texts;

/// The end of a phase in pairs of a record and how often it occurs, commonest first.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Frequencies {
    /// What the records are: texts, keys, numbers or booleans.
    kind: Kind,
    wanted: Wanted,
}

impl Frequencies {
    /// Counts records of a kind.
    pub(in super::super) fn new(kind: Kind) -> Self {
        Self { kind, wanted: Wanted::default() }
    }
}

impl End for Frequencies {
    fn start(self: Arc<Self>, _: Invalid) -> Box<dyn State> {
        match self.kind {
            Kind::Text | Kind::Key => Box::new(Texts { of: *self, counting: Counting::default() }),
            _ => Box::new(Numbers { of: *self, counts: Counts::default() }),
        }
    }

    fn rows(&mut self) -> Rows<'_> {
        Rows::Ranked(&mut self.wanted)
    }

    /// It has no expressions.
    fn resolve(&mut self, _: &mut Vec<Box<str>>) {}

    fn state_of_lane(&self) -> u64 {
        /// Counts that are saved and compressed as they are spilled, part by part.
        const COUNTS: u64 = 8 << 20;
        COUNTS
    }

    fn gives_pairs(&self) -> bool {
        !self.wanted.counted
    }
}

impl Kind {
    /// A text of this kind, as it is printed.
    pub(in super::super) fn cell(self, text: &str) -> Cell<'_> {
        match self {
            Self::Key => Cell::Key(text),
            _ => Cell::Text(text),
        }
    }
}

/// Reads how often something occurs.
fn occurs(bytes: &mut Reader<'_>) -> Result<u64, Damaged> {
    let damaged = bytes.damaged("a record that does not occur");
    match bytes.records()? {
        0 => Err(damaged),
        n => Ok(n),
    }
}

/// The rows of counts to which no more will be added.
#[derive(Debug)]
struct Settled {
    of: Frequencies,
    rows: rows::Rows,
}

impl LaneState for Settled {
    fn fresh(&self) -> Self {
        Self { of: self.of, rows: rows::Rows::default() }
    }

    fn feed(&mut self, _: &str, _: &mut Batch) -> ControlFlow<()> {
        unreachable!("lanes are fed before their states are settled")
    }

    fn merge(&mut self, other: Self) {
        self.rows.add(other.rows);
    }

    fn held(&self) -> usize {
        0
    }

    fn name(&self) -> String {
        "frequencies".to_owned()
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        let Self { of, rows } = self;
        Ok(Box::new(Self { of, rows: rows.settle_again(context, of.wanted)? }))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("states are encoded before they are settled")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("states that are encoded are not settled")
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        self.rows.print(self.of.wanted, self.of.kind, context, out)
    }
}
