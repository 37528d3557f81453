//! The picture of what a handle needs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::delayed::Delayed;
use super::node::{Name, Node};
use super::picture::Picture;
use crate::Result;

impl<T> Delayed<T> {
    /// Draws what computing this would run: a box for each task, with its operation and the line
    /// that made it, and arrows the way values go. Runs nothing, and needs no other program.
    ///
    /// The suffix says how it is drawn: `.svg`, `.dot` or `.gv`, `.mmd` or `.mermaid`. Of a large
    /// graph, tasks that are alike are one box: "load × 512". What [`then`](Self::then) will make
    /// cannot be known, and is not drawn.
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
        picture(self.node()).save(path)
    }
}

/// Draws a node and all below it, each once, without recursion.
fn picture(root: &Arc<Node>) -> Picture {
    let mut picture = Picture::default();
    let mut drawn: HashMap<*const Node, usize> = HashMap::new();
    let mut path = vec![(root, 0)];
    while let Some((node, next)) = path.last_mut() {
        if let Some(input) = node.inputs.get(*next) {
            *next += 1;
            if !drawn.contains_key(&Arc::as_ptr(input)) {
                path.push((input, 0));
            }
            continue;
        }
        let (operation, line) = match node.name() {
            Name::Given(name) => (name.to_string(), None),
            Name::At(operation, at) => {
                ((*operation).to_owned(), Some(format!("{}:{}", at.file(), at.line())))
            }
            Name::Numbered(operation, _) | Name::Only(operation) => ((*operation).to_owned(), None),
        };
        let task = picture.task(operation, line);
        for input in &node.inputs {
            picture.arrow(drawn[&Arc::as_ptr(input)], task);
        }
        drawn.insert(Arc::as_ptr(node), task);
        path.pop();
    }
    picture.result(drawn[&Arc::as_ptr(root)]);
    picture
}
