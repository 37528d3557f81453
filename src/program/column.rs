//! The values of one column of a batch, in buffers that are used again.

use std::ops::Range;

use creel_operators::column::{Column, Data, Form};

use super::batch::{Kind, Span};

/// A value for each record of a batch, all of one kind; some may be missing.
#[derive(Debug, Clone)]
pub(crate) struct ColumnBuffer {
    pub(crate) kind: Kind,
    /// Text, JSON, keys: a piece of the text of the batch for each record. List: the items of all records.
    /// JSON: an empty piece stands for null.
    pub(crate) spans: Vec<Span>,
    /// List: where the items of each record end in `spans`.
    pub(crate) ends: Vec<u32>,
    /// Number: the values.
    pub(crate) numbers: Vec<i64>,
    /// Bool: the values.
    pub(crate) bools: Vec<bool>,
    /// A mark for each record of which the value is missing; empty if none is. Something stands in the
    /// place of a value that is missing.
    missing: Vec<bool>,
}

impl ColumnBuffer {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            spans: Vec::new(),
            ends: Vec::new(),
            numbers: Vec::new(),
            bools: Vec::new(),
            missing: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self.kind {
            Kind::Text | Kind::Json | Kind::Key => self.spans.len(),
            Kind::Number => self.numbers.len(),
            Kind::Bool => self.bools.len(),
            Kind::List => self.ends.len(),
        }
    }

    /// The bytes of memory that it takes.
    pub(crate) fn weight(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
            + self.numbers.capacity() * size_of::<i64>()
            + self.ends.capacity() * size_of::<u32>()
            + self.bools.capacity()
            + self.missing.capacity()
    }

    pub(crate) fn clear(&mut self) {
        let Self { kind: _, spans, ends, numbers, bools, missing } = self;
        spans.clear();
        ends.clear();
        numbers.clear();
        bools.clear();
        missing.clear();
    }

    /// Makes this column the same as another.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self { kind, spans, ends, numbers, bools, missing } = other;
        self.kind = *kind;
        self.spans.clone_from(spans);
        self.ends.clone_from(ends);
        self.numbers.clone_from(numbers);
        self.bools.clone_from(bools);
        self.missing.clone_from(missing);
    }

    /// Marks the values as missing for which there is no piece of text: of JSON, whose values are never
    /// empty.
    pub(crate) fn mark_missing(&mut self) {
        self.missing.clear();
        if self.spans.iter().any(|span| span.len == 0) {
            self.missing.extend(self.spans.iter().map(|span| span.len == 0));
        }
    }

    /// The records of which the value is missing.
    pub(crate) fn all_missing(&self) -> impl Iterator<Item = usize> {
        self.missing.iter().enumerate().filter(|(_, missing)| **missing).map(|(n, _)| n)
    }

    /// The items of each record of a column of lists.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &[Span]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let items = &self.spans[start..end as usize];
            start = end as usize;
            items
        })
    }

    /// Keeps the values of the first `n` records.
    pub(crate) fn truncate(&mut self, n: usize) {
        match self.kind {
            Kind::Text | Kind::Json | Kind::Key => self.spans.truncate(n),
            Kind::Number => self.numbers.truncate(n),
            Kind::Bool => self.bools.truncate(n),
            Kind::List => {
                self.ends.truncate(n);
                self.spans.truncate(self.ends.last().map_or(0, |&end| end as usize));
            }
        }
        self.missing.truncate(n);
    }

    /// Makes this column the values of some of the records of another.
    pub(crate) fn set_to_part_of(&mut self, other: &Self, part: Range<usize>) {
        self.clear();
        self.kind = other.kind;
        match self.kind {
            Kind::Text | Kind::Json | Kind::Key => {
                self.spans.extend_from_slice(&other.spans[part.clone()]);
            }
            Kind::Number => self.numbers.extend_from_slice(&other.numbers[part.clone()]),
            Kind::Bool => self.bools.extend_from_slice(&other.bools[part.clone()]),
            Kind::List => {
                let end_of = |n: usize| n.checked_sub(1).map_or(0, |n| other.ends[n]);
                let (start, end) = (end_of(part.start), end_of(part.end));
                self.spans.extend_from_slice(&other.spans[start as usize..end as usize]);
                self.ends.extend(other.ends[part.clone()].iter().map(|end| end - start));
            }
        }
        self.missing.extend_from_slice(other.missing.get(part).unwrap_or_default());
    }

    /// Appends the values of another column of the same kind, whose pieces are of `text`: copies of the
    /// pieces are appended to `own`, which those of this column are of.
    pub(crate) fn append(&mut self, text: &str, other: &Self, own: &mut String) {
        let before = self.len();
        let items_before = self.spans.len() as u32;
        for span in &other.spans {
            let start = own.len();
            own.push_str(span.of(text));
            self.spans.push(Span::new(start, own.len()));
        }
        self.append_all_but_spans(other, before, items_before);
    }

    /// The same, where the pieces are within those of a column that was copied: `place` has the offset of
    /// the copy for a record and an offset within its piece there.
    pub(crate) fn append_within(&mut self, other: &Self, place: impl Fn(usize, u32) -> u32) {
        let before = self.len();
        let items_before = self.spans.len() as u32;
        let copies = other.spans.iter().enumerate();
        let copies = copies.map(|(n, &span)| Span { start: place(n, span.start), len: span.len });
        self.spans.extend(copies);
        self.append_all_but_spans(other, before, items_before);
    }

    fn append_all_but_spans(&mut self, other: &Self, before: usize, items_before: u32) {
        self.ends.extend(other.ends.iter().map(|end| end + items_before));
        self.numbers.extend_from_slice(&other.numbers);
        self.bools.extend_from_slice(&other.bools);
        if !self.missing.is_empty() || !other.missing.is_empty() {
            self.missing.resize(before, false);
            self.missing.extend_from_slice(&other.missing);
            self.missing.resize(self.len(), false);
        }
    }

    /// Keeps the values of the records that `keep` marks; it holds a mark for each.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        match self.kind {
            Kind::Text | Kind::Json | Kind::Key => compact(&mut self.spans, keep),
            Kind::Number => compact(&mut self.numbers, keep),
            Kind::Bool => compact(&mut self.bools, keep),
            Kind::List => self.retain_lists(keep),
        }
        if !self.missing.is_empty() {
            compact(&mut self.missing, keep);
        }
    }

    fn retain_lists(&mut self, keep: &[bool]) {
        let (mut kept, mut start, mut end_of_kept) = (0, 0, 0);
        for (i, &keep) in keep.iter().enumerate() {
            let end = self.ends[i] as usize;
            if keep {
                self.spans.copy_within(start..end, end_of_kept);
                end_of_kept += end - start;
                self.ends[kept] = end_of_kept as u32;
                kept += 1;
            }
            start = end;
        }
        self.ends.truncate(kept);
        self.spans.truncate(end_of_kept);
    }

    /// Whether all of the text under this column is ASCII, so that bytes count code points.
    ///
    /// Spans go upwards through the text, so one look at the range that they cover is enough;
    /// it costs a fraction of counting code points span by span.
    pub(crate) fn is_ascii(&self, text: &str) -> bool {
        let (Some(first), Some(last)) = (self.spans.first(), self.spans.last()) else {
            return true;
        };
        let end = last.start as usize + last.len as usize;
        text.as_bytes()[first.start as usize..end].is_ascii()
    }

    /// The values as operators take them; pieces are of `text`.
    pub(crate) fn lend<'a>(&'a self, text: &'a str) -> Column<'a> {
        let texts = |form| Data::Texts { form, text, spans: &self.spans };
        let column = Column::new(match self.kind {
            Kind::Text => texts(Form::Text),
            Kind::Json => texts(Form::Json),
            Kind::Key => texts(Form::Key),
            Kind::Number => Data::Integers(&self.numbers),
            Kind::Bool => Data::Bools(&self.bools),
            Kind::List => {
                unreachable!("aggregates of lists are refused when a program is compiled")
            }
        });
        match self.missing.as_slice() {
            [] => column,
            missing => column.with_missing(missing),
        }
    }
}

/// Without a branch on `keep`, which would be mispredicted on half of all words.
pub(super) fn compact<T: Copy>(column: &mut Vec<T>, keep: &[bool]) {
    let mut kept = 0;
    for (i, &keep) in keep.iter().enumerate() {
        column[kept] = column[i];
        kept += usize::from(keep);
    }
    column.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A column of JSON with a value for each piece of a text, missing where that is empty.
    fn column(pieces: &[&str]) -> (String, ColumnBuffer) {
        let (mut text, mut column) = (String::new(), ColumnBuffer::new(Kind::Json));
        for piece in pieces {
            let start = text.len();
            text.push_str(piece);
            column.spans.push(Span::new(start, text.len()));
        }
        column.mark_missing();
        (text, column)
    }

    fn values<'t>(text: &'t str, column: &ColumnBuffer) -> Vec<Option<&'t str>> {
        let missing: Vec<usize> = column.all_missing().collect();
        let value = |n: usize| (!missing.contains(&n)).then(|| column.spans[n].of(text));
        (0..column.len()).map(value).collect()
    }

    #[test]
    fn missing_values_stay_missing_in_every_copy() {
        let (text, mut column) = column(&["1", "", "\"\"", "null", ""]);
        let expected = [Some("1"), None, Some("\"\""), Some("null"), None];
        assert_eq!(values(&text, &column), expected);
        assert_eq!(column.all_missing().collect::<Vec<_>>(), [1, 4]);
        assert!(column.lend(&text).get(1).is_none() && column.lend(&text).get(3).is_some());

        let mut one = ColumnBuffer::new(Kind::Text);
        for (n, value) in expected.iter().enumerate() {
            one.set_to_part_of(&column, n..n + 1);
            assert_eq!(values(&text, &one), [*value]);
            one.set_to_part_of(&column, n..expected.len());
            assert_eq!(values(&text, &one), expected[n..]);
        }
        let mut copy = ColumnBuffer::new(Kind::Number);
        copy.copy_from(&column);
        copy.retain(&[true, true, false, true, true]);
        assert_eq!(values(&text, &copy), [Some("1"), None, Some("null"), None]);
        copy.truncate(3);
        assert_eq!(values(&text, &copy), [Some("1"), None, Some("null")]);
        column.clear();
        column.spans.push(Span::new(0, 1));
        assert_eq!(values(&text, &column), [Some("1")]);
    }

    #[test]
    fn marks_of_what_is_missing_are_appended_to_columns_without() {
        let (full, gaps) = (column(&["1", "2"]), column(&["", "3"]));
        for order in [[&full, &gaps, &full], [&gaps, &full, &gaps]] {
            let (mut text, mut all) = (String::new(), ColumnBuffer::new(Kind::Json));
            let mut expected = Vec::new();
            for (other, column) in order {
                all.append(other, column, &mut text);
                expected.extend(values(other, column));
            }
            assert_eq!(values(&text, &all), expected);
        }
    }
}
