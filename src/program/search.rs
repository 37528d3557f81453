//! Lines that may meet a condition, found by one search through a whole block.
//!
//! A search that goes from match to match passes lines without a match at the speed of memory;
//! cutting them all and asking each costs many times that. What is found may still not meet the
//! condition: the stage itself runs over it as over any lines. But no line that does is missed.

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use regex_automata::{Input, meta};
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange};
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::predicate::Predicate;
use crate::block::Delimiter;
use crate::record::Lines;

/// What finds the lines of a text that may meet a condition.
#[derive(Debug)]
pub(crate) struct Search {
    by: By,
    /// Whether the lines that are found meet the condition, and none but they.
    exact: bool,
    /// Whether it asks where a line ends.
    ends: bool,
}

#[derive(Debug)]
enum By {
    Text(Box<Finder<'static>>),
    /// A pattern in which nothing matches a line's end.
    Pattern(Box<meta::Regex>),
}

/// What lines are that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// They may meet the condition.
    Candidates,
    /// They meet it.
    Matches,
}

impl Search {
    /// A search for a condition, if one finds all lines that meet it.
    pub(crate) fn new(condition: &Predicate) -> Option<Self> {
        match condition {
            Predicate::Contains(text) if memchr(b'\n', text.needle()).is_none() => {
                Some(Self { by: By::Text(text.clone()), exact: true, ends: false })
            }
            Predicate::Matches(regex) => Self::pattern(regex.as_str()),
            Predicate::And(a, b) => {
                let one = Self::new(a).or_else(|| Self::new(b))?;
                Some(Self { exact: false, ..one })
            }
            _ => None,
        }
    }

    fn pattern(pattern: &str) -> Option<Self> {
        /// Literals of which one begins each match: from this length on they are rare enough
        /// that it pays to look for them alone.
        const RARE: usize = 3;
        let hir = regex_syntax::parse(pattern).ok()?;
        // What asks for the ends of a line keeps the engine from searching for literals.
        let mut looks = Looks::Dropped;
        let mut lines = in_lines(&hir, &mut looks)?;
        let literals = Extractor::new().extract(&lines);
        if literals.min_literal_len().is_none_or(|len| len < RARE) {
            looks = Looks::Kept { ends: false };
            lines = in_lines(&hir, &mut looks)?;
        }
        let exact = looks != Looks::Dropped || hir.properties().look_set().is_empty();
        let ends = looks == Looks::Kept { ends: true };
        let by = match lines.kind() {
            HirKind::Literal(text) => By::Text(Box::new(Finder::new(&text.0).into_owned())),
            _ => By::Pattern(Box::new(meta::Builder::new().build_from_hir(&lines).ok()?)),
        };
        Some(Self { by, exact, ends })
    }

    /// What it finds in a text of lines; `None` if it cannot be used there. A carriage return
    /// before a line's end is no part of the line, which the search does not know.
    pub(crate) fn finds(&self, text: &str) -> Option<Found> {
        let returns = (self.exact || self.ends) && memchr(b'\r', text.as_bytes()).is_some();
        match (self.exact, returns) {
            (_, true) if self.ends => None,
            (true, false) => Some(Found::Matches),
            _ => Some(Found::Candidates),
        }
    }

    /// Gives `take` the lines that it finds, in order, until that says no.
    pub(crate) fn each_line(&self, text: &str, mut take: impl FnMut(&str) -> bool) {
        let mut from = 0;
        while from < text.len() {
            let Some(at) = self.find(text, from) else { return };
            let start =
                memrchr(b'\n', &text.as_bytes()[from..at]).map_or(from, |end| from + end + 1);
            let end = memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |end| at + end + 1);
            if !Lines::new(&text[start..end], &Delimiter::Line).all(&mut take) {
                return;
            }
            from = end;
        }
    }

    /// A place in the first line that matches, from the start of one on.
    fn find(&self, text: &str, from: usize) -> Option<usize> {
        match &self.by {
            By::Text(finder) => Some(from + finder.find(&text.as_bytes()[from..])?),
            By::Pattern(regex) => {
                let input = Input::new(text).range(from..).earliest(true);
                regex.search_half(&input).map(|end| end.offset())
            }
        }
    }
}

/// What becomes of the parts of a pattern that match places and no text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// They match everywhere.
    Dropped,
    /// They stay; whether one asks where a line ends.
    Kept { ends: bool },
}

/// A pattern that matches in a text of lines whatever the given one matches in a line by itself:
/// line ends are in no class, and what asks for the ends of a text asks for those of a line.
fn in_lines(hir: &Hir, looks: &mut Looks) -> Option<Hir> {
    let all = |of: &[Hir], looks: &mut Looks| -> Option<Vec<Hir>> {
        of.iter().map(|hir| in_lines(hir, looks)).collect()
    };
    Some(match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) if memchr(b'\n', &literal.0).is_some() => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut class = class.clone();
            class.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
            Hir::class(Class::Bytes(class))
        }
        HirKind::Look(_) if *looks == Looks::Dropped => Hir::empty(),
        HirKind::Look(Look::Start | Look::StartLF) => Hir::look(Look::StartLF),
        HirKind::Look(Look::End | Look::EndLF) => {
            *looks = Looks::Kept { ends: true };
            Hir::look(Look::EndLF)
        }
        HirKind::Look(Look::StartCRLF | Look::EndCRLF) => return None,
        // Those for words: a line's end is no more of a word than a text's end is.
        HirKind::Look(look) => Hir::look(*look),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(in_lines(&repetition.sub, looks)?),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => in_lines(&capture.sub, looks)?,
        HirKind::Concat(of) => Hir::concat(all(of, looks)?),
        HirKind::Alternation(of) => Hir::alternation(all(of, looks)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    const PATTERNS: [&str; 25] = [
        "^abc",
        "abc$",
        r"\babc\b.",
        "a",
        "ab|c",
        "^a",
        "a$",
        "^$",
        "^a*$",
        "b+",
        "[^a]b",
        r"\s",
        r"\S+\s+\S",
        r"\bab\b",
        r"\Bb",
        "(?i)A",
        "(?m)^b",
        "(?m)b$",
        "(?s)a.b",
        "a.b",
        r"\Aab",
        r"b\z",
        "a*",
        "a\nb",
        "é|[^é]",
    ];

    fn found(search: &Search, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        search.each_line(text, |line| {
            found.push(line.to_owned());
            true
        });
        found
    }

    /// Whether a search finds what asking every line does.
    fn agrees(condition: &Predicate, text: &str, meets: impl Fn(&str) -> bool) {
        let plain = Lines::new(text, &Delimiter::Line).filter(|line| meets(line));
        let plain: Vec<&str> = plain.collect();
        let search = Search::new(condition).expect("it can be searched for");
        let mut lines = found(&search, text);
        match search.finds(text) {
            Some(Found::Matches) => {}
            Some(Found::Candidates) => lines.retain(|line| meets(line)),
            None => return,
        }
        assert_eq!(lines, plain);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_lines_are_found_that_match_a_pattern(
            text in "[abcAé \r\n]{0,40}", pattern in prop::sample::select(&PATTERNS[..])
        ) {
            let regex = Regex::new(pattern).expect("a pattern");
            agrees(&Predicate::Matches(Box::new(regex.clone())), &text, |line| regex.is_match(line));
        }

        #[test]
        fn the_lines_are_found_that_hold_a_text(text in "[ab\r\n]{0,40}", with in "[ab\r]{0,3}") {
            let finder = Box::new(Finder::new(with.as_bytes()).into_owned());
            agrees(&Predicate::Contains(finder), &text, |line| line.contains(&with));
        }
    }

    #[test]
    fn lines_are_passed_that_cannot_meet_the_condition() {
        let search = |pattern| {
            let regex = Box::new(Regex::new(pattern).expect("a pattern"));
            Search::new(&Predicate::Matches(regex)).expect("it can be searched for")
        };
        let text = "GET /a\nGET /b\n\nPOST /a\nGET \n/a\n";
        let searched = search(r"G\s*ET\s+/a[^/]*$");
        assert_eq!(searched.finds(text), Some(Found::Matches));
        assert_eq!(found(&searched, text), ["GET /a"]);
        assert_eq!(searched.finds("GET /a\r\n"), None);
        // With literals to look for, where they stand is left to the stage.
        let searched = search("^GET$");
        assert_eq!(searched.finds("GET\r\n"), Some(Found::Candidates));
        assert_eq!(found(&searched, "GET\r\n"), ["GET"]);
    }
}
