//! `sum`: the exact sum of numbers.

use std::marker::PhantomData;

use super::exact_sum::{ExactSum, Value};
use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Traits};
use crate::column::{Columns, Data, Datum, Form, Groups, OwnedColumn, small_integer};
use crate::table::saved;
use crate::{Combiner, Feed, Records, Spill};

pub(super) static SUM: Kind = Kind {
    name: "sum",
    usage: "sum, sum(f)",
    help: "the sum of numbers: of integers exact, of others rounded once",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Numbers,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Sum::<ExactSum>::new())),
};

/// A record that can be added up, and what it is added up in.
///
/// ```
/// use creel_operators::{ExactSum, Summand};
///
/// let mut sum = ExactSum::default();
/// 0.5_f32.add_to(&mut sum);
/// assert_eq!(sum.value(), 0.5);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be summed",
    note = "integers of up to 64 bits, `f32`, `f64` and references to them can; for others, use `fold`"
)]
pub trait Summand {
    /// What holds the sum so far.
    type Sum: Total;

    /// Adds this record to a sum.
    fn add_to(self, sum: &mut Self::Sum);
}

/// A sum so far: `i128` for integers, [`ExactSum`] for floats.
pub trait Total: Default + Send + 'static {
    /// The sum as the user sees it.
    type Output: Send + 'static;

    /// Adds another sum.
    fn merge(&mut self, from: Self);

    /// The sum of all that was added.
    fn finish(self) -> Self::Output;
}

impl Total for i128 {
    type Output = Self;

    fn merge(&mut self, from: Self) {
        *self += from;
    }

    fn finish(self) -> Self {
        self
    }
}

impl Spill for ExactSum {
    const HAS_FORM: bool = true;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        let mut encoded = Vec::new();
        self.encode(&mut encoded);
        saved::put_bytes(bytes, &encoded);
        true
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        let mut encoded = Reader::new(saved::take_bytes(bytes)?);
        let sum = Self::decode(&mut encoded).ok()?;
        encoded.end().is_ok().then_some(sum)
    }

    /// Its digits are few.
    fn heap_size(&self) -> usize {
        0
    }
}

impl Total for ExactSum {
    type Output = f64;

    fn merge(&mut self, from: Self) {
        self.add_sum(&from);
    }

    fn finish(self) -> f64 {
        self.value()
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Summand for $integer {
            type Sum = i128;
            // 2^63 records of 64 bits fit in an `i128`: the addition cannot overflow.
            fn add_to(self, sum: &mut i128) {
                *sum += self as i128;
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize }

macro_rules! floats {
    ($($float:ty)*) => {$(
        impl Summand for $float {
            type Sum = ExactSum;
            fn add_to(self, sum: &mut ExactSum) {
                sum.add(f64::from(self));
            }
        }
    )*};
}

floats! { f32 f64 }

impl<T: Summand + Copy> Summand for &T {
    type Sum = T::Sum;
    fn add_to(self, sum: &mut T::Sum) {
        T::add_to(*self, sum);
    }
}

/// Adds up records; `A` is what they are added up in.
///
/// Integers give an `i128`, which no sum of up to 2^63 of them can overflow. Floats give the
/// `f64` nearest to their true sum, rounded once, at the end: so the result is the same in
/// whatever order and in however many pieces they were added. The sum is infinite if it is above
/// all finite numbers, or if a record was; it is NaN if a record was, or with both infinities.
/// The sum of nothing is zero.
///
/// ```
/// use creel_operators::{ExactSum, Sum, run};
///
/// assert_eq!(run([1e100, 1.0, -1e100], |r| r.combine(Sum::<ExactSum>::new())), 1.0);
/// assert_eq!(run([u64::MAX, 1], |r| r.combine(Sum::<i128>::new())), 1 << 64);
/// ```
pub struct Sum<A>(PhantomData<fn() -> A>);

mark! { Sum<A>, "A combiner that adds records up in an `A`." }

impl<A: Total> Combiner for Sum<A> {
    type State = A;
    type Output = A::Output;
    const ORDERED: bool = false;

    fn merge(&self, into: &mut A, from: A) {
        into.merge(from);
    }

    fn finish(&self, state: A) -> A::Output {
        state.finish()
    }
}

impl<T: Summand> Feed<T> for Sum<T::Sum> {
    fn feed(&self, state: &mut T::Sum, record: T) {
        record.add_to(state);
    }
}

impl<I: Iterator, S, W> Records<'_, I, S, W> {
    /// Adds the records up: integers in an `i128`, floats exactly in an `f64`. See [`Sum`].
    ///
    /// ```
    /// let lines = ["one fish", "two fish"];
    /// assert_eq!(creel_operators::run(lines, |lines| lines.map(str::len).sum()), 16);
    /// assert_eq!(creel_operators::run([0.1; 10], |numbers| numbers.sum()), 1.0);
    /// ```
    pub fn sum<A: Total>(self) -> Sum<A>
    where
        I::Item: Summand<Sum = A>,
        Sum<A>: Feed<I::Item, State = S>,
    {
        self.combine(Sum::new())
    }
}

impl PerGroup for Sum<ExactSum> {
    type Group = ExactSum;

    fn update(&self, totals: &mut [ExactSum], groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        // Integers of one group are added up before: 128 bits hold more of them than there can be.
        match (column.data(), column.missing(), groups) {
            (Data::Integers(values), None, Groups::One) => {
                totals[0].add_integer(values.iter().copied().map(i128::from).sum());
            }
            (Data::Texts { form: Form::Json, text, spans }, None, Groups::One) => {
                let mut integers = 0;
                for raw in spans.iter().map(|span| span.of(text)) {
                    match small_integer(raw) {
                        Some(integer) => integers += i128::from(integer),
                        None => {
                            let number = Datum::Json(raw).number();
                            number.iter().for_each(|number| totals[0].add_number(number));
                        }
                    }
                }
                totals[0].add_integer(integers);
            }
            _ => column.numbers(|row, number| totals[groups.of(row)].add_number(&number)),
        }
    }

    fn merge(&self, into: &mut ExactSum, from: ExactSum) {
        Combiner::merge(self, into, from);
    }

    fn encode(&self, total: &ExactSum, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        total.encode(bytes);
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<ExactSum, Damaged> {
        ExactSum::decode(bytes)
    }

    fn finish(&self, totals: Vec<ExactSum>) -> OwnedColumn {
        let mut sums = OwnedColumn::default();
        for total in totals {
            match total.sum() {
                Value::Integer(integer) => sums.push(Some(Datum::Integer(integer))),
                Value::Huge(huge) => sums.push(Some(Datum::Number(&huge.to_string()))),
                Value::Double(double) => sums.push(Some(Datum::Float(double))),
            }
        }
        sums
    }

    fn heap(&self, total: &ExactSum) -> usize {
        total.heap()
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;
    use crate::{ExactSum, laws, run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sum_keeps_the_laws(
            integers in prop::collection::vec(any::<i64>(), 0..12),
            floats in prop::collection::vec(prop::num::f64::ANY, 0..12),
        ) {
            laws::check(&Sum::<i128>::new(), &integers);
            laws::check(&Sum::<ExactSum>::new(), &floats);
            let expected: i128 = integers.iter().map(|&n| i128::from(n)).sum();
            prop_assert_eq!(run(integers, |r| r.sum()), expected);
        }
    }

    #[test]
    fn the_largest_integers_do_not_overflow() {
        assert_eq!(run([u64::MAX; 3], |r| r.sum()), 3 * i128::from(u64::MAX));
        assert_eq!(run([i64::MIN; 3], |r| r.sum()), 3 * i128::from(i64::MIN));
    }
}
