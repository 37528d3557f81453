//! Any combiner as an aggregate: a state of it for each group.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Damaged, Each, NoBytes, Order, PerGroup, Reader, Writer};
use crate::column::{Columns, Data, Datum, Form, Groups, OwnedColumn};
use crate::{Combiner, Feed};

/// How a value of a column becomes a record of a combiner.
///
/// ```
/// use creel_operators::aggregate::{Integers, Record};
/// use creel_operators::column::Datum;
///
/// assert_eq!(Integers::read(&Datum::Json("7")), Some(7));
/// assert_eq!(Integers::read(&Datum::Text("7")), None);
/// ```
pub trait Record: Send + Sync + 'static {
    /// The record.
    type Of<'a>;

    /// The record that a value is; `None` if it is none, and is passed over.
    fn read<'a>(datum: &Datum<'a>) -> Option<Self::Of<'a>>;
}

/// Records that are strings, lent: of text columns.
#[derive(Debug, Clone, Copy)]
pub struct Texts;

/// Records that are integers of 64 bits.
#[derive(Debug, Clone, Copy)]
pub struct Integers;

/// Records that are numbers, as doubles.
#[derive(Debug, Clone, Copy)]
pub struct Floats;

impl Record for Texts {
    type Of<'a> = &'a str;

    fn read<'a>(datum: &Datum<'a>) -> Option<&'a str> {
        if let Datum::Text(text) = datum { Some(text) } else { None }
    }
}

impl Record for Integers {
    type Of<'a> = i64;

    fn read<'a>(datum: &Datum<'a>) -> Option<i64> {
        match datum.number()? {
            crate::column::Number::Integer(integer) => Some(integer),
            _ => None,
        }
    }
}

impl Record for Floats {
    type Of<'a> = f64;

    fn read<'a>(datum: &Datum<'a>) -> Option<f64> {
        datum.number().map(|number| number.to_f64())
    }
}

/// A [`Combiner`] as an aggregate, which is made of it by [`new`](Self::new).
///
/// Its groups have bytes if its states are [saved](Combiner::save), which are canonical as far as
/// those are.
///
/// ```
/// use creel_operators::aggregate::{Aggregate, FromCombiner, Texts};
/// use creel_operators::column::{Column, Columns, Datum, Groups, OwnedColumn, Span};
/// use creel_operators::TopK;
///
/// let last = TopK::<String>::new(1);
/// let put = |top: Vec<String>, out: &mut OwnedColumn| out.push(top.first().map(|t| Datum::Text(t)));
/// let mut state: Box<dyn Aggregate> = Box::new(FromCombiner::<_, Texts, _>::new(last, put));
/// state.resize(2);
/// let spans = [0, 3, 6].map(|at| Span::new(at, at + 3));
/// let fish = [Column::text("codeelray", &spans)];
/// state.update(Groups::Each(&[0, 1, 0]), &Columns::arguments(3, &fish));
/// assert_eq!(state.finish().to_json(), ["\"ray\"", "\"eel\""]);
/// ```
pub struct FromCombiner<C, R, F> {
    combiner: Arc<C>,
    finish: F,
    record: PhantomData<fn() -> R>,
}

impl<C, R, F> FromCombiner<C, R, F>
where
    C: Combiner + for<'a> Feed<R::Of<'a>>,
    R: Record,
    F: Fn(C::Output, &mut OwnedColumn) + Clone + Send + 'static,
{
    /// Whether the order of the records shows.
    pub const ORDER: Order = if C::ORDERED { Order::Input } else { Order::Any };

    /// A state of no groups. `finish` appends the output of a group: one value.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(combiner: C, finish: F) -> Each<Self> {
        Each::new(Self { combiner: Arc::new(combiner), finish, record: PhantomData })
    }
}

impl<C, R, F: Clone> Clone for FromCombiner<C, R, F> {
    fn clone(&self) -> Self {
        Self { combiner: Arc::clone(&self.combiner), finish: self.finish.clone(), ..*self }
    }
}

impl<C, R, F> fmt::Debug for FromCombiner<C, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromCombiner")
    }
}

impl<C, R, F> PerGroup for FromCombiner<C, R, F>
where
    C: Combiner + for<'a> Feed<R::Of<'a>>,
    R: Record,
    F: Fn(C::Output, &mut OwnedColumn) + Clone + Send + 'static,
{
    type Group = C::State;

    fn update(&self, states: &mut [C::State], groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        if let (Groups::One, false, Data::Texts { form: Form::Text, .. }) =
            (groups, C::STOPS, column.data())
        {
            // Combiners may gain from records that come together.
            let there = (0..column.len()).filter_map(|row| R::read(&column.get(row)?));
            return self.combiner.feed_all(&mut states[0], there);
        }
        column.each(|row, datum| {
            let state = &mut states[groups.of(row)];
            if let Some(record) = R::read(&datum)
                && !(C::STOPS && self.combiner.full(state))
            {
                self.combiner.feed(state, record);
            }
        });
    }

    fn merge(&self, into: &mut C::State, from: C::State) {
        self.combiner.merge(into, from);
    }

    fn encode(&self, group: &C::State, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        let mut saved = Vec::new();
        if !self.combiner.save(group, &mut saved) {
            return Err(NoBytes);
        }
        bytes.put_bytes(&saved);
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<C::State, Damaged> {
        let damaged = bytes.damaged("no state of this combiner");
        let mut state = C::State::default();
        if self.combiner.load(&mut state, bytes.bytes()?) { Ok(state) } else { Err(damaged) }
    }

    fn finish(&self, groups: Vec<C::State>) -> OwnedColumn {
        let mut column = OwnedColumn::default();
        for group in groups {
            (self.finish)(self.combiner.finish(group), &mut column);
        }
        column
    }

    fn heap(&self, group: &C::State) -> usize {
        self.combiner.held(group)
    }

    fn full(&self, group: &C::State) -> bool {
        C::STOPS && self.combiner.full(group)
    }
}
