//! A picture of a graph: boxes and arrows, as SVG, DOT or Mermaid.
//!
//! Knows nothing of tasks and how they run: whoever has a graph names its boxes and arrows, and
//! saves. The way of a picture is [`group`] (a large graph becomes a small one), [`order`] (rows,
//! and the order within each), [`layout`] (places), [`svg`]; [`dot`] and [`mermaid`] leave places
//! to others. The same graph gives the same bytes everywhere.
//!
//! The layout is our own. The one crate for it, `layout-rs`, was tried: it hangs a tree by its
//! left edge, lets arrows run through boxes and end at their sides, and cuts no text.

mod dot;
mod group;
mod layout;
mod links;
mod mermaid;
mod order;
mod svg;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use crate::output::write_whole;
use crate::{Error, Result};

/// More boxes than this are hard to look at.
const MOST: usize = 60;

/// What is to be drawn: boxes from above to below, as data flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    nodes: Vec<Node>,
    /// From a box to one that is made from it. No way leads back to where it started.
    arrows: Vec<(usize, usize)>,
    most: usize,
    /// What a reader should know that boxes and arrows do not say.
    note: Option<&'static str>,
}

/// One box: a task, or several that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    label: String,
    details: Vec<Detail>,
    /// Whether somebody asked for it, so that it is more than a step on the way.
    result: bool,
    /// How many tasks it stands for.
    tasks: usize,
    /// Whether a run makes several of each, as many as it finds best.
    several: bool,
}

/// A line below the label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Detail {
    what: String,
    /// Where it stands in a program; may be empty, as may the other.
    at: String,
}

/// How a picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Dot,
    Mermaid,
}

impl Default for Picture {
    fn default() -> Self {
        Self { nodes: Vec::new(), arrows: Vec::new(), most: MOST, note: None }
    }
}

impl Picture {
    /// Draws tasks that are alike as one where there would be more boxes than this; 60 by default.
    #[cfg(test)]
    pub(crate) fn at_most(self, boxes: usize) -> Self {
        Self { most: boxes.max(1), ..self }
    }

    /// Adds a box for a task: its operation, and where known the line that made it. Gives the
    /// number by which arrows know it.
    pub(crate) fn task(&mut self, operation: impl Into<String>, line: Option<String>) -> usize {
        let details = line.map(|at| Detail { what: String::new(), at }).into_iter().collect();
        let label = operation.into();
        self.nodes.push(Node { label, details, result: false, tasks: 1, several: false });
        self.nodes.len() - 1
    }

    /// Adds a line to a task's box: a step in it, and the place of that in a program.
    ///
    /// # Panics
    ///
    /// If there is no such box.
    pub(crate) fn detail(&mut self, task: usize, what: impl Into<String>, at: String) {
        self.nodes[task].details.push(Detail { what: what.into(), at });
    }

    /// Marks a task as one of several, whose number only a run knows.
    ///
    /// # Panics
    ///
    /// If there is no such box.
    pub(crate) fn several(&mut self, task: usize) {
        self.nodes[task].several = true;
    }

    /// Adds an arrow from a task to one that uses its result. No way may lead back.
    ///
    /// # Panics
    ///
    /// If there is no such box.
    pub(crate) fn arrow(&mut self, from: usize, to: usize) {
        assert!(from.max(to) < self.nodes.len(), "an arrow joins boxes that are there");
        self.arrows.push((from, to));
    }

    /// Marks a task as one whose result is asked for.
    ///
    /// # Panics
    ///
    /// If there is no such box.
    pub(crate) fn result(&mut self, task: usize) {
        self.nodes[task].result = true;
    }

    /// Writes the picture to a file, whose suffix says how: `.svg`, `.dot` or `.gv`, `.mmd` or
    /// `.mermaid`. The file appears when it is whole and on the disk.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] for another suffix, or if the file cannot be written.
    pub(crate) fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let format = Format::of(path).map_err(|source| Error::Output {
            path: path.display().to_string(),
            source: source.into(),
        })?;
        write_whole(path, self.text(format).as_bytes())
    }

    fn text(&self, format: Format) -> String {
        let grouped = group::group(self);
        match format {
            Format::Svg => svg::write(&grouped),
            Format::Dot => dot::write(&grouped),
            Format::Mermaid => mermaid::write(&grouped),
        }
    }
}

impl Format {
    fn of(path: &Path) -> io::Result<Self> {
        let suffix = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        match suffix.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("dot" | "gv") => Ok(Self::Dot),
            Some("mmd" | "mermaid") => Ok(Self::Mermaid),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a picture is written as .svg, as .dot or .gv (Graphviz), or as .mmd or .mermaid; \
                 name the file so",
            )),
        }
    }
}

impl Node {
    /// How many tasks a group has, as text; empty for one.
    fn times(&self) -> String {
        match self.tasks {
            1 => String::new(),
            tasks => format!(" × {}", thousands(tasks)),
        }
    }
}

impl Detail {
    /// Both parts, as far as they are there.
    fn text(&self) -> String {
        let between = if self.what.is_empty() || self.at.is_empty() { "" } else { "  " };
        format!("{}{between}{}", self.what, self.at)
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
