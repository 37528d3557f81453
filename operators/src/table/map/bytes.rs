//! A table of keys that are values, as bytes: part by part, so that one that reads them has a part in the caches.
//!
//! A part is the keys that are counted, each with its count, and then the keys that wait. The number of each
//! stands before them, and before all of it whether the table is cut.

use super::super::saved;
use super::{Map, SMALL, part_of};
use crate::Stored;

/// Of more keys than these in one part, all parts have more than a table that is not cut.
const FEW: u64 = (SMALL / 64) as u64;

impl<K: Stored> Map<K> {
    /// Appends all of it. Returns false if keys have no form in bytes.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) -> bool {
        (0..self.parts.len()).all(|at| {
            let part = &self.parts[at];
            let waits = self.waiting.as_ref().map_or(0, |waiting| waiting.len_of(at));
            if part.is_empty() && waits == 0 {
                return true;
            }
            bytes.push(u8::from(self.parts.len() > 1));
            saved::put(bytes, part.len() as u64);
            let counted = part.iter().all(|(key, n)| {
                let has_form = key.save(bytes);
                saved::put(bytes, *n);
                has_form
            });
            saved::put(bytes, waits as u64);
            let mut waiting = self.waiting.iter().flat_map(|waiting| waiting.runs(at));
            counted && waiting.all(|keys| K::save_all(keys, bytes))
        })
    }

    /// Adds what was [written](Self::write). Returns false if these are no such bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.read_part(&mut bytes).is_none() {
                return false;
            }
        }
        true
    }

    fn read_part(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let (&is_cut, rest) = bytes.split_first()?;
        *bytes = rest;
        // A count is a byte, at least.
        let counted = saved::take(bytes).filter(|counted| *counted <= bytes.len() as u64)?;
        if is_cut != 0 && counted > FEW {
            self.cut(true);
            self.reserve(part_of(self.seed.hash_key(&K::load(&mut &**bytes)?)), counted);
        }
        for _ in 0..counted {
            let key = K::load(bytes)?;
            let n = saved::take(bytes)?;
            self.add_hashed(self.seed.hash_key(&key), key, K::eq, n);
        }
        // Keys that wait take a byte or more.
        let waits = saved::take(bytes).filter(|waits| *waits <= bytes.len() as u64)?;
        if waits > FEW {
            self.cut(true);
        }
        let waits = waits as usize;
        match &mut self.waiting {
            Some(waiting) if waits > 0 => {
                // All of them are of one part, and wait on: they are counted when all of it is there, at once.
                let at = part_of(self.seed.hash_key(&K::load(&mut &**bytes)?));
                K::load_all(bytes, waits, |key| waiting.push(at, key))?;
                self.waits += waits;
                if self.waits >= self.most {
                    self.settle_some();
                }
                Some(())
            }
            _ => (0..waits).try_for_each(|_| {
                let key = K::load(bytes)?;
                self.add_hashed(self.seed.hash_key(&key), key, K::eq, 1);
                Some(())
            }),
        }
    }

    /// Makes room in a part for so many keys, if it has fewer.
    fn reserve(&mut self, at: usize, keys: u64) {
        let Self { parts, seed, .. } = self;
        let more = usize::try_from(keys).unwrap_or(0).saturating_sub(parts[at].len());
        parts[at].reserve(more, |(k, _)| seed.hash_key(k));
    }
}
