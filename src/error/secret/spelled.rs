//! Texts as they read once what is escaped in them is decoded, with the way back.
//!
//! Decoded are ASCII characters, which is all that names, marks and logins are made of: `%3D`, as URLs
//! have it, `\\u003d`, `\\x3d`, `\\"` and `\\/`, as JSON and messages have it, `&#61;`, `&#x3d;` and
//! `&amp;`, as XML has it; and what is encoded twice, or more often.

use std::ops::Range;

/// So often is a text decoded as a whole; then at once until nothing is left to decode.
const LEVELS: usize = 6;
/// The longest escape, in bytes: `&#x0000003d;`.
const LONGEST: usize = 12;
/// Names of characters in XML.
const NAMED: [(&str, char); 6] =
    [("amp;", '&'), ("lt;", '<'), ("gt;", '>'), ("quot;", '"'), ("apos;", '\''), ("equals;", '=')];

/// A text that was decoded.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// Where each of its bytes stands in what it was decoded from, and where that ends.
    at: Vec<usize>,
}

impl Decoded {
    /// The bytes that stand for these.
    pub(super) fn source(&self, of: Range<usize>) -> Range<usize> {
        self.at[of.start]..self.at[of.end]
    }

    /// Whether something of these bytes was encoded.
    pub(super) fn was_encoded(&self, of: Range<usize>) -> bool {
        self.source(of.clone()).len() > of.len()
    }

    /// The same, decoded once more; `None` if nothing is encoded in it.
    fn again(&self) -> Option<Self> {
        let mut next = Self { text: String::with_capacity(self.text.len()), at: Vec::new() };
        let mut rest = &*self.text;
        while let Some(c) = rest.chars().next() {
            let from = self.text.len() - rest.len();
            let (c, length) = escaped(rest).unwrap_or((c, c.len_utf8()));
            // Of what was not decoded each byte has its own place.
            next.at.extend((0..c.len_utf8()).map(|byte| self.at[from + byte]));
            next.text.push(c);
            rest = &rest[length..];
        }
        next.at.push(self.at[self.text.len()]);
        (next.text.len() < self.text.len()).then_some(next)
    }

    /// The same, decoded until nothing is encoded in it: what ends an escape is decoded as it comes, and
    /// may end another one. So it takes no longer than to read the text, however often it was encoded.
    fn innermost(&self) -> Self {
        let mut out = Self { text: String::with_capacity(self.text.len()), at: Vec::new() };
        for (from, c) in self.text.char_indices() {
            out.at.extend((0..c.len_utf8()).map(|byte| self.at[from + byte]));
            out.text.push(c);
            while let Some((start, c)) = out.escape_at_end() {
                out.text.truncate(start);
                out.at.truncate(start + 1);
                out.text.push(c);
            }
        }
        out.at.push(self.at[self.text.len()]);
        out
    }

    /// Where the escape begins that the text ends with, and what it stands for.
    fn escape_at_end(&self) -> Option<(usize, char)> {
        let text = &*self.text;
        let last = text.len().saturating_sub(LONGEST);
        let starts = (last..text.len()).rev().filter(|at| b"%\\&".contains(&text.as_bytes()[*at]));
        let mut escapes = starts.filter_map(|at| {
            let (c, length) = escaped(&text[at..])?;
            (at + length == text.len()).then_some((at, c))
        });
        escapes.next()
    }
}

/// A text decoded once, twice and so on, as long as there is something to decode.
pub(super) fn levels(text: &str) -> Vec<Decoded> {
    let mut levels = Vec::new();
    if !text.contains(['%', '\\', '&']) {
        return levels;
    }
    let plain = Decoded { text: text.to_owned(), at: (0..=text.len()).collect() };
    levels.extend(plain.again());
    while let Some(next) = levels.last().and_then(Decoded::again) {
        if levels.len() == LEVELS {
            levels.push(next.innermost());
            break;
        }
        levels.push(next);
    }
    levels
}

/// The character that an escape at the start of a text stands for, and the length of the escape.
fn escaped(text: &str) -> Option<(char, usize)> {
    let hex = |start: usize, digits: usize| {
        let digits = text.get(start..start + digits)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u8::from_str_radix(digits, 16).ok().filter(|byte| all && byte.is_ascii())
    };
    if text.starts_with('%') {
        return Some((hex(1, 2)?.into(), 3));
    }
    if text.starts_with("\\u00") {
        return Some((hex(4, 2)?.into(), 6));
    }
    if text.starts_with("\\x") {
        return Some((hex(2, 2)?.into(), 4));
    }
    if let Some(escape) = text.strip_prefix('\\') {
        let c = match escape.chars().next()? {
            c @ ('\\' | '"' | '\'' | '/') => c,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            _ => return None,
        };
        return Some((c, 2));
    }
    let entity = text.strip_prefix('&')?;
    if let Some(number) = entity.strip_prefix('#') {
        let (digits, _) = number.split_once(';').filter(|(digits, _)| digits.len() <= 8)?;
        let number = match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        };
        let c = char::from_u32(number?).filter(char::is_ascii)?;
        return Some((c, digits.len() + 3));
    }
    let named = NAMED.iter().find(|(name, _)| entity.starts_with(name));
    named.map(|(name, c)| (*c, name.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_level_by_level_with_the_way_back() {
        for (text, last) in [
            ("sig%3DS", "sig=S"),
            ("s%69g%253DS", "sig=S"),
            ("a\\u0026b\\x3dc", "a&b=c"),
            ("a&amp;#61;b&#x3D;", "a=b="),
            ("é%25é", "é%é"),
            (r#"a\\\"b\/c"#, "a\"b/c"),
            (r"a\\\\u003db", "a=b"),
            (r"a\nb\\tc", "a\nb\tc"),
        ] {
            let decoded = levels(text).pop().unwrap();
            assert_eq!(decoded.text, last);
            assert_eq!(decoded.source(0..last.len()), 0..text.len());
        }
        let decoded = levels("xé%3Dy").pop().unwrap();
        assert_eq!((decoded.source(3..4), decoded.source(4..5)), (3..6, 6..7));
        assert!(decoded.was_encoded(3..4) && !decoded.was_encoded(0..3));
        for plain in ["", "a=b", "100%", "%C3%A9", "&; &#; &#x110000; \\u \\", "%+1"] {
            assert!(levels(plain).is_empty(), "{plain}");
        }
    }

    #[test]
    fn text_that_is_encoded_any_number_of_times_is_decoded() {
        for (often, once) in [(7, "%"), (50, "%"), (9, "\\"), (50, "&")] {
            let mut text = "é=é".replace('=', "%3D");
            for _ in 0..often {
                text = match once {
                    "%" => text.replace('%', "%25"),
                    "&" => text.replace('%', "&#37;").replace('&', "&amp;"),
                    _ => text.replace('%', "\\u0025").replace('\\', "\\\\"),
                };
            }
            let decoded = levels(&text).pop().unwrap();
            assert_eq!(decoded.text, "é=é");
            assert_eq!(decoded.source(0..5), 0..text.len());
            assert_eq!(decoded.source(2..3), 2..text.len() - 2);
        }
    }
}
