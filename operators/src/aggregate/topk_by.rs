//! `topk_by`: the largest records, by a rank.

use std::cmp::Reverse;
use std::fmt;

use crate::{Combiner, Feed, Records, TopK, Value};

/// Keeps the records of the `k` largest ranks, largest rank first.
///
/// It is fed pairs of a rank and a record. Records of one rank are taken by their own order,
/// smaller ones first: so the output does not depend on the order of the input.
///
/// ```
/// use creel_operators::{TopKBy, run};
///
/// let catch = [(2.5, "cod"), (0.3, "eel"), (2.5, "bass")];
/// let heaviest = run(catch, |catch| catch.combine(TopKBy::<f64, String>::new(2)));
/// assert_eq!(heaviest, ["bass", "cod"]);
/// ```
pub struct TopKBy<R, O> {
    pairs: TopK<(R, Reverse<O>)>,
}

impl<R, O> TopKBy<R, O> {
    /// A combiner that keeps the records of the `k` largest ranks.
    pub fn new(k: usize) -> Self {
        Self { pairs: TopK::new(k) }
    }
}

impl<R, O> Clone for TopKBy<R, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, O> Copy for TopKBy<R, O> {}

impl<R, O> fmt::Debug for TopKBy<R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TopKBy").field(&self.pairs).finish()
    }
}

impl<R, O> Combiner for TopKBy<R, O>
where
    R: Value<Owned = R> + Send + 'static,
    O: Value<Owned = O> + Send + 'static,
{
    type State = Vec<(R, Reverse<O>)>;
    type Output = Vec<O>;
    const ORDERED: bool = false;

    fn held(&self, state: &Self::State) -> usize {
        self.pairs.held(state)
    }

    fn merge(&self, into: &mut Self::State, from: Self::State) {
        self.pairs.merge(into, from);
    }

    fn finish(&self, state: Self::State) -> Vec<O> {
        self.pairs.finish(state).into_iter().map(|(_, Reverse(record))| record).collect()
    }

    fn captured(&self) -> usize {
        0
    }

    fn parameters(&self, each: &mut dyn FnMut(u64)) {
        each(self.pairs.k as u64);
    }
}

impl<Q: Value, T: Value> Feed<(Q, T)> for TopKBy<Q::Owned, T::Owned> {
    fn feed(&self, state: &mut Self::State, (rank, record): (Q, T)) {
        self.pairs.feed(state, (rank, Reverse(record)));
    }
}

impl<I: Iterator, S, W> Records<'_, I, S, W> {
    /// Keeps the records of the `k` largest ranks, largest rank first. See [`TopKBy`].
    ///
    /// ```
    /// let words = ["net", "creel", "weir", "trap"];
    /// let longest = creel_operators::run(words, |words| words.topk_by(2, |word| word.len()));
    /// assert_eq!(longest, ["creel", "trap"]);
    /// ```
    pub fn topk_by<Q, R, O>(self, k: usize, rank: impl Fn(&I::Item) -> Q) -> TopKBy<R, O>
    where
        Q: Value<Owned = R>,
        I::Item: Value<Owned = O>,
        TopKBy<R, O>: Feed<(Q, I::Item), State = S>,
    {
        self.combine_by(TopKBy::new(k), |topk, state, record| {
            topk.feed(state, (rank(&record), record));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TopKBy;
    use crate::laws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn topk_by_keeps_the_laws(
            records in prop::collection::vec((0..4_u8, "[a-c]{0,2}"), 0..12),
            k in 0..5_usize,
        ) {
            let combiner = TopKBy::<u8, String>::new(k);
            laws::check(&combiner, &records);
            let largest = crate::run(records.clone(), |r| r.combine(combiner));
            let mut sorted = records;
            sorted.sort_by(|(m, a), (n, b)| n.cmp(m).then(a.cmp(b)));
            let expected: Vec<_> = sorted.into_iter().take(k).map(|(_, record)| record).collect();
            prop_assert_eq!(largest, expected);
        }
    }
}
