//! `list`: all values, in the order of the input.

use std::marker::PhantomData;

use super::state::{gathered, numbered};
use super::{Damaged, Kind, Needs, NoBytes, Order, Reader, State, Traits, Writer};
use crate::column::{Columns, Groups, OwnedColumn, OwnedData};
use crate::{Combiner, Feed, Records};

pub(super) static LIST: Kind = Kind {
    name: "list",
    usage: "list, list(f)",
    help: "all of them as a list, in the order of the input",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Records,
    order: Order::Input,
    traits: Traits::PLAIN,
    new: |_| Box::new(List::default()),
};

/// Keeps all records, in input order; so its memory grows with the input.
///
/// Records have to be owned: a lent one is gone when the next block is read, so store it first,
/// with `.map(str::to_owned)`.
///
/// ```
/// use creel_operators::{Collect, run};
///
/// let lengths = run(["net", "fish"], |words| words.map(str::len).combine(Collect::new()));
/// assert_eq!(lengths, [3, 4]);
/// ```
pub struct Collect<T>(PhantomData<fn() -> T>);

mark! { Collect<T>, "A combiner that keeps records of type `T`." }

impl<T: Send + 'static> Combiner for Collect<T> {
    type State = Vec<T>;
    type Output = Vec<T>;
    const ORDERED: bool = true;

    fn merge(&self, into: &mut Vec<T>, mut from: Vec<T>) {
        if into.is_empty() {
            *into = from;
        } else {
            into.append(&mut from);
        }
    }

    fn finish(&self, state: Vec<T>) -> Vec<T> {
        state
    }

    fn pieces(&self, state: Vec<T>) -> Box<dyn Iterator<Item = Vec<T>>> {
        /// So few that the bytes of long records fit into memory, too.
        const RECORDS: usize = 256;
        let mut records = state.into_iter();
        Box::new(std::iter::from_fn(move || {
            let piece: Vec<T> = records.by_ref().take(RECORDS).collect();
            (!piece.is_empty()).then_some(piece)
        }))
    }
}

impl<T: Send + 'static> Feed<T> for Collect<T> {
    fn feed(&self, state: &mut Vec<T>, record: T) {
        state.push(record);
    }
}

impl<I: Iterator, W> Records<'_, I, Vec<I::Item>, W> {
    /// Keeps all records, in input order. See [`Collect`].
    ///
    /// ```
    /// let lines = ["b a", "c"];
    /// let words = creel_operators::run(lines, |l| l.words().map(str::to_owned).collect());
    /// assert_eq!(words, ["b", "a", "c"]);
    /// ```
    pub fn collect(self) -> Collect<I::Item>
    where
        I::Item: Send + 'static,
    {
        self.combine(Collect::new())
    }
}

/// The values of all groups as they come, and the group of each: they are put in order in the end.
#[derive(Default)]
struct List {
    counts: Vec<usize>,
    groups: Vec<u32>,
    values: OwnedColumn,
}

impl List {
    fn push_all(&mut self, other: &OwnedColumn, groups: impl Iterator<Item = u32>) {
        for (row, group) in groups.enumerate() {
            self.values.push(other.get(row));
            self.groups.push(group);
            self.counts[group as usize] += 1;
        }
    }
}

impl State for List {
    fn fresh(&self) -> Self {
        Self::default()
    }

    fn groups(&self) -> usize {
        self.counts.len()
    }

    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups.max(self.counts.len()), 0);
    }

    fn update(&mut self, groups: Groups<'_>, columns: &Columns<'_>) {
        columns.argument(0).each(|row, datum| {
            let group = groups.of(row);
            self.counts[group] += 1;
            self.groups.push(group as u32);
            self.values.push(Some(datum));
        });
    }

    fn merge(&mut self, other: Self, map: &[u32]) {
        let groups = other.groups.iter().map(|group| map[*group as usize]);
        if self.groups.is_empty() {
            self.groups = groups.collect();
            self.values = other.values;
            other.counts.iter().zip(map).for_each(|(n, &into)| self.counts[into as usize] += n);
        } else {
            self.push_all(&other.values, groups);
        }
    }

    fn split(self, part: &[u32], parts: usize) -> Vec<Self> {
        let (numbers, sizes) = numbered(part, parts);
        let empty = |size| Self { counts: vec![0; size], ..Self::default() };
        let mut split: Vec<Self> = sizes.into_iter().map(empty).collect();
        for (row, group) in self.groups.iter().enumerate() {
            let of = &mut split[part[*group as usize] as usize];
            let group = numbers[*group as usize];
            of.counts[group as usize] += 1;
            of.groups.push(group);
            of.values.push(self.values.get(row));
        }
        split
    }

    fn encode(&self, order: &[u32], bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        let (starts, rows) = gathered(&self.counts, &self.groups);
        for &group in order {
            let start = starts[group as usize];
            let rows = &rows[start..start + self.counts[group as usize]];
            bytes.put_u64(rows.len() as u64);
            let values = rows.iter().filter_map(|row| self.values.get(*row as usize));
            values.for_each(|datum| bytes.put_datum(&datum));
        }
        Ok(())
    }

    fn decode(&mut self, groups: usize, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        for group in 0..groups {
            let count = bytes.count(1)?;
            self.counts.push(count);
            for _ in 0..count {
                self.values.push(Some(bytes.datum()?));
                self.groups.push(group as u32);
            }
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        self.values.weight()
            + self.groups.capacity() * size_of::<u32>()
            + self.counts.capacity() * size_of::<usize>()
    }

    fn finish(self) -> OwnedColumn {
        let mut end = 0;
        let ends = self.counts.iter().map(|count| {
            end += count;
            end
        });
        let ends = ends.collect();
        let items = match self.counts.len() {
            0 | 1 => self.values,
            _ => {
                let (_, rows) = gathered(&self.counts, &self.groups);
                OwnedColumn::of(rows.into_iter().map(|row| self.values.get(row as usize)))
            }
        };
        OwnedColumn::new(OwnedData::Lists { ends, items: Box::new(items) })
    }
}

#[cfg(test)]
mod tests {
    use super::Collect;
    use crate::laws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn collect_keeps_the_laws(records in prop::collection::vec(any::<u8>(), 0..12)) {
            laws::check(&Collect::new(), &records);
            prop_assert_eq!(crate::run(records.clone(), |r| r.collect()), records);
        }
    }
}
