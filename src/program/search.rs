//! Lines that may meet a condition, found by one search through a whole block.
//!
//! A search that goes from match to match passes lines without a match at the speed of memory;
//! cutting them all and asking each costs many times that. What is found may still not meet the
//! condition: the stage itself runs over it as over any lines. But no line that does is missed.

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use regex_automata::meta;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange};
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::predicate::Predicate;
use crate::block::Delimiter;
use crate::record::Lines;

/// What finds the lines of a text that may meet a condition.
#[derive(Debug, Clone)]
pub(crate) enum Search {
    /// They hold this text.
    Text(Box<Finder<'static>>),
    /// They match a pattern, in which nothing matches a line's end; whether that asks where a
    /// line ends.
    Pattern(Box<meta::Regex>, bool),
}

impl Search {
    /// A search for a condition, if one finds all lines that meet it.
    pub(crate) fn new(condition: &Predicate) -> Option<Self> {
        match condition {
            Predicate::Contains(text) if memchr(b'\n', text.needle()).is_none() => {
                Some(Self::Text(text.clone()))
            }
            Predicate::Matches(regex) => Self::pattern(regex.as_str()),
            Predicate::And(a, b) => Self::new(a).or_else(|| Self::new(b)),
            _ => None,
        }
    }

    fn pattern(pattern: &str) -> Option<Self> {
        let mut ends = false;
        let hir = in_lines(&regex_syntax::parse(pattern).ok()?, &mut ends)?;
        let regex = meta::Builder::new().build_from_hir(&hir).ok()?;
        Some(Self::Pattern(Box::new(regex), ends))
    }

    /// Gives `take` the lines of a text that may meet the condition, in order; says whether it
    /// could. A carriage return before a line's end is no part of the line, which a pattern that
    /// asks for the end does not know.
    pub(crate) fn each_line(&self, text: &str, mut take: impl FnMut(&str) -> bool) -> bool {
        if matches!(self, Self::Pattern(_, true)) && memchr(b'\r', text.as_bytes()).is_some() {
            return false;
        }
        let mut from = 0;
        while from < text.len() {
            let Some(at) = self.find(text, from) else { break };
            let start =
                memrchr(b'\n', &text.as_bytes()[from..at]).map_or(from, |end| from + end + 1);
            let end = memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |end| at + end + 1);
            if !Lines::new(&text[start..end], &Delimiter::Line).all(&mut take) {
                break;
            }
            from = end;
        }
        true
    }

    /// Where the first match from the start of a line on begins.
    fn find(&self, text: &str, from: usize) -> Option<usize> {
        match self {
            Self::Text(finder) => Some(from + finder.find(&text.as_bytes()[from..])?),
            Self::Pattern(regex, _) => {
                let input = regex_automata::Input::new(text).range(from..);
                regex.find(input).map(|found| found.start())
            }
        }
    }
}

/// A pattern that matches in a text of lines whatever the given one matches in a line by itself:
/// line ends are in no class, and what asks for the ends of a text asks for those of a line.
fn in_lines(hir: &Hir, ends: &mut bool) -> Option<Hir> {
    let all = |of: &[Hir], ends: &mut bool| -> Option<Vec<Hir>> {
        of.iter().map(|hir| in_lines(hir, ends)).collect()
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
        HirKind::Look(Look::Start | Look::StartLF) => Hir::look(Look::StartLF),
        HirKind::Look(Look::End | Look::EndLF) => {
            *ends = true;
            Hir::look(Look::EndLF)
        }
        HirKind::Look(Look::StartCRLF | Look::EndCRLF) => return None,
        // Those for words: a line's end is no more of a word than a text's end is.
        HirKind::Look(look) => Hir::look(*look),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(in_lines(&repetition.sub, ends)?),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => in_lines(&capture.sub, ends)?,
        HirKind::Concat(of) => Hir::concat(all(of, ends)?),
        HirKind::Alternation(of) => Hir::alternation(all(of, ends)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    const PATTERNS: [&str; 22] = [
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

    fn found(search: &Search, text: &str) -> Option<Vec<String>> {
        let mut found = Vec::new();
        let could = search.each_line(text, |line| {
            found.push(line.to_owned());
            true
        });
        could.then_some(found)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn no_line_that_meets_the_condition_is_missed(
            text in "[abcAé \r\n]{0,40}", pattern in prop::sample::select(&PATTERNS[..])
        ) {
            let regex = Regex::new(pattern).expect("a pattern");
            let plain = Lines::new(&text, &Delimiter::Line).filter(|line| regex.is_match(line));
            let plain: Vec<String> = plain.map(str::to_owned).collect();
            let search = Search::new(&Predicate::Matches(Box::new(regex.clone())));
            if let Some(lines) = found(&search.expect("none of them is refused"), &text) {
                let lines: Vec<String> =
                    lines.into_iter().filter(|line| regex.is_match(line)).collect();
                prop_assert_eq!(lines, plain);
            }
        }

        #[test]
        fn no_line_that_holds_the_text_is_missed(text in "[ab\r\n]{0,40}", with in "[ab\r]{0,3}") {
            let plain = Lines::new(&text, &Delimiter::Line).filter(|line| line.contains(&with));
            let plain: Vec<String> = plain.map(str::to_owned).collect();
            let finder = Box::new(Finder::new(with.as_bytes()).into_owned());
            let search = Search::new(&Predicate::Contains(finder)).expect("it has no line end");
            let lines = found(&search, &text).expect("it can");
            let lines: Vec<String> = lines.into_iter().filter(|l| l.contains(&with)).collect();
            prop_assert_eq!(lines, plain);
        }
    }

    #[test]
    fn lines_are_passed_that_cannot_meet_the_condition() {
        let regex = Box::new(Regex::new(r"GET\s+/a[^/]*$").expect("a pattern"));
        let search = Search::new(&Predicate::Matches(regex)).expect("it can be searched for");
        let text = "GET /a\nGET /b\n\nPOST /a\nGET \n/a\n";
        assert_eq!(found(&search, text).expect("there is no carriage return"), ["GET /a"]);
        assert!(found(&search, "GET /a\r\n").is_none());
    }
}
