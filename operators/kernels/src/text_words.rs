//! Words as text.

#![allow(
    unsafe_code,
    reason = "that each end of each word is one of a character would be asked again"
)]

use crate::words::Words;

/// The words of a text, as [`str::split_whitespace`] gives them.
///
/// ```
/// assert!(creel_kernels::TextWords::new("né\u{a0}a").eq(["né", "a"]));
/// ```
#[derive(Debug, Clone)]
pub struct TextWords<'t> {
    text: &'t str,
    places: Words<'t>,
}

impl<'t> TextWords<'t> {
    /// Looks at nothing yet.
    #[inline]
    pub fn new(text: &'t str) -> Self {
        Self { text, places: Words::new(text.as_bytes()) }
    }
}

/// The text from one place to another.
///
/// # Safety
///
/// Both are places of [`Words`] of that text, the second the end of the word that begins at the first.
#[inline]
unsafe fn word(text: &str, start: usize, end: usize) -> &str {
    debug_assert!(text.get(start..end).is_some());
    // SAFETY: a word ends behind where it begins, and no later than the text. Each of both places is an end of
    // the text or stands between a byte of white space and one that is not, and so between characters: of
    // one, either all bytes are marked as white space or none. The text is in UTF-8. (To ask for both of
    // each word took a fourteenth of the time of a count.)
    unsafe { text.get_unchecked(start..end) }
}

impl<'t> Iterator for TextWords<'t> {
    type Item = &'t str;

    #[inline]
    fn next(&mut self) -> Option<&'t str> {
        let (start, end) = self.places.next()?;
        // SAFETY: it is a word of this text.
        Some(unsafe { word(self.text, start, end) })
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'t str) -> B>(self, init: B, mut f: F) -> B {
        let Self { text, places } = self;
        // SAFETY: as above.
        places.fold(init, |folded, (start, end)| f(folded, unsafe { word(text, start, end) }))
    }
}

#[cfg(test)]
mod tests {
    use super::TextWords;

    #[test]
    fn words_are_what_the_standard_library_splits_at_white_space() {
        // Each of them on both sides of white space, at every place about the ends of chunks.
        let spaces = [' ', '\n', '\u{b}', '\u{85}', '\u{a0}', '\u{2003}', '\u{2028}', '\u{3000}'];
        let others = ['a', '\u{1c}', '\u{7f}', 'é', 'â', '\u{200b}', '\u{feff}', '𝄞'];
        let befores: &[usize] =
            if cfg!(miri) { &[0, 62, 63] } else { &[0, 1, 60, 61, 62, 63, 64, 125, 126, 127] };
        for &before in befores {
            for (space, other) in spaces.into_iter().flat_map(|s| others.map(|o| (s, o))) {
                let text = format!("{}{other}{space}{other}{other}{space}", "b".repeat(before));
                // The text ends with white space, or with a word.
                for text in [&*text, text.trim_end()] {
                    let expected: Vec<_> = text.split_whitespace().collect();
                    assert!(TextWords::new(text).eq(expected.iter().copied()), "{text:?}");
                    let mut words = TextWords::new(text);
                    let first = words.next().into_iter().collect();
                    let all: Vec<_> = words.fold(first, |mut all, word| {
                        all.push(word);
                        all
                    });
                    assert_eq!(all, expected);
                }
            }
        }
    }
}
