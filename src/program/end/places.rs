//! The numbers of records, for aggregates that draw some of them.

use creel_operators::column::{Columns, Positions};

/// The numbers of records, in the order of the input: for aggregates that draw records by these.
#[derive(Default)]
pub(super) struct Places {
    /// Whether any aggregate does.
    needed: bool,
    /// How many records came before those of the batch at hand.
    before: u64,
    /// The numbers of those of the batch at hand.
    rows: Vec<u64>,
}

impl Places {
    /// No records as yet; they are numbered if that is `needed`.
    pub(super) fn new(needed: bool) -> Self {
        Self { needed, ..Self::default() }
    }

    /// Numbers the records of the next batch.
    pub(super) fn go_on(&mut self, records: usize) {
        if self.needed {
            self.before += self.rows.len() as u64;
            self.rows.clear();
            self.rows.extend(self.before..self.before + records as u64);
        }
    }

    /// Columns with the numbers of their records.
    pub(super) fn of<'c>(&'c self, columns: Columns<'c>) -> Columns<'c> {
        match self.needed {
            true => columns.with_positions(Positions { partition: 0, rows: &self.rows }),
            false => columns,
        }
    }
}
