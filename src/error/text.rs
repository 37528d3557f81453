//! What messages show of text that is not ours.

use std::fmt;

use super::secret::{concealed, concealed_in_ours, concealed_url};

/// A message that may be shown to people: there is no way to make one that leaves secrets in it, or what
/// does something to a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Shown {
    /// A message of anything.
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self(printable(&concealed(&message.to_string())))
    }

    /// A path, a pattern or a URL. Its words are no sentence, in which one behind `secret` may be one.
    pub(crate) fn name(name: &str) -> Self {
        Self(printable(&concealed_url(name)))
    }

    /// A name in quotes.
    pub(super) fn quoted(name: &str) -> Self {
        Self(printable(&format!("{:?}", concealed_url(name))))
    }

    /// A message of ours: all in it that is foreign is names, or was made a message before.
    pub(crate) fn ours(message: impl fmt::Display) -> Self {
        Self(printable(&concealed_in_ours(&message.to_string())))
    }

    /// The same, with another behind it.
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.0.push_str(&more.0);
        self
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// It may travel inside of an [`io::Error`](std::io::Error), whose own words are read as those of others.
impl std::error::Error for Shown {}

/// A message of what the arguments of `format!` say.
macro_rules! shown {
    ($($arguments:tt)*) => { Shown::new(format_args!($($arguments)*)) };
}
pub(super) use shown;

/// Whether a character shows nothing, or changes how the text around it is shown: control characters,
/// separators of lines, marks of direction, and what Unicode lets fonts leave out
/// (Default_Ignorable_Code_Point), by which two names look alike that are not.
///
/// Joiners (U+200C, U+200D) are none of these: scripts and emoji need them.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Text from the input or from outside, safe for a terminal: what is hidden is escaped.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
        out
    })
}

/// A few bytes of the input for a message: escaped, and cut to 120 characters.
pub(crate) fn snippet(bytes: &[u8]) -> String {
    const MOST: usize = 120;
    let mut text: String = bytes[..bytes.len().min(MOST)]
        .utf8_chunks()
        .flat_map(|chunk| {
            let invalid = chunk.invalid().iter().map(|b| format!("\\x{b:02x}"));
            std::iter::once(printable(chunk.valid())).chain(invalid)
        })
        .collect();
    if text.len() > MOST || bytes.len() > MOST {
        text = text.chars().take(MOST).chain(std::iter::once('…')).collect();
    }
    text
}
