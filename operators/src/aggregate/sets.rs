//! Sets of values as bytes, walked without being decoded: so that a set of any size is written some values at
//! a time.

use std::ops::Range;

use super::{Aggregate, Reader, Writer};
use crate::column::Canonical;

/// The sets of some groups, encoded: those of a state that [holds sets](Aggregate::holds_sets).
///
/// ```
/// use creel_operators::aggregate::{EncodedSets, find};
/// use creel_operators::column::{Column, Columns, Datum, Groups};
///
/// let mut state = find("nunique").unwrap().make(&[]).unwrap();
/// state.resize(1);
/// state.update(Groups::One, &Columns::arguments(3, &[Column::integers(&[7, 5, 7])]));
/// let sets = EncodedSets::of(state, &[0]);
/// let (mut values, mut first) = (sets.values(0), Vec::new());
/// values.put_some(1, &mut first);
/// // The least value is encoded as a set of its own, and the other one is left.
/// assert_eq!(values.first(), Some(Datum::Integer(7).canonical()));
/// ```
#[derive(Debug)]
pub struct EncodedSets {
    bytes: Vec<u8>,
    /// Where the set of each row ends.
    ends: Vec<usize>,
}

impl EncodedSets {
    /// The sets of the groups of a state, in this order: a row for each.
    ///
    /// # Panics
    ///
    /// If the state holds no sets.
    pub fn of(state: Box<dyn Aggregate>, order: &[u32]) -> Self {
        assert!(state.holds_sets(), "a state of sets");
        let mut bytes = Vec::new();
        let encoded = state.encode(order, &mut bytes);
        encoded.unwrap_or_else(|_| unreachable!("sets have a form in bytes"));
        drop(state);
        let mut reader = Reader::new(&bytes);
        let ends = order.iter().map(|_| {
            let values = reader.u64().unwrap_or_else(|damaged| unreachable!("{damaged}"));
            (0..values).for_each(|_| skip_value(&mut reader));
            bytes.len() - reader.left()
        });
        let ends = ends.collect();
        Self { bytes, ends }
    }

    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// The bytes of the set of a row.
    pub fn size(&self, row: usize) -> usize {
        self.ends[row] - self.start(row)
    }

    /// Appends the sets of rows, as [`Aggregate::encode`] does.
    pub fn put(&self, rows: Range<usize>, bytes: &mut Vec<u8>) {
        if !rows.is_empty() {
            bytes.extend_from_slice(&self.bytes[self.start(rows.start)..self.ends[rows.end - 1]]);
        }
    }

    /// The values of a row.
    pub fn values(&self, row: usize) -> SetValues<'_> {
        let mut reader = Reader::new(&self.bytes[self.start(row)..self.ends[row]]);
        let left = reader.u64().unwrap_or_else(|damaged| unreachable!("{damaged}"));
        SetValues { reader, left }
    }
}

/// Values of a set, in their order, that were not taken yet.
#[derive(Debug, Clone)]
pub struct SetValues<'b> {
    reader: Reader<'b>,
    left: u64,
}

impl<'b> SetValues<'b> {
    /// The first of them.
    pub fn first(&self) -> Option<Canonical<'b>> {
        if self.left == 0 {
            return None;
        }
        let first = self.reader.clone().datum();
        Some(first.unwrap_or_else(|damaged| unreachable!("{damaged}")).canonical())
    }

    /// Takes values until they come to so many bytes, and appends them as a set of their own; returns the bytes
    /// that were taken.
    pub fn put_some(&mut self, most: usize, bytes: &mut Vec<u8>) -> usize {
        let (start, mut end, mut taken) = (self.reader.clone(), self.reader.clone(), 0);
        while taken < self.left && start.left() - end.left() < most {
            skip_value(&mut end);
            taken += 1;
        }
        let size = start.left() - end.left();
        bytes.put_u64(taken);
        let mut start = start;
        bytes.extend_from_slice(start.take(size).unwrap_or_default());
        (self.reader, self.left) = (end, self.left - taken);
        size
    }
}

/// Passes over a value and how often it occurs, which were encoded.
fn skip_value(reader: &mut Reader<'_>) {
    let skipped = reader.skip_datum().and_then(|()| reader.u64());
    skipped.unwrap_or_else(|damaged| unreachable!("{damaged}"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::aggregate::find;
    use crate::column::{Column, Columns, Form, Groups, Span};

    fn state(values: &[String], groups: &[u32]) -> Box<dyn Aggregate> {
        of_groups(3, values, groups)
    }

    fn of_groups(all: usize, values: &[String], groups: &[u32]) -> Box<dyn Aggregate> {
        let (mut text, mut spans) = (String::new(), Vec::new());
        for value in values {
            let start = text.len();
            text.push_str(value);
            spans.push(Span::new(start, text.len()));
        }
        let mut state = find("frequencies").unwrap().make(&[]).unwrap();
        state.resize(all);
        let columns = [Column::texts(Form::Json, &text, &spans)];
        state.update(Groups::Each(groups), &Columns::arguments(values.len(), &columns));
        state
    }

    proptest! {
        #[test]
        fn a_set_written_some_values_at_a_time_is_the_set(
            records in prop::collection::vec(
                (0..3_u32, "null|true|-?[1-9][0-9]{0,20}|[1-9]\\.[1-9]e-?[1-9]|\"[a-c]{0,9}\"|\\[[1-9]\\]"), 0..60
            ),
            most in 1..40_usize,
            at in 0..60_usize,
        ) {
            let (groups, values): (Vec<u32>, Vec<String>) = records.iter().cloned().unzip();
            let order = [2, 0, 1];
            let sets = EncodedSets::of(state(&values, &groups), &order);
            let mut whole = Vec::new();
            state(&values, &groups).encode(&order, &mut whole).unwrap();
            let mut all = Vec::new();
            sets.put(0..3, &mut all);
            prop_assert_eq!(&all, &whole);
            let mut joined = state(&[], &[]);
            for (row, group) in order.iter().enumerate() {
                // One group is counted in other tables, and encoded in the same order.
                let own = records.iter().filter(|(of, _)| of == group).map(|(_, value)| value.clone());
                let own: Vec<String> = own.collect();
                let (mut alone, mut bytes) = (Vec::new(), Vec::new());
                of_groups(1, &own, &vec![0; own.len()]).encode(&[0], &mut alone).unwrap();
                sets.put(row..row + 1, &mut bytes);
                prop_assert_eq!(alone, bytes);
                let mut left = sets.values(row);
                let mut before = None;
                while let Some(first) = left.first() {
                    prop_assert!(before.replace(first.clone()) < Some(first));
                    let mut bytes = Vec::new();
                    left.put_some(most, &mut bytes);
                    let mut some = joined.fresh();
                    some.decode(1, &mut Reader::new(&bytes)).unwrap();
                    joined.merge(some, &[*group]);
                }
            }
            let mut bytes = Vec::new();
            joined.encode(&order, &mut bytes).unwrap();
            prop_assert_eq!(&bytes, &whole);
            // Cut at a value, in memory.
            let mut below = state(&values, &groups);
            let value = values.get(at).map(|value| crate::column::Datum::Json(value).canonical());
            let above = below.take_values(1, value.as_ref());
            let above = EncodedSets::of(above, &[0]);
            let least = above.values(0).first();
            let kept = state(&values, &groups).take_values(1, value.as_ref());
            prop_assert!(value.is_none() || least.is_none() || least >= value);
            below.merge(kept, &[1]);
            let mut bytes = Vec::new();
            below.encode(&order, &mut bytes).unwrap();
            prop_assert_eq!(bytes, whole);
        }
    }
}
