//! `last`: the last record.

use std::marker::PhantomData;

use crate::{Combiner, Feed, Records};

/// Keeps the last record, in input order; `None` of nothing.
///
/// ```
/// use creel_operators::{Last, run};
///
/// assert_eq!(run([3, 1, 2], |numbers| numbers.combine(Last::new())), Some(2));
/// ```
pub struct Last<T>(PhantomData<fn() -> T>);

mark! { Last<T>, "A combiner that keeps the last record." }

impl<T: Send + 'static> Combiner for Last<T> {
    type State = Option<T>;
    type Output = Option<T>;
    const ORDERED: bool = true;

    fn merge(&self, into: &mut Option<T>, from: Option<T>) {
        if from.is_some() {
            *into = from;
        }
    }

    fn finish(&self, state: Option<T>) -> Option<T> {
        state
    }
}

impl<T: Send + 'static> Feed<T> for Last<T> {
    fn feed(&self, state: &mut Option<T>, record: T) {
        *state = Some(record);
    }
}

impl<I: Iterator, W> Records<'_, I, Option<I::Item>, W> {
    /// Keeps the last record, in input order. See [`Last`].
    ///
    /// ```
    /// assert_eq!(creel_operators::run(1..9, |r| r.filter(|n| n % 3 == 0).last()), Some(6));
    /// ```
    pub fn last(self) -> Last<I::Item>
    where
        I::Item: Send + 'static,
    {
        self.combine(Last::new())
    }
}

#[cfg(test)]
mod tests {
    use super::Last;
    use crate::laws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn last_keeps_the_laws(records in prop::collection::vec(0..9_u8, 0..12)) {
            laws::check(&Last::new(), &records);
        }
    }
}
