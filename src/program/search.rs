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

/// What finds the lines of a text that may meet a condition.
#[derive(Debug)]
pub(crate) struct Search {
    by: By,
    /// Whether the lines that are found meet the condition, and none but they.
    exact: bool,
}

#[derive(Debug)]
enum By {
    Byte(u8),
    Text(Box<Finder<'static>>),
    /// A pattern in which nothing matches a line's end.
    Pattern(Box<meta::Regex>),
}

/// What a lane keeps for its searches. The engine has caches of its own, but gives one to the first
/// thread that asks and locks the others.
#[derive(Debug)]
pub(crate) struct Cache(Option<Box<meta::Cache>>);

/// A line that was found: where it stands, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether it is known to meet the condition.
    pub(crate) met: bool,
}

impl Search {
    /// A search for a condition, if one finds all lines that meet it.
    pub(crate) fn new(condition: &Predicate) -> Option<Self> {
        match condition {
            Predicate::Contains(text) => Self::text(text.needle()),
            Predicate::Matches(regex) => Self::pattern(regex.as_str()),
            Predicate::And(all) => {
                let one = all.iter().find_map(Self::new)?;
                Some(Self { exact: false, ..one })
            }
            _ => None,
        }
    }

    fn text(text: &[u8]) -> Option<Self> {
        let by = match text {
            [b'\n'] => return None,
            &[byte] => By::Byte(byte),
            text if memchr(b'\n', text).is_some() => return None,
            text => By::Text(Box::new(Finder::new(text).into_owned())),
        };
        Some(Self { by, exact: true })
    }

    fn pattern(pattern: &str) -> Option<Self> {
        /// Literals of which one begins each match: from this length on they are rare enough
        /// that it pays to look for them alone.
        const RARE: usize = 3;
        let hir = regex_syntax::parse(pattern).ok()?;
        // What asks for the ends of a line keeps the engine from searching for literals.
        let mut looks = Looks::Dropped;
        let mut lines = in_lines(&hir, looks)?;
        let literals = Extractor::new().extract(&lines);
        if literals.min_literal_len().is_none_or(|len| len < RARE) {
            looks = Looks::Kept;
            lines = in_lines(&hir, looks)?;
        }
        let exact = looks == Looks::Kept || hir.properties().look_set().is_empty();
        match lines.kind() {
            HirKind::Literal(text) => Some(Self { exact, ..Self::text(&text.0)? }),
            _ => {
                let regex = meta::Builder::new().build_from_hir(&lines).ok()?;
                Some(Self { by: By::Pattern(Box::new(regex)), exact })
            }
        }
    }

    /// What a lane that searches by it keeps.
    pub(crate) fn cache(&self) -> Cache {
        match &self.by {
            By::Pattern(regex) => Cache(Some(Box::new(regex.create_cache()))),
            By::Byte(_) | By::Text(_) => Cache(None),
        }
    }

    /// Gives `take` the lines of a text that it finds, in order, until that says no.
    pub(crate) fn each_line(
        &self,
        text: &str,
        cache: &mut Cache,
        mut take: impl FnMut(Found) -> bool,
    ) {
        let bytes = text.as_bytes();
        let mut from = 0;
        while from < bytes.len() {
            let Some(at) = self.find(text, from, cache) else { return };
            let start = memrchr(b'\n', &bytes[from..at]).map_or(from, |end| from + end + 1);
            let ended = memchr(b'\n', &bytes[at..]);
            let end = ended.map_or(bytes.len(), |end| at + end);
            // Behind the last line's end a pattern that matches no text still matches.
            if start == bytes.len() {
                return;
            }
            // A carriage return before a line's end is no part of the line, which the search does
            // not know: such a line is to be asked.
            let returned = bytes[start..end].last() == Some(&b'\r');
            let line = end - usize::from(returned && ended.is_some());
            if !take(Found { start, end: line, met: self.exact && !returned }) {
                return;
            }
            from = end + 1;
        }
    }

    /// A place in the first line that matches, from the start of one on.
    #[inline]
    fn find(&self, text: &str, from: usize, cache: &mut Cache) -> Option<usize> {
        match &self.by {
            By::Byte(byte) => Some(from + memchr(*byte, &text.as_bytes()[from..])?),
            By::Text(finder) => Some(from + finder.find(&text.as_bytes()[from..])?),
            By::Pattern(regex) => {
                let input = Input::new(text).range(from..).earliest(true);
                let Cache(Some(cache)) = cache else {
                    return regex.search_half(&input).map(|end| end.offset());
                };
                regex.search_half_with(cache, &input).map(|end| end.offset())
            }
        }
    }
}

/// What becomes of the parts of a pattern that match places and no text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// They match everywhere.
    Dropped,
    /// They stay.
    Kept,
}

/// A pattern that matches in a text of lines whatever the given one matches in a line by itself:
/// line ends are in no class, and what asks for the ends of a text asks for those of a line. The end
/// of a line may stand behind a carriage return or before it.
fn in_lines(hir: &Hir, looks: Looks) -> Option<Hir> {
    let all =
        |of: &[Hir]| -> Option<Vec<Hir>> { of.iter().map(|hir| in_lines(hir, looks)).collect() };
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
        HirKind::Look(_) if looks == Looks::Dropped => Hir::empty(),
        HirKind::Look(Look::Start | Look::StartLF) => Hir::look(Look::StartLF),
        HirKind::Look(Look::End | Look::EndLF) => {
            let returned = Hir::repetition(Repetition {
                min: 0,
                max: Some(1),
                greedy: true,
                sub: Box::new(Hir::literal(*b"\r")),
            });
            Hir::concat(vec![returned, Hir::look(Look::EndLF)])
        }
        HirKind::Look(Look::StartCRLF | Look::EndCRLF) => return None,
        // Those for words: a line's end is no more of a word than a text's end is.
        HirKind::Look(look) => Hir::look(*look),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(in_lines(&repetition.sub, looks)?),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => in_lines(&capture.sub, looks)?,
        HirKind::Concat(of) => Hir::concat(all(of)?),
        HirKind::Alternation(of) => Hir::alternation(all(of)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::block::Delimiter;
    use crate::record::Lines;

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

    fn found(search: &Search, text: &str) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        search.each_line(text, &mut search.cache(), |line| {
            found.push((text[line.start..line.end].to_owned(), line.met));
            true
        });
        found
    }

    /// Whether a search finds what asking every line does.
    fn agrees(condition: &Predicate, text: &str, meets: impl Fn(&str) -> bool) {
        let plain = Lines::new(text, &Delimiter::Line).filter(|line| meets(line));
        let plain: Vec<&str> = plain.collect();
        let search = Search::new(condition).expect("it can be searched for");
        let lines = found(&search, text).into_iter();
        let lines: Vec<_> = lines.filter(|(line, met)| *met || meets(line)).collect();
        let lines: Vec<_> = lines.iter().map(|(line, _)| line).collect();
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
        let line = |line: &str, met| vec![(line.to_owned(), met)];
        let searched = search(r"G\s*ET\s+/a[^/]*$");
        assert_eq!(found(&searched, text), line("GET /a", true));
        // A line that ends with a carriage return is asked.
        assert_eq!(found(&searched, "GET /a\r\nGET /b\r\n"), line("GET /a", false));
        // With literals to look for, where they stand is left to the stage.
        let searched = search("^GET$");
        assert_eq!(found(&searched, "GE\nGET\n"), line("GET", false));
    }
}
