//! The keys that come first, in a table that stays in the cache: it drops what repeats before it is copied.

use super::Form;
use super::entry::Entry;
use super::table::{Found, Table, entry_at, hash_of};
use crate::table::Seed;

/// The most entries and bytes that it holds.
const MOST: (usize, usize) = if cfg!(test) { (6, 100) } else { (24_000, 512 << 10) };

/// After so many look-ups it is asked whether it drops enough.
const LOOKS: usize = if cfg!(test) { 8 } else { 64 << 10 };

/// One of so many look-ups at least has to find its key.
const WORTH: usize = 4;

/// A table of few entries.
#[derive(Debug, Default)]
pub(super) struct Front {
    table: Table,
    bytes: Vec<u8>,
    /// How many keys there are.
    keys: usize,
    /// Look-ups since it is full, and how many found their key.
    looks: usize,
    found: usize,
    is_full: bool,
    /// Whether it takes entries of any size, as they are few.
    is_of_few: bool,
    /// Look-ups skip this table.
    is_off: bool,
}

impl Front {
    /// One whose entries may take more than the cache.
    pub(super) fn of_few() -> Self {
        Self { is_of_few: true, ..Self::default() }
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> usize {
        self.keys
    }

    /// The bytes of memory that it takes.
    pub(super) fn weight(&self) -> usize {
        self.table.weight() + self.bytes.capacity()
    }

    /// Look-ups skip this table.
    pub(super) fn is_off(&self) -> bool {
        self.is_off
    }

    /// Returns true if the entry is here, or one of its key that stands before it.
    #[inline]
    pub(super) fn takes(&mut self, form: Form, seed: &Seed, hash: u64, entry: &Entry<'_>) -> bool {
        if self.keys >= self.table.most() && !self.is_full {
            self.grow(form, seed);
        }
        self.looks += usize::from(self.is_full);
        match self.table.find(form, hash, entry.key, &self.bytes) {
            Found::There { at, slot } => {
                self.found += usize::from(self.is_full);
                let is_first = form.is_placed()
                    && entry_at(form, &self.bytes, at)
                        .is_some_and(|(other, _)| entry.place < other.place);
                // The other stays where it is: it is told apart by its place in the end.
                !is_first || self.add(form, hash, entry, slot)
            }
            Found::Free { slot } => {
                let is_added = !self.is_full && self.add(form, hash, entry, slot);
                self.keys += usize::from(is_added);
                is_added
            }
        }
    }

    /// Adds an entry, if there is room.
    fn add(&mut self, form: Form, hash: u64, entry: &Entry<'_>, slot: usize) -> bool {
        if !self.is_of_few && self.bytes.len() + entry.room() > MOST.1 {
            // One that is long by itself leaves room for others.
            self.is_full = entry.room() < MOST.1 / 8;
            return false;
        }
        self.table.set(slot, hash, self.bytes.len());
        entry.append(form, &mut self.bytes);
        true
    }

    /// Makes room for more entries, or is full.
    #[cold]
    fn grow(&mut self, form: Form, seed: &Seed) {
        if self.keys >= MOST.0 {
            self.is_full = true;
            return;
        }
        self.table.clear((2 * self.keys).max(48).min(MOST.0));
        let mut at = 0;
        while let Some((entry, len)) = entry_at(form, &self.bytes, at) {
            let hash = hash_of(seed, entry.key);
            // Of two entries of a key the one that was added later stands before the other.
            let (Found::Free { slot } | Found::There { slot, .. }) =
                self.table.find(form, hash, entry.key, &self.bytes);
            self.table.set(slot, hash, at);
            at += len;
        }
    }

    /// Returns true if it is time to empty it: few of what was looked up was found.
    pub(super) fn is_useless(&mut self) -> bool {
        if self.looks < LOOKS {
            return false;
        }
        let useless = self.found * WORTH < self.looks;
        (self.looks, self.found) = (0, 0);
        useless
    }

    /// Visits the entries, in order, and is empty; asked no more, if it is to be `off`.
    pub(super) fn drain(&mut self, form: Form, off: bool, mut visit: impl FnMut(Entry<'_>)) {
        let Self { bytes, .. } = std::mem::take(self);
        self.is_off = off;
        let mut rest = bytes.as_slice();
        while let Some(entry) = super::entry::next(form, &mut rest) {
            visit(entry);
        }
    }
}
