//! Patterns: schemes, braces, and where the wildcards begin.
//!
//! Braces are the shell's: each alternative is a pattern of its own, in the order written, so
//! `{b,a}/*.gz` lists `b` before `a` and asks each for its own prefix. Within one alternative
//! `*` and `?` match inside a path component, `[a-z]` and `[!a-z]` one character, and `**` any
//! number of components. As in a shell, wildcards do not match a leading dot that is not written.

use globset::{GlobBuilder, GlobMatcher};

use crate::{Error, Result};

/// One pattern of the user's.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) scheme: Scheme,
    /// As given, without the scheme of a file.
    pub(super) given: String,
    /// What its braces stand for, in order; at least one.
    pub(super) alternatives: Vec<String>,
}

/// Who is asked for the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Standard input.
    Stdin,
    /// The file system.
    File,
    /// A bucket, or a web server.
    Remote(Kind),
}

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// S3 and what speaks like it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A web server, which can give objects and cannot list them.
    Http,
}

impl Kind {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" | "s3a" => Some(Self::S3),
            "gs" | "gcs" => Some(Self::Gcs),
            "az" | "abfs" | "abfss" => Some(Self::Azure),
            "http" | "https" => Some(Self::Http),
            _ => None,
        }
    }

    /// The feature that this kind needs, and whether it was built in.
    fn feature(self) -> (&'static str, bool) {
        match self {
            Self::S3 => ("s3", cfg!(feature = "s3")),
            Self::Gcs => ("gcs", cfg!(feature = "gcs")),
            Self::Azure => ("azure", cfg!(feature = "azure")),
            Self::Http => ("http", cfg!(feature = "http")),
        }
    }
}

/// A pattern that stands for more is a mistake, or an attack on memory.
const MOST_ALTERNATIVES: usize = 100_000;

impl Pattern {
    pub(super) fn parse(given: &str) -> Result<Self> {
        if given == "-" {
            let alternatives = vec![given.to_owned()];
            return Ok(Self { scheme: Scheme::Stdin, given: given.to_owned(), alternatives });
        }
        let (scheme, rest) = match given.split_once("://") {
            Some(("file", path)) if path.starts_with('/') => (Scheme::File, path),
            Some(("file", _)) => {
                let reason = "a file URL names no host: write file:/// and an absolute path";
                return Err(wrong(given, reason.to_owned()));
            }
            Some((name, _)) if is_scheme(name) => match Kind::of(name) {
                Some(kind) => (Scheme::Remote(kind), given),
                None => {
                    let known = "known are file, s3, gs, az, abfs, http and https";
                    let reason = format!("the scheme {name:?} is not known; {known}");
                    return Err(wrong(given, reason));
                }
            },
            _ => (Scheme::File, given),
        };
        if rest.is_empty() {
            return Err(wrong(given, "it is empty".to_owned()));
        }
        let mut alternatives = Vec::new();
        if !expand(rest, &mut alternatives) {
            let reason = format!("its braces stand for more than {MOST_ALTERNATIVES} patterns");
            return Err(wrong(given, reason));
        }
        if let Scheme::Remote(kind) = scheme {
            let (feature, built) = kind.feature();
            if !built {
                return Err(wrong(given, format!("built without the feature {feature:?}")));
            }
            for alternative in &alternatives {
                Url::split(alternative, kind)?;
            }
        }
        Ok(Self { scheme, given: rest.to_owned(), alternatives })
    }

    /// As the user wrote it, without credentials and query.
    pub(super) fn shown(&self) -> String {
        shown(&self.given)
    }
}

/// The parts of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Url<'a> {
    /// Scheme and bucket, or scheme and host: all before the slash of the path.
    pub(super) base: &'a str,
    pub(super) scheme: &'a str,
    /// The bucket, the container or the host.
    pub(super) bucket: &'a str,
    /// The key, or the path and the query, without the first slash.
    pub(super) key: &'a str,
}

impl<'a> Url<'a> {
    pub(super) fn split(url: &'a str, kind: Kind) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let base = &url[..url.len() - rest.len() + bucket.len()];
        if bucket.is_empty() {
            let lacks = if kind == Kind::Http { "host" } else { "bucket" };
            return Err(wrong(url, format!("it names no {lacks}")));
        }
        if kind == Kind::Http {
            if bucket.contains('@') {
                return Err(wrong(url, "logins in web addresses are not sent".to_owned()));
            }
            if key.split(['?', '#']).next().is_some_and(|path| path.contains('*')) {
                let reason = "a web server cannot list what it holds; name exact URLs, or ranges \
                              in braces as in {01..31}";
                return Err(wrong(url, reason.to_owned()));
            }
        } else if is_glob(bucket) {
            return Err(wrong(url, "buckets cannot be listed; name one".to_owned()));
        }
        Ok(Self { base, scheme, bucket, key })
    }
}

/// A pattern or a URL for people to see: a web address without credentials and query.
pub(super) fn shown(url: &str) -> String {
    let Some((scheme @ ("http" | "https"), rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

fn wrong(pattern: &str, reason: String) -> Error {
    Error::Pattern { pattern: shown(pattern), reason }
}

fn is_scheme(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Whether a string has a wildcard.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// One component of a path pattern.
#[derive(Debug)]
pub(super) enum Component {
    /// A name as it stands.
    Literal(String),
    /// A name with wildcards.
    Wild(Wild),
    /// `**`: any number of directories.
    Deep,
}

/// A name with wildcards.
#[derive(Debug)]
pub(super) struct Wild {
    matcher: GlobMatcher,
    dot: bool,
}

impl Wild {
    pub(super) fn matches(&self, name: &str) -> bool {
        (self.dot || !name.starts_with('.')) && self.matcher.is_match(name)
    }
}

impl Component {
    /// The components of one alternative. A slash at its end means everything below.
    pub(super) fn split(pattern: &str) -> Result<Vec<Self>> {
        let (path, below) = match pattern.strip_suffix('/') {
            Some(path) => (path, true),
            None => (pattern, false),
        };
        let mut components = Vec::new();
        for name in path.split('/').filter(|n| !n.is_empty()) {
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
        if below && !matches!(components.last(), Some(Self::Deep)) {
            components.push(Self::Deep);
        }
        // `a/**` names the files below `a`, at any depth.
        if matches!(components.last(), Some(Self::Deep)) {
            components.push(Self::Wild(wild(pattern, "*")?));
        }
        Ok(components)
    }

    /// Whether these components match these names, from first to last.
    #[cfg(any(feature = "cloud", test))]
    pub(super) fn matches(components: &[Self], names: &[&str]) -> bool {
        match (components, names) {
            ([], []) => true,
            ([Self::Literal(literal), components @ ..], [name, names @ ..]) => {
                literal == name && Self::matches(components, names)
            }
            ([Self::Wild(wild), components @ ..], [name, names @ ..]) => {
                wild.matches(name) && Self::matches(components, names)
            }
            ([Self::Deep, rest @ ..], names) => {
                Self::matches(rest, names)
                    || names.split_first().is_some_and(|(first, names)| {
                        !first.starts_with('.') && Self::matches(components, names)
                    })
            }
            _ => false,
        }
    }
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

/// Appends what the braces of `text` stand for; false if that is too much.
fn expand(text: &str, into: &mut Vec<String>) -> bool {
    let Some((open, close)) = first_braces(text) else {
        into.push(text.to_owned());
        return into.len() <= MOST_ALTERNATIVES;
    };
    let (before, inside, after) = (&text[..open], &text[open + 1..close], &text[close + 1..]);
    let mut tails = Vec::new();
    if !expand(after, &mut tails) {
        return false;
    }
    let Some(middles) = alternatives(inside) else { return false };
    for middle in &middles {
        for tail in &tails {
            if into.len() == MOST_ALTERNATIVES {
                return false;
            }
            into.push([before, middle, tail].concat());
        }
    }
    true
}

/// The first pair of braces that holds alternatives or a range; other braces are plain text.
fn first_braces(text: &str) -> Option<(usize, usize)> {
    let opens = text.match_indices('{').map(|(at, _)| at);
    opens.filter_map(|open| Some((open, closing(text, open)?))).find(|&(open, close)| {
        let inside = &text[open + 1..close];
        commas(inside).next().is_some() || range(inside).is_some()
    })
}

/// The brace that closes the one at `open`.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(open + at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The commas that are not inside of inner braces.
fn commas(inside: &str) -> impl Iterator<Item = usize> {
    let mut depth = 0;
    inside.char_indices().filter_map(move |(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => return Some(at),
            _ => {}
        }
        None
    })
}

/// What stands for the inside of one pair of braces; `None` if that is too much.
fn alternatives(inside: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    if let Some((first, last, width)) = range(inside) {
        if first.abs_diff(last) >= MOST_ALTERNATIVES as u64 {
            return None;
        }
        let step = |at: u64| if first <= last { first + at } else { first - at };
        found.extend((0..=first.abs_diff(last)).map(|at| format!("{:0width$}", step(at))));
        return Some(found);
    }
    let mut start = 0;
    for comma in commas(inside).chain([inside.len()]) {
        if !expand(&inside[start..comma], &mut found) {
            return None;
        }
        start = comma + 1;
    }
    Some(found)
}

/// `{1..31}` or `{01..31}`: both ends, and the width to pad to with zeros.
fn range(inside: &str) -> Option<(u64, u64, usize)> {
    let (first, last) = inside.split_once("..")?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
    Some((number(first)?, number(last)?, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(pattern: &str) -> Vec<String> {
        Pattern::parse(pattern).unwrap().alternatives
    }

    #[test]
    fn braces_expand_as_in_a_shell() {
        assert_eq!(expanded("{b,a}/{1..3}"), ["b/1", "b/2", "b/3", "a/1", "a/2", "a/3"]);
        assert_eq!(expanded("x{08..11}.gz"), ["x08.gz", "x09.gz", "x10.gz", "x11.gz"]);
        assert_eq!(expanded("{3..1}"), ["3", "2", "1"]);
        assert_eq!(expanded("{a,b{1,2},}c"), ["ac", "b1c", "b2c", "c"]);
        assert_eq!(expanded("a{b}c{d"), ["a{b}c{d"]);
        assert_eq!(expanded("{x{1..2}}"), ["{x1}", "{x2}"]);
    }

    #[test]
    fn braces_do_not_expand_without_end() {
        for pattern in ["{1..99999999999}", "{1..1000}{1..1000}", "{a,b{1..100000}}"] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(matches!(error, Error::Pattern { .. }), "{error}");
        }
    }

    #[test]
    fn a_scheme_that_is_not_known_is_named() {
        let error = Pattern::parse("ftp://host/file").unwrap_err().to_string();
        assert!(error.contains("\"ftp\""), "{error}");
    }

    #[test]
    fn a_signed_url_is_shown_without_its_signature() {
        assert_eq!(shown("https://me:secret@host/a/b?sig=secret#x"), "https://host/a/b");
        assert_eq!(shown("http://host?sig=secret"), "http://host");
        assert_eq!(shown("s3://bucket/what?.txt"), "s3://bucket/what?.txt");
        let error = Pattern::parse("http://host/*?sig=secret").unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("exact URLs"), "{error}");
        let error = Pattern::parse("http://me:secret@host/x").unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("logins"), "{error}");
    }

    #[test]
    fn components_match_names() {
        let matches = |pattern, name: &str| {
            let components = Component::split(pattern).unwrap();
            Component::matches(&components, &name.split('/').collect::<Vec<_>>())
        };
        assert!(matches("a/*/c*", "a/b/cd"));
        assert!(matches("**/c", "c") && matches("**/c", "a/b/c"));
        assert!(matches("a/", "a/b/c") && matches("a/**", "a/b/c"));
        assert!(!matches("a/**", "a/.b/c") && !matches("*", ".a") && matches(".*", ".a"));
        assert!(!matches("a/*", "a/b/c"));
    }
}
