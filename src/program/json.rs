//! Values of JSON in columns: what expressions make of them.

use std::ops::{ControlFlow, Range};

use super::batch::{BATCH, Batch, Kind, Span};
use super::failure::Failure;
use super::stage::Next;
use super::value::{Base, Evaluated};
use crate::record::json::{self, Step};

/// The steps of a path, and for each whether it is followed by `?`.
pub(crate) type Steps = Box<[(Step, bool)]>;

/// A field of each record, found when it was read; null where it is missing.
pub(crate) fn field<'t>(
    n: usize,
    (step, silent): &(Step, bool),
    text: &'t str,
    batch: &Batch,
    out: &mut Evaluated,
) -> Base<'t> {
    let field = &batch.fields[n];
    out.batch.record.spans.extend_from_slice(&field.spans);
    out.batch.origins.extend_from_slice(&batch.origins);
    for index in field.all_missing() {
        if !step.suits(batch.record.spans[index].of(text)) {
            let what = (!silent).then(|| step.refused());
            out.failures.push(Failure { index, what });
        }
    }
    Base::Given(text)
}

/// Where a path leads in each value.
pub(crate) fn path<'t>(
    steps: &Steps,
    text: &'t str,
    batch: &Batch,
    out: &mut Evaluated,
) -> Base<'t> {
    out.batch.origins.extend_from_slice(&batch.origins);
    for (index, span) in batch.record.spans.iter().enumerate() {
        let found = json::find(text, span.range(), steps.iter().map(|(step, _)| step));
        let found = found.unwrap_or_else(|n| {
            let (step, silent) = &steps[n];
            out.failures.push(Failure { index, what: (!silent).then(|| step.refused()) });
            0..0
        });
        out.batch.record.spans.push(Span::new(found.start, found.end));
    }
    Base::Given(text)
}

/// Strings to the text that they stand for; other values fail.
pub(crate) fn text_of<'t>(text: &'t str, batch: &Batch, out: &mut Evaluated) -> Base<'t> {
    let mut escaped = false;
    for (index, span) in batch.record.spans.iter().enumerate() {
        let raw = span.of(text);
        if json::rank(raw) == 4 {
            escaped |= json::has_escape(raw);
            out.batch.record.spans.push(Span { start: span.start + 1, len: span.len - 2 });
        } else {
            let what = match json::rank(raw) {
                0 => "text is needed, and this is null or a field that is missing",
                1 | 2 => "text is needed, and this is true or false",
                3 => "text is needed, and this is a number",
                5 => "text is needed, and this is an array",
                _ => "text is needed, and this is an object (-f text reads lines as they are)",
            };
            out.failures.push(Failure { index, what: Some(what) });
            out.batch.record.spans.push(Span { start: span.start, len: 0 });
        }
    }
    if !escaped {
        return Base::Given(text);
    }
    out.text.clear();
    for span in &mut out.batch.record.spans {
        let start = out.text.len();
        json::unescape(span.of(text), &mut out.text);
        *span = Span::new(start, out.text.len());
    }
    Base::Made
}

/// Values to their keys. Most strings lend them: the quote before them and what is within.
pub(crate) fn keys<'t>(text: &'t str, batch: &Batch, out: &mut Evaluated) -> Base<'t> {
    let lent = |raw: &str| json::rank(raw) == 4 && !json::has_escape(raw);
    if batch.record.spans.iter().all(|span| lent(span.of(text))) {
        let keys =
            batch.record.spans.iter().map(|span| Span { start: span.start, len: span.len - 1 });
        out.batch.record.spans.extend(keys);
        return Base::Given(text);
    }
    out.text.clear();
    for (index, span) in batch.record.spans.iter().enumerate() {
        let (start, raw) = (out.text.len(), span.of(text));
        match lent(raw) {
            true => out.text.push_str(&raw[..raw.len() - 1]),
            false => json::write_key(raw, &mut out.text),
        }
        out.push_made(index, start);
    }
    Base::Made
}

/// Numbers, and null, which adds nothing; other values fail.
pub(crate) fn summands<'t>(text: &'t str, batch: &Batch, out: &mut Evaluated) -> Base<'t> {
    out.batch.record.spans.extend_from_slice(&batch.record.spans);
    out.batch.origins.extend_from_slice(&batch.origins);
    for (index, span) in batch.record.spans.iter().enumerate() {
        if !matches!(json::rank(span.of(text)), 0 | 3) {
            out.failures
                .push(Failure { index, what: Some("a number is needed, and this is none") });
        }
    }
    Base::Given(text)
}

/// The `length` of each value, as JSON.
pub(crate) fn lengths<'t>(text: &str, batch: &Batch, out: &mut Evaluated) -> Base<'t> {
    out.text.clear();
    out.batch.origins.extend_from_slice(&batch.origins);
    for (index, span) in batch.record.spans.iter().enumerate() {
        let start = out.text.len();
        if !json::length(text, span.range(), &mut out.text) {
            let what = Some("`length` of true or false, which have none");
            out.failures.push(Failure { index, what });
        }
        out.push_made(index, start);
    }
    Base::Made
}

/// Integers of 64 bits to numbers; other values fail.
pub(crate) fn integers<'t>(text: &'t str, batch: &Batch, out: &mut Evaluated) -> Base<'t> {
    for (index, span) in batch.record.spans.iter().enumerate() {
        let integer = span.of(text).parse();
        if integer.is_err() {
            let what = Some("an integer is needed, and this is none");
            out.failures.push(Failure { index, what });
        }
        out.batch.record.numbers.push(integer.unwrap_or(0));
    }
    Base::Given(text)
}

/// Arrays of strings to lists of the texts that these stand for; other values fail.
pub(crate) fn lists_of_text<'t>(text: &str, batch: &Batch, out: &mut Evaluated) -> Base<'t> {
    out.text.clear();
    let mut members = Vec::new();
    for (index, span) in batch.record.spans.iter().enumerate() {
        members.clear();
        if json::rank(span.of(text)) == 5 {
            json::members(text, span.range(), &mut members);
        }
        let is_text = |member: &Range<usize>| json::rank(&text[member.clone()]) == 4;
        if json::rank(span.of(text)) != 5 || !members.iter().all(is_text) {
            let what = Some("an array of strings is needed, and this is none");
            out.failures.push(Failure { index, what });
        }
        for member in members.iter().filter(|member| is_text(member)) {
            let start = out.text.len();
            json::unescape(&text[member.start + 1..member.end - 1], &mut out.text);
            out.batch.record.spans.push(Span::new(start, out.text.len()));
        }
        out.batch.record.ends.push(out.batch.record.spans.len() as u32);
    }
    Base::Made
}

/// The values of a batch that have no members: neither arrays nor, if these will do, objects.
pub(crate) fn without_members(
    arrays_only: bool,
    text: &str,
    batch: &Batch,
    failures: &mut Vec<Failure>,
) {
    for (index, span) in batch.record.spans.iter().enumerate() {
        let what = match (json::rank(span.of(text)), arrays_only) {
            (5, _) | (6, false) => continue,
            (_, true) => "an array is needed, and this is none",
            (_, false) => "an array or an object is needed, and this is neither",
        };
        failures.push(Failure { index, what: Some(what) });
    }
}

/// Sends the members of each value on.
pub(crate) fn members(
    text: &str,
    batch: &Batch,
    out: &mut Batch,
    next: &mut Next<'_>,
) -> ControlFlow<()> {
    out.clear();
    out.record.kind = Kind::Json;
    let mut members = Vec::new();
    for (span, &origin) in batch.record.spans.iter().zip(&batch.origins) {
        json::members(text, span.range(), &mut members);
        for member in &members {
            out.record.spans.push(Span::new(member.start, member.end));
            out.origins.push(origin);
            if out.record.spans.len() >= BATCH {
                next(text, out)?;
                out.clear();
            }
        }
    }
    next(text, out)
}
