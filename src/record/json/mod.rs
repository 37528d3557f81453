//! JSON on its raw bytes: checked whole in one pass, and nothing made of it but what is asked for.
//!
//! [`scan`] checks a record and tells where the members of its object are, [`layout`] does so faster if
//! the record has the layout of the one before; [`path`] finds a part of
//! a value. When two spellings are one value, and which of two comes first, the columns of operators
//! know.
//!
//! A record is a line. Values that follow each other on it are records of their own, as in jq; where one
//! of them is wrong, none of the line is a record. A value does not go on in the next line.
//!
//! What counts as JSON is RFC 8259, with three decisions. A half of a surrogate pair stands for U+FFFD,
//! as in jq, since real logs hold them. Of equal keys the last wins. Values within values are refused
//! beyond [`DEEPEST`], as in jq: the readers are recursive, and input is hostile.

mod constant;
mod layout;
mod path;
mod scan;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use constant::Constant;
pub(crate) use creel_operators::column::{
    has_escape, rank, shortest, small_integer, unescape, write_key, write_string, write_value,
};
pub(crate) use layout::Reader;
pub(crate) use path::{Step, find, length, members};
pub(crate) use scan::{TORN, Wrong};

/// The most values that may be open around a value.
pub(crate) const DEEPEST: usize = 512;
