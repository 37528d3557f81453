//! Aggregates of all records.

use super::{Aggregates, Takes};
use crate::aggregate::Reader;
use crate::{Combiner, Feed, Records};

/// Aggregates over all records. It takes references to records.
///
/// ```
/// use creel_operators::run;
/// use creel_operators::typed::{Whole, count, mean};
///
/// let both = Whole::new((count(), mean(|x: &f64| *x)));
/// assert_eq!(run(&[0.5, 1.5], |numbers| numbers.combine(both)), (2, Some(1.0)));
/// ```
#[derive(Debug, Clone)]
pub struct Whole<A>(A);

impl<A> Whole<A> {
    /// A combiner of these aggregates.
    pub const fn new(aggregates: A) -> Self {
        Self(aggregates)
    }
}

impl<A: Aggregates> Whole<A> {
    /// A state of one group.
    fn start(&self) -> A::State {
        let mut state = self.0.start();
        self.0.resize(&mut state, 1);
        state
    }
}

impl<A: Aggregates + Send + Sync + 'static> Combiner for Whole<A> {
    type State = Option<A::State>;
    type Output = A::Output;
    const ORDERED: bool = A::ORDERED;
    const STOPS: bool = true;

    fn merge(&self, into: &mut Self::State, from: Self::State) {
        match (into.as_mut(), from) {
            (Some(into), Some(from)) => self.0.merge(into, from, &[0]),
            (None, from) => *into = from,
            (Some(_), None) => {}
        }
    }

    fn full(&self, state: &Self::State) -> bool {
        state.as_ref().is_some_and(|state| self.0.full(state))
    }

    fn finish(&self, state: Self::State) -> A::Output {
        let results = self.0.finish(state.unwrap_or_else(|| self.start()));
        let result = results.into_iter().next();
        result.unwrap_or_else(|| unreachable!("a state of one group has one result"))
    }

    fn held(&self, state: &Self::State) -> usize {
        state.as_ref().map_or(0, |state| self.0.held(state))
    }

    fn parts(&self, mut state: Self::State, bits: u32) -> Vec<Self::State> {
        if let Some(state) = &mut state {
            self.0.settle(state);
        }
        let none = std::iter::repeat_with(|| None).take((1 << bits) - 1);
        std::iter::once(state).chain(none).collect()
    }

    fn save(&self, state: &Self::State, bytes: &mut Vec<u8>) -> bool {
        let Some(state) = state else { return self.0.has_form() };
        let start = bytes.len();
        bytes.push(1);
        let saved = self.0.save(state, bytes);
        if !saved {
            bytes.truncate(start);
        }
        saved
    }

    fn captured(&self) -> usize {
        self.0.captured()
    }

    fn load(&self, into: &mut Self::State, bytes: &[u8]) -> bool {
        let Some((&1, rest)) = bytes.split_first() else { return bytes.is_empty() };
        let mut reader = Reader::new(rest);
        let state = self.0.load(1, &mut reader);
        if state.is_none() || reader.end().is_err() {
            return false;
        }
        self.merge(into, state);
        true
    }
}

impl<'r, T, A: Takes<T> + Send + Sync + 'static> Feed<&'r T> for Whole<A> {
    fn feed(&self, state: &mut Self::State, record: &'r T) {
        let state = state.get_or_insert_with(|| self.start());
        self.0.feed(state, 0, record);
    }

    fn feed_all(&self, state: &mut Self::State, records: impl Iterator<Item = &'r T>) {
        let state = state.get_or_insert_with(|| self.start());
        records.for_each(|record| self.0.feed(state, 0, record));
        // So that whoever asks whether it is full is told so.
        self.0.settle(state);
    }
}

impl<I: Iterator, S: Send + 'static, W> Records<'_, I, Option<S>, W> {
    /// Aggregates all records. See [`typed`](crate::typed) for what there is.
    ///
    /// ```
    /// use creel_operators::run;
    /// use creel_operators::typed::{mean, nunique};
    ///
    /// let both = run(["cod", "eel", "crab", "cod"], |words| {
    ///     words.aggregate((mean(|word: &&str| word.len()), nunique(|word: &&str| word.to_string())))
    /// });
    /// assert_eq!(both, (Some(3.25), 3));
    /// ```
    pub fn aggregate<A>(self, aggregates: A) -> Whole<A::Bare>
    where
        A: Takes<I::Item, State = S>,
    {
        self.combine_by(Whole::new(aggregates.bare()), |whole, state, record| {
            aggregates.feed(state.get_or_insert_with(|| whole.start()), 0, &record);
        })
    }
}
