//! The tables behind [`Counts`](crate::Counts): which one counts a key is the key's choice.
//!
//! Both are reached through `Counts` only, and are public for [`key!`](crate::key!) alone: no method
//! of `Counts` shows where a table keeps its keys, so that a faster one can take their place.

mod by_key;
mod ids;
mod into_iter;
mod later;
mod logs;
mod map;
mod merge;
mod order;
mod parts;
mod ranks;
pub mod saved;
mod shard;
mod slot;
mod text;
mod text_key;
#[cfg(test)]
mod text_tests;
mod waiting;

use std::fmt::Debug;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use foldhash::fast::{FoldHasher, SeedableRandomState};

use crate::{Key, Stored};
pub use ids::TextIds;
pub use into_iter::IntoIter;
pub use map::Map;
pub(crate) use order::Place;
use ranks::Ranks;
pub use text::TextTable;
pub use text_key::Text;

/// What [`Counts`](crate::Counts) asks of a table.
pub trait Table<K: Stored>: Default + Clone + Debug + Send + Sync + 'static {
    /// The keys and counts, moved out.
    type IntoIter: Iterator<Item = (K, u64)>;

    /// Whether it can be cut into parts.
    const PARTS: bool = false;

    /// How many distinct keys there are.
    fn distinct(&self) -> usize;

    /// The bytes of memory that it has, as far as it knows: not those that keys point to.
    fn weight(&self) -> usize;

    /// The same, and what it is about to ask for.
    fn held(&self) -> usize {
        self.weight()
    }

    /// The bytes of memory besides, that hold nothing and are there for keys that come.
    fn unused(&self) -> usize {
        0
    }

    /// Of its [weight](Self::weight), the bytes of keys that wait.
    fn waiting(&self) -> usize {
        0
    }

    /// The bytes that the keys that wait take when they are counted, at most.
    fn counted(&self) -> usize {
        0
    }

    /// Counts a key `n` times more.
    fn add<Q: Key<Owned = K>>(&mut self, key: Q, n: u64);

    /// Counts each of the keys once. A table that gains from it looks them up many at a time.
    #[inline]
    fn add_all<Q: Key<Owned = K>>(&mut self, keys: impl Iterator<Item = Q>) {
        keys.for_each(|key| self.add(key, 1));
    }

    /// Counts each of the keys once, when [`settle`](Self::settle) is called at the latest: until then
    /// what the table says may leave some out.
    #[inline]
    fn add_later<Q: Key<Owned = K>>(&mut self, keys: impl Iterator<Item = Q>) {
        self.add_all(keys);
    }

    /// Counts the keys that wait.
    fn settle(&mut self) {}

    /// How often a key was counted.
    fn get<Q: Key<Owned = K>>(&self, key: Q) -> u64;

    /// Visits the keys, lent, and their counts.
    fn iter(&self) -> impl Iterator<Item = (K::Lent<'_>, u64)>;

    /// The `k` commonest keys, commonest first; keys that are equally common, by their own order.
    fn topk(&self, k: usize) -> Vec<(K::Lent<'_>, u64)> {
        let mut ranks = Ranks::new(k);
        self.iter().for_each(|(key, n)| ranks.add(key, n));
        ranks.sorted().collect()
    }

    /// All keys, commonest first; keys that are equally common, by their own order.
    fn sorted(&self) -> Vec<(K::Lent<'_>, u64)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        all
    }

    /// Moves the keys and counts out.
    fn into_iter(self) -> Self::IntoIter;

    /// Adds the counts of another table.
    fn merge(&mut self, from: Self);

    /// Cuts it into `2^bits` parts, by hashes: a key is in the same part of all tables. Asked only
    /// where there are [`PARTS`](Self::PARTS).
    fn parts(self, bits: u32) -> Vec<Self> {
        debug_assert_eq!(bits, 0, "a table without parts");
        vec![self]
    }

    /// Appends keys and counts to bytes; `false` if these keys have no form in bytes.
    fn save(&self, _bytes: &mut Vec<u8>) -> bool {
        false
    }

    /// Gives the bytes of each of the [`parts`](Self::parts), in their order, until `write` returns `false`;
    /// returns `false`, and gives none, if these keys have no form in bytes.
    fn save_parts(self, bits: u32, write: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut bytes = Vec::new();
        for part in self.parts(bits) {
            bytes.clear();
            if !part.save(&mut bytes) {
                return false;
            }
            if !write(&bytes) {
                break;
            }
        }
        true
    }

    /// Adds what was saved, of which keys may wait for [`settle`](Self::settle); `false` if that is not what the
    /// bytes are.
    fn load(&mut self, _bytes: &[u8]) -> bool {
        false
    }

    /// Counts the keys that wait and visits tables of some keys each, one after another: all keys are in one of them.
    /// Such a table fits a cache where that of all does not. `visit` returns it: the next is made in its memory.
    fn each_part(mut self, visit: &mut dyn FnMut(Self) -> Self) {
        self.settle();
        visit(self);
    }

    /// The table of all [`parts`](Self::parts), in their order.
    fn join(mut parts: Vec<Self>) -> Self {
        parts.pop().unwrap_or_default()
    }
}

/// One seed for all tables of a process, drawn when the first is made: input cannot be made to
/// collide, and tables that are merged need not hash their keys again.
#[derive(Clone)]
pub(crate) struct Seed {
    state: SeedableRandomState,
    /// For keys that are hashed as a number.
    secrets: [u64; 2],
}

impl Seed {
    #[inline]
    pub(crate) fn hasher(&self) -> FoldHasher<'static> {
        self.state.build_hasher()
    }

    /// The hash of a key that is hashed as `Hash` says.
    #[inline]
    pub(crate) fn hash_key(&self, key: &impl Hash) -> u64 {
        let mut hasher = self.hasher();
        key.hash(&mut hasher);
        hasher.finish()
    }

    /// The hash of a key of up to 16 bytes, given as a number: none ends in a zero, which would be padding.
    ///
    /// By one multiplication alone, numbers as text came to some eighth of all hashes by up to 28 % too
    /// often, for one seed in a hundred. The second, by the golden ratio, costs nothing that can be measured.
    #[inline]
    fn hash_short(&self, key: u128) -> u32 {
        let [first, second] = self.secrets;
        let product = u128::from(key as u64 ^ first) * u128::from((key >> 64) as u64 ^ second);
        fold(halved(product).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The hash of a key of text or bytes.
    #[inline]
    fn hash_bytes(&self, bytes: &[u8]) -> u32 {
        match slot::short(bytes) {
            Some(key) => self.hash_short(key),
            None => self.hash_long(bytes),
        }
    }

    /// The hash of a key of any length.
    #[inline]
    fn hash_long(&self, bytes: &[u8]) -> u32 {
        let mut hasher = self.hasher();
        hasher.write(bytes);
        fold(hasher.finish())
    }
}

/// All bits of a product, mixed into half of them.
#[inline]
fn halved(product: u128) -> u64 {
    product as u64 ^ (product >> 64) as u64
}

/// All bits, mixed into half of them.
#[inline]
fn fold(word: u64) -> u32 {
    word as u32 ^ (word >> 32) as u32
}

impl Default for Seed {
    fn default() -> Self {
        static PROCESS: LazyLock<Seed> = LazyLock::new(|| {
            let state = SeedableRandomState::random();
            let secret = |n: u64| state.hash_one(n);
            Seed { secrets: [secret(1), secret(2)], state }
        });
        PROCESS.clone()
    }
}
