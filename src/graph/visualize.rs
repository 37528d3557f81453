//! The picture of what a handle needs.

use std::collections::HashMap;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

use super::delayed::Delayed;
use super::node::{Key, Name, Node};
use super::picture::Picture;
use crate::Result;

impl<T> Delayed<T> {
    /// Draws what computing this would run: a box for each task, with its operation and the line
    /// that made it, and arrows the way values go. Runs nothing, and needs no other program.
    ///
    /// The suffix says how it is drawn: `.svg`, `.dot` or `.gv`, `.mmd` or `.mermaid`. Of a large
    /// or wide graph, tasks that are alike are one box: "load × 512". Of a bag among them the
    /// source and the lanes that read it are drawn, as [`visualize`](crate::visualize) does. What
    /// [`then`](Self::then) will make cannot be known, and is not drawn.
    ///
    /// # Errors
    ///
    /// [`Error::Output`](crate::Error::Output) for another suffix, or if the file cannot be
    /// written.
    ///
    /// ```
    /// let parts = (0..3).map(|n| creel::delayed(n).named("load"));
    /// let total = creel::delayed::all(parts).map(|n| n.iter().map(|n| **n).sum::<i32>());
    /// let path = std::env::temp_dir().join("creel-total.dot");
    /// total.visualize(&path)?;
    /// assert_eq!(std::fs::read_to_string(&path).unwrap().matches("label=\"load\"").count(), 3);
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<()> {
        draw(&[Arc::clone(self.node())], path)
    }
}

/// Draws what computing these together would run, and saves the picture.
pub(crate) fn draw(roots: &[Arc<Node>], path: impl AsRef<Path>) -> Result<()> {
    let mut drawing = Drawing::default();
    for root in roots {
        let task = drawing.add(root);
        drawing.picture.result(task);
    }
    drawing.picture.save(path)
}

#[derive(Default)]
struct Drawing {
    picture: Picture,
    /// The boxes of tasks: by key, since those of one key run once, else by address.
    drawn: HashMap<(Option<Key>, *const Node), usize>,
}

fn identity(node: &Arc<Node>) -> (Option<Key>, *const Node) {
    match node.key() {
        Some(key) => (Some(*key), std::ptr::null()),
        None => (None, Arc::as_ptr(node)),
    }
}

/// What arrows lead from to a task.
fn origins(node: &Node) -> &[Arc<Node>] {
    match node.name() {
        Name::Sketched(sketch, _) => sketch.from.as_deref().unwrap_or(&node.inputs),
        _ => &node.inputs,
    }
}

impl Drawing {
    /// Draws a node and all below it, each once, without recursion, and gives its box.
    fn add(&mut self, root: &Arc<Node>) -> usize {
        let mut path = vec![(root, 0)];
        while let Some((node, next)) = path.last_mut() {
            if self.drawn.contains_key(&identity(node)) {
                path.pop();
            } else if let Some(origin) = origins(node).get(*next) {
                *next += 1;
                path.push((origin, 0));
            } else {
                let task = self.draw(node);
                for origin in origins(node) {
                    self.picture.arrow(self.drawn[&identity(origin)], task);
                }
                self.drawn.insert(identity(node), task);
            }
        }
        self.drawn[&identity(root)]
    }

    /// Draws the box of a node.
    fn draw(&mut self, node: &Node) -> usize {
        let place = |at: &Location<'_>| format!("{}:{}", at.file(), at.line());
        match node.name() {
            Name::Given(name) => self.picture.task(&**name, None),
            Name::Value(at) => self.picture.task("value", Some(place(at))),
            Name::At(operation, at) => self.picture.task(*operation, Some(place(at))),
            Name::Numbered(operation, _) | Name::Only(operation) => {
                self.picture.task(*operation, None)
            }
            Name::Sketched(sketch, _) => {
                let label = sketch.label.as_deref().unwrap_or(sketch.operation);
                let task = self.picture.task(label, None);
                for step in &sketch.steps {
                    let at = step.at.map(place).unwrap_or_default();
                    self.picture.detail(task, &*step.what, at);
                }
                if sketch.several {
                    self.picture.several(task);
                }
                task
            }
        }
    }
}
