//! Chunks of groups that hold sets of values, which may be larger than a chunk.
//!
//! A group with large sets begins a chunk, with as many of its values as fit, and the rest of them follow in
//! chunks of their own: each with the place of its first value, and with states of no records for all that the
//! group holds besides. Where chunks are cut depends on nothing but the keys and the values.

use std::ops::Range;

use creel_operators::aggregate::{Aggregate, Damaged, EncodedSets, Reader, SetValues, Writer};

use super::chunks::Sizes;
use super::keys::{InOrder, Keys};
use super::pieces::Pieces;
use super::within::Within;
use crate::Result;

/// Appends the place among the values of the first group where a chunk begins; none where the group does.
pub(super) fn put_within(within: Option<&Within<'_>>, bytes: &mut Vec<u8>) {
    bytes.put_bytes(&within.map(Within::to_bytes).unwrap_or_default());
}

/// The place among the values of the first group where a chunk begins.
pub(super) fn read_within<'b>(
    states: &[Box<dyn Aggregate>],
    bytes: &mut Reader<'b>,
) -> Result<Option<Within<'b>>, Damaged> {
    let damaged = bytes.damaged("no place among values");
    let within = Within::of(bytes.bytes()?)?;
    let is_there =
        |within: &Within<'_>| states.get(within.aggregate).is_some_and(|of| of.holds_sets());
    if within.as_ref().is_none_or(is_there) { Ok(within) } else { Err(damaged) }
}

/// What aggregates hold of all groups, in the order of the keys.
pub(super) struct SetRows<'k> {
    keys: &'k Keys,
    order: &'k InOrder,
    /// The sets of an aggregate, or the state that it has without records.
    of: Vec<Of>,
    whole: Pieces,
}

enum Of {
    Sets(EncodedSets),
    /// Of no records, and the number of the aggregate among those without sets.
    Whole(Vec<u8>, usize),
}

impl<'k> SetRows<'k> {
    pub(super) fn new(keys: &'k Keys, order: &'k InOrder, states: Vec<Box<dyn Aggregate>>) -> Self {
        let (mut of, mut whole) = (Vec::with_capacity(states.len()), Vec::new());
        for state in states {
            if state.holds_sets() {
                of.push(Of::Sets(EncodedSets::of(state, &order.groups)));
                continue;
            }
            let (mut nothing, mut bytes) = (state.fresh(), Vec::new());
            nothing.resize(1);
            let encoded = nothing.encode(&[0], &mut bytes);
            encoded.unwrap_or_else(|_| unreachable!("all aggregates of the table have a form"));
            of.push(Of::Whole(bytes, whole.len()));
            whole.push(state);
        }
        Self { keys, order, of, whole: Pieces::new(whole, order.groups.clone()) }
    }

    fn sets(&self) -> impl Iterator<Item = &EncodedSets> {
        self.of.iter().filter_map(|of| match of {
            Of::Sets(sets) => Some(sets),
            Of::Whole(..) => None,
        })
    }

    /// Writes chunks of all rows; returns what is less than a chunk, or may be, if it is not the `last` state.
    pub(super) fn write(
        &mut self,
        sizes: &mut Sizes,
        last: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        let (rows, most) = (self.order.groups.len(), sizes.bytes());
        let is_large =
            |of: &Self, row: usize| of.sets().map(|sets| sets.size(row)).sum::<usize>() > most;
        let (mut at, mut bytes) = (0, Vec::new());
        let mut within = std::mem::take(&mut sizes.within);
        while at < rows {
            let mut end = at;
            while !within && end < rows && end - at < sizes.rows() && !is_large(self, end) {
                end += 1;
            }
            if end == at {
                end = at + 1;
                // More values of the last group may follow.
                let left = self.write_row(at, within, most, last || end < rows, write)?;
                if let Some((bytes, is_within)) = left {
                    sizes.within = is_within;
                    return Ok(Some(bytes));
                }
                (at, within) = (end, false);
                continue;
            }
            bytes.clear();
            self.put(at..end, &mut bytes);
            if end == rows && !last {
                return Ok(Some(bytes));
            }
            write(&bytes)?;
            sizes.go_by(end - at, bytes.len());
            at = end;
        }
        Ok(None)
    }

    /// Appends a chunk of whole groups.
    fn put(&mut self, rows: Range<usize>, bytes: &mut Vec<u8>) {
        put_within(None, bytes);
        self.keys.encode_some(self.order, rows.clone(), bytes);
        self.whole.go_to(&rows);
        for of in &self.of {
            match of {
                Of::Sets(sets) => sets.put(rows.clone(), bytes),
                Of::Whole(_, number) => self.whole.encode_one(*number, &rows, bytes),
            }
        }
    }

    /// Writes the chunks of a group; if it does not end here, the last of them is returned, with whether that
    /// begins within the group.
    fn write_row(
        &mut self,
        row: usize,
        within: bool,
        most: usize,
        ends: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<(Vec<u8>, bool)>> {
        let rows = row..row + 1;
        self.whole.go_to(&rows);
        let mut values: Vec<Option<SetValues<'_>>> = self
            .of
            .iter()
            .map(|of| match of {
                Of::Sets(sets) => Some(sets.values(row)),
                Of::Whole(..) => None,
            })
            .collect();
        let mut within = within;
        loop {
            let mut bytes = Vec::new();
            let first = values.iter().enumerate().find_map(|(aggregate, values)| {
                let value = values.as_ref()?.first()?;
                Some(Within { aggregate, value })
            });
            put_within(first.as_ref().filter(|_| within), &mut bytes);
            self.keys.encode_some(self.order, rows.clone(), &mut bytes);
            let mut room = most;
            for (of, values) in self.of.iter().zip(&mut values) {
                match (of, values) {
                    (Of::Whole(nothing, _), _) if within => bytes.extend_from_slice(nothing),
                    (Of::Whole(_, number), _) => {
                        self.whole.encode_one(*number, &rows, &mut bytes);
                    }
                    (Of::Sets(_), Some(values)) => {
                        let taken = values.put_some(room, &mut bytes);
                        // What follows in its order waits for what is left of it.
                        room =
                            if values.first().is_none() { room.saturating_sub(taken) } else { 0 };
                    }
                    (Of::Sets(_), None) => unreachable!("sets have values"),
                }
            }
            let is_done = values.iter().flatten().all(|values| values.first().is_none());
            if is_done && !ends {
                return Ok(Some((bytes, within)));
            }
            write(&bytes)?;
            if is_done {
                return Ok(None);
            }
            within = true;
        }
    }
}
