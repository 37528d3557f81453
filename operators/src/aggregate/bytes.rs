//! States as bytes: what states are written with, and read back with checks.
//!
//! Integers take seven bits a byte, least first, as many bytes as they need. A reader refuses what
//! no writer wrote, and takes no memory for what is not there: see [`Reader::count`].

use std::fmt;

use crate::column::{Canonical, Datum, OwnedDatum};
use crate::table::saved;

/// Bytes that no state was encoded as.
///
/// ```
/// use creel_operators::aggregate::Reader;
///
/// let damaged = Reader::new(&[0x80]).u64().unwrap_err();
/// assert_eq!(damaged.to_string(), "a damaged state: at byte 0 of it, no integer");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged {
    /// How many bytes of the state were read before.
    pub at: usize,
    /// What was found there.
    pub what: &'static str,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a damaged state: at byte {} of it, {}", self.at, self.what)
    }
}

impl std::error::Error for Damaged {}

/// Reads what [`Writer`] wrote.
///
/// ```
/// use creel_operators::aggregate::{Reader, Writer};
///
/// let mut bytes = Vec::new();
/// bytes.put_u64(300);
/// bytes.put_i64(-1);
/// let mut reader = Reader::new(&bytes);
/// assert_eq!((reader.u64(), reader.i64()), (Ok(300), Ok(-1)));
/// assert!(reader.end().is_ok() && reader.u64().is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Reader<'b> {
    rest: &'b [u8],
    len: usize,
}

/// What states are made of, appended to bytes.
///
/// ```
/// use creel_operators::aggregate::{Reader, Writer};
///
/// let mut bytes = Vec::new();
/// bytes.put_bytes(b"net");
/// assert_eq!(bytes, [3, b'n', b'e', b't']);
/// ```
pub trait Writer {
    /// Appends a number.
    fn put_u64(&mut self, n: u64);
    /// Appends a number that may be negative.
    fn put_i64(&mut self, n: i64);
    /// Appends a double.
    fn put_f64(&mut self, x: f64);
    /// Appends bytes, behind how many they are.
    fn put_bytes(&mut self, bytes: &[u8]);
    /// Appends a value in the form in which it stands; a list as JSON.
    fn put_datum(&mut self, datum: &Datum<'_>);
    /// Appends a canonical value.
    fn put_canonical(&mut self, value: &Canonical<'_>);
}

impl Writer for Vec<u8> {
    #[inline]
    fn put_u64(&mut self, n: u64) {
        saved::put(self, n);
    }

    #[inline]
    fn put_i64(&mut self, n: i64) {
        // Small ones of either sign are small: 0, -1, 1, -2, ...
        saved::put(self, (n << 1 ^ n >> 63) as u64);
    }

    #[inline]
    fn put_f64(&mut self, x: f64) {
        // Any NaN is as good as another, and one is canonical.
        let x = if x.is_nan() { f64::NAN } else { x };
        self.extend_from_slice(&x.to_bits().to_le_bytes());
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_u64(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }

    fn put_datum(&mut self, datum: &Datum<'_>) {
        match datum {
            Datum::Null => self.push(0),
            Datum::Bool(value) => self.push(1 + u8::from(*value)),
            Datum::Integer(integer) => {
                self.push(3);
                self.put_i64(*integer);
            }
            Datum::Float(double) => {
                self.push(4);
                self.put_f64(*double);
            }
            Datum::Text(text) => put_text(self, 5, text),
            Datum::Number(text) => put_text(self, 6, text),
            Datum::Json(text) => put_text(self, 7, text),
            Datum::Key(text) => put_text(self, 8, text),
            Datum::List(_) => {
                let mut json = String::new();
                datum.write_json(&mut json);
                put_text(self, 7, &json);
            }
        }
    }

    fn put_canonical(&mut self, value: &Canonical<'_>) {
        self.put_datum(&value.datum());
    }
}

fn put_text(bytes: &mut Vec<u8>, tag: u8, text: &str) {
    bytes.push(tag);
    bytes.put_bytes(text.as_bytes());
}

impl<'b> Reader<'b> {
    /// A reader of all these bytes.
    ///
    /// ```
    /// assert_eq!(creel_operators::aggregate::Reader::new(&[7]).left(), 1);
    /// ```
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    /// That what comes next is not what it must be.
    ///
    /// ```
    /// let reader = creel_operators::aggregate::Reader::new(&[7]);
    /// assert_eq!(reader.damaged("no net").at, 0);
    /// ```
    pub fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { at: self.len - self.rest.len(), what }
    }

    /// How many bytes are left.
    ///
    /// ```
    /// assert_eq!(creel_operators::aggregate::Reader::new(b"net").left(), 3);
    /// ```
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// That all was read.
    ///
    /// ```
    /// use creel_operators::aggregate::Reader;
    ///
    /// assert!(Reader::new(&[]).end().is_ok() && Reader::new(&[7]).end().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If bytes are left.
    pub fn end(&self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.damaged("more than the state")) }
    }

    /// Reads a byte.
    ///
    /// ```
    /// assert_eq!(creel_operators::aggregate::Reader::new(&[7]).byte(), Ok(7));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn byte(&mut self) -> Result<u8, Damaged> {
        let (&byte, rest) = self.rest.split_first().ok_or_else(|| self.damaged("the end"))?;
        self.rest = rest;
        Ok(byte)
    }

    /// Reads whether something is so: a byte that is 1 or 0.
    ///
    /// ```
    /// use creel_operators::aggregate::Reader;
    ///
    /// assert!(Reader::new(&[1]).flag() == Ok(true) && Reader::new(&[2]).flag().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn flag(&mut self) -> Result<bool, Damaged> {
        let start = self.clone();
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(start.damaged("neither 0 nor 1")),
        }
    }

    /// Reads a number.
    ///
    /// ```
    /// assert_eq!(creel_operators::aggregate::Reader::new(&[0xac, 2]).u64(), Ok(300));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn u64(&mut self) -> Result<u64, Damaged> {
        let mut rest = self.rest;
        let number = saved::take(&mut rest).ok_or_else(|| self.damaged("no integer"))?;
        self.rest = rest;
        Ok(number)
    }

    /// Reads a number that may be negative.
    ///
    /// ```
    /// assert_eq!(creel_operators::aggregate::Reader::new(&[1]).i64(), Ok(-1));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn i64(&mut self) -> Result<i64, Damaged> {
        let n = self.u64()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    /// Reads a count of records, of which no input has 2^56: so that counts can be added up.
    ///
    /// ```
    /// use creel_operators::aggregate::{Reader, Writer};
    ///
    /// let mut bytes = Vec::new();
    /// bytes.put_u64(1 << 60);
    /// assert!(Reader::new(&bytes).records().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn records(&mut self) -> Result<u64, Damaged> {
        let start = self.clone();
        match self.u64()? {
            count if count < 1 << 56 => Ok(count),
            _ => Err(start.damaged("a count that no input has")),
        }
    }

    /// Reads how many things follow, each of which takes at least so many bytes: so that memory is
    /// taken for no more than can be there.
    ///
    /// ```
    /// use creel_operators::aggregate::Reader;
    ///
    /// assert_eq!(Reader::new(&[2, 0, 0]).count(1), Ok(2));
    /// assert!(Reader::new(&[2, 0, 0]).count(2).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no number, or no room for so many.
    pub fn count(&mut self, least: usize) -> Result<usize, Damaged> {
        let start = self.clone();
        let count = self.u64()?;
        usize::try_from(count)
            .ok()
            .filter(|count| count.checked_mul(least).is_some_and(|all| all <= self.left()))
            .ok_or_else(|| start.damaged("more than there is"))
    }

    /// Reads a double.
    ///
    /// ```
    /// use creel_operators::aggregate::{Reader, Writer};
    ///
    /// let mut bytes = Vec::new();
    /// bytes.put_f64(0.5);
    /// assert_eq!(Reader::new(&bytes).f64(), Ok(0.5));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn f64(&mut self) -> Result<f64, Damaged> {
        let (first, rest) = self.rest.split_first_chunk().ok_or_else(|| self.damaged("the end"))?;
        self.rest = rest;
        Ok(f64::from_bits(u64::from_le_bytes(*first)))
    }

    /// Reads so many bytes.
    ///
    /// ```
    /// assert_eq!(creel_operators::aggregate::Reader::new(b"net").take(2), Ok(&b"ne"[..]));
    /// ```
    ///
    /// # Errors
    ///
    /// If there are fewer.
    pub fn take(&mut self, len: usize) -> Result<&'b [u8], Damaged> {
        let (bytes, rest) =
            self.rest.split_at_checked(len).ok_or_else(|| self.damaged("the end"))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Reads bytes behind how many they are.
    ///
    /// ```
    /// assert_eq!(creel_operators::aggregate::Reader::new(b"\x03net").bytes(), Ok(&b"net"[..]));
    /// ```
    ///
    /// # Errors
    ///
    /// If there are fewer than are said to be.
    pub fn bytes(&mut self) -> Result<&'b [u8], Damaged> {
        let len = self.count(1)?;
        self.take(len)
    }

    /// Reads a text.
    ///
    /// ```
    /// assert_eq!(creel_operators::aggregate::Reader::new(b"\x03net").text(), Ok("net"));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn text(&mut self) -> Result<&'b str, Damaged> {
        let start = self.clone();
        std::str::from_utf8(self.bytes()?).map_err(|_| start.damaged("bytes that are no text"))
    }

    /// Reads a value.
    ///
    /// ```
    /// use creel_operators::aggregate::{Reader, Writer};
    ///
    /// let mut bytes = Vec::new();
    /// bytes.put_datum(&creel_operators::column::Datum::Bool(true));
    /// assert!(Reader::new(&bytes).datum().unwrap().is_true());
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn datum(&mut self) -> Result<Datum<'b>, Damaged> {
        let start = self.clone();
        Ok(match self.byte()? {
            0 => Datum::Null,
            1 => Datum::Bool(false),
            2 => Datum::Bool(true),
            3 => Datum::Integer(self.i64()?),
            4 => Datum::Float(self.f64()?),
            5 => Datum::Text(self.text()?),
            6 => Datum::Number(self.text()?),
            7 => Datum::Json(self.text()?),
            8 => Datum::Key(self.text()?),
            _ => return Err(start.damaged("no value")),
        })
    }

    /// Passes over a value, of which texts are not checked to be any.
    pub(super) fn skip_datum(&mut self) -> Result<(), Damaged> {
        let start = self.clone();
        match self.byte()? {
            0..=2 => Ok(()),
            3 => self.u64().map(drop),
            4 => self.take(8).map(drop),
            5..=8 => self.bytes().map(drop),
            _ => Err(start.damaged("no value")),
        }
    }

    /// Reads a value and stores it.
    ///
    /// ```
    /// use creel_operators::aggregate::{Reader, Writer};
    ///
    /// let mut bytes = Vec::new();
    /// bytes.put_datum(&creel_operators::column::Datum::Text("net"));
    /// assert_eq!(Reader::new(&bytes).owned_datum().unwrap().heap(), 3);
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn owned_datum(&mut self) -> Result<OwnedDatum, Damaged> {
        Ok(self.datum()?.to_owned())
    }

    /// Reads a canonical value, and stores it.
    ///
    /// ```
    /// use creel_operators::aggregate::{Reader, Writer};
    /// use creel_operators::column::Datum;
    ///
    /// let mut bytes = Vec::new();
    /// bytes.put_datum(&Datum::Json("1e0"));
    /// assert_eq!(Reader::new(&bytes).canonical(), Ok(Datum::Integer(1).canonical()));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn canonical(&mut self) -> Result<Canonical<'static>, Damaged> {
        Ok(self.datum()?.canonical().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_that_are_written_are_read(n: i64, x: f64, text in ".{0,9}") {
            let data = [
                Datum::Null, Datum::Bool(true), Datum::Integer(n), Datum::Float(x),
                Datum::Text(&text), Datum::Number("1.50"), Datum::Json("[1]"), Datum::Key("\u{1}"),
            ];
            let mut bytes = Vec::new();
            data.iter().for_each(|datum| bytes.put_datum(datum));
            let mut reader = Reader::new(&bytes);
            for datum in &data {
                prop_assert_eq!(reader.datum().unwrap().canonical(), datum.canonical());
            }
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.left() > 0 && reader.canonical().is_ok() {}
            let room = Reader::new(&bytes).count(3).map_or(0, |count| count * 3);
            prop_assert!(room <= bytes.len());
        }
    }
}
