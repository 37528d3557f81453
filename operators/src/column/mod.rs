//! Columns of a batch of records: lent to operators and aggregates, and owned by results.
//!
//! A [`Column`] borrows one value for each record of a batch, in one of a few forms that cost
//! nothing to make: numbers in slices, text as [`Span`]s of one text. [`Columns`] is several of
//! them over the same records. An [`OwnedColumn`] is what an aggregate gives back.
//!
//! A value is seen through a [`Datum`] when it is carried, through a [`Number`] when it is added up,
//! and through a [`Canonical`] when it is compared: canonical values are equal if the values are,
//! and sort as jq sorts: null, false, true, numbers, strings, arrays, objects.
//!
//! A *missing* value is skipped by every aggregate; a null is a value, the smallest of all. The
//! kind of a column (its [`Data`] variant and [`Form`]) should be the same in all batches of a run.
//!
//! ```
//! use creel_operators::column::{Column, Datum, Span};
//!
//! let (text, spans) = ("cod eel", [Span::new(0, 3), Span::new(4, 7)]);
//! let fish = Column::text(text, &spans);
//! assert!(matches!(fish.get(1), Some(Datum::Text("eel"))));
//! let weights = Column::floats(&[2.5, 0.0]).with_missing(&[false, true]);
//! assert!(weights.get(1).is_none());
//! assert!(fish.canonical(0) < fish.canonical(1));
//! ```

mod batch;
mod canonical;
mod datum;
mod decimal;
mod json;
mod key;
mod number;
#[cfg(test)]
mod number_tests;
#[cfg(test)]
mod order_tests;
mod owned;
mod owned_rows;

use std::ops::Range;

pub use batch::{Columns, Groups, Positions};
pub use canonical::Canonical;
pub(crate) use canonical::Value as CanonicalValue;
pub use datum::{Datum, OwnedDatum};
pub use decimal::shortest;
pub use json::{has_escape, rank, unescape, write_string};
pub use key::{write_key, write_value};
pub use number::{LONGEST_INTEGER, Number, small_integer};
pub use owned::{OwnedColumn, OwnedData};

/// A piece of a text: an offset and a length in bytes. Texts under spans have less than 4 GiB.
///
/// ```
/// use creel_operators::column::Span;
///
/// assert_eq!(Span::new(4, 8).of("one fish"), "fish");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Where the piece begins.
    pub start: u32,
    /// How many bytes it has.
    pub len: u32,
}

impl Span {
    /// The span from one offset to another, of a text of less than 4 GiB.
    #[inline]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, len: (end - start) as u32 }
    }

    /// The range of bytes.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::Span::new(4, 8).range(), 4..8);
    /// ```
    #[inline]
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }

    /// The piece of a text.
    ///
    /// # Panics
    ///
    /// If the span is not within the text, or begins or ends inside a character.
    #[inline]
    pub fn of(self, text: &str) -> &str {
        &text[self.range()]
    }
}

/// How the pieces of a text stand for values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Each piece is a string by itself.
    Text,
    /// Each piece is a number of JSON, as written: `1.50`, `12345678901234567890`.
    Number,
    /// Each piece is a checked value of JSON, without white space around it; an empty piece is null.
    Json,
    /// Each piece is the canonical key of a value, as [`write_key`] makes it.
    Key,
}

/// The values of a column, one for each record.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// Integers of 64 bits.
    Integers(&'a [i64]),
    /// Doubles, which may be NaN or infinite.
    Floats(&'a [f64]),
    /// True or false.
    Bools(&'a [bool]),
    /// Pieces of one text.
    Texts {
        /// How the pieces stand for values.
        form: Form,
        /// What the spans point into.
        text: &'a str,
        /// A piece for each record.
        spans: &'a [Span],
    },
    /// Lists: the items of all records, one list after the other.
    Lists {
        /// Where each list begins in `items`, and at the end where the last one ends: one more
        /// than there are records.
        offsets: &'a [u32],
        /// The items.
        items: &'a Column<'a>,
    },
}

/// A value for each record of a batch, lent; some may be missing.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    data: Data<'a>,
    missing: Option<&'a [bool]>,
}

impl<'a> Column<'a> {
    /// A column of these values, none of them missing.
    ///
    /// ```
    /// use creel_operators::column::{Column, Data};
    ///
    /// assert_eq!(Column::new(Data::Bools(&[true])).len(), 1);
    /// ```
    pub const fn new(data: Data<'a>) -> Self {
        Self { data, missing: None }
    }

    /// A column of integers.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::Column::integers(&[7, 8]).len(), 2);
    /// ```
    pub const fn integers(values: &'a [i64]) -> Self {
        Self::new(Data::Integers(values))
    }

    /// A column of doubles.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::Column::floats(&[0.5]).len(), 1);
    /// ```
    pub const fn floats(values: &'a [f64]) -> Self {
        Self::new(Data::Floats(values))
    }

    /// A column of booleans.
    ///
    /// ```
    /// assert!(creel_operators::column::Column::bools(&[]).is_empty());
    /// ```
    pub const fn bools(values: &'a [bool]) -> Self {
        Self::new(Data::Bools(values))
    }

    /// A column of strings.
    ///
    /// ```
    /// use creel_operators::column::{Column, Datum, Span};
    ///
    /// let spans = [Span::new(4, 8)];
    /// assert!(matches!(Column::text("one fish", &spans).get(0), Some(Datum::Text("fish"))));
    /// ```
    pub const fn text(text: &'a str, spans: &'a [Span]) -> Self {
        Self::texts(Form::Text, text, spans)
    }

    /// A column of pieces of a text, of any form.
    ///
    /// ```
    /// use creel_operators::column::{Column, Form, Span};
    ///
    /// let spans = [Span::new(1, 4)];
    /// let numbers = Column::texts(Form::Number, "[1.5]", &spans);
    /// numbers.doubles(|_, x| assert_eq!(x, 1.5));
    /// ```
    pub const fn texts(form: Form, text: &'a str, spans: &'a [Span]) -> Self {
        Self::new(Data::Texts { form, text, spans })
    }

    /// The same column with marks of what is missing, one for each record.
    ///
    /// ```
    /// let column = creel_operators::column::Column::integers(&[7, 8]).with_missing(&[true, false]);
    /// assert!(column.is_missing(0) && column.get(0).is_none() && column.get(1).is_some());
    /// ```
    ///
    /// # Panics
    ///
    /// If there are more or fewer marks than records.
    pub fn with_missing(self, missing: &'a [bool]) -> Self {
        assert_eq!(missing.len(), self.len(), "a mark for each record");
        Self { missing: Some(missing), ..self }
    }

    /// The values, those that are missing too: some value stands in their place.
    pub const fn data(&self) -> Data<'a> {
        self.data
    }

    /// The marks of what is missing, if anything may be.
    pub const fn missing(&self) -> Option<&'a [bool]> {
        self.missing
    }

    /// How many records there are.
    pub const fn len(&self) -> usize {
        match self.data {
            Data::Integers(values) => values.len(),
            Data::Floats(values) => values.len(),
            Data::Bools(values) => values.len(),
            Data::Texts { spans, .. } => spans.len(),
            Data::Lists { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the value of a record is missing.
    #[inline]
    pub fn is_missing(&self, row: usize) -> bool {
        self.missing.is_some_and(|missing| missing[row])
    }

    /// The columns of some neighbouring records.
    ///
    /// ```
    /// use creel_operators::column::Column;
    ///
    /// let column = Column::integers(&[7, 8, 9]).slice(1..3);
    /// assert_eq!(column.canonical(0), Column::integers(&[8]).canonical(0));
    /// ```
    ///
    /// # Panics
    ///
    /// If there are fewer records.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let missing = self.missing.map(|missing| &missing[rows.clone()]);
        let data = match self.data {
            Data::Integers(values) => Data::Integers(&values[rows]),
            Data::Floats(values) => Data::Floats(&values[rows]),
            Data::Bools(values) => Data::Bools(&values[rows]),
            Data::Texts { form, text, spans } => Data::Texts { form, text, spans: &spans[rows] },
            Data::Lists { offsets, items } => {
                Data::Lists { offsets: &offsets[rows.start..=rows.end], items }
            }
        };
        Self { data, missing }
    }

    /// The value of a record; `None` if it is missing.
    #[inline]
    pub fn get(&self, row: usize) -> Option<Datum<'a>> {
        (!self.is_missing(row)).then(|| self.value(row))
    }

    /// The value of a record, or what stands in its place.
    #[inline]
    fn value(&self, row: usize) -> Datum<'a> {
        match self.data {
            Data::Integers(values) => Datum::Integer(values[row]),
            Data::Floats(values) => Datum::Float(values[row]),
            Data::Bools(values) => Datum::Bool(values[row]),
            Data::Texts { form, text, spans } => Datum::of_text(form, spans[row].of(text)),
            Data::Lists { offsets, items } => {
                Datum::List(items.slice(offsets[row] as usize..offsets[row + 1] as usize))
            }
        }
    }

    /// The value of a record in the form in which it is compared; `None` if it is missing.
    ///
    /// ```
    /// use creel_operators::column::Column;
    ///
    /// assert_eq!(Column::integers(&[1]).canonical(0), Column::floats(&[1.0]).canonical(0));
    /// ```
    #[inline]
    pub fn canonical(&self, row: usize) -> Option<Canonical<'a>> {
        self.get(row).map(|datum| datum.canonical())
    }

    /// Visits the values that are there, with the place of each.
    ///
    /// ```
    /// use creel_operators::column::Column;
    ///
    /// let mut rows = Vec::new();
    /// Column::bools(&[true, false]).with_missing(&[true, false]).each(|row, _| rows.push(row));
    /// assert_eq!(rows, [1]);
    /// ```
    #[inline]
    pub fn each(&self, mut visit: impl FnMut(usize, Datum<'a>)) {
        match self.missing {
            None => (0..self.len()).for_each(|row| visit(row, self.value(row))),
            Some(missing) => {
                let there = (0..self.len()).filter(|&row| !missing[row]);
                there.for_each(|row| visit(row, self.value(row)));
            }
        }
    }

    /// Visits the values that are numbers, with the place of each; others are passed over.
    ///
    /// One loop for each kind of column: what is visited is known to be an integer, or a double,
    /// when the loop is compiled.
    ///
    /// ```
    /// use creel_operators::column::{Column, Form, Number, Span};
    ///
    /// let (text, spans) = ("1.5 null", [Span::new(0, 3), Span::new(4, 8)]);
    /// Column::texts(Form::Json, text, &spans).numbers(|row, number| {
    ///     assert_eq!((row, number), (0, Number::Double(1.5)));
    /// });
    /// ```
    #[inline]
    pub fn numbers(&self, mut visit: impl FnMut(usize, Number<'a>)) {
        match (self.data, self.missing) {
            (Data::Integers(values), None) => {
                values.iter().enumerate().for_each(|(row, &n)| visit(row, Number::Integer(n)));
            }
            (Data::Floats(values), None) => {
                values.iter().enumerate().for_each(|(row, &x)| visit(row, Number::Double(x)));
            }
            (Data::Texts { form: Form::Number, text, spans }, None) => {
                spans.iter().enumerate().for_each(|(row, span)| {
                    visit(row, Number::of(span.of(text)));
                });
            }
            (Data::Texts { form: Form::Json, text, spans }, None) => {
                // The values are valid JSON, so the first byte tells a number.
                spans.iter().enumerate().for_each(|(row, span)| {
                    let raw = span.of(text);
                    if let Some(b'-' | b'0'..=b'9') = raw.as_bytes().first() {
                        visit(row, Number::of(raw));
                    }
                });
            }
            _ => self.each(|row, datum| {
                if let Some(number) = datum.number() {
                    visit(row, number);
                }
            }),
        }
    }

    /// Visits the values that are numbers, as doubles: each is the closest one.
    ///
    /// ```
    /// use creel_operators::column::Column;
    ///
    /// let mut sum = 0.0;
    /// Column::integers(&[1, 2]).doubles(|_, x| sum += x);
    /// assert_eq!(sum, 3.0);
    /// ```
    #[inline]
    pub fn doubles(&self, mut visit: impl FnMut(usize, f64)) {
        self.numbers(|row, number| visit(row, number.to_f64()));
    }
}
