//! What each step of a bag is in the language of the command, where it is in it.

use std::any::TypeId;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use creel_operators::Combiner;
use creel_operators::typed::Aggregates;
use twox_hash::XxHash3_64;

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

/// The functions of the caller's that a step calls, and what else it was given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Code {
    /// Their type, which names where they stand.
    pub(super) name: &'static str,
    /// A hash of the identity of the type, as all closures of a function share a name: the same in all processes of
    /// one executable.
    pub(super) id: u64,
    /// The bytes that they hold: what they have captured of the process.
    pub(super) held: usize,
    /// What else it was given, in bits: a number, or the hash of a text.
    pub(super) number: u64,
}

impl Code {
    /// A function, or several in one value.
    pub(super) fn of<F: 'static>(_: &F) -> Self {
        Self { held: size_of::<F>(), ..Self::of_type::<F>() }
    }

    fn of_type<F: 'static>() -> Self {
        let mut hasher = DefaultHasher::new();
        TypeId::of::<F>().hash(&mut hasher);
        Self { name: std::any::type_name::<F>(), id: hasher.finish(), ..Self::default() }
    }

    /// The functions of aggregates, and the numbers that these were given.
    pub(super) fn of_aggregates<A: Aggregates + 'static>(aggregates: &A) -> Self {
        let mut numbers = DefaultHasher::new();
        aggregates.parameters(&mut |given| given.hash(&mut numbers));
        Self { held: aggregates.captured(), number: numbers.finish(), ..Self::of_type::<A>() }
    }

    /// The functions of a combiner, and the numbers that it was given.
    pub(super) fn of_combiner<C: Combiner>(combiner: &C) -> Self {
        let mut numbers = DefaultHasher::new();
        combiner.parameters(&mut |given| given.hash(&mut numbers));
        Self { held: combiner.captured(), number: numbers.finish(), ..Self::of_type::<C>() }
    }

    /// Another function beside it.
    pub(super) fn and<F: 'static>(self, other: &F) -> Self {
        let other = Self::of(other);
        Self { held: self.held + other.held, id: self.id.rotate_left(9) ^ other.id, ..self }
    }

    /// No function, but a text.
    pub(super) fn text(text: &str) -> Self {
        Self { number: XxHash3_64::oneshot(text.as_bytes()), ..Self::default() }
    }

    /// A number beside it.
    pub(super) fn and_number(self, number: u64) -> Self {
        Self { number, ..self }
    }
}

/// A step of a bag.
#[derive(Debug)]
pub(super) struct Verb {
    pub(super) step: Step,
    pub(super) text: Text,
    pub(super) code: Code,
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
    verb: Verb,
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
    pub(super) fn push(&mut self, step: Step, text: Text, code: Code) {
        let before = self.last.take();
        self.last = Some(Arc::new(Link { before, verb: Verb { step, text, code } }));
    }
}

#[cfg(feature = "cli")]
impl Verbs {
    /// What is read.
    pub(super) fn source(&self) -> Option<&Reading> {
        self.reading.as_deref()
    }

    /// The steps, from the first.
    pub(super) fn steps(&self) -> Vec<&Verb> {
        let first = self.last.as_deref();
        let links = std::iter::successors(first, |link| link.before.as_deref());
        let mut steps: Vec<_> = links.map(|link| &link.verb).collect();
        steps.reverse();
        steps
    }
}
