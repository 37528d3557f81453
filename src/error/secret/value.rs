//! Values behind the marks of their names, and names before them, with the quotes around them.
//!
//! A text may be quoted in another, which escapes its quotes by backslashes: one, then three, then seven.
//! So a quote has a depth, and what it begins ends at the next one of the same depth.

use std::ops::Range;

use super::{BLANKS, ends_value};

/// The longest that stands before the quote of a value, as `Some(` does.
const LONGEST_LEAD: usize = 32;

/// A name that stands in quotes at the end of a text, with what stands before the first of them.
pub(super) fn in_quotes(before: &str) -> Option<&str> {
    let named = before.trim_end().strip_suffix(['"', '\''])?;
    Some(named.trim_end_matches('\\'))
}

/// A name without the indices behind it, and these: `sig[]`, and `login[password]`.
pub(super) fn without_indices(named: &str) -> (&str, Vec<&str>) {
    let (mut name, mut indices) = (named, Vec::new());
    while let Some(inner) = name.strip_suffix(']')
        && let Some(at) = inner.rfind('[')
    {
        let quotes = |c: char| "\"'\\".contains(c);
        indices.push(inner[at + 1..].trim_matches(quotes));
        name = &inner[..at];
    }
    (name, indices)
}

/// The value behind a mark that ends here. That of a field in quotes may stand in another line.
pub(super) fn after(text: &str, mark: usize, field: bool) -> Range<usize> {
    let rest = &text[mark..];
    let spaces = |c: char| BLANKS.contains(&c) || field && c.is_whitespace();
    let start = mark + rest.len() - rest.trim_start_matches(spaces).len();
    let value = &text[start..];
    let quoted = opening(value).map(|(lead, depth, quote)| {
        let length = closing(&value[lead..], depth, quote);
        lead..lead + length
    });
    let value = match quoted {
        // A list, of texts or others.
        _ if value.starts_with('[') => {
            let read = quoted.map_or(0, |first| first.end);
            let ends = value[read..].find(']').map_or(read, |end| read + end);
            0..ends + value[ends..].find(ends_value).unwrap_or(value.len() - ends)
        }
        Some(quoted) => quoted,
        // A colon behind it is one of the sentence.
        None => {
            0..value[..value.find(ends_value).unwrap_or(value.len())].trim_end_matches(':').len()
        }
    };
    start + value.start..start + value.end
}

/// How long what opens a value in quotes is, how many backslashes stand before its quote, and which one
/// that is. It may be in brackets, as `Some("` and `["` are, or have a letter before it, as `b'` has.
fn opening(value: &str) -> Option<(usize, usize, char)> {
    let leads = |c: char| c.is_ascii_alphanumeric() || "_:([{ \n\r\t".contains(c);
    let at = value.find(|c| !leads(c) && c != '\\')?;
    let quote = value[at..].chars().next().filter(|c| "\"'".contains(*c))?;
    let lead = value[..at].trim_end_matches('\\');
    let letters = lead.len() <= 2 && lead.chars().all(|c| "bBuUrR".contains(c));
    let brackets = lead.len() <= LONGEST_LEAD
        && lead.trim_end().ends_with(['(', '[', '{'])
        && lead.chars().all(leads);
    (letters || brackets).then(|| (at + 1, at - lead.len(), quote))
}

/// How long a text is until the quote that ends it. One with fewer backslashes than the first ends what
/// both stand in; with more, it is a part of the text, or stands behind backslashes that are.
fn closing(text: &str, depth: usize, quote: char) -> usize {
    for (at, _) in text.match_indices(quote) {
        let inner = text[..at].trim_end_matches('\\');
        let slashes = at - inner.len();
        if slashes < depth || ((slashes - depth) / (depth + 1)).is_multiple_of(2) {
            return at - slashes.min(depth);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_quotes_ends_at_the_quote_of_its_depth() {
        for (text, value) in [
            (r#""a b" c"#, "a b"),
            (r#""a\"b" c"#, r#"a\"b"#),
            (r#""a\\" c"#, r"a\\"),
            (r#"\"a b\" c"#, "a b"),
            (r#"\"a\\\"b\" c"#, r#"a\\\"b"#),
            (r#"\"a" c"#, "a"),
            (r#"\\\"a\\\" c\""#, "a"),
            (r#" b'a b' c"#, "a b"),
            (r#" Some("a b") c"#, "a b"),
            (r#" ["a b]", "c"] d"#, r#"["a b]", "c"]"#),
            ("[1, 2] c", "[1, 2]"),
            ("[a]b c", "[a]b"),
            ("a\"b\"", "a"),
            ("\"a", "a"),
        ] {
            assert_eq!(&text[after(text, 0, false)], value, "{text}");
        }
        assert_eq!(after(":\n  \"a\"", 1, true), 5..6);
    }
}
