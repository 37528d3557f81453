//! JSON on its raw bytes: checked whole in one pass, and nothing made of it but what is asked for.
//!
//! [`scan`] checks a record and tells where the members of its object are; [`path`] finds a part of
//! a value; [`string`] and [`number`] know when two spellings are one value; [`key`] makes of a value a
//! text that is equal, and sorts, as the values do.
//!
//! A record is a line. Values that follow each other on it are records of their own, as in jq; where one
//! of them is wrong, none of the line is a record. A value does not go on in the next line.
//!
//! What counts as JSON is RFC 8259, with three decisions. A half of a surrogate pair stands for U+FFFD,
//! as in jq, since real logs hold them. Of equal keys the last wins. Values within values are refused
//! beyond [`DEEPEST`], as in jq: the readers are recursive, and input is hostile.

mod key;
mod number;
mod path;
mod scan;
mod string;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use key::{Constant, write_key, write_string, write_value};
pub(crate) use number::shortest;
pub(crate) use path::{Step, find, length, members};
pub(crate) use scan::{TORN, Wrong, record};
pub(crate) use string::{has_escape, unescape};

/// The most values that may be open around a value.
pub(crate) const DEEPEST: usize = 512;

/// The type of a value by its first byte, in jq's order: null, false, true, numbers, strings, arrays,
/// objects. No text at all, which is how a missing field is lent, is null.
pub(crate) fn rank(raw: &str) -> u8 {
    match raw.as_bytes().first() {
        None | Some(b'n') => 0,
        Some(b'f') => 1,
        Some(b't') => 2,
        Some(b'"') => 4,
        Some(b'[') => 5,
        Some(b'{') => 6,
        Some(_) => 3,
    }
}
