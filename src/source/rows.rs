//! Names with numbers, in few bytes: what a listing tells of its objects.
//!
//! Neighbours in a listing begin alike, and their numbers are close. So a row holds what is left of
//! its name behind the part that it shares with the row before, and how its numbers differ from
//! those. Every [`APART`]th row stands by itself, so that reading can begin there.

/// Numbers of a row.
pub(super) const NUMBERS: usize = 9;
/// Rows from one that stands by itself to the next.
const APART: usize = 32;
/// How many hexadecimal digits an ETag has that is an MD5.
const DIGITS: usize = 32;

/// Rows, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    /// Where each row begins that stands by itself.
    marks: Vec<usize>,
    len: usize,
    last: Row,
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) numbers: [i64; NUMBERS],
    pub(super) tag: Option<String>,
}

/// How a tag is written.
const NO_TAG: u8 = 0;
const TEXT: u8 = 1;
/// Digits in quotes, two in a byte.
const MD5: u8 = 2;

impl Rows {
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory that they take.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len() + size_of_val(&self.marks[..])
    }

    pub(super) fn push(&mut self, name: &str, numbers: [i64; NUMBERS], tag: Option<&str>) {
        if self.len.is_multiple_of(APART) {
            self.marks.push(self.bytes.len());
            (self.last.numbers, self.last.name) = ([0; NUMBERS], String::new());
        }
        let shared = shared(&self.last.name, name);
        put(&mut self.bytes, shared as u64);
        text(&mut self.bytes, &name[shared..]);
        for (now, before) in numbers.iter().zip(self.last.numbers) {
            put(&mut self.bytes, zigzag(now.wrapping_sub(before)));
        }
        match (tag, tag.and_then(digits)) {
            (None, _) => self.bytes.push(NO_TAG),
            (_, Some(md5)) => {
                self.bytes.push(MD5);
                self.bytes.extend(md5);
            }
            (Some(tag), None) => {
                self.bytes.push(TEXT);
                text(&mut self.bytes, tag);
            }
        }
        self.last.numbers = numbers;
        self.last.name.truncate(shared);
        self.last.name.push_str(&name[shared..]);
        self.len += 1;
    }

    /// Gives back room for more of them.
    pub(super) fn finish(&mut self) {
        self.bytes.shrink_to_fit();
        self.marks.shrink_to_fit();
        self.last = Row::default();
    }

    /// The rows from this one on.
    pub(super) fn from(&self, first: usize) -> Reading<'_> {
        let mark = first / APART;
        let at = self.marks.get(mark).copied().unwrap_or(self.bytes.len());
        let mut rows = Reading { rows: self, at, next: mark * APART, row: Row::default() };
        while rows.next < first && rows.advance().is_some() {}
        rows
    }

    /// The rows by name.
    #[cfg_attr(not(feature = "cloud"), allow(dead_code))]
    pub(super) fn sorted(self) -> Self {
        let mut all = Vec::with_capacity(self.len);
        let mut rows = self.from(0);
        while let Some(row) = rows.advance() {
            all.push(row.clone());
        }
        drop(self);
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let mut sorted = Self::default();
        for Row { name, numbers, tag } in all {
            sorted.push(&name, numbers, tag.as_deref());
        }
        sorted
    }
}

/// Rows that are read one after another.
#[derive(Debug)]
pub(super) struct Reading<'r> {
    rows: &'r Rows,
    at: usize,
    next: usize,
    row: Row,
}

impl Reading<'_> {
    /// The next row; `None` after the last.
    pub(super) fn advance(&mut self) -> Option<&Row> {
        if self.next >= self.rows.len {
            return None;
        }
        if self.next.is_multiple_of(APART) {
            self.row = Row::default();
        }
        let shared = self.number() as usize;
        let rest = self.text();
        self.row.name.truncate(shared);
        self.row.name.push_str(&rest);
        for number in 0..NUMBERS {
            let by = unzigzag(self.number());
            let before = &mut self.row.numbers[number];
            *before = before.wrapping_add(by);
        }
        self.row.tag = match self.take(1)[0] {
            TEXT => Some(self.text()),
            MD5 => Some(quoted(self.take(DIGITS / 2))),
            _ => None,
        };
        self.next += 1;
        Some(&self.row)
    }

    fn take(&mut self, bytes: usize) -> &[u8] {
        self.at += bytes;
        &self.rows.bytes[self.at - bytes..self.at]
    }

    fn text(&mut self) -> String {
        let length = self.number() as usize;
        String::from_utf8_lossy(self.take(length)).into_owned()
    }

    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }
}

/// How many bytes two names begin with alike, in whole characters.
fn shared(a: &str, b: &str) -> usize {
    let mut shared = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    while !b.is_char_boundary(shared) {
        shared -= 1;
    }
    shared
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    put(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

/// Writes seven bits in a byte, the lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Numbers near zero to small ones.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// The bytes of an MD5 that is written in lower case and quotes.
fn digits(tag: &str) -> Option<[u8; DIGITS / 2]> {
    let digits: &[u8; DIGITS] =
        tag.strip_prefix('"')?.strip_suffix('"')?.as_bytes().try_into().ok()?;
    let mut bytes = [0; DIGITS / 2];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        });
        *byte = high? << 4 | low?;
    }
    Some(bytes)
}

fn quoted(md5: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    let digits = md5.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    std::iter::once('"').chain(digits).chain(std::iter::once('"')).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(rows: &Rows, first: usize) -> Vec<Row> {
        let mut all = Vec::new();
        let mut reading = rows.from(first);
        while let Some(row) = reading.advance() {
            all.push(row.clone());
        }
        all
    }

    proptest! {
        #[test]
        fn rows_come_back_from_any_of_them_on(
            rows in prop::collection::vec(
                ("[a-cé/]{0,9}", any::<[i64; NUMBERS]>(), prop::option::of("\"?[0-9a-f]{30,33}\"?")),
                0..100,
            ),
            first in 0..110_usize,
        ) {
            let mut packed = Rows::default();
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(name, numbers, tag)| Row { name, numbers, tag })
                .collect();
            for Row { name, numbers, tag } in &rows {
                packed.push(name, *numbers, tag.as_deref());
            }
            prop_assert_eq!(packed.len(), rows.len());
            prop_assert_eq!(read(&packed, first), rows.get(first..).unwrap_or_default());
            let mut by_name = rows;
            by_name.sort_by(|a, b| a.name.cmp(&b.name));
            prop_assert_eq!(read(&packed.sorted(), 0), by_name);
        }
    }

    #[test]
    fn neighbours_of_a_listing_take_few_bytes() {
        let mut rows = Rows::default();
        for n in 0..10_000_i64 {
            let name = format!("s3://bucket/logs/2026/11/28/part-{n:08}.jsonl.gz");
            let md5 = format!("\"{:032x}\"", n.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let numbers = [2, n, 1_000_000 + n * 7919 % 100_000, 1_700_000_000 + n, 0, 0, 0, 0, 0];
            rows.push(&name, numbers, Some(&md5));
        }
        assert!(rows.weight() / rows.len() < 48, "{}", rows.weight() / rows.len());
    }
}
