//! Any aggregate as a combiner: of one group, with records in place of columns.

use std::fmt;
use std::marker::PhantomData;

use super::{Aggregate, Kind, Order, Reader, Refused, Writer};
use crate::column::{Column, Columns, Datum, Groups, OwnedColumn};
use crate::{Combiner, Feed};

/// Records that wait for one another to become a batch.
const BATCH: usize = 1024;

/// An aggregate of the table as a [`Combiner`], whose output is a column of one row.
///
/// `ORDERED` says whether the order of the records shows, which a combiner has to know when it is
/// compiled: [`new`](Self::new) is for aggregates whose [order](Kind::order) it fits.
///
/// ```
/// use creel_operators::aggregate::{AsCombiner, find};
/// use creel_operators::run;
///
/// let p90 = AsCombiner::<false>::new(find("p90").unwrap(), &[]).unwrap();
/// assert_eq!(run(1..=100_i64, |numbers| numbers.combine(p90)).to_json(), ["90"]);
/// ```
#[derive(Clone)]
pub struct AsCombiner<const ORDERED: bool> {
    kind: &'static Kind,
    parameters: Vec<f64>,
    sealed: PhantomData<()>,
}

impl<const ORDERED: bool> AsCombiner<ORDERED> {
    /// A combiner that does what the aggregate does with these parameters.
    ///
    /// ```
    /// use creel_operators::aggregate::{AsCombiner, find};
    ///
    /// let list = AsCombiner::<true>::new(find("list").unwrap(), &[]).unwrap();
    /// assert_eq!(creel_operators::run([3, 1_i64], |r| r.combine(list)).to_json(), ["[3,1]"]);
    /// ```
    ///
    /// # Errors
    ///
    /// If the parameters are refused.
    ///
    /// # Panics
    ///
    /// If the order of the records shows in this aggregate, but not by `ORDERED`.
    pub fn new(kind: &'static Kind, parameters: &[f64]) -> Result<Self, Refused> {
        assert!(ORDERED || kind.order == Order::Any, "the order shows in {}", kind.name);
        kind.make(parameters)?;
        Ok(Self { kind, parameters: parameters.to_vec(), sealed: PhantomData })
    }

    fn make(&self) -> Box<dyn Aggregate> {
        let made = self.kind.make(&self.parameters);
        let mut state = made.unwrap_or_else(|refused| unreachable!("made before: {refused}"));
        state.resize(1);
        state
    }

    /// Adds the records that wait.
    fn settle<'s>(&self, fed: &'s mut Fed) -> &'s mut Box<dyn Aggregate> {
        let state = fed.state.get_or_insert_with(|| self.make());
        if fed.rows > 0 {
            Self::update(&mut **state, self.kind.columns.1, &fed.waiting, fed.rows);
            fed.waiting.clear();
            fed.rows = 0;
        }
        state
    }

    fn update(state: &mut dyn Aggregate, most: usize, waiting: &[OwnedColumn], rows: usize) {
        let mut buffers = vec![<(Vec<_>, String)>::default(); waiting.len()];
        let columns: Vec<Column<'_>> = waiting
            .iter()
            .zip(&mut buffers)
            .map(|(column, (spans, text))| column.lend(0..rows, spans, text))
            .take(most)
            .collect();
        state.update(Groups::One, &Columns::arguments(rows, &columns));
    }
}

impl<const ORDERED: bool> fmt::Debug for AsCombiner<ORDERED> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsCombiner").field(&self.kind.name).field(&self.parameters).finish()
    }
}

/// The state of an aggregate that is fed records: some of them wait to become a batch.
#[derive(Debug, Default)]
pub struct Fed {
    state: Option<Box<dyn Aggregate>>,
    waiting: Vec<OwnedColumn>,
    rows: usize,
}

/// A record that aggregates take: a value, an option of one, `()` for counts, or a pair of the value
/// and of what it is ranked by.
///
/// ```
/// use creel_operators::aggregate::AsRow;
///
/// let mut columns = Vec::new();
/// ("cod", 4.5).push_values(&mut columns);
/// assert_eq!(columns[1].to_json(), ["4.5"]);
/// ```
pub trait AsRow {
    /// Appends the values of the record to columns.
    fn push_values(self, columns: &mut Vec<OwnedColumn>);
}

fn push(columns: &mut Vec<OwnedColumn>, at: usize, value: Option<Datum<'_>>) {
    if columns.len() <= at {
        columns.resize_with(at + 1, OwnedColumn::default);
    }
    columns[at].push(value);
}

/// A single value of a record.
macro_rules! values {
    ($($type:ty, $value:ident => $datum:expr;)*) => {$(
        impl AsRow for $type {
            fn push_values(self, columns: &mut Vec<OwnedColumn>) {
                (&self).push_values(columns);
            }
        }
        impl AsRow for &$type {
            fn push_values(self, columns: &mut Vec<OwnedColumn>) {
                let $value = self;
                push(columns, 0, Some($datum));
            }
        }
    )*};
}

values! {
    &str, value => Datum::Text(value);
    String, value => Datum::Text(value);
    u8, value => Datum::Integer((*value).into());
    u16, value => Datum::Integer((*value).into());
    u32, value => Datum::Integer((*value).into());
    i8, value => Datum::Integer((*value).into());
    i16, value => Datum::Integer((*value).into());
    i32, value => Datum::Integer((*value).into());
    i64, value => Datum::Integer(*value);
    f32, value => Datum::Float((*value).into());
    f64, value => Datum::Float(*value);
    bool, value => Datum::Bool(*value);
    Datum<'_>, value => *value;
}

/// Integers that 64 bits with a sign may not have room for.
macro_rules! large {
    ($($type:ty)*) => {$(
        impl AsRow for $type {
            fn push_values(self, columns: &mut Vec<OwnedColumn>) {
                match i64::try_from(self) {
                    Ok(integer) => integer.push_values(columns),
                    Err(_) => push(columns, 0, Some(Datum::Number(&self.to_string()))),
                }
            }
        }
        impl AsRow for &$type {
            fn push_values(self, columns: &mut Vec<OwnedColumn>) {
                (*self).push_values(columns);
            }
        }
    )*};
}

large! { u64 u128 usize i128 isize }

impl AsRow for () {
    fn push_values(self, _: &mut Vec<OwnedColumn>) {}
}

impl<T: AsRow> AsRow for Option<T> {
    fn push_values(self, columns: &mut Vec<OwnedColumn>) {
        match self {
            Some(value) => value.push_values(columns),
            None => push(columns, 0, None),
        }
    }
}

impl<A: AsRow, B: AsRow> AsRow for (A, B) {
    fn push_values(self, columns: &mut Vec<OwnedColumn>) {
        columns.resize_with(2, OwnedColumn::default);
        let mut by = vec![columns.pop().unwrap_or_default()];
        self.0.push_values(columns);
        self.1.push_values(&mut by);
        columns.append(&mut by);
    }
}

impl<const ORDERED: bool> Combiner for AsCombiner<ORDERED> {
    type State = Fed;
    type Output = OwnedColumn;
    const ORDERED: bool = ORDERED;
    const STOPS: bool = true;

    fn merge(&self, into: &mut Fed, mut from: Fed) {
        if from.state.is_none() && from.rows == 0 {
            return;
        }
        self.settle(&mut from);
        if let Some(from) = from.state {
            self.settle(into).merge(from, &[0]);
        }
    }

    fn full(&self, state: &Fed) -> bool {
        state.rows == 0 && state.state.as_ref().is_some_and(|state| state.full())
    }

    fn finish(&self, mut state: Fed) -> OwnedColumn {
        self.settle(&mut state);
        state.state.unwrap_or_else(|| self.make()).finish()
    }

    fn weight(&self, state: &Fed) -> usize {
        let waiting: usize = state.waiting.iter().map(OwnedColumn::weight).sum();
        state.state.as_ref().map_or(0, |state| state.weight()) + waiting
    }

    fn parts(&self, mut state: Fed, bits: u32) -> Vec<Fed> {
        self.settle(&mut state);
        let pieces = state.state.unwrap_or_else(|| self.make()).divide(bits);
        let fed = |state| Fed { state: Some(state), ..Fed::default() };
        pieces.into_iter().map(fed).collect()
    }

    fn join(&self, parts: Vec<Fed>) -> Fed {
        let mut pieces = parts.into_iter().map(|mut part| {
            self.settle(&mut part);
            part.state.unwrap_or_else(|| self.make())
        });
        let state = pieces.next().map(|first| first.join(pieces.collect()));
        Fed { state, ..Fed::default() }
    }

    fn save(&self, state: &Fed, bytes: &mut Vec<u8>) -> bool {
        // What waits goes behind what was added: `load` adds both.
        let mut waiting = self.make();
        if state.rows > 0 {
            Self::update(&mut *waiting, self.kind.columns.1, &state.waiting, state.rows);
        }
        let start = bytes.len();
        let both = [state.state.as_ref(), Some(&waiting)];
        for state in both {
            let mut encoded = Vec::new();
            let empty;
            let state = match state {
                Some(state) => state,
                None => {
                    empty = self.make();
                    &empty
                }
            };
            if state.encode(&[0], &mut encoded).is_err() {
                bytes.truncate(start);
                return false;
            }
            bytes.put_bytes(&encoded);
        }
        true
    }

    fn load(&self, into: &mut Fed, bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        let both = [reader.bytes(), reader.bytes()]
            .map(|bytes| self.kind.decode(&self.parameters, 1, bytes.ok()?).ok());
        let ([Some(state), Some(waiting)], Ok(())) = (both, reader.end()) else { return false };
        let all = self.settle(into);
        all.merge(state, &[0]);
        all.merge(waiting, &[0]);
        true
    }
}

impl<const ORDERED: bool, T: AsRow> Feed<T> for AsCombiner<ORDERED> {
    fn feed(&self, state: &mut Fed, record: T) {
        record.push_values(&mut state.waiting);
        state.rows += 1;
        if state.rows == BATCH {
            self.settle(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FromCombiner, Texts, find};
    use super::*;
    use crate::column::Span;
    use crate::{Count, Max, laws, run};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn aggregates_keep_the_laws_of_combiners(numbers in prop::collection::vec(-5..5_i64, 0..8)) {
            for (name, parameters) in [("sum", &[][..]), ("p90", &[]), ("topk", &[2.0]), ("nunique", &[]), ("any", &[])] {
                let combiner = AsCombiner::<false>::new(find(name).unwrap(), parameters).unwrap();
                laws::check(&combiner, &numbers);
            }
            laws::check(&AsCombiner::<true>::new(find("list").unwrap(), &[]).unwrap(), &numbers);
            laws::check(&AsCombiner::<true>::new(find("first").unwrap(), &[]).unwrap(), &numbers);
        }

        #[test]
        fn combiners_keep_the_laws_of_aggregates(
            texts in prop::collection::vec("[a-c]{2}", 0..6),
            groups in prop::collection::vec(0..3_u32, 6),
        ) {
            let spans: Vec<_> = (0..texts.len()).map(|n| Span::new(2 * n, 2 * n + 2)).collect();
            let text = texts.concat();
            let columns = [Column::text(&text, &spans)];
            let batch = Columns::arguments(texts.len(), &columns);
            let max = || -> Box<dyn Aggregate> {
                let put = |max: Option<String>, out: &mut OwnedColumn| {
                    out.push(max.as_deref().map(Datum::Text));
                };
                Box::new(FromCombiner::<_, Texts, _>::new(Max::<String>::new(), put))
            };
            laws::check_states(&max, Order::Any, &batch, &groups[..texts.len()]);
            let count = || -> Box<dyn Aggregate> {
                let put = |n: u64, out: &mut OwnedColumn| out.push(Some(Datum::Integer(n as i64)));
                Box::new(FromCombiner::<_, Texts, _>::new(Count, put))
            };
            laws::check_states(&count, Order::Any, &batch, &groups[..texts.len()]);
        }
    }

    #[test]
    fn records_of_more_than_a_batch_are_added() {
        let sum = AsCombiner::<false>::new(find("sum").unwrap(), &[]).unwrap();
        assert_eq!(run(0..5000_i64, |r| r.combine(sum)).to_json(), ["12497500"]);
        let oldest = AsCombiner::<false>::new(find("max_by").unwrap(), &[]).unwrap();
        let fish = [("cod", 3), ("eel", 9), ("ray", 9)];
        assert_eq!(run(fish, |r| r.combine(oldest)).to_json(), ["\"eel\""]);
        let count = AsCombiner::<false>::new(find("count").unwrap(), &[]).unwrap();
        assert_eq!(run([(), ()], |r| r.combine(count.clone())).to_json(), ["2"]);
        assert_eq!(run([true, false], |r| r.combine(count)).to_json(), ["1"]);
        let first = AsCombiner::<true>::new(find("first").unwrap(), &[]).unwrap();
        assert_eq!(run([None, Some("eel")], |r| r.combine(first)).to_json(), ["\"eel\""]);
    }

    #[test]
    #[should_panic(expected = "the order shows in list")]
    fn an_order_that_shows_is_not_hidden() {
        let _ = AsCombiner::<false>::new(find("list").unwrap(), &[]);
    }
}
