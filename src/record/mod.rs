//! Blocks to records.

use std::borrow::Cow;

use crate::Result;
use crate::block::{Block, Delimiter};
use crate::progress::Progress;

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

/// The text of a block, checked; borrowed unless something had to be replaced or left out.
pub(crate) fn text<'b>(
    block: &'b Block,
    _delimiter: &Delimiter,
    _invalid: Invalid,
    _progress: &Progress,
) -> Result<Cow<'b, str>> {
    let _ = (block.bytes(), block.place(0));
    todo!()
}

/// The records of a block of text, without their delimiters.
#[derive(Debug, Clone)]
pub struct Lines<'b> {
    rest: &'b str,
}

/// The records of a block of bytes, without their delimiters.
#[derive(Debug, Clone)]
pub struct RawLines<'b> {
    rest: &'b [u8],
}

impl<'b> Lines<'b> {
    pub(crate) fn new(text: &'b str, _delimiter: &'b Delimiter) -> Self {
        Self { rest: text }
    }
}

impl<'b> Iterator for Lines<'b> {
    type Item = &'b str;
    fn next(&mut self) -> Option<&'b str> {
        let _ = self.rest;
        todo!()
    }
}

impl<'b> RawLines<'b> {
    pub(crate) fn new(bytes: &'b [u8], _delimiter: &'b Delimiter) -> Self {
        Self { rest: bytes }
    }
}

impl<'b> Iterator for RawLines<'b> {
    type Item = &'b [u8];
    fn next(&mut self) -> Option<&'b [u8]> {
        let _ = self.rest;
        todo!()
    }
}
