//! Values to bytes: JSON Lines, plain text, table cells.

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;

use creel_kernels::plain;

use crate::error::{is_hidden, printable};
use crate::record::json;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON value a line.
    Jsonl,
    /// Aligned columns, for people.
    Table,
    /// The text itself; a key and its count with a tab between.
    Text,
}

/// A value to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    Bool(bool),
    Number(i128),
    Text(&'a str),
    List(&'a [&'a str]),
    /// A value of JSON, as it stands in its record; nothing for a missing one.
    Json(&'a str),
    /// A value of JSON by its key (see [`crate::record::json`]).
    Key(&'a str),
}

impl Cell<'_> {
    /// About as many bytes as it takes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Bool(_) | Self::Number(_) => size_of::<Self>(),
            Self::Text(text) | Self::Json(text) | Self::Key(text) => text.len(),
            Self::List(texts) => texts.iter().map(|text| text.len()).sum(),
        }
    }
}

/// Writes values in one format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoder {
    format: Format,
    terminal: bool,
}

impl Encoder {
    /// For a terminal, control characters of the data are always written escaped: nothing that
    /// was read may move the cursor or retitle the window.
    pub(crate) fn new(format: Format, terminal: bool) -> Self {
        Self { format, terminal }
    }

    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// Returns true if a text is written as it is.
    pub(crate) fn copies_texts(self) -> bool {
        self.format == Format::Text && !self.terminal
    }

    /// Appends a value and a line end.
    pub(crate) fn value(self, out: &mut Vec<u8>, cell: Cell<'_>) {
        match self.format {
            Format::Jsonl => self.json(out, cell),
            Format::Text | Format::Table => self.plain(out, cell),
        }
        out.push(b'\n');
    }

    /// Appends pieces of a text, with a line end each.
    ///
    /// Written as they are, neighbours with just a line end between them are copied as one.
    pub(crate) fn texts(
        self,
        out: &mut Vec<u8>,
        text: &str,
        pieces: impl Iterator<Item = Range<usize>>,
    ) {
        if self.format != Format::Text || self.terminal {
            return pieces.for_each(|piece| self.value(out, Cell::Text(&text[piece])));
        }
        let mut pieces = pieces.peekable();
        while let Some(Range { start, mut end }) = pieces.next() {
            let follows =
                |next: &Range<usize>, end| next.start == end + 1 && text.as_bytes()[end] == b'\n';
            while let Some(next) = pieces.next_if(|next| follows(next, end)) {
                end = next.end;
            }
            out.extend_from_slice(&text.as_bytes()[start..end]);
            out.push(b'\n');
        }
    }

    /// Appends a key and its count, and a line end.
    pub(crate) fn pair(self, out: &mut Vec<u8>, key: Cell<'_>, count: u64) {
        // Writing to a vector cannot fail.
        let _ = match self.format {
            Format::Jsonl => {
                out.push(b'[');
                self.json(out, key);
                writeln!(out, ",{count}]")
            }
            Format::Text | Format::Table => {
                self.plain(out, key);
                writeln!(out, "\t{count}")
            }
        };
    }

    /// Appends a part of a list or an object of JSON, which is cut at no character of a text.
    pub(crate) fn part(self, out: &mut Vec<u8>, json: &str) {
        if !json.is_empty() {
            self.json(out, Cell::Json(json));
        }
    }

    fn json(self, out: &mut Vec<u8>, cell: Cell<'_>) {
        let start = out.len();
        // Writing to a vector cannot fail, and neither can texts be turned into JSON.
        match cell {
            Cell::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
            Cell::Number(number) => {
                let _ = write!(out, "{number}");
            }
            // Most texts have nothing to escape.
            Cell::Text(text) if plain(text.as_bytes(), 0) == text.len() => {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            Cell::Text(text) => {
                let _ = serde_json::to_writer(&mut *out, text);
            }
            Cell::List(texts) => {
                let _ = serde_json::to_writer(&mut *out, texts);
            }
            Cell::Json("") => out.extend_from_slice(b"null"),
            Cell::Json(raw) => {
                out.extend_from_slice(raw.as_bytes());
                // Only white space between values can be a line end; a value stays on its line.
                let ends = out[start..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r'));
                ends.for_each(|byte| *byte = b' ');
            }
            // Of a string it is what the string stands for, behind a quote.
            Cell::Key(key) if key.starts_with('"') => return self.json(out, Cell::Text(&key[1..])),
            Cell::Key(key) => {
                let mut value = String::new();
                json::write_value(key, &mut value);
                out.extend_from_slice(value.as_bytes());
            }
        }
        if self.terminal {
            escape_json_controls(out, start);
        }
    }

    fn plain(self, out: &mut Vec<u8>, cell: Cell<'_>) {
        match cell {
            Cell::Text(text) if self.terminal || self.format == Format::Table => {
                out.extend_from_slice(visible(text).as_bytes());
            }
            Cell::Text(text) => out.extend_from_slice(text.as_bytes()),
            Cell::Json(raw) if raw.starts_with('"') => {
                let mut text = String::new();
                json::unescape(&raw[1..raw.len() - 1], &mut text);
                self.plain(out, Cell::Text(&text));
            }
            Cell::Key(key) if key.starts_with('"') => self.plain(out, Cell::Text(&key[1..])),
            other => self.json(out, other),
        }
    }
}

/// JSON leaves DEL, the C1 controls and marks of direction as they are, and terminals obey them.
fn escape_json_controls(out: &mut Vec<u8>, start: usize) {
    let Ok(text) = std::str::from_utf8(&out[start..]) else { return };
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return;
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    out.truncate(start);
    out.extend_from_slice(escaped.as_bytes());
}

/// Text that shows what is in it and does nothing to a terminal. Tabs stay.
fn visible(text: &str) -> String {
    text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(format: Format, terminal: bool, cell: Cell<'_>) -> String {
        let mut out = Vec::new();
        Encoder::new(format, terminal).value(&mut out, cell);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_written_raw_to_a_file_and_escaped_to_a_terminal() {
        let text = Cell::Text("a\x1b[31m\u{9b}é");
        assert_eq!(encoded(Format::Text, false, text), "a\x1b[31m\u{9b}é\n");
        assert_eq!(encoded(Format::Text, true, text), "a\\x1b[31m\\u{9b}é\n");
        assert_eq!(encoded(Format::Jsonl, false, text), "\"a\\u001b[31m\u{9b}é\"\n");
        assert_eq!(encoded(Format::Jsonl, true, text), "\"a\\u001b[31m\\u009bé\"\n");
    }

    #[test]
    fn marks_of_direction_are_escaped_to_a_terminal_and_in_tables() {
        let text = Cell::Text("\u{202e}txt\t\u{e0041}\u{200d}");
        assert_eq!(encoded(Format::Table, false, text), "\\u{202e}txt\t\\u{e0041}\u{200d}\n");
        assert_eq!(encoded(Format::Text, true, text), "\\u{202e}txt\t\\u{e0041}\u{200d}\n");
        let json = encoded(Format::Jsonl, true, text);
        assert_eq!(json, "\"\\u202etxt\\t\\udb40\\udc41\u{200d}\"\n");
        assert_eq!(encoded(Format::Text, false, text), "\u{202e}txt\t\u{e0041}\u{200d}\n");
    }

    #[test]
    fn every_kind_of_value_is_json() {
        assert_eq!(encoded(Format::Jsonl, false, Cell::Bool(true)), "true\n");
        assert_eq!(encoded(Format::Jsonl, false, Cell::Number(-7)), "-7\n");
        assert_eq!(encoded(Format::Jsonl, false, Cell::List(&["a", "\""])), "[\"a\",\"\\\"\"]\n");
        assert_eq!(encoded(Format::Text, false, Cell::List(&["a"])), "[\"a\"]\n");
    }

    #[test]
    fn pieces_of_a_text_are_written_as_if_alone() {
        let text = "a\nbc\n\nd\r\ne\"f";
        let pieces = [0..1, 2..4, 5..5, 6..7, 9..12, 9..10];
        for (format, terminal) in
            [Format::Text, Format::Jsonl].map(|f| [(f, false), (f, true)]).as_flattened()
        {
            let encoder = Encoder::new(*format, *terminal);
            let (mut together, mut alone) = (Vec::new(), Vec::new());
            encoder.texts(&mut together, text, pieces.iter().cloned());
            pieces
                .iter()
                .for_each(|piece| encoder.value(&mut alone, Cell::Text(&text[piece.clone()])));
            assert_eq!(together, alone);
        }
    }

    #[test]
    fn a_pair_is_an_array_or_two_fields() {
        let mut out = Vec::new();
        Encoder::new(Format::Jsonl, false).pair(&mut out, Cell::Text("w"), 123);
        Encoder::new(Format::Text, false).pair(&mut out, Cell::Text("w"), 123);
        assert_eq!(out, b"[\"w\",123]\nw\t123\n");
    }
}
