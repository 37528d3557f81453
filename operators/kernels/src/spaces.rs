//! White space in 64 bytes at a time.

use crate::padded;
use crate::prefetch;
use crate::sixteen::{Masks, masks};

/// Bytes that a mask has bits for.
pub(crate) const WIDTH: usize = 64;
/// How far ahead text is asked for: whoever looks words up has left little of it in the nearest caches.
/// Reading it was a fifth of the time that finding edges took.
const AHEAD: usize = 1024;
pub(crate) type Chunk = [u8; WIDTH];
const NONE: Masks = Masks { space: 0, lead: 0 };

/// Where white space is in a text in UTF-8: a mask for every 64 bytes of it.
///
/// White space is that of Unicode, as `char::is_whitespace` has it; each byte of such a character
/// is marked, and no byte of any other: [`TextWords`](crate::TextWords) relies on it without asking. Of bytes that are not UTF-8 those are marked that are white space in themselves.
///
/// ```
/// let mut spaces = creel_kernels::Spaces::new("a\u{2003}b".as_bytes());
/// // The text is not longer: what is behind its end is white space.
/// assert_eq!(spaces.next(), Some(!0b10001));
/// assert_eq!(spaces.next(), None);
/// ```
#[derive(Debug, Clone)]
pub struct Spaces<'t> {
    text: &'t [u8],
    /// What has been looked at.
    done: usize,
    /// The bits of a character that began in the chunk before.
    begun: u64,
}

impl<'t> Spaces<'t> {
    /// Looks at nothing yet.
    #[inline]
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, done: 0, begun: 0 }
    }

    /// The bytes that all masks so far stand for.
    #[inline]
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// The white space that is not ASCII, of the chunk that begins at a place.
    #[inline(never)]
    fn wide(&mut self, start: usize, mut leads: u64) -> u64 {
        let mut found = self.begun;
        self.begun = 0;
        while leads != 0 {
            let at = leads.trailing_zeros();
            leads &= leads - 1;
            let bits = length_of_wide(&self.text[start + at as usize..]);
            let bits = ((1_u128 << bits) - 1) << at;
            found |= bits as u64;
            self.begun |= (bits >> WIDTH) as u64;
        }
        found
    }
}

impl Spaces<'_> {
    /// The next mask, of a chunk that is looked at in one of the ways there are.
    #[inline(always)]
    pub(crate) fn next_by(&mut self, whole: impl Fn(&Chunk) -> (u64, u64)) -> Option<u64> {
        let start = self.done;
        let rest = &self.text[start..];
        if let Some(ahead) = rest.get(AHEAD) {
            prefetch(ahead);
        }
        let (space, leads) = match rest.first_chunk::<WIDTH>() {
            Some(chunk) => whole(chunk),
            None if rest.is_empty() => return None,
            None => part(rest),
        };
        self.done = self.text.len().min(start + WIDTH);
        if leads | self.begun == 0 {
            return Some(space);
        }
        Some(space | self.wide(start, leads))
    }
}

impl Iterator for Spaces<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.next_by(whole)
    }
}

/// ASCII white space, and where other may begin.
#[inline]
pub(crate) fn whole(chunk: &Chunk) -> (u64, u64) {
    let (parts, _) = chunk.as_chunks::<16>();
    parts.iter().zip([0, 16, 32, 48]).fold((0, 0), |(space, leads), (part, at)| {
        let masks = masks(part);
        (space | u64::from(masks.space) << at, leads | u64::from(masks.lead) << at)
    })
}

/// As [`whole`], of less than 64 bytes; what is behind the end is white space.
#[inline]
fn part(rest: &[u8]) -> (u64, u64) {
    let end = u64::MAX << rest.len();
    let Some(last) = rest.len().checked_sub(16) else {
        let masks = masks(&padded(rest).to_le_bytes());
        return (end | u64::from(masks.space), u64::from(masks.lead));
    };
    // As many looks for any length, some of them at the same bytes: the end of a line is
    // mispredicted once, not again for each part of it.
    [0, last.min(16), last.min(32), last].iter().fold((end, 0), |(space, leads), &at| {
        let masks = rest[at..].first_chunk().map_or(NONE, masks);
        (space | u64::from(masks.space) << at, leads | u64::from(masks.lead) << at)
    })
}

/// The length of the white space that is not ASCII and that some bytes begin with, or 0.
#[inline]
fn length_of_wide(bytes: &[u8]) -> u32 {
    match *bytes {
        // Next line, no-break space.
        [0xc2, 0x85 | 0xa0, ..] => 2,
        // Ogham space mark; the spaces of typesetting, and the separators of lines and paragraphs;
        // mathematical space; ideographic space.
        [0xe1, 0x9a, 0x80, ..]
        | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..]
        | [0xe2, 0x81, 0x9f, ..]
        | [0xe3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether each byte is part of white space, found character by character.
    pub(crate) fn plain(text: &str) -> Vec<bool> {
        let marks = |c: char| std::iter::repeat_n(c.is_whitespace(), c.len_utf8());
        text.chars().flat_map(marks).collect()
    }

    fn by_masks(text: &[u8]) -> Vec<bool> {
        let bits = |mask: u64| (0..WIDTH).map(move |at| mask >> at & 1 == 1);
        let mut marks: Vec<_> = Spaces::new(text).flat_map(bits).collect();
        assert!(marks[text.len()..].iter().all(|&mark| mark), "the end is white space");
        marks.truncate(text.len());
        marks
    }

    #[test]
    fn every_character_is_white_space_here_if_it_is_there() {
        // All of them, but where each takes its time.
        let last = if cfg!(miri) { '\u{3001}' } else { char::MAX };
        for c in '\0'..=last {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            assert_eq!(length_of_wide(bytes) > 0, c.is_whitespace() && !c.is_ascii(), "{c:?}");
        }
    }

    #[test]
    fn a_character_in_two_chunks_is_white_space_in_both() {
        for before in 60..70 {
            let text = format!("{}\u{3000}b", "a".repeat(before));
            assert_eq!(by_masks(text.as_bytes()), plain(&text));
        }
    }

    proptest! {
        #[test]
        fn any_text_has_its_white_space_where_its_characters_say(
            text in "[ a-c\t\u{c}\u{85}\u{a0}\u{1680}\u{2003}\u{2028}\u{205f}\u{3000}éâ\u{200b}\u{1f41f}]{0,200}",
        ) {
            prop_assert_eq!(by_masks(text.as_bytes()), plain(&text));
        }

        #[test]
        fn any_bytes_have_marks_where_they_look_like_white_space(
            bytes in prop::collection::vec(prop_oneof![
                any::<u8>(),
                prop::sample::select(&[0xc2, 0xe2, 0xe3, 0x80, 0x81, 0x85, 0x9f, 0xa0, b' '][..]),
            ], 0..200),
        ) {
            let mut marks: Vec<_> = bytes.iter().map(u8::is_ascii_whitespace).collect();
            marks.iter_mut().zip(&bytes).for_each(|(mark, &byte)| *mark |= byte == 0x0b);
            for at in 0..bytes.len() {
                let len = length_of_wide(&bytes[at..]) as usize;
                marks[at..at + len].fill(true);
            }
            prop_assert_eq!(by_masks(&bytes), marks);
        }
    }
}
