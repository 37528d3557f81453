//! The tables behind [`Counts`](crate::Counts): which one counts a key is the key's choice.
//!
//! Both are reached through `Counts` only, and are public for [`key!`](crate::key!) alone: no method
//! of `Counts` shows where a table keeps its keys, so that a faster one can take their place.

mod arena;
mod map;

use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use foldhash::fast::{FoldHasher, SeedableRandomState};

use crate::{Key, Stored};
pub use arena::{Arena, IntoIter, Text};
pub use map::Map;

/// What [`Counts`](crate::Counts) asks of a table.
pub trait Table<K: Stored>: Default + Clone + Debug + Send + Sync + 'static {
    /// The keys and counts, moved out.
    type IntoIter: Iterator<Item = (K, u64)>;

    /// How many distinct keys there are.
    fn distinct(&self) -> usize;

    /// Counts a key `n` times more.
    fn add<Q: Key<Owned = K>>(&mut self, key: Q, n: u64);

    /// How often a key was counted.
    fn get<Q: Key<Owned = K>>(&self, key: Q) -> u64;

    /// Visits the keys, lent, and their counts.
    fn iter(&self) -> impl Iterator<Item = (K::Lent<'_>, u64)>;

    /// Moves the keys and counts out.
    fn into_iter(self) -> Self::IntoIter;

    /// Adds the counts of another table.
    fn merge(&mut self, from: Self);
}

/// One seed for all tables of a process, drawn when the first is made: input cannot be made to
/// collide, and tables that are merged need not hash their keys again.
#[derive(Clone)]
struct Seed(SeedableRandomState);

impl Seed {
    #[inline]
    fn hasher(&self) -> FoldHasher<'static> {
        self.0.build_hasher()
    }

    #[inline]
    fn hash_bytes(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher();
        hasher.write(bytes);
        hasher.finish()
    }
}

impl Default for Seed {
    fn default() -> Self {
        static PROCESS: LazyLock<SeedableRandomState> = LazyLock::new(SeedableRandomState::random);
        Self(PROCESS.clone())
    }
}
