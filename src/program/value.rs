//! What an expression makes of each record, a batch at a time.

use super::batch::{Batch, Kind, Span};
use super::predicate::{Predicate, code_points};
use super::words::Separator;

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
    Then(Box<Self>, Box<Self>),
}

/// Values, and the text that they made for themselves.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) batch: Batch,
    pub(crate) text: String,
}

impl Columns {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { batch: Batch::new(kind), text: String::new() }
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
    /// What it makes of records of a kind.
    pub(crate) fn kind(&self, of: Kind) -> Kind {
        match self {
            Self::Identity => of,
            Self::Length => Kind::Number,
            Self::Lower | Self::Upper => Kind::Text,
            Self::Split(_) => Kind::List,
            Self::Test(_) => Kind::Bool,
            Self::Then(first, second) => second.kind(first.kind(of)),
        }
    }

    /// Evaluates a batch into columns, whose old content is dropped.
    pub(crate) fn evaluate<'t>(&self, text: &'t str, batch: &Batch, out: &mut Columns) -> Base<'t> {
        out.batch.clear();
        out.batch.kind = self.kind(batch.kind);
        match self {
            Self::Identity => {
                out.batch.spans.extend_from_slice(&batch.spans);
                out.batch.ends.extend_from_slice(&batch.ends);
                out.batch.numbers.extend_from_slice(&batch.numbers);
            }
            Self::Length => measure(text, batch, &mut out.batch.numbers),
            Self::Lower => return recase(text, batch, out, str::make_ascii_lowercase),
            Self::Upper => return recase(text, batch, out, str::make_ascii_uppercase),
            Self::Split(separator) => {
                for &span in &batch.spans {
                    separator.split(text, span, &mut out.batch.spans);
                    out.batch.ends.push(out.batch.spans.len() as u32);
                }
            }
            Self::Test(predicate) => {
                let mut met = vec![true; batch.len()];
                predicate.narrow(text, batch, &mut met);
                out.batch.numbers.extend(met.into_iter().map(i64::from));
            }
            Self::Then(first, second) => {
                let mut between = Columns::new(first.kind(batch.kind));
                let base = first.evaluate(text, batch, &mut between);
                let made = second.evaluate(base.of(&between.text), &between.batch, out);
                return match (base, made) {
                    (Base::Given(text), Base::Given(_)) => Base::Given(text),
                    (Base::Made, Base::Given(_)) => {
                        out.text = between.text;
                        Base::Made
                    }
                    (_, Base::Made) => Base::Made,
                };
            }
        }
        Base::Given(text)
    }
}

fn measure(text: &str, batch: &Batch, lengths: &mut Vec<i64>) {
    match batch.kind {
        Kind::Text if batch.is_ascii(text) => {
            lengths.extend(batch.spans.iter().map(|span| i64::from(span.len)));
        }
        Kind::Text => lengths.extend(batch.spans.iter().map(|span| code_points(span.of(text)))),
        Kind::List => lengths.extend(batch.lists().map(|list| list.len() as i64)),
        Kind::Number | Kind::Bool => {
            lengths.extend(batch.numbers.iter().map(|number| number.saturating_abs()));
        }
    }
}

fn recase<'t>(text: &'t str, batch: &Batch, out: &mut Columns, change: fn(&mut str)) -> Base<'t> {
    out.text.clear();
    for span in &batch.spans {
        let start = out.text.len();
        out.text.push_str(span.of(text));
        out.batch.spans.push(Span::new(start, out.text.len()));
    }
    change(&mut out.text);
    Base::Made
}
