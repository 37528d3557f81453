//! Merging many results into one, in a tree.

use std::sync::Arc;

use super::{Context, Moved, Name, Node};
use crate::Result;

/// Merges neighbours pairwise until one is left, so that the merges of one level can run side
/// by side and each keeps input order. `None` for no nodes. Values are [`Moved`].
///
/// A tree rather than a chain: with n lanes the last of n - 1 merges waits for log n others,
/// and equal sizes meet, which is what merging tables of counts is cheapest at.
pub(crate) fn tree<T: Send + 'static>(
    mut level: Vec<Arc<Node>>,
    merge: impl Fn(&Context, T, T) -> Result<T> + Clone + Send + Sync + 'static,
) -> Option<Arc<Node>> {
    let mut merges = 0;
    while level.len() > 1 {
        let mut above = Vec::with_capacity(level.len().div_ceil(2));
        let mut pairs = level.into_iter();
        while let Some(left) = pairs.next() {
            let Some(right) = pairs.next() else {
                above.push(left);
                break;
            };
            let merge = merge.clone();
            above.push(Node::new(Name::Numbered("merge", merges), [left, right], {
                move |context, inputs| {
                    let (left, right) = (inputs.take(0), inputs.take(1));
                    let merged = merge(context, Moved::out_of(left), Moved::out_of(right))?;
                    Ok(Moved::outcome(merged))
                }
            }));
            merges += 1;
        }
        level = above;
    }
    level.pop()
}
