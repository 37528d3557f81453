//! `collect`: all records, in input order.

use std::marker::PhantomData;

use crate::{Combiner, Feed, Records};

/// Keeps all records, in input order; so its memory grows with the input.
///
/// Records have to be owned: a lent one is gone when the next block is read, so store it first,
/// with `.map(str::to_owned)`.
///
/// ```
/// use creel_operators::{Collect, run};
///
/// let lengths = run(["net", "fish"], |words| words.map(str::len).combine(Collect::new()));
/// assert_eq!(lengths, [3, 4]);
/// ```
pub struct Collect<T>(PhantomData<fn() -> T>);

mark! { Collect<T>, "A combiner that keeps records of type `T`." }

impl<T: Send + 'static> Combiner for Collect<T> {
    type State = Vec<T>;
    type Output = Vec<T>;
    const ORDERED: bool = true;

    fn merge(&self, into: &mut Vec<T>, mut from: Vec<T>) {
        if into.is_empty() {
            *into = from;
        } else {
            into.append(&mut from);
        }
    }

    fn finish(&self, state: Vec<T>) -> Vec<T> {
        state
    }
}

impl<T: Send + 'static> Feed<T> for Collect<T> {
    fn feed(&self, state: &mut Vec<T>, record: T) {
        state.push(record);
    }
}

impl<I: Iterator, W> Records<'_, I, Vec<I::Item>, W> {
    /// Keeps all records, in input order. See [`Collect`].
    ///
    /// ```
    /// let lines = ["b a", "c"];
    /// let words = creel_operators::run(lines, |l| l.words().map(str::to_owned).collect());
    /// assert_eq!(words, ["b", "a", "c"]);
    /// ```
    pub fn collect(self) -> Collect<I::Item>
    where
        I::Item: Send + 'static,
    {
        self.combine(Collect::new())
    }
}

#[cfg(test)]
mod tests {
    use super::Collect;
    use crate::laws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn collect_keeps_the_laws(records in prop::collection::vec(any::<u8>(), 0..12)) {
            laws::check(&Collect::new(), &records);
            prop_assert_eq!(crate::run(records.clone(), |r| r.collect()), records);
        }
    }
}
