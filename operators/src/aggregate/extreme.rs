//! The smallest or the largest value of each group: what `min` and `max` hold.

use std::cmp::Ordering;

use super::{Damaged, NoBytes, PerGroup, Reader, Writer};
use crate::column::{Canonical, Columns, Groups, OwnedColumn};

/// Keeps the value that compares so with all others, in jq's order of values.
#[derive(Clone, Copy)]
pub(super) struct Extreme(pub(super) Ordering);

impl PerGroup for Extreme {
    type Group = Option<Canonical<'static>>;

    fn update(&self, best: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        columns.argument(0).each(|row, datum| {
            let (value, kept) = (datum.canonical(), &mut best[groups.of(row)]);
            // Of values that are kept only: most are not.
            if kept.as_ref().is_none_or(|kept| value.cmp(kept) == self.0) {
                *kept = Some(value.into_owned());
            }
        });
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        if let Some(value) = from
            && into.as_ref().is_none_or(|kept| value.cmp(kept) == self.0)
        {
            *into = Some(value);
        }
    }

    fn encode(&self, group: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.push(u8::from(group.is_some()));
        group.iter().for_each(|value| bytes.put_canonical(value));
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged> {
        bytes.flag()?.then(|| bytes.canonical()).transpose()
    }

    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn {
        OwnedColumn::of(groups.iter().map(|group| group.as_ref().map(Canonical::datum)))
    }

    fn heap(&self, group: &Self::Group) -> usize {
        group.as_ref().map_or(0, Canonical::heap)
    }
}
