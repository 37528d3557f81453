//! A table of keys that are values, as bytes: part by part, so that one that reads them has a part in the caches.
//!
//! Of a part that is the keys that are counted, each with its count, and then those that wait; before either
//! stands how many there are.

use super::super::saved;
use super::{Map, SMALL, count, part_of};
use crate::Stored;

impl<K: Stored> Map<K> {
    /// Appends all of it. Returns false if keys have no form in bytes; some may have been appended then.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) -> bool {
        (0..self.parts.len()).all(|at| {
            let part = &self.parts[at];
            let waits = self.waiting.as_ref().map_or(0, |waiting| waiting.len_of(at));
            if part.is_empty() && waits == 0 {
                return true;
            }
            saved::put(bytes, part.len() as u64);
            let counted = part.iter().all(|(key, n)| {
                let has_form = key.save(bytes);
                saved::put(bytes, *n);
                has_form
            });
            saved::put(bytes, waits as u64);
            let mut waiting = self.waiting.iter().flat_map(|waiting| waiting.runs(at)).flatten();
            counted && waiting.all(|key| key.save(bytes))
        })
    }

    /// Counts what was [written](Self::write). Returns false if these are no such bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.read_part(&mut bytes).is_none() {
                return false;
            }
        }
        true
    }

    fn read_part(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let counted = saved::take(bytes)?;
        for _ in 0..counted {
            let key = K::load(bytes)?;
            let n = saved::take(bytes)?;
            self.add_hashed(self.seed.hash_key(&key), key, K::eq, n);
        }
        // None of them is of no bytes.
        let waits = saved::take(bytes).filter(|waits| *waits <= bytes.len() as u64)?;
        if waits > SMALL as u64 / 8 {
            self.cut(false);
        }
        if self.parts.len() == 1 || waits == 0 {
            for _ in 0..waits {
                let key = K::load(bytes)?;
                self.add_hashed(self.seed.hash_key(&key), key, K::eq, 1);
            }
            return Some(());
        }
        self.read_waiting(bytes, waits as usize)
    }

    /// Counts so many keys that waited, which are of one part of a table that was cut.
    fn read_waiting(&mut self, bytes: &mut &[u8], waits: usize) -> Option<()> {
        // Room for so many as the part before came to, as where they are counted in memory.
        let at = part_of(self.seed.hash_key(&K::load(&mut &**bytes)?));
        let Self { parts, seed, last, .. } = self;
        let before = parts[at].len();
        let (waited, new) = *last;
        let begins = before <= waits / 8;
        if begins {
            let new = waits.min(waits * (new + new / 16) / waited.max(1));
            parts[at].reserve(new, |(k, _)| seed.hash_key(k));
        }
        for _ in 0..waits {
            let key = K::load(bytes)?;
            let hash = seed.hash_key(&key);
            count(&mut parts[part_of(hash)], |(k, _)| seed.hash_key(k), (hash, key), K::eq, 1);
        }
        if begins {
            *last = (waits, parts[at].len() - before);
        }
        Some(())
    }
}
