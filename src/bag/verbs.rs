//! What each step of a bag is in the language of the command, where it is in it.

use std::borrow::Cow;
use std::sync::Arc;

use super::chain::Separator;
use super::read::ReadOptions;
use crate::graph::Step;

/// A step in the language of the command.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// A stage, or several with `|` between them; empty for a step that changes no record.
    Stage(Cow<'static, str>),
    /// The step is a closure of the caller's.
    Closure,
    /// The language has no such stage; why.
    Rust(&'static str),
}

impl Text {
    pub(super) const fn of(stage: &'static str) -> Self {
        Self::Stage(Cow::Borrowed(stage))
    }

    /// A step that changes no record.
    pub(super) const fn none() -> Self {
        Self::of("")
    }

    /// A stage with a number.
    pub(super) fn with(stage: &str, n: usize) -> Self {
        Self::Stage(format!("{stage}({n})").into())
    }

    /// Cutting texts.
    pub(super) const fn of_separator(at: &Separator) -> Self {
        match at {
            Separator::Space => Self::of("words"),
            // As in jq, of an empty text its `split` gives nothing.
            Separator::Text(_) => Self::Rust(
                "a cut that gives a piece of an empty record, unlike that of the language",
            ),
        }
    }
}

/// What is read, and the steps behind it. A chain shares its beginning with those that go on from it.
#[derive(Clone, Default)]
pub(super) struct Verbs {
    /// `None` if no source is read as text.
    reading: Option<Arc<Reading>>,
    last: Option<Arc<Link>>,
}

/// The sources that a bag reads as text.
pub(super) struct Reading {
    pub(super) sources: Vec<String>,
    pub(super) options: ReadOptions,
}

/// A step, and those before it.
struct Link {
    before: Option<Arc<Self>>,
    verb: (Step, Text),
}

/// There may be thousands: one by one.
impl Drop for Link {
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(link) = next {
            next = Arc::into_inner(link).and_then(|mut link| link.before.take());
        }
    }
}

impl Verbs {
    /// Steps behind a reader of text.
    pub(super) fn reading(sources: Vec<String>, options: ReadOptions) -> Self {
        Self { reading: Some(Arc::new(Reading { sources, options })), last: None }
    }

    /// One step more.
    pub(super) fn push(&mut self, step: Step, text: Text) {
        let before = self.last.take();
        self.last = Some(Arc::new(Link { before, verb: (step, text) }));
    }
}

#[cfg(feature = "cli")]
impl Verbs {
    /// What is read.
    pub(super) fn source(&self) -> Option<&Reading> {
        self.reading.as_deref()
    }

    /// The steps, from the first.
    pub(super) fn steps(&self) -> Vec<&(Step, Text)> {
        let first = self.last.as_deref();
        let links = std::iter::successors(first, |link| link.before.as_deref());
        let mut steps: Vec<_> = links.map(|link| &link.verb).collect();
        steps.reverse();
        steps
    }
}
