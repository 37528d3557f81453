//! States cut by a hash of their keys, so that processes merge and finish each shard by itself.
//!
//! The shard of a key depends on nothing but the key and the number of shards. It is part of the form of states:
//! other processes, and other builds, have to agree on it.

use twox_hash::XxHash3_64;

use super::State;
use super::chunks::ChunkWriter;
use super::merge::Follows;
use crate::Result;

/// The shard of a key, by bytes that are the same wherever the key was met.
pub(super) fn shard_of(key: &[u8], shards: usize) -> usize {
    let hash = u128::from(XxHash3_64::oneshot(key));
    // The high bits of the product: shards are of about equal size, whatever their number.
    ((hash * shards as u128) >> u64::BITS) as usize
}

/// Writes states whose keys follow each other as the chunks of each shard.
pub(crate) struct ShardWriter<'w> {
    shards: Vec<ChunkWriter<'w>>,
}

impl<'w> ShardWriter<'w> {
    /// Writes the chunks of each shard by one of these.
    pub(crate) fn new<W: FnMut(&[u8]) -> Result<()>>(writes: &'w mut [W]) -> Self {
        let shards = writes.iter_mut().map(|write| ChunkWriter::new(write));
        Self { shards: shards.collect() }
    }

    /// Writes a state, and keeps what may be less than a chunk of a shard for what follows.
    pub(crate) fn add(&mut self, state: Box<dyn State>, follows: Follows) -> Result<()> {
        if let [only] = self.shards.as_mut_slice() {
            return only.add(state, follows);
        }
        let empty = state.empty();
        let parts = state.shards(self.shards.len());
        for (writer, part) in self.shards.iter_mut().zip(parts) {
            match part {
                Some(part) => writer.add(part, follows)?,
                None if follows == Follows::Nothing => writer.finish(empty.empty())?,
                // What follows it may go on within its last group.
                None => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_a_key_is_the_same_in_every_build() {
        let shards = |key: &[u8]| [1, 2, 7, 64].map(|shards| shard_of(key, shards));
        assert_eq!(shards(b""), [0, 0, 1, 11]);
        assert_eq!(shards(b"the"), [0, 1, 5, 50]);
        assert_eq!(shards("\u{e9}".as_bytes()), [0, 1, 6, 61]);
    }

    #[test]
    fn shards_are_of_about_equal_size() {
        for shards in [2, 3, 10] {
            let mut sizes = vec![0; shards];
            (0..10_000_u32).for_each(|key| sizes[shard_of(&key.to_be_bytes(), shards)] += 1);
            let fair = 10_000 / shards;
            assert!(sizes.iter().all(|size| (fair * 8 / 10..fair * 12 / 10).contains(size)));
        }
    }
}
