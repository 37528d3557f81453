//! An aggregate of the table of aggregates, over typed records.

use std::fmt;

use super::{Aggregates, Takes};
use crate::aggregate::{Aggregate, Kind, Reader, Refused, Writer};
use crate::column::{Column, Columns, Groups, OwnedColumn};

/// Records that wait for one another to become a batch.
const BATCH: usize = 1024;

/// Fills the columns of an aggregate with the values of a record.
pub trait Fill<T> {
    /// Appends the values of a record.
    fn fill(&self, record: &T, columns: &mut Vec<OwnedColumn>);
}

/// An aggregate of [`aggregate::KINDS`](crate::aggregate::KINDS) over typed records.
///
/// ```
/// use creel_operators::aggregate::find;
/// use creel_operators::run;
/// use creel_operators::typed::{By, ByKind};
///
/// let read = |column: &creel_operators::column::OwnedColumn, row: usize| {
///     column.get(row).and_then(|datum| datum.number()).map(|number| number.to_f64())
/// };
/// let p50 = ByKind::new(find("p50").unwrap(), &[], By(|n: &i64| *n), read).unwrap();
/// assert_eq!(run([3_i64, 1, 2], |r| r.aggregate(p50)), Some(2.0));
/// ```
pub struct ByKind<P, O> {
    kind: &'static Kind,
    parameters: Vec<f64>,
    take: P,
    read: fn(&OwnedColumn, usize) -> O,
}

impl<P, O> ByKind<P, O> {
    /// The aggregate with these parameters; `read` makes a result of a row of what it gives.
    ///
    /// # Errors
    ///
    /// If the parameters are refused.
    ///
    /// # Panics
    ///
    /// If the order of the records shows in this aggregate.
    pub fn new(
        kind: &'static Kind,
        parameters: &[f64],
        take: P,
        read: fn(&OwnedColumn, usize) -> O,
    ) -> Result<Self, Refused> {
        let any = kind.order == crate::aggregate::Order::Any;
        assert!(any, "the order of the records shows in {}", kind.name);
        kind.make(parameters)?;
        Ok(Self { kind, parameters: parameters.to_vec(), take, read })
    }

    fn make(&self) -> Box<dyn Aggregate> {
        let made = self.kind.make(&self.parameters);
        made.unwrap_or_else(|refused| unreachable!("made before: {refused}"))
    }
}

impl<P: Clone, O> Clone for ByKind<P, O> {
    fn clone(&self) -> Self {
        Self { parameters: self.parameters.clone(), take: self.take.clone(), ..*self }
    }
}

impl<P, O> fmt::Debug for ByKind<P, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByKind").field(&self.kind.name).field(&self.parameters).finish()
    }
}

/// The state of all groups of an aggregate, and records that wait to become a batch.
#[derive(Debug)]
pub struct Fed {
    state: Box<dyn Aggregate>,
    waiting: Vec<OwnedColumn>,
    /// The group of each record that waits.
    groups: Vec<u32>,
    /// How many groups there are, with those of records that wait.
    known: usize,
}

impl Fed {
    fn of(state: Box<dyn Aggregate>) -> Self {
        let known = state.groups();
        Self { state, waiting: Vec::new(), groups: Vec::new(), known }
    }

    fn settle(&mut self, columns: usize) {
        self.state.resize(self.known);
        if self.groups.is_empty() {
            return;
        }
        let rows = self.groups.len();
        let mut buffers = vec![<(Vec<_>, String)>::default(); self.waiting.len()];
        let lent = self.waiting.iter().zip(&mut buffers);
        let lent: Vec<Column<'_>> = lent
            .map(|(column, (spans, text))| column.lend(0..rows, spans, text))
            .take(columns)
            .collect();
        let groups = if self.known == 1 { Groups::One } else { Groups::Each(&self.groups) };
        self.state.update(groups, &Columns::arguments(rows, &lent));
        self.waiting.clear();
        self.groups.clear();
    }
}

impl<P, O: Send + 'static> Aggregates for ByKind<P, O> {
    type State = Fed;
    type Output = O;
    type Bare = ByKind<(), O>;
    const ORDERED: bool = false;

    fn bare(&self) -> ByKind<(), O> {
        ByKind { kind: self.kind, parameters: self.parameters.clone(), take: (), read: self.read }
    }

    fn start(&self) -> Fed {
        Fed::of(self.make())
    }

    fn resize(&self, fed: &mut Fed, groups: usize) {
        fed.known = fed.known.max(groups);
    }

    fn merge(&self, into: &mut Fed, mut from: Fed, map: &[u32]) {
        self.settle(&mut from);
        self.settle(into);
        into.state.merge(from.state, map);
    }

    fn split(&self, mut fed: Fed, part: &[u32], parts: usize) -> Vec<Fed> {
        self.settle(&mut fed);
        fed.state.split(part, parts).into_iter().map(Fed::of).collect()
    }

    fn settle(&self, fed: &mut Fed) {
        fed.settle(self.kind.columns.1);
    }

    fn full(&self, fed: &Fed) -> bool {
        fed.groups.is_empty() && fed.known == fed.state.groups() && fed.state.full()
    }

    fn held(&self, fed: &Fed) -> usize {
        let waiting: usize = fed.waiting.iter().map(OwnedColumn::weight).sum();
        fed.state.weight() + waiting
    }

    fn captured(&self) -> usize {
        size_of::<P>()
    }

    fn parameters(&self, each: &mut dyn FnMut(u64)) {
        // Kinds are of one type.
        self.kind.name.bytes().for_each(|byte| each(byte.into()));
        self.parameters.iter().for_each(|number| each(number.to_bits()));
    }

    fn has_form(&self) -> bool {
        self.start().state.encode(&[], &mut Vec::new()).is_ok()
    }

    fn save(&self, fed: &Fed, bytes: &mut Vec<u8>) -> bool {
        let order: Vec<u32> = (0..fed.state.groups() as u32).collect();
        let mut encoded = Vec::new();
        let saved = fed.groups.is_empty() && fed.state.encode(&order, &mut encoded).is_ok();
        bytes.put_bytes(&encoded);
        saved
    }

    fn load(&self, groups: usize, bytes: &mut Reader<'_>) -> Option<Fed> {
        let encoded = bytes.bytes().ok()?;
        let state = self.kind.decode(&self.parameters, groups, encoded).ok()?;
        Some(Fed::of(state))
    }

    fn finish(&self, mut fed: Fed) -> Vec<O> {
        self.settle(&mut fed);
        let column = fed.state.finish();
        (0..column.len()).map(|row| (self.read)(&column, row)).collect()
    }
}

impl<T, P: Fill<T>, O: Send + 'static> Takes<T> for ByKind<P, O> {
    #[inline]
    fn feed(&self, fed: &mut Fed, group: u32, record: &T) {
        self.take.fill(record, &mut fed.waiting);
        fed.groups.push(group);
        fed.known = fed.known.max(group as usize + 1);
        if fed.groups.len() == BATCH {
            self.settle(fed);
        }
    }
}
