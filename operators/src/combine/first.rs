//! `first`: the first records, after which nothing more is read.

use std::fmt;
use std::marker::PhantomData;

use crate::{Combiner, Feed, Records};

/// Keeps the first `n` records, in input order, and is full once it has them.
///
/// ```
/// use creel_operators::{First, run};
///
/// assert_eq!(run(0.., |numbers| numbers.combine(First::new(3))), [0, 1, 2]);
/// ```
pub struct First<T> {
    n: usize,
    record: PhantomData<fn() -> T>,
}

impl<T> First<T> {
    /// A combiner that keeps the first `n` records.
    pub fn new(n: usize) -> Self {
        Self { n, record: PhantomData }
    }
}

impl<T> Clone for First<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for First<T> {}

impl<T> fmt::Debug for First<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("First").field(&self.n).finish()
    }
}

impl<T: Send + 'static> Combiner for First<T> {
    type State = Vec<T>;
    type Output = Vec<T>;
    const ORDERED: bool = true;
    const STOPS: bool = true;

    fn merge(&self, into: &mut Vec<T>, from: Vec<T>) {
        let room = self.n.saturating_sub(into.len());
        into.extend(from.into_iter().take(room));
    }

    fn full(&self, state: &Vec<T>) -> bool {
        state.len() >= self.n
    }

    fn finish(&self, state: Vec<T>) -> Vec<T> {
        state
    }
}

impl<T: Send + 'static> Feed<T> for First<T> {
    fn feed(&self, state: &mut Vec<T>, record: T) {
        if !self.full(state) {
            state.push(record);
        }
    }
}

impl<I: Iterator, W> Records<'_, I, Vec<I::Item>, W> {
    /// Keeps the first `n` records, in input order, and reads no further. See [`First`].
    ///
    /// ```
    /// assert_eq!(creel_operators::run(1.., |r| r.filter(|n| n % 7 == 0).first(2)), [7, 14]);
    /// ```
    pub fn first(self, n: usize) -> First<I::Item>
    where
        I::Item: Send + 'static,
    {
        self.combine(First::new(n))
    }
}

#[cfg(test)]
mod tests {
    use super::First;
    use crate::{Count, Records, laws, run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn first_keeps_the_laws(records in prop::collection::vec(0..9_u8, 0..12), n in 0..9_usize) {
            laws::check(&First::new(n), &records);
            laws::check(&(First::new(n), First::new(3)), &records);
            laws::check(&(First::new(n), Count), &records);
        }
    }

    #[test]
    fn no_record_is_taken_after_the_last_that_is_kept() {
        let mut numbers = 0..10;
        let mut state = Vec::new();
        let first = Records::new(numbers.by_ref(), &mut state).first(3);
        Records::new(numbers.by_ref(), &mut state).combine(first);
        assert_eq!((state, numbers.next()), (vec![0, 1, 2], Some(3)));
    }

    #[test]
    fn a_pair_stops_only_when_both_are_full() {
        assert_eq!(
            run(0..10, |r| r.combine((First::new(1), First::new(2)))),
            (vec![0], vec![0, 1])
        );
        assert_eq!(run(0..10, |r| r.combine((First::new(1), Count))), (vec![0], 10));
    }
}
