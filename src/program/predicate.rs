//! Conditions on records, a batch at a time.

use super::batch::{Batch, Kind, Span};
use super::failure::Failure;
use super::syntax::Order;
use super::value::{Evaluated, Value};
use crate::record::json::{self, Constant};

/// A condition, compiled for one kind of record.
#[derive(Debug, Clone)]
pub(crate) enum Predicate {
    /// The same for every record: a truthy value, or values of two types compared.
    Always(bool),
    /// Records that are true or false themselves.
    IsTrue,
    /// `length` against a number.
    Length(Order, i64),
    /// A number against a number.
    Number(Order, i64),
    /// True or false against one of them.
    Bool(Order, bool),
    /// Text against text, by code points.
    Text(Order, Box<str>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Contains(Box<memchr::memmem::Finder<'static>>),
    /// A regular expression that matches somewhere.
    Matches(Box<regex::Regex>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// The condition on what a value makes of the record.
    On(Box<Value>, Box<Self>),
    /// Of JSON: neither null nor false.
    Truthy,
    /// Of JSON: against a constant, in jq's order of all values.
    Json(Order, Box<Constant>),
    /// The keys of two values against each other.
    Keys(Order, Box<[Value; 2]>),
}

impl Predicate {
    /// Clears the marks of the records that do not meet the condition; looks at marked ones only.
    /// Those for which it cannot be told are put into `failures`, whatever becomes of their marks.
    pub(crate) fn narrow(
        &self,
        text: &str,
        batch: &Batch,
        keep: &mut [bool],
        failures: &mut Vec<Failure>,
    ) {
        match self {
            Self::Always(true) => {}
            Self::Always(false) => keep.fill(false),
            Self::IsTrue => each(keep, &batch.record.bools, |&met| met),
            Self::Length(order, n) => lengths(*order, *n, text, batch, keep),
            Self::Number(order, n) => {
                numbers(*order, *n, &batch.record.numbers, keep, |&number| number)
            }
            Self::Bool(order, to) => each(keep, &batch.record.bools, |met| order.holds(met, to)),
            Self::Text(order, to) => texts(keep, text, batch, |t| order.holds(t, to)),
            Self::StartsWith(with) => texts(keep, text, batch, |t| t.starts_with(&**with)),
            Self::EndsWith(with) => texts(keep, text, batch, |t| t.ends_with(&**with)),
            Self::Contains(finder) => {
                texts(keep, text, batch, |t| finder.find(t.as_bytes()).is_some());
            }
            Self::Matches(regex) => texts(keep, text, batch, |t| regex.is_match(t)),
            Self::And(all) => {
                all.iter().for_each(|of| of.narrow(text, batch, keep, failures));
            }
            Self::Or(any) => {
                let Some((last, any)) = any.split_last() else { return keep.fill(false) };
                // What has met one of them, which those behind it are not asked about.
                let mut met = vec![false; keep.len()];
                let mut now = Vec::with_capacity(keep.len());
                for of in any {
                    now.clear();
                    now.extend_from_slice(keep);
                    of.narrow(text, batch, &mut now, failures);
                    keep.iter_mut().zip(&now).for_each(|(keep, &now)| *keep &= !now);
                    met.iter_mut().zip(&now).for_each(|(met, &now)| *met |= now);
                }
                last.narrow(text, batch, keep, failures);
                keep.iter_mut().zip(&met).for_each(|(keep, &met)| *keep |= met);
            }
            Self::Not(of) => {
                let mut met = keep.to_vec();
                of.narrow(text, batch, &mut met, failures);
                keep.iter_mut().zip(&met).for_each(|(keep, &met)| *keep &= !met);
            }
            Self::On(value, of) => {
                let mut columns = Evaluated::new(value.kind(batch.record.kind));
                let text = value.evaluate(text, batch, &mut columns);
                failures.extend(columns.failures.iter().filter(|failure| keep[failure.index]));
                of.narrow(text.of(&columns.text), &columns.batch, keep, failures);
            }
            Self::Truthy => texts(keep, text, batch, |raw| !matches!(json::rank(raw), 0 | 1)),
            Self::Json(order, to) => {
                let mut scratch = String::new();
                texts(keep, text, batch, |raw| order.tells(to.compare(raw, &mut scratch)));
            }
            Self::Keys(order, values) => {
                let columns = values.each_ref().map(|value| {
                    let mut columns = Evaluated::new(Kind::Key);
                    let base = value.evaluate(text, batch, &mut columns);
                    failures.extend(columns.failures.iter().filter(|failure| keep[failure.index]));
                    (base, columns)
                });
                let keys = columns.each_ref().map(|(base, columns)| {
                    let text = base.of(&columns.text);
                    columns.batch.record.spans.iter().map(move |span| span.of(text))
                });
                let [left, right] = keys;
                keep.iter_mut().zip(left.zip(right)).for_each(|(keep, (left, right))| {
                    *keep = *keep && order.holds(left, right);
                });
            }
        }
    }
}

fn each<T>(keep: &mut [bool], column: &[T], mut test: impl FnMut(&T) -> bool) {
    keep.iter_mut().zip(column).for_each(|(keep, value)| *keep = *keep && test(value));
}

fn texts(keep: &mut [bool], text: &str, batch: &Batch, mut test: impl FnMut(&str) -> bool) {
    each(keep, &batch.record.spans, |span| test(span.of(text)));
}

fn lengths(order: Order, n: i64, text: &str, batch: &Batch, keep: &mut [bool]) {
    match batch.record.kind {
        Kind::Text if batch.record.is_ascii(text) => {
            lengths_in_bytes(order, n, &batch.record.spans, keep)
        }
        Kind::Text => each(keep, &batch.record.spans, |&span| length_holds(order, n, text, span)),
        Kind::List => keep.iter_mut().zip(batch.record.lists()).for_each(|(keep, list)| {
            *keep = *keep && order.holds(&(list.len() as i64), &n);
        }),
        Kind::Number | Kind::Bool | Kind::Json | Kind::Key => {
            numbers(order, n, &batch.record.numbers, keep, |number| number.saturating_abs())
        }
    }
}

/// Whole numbers against one, without a branch.
fn numbers<T>(order: Order, n: i64, column: &[T], keep: &mut [bool], number: impl Fn(&T) -> i64) {
    let (least, most, inside) = range(order, n);
    let width = most.wrapping_sub(least) as u64;
    for (keep, value) in keep.iter_mut().zip(column) {
        *keep &= (number(value).wrapping_sub(least) as u64 <= width) == inside;
    }
}

/// The lengths of spans against a number: as [`numbers`], but by 32 bits, which any processor of 64 bits
/// compares four at a time or more.
fn lengths_in_bytes(order: Order, n: i64, spans: &[Span], keep: &mut [bool]) {
    let (least, most, inside) = range(order, n);
    if most < 0 || least > i64::from(u32::MAX) {
        return keep.iter_mut().for_each(|keep| *keep &= !inside);
    }
    let [least, most] = [least, most].map(|end| end.clamp(0, i64::from(u32::MAX)) as u32);
    for (keep, span) in keep.iter_mut().zip(spans) {
        *keep &= (span.len.wrapping_sub(least) <= most - least) == inside;
    }
}

/// The numbers that are in this order to one, as the first and last of a range and whether they are
/// those inside of it, or outside.
fn range(order: Order, n: i64) -> (i64, i64, bool) {
    match order {
        Order::Lt => (n, i64::MAX, false),
        Order::Le => (i64::MIN, n, true),
        Order::Gt => (i64::MIN, n, false),
        Order::Ge => (n, i64::MAX, true),
        Order::Eq => (n, n, true),
        Order::Ne => (n, n, false),
    }
}

/// A text of `b` bytes has from `b / 4` to `b` code points; if both ends of that range agree on
/// an ordering, nothing needs to be counted.
fn length_holds(order: Order, n: i64, text: &str, span: Span) -> bool {
    let most = i64::from(span.len);
    let least = (most + 3) / 4;
    let (at_least, at_most) = (order.holds(&least, &n), order.holds(&most, &n));
    let settled = match order {
        Order::Eq | Order::Ne => n < least || n > most,
        _ => at_least == at_most,
    };
    if settled { at_least } else { order.holds(&code_points(span.of(text)), &n) }
}

/// The `length` of a text.
#[inline]
pub(crate) fn code_points(text: &str) -> i64 {
    creel_kernels::code_points(text) as i64
}

impl Predicate {
    /// The opposite condition.
    pub(crate) fn negate(self) -> Self {
        match self {
            Self::Not(of) => *of,
            Self::Always(met) => Self::Always(!met),
            other => Self::Not(Box::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_in_the_range_that_their_order_says(
            column in prop::collection::vec(prop_oneof![any::<i64>(), -3..3_i64, (1_i64 << 32) - 3..1_i64 << 32, Just(i64::MIN), Just(i64::MAX)], 0..9),
            n in prop_oneof![any::<i64>(), -3..3_i64, (1_i64 << 32) - 3..(1_i64 << 32) + 3, Just(i64::MIN), Just(i64::MAX)],
        ) {
            for order in [Order::Lt, Order::Le, Order::Gt, Order::Ge, Order::Eq, Order::Ne] {
                let mut keep = vec![true; column.len()];
                numbers(order, n, &column, &mut keep, |&number| number);
                let expected: Vec<_> = column.iter().map(|number| order.holds(number, &n)).collect();
                prop_assert_eq!(&keep, &expected);
                let mut lengths = vec![true; column.len()];
                let spans: Vec<_> = column.iter().map(|&n| Span { start: 0, len: n as u32 }).collect();
                lengths_in_bytes(order, n, &spans, &mut lengths);
                let expected: Vec<_> = spans.iter().map(|span| order.holds(&i64::from(span.len), &n)).collect();
                prop_assert_eq!(&lengths, &expected);
                // What is left out already stays out.
                lengths.fill(false);
                lengths_in_bytes(order, n, &spans, &mut lengths);
                prop_assert!(!lengths.contains(&true));
                keep.fill(false);
                numbers(order, n, &column, &mut keep, |&number| number);
                prop_assert!(!keep.contains(&true));
            }
        }
    }
}
