//! Values as they are compared, counted and told apart.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::Datum;
use super::decimal::{Decimal, Digits};
use super::json::{rank, unescape, unescaped, within_quotes};
use super::key::{self, FALSE, NEGATIVE, NULL, NUMBER, OBJECT, STRING, TRUE};
use super::number::{EXACT, Number};

/// A value as it is compared: two are equal if the values are, whatever columns they came from, and
/// they sort as jq sorts: null, false, true, numbers, strings, arrays, objects.
///
/// Numbers are compared by value (1, 1.0 and 1e0 are one, and so are the double 2^53 and the integer: a
/// double has the value of its bits), NaN is below all numbers, and strings go by code points. Only lists, objects and strings with escapes are copied to be made canonical.
///
/// ```
/// use creel_operators::column::{Canonical, Datum};
///
/// let canonical = |json| Datum::Json(json).canonical();
/// assert_eq!(canonical("1e0"), Datum::Integer(1).canonical());
/// assert_eq!(canonical("\"\\u0061\""), Datum::Text("a").canonical());
/// assert!(canonical("null") < canonical("-1.5") && canonical("9") < canonical("10"));
/// assert!(canonical("10") < canonical("\"1\"") && canonical("\"z\"") < canonical("[]"));
/// ```
#[derive(Debug, Clone)]
pub struct Canonical<'a>(Value<'a>);

/// One form for each value: an integer of 64 bits is never a double or a key.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Integer(i64),
    /// Of a magnitude below 2^53, and no integer.
    Float(f64),
    Text(Cow<'a, str>),
    /// Any other value as its key.
    Key(Cow<'a, str>),
}

impl<'a> Canonical<'a> {
    /// The canonical form of a value.
    #[inline]
    pub fn of(datum: &Datum<'a>) -> Self {
        Self(match *datum {
            Datum::Null => fixed(NULL),
            Datum::Bool(false) => fixed(FALSE),
            Datum::Bool(true) => fixed(TRUE),
            Datum::Integer(integer) => Value::Integer(integer),
            Datum::Float(double) => of_double(double),
            Datum::Text(text) => Value::Text(Cow::Borrowed(text)),
            Datum::Number(raw) => of_number(Number::of(raw)),
            Datum::Json(raw) => of_json(raw),
            Datum::Key(key) => of_key(key),
            Datum::List(_) => {
                let mut key = String::new();
                datum.write_key(&mut key);
                Value::Key(Cow::Owned(key))
            }
        })
    }

    /// The same, of which what has to be made is written to `room`, in place of what is there.
    ///
    /// ```
    /// use creel_operators::column::{Canonical, Datum};
    ///
    /// let mut room = String::new();
    /// let made = Canonical::within(&Datum::Json("[1.0]"), &mut room);
    /// assert_eq!((made.clone(), made.heap()), (Datum::Json("[1]").canonical(), 0));
    /// ```
    pub fn within(datum: &Datum<'a>, room: &'a mut String) -> Self {
        if !datum.is_made() {
            return Self::of(datum);
        }
        room.clear();
        Self(match *datum {
            Datum::Json(raw) if rank(raw) == 4 => {
                unescape(within_quotes(raw), room);
                Value::Text(Cow::Borrowed(room))
            }
            _ => {
                datum.write_key(room);
                Value::Key(Cow::Borrowed(room))
            }
        })
    }

    #[inline]
    pub(crate) fn value(&self) -> &Value<'a> {
        &self.0
    }

    /// The value in the form of a column.
    ///
    /// ```
    /// use creel_operators::column::Datum;
    ///
    /// assert!(matches!(Datum::Json("1.0").canonical().datum(), Datum::Integer(1)));
    /// ```
    pub fn datum(&self) -> Datum<'_> {
        match &self.0 {
            Value::Integer(integer) => Datum::Integer(*integer),
            Value::Float(double) => Datum::Float(*double),
            Value::Text(text) => Datum::Text(text),
            Value::Key(key) => Datum::Key(key),
        }
    }

    /// Appends its key. See [`write_key`](super::write_key).
    ///
    /// ```
    /// use creel_operators::column::Datum;
    ///
    /// let mut key = String::new();
    /// Datum::Text("net").canonical().write_key(&mut key);
    /// assert_eq!(key, "\"net");
    /// ```
    pub fn write_key(&self, out: &mut String) {
        self.datum().write_key(out);
    }

    /// The same value, lent.
    pub fn lend(&self) -> Canonical<'_> {
        Canonical(match &self.0 {
            Value::Integer(integer) => Value::Integer(*integer),
            Value::Float(double) => Value::Float(*double),
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Key(key) => Value::Key(Cow::Borrowed(key)),
        })
    }

    /// Stores it.
    ///
    /// ```
    /// use creel_operators::column::{Canonical, Datum};
    ///
    /// let kept: Canonical<'static> = Datum::Text("net").canonical().into_owned();
    /// assert_eq!(kept, Datum::Text("net").canonical());
    /// ```
    pub fn into_owned(self) -> Canonical<'static> {
        Canonical(match self.0 {
            Value::Integer(integer) => Value::Integer(integer),
            Value::Float(double) => Value::Float(double),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Key(key) => Value::Key(match key {
                // The keys that were not made for the value: those of null, false and true.
                Cow::Borrowed(key) => {
                    fixed_key(key).map_or_else(|| Cow::Owned(key.to_owned()), Cow::Borrowed)
                }
                Cow::Owned(key) => Cow::Owned(key),
            }),
        })
    }

    /// The bytes of memory that it points to.
    ///
    /// ```
    /// use creel_operators::column::Datum;
    ///
    /// let text = Datum::Text("net").canonical();
    /// assert_eq!((text.heap(), text.into_owned().heap()), (0, 3));
    /// ```
    pub fn heap(&self) -> usize {
        match &self.0 {
            Value::Text(Cow::Owned(text)) | Value::Key(Cow::Owned(text)) => text.capacity(),
            Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::Key(_) => 0,
        }
    }

    /// A number that sorts as values do, and may be equal for two of them; none of a number that is neither an
    /// integer of 64 bits nor a double below 2^53.
    pub(crate) fn begins(&self) -> Option<u128> {
        let of_number = |floor: i64| u128::from((floor ^ i64::MIN) as u64) << 56;
        let of_text = |text: &str| {
            let mut first = [0; 15];
            let length = text.len().min(first.len());
            first[..length].copy_from_slice(&text.as_bytes()[..length]);
            let mut all = [0; 16];
            all[1..].copy_from_slice(&first);
            u128::from_be_bytes(all)
        };
        let rank = self.rank();
        let begins = match &self.0 {
            Value::Integer(integer) => of_number(*integer),
            Value::Float(double) => of_number(double.floor() as i64),
            Value::Key(_) if rank == 3 => return None,
            Value::Text(text) | Value::Key(text) => of_text(text),
        };
        Some(u128::from(rank) << 120 | begins)
    }

    /// The place of its type among types.
    fn rank(&self) -> u8 {
        match &self.0 {
            Value::Integer(_) | Value::Float(_) => 3,
            Value::Text(_) => 4,
            Value::Key(key) => match key.chars().next() {
                None | Some(NULL) => 0,
                Some(FALSE) => 1,
                Some(TRUE) => 2,
                Some(NEGATIVE | NUMBER) => 3,
                Some(OBJECT) => 6,
                Some(_) => 5,
            },
        }
    }

    fn by_key(&self, other: &Self) -> Ordering {
        let key = |of: &Self| {
            let mut key = String::new();
            of.write_key(&mut key);
            key
        };
        key(self).cmp(&key(other))
    }
}

fn fixed_key(key: &str) -> Option<&'static str> {
    ["\u{1}", "\u{2}", "\u{3}"].into_iter().find(|known| *known == key)
}

fn fixed(first: char) -> Value<'static> {
    Value::Key(Cow::Borrowed(match first {
        FALSE => "\u{2}",
        TRUE => "\u{3}",
        _ => "\u{1}",
    }))
}

#[inline]
fn of_double(double: f64) -> Value<'static> {
    if double.abs() < EXACT {
        let integer = double as i64;
        return match integer as f64 == double {
            true => Value::Integer(integer),
            false => Value::Float(double),
        };
    }
    of_large_double(double)
}

#[cold]
fn of_large_double(double: f64) -> Value<'static> {
    // All of them are integers, and -2^63 to 2^63 are doubles.
    if (i64::MIN as f64..-(i64::MIN as f64)).contains(&double) {
        return Value::Integer(double as i64);
    }
    let mut key = String::new();
    key::double_key(double, &mut key);
    Value::Key(Cow::Owned(key))
}

#[inline]
fn of_number(number: Number<'_>) -> Value<'static> {
    match number {
        Number::Integer(integer) => Value::Integer(integer),
        Number::Double(double) => of_double(double),
        Number::Long(digits) => {
            let mut key = String::new();
            key::number_key(&Decimal::of(&digits, &mut Digits::default()), &mut key);
            Value::Key(Cow::Owned(key))
        }
    }
}

#[inline]
fn of_json(raw: &str) -> Value<'_> {
    match rank(raw) {
        0 => fixed(NULL),
        1 => fixed(FALSE),
        2 => fixed(TRUE),
        3 => of_number(Number::of(raw)),
        4 => Value::Text(unescaped(within_quotes(raw))),
        _ => {
            let mut key = String::new();
            key::write_key(raw, &mut key);
            Value::Key(Cow::Owned(key))
        }
    }
}

#[inline]
fn of_key(key: &str) -> Value<'_> {
    match key.chars().next() {
        Some(STRING) => Value::Text(Cow::Borrowed(&key[1..])),
        Some(NUMBER | NEGATIVE) => of_number_key(key),
        None => fixed(NULL),
        Some(_) => Value::Key(Cow::Borrowed(key)),
    }
}

/// The digits of the largest integers below [`EXACT`].
const EXACT_DIGITS: i32 = 16;

fn of_number_key(key: &str) -> Value<'_> {
    let Some(decimal) = key::number_of_key(key) else { return Value::Key(Cow::Borrowed(key)) };
    if let Some(integer) = decimal.to_i64() {
        return Value::Integer(integer);
    }
    if decimal.point > EXACT_DIGITS {
        return Value::Key(Cow::Borrowed(key));
    }
    let mut raw = String::new();
    decimal.write(&mut raw);
    match raw.parse::<f64>() {
        Ok(double) if double.abs() < EXACT => of_double(double),
        _ => Value::Key(Cow::Borrowed(key)),
    }
}

impl Ord for Canonical<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            // The double lies between two integers.
            (Value::Integer(a), Value::Float(b)) => a.cmp(&(b.floor() as i64)).then(Ordering::Less),
            (Value::Float(a), Value::Integer(b)) => {
                (a.floor() as i64).cmp(b).then(Ordering::Greater)
            }
            (Value::Key(a), Value::Key(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()).then_with(|| self.by_key(other)),
        }
    }
}

impl crate::Value for Canonical<'_> {
    type Owned = Canonical<'static>;

    #[inline]
    fn compare(&self, kept: &Canonical<'static>) -> Ordering {
        self.cmp(kept)
    }

    fn into_owned(self) -> Canonical<'static> {
        Canonical::into_owned(self)
    }

    fn heap(&self) -> usize {
        Canonical::heap(self)
    }
}

impl PartialOrd for Canonical<'_> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Canonical<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) | (Value::Key(a), Value::Key(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Canonical<'_> {}

impl std::hash::Hash for Canonical<'_> {
    #[inline]
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(&self.0).hash(state);
        match &self.0 {
            Value::Integer(integer) => integer.hash(state),
            Value::Float(double) => double.to_bits().hash(state),
            Value::Text(text) | Value::Key(text) => text.hash(state),
        }
    }
}

#[cfg(test)]
mod tests;
