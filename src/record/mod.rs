//! Blocks to records.
//!
//! [`text`] checks a block once, as a whole; [`Lines`] and [`RawLines`] then lend its records one
//! by one, with nothing copied.

mod lines;
mod text;

pub use lines::{Lines, RawLines};
pub(crate) use text::{fits, text};

/// What a record that is not valid UTF-8 does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// It fails the run, with its place.
    #[default]
    Fail,
    /// Each wrong sequence becomes U+FFFD; the records are counted.
    Replace,
    /// The record is left out; the records are counted.
    Skip,
}
