//! Records that are values of JSON: one a line, or several that follow each other there.

use std::ops::{ControlFlow, Range};

use super::{Reading, RecordFormat};
use crate::Result;
use crate::block::{Block, Delimiter};
use crate::program::batch::{BATCH, Batch, Kind, Span};
use crate::program::column::ColumnBuffer;
use crate::program::failure::Told;
use crate::program::stage::Next;
use crate::record::json::{self, Wrong};
use crate::record::{self, Checked, Invalid, Lines};

/// A value of JSON each, checked whole; the fields that are asked for are found on the way.
pub(super) struct JsonLines;

impl RecordFormat for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn title(&self) -> &'static str {
        "JSON"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["ndjson"]
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson", "json"]
    }

    fn kind(&self) -> Kind {
        Kind::Json
    }

    fn text<'b>(
        &self,
        block: &'b Block,
        delimiter: &Delimiter,
        invalid: Invalid,
    ) -> Result<Checked<'b>> {
        record::text_in_place(block, delimiter, invalid)
    }

    fn read(
        &self,
        text: &str,
        reading: &Reading<'_>,
        batch: &mut Batch,
        told: &mut Told,
        next: &mut Next<'_>,
    ) -> ControlFlow<()> {
        batch.clear();
        let wanted = reading.fields;
        batch.set_fields(Kind::Json, wanted.len());
        let mut reader = json::Reader::new(wanted);
        let mut next = |batch: &mut Batch| {
            batch.fields.iter_mut().for_each(ColumnBuffer::mark_missing);
            next(text, batch)
        };
        for line in Lines::new(text, reading.delimiter) {
            let start = (line.as_ptr() as usize) - (text.as_ptr() as usize);
            match record(text, start..start + line.len(), &mut reader, batch) {
                Ok(()) => {}
                Err(wrong) if reading.invalid == Invalid::Skip => told.tell(wrong.at, wrong.what),
                Err(wrong) => {
                    next(batch)?;
                    told.tell(wrong.at, wrong.what);
                    return ControlFlow::Break(());
                }
            }
            if batch.record.spans.len() >= BATCH {
                next(batch)?;
                batch.clear();
            }
        }
        next(batch)
    }
}

/// Appends the value of a line to a batch, or several that follow each other there; a line of white
/// space has none. Of a line that is wrong anywhere nothing is appended.
#[inline]
fn record(
    text: &str,
    line: Range<usize>,
    reader: &mut json::Reader<'_>,
    batch: &mut Batch,
) -> Result<(), Wrong> {
    let (before, end) = (batch.record.spans.len(), line.end);
    let mut rest = line;
    loop {
        match value(text, rest, reader, batch) {
            Ok(Some(next)) if next < end => rest = next..end,
            Ok(_) => return Ok(()),
            Err(wrong) => {
                batch.truncate(before);
                return Err(wrong);
            }
        }
    }
}

/// Appends the value that a part of a line begins with, and says where the next one begins.
#[inline]
fn value(
    text: &str,
    range: Range<usize>,
    reader: &mut json::Reader<'_>,
    batch: &mut Batch,
) -> Result<Option<usize>, Wrong> {
    let count = batch.record.spans.len();
    let start = range.start;
    for field in &mut batch.fields {
        field.spans.push(Span::new(start, start));
    }
    let fields = &mut batch.fields;
    let checked = reader.record(text, range, |field, value| {
        // Of equal keys the last wins.
        fields[field].spans[count] = Span::new(value.start, value.end);
    });
    match checked {
        Ok(Some((value, next))) => {
            batch.record.spans.push(Span::new(value.start, value.end));
            batch.origins.push(value.start as u32);
            Ok(Some(next))
        }
        other => {
            batch.fields.iter_mut().for_each(|field| field.truncate(count));
            other.map(|_| None)
        }
    }
}

/// Of each record of a text its value and its fields of these names, as JSON in one spelling; what
/// is no record is left out. For the fuzzer, which reads the same in a plain way.
#[cfg(fuzzing)]
pub(crate) fn spelled(text: &str, names: &[&str]) -> Vec<Vec<String>> {
    let spell = |span: Span| {
        let (mut key, mut value) = (String::new(), String::new());
        json::write_key(span.of(text), &mut key);
        json::write_value(&key, &mut value);
        value
    };
    let (mut told, mut rows) = (Told::default(), Vec::new());
    let mut next = |_: &str, batch: &mut Batch| {
        for (n, &record) in batch.record.spans.iter().enumerate() {
            let fields = batch.fields.iter().map(|field| field.spans[n]);
            rows.push(std::iter::once(record).chain(fields).map(spell).collect());
        }
        ControlFlow::Continue(())
    };
    let wanted: Vec<Box<str>> = names.iter().map(|&name| name.into()).collect();
    let mut batch = Batch::new(Kind::Json);
    let reading = Reading { delimiter: &Delimiter::Line, fields: &wanted, invalid: Invalid::Skip };
    let _ = JsonLines.read(text, &reading, &mut batch, &mut told, &mut next);
    rows
}
