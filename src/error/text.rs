//! What messages show of text that is not ours.

/// Text from the input or from outside, safe for a terminal: control characters escaped.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => out.extend(c.escape_default()),
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
