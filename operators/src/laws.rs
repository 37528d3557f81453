//! Checks that combiners and aggregates keep their laws: one call for a property test of any of them.

mod aggregate;

use std::fmt::Debug;

use crate::{Combiner, Feed};
pub use aggregate::{check_aggregate, check_states};

/// Checks over `records` that a combiner keeps the laws of [`Combiner`].
///
/// Call it with many small inputs, as a property test does; the time grows with the cube of their
/// number. Outputs are compared by `==`, or by what they print if they do not equal themselves,
/// as NaN does not.
///
/// ```
/// use creel_operators::{Combiner, Feed, laws};
///
/// /// The longest record, and the first of those that are equally long.
/// struct Longest;
///
/// impl Combiner for Longest {
///     type State = Option<String>;
///     type Output = Option<String>;
///     const ORDERED: bool = true;
///
///     fn merge(&self, into: &mut Option<String>, from: Option<String>) {
///         if into.as_ref().map(String::len) < from.as_ref().map(String::len) {
///             *into = from;
///         }
///     }
///     fn finish(&self, state: Option<String>) -> Option<String> {
///         state
///     }
/// }
///
/// impl Feed<&str> for Longest {
///     fn feed(&self, state: &mut Option<String>, record: &str) {
///         if state.as_ref().map(String::len) < Some(record.len()) {
///             *state = Some(record.to_owned());
///         }
///     }
/// }
///
/// laws::check(&Longest, &["a", "bb", "", "cc", "d"]);
/// ```
///
/// # Panics
///
/// If a law is broken, naming it and the cut that showed it.
#[track_caller]
pub fn check<C, T>(combiner: &C, records: &[T])
where
    C: Feed<T>,
    C::Output: PartialEq + Debug,
    T: Clone,
{
    let laws = Laws { combiner, expected: combiner.finish(fed(combiner, records)) };
    laws.neutral(records);
    laws.full(records);
    if !C::ORDERED {
        laws.order(records);
    }
    let n = records.len();
    for i in 0..=n {
        for j in i..=n {
            laws.cut(&records[..i], &records[i..j], &records[j..]);
        }
    }
    laws.fine_cut(records);
    laws.sent(records);
}

struct Laws<'c, C: Combiner> {
    combiner: &'c C,
    /// The output of all records fed to one state.
    expected: C::Output,
}

impl<C: Combiner<Output: PartialEq + Debug>> Laws<'_, C> {
    fn neutral<T: Clone>(&self, records: &[T])
    where
        C: Feed<T>,
    {
        let all = fed(self.combiner, records);
        let after = self.merged([all, C::State::default()]);
        self.expect(after, "a default state changed the one that it was merged into");
        let all = fed(self.combiner, records);
        let before = self.merged([C::State::default(), all]);
        self.expect(before, "a default state changed the one that was merged into it");
    }

    /// A state says that it is full only when the rest of the records cannot show.
    fn full<T: Clone>(&self, records: &[T])
    where
        C: Feed<T>,
    {
        for i in 0..=records.len() {
            let state = fed(self.combiner, &records[..i]);
            if self.combiner.full(&state) {
                assert!(C::STOPS, "a combiner whose STOPS is false has a full state");
                self.expect(state, "records changed a state that was full");
                break;
            }
        }
    }

    fn cut<T: Clone>(&self, a: &[T], b: &[T], c: &[T])
    where
        C: Feed<T>,
    {
        let parts = || [a, b, c].map(|part| fed(self.combiner, part));
        let place = format!("cut after {} and after {} records", a.len(), a.len() + b.len());
        let [a1, b1, c1] = parts();
        let left = self.merged([self.merged([a1, b1]), c1]);
        self.expect(left, &format!("{place}, merged as (a + b) + c, is another result"));
        self.in_parts(parts().into(), &place);
        let [a2, b2, c2] = parts();
        let right = self.merged([a2, self.merged([b2, c2])]);
        self.expect(right, &format!("{place}, merged as a + (b + c), is another result"));
        if !C::ORDERED {
            let [a3, b3, c3] = parts();
            let back = self.merged([c3, a3, b3]);
            self.expect(back, &format!("{place}, merged as c + a + b, is another result"));
        }
    }

    /// States cut into parts, merged part by part, of which the first is completed, and joined; and all
    /// but the first put away as bytes in between.
    fn in_parts(&self, states: Vec<C::State>, place: &str) {
        let cut = states.into_iter().map(|state| self.combiner.parts(state, 1));
        let mut cut: Vec<_> = cut.map(Vec::into_iter).collect();
        let mut saved = true;
        let joined = (0..2).map(|part| {
            let mut states = cut.iter_mut().map(|parts| parts.next().unwrap_or_default());
            let mut into = states.next().unwrap_or_default();
            states.for_each(|from| {
                let (mut bytes, none) = (Vec::new(), C::State::default());
                let has_form = self.combiner.save(&from, &mut bytes);
                let all_have = self.combiner.save(&none, &mut Vec::new());
                assert_eq!(has_form, all_have, "{place}, some states have a form in bytes");
                if has_form {
                    saved &= self.combiner.load(&mut into, &bytes);
                } else {
                    self.combiner.merge(&mut into, from);
                }
            });
            if part == 0 {
                self.combiner.complete(&mut into);
            }
            into
        });
        let joined = joined.collect();
        assert!(saved, "{place}, what was saved cannot be loaded");
        let joined = self.combiner.join(joined);
        self.expect(joined, &format!("{place}, merged in parts, is another result"));
    }

    /// States of two halves that were sent as bytes, the second in parts if their order does not matter, and are received
    /// by one state.
    fn sent<T: Clone>(&self, records: &[T])
    where
        C: Feed<T>,
    {
        let (mut all, mut bytes) = (C::State::default(), Vec::new());
        let has_form = self.combiner.send(&all, &mut bytes);
        let (a, b) = records.split_at(records.len() / 2);
        for (half, bits) in [(a, 0), (b, if C::ORDERED { 0 } else { 2 })] {
            for part in self.combiner.parts(fed(self.combiner, half), bits) {
                bytes.clear();
                let is_sent = self.combiner.send(&part, &mut bytes);
                assert_eq!(is_sent, has_form, "some states have a form in bytes");
                let received = has_form && self.combiner.receive(&mut all, &bytes);
                assert_eq!(received, has_form, "what was sent cannot be received");
            }
        }
        if has_form {
            self.expect(all, "states that were sent come to another result");
        }
    }

    /// A state for each record, merged in a tree.
    fn fine_cut<T: Clone>(&self, records: &[T])
    where
        C: Feed<T>,
    {
        let mut level: Vec<_> =
            records.iter().map(|r| fed(self.combiner, std::slice::from_ref(r))).collect();
        while level.len() > 1 {
            let mut states = level.into_iter();
            level = Vec::new();
            while let Some(left) = states.next() {
                level.push(self.merged(std::iter::once(left).chain(states.next())));
            }
        }
        let state = self.merged(level);
        self.expect(state, "a state for each record, merged in a tree, is another result");
    }

    fn order<T: Clone>(&self, records: &[T])
    where
        C: Feed<T>,
    {
        let mut other = records.to_vec();
        other.reverse();
        let reversed = fed(self.combiner, &other);
        self.expect(reversed, "the order of the records shows, but ORDERED is false");
        other.rotate_left(records.len() / 2);
        let rotated = fed(self.combiner, &other);
        self.expect(rotated, "the order of the records shows, but ORDERED is false");
    }

    fn merged(&self, states: impl IntoIterator<Item = C::State>) -> C::State {
        let mut states = states.into_iter();
        let mut into = states.next().unwrap_or_default();
        states.for_each(|from| self.combiner.merge(&mut into, from));
        into
    }

    fn expect(&self, state: C::State, broken: &str) {
        let output = self.combiner.finish(state);
        let same =
            output == self.expected || format!("{output:?}") == format!("{:?}", self.expected);
        assert!(same, "{broken}: {output:?}, not {:?}", self.expected);
    }
}

fn fed<C: Feed<T>, T: Clone>(combiner: &C, records: &[T]) -> C::State {
    let mut state = C::State::default();
    records.iter().for_each(|record| combiner.feed(&mut state, record.clone()));
    state
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::{Combiner, Feed, Fold};

    /// Lawful or not, by what it is made of.
    struct Numbers {
        merge: fn(&mut Vec<u8>, Vec<u8>),
        feed: fn(&mut Vec<u8>, u8),
        full: fn(&Vec<u8>) -> bool,
    }

    const LAWFUL: Numbers = Numbers {
        merge: |into, from| {
            into.extend(from);
            into.sort_unstable();
        },
        feed: |state, record| {
            state.push(record);
            state.sort_unstable();
        },
        full: |_| false,
    };

    impl Combiner for Numbers {
        type State = Vec<u8>;
        type Output = Vec<u8>;
        const ORDERED: bool = false;
        const STOPS: bool = true;
        fn merge(&self, into: &mut Vec<u8>, from: Vec<u8>) {
            (self.merge)(into, from);
        }
        fn full(&self, state: &Vec<u8>) -> bool {
            (self.full)(state)
        }
        fn finish(&self, state: Vec<u8>) -> Vec<u8> {
            state
        }
    }

    impl Feed<u8> for Numbers {
        fn feed(&self, state: &mut Vec<u8>, record: u8) {
            (self.feed)(state, record);
        }
    }

    #[test]
    fn a_lawful_combiner_passes() {
        check(&LAWFUL, &[3, 1, 2]);
        check(&LAWFUL, &[]);
    }

    #[test]
    #[should_panic(expected = "a default state changed the one that it was merged into")]
    fn a_merge_that_forgets_is_found() {
        check(&Numbers { merge: |into, from| *into = from, ..LAWFUL }, &[3, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "a default state changed the one that was merged into it")]
    fn a_merge_that_only_looks_at_one_side_is_found() {
        check(&Numbers { merge: |_, _| (), ..LAWFUL }, &[3, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "merged as")]
    fn a_merge_that_is_not_associative_is_found() {
        let difference = Fold::new(|| 0, |a, b: i32| a - b, |a, b| a - b);
        check(&difference, &[3, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "the order of the records shows")]
    fn an_order_that_shows_is_found() {
        check(&Numbers { feed: Vec::push, merge: Vec::extend, ..LAWFUL }, &[3, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "records changed a state that was full")]
    fn a_state_that_is_full_too_early_is_found() {
        check(&Numbers { full: |state| state.len() > 1, ..LAWFUL }, &[3, 1, 2]);
    }
}
