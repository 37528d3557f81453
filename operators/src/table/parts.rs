//! A table for text in parts, and whole again.

use super::shard::Shard;
use super::text::TextTable;

impl<K> TextTable<K> {
    /// How many leading bits all hashes have in common.
    pub(crate) fn part_bits(&self) -> u32 {
        self.skip
    }

    /// As [`Table::parts`](super::Table::parts).
    pub(super) fn cut(mut self, bits: u32) -> Vec<Self> {
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
        parts
    }

    /// As [`Table::join`](super::Table::join).
    pub(super) fn joined(parts: Vec<Self>) -> Self {
        let bits = parts.len().trailing_zeros();
        let each = parts.iter().map(|part| part.directory.len()).max().unwrap_or(1);
        let skip = parts.first().map_or(0, |part| part.skip - bits);
        let mut joined = Self::part(skip);
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
