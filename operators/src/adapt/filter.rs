//! `filter`: the records that answer to a question.

use crate::Records;

impl<'s, I: Iterator, S, W> Records<'s, I, S, W> {
    /// Keeps the records for which `keep` is true; [`remove`](Self::remove) keeps the others.
    ///
    /// Where a cheap question rules many out, ask it in a filter of its own, first: then the next filter
    /// is asked of the others only, without a jump for each record.
    ///
    /// ```
    /// use creel_operators::code_points;
    ///
    /// let long = creel_operators::run(["net", "né", "fishes"], |words| {
    ///     words.filter(|w| w.len() > 2).filter(|w| code_points(w) > 2).count()
    /// });
    /// assert_eq!(long, 2);
    /// ```
    ///
    /// # Effects
    ///
    /// `keep` is asked once of each record, in their order, and may keep a state of its own. But it may be
    /// asked of later records before operators behind it see this one: of records of up to 32 bytes that
    /// need no drop, such as lent text, up to 64 that are kept go on together (one by one where the
    /// combiner [stops](crate::Combiner::STOPS)). So it must not ask what an operator behind it
    /// has done, nor they what it has done since; what goes from one to the next goes with the
    /// record:
    ///
    /// ```
    /// let lines = ["[cod]", "1", "2", "[eel]", "3"];
    /// let mut section = "";
    /// let all = creel_operators::run(lines, |lines| {
    ///     lines
    ///         .map(|line| {
    ///             let header = line.starts_with('[');
    ///             if header {
    ///                 section = line;
    ///             }
    ///             (header, section, line)
    ///         })
    ///         .filter(|(header, ..)| !header)
    ///         .map(|(_, section, line)| [section, line].concat())
    ///         .collect()
    /// });
    /// assert_eq!(all, ["[cod]1", "[cod]2", "[eel]3"]);
    /// ```
    pub fn filter(
        self,
        keep: impl FnMut(&I::Item) -> bool,
    ) -> Records<'s, impl Iterator<Item = I::Item>, S> {
        self.adapt(|records| Filter { records, keep })
    }
}

/// How many records that are kept go on together.
const GROUP: usize = 64;

/// As the standard library's, but that all records are asked for by [`fold`](Iterator::fold) in groups.
///
/// Whether a record is kept is then how far a number has come, and not which way the processor went:
/// of words of more than five letters it guesses one in three wrong, which took a quarter of a whole
/// count of them. One record at a time is still what is asked for by a combiner that stops.
pub(super) struct Filter<I, F> {
    pub(super) records: I,
    pub(super) keep: F,
}

impl<I: Iterator, F: FnMut(&I::Item) -> bool> Filter<I, F> {
    /// Whether it costs next to nothing to write a record somewhere and another over it.
    const IN_GROUPS: bool =
        !std::mem::needs_drop::<I::Item>() && size_of::<Option<I::Item>>() <= 32;
}

impl<I: Iterator, F: FnMut(&I::Item) -> bool> Iterator for Filter<I, F> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        self.records.find(&mut self.keep)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.records.size_hint().1)
    }

    #[inline]
    fn fold<B, G: FnMut(B, I::Item) -> B>(self, init: B, mut f: G) -> B {
        let Self { records, mut keep } = self;
        if !Self::IN_GROUPS {
            return records.filter(keep).fold(init, f);
        }
        let mut group = [const { None }; GROUP];
        // The number goes along with what is folded: in a variable of its own it would be in memory.
        let (folded, count) = records.fold((init, 0), |(folded, count), record| {
            let kept = keep(&record);
            group[count % GROUP] = Some(record);
            match count + usize::from(kept) {
                GROUP => (hand_on(&mut group, folded, &mut f), 0),
                count => (folded, count),
            }
        });
        hand_on(&mut group[..count], folded, &mut f)
    }
}

/// A call for each group, and none for each record: written out at both places that have need of
/// it, it would have `f` as a call.
#[inline(never)]
fn hand_on<T, B>(group: &mut [Option<T>], init: B, f: &mut impl FnMut(B, T) -> B) -> B {
    // Not by adapters: below two of them `f` is a call for each record.
    let mut folded = init;
    for place in group {
        if let Some(record) = place.take() {
            folded = f(folded, record);
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Filter;

    proptest! {
        #[test]
        fn what_is_kept_is_what_the_standard_library_keeps(
            numbers in prop::collection::vec(0..9_u32, 0..300),
            bound in 0..10_u32,
        ) {
            let keep = |n: &u32| *n < bound;
            let expected: Vec<u32> = numbers.iter().copied().filter(keep).collect();
            let filter = || Filter { records: numbers.iter().copied(), keep };
            let folded = filter().fold(Vec::new(), |mut all, n| {
                all.push(n);
                all
            });
            prop_assert_eq!(&folded, &expected);
            prop_assert!(filter().eq(expected.iter().copied()));
            // Records that own something, and large ones.
            let owned = numbers.iter().map(u32::to_string);
            let owned = Filter { records: owned, keep: |n: &String| n.as_str() < "5" };
            let large = Filter { records: numbers.iter().map(|&n| [n; 9]), keep: |n: &[u32; 9]| n[0] < 5 };
            let below_5 = numbers.iter().filter(|&&n| n < 5);
            prop_assert_eq!(owned.map(|n| n.parse::<u32>()).fold(0, |sum, n| sum + n.unwrap_or(100)), below_5.clone().sum::<u32>());
            prop_assert_eq!(large.fold(0, |sum, n| sum + n[8]), below_5.sum::<u32>());
        }
    }

    #[test]
    fn each_record_is_asked_for_once_and_in_order_and_some_go_on_together() {
        let asked = std::cell::RefCell::new(Vec::new());
        let seen = crate::run(0..200, |numbers| {
            let even = numbers.filter(|n| {
                asked.borrow_mut().push(*n);
                n % 2 == 0
            });
            even.map(|n| (n, asked.borrow().len())).collect()
        });
        assert!(asked.into_inner().into_iter().eq(0..200));
        assert!(seen.iter().map(|(n, _)| *n).eq((0..200).step_by(2)));
        assert_eq!((seen[0].1, seen[63].1, seen[64].1), (127, 127, 200));
    }

    #[test]
    fn a_group_that_is_just_full_goes_on_alone() {
        for kept in [63, 64, 65, 127, 128, 129] {
            let sum = crate::run(0..200, |numbers| numbers.filter(|&n| n < kept).count());
            assert_eq!(sum, kept as u64);
        }
    }

    #[test]
    fn a_combiner_that_stops_asks_no_further() {
        let asked = std::cell::Cell::new(0);
        let first = crate::run(0..1000, |numbers| {
            numbers
                .filter(|n| {
                    asked.set(asked.get() + 1);
                    n % 2 == 1
                })
                .first(2)
        });
        assert_eq!((first, asked.get()), (vec![1, 3], 4));
    }
}
