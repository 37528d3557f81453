//! The little of JSON that a trace needs, without a crate for it.

use std::fmt::{self, Display, Write};
use std::time::Duration;

/// Text as a string of JSON, with its quotation marks.
pub(super) struct Quoted<T>(pub(super) T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escape(f), "{}", self.0)?;
        f.write_char('"')
    }
}

/// Escapes what is written to it.
struct Escape<'f, 'a>(&'f mut fmt::Formatter<'a>);

impl Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let special = |c: char| c == '"' || c == '\\' || c < ' ';
        for piece in text.split_inclusive(special) {
            let mut chars = piece.chars();
            match chars.next_back().filter(|&c| special(c)) {
                None => self.0.write_str(piece)?,
                Some(c @ ('"' | '\\')) => write!(self.0, "{}\\{c}", chars.as_str())?,
                Some(c) => write!(self.0, "{}\\u{:04x}", chars.as_str(), u32::from(c))?,
            }
        }
        Ok(())
    }
}

/// Microseconds with three digits behind the point: none is lost.
pub(super) struct Micros(pub(super) Duration);

impl Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_micros(), self.0.subsec_nanos() % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_leave_its_string() {
        let text = "a \"b\"\\\n\u{1b}[0m é\u{2028}\"";
        let expected = "\"a \\\"b\\\"\\\\\\u000a\\u001b[0m é\u{2028}\\\"\"";
        assert_eq!(Quoted(text).to_string(), expected);
        assert_eq!(Quoted("").to_string(), "\"\"");
    }

    #[test]
    fn nanoseconds_are_kept() {
        assert_eq!(Micros(Duration::from_nanos(1_002_003_004)).to_string(), "1002003.004");
        assert_eq!(Micros(Duration::ZERO).to_string(), "0.000");
    }
}
