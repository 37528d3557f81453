//! Tallies agree with plain counts, also once they are cut, merged, encoded and decoded.

use super::*;
use crate::column::{Column, Span};

/// Counts of texts, of which the second has half of the first's.
fn counted(from: u32, groups: usize) -> Tally<true> {
    let (mut text, mut spans) = (String::new(), Vec::new());
    for n in from..from + 6000 {
        let start = text.len();
        text.push_str(&format!("number {}", n % 5000));
        spans.push(Span::new(start, text.len()));
    }
    let of: Vec<u32> = (0..6000).map(|n| n % groups as u32).collect();
    let columns = [Column::text(&text, &spans)];
    let mut state = Tally::new();
    state.resize(groups);
    state.update(Groups::Each(&of), &Columns::arguments(6000, &columns));
    state
}

#[test]
fn pieces_of_all_states_that_are_condensed_have_the_numbers_of_values() {
    let same: Vec<u32> = (0..3).collect();
    let state = |from| {
        let rows = counted(from, 3);
        Tally::<false> { groups: rows.groups, body: rows.body }
    };
    let mut pieces = state(0).divide_values(3);
    pieces
        .iter_mut()
        .zip(state(2500).divide_values(3))
        .for_each(|(into, from)| into.merge(from, &same));
    pieces.iter_mut().for_each(State::condense);
    let all = pieces.into_iter().reduce(|mut all, piece| {
        all.merge(piece, &same);
        all
    });
    let mut whole = state(0);
    whole.merge(state(2500), &same);
    assert_eq!(all.unwrap().finish().to_json(), whole.finish().to_json());
    // A state of one group is cut in the same way as one of several.
    let one = |n: u64| {
        let mut one = Tally::<false>::new();
        one.resize(1);
        (0..n).for_each(|n| match &mut one.body {
            Body::One(tables) => {
                tables.add(&crate::column::Datum::Integer(n as i64).canonical(), 1)
            }
            _ => unreachable!("it is of one group"),
        });
        one
    };
    let mut pieces = one(500).divide_values(2);
    let mut others = one(300);
    others.resize(2);
    pieces
        .iter_mut()
        .zip(others.divide_values(2))
        .for_each(|(into, from)| into.merge(from, &[0, 0]));
    pieces.iter_mut().for_each(State::condense);
    let of_each = pieces.iter().map(|piece| piece.sizes()[0]);
    assert!(of_each.clone().all(|n| n > 0) && of_each.sum::<u64>() == 500);
    // A part of no records may be condensed or not.
    let mut whole = one(0);
    pieces.into_iter().for_each(|piece| whole.merge(piece, &[0]));
    whole.merge(one(0), &[0]);
    assert_eq!(whole.sizes(), [500]);
}

#[test]
fn large_counts_that_are_divided_come_together_again() {
    for groups in [1, 3] {
        let same: Vec<u32> = (0..groups as u32).collect();
        let bytes = |state: &Tally<true>| {
            let mut bytes = Vec::new();
            state.encode(&same, &mut bytes).unwrap();
            bytes
        };
        let mut whole = counted(0, groups);
        whole.merge(counted(2500, groups), &same);
        let others = counted(2500, groups).divide(3).into_iter();
        let mut pieces = counted(0, groups).divide(3);
        pieces.iter_mut().zip(others).for_each(|(into, from)| into.merge(from, &same));
        assert!(pieces.iter().all(|piece| piece.weight() < whole.weight() / 2));
        let first = pieces.remove(0);
        assert_eq!(bytes(&first.join(pieces)), bytes(&whole));
    }
}
