//! Aggregates of all records, or of groups of them: what a lane has seen, and the rows of all.

mod chunks;
mod rows;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::aggregate::{Aggregate, Damaged, Gives, Reader};
use creel_operators::column::{Column, Columns, Groups as OfRows};

use super::super::failure::{Failures, Told, feed_without_bad};
use super::super::fields;
use super::super::grouping::{Grouping, Reducer, Shape};
use super::super::value::{Base, Evaluated, Value};
use super::chunks::Sizes;
use super::keys::Keys;
use super::places::Places;
use super::set_chunks::{put_within, read_within};
use super::within::{parts as parts_of_place, place};
use super::{Batch, End, Kind, LaneState, Rows, State};
use crate::Result;
use crate::record::Invalid;
use crate::run::Context;
use crate::sink::Printer;

impl End for Grouping {
    fn start(self: Arc<Self>, policy: Invalid) -> Box<dyn State> {
        Box::new(Groups::new(self, policy))
    }

    fn rows(&mut self) -> Rows<'_> {
        match (&self.key, &mut self.shape) {
            (_, Shape::Members(wanted)) => match self.reducers.as_slice() {
                [Reducer { kind, columns, .. }]
                    if kind.traits.gives == Gives::Ranked && columns.len() == 1 =>
                {
                    Rows::Ranked(wanted)
                }
                _ => Rows::Ordered(wanted),
            },
            (None, Shape::Value) => Rows::Single,
            (Some(_), Shape::Value) => Rows::Pairs,
            (_, Shape::Object(..)) => Rows::Objects,
        }
    }

    fn resolve(&mut self, fields: &mut Vec<Box<str>>) {
        self.values_mut().for_each(|value| fields::of_value(value, fields));
    }

    fn is_ordered(&self) -> bool {
        self.has_ordered()
    }

    fn numbers_records(&self) -> bool {
        self.draws()
    }

    fn state_of_lane(&self) -> u64 {
        /// What a row that is kept takes, at least.
        const ROW: u64 = 64;
        /// Groups that are cut, encoded and compressed as they are spilled.
        const GROUPS: u64 = 16 << 20;
        match self.key {
            Some(_) => GROUPS,
            None => self.most_rows().map_or(0, |k| (2 * ROW).saturating_mul(k)),
        }
    }
}

/// What a lane has seen of the groups of a grouping.
struct Groups {
    grouping: Arc<Grouping>,
    /// Whether there is one aggregate of all records as they are, which is evaluated for none.
    is_direct: bool,
    keys: Keys,
    /// How many bits of the hashes of keys have been used to cut it into parts.
    cut: u32,
    /// The state of each aggregate, for all groups.
    states: Vec<Box<dyn Aggregate>>,
    /// Whatever is evaluated of a batch: the key, then the columns of the aggregates.
    evaluated: Vec<Evaluated>,
    groups: Vec<u32>,
    places: Places,
    failures: Failures,
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").field("groups", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Groups {
    /// Groups of no records.
    fn new(grouping: Arc<Grouping>, policy: Invalid) -> Self {
        let make = |reducer: &Reducer| {
            let made = reducer.kind.make(&reducer.parameters);
            let mut state = made.unwrap_or_else(|_| unreachable!("parameters are checked"));
            state.resize(usize::from(grouping.key.is_none()));
            state
        };
        let states = grouping.reducers.iter().map(make).collect();
        let columns = grouping.reducers.iter().flat_map(|reducer| &reducer.columns);
        let evaluated = grouping.key.iter().chain(columns);
        let evaluated = evaluated.map(|(_, kind)| Evaluated::new(*kind));
        Self {
            evaluated: evaluated.collect(),
            is_direct: is_direct(&grouping),
            keys: Keys::new(grouping.kind_of_key()),
            cut: 0,
            places: Places::new(grouping.draws()),
            grouping,
            states,
            groups: Vec::new(),
            failures: Failures::new(policy),
        }
    }

    /// The bytes that it holds if its states take so many.
    fn held_for(&self, states: usize) -> usize {
        /// A table that grows has its old and its new place at once; a state that is cut to be spilled,
        /// itself and its parts, which grow too.
        const TIMES: usize = 3;
        match self.is_cut() {
            false => states,
            true => self.keys.weight().saturating_add(states).saturating_mul(TIMES),
        }
    }

    /// Whether a large one is cut: by its keys, or by the values of one group.
    fn is_cut(&self) -> bool {
        !matches!(self.keys, Keys::One) || self.states.iter().any(|state| state.condenses())
    }

    /// True if a group holds a set of values: its chunks are then cut between values.
    fn has_sets(&self) -> bool {
        self.states.iter().any(|state| state.holds_sets())
    }

    /// As many parts as `2^bits`, of which it is the first and the others have seen nothing.
    fn first_of(self, bits: u32) -> Vec<Self> {
        let empty: Vec<Self> = (1..1 << bits).map(|_| self.fresh()).collect();
        std::iter::once(self).chain(empty).collect()
    }

    /// Adds a batch to the only group of the only aggregate, whose column is the record itself.
    fn feed_directly(&mut self, text: &str, batch: &Batch) {
        let reducer = &self.grouping.reducers[0];
        let lent;
        let columns = match reducer.width() {
            0 => &[],
            width => {
                lent = [batch.record.lend(text); 2];
                &lent[..width]
            }
        };
        self.places.go_on(batch.len());
        let columns = self.places.of(Columns::arguments(batch.len(), columns));
        self.states[0].update(OfRows::One, &columns);
    }

    /// Adds a batch of which whatever is used is evaluated first.
    fn feed_evaluated(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        let grouping = Arc::clone(&self.grouping);
        let columns = grouping.reducers.iter().flat_map(|reducer| &reducer.columns);
        let values = grouping.key.iter().chain(columns);
        let mut bases = Vec::with_capacity(self.evaluated.len());
        for ((value, _), evaluated) in values.clone().zip(&mut self.evaluated) {
            bases.push(match value {
                Value::Identity => Base::Given(text),
                _ => value.evaluate(text, batch, evaluated),
            });
            self.failures.found.append(&mut evaluated.failures);
        }
        if !self.failures.found.is_empty() {
            return feed_without_bad(
                self,
                |groups| &mut groups.failures,
                batch,
                |groups, batch| groups.feed_evaluated(text, batch),
            );
        }
        let columns = values.zip(&self.evaluated).zip(&bases);
        let columns = columns.map(|(((value, _), evaluated), base)| match value {
            Value::Identity => batch.record.lend(text),
            _ => evaluated.batch.record.lend(base.of(&evaluated.text)),
        });
        let mut columns = columns.collect::<Vec<_>>().into_iter();
        if let Some(key) = grouping.key.as_ref().and_then(|_| columns.next()) {
            self.keys.number(&key, &mut self.groups);
        }
        let (all, groups) = (
            self.keys.len(),
            match self.keys {
                Keys::One => OfRows::One,
                _ => OfRows::Each(&self.groups),
            },
        );
        self.places.go_on(batch.len());
        for (reducer, state) in grouping.reducers.iter().zip(&mut self.states) {
            let mut own: Vec<Column<'_>> = columns.by_ref().take(reducer.columns.len()).collect();
            if let (true, [column]) = (reducer.by_itself, own.as_slice()) {
                own.push(*column);
            }
            state.resize(all);
            state.update(groups, &self.places.of(Columns::arguments(batch.len(), &own)));
        }
        ControlFlow::Continue(())
    }
}

impl LaneState for Groups {
    fn fresh(&self) -> Self {
        Self::new(Arc::clone(&self.grouping), self.failures.policy)
    }

    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        if self.is_direct {
            self.feed_directly(text, batch);
            return ControlFlow::Continue(());
        }
        self.feed_evaluated(text, batch)
    }

    fn told(&mut self) -> Told {
        std::mem::take(&mut self.failures.told)
    }

    fn merge(&mut self, other: Self) {
        let map = self.keys.merge(other.keys);
        let all = self.keys.len();
        for (into, from) in self.states.iter_mut().zip(other.states) {
            into.resize(all);
            into.merge(from, &map);
        }
    }

    fn parts(self, bits: u32) -> Vec<Self> {
        if matches!(self.keys, Keys::One) {
            return self.first_of(bits);
        }
        let (part, keys) = self.keys.parts(self.cut, bits);
        let mut parts: Vec<Self> = keys
            .into_iter()
            .map(|keys| Self { keys, cut: self.cut + bits, states: Vec::new(), ..self.fresh() })
            .collect();
        for state in self.states {
            let split = state.split(&part, 1 << bits);
            parts.iter_mut().zip(split).for_each(|(part, state)| part.states.push(state));
        }
        parts
    }

    fn shards(self, shards: usize) -> Vec<Option<Self>> {
        if matches!(self.keys, Keys::One) {
            return std::iter::once(Some(self)).chain((1..shards).map(|_| None)).collect();
        }
        let (shard, keys) = self.keys.shards(shards);
        let of_keys = |keys| Self { keys, states: Vec::new(), ..self.fresh() };
        let mut all: Vec<Self> = keys.into_iter().map(of_keys).collect();
        for state in self.states {
            all.iter_mut().zip(state.split(&shard, shards)).for_each(|(shard, mut state)| {
                state.resize(shard.keys.len());
                shard.states.push(state);
            });
        }
        all.into_iter().map(|shard| (shard.keys.len() > 0).then_some(shard)).collect()
    }

    fn merging(&self) -> usize {
        // That is in `held` already for those that are cut.
        let held = LaneState::held(self);
        if self.is_cut() { held } else { 2 * held }
    }

    fn grows(&self) -> bool {
        let states: usize = self.states.iter().map(|state| state.weight()).sum();
        self.is_cut() && states > self.keys.weight()
    }

    fn pieces(self, bits: u32) -> Vec<Self> {
        let empty =
            || Self { keys: self.keys.clone(), cut: self.cut, states: Vec::new(), ..self.fresh() };
        let mut pieces: Vec<Self> = (0..1 << bits).map(|_| empty()).collect();
        for state in self.states {
            let cut = state.divide_values(bits);
            pieces.iter_mut().zip(cut).for_each(|(piece, state)| piece.states.push(state));
        }
        pieces
    }

    fn condensed(mut self) -> Self {
        self.states.iter_mut().for_each(|state| state.condense());
        self
    }

    fn held(&self) -> usize {
        self.held_for(self.states.iter().map(|state| state.weight()).sum())
    }

    fn needed(&self) -> Option<u64> {
        let most: Option<usize> = self.states.iter().map(|state| state.most_weight()).sum();
        most.map(|most| self.held_for(most) as u64)
    }

    fn name(&self) -> String {
        match (&self.grouping.key, self.grouping.reducers.as_slice()) {
            (None, [reducer]) => match reducer.parameters.as_slice() {
                [] => reducer.kind.name.to_owned(),
                [first, ..] => format!("{}({first})", reducer.kind.name),
            },
            (None, _) => "agg".to_owned(),
            (Some(_), _) => "groupby".to_owned(),
        }
    }

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        // Several that were spilled when they were small may be large together.
        let saves = !self.grouping.draws();
        if saves {
            LaneState::encode(self, bytes);
        }
        saves
    }

    fn has_form(&self) -> bool {
        /// Of one group, states that are loaded at once again are spilled beside larger ones.
        const SMALL: usize = 64 << 10;
        // A state that looks at the order is of one lane, and what that spills comes back in order; but the
        // next one of it must number records from where this one is.
        let is_small = || {
            let whole = self.states.iter().filter(|state| !state.condenses());
            whole.map(|state| state.weight()).sum::<usize>() <= SMALL
        };
        !self.grouping.draws() && (!matches!(self.keys, Keys::One) || is_small())
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        let mut bytes = Reader::new(bytes);
        LaneState::absorb(self, &mut bytes).and_then(|()| bytes.end()).is_ok()
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        if self.has_sets() {
            put_within(None, bytes);
        }
        let order = self.keys.encode(bytes);
        for state in &self.states {
            let encoded = state.encode(&order, bytes);
            encoded.unwrap_or_else(|_| unreachable!("all aggregates of the table have a form"));
        }
    }

    fn decode(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        if self.has_sets() {
            read_within(&self.states, bytes)?;
        }
        self.keys.decode(self.grouping.kind_of_key(), bytes)?;
        let groups = self.keys.len();
        for state in &mut self.states {
            *state = state.fresh();
            state.decode(groups, bytes)?;
        }
        Ok(())
    }

    fn absorb(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        if self.has_sets() {
            read_within(&self.states, bytes)?;
        }
        let map = self.keys.absorb(self.grouping.kind_of_key(), bytes)?;
        let all = self.keys.len();
        for state in &mut self.states {
            state.resize(all);
            state.absorb(&map, bytes)?;
        }
        Ok(())
    }

    fn is_ordered(&self) -> bool {
        self.grouping.has_ordered()
    }

    fn can_cut(&self) -> bool {
        !matches!(self.keys, Keys::One) || self.has_sets()
    }

    fn cut(self, key: &[u8]) -> (Self, Self) {
        self.cut_at(key)
    }

    fn group_of(&self, key: &[u8]) -> Option<Vec<u8>> {
        if !self.has_sets() {
            return None;
        }
        let (key, within) = parts_of_place(key);
        (!within.is_empty()).then(|| place(&key, &[]))
    }

    fn has_before(&self, key: &[u8]) -> bool {
        match self.has_sets() {
            true => self.keys.has_before(&parts_of_place(key).0),
            false => true,
        }
    }

    fn split_first(self) -> (Self, Self) {
        let first = self.keys.first();
        match first {
            None => (LaneState::fresh(&self), self),
            Some(first) => self.cut_keys(&first, true),
        }
    }

    fn uncut(&self) -> usize {
        match self.keys {
            Keys::One => {
                let whole = self.states.iter().filter(|state| !state.holds_sets());
                whole.map(|state| state.weight()).sum()
            }
            Keys::Texts(_) | Keys::Numbers(_) => 0,
        }
    }

    fn whole(&self) -> usize {
        self.keys.weight() + self.states.iter().map(|state| state.weight()).sum::<usize>()
    }

    fn first_key(&self, bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
        self.first_key_of(bytes)
    }

    fn write_chunks(
        self,
        sizes: &mut Sizes,
        last: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        self.write_cut(sizes, last, write)
    }

    fn store(self, context: &Context) -> Result<Box<dyn State>> {
        self.store_chunks(context)
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        self.spill_rows(context)
    }

    fn print(self, _: &Context, out: &mut Printer<'_>) -> Result<()> {
        self.print_rows(out)
    }
}

/// Whether a grouping is one aggregate of the records as they are.
fn is_direct(grouping: &Grouping) -> bool {
    let [reducer] = grouping.reducers.as_slice() else { return false };
    let itself = |(value, _): &(Value, Kind)| matches!(value, Value::Identity);
    grouping.key.is_none() && reducer.columns.len() <= 1 && reducer.columns.iter().all(itself)
}
