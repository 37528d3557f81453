//! How often each value occurs in each group: what `frequencies` and `nunique` hold.
//!
//! One group is counted in the tables of [`Counts`], text by text as it lies in its batch. Of several
//! groups each distinct value is stored once for all of them, and pairs of a group and a value are
//! counted.

use super::dictionary::Dictionary;
use super::state::{first_is_all, numbered};
use super::tables::{Tables, commonest_first};
use super::{Damaged, NoBytes, Reader, State};
use crate::Counts;
use crate::column::{Canonical, Columns, Groups, OwnedColumn, OwnedData};

/// Counts of the values of each group. The result is the values and counts, or of how many values.
pub(super) struct Tally<const ROWS: bool> {
    groups: usize,
    body: Body,
}

enum Body {
    /// Of at most one group.
    One(Box<Tables>),
    Many(Dictionary),
    /// How many values there are in each group, to which values that are not among them may come.
    Numbers(Vec<u64>),
}

impl Body {
    /// Returns true if no value was added.
    fn is_empty(&self) -> bool {
        match self {
            Self::One(one) => one.len() == 0,
            Self::Many(many) => many.is_empty(),
            Self::Numbers(numbers) => numbers.iter().all(|n| *n == 0),
        }
    }
}

impl<const ROWS: bool> Tally<ROWS> {
    /// The tables of a state of one group.
    pub(super) fn tables(self) -> Option<Tables> {
        match self.body {
            Body::One(tables) => Some(*tables),
            Body::Many(_) | Body::Numbers(_) => None,
        }
    }

    pub(super) fn new() -> Self {
        Self { groups: 0, body: Body::One(Box::default()) }
    }

    /// Counts a value of a group that is there `n` times more.
    fn add(&mut self, group: u32, value: Canonical<'_>, n: u64) {
        match &mut self.body {
            Body::One(one) => one.add(&value, n),
            Body::Many(many) => many.add(group, value, n),
            Body::Numbers(_) => unreachable!("values are gone that were counted"),
        }
    }

    /// How many values each group has.
    fn sizes(&self) -> Vec<u64> {
        match &self.body {
            Body::One(one) => vec![one.len() as u64; self.groups],
            Body::Many(many) => many.sizes(self.groups),
            Body::Numbers(numbers) => numbers.clone(),
        }
    }

    /// Makes counts of one group those of the first of several.
    fn many(&mut self) -> &mut Dictionary {
        if let Body::One(one) = &self.body {
            let mut many = Dictionary::default();
            one.rows().for_each(|(value, n)| many.add(0, value, n));
            self.body = Body::Many(many);
        }
        match &mut self.body {
            Body::Many(many) => many,
            Body::One(_) => unreachable!("it was made one of several"),
            Body::Numbers(_) => unreachable!("values are gone that were counted"),
        }
    }

    /// The rows of groups in this order, each in the order of values.
    fn in_order(&self, order: &[u32]) -> Vec<Vec<(Canonical<'_>, u64)>> {
        let mut groups: Vec<Vec<(Canonical<'_>, u64)>> = Vec::new();
        groups.resize_with(self.groups, Vec::new);
        match &self.body {
            Body::One(one) => {
                if let Some(group) = groups.first_mut() {
                    group.extend(one.rows());
                }
            }
            Body::Many(many) => {
                many.rows().for_each(|(group, value, n)| groups[group as usize].push((value, n)));
            }
            Body::Numbers(_) => unreachable!("values are gone that were counted"),
        }
        let mut ordered = |group: &u32| {
            let mut rows = std::mem::take(&mut groups[*group as usize]);
            rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            rows
        };
        order.iter().map(&mut ordered).collect()
    }
}

impl<const ROWS: bool> State for Tally<ROWS> {
    fn fresh(&self) -> Self {
        Self::new()
    }

    fn groups(&self) -> usize {
        self.groups
    }

    fn resize(&mut self, groups: usize) {
        self.groups = groups.max(self.groups);
        if let Body::Numbers(numbers) = &mut self.body {
            numbers.resize(self.groups, 0);
        } else if self.groups > 1 {
            self.many();
        }
    }

    fn update(&mut self, groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        match (&mut self.body, groups) {
            (Body::One(one), Groups::One) => one.update(&column),
            (Body::One(one), Groups::Each(groups)) => {
                assert!(groups.iter().all(|group| *group == 0), "a group that is not there");
                one.update(&column);
            }
            (Body::Many(many), groups) => {
                let mut room = String::new();
                column.each(|row, datum| {
                    many.add(groups.of(row) as u32, Canonical::within(&datum, &mut room), 1);
                });
            }
            (Body::Numbers(_), _) => unreachable!("values are gone that were counted"),
        }
    }

    fn merge(&mut self, other: Self, map: &[u32]) {
        match (&self.body, &other.body) {
            (Body::Numbers(_), Body::Numbers(_)) => {}
            (Body::Numbers(_), _) if other.body.is_empty() => return,
            (_, Body::Numbers(_)) if other.body.is_empty() => return,
            (_, Body::Numbers(_)) if self.body.is_empty() => {
                self.body = Body::Numbers(vec![0; self.groups]);
            }
            _ => {}
        }
        match (&mut self.body, other.body) {
            (Body::One(into), Body::One(from)) => into.merge(*from),
            (Body::One(_), Body::Many(from)) => {
                let into = self.many();
                from.rows().for_each(|(group, value, n)| into.add(map[group as usize], value, n));
            }
            (Body::Many(into), Body::One(from)) => {
                let group = map.first().copied().unwrap_or(0);
                from.rows().for_each(|(value, n)| into.add(group, value, n));
            }
            (Body::Many(into), Body::Many(from)) => into.merge(from, map),
            (Body::Numbers(into), Body::Numbers(from)) => {
                for (n, group) in from.into_iter().zip(map) {
                    into[*group as usize] += n;
                }
            }
            (Body::Numbers(_), _) | (_, Body::Numbers(_)) => {
                unreachable!("pieces are merged before they are condensed, or after")
            }
        }
    }

    fn split(self, part: &[u32], parts: usize) -> Vec<Self> {
        let (numbers, sizes) = numbered(part, parts);
        let mut split: Vec<Self> = sizes
            .into_iter()
            .map(|groups| {
                let mut empty = Self::new();
                empty.resize(groups);
                empty
            })
            .collect();
        match self.body {
            Body::One(one) => {
                if let Some(&part) = part.first() {
                    split[part as usize].body = Body::One(one);
                }
            }
            Body::Many(many) => {
                for (group, value, n) in many.rows() {
                    let into = &mut split[part[group as usize] as usize];
                    into.add(numbers[group as usize], value, n);
                }
            }
            Body::Numbers(_) => unreachable!("values are gone that were counted"),
        }
        split
    }

    fn divide(self, bits: u32) -> Vec<Self> {
        let groups = self.groups;
        let mut bodies: Vec<Body> = match self.body {
            Body::Many(many) => many.divide(bits).into_iter().map(Body::Many).collect(),
            Body::One(one) => {
                let Tables { texts, keys, integers, floats } = *one;
                let (texts, keys) = (texts.parts(bits), keys.parts(bits));
                let (integers, floats) = (integers.parts(bits), floats.parts(bits));
                let all = texts.into_iter().zip(keys).zip(integers).zip(floats);
                let one =
                    |(((texts, keys), integers), floats)| Tables { texts, keys, integers, floats };
                all.map(|all| Body::One(Box::new(one(all)))).collect()
            }
            Body::Numbers(_) => unreachable!("values are gone that were counted"),
        };
        bodies.drain(..).map(|body| Self { groups, body }).collect()
    }

    fn divide_values(self, bits: u32) -> Vec<Self> {
        if ROWS {
            // The rows of all pieces would be there in the end.
            return first_is_all(self, bits);
        }
        let groups = self.groups;
        let pieces: Vec<Body> = match self.body {
            Body::Many(many) => many.divide(bits).into_iter().map(Body::Many).collect(),
            // Tables cut numbers in no way, and texts in another. They stay tables: values of a dictionary
            // take some times the memory of numbers in a table.
            Body::One(one) => {
                let of = Dictionary::default();
                let mut pieces: Vec<Box<Tables>> = Vec::new();
                pieces.resize_with(1 << bits, Box::default);
                one.rows().for_each(|(value, n)| pieces[of.piece(&value, bits)].add(&value, n));
                pieces.into_iter().map(Body::One).collect()
            }
            Body::Numbers(_) => unreachable!("values are gone that were counted"),
        };
        pieces.into_iter().map(|body| Self { groups, body }).collect()
    }

    fn condenses(&self) -> bool {
        !ROWS
    }

    fn condense(&mut self) {
        if !ROWS {
            self.body = Body::Numbers(self.sizes());
        }
    }

    fn holds_sets(&self) -> bool {
        true
    }

    fn take_values(&mut self, group: u32, from: Option<&Canonical<'_>>) -> Self {
        let goes = |value: &Canonical<'_>| from.is_none_or(|from| value >= from);
        let (mut taken, mut kept) = (Tables::default(), Self::new());
        kept.resize(self.groups);
        let mut add = |of: u32, value: Canonical<'_>, n| match of == group && goes(&value) {
            true => taken.add(&value, n),
            false => kept.add(of, value, n),
        };
        match &self.body {
            Body::One(one) => one.rows().for_each(|(value, n)| add(0, value, n)),
            Body::Many(many) => many.rows().for_each(|(of, value, n)| add(of, value, n)),
            Body::Numbers(_) => unreachable!("values are gone that were counted"),
        }
        *self = kept;
        Self { groups: 1, body: Body::One(Box::new(taken)) }
    }

    fn join(self, others: Vec<Self>) -> Self {
        let groups = self.groups;
        let pieces = others.len() + 1;
        let bodies: Vec<Body> =
            std::iter::once(self).chain(others).map(|piece| piece.body).collect();
        // Tables that were cut by their keys are put together as they are.
        let whole = |body: &Body| match body {
            Body::One(one) => [&one.texts, &one.keys]
                .iter()
                .any(|counts| 1_usize.checked_shl(counts.part_bits()) != Some(pieces)),
            Body::Many(_) | Body::Numbers(_) => true,
        };
        if bodies.iter().any(whole) {
            let mut joined = Self { groups, body: Body::One(Box::default()) };
            let same: Vec<u32> = (0..groups as u32).collect();
            for body in bodies {
                match (&mut joined.body, body) {
                    // Counts of a part have no place for those of another.
                    (Body::One(into), Body::One(from)) => {
                        from.rows().for_each(|(value, n)| into.add(&value, n));
                    }
                    (_, body) => joined.merge(Self { groups, body }, &same),
                }
            }
            return joined;
        }
        let (mut texts, mut keys, mut rest) = (Vec::new(), Vec::new(), Tables::default());
        for body in bodies {
            if let Body::One(one) = body {
                texts.push(one.texts);
                keys.push(one.keys);
                rest.integers.merge(one.integers);
                rest.floats.merge(one.floats);
            }
        }
        let one = Tables { texts: Counts::join(texts), keys: Counts::join(keys), ..rest };
        Self { groups, body: Body::One(Box::new(one)) }
    }

    fn encode(&self, order: &[u32], bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        match &self.body {
            Body::One(one) => order.iter().for_each(|_| one.encode(bytes)),
            Body::Many(many) => many.encode(order, self.groups, bytes),
            Body::Numbers(_) => unreachable!("values are gone that were counted"),
        }
        Ok(())
    }

    fn decode(&mut self, groups: usize, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        if groups > bytes.left() {
            return Err(bytes.damaged("fewer groups than there are"));
        }
        self.resize(groups);
        let all: Vec<u32> = (0..groups as u32).collect();
        self.absorb(&all, bytes)
    }

    fn absorb(&mut self, map: &[u32], bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        let mut room = String::new();
        for group in map {
            for _ in 0..bytes.count(2)? {
                let damaged = bytes.damaged("a value that does not occur");
                let (value, n) = (bytes.datum()?, bytes.records()?);
                if n == 0 {
                    return Err(damaged);
                }
                self.add(*group, Canonical::within(&value, &mut room), n);
            }
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        match &self.body {
            Body::One(one) => one.weight(),
            Body::Many(many) => many.weight(),
            Body::Numbers(numbers) => numbers.capacity() * size_of::<u64>(),
        }
    }

    fn finish(self) -> OwnedColumn {
        if !ROWS {
            return OwnedColumn::counts(self.sizes());
        }
        let (mut values, mut counts, mut ends) = (OwnedColumn::default(), Vec::new(), Vec::new());
        let mut put = |rows: Vec<(Canonical<'_>, u64)>| {
            rows.iter().for_each(|(value, _)| values.push(Some(value.datum())));
            counts.extend(rows.iter().map(|(_, n)| *n));
            ends.push(counts.len());
        };
        match &self.body {
            Body::One(one) => (0..self.groups).for_each(|_| put(one.sorted())),
            Body::Many(_) => {
                let all: Vec<u32> = (0..self.groups as u32).collect();
                for mut rows in self.in_order(&all) {
                    commonest_first(&mut rows);
                    put(rows);
                }
            }
            Body::Numbers(_) => unreachable!("rows are not condensed"),
        }
        let pairs = OwnedData::Tuples(vec![values, OwnedColumn::counts(counts)]);
        OwnedColumn::new(OwnedData::Lists { ends, items: Box::new(OwnedColumn::new(pairs)) })
    }
}

#[cfg(test)]
mod tests;
