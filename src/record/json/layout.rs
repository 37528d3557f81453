//! A reader of records that remembers the layout of the record before.
//!
//! Records of a log have the same keys in the same order. The reader keeps the separators of a record: the bytes
//! between its values, which are commas, keys, colons and white space. It compares the next record with them. One
//! comparison replaces the scan of a key, the search for a colon and the comparison with the names of fields, so
//! that a record of twelve values takes half the time.
//!
//! Values are checked by the same [`Cursor`] as without a layout. If a separator differs or a value is wrong, the
//! reader starts again at the beginning of the record with [`record`]. So results and errors do not depend on the
//! layout.

use std::ops::Range;

use creel_kernels::padded_within;

use super::scan::{Checked, Cursor, record, value_end};

/// A record with more values has no layout.
const MOST: usize = 256;

/// The values of objects are separate values down to this depth; a deeper object is one value.
const LEVELS: usize = 4;

/// After so many misses in a row, the reader pauses before it tries a layout again.
const MISSES: u32 = 4;

/// Reads records and finds the fields with the wanted names.
pub(crate) struct Reader<'w> {
    wanted: &'w [Box<str>],
    layout: Layout,
    /// How many records in a row had another layout than the record before.
    misses: u32,
    /// How many records to read without a layout.
    pause: u32,
}

/// The layout of a record.
#[derive(Default)]
struct Layout {
    /// The bytes before each value and behind the last one. Empty if no layout is known.
    separators: Vec<Separator>,
    /// Where each separator starts in the current record.
    starts: Vec<usize>,
    /// The wanted fields: the index of the name, and the start and end of the value.
    fields: Vec<(usize, Place, Place)>,
}

struct Separator {
    /// The first 16 bytes, padded with zeros.
    first: u128,
    /// The bytes behind them.
    rest: Box<[u8]>,
    len: usize,
    /// The nesting depth of the value that follows.
    depth: usize,
}

/// A position in a record, relative to the start of a separator.
#[derive(Clone, Copy)]
struct Place {
    separator: usize,
    offset: usize,
}

impl<'w> Reader<'w> {
    pub(crate) fn new(wanted: &'w [Box<str>]) -> Self {
        Self { wanted, layout: Layout::default(), misses: 0, pause: 0 }
    }

    /// Reads one record as [`record`] does. Calls `found` with the index of each wanted name and the range of its
    /// value. If a key occurs several times, `found` is called for each, in input order.
    #[inline]
    pub(crate) fn record(
        &mut self,
        text: &str,
        range: Range<usize>,
        mut found: impl FnMut(usize, Range<usize>),
    ) -> Checked<Option<(Range<usize>, usize)>> {
        if self.pause == 0
            && let Some(value) = self.layout.follow(text, range.clone())
        {
            self.misses = 0;
            for &(field, start, end) in &self.layout.fields {
                found(field, self.layout.at(start)..self.layout.at(end));
            }
            return value_end(text, range, value).map(Some);
        }
        let wanted = self.wanted;
        let read = record(text, range, |member| {
            for (field, name) in wanted.iter().enumerate() {
                if member.is(text, name) {
                    found(field, member.value.clone());
                }
            }
        });
        if let Ok(Some((value, _))) = &read {
            self.learn(text, value.clone());
        }
        read
    }

    /// Remembers the layout of a record that [`record`] accepted, unless the reader pauses.
    #[cold]
    fn learn(&mut self, text: &str, value: Range<usize>) {
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        self.misses += 1;
        if self.misses > MISSES {
            self.pause = 1 << self.misses.min(10);
        }
        self.layout = Layout::of(text, value, self.wanted).unwrap_or_default();
    }
}

impl Layout {
    /// The position of a place in the current record.
    #[inline]
    fn at(&self, place: Place) -> usize {
        self.starts[place.separator] + place.offset
    }

    /// Reads a record that has this layout and returns the range of its value; `None` if the layout differs
    /// or a value is wrong.
    #[inline]
    fn follow(&mut self, text: &str, range: Range<usize>) -> Option<Range<usize>> {
        // Up to 16 bytes behind the range are visible to the cursor: then 16 bytes are one load at the end of the
        // range too. A record that would end behind the range is refused below.
        let bytes = &text.as_bytes()[..text.len().min(range.end.saturating_add(16))];
        let mut cursor = Cursor { bytes, at: range.start };
        cursor.space();
        let value = cursor.at;
        let (last, before) = self.separators.split_last()?;
        let (last_start, starts) = self.starts.split_last_mut()?;
        for (separator, start) in before.iter().zip(starts) {
            *start = cursor.at;
            cursor.at = separator.behind(bytes, cursor.at)?;
            cursor.value_behind(separator.depth).ok()?;
        }
        *last_start = cursor.at;
        let end = last.behind(bytes, cursor.at)?;
        (end <= range.end).then_some(value..end)
    }

    /// The layout of a value that [`record`] accepted; `None` if it is no object or has too many values.
    fn of(text: &str, value: Range<usize>, wanted: &[Box<str>]) -> Option<Self> {
        let mut collector = Collector { text, wanted, end: value.start, layout: Self::default() };
        if text.as_bytes()[value.start] != b'{' {
            return None;
        }
        collector.object(value.clone(), 0)?;
        collector.separator(value.end, 0);
        let mut layout = collector.layout;
        layout.starts.resize(layout.separators.len(), 0);
        Some(layout)
    }
}

impl Separator {
    /// The position behind this separator, if the bytes from `at` on are equal to it.
    #[inline(always)]
    fn behind(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if bytes.len() - at < self.len || padded_within(bytes, at, self.len.min(16)) != self.first {
            return None;
        }
        let end = at + self.len;
        (self.len <= 16 || bytes[at + 16..end] == *self.rest).then_some(end)
    }
}

/// Collects the layout of a record.
struct Collector<'t> {
    text: &'t str,
    wanted: &'t [Box<str>],
    /// The end of the last value.
    end: usize,
    layout: Layout,
}

impl Collector<'_> {
    /// Adds the values of an object; `None` if there are too many.
    fn object(&mut self, object: Range<usize>, depth: usize) -> Option<()> {
        let text = self.text;
        let mut cursor = Cursor { bytes: &text.as_bytes()[..object.end], at: object.start };
        let mut all = Some(());
        // It was checked before.
        let _ = cursor.object(depth, |member| {
            let start = self.place(member.value.start);
            if all.is_some() {
                all = self.value(member.value.clone(), depth + 1);
            }
            let end = self.place(member.value.end);
            let names = self.wanted.iter().enumerate().filter(|_| depth == 0);
            let fields = names.filter(|(_, name)| member.is(text, name)).map(|(field, _)| field);
            self.layout.fields.extend(fields.map(|field| (field, start, end)));
        });
        all
    }

    fn value(&mut self, value: Range<usize>, depth: usize) -> Option<()> {
        if self.text.as_bytes()[value.start] == b'{' && depth < LEVELS {
            return self.object(value, depth);
        }
        if self.layout.separators.len() == MOST {
            return None;
        }
        self.separator(value.start, depth);
        self.end = value.end;
        Some(())
    }

    /// Adds the separator between the last value and a value of this depth that starts at `end`.
    fn separator(&mut self, end: usize, depth: usize) {
        let bytes = &self.text.as_bytes()[self.end..end];
        let (first, rest) = bytes.split_at(bytes.len().min(16));
        let first = padded_within(first, 0, first.len());
        self.layout.separators.push(Separator {
            first,
            rest: rest.into(),
            len: bytes.len(),
            depth,
        });
    }

    /// A position behind the last value, relative to the separator that is not complete yet.
    fn place(&self, at: usize) -> Place {
        Place { separator: self.layout.separators.len(), offset: at - self.end }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::documents;
    use super::*;

    type Seen = (Checked<Option<(Range<usize>, usize)>>, Vec<Option<Range<usize>>>);

    fn by_reader(reader: &mut Reader<'_>, text: &str, range: Range<usize>) -> Seen {
        let mut fields = vec![None; reader.wanted.len()];
        let read = reader.record(text, range, |field, value| fields[field] = Some(value));
        (read, fields)
    }

    fn by_walk(wanted: &[Box<str>], text: &str, range: Range<usize>) -> Seen {
        let mut fields = vec![None; wanted.len()];
        let read = record(text, range, |member| {
            for (name, field) in wanted.iter().zip(&mut fields) {
                if member.is(text, name) {
                    *field = Some(member.value.clone());
                }
            }
        });
        (read, fields)
    }

    /// A record and the same again with other values, or with a byte changed.
    fn alike() -> impl Strategy<Value = Vec<String>> {
        let values = [
            "0",
            "-1.5e3",
            "00",
            "\"\"",
            "\"a\\u0062\"",
            "\"\u{1}\"",
            "null",
            "nul",
            "{\"a\":[]}",
            "[1, 2]",
            "[",
            "",
        ];
        let change = (any::<prop::sample::Index>(), prop::sample::select(values.to_vec()));
        let damage = (
            any::<prop::sample::Index>(),
            prop::sample::select(vec!["", "\"", "}", "]", ",", ":", "1", " ", "\\"]),
        );
        let changes = prop::collection::vec((change, prop::option::weighted(0.3, damage)), 0..6);
        (documents(), changes).prop_map(|(document, changes)| {
            let document = document.replace('\n', " ");
            let mut leaves = Vec::new();
            let object = document.trim();
            let from = document.len() - document.trim_start().len();
            if let Some(layout) = Layout::of(&document, from..from + object.len(), &[]) {
                let mut at = from;
                for separator in &layout.separators[..layout.separators.len() - 1] {
                    let mut cursor = Cursor { bytes: document.as_bytes(), at: at + separator.len };
                    let _ = cursor.value_behind(separator.depth);
                    leaves.push(at + separator.len..cursor.at);
                    at = cursor.at;
                }
            }
            let mut records = vec![document.clone()];
            for ((which, value), damage) in changes {
                let mut record = document.clone();
                if !leaves.is_empty() {
                    record.replace_range(which.get(&leaves).clone(), value);
                }
                if let Some((at, with)) = damage {
                    let mut at = at.index(record.len() + 1);
                    while !record.is_char_boundary(at) {
                        at -= 1;
                    }
                    let end = record[at..].chars().next().map_or(at, |c| at + c.len_utf8());
                    record.replace_range(at..end, with);
                }
                records.push(record);
            }
            records
        })
    }

    proptest! {
        #[test]
        fn a_reader_with_a_layout_gives_what_a_plain_walk_gives(
            records in prop::collection::vec(alike(), 1..4),
            separator in prop::sample::select(vec!["\n", "", "\r\n", ";"]),
        ) {
            let names = ["a", "b", "status"].map(Box::from);
            let text = records.concat().join(separator);
            let mut reader = Reader::new(&names);
            let mut start = 0;
            for record in records.concat() {
                let mut range = start..start + record.len();
                start = range.end + separator.len();
                loop {
                    let (read, fields) = by_reader(&mut reader, &text, range.clone());
                    prop_assert_eq!((&read, &fields), (&by_walk(&names, &text, range.clone()).0, &by_walk(&names, &text, range.clone()).1));
                    match read {
                        Ok(Some((_, next))) if next < range.end => range.start = next,
                        _ => break,
                    }
                }
            }
        }
    }

    #[test]
    fn a_record_with_the_same_layout_is_compared_with_it() {
        let text = r#"{"a": {"b":1,"c":[2]}, "long enough to be compared in two steps":"x"}
{"a": {"b":"","c":{}}, "long enough to be compared in two steps":null}"#;
        let (first, second) =
            (0..text.find('\n').unwrap(), text.find('\n').unwrap() + 1..text.len());
        let names = ["a".into()];
        let mut reader = Reader::new(&names);
        assert!(by_reader(&mut reader, text, first).0.is_ok());
        assert_eq!(reader.layout.follow(text, second.clone()), Some(second.clone()));
        assert_eq!(by_reader(&mut reader, text, second.clone()), by_walk(&names, text, second));
        assert_eq!(reader.misses, 0);
    }

    #[test]
    fn a_reader_pauses_if_every_record_has_another_layout() {
        let names = ["k".into()];
        let mut reader = Reader::new(&names);
        for n in 0..3000 {
            let text = format!("{{\"k{n}\":1,\"k\":{n}}}");
            assert_eq!(
                by_reader(&mut reader, &text, 0..text.len()),
                by_walk(&names, &text, 0..text.len())
            );
        }
        assert!(reader.pause > 0);
    }
}
