//! Blocks to records.
//!
//! [`text`] checks a block once, as a whole; [`Lines`] and [`RawLines`] then lend its records one
//! by one, with nothing copied. `json` reads records that are values of JSON.

#[cfg(feature = "cli")]
pub(crate) mod json;
mod lines;
mod text;

pub use lines::{Lines, RawLines};
pub(crate) use text::{Checked, fits, text};
#[cfg(feature = "cli")]
pub(crate) use text::{NAME_DELIMITER, NAME_ENCODING, text_in_place};

/// What a record that is not valid UTF-8, or not the JSON that it should be, does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// It fails the run, with its place.
    #[default]
    Fail,
    /// Each wrong sequence becomes U+FFFD; the records are counted. What is not JSON fails the run.
    Replace,
    /// The record is left out; the records are counted.
    Skip,
}
