//! What an expression makes of each record, a batch at a time. What it makes of JSON is in [`json`].

use super::batch::{Batch, Kind, LONGEST_TEXT, Span};
use super::failure::Failure;
use super::json::{self, Steps};
use super::predicate::{Predicate, code_points};
use super::words::Separator;
use crate::record::json::Step;

/// An expression that gives one value for each record, compiled for one kind of record.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Identity,
    Length,
    /// `ascii_downcase`
    Lower,
    /// `ascii_upcase`
    Upper,
    Split(Separator),
    Test(Predicate),
    /// One after another: two or more, none of them a chain or the identity.
    Chain(Vec<Self>),
    /// Of JSON: where a path leads.
    Path(Steps),
    /// Of a record of JSON: the field found when it was read, by its column; the step is its name.
    Field(usize, (Step, bool)),
    /// Of JSON: the text of a string.
    StringText,
    /// Of JSON: what it is counted and sorted by.
    Key,
    /// Of JSON: what can be summed.
    Summand,
    /// Of JSON: its `length`, which is JSON too.
    JsonLength,
    /// Of JSON: an integer of 64 bits.
    JsonInteger,
    /// Of JSON: a list of texts.
    JsonTexts,
}

/// The values of an expression for a batch, and the text that they made for themselves.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) batch: Batch,
    pub(crate) text: String,
    /// The records that could not be evaluated, for which some value stands in the batch.
    pub(crate) failures: Vec<Failure>,
    /// How long the text may be that is made.
    pub(crate) longest: usize,
}

impl Evaluated {
    pub(crate) fn new(kind: Kind) -> Self {
        let (text, failures) = (String::new(), Vec::new());
        Self { batch: Batch::new(kind), text, failures, longest: LONGEST_TEXT }
    }

    /// Appends the span of text that was made from `start` on, of a record by its place in the batch; or
    /// takes it back, if the text is too long for spans.
    pub(crate) fn push_made(&mut self, index: usize, start: usize) {
        if self.text.len() > self.longest {
            self.text.truncate(start);
            self.failures
                .push(Failure { index, what: Some("the value is too long to be compared") });
        }
        self.batch.record.spans.push(Span::new(start, self.text.len()));
    }
}

/// Which text the spans of some values point into.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Base<'t> {
    /// The one that the records came with.
    Given(&'t str),
    /// The one in the columns.
    Made,
}

impl<'t> Base<'t> {
    pub(crate) fn of(self, made: &'t str) -> &'t str {
        match self {
            Self::Given(text) => text,
            Self::Made => made,
        }
    }
}

impl Value {
    /// The values that it is made of, one after another; none for the identity.
    pub(crate) fn into_chain(self) -> Vec<Self> {
        match self {
            Self::Identity => Vec::new(),
            Self::Chain(values) => values,
            value => vec![value],
        }
    }

    /// The value that is made of others, one after another.
    pub(crate) fn of_chain(mut values: Vec<Self>) -> Self {
        match values.len() {
            0 | 1 => values.pop().unwrap_or(Self::Identity),
            _ => Self::Chain(values),
        }
    }

    /// What it makes of records of a kind.
    pub(crate) fn kind(&self, of: Kind) -> Kind {
        match self {
            Self::Identity => of,
            Self::Length | Self::JsonInteger => Kind::Number,
            Self::Lower | Self::Upper => Kind::Text,
            Self::Split(_) | Self::JsonTexts => Kind::List,
            Self::Test(_) => Kind::Bool,
            Self::Chain(values) => values.iter().fold(of, |kind, value| value.kind(kind)),
            Self::Path(_) | Self::Field(..) | Self::Summand | Self::JsonLength => Kind::Json,
            Self::StringText => Kind::Text,
            Self::Key => Kind::Key,
        }
    }

    /// Evaluates a batch into columns, whose old content is dropped.
    pub(crate) fn evaluate<'t>(
        &self,
        text: &'t str,
        batch: &Batch,
        out: &mut Evaluated,
    ) -> Base<'t> {
        out.batch.clear();
        out.batch.record.kind = self.kind(batch.record.kind);
        out.failures.clear();
        match self {
            Self::Identity => out.batch.copy_from(batch),
            Self::Length => measure(text, batch, &mut out.batch.record.numbers),
            Self::Lower => return recase(text, batch, out, str::make_ascii_lowercase),
            Self::Upper => return recase(text, batch, out, str::make_ascii_uppercase),
            Self::Split(separator) => {
                for &span in &batch.record.spans {
                    separator.split(text, span, &mut out.batch.record.spans);
                    out.batch.record.ends.push(out.batch.record.spans.len() as u32);
                }
            }
            Self::Test(predicate) => {
                let met = &mut out.batch.record.bools;
                met.resize(batch.len(), true);
                predicate.narrow(text, batch, met, &mut out.failures);
            }
            Self::Chain(values) => return chain(values, text, batch, out),
            Self::Path(steps) => return json::path(steps, text, batch, out),
            Self::Field(n, step) => return json::field(*n, step, text, batch, out),
            Self::StringText => return json::text_of(text, batch, out),
            Self::Key => return json::keys(text, batch, out),
            Self::Summand => return json::summands(text, batch, out),
            Self::JsonLength => return json::lengths(text, batch, out),
            Self::JsonInteger => return json::integers(text, batch, out),
            Self::JsonTexts => return json::lists_of_text(text, batch, out),
        }
        Base::Given(text)
    }
}

/// Evaluates values one after another, the last into `out`.
fn chain<'t>(values: &[Value], text: &'t str, batch: &Batch, out: &mut Evaluated) -> Base<'t> {
    let Some((last, values)) = values.split_last() else { return Base::Given(text) };
    let mut base = Base::Given(text);
    let mut between: Option<Evaluated> = None;
    let mut failures = Vec::new();
    for value in values {
        let mut next = Evaluated::new(batch.record.kind);
        base = link(value, base, text, batch, &mut between, &mut next);
        failures.append(&mut next.failures);
        between = Some(next);
    }
    base = link(last, base, text, batch, &mut between, out);
    // What failed first is what the record failed of.
    failures.append(&mut out.failures);
    std::mem::swap(&mut out.failures, &mut failures);
    base
}

/// Evaluates a value on what those before it have made, if there are such, into `next`.
fn link<'t>(
    value: &Value,
    base: Base<'t>,
    text: &'t str,
    batch: &Batch,
    before: &mut Option<Evaluated>,
    next: &mut Evaluated,
) -> Base<'t> {
    let made = match before {
        None => return value.evaluate(text, batch, next),
        Some(before) => value.evaluate(base.of(&before.text), &before.batch, next),
    };
    match (base, made) {
        (_, Base::Made) => Base::Made,
        (Base::Given(text), Base::Given(_)) => Base::Given(text),
        (Base::Made, Base::Given(_)) => {
            next.text = before.take().map(|before| before.text).unwrap_or_default();
            Base::Made
        }
    }
}

fn measure(text: &str, batch: &Batch, lengths: &mut Vec<i64>) {
    match batch.record.kind {
        Kind::Text if batch.record.is_ascii(text) => {
            lengths.extend(batch.record.spans.iter().map(|span| i64::from(span.len)));
        }
        Kind::Text => {
            lengths.extend(batch.record.spans.iter().map(|span| code_points(span.of(text))))
        }
        Kind::List => lengths.extend(batch.record.lists().map(|list| list.len() as i64)),
        Kind::Number | Kind::Bool | Kind::Json | Kind::Key => {
            lengths.extend(batch.record.numbers.iter().map(|number| number.saturating_abs()));
        }
    }
}

fn recase<'t>(text: &'t str, batch: &Batch, out: &mut Evaluated, change: fn(&mut str)) -> Base<'t> {
    out.text.clear();
    for span in &batch.record.spans {
        let start = out.text.len();
        out.text.push_str(span.of(text));
        out.batch.record.spans.push(Span::new(start, out.text.len()));
    }
    change(&mut out.text);
    Base::Made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_too_long_for_spans_is_a_failure_of_its_record() {
        let text = "[1,2,3][4,5,6,7,8,9][1,2]7";
        let mut batch = Batch::new(Kind::Json);
        batch
            .record
            .spans
            .extend([(0, 7), (7, 20), (20, 25), (25, 26)].map(|(a, b)| Span::new(a, b)));
        let mut all = Evaluated::new(Kind::Key);
        Value::Key.evaluate(text, &batch, &mut all);
        let key = |columns: &Evaluated, n: usize| {
            columns.batch.record.spans[n].of(&columns.text).to_owned()
        };
        let mut few = Evaluated { longest: 40, ..Evaluated::new(Kind::Key) };
        Value::Key.evaluate(text, &batch, &mut few);
        assert_eq!(few.failures.iter().map(|failure| failure.index).collect::<Vec<_>>(), [1]);
        assert_eq!(few.batch.record.spans[1].len, 0);
        for n in [0, 2, 3] {
            assert_eq!(key(&few, n), key(&all, n));
        }
        assert!(few.text.len() <= 40);
    }
}
