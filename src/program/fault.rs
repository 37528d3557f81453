//! What is wrong with a program, and where in its text.

use std::ops::Range;

/// A fault of a program: shown with a caret under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The bytes of the program that are meant.
    pub(crate) span: Range<usize>,
    /// What is wrong, in a sentence without a full stop.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) hint: Option<String>,
}

impl Fault {
    /// A fault at a place, with nothing to suggest yet.
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    /// The same fault, with what to write instead.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
