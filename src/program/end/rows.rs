//! Rows of ends that keep records as the text that is printed.

use super::super::batch::Kind;
use crate::sink::{Cell, Encoder};
use crate::{Error, Place, Result};

/// Appends a record of a kind as it is printed.
///
/// # Errors
///
/// If it was in the temporary file, and is no text any more.
pub(super) fn encode(encoder: Encoder, kind: Kind, row: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if kind == Kind::Text && encoder.copies_texts() {
        out.extend_from_slice(row);
        out.push(b'\n');
        return Ok(());
    }
    let text = std::str::from_utf8(row).map_err(|_| Error::Corrupt {
        place: Place::object("the temporary file"),
        reason: "a row of it is no text".to_owned(),
    })?;
    let cell = match kind {
        Kind::Text => Cell::Text(text),
        Kind::Key => Cell::Key(text),
        Kind::Json | Kind::Number | Kind::Bool | Kind::List => Cell::Json(text),
    };
    encoder.value(out, cell);
    Ok(())
}
