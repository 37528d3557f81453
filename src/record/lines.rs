//! The records of a block, lent one at a time.

use std::slice::Iter;

use memchr::memchr;
use memchr::memmem::Finder;

use creel_operators::Whole;

use crate::block::Delimiter;

/// Knows where the first record of some bytes ends.
#[derive(Debug, Clone)]
pub(super) enum Cut<'b> {
    Line,
    Byte(u8),
    Bytes(Box<Finder<'b>>),
    /// All bytes are one record.
    Never,
}

impl<'b> Cut<'b> {
    pub(super) fn new(delimiter: &'b Delimiter) -> Self {
        match delimiter {
            Delimiter::Line => Self::Line,
            Delimiter::Bytes(bytes) => match bytes[..] {
                [] => Self::Never,
                [byte] => Self::Byte(byte),
                _ => Self::Bytes(Box::new(Finder::new(bytes))),
            },
        }
    }

    /// The lengths of the first record, without its delimiter and with it.
    #[inline]
    pub(super) fn first(&self, bytes: &[u8]) -> (usize, usize) {
        match self {
            Self::Line => line(bytes),
            Self::Byte(byte) => ended(*byte, bytes),
            Self::Bytes(finder) => delimited(finder, bytes),
            Self::Never => (bytes.len(), bytes.len()),
        }
    }
}

#[inline]
fn line(bytes: &[u8]) -> (usize, usize) {
    match memchr(b'\n', bytes) {
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => (at - 1, at + 1),
        Some(at) => (at, at + 1),
        None => (bytes.len(), bytes.len()),
    }
}

#[inline]
fn ended(byte: u8, bytes: &[u8]) -> (usize, usize) {
    match memchr(byte, bytes) {
        Some(at) => (at, at + 1),
        None => (bytes.len(), bytes.len()),
    }
}

#[inline]
fn delimited(finder: &Finder<'_>, bytes: &[u8]) -> (usize, usize) {
    match finder.find(bytes) {
        Some(at) => (at, at + finder.needle().len()),
        None => (bytes.len(), bytes.len()),
    }
}

/// The records of a block of text, without their delimiters.
///
/// A line's end is the line feed and the carriage return before it, if there is one; a last record
/// without a delimiter is a record too. (Dask's bags keep the line end.)
#[derive(Debug, Clone)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Lines<'b> {
    records: Records<'b, str, String>,
}

/// The records of a block of bytes, without their delimiters.
///
/// A line's end is the line feed and the carriage return before it, if there is one; a last record
/// without a delimiter is a record too.
#[derive(Debug, Clone)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct RawLines<'b> {
    records: Records<'b, [u8], Vec<u8>>,
}

/// Where the records lie.
#[derive(Debug)]
enum Records<'b, T: ?Sized, O> {
    /// One after another, in a block.
    Block { rest: &'b T, cut: Cut<'b> },
    /// Each on its own.
    Owned(Iter<'b, O>),
}

// Not derived: that would ask for `str: Clone`.
impl<T: ?Sized, O> Clone for Records<'_, T, O> {
    fn clone(&self) -> Self {
        match self {
            Self::Block { rest, cut } => Self::Block { rest, cut: cut.clone() },
            Self::Owned(records) => Self::Owned(records.clone()),
        }
    }
}

/// `str` and `[u8]`, as far as records go.
trait Text {
    fn bytes(&self) -> &[u8];
    /// The first `record` bytes, and what comes after `end`.
    fn split(&self, record: usize, end: usize) -> (&Self, &Self);
}

impl Text for str {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
    #[inline]
    fn split(&self, record: usize, end: usize) -> (&Self, &Self) {
        (&self[..record], &self[end..])
    }
}

impl Text for [u8] {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }
    #[inline]
    fn split(&self, record: usize, end: usize) -> (&Self, &Self) {
        (&self[..record], &self[end..])
    }
}

impl<'b, T: Text + ?Sized, O: AsRef<T>> Records<'b, T, O> {
    #[inline(always)]
    fn next(&mut self) -> Option<&'b T> {
        match self {
            Self::Block { rest, .. } if rest.bytes().is_empty() => None,
            Self::Block { rest, cut } => {
                let (record, end) = cut.first(rest.bytes());
                let (record, after) = rest.split(record, end);
                *rest = after;
                Some(record)
            }
            Self::Owned(records) => records.next().map(AsRef::as_ref),
        }
    }

    /// The whole loop, with the kind of records decided outside of it.
    #[inline]
    fn fold<B>(self, init: B, mut f: impl FnMut(B, &'b T) -> B) -> B {
        match self {
            Self::Block { rest, cut: Cut::Line } => each(rest, line, init, f),
            Self::Block { rest, cut: Cut::Byte(byte) } => {
                each(rest, |bytes| ended(byte, bytes), init, f)
            }
            Self::Block { rest, cut: Cut::Bytes(finder) } => {
                each(rest, |bytes| delimited(&finder, bytes), init, f)
            }
            Self::Block { rest, cut: Cut::Never } => {
                each(rest, |bytes| (bytes.len(), bytes.len()), init, f)
            }
            Self::Owned(records) => records.fold(init, |acc, record| f(acc, record.as_ref())),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Block { rest, .. } => {
                (usize::from(!rest.bytes().is_empty()), Some(rest.bytes().len()))
            }
            Self::Owned(records) => records.size_hint(),
        }
    }
}

#[inline]
fn each<'b, T: Text + ?Sized, B>(
    mut rest: &'b T,
    cut: impl Fn(&[u8]) -> (usize, usize),
    mut acc: B,
    mut f: impl FnMut(B, &'b T) -> B,
) -> B {
    while !rest.bytes().is_empty() {
        let (record, end) = cut(rest.bytes());
        let (record, after) = rest.split(record, end);
        acc = f(acc, record);
        rest = after;
    }
    acc
}

impl<'b> Lines<'b> {
    /// The records of a checked block.
    pub(crate) fn new(text: &'b str, delimiter: &'b Delimiter) -> Self {
        Self { records: Records::Block { rest: text, cut: Cut::new(delimiter) } }
    }

    /// Records that have been cut already.
    pub(crate) fn of_records(records: &'b [String]) -> Self {
        Self { records: Records::Owned(records.iter()) }
    }

    /// The text that is still to be cut, if that is done at white space.
    pub(crate) fn whole(&self) -> Whole<'b> {
        match &self.records {
            Records::Block { rest, cut: Cut::Line | Cut::Never } => Whole::of(rest),
            Records::Block { rest, cut: Cut::Byte(byte) } if char::from(*byte).is_whitespace() => {
                Whole::of(rest)
            }
            _ => Whole::default(),
        }
    }
}

impl<'b> Iterator for Lines<'b> {
    type Item = &'b str;

    // The lane's loop over lines is built around it.
    #[inline(always)]
    fn next(&mut self) -> Option<&'b str> {
        self.records.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'b str) -> B>(self, init: B, f: F) -> B {
        self.records.fold(init, f)
    }
}

impl std::iter::FusedIterator for Lines<'_> {}

impl<'b> RawLines<'b> {
    /// The records of a block.
    pub(crate) fn new(bytes: &'b [u8], delimiter: &'b Delimiter) -> Self {
        Self { records: Records::Block { rest: bytes, cut: Cut::new(delimiter) } }
    }

    /// Records that have been cut already.
    pub(crate) fn of_records(records: &'b [Vec<u8>]) -> Self {
        Self { records: Records::Owned(records.iter()) }
    }
}

impl<'b> Iterator for RawLines<'b> {
    type Item = &'b [u8];

    #[inline]
    fn next(&mut self) -> Option<&'b [u8]> {
        self.records.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'b [u8]) -> B>(self, init: B, f: F) -> B {
        self.records.fold(init, f)
    }
}

impl std::iter::FusedIterator for RawLines<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use creel_operators::Combiner;

    fn lines(text: &str) -> Vec<&str> {
        Lines::new(text, &Delimiter::Line).collect()
    }

    #[test]
    fn a_line_has_neither_its_feed_nor_one_return_before_it() {
        assert_eq!(lines("a\r\nb\r\r\nc\rd\n"), ["a", "b\r", "c\rd"]);
    }

    #[test]
    fn the_last_line_may_lack_its_end_and_then_keeps_its_return() {
        assert_eq!(lines("a\n"), ["a"]);
        assert_eq!(lines("a\n\n"), ["a", ""]);
        assert_eq!(lines("\na\r"), ["", "a\r"]);
        assert!(lines("").is_empty());
    }

    #[test]
    fn a_nul_is_a_byte_like_any_other() {
        assert_eq!(lines("a\0b\n\0"), ["a\0b", "\0"]);
    }

    #[test]
    fn delimiters_are_found_leftmost_and_do_not_overlap() {
        let delimiter = Delimiter::Bytes(b"||".to_vec());
        let records: Vec<_> = Lines::new("a|||b||||", &delimiter).collect();
        assert_eq!(records, ["a", "|b", ""]);
    }

    #[test]
    fn records_cut_before_are_lent_as_they_are() {
        let owned = ["a\n".to_owned(), String::new()];
        assert_eq!(Lines::of_records(&owned).collect::<Vec<_>>(), ["a\n", ""]);
        let owned = [b"\xff".to_vec()];
        assert_eq!(RawLines::of_records(&owned).collect::<Vec<_>>(), [b"\xff"]);
    }

    #[test]
    fn what_is_cut_at_white_space_has_the_words_of_the_whole() {
        let custom = |by: &str| Delimiter::Bytes(by.into());
        let text = "a b\r\n\n c-d\u{2003}--e \0 f\n";
        for (delimiter, known) in [
            (Delimiter::Line, true),
            (custom(""), true),
            (custom(" "), true),
            (custom("-"), false),
            (custom("\0"), false),
            (custom("\r\n"), false),
        ] {
            let words = |whole| {
                let (lines, mut state) = (Lines::new(text, &delimiter), Default::default());
                let records = creel_operators::Records::within(whole, lines, &mut state);
                let frequencies = records.words().frequencies::<String>();
                frequencies.finish(state)
            };
            let each = words(Whole::default());
            let whole = Lines::new(text, &delimiter).whole();
            let all = words(whole);
            assert_eq!(each.sorted_lent(), all.sorted_lent());
            assert_eq!(whole.is_known(), known, "{delimiter:?}");
            let mut half = Lines::new(text, &delimiter);
            half.next();
            assert!(half.whole().is_known() == known);
        }
    }

    #[test]
    fn one_by_one_and_all_at_once_are_the_same() {
        let custom = |by: &[u8]| Delimiter::Bytes(by.to_vec());
        for delimiter in [Delimiter::Line, custom(b""), custom(b"-"), custom(b"--")] {
            let bytes = b"a\r\n--\xff---\n\nb--";
            let mut one_by_one = Vec::new();
            for line in RawLines::new(bytes, &delimiter) {
                one_by_one.push(line);
            }
            let mut at_once = Vec::new();
            RawLines::new(bytes, &delimiter).for_each(|line| at_once.push(line));
            assert_eq!(one_by_one, at_once);
        }
    }
}
