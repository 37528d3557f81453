//! A set of places that gives its least: of a graph that was numbered in one go, what can run.

/// Places, as a bit each, and above every 64 of them a bit that says whether one of these is set.
///
/// A heap of a million tasks has twenty levels, of which half are cache misses; this has four,
/// and the lowest of them is 128 kB.
#[derive(Default)]
pub(crate) struct Order {
    levels: [Vec<u64>; LEVELS],
}

/// Enough for all places that there can be: the top is one word.
const LEVELS: usize = 6;

impl Order {
    pub(crate) fn insert(&mut self, place: u32) {
        let mut at = place;
        for level in &mut self.levels {
            let (word, bit) = (at as usize / 64, 1 << (at % 64));
            if level.len() <= word {
                level.resize(word + 1, 0);
            }
            let was = level[word];
            level[word] |= bit;
            if was != 0 {
                return;
            }
            at /= 64;
        }
    }

    /// The least, if there is one.
    pub(crate) fn first(&self) -> Option<u32> {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let word = level.get(at as usize).filter(|word| **word != 0)?;
            at = at * 64 + word.trailing_zeros();
        }
        Some(at)
    }

    /// Takes out one that is there.
    pub(crate) fn remove(&mut self, place: u32) {
        let mut at = place;
        for level in &mut self.levels {
            let word = &mut level[at as usize / 64];
            *word &= !(1 << (at % 64));
            if *word != 0 {
                return;
            }
            at /= 64;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first().is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_gives_the_least_of_what_is_in_it(
            places in prop::collection::vec((0..100_000_u32, any::<bool>()), 0..300),
        ) {
            let (mut order, mut set) = (Order::default(), BTreeSet::new());
            for (place, takes) in places {
                order.insert(place);
                set.insert(place);
                if takes {
                    let first = order.first().expect("one was put in");
                    prop_assert_eq!(set.pop_first(), Some(first));
                    order.remove(first);
                }
                prop_assert_eq!(order.first(), set.first().copied());
                prop_assert_eq!(order.is_empty(), set.is_empty());
            }
        }
    }

    #[test]
    fn the_greatest_place_has_one() {
        let mut order = Order::default();
        order.insert(1 << 22);
        assert_eq!(order.first(), Some(1 << 22));
        order.remove(1 << 22);
        assert!(order.is_empty());
    }
}
