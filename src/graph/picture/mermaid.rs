//! A picture for Mermaid, as Markdown pages of code hosts show it.

use std::fmt::Write;

use super::Picture;
use crate::error::printable;

pub(super) fn write(picture: &Picture) -> String {
    let mut out = String::from("flowchart TD\n");
    if let Some(note) = picture.note {
        let _ = writeln!(out, "  %% {note}");
    }
    for (number, node) in picture.nodes.iter().enumerate() {
        let mut label = format!("{}{}", quoted(&node.label), node.times());
        for detail in &node.details {
            label.push_str("<br/>");
            label.push_str(&quoted(&detail.text()));
        }
        let result = if node.result { ":::result" } else { "" };
        let _ = writeln!(out, "  n{number}[\"{label}\"]{result}");
    }
    for (from, to) in &picture.arrows {
        let _ = writeln!(out, "  n{from} --> n{to}");
    }
    out.push_str("  classDef result stroke-width:3px\n");
    out
}

/// Text between double quotes. A label may hold HTML and Markdown, so all but letters, digits and
/// what joins them (`src/x.rs:12`) is written as a code.
pub(super) fn quoted(text: &str) -> String {
    let text: Vec<char> = printable(text).chars().collect();
    let plain = |at: usize| text.get(at).is_some_and(|c| c.is_alphanumeric());
    let mut out = String::new();
    for (at, &c) in text.iter().enumerate() {
        let joins = "_-./:".contains(c) && at > 0 && plain(at - 1) && plain(at + 1);
        if plain(at) || joins || c == ' ' || !c.is_ascii() {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}
