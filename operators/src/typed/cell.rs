//! Values between records and columns: what can be added up, and what comes back.

use crate::aggregate::AsRow;
use crate::column::{Datum, Number, OwnedColumn, OwnedData};

/// A number of a record, which can be added up: an integer of up to 64 bits, a float, or an option
/// of one, of which `None` is passed over.
///
/// ```
/// use creel_operators::run;
/// use creel_operators::typed::{mean, sum};
///
/// let both = (sum(|n: &Option<u32>| *n), mean(|n: &Option<u32>| *n));
/// assert_eq!(run([Some(1), None, Some(2)], |r| r.aggregate(both)), (3, Some(1.5)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no number to add up",
    note = "integers of up to 64 bits, `f32`, `f64`, options of them and references to them are"
)]
pub trait Numeric: AsRow {
    /// What a sum of them is: `i128` of integers, `f64` of floats.
    type Sum: FromDatum + Default + Send + 'static;
}

macro_rules! numeric {
    ($($sum:ty: $($type:ty)*;)*) => {$($(
        impl Numeric for $type {
            type Sum = $sum;
        }
        impl Numeric for &$type {
            type Sum = $sum;
        }
    )*)*};
}

numeric! {
    i128: u8 u16 u32 u64 usize i8 i16 i32 i64 isize;
    f64: f32 f64;
}

impl<T: Numeric> Numeric for Option<T> {
    type Sum = T::Sum;
}

/// A type in which a value of a column comes back.
///
/// ```
/// use creel_operators::column::Datum;
/// use creel_operators::typed::FromDatum;
///
/// assert_eq!(u8::from_datum(&Datum::Integer(7)), Some(7));
/// assert_eq!(u8::from_datum(&Datum::Integer(-7)), None);
/// assert_eq!(String::from_datum(&Datum::Text("eel")).as_deref(), Some("eel"));
/// ```
pub trait FromDatum: Sized {
    /// The value; `None` if it is of another kind, or out of range.
    fn from_datum(datum: &Datum<'_>) -> Option<Self>;
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl FromDatum for $type {
            fn from_datum(datum: &Datum<'_>) -> Option<Self> {
                match datum.number()? {
                    Number::Integer(integer) => integer.try_into().ok(),
                    Number::Long(digits) => digits.parse().ok(),
                    Number::Double(_) => None,
                }
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

impl FromDatum for f64 {
    fn from_datum(datum: &Datum<'_>) -> Option<Self> {
        datum.number().map(|number| number.to_f64())
    }
}

impl FromDatum for f32 {
    fn from_datum(datum: &Datum<'_>) -> Option<Self> {
        f64::from_datum(datum).map(|double| double as Self)
    }
}

impl FromDatum for bool {
    fn from_datum(datum: &Datum<'_>) -> Option<Self> {
        if let Datum::Bool(value) = datum { Some(*value) } else { None }
    }
}

impl FromDatum for String {
    fn from_datum(datum: &Datum<'_>) -> Option<Self> {
        if let Datum::Text(text) = datum { Some((*text).to_owned()) } else { None }
    }
}

/// A type in which the result of an aggregate comes back: a value, a list, a pair, or lists of these.
///
/// ```
/// use creel_operators::column::OwnedColumn;
/// use creel_operators::typed::FromResult;
///
/// assert_eq!(f64::from_result(&OwnedColumn::integers([7]), 0), Some(7.0));
/// assert_eq!(String::from_result(&OwnedColumn::integers([7]), 0), None);
/// ```
pub trait FromResult: Sized {
    /// The result of a row; `None` if there is none, or it is of another kind.
    fn from_result(column: &OwnedColumn, row: usize) -> Option<Self>;
}

impl<V: FromDatum> FromResult for V {
    fn from_result(column: &OwnedColumn, row: usize) -> Option<Self> {
        V::from_datum(&column.get(row)?)
    }
}

impl<V: FromResult> FromResult for Vec<V> {
    fn from_result(column: &OwnedColumn, row: usize) -> Option<Self> {
        let (items, mut rows) = column.members(row)?;
        rows.by_ref().map(|at| V::from_result(items, at)).collect()
    }
}

impl<A: FromResult, B: FromResult> FromResult for (A, B) {
    fn from_result(column: &OwnedColumn, row: usize) -> Option<Self> {
        match column.data() {
            OwnedData::Tuples(pair) if !column.is_missing(row) => {
                let [a, b] = pair.as_slice() else { return None };
                Some((A::from_result(a, row)?, B::from_result(b, row)?))
            }
            _ => None,
        }
    }
}
