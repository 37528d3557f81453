//! The trait of aggregates, and its typed face.

use std::any::{Any, type_name};
use std::fmt;

use super::{Damaged, Reader};
use crate::column::{Canonical, Columns, Groups, OwnedColumn};

/// The state of all groups of an aggregate: one result from many records, for each group.
///
/// Implement [`PerGroup`](super::PerGroup), or [`State`] for states that lie better in arrays of their
/// own; each of them is an aggregate. [The module](super) says what laws it keeps.
///
/// ```
/// use creel_operators::aggregate::find;
/// use creel_operators::column::{Column, Columns, Groups};
///
/// let mut mean = find("mean").unwrap().make(&[]).unwrap();
/// mean.resize(2);
/// let columns = [Column::floats(&[1.0, 2.0, 5.0])];
/// mean.update(Groups::Each(&[0, 1, 0]), &Columns::arguments(3, &columns));
/// assert_eq!(mean.finish().to_json(), ["3", "2"]);
/// ```
pub trait Aggregate: Send {
    /// How many groups there are.
    fn groups(&self) -> usize;

    /// Makes groups, of no records as yet, until there are so many. There are never fewer.
    fn resize(&mut self, groups: usize);

    /// Adds records to their groups, which are there: one call for a batch.
    ///
    /// # Panics
    ///
    /// If a group is not there, or there are fewer columns than the aggregate takes.
    fn update(&mut self, groups: Groups<'_>, columns: &Columns<'_>);

    /// Adds all that another state of this kind has seen: `map` has for each of its groups the
    /// group that it is here.
    ///
    /// # Panics
    ///
    /// If the other is of another kind or has other parameters, or a group is not there.
    fn merge(&mut self, other: Box<dyn Aggregate>, map: &[u32]);

    /// Cuts it by groups: `part` has for each group the part that it goes to, in which groups keep
    /// their order and are numbered anew.
    ///
    /// # Panics
    ///
    /// If there is not a part for each group.
    fn split(self: Box<Self>, part: &[u32], parts: usize) -> Vec<Box<dyn Aggregate>>;

    /// Cuts what all groups hold into `2^bits` pieces, each with all groups, that may be merged with
    /// the same pieces of other states side by side, and are [`join`](Self::join)ed in the end. The
    /// first may be all.
    fn divide(self: Box<Self>, bits: u32) -> Vec<Box<dyn Aggregate>>;

    /// Adds the other pieces that [`divide`](Self::divide) gave, in their order, to the first.
    ///
    /// # Panics
    ///
    /// If they are of another kind, or have other groups.
    fn join(self: Box<Self>, others: Vec<Box<dyn Aggregate>>) -> Box<dyn Aggregate>;

    /// Cuts what all groups hold by its values into `2^bits` pieces, each with all groups: those that are
    /// equal come to the same piece in all states of a process. The first may be all.
    fn divide_values(self: Box<Self>, bits: u32) -> Vec<Box<dyn Aggregate>>;

    /// Returns true if [`divide_values`](Self::divide_values) cuts a large state into pieces that
    /// [`condense`](Self::condense) makes small. The result of a state of any size then takes little memory.
    fn condenses(&self) -> bool;

    /// Makes the same piece of all states, which [`divide_values`](Self::divide_values) gave, its result, if
    /// that takes less memory. It may be merged with those of other pieces, and with states of no records, and
    /// finished, and nothing else.
    fn condense(&mut self);

    /// Returns true if each group holds a set of values, which [`encode`](Self::encode) writes in the order of the
    /// values: see [`EncodedSets`](super::EncodedSets).
    fn holds_sets(&self) -> bool;

    /// Moves values of a group out, from this one on in their order, or all: as a state of one group. Nothing of
    /// a state that [holds no sets](Self::holds_sets).
    fn take_values(&mut self, group: u32, from: Option<&Canonical<'_>>) -> Box<dyn Aggregate>;

    /// Appends the states of groups, in this order, to bytes: canonical ones, that are equal if the
    /// states are, however they came to be, in whatever process. To put what a group holds in order
    /// may take as much memory again: [divide](Self::divide) a large state first.
    ///
    /// # Errors
    ///
    /// If states of this kind have no form in bytes. All aggregates of the table have one.
    fn encode(&self, order: &[u32], bytes: &mut Vec<u8>) -> Result<(), NoBytes>;

    /// Makes a state of no groups that of so many groups that was encoded.
    ///
    /// # Errors
    ///
    /// If no state was encoded as these bytes; then it is not to be used any more.
    fn decode(&mut self, groups: usize, bytes: &mut Reader<'_>) -> Result<(), Damaged>;

    /// Adds a state that was encoded: `map` has for each of its groups the group that it is here, which is
    /// there.
    ///
    /// # Errors
    ///
    /// If no state was encoded as these bytes; then this one is not to be used any more.
    fn absorb(&mut self, map: &[u32], bytes: &mut Reader<'_>) -> Result<(), Damaged>;

    /// The bytes of memory that it has, as far as it knows.
    fn weight(&self) -> usize;

    /// The bytes of memory that its groups come to at the most, if that is bounded whatever the records
    /// are: about, from what the values take that are there.
    fn most_weight(&self) -> Option<usize>;

    /// Whether no further record changes any of its groups, so that reading may stop if no other
    /// group can come.
    fn full(&self) -> bool;

    /// The result of each group.
    fn finish(self: Box<Self>) -> OwnedColumn;

    /// A state of the same kind and parameters, with no groups.
    fn fresh(&self) -> Box<dyn Aggregate>;

    /// Itself, to be taken as what it is.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// That a state has no form in bytes, and cannot leave its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoBytes;

impl fmt::Display for NoBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("states of this aggregate have no form in bytes")
    }
}

impl std::error::Error for NoBytes {}

/// The typed face of [`Aggregate`], for states of all groups in arrays: others of its kind come as
/// what they are. See there for what each method does.
pub trait State: Sized + Send + 'static {
    /// A state of the same parameters, with no groups.
    fn fresh(&self) -> Self;

    /// How many groups there are.
    fn groups(&self) -> usize;

    /// Makes groups until there are so many.
    fn resize(&mut self, groups: usize);

    /// Adds records to their groups.
    fn update(&mut self, groups: Groups<'_>, columns: &Columns<'_>);

    /// Adds all that another state has seen.
    fn merge(&mut self, other: Self, map: &[u32]);

    /// Cuts it by groups.
    fn split(self, part: &[u32], parts: usize) -> Vec<Self>;

    /// Cuts what groups hold. Unless it is said otherwise, the first piece is all.
    fn divide(self, bits: u32) -> Vec<Self> {
        first_is_all(self, bits)
    }

    /// Cuts what groups hold by its values. Unless it is said otherwise, the first piece is all.
    fn divide_values(self, bits: u32) -> Vec<Self> {
        first_is_all(self, bits)
    }

    /// Returns true if its pieces are small once they are condensed.
    fn condenses(&self) -> bool {
        false
    }

    /// Makes a piece of all states its result, if that takes less memory.
    fn condense(&mut self) {}

    /// Returns true if each group holds a set of values, which are written in their order.
    fn holds_sets(&self) -> bool {
        false
    }

    /// Moves values of a group out, if it holds a set of them.
    fn take_values(&mut self, _group: u32, _from: Option<&Canonical<'_>>) -> Self {
        let mut nothing = self.fresh();
        nothing.resize(1);
        nothing
    }

    /// Adds the pieces of a divided state.
    fn join(mut self, others: Vec<Self>) -> Self {
        let same: Vec<u32> = (0..self.groups() as u32).collect();
        others.into_iter().for_each(|other| self.merge(other, &same));
        self
    }

    /// Appends the states of groups, in this order, to bytes.
    ///
    /// # Errors
    ///
    /// If states of this kind have no form in bytes.
    fn encode(&self, order: &[u32], bytes: &mut Vec<u8>) -> Result<(), NoBytes>;

    /// Makes a state of no groups what was encoded.
    ///
    /// # Errors
    ///
    /// If no state was encoded as these bytes.
    fn decode(&mut self, groups: usize, bytes: &mut Reader<'_>) -> Result<(), Damaged>;

    /// Adds a state that was encoded.
    ///
    /// # Errors
    ///
    /// If no state was encoded as these bytes.
    fn absorb(&mut self, map: &[u32], bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        let mut other = self.fresh();
        other.decode(map.len(), bytes)?;
        self.merge(other, map);
        Ok(())
    }

    /// The bytes of memory that it has, as far as it knows.
    fn weight(&self) -> usize;

    /// The bytes of memory that its groups come to at the most, if that is known.
    fn most_weight(&self) -> Option<usize> {
        None
    }

    /// Whether no further record changes any of its groups.
    fn full(&self) -> bool {
        false
    }

    /// The result of each group.
    fn finish(self) -> OwnedColumn;
}

/// As many pieces of a state, of which the first has all that it holds.
pub(super) fn first_is_all<S: State>(state: S, bits: u32) -> Vec<S> {
    let empty = || {
        let mut empty = state.fresh();
        empty.resize(state.groups());
        empty
    };
    let mut pieces: Vec<S> = std::iter::repeat_with(empty).take((1 << bits) - 1).collect();
    pieces.insert(0, state);
    pieces
}

/// The state that another is.
fn same<S: State>(other: Box<dyn Aggregate>) -> S {
    match other.into_any().downcast() {
        Ok(state) => *state,
        Err(_) => panic!("a state of another kind than {}", type_name::<S>()),
    }
}

fn boxed<S: State>(states: Vec<S>) -> Vec<Box<dyn Aggregate>> {
    states.into_iter().map(|state| Box::new(state) as _).collect()
}

impl<S: State> Aggregate for S {
    fn groups(&self) -> usize {
        State::groups(self)
    }

    fn resize(&mut self, groups: usize) {
        State::resize(self, groups);
    }

    fn update(&mut self, groups: Groups<'_>, columns: &Columns<'_>) {
        State::update(self, groups, columns);
    }

    fn merge(&mut self, other: Box<dyn Aggregate>, map: &[u32]) {
        State::merge(self, same(other), map);
    }

    fn split(self: Box<Self>, part: &[u32], parts: usize) -> Vec<Box<dyn Aggregate>> {
        assert_eq!(part.len(), State::groups(&*self), "a part for each group");
        boxed(State::split(*self, part, parts))
    }

    fn divide(self: Box<Self>, bits: u32) -> Vec<Box<dyn Aggregate>> {
        boxed(State::divide(*self, bits))
    }

    fn divide_values(self: Box<Self>, bits: u32) -> Vec<Box<dyn Aggregate>> {
        boxed(State::divide_values(*self, bits))
    }

    fn condenses(&self) -> bool {
        State::condenses(self)
    }

    fn condense(&mut self) {
        State::condense(self);
    }

    fn holds_sets(&self) -> bool {
        State::holds_sets(self)
    }

    fn take_values(&mut self, group: u32, from: Option<&Canonical<'_>>) -> Box<dyn Aggregate> {
        Box::new(State::take_values(self, group, from))
    }

    fn join(self: Box<Self>, others: Vec<Box<dyn Aggregate>>) -> Box<dyn Aggregate> {
        Box::new(State::join(*self, others.into_iter().map(same).collect()))
    }

    fn encode(&self, order: &[u32], bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        State::encode(self, order, bytes)
    }

    fn decode(&mut self, groups: usize, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        State::decode(self, groups, bytes)
    }

    fn absorb(&mut self, map: &[u32], bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        State::absorb(self, map, bytes)
    }

    fn weight(&self) -> usize {
        State::weight(self)
    }

    fn most_weight(&self) -> Option<usize> {
        State::most_weight(self)
    }

    fn full(&self) -> bool {
        State::full(self)
    }

    fn finish(self: Box<Self>) -> OwnedColumn {
        State::finish(*self)
    }

    fn fresh(&self) -> Box<dyn Aggregate> {
        Box::new(State::fresh(self))
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl fmt::Debug for dyn Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregate").field("groups", &self.groups()).finish_non_exhaustive()
    }
}

/// For each group its number in the part that it goes to, and for each part how many go there.
pub(super) fn numbered(part: &[u32], parts: usize) -> (Vec<u32>, Vec<usize>) {
    let mut sizes = vec![0; parts];
    let numbers = part.iter().map(|part| {
        let size = &mut sizes[*part as usize];
        *size += 1;
        *size as u32 - 1
    });
    (numbers.collect(), sizes)
}

/// The rows of all groups, those of a group behind each other and in their order, and where each
/// group's begin: of rows of which `groups` has the group of each, and `counts` how many each has.
pub(super) fn gathered(counts: &[usize], groups: &[u32]) -> (Vec<usize>, Vec<u64>) {
    let starts = starts(counts);
    let (mut next, mut rows) = (starts.clone(), vec![0; groups.len()]);
    for (row, &group) in groups.iter().enumerate() {
        let at = &mut next[group as usize];
        rows[*at] = row as u64;
        *at += 1;
    }
    (starts, rows)
}

/// Where each begins, of so many behind each other.
pub(super) fn starts(counts: &[usize]) -> Vec<usize> {
    let mut next = 0;
    let start = |count: &usize| {
        next += count;
        next - count
    };
    counts.iter().map(start).collect()
}
