//! `count`: how many records there are.

use crate::{Combiner, Feed, Records};

/// Counts records.
///
/// ```
/// assert_eq!(creel_operators::run(["net", "fish"], |words| words.count()), 2);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count;

impl Combiner for Count {
    type State = u64;
    type Output = u64;
    const ORDERED: bool = false;

    fn merge(&self, into: &mut u64, from: u64) {
        *into += from;
    }

    fn finish(&self, state: u64) -> u64 {
        state
    }
}

impl<T> Feed<T> for Count {
    fn feed(&self, state: &mut u64, _record: T) {
        *state += 1;
    }
}

impl<I: Iterator, W> Records<'_, I, u64, W> {
    /// Counts the records. See [`Count`].
    ///
    /// ```
    /// assert_eq!(creel_operators::run(["a b", "c"], |lines| lines.words().count()), 3);
    /// ```
    pub fn count(self) -> Count {
        self.combine(Count)
    }
}

#[cfg(test)]
mod tests {
    use super::Count;
    use crate::laws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn count_keeps_the_laws(records in prop::collection::vec(any::<u8>(), 0..12)) {
            laws::check(&Count, &records);
            prop_assert_eq!(crate::run(&records, |r| r.count()), records.len() as u64);
        }
    }
}
