//! One pass over the bytes of a value: all of it is checked, and its members are told as they go by.
//!
//! The inner loop is [`plain`], the bytes of a string that need no look.

use std::ops::Range;

use creel_kernels::plain;
use creel_operators::column::LONGEST_INTEGER;

use super::DEEPEST;

/// What is wrong with a record, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

pub(super) type Checked<T> = Result<T, Wrong>;

/// A key of an object and its value: where they stand, the key without its quotes.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) key: Range<usize>,
    /// Whether the key has escapes, and has to be read before it is compared.
    pub(crate) escaped: bool,
    pub(crate) value: Range<usize>,
}

impl Member {
    /// Whether the key is this one.
    #[inline(always)]
    pub(crate) fn is(&self, text: &str, name: &str) -> bool {
        if self.escaped {
            return self.stands_for(text, name);
        }
        // Keys of one length often differ in their last byte, which is cheaper than a call.
        self.key.len() == name.len() && {
            let key = &text.as_bytes()[self.key.clone()];
            key.last() == name.as_bytes().last() && key == name.as_bytes()
        }
    }

    #[cold]
    fn stands_for(&self, text: &str, name: &str) -> bool {
        let mut read = String::new();
        super::unescape(&text[self.key.clone()], &mut read);
        read == name
    }
}

/// Checks that `text` from a place up to `end` begins with one value, with white space around it, and
/// gives the range of the value alone, and where the next one begins; `None` if there is nothing but
/// white space. If it is an object, `visit` sees its members.
///
/// Values that follow each other need white space between them, unless brackets, braces or quotes
/// keep them apart.
#[inline]
pub(crate) fn record(
    text: &str,
    range: Range<usize>,
    visit: impl FnMut(Member),
) -> Checked<Option<(Range<usize>, usize)>> {
    let mut cursor = Cursor { bytes: &text.as_bytes()[..range.end], at: range.start };
    cursor.space();
    let start = cursor.at;
    if start == range.end {
        return Ok(None);
    }
    match cursor.bytes[start] {
        b'{' => cursor.object(0, visit)?,
        _ => cursor.value(0)?,
    }
    value_end(text, range, start..cursor.at).map(Some)
}

/// The same value, behind which is what may be there, and where the next one begins.
#[inline]
pub(super) fn value_end(
    text: &str,
    range: Range<usize>,
    value: Range<usize>,
) -> Checked<(Range<usize>, usize)> {
    let mut cursor = Cursor { bytes: &text.as_bytes()[..range.end], at: value.end };
    cursor.space();
    if cursor.at == value.end && cursor.at < range.end {
        cursor.apart()?;
    }
    Ok((value, cursor.at))
}

/// A place in a record.
pub(super) struct Cursor<'t> {
    pub(super) bytes: &'t [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    fn wrong<T>(&self, what: &'static str) -> Checked<T> {
        Err(Wrong { at: self.at, what: if self.at < self.bytes.len() { what } else { TORN } })
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(byte @ ..=b' ') = self.peek() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return;
            }
            self.at += 1;
        }
    }

    /// Whether what is here may stand right behind a value.
    #[cold]
    fn apart(&self) -> Checked<()> {
        let ended = matches!(self.bytes[self.at - 1], b'}' | b']' | b'"');
        match self.peek() {
            Some(b'{' | b'[' | b'"') => Ok(()),
            _ if ended => Ok(()),
            _ => self.wrong("something stands behind the value"),
        }
    }

    /// Goes past a value.
    fn value(&mut self, depth: usize) -> Checked<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => self.object(depth, drop),
            Some(b'[') => self.array(depth, drop),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.wrong("no JSON value begins like this"),
        }
    }

    /// The same, if it is likely to be a string or a number.
    #[inline(always)]
    pub(super) fn value_behind(&mut self, depth: usize) -> Checked<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.value(depth),
        }
    }

    #[inline]
    fn literal(&mut self, name: &'static [u8]) -> Checked<()> {
        let wrong = Wrong { at: self.at, what: "no JSON value begins like this" };
        if !self.bytes[self.at..].starts_with(name) {
            return Err(wrong);
        }
        self.at += name.len();
        Ok(())
    }

    /// Goes past an object; the cursor is at its brace.
    #[inline]
    pub(super) fn object(&mut self, depth: usize, mut visit: impl FnMut(Member)) -> Checked<()> {
        self.enter(depth)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.wrong("a key in double quotes is needed here");
            }
            let key = self.at + 1;
            let escaped = self.string()?;
            let key = key..self.at - 1;
            self.space();
            if self.peek() != Some(b':') {
                return self.wrong("a colon is needed here");
            }
            self.at += 1;
            self.space();
            let start = self.at;
            self.value(depth + 1)?;
            visit(Member { key, escaped, value: start..self.at });
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.wrong("a comma or a closing brace is needed here"),
            }
            self.space();
        }
        self.at += 1;
        Ok(())
    }

    /// Goes past an array; the cursor is at its bracket.
    pub(super) fn array(
        &mut self,
        depth: usize,
        mut visit: impl FnMut(Range<usize>),
    ) -> Checked<()> {
        self.enter(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let start = self.at;
            self.value(depth + 1)?;
            visit(start..self.at);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.wrong("a comma or a closing bracket is needed here"),
            }
            self.space();
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn enter(&mut self, depth: usize) -> Checked<()> {
        if depth >= DEEPEST {
            return self.wrong("more than 512 values within values");
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Goes past a string; the cursor is at its opening quote. Tells whether it has escapes.
    #[inline]
    fn string(&mut self) -> Checked<bool> {
        self.at += 1;
        self.at = plain(self.bytes, self.at);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(false);
        }
        self.string_from_escape()
    }

    #[cold]
    fn string_from_escape(&mut self) -> Checked<bool> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(true);
                }
                Some(b'\\') => match escape(&self.bytes[self.at..]) {
                    Some(length) => self.at += length,
                    None => return self.wrong("no escape of JSON begins like this"),
                },
                _ => return self.wrong("a control character stands in a string"),
            }
            self.at = plain(self.bytes, self.at);
        }
    }

    /// Goes past a number.
    #[inline]
    fn number(&mut self) -> Checked<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        let digits = self.digits()?;
        if zero && digits > 1 {
            self.at -= digits - 1;
            return self.wrong("a number does not begin with a zero");
        }
        if digits > LONGEST_INTEGER && !matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            self.at -= digits;
            return self.wrong("an integer of more than 50,000 digits");
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Checked<usize> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        match self.at - start {
            0 => self.wrong("a digit is needed here"),
            digits => Ok(digits),
        }
    }
}

/// What is wrong with a record that ends before its value does: as the first line of JSON that is laid
/// out over several.
pub(crate) const TORN: &str = "the record ends within a value";

/// The length of the escape that `bytes` begin with; `None` if it is none.
fn escape(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}
