//! Sorted rows that are put away in a file, and read back in one order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use creel_operators::Sorted;
use creel_operators::table::saved;

use super::rows::Row;
use crate::Result;
use crate::spill::{Budget, Extent};

/// The most and the fewest bytes of rows that are put away, and read back, at a time.
const CHUNKS: (u64, u64) = (16 << 10, 256 << 10);

/// As many chunks as this are in memory, one of each part, when rows are printed. They take an eighth
/// of the budget.
pub(super) const PARTS: u64 = 64;

/// Puts counts away, which are sorted: all, or the first of them.
pub(super) fn put_away(
    rows: &Sorted<String>,
    limit: Option<u64>,
    budget: &Budget,
) -> Result<Vec<Extent>> {
    let mut writer = Writer::new(budget);
    rows.iter().take(most(limit)).try_for_each(|(key, n)| writer.add(key, n))?;
    writer.finish()
}

/// Puts rows away, which are sorted.
pub(super) fn put_rows_away(rows: &[Row], budget: &Budget) -> Result<Vec<Extent>> {
    let mut writer = Writer::new(budget);
    rows.iter().try_for_each(|(key, n)| writer.add(key, *n))?;
    writer.finish()
}

fn most(limit: Option<u64>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Makes one part of many, whose rows are sorted each: of all rows, or the first of them.
pub(super) fn merge(
    budget: &Budget,
    parts: Vec<Vec<Extent>>,
    limit: Option<u64>,
) -> Result<Vec<Extent>> {
    let mut writer = Writer::new(budget);
    for row in merged(budget, parts, limit)?.take(most(limit)) {
        let (key, n) = row?;
        writer.add(&key, n)?;
    }
    writer.finish()
}

/// The rows of all parts, of which a piece of each is in memory. Where these are large, since rows are,
/// fewer parts are made of them first.
pub(super) fn merged(
    budget: &Budget,
    mut parts: Vec<Vec<Extent>>,
    limit: Option<u64>,
) -> Result<Merged<'_>> {
    loop {
        let largest = parts.iter().flatten().map(|extent| extent.holds()).max().unwrap_or(0);
        // As it is read, and in the file.
        let fit = (budget.limit() / 4 / (2 * largest as u64).max(1)).max(2);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX);
        if parts.len() <= fit || parts.len() as u64 <= PARTS && largest as u64 <= CHUNKS.0 * 2 {
            return Merged::new(budget, parts);
        }
        let mut fewer = Vec::new();
        while !parts.is_empty() {
            let some = parts.split_off(parts.len().saturating_sub(fit));
            let mut writer = Writer::new(budget);
            for row in Merged::new(budget, some)?.take(most(limit)) {
                let (key, n) = row?;
                writer.add(&key, n)?;
            }
            fewer.push(writer.finish()?);
        }
        parts = fewer;
    }
}

/// Writes rows of one part in chunks.
struct Writer<'b> {
    budget: &'b Budget,
    chunk: usize,
    bytes: Vec<u8>,
    extents: Vec<Extent>,
}

impl<'b> Writer<'b> {
    fn new(budget: &'b Budget) -> Self {
        let chunk = (budget.limit() / 8 / PARTS).clamp(CHUNKS.0, CHUNKS.1) as usize;
        Self { budget, chunk, bytes: Vec::with_capacity(chunk), extents: Vec::new() }
    }

    fn add(&mut self, key: &str, n: u64) -> Result<()> {
        saved::save(&mut self.bytes, key.as_bytes(), n);
        if self.bytes.len() >= self.chunk { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        self.extents.push(self.budget.write(&self.bytes)?);
        self.bytes.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Extent>> {
        if !self.bytes.is_empty() {
            self.write()?;
        }
        Ok(self.extents)
    }
}

/// Rows of many parts, each of them sorted, in one order.
pub(super) struct Merged<'b> {
    budget: &'b Budget,
    /// The next row of each part that has one; the first of all is on top.
    next: BinaryHeap<Next>,
}

/// A part's next row, and what comes after it.
struct Next {
    row: (u64, Reverse<String>),
    /// The piece that it is from, and what comes after it there.
    piece: Piece,
    /// Pieces that were not, the next one at the end.
    left: Vec<Extent>,
}

impl<'b> Merged<'b> {
    pub(super) fn new(budget: &'b Budget, parts: Vec<Vec<Extent>>) -> Result<Self> {
        let mut merged = Self { budget, next: BinaryHeap::new() };
        for mut left in parts {
            left.reverse();
            merged.push(Piece::default(), left)?;
        }
        Ok(merged)
    }

    /// Puts a part in its place by its next row, if there is one.
    fn push(&mut self, mut piece: Piece, mut left: Vec<Extent>) -> Result<()> {
        if piece.at == piece.bytes.len()
            && let Some(extent) = left.pop()
        {
            piece = Piece { bytes: self.budget.read(extent)?, at: 0, extent: Some(extent) };
        }
        if let Some((key, n)) = piece.next(self.budget)? {
            self.next.push(Next { row: (n, Reverse(key)), piece, left });
        }
        Ok(())
    }
}

/// Rows that were read back. They are kept as they were written: as texts they would take several
/// times the memory, for each of the parts.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    /// Where the next row begins.
    at: usize,
    extent: Option<Extent>,
}

impl Piece {
    fn next(&mut self, budget: &Budget) -> Result<Option<Row>> {
        let (Some(extent), mut rest) = (self.extent, &self.bytes[self.at..]) else {
            return Ok(None);
        };
        if rest.is_empty() {
            return Ok(None);
        }
        let row = saved::load(&mut rest);
        let row = row.and_then(|(key, n)| Some((String::from_utf8(key.to_vec()).ok()?, n)));
        self.at = self.bytes.len() - rest.len();
        row.map(Some).ok_or_else(|| budget.damaged(extent, "these are no rows"))
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        let Next { row: (n, Reverse(key)), piece, left } = self.next.pop()?;
        Some(self.push(piece, left).map(|()| (key, n)))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        self.row.cmp(&other.row)
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Next {}
