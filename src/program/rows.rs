//! The rows of a count of texts: how many, the commonest, or all of them in order.
//!
//! They are made of a part of all counts at a time, so that the rest need not be in memory, and all
//! threads help to rank them. Where not all fit into memory at once, each part is sorted and put away,
//! and the parts are merged as they are printed.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use creel_operators::Counts;
use creel_operators::table::saved;

use super::batch::Kind;
use super::combine::State;
use crate::Result;
use crate::run::Context;
use crate::sink::{Cell, Format, Printer};
use crate::spill::{Budget, Extent};

/// The most rows that are ranked by keeping them all: more are sorted.
const MOST_KEPT: u64 = 1 << 16;

/// Bytes of rows that are put away, and read back, at a time.
const CHUNK: usize = 256 << 10;

/// A text, and how often it occurred.
type Row = (String, u64);

/// What is wanted of counted texts.
#[derive(Debug)]
pub(crate) enum Rows {
    /// How many there are.
    Number(usize),
    /// The commonest, in no order.
    Top(Vec<Row>),
    /// All of them: for each part the pieces of the file in which it is, commonest first.
    Sorted(Vec<Vec<Extent>>),
}

impl Rows {
    /// Keeps what is wanted of counts to which none will be added.
    pub(super) fn settle(
        counts: Counts<String>,
        context: &Context,
        limit: Option<u64>,
        rows_counted: bool,
    ) -> Result<State> {
        let budget = context.budget.as_deref().filter(|budget| budget.written() > 0);
        Ok(match (limit, budget) {
            _ if rows_counted => State::Rows(Self::Number(counts.len())),
            (Some(limit @ ..MOST_KEPT), _) => State::Rows(Self::Top(counts.topk(limit as usize))),
            (_, Some(budget)) => State::Rows(Self::Sorted(vec![sorted(&counts, budget)?])),
            (_, None) => State::Texts(counts),
        })
    }

    /// Adds the rows of another part.
    pub(super) fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::Number(n), Self::Number(m)) => *n += m,
            (Self::Top(rows), Self::Top(others)) => rows.extend(others),
            (Self::Sorted(parts), Self::Sorted(others)) => parts.extend(others),
            // All parts are settled in one way.
            _ => {}
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Number(n) => *n,
            Self::Top(rows) => rows.len(),
            Self::Sorted(_) => 0,
        }
    }

    /// Prints the rows, the first of them if there is a limit.
    pub(super) fn print(
        self,
        limit: Option<usize>,
        kind: Kind,
        context: &Context,
        out: &mut Printer<'_>,
    ) -> Result<()> {
        let limit = limit.unwrap_or(usize::MAX);
        match self {
            Self::Number(n) => out.value(Cell::Number(n.min(limit) as i128)),
            Self::Top(mut rows) => {
                rows.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
                let rows = rows.iter().take(limit);
                out.pairs(rows.map(|(key, n)| (kind.cell(key), *n)))
            }
            Self::Sorted(parts) => {
                let Some(budget) = context.budget.as_deref() else { return Ok(()) };
                let rows = Merged::new(budget, parts)?.take(limit);
                if out.encoder().format() == Format::Table {
                    let rows: Vec<Row> = rows.collect::<Result<_>>()?;
                    return out.pairs(rows.iter().map(|(key, n)| (kind.cell(key), *n)));
                }
                for row in rows {
                    let (key, n) = row?;
                    out.pairs(std::iter::once((kind.cell(&key), n)))?;
                }
                Ok(())
            }
        }
    }
}

/// Puts counts away, commonest first.
fn sorted(counts: &Counts<String>, budget: &Budget) -> Result<Vec<Extent>> {
    let mut extents = Vec::new();
    let mut bytes = Vec::with_capacity(CHUNK);
    for (key, n) in counts.sorted_lent() {
        saved::save(&mut bytes, key.as_bytes(), n);
        if bytes.len() >= CHUNK {
            extents.push(budget.write(&bytes)?);
            bytes.clear();
        }
    }
    if !bytes.is_empty() {
        extents.push(budget.write(&bytes)?);
    }
    Ok(extents)
}

/// Rows of many parts, each of them sorted, in one order.
struct Merged<'b> {
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
    fn new(budget: &'b Budget, parts: Vec<Vec<Extent>>) -> Result<Self> {
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
