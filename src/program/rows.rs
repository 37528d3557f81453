//! The rows of counts, as texts: how many, the commonest, or all of them in order.
//!
//! They are made of a part of all counts at a time, so that the rest need not be in memory, and all
//! threads help to rank them. Each part is sorted, and the parts are merged as they are printed, piece by
//! piece by all threads. Where not all fit into memory at once, parts are spilled when they are sorted.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::{Counts, Piece, Sorted};

use super::batch::Kind;
use super::end::Wanted;
use crate::run::{Context, Input, Reader, stream};
use crate::sink::{Cell, Format, Page, Printer};
use crate::spill::{Budget, FAN_IN, KeyedRow, KeyedWriter, RecordRun, merge_rows, merged_rows};
use crate::{Error, Place, Result};

/// The most rows that are ranked by keeping them all: more are sorted.
const MOST_KEPT: u64 = 1 << 16;

/// Rows that a thread makes ready for printing at a time.
const AT_A_TIME: usize = if cfg!(test) { 4 } else { 1 << 14 };

/// A text, and how often it occurred.
pub(super) type Row = (String, u64);

/// What is wanted of counted texts. Parts may be settled in different ways: long texts are spilled
/// earlier.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// How many there are, if that is all that is wanted.
    number: usize,
    /// The commonest, in no order.
    top: Vec<Row>,
    /// All of them, commonest first.
    sorted: Option<Sorted<String>>,
    /// All of them: for each part the run of the temporary file in which it is, commonest first.
    spilled: Vec<RecordRun<KeyedRow>>,
}

impl Rows {
    /// Keeps the [few](are_few) rows that are wanted of counts to which none will be added.
    pub(super) fn few(counts: &Counts<String>, wanted: Wanted) -> Self {
        match wanted.limit {
            Some(limit) if !wanted.counted => {
                Self { top: counts.topk(limit as usize), ..Self::default() }
            }
            _ => Self { number: counts.len(), ..Self::default() },
        }
    }

    /// Keeps what is wanted of counts to which none will be added.
    pub(super) fn settle(
        counts: Counts<String>,
        context: &Context,
        wanted: Wanted,
    ) -> Result<Self> {
        let budget = context.budget.as_deref().filter(|budget| budget.is_spilling());
        // Long texts are many bytes also where they are few.
        let row = (counts.weight() / counts.len().max(1)) as u64;
        let mut rows = Self::default();
        match (wanted.limit, budget) {
            _ if wanted.counted => rows.number = counts.len(),
            (Some(limit), _) if limit < most_kept(budget, row) => {
                rows.top = counts.topk(limit as usize);
            }
            (limit, Some(budget)) => {
                let counts = counts.into_sorted();
                rows.spilled = vec![spill(counts.iter().take(most(limit)), budget)?];
            }
            (_, None) => rows.sorted = Some(counts.into_sorted()),
        }
        Ok(rows)
    }

    /// Keeps what is wanted of counts of numbers. `text` writes a number, and keeps the order of numbers.
    pub(super) fn settle_numbers(
        counts: &Counts<i64>,
        text: impl Fn(i64) -> String,
        context: &Context,
        wanted: Wanted,
    ) -> Result<Self> {
        let row = |(number, n): (&i64, u64)| (text(*number), n);
        let budget = context.budget.as_deref().filter(|budget| budget.is_spilling());
        match wanted.limit {
            _ if wanted.counted => Ok(Self { number: counts.len(), ..Self::default() }),
            Some(limit) if limit < most_kept(budget, 0) => {
                let top = counts.topk_lent(limit as usize).into_iter().map(row).collect();
                Ok(Self { top, ..Self::default() })
            }
            _ => {
                let mut texts = Counts::default();
                counts.iter().map(row).for_each(|(text, n)| texts.add(text, n));
                Self::settle(texts, context, wanted)
            }
        }
    }

    /// Keeps what is wanted of rows of several parts: one file of them, and no more of the commonest
    /// than of one part.
    pub(super) fn settle_again(mut self, context: &Context, wanted: Wanted) -> Result<Self> {
        self.top.sort_unstable_by(by_count);
        self.top.truncate(wanted.of(self.top.len()));
        if let Some(budget) = &context.budget
            && self.spilled.len() > 1
        {
            self.spilled = vec![merge_rows(budget, self.spilled, most(wanted.limit))?];
        }
        Ok(self)
    }

    /// Adds the rows of another part.
    pub(super) fn add(&mut self, other: Self) {
        let Self { number, top, sorted, spilled } = other;
        self.number += number;
        self.top.extend(top);
        self.spilled.extend(spilled);
        match (&mut self.sorted, sorted) {
            (Some(rows), Some(others)) => rows.append(others),
            (rows @ None, others) => *rows = others,
            (Some(_), None) => {}
        }
    }

    /// Prints the rows that are wanted.
    pub(super) fn print(
        mut self,
        wanted: Wanted,
        kind: Kind,
        context: &Context,
        out: &mut Printer<'_>,
    ) -> Result<()> {
        if wanted.counted {
            return out.value(Cell::Number(wanted.of(self.number) as i128));
        }
        let limit = wanted.of(usize::MAX);
        if let Some(rows) = self.sorted.take() {
            if self.top.is_empty() && self.spilled.is_empty() {
                return print_sorted(&rows, limit, kind, context, out);
            }
            self.top.extend(rows.iter().take(limit).map(|(key, n)| (key.to_owned(), n)));
        }
        self.top.sort_unstable_by(by_count);
        let Some(budget) = context.budget.as_ref().filter(|_| !self.spilled.is_empty()) else {
            let rows = self.top.iter().take(limit);
            return out.pairs(rows.map(|(key, n)| (kind.cell(key), *n)));
        };
        self.spilled.push(spill(self.top.iter().map(|(key, n)| (key.as_str(), *n)), budget)?);
        let rows = merged_rows(budget, self.spilled, limit)?;
        let mut rows = rows.map(|row| row_of(row?.into_key(budget)?)).peekable();
        // Rows of a table are laid out a page at a time.
        let is_table = out.encoder().format() == Format::Table;
        while let Some(first) = rows.next() {
            let mut gathered = vec![first?];
            let mut page = Page::default();
            page.takes(gathered[0].0.len());
            let mut fits = |row: &Result<Row>| {
                is_table && row.as_ref().is_ok_and(|(key, _)| page.takes(key.len()))
            };
            while let Some(row) = rows.next_if(&mut fits) {
                gathered.push(row?);
            }
            out.pairs(gathered.iter().map(|(key, n)| (kind.cell(key), *n)))?;
        }
        Ok(())
    }
}

/// Whether so few rows are wanted that those of a thousand parts of all counts are few too.
pub(super) fn are_few(wanted: Wanted) -> bool {
    const FEW: u64 = 100;
    wanted.counted || wanted.limit.is_some_and(|limit| limit <= FEW)
}

/// The most rows that are kept of each part: where states were put away, those of all parts take a
/// quarter of the budget at most, if rows of all parts take about as much.
fn most_kept(budget: Option<&Budget>, row: u64) -> u64 {
    const ROW: u64 = 256;
    let row = ROW.max(2 * row);
    budget.map_or(MOST_KEPT, |budget| MOST_KEPT.min(budget.limit() / 4 / FAN_IN / row))
}

/// The number of rows of a limit.
fn most(limit: Option<u64>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Spills rows, which are in order, as a run.
fn spill<'r>(
    rows: impl Iterator<Item = (&'r str, u64)>,
    budget: &Budget,
) -> Result<RecordRun<KeyedRow>> {
    let (mut writer, mut bytes) = (KeyedWriter::new(budget), Vec::new());
    for (key, n) in rows {
        // Bytes that sort as the rows do: the commonest first, equally common ones by their text.
        bytes.clear();
        bytes.extend_from_slice(&(!n).to_be_bytes());
        bytes.extend_from_slice(key.as_bytes());
        writer.add(&bytes, &[], "")?;
    }
    writer.finish()
}

/// The row that was spilled with this key.
fn row_of(mut bytes: Vec<u8>) -> Result<Row> {
    let text =
        if bytes.len() < size_of::<u64>() { Vec::new() } else { bytes.split_off(size_of::<u64>()) };
    let row = bytes
        .first_chunk()
        .and_then(|count| Some((String::from_utf8(text).ok()?, !u64::from_be_bytes(*count))));
    row.ok_or_else(|| Error::Corrupt {
        place: Place::object("the temporary file"),
        reason: "a row of it is none".to_owned(),
    })
}

/// The order of rows: the commonest first, and equally common ones by their text.
fn by_count((a, m): &Row, (b, n): &Row) -> Ordering {
    n.cmp(m).then_with(|| a.cmp(b))
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
    let encode = |_: &Context, piece: Piece| {
        let mut encoded = Vec::new();
        rows.rows(&piece).for_each(|(key, n)| encoder.pair(&mut encoded, kind.cell(key), n));
        Ok(encoded)
    };
    // A run that is to stop reading still prints what it has counted; the rows that wait to be printed are few.
    let context = Context { budget: None, ..context.after_reading() };
    let pieces = Arc::new(Pieces(rows.pieces(AT_A_TIME)));
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
    use crate::output::Target;
    use crate::sink::Encoder;

    /// What is printed of the numbers below a hundred, in parts, by a run that was told to stop.
    fn printed(format: Format, limit: Option<usize>, threads: usize) -> String {
        let counts: Counts<String> = (0..100).map(|n| n.to_string()).collect();
        let context = Context { threads, ..Context::default() };
        context.stop.stop();
        let parts = counts.parts(2).into_iter();
        let parts = parts.map(|part| Rows::settle(part, &context, Wanted::default()).unwrap());
        let rows = parts.reduce(|mut rows, part| {
            rows.add(part);
            rows
        });
        let wanted = Wanted { limit: limit.map(|limit| limit as u64), counted: false };
        printed_as(format, |printer| rows.unwrap().print(wanted, Kind::Text, &context, printer))
    }

    fn printed_as(format: Format, print: impl FnOnce(&mut Printer<'_>) -> Result<()>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut target = Target::file(&path).unwrap();
        let mut printer = Printer::new(Encoder::new(format, false), None, &mut target);
        print(&mut printer).unwrap();
        printer.flush().unwrap();
        target.finish().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn rows_of_parts_that_are_settled_in_different_ways_are_all_printed() {
        let budget = Budget::new(16 << 20, None);
        budget.write(b"something").unwrap();
        let context = Context { budget: Some(budget.into()), ..Context::default() };
        let wanted = Wanted { limit: Some(5), counted: false };
        // Long texts are spilled earlier than short ones are.
        let long = |n: u8| char::from(n).to_string().repeat(20_000);
        let (short, long) = (
            ["a", "b", "b"].into_iter().collect::<Counts<String>>(),
            [long(b'c'), long(b'c'), long(b'c'), long(b'd')].into_iter().collect(),
        );
        let settle = |counts| Rows::settle(counts, &context, wanted).unwrap();
        let (mut rows, others): (Rows, Rows) = (settle(short), settle(long));
        assert!(!rows.top.is_empty() && !others.spilled.is_empty());
        rows.add(others);
        let rows = rows.settle_again(&context, wanted).unwrap();
        let printed =
            printed_as(Format::Text, |printer| rows.print(wanted, Kind::Text, &context, printer));
        let first: Vec<&str> = printed.lines().map(|line| &line[..1]).collect();
        assert_eq!(first, ["c", "b", "a", "d"]);
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
