//! Aggregates whose groups are values of their own: what most are made with.

use creel_kernels::prefetch;

use super::{Damaged, NoBytes, Reader, State};
use crate::column::{Columns, Groups, OwnedColumn};

/// An aggregate with a small value for each group, in one array: all that is to be written for most.
///
/// `update` is called once for a batch, and holds the loop over its records: what is in it is
/// compiled for the kind of the column, and calls nothing through a pointer. Several numbers of a
/// group lie side by side, since a record that comes to a group touches all of them: one cache line
/// where arrays of each number would be several.
///
/// ```
/// use creel_operators::aggregate::{Aggregate, Damaged, NoBytes, Each, PerGroup, Reader, Writer};
/// use creel_operators::column::{Column, Columns, Groups, OwnedColumn};
///
/// /// The greatest number of code points.
/// #[derive(Clone, Copy)]
/// struct Longest;
///
/// impl PerGroup for Longest {
///     type Group = u64;
///
///     fn update(&self, states: &mut [u64], groups: Groups<'_>, columns: &Columns<'_>) {
///         columns.argument(0).each(|row, datum| {
///             if let creel_operators::column::Datum::Text(text) = datum {
///                 let longest = &mut states[groups.of(row)];
///                 *longest = (*longest).max(text.chars().count() as u64);
///             }
///         });
///     }
///     fn merge(&self, into: &mut u64, from: u64) {
///         *into = (*into).max(from);
///     }
///     fn encode(&self, group: &u64, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
///         bytes.put_u64(*group);
///         Ok(())
///     }
///     fn decode(&self, bytes: &mut Reader<'_>) -> Result<u64, Damaged> {
///         bytes.u64()
///     }
///     fn finish(&self, groups: Vec<u64>) -> OwnedColumn {
///         OwnedColumn::counts(groups)
///     }
///     fn heap(&self, _group: &u64) -> usize {
///         0
///     }
/// }
///
/// let mut state: Box<dyn Aggregate> = Box::new(Each::new(Longest));
/// state.resize(1);
/// let spans = [0, 3].map(|at| creel_operators::column::Span::new(at, at + 3));
/// let columns = [Column::text("codeel", &spans)];
/// state.update(Groups::One, &Columns::arguments(2, &columns));
/// assert_eq!(state.finish().to_json(), ["3"]);
/// ```
pub trait PerGroup: Clone + Send + 'static {
    /// What a group holds; by default what it holds of no records.
    type Group: Default + Send + 'static;

    /// Adds the records of a batch to their groups.
    fn update(&self, states: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>);

    /// Adds what a group has seen to another, which came before it in the input.
    fn merge(&self, into: &mut Self::Group, from: Self::Group);

    /// Appends a group to bytes: at least one, and the same for equal groups however they came to be.
    ///
    /// # Errors
    ///
    /// If groups have no form in bytes.
    fn encode(&self, group: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes>;

    /// Reads a group.
    ///
    /// # Errors
    ///
    /// If none was encoded as these bytes.
    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged>;

    /// The result of each group.
    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn;

    /// The bytes of memory that a group owns outside of `Self::Group`, as in a `Vec` or a `Box`: 0 if it
    /// owns none. The memory limit goes by it: a group that reports too few bytes is spilled too late.
    fn heap(&self, group: &Self::Group) -> usize;

    /// The most bytes of memory that a group can take, with what it points to. `None` means that no bound
    /// is known, as for a group that grows with its records. The error of a run that needs more memory than
    /// its limit names this bound as the memory that would do; without one it names an estimate.
    fn most_weight(&self, _group: &Self::Group) -> Option<usize> {
        None
    }

    /// Whether no further record changes a group.
    fn full(&self, _group: &Self::Group) -> bool {
        false
    }
}

/// Groups between the one whose place is asked for and the one that is merged or encoded.
const AHEAD: usize = 16;

/// The [`State`] of a [`PerGroup`] aggregate.
#[derive(Debug, Clone)]
pub struct Each<P: PerGroup> {
    of: P,
    groups: Vec<P::Group>,
}

impl<P: PerGroup> Each<P> {
    /// A state of no groups.
    pub const fn new(of: P) -> Self {
        Self { of, groups: Vec::new() }
    }
}

impl<P: PerGroup> State for Each<P> {
    fn fresh(&self) -> Self {
        Self::new(self.of.clone())
    }

    fn groups(&self) -> usize {
        self.groups.len()
    }

    fn resize(&mut self, groups: usize) {
        let more = groups.saturating_sub(self.groups.len());
        self.groups.extend(std::iter::repeat_with(P::Group::default).take(more));
    }

    fn update(&mut self, groups: Groups<'_>, columns: &Columns<'_>) {
        /// States of fewer groups stay in the nearest caches.
        const MANY: usize = 4096;
        if let Groups::Each(numbers) = groups
            && self.groups.len() >= MANY
        {
            numbers.iter().for_each(|number| prefetch(&self.groups[*number as usize]));
        }
        self.of.update(&mut self.groups, groups, columns);
    }

    fn merge(&mut self, other: Self, map: &[u32]) {
        assert_eq!(map.len(), other.groups.len(), "a place for each group");
        for (at, (from, &into)) in other.groups.into_iter().zip(map).enumerate() {
            if let Some(&later) = map.get(at + AHEAD) {
                prefetch(&self.groups[later as usize]);
            }
            self.of.merge(&mut self.groups[into as usize], from);
        }
    }

    fn split(self, part: &[u32], parts: usize) -> Vec<Self> {
        let fresh = || Self::new(self.of.clone());
        let mut split: Vec<Self> = std::iter::repeat_with(fresh).take(parts).collect();
        for (group, &part) in self.groups.into_iter().zip(part) {
            split[part as usize].groups.push(group);
        }
        split
    }

    fn encode(&self, order: &[u32], bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        order.iter().enumerate().try_for_each(|(at, &group)| {
            if let Some(&later) = order.get(at + AHEAD) {
                prefetch(&self.groups[later as usize]);
            }
            self.of.encode(&self.groups[group as usize], bytes)
        })
    }

    fn decode(&mut self, groups: usize, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        if groups > bytes.left() {
            return Err(bytes.damaged("fewer groups than there are"));
        }
        self.groups = (0..groups).map(|_| self.of.decode(bytes)).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn weight(&self) -> usize {
        /// So many groups tell what the others point to.
        const ASKED: usize = 256;
        let step = self.groups.len().div_ceil(ASKED).max(1);
        let asked = || self.groups.iter().step_by(step);
        let heap: usize = asked().map(|group| self.of.heap(group)).sum();
        self.groups.capacity() * size_of::<P::Group>()
            + heap * self.groups.len() / asked().count().max(1)
    }

    fn most_weight(&self) -> Option<usize> {
        self.groups.iter().map(|group| self.of.most_weight(group)).sum()
    }

    fn full(&self) -> bool {
        !self.groups.is_empty() && self.groups.iter().all(|group| self.of.full(group))
    }

    fn finish(self) -> OwnedColumn {
        self.of.finish(self.groups)
    }
}
