//! The records of one block, as a chain of operators that ends in a combiner.

use std::ops::ControlFlow;

use crate::{Combiner, Feed};

/// The records of one block, lent to a plan together with the state that they will feed.
///
/// Every operator is a method that returns another `Records`, and runs fused: nothing happens
/// until the combiner at the end asks for the records, one at a time, and nothing is stored
/// between two operators, but for some records that go on from a [`filter`](Self::filter) together.
///
/// ```
/// use creel_operators::Records;
///
/// let mut state = Default::default();
/// let lines = ["a bb ccc", "bb"];
/// Records::new(lines.into_iter(), &mut state).count();
/// assert_eq!(state, 2);
/// ```
#[derive(Debug)]
#[must_use = "records are lazy: end the plan with a combiner"]
pub struct Records<'s, I, S, W = ()> {
    iter: I,
    state: &'s mut S,
    /// [`Whole`], of records that were not adapted yet.
    whole: W,
}

/// The text that records are pieces of, if they were cut at white space only, as lines are: the words
/// of the records are those of the text.
///
/// ```
/// use creel_operators::{Records, Whole};
///
/// let (text, mut state) = ("one fish\ntwo fish", Default::default());
/// Records::within(Whole::of(text), text.lines(), &mut state).words().count();
/// assert_eq!(state, 4);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Whole<'b>(pub(crate) Option<&'b str>);

impl<'b> Whole<'b> {
    /// Of records that are pieces of this text, in its order, with nothing but white space between
    /// them. That of records of which it is not so is the default.
    pub fn of(text: &'b str) -> Self {
        Self(Some(text))
    }

    /// Whether there is such a text.
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }
}

impl<'s, I: Iterator, S> Records<'s, I, S> {
    /// Records from an iterator, and the state that the combiner at the end will feed.
    pub fn new(iter: I, state: &'s mut S) -> Self {
        Self { iter, state, whole: () }
    }
}

impl<'s, 'b, I: Iterator, S> Records<'s, I, S, Whole<'b>> {
    /// The same, of records that are pieces of a text: [`words`](Self::words) that are asked for
    /// first are then found in all of it at once, which for lines takes half the time.
    pub fn within(whole: Whole<'b>, iter: I, state: &'s mut S) -> Self {
        Self { iter, state, whole }
    }
}

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// The door through which every operator goes: one iterator becomes another.
    ///
    /// ```
    /// let lines = ["a", "b", "c", "d"];
    /// let every_other = creel_operators::run(lines, |lines| {
    ///     lines.adapt(|lines| lines.step_by(2)).map(str::to_owned).collect()
    /// });
    /// assert_eq!(every_other, ["a", "c"]);
    /// ```
    ///
    /// The iterator is that of one block: what it keeps, such as a position, starts again with
    /// the next one.
    pub fn adapt<J: Iterator>(self, f: impl FnOnce(I) -> J) -> Records<'s, J, S> {
        Records { iter: f(self.iter), state: self.state, whole: () }
    }

    /// As [`adapt`](Self::adapt), of what is known of the whole too.
    pub(crate) fn adapt_whole<J: Iterator>(self, f: impl FnOnce(I, W) -> J) -> Records<'s, J, S> {
        Records { iter: f(self.iter, self.whole), state: self.state, whole: () }
    }

    /// The door through which every combiner goes: the records are fed to the state.
    ///
    /// Returns the combiner, so that whoever called the plan can merge and finish states. Several
    /// results of one pass come from a tuple of combiners, for records that are `Copy`.
    ///
    /// ```
    /// use creel_operators::{Count, Frequencies, run};
    ///
    /// let (total, counts) = run(["one fish", "two fish"], |lines| {
    ///     lines.words().combine((Count, Frequencies::<String>::new()))
    /// });
    /// assert_eq!((total, counts.len()), (4, 3));
    /// ```
    pub fn combine<C: Feed<I::Item, State = S>>(self, combiner: C) -> C {
        if C::STOPS {
            return self.combine_by(combiner, C::feed);
        }
        combiner.feed_all(self.state, self.iter);
        combiner
    }

    /// As [`combine`](Self::combine), by a closure in place of [`Feed`].
    ///
    /// A closure that takes lent records has their lifetime in its type: a combiner that held it
    /// would be another type for each block, and could not be what a plan returns.
    pub(crate) fn combine_by<C: Combiner<State = S>>(
        self,
        combiner: C,
        feed: impl Fn(&C, &mut S, I::Item),
    ) -> C {
        let Self { mut iter, state, .. } = self;
        if !C::STOPS {
            iter.for_each(|record| feed(&combiner, state, record));
        } else if !combiner.full(state) {
            let _ = iter.try_for_each(|record| {
                feed(&combiner, state, record);
                if combiner.full(state) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        }
        combiner
    }
}

/// Runs a plan over records that are at hand, as one lane would: for tests, examples and small data.
///
/// ```
/// let lines = ["one fish", "two fish"];
/// let counts = creel_operators::run(lines, |lines| lines.words().frequencies());
/// assert_eq!(counts.get("fish"), 2);
/// ```
pub fn run<I: IntoIterator, C: Combiner>(
    records: I,
    plan: impl FnOnce(Records<'_, I::IntoIter, C::State>) -> C,
) -> C::Output {
    let mut state = C::State::default();
    let combiner = plan(Records::new(records.into_iter(), &mut state));
    combiner.finish(state)
}
