//! Keys and counts in aligned columns, for people.

use comfy_table::{Cell as Field, CellAlignment, ContentArrangement, Table, presets};

use super::encode::{Cell, Encoder, Format};

/// The most rows that are laid out together: beyond this, columns are aligned anew.
pub(crate) const PAGE: usize = 1 << 14;

/// Lays out the rows of a page; fits them to a width, if there is one.
pub(crate) fn page<'a>(rows: impl Iterator<Item = (Cell<'a>, u64)>, width: Option<u16>) -> String {
    let mut text = String::new();
    let encoder = Encoder::new(Format::Table, true);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) if width > 0 => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width)
        }
        _ => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    for (key, count) in rows {
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
        assert_eq!(page(rows.into_iter(), None), " 1234  fish\n    5  魚\n   66  7\n");
    }

    #[test]
    fn nothing_is_wrapped_without_a_width() {
        let long = "x".repeat(500);
        let table = page([(Cell::Text(&long), 1)].into_iter(), None);
        assert_eq!(table.lines().count(), 1);
    }
}
