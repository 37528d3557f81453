//! `quantile`, `p`, `p50`, `p90`, `p99`: the number that a share of all does not exceed.
//!
//! Of a group of up to 2^20 numbers, which take 8 MiB, it is exact; of more it is read from counts
//! of numbers by size, with a relative error of at most 1/256. Which it is depends on how many
//! numbers the group has in all, and counts by size are the same in whatever order and in however
//! many pieces they were made: so cuts do not show. (A limit on the numbers of all groups together
//! would depend on how groups are spread over states.)

use std::collections::HashMap;

use super::sketch::Sketch;
use super::state::{numbered, starts};
use super::{Damaged, Kind, Needs, NoBytes, Order, Parameter, Reader, State, Writer};
use crate::column::{Columns, Data, Datum, Groups, OwnedColumn};

/// The most numbers of a group that are kept as they are.
pub(super) const EXACT: usize = if cfg!(test) { 4 } else { 1 << 20 };

pub(super) static QUANTILE: Kind = Kind {
    name: "quantile",
    usage: "quantile(q), quantile(q; f)",
    help: "the number that the share q of all does not exceed, from 0 to 1;\nexact up to a million numbers, then to 0.4 %",
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
    /// Of groups that have too many numbers to keep them: those that were moved so far.
    sketches: HashMap<u32, Sketch>,
    /// Some group has too many.
    over: bool,
    /// How many numbers there are when those of such groups are moved again.
    moves_at: usize,
}

impl Quantile {
    fn new(q: f64) -> Self {
        let (counts, groups, values, sketches) = Default::default();
        Self { q, counts, groups, values, sketches, over: false, moves_at: 0 }
    }

    #[inline]
    fn push(&mut self, group: u32, x: f64) {
        let count = &mut self.counts[group as usize];
        *count += 1;
        self.over |= *count > EXACT as u64;
        self.groups.push(group);
        // A zero has no sign here.
        self.values.push(x + 0.0);
    }

    /// Moves the numbers of groups that have too many to their sketches, if there may be enough of
    /// them to pay for a look at all.
    fn move_some(&mut self) {
        if self.over && self.values.len() >= self.moves_at {
            self.move_all();
            self.moves_at = self.values.len() * 2 + EXACT;
        }
    }

    fn move_all(&mut self) {
        let Self { counts, groups, values, sketches, .. } = self;
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
    fn by_group(&self) -> (Vec<usize>, Vec<f64>) {
        let mut kept = vec![0; self.counts.len()];
        self.groups.iter().for_each(|group| kept[*group as usize] += 1);
        let mut starts = starts(&kept);
        starts.push(self.values.len());
        let (mut next, mut sorted) = (starts.clone(), vec![0.0; self.values.len()]);
        for (&group, &x) in self.groups.iter().zip(&self.values) {
            let at = &mut next[group as usize];
            sorted[*at] = x;
            *at += 1;
        }
        (starts, sorted)
    }

    /// The sketch of a group that has too many numbers, of which these were not moved.
    fn sketch(&self, group: usize, numbers: &[f64]) -> Sketch {
        let mut sketch = self.sketches.get(&(group as u32)).cloned().unwrap_or_default();
        numbers.iter().for_each(|x| sketch.add(*x));
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
            // NaN is neither more nor less than any number.
            _ => column.doubles(|row, x| {
                if !x.is_nan() {
                    self.push(groups.of(row) as u32, x);
                }
            }),
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
        for (group, count) in self.counts.into_iter().enumerate() {
            split[part[group] as usize].counts[numbers[group] as usize] = count;
        }
        for (group, x) in self.groups.into_iter().zip(self.values) {
            let into = &mut split[part[group as usize] as usize];
            into.groups.push(numbers[group as usize]);
            into.values.push(x);
        }
        for (group, sketch) in self.sketches {
            let into = &mut split[part[group as usize] as usize];
            into.sketches.insert(numbers[group as usize], sketch);
        }
        split
    }

    fn encode(&self, order: &[u32], bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        let (starts, mut sorted) = self.by_group();
        for group in order.iter().map(|group| *group as usize) {
            let numbers = &mut sorted[starts[group]..starts[group + 1]];
            bytes.put_u64(self.counts[group]);
            if self.counts[group] > EXACT as u64 {
                self.sketch(group, numbers).encode(bytes);
            } else {
                numbers.sort_unstable_by(f64::total_cmp);
                numbers.iter().for_each(|x| bytes.put_f64(*x));
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
            if count as usize > bytes.left() / size_of::<f64>() {
                return Err(damaged);
            }
            for _ in 0..count {
                let x = bytes.f64()?;
                if x.is_nan() {
                    return Err(damaged);
                }
                self.push(group, x);
            }
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
            + self.groups.capacity() * size_of::<u32>()
            + self.values.capacity() * size_of::<f64>()
            + self.sketches.values().map(Sketch::weight).sum::<usize>()
    }

    fn finish(self) -> OwnedColumn {
        let (starts, mut sorted) = self.by_group();
        let quantile = |group: usize| {
            let count = self.counts[group];
            let numbers = &mut sorted[starts[group]..starts[group + 1]];
            if count == 0 {
                return None;
            }
            let rank = self.rank(count);
            Some(Datum::Float(if count > EXACT as u64 {
                self.sketch(group, numbers).quantile(rank)
            } else {
                *numbers.select_nth_unstable_by(rank as usize, f64::total_cmp).1
            }))
        };
        OwnedColumn::of((0..self.counts.len()).map(quantile))
    }
}
