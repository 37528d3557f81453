//! A picture for Graphviz.

use std::fmt::Write;

use super::Picture;
use crate::error::printable;

pub(super) fn write(picture: &Picture) -> String {
    let mut out = String::from("digraph creel {\n");
    out.push_str("  node [shape=box, style=\"rounded,filled\", fillcolor=\"#eef3fb\"];\n");
    if let Some(note) = picture.note {
        let _ = writeln!(out, "  label=\"{}\";", quoted(note));
    }
    for (number, node) in picture.nodes.iter().enumerate() {
        let mut label = format!("{}{}", quoted(&node.label), node.times());
        for detail in &node.details {
            label.push_str("\\n");
            label.push_str(&quoted(&detail.text()));
        }
        let result = if node.result { ", penwidth=3" } else { "" };
        let _ = writeln!(out, "  n{number} [label=\"{label}\"{result}];");
    }
    for (from, to) in &picture.arrows {
        let _ = writeln!(out, "  n{from} -> n{to};");
    }
    out.push_str("}\n");
    out
}

/// Text between double quotes. Labels know two escapes more than other strings: a backslash
/// starts one, and so does an ampersand, as in HTML.
pub(super) fn quoted(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;")
}
