//! The rows of a picture, and the order of each: few arrows cross.
//!
//! Layers as Sugiyama, Tagawa and Toda describe them: a row for each depth, a bend where an arrow
//! passes a row, and sweeps that put each box at the mean place of its neighbours.

use std::collections::HashMap;

use super::Picture;
use super::links::Links;

/// How often the rows are swept; more changes nothing in pictures of 60 boxes.
const SWEEPS: usize = 24;

/// What has a place in a row: a box, or a bend of an arrow that passes the row.
pub(super) struct Rows {
    /// From above to below, each from left to right; the numbers of boxes come first.
    pub(super) rows: Vec<Vec<usize>>,
    /// From a place to one in the row below.
    pub(super) steps: Vec<(usize, usize)>,
    /// For each place, those in the row above that lead to it.
    pub(super) above: Vec<Vec<usize>>,
    /// For each place, those in the row below that it leads to.
    pub(super) below: Vec<Vec<usize>>,
    /// For each place, its index in its row.
    index: Vec<usize>,
}

impl Rows {
    pub(super) fn new(picture: &Picture) -> Self {
        let links = Links::new(picture.nodes.len(), &picture.arrows);
        let sorted = links.sorted();
        let depths = low(&links, &sorted);
        let (row_of, steps) = bend(depths, &picture.arrows);
        let mut rows = Self {
            rows: vec![Vec::new(); row_of.iter().max().map_or(0, |last| last + 1)],
            above: vec![Vec::new(); row_of.len()],
            below: vec![Vec::new(); row_of.len()],
            index: vec![0; row_of.len()],
            steps,
        };
        for &(from, to) in &rows.steps {
            rows.below[from].push(to);
            rows.above[to].push(from);
        }
        rows.fill(&row_of);
        rows.untangle();
        rows
    }

    /// The first order: each place behind what it is made from, from the ends upwards, so that a
    /// tree has no crossing from the start.
    fn fill(&mut self, row_of: &[usize]) {
        let mut seen = vec![false; row_of.len()];
        for end in (0..row_of.len()).filter(|&place| self.below[place].is_empty()) {
            let mut stack = vec![end];
            while let Some(place) = stack.pop() {
                if !std::mem::replace(&mut seen[place], true) {
                    self.rows[row_of[place]].push(place);
                    stack.extend(self.above[place].iter().rev());
                }
            }
        }
        self.count();
    }

    fn untangle(&mut self) {
        let mut best = (self.crossings(), self.rows.clone());
        for sweep in 0..SWEEPS {
            if best.0 == 0 {
                break;
            }
            match sweep % 2 {
                0 => (0..self.rows.len()).for_each(|row| self.sort(row, true)),
                _ => (0..self.rows.len()).rev().for_each(|row| self.sort(row, false)),
            }
            self.swap_neighbours();
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
        }
        self.rows = best.1;
        self.count();
    }

    /// Sorts a row by the mean index of what each place is joined to above, or below.
    fn sort(&mut self, row: usize, by_above: bool) {
        let mean = |&place: &usize| {
            let near = if by_above { &self.above[place] } else { &self.below[place] };
            let sum: usize = near.iter().map(|&n| self.index[n]).sum();
            // What is joined to nothing stays.
            if near.is_empty() { self.index[place] as f64 } else { sum as f64 / near.len() as f64 }
        };
        let mut keyed: Vec<_> = self.rows[row].iter().map(|place| (mean(place), *place)).collect();
        keyed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        self.rows[row] = keyed.into_iter().map(|(_, place)| place).collect();
        self.count_row(row);
    }

    /// Swaps neighbours where fewer arrows cross then: finds what means are blind to.
    fn swap_neighbours(&mut self) {
        for row in 0..self.rows.len() {
            for left in 1..self.rows[row].len() {
                let (a, b) = (self.rows[row][left - 1], self.rows[row][left]);
                if self.crossed(b, a) < self.crossed(a, b) {
                    self.rows[row].swap(left - 1, left);
                    (self.index[a], self.index[b]) = (left, left - 1);
                }
            }
        }
    }

    /// How many arrows of `a` cross arrows of `b`, if `a` is left of it.
    fn crossed(&self, a: usize, b: usize) -> usize {
        let crossed = |of_a: &[usize], of_b: &[usize]| -> usize {
            let before =
                |a: &usize| of_b.iter().filter(|&&b| self.index[b] < self.index[*a]).count();
            of_a.iter().map(before).sum()
        };
        crossed(&self.above[a], &self.above[b]) + crossed(&self.below[a], &self.below[b])
    }

    pub(super) fn crossings(&self) -> usize {
        self.rows.iter().map(|row| self.crossings_below(row)).sum()
    }

    /// Counts the pairs of arrows below a row that end in the other order than they start in.
    fn crossings_below(&self, row: &[usize]) -> usize {
        let mut ended: Vec<usize> = Vec::new();
        let mut crossings = 0;
        for &place in row {
            let mut ends: Vec<_> = self.below[place].iter().map(|&to| self.index[to]).collect();
            ends.sort_unstable();
            for end in &ends {
                crossings += ended.len() - ended.partition_point(|other| other <= end);
            }
            for end in ends {
                ended.insert(ended.partition_point(|&other| other <= end), end);
            }
        }
        crossings
    }

    fn count(&mut self) {
        (0..self.rows.len()).for_each(|row| self.count_row(row));
    }

    fn count_row(&mut self, row: usize) {
        for (index, &place) in self.rows[row].iter().enumerate() {
            self.index[place] = index;
        }
    }
}

/// The row of each box: its depth, but lower where that makes more arrows shorter than longer.
fn low(links: &Links, sorted: &[usize]) -> Vec<usize> {
    let mut depths = links.depths(sorted);
    for &one in sorted.iter().rev() {
        let users = links.after(one);
        if users.len() > links.before(one).len() {
            let nearest = users.iter().map(|&user| depths[user as usize] - 1).min();
            depths[one] = nearest.unwrap_or(depths[one]);
        }
    }
    depths
}

/// Puts a bend into every row that an arrow passes. Arrows from one box share their bends: they
/// carry the same result, and one line that branches is easier to follow than several.
fn bend(mut row_of: Vec<usize>, arrows: &[(usize, usize)]) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut bends = HashMap::new();
    let mut steps = Vec::new();
    for &(from, to) in arrows {
        let mut last = from;
        for row in row_of[from] + 1..row_of[to] {
            last = *bends.entry((from, row)).or_insert_with(|| {
                row_of.push(row);
                steps.push((last, row_of.len() - 1));
                row_of.len() - 1
            });
        }
        steps.push((last, to));
    }
    (row_of, steps)
}
