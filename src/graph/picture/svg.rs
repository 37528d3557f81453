//! A picture as SVG that any browser shows: no fonts, no scripts, no style sheet from elsewhere.
//!
//! Colours are given with the picture, its ground too, so that it reads the same on a light and on
//! a dark page.

use std::collections::HashMap;
use std::fmt::Write;

use super::layout::{Layout, Line, Rect, layout};
use super::{Detail, Node, Picture};
use crate::error::printable;

/// Sizes of a box's label and of the lines below it, in pixels.
const LABEL: f64 = 13.0;
const DETAIL: f64 = 11.0;
/// From one line below the label to the next.
const LINE: f64 = 16.0;
/// The widest of the usual monospaced fonts has 0.602 of its size.
const CELL: f64 = 0.61;
/// Cells of a line at most; the rest is in the box's title.
const LONGEST: usize = 34;
/// And of a line below the label that says what is done.
const LONGEST_DETAIL: usize = 46;
const PADDING: f64 = 14.0;
const NARROWEST: f64 = 72.0;
const FONT: &str = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

/// Ground and edge of boxes, by operation in the order in which they come.
const COLOURS: [(&str, &str); 8] = [
    ("#e3eefb", "#4a7dbd"),
    ("#e4f4e4", "#4f9a56"),
    ("#fdf0d8", "#c28a2c"),
    ("#f0e8fa", "#8a63b8"),
    ("#fbe5e5", "#c25d5d"),
    ("#def3f3", "#3f9696"),
    ("#f6ece2", "#a0764a"),
    ("#eceef1", "#6c7786"),
];

pub(super) fn write(picture: &Picture) -> String {
    let texts: Vec<_> = picture.nodes.iter().map(Text::new).collect();
    let sizes: Vec<_> = texts.iter().map(Text::size).collect();
    let Layout { mut width, mut height, boxes, lines } = layout(picture, &sizes);
    if let Some(note) = picture.note {
        width = width.max((cells(note) as f64 * DETAIL * CELL + 2.0 * PADDING).ceil());
        height += 16.0;
    }
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{FONT}\" text-anchor=\"middle\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    out.push_str("<g fill=\"none\" stroke=\"#7b8494\" stroke-width=\"1.3\">\n");
    lines.iter().for_each(|line| curve(&mut out, line));
    out.push_str("</g>\n<g fill=\"#5a6372\">\n");
    lines.iter().for_each(|line| head(&mut out, line));
    out.push_str("</g>\n");
    let mut colours = HashMap::new();
    for ((node, text), place) in picture.nodes.iter().zip(&texts).zip(&boxes) {
        let next = colours.len() % COLOURS.len();
        let colour = COLOURS[*colours.entry(&node.label).or_insert(next)];
        boxed(&mut out, node, text, place, colour);
    }
    if let Some(note) = picture.note {
        let (x, y) = (width / 2.0, height - 8.0);
        let note = escaped(note);
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{DETAIL}\" fill=\"#5a6372\">{note}</text>"
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Leaves, passes rows and arrives straight down, so that there are no corners.
fn curve(out: &mut String, line: &Line) {
    let mut points = line.points.clone();
    if let Some((_, y)) = points.last_mut() {
        // The head covers the end; a line to its point would blunt it.
        *y -= HEAD - 1.0;
    }
    let (mut x, mut y) = points[0];
    let _ = write!(out, "<path d=\"M{x} {y}");
    for &(to_x, to_y) in &points[1..] {
        let middle = (y + to_y) / 2.0;
        let _ = match x == to_x {
            true => write!(out, "V{to_y}"),
            false => write!(out, "C{x} {middle} {to_x} {middle} {to_x} {to_y}"),
        };
        (x, y) = (to_x, to_y);
    }
    out.push_str("\"/>\n");
}

/// Length of an arrow's head.
const HEAD: f64 = 8.0;

fn head(out: &mut String, line: &Line) {
    let (x, y) = line.points[line.points.len() - 1];
    let _ = writeln!(out, "<path d=\"M{x} {y}l-4 -{HEAD}h8z\"/>");
}

fn boxed(out: &mut String, node: &Node, text: &Text, place: &Rect, (ground, edge): (&str, &str)) {
    let Rect { x, y, width, height } = *place;
    let stroke = if node.result { 3 } else { 1 };
    let rect = |out: &mut String, by: f64, ground: &str, stroke: usize| {
        let (x, y) = (x + by, y + by);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" \
             fill=\"{ground}\" stroke=\"{edge}\" stroke-width=\"{stroke}\"/>"
        );
    };
    let _ = writeln!(out, "<g>\n<title>{}</title>", escaped(&text.title));
    if node.tasks > 1 || node.several {
        rect(out, 4.0, "#ffffff", 1);
    }
    rect(out, 0.0, ground, stroke);
    let (left, middle, right) = (x + PADDING, x + width / 2.0, x + width - PADDING);
    let mut line = |(x, y): (f64, f64), anchor: &str, (size, colour): (f64, &str), text: &str| {
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{y}\"{anchor} font-size=\"{size}\" fill=\"{colour}\">{}</text>",
            escaped(text)
        );
    };
    line((middle, y + 21.0), "", (LABEL, "#1f2733"), &text.label);
    for (row, Detail { what, at }) in text.details.iter().enumerate() {
        let y = y + 37.0 + row as f64 * LINE;
        let (dark, grey) = ((DETAIL, "#1f2733"), (DETAIL, "#5a6372"));
        match (what.is_empty(), at.is_empty()) {
            (true, _) => line((middle, y), "", grey, at),
            (_, true) => line((middle, y), "", grey, what),
            _ => {
                line((left, y), " text-anchor=\"start\"", dark, what);
                line((right, y), " text-anchor=\"end\"", grey, at);
            }
        }
    }
    out.push_str("</g>\n");
}

/// What a box says, cut to what there is room for.
pub(super) struct Text {
    label: String,
    details: Vec<Detail>,
    title: String,
}

impl Text {
    pub(super) fn new(node: &Node) -> Self {
        let (label, times) = (printable(&node.label), node.times());
        let mut title = format!("{label}{times}");
        for detail in &node.details {
            title.push('\n');
            title.push_str(&printable(&detail.text()));
        }
        Self {
            label: cut(&label, LONGEST - cells(&times)) + &times,
            details: node.details.iter().map(fitted).collect(),
            title,
        }
    }

    /// Width and height of a box around it.
    pub(super) fn size(&self) -> (f64, f64) {
        let width = self.width() + 2.0 * PADDING;
        // Even, so that the edges of a box whose middle is a whole pixel are sharp.
        let width = (width.max(NARROWEST) / 2.0).ceil() * 2.0;
        (width, 32.0 + LINE * self.details.len() as f64)
    }

    /// Width of the longest line.
    pub(super) fn width(&self) -> f64 {
        let details = self.details.iter().map(|detail| cells(&detail.text())).max();
        (cells(&self.label) as f64 * LABEL).max(details.unwrap_or(0) as f64 * DETAIL) * CELL
    }
}

/// A line below the label, cut to what there is room for: of a place the start.
fn fitted(detail: &Detail) -> Detail {
    let (what, at) = (printable(&detail.what), printable(&detail.at));
    if at.is_empty() {
        return Detail { what: cut(&what, LONGEST_DETAIL), at };
    }
    let what = cut(&what, LONGEST / 2);
    let most = if what.is_empty() { LONGEST } else { LONGEST_DETAIL - cells(&what) - 2 };
    Detail { what, at: cut_front(&at, most) }
}

/// How many cells of a monospaced font a text takes. From Hangul on, where the first wide
/// characters are, each is taken for wide: some have too much room then, none too little.
fn cells(text: &str) -> usize {
    text.chars().map(width).sum()
}

fn width(c: char) -> usize {
    if c < '\u{1100}' || c == '…' { 1 } else { 2 }
}

/// The start of a text, with an ellipsis where it is cut.
fn cut(text: &str, most: usize) -> String {
    if cells(text) <= most {
        return text.to_owned();
    }
    fitting(text.chars(), most - 1).chain(['…']).collect()
}

/// The end of a text, since a place in a program is known by file and line.
fn cut_front(text: &str, most: usize) -> String {
    if cells(text) <= most {
        return text.to_owned();
    }
    let end: Vec<char> = fitting(text.chars().rev(), most - 1).collect();
    std::iter::once('…').chain(end.into_iter().rev()).collect()
}

fn fitting(chars: impl Iterator<Item = char>, most: usize) -> impl Iterator<Item = char> {
    chars.scan(0, move |used, c| {
        *used += width(c);
        (*used <= most).then_some(c)
    })
}

/// Text between tags. What [`printable`] leaves that XML cannot hold is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
