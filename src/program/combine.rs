//! How a program ends: what each lane keeps, how lanes are merged, and what is printed.

use creel_operators::Counts;

use super::batch::{Batch, Kind};
use crate::Result;
use crate::sink::{Cell, Printer};

/// The last stage of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// None: the records themselves, in input order.
    Records,
    Count,
    Frequencies,
    /// The k largest.
    Top(usize),
    Sum,
    Min,
    Max,
}

/// What a lane has seen, for an end that makes one result of all records.
#[derive(Debug)]
pub(crate) enum State {
    Count(u64),
    Texts(Counts<String>),
    Numbers(Counts<i64>),
    TopTexts(Top<String>),
    TopNumbers(Top<i64>),
    Sum(i128),
    BestText(Option<String>),
    BestNumber(Option<i64>),
}

impl End {
    /// An empty state, for records of a kind.
    pub(crate) fn start(self, kind: Kind) -> State {
        let text = kind == Kind::Text;
        match self {
            Self::Records | Self::Count => State::Count(0),
            Self::Frequencies if text => State::Texts(Counts::default()),
            Self::Frequencies => State::Numbers(Counts::default()),
            Self::Top(k) if text => State::TopTexts(Top::new(k)),
            Self::Top(k) => State::TopNumbers(Top::new(k)),
            Self::Sum => State::Sum(0),
            Self::Min | Self::Max if text => State::BestText(None),
            Self::Min | Self::Max => State::BestNumber(None),
        }
    }

    /// Adds a batch of records.
    pub(crate) fn feed(self, state: &mut State, text: &str, batch: &Batch) {
        let texts = batch.spans.iter().map(|span| span.of(text));
        let numbers = batch.numbers.iter().copied();
        match state {
            State::Count(n) => *n += batch.len() as u64,
            State::Texts(counts) => texts.for_each(|text| counts.add(text, 1)),
            State::Numbers(counts) => numbers.for_each(|number| counts.add(number, 1)),
            State::TopTexts(top) => texts.for_each(|text| top.add(text)),
            State::TopNumbers(top) => numbers.for_each(|number| top.add(&number)),
            State::Sum(sum) => *sum += numbers.map(i128::from).sum::<i128>(),
            State::BestText(best) => {
                let found = if self == Self::Min { texts.min() } else { texts.max() };
                self.keep(best, found);
            }
            State::BestNumber(best) => {
                let found = if self == Self::Min { numbers.min() } else { numbers.max() };
                self.keep(best, found.as_ref());
            }
        }
    }

    fn keep<O, T>(self, best: &mut Option<O>, found: Option<&T>)
    where
        O: std::borrow::Borrow<T>,
        T: Ord + ToOwned<Owned = O> + ?Sized,
    {
        let Some(found) = found else { return };
        let better = best.as_ref().is_none_or(|best| match self {
            Self::Min => found < best.borrow(),
            _ => found > best.borrow(),
        });
        if better {
            *best = Some(found.to_owned());
        }
    }

    /// Adds what another lane has seen; the order of lanes does not show.
    pub(crate) fn merge(self, into: &mut State, from: State) {
        match (into, from) {
            (State::Count(n), State::Count(m)) => *n += m,
            (State::Texts(counts), State::Texts(others)) => counts.merge(others),
            (State::Numbers(counts), State::Numbers(others)) => counts.merge(others),
            (State::TopTexts(top), State::TopTexts(others)) => top.merge(others),
            (State::TopNumbers(top), State::TopNumbers(others)) => top.merge(others),
            (State::Sum(sum), State::Sum(other)) => *sum += other,
            (State::BestText(best), State::BestText(other)) => self.keep(best, other.as_deref()),
            (State::BestNumber(best), State::BestNumber(other)) => {
                self.keep(best, other.as_ref());
            }
            // All lanes of a run start from the same end and kind.
            _ => {}
        }
    }

    /// Prints the result: all of it, or its first rows, or how many rows there are.
    pub(crate) fn print(
        state: State,
        kind: Kind,
        limit: Option<u64>,
        rows_counted: bool,
        out: &mut Printer<'_>,
    ) -> Result<()> {
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let first = |rows: usize| limit.map_or(rows, |limit| limit.min(rows));
        if rows_counted {
            let rows = first(state.rows());
            return out.value(Cell::Number(rows as i128));
        }
        let number = |number: i64| match kind {
            Kind::Bool => Cell::Bool(number != 0),
            _ => Cell::Number(i128::from(number)),
        };
        match state {
            State::Count(n) => out.value(Cell::Number(i128::from(n))),
            State::Texts(counts) => {
                let rows = match limit {
                    Some(limit) => counts.top_lent(limit),
                    None => counts.sorted_lent(),
                };
                out.pairs(rows.into_iter().map(|(text, n)| (Cell::Text(text), n)))
            }
            State::Numbers(counts) => {
                let rows = match limit {
                    Some(limit) => counts.top_lent(limit),
                    None => counts.sorted_lent(),
                };
                out.pairs(rows.into_iter().map(|(&n, count)| (number(n), count)))
            }
            State::TopTexts(top) => {
                let rows = top.into_sorted();
                rows.iter().take(first(rows.len())).try_for_each(|row| out.value(Cell::Text(row)))
            }
            State::TopNumbers(top) => {
                let rows = top.into_sorted();
                rows.iter().take(first(rows.len())).try_for_each(|&row| out.value(number(row)))
            }
            State::Sum(sum) => out.value(Cell::Number(sum)),
            State::BestText(best) => out.value(best.as_deref().map_or(Cell::Null, Cell::Text)),
            State::BestNumber(best) => out.value(best.map_or(Cell::Null, number)),
        }
    }
}

impl State {
    fn rows(&self) -> usize {
        match self {
            Self::Texts(counts) => counts.len(),
            Self::Numbers(counts) => counts.len(),
            Self::TopTexts(top) => top.kept.len(),
            Self::TopNumbers(top) => top.kept.len(),
            _ => 1,
        }
    }
}

/// The k largest records.
#[derive(Debug)]
pub(crate) struct Top<T> {
    k: usize,
    /// The smallest of the kept is on top: it is the first to go.
    kept: std::collections::BinaryHeap<std::cmp::Reverse<T>>,
}

impl<T: Ord> Top<T> {
    fn new(k: usize) -> Self {
        Self { k, kept: std::collections::BinaryHeap::new() }
    }

    fn add<Q>(&mut self, record: &Q)
    where
        T: std::borrow::Borrow<Q>,
        Q: Ord + ToOwned<Owned = T> + ?Sized,
    {
        if self.kept.len() < self.k {
            self.kept.push(std::cmp::Reverse(record.to_owned()));
        } else if let Some(mut least) = self.kept.peek_mut()
            && record > least.0.borrow()
        {
            *least = std::cmp::Reverse(record.to_owned());
        }
    }

    fn merge(&mut self, from: Self) {
        for record in from.kept {
            self.kept.push(record);
            if self.kept.len() > self.k {
                self.kept.pop();
            }
        }
    }

    fn into_sorted(self) -> Vec<T> {
        self.kept.into_sorted_vec().into_iter().map(|record| record.0).collect()
    }
}
