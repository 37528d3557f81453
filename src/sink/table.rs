//! Keys and counts in aligned columns, for people.

use std::iter::Peekable;

use comfy_table::{Cell as Field, CellAlignment, ContentArrangement, Table, presets};

use super::encode::{Cell, Encoder, Format};

/// The most rows that are laid out together: beyond this, columns are aligned anew.
const ROWS: usize = 1 << 14;
/// The most bytes that the rows of a page take, each as long as the longest: the library pads them,
/// and keeps some copies.
const BYTES: usize = 2 << 20;
/// The longest key that is laid out in columns; the library breaks lines of 64 KiB.
const LONGEST: usize = 16 << 10;

/// How much a page holds already.
#[derive(Debug, Default)]
pub(crate) struct Page {
    rows: usize,
    longest: usize,
}

impl Page {
    /// Whether the page has room for one more row, whose key takes so many bytes. The first row
    /// always has.
    pub(crate) fn takes(&mut self, bytes: usize) -> bool {
        let longest = self.longest.max(bytes);
        let has_room = self.rows < ROWS && (self.rows + 1).saturating_mul(longest) <= BYTES;
        let has_room = has_room && longest <= LONGEST;
        if self.rows > 0 && !has_room {
            return false;
        }
        (self.rows, self.longest) = (self.rows + 1, longest);
        true
    }
}

/// Lays out the rows of the next page; fits them to a width, if there is one.
pub(crate) fn page<'a>(
    rows: &mut Peekable<impl Iterator<Item = (Cell<'a>, u64)>>,
    width: Option<u16>,
) -> String {
    let encoder = Encoder::new(Format::Table, true);
    if let Some((key, count)) = rows.next_if(|(key, _)| key.bytes() > LONGEST) {
        let mut line = format!(" {count}  ").into_bytes();
        encoder.value(&mut line, key);
        return String::from_utf8_lossy(&line).into_owned();
    }
    let mut text = String::new();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) if width > 0 => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width)
        }
        _ => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    let mut page = Page::default();
    while let Some((key, count)) = rows.next_if(|(key, _)| page.takes(key.bytes())) {
        let mut shown = Vec::new();
        encoder.value(&mut shown, key);
        let shown = String::from_utf8_lossy(&shown);
        let count = Field::new(count).set_alignment(CellAlignment::Right);
        table.add_row([count, Field::new(shown.trim_end_matches('\n'))]);
    }
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_whatever_the_script() {
        let rows = [(Cell::Text("fish"), 1234), (Cell::Text("魚"), 5), (Cell::Number(7), 66)];
        assert_eq!(
            page(&mut rows.into_iter().peekable(), None),
            " 1234  fish\n    5  魚\n   66  7\n"
        );
    }

    #[test]
    fn nothing_is_wrapped_without_a_width() {
        let long = "x".repeat(500);
        let table = page(&mut [(Cell::Text(&long), 1)].into_iter().peekable(), None);
        assert_eq!(table.lines().count(), 1);
    }

    #[test]
    fn pages_end_by_rows_and_by_bytes_and_lose_no_row() {
        let (long, longer) = ("x".repeat(LONGEST), "x".repeat(1 << 20));
        for (key, most) in [("x", ROWS), (&*long, BYTES / LONGEST), (&*longer, 1)] {
            let mut rows = std::iter::repeat_n((Cell::Text(key), 1), most + 2).peekable();
            let lines = |page: String| page.lines().count();
            let pages = [page(&mut rows, None), page(&mut rows, None)].map(lines);
            assert_eq!(pages, [most, most.min(2)]);
            assert_eq!(rows.count(), 2 - pages[1]);
        }
    }
}
