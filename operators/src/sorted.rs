//! All keys of counts in order, sorted in parts and lent one after another.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fmt;
use std::ops::Range;

use crate::table::{Place, Text, TextTable};
use crate::{Counted, Counts};

/// All keys of counts of text or bytes, commonest first; keys that are equally common, by their own
/// order.
///
/// [`Counts::into_sorted`](crate::Counts::into_sorted) makes it. Keys stay where they were counted, and
/// are lent from there. What was counted in parts is sorted in parts, side by side; rows of all parts are
/// merged while they are visited, and [pieces](Self::pieces) of them may be visited side by side too.
///
/// ```
/// use creel_operators::Counts;
///
/// let mut parts = Counts::from_iter(["eel", "cod", "cod", "ray"]).parts(1).into_iter();
/// let mut sorted = parts.next().unwrap().into_sorted();
/// parts.for_each(|part| sorted.append(part.into_sorted()));
/// assert!(sorted.iter().eq([("cod", 2), ("eel", 1), ("ray", 1)]));
/// ```
pub struct Sorted<K> {
    parts: Vec<Part<K>>,
}

/// A table, and where its keys are, in order.
struct Part<K> {
    table: TextTable<K>,
    order: Vec<Place>,
}

/// Some neighbouring rows of [`Sorted`]: of each part, those that are among them.
#[derive(Debug, Clone)]
pub struct Piece(Vec<Range<usize>>);

impl<K: Text<Table = TextTable<K>>> Counts<K> {
    /// Puts all keys in order, as [`sorted_lent`](Self::sorted_lent) does, and keeps them: parts of
    /// counts can be sorted side by side and then be visited as one.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let sorted = Counts::from_iter(["a", "b", "b"]).into_sorted();
    /// assert!(sorted.iter().eq([("b", 2), ("a", 1)]));
    /// ```
    pub fn into_sorted(self) -> Sorted<K> {
        let order = self.table.order();
        Sorted { parts: vec![Part { table: self.table, order }] }
    }
}

impl<K> Sorted<K> {
    /// Adds the rows of another part of the same counts: none of its keys is here.
    pub fn append(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.order.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cuts the rows into pieces of about `rows` each, in their order.
    ///
    /// ```
    /// # use creel_operators::Counts;
    /// let sorted = Counts::from_iter(["eel", "cod", "cod", "ray"]).into_sorted();
    /// let pieces = sorted.pieces(2);
    /// assert!(sorted.rows(&pieces[1]).eq([("ray", 1)]));
    /// assert!(pieces.iter().flat_map(|piece| sorted.rows(piece)).eq(sorted.iter()));
    /// ```
    pub fn pieces(&self, rows: usize) -> Vec<Piece> {
        // By chance a key is in one part or another: what cuts one evenly cuts all about evenly.
        let Some(longest) = self.parts.iter().max_by_key(|part| part.order.len()) else {
            return Vec::new();
        };
        // As large a share of that one as is asked for of all.
        let share = rows as u128 * longest.order.len() as u128 / self.len().max(1) as u128;
        let step = (share as usize).max(1);
        let cuts = (step..longest.order.len()).step_by(step).map(|at| Some(longest.row(at)));
        let mut starts = vec![0; self.parts.len()];
        let pieces = cuts.chain([None]).map(|cut| {
            let ranges = self.parts.iter().zip(&mut starts).map(|(part, start)| {
                let end = cut.map_or(part.order.len(), |cut| part.rows_before(cut));
                std::mem::replace(start, end)..end
            });
            Piece(ranges.collect())
        });
        pieces.collect()
    }
}

impl<K: Text> Sorted<K> {
    /// Visits all keys, lent, and their counts.
    pub fn iter(&self) -> impl Iterator<Item = Counted<'_, K>> {
        self.rows(&Piece(self.parts.iter().map(|part| 0..part.order.len()).collect()))
    }

    /// Visits those of a piece.
    ///
    /// # Panics
    ///
    /// If the piece is of other rows, which these do not have.
    pub fn rows<'s>(&'s self, piece: &Piece) -> impl Iterator<Item = Counted<'s, K>> + use<'s, K> {
        let parts = self.parts.iter().zip(&piece.0);
        Merged(parts.filter_map(|(part, range)| Next::first(part, range.clone())).collect())
            .map(|(key, n)| (K::lent(key), n))
    }
}

impl<K> Part<K> {
    fn row(&self, at: usize) -> (&[u8], u64) {
        self.table.row(self.order[at])
    }

    /// How many rows come before one that may be another part's.
    fn rows_before(&self, (key, n): (&[u8], u64)) -> usize {
        self.order.partition_point(|&place| {
            let (mine, count) = self.table.row(place);
            (Reverse(count), mine) < (Reverse(n), key)
        })
    }
}

/// Rows of many parts, each of them sorted, in one order. The first of all is on top.
struct Merged<'s, K>(BinaryHeap<Next<'s, K>>);

/// A part's next row, and what comes after it.
struct Next<'s, K> {
    count: u64,
    key: &'s [u8],
    part: &'s Part<K>,
    left: std::slice::Iter<'s, Place>,
}

/// How many rows ahead a key's bytes are asked for, and as many before that its slot.
const AHEAD: usize = 16;

impl<'s, K> Next<'s, K> {
    fn first(part: &'s Part<K>, range: Range<usize>) -> Option<Self> {
        let mut next = Self { count: 0, key: &[], part, left: part.order[range].iter() };
        next.go_on().then_some(next)
    }

    /// Takes the next row; `false` if there is none.
    fn go_on(&mut self) -> bool {
        let Some(&place) = self.left.next() else { return false };
        (self.key, self.count) = self.part.table.row(place);
        let left = self.left.as_slice();
        if let Some(&ahead) = left.get(2 * AHEAD) {
            self.part.table.ask_for_slot(ahead);
            self.part.table.ask_for_bytes(left[AHEAD]);
        }
        true
    }
}

impl<'s, K> Iterator for Merged<'s, K> {
    type Item = (&'s [u8], u64);

    fn next(&mut self) -> Option<Self::Item> {
        let mut next = self.0.peek_mut()?;
        let row = (next.key, next.count);
        if !next.go_on() {
            PeekMut::pop(next);
        }
        Some(row)
    }
}

impl<K> Ord for Next<'_, K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.count.cmp(&other.count).then_with(|| other.key.cmp(self.key))
    }
}

impl<K> PartialOrd for Next<'_, K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> PartialEq for Next<'_, K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K> Eq for Next<'_, K> {}

impl<K> fmt::Debug for Sorted<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorted").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Counts, Sorted};

    /// Counts in `2^bits` parts, each of which is sorted alone.
    fn sorted(counts: Counts<String>, bits: u32) -> Sorted<String> {
        let mut parts = counts.parts(bits).into_iter().map(Counts::into_sorted);
        let first = parts.next().expect("there is a part");
        parts.fold(first, |mut sorted, part| {
            sorted.append(part);
            sorted
        })
    }

    proptest! {
        #[test]
        fn rows_of_any_parts_in_any_pieces_are_those_of_a_plain_sort(
            keys in prop::collection::vec("[a-b\u{0}]{0,4}|[a-b]{14,20}", 0..400),
            bits in 0..4_u32,
            rows in 0..50_usize,
        ) {
            let counts: Counts<String> = keys.iter().map(String::as_str).collect();
            let mut expected: Vec<_> = counts.clone().into_iter().collect();
            expected.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
            let expected: Vec<_> = expected.iter().map(|(key, n)| (key.as_str(), *n)).collect();

            prop_assert_eq!(counts.sorted_lent(), &expected[..]);
            let sorted = sorted(counts, bits);
            prop_assert_eq!((sorted.len(), sorted.is_empty()), (expected.len(), expected.is_empty()));
            prop_assert_eq!(sorted.iter().collect::<Vec<_>>(), &expected[..]);
            let pieces = sorted.pieces(rows);
            let in_pieces: Vec<_> = pieces.iter().flat_map(|piece| sorted.rows(piece)).collect();
            prop_assert_eq!(in_pieces, expected);
        }
    }

    #[test]
    fn pieces_are_about_as_long_as_was_asked() {
        let counts: Counts<String> = (0..20_000).map(|n| n.to_string()).collect();
        let sorted = sorted(counts, 3);
        let pieces = sorted.pieces(1000);
        assert!((20..=21).contains(&pieces.len()), "{} pieces", pieces.len());
        for piece in &pieces {
            // Of 400 seeds of the hash the worst had 1,354, the median 1,151.
            assert!(sorted.rows(piece).count() < 2000);
        }
    }
}
