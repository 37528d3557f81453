//! Counts of the values of one group, in the tables of [`Counts`].

use std::cmp::Reverse;

use super::tally::Tally;
use super::{Aggregate, Writer};
use crate::Counts;
use crate::column::{Canonical, CanonicalValue as Value, Column, Data, Datum, Form};
use crate::table::saved;

/// Each value is in the table of its form alone.
///
/// [`Tables::of`] takes them out of a state of `frequencies` whose records are not grouped: for whom
/// there are so many values that a [result](super::Aggregate::finish) of all would take too much memory.
/// They can be sorted where they are, in pieces of a [divided](super::Aggregate::divide) state side by
/// side.
#[derive(Debug, Default)]
pub struct Tables {
    /// Strings.
    pub texts: Counts<String>,
    /// [Keys](crate::column::write_key) of values that have no other form.
    pub keys: Counts<String>,
    /// Integers of 64 bits, however they were written.
    pub integers: Counts<i64>,
    /// The bits of doubles that are no such integers.
    pub floats: Counts<u64>,
}

impl Tables {
    /// The tables of a state of `frequencies` of one group. `None`, and the state is gone, if it is
    /// another state or has more groups.
    ///
    /// ```
    /// use creel_operators::aggregate::{Tables, find};
    /// use creel_operators::column::{Column, Columns, Form, Groups, Span};
    ///
    /// let mut state = find("frequencies").unwrap().make(&[]).unwrap();
    /// state.resize(1);
    /// let spans = [Span::new(0, 5), Span::new(6, 11), Span::new(12, 13)];
    /// let json = [Column::texts(Form::Json, "\"cod\" \"cod\" 7", &spans)];
    /// state.update(Groups::One, &Columns::arguments(3, &json));
    /// let tables = Tables::of(state).unwrap();
    /// assert_eq!(tables.texts.sorted_lent(), [("cod", 2)]);
    /// assert_eq!(tables.integers.get(7_i64), 1);
    /// ```
    pub fn of(state: Box<dyn Aggregate>) -> Option<Self> {
        state.into_any().downcast::<Tally<true>>().ok()?.tables()
    }

    pub(super) fn add(&mut self, value: &Canonical<'_>, n: u64) {
        match value.value() {
            Value::Integer(integer) => self.integers.add(*integer, n),
            Value::Float(double) => self.floats.add(double.to_bits(), n),
            Value::Text(text) => self.texts.add(&**text, n),
            Value::Key(key) => self.keys.add(&**key, n),
        }
    }

    pub(super) fn update(&mut self, column: &Column<'_>) {
        let mut room = String::new();
        match (column.data(), column.missing()) {
            (Data::Integers(values), None) => self.integers.add_all(values.iter().copied()),
            (Data::Texts { form: Form::Text, text, spans }, None) => {
                self.texts.add_pieces(text, spans.iter().map(|span| span.range()));
            }
            // Strings of JSON and of keys are pieces of text too, as a rule.
            (Data::Texts { form: Form::Json | Form::Key, text, .. }, _) => {
                let base = text.as_ptr().addr();
                let mut others = Vec::new();
                let mut row = 0;
                let pieces = std::iter::from_fn(|| {
                    while row < column.len() {
                        let datum = column.get(row);
                        row += 1;
                        match datum.and_then(|datum| plain(&datum)) {
                            Some(piece) => {
                                let start = piece.as_ptr().addr() - base;
                                return Some(start..start + piece.len());
                            }
                            None => others.extend(datum),
                        }
                    }
                    None
                });
                self.texts.add_pieces(text, pieces);
                let others = others.iter();
                others.for_each(|datum| self.add(&Canonical::within(datum, &mut room), 1));
            }
            _ => column.each(|_, datum| self.add(&Canonical::within(&datum, &mut room), 1)),
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.texts.merge(other.texts);
        self.keys.merge(other.keys);
        self.integers.merge(other.integers);
        self.floats.merge(other.floats);
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len() + self.keys.len() + self.integers.len() + self.floats.len()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (Canonical<'_>, u64)> {
        let texts = self.texts.iter().map(|(text, n)| (Datum::Text(text).canonical(), n));
        let keys = self.keys.iter().map(|(key, n)| (Datum::Key(key).canonical(), n));
        let integers = self.integers.iter().map(|(n, of)| (Datum::Integer(*n).canonical(), of));
        let floats = self
            .floats
            .iter()
            .map(|(bits, n)| (Datum::Float(f64::from_bits(*bits)).canonical(), n));
        texts.chain(keys).chain(integers).chain(floats)
    }

    /// The rows, the commonest first.
    pub(super) fn sorted(&self) -> Vec<(Canonical<'_>, u64)> {
        if self.len() == self.texts.len() {
            // Its table knows a faster way.
            let sorted = self.texts.sorted_lent().into_iter();
            return sorted.map(|(text, n)| (Datum::Text(text).canonical(), n)).collect();
        }
        let mut rows: Vec<_> = self.rows().collect();
        commonest_first(&mut rows);
        rows
    }

    /// Appends the values in their order, and how often each occurs, behind how many there are.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.put_u64(self.len() as u64);
        let mut numbers: Vec<(Canonical<'_>, u64)> = Vec::new();
        if self.floats.is_empty() {
            // Those of one form need no comparison of forms.
            let mut integers: Vec<(i64, u64)> =
                self.integers.iter().map(|(n, of)| (*n, of)).collect();
            integers.sort_unstable();
            numbers.extend(integers.into_iter().map(|(n, of)| (Datum::Integer(n).canonical(), of)));
        } else {
            let integers = self.integers.iter().map(|(n, of)| (Datum::Integer(*n).canonical(), of));
            let floats = self.floats.iter();
            let floats =
                floats.map(|(bits, of)| (Datum::Float(f64::from_bits(*bits)).canonical(), of));
            numbers.extend(integers.chain(floats));
            numbers.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
        let mut put = |value: &Canonical<'_>, of: u64| {
            bytes.put_canonical(value);
            bytes.put_u64(of);
        };
        let (mut texts, mut keys) = (Vec::new(), Vec::new());
        self.texts.save_by_key(&mut texts);
        self.keys.save_by_key(&mut keys);
        let mut numbers = numbers.into_iter().peekable();
        let mut texts =
            rows(&texts).map(|(text, of)| (Datum::Text(text).canonical(), of)).peekable();
        for (key, of) in rows(&keys) {
            let key = Datum::Key(key).canonical();
            while let Some((number, of)) = numbers.next_if(|(number, _)| *number < key) {
                put(&number, of);
            }
            while let Some((text, of)) = texts.next_if(|(text, _)| *text < key) {
                put(&text, of);
            }
            put(&key, of);
        }
        numbers.for_each(|(number, of)| put(&number, of));
        texts.for_each(|(text, of)| put(&text, of));
    }

    pub(super) fn weight(&self) -> usize {
        self.texts.weight() + self.keys.weight() + self.integers.weight() + self.floats.weight()
    }
}

/// Texts that were saved by their order, and how often each occurs.
fn rows(mut saved: &[u8]) -> impl Iterator<Item = (&str, u64)> {
    std::iter::from_fn(move || {
        let (text, of) = saved::load(&mut saved)?;
        Some((std::str::from_utf8(text).unwrap_or_default(), of))
    })
}

/// The text of a string that stands as it is.
#[inline]
fn plain<'a>(datum: &Datum<'a>) -> Option<&'a str> {
    match datum {
        Datum::Key(key) => key.strip_prefix('"'),
        Datum::Json(raw) => {
            let text = raw.strip_prefix('"')?.strip_suffix('"')?;
            (!text.as_bytes().contains(&b'\\')).then_some(text)
        }
        _ => None,
    }
}

/// Those that are equally common by their own order.
pub(super) fn commonest_first(rows: &mut [(Canonical<'_>, u64)]) {
    rows.sort_unstable_by(|(a, m), (b, n)| Reverse(m).cmp(&Reverse(n)).then_with(|| a.cmp(b)));
}
