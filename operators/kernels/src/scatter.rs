//! Many append-only lists, for values that are partitioned by hash.
//!
//! A list consists of blocks. It never moves its values as it grows. The blocks of 64 neighbouring lists come
//! from common slices in huge pages, because a thousand lists with pages of their own would cost a page fault for
//! every few values. The memory of 64 lists returns to the system as soon as all of them are cleared.

#![allow(unsafe_code, reason = "no safe slice has values in some places and none in others")]

use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::Huge;

/// The number of neighbouring lists whose blocks come from the same slices.
const NEIGHBOURS: usize = if cfg!(test) { 2 } else { 64 };

/// The size in bytes of the smallest and of the largest block.
const LEAST: usize = 64;
const MOST: usize = if cfg!(test) { 256 } else { 16 << 10 };

/// The size in bytes of the largest slice: a huge page.
const SLICE: usize = if cfg!(test) { 1 << 10 } else { 2 << 20 };

/// A fixed number of append-only lists.
///
/// Values must not need `drop`, and must have a size.
///
/// ```
/// let mut lists = creel_kernels::Scatter::new(4);
/// [7_u64, 2, 5, 6, 3].into_iter().for_each(|n| lists.push(n as usize % 4, n));
/// let list = |n| lists.runs(n).flatten().copied().collect::<Vec<u64>>();
/// assert_eq!((list(0), list(2), list(3)), (vec![], vec![2, 6], vec![7, 3]));
/// assert_eq!((lists.len(), lists.len_of(3)), (5, 2));
/// ```
pub struct Scatter<T> {
    heads: Vec<Head<T>>,
    /// Where the last block of each list starts.
    starts: Vec<NonNull<T>>,
    /// The full blocks of each list.
    full: Vec<Vec<Run<T>>>,
    /// The slices of each group of neighbouring lists.
    slices: Vec<Slices<T>>,
    /// The bytes of all slices.
    weight: usize,
    owns: PhantomData<T>,
}

/// The last block of a list, to which values are appended.
///
/// It has two words, so that the heads of a thousand lists fit into half of the first cache.
struct Head<T> {
    /// The place of the next value, and the end of the block.
    next: NonNull<T>,
    end: NonNull<T>,
}

/// Consecutive values, all initialised.
struct Run<T> {
    start: NonNull<T>,
    len: usize,
}

/// The memory of a group of neighbouring lists.
struct Slices<T> {
    /// Parts that [`split`](Scatter::split) has made may share slices; each block belongs to one list.
    all: Vec<Arc<Huge<MaybeUninit<T>>>>,
    /// The unused end of the last slice.
    free: Run<T>,
}

// SAFETY: it owns its values, as a vector does, and moves them to another thread with it. Parts of a split share
// the ownership of slices, which is atomic, and no block.
unsafe impl<T: Send> Send for Scatter<T> {}
// SAFETY: a shared reference gives shared references to values only.
unsafe impl<T: Sync> Sync for Scatter<T> {}

// By hand: derived impls would require `T: Copy`.
impl<T> Copy for Head<T> {}
impl<T> Clone for Head<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Run<T> {}
impl<T> Clone for Run<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Head<T> {
    const NONE: Self = Self { next: NonNull::dangling(), end: NonNull::dangling() };
}

impl<T> Slices<T> {
    const NONE: Self = Self { all: Vec::new(), free: Run { start: NonNull::dangling(), len: 0 } };

    /// The bytes of all of them.
    fn weight(&self) -> usize {
        self.all.iter().map(|slice| slice.raw().1 * size_of::<T>()).sum()
    }
}

impl<T> Scatter<T> {
    /// Makes `lists` empty lists.
    ///
    /// # Panics
    ///
    /// If values have no size, or need `drop`.
    pub fn new(lists: usize) -> Self {
        assert!(
            size_of::<T>() > 0 && !std::mem::needs_drop::<T>(),
            "values have a size and need no drop"
        );
        let slices = std::iter::repeat_with(|| Slices::NONE);
        Self {
            heads: vec![Head::NONE; lists],
            starts: vec![NonNull::dangling(); lists],
            full: std::iter::repeat_with(Vec::new).take(lists).collect(),
            slices: slices.take(lists.div_ceil(NEIGHBOURS)).collect(),
            weight: 0,
            owns: PhantomData,
        }
    }

    /// Appends a value to a list.
    ///
    /// # Panics
    ///
    /// If there is no such list. Unwinds with [`Refused`](crate::Refused) if the system has no memory for it.
    #[inline]
    pub fn push(&mut self, list: usize, value: T) {
        let mut head = self.heads[list];
        if head.next == head.end {
            head = self.open(list);
        }
        // SAFETY: `next` is before `end` in a block that belongs to this list alone, so there is room for a value,
        // and `next` moves to `end` at most.
        unsafe {
            head.next.write(value);
            self.heads[list].next = head.next.add(1);
        }
    }

    /// The values in the last block of a list.
    fn last(&self, list: usize) -> Run<T> {
        let start = self.starts[list];
        // SAFETY: both pointers are in one block, or both dangle; `next` is never before `start`. The constructor
        // refuses values without a size.
        let len = unsafe { self.heads[list].next.offset_from_unsigned(start) };
        Run { start, len }
    }

    /// Gives a list another block.
    #[cold]
    #[inline(never)]
    fn open(&mut self, list: usize) -> Head<T> {
        let last = self.last(list);
        // As long as the list so far: short lists leave little unused.
        let bytes = self.len_of(list).saturating_mul(size_of::<T>()).clamp(LEAST, MOST);
        let len = (bytes / size_of::<T>()).max(1);
        let slices = &mut self.slices[list / NEIGHBOURS];
        if slices.free.len < len {
            let bytes = slices.weight().clamp(NEIGHBOURS * LEAST, SLICE);
            let slice = Huge::unwritten((bytes / size_of::<T>()).max(len));
            let (start, len) = slice.raw();
            self.weight += len * size_of::<T>();
            slices.free = Run { start: start.cast(), len };
            slices.all.push(Arc::new(slice));
        }
        let start = slices.free.start;
        // SAFETY: `free` has at least `len` places, in a slice that does not move. After a split, `free` is empty:
        // no two parts use the same places.
        let end = unsafe { start.add(len) };
        slices.free = Run { start: end, len: slices.free.len - len };
        if last.len > 0 {
            self.full[list].push(last);
        }
        self.starts[list] = start;
        self.heads[list] = Head { next: start, end };
        self.heads[list]
    }

    /// The values of a list, in the order in which they were appended, as slices.
    ///
    /// # Panics
    ///
    /// If there is no such list.
    pub fn runs(&self, list: usize) -> impl Iterator<Item = &[T]> {
        let last = self.last(list);
        self.full[list].iter().copied().chain([last]).map(|run| {
            // SAFETY: `len` values from `start` on are initialised. They are in a block of this list, in a slice
            // that `self` keeps alive, and are not written while `self` is borrowed. Without values `start` may
            // dangle.
            unsafe { std::slice::from_raw_parts(run.start.as_ptr(), run.len) }
        })
    }

    /// The number of values in all lists.
    pub fn len(&self) -> usize {
        (0..self.heads.len()).map(|list| self.len_of(list)).sum()
    }

    /// Returns true if all lists are empty.
    ///
    /// ```
    /// assert!(creel_kernels::Scatter::<u8>::new(9).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        (0..self.heads.len()).all(|list| self.len_of(list) == 0)
    }

    /// The number of values in a list.
    ///
    /// # Panics
    ///
    /// If there is no such list.
    pub fn len_of(&self, list: usize) -> usize {
        let full: usize = self.full[list].iter().map(|run| run.len).sum();
        full + self.last(list).len
    }

    /// The bytes of memory of all blocks, used or not.
    ///
    /// ```
    /// let mut lists = creel_kernels::Scatter::new(1);
    /// (0..1000_u64).for_each(|n| lists.push(0, n));
    /// assert!(lists.weight() >= 8000);
    /// lists.clear(0);
    /// assert_eq!(lists.weight(), 0);
    /// ```
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Clears a list. Its memory is freed when its neighbours are clear too.
    ///
    /// # Panics
    ///
    /// If there is no such list.
    pub fn clear(&mut self, list: usize) {
        (self.heads[list], self.starts[list]) = (Head::NONE, NonNull::dangling());
        self.full[list] = Vec::new();
        let slices = list / NEIGHBOURS;
        let mut lists = slices * NEIGHBOURS..self.heads.len().min((slices + 1) * NEIGHBOURS);
        if lists.all(|list| self.last(list).len == 0 && self.full[list].is_empty()) {
            let slices = std::mem::replace(&mut self.slices[slices], Slices::NONE);
            self.weight -= slices.weight();
        }
    }

    /// Appends the values of each list of `other` to the same list here, without copying them. The order of the
    /// values of a list is unspecified afterwards.
    ///
    /// # Panics
    ///
    /// If the two have different numbers of lists.
    ///
    /// ```
    /// let mut lists = creel_kernels::Scatter::new(2);
    /// lists.push(0, 7);
    /// lists.append(lists.clone());
    /// assert_eq!((lists.len_of(0), lists.len_of(1)), (2, 0));
    /// ```
    pub fn append(&mut self, mut other: Self) {
        assert_eq!(self.heads.len(), other.heads.len(), "the same number of lists");
        for list in 0..self.heads.len() {
            let last = other.last(list);
            self.full[list].append(&mut other.full[list]);
            self.full[list].extend((last.len > 0).then_some(last));
        }
        for (slices, others) in self.slices.iter_mut().zip(&mut other.slices) {
            slices.all.append(&mut others.all);
        }
        self.weight += other.weight;
    }

    /// Splits the lists into `parts` consecutive ranges of equal length. Each part has as many lists as `self`;
    /// those outside its range are empty.
    ///
    /// # Panics
    ///
    /// If `parts` is 0 or does not divide the number of lists.
    ///
    /// ```
    /// let mut lists = creel_kernels::Scatter::new(4);
    /// [1, 2, 3].into_iter().for_each(|n| lists.push(n, n));
    /// let parts = lists.split(2);
    /// assert_eq!((parts[0].len_of(1), parts[0].len(), parts[1].len()), (1, 1, 2));
    /// ```
    pub fn split(mut self, parts: usize) -> Vec<Self> {
        let lists = self.heads.len();
        assert!(parts > 0 && lists.is_multiple_of(parts), "parts divide the lists");
        let each = lists / parts;
        let part = |n: usize| {
            let mut part = Self::new(lists);
            let own = n * each..(n + 1) * each;
            for list in own.clone() {
                part.heads[list] = self.heads[list];
                part.starts[list] = self.starts[list];
                part.full[list] = std::mem::take(&mut self.full[list]);
            }
            for slices in own.start / NEIGHBOURS..own.end.div_ceil(NEIGHBOURS) {
                part.slices[slices].all.clone_from(&self.slices[slices].all);
            }
            part.weight = part.slices.iter().map(Slices::weight).sum();
            part
        };
        (0..parts).map(part).collect()
    }
}

impl<T: Clone> Clone for Scatter<T> {
    fn clone(&self) -> Self {
        let mut clone = Self::new(self.heads.len());
        for list in 0..self.heads.len() {
            self.runs(list).flatten().for_each(|value| clone.push(list, value.clone()));
        }
        clone
    }
}

impl<T> fmt::Debug for Scatter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scatter").field("lists", &self.heads.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lists<T: Clone>(scatter: &Scatter<T>, lists: usize) -> Vec<Vec<T>> {
        (0..lists).map(|list| scatter.runs(list).flatten().cloned().collect()).collect()
    }

    proptest! {
        #[test]
        fn lists_give_their_values_in_order_after_clears_clones_and_splits(
            values in prop::collection::vec((0..8_usize, any::<(u16, u64)>()), 0..if cfg!(miri) { 80 } else { 600 }),
            cleared in 0..8_usize,
            bits in 0..4_u32,
        ) {
            let mut scatter = Scatter::new(8);
            let mut expected = vec![Vec::new(); 8];
            let (first, rest) = values.split_at(values.len() / 2);
            let push = |scatter: &mut Scatter<_>, expected: &mut Vec<Vec<_>>, values: &[_]| {
                for &(list, value) in values {
                    scatter.push(list, value);
                    expected[list].push(value);
                }
            };
            push(&mut scatter, &mut expected, first);
            prop_assert_eq!(&lists(&scatter, 8), &expected);
            scatter.clear(cleared);
            expected[cleared].clear();
            push(&mut scatter, &mut expected, rest);
            let len: usize = expected.iter().map(Vec::len).sum();
            prop_assert_eq!((scatter.len(), scatter.is_empty()), (len, len == 0));
            prop_assert!(scatter.weight() >= len * size_of::<(u16, u64)>());
            let clone = scatter.clone();
            let mut twice = clone.clone();
            twice.append(clone.clone());
            prop_assert_eq!((twice.len(), twice.weight() >= 2 * len), (2 * len, true));
            (0..8).for_each(|list| twice.clear(list));
            prop_assert_eq!((twice.is_empty(), twice.weight()), (true, 0));
            let mut appended = Scatter::new(8);
            appended.append(clone.clone());
            prop_assert_eq!(&lists(&appended, 8), &expected);
            let parts = scatter.split(1 << bits);
            prop_assert_eq!(&lists(&clone, 8), &expected);
            for (n, mut part) in parts.into_iter().enumerate() {
                let own = n * (8 >> bits)..(n + 1) * (8 >> bits);
                for &(list, value) in values.iter().filter(|(list, _)| own.contains(list)) {
                    part.push(list, value);
                    expected[list].push(value);
                }
                let values = lists(&part, 8);
                for (list, values) in values.iter().enumerate() {
                    let expected = if own.contains(&list) { &expected[list][..] } else { &[] };
                    prop_assert_eq!(values, expected);
                }
                own.for_each(|list| part.clear(list));
                prop_assert_eq!((part.is_empty(), part.weight()), (true, 0));
            }
        }
    }

    #[test]
    fn values_larger_than_a_block_get_blocks_of_their_own() {
        let mut scatter = Scatter::new(3);
        (0..5_u8).for_each(|n| scatter.push(2, [n; 300]));
        assert!(scatter.runs(2).flatten().map(|value| value[299]).eq(0..5));
    }

    #[test]
    fn a_part_outlives_the_others_on_another_thread() {
        let mut scatter = Scatter::new(4);
        (0..500_u32).for_each(|n| scatter.push(n as usize % 4, n));
        let mut parts = scatter.split(4);
        let last = parts.pop();
        drop(parts);
        let sum = std::thread::spawn(move || last.map(|part| part.runs(3).flatten().sum::<u32>()));
        assert_eq!(sum.join().ok(), Some(Some((0..500).filter(|n| n % 4 == 3).sum())));
    }
}
