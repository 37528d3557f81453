//! A profile as text.

use std::fmt;
use std::time::Duration;

use super::profile::{Kind, Profile};
use crate::error::printable;

/// Rows of the table.
const ROWS: usize = 40;
/// The longest name in it, in characters.
const NAME: usize = 40;

/// A column: its heading, and its cell of a row.
type Column = (&'static str, fn(&Kind) -> String);

const COLUMNS: [Column; 10] = [
    ("tasks", |kind| kind.tasks.to_string()),
    ("failed", |kind| kind.failed.to_string()),
    ("retried", |kind| kind.retried.to_string()),
    ("time", |kind| time(kind.time)),
    ("mean", |kind| time(kind.mean())),
    ("longest", |kind| time(kind.longest)),
    ("queued", |kind| time(kind.queued)),
    ("waiting", |kind| time(kind.waiting)),
    ("bytes", |kind| bytes(kind.bytes)),
    ("records", |kind| kind.records.to_string()),
];

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds = self.kinds();
        let all = sum("in all", &kinds);
        if kinds.len() > ROWS {
            let rest = kinds.split_off(ROWS - 1);
            kinds.push(sum(&format!("{} others", rest.len()), &rest));
        }
        let total = all.time.as_secs_f64().max(f64::MIN_POSITIVE);
        let share = |kind: &Kind| format!("{:.1}%", 100.0 * kind.time.as_secs_f64() / total);
        kinds.push(all);

        let mut columns = vec![column("task", &kinds, |kind| cut(&kind.name))];
        let zero = Kind::default();
        let shown = COLUMNS.iter().filter(|(_, cell)| kinds.iter().any(|k| cell(k) != cell(&zero)));
        columns.extend(shown.map(|(heading, cell)| column(heading, &kinds, cell)));
        columns.push(column("share", &kinds, share));
        let widths: Vec<usize> = columns.iter().map(|column| width(column)).collect();
        for row in 0..=kinds.len() {
            write!(f, "{:width$}", columns[0][row], width = widths[0])?;
            for (column, width) in columns.iter().zip(&widths).skip(1) {
                write!(f, "  {:>width$}", column[row])?;
            }
            writeln!(f)?;
        }
        let (threads, busy) = (self.threads(), 100.0 * self.utilisation());
        let s = if threads == 1 { "" } else { "s" };
        write!(f, "{} on {threads} thread{s}, {busy:.0}% of them busy", time(self.wall()))
    }
}

/// A heading and the cells below it.
fn column(heading: &str, kinds: &[Kind], cell: impl Fn(&Kind) -> String) -> Vec<String> {
    std::iter::once(heading.to_owned()).chain(kinds.iter().map(cell)).collect()
}

fn width(column: &[String]) -> usize {
    column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)
}

/// Several kinds as one.
fn sum(name: &str, kinds: &[Kind]) -> Kind {
    let mut sum = Kind { name: name.to_owned(), ..Kind::default() };
    kinds.iter().for_each(|kind| sum.add(kind));
    sum
}

/// A name that fits, and that moves no cursor.
pub(super) fn cut(name: &str) -> String {
    let name = printable(name);
    match name.char_indices().nth(NAME) {
        Some(_) => name.chars().take(NAME - 1).chain(['…']).collect(),
        None => name,
    }
}

fn time(time: Duration) -> String {
    if time.is_zero() { "0s".to_owned() } else { format!("{time:.2?}") }
}

/// Bytes in the unit that leaves one to four digits before the point.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut amount, mut unit) = (bytes as f64, "B");
    for larger in UNITS {
        if amount < 1024.0 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{amount:.2} {unit}") }
}
