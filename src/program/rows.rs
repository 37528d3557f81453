//! The rows of a count of texts: how many, the commonest, or all of them in order.
//!
//! They are made of a part of all counts at a time, so that the rest need not be in memory, and all
//! threads help to rank them. Each part is sorted, and the parts are merged as they are printed, piece by
//! piece by all threads. Where not all fit into memory at once, parts are put away when they are sorted.

use std::ops::ControlFlow;

use creel_operators::{Counts, Piece, Sorted};

use super::away::{PARTS, merge, merged, put_away};
use super::batch::Kind;
use crate::Result;
use crate::run::{Context, Input, Reader, stream};
use crate::sink::{Cell, Format, PAGE, Printer};
use crate::spill::{Budget, Extent};

/// The most rows that are ranked by keeping them all: more are sorted.
const MOST_KEPT: u64 = 1 << 16;

/// Rows that a thread makes ready for printing at a time.
const AT_A_TIME: usize = if cfg!(test) { 4 } else { 1 << 14 };

/// A text, and how often it occurred.
pub(super) type Row = (String, u64);

/// What is wanted of counted texts.
#[derive(Debug)]
pub(crate) enum Rows {
    /// How many there are.
    Number(usize),
    /// The commonest, in no order.
    Top(Vec<Row>),
    /// All of them, commonest first.
    Sorted(Sorted<String>),
    /// All of them: for each part the pieces of the file in which it is, commonest first.
    PutAway(Vec<Vec<Extent>>),
}

impl Rows {
    /// Keeps what is wanted of counts to which none will be added.
    pub(super) fn settle(
        counts: Counts<String>,
        context: &Context,
        limit: Option<u64>,
        rows_counted: bool,
    ) -> Result<Self> {
        let budget = context.budget.as_deref().filter(|budget| budget.written() > 0);
        // Long texts are many bytes also where they are few.
        let row = (counts.weight() / counts.len().max(1)) as u64;
        Ok(match (limit, budget) {
            _ if rows_counted => Self::Number(counts.len()),
            (Some(limit), _) if limit < most_kept(budget, row) => {
                Self::Top(counts.topk(limit as usize))
            }
            (_, Some(budget)) => {
                Self::PutAway(vec![put_away(&counts.into_sorted(), limit, budget)?])
            }
            (_, None) => Self::Sorted(counts.into_sorted()),
        })
    }

    /// Keeps what is wanted of rows of several parts: one file of them, and no more of the commonest
    /// than of one part.
    pub(super) fn settle_again(self, context: &Context, limit: Option<u64>) -> Result<Self> {
        match (self, context.budget.as_deref()) {
            (Self::PutAway(parts), Some(budget)) if parts.len() > 1 => {
                Ok(Self::PutAway(vec![merge(budget, parts, limit)?]))
            }
            (Self::Top(mut rows), _) => {
                sort(&mut rows);
                rows.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
                Ok(Self::Top(rows))
            }
            (rows, _) => Ok(rows),
        }
    }

    /// Adds the rows of another part.
    pub(super) fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::Number(n), Self::Number(m)) => *n += m,
            (Self::Top(rows), Self::Top(others)) => rows.extend(others),
            (Self::Sorted(rows), Self::Sorted(others)) => rows.append(others),
            (Self::PutAway(parts), Self::PutAway(others)) => parts.extend(others),
            // All parts are settled in one way.
            _ => {}
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Number(n) => *n,
            Self::Top(rows) => rows.len(),
            Self::Sorted(rows) => rows.len(),
            Self::PutAway(_) => 0,
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
                sort(&mut rows);
                let rows = rows.iter().take(limit);
                out.pairs(rows.map(|(key, n)| (kind.cell(key), *n)))
            }
            Self::Sorted(rows) => print_sorted(&rows, limit, kind, context, out),
            Self::PutAway(parts) => {
                let Some(budget) = context.budget.as_deref() else { return Ok(()) };
                let rows = merged(budget, parts, Some(limit as u64))?.take(limit);
                let mut rows = rows.peekable();
                // Rows of a table are laid out a page at a time.
                let most = if out.encoder().format() == Format::Table { PAGE } else { 1 };
                while rows.peek().is_some() {
                    let page: Vec<Row> = rows.by_ref().take(most).collect::<Result<_>>()?;
                    out.pairs(page.iter().map(|(key, n)| (kind.cell(key), *n)))?;
                }
                Ok(())
            }
        }
    }
}

/// The most rows that are kept of each part: where states were put away, those of all parts take a
/// quarter of the budget at most, if rows of all parts take about as much.
fn most_kept(budget: Option<&Budget>, row: u64) -> u64 {
    const ROW: u64 = 256;
    let row = ROW.max(2 * row);
    budget.map_or(MOST_KEPT, |budget| MOST_KEPT.min(budget.limit() / 4 / PARTS / row))
}

/// Puts rows in order: the commonest first, and equally common ones by their text.
fn sort(rows: &mut [Row]) {
    rows.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
}

/// Prints sorted rows, by all threads if there are many.
fn print_sorted(
    rows: &Sorted<String>,
    limit: usize,
    kind: Kind,
    context: &Context,
    out: &mut Printer<'_>,
) -> Result<()> {
    let encoder = out.encoder();
    // A table's columns are as wide as what is in them, and what is not printed is not looked at.
    let apart = encoder.format() != Format::Table && limit >= rows.len();
    if !apart || rows.len() <= AT_A_TIME {
        return out.pairs(rows.iter().take(limit).map(|(key, n)| (kind.cell(key), n)));
    }
    let encode = |piece: Piece| {
        let mut encoded = Vec::new();
        rows.rows(&piece).for_each(|(key, n)| encoder.pair(&mut encoded, kind.cell(key), n));
        Ok(encoded)
    };
    // Told to stop reading, the run still prints what it has counted.
    let context = Context { threads: context.threads, ..Context::default() };
    let pieces = Pieces(rows.pieces(AT_A_TIME));
    stream(&context, &pieces, encode, Vec::capacity, |encoded: Vec<u8>| {
        out.encoded(&encoded)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Pieces of rows, as partitions of one block.
struct Pieces(Vec<Piece>);

impl Input for Pieces {
    type Reader = Option<Piece>;

    fn partitions(&self) -> usize {
        self.0.len()
    }

    fn open(&self, partition: usize) -> Option<Piece> {
        Some(self.0[partition].clone())
    }
}

impl Reader for Option<Piece> {
    type Block = Piece;

    async fn next(&mut self) -> Result<Option<Self::Block>> {
        Ok(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{Encoder, Target};

    /// What is printed of the numbers below a hundred, in parts, by a run that was told to stop.
    fn printed(format: Format, limit: Option<usize>, threads: usize) -> String {
        let counts: Counts<String> = (0..100).map(|n| n.to_string()).collect();
        let context = Context { threads, ..Context::default() };
        context.stop.stop();
        let parts = counts.parts(2).into_iter();
        let parts = parts.map(|part| Rows::settle(part, &context, None, false).unwrap());
        let rows = parts.reduce(|mut rows, part| {
            rows.add(part);
            rows
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut target = Target::file(&path).unwrap();
        let mut printer = Printer::new(Encoder::new(format, false), None, &mut target);
        rows.unwrap().print(limit, Kind::Text, &context, &mut printer).unwrap();
        printer.flush().unwrap();
        target.finish().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn rows_are_printed_in_order_whatever_the_threads_even_if_reading_was_stopped() {
        let mut numbers: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        numbers.sort();
        for threads in 1..5 {
            for limit in [None, Some(0), Some(7), Some(1000)] {
                let first = numbers.iter().take(limit.unwrap_or(usize::MAX));
                let text: String = first.clone().map(|n| format!("{n}\t1\n")).collect();
                assert_eq!(printed(Format::Text, limit, threads), text);
                let table: String = first.map(|n| format!(" 1  {n}\n")).collect();
                assert_eq!(printed(Format::Table, limit, threads), table);
            }
        }
    }
}
