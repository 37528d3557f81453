//! A table for text in parts, and whole again.

use super::logs::KeyLogs;
use super::shard::Shard;
use super::text::TextTable;
use super::text_key::Text;
use super::{Table, saved};

impl<K> TextTable<K> {
    /// How many leading bits all hashes have in common.
    pub(crate) fn part_bits(&self) -> u32 {
        self.skip
    }

    /// As [`Table::parts`](super::Table::parts).
    pub(super) fn cut(mut self, bits: u32) -> Vec<Self> {
        let logs = self.logs.take();
        let seed = self.seed.clone();
        let mut parts: Vec<Self> = (0..1 << bits).map(|_| Self::part(self.skip + bits)).collect();
        // Every shard is to be one part's alone.
        for n in 0..1_u64 << bits {
            let hash = ((n << 32) >> bits >> self.skip) as u32;
            while self.shards[self.shard(hash)].depth < self.skip + bits {
                self.divide(self.shard(hash), hash, Shard::divide_to_fit);
            }
        }
        let mut shards: Vec<_> = self.shards.into_iter().map(Some).collect();
        let each = self.directory.len() >> bits;
        for (part, places) in parts.iter_mut().zip(self.directory.chunks_exact(each)) {
            let mut last = None;
            for &place in places {
                if last != Some(place) {
                    last = Some(place);
                    let shard = shards[place as usize].take();
                    let shard =
                        shard.unwrap_or_else(|| unreachable!("places of a shard are neighbours"));
                    part.distinct += shard.taken();
                    part.shards.push(shard);
                }
                part.directory.push(part.shards.len() as u32 - 1);
            }
        }
        if let Some(logs) = logs {
            let logs = logs.parts(bits, |key| seed.hash_bytes(key));
            parts.iter_mut().zip(logs).for_each(|(part, logs)| part.logs = Some(Box::new(logs)));
        }
        parts
    }

    /// As [`Table::save_parts`](super::Table::save_parts).
    ///
    /// Rows go from the slots to the bytes of their parts. To cut the table first, and save its parts, moves each
    /// row up to six times more: a third of the time of a count of which half is spilled.
    pub(super) fn save_cut(mut self, bits: u32, write: &mut dyn FnMut(&[u8]) -> bool)
    where
        K: Text,
    {
        if self.logs.is_some() {
            return self.save_cut_logs(bits, write);
        }
        let mut parts = vec![Vec::new(); 1 << bits];
        let (places, mut place, mut written) = (self.directory.len(), 0, 0);
        while place < places {
            // Dropped as soon as its rows are bytes.
            let shard = std::mem::take(&mut self.shards[self.directory[place] as usize]);
            place += places >> (shard.depth - self.skip);
            shard.each_row(&self.seed, |hash, key, n| {
                let part = u64::from(hash << self.skip) << bits >> 32;
                saved::save(&mut parts[part as usize], key, n);
            });
            drop(shard);
            // Shards are in the order of hashes: none that comes has keys of the parts before its first.
            let complete = (place << bits) / places;
            for part in &mut parts[written..complete] {
                if !write(&std::mem::take(part)) {
                    return;
                }
            }
            written = complete;
        }
    }

    /// The same for a table with few keys beside those that wait, which are rows already.
    fn save_cut_logs(self, bits: u32, write: &mut dyn FnMut(&[u8]) -> bool)
    where
        K: Text,
    {
        let mut bytes = Vec::new();
        for part in self.cut(bits) {
            bytes.clear();
            part.save(&mut bytes);
            drop(part);
            if !write(&bytes) {
                return;
            }
        }
    }

    /// As [`Table::join`](super::Table::join).
    pub(super) fn joined(mut parts: Vec<Self>) -> Self {
        let waiting = parts.iter().any(|part| part.logs.is_some()).then(|| {
            let logs = parts.iter_mut().map(|part| match part.logs.take() {
                Some(logs) => *logs,
                None => KeyLogs::new(part.skip),
            });
            Box::new(KeyLogs::joined(logs.collect()))
        });
        let bits = parts.len().trailing_zeros();
        let each = parts.iter().map(|part| part.directory.len()).max().unwrap_or(1);
        let skip = parts.first().map_or(0, |part| part.skip - bits);
        let mut joined = Self { logs: waiting, ..Self::part(skip) };
        for part in parts {
            let (before, times) = (joined.shards.len() as u32, each / part.directory.len());
            let places = part.directory.iter();
            joined
                .directory
                .extend(places.flat_map(|&place| std::iter::repeat_n(before + place, times)));
            joined.distinct += part.distinct;
            joined.shards.extend(part.shards);
        }
        joined
    }
}
