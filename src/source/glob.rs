//! Matches paths with all alternatives of one pattern at once.
//!
//! The alternatives make one tree, in which those that begin with the same components share them.
//! The tree is run as a nondeterministic automaton over the components of a path: [`Reached`] is
//! the set of its nodes that are reached. So a path is matched in one pass and a folder is visited
//! once, however many alternatives and `**` there are.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::pattern::{is_glob, wrong};
use super::wild;
use crate::Result;

/// The most nodes of a tree: each takes up to 300 bytes.
const MOST_NODES: usize = 300_000;

/// The alternatives of a pattern, each with its number, as a tree of components.
#[derive(Debug)]
pub(super) struct Alternatives<'p> {
    nodes: Vec<Node<'p>>,
    /// The children by their names.
    literal: HashMap<(Id, &'p str), Id>,
    /// The children by the plain ends of their patterns, so that a name is compared only with
    /// those that have its ends.
    wild: HashMap<(Id, &'p str, &'p str), SmallVec<[Wild<'p>; 1]>>,
}

/// The position of a node in its tree.
type Id = u32;

/// A name with wildcards, and the node that it leads to.
type Wild<'p> = (&'p str, Id);

#[derive(Debug, Default)]
struct Node<'p> {
    /// The names of the children that are spelled.
    names: Vec<&'p str>,
    /// The lengths of the plain ends of the children with wildcards, sorted.
    ends: Vec<(u32, u32)>,
    /// The child that is a `**`.
    deep: Option<Id>,
    /// Whether this node is a `**`.
    repeats: bool,
    /// The alternatives that end here, in order.
    matched: Vec<usize>,
    /// The first alternative that leads through here.
    first: usize,
}

/// The nodes that a path has reached, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached(Vec<Id>);

impl Reached {
    /// Whether no alternative can match.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps some of the nodes.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        self.0.retain(|&id| keep(id));
    }
}

impl<'p> Alternatives<'p> {
    /// Reads patterns for paths. A slash at the end of one means everything below, and several
    /// slashes are one.
    ///
    /// # Errors
    /// If a pattern is wrong, or all together are too large.
    pub(super) fn of_paths(patterns: impl IntoIterator<Item = (usize, &'p str)>) -> Result<Self> {
        let mut tree = Self::new();
        for (number, pattern) in patterns {
            let (path, below) = below(pattern);
            let names = path.split('/').filter(|name| !name.is_empty());
            tree.add(number, pattern, names, below)?;
        }
        Ok(tree)
    }

    /// Reads patterns for keys. A slash at the end of one means everything below; any other is a
    /// character of the key, also the first, and also the second of two.
    ///
    /// # Errors
    /// If a pattern is wrong, or all together are too large.
    #[cfg(any(feature = "cloud", test))]
    pub(super) fn of_keys(patterns: impl IntoIterator<Item = (usize, &'p str)>) -> Result<Self> {
        let mut tree = Self::new();
        for (number, pattern) in patterns {
            match below(pattern) {
                // All of the bucket.
                ("", _) => tree.add(number, pattern, [], true)?,
                (path, below) => tree.add(number, pattern, path.split('/'), below)?,
            }
        }
        Ok(tree)
    }

    fn new() -> Self {
        let nodes = vec![Node { first: usize::MAX, ..Node::default() }];
        Self { nodes, literal: HashMap::new(), wild: HashMap::new() }
    }

    /// Adds the components of an alternative, which has a greater number than those before.
    fn add(
        &mut self,
        number: usize,
        pattern: &'p str,
        names: impl IntoIterator<Item = &'p str>,
        below: bool,
    ) -> Result<()> {
        let mut at = 0;
        for name in names.into_iter().chain(below.then_some("**")) {
            if self.nodes.len() > MOST_NODES {
                let reason = format!(
                    "with the alternatives before it, it has more than {MOST_NODES} names of \
                     folders and files; use fewer alternatives, or a wildcard"
                );
                return Err(wrong(pattern, reason));
            }
            at = match name {
                "**" if self.nodes[at as usize].repeats => at,
                "**" => self.deep(at, number),
                name if is_glob(name) => {
                    wild::check(name).map_err(|reason| wrong(pattern, reason))?;
                    self.wild(at, name, number)
                }
                name => self.literal(at, name, number),
            };
        }
        // `a/**` names the files below `a`, at any depth.
        if self.nodes[at as usize].repeats {
            at = self.wild(at, "*", number);
        }
        self.nodes[at as usize].matched.push(number);
        self.nodes[0].first = self.nodes[0].first.min(number);
        Ok(())
    }

    fn deep(&mut self, at: Id, number: usize) -> Id {
        if let Some(deep) = self.nodes[at as usize].deep {
            return deep;
        }
        let deep = push(&mut self.nodes, number);
        self.nodes[deep as usize].repeats = true;
        self.nodes[at as usize].deep = Some(deep);
        deep
    }

    fn literal(&mut self, at: Id, name: &'p str, number: usize) -> Id {
        *self.literal.entry((at, name)).or_insert_with(|| {
            self.nodes[at as usize].names.push(name);
            push(&mut self.nodes, number)
        })
    }

    fn wild(&mut self, at: Id, name: &'p str, number: usize) -> Id {
        let (start, end) = wild::plain_ends(name);
        let same_ends = self.wild.entry((at, start, end)).or_default();
        // Equal alternatives are adjacent or rare, and a longer search would be quadratic.
        if let Some(&(_, id)) = same_ends.last().filter(|(last, _)| *last == name) {
            return id;
        }
        let lengths = (start.len() as u32, end.len() as u32);
        let ends = &mut self.nodes[at as usize].ends;
        if let Err(place) = ends.binary_search(&lengths) {
            ends.insert(place, lengths);
        }
        let id = push(&mut self.nodes, number);
        same_ends.push((name, id));
        id
    }

    /// Before the first name.
    pub(super) fn start(&self) -> Reached {
        let mut start = Vec::new();
        self.enter(0, &mut start);
        Reached(start)
    }

    /// After one more name. `deep`: whether it may be one of those that a `**` stands for.
    pub(super) fn after(&self, reached: &Reached, name: &str, deep: bool) -> Reached {
        let mut after = Vec::new();
        for &at in &reached.0 {
            let node = &self.nodes[at as usize];
            if let Some(&next) = self.literal.get(&(at, name)) {
                self.enter(next, &mut after);
            }
            for &(start, end) in &node.ends {
                for &(pattern, next) in self.alike(at, name, start as usize, end as usize) {
                    // Folders on disk have no entries of these names, and keys do.
                    let dots = matches!(name, "." | "..") && wild::stands_for(pattern, name);
                    if dots || wild::matches(pattern, name) {
                        self.enter(next, &mut after);
                    }
                }
            }
            if node.repeats && deep && !hidden(name) {
                after.push(at);
            }
        }
        after.sort_unstable();
        after.dedup();
        Reached(after)
    }

    /// The children whose plain ends, of these lengths, are those of a name.
    fn alike<'a>(&'a self, at: Id, name: &'a str, start: usize, end: usize) -> &'a [Wild<'a>] {
        let plain = match name.len() >= start + end {
            true => name.get(..start).zip(name.get(name.len() - end..)),
            false => None,
        };
        let alike = plain.and_then(|(start, end)| self.wild.get(&(at, start, end)));
        alike.map_or(&[], SmallVec::as_slice)
    }

    /// Adds a node, and the `**` after it, which may stand for nothing.
    fn enter(&self, at: Id, reached: &mut Vec<Id>) {
        reached.push(at);
        reached.extend(self.nodes[at as usize].deep);
    }

    fn nodes<'a>(&'a self, reached: &'a Reached) -> impl Iterator<Item = &'a Node<'p>> {
        reached.0.iter().map(|&at| &self.nodes[at as usize])
    }

    /// The names that may come next and are spelled.
    pub(super) fn names<'a>(&'a self, reached: &'a Reached) -> impl Iterator<Item = &'p str> + 'a {
        self.nodes(reached).flat_map(|node| node.names.iter().copied())
    }

    /// Whether other names may come next.
    pub(super) fn is_wild(&self, reached: &Reached) -> bool {
        self.nodes(reached).any(|node| node.repeats || !node.ends.is_empty())
    }

    /// Whether any name may come next.
    pub(super) fn goes_on(&self, reached: &Reached) -> bool {
        self.is_wild(reached) || self.names(reached).next().is_some()
    }

    /// The alternatives that match the names so far.
    pub(super) fn matched<'a>(&'a self, reached: &'a Reached) -> impl Iterator<Item = usize> + 'a {
        self.nodes(reached).flat_map(|node| node.matched.iter().copied())
    }

    /// The first alternative that has come so far.
    pub(super) fn first(&self, reached: &Reached) -> usize {
        self.nodes(reached).map(|node| node.first).min().unwrap_or_default()
    }

    /// The alternatives that match the key of an object, from first to last. One that ends in a slash
    /// and is no folder's mark is read by the name before it, and by all that stands for what is below.
    #[cfg(any(feature = "cloud", test))]
    pub(super) fn match_object(&self, key: &str) -> Vec<usize> {
        let mut matched = self.match_key(key.trim_end_matches('/'));
        if let Some(folder) = key.strip_suffix('/') {
            let reached = self.reach(folder);
            let below = self.nodes(&reached).zip(&reached.0).filter(|(node, _)| node.repeats);
            let stars = below.flat_map(|(_, at)| self.alike(*at, "", 0, 0));
            let stars = stars.filter(|(pattern, _)| *pattern == "*");
            matched.extend(stars.flat_map(|(_, star)| &self.nodes[*star as usize].matched));
            matched.sort_unstable();
            matched.dedup();
        }
        matched
    }

    /// The alternatives that match a key, from first to last.
    #[cfg(any(feature = "cloud", test))]
    pub(super) fn match_key(&self, key: &str) -> Vec<usize> {
        self.matched(&self.reach(key)).collect()
    }

    #[cfg(any(feature = "cloud", test))]
    fn reach(&self, key: &str) -> Reached {
        let mut reached = self.start();
        for name in key.split('/') {
            if reached.is_empty() {
                break;
            }
            reached = self.after(&reached, name, true);
        }
        reached
    }
}

fn push(nodes: &mut Vec<Node<'_>>, first: usize) -> Id {
    nodes.push(Node { first, ..Node::default() });
    // There are fewer than `MOST_NODES`, and one pattern's at the end.
    (nodes.len() - 1) as Id
}

/// A pattern without the slash at its end, and whether it had one.
fn below(pattern: &str) -> (&str, bool) {
    match pattern.strip_suffix('/') {
        Some(path) => (path, true),
        None => (pattern, false),
    }
}

/// Whether `**` passes over a directory of this name. Keys may have `.` and `..` in them, which
/// hide nothing.
fn hidden(name: &str) -> bool {
    name.starts_with('.') && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, key: &str) -> bool {
        Alternatives::of_keys([(7, pattern)]).unwrap().match_key(key) == [7]
    }

    #[test]
    fn components_match_names() {
        assert!(matches("a/*/c*", "a/b/cd"));
        assert!(matches("**/c", "c") && matches("**/c", "a/b/c"));
        assert!(matches("a/", "a/b/c") && matches("a/**", "a/b/c"));
        assert!(!matches("a/**", "a/.b/c") && !matches("*", ".a") && matches(".*", ".a"));
        assert!(!matches("a/*", "a/b/c"));
    }

    #[test]
    fn every_slash_of_a_key_counts() {
        for key in ["m//a.txt", "m/./c.txt", "m/../d.txt", "m/b.txt"] {
            assert!(matches("m/**", key) && matches("m/", key) && matches("", key), "{key}");
        }
        assert!(matches("m//*.txt", "m//a.txt") && !matches("m/*.txt", "m//a.txt"));
        assert!(matches("/*", "/lead.txt") && matches("**", "/lead.txt"));
        assert!(!matches("*", "/lead.txt") && !matches("m/**", "m/"));
    }

    #[test]
    fn dots_and_slashes_in_keys_are_names_like_others() {
        let reads = |pattern: &str, key: &str| {
            Alternatives::of_keys([(7, pattern)]).unwrap().match_object(key) == [7]
        };
        for key in [".", "..", "/", "//", "a/.", "a/..", "a/../b", "x/", "x//", "/x", "./b"] {
            assert!(reads("**", key) && reads("", key), "{key}");
        }
        assert!(reads("*", "..") && reads("?", ".") && reads("a/*", "a/.") && !reads("?", ".."));
        assert!(reads("a/**", "a/") && reads("a/", "a/") && reads("a/", "a//"));
        assert!(!reads("b/**", "a/") && !reads("a/*", "a/") && reads("*", "x/"));
        for hidden in [".a", "...", "a/.b", ".a/b", ".a/"] {
            assert!(!reads("**", hidden) && !reads("*", hidden), "{hidden}");
        }
    }

    #[test]
    fn many_stars_over_a_deep_key_reach_no_more_nodes_than_there_are() {
        let pattern = |last: &str| format!("{}{last}", "**/a/".repeat(40));
        let (b, c) = (pattern("b.txt"), pattern("c.txt"));
        let tree = Alternatives::of_keys([(0, b.as_str()), (1, c.as_str())]).unwrap();
        let mut reached = tree.start();
        for _ in 0..500 {
            reached = tree.after(&reached, "a", true);
            assert!(reached.0.len() <= tree.nodes.len());
        }
        assert_eq!(tree.nodes.len(), 40 * 2 + 3, "what begins alike is shared");
        assert_eq!(tree.match_key(&format!("{}b.txt", "a/".repeat(500))), [0]);
        assert!(tree.match_key(&format!("{}d.txt", "a/".repeat(500))).is_empty());
    }

    #[test]
    fn a_name_is_compared_only_with_patterns_of_its_ends() {
        let patterns: Vec<_> = (0..90_000).map(|n| format!("**/x{n}-*[0-9]-{n}.log")).collect();
        let numbered = patterns.iter().map(String::as_str).enumerate();
        let tree = Alternatives::of_paths(numbered).unwrap();
        let deep = tree.nodes[0].deep.unwrap();
        assert_eq!(tree.nodes[deep as usize].ends.len(), 5, "one for each number of digits");
        assert_eq!(tree.alike(deep, "x4711-a7-4711.log", 6, 9).len(), 1);
        assert_eq!(tree.match_key("a/x4711-a7-4711.log"), [4711]);
    }

    #[test]
    fn a_tree_that_is_too_large_is_an_error() {
        let long = "a/".repeat(MOST_NODES + 2);
        let error = Alternatives::of_paths([(0, long.as_str())]).unwrap_err().to_string();
        assert!(error.contains(&MOST_NODES.to_string()), "{error}");
    }
}
