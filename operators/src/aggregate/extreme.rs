//! The smallest or the largest value of each group: what `min` and `max` hold.

use std::cmp::Ordering;

use super::{Damaged, NoBytes, PerGroup, Reader, Writer};
use crate::column::{
    Canonical, CanonicalValue as Value, Column, Columns, Data, Datum, Form, Groups, OwnedColumn,
};

/// Keeps the value that compares so with all others, in jq's order of values.
#[derive(Clone, Copy)]
pub(super) struct Extreme(pub(super) Ordering);

impl Extreme {
    /// Returns true if a value comes before another, or if there is no other.
    #[inline]
    fn is_first<T: Ord + ?Sized>(self, value: &T, kept: Option<&T>) -> bool {
        kept.is_none_or(|kept| value.cmp(kept) == self.0)
    }

    /// Adds values to the only group: of columns of one kind the first of a batch is found as what it
    /// is.
    fn update_one(self, best: &mut Option<Canonical<'static>>, column: &Column<'_>) {
        let mut keep = |value: Canonical<'_>| {
            if self.is_first(&value, best.as_ref().map(|kept| kept as &Canonical<'_>)) {
                *best = Some(value.into_owned());
            }
        };
        match (column.data(), column.missing()) {
            (Data::Integers(values), None) => {
                let first = match self.0 {
                    Ordering::Less => values.iter().min(),
                    _ => values.iter().max(),
                };
                first.iter().for_each(|first| keep(Datum::Integer(**first).canonical()));
            }
            (Data::Texts { form: Form::Text, text, spans }, None) => {
                let mut texts = spans.iter().map(|span| span.of(text));
                let Some(mut first) = texts.next() else { return };
                for text in texts {
                    if text.cmp(first) == self.0 {
                        first = text;
                    }
                }
                keep(Datum::Text(first).canonical());
            }
            _ => column.each(|_, datum| keep(datum.canonical())),
        }
    }
}

impl PerGroup for Extreme {
    type Group = Option<Canonical<'static>>;

    fn update(&self, best: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        if let Groups::One = groups {
            return self.update_one(&mut best[0], &column);
        }
        let keep = |kept: &mut Self::Group, value: Canonical<'_>| {
            // Of values that are kept only: most are not.
            if kept.as_ref().is_none_or(|kept| value.cmp(kept) == self.0) {
                *kept = Some(value.into_owned());
            }
        };
        // What is kept of a column of numbers is a number, and most others are told by one comparison.
        match (column.data(), column.missing()) {
            (Data::Integers(values), None) => values.iter().enumerate().for_each(|(row, x)| {
                let kept = &mut best[groups.of(row)];
                if kept.as_ref().and_then(integer).is_none_or(|kept| x.cmp(&kept) == self.0) {
                    keep(kept, Datum::Integer(*x).canonical());
                }
            }),
            (Data::Floats(values), None) => values.iter().enumerate().for_each(|(row, x)| {
                let kept = &mut best[groups.of(row)];
                let behind = kept.as_ref().and_then(double).and_then(|kept| x.partial_cmp(&kept));
                if behind.is_none_or(|order| order == self.0) {
                    keep(kept, Datum::Float(*x).canonical());
                }
            }),
            _ => column.each(|row, datum| keep(&mut best[groups.of(row)], datum.canonical())),
        }
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        if let Some(value) = from
            && into.as_ref().is_none_or(|kept| value.cmp(kept) == self.0)
        {
            *into = Some(value);
        }
    }

    fn encode(&self, group: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        bytes.push(u8::from(group.is_some()));
        group.iter().for_each(|value| bytes.put_canonical(value));
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged> {
        bytes.flag()?.then(|| bytes.canonical()).transpose()
    }

    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn {
        OwnedColumn::of(groups.iter().map(|group| group.as_ref().map(Canonical::datum)))
    }

    fn heap(&self, group: &Self::Group) -> usize {
        group.as_ref().map_or(0, Canonical::heap)
    }
}

#[inline]
fn integer(kept: &Canonical<'_>) -> Option<i64> {
    if let Value::Integer(integer) = kept.value() { Some(*integer) } else { None }
}

/// The double that a value is, unless it is rounded.
#[inline]
fn double(kept: &Canonical<'_>) -> Option<f64> {
    match kept.value() {
        Value::Integer(integer) if integer.unsigned_abs() < 1 << 53 => Some(*integer as f64),
        Value::Float(double) => Some(*double),
        Value::Integer(_) | Value::Text(_) | Value::Key(_) => None,
    }
}
