//! The states of groups in the order of their keys, encoded some rows at a time.
//!
//! To encode a few groups an aggregate may have to look at all that it holds: numbers of all groups stand
//! in one list. So states are cut into pieces of neighbouring keys first, not much larger than what is
//! encoded at a time.

use std::collections::VecDeque;
use std::ops::Range;

use creel_operators::aggregate::Aggregate;

/// Groups of the first cut.
const BLOCK: usize = if cfg!(test) { 16 } else { 1 << 14 };

/// The states of some aggregates for the same groups, whose keys are neighbours.
struct Piece {
    states: Vec<Box<dyn Aggregate>>,
    /// The numbers of the groups here, in the order of their keys.
    order: Vec<u32>,
    /// Which row the first of them is.
    start: usize,
}

/// The states of all groups, by rows: groups in the order of their keys.
pub(super) struct Pieces {
    /// How many aggregates there are.
    width: usize,
    /// Those that are still to be encoded.
    left: VecDeque<Piece>,
}

impl Piece {
    fn rows(&self) -> Range<usize> {
        self.start..self.start + self.order.len()
    }

    /// Cuts it into pieces of so many rows.
    fn cut(self, rows: usize) -> Vec<Self> {
        let Self { states, order, start } = self;
        if order.len() <= rows {
            return vec![Self { states, order, start }];
        }
        let mut part = vec![0; order.len()];
        let places = order.iter().enumerate();
        places.for_each(|(row, group)| part[*group as usize] = (row / rows) as u32);
        // Groups keep their order in a part, and are numbered anew.
        let parts = order.len().div_ceil(rows);
        let (mut sizes, mut numbers) = (vec![0; parts], vec![0; order.len()]);
        for (number, part) in numbers.iter_mut().zip(&part) {
            *number = sizes[*part as usize];
            sizes[*part as usize] += 1;
        }
        let mut pieces: Vec<Self> = order
            .chunks(rows)
            .enumerate()
            .map(|(n, order)| Self {
                states: Vec::with_capacity(states.len()),
                order: order.iter().map(|group| numbers[*group as usize]).collect(),
                start: start + n * rows,
            })
            .collect();
        for state in states {
            let split = state.split(&part, parts);
            pieces.iter_mut().zip(split).for_each(|(piece, state)| piece.states.push(state));
        }
        pieces
    }
}

impl Pieces {
    /// The states of groups; `order` has the numbers of the groups in the order of their keys.
    pub(super) fn new(states: Vec<Box<dyn Aggregate>>, order: Vec<u32>) -> Self {
        let width = states.len();
        let left = Piece { states, order, start: 0 }.cut(BLOCK).into();
        Self { width, left }
    }

    /// Appends the states of these rows, which come after all that were encoded before: all that an
    /// aggregate has of them, then all of the next.
    pub(super) fn encode(&mut self, rows: Range<usize>, bytes: &mut Vec<u8>) {
        self.go_to(&rows);
        (0..self.width).for_each(|aggregate| self.encode_one(aggregate, &rows, bytes));
    }

    /// Makes ready to encode these rows, which come after all that were encoded before.
    pub(super) fn go_to(&mut self, rows: &Range<usize>) {
        if self.width > 0 {
            self.drop_before(rows.start);
            self.refine(rows);
            self.drop_before(rows.start);
        }
    }

    /// Appends what one of the aggregates has of the rows that it was made ready for.
    pub(super) fn encode_one(&self, aggregate: usize, rows: &Range<usize>, bytes: &mut Vec<u8>) {
        let pieces = self.left.iter().take_while(|piece| piece.start < rows.end);
        for piece in pieces {
            let of = piece.rows();
            let own = rows.start.max(of.start) - of.start..rows.end.min(of.end) - of.start;
            let encoded = piece.states[aggregate].encode(&piece.order[own], bytes);
            encoded.unwrap_or_else(|_| unreachable!("all aggregates of the table have a form"));
        }
    }

    /// Drops the pieces that end before a row.
    fn drop_before(&mut self, row: usize) {
        while self.left.front().is_some_and(|piece| piece.rows().end <= row) {
            self.left.pop_front();
        }
    }

    /// Cuts the pieces of these rows that are much larger.
    fn refine(&mut self, rows: &Range<usize>) {
        let (most, mut at) = (2 * rows.len(), 0);
        while let Some(piece) = self.left.get(at).filter(|piece| piece.start < rows.end) {
            if piece.order.len() <= 2 * most {
                at += 1;
                continue;
            }
            let Some(piece) = self.left.remove(at) else { return };
            for (n, piece) in piece.cut(most).into_iter().enumerate() {
                self.left.insert(at + n, piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use creel_operators::aggregate::KINDS;
    use creel_operators::column::{Column, Columns, Groups};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_encoded_some_at_a_time_are_those_encoded_at_once(
            records in prop::collection::vec((0..40_u32, -9..9_i64), 0..200),
            sizes in prop::collection::vec(1..15_usize, 1..9),
        ) {
            let groups: Vec<u32> = records.iter().map(|(group, _)| *group).collect();
            let numbers: Vec<i64> = records.iter().map(|(_, n)| *n).collect();
            let order: Vec<u32> = (0..40).map(|n| (n * 7 + 3) % 40).collect();
            for kind in KINDS.iter().filter(|kind| kind.parameters.is_empty() && kind.columns.1 == 1) {
                let make = || {
                    let mut state = kind.make(&[]).unwrap();
                    state.resize(40);
                    let columns = [Column::integers(&numbers)];
                    let columns = Columns::arguments(records.len(), &columns);
                    state.update(Groups::Each(&groups), &columns);
                    state
                };
                let mut whole = Vec::new();
                make().encode(&order, &mut whole).unwrap();
                let mut pieces = Pieces::new(vec![make()], order.clone());
                let (mut bytes, mut at) = (Vec::new(), 0);
                for size in sizes.iter().cycle() {
                    let end = (at + size).min(40);
                    pieces.encode(at..end, &mut bytes);
                    at = end;
                    if at == 40 {
                        break;
                    }
                }
                prop_assert_eq!(bytes, whole, "{}", kind.name);
            }
        }
    }
}
