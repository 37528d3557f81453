//! Merging many results into one, in a tree.

use super::{Graph, Handle};
use crate::Result;

impl<'a> Graph<'a> {
    /// Merges neighbours pairwise until one is left, so that the merges of one level can run side
    /// by side and each keeps input order. `None` for no handles.
    ///
    /// A tree rather than a chain: with n lanes the last of n - 1 merges waits for log n others,
    /// and equal sizes meet, which is what merging tables of counts is cheapest at.
    pub(crate) fn tree<T: Send + 'static>(
        &mut self,
        mut level: Vec<Handle<T>>,
        merge: impl Fn(T, T) -> Result<T> + Clone + Send + 'a,
    ) -> Option<Handle<T>> {
        while level.len() > 1 {
            let mut above = Vec::with_capacity(level.len().div_ceil(2));
            let mut pairs = level.into_iter();
            while let Some(left) = pairs.next() {
                above.push(match pairs.next() {
                    Some(right) => self.zip("merge", (left, right), merge.clone()),
                    None => left,
                });
            }
            level = above;
        }
        level.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_input_order_for_any_number_of_leaves_and_threads() {
        for leaves in 1..40 {
            for threads in [1, 2, 5] {
                let mut graph = Graph::default();
                let level = (0..leaves).map(|n| graph.task("leaf", move || Ok(vec![n]))).collect();
                let root = graph.tree(level, |mut a, b| {
                    a.extend(b);
                    Ok(a)
                });
                let root = root.expect("there are leaves");
                let merged = graph.run(threads).map(|mut results| results.take(root));
                assert_eq!(merged.expect("nothing fails"), Vec::from_iter(0..leaves));
            }
        }
    }
}
