//! Rows of columns that own their values: as JSON, lent, and compared.

use std::fmt;
use std::ops::Range;

use super::key::{datum_part, list_of_parts};
use super::owned::within;
use super::{Column, Datum, Form, OwnedColumn, OwnedData, Span};

impl OwnedColumn {
    /// Appends the value of a row as JSON; null if it is missing.
    ///
    /// ```
    /// let mut json = String::new();
    /// creel_operators::column::OwnedColumn::floats([0.5]).write_json(0, &mut json);
    /// assert_eq!(json, "0.5");
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn write_json(&self, row: usize, out: &mut String) {
        let mut list = |columns: &mut dyn Iterator<Item = (&Self, usize)>| {
            out.push('[');
            let mut first = true;
            for (column, row) in columns {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                column.write_json(row, out);
            }
            out.push(']');
        };
        match &self.data {
            _ if self.is_missing(row) => out.push_str("null"),
            OwnedData::Lists { ends, items } => {
                list(&mut within(ends, row).map(|row| (&**items, row)));
            }
            OwnedData::Tuples(columns) => list(&mut columns.iter().map(|column| (column, row))),
            _ => self.get(row).unwrap_or(Datum::Null).write_json(out),
        }
    }

    /// All values as JSON.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::OwnedColumn::integers([7, 8]).to_json(), ["7", "8"]);
    /// ```
    pub fn to_json(&self) -> Vec<String> {
        let json = |row| {
            let mut json = String::new();
            self.write_json(row, &mut json);
            json
        };
        (0..self.len()).map(json).collect()
    }

    /// Appends the value of a row as a part of the key of a list.
    fn write_part(&self, row: usize, out: &mut String) {
        match &self.data {
            _ if self.is_missing(row) => out.push('\u{1f}'),
            OwnedData::Lists { ends, items } => {
                list_of_parts(out, |out| {
                    within(ends, row).for_each(|row| items.write_part(row, out));
                });
            }
            OwnedData::Tuples(columns) => {
                list_of_parts(out, |out| columns.iter().for_each(|c| c.write_part(row, out)));
            }
            _ => datum_part(&self.get(row).unwrap_or(Datum::Null), out),
        }
    }

    /// Lends the values of some rows, in which lists and tuples are JSON: `spans` and `text` are
    /// buffers that they may need.
    ///
    /// ```
    /// use creel_operators::column::OwnedColumn;
    ///
    /// let column = OwnedColumn::integers([7, 8, 9]);
    /// let (mut spans, mut text) = Default::default();
    /// assert_eq!(column.lend(1..3, &mut spans, &mut text).len(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// If there are fewer rows, or the text of these has 4 GiB or more: lend fewer at a time.
    pub fn lend<'a>(
        &'a self,
        rows: Range<usize>,
        spans: &'a mut Vec<Span>,
        text: &'a mut String,
    ) -> Column<'a> {
        spans.clear();
        let column = match &self.data {
            OwnedData::Integers(values) => Column::integers(&values[rows.clone()]),
            OwnedData::Floats(values) => Column::floats(&values[rows.clone()]),
            OwnedData::Bools(values) => Column::bools(&values[rows.clone()]),
            OwnedData::Texts { form, text, ends } => {
                let base = rows.start.checked_sub(1).map_or(0, |before| ends[before]);
                let end = rows.end.checked_sub(1).map_or(0, |last| ends[last]).max(base);
                assert!(end - base <= u32::MAX as usize, "text for spans");
                spans.extend(rows.clone().map(|row| {
                    let piece = within(ends, row);
                    Span::new(piece.start - base, piece.end - base)
                }));
                Column::texts(*form, &text[base..end], spans)
            }
            OwnedData::Lists { .. } | OwnedData::Tuples(_) => {
                text.clear();
                for row in rows.clone() {
                    let start = text.len();
                    self.write_json(row, text);
                    assert!(text.len() <= u32::MAX as usize, "text for spans");
                    spans.push(Span::new(start, text.len()));
                }
                Column::texts(Form::Json, text, spans)
            }
        };
        match self.missing.is_empty() {
            true => column,
            false => column.with_missing(&self.missing[rows]),
        }
    }
}

impl PartialEq for OwnedColumn {
    fn eq(&self, other: &Self) -> bool {
        let part = |column: &Self, row| {
            let mut part = String::new();
            column.write_part(row, &mut part);
            part
        };
        self.len() == other.len() && (0..self.len()).all(|row| part(self, row) == part(other, row))
    }
}

impl fmt::Debug for OwnedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.to_json()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_lent_as_they_are() {
        let texts = OwnedColumn::of(["one", "", "three"].map(|text| Some(Datum::Text(text))));
        let items = OwnedColumn::integers([1, 2, 3]);
        let lists = OwnedData::Lists { ends: vec![2, 2, 3], items: Box::new(items) };
        let pairs = OwnedData::Tuples(vec![texts.clone(), OwnedColumn::new(lists)]);
        let mut column = OwnedColumn::new(pairs);
        column.push(None);
        assert_eq!(column.to_json(), ["[\"one\",[1,2]]", "[\"\",[]]", "[\"three\",[3]]", "null"]);
        let (mut spans, mut text) = Default::default();
        for rows in [0..0, 0..4, 1..3] {
            let lent = column.lend(rows.clone(), &mut spans, &mut text);
            let lent = OwnedColumn::from(lent).to_json();
            assert_eq!(lent, column.to_json()[rows]);
        }
        let lent = texts.lend(1..3, &mut spans, &mut text);
        assert!(matches!(
            (lent.get(0), lent.get(1)),
            (Some(Datum::Text("")), Some(Datum::Text("three")))
        ));
    }

    #[test]
    fn columns_are_equal_by_value() {
        assert_eq!(OwnedColumn::integers([1]), OwnedColumn::floats([1.0]));
        assert_ne!(OwnedColumn::integers([1]), OwnedColumn::integers([1, 2]));
        assert_ne!(OwnedColumn::of([None]), OwnedColumn::of([Some(Datum::Null)]));
    }
}
