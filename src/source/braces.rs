//! Braces, as a shell expands them: `{a,b}` and `{01..31}`.
//!
//! Each alternative is a pattern of its own, in the order written, so `{b,a}/*.gz` lists `b` before
//! `a` and asks each for its own prefix.

/// A pattern that stands for more is a mistake, or an attack on memory.
pub(super) const MOST_ALTERNATIVES: usize = 100_000;

/// What the braces of a pattern stand for, in order; `None` if that is too much.
pub(super) fn expanded(pattern: &str) -> Option<Vec<String>> {
    let mut alternatives = Vec::new();
    expand(pattern, &mut alternatives).then_some(alternatives)
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
    use super::expanded;

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
    }

    #[test]
    fn braces_do_not_expand_without_end() {
        for pattern in ["{1..99999999999}", "{1..1000}{1..1000}", "{a,b{1..100000}}"] {
            assert_eq!(expanded(pattern), None);
        }
    }
}
