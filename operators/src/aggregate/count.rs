//! `count`: how many records there are, or how many of them meet a condition.

use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Traits, Writer};
use crate::column::{Columns, Data, Groups, OwnedColumn};
use crate::{Combiner, Feed, Records};

pub(super) static COUNT: Kind = Kind {
    name: "count",
    usage: "count, count(p)",
    help: "how many there are; count(p): how many meet p",
    parameters: &[],
    columns: (0, 1),
    needs: Needs::Conditions,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Count)),
};

/// Counts records.
///
/// ```
/// assert_eq!(creel_operators::run(["net", "fish"], |words| words.count()), 2);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count;

impl Combiner for Count {
    type State = u64;
    type Output = u64;
    const ORDERED: bool = false;

    fn merge(&self, into: &mut u64, from: u64) {
        *into += from;
    }

    fn finish(&self, state: u64) -> u64 {
        state
    }
}

impl<T> Feed<T> for Count {
    fn feed(&self, state: &mut u64, _record: T) {
        *state += 1;
    }
}

impl<I: Iterator, W> Records<'_, I, u64, W> {
    /// Counts the records. See [`Count`].
    ///
    /// ```
    /// assert_eq!(creel_operators::run(["a b", "c"], |lines| lines.words().count()), 3);
    /// ```
    pub fn count(self) -> Count {
        self.combine(Count)
    }
}

impl PerGroup for Count {
    type Group = u64;

    fn update(&self, counts: &mut [u64], groups: Groups<'_>, columns: &Columns<'_>) {
        match (columns.get(0), groups) {
            (None, Groups::One) => counts[0] += columns.rows() as u64,
            (None, Groups::Each(groups)) => groups.iter().for_each(|&g| counts[g as usize] += 1),
            (Some(column), groups) => match (column.data(), column.missing()) {
                // Without a branch on what is as good as chance.
                (Data::Bools(met), None) => met.iter().enumerate().for_each(|(row, met)| {
                    counts[groups.of(row)] += u64::from(*met);
                }),
                _ => column.each(|row, datum| {
                    counts[groups.of(row)] += u64::from(datum.is_true());
                }),
            },
        }
    }

    fn merge(&self, into: &mut u64, from: u64) {
        Combiner::merge(self, into, from);
    }

    fn encode(&self, count: &u64, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.put_u64(*count);
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<u64, Damaged> {
        bytes.records()
    }

    fn finish(&self, counts: Vec<u64>) -> OwnedColumn {
        OwnedColumn::counts(counts)
    }

    fn heap(&self, _count: &u64) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::Count;
    use crate::laws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn count_keeps_the_laws(records in prop::collection::vec(any::<u8>(), 0..12)) {
            laws::check(&Count, &records);
            prop_assert_eq!(crate::run(&records, |r| r.count()), records.len() as u64);
        }
    }
}
