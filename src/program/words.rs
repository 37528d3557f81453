//! Words and pieces of a text, a batch of spans at a time.

use std::ops::ControlFlow;

use creel_kernels::Words;

use super::batch::{BATCH, Batch, Span};

/// Appends the words of a span of `text`, and calls `full` whenever the batch is.
pub(crate) fn words(
    text: &str,
    span: Span,
    batch: &mut Batch,
    mut full: impl FnMut(&mut Batch) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let start = span.start as usize;
    let mut words = Words::new(span.of(text).as_bytes());
    while words.fill(&mut batch.record.spans, BATCH, |from, to| Span::new(start + from, start + to))
    {
        full(batch)?;
        batch.clear();
    }
    ControlFlow::Continue(())
}

/// What `split` cuts at.
#[derive(Debug, Clone)]
pub(crate) enum Separator {
    /// The empty string: between all characters.
    Characters,
    /// This text.
    Text(Box<memchr::memmem::Finder<'static>>),
}

impl Separator {
    pub(crate) fn new(text: &str) -> Self {
        if text.is_empty() {
            Self::Characters
        } else {
            Self::Text(Box::new(memchr::memmem::Finder::new(text.as_bytes()).into_owned()))
        }
    }

    /// Appends the pieces of a span of `text`; as in jq, an empty text has none.
    pub(crate) fn split(&self, text: &str, span: Span, pieces: &mut Vec<Span>) {
        if span.len == 0 {
            return;
        }
        let start = span.start as usize;
        let record = span.of(text);
        match self {
            Self::Characters => pieces.extend(
                record
                    .char_indices()
                    .map(|(at, c)| Span::new(start + at, start + at + c.len_utf8())),
            ),
            Self::Text(finder) => {
                let mut from = 0;
                for at in finder.find_iter(record.as_bytes()) {
                    pieces.push(Span::new(start + from, start + at));
                    from = at + finder.needle().len();
                }
                pieces.push(Span::new(start + from, start + record.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::batch::Kind;
    use proptest::prelude::*;

    fn words_of(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut batch = Batch::new(Kind::Text);
        let mut take = |batch: &mut Batch| {
            found.extend(batch.record.spans.iter().map(|span| span.of(text).to_owned()));
            ControlFlow::Continue(())
        };
        let _ = words(text, Span::new(0, text.len()), &mut batch, &mut take);
        let _ = take(&mut batch);
        found
    }

    proptest! {
        #[test]
        fn words_are_those_of_the_standard_library(
            text in "[a-c \t\r\n\u{85}\u{a0}\u{1680}\u{2003}\u{2028}\u{202f}\u{205f}\u{3000}é€â\u{200b}𝄞]{0,60}"
        ) {
            let expected: Vec<_> = text.split_whitespace().collect();
            prop_assert_eq!(words_of(&text), expected);
        }

        #[test]
        fn pieces_are_those_of_jq(text in "[ab,é]{0,20}", separator in "[,a]{0,2}") {
            let mut pieces = Vec::new();
            Separator::new(&separator).split(&text, Span::new(0, text.len()), &mut pieces);
            let expected: Vec<String> = match (text.as_str(), separator.as_str()) {
                ("", _) => Vec::new(),
                (text, "") => text.chars().map(String::from).collect(),
                (text, separator) => text.split(separator).map(String::from).collect(),
            };
            let pieces: Vec<_> = pieces.iter().map(|span| span.of(&text)).collect();
            prop_assert_eq!(pieces, expected);
        }
    }
}
