//! Where boxes and arrows are drawn.
//!
//! Arrows bend in the gaps between rows only and pass a row straight down, in a place that is
//! theirs. So none can touch a box other than its ends, whatever the graph.

use super::Picture;
use super::order::Rows;

/// Between two boxes of a row.
const APART: f64 = 28.0;
/// Between a bend and what is beside it.
const BEND: f64 = 14.0;
/// Around the picture.
const MARGIN: f64 = 24.0;
/// Between two rows: at least, and at most where arrows go far to the side.
const GAP: (f64, f64) = (44.0, 150.0);
/// How often places are improved.
const SWEEPS: usize = 40;

/// A picture with places for all.
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// As many as the picture has boxes, in their order.
    pub(super) boxes: Vec<Rect>,
    pub(super) lines: Vec<Line>,
}

/// A box, by its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// An arrow, or a branch of one, from above to below.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Its ends, and where it comes to and leaves each row that it passes.
    pub(super) points: Vec<(f64, f64)>,
}

/// Finds places for boxes of these widths and heights.
pub(super) fn layout(picture: &Picture, sizes: &[(f64, f64)]) -> Layout {
    let rows = Rows::new(picture);
    let widths: Vec<_> =
        (0..rows.above.len()).map(|place| sizes.get(place).map_or(0.0, |size| size.0)).collect();
    let middles = Across { rows: &rows, widths: &widths }.middles();

    let mut boxes = vec![Rect { x: 0.0, y: 0.0, width: 0.0, height: 0.0 }; sizes.len()];
    let mut spans = vec![(0.0, 0.0); middles.len()];
    let mut y = MARGIN;
    for row in &rows.rows {
        let height = row.iter().filter_map(|&place| sizes.get(place)).map(|size| size.1);
        let height = height.fold(0.0, f64::max);
        for &place in row {
            spans[place] = (y, y + height);
            if let Some(&(width, height)) = sizes.get(place) {
                boxes[place] = Rect { x: middles[place] - width / 2.0, y, width, height };
            }
        }
        y += height + gap(&rows, row, &middles);
    }

    let lines =
        Router { rows: &rows, middles: &middles, spans: &spans, widths: &widths, boxes: &boxes }
            .lines();
    let right = |r: &Rect| r.x + r.width;
    let width = boxes.iter().map(right).chain(middles.iter().copied()).fold(0.0, f64::max) + MARGIN;
    let height = boxes.iter().map(|r| r.y + r.height).fold(0.0, f64::max) + MARGIN;
    Layout { width, height, boxes, lines }
}

/// The room below a row: more where arrows go far to the side, so that they are not flat.
fn gap(rows: &Rows, row: &[usize], middles: &[f64]) -> f64 {
    let aside = |&from: &usize| {
        let below = rows.below[from].iter();
        below.map(|&to| (middles[from] - middles[to]).abs()).fold(0.0, f64::max)
    };
    let far = row.iter().map(aside).fold(0.0, f64::max);
    (GAP.0 + (far - 150.0).max(0.0) / 8.0).min(GAP.1).round()
}

/// Joins steps to lines.
struct Router<'a> {
    rows: &'a Rows,
    middles: &'a [f64],
    /// For each place, where its row starts and ends.
    spans: &'a [(f64, f64)],
    widths: &'a [f64],
    boxes: &'a [Rect],
}

impl Router<'_> {
    /// A line for each end of an arrow. The first through a bend has passed it on the way; the
    /// others branch off there.
    fn lines(&self) -> Vec<Line> {
        let ends = self.ends();
        let mut passed = vec![false; self.middles.len()];
        let mut lines = Vec::new();
        for (&(mut from, to), &end) in self.rows.steps.iter().zip(&ends) {
            if to >= self.boxes.len() {
                continue;
            }
            let mut points =
                vec![(end, self.spans[to].0), (self.middles[from], self.spans[from].1)];
            while from >= self.boxes.len() && !std::mem::replace(&mut passed[from], true) {
                points.push((self.middles[from], self.spans[from].0));
                from = self.rows.above[from][0];
                points.push((self.middles[from], self.spans[from].1));
            }
            // Of a box that is lower than its row, straight past its neighbours first.
            if let Some(start) = self.boxes.get(from).map(|r| (self.middles[from], r.y + r.height))
                && start.1 < self.spans[from].1
            {
                points.push(start);
            }
            points.reverse();
            lines.push(Line { points });
        }
        lines
    }

    /// Where each step ends, across: side by side along the upper edge of a box, from left to
    /// right as they come.
    fn ends(&self) -> Vec<f64> {
        let Self { rows, middles, .. } = self;
        let mut ends: Vec<f64> = rows.steps.iter().map(|&(_, to)| middles[to]).collect();
        let mut into = vec![Vec::new(); middles.len()];
        for (step, &(_, to)) in rows.steps.iter().enumerate() {
            into[to].push(step);
        }
        for (place, mut steps) in into.into_iter().enumerate() {
            steps.sort_by(|&a, &b| middles[rows.steps[a].0].total_cmp(&middles[rows.steps[b].0]));
            let apart = ((self.widths[place] - 20.0) / steps.len() as f64).clamp(0.0, 16.0);
            let left = middles[place] - apart * (steps.len() as f64 - 1.0) / 2.0;
            for (index, step) in steps.into_iter().enumerate() {
                ends[step] = (left + apart * index as f64).round();
            }
        }
        ends
    }
}

/// The search for places across.
struct Across<'a> {
    rows: &'a Rows,
    widths: &'a [f64],
}

impl Across<'_> {
    /// The middle of each place, in whole pixels, left to right in each row and never too near.
    ///
    /// Rows are drawn towards the row above and the row below in turn. The last sweep looks
    /// above, since graphs of work gather: a merge stands in the middle of what it merges.
    fn middles(&self) -> Vec<f64> {
        let mut middles = vec![0.0; self.widths.len()];
        for row in &self.rows.rows {
            self.settle(row, &mut middles, &vec![(0.0, 1.0); row.len()]);
        }
        for sweep in 0..SWEEPS {
            if sweep % 2 == 0 {
                for row in self.rows.rows.iter().rev() {
                    self.draw(row, &mut middles, &self.rows.below);
                }
            } else {
                for row in &self.rows.rows {
                    self.draw(row, &mut middles, &self.rows.above);
                }
            }
        }
        self.close(&mut middles);
        middles
    }

    /// Narrows what stands empty from above to below, as between parts that are not joined, and
    /// moves all to whole pixels.
    fn close(&self, middles: &mut [f64]) {
        let left = |place: usize, middles: &[f64]| middles[place] - self.widths[place] / 2.0;
        let mut order: Vec<_> = (0..middles.len()).collect();
        order.sort_by(|&a, &b| left(a, middles).total_cmp(&left(b, middles)));
        let Some(first) = order.first().map(|&first| left(first, middles)) else { return };
        let (mut reached, mut empty) = (first, first - MARGIN);
        for place in order {
            let left = left(place, middles);
            empty += (left - reached - APART).max(0.0);
            reached = reached.max(left + self.widths[place]);
            middles[place] = (middles[place] - empty).round();
        }
    }

    fn draw(&self, row: &[usize], middles: &mut [f64], towards: &[Vec<usize>]) {
        let wanted = |&place: &usize| {
            let near = &towards[place];
            let sum: f64 = near.iter().map(|&n| middles[n]).sum();
            match near.is_empty() {
                // Joined to nothing on this side: stays, but makes room for the others.
                true => (middles[place], 0.1),
                false => (sum / near.len() as f64, self.pull(place, near)),
            }
        };
        let wanted: Vec<_> = row.iter().map(wanted).collect();
        self.settle(row, middles, &wanted);
    }

    /// How strongly a place is drawn: long arrows most, so that they are straight.
    fn pull(&self, place: usize, near: &[usize]) -> f64 {
        let bend = |place: usize| self.widths[place] == 0.0;
        match (bend(place), near.iter().any(|&n| bend(n))) {
            (true, true) => 64.0,
            (true, false) | (false, true) => 2.0,
            (false, false) => 1.0,
        }
    }

    /// Gives each place of a row the middle that it wants, with a weight, as nearly as the others
    /// allow: the least sum of weighted squares, found by pooling those that would be too near.
    fn settle(&self, row: &[usize], middles: &mut [f64], wanted: &[(f64, f64)]) {
        // Blocks that stand as near as they may: the middle of the first, weight, how many.
        let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
        let mut offsets = Vec::with_capacity(row.len());
        let mut offset = 0.0;
        for (index, (&place, &(middle, weight))) in row.iter().zip(wanted).enumerate() {
            if let Some(&left) = index.checked_sub(1).and_then(|left| row.get(left)) {
                offset += self.apart(left, place);
            }
            offsets.push(offset);
            // Less the room of all to the left, so that "in order" is all that is asked.
            let mut block = (middle - offset, weight, 1);
            while let Some(left) = blocks.pop_if(|left| left.0 > block.0) {
                let weight = left.1 + block.1;
                let middle = (left.0 * left.1 + block.0 * block.1) / weight;
                block = (middle, weight, left.2 + block.2);
            }
            blocks.push(block);
        }
        let settled = blocks.iter().flat_map(|&(start, _, many)| std::iter::repeat_n(start, many));
        for ((&place, offset), start) in row.iter().zip(offsets).zip(settled) {
            middles[place] = start + offset;
        }
    }

    /// How far apart the middles of two neighbours are at least.
    fn apart(&self, left: usize, right: usize) -> f64 {
        let (left, right) = (self.widths[left], self.widths[right]);
        let between = if left == 0.0 || right == 0.0 { BEND } else { APART };
        (left + right) / 2.0 + between
    }
}
