//! The smallest or the largest value of each group: what `min` and `max` hold.

use std::cmp::Ordering;

use super::{Damaged, NoBytes, PerGroup, Reader, Writer};
use crate::column::{
    Canonical, CanonicalValue as Value, Columns, Data, Datum, Form, Groups, OwnedColumn,
};

/// Keeps the value that compares so with all others, in jq's order of values.
#[derive(Clone, Copy)]
pub(super) struct Extreme(pub(super) Ordering);

impl PerGroup for Extreme {
    type Group = Option<Canonical<'static>>;

    fn update(&self, best: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
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
            (Data::Texts { form: Form::Text, text, spans }, None) => {
                spans.iter().map(|span| span.of(text)).enumerate().for_each(|(row, text)| {
                    let kept = &mut best[groups.of(row)];
                    if kept.as_ref().and_then(written).is_none_or(|kept| text.cmp(kept) == self.0) {
                        keep(kept, Datum::Text(text).canonical());
                    }
                });
            }
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
fn written<'k>(kept: &'k Canonical<'_>) -> Option<&'k str> {
    if let Value::Text(text) = kept.value() { Some(text) } else { None }
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
