//! Groups in the order of their keys: cut between two of them, and written in chunks.

use std::ops::Range;

use creel_operators::aggregate::{Damaged, Reader};

use super::super::chunks::{self, Sizes};
use super::super::keys::Keys;
use super::super::pieces::Pieces;
use super::super::set_chunks::{SetRows, read_within};
use super::super::within::{Within, parts as parts_of_place, place};
use super::super::{LaneState, State};
use super::Groups;
use crate::Result;
use crate::run::Context;

impl Groups {
    /// Whether it is one of no records, as other parts of the one group are.
    fn is_nothing(&self) -> bool {
        let weight = |of: &Self| of.states.iter().map(|state| state.weight()).sum::<usize>();
        let bytes = |of: &Self| {
            let mut bytes = Vec::new();
            LaneState::encode(of, &mut bytes);
            bytes
        };
        let nothing = LaneState::fresh(self);
        weight(self) <= weight(&nothing) && bytes(self) == bytes(&nothing)
    }

    /// The groups before a key, or up to it, and the rest.
    pub(super) fn cut_keys(self, key: &[u8], up_to: bool) -> (Self, Self) {
        let (part, keys) = self.keys.cut(key, up_to);
        let mut halves = keys.map(|keys| Self { keys, states: Vec::new(), ..self.fresh() });
        for state in self.states {
            let split = state.split(&part, 2);
            halves.iter_mut().zip(split).for_each(|(half, mut state)| {
                state.resize(half.keys.len());
                half.states.push(state);
            });
        }
        halves.into()
    }

    /// The groups before a place, and the rest. See [`State::cut`].
    pub(super) fn cut_at(self, key: &[u8]) -> (Self, Self) {
        if !self.has_sets() {
            return self.cut_keys(key, false);
        }
        let (key, within) = parts_of_place(key);
        let within = Within::of(within);
        let within = within.unwrap_or_else(|damaged| unreachable!("it is a first key: {damaged}"));
        let (mut below, mut rest) = self.cut_keys(&key, within.is_some());
        let Some(Within { aggregate, value }) = within else { return (below, rest) };
        // Of the group in which it is cut, values go to the rest.
        let from = below.keys.find(&key);
        if let Some((from, to)) = from.and_then(|from| Some((from, rest.keys.add(&key)?))) {
            let all = rest.keys.len();
            for (at, (below, rest)) in below.states.iter_mut().zip(&mut rest.states).enumerate() {
                rest.resize(all);
                if at >= aggregate && below.holds_sets() {
                    rest.merge(
                        below.take_values(from, Some(&value).filter(|_| at == aggregate)),
                        &[to],
                    );
                }
            }
        }
        (below, rest)
    }

    /// The key or place of the first row of a chunk. See [`State::first_key`].
    pub(super) fn first_key_of(&self, bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
        if !self.has_sets() {
            return self.keys.first_key(bytes);
        }
        let mut reader = Reader::new(bytes);
        let within = read_within(&self.states, &mut reader)?;
        let key = self.keys.first_key(&bytes[bytes.len() - reader.left()..])?;
        Ok(place(&key, &within.map(|within| within.to_bytes()).unwrap_or_default()))
    }

    /// Writes chunks of its rows. See [`State::write_chunks`].
    pub(super) fn write_cut(
        self,
        sizes: &mut Sizes,
        last: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        let has_sets = self.has_sets();
        let Self { keys, states, .. } = self;
        let order = keys.in_order();
        if has_sets {
            return SetRows::new(&keys, &order, states).write(sizes, last, write);
        }
        let rows = order.groups.len();
        let mut pieces = Pieces::new(states, order.groups.clone());
        let encode = |rows: Range<usize>, bytes: &mut Vec<u8>| {
            keys.encode_some(&order, rows.clone(), bytes);
            pieces.encode(rows, bytes);
        };
        sizes.cut(rows, last, encode, write)
    }

    /// Spills it as chunks, if states of the run are spilled. See [`State::store`].
    pub(super) fn store_chunks(self, context: &Context) -> Result<Box<dyn State>> {
        match self.keys {
            Keys::One if !self.has_sets() => Ok(Box::new(self)),
            // Of the one group, all parts but one are of nothing as a rule.
            Keys::One if spills(context) && self.is_nothing() => Ok(chunks::nothing(&self)),
            Keys::One | Keys::Texts(_) | Keys::Numbers(_) => chunks::store(self, context),
        }
    }
}

/// Whether states of the run are spilled.
fn spills(context: &Context) -> bool {
    context.budget.as_deref().is_some_and(|budget| budget.is_spilling())
}
