//! Expands braces as a shell does: `{a,b}` and `{01..31}`.
//!
//! Each alternative is a pattern of its own, in the order written: `{b,a}/*.gz` gives `b/*.gz`
//! before `a/*.gz`. The number and the bytes of all alternatives are limited; nesting is not.
//! Expansion takes time linear in the pattern and in what it gives, and uses no recursion: a
//! pattern comes from a user, and must not overflow the stack of the calling thread.

/// The most alternatives of one pattern. More are a mistake, or an attack on memory.
pub(super) const MOST_ALTERNATIVES: usize = 100_000;
/// The most bytes of all alternatives of one pattern together.
pub(super) const MOST_BYTES: usize = 16 << 20;

/// Which limit a pattern exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMuch {
    #[error(
        "its braces stand for more than {MOST_ALTERNATIVES} patterns; use fewer alternatives, or a \
         wildcard"
    )]
    Alternatives,
    #[error(
        "its braces stand for patterns of more than {} MiB together; use fewer or shorter \
         alternatives, or a wildcard",
        MOST_BYTES >> 20
    )]
    Bytes,
}

/// Returns the alternatives of a pattern, in order; the pattern itself if it has no braces that
/// stand for alternatives.
pub(super) fn expanded(pattern: &str) -> Result<Vec<String>, TooMuch> {
    let marks = marks(pattern);
    if marks.is_empty() {
        return Ok(vec![pattern.to_owned()]);
    }
    Graph::of(pattern, &marks).alternatives()
}

/// A part of a pattern that is not plain text.
#[derive(Debug, Clone, Copy)]
struct Mark {
    start: usize,
    end: usize,
    kind: MarkKind,
}

#[derive(Debug, Clone, Copy)]
enum MarkKind {
    Open,
    Comma,
    Close,
    Count(Range),
}

/// An opening brace whose closing brace is looked for.
#[derive(Default)]
struct Open {
    at: usize,
    commas: Vec<usize>,
    nested: bool,
}

/// Returns the braces that stand for alternatives, with their commas, by position. A pair without
/// a comma that is no range, and a brace without its pair, are plain text.
fn marks(pattern: &str) -> Vec<Mark> {
    let one = |at, kind| Mark { start: at, end: at + 1, kind };
    let mut marks = Vec::new();
    let mut opens: Vec<Open> = Vec::new();
    for (at, byte) in pattern.bytes().enumerate() {
        match byte {
            b'{' => {
                opens.iter_mut().next_back().into_iter().for_each(|outer| outer.nested = true);
                opens.push(Open { at, ..Open::default() });
            }
            b',' => opens.iter_mut().next_back().into_iter().for_each(|open| open.commas.push(at)),
            b'}' => {
                let Some(open) = opens.pop() else { continue };
                if !open.commas.is_empty() {
                    marks.push(one(open.at, MarkKind::Open));
                    marks.extend(open.commas.iter().map(|&at| one(at, MarkKind::Comma)));
                    marks.push(one(at, MarkKind::Close));
                } else if !open.nested
                    && let Some(range) = Range::read(&pattern[open.at + 1..at])
                {
                    marks.push(Mark { start: open.at, end: at + 1, kind: MarkKind::Count(range) });
                }
            }
            _ => {}
        }
    }
    marks.sort_unstable_by_key(|mark| mark.start);
    marks
}

/// `{1..31}` or `{01..31}`: both ends, and the width to pad to with zeros.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: u64,
    last: u64,
    width: usize,
}

impl Range {
    fn read(inside: &str) -> Option<Self> {
        let (first, last) = inside.split_once("..")?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten()
        };
        let padded = |text: &str| text.len() > 1 && text.starts_with('0');
        let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
        Some(Self { first: number(first)?, last: number(last)?, width })
    }

    /// Appends the number at this position of the range.
    fn push(self, turn: usize, text: &mut String) {
        let turn = turn as u64;
        let number = if self.first <= self.last { self.first + turn } else { self.first - turn };
        let digits = number.to_string();
        // The width of a format is limited; that of a range is not.
        text.extend(std::iter::repeat_n('0', self.width.saturating_sub(digits.len())));
        text.push_str(&digits);
    }

    fn has(self, turn: usize) -> bool {
        turn as u64 <= self.first.abs_diff(self.last)
    }
}

/// A pattern as a graph without cycles: each path through it is one alternative.
struct Graph<'p> {
    nodes: Vec<Node<'p>>,
    start: usize,
}

enum Node<'p> {
    Text { text: &'p str, next: usize },
    Choice { starts: Vec<usize> },
    Count { range: Range, next: usize },
}

/// Follows the last node.
const END: usize = usize::MAX;

impl<'p> Graph<'p> {
    /// Builds the graph from the end of the pattern, where each node knows what follows it.
    fn of(pattern: &'p str, marks: &[Mark]) -> Self {
        let mut nodes = Vec::new();
        let mut add = |node| {
            nodes.push(node);
            nodes.len() - 1
        };
        let (mut next, mut end) = (END, pattern.len());
        // Of each pair of braces: what follows it, and its alternatives from the last.
        let mut pairs: Vec<(usize, Vec<usize>)> = Vec::new();
        for mark in marks.iter().rev() {
            if mark.end < end {
                next = add(Node::Text { text: &pattern[mark.end..end], next });
            }
            end = mark.start;
            match mark.kind {
                MarkKind::Close => pairs.push((next, Vec::new())),
                MarkKind::Comma => {
                    if let Some((after, starts)) = pairs.last_mut() {
                        starts.push(next);
                        next = *after;
                    }
                }
                MarkKind::Open => {
                    let (_, mut starts) = pairs.pop().unwrap_or_default();
                    starts.push(next);
                    starts.reverse();
                    next = add(Node::Choice { starts });
                }
                MarkKind::Count(range) => next = add(Node::Count { range, next }),
            }
        }
        if end > 0 {
            next = add(Node::Text { text: &pattern[..end], next });
        }
        Self { nodes, start: next }
    }

    /// Follows every path, depth first.
    fn alternatives(&self) -> Result<Vec<String>, TooMuch> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let mut text = String::new();
        // Where to go on: a node, the bytes before it, and which of its turns comes.
        let mut todo = vec![(self.start, 0, 0)];
        while let Some((mut at, length, mut turn)) = todo.pop() {
            text.truncate(length);
            while let Some(node) = self.nodes.get(at) {
                let before = text.len();
                let more = match node {
                    Node::Text { text: plain, next } => {
                        text.push_str(plain);
                        at = *next;
                        None
                    }
                    Node::Choice { starts } => {
                        let more = turn + 1 < starts.len();
                        let choice = at;
                        at = starts[turn];
                        more.then_some(choice)
                    }
                    Node::Count { range, next } => {
                        range.push(turn, &mut text);
                        let count = at;
                        at = *next;
                        range.has(turn + 1).then_some(count)
                    }
                };
                if let Some(node) = more {
                    todo.push((node, before, turn + 1));
                }
                turn = 0;
                if text.len() > MOST_BYTES {
                    return Err(TooMuch::Bytes);
                }
            }
            bytes += text.len();
            if found.len() == MOST_ALTERNATIVES {
                return Err(TooMuch::Alternatives);
            }
            if bytes > MOST_BYTES {
                return Err(TooMuch::Bytes);
            }
            found.push(text.clone());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pattern: &str) -> Vec<String> {
        expanded(pattern).unwrap()
    }

    #[test]
    fn braces_expand_as_in_a_shell() {
        assert_eq!(all("{b,a}/{1..3}"), ["b/1", "b/2", "b/3", "a/1", "a/2", "a/3"]);
        assert_eq!(all("x{08..11}.gz"), ["x08.gz", "x09.gz", "x10.gz", "x11.gz"]);
        assert_eq!(all("{3..1}"), ["3", "2", "1"]);
        assert_eq!(all("{a,b{1,2},}c"), ["ac", "b1c", "b2c", "c"]);
        assert_eq!(all("a{b}c{d"), ["a{b}c{d"]);
        assert_eq!(all("{x{1..2}}"), ["{x1}", "{x2}"]);
        assert_eq!(all("{a,{b,c"), ["{a,{b,c"]);
        assert_eq!(all("}{{a,b}"), ["}{a", "}{b"]);
        assert_eq!(all("{,}"), ["", ""]);
        assert_eq!(all(""), [""]);
    }

    #[test]
    fn more_alternatives_than_the_limit_are_an_error() {
        for pattern in ["{1..99999999999}", "{1..1000}{1..1000}", "{a,b{1..100000}}"] {
            assert_eq!(expanded(pattern), Err(TooMuch::Alternatives));
        }
        assert_eq!(expanded(&"{,}".repeat(1000)), Err(TooMuch::Alternatives));
        assert_eq!(all("{1..1000}{1..90}").len(), 90_000);
    }

    #[test]
    fn more_bytes_than_the_limit_are_an_error() {
        let long = "y".repeat(60_000);
        assert_eq!(expanded(&format!("{long}{{1..60000}}")), Err(TooMuch::Bytes));
        assert_eq!(expanded(&format!("{{1..60000}}{long}")), Err(TooMuch::Bytes));
        let zeros = "0".repeat(70_000);
        assert_eq!(expanded(&format!("{{{zeros}..9999}}")), Err(TooMuch::Bytes));
        assert_eq!(all(&format!("{{{zeros}..1}}"))[1], format!("{}1", &zeros[1..]));
    }

    #[test]
    fn any_depth_of_nesting_expands_in_linear_space() {
        for depth in [25_000, 49_999] {
            let found = all(&format!("{}{}", "{x,".repeat(depth), "}".repeat(depth)));
            assert_eq!(found.len(), depth + 1);
            assert_eq!(found.iter().map(String::len).sum::<usize>(), depth);
            let found = all(&format!("{}{}", "{".repeat(depth), ",x}".repeat(depth)));
            assert_eq!(found.len(), depth + 1);
        }
        let unclosed = "{a".repeat(30_000) + &",}".repeat(30_000);
        assert_eq!(expanded(&unclosed), Err(TooMuch::Bytes));
        for plain in ["{", "}", "{a,", "{a}", "{}{"] {
            let plain = plain.repeat(100_000);
            assert_eq!(all(&plain), [plain.as_str()]);
        }
    }

    /// What the braces of a short pattern stand for, by their definition.
    fn by_definition(pattern: &str) -> Vec<String> {
        let closing = |open: usize| {
            let mut depth = 0;
            pattern[open..].char_indices().find_map(|(at, c)| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                (depth == 0).then_some(open + at)
            })
        };
        let parts = |inside: &str| {
            let (mut parts, mut depth) = (vec![String::new()], 0);
            for c in inside.chars() {
                depth += i32::from(c == '{') - i32::from(c == '}');
                match c {
                    ',' if depth == 0 => parts.push(String::new()),
                    c => parts.last_mut().unwrap().push(c),
                }
            }
            parts
        };
        for (open, _) in pattern.match_indices('{') {
            let Some(close) = closing(open) else { continue };
            let parts = parts(&pattern[open + 1..close]);
            if parts.len() > 1 {
                let tails = by_definition(&pattern[close + 1..]);
                let middles = parts.iter().flat_map(|part| by_definition(part));
                return middles
                    .flat_map(|middle| {
                        tails.iter().map(move |tail| [&pattern[..open], &middle, tail].concat())
                    })
                    .collect();
            }
        }
        vec![pattern.to_owned()]
    }

    proptest! {
        #[test]
        fn alternatives_are_those_of_the_definition(pattern in "[a{},]{0,14}") {
            prop_assert_eq!(all(&pattern), by_definition(&pattern));
        }
    }
}
