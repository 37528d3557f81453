//! `quantile`, `p`, `p50`, `p90`, `p99`: the number that a share of all does not exceed.
//!
//! Of a group of up to 2^20 numbers, which take 8 MiB, it is exact; of more it is read from counts
//! of numbers by size, with a relative error of at most 1/256, of numbers nearer to zero than 2^-1022 of at most 2^-1030.
//! Which it is depends on how many
//! numbers the group has in all, and counts by size are the same in whatever order and in however
//! many pieces they were made: so cuts do not show. (A limit on the numbers of all groups together
//! would depend on how groups are spread over states.)

use std::borrow::Cow;
use std::collections::HashMap;

use super::sketch::Sketch;
use super::state::{numbered, starts};
use super::{Damaged, Kind, Needs, NoBytes, Order, Parameter, Reader, State, Traits, Writer};
use crate::column::{Canonical, Columns, Data, Datum, Groups, Number, OwnedColumn};

/// The most numbers of a group that are kept as they are.
pub(super) const EXACT: usize = if cfg!(test) { 4 } else { 1 << 20 };

pub(super) static QUANTILE: Kind = Kind {
    name: "quantile",
    usage: "quantile(q), quantile(q; f)",
    help: "the number that the share q of all does not exceed, from 0 to 1;\nexact up to a million numbers, then to 0.4 % (not below 2^-1022)",
    parameters: &[Parameter { name: "q", default: None, least: 0.0, most: 1.0, whole: false }],
    new: |of| Box::new(Quantile::new(of[0])),
    ..P50
};

pub(super) static P: Kind = Kind {
    name: "p",
    usage: "p(q), p(q; f)",
    help: "the number that q percent of all do not exceed",
    parameters: &[Parameter { name: "q", default: None, least: 0.0, most: 100.0, whole: false }],
    new: |of| Box::new(Quantile::new(of[0] / 100.0)),
    ..P50
};

pub(super) static P50: Kind = Kind {
    name: "p50",
    usage: "p50, p90, p99, p50(f), ...",
    help: "the number that 50, 90, 99 percent of all do not exceed",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Numbers,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Quantile::new(0.5)),
};

pub(super) static P90: Kind =
    Kind { name: "p90", usage: "", help: "", new: |_| Box::new(Quantile::new(0.9)), ..P50 };

pub(super) static P99: Kind =
    Kind { name: "p99", usage: "", help: "", new: |_| Box::new(Quantile::new(0.99)), ..P50 };

/// The numbers of all groups as they come, and the group of each: they are sorted by group in the
/// end, by counting, and of each group one number is selected. That takes a fraction of what a sketch
/// for each group takes.
struct Quantile {
    q: f64,
    /// How many numbers each group has, here and in its sketch.
    counts: Vec<u64>,
    groups: Vec<u32>,
    values: Vec<f64>,
    /// Integers from 2^53 on, and the group of each.
    large: Vec<(u32, Canonical<'static>)>,
    /// Of groups that have too many numbers to keep them: those that were moved so far.
    sketches: HashMap<u32, Sketch>,
    /// Some group has too many.
    over: bool,
    /// How many numbers there are when those of such groups are moved again.
    moves_at: usize,
}

impl Quantile {
    fn new(q: f64) -> Self {
        let (counts, groups, values, large, sketches) = Default::default();
        Self { q, counts, groups, values, large, sketches, over: false, moves_at: 0 }
    }

    #[inline]
    fn push_number(&mut self, group: u32, number: &Number<'_>) {
        match number {
            // NaN is neither more nor less than any number.
            Number::Double(x) if x.is_nan() => {}
            Number::Double(x) => self.push(group, *x),
            Number::Integer(n) if n.unsigned_abs() < LARGE => self.push(group, *n as f64),
            Number::Integer(_) | Number::Long(_) => {
                self.push_large(group, number.datum().canonical().into_owned());
            }
        }
    }

    #[inline]
    fn count(&mut self, group: u32) {
        let count = &mut self.counts[group as usize];
        *count += 1;
        self.over |= *count > EXACT as u64;
    }

    #[cold]
    fn push_large(&mut self, group: u32, integer: Canonical<'static>) {
        self.count(group);
        self.large.push((group, integer));
    }

    #[inline]
    fn push(&mut self, group: u32, x: f64) {
        self.count(group);
        self.groups.push(group);
        // A zero has no sign here.
        self.values.push(x + 0.0);
    }

    /// Moves the numbers of groups that have too many to their sketches, if there may be enough of
    /// them to pay for a look at all.
    fn move_some(&mut self) {
        let kept = |of: &Self| of.values.len() + of.large.len();
        if self.over && kept(self) >= self.moves_at {
            self.move_all();
            self.moves_at = kept(self) * 2 + EXACT;
        }
    }

    fn move_all(&mut self) {
        let Self { counts, groups, values, large, sketches, .. } = self;
        large.retain(|(group, integer)| {
            let over = counts[*group as usize] > EXACT as u64;
            if over {
                sketches.entry(*group).or_default().add(double(integer));
            }
            !over
        });
        let mut kept = 0;
        for at in 0..values.len() {
            let (group, x) = (groups[at], values[at]);
            if counts[group as usize] > EXACT as u64 {
                sketches.entry(group).or_default().add(x);
            } else {
                (groups[kept], values[kept]) = (group, x);
                kept += 1;
            }
        }
        groups.truncate(kept);
        values.truncate(kept);
        groups.shrink_to(kept * 2);
        values.shrink_to(kept * 2);
    }

    /// The numbers that are kept, those of a group behind each other, and where each group's begin.
    fn by_group(&self) -> (Vec<usize>, Cow<'_, [f64]>) {
        let mut kept = vec![0; self.counts.len()];
        self.groups.iter().for_each(|group| kept[*group as usize] += 1);
        let mut starts = starts(&kept);
        starts.push(self.values.len());
        // As those are that were split or decoded.
        if self.groups.is_sorted() {
            return (starts, Cow::Borrowed(&self.values));
        }
        let (mut next, mut sorted) = (starts.clone(), vec![0.0; self.values.len()]);
        for (&group, &x) in self.groups.iter().zip(&self.values) {
            let at = &mut next[group as usize];
            sorted[*at] = x;
            *at += 1;
        }
        (starts, Cow::Owned(sorted))
    }

    /// The large integers, those of a group behind each other and in their order.
    fn large_by_group(&self) -> Vec<&(u32, Canonical<'static>)> {
        let mut large: Vec<_> = self.large.iter().collect();
        large.sort_unstable();
        large
    }

    /// The sketch of a group that has too many numbers, of which these were not moved.
    fn sketch(&self, group: usize, numbers: &[f64], large: &[Large<'_>]) -> Sketch {
        let mut sketch = self.sketches.get(&(group as u32)).cloned().unwrap_or_default();
        numbers.iter().for_each(|x| sketch.add(*x));
        large.iter().for_each(|(_, integer)| sketch.add(double(integer)));
        sketch
    }

    /// The place of the quantile among so many numbers.
    fn rank(&self, count: u64) -> u64 {
        let share = self.q * count as f64;
        // 0.07 of 100 is a little more than 7 in doubles, and 7 is meant.
        let near = share.round();
        let rank = if (share - near).abs() <= 1e-12 * count as f64 { near } else { share.ceil() };
        (rank as u64).clamp(1, count) - 1
    }
}

/// A large integer that is lent, and its group.
type Large<'l> = &'l (u32, Canonical<'static>);

/// Integers from here on are kept apart.
const LARGE: u64 = 1 << 53;

/// A number that sorts as a double does, faster than doubles are compared.
fn key(x: f64) -> u64 {
    let bits = x.to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
}

/// The double of a [`key`].
fn of_key(key: u64) -> f64 {
    f64::from_bits(key ^ ((!(key as i64 >> 63) as u64) | 1 << 63))
}

/// The double that is closest to an integer.
fn double(integer: &Canonical<'_>) -> f64 {
    integer.datum().number().map_or(0.0, |number| number.to_f64())
}

/// Those of a group, of what is sorted by group.
fn of_group<'l, 's>(large: &'s [Large<'l>], group: usize) -> &'s [Large<'l>] {
    let start = large.partition_point(|(of, _)| (*of as usize) < group);
    let end = large.partition_point(|(of, _)| *of as usize <= group);
    &large[start..end]
}

/// The number at a place among doubles and large integers.
fn select<'l>(numbers: &[f64], large: &[Large<'l>], rank: usize) -> Canonical<'l> {
    let doubles = numbers.iter().map(|x| Datum::Float(*x).canonical());
    let mut all: Vec<_> = doubles.chain(large.iter().map(|(_, n)| n.lend())).collect();
    all.select_nth_unstable(rank);
    all.swap_remove(rank)
}

impl State for Quantile {
    fn fresh(&self) -> Self {
        Self::new(self.q)
    }

    fn groups(&self) -> usize {
        self.counts.len()
    }

    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups.max(self.counts.len()), 0);
    }

    fn update(&mut self, groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        match (column.data(), column.missing(), groups) {
            (Data::Floats(values), None, Groups::Each(groups))
                if !values.iter().any(|x| x.is_nan()) =>
            {
                self.groups.extend_from_slice(groups);
                self.values.extend(values.iter().map(|x| x + 0.0));
                let mut most = 0;
                for group in groups {
                    let count = &mut self.counts[*group as usize];
                    *count += 1;
                    most = most.max(*count);
                }
                self.over |= most > EXACT as u64;
            }
            _ => column.numbers(|row, number| self.push_number(groups.of(row) as u32, &number)),
        }
        self.move_some();
    }

    fn merge(&mut self, other: Self, map: &[u32]) {
        for (group, sketch) in other.sketches {
            self.sketches.entry(map[group as usize]).or_default().merge(&sketch);
        }
        for (&count, &into) in other.counts.iter().zip(map) {
            self.counts[into as usize] += count;
            self.over |= self.counts[into as usize] > EXACT as u64;
        }
        let large = other.large.into_iter();
        self.large.extend(large.map(|(group, integer)| (map[group as usize], integer)));
        let groups = other.groups.iter().map(|group| map[*group as usize]);
        if self.values.is_empty() {
            (self.groups, self.values) = (groups.collect(), other.values);
        } else {
            self.groups.extend(groups);
            self.values.extend(other.values);
        }
        self.move_some();
    }

    fn split(self, part: &[u32], parts: usize) -> Vec<Self> {
        let (numbers, sizes) = numbered(part, parts);
        let (q, over, moves_at) = (self.q, self.over, self.moves_at);
        let empty = |size| Self { over, moves_at, counts: vec![0; size], ..Self::new(q) };
        let mut split: Vec<Self> = sizes.into_iter().map(empty).collect();
        let (starts, sorted) = self.by_group();
        let mut kept = vec![0; parts];
        part.iter().zip(starts.windows(2)).for_each(|(part, of)| {
            kept[*part as usize] += of[1] - of[0];
        });
        for (of, kept) in split.iter_mut().zip(kept) {
            of.groups.reserve_exact(kept);
            of.values.reserve_exact(kept);
        }
        for (group, &part) in part.iter().enumerate() {
            let (into, number) = (&mut split[part as usize], numbers[group]);
            let values = &sorted[starts[group]..starts[group + 1]];
            into.counts[number as usize] = self.counts[group];
            into.groups.extend(std::iter::repeat_n(number, values.len()));
            into.values.extend_from_slice(values);
        }
        for (group, integer) in self.large {
            let into = &mut split[part[group as usize] as usize];
            into.large.push((numbers[group as usize], integer));
        }
        for (group, sketch) in self.sketches {
            let into = &mut split[part[group as usize] as usize];
            into.sketches.insert(numbers[group as usize], sketch);
        }
        split
    }

    fn encode(&self, order: &[u32], bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        let ((starts, sorted), large) = (self.by_group(), self.large_by_group());
        let mut keys = Vec::new();
        for group in order.iter().map(|group| *group as usize) {
            let numbers = &sorted[starts[group]..starts[group + 1]];
            let large = of_group(&large, group);
            bytes.put_u64(self.counts[group]);
            if self.counts[group] > EXACT as u64 {
                self.sketch(group, numbers, large).encode(bytes);
            } else {
                bytes.put_u64(large.len() as u64);
                large.iter().for_each(|(_, integer)| bytes.put_canonical(integer));
                keys.clear();
                keys.extend(numbers.iter().map(|x| key(*x)));
                keys.sort_unstable();
                keys.iter().for_each(|key| bytes.put_f64(of_key(*key)));
            }
        }
        Ok(())
    }

    fn decode(&mut self, groups: usize, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        for group in 0..groups as u32 {
            let damaged = bytes.damaged("not as many numbers as there are");
            let count = bytes.records()?;
            self.counts.push(0);
            if count > EXACT as u64 {
                let sketch = Sketch::decode(bytes)?;
                if sketch.count() != Some(count) {
                    return Err(damaged);
                }
                self.counts[group as usize] = count;
                self.sketches.insert(group, sketch);
                self.over = true;
                continue;
            }
            let large = bytes.count(1)? as u64;
            for _ in 0..large {
                let integer = bytes.canonical()?;
                if integer.datum().number().is_none() {
                    return Err(damaged);
                }
                self.push_large(group, integer);
            }
            let doubles = count.checked_sub(large).ok_or(damaged)?;
            if doubles as usize > bytes.left() / size_of::<f64>() {
                return Err(damaged);
            }
            let doubles = bytes.take(doubles as usize * size_of::<f64>())?.as_chunks().0;
            self.counts[group as usize] += doubles.len() as u64;
            self.over |= self.counts[group as usize] > EXACT as u64;
            self.groups.extend(std::iter::repeat_n(group, doubles.len()));
            self.values.extend(doubles.iter().map(|bytes| f64::from_le_bytes(*bytes) + 0.0));
            if self.values[self.values.len() - doubles.len()..].iter().any(|x| x.is_nan()) {
                return Err(damaged);
            }
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
            + self.groups.capacity() * size_of::<u32>()
            + self.values.capacity() * size_of::<f64>()
            + self.large.capacity() * size_of::<(u32, Canonical<'static>)>()
            + self.large.iter().map(|(_, integer)| integer.heap()).sum::<usize>()
            + self.sketches.values().map(Sketch::weight).sum::<usize>()
    }

    fn finish(self) -> OwnedColumn {
        let ((starts, sorted), large) = (self.by_group(), self.large_by_group());
        let mut sorted = sorted.into_owned();
        let mut quantiles = OwnedColumn::default();
        for (group, &count) in self.counts.iter().enumerate() {
            let numbers = &mut sorted[starts[group]..starts[group + 1]];
            let large = of_group(&large, group);
            if count == 0 {
                quantiles.push(None);
                continue;
            }
            let rank = self.rank(count);
            if count > EXACT as u64 {
                let sketch = self.sketch(group, numbers, large);
                quantiles.push(Some(Datum::Float(sketch.quantile(rank))));
            } else if large.is_empty() {
                let (_, x, _) = numbers.select_nth_unstable_by(rank as usize, f64::total_cmp);
                quantiles.push(Some(Datum::Float(*x)));
            } else {
                quantiles.push(Some(select(numbers, large, rank as usize).datum()));
            }
        }
        quantiles
    }
}
