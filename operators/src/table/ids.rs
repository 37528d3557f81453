//! Numbers for texts: the groups of records that are grouped by a text.
//!
//! The texts lie one after another in one buffer, and the table has 8 bytes a slot: a part of the hash,
//! and the number. A batch is looked up in three rounds, so that the cache misses of its keys overlap:
//! hash all keys and ask for their slots, ask for the texts of the slots that they may be in, compare.
//! Against `HashMap<String, u32>`, whose entries are 32 bytes and point to a text each, 100,000 keys
//! take a third of the memory.

use creel_kernels::prefetch;

use super::{Seed, order};
use crate::column::Span;

/// Numbers texts from 0 on, in the order in which they come first.
///
/// ```
/// use creel_operators::column::Span;
/// use creel_operators::table::TextIds;
///
/// let (text, spans) = ("cod eel cod", [Span::new(0, 3), Span::new(4, 7), Span::new(8, 11)]);
/// let (mut ids, mut numbers) = (TextIds::default(), Vec::new());
/// ids.number_all(text, &spans, &mut numbers);
/// assert_eq!(numbers, [0, 1, 0]);
/// assert_eq!(ids.text(1), "eel");
/// ```
#[derive(Clone, Default)]
pub struct TextIds {
    /// A power of two, and never full: a number and one more, and the hash; 0 in one that is empty.
    slots: Vec<Slot>,
    texts: String,
    /// Where each text ends.
    ends: Vec<u64>,
    seed: Seed,
    /// The hashes of a batch.
    hashes: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u32,
    /// The number and one more; 0 in an empty slot.
    next: u32,
}

/// Texts of another table that are looked up together: their slots stay in the nearest cache.
const BATCH: usize = 256;

/// Keys between the one whose slot is asked for and the one that is looked up.
const AHEAD: usize = 16;

impl TextIds {
    /// How many texts have a number.
    ///
    /// ```
    /// # use creel_operators::table::TextIds;
    /// assert_eq!(TextIds::default().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns true if no text has a number.
    ///
    /// ```
    /// # use creel_operators::table::TextIds;
    /// assert!(TextIds::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of memory that it has.
    ///
    /// ```
    /// # use creel_operators::table::TextIds;
    /// let mut ids = TextIds::default();
    /// ids.number("a text of some length");
    /// assert!(ids.weight() > 20);
    /// ```
    pub fn weight(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.texts.capacity()
            + self.ends.capacity() * size_of::<u64>()
    }

    /// The text of a number.
    ///
    /// # Panics
    ///
    /// If no text has this number.
    ///
    /// ```
    /// # use creel_operators::table::TextIds;
    /// let mut ids = TextIds::default();
    /// let number = ids.number("cod");
    /// assert_eq!(ids.text(number), "cod");
    /// ```
    #[inline]
    pub fn text(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[start as usize..self.ends[number] as usize]
    }

    /// All numbers, in the order of their texts.
    ///
    /// ```
    /// # use creel_operators::table::TextIds;
    /// let mut ids = TextIds::default();
    /// ["eel", "cod", "eel"].map(|text| ids.number(text));
    /// assert_eq!(ids.sorted(), [1, 0]);
    /// ```
    pub fn sorted(&self) -> Vec<u32> {
        order::by_key(0..self.len() as u32, |number| self.text(number).as_bytes()).collect()
    }

    /// Has the text of a number come near that is asked for soon.
    ///
    /// # Panics
    ///
    /// If no text has this number.
    ///
    /// ```
    /// # use creel_operators::table::TextIds;
    /// let mut ids = TextIds::default();
    /// let number = ids.number("cod");
    /// ids.ask_for(number);
    /// assert_eq!(ids.text(number), "cod");
    /// ```
    #[inline]
    pub fn ask_for(&self, number: u32) {
        if let Some(first) = self.text(number).as_bytes().first() {
            prefetch(first);
        }
    }

    /// The number of a text, which is a new one for a new text.
    ///
    /// ```
    /// # use creel_operators::table::TextIds;
    /// let mut ids = TextIds::default();
    /// assert_eq!(["cod", "eel", "cod"].map(|text| ids.number(text)), [0, 1, 0]);
    /// ```
    pub fn number(&mut self, text: &str) -> u32 {
        self.reserve(1);
        self.look_up(self.seed.hash_long(text.as_bytes()), text)
    }

    /// The numbers of pieces of a text, in place of what `numbers` held.
    ///
    /// # Panics
    ///
    /// If a piece is not within the text.
    ///
    /// ```
    /// # use creel_operators::{column::Span, table::TextIds};
    /// let mut numbers = vec![7];
    /// TextIds::default().number_all("aa", &[Span::new(0, 1), Span::new(1, 2)], &mut numbers);
    /// assert_eq!(numbers, [0, 0]);
    /// ```
    pub fn number_all(&mut self, text: &str, pieces: &[Span], numbers: &mut Vec<u32>) {
        numbers.clear();
        numbers.reserve(pieces.len());
        self.reserve(pieces.len());
        self.number_batch(pieces.iter().map(|piece| piece.of(text)), numbers);
    }

    /// Adds the texts of another, and gives the number here of each number there.
    ///
    /// ```
    /// # use creel_operators::table::TextIds;
    /// let (mut ids, mut others) = (TextIds::default(), TextIds::default());
    /// ids.number("cod");
    /// ["eel", "cod"].map(|text| others.number(text));
    /// assert_eq!(ids.merge(&others), [1, 0]);
    /// ```
    pub fn merge(&mut self, others: &Self) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(others.len());
        for first in (0..others.len()).step_by(BATCH) {
            let batch = first as u32..others.len().min(first + BATCH) as u32;
            self.reserve(batch.len());
            self.number_batch(batch.map(|number| others.text(number)), &mut numbers);
        }
        numbers
    }

    /// Appends the numbers of texts, for all of which there is room.
    #[inline]
    fn number_batch<'t>(
        &mut self,
        texts: impl Iterator<Item = &'t str> + Clone,
        numbers: &mut Vec<u32>,
    ) {
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        hashes.extend(texts.clone().map(|text| {
            let hash = self.seed.hash_long(text.as_bytes());
            prefetch(&self.slots[self.place(hash)]);
            hash
        }));
        for (at, text) in texts.enumerate() {
            if let Some(&hash) = hashes.get(at + AHEAD) {
                self.ask_for_text(hash);
            }
            numbers.push(self.look_up(hashes[at], text));
        }
        self.hashes = hashes;
    }

    /// Where a hash is looked for first.
    #[inline]
    fn place(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// Asks for the text that a key of this hash would be compared with.
    #[inline]
    fn ask_for_text(&self, hash: u32) {
        let slot = self.slots[self.place(hash)];
        if slot.hash == hash
            && let Some(number) = slot.next.checked_sub(1)
        {
            let start = number.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
            if let Some(first) = self.texts.as_bytes().get(start as usize) {
                prefetch(first);
            }
        }
    }

    /// The number of a text, for which there is room.
    #[inline]
    fn look_up(&mut self, hash: u32, text: &str) -> u32 {
        let mut place = self.place(hash);
        loop {
            let slot = self.slots[place];
            let Some(number) = slot.next.checked_sub(1) else { break };
            if slot.hash == hash && self.text(number) == text {
                return number;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        let number = self.ends.len() as u32;
        self.texts.push_str(text);
        self.ends.push(self.texts.len() as u64);
        self.slots[place] = Slot { hash, next: number + 1 };
        number
    }

    /// Makes room for so many texts more: at most three quarters of the slots are ever in use.
    fn reserve(&mut self, more: usize) {
        let needed = self.len() + more;
        if needed * 4 <= self.slots.len() * 3 {
            return;
        }
        let len = (needed * 4).div_ceil(3).next_power_of_two().max(16);
        let slots = std::mem::replace(&mut self.slots, vec![Slot::default(); len]);
        for slot in slots.into_iter().filter(|slot| slot.next > 0) {
            let mut place = self.place(slot.hash);
            while self.slots[place].next > 0 {
                place = (place + 1) & (len - 1);
            }
            self.slots[place] = slot;
        }
    }
}

impl std::fmt::Debug for TextIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextIds").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_has_one_number_in_any_cut_and_after_any_merge(
            texts in prop::collection::vec("[a-c]{0,3}|[a-z]{20}", 0..200),
            cut in 0_usize..200,
        ) {
            let mut expected = HashMap::new();
            for text in &texts {
                let next = expected.len() as u32;
                expected.entry(text.as_str()).or_insert(next);
            }
            let joined: String = texts.concat();
            let mut start = 0;
            let spans: Vec<Span> = texts.iter().map(|text| {
                let end = start + text.len();
                Span::new(std::mem::replace(&mut start, end), end)
            }).collect();
            let (first, second) = spans.split_at(cut.min(spans.len()));
            let (mut ids, mut others) = (TextIds::default(), TextIds::default());
            let (mut numbers, mut more) = (Vec::new(), Vec::new());
            ids.number_all(&joined, first, &mut numbers);
            others.number_all(&joined, second, &mut more);
            let map = ids.merge(&others);
            numbers.extend(more.iter().map(|number| map[*number as usize]));
            prop_assert_eq!(ids.len(), expected.len());
            for (text, number) in texts.iter().zip(&numbers) {
                prop_assert_eq!(ids.text(*number), text.as_str());
                prop_assert_eq!(expected[text.as_str()], *number);
            }
            let sorted: Vec<&str> = ids.sorted().into_iter().map(|number| ids.text(number)).collect();
            prop_assert!(sorted.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(sorted.len(), expected.len());
        }
    }

    #[test]
    fn texts_of_one_hash_have_numbers_of_their_own() {
        let mut ids = TextIds::default();
        ids.reserve(40);
        let numbers: Vec<u32> = (0..40).map(|n| ids.look_up(7, &n.to_string())).collect();
        assert_eq!(numbers, (0..40).collect::<Vec<_>>());
        assert!((0..40).all(|n| ids.look_up(7, &n.to_string()) == n));
    }
}
