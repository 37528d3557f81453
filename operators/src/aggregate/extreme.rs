//! The smallest or the largest value of each group: what `min` and `max` hold.

use std::cmp::Ordering;

use super::{Damaged, NoBytes, PerGroup, Reader, Writer};
use crate::Value;
use crate::column::{
    Canonical, CanonicalValue, Column, Columns, Data, Datum, Form, Groups, OwnedColumn,
};

/// Keeps the value that compares so with all others: values of one type, as the combiners `Min` and
/// `Max` do, or canonical values of columns.
#[derive(Clone, Copy)]
pub(super) struct Extreme(Ordering);

impl Extreme {
    pub(super) const MIN: Self = Self(Ordering::Less);
    pub(super) const MAX: Self = Self(Ordering::Greater);

    /// Keeps a value in place of another that it comes before. Of equal ones the first stays.
    #[inline]
    pub(super) fn keep<V: Value>(self, kept: &mut Option<V::Owned>, value: V) {
        if kept.as_ref().is_none_or(|kept| value.compare(kept) == self.0) {
            *kept = Some(value.into_owned());
        }
    }

    /// Keeps the value of another state.
    #[inline]
    pub(super) fn merge<V: Value<Owned = V>>(self, into: &mut Option<V>, from: Option<V>) {
        if let Some(value) = from {
            self.keep(into, value);
        }
    }

    /// Adds values to the only group: of columns of one kind the first of a batch is found as what it
    /// is.
    fn update_one(self, best: &mut Option<Canonical<'static>>, column: &Column<'_>) {
        match (column.data(), column.missing()) {
            (Data::Integers(values), None) => {
                let first = match self.0 {
                    Ordering::Less => values.iter().min(),
                    _ => values.iter().max(),
                };
                if let Some(first) = first {
                    self.keep(best, Datum::Integer(*first).canonical());
                }
            }
            (Data::Texts { form: Form::Text, text, spans }, None) => {
                let mut texts = spans.iter().map(|span| span.of(text));
                let Some(mut first) = texts.next() else { return };
                for text in texts {
                    if text.cmp(first) == self.0 {
                        first = text;
                    }
                }
                self.keep(best, Datum::Text(first).canonical());
            }
            _ => column.each(|_, datum| self.keep(best, datum.canonical())),
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
        // What is kept of a column of numbers is a number, and most others are told by one comparison.
        match (column.data(), column.missing()) {
            (Data::Integers(values), None) => values.iter().enumerate().for_each(|(row, x)| {
                let kept = &mut best[groups.of(row)];
                if kept.as_ref().and_then(integer).is_none_or(|kept| x.cmp(&kept) == self.0) {
                    self.keep(kept, Datum::Integer(*x).canonical());
                }
            }),
            (Data::Floats(values), None) => values.iter().enumerate().for_each(|(row, x)| {
                let kept = &mut best[groups.of(row)];
                let behind = kept.as_ref().and_then(double).and_then(|kept| x.partial_cmp(&kept));
                if behind.is_none_or(|order| order == self.0) {
                    self.keep(kept, Datum::Float(*x).canonical());
                }
            }),
            _ => column.each(|row, datum| self.keep(&mut best[groups.of(row)], datum.canonical())),
        }
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        Self::merge(*self, into, from);
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
    if let CanonicalValue::Integer(integer) = kept.value() { Some(*integer) } else { None }
}

/// The double that a value is, unless it is rounded.
#[inline]
fn double(kept: &Canonical<'_>) -> Option<f64> {
    match kept.value() {
        CanonicalValue::Integer(integer) if integer.unsigned_abs() < 1 << 53 => {
            Some(*integer as f64)
        }
        CanonicalValue::Float(double) => Some(*double),
        CanonicalValue::Integer(_) | CanonicalValue::Text(_) | CanonicalValue::Key(_) => None,
    }
}
