//! Names with wildcards: `*`, `?`, `[a-z]` and `[!a-z]`.
//!
//! A name is matched with the text of its pattern: nothing is compiled, so that the 100,000
//! alternatives of one pattern take no memory beside their text. A match takes at most the length
//! of the name times that of the pattern, and mostly their sum.

/// One item of a pattern.
enum Item<'p> {
    Star,
    Any,
    Class { negated: bool, body: &'p str },
    Char(char),
}

impl Item<'_> {
    /// Whether it stands for this one character.
    fn is(&self, c: char) -> bool {
        match *self {
            Item::Star => false,
            Item::Any => true,
            Item::Class { negated, body } => {
                ranges(body).any(|(low, high)| (low..=high).contains(&c)) != negated
            }
            Item::Char(char) => char == c,
        }
    }
}

/// Splits the first item off a pattern; `None` at its end. A class that is not closed is an error.
fn split(pattern: &str) -> Option<Result<(Item<'_>, &str), Unclosed>> {
    let mut chars = pattern.chars();
    let item = match chars.next()? {
        '*' => Item::Star,
        '?' => Item::Any,
        '[' => return Some(class(chars.as_str())),
        c => Item::Char(c),
    };
    Some(Ok((item, chars.as_str())))
}

struct Unclosed;

/// Splits a class off, after its `[`.
fn class(text: &str) -> Result<(Item<'_>, &str), Unclosed> {
    let inside = text.strip_prefix(['!', '^']);
    let (negated, inside) = (inside.is_some(), inside.unwrap_or(text));
    // A `]` at the start is one of the characters.
    let first = inside.chars().next().map_or(0, char::len_utf8);
    let end = first + inside[first..].find(']').ok_or(Unclosed)?;
    Ok((Item::Class { negated, body: &inside[..end] }, &inside[end + 1..]))
}

/// The ranges of characters in a class. A `-` at its start or end is a character.
fn ranges(mut body: &str) -> impl Iterator<Item = (char, char)> {
    std::iter::from_fn(move || {
        let mut chars = body.chars();
        let low = chars.next()?;
        let mut high = low;
        body = chars.as_str();
        while let Some(after) = body.strip_prefix('-')
            && let Some(end) = after.chars().next()
        {
            high = end;
            body = &after[end.len_utf8()..];
        }
        Some((low, high))
    })
}

/// Checks the pattern of a name.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    let mut rest = pattern;
    while let Some(item) = split(rest) {
        let Ok((item, after)) = item else {
            return Err("unclosed character class; missing ']'".to_owned());
        };
        if let Item::Class { body, .. } = item
            && let Some((low, high)) = ranges(body).find(|(low, high)| low > high)
        {
            return Err(format!("invalid range; '{low}' > '{high}'"));
        }
        rest = after;
    }
    Ok(())
}

/// The plain text at the start and at the end of a pattern with wildcards.
pub(super) fn plain_ends(pattern: &str) -> (&str, &str) {
    let start = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let (mut rest, mut end) = (&pattern[start..], pattern.len());
    while let Some(Ok((item, after))) = split(rest) {
        if !matches!(item, Item::Char(_)) {
            end = pattern.len() - after.len();
        }
        rest = after;
    }
    (&pattern[..start], &pattern[end..])
}

/// Whether a name matches a pattern that was checked. As in a shell, no name is empty, and a
/// leading dot is matched only by one that is written.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let hidden = name.starts_with('.') && !pattern.starts_with('.');
    !name.is_empty() && !hidden && stands_for(pattern, name)
}

/// The same, where no name is hidden.
pub(super) fn stands_for(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // What follows the last star, and where in the name it was tried. No earlier star has to be
    // looked at again: the last can stand for whatever they would.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        match (split(pattern), name.chars().next()) {
            (Some(Ok((Item::Star, ""))), _) => return true,
            (Some(Ok((Item::Star, after))), _) => {
                retry = Some((after, name));
                pattern = after;
                continue;
            }
            (Some(Ok((item, after))), Some(c)) if item.is(c) => {
                pattern = after;
                name = &name[c.len_utf8()..];
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after, tried)) = retry else { return false };
        let mut chars = tried.chars();
        if chars.next().is_none() {
            return false;
        }
        (pattern, name) = (after, chars.as_str());
        retry = Some((pattern, name));
    }
}

#[cfg(test)]
mod tests {
    use globset::GlobBuilder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn classes_and_wildcards_stand_for_characters() {
        for (pattern, yes, no) in [
            ("?", "é", "ab"),
            ("[é]x", "éx", "ex"),
            ("[!a-c]", "d", "b"),
            ("[^a-c]", "d", "b"),
            ("[]]", "]", "["),
            ("[!]]", "[", "]"),
            ("[a-]", "-", "b"),
            ("[{}]", "{", "a"),
            ("{*}", "{a}", "a"),
            ("a**b", "acb", "acbc"),
            ("*.l[o]g", "a.log", ".log"),
            (".*", ".a", "a"),
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
            assert!(matches(pattern, yes) && !matches(pattern, no), "{pattern}");
        }
        assert!(!matches("*", ""));
    }

    #[test]
    fn a_class_that_cannot_be_is_an_error() {
        assert!(check("a[bc").unwrap_err().contains("unclosed"));
        assert!(check("[]").unwrap_err().contains("unclosed"));
        assert_eq!(check("[z-a]").unwrap_err(), "invalid range; 'z' > 'a'");
    }

    #[test]
    fn plain_ends_stop_at_wildcards() {
        assert_eq!(plain_ends("a*b?c.log"), ("a", "c.log"));
        assert_eq!(plain_ends("[*]"), ("", ""));
        assert_eq!(plain_ends("x[]y]z"), ("x", "z"));
    }

    proptest! {
        #[test]
        fn names_match_as_in_a_glob(
            pattern in "([ab*?.-]|\\[[!^]?[]ab-][ab-]?\\]){1,6}", name in "[ab.\\]-]{1,6}",
        ) {
            let glob = GlobBuilder::new(&pattern)
                .literal_separator(true)
                .backslash_escape(false)
                .build()
                .map(|glob| glob.compile_matcher());
            prop_assert_eq!(check(&pattern).is_ok(), glob.is_ok());
            let hidden = name.starts_with('.') && !pattern.starts_with('.');
            // Two stars alone are not the pattern of a name.
            prop_assume!(!pattern.trim_matches('*').is_empty());
            if let Ok(glob) = glob {
                prop_assert_eq!(matches(&pattern, &name), glob.is_match(&name) && !hidden);
                let (start, end) = plain_ends(&pattern);
                let ends = name.starts_with(start) && name.ends_with(end);
                prop_assert!(ends || !matches(&pattern, &name));
            }
        }
    }
}
