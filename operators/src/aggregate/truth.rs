//! Whether a value that counts as true, or one that does not, was seen: what `any` and `all` hold.

use super::{Damaged, NoBytes, PerGroup, Reader};
use crate::column::{Columns, Groups, OwnedColumn, OwnedData};

/// Looks for values that count as this; the result is this if there is one, and the opposite if not.
#[derive(Clone, Copy)]
pub(super) struct Truth(pub(super) bool);

impl PerGroup for Truth {
    /// Whether one was seen.
    type Group = bool;

    fn update(&self, seen: &mut [bool], groups: Groups<'_>, columns: &Columns<'_>) {
        columns.argument(0).each(|row, datum| seen[groups.of(row)] |= datum.is_true() == self.0);
    }

    fn merge(&self, into: &mut bool, from: bool) {
        *into |= from;
    }

    fn encode(&self, seen: &bool, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.push(u8::from(*seen));
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<bool, Damaged> {
        bytes.flag()
    }

    fn finish(&self, seen: Vec<bool>) -> OwnedColumn {
        let results = seen.into_iter().map(|seen| seen == self.0);
        OwnedColumn::new(OwnedData::Bools(results.collect()))
    }

    fn heap(&self, _seen: &bool) -> usize {
        0
    }

    fn full(&self, seen: &bool) -> bool {
        *seen
    }
}
