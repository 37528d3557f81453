//! How a program ends: what each lane keeps, how lanes are merged, and what is printed.

use std::ops::ControlFlow;

use creel_operators::{Combiner, Counts, Feed, Max, Min, TopK};

use super::batch::{Batch, Kind};
use super::failure::Told;
use super::groups::Groups;
use super::rows::Rows;
use super::sum::Sum;
use crate::Result;
use crate::record::json;
use crate::run::Context;
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
    /// Aggregates of groups; the phase has what they are.
    Groups,
}

/// What a lane has seen, for an end that makes one result of all records.
#[derive(Debug)]
pub(crate) enum State {
    Count(u64),
    Texts(Counts<String>),
    Numbers(Counts<i64>),
    TopTexts(Vec<String>),
    TopNumbers(Vec<i64>),
    Sum(Sum),
    BestText(Option<String>),
    BestNumber(Option<i64>),
    /// What is wanted of texts, when all of them are counted.
    Rows(Rows),
    Groups(Box<Groups>),
}

impl End {
    /// An empty state, for records of a kind.
    pub(crate) fn start(self, kind: Kind) -> State {
        let text = matches!(kind, Kind::Text | Kind::Key);
        match self {
            // The phase starts the state of groups.
            Self::Records | Self::Count | Self::Groups => State::Count(0),
            Self::Frequencies if text => State::Texts(Counts::default()),
            Self::Frequencies => State::Numbers(Counts::default()),
            Self::Top(_) if text => State::TopTexts(Vec::new()),
            Self::Top(_) => State::TopNumbers(Vec::new()),
            Self::Sum => State::Sum(Sum::default()),
            Self::Min | Self::Max if text => State::BestText(None),
            Self::Min | Self::Max => State::BestNumber(None),
        }
    }

    /// Adds a batch of records. `Break` means that one of them is bad.
    pub(crate) fn feed(self, state: &mut State, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        if let State::Groups(groups) = state {
            return groups.feed(text, batch);
        }
        let texts = batch.spans.iter().map(|span| span.of(text));
        let numbers = batch.numbers.iter().copied();
        match (self, state) {
            (_, State::Count(n)) => *n += batch.len() as u64,
            (_, State::Texts(counts)) => {
                counts.add_pieces(text, batch.spans.iter().map(|span| span.range()));
            }
            (_, State::Numbers(counts)) => counts.add_all(numbers),
            (Self::Top(k), State::TopTexts(top)) => feed(&TopK::<String>::new(k), top, texts),
            (Self::Top(k), State::TopNumbers(top)) => feed(&TopK::<i64>::new(k), top, numbers),
            (_, State::Sum(sum)) => {
                sum.add_integer(numbers.map(i128::from).sum());
                // Of JSON. Anything else but numbers adds nothing.
                texts.filter(|raw| json::rank(raw) == 3).for_each(|raw| sum.add(raw));
            }
            (Self::Min, State::BestText(best)) => feed(&Min::<String>::new(), best, texts),
            (_, State::BestText(best)) => feed(&Max::<String>::new(), best, texts),
            (Self::Min, State::BestNumber(best)) => feed(&Min::<i64>::new(), best, numbers),
            (_, State::BestNumber(best)) => feed(&Max::<i64>::new(), best, numbers),
            // Only `Top` starts with such a state.
            (_, State::TopTexts(_) | State::TopNumbers(_)) => {}
            // Nothing is fed to what is settled.
            (_, State::Rows(_) | State::Groups(_)) => {}
        }
        ControlFlow::Continue(())
    }

    /// Adds what another lane has seen; the order of lanes does not show.
    pub(crate) fn merge(self, into: &mut State, from: State) {
        match (self, into, from) {
            (_, State::Count(n), State::Count(m)) => *n += m,
            (_, State::Texts(counts), State::Texts(others)) => counts.merge(others),
            (_, State::Numbers(counts), State::Numbers(others)) => counts.merge(others),
            (_, State::Rows(rows), State::Rows(others)) => rows.add(others),
            (_, State::Groups(groups), State::Groups(others)) => groups.merge(*others),
            (Self::Top(k), State::TopTexts(top), State::TopTexts(others)) => {
                TopK::<String>::new(k).merge(top, others);
            }
            (Self::Top(k), State::TopNumbers(top), State::TopNumbers(others)) => {
                TopK::<i64>::new(k).merge(top, others);
            }
            (_, State::Sum(sum), State::Sum(other)) => sum.merge(other),
            (Self::Min, State::BestText(best), State::BestText(other)) => {
                Min::<String>::new().merge(best, other);
            }
            (_, State::BestText(best), State::BestText(other)) => {
                Max::<String>::new().merge(best, other);
            }
            (Self::Min, State::BestNumber(best), State::BestNumber(other)) => {
                Min::<i64>::new().merge(best, other);
            }
            (_, State::BestNumber(best), State::BestNumber(other)) => {
                Max::<i64>::new().merge(best, other);
            }
            // All lanes of a run start from the same end and kind.
            _ => {}
        }
    }

    /// Cuts a state by its keys, if it has any.
    pub(crate) fn parts(self, state: State, kind: Kind, bits: u32) -> Vec<State> {
        match state {
            State::Texts(counts) => counts.parts(bits).into_iter().map(State::Texts).collect(),
            State::Groups(groups) => {
                let fresh = || State::Groups(Box::new(groups.fresh()));
                let others: Vec<_> = (1..1 << bits).map(|_| fresh()).collect();
                std::iter::once(State::Groups(groups)).chain(others).collect()
            }
            state => {
                let others = (1..1 << bits).map(|_| self.start(kind));
                std::iter::once(state).chain(others).collect()
            }
        }
    }

    /// One state of all parts: counts of texts are settled, and of others the first part is all.
    pub(crate) fn join(self, parts: Vec<State>) -> State {
        let joined = parts.into_iter().reduce(|mut into, from| {
            self.merge(&mut into, from);
            into
        });
        joined.unwrap_or(State::Count(0))
    }

    /// Puts the rows of a merged state in their order.
    fn finish(self, state: State) -> State {
        match (self, state) {
            (Self::Top(k), State::TopTexts(top)) => State::TopTexts(TopK::new(k).finish(top)),
            (Self::Top(k), State::TopNumbers(top)) => State::TopNumbers(TopK::new(k).finish(top)),
            (_, state) => state,
        }
    }

    /// Prints the result: all of it, or its first rows, or how many rows there are.
    pub(crate) fn print(
        self,
        state: State,
        kind: Kind,
        limit: Option<u64>,
        rows_counted: bool,
        context: &Context,
        out: &mut Printer<'_>,
    ) -> Result<()> {
        let state = self.finish(state);
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
        let text = |text| kind.cell(text);
        match state {
            State::Count(n) => out.value(Cell::Number(i128::from(n))),
            State::Rows(rows) => rows.print(limit, kind, context, out),
            State::Groups(groups) => groups.print(out),
            State::Texts(counts) => {
                let most = limit.map(|limit| limit as u64);
                Rows::settle(counts, context, most, false)?.print(limit, kind, context, out)
            }
            State::Numbers(counts) => {
                let rows = match limit {
                    Some(limit) => counts.topk_lent(limit),
                    None => counts.sorted_lent(),
                };
                out.pairs(rows.into_iter().map(|(&n, count)| (number(n), count)))
            }
            State::TopTexts(top) => {
                top.iter().take(first(top.len())).try_for_each(|row| out.value(text(row)))
            }
            State::TopNumbers(top) => {
                top.iter().take(first(top.len())).try_for_each(|&row| out.value(number(row)))
            }
            State::Sum(sum) => out.value(Cell::Json(&sum.finish())),
            State::BestText(best) => out.value(best.as_deref().map_or(Cell::Null, text)),
            State::BestNumber(best) => out.value(best.map_or(Cell::Null, number)),
        }
    }
}

impl Kind {
    /// A text of this kind, as it is printed.
    pub(super) fn cell(self, text: &str) -> Cell<'_> {
        match self {
            Self::Key => Cell::Key(text),
            _ => Cell::Text(text),
        }
    }
}

impl State {
    fn rows(&self) -> usize {
        match self {
            Self::Texts(counts) => counts.len(),
            Self::Numbers(counts) => counts.len(),
            Self::TopTexts(top) => top.len(),
            Self::TopNumbers(top) => top.len(),
            Self::Rows(rows) => rows.len(),
            Self::Groups(groups) => groups.len(),
            _ => 1,
        }
    }

    /// What it had to say of bad records since it was last asked.
    pub(super) fn told(&mut self) -> Told {
        if let Self::Groups(groups) = self { groups.told() } else { Told::default() }
    }

    /// Bytes that it may be worth while to merge by parts, or to put away.
    pub(crate) fn weight(&self) -> usize {
        if let Self::Texts(counts) = self { counts.weight() } else { 0 }
    }

    /// Bytes that it holds, as far as they may be many.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Texts(counts) => counts.held(),
            Self::Numbers(counts) => counts.held(),
            Self::TopTexts(top) => TopK::new(0).held(top),
            Self::TopNumbers(top) => TopK::new(0).held(top),
            Self::Groups(groups) => groups.held(),
            _ => 0,
        }
    }

    /// Bytes that would do for all that it may come to, if that is known: of rows that are kept
    /// twice as many as are wanted are held.
    pub(crate) fn needed(&self, end: End) -> Option<u64> {
        let (End::Top(k), rows @ 1..) = (end, self.rows()) else { return None };
        Some((self.held() as u64).saturating_mul(2).saturating_mul(k as u64) / rows as u64)
    }

    /// As `save` of [`Counts`].
    pub(crate) fn save(&self, bytes: &mut Vec<u8>) -> bool {
        if let Self::Texts(counts) = self { counts.save(bytes) } else { false }
    }

    /// As `load` of [`Counts`].
    pub(crate) fn load(&mut self, bytes: &[u8]) -> bool {
        if let Self::Texts(counts) = self { counts.load(bytes) } else { false }
    }

    /// Keeps what is wanted of texts that are all counted, or of a part of them.
    pub(crate) fn settle(
        self,
        context: &Context,
        limit: Option<u64>,
        rows_counted: bool,
    ) -> Result<Self> {
        match self {
            Self::Texts(counts) => {
                Rows::settle(counts, context, limit, rows_counted).map(Self::Rows)
            }
            Self::Rows(rows) => rows.settle_again(context, limit).map(Self::Rows),
            state => Ok(state),
        }
    }
}

fn feed<C: Feed<T>, T>(combiner: &C, state: &mut C::State, records: impl Iterator<Item = T>) {
    records.for_each(|record| combiner.feed(state, record));
}
