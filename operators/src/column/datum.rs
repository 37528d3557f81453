//! One value of a column: lent, and owned.

use super::json::{has_escape, rank, write_string};
use super::key::{FALSE, NULL, datum_key, number_of_key};
use super::{Canonical, Column, Form, Number, shortest, write_value};

/// One value of a column, in the form in which it stands there.
///
/// ```
/// use creel_operators::column::{Column, Datum};
///
/// assert!(matches!(Column::floats(&[0.5]).get(0), Some(Datum::Float(0.5))));
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Datum<'a> {
    /// Null, which is the value of an empty piece of JSON.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A double.
    Float(f64),
    /// A string.
    Text(&'a str),
    /// A number of JSON, as written.
    Number(&'a str),
    /// A checked value of JSON.
    Json(&'a str),
    /// A canonical key.
    Key(&'a str),
    /// A list, as a column of its items.
    List(Column<'a>),
}

impl<'a> Datum<'a> {
    /// The value that a piece of text stands for.
    #[inline]
    pub(crate) fn of_text(form: Form, text: &'a str) -> Self {
        match form {
            Form::Text => Self::Text(text),
            _ if text.is_empty() => Self::Null,
            Form::Number => Self::Number(text),
            Form::Json => Self::Json(text),
            Form::Key => Self::Key(text),
        }
    }

    /// Its number, if it is one.
    ///
    /// ```
    /// use creel_operators::column::{Datum, Number};
    ///
    /// assert_eq!(Datum::Json("1.5").number(), Some(Number::Double(1.5)));
    /// assert_eq!(Datum::Text("1.5").number(), None);
    /// ```
    #[inline]
    pub fn number(&self) -> Option<Number<'a>> {
        match *self {
            Self::Integer(integer) => Some(Number::Integer(integer)),
            Self::Float(double) => Some(Number::Double(double)),
            Self::Number(raw) => Some(Number::of(raw)),
            Self::Json(raw) if rank(raw) == 3 => Some(Number::of(raw)),
            Self::Key(key) => {
                let mut raw = String::new();
                number_of_key(key)?.write(&mut raw);
                Some(match Number::of(&raw) {
                    Number::Integer(integer) => Number::Integer(integer),
                    Number::Double(double) => Number::Double(double),
                    Number::Long(digits) => Number::Long(digits.into_owned().into()),
                })
            }
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::Json(_) | Self::List(_) => None,
        }
    }

    /// Whether it counts as true, as in jq: all values do but null and false.
    ///
    /// ```
    /// use creel_operators::column::Datum;
    ///
    /// assert!(Datum::Integer(0).is_true() && Datum::Text("").is_true());
    /// assert!(!Datum::Null.is_true() && !Datum::Json("false").is_true());
    /// ```
    #[inline]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Json(raw) => rank(raw) > 1,
            Self::Key(key) => !key.starts_with([NULL, FALSE]),
            Self::Integer(_) | Self::Float(_) | Self::Text(_) | Self::Number(_) => true,
            Self::List(_) => true,
        }
    }

    /// Returns true if its canonical form is built anew: for a list, an array, an object, or a string with escapes.
    #[inline]
    pub(crate) fn is_made(&self) -> bool {
        match self {
            Self::Json(raw) => match rank(raw) {
                4 => has_escape(raw),
                rank => rank > 4,
            },
            Self::List(_) => true,
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Float(_) => false,
            Self::Text(_) | Self::Number(_) | Self::Key(_) => false,
        }
    }

    /// The piece of text that it is, and the form in which that stands for it; `None` of others.
    #[inline]
    pub(crate) fn as_text(&self) -> Option<(Form, &'a str)> {
        match *self {
            Self::Text(text) => Some((Form::Text, text)),
            Self::Number(raw) => Some((Form::Number, raw)),
            Self::Json(raw) => Some((Form::Json, raw)),
            Self::Key(key) => Some((Form::Key, key)),
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::List(_) => None,
        }
    }

    /// The form in which it is compared with other values.
    ///
    /// ```
    /// use creel_operators::column::Datum;
    ///
    /// assert!(Datum::Null.canonical() < Datum::Bool(false).canonical());
    /// ```
    #[inline]
    pub fn canonical(&self) -> Canonical<'a> {
        Canonical::of(self)
    }

    /// Appends its canonical key. See [`write_key`](super::write_key).
    ///
    /// ```
    /// use creel_operators::column::Datum;
    ///
    /// let mut key = String::new();
    /// Datum::Null.write_key(&mut key);
    /// assert_eq!(key, "\u{1}");
    /// ```
    pub fn write_key(&self, out: &mut String) {
        datum_key(self, out);
    }

    /// Appends it as JSON: what was JSON, as it was written.
    ///
    /// ```
    /// use creel_operators::column::{Column, Datum};
    ///
    /// let mut json = String::new();
    /// Datum::List(Column::floats(&[1.0, 2.5])).write_json(&mut json);
    /// assert_eq!(json, "[1,2.5]");
    /// ```
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Integer(integer) => out.push_str(&integer.to_string()),
            Self::Float(double) => out.push_str(&shortest(*double)),
            Self::Text(text) => write_string(text, out),
            Self::Number(raw) | Self::Json(raw) => out.push_str(raw),
            Self::Key(key) => write_value(key, out),
            Self::List(items) => {
                out.push('[');
                for row in 0..items.len() {
                    if row > 0 {
                        out.push(',');
                    }
                    items.get(row).unwrap_or(Self::Null).write_json(out);
                }
                out.push(']');
            }
        }
    }

    /// Stores it. A list is stored as JSON.
    ///
    /// ```
    /// use creel_operators::column::Datum;
    ///
    /// let kept = Datum::Text("net").to_owned();
    /// assert!(matches!(kept.lend(), Datum::Text("net")));
    /// ```
    pub fn to_owned(&self) -> OwnedDatum {
        OwnedDatum(match *self {
            Self::Null => Owned::Null,
            Self::Bool(value) => Owned::Bool(value),
            Self::Integer(integer) => Owned::Integer(integer),
            Self::Float(double) => Owned::Float(double),
            Self::Text(text) => Owned::Text(Form::Text, text.into()),
            Self::Number(raw) => Owned::Text(Form::Number, raw.into()),
            Self::Json(raw) => Owned::Text(Form::Json, raw.into()),
            Self::Key(key) => Owned::Text(Form::Key, key.into()),
            Self::List(_) => {
                let mut json = String::new();
                self.write_json(&mut json);
                Owned::Text(Form::Json, json.into())
            }
        })
    }
}

/// A value that was stored, in the form in which it came.
///
/// ```
/// use creel_operators::column::{Datum, OwnedDatum};
///
/// let kept: OwnedDatum = Datum::Integer(7).to_owned();
/// assert!(matches!(kept.lend(), Datum::Integer(7)));
/// ```
#[derive(Debug, Clone)]
pub struct OwnedDatum(Owned);

#[derive(Debug, Clone)]
enum Owned {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Form, Box<str>),
}

impl OwnedDatum {
    /// The value, lent.
    pub fn lend(&self) -> Datum<'_> {
        match &self.0 {
            Owned::Null => Datum::Null,
            Owned::Bool(value) => Datum::Bool(*value),
            Owned::Integer(integer) => Datum::Integer(*integer),
            Owned::Float(double) => Datum::Float(*double),
            Owned::Text(form, text) => match form {
                Form::Text => Datum::Text(text),
                Form::Number => Datum::Number(text),
                Form::Json => Datum::Json(text),
                Form::Key => Datum::Key(text),
            },
        }
    }

    /// The bytes of memory that it points to.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::Datum::Text("net").to_owned().heap(), 3);
    /// ```
    pub fn heap(&self) -> usize {
        match &self.0 {
            Owned::Text(_, text) => text.len(),
            Owned::Null | Owned::Bool(_) | Owned::Integer(_) | Owned::Float(_) => 0,
        }
    }
}
