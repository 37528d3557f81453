//! Columns that own their values: what aggregates give.

use std::ops::Range;

use creel_kernels::prefetch;

use super::{Column, Data, Datum, Form};

/// A column that owns its values: one for each group of an aggregate, say.
///
/// Two are equal if their values are, row by row, as [`Canonical`](super::Canonical) ones.
///
/// ```
/// use creel_operators::column::{Datum, OwnedColumn};
///
/// let mut column = OwnedColumn::default();
/// column.push(Some(Datum::Integer(7)));
/// column.push(None);
/// column.push(Some(Datum::Text("net")));
/// assert_eq!(column.to_json(), ["7", "null", "\"net\""]);
/// ```
#[derive(Clone, Default)]
pub struct OwnedColumn {
    pub(super) data: OwnedData,
    /// Which values are missing; empty as long as none is.
    pub(super) missing: Vec<bool>,
}

fn ask_for<T>(values: &[T], row: usize) {
    if let Some(value) = values.get(row) {
        prefetch(value);
    }
}

/// The values of an owned column.
#[derive(Debug, Clone)]
pub enum OwnedData {
    /// Integers.
    Integers(Vec<i64>),
    /// Doubles.
    Floats(Vec<f64>),
    /// Booleans.
    Bools(Vec<bool>),
    /// Pieces of a text, one behind the other.
    Texts {
        /// How the pieces stand for values.
        form: Form,
        /// All pieces.
        text: String,
        /// Where each piece ends.
        ends: Vec<usize>,
    },
    /// Lists: the items of all rows, one list behind the other.
    Lists {
        /// Where each list ends.
        ends: Vec<usize>,
        /// The items.
        items: Box<OwnedColumn>,
    },
    /// Rows of several values, as pairs are: the first value of each row, the second, and so on.
    Tuples(Vec<OwnedColumn>),
}

impl Default for OwnedData {
    fn default() -> Self {
        Self::Integers(Vec::new())
    }
}

impl OwnedColumn {
    /// A column of these values.
    ///
    /// ```
    /// use creel_operators::column::{OwnedColumn, OwnedData};
    ///
    /// assert_eq!(OwnedColumn::new(OwnedData::Floats(vec![0.5])).to_json(), ["0.5"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the values of tuples are not equally many, or pieces or lists end beyond the last.
    pub fn new(data: OwnedData) -> Self {
        match &data {
            OwnedData::Integers(_) | OwnedData::Floats(_) | OwnedData::Bools(_) => {}
            OwnedData::Texts { text, ends, .. } => {
                assert_eq!(ends.last().copied().unwrap_or(0), text.len(), "all of the text");
            }
            OwnedData::Lists { ends, items } => {
                assert_eq!(ends.last().copied().unwrap_or(0), items.len(), "all of the items");
            }
            OwnedData::Tuples(columns) => {
                assert!(columns.windows(2).all(|two| two[0].len() == two[1].len()), "equally many");
            }
        }
        Self { data, missing: Vec::new() }
    }

    /// A column of integers.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::OwnedColumn::integers([7, 8]).len(), 2);
    /// ```
    pub fn integers(values: impl IntoIterator<Item = i64>) -> Self {
        Self::new(OwnedData::Integers(values.into_iter().collect()))
    }

    /// A column of doubles.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::OwnedColumn::floats([1.0]).to_json(), ["1"]);
    /// ```
    pub fn floats(values: impl IntoIterator<Item = f64>) -> Self {
        Self::new(OwnedData::Floats(values.into_iter().collect()))
    }

    /// A column of counts. Those beyond `i64::MAX`, which no input has, stop there.
    ///
    /// ```
    /// let counts = creel_operators::column::OwnedColumn::counts([7, u64::MAX]);
    /// assert_eq!(counts.to_json(), ["7", "9223372036854775807"]);
    /// ```
    pub fn counts(values: impl IntoIterator<Item = u64>) -> Self {
        Self::integers(values.into_iter().map(|n| i64::try_from(n).unwrap_or(i64::MAX)))
    }

    /// A column of one value a row, or none.
    ///
    /// ```
    /// use creel_operators::column::{Datum, OwnedColumn};
    ///
    /// let column = OwnedColumn::of([Some(Datum::Float(1.5)), None]);
    /// assert_eq!(column.to_json(), ["1.5", "null"]);
    /// ```
    pub fn of<'a>(values: impl IntoIterator<Item = Option<Datum<'a>>>) -> Self {
        let mut column = Self::default();
        values.into_iter().for_each(|value| column.push(value));
        column
    }

    /// The values; some value stands for those that are missing.
    pub const fn data(&self) -> &OwnedData {
        &self.data
    }

    /// How many rows there are.
    pub const fn len(&self) -> usize {
        match &self.data {
            OwnedData::Integers(values) => values.len(),
            OwnedData::Floats(values) => values.len(),
            OwnedData::Bools(values) => values.len(),
            OwnedData::Texts { ends, .. } | OwnedData::Lists { ends, .. } => ends.len(),
            OwnedData::Tuples(columns) => match columns.as_slice() {
                [] => 0,
                [first, ..] => first.len(),
            },
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the value of a row is missing.
    pub fn is_missing(&self, row: usize) -> bool {
        self.missing.get(row).is_some_and(|missing| *missing)
    }

    /// The value of a row; `None` if it is missing, or a list or a tuple.
    ///
    /// ```
    /// use creel_operators::column::{Datum, OwnedColumn};
    ///
    /// assert!(matches!(OwnedColumn::integers([7]).get(0), Some(Datum::Integer(7))));
    /// ```
    pub fn get(&self, row: usize) -> Option<Datum<'_>> {
        if self.is_missing(row) {
            return None;
        }
        match &self.data {
            OwnedData::Integers(values) => Some(Datum::Integer(values[row])),
            OwnedData::Floats(values) => Some(Datum::Float(values[row])),
            OwnedData::Bools(values) => Some(Datum::Bool(values[row])),
            OwnedData::Texts { form, text, ends } => {
                Some(Datum::of_text(*form, &text[within(ends, row)]))
            }
            OwnedData::Lists { .. } | OwnedData::Tuples(_) => None,
        }
    }

    /// Has the memory of a row's value read into the nearest cache, without waiting for it: for rows that are
    /// looked at in another order than they stand in.
    ///
    /// ```
    /// # use creel_operators::column::OwnedColumn;
    /// let column = OwnedColumn::integers([7]);
    /// column.prefetch(0);
    /// column.prefetch(1); // There is none, which does not matter.
    /// ```
    #[inline]
    pub fn prefetch(&self, row: usize) {
        match &self.data {
            OwnedData::Integers(values) => ask_for(values, row),
            OwnedData::Floats(values) => ask_for(values, row),
            OwnedData::Bools(values) => ask_for(values, row),
            OwnedData::Texts { ends, .. } | OwnedData::Lists { ends, .. } => ask_for(ends, row),
            OwnedData::Tuples(columns) => columns.iter().for_each(|column| column.prefetch(row)),
        }
    }

    /// The members of a list: where they are, and in which column. `None` if a row is missing, or no
    /// list.
    ///
    /// ```
    /// use creel_operators::column::{OwnedColumn, OwnedData};
    ///
    /// let items = Box::new(OwnedColumn::integers([7, 8, 9]));
    /// let lists = OwnedColumn::new(OwnedData::Lists { ends: vec![1, 3], items });
    /// let (items, range) = lists.members(1).unwrap();
    /// assert_eq!(items.to_json()[range], ["8", "9"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn members(&self, row: usize) -> Option<(&Self, Range<usize>)> {
        match &self.data {
            OwnedData::Lists { ends, items } if !self.is_missing(row) => {
                Some((items, within(ends, row)))
            }
            _ => None,
        }
    }

    /// Appends a value, or that none is there. Values of another kind than those before turn all
    /// into JSON.
    ///
    /// ```
    /// use creel_operators::column::{Datum, OwnedColumn};
    ///
    /// let mut column = OwnedColumn::integers([7]);
    /// column.push(Some(Datum::Text("net")));
    /// assert_eq!(column.to_json(), ["7", "\"net\""]);
    /// ```
    pub fn push(&mut self, value: Option<Datum<'_>>) {
        let Some(datum) = value else {
            self.missing.resize(self.len(), false);
            self.missing.push(true);
            return self.push_default();
        };
        if !self.fits(&datum) {
            self.retype(&datum);
        }
        match (&mut self.data, datum) {
            (OwnedData::Integers(values), Datum::Integer(integer)) => values.push(integer),
            (OwnedData::Floats(values), Datum::Float(double)) => values.push(double),
            (OwnedData::Bools(values), Datum::Bool(value)) => values.push(value),
            (OwnedData::Texts { form: Form::Json, text, ends }, datum) => {
                datum.write_json(text);
                ends.push(text.len());
            }
            (
                OwnedData::Texts { text, ends, .. },
                Datum::Text(of) | Datum::Number(of) | Datum::Key(of),
            ) => {
                text.push_str(of);
                ends.push(text.len());
            }
            // It was made to fit.
            (data, datum) => unreachable!("{datum:?} among {data:?}"),
        }
        if !self.missing.is_empty() {
            self.missing.push(false);
        }
    }

    fn push_default(&mut self) {
        match &mut self.data {
            OwnedData::Integers(values) => values.push(0),
            OwnedData::Floats(values) => values.push(0.0),
            OwnedData::Bools(values) => values.push(false),
            OwnedData::Texts { text, ends, .. } => ends.push(text.len()),
            OwnedData::Lists { ends, .. } => ends.push(ends.last().copied().unwrap_or(0)),
            OwnedData::Tuples(columns) => columns.iter_mut().for_each(|column| column.push(None)),
        }
    }

    /// Whether a value can be appended as it is.
    fn fits(&self, datum: &Datum<'_>) -> bool {
        match (&self.data, datum) {
            (OwnedData::Integers(_), Datum::Integer(_))
            | (OwnedData::Floats(_), Datum::Float(_))
            | (OwnedData::Bools(_), Datum::Bool(_))
            | (OwnedData::Texts { form: Form::Json, .. }, _)
            | (OwnedData::Texts { form: Form::Text, .. }, Datum::Text(_))
            | (OwnedData::Texts { form: Form::Number, .. }, Datum::Number(_))
            | (OwnedData::Texts { form: Form::Key, .. }, Datum::Key(_)) => true,
            (OwnedData::Integers(_) | OwnedData::Floats(_) | OwnedData::Bools(_), _)
            | (OwnedData::Texts { .. }, _)
            | (OwnedData::Lists { .. } | OwnedData::Tuples(_), _) => false,
        }
    }

    /// Makes room for the kind of a value: as it is, if none is there as yet; or as JSON.
    fn retype(&mut self, datum: &Datum<'_>) {
        let rows = self.len();
        if (0..rows).all(|row| self.is_missing(row)) {
            let texts = |form| OwnedData::Texts { form, text: String::new(), ends: vec![0; rows] };
            self.data = match datum {
                Datum::Integer(_) => OwnedData::Integers(vec![0; rows]),
                Datum::Float(_) => OwnedData::Floats(vec![0.0; rows]),
                Datum::Bool(_) => OwnedData::Bools(vec![false; rows]),
                Datum::Text(_) => texts(Form::Text),
                Datum::Number(_) => texts(Form::Number),
                Datum::Key(_) => texts(Form::Key),
                Datum::Null | Datum::Json(_) | Datum::List(_) => texts(Form::Json),
            };
            return;
        }
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(rows));
        for row in 0..rows {
            if !self.is_missing(row) {
                self.write_json(row, &mut text);
            }
            ends.push(text.len());
        }
        self.data = OwnedData::Texts { form: Form::Json, text, ends };
    }

    /// The bytes of memory that it has.
    ///
    /// ```
    /// assert!(creel_operators::column::OwnedColumn::integers([7, 8]).weight() >= 16);
    /// ```
    pub fn weight(&self) -> usize {
        let data = match &self.data {
            OwnedData::Integers(values) => values.capacity() * size_of::<i64>(),
            OwnedData::Floats(values) => values.capacity() * size_of::<f64>(),
            OwnedData::Bools(values) => values.capacity(),
            OwnedData::Texts { text, ends, .. } => {
                text.capacity() + ends.capacity() * size_of::<usize>()
            }
            OwnedData::Lists { ends, items } => {
                ends.capacity() * size_of::<usize>() + items.weight()
            }
            OwnedData::Tuples(columns) => columns.iter().map(Self::weight).sum(),
        };
        data + self.missing.capacity()
    }
}

/// The range of a row in what follows each other.
pub(super) fn within(ends: &[usize], row: usize) -> Range<usize> {
    row.checked_sub(1).map_or(0, |before| ends[before])..ends[row]
}

impl From<Column<'_>> for OwnedColumn {
    fn from(column: Column<'_>) -> Self {
        if column.missing().is_none() {
            match column.data() {
                Data::Integers(values) => return Self::integers(values.iter().copied()),
                Data::Floats(values) => return Self::floats(values.iter().copied()),
                Data::Bools(values) => return Self::new(OwnedData::Bools(values.to_vec())),
                Data::Texts { .. } | Data::Lists { .. } => {}
            }
        }
        Self::of((0..column.len()).map(|row| column.get(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_several_kinds_become_json() {
        let (true_, text) = (Datum::Bool(true), Datum::Text("a\"b"));
        let column =
            OwnedColumn::of([None, Some(true_), Some(text), Some(Datum::Float(0.5)), None]);
        assert_eq!(column.to_json(), ["null", "true", "\"a\\\"b\"", "0.5", "null"]);
        assert!(matches!(column.data(), OwnedData::Texts { form: Form::Json, .. }));
    }
}
