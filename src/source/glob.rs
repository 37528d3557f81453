//! Path patterns: their components, and how far a path has come in them.
//!
//! A pattern is run as a nondeterministic automaton over the components of a path: [`Reached`] is
//! the set of its components that may come next. So a path is matched in one pass, and a folder is
//! visited once, however many `**` there are.

use globset::{GlobBuilder, GlobMatcher};

use super::pattern::{is_glob, wrong};
use crate::Result;

/// One component of a path pattern.
#[derive(Debug)]
pub(super) enum Component {
    /// A name as it stands.
    Literal(String),
    /// A name with wildcards.
    Wild(Wild),
    /// `**`: any number of directories. It is never the last.
    Deep,
}

/// A name with wildcards.
#[derive(Debug)]
pub(super) struct Wild {
    matcher: GlobMatcher,
    dot: bool,
}

impl Wild {
    /// Whether a name matches. As in a shell, there is no name without a character.
    pub(super) fn matches(&self, name: &str) -> bool {
        !name.is_empty() && (self.dot || !name.starts_with('.')) && self.matcher.is_match(name)
    }
}

impl Component {
    /// The components of a pattern for paths. A slash at its end means everything below, and
    /// several slashes are one.
    pub(super) fn of_path(pattern: &str) -> Result<Vec<Self>> {
        let (path, below) = below(pattern);
        Self::of(pattern, path.split('/').filter(|name| !name.is_empty()), below)
    }

    /// The components of a pattern for keys. A slash at its end means everything below; any other
    /// is a character of the key, also the first, and also the second of two.
    #[cfg(any(feature = "cloud", test))]
    pub(super) fn of_key(pattern: &str) -> Result<Vec<Self>> {
        match below(pattern) {
            // All of the bucket.
            ("", _) => Self::of(pattern, [], true),
            (path, below) => Self::of(pattern, path.split('/'), below),
        }
    }

    fn of<'a>(
        pattern: &str,
        names: impl IntoIterator<Item = &'a str>,
        below: bool,
    ) -> Result<Vec<Self>> {
        let mut components = Vec::new();
        for name in names.into_iter().chain(below.then_some("**")) {
            if name == "**" {
                if !matches!(components.last(), Some(Self::Deep)) {
                    components.push(Self::Deep);
                }
            } else if is_glob(name) {
                components.push(Self::Wild(wild(pattern, name)?));
            } else {
                components.push(Self::Literal(name.to_owned()));
            }
        }
        // `a/**` names the files below `a`, at any depth.
        if matches!(components.last(), Some(Self::Deep)) {
            components.push(Self::Wild(wild(pattern, "*")?));
        }
        Ok(components)
    }

    /// Whether these components match a key, from first to last.
    #[cfg(any(feature = "cloud", test))]
    pub(super) fn match_key(components: &[Self], key: &str) -> bool {
        let mut reached = Reached::start(components);
        for name in key.split('/') {
            reached = reached.after(components, name, true);
        }
        reached.is_match(components)
    }
}

/// A pattern without the slash at its end, and whether it had one.
fn below(pattern: &str) -> (&str, bool) {
    match pattern.strip_suffix('/') {
        Some(path) => (path, true),
        None => (pattern, false),
    }
}

/// The components of a pattern that may come next, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached(Vec<usize>);

impl Reached {
    /// Before the first name.
    pub(super) fn start(components: &[Component]) -> Self {
        let mut reached = Self(Vec::new());
        reached.add(components, 0);
        reached
    }

    /// After one more name. `deep`: whether it may be one of those that a `**` stands for.
    pub(super) fn after(&self, components: &[Component], name: &str, deep: bool) -> Self {
        let mut after = Self(Vec::new());
        for &at in &self.0 {
            match components.get(at) {
                Some(Component::Literal(literal)) if literal == name => {
                    after.add(components, at + 1);
                }
                Some(Component::Wild(wild)) if wild.matches(name) => after.add(components, at + 1),
                Some(Component::Deep) if deep && !hidden(name) => after.add(components, at),
                _ => {}
            }
        }
        after.0.sort_unstable();
        after.0.dedup();
        after
    }

    /// Adds a component, and those after it that a `**` that stands for nothing leads to.
    fn add(&mut self, components: &[Component], at: usize) {
        self.0.push(at);
        if matches!(components.get(at), Some(Component::Deep)) {
            self.add(components, at + 1);
        }
    }

    /// The components that may come next.
    pub(super) fn next<'a>(
        &self,
        components: &'a [Component],
    ) -> impl Iterator<Item = &'a Component> {
        self.0.iter().filter_map(|&at| components.get(at))
    }

    /// Whether the names so far are a whole match.
    pub(super) fn is_match(&self, components: &[Component]) -> bool {
        self.0.contains(&components.len())
    }

    /// Whether more names may follow.
    pub(super) fn goes_on(&self, components: &[Component]) -> bool {
        self.0.iter().any(|&at| at < components.len())
    }
}

/// Whether `**` passes over a directory of this name. Keys may have `.` and `..` in them, which
/// hide nothing.
fn hidden(name: &str) -> bool {
    name.starts_with('.') && !matches!(name, "." | "..")
}

fn wild(pattern: &str, name: &str) -> Result<Wild> {
    // Braces that are left are not alternatives, so they stand for themselves.
    let escaped: String = name
        .chars()
        .flat_map(|c| match c {
            '{' => vec!['[', '{', ']'],
            '}' => vec!['[', '}', ']'],
            c => vec![c],
        })
        .collect();
    let glob = GlobBuilder::new(&escaped)
        .literal_separator(true)
        .backslash_escape(false)
        .build()
        .map_err(|e| wrong(pattern, e.kind().to_string()))?;
    Ok(Wild { matcher: glob.compile_matcher(), dot: name.starts_with('.') })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, key: &str) -> bool {
        Component::match_key(&Component::of_key(pattern).unwrap(), key)
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
    fn many_stars_over_a_deep_key_are_matched_in_one_pass() {
        let key = format!("{}b.txt", "a/".repeat(500));
        assert!(!matches(&format!("{}c.txt", "**/a/".repeat(40)), &key));
        assert!(matches(&format!("{}b.txt", "**/a/".repeat(40)), &key));
    }
}
