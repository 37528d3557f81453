//! The order of the rows of a range.

use std::ops::Range;

use super::word;

/// A row by the place of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Eight bytes of the key, by which it is sorted next.
    word: u64,
    /// Where the key begins, and its length.
    at: u32,
    len: u32,
}

impl Row {
    /// The row whose key stands at `at` in some bytes and is `len` long.
    ///
    /// ```
    /// let row = creel_operators::sort::Row::new(3, 2);
    /// assert_eq!(row.key(), 3..5);
    /// ```
    #[inline]
    pub fn new(at: u32, len: u32) -> Self {
        Self { word: 0, at, len }
    }

    /// Where its key stands.
    ///
    /// ```
    /// assert_eq!(creel_operators::sort::Row::new(0, 1).key(), 0..1);
    /// ```
    #[inline]
    pub fn key(self) -> Range<usize> {
        self.at as usize..self.at as usize + self.len as usize
    }

    #[inline]
    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.key()]
    }

    /// Looks at the key from `depth` on.
    #[inline]
    fn look(&mut self, bytes: &[u8], depth: usize) {
        self.word = word(bytes, self.at as usize + depth, self.key().end);
    }
}

/// Fewer rows than these are compared key by key.
const FEW: usize = 12;

/// Keys that go on for longer than this are looked at for what they have in common.
const LONG: usize = 32;

/// Sorts rows by their keys, which stand in `bytes`; rows of equal keys come in any order.
///
/// Keys are sorted eight bytes at a time. What many have in common is skipped.
///
/// ```
/// use creel_operators::sort::{Row, order};
///
/// let bytes = b"netfishnet";
/// let mut rows = [Row::new(0, 3), Row::new(3, 4), Row::new(7, 3)];
/// order(bytes, &mut rows);
/// assert_eq!(rows[0].key(), 3..7);
/// ```
///
/// # Panics
///
/// If a key is not within the bytes.
pub fn order(bytes: &[u8], rows: &mut [Row]) {
    // Runs of rows that are equal up to a depth: a list, so that no key needs a deep stack.
    let mut runs = vec![(0..rows.len(), 0)];
    while let Some((range, depth)) = runs.pop() {
        let start = range.start;
        let run = &mut rows[range];
        if run.len() <= FEW {
            run.sort_unstable_by(|a, b| a.of(bytes)[depth..].cmp(&b.of(bytes)[depth..]));
            continue;
        }
        let depth = depth + common(bytes, run, depth);
        run.iter_mut().for_each(|row| row.look(bytes, depth));
        run.sort_unstable_by_key(|row| row.word);
        let mut from = 0;
        while from < run.len() {
            let word = run[from].word;
            let same = run[from..].iter().take_while(|row| row.word == word).count();
            if same > 1 {
                let below = &mut run[from..from + same];
                // A key that ends here goes before those that go on with zeros.
                let ended = ended(below, depth + 8);
                below[..ended].sort_unstable_by_key(|row| row.len);
                if same - ended > 1 {
                    runs.push((start + from + ended..start + from + same, depth + 8));
                }
            }
            from += same;
        }
    }
}

/// Moves the rows whose keys end at a depth to the front, and counts them.
fn ended(rows: &mut [Row], depth: usize) -> usize {
    let mut ended = 0;
    for n in 0..rows.len() {
        if rows[n].len as usize <= depth {
            rows.swap(n, ended);
            ended += 1;
        }
    }
    ended
}

/// How many bytes from a depth on all keys have in common, if they are long.
fn common(bytes: &[u8], rows: &[Row], depth: usize) -> usize {
    let Some((first, others)) = rows.split_first() else { return 0 };
    let first = &first.of(bytes)[depth..];
    let mut common = first.len();
    for row in others {
        if common < LONG {
            return 0;
        }
        let key = &row.of(bytes)[depth..];
        let most = common.min(key.len());
        common = same_bytes(&first[..most], &key[..most]);
    }
    common
}

/// How many bytes two slices of one length begin with alike.
pub(super) fn same_bytes(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 32;
    let steps = a.chunks_exact(STEP).zip(b.chunks_exact(STEP));
    let same = steps.take_while(|(a, b)| a == b).count() * STEP;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let bytes = keys.concat();
        let mut at = 0;
        let mut rows: Vec<Row> = Vec::new();
        for key in keys {
            rows.push(Row::new(at, key.len() as u32));
            at += key.len() as u32;
        }
        order(&bytes, &mut rows);
        rows.iter().map(|row| bytes[row.key()].to_vec()).collect()
    }

    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let byte = || prop::sample::select(vec![0, 1, 0xff]);
        let long = (0..60_usize, prop::collection::vec(byte(), 0..20));
        let long = long.prop_map(|(n, end)| [vec![7; n], end].concat());
        prop_oneof![prop::collection::vec(byte(), 0..20), long]
    }

    proptest! {
        #[test]
        fn rows_are_in_the_order_of_their_keys(keys in prop::collection::vec(keys(), 0..200)) {
            let mut expected = keys.clone();
            expected.sort();
            prop_assert_eq!(sorted(&keys), expected);
        }
    }

    #[test]
    fn long_keys_that_differ_late_or_end_one_by_one_are_sorted() {
        let late: Vec<_> = (0..40).rev().map(|n| [vec![5; 1 << 16], vec![n]].concat()).collect();
        let one_by_one: Vec<_> = (0..2000_usize).rev().map(|n| vec![0; n]).collect();
        for keys in [late, one_by_one, vec![vec![3; 100]; 50]] {
            let mut expected = keys.clone();
            expected.sort();
            assert!(sorted(&keys) == expected);
        }
    }
}
