//! Values of many groups: each stored once, and counted for each group that has it.

use std::hash::{Hash, Hasher};

use hashbrown::hash_table::{Entry, HashTable};

use super::Writer;
use crate::column::Canonical;
use crate::table::Seed;

/// Distinct values, and how often each occurs in each group.
#[derive(Default)]
pub(super) struct Dictionary {
    values: Vec<Canonical<'static>>,
    /// What the values point to, in bytes.
    heap: usize,
    /// The place of each value.
    places: HashTable<u32>,
    pairs: HashTable<Pair>,
    seed: Seed,
}

#[derive(Clone, Copy)]
struct Pair {
    group: u32,
    place: u32,
    count: u64,
}

/// The places of values, in the order of these.
fn in_order(values: &[Canonical<'_>]) -> Vec<u32> {
    // Most of them differ in what is looked up nowhere.
    let begins = values.iter().enumerate().map(|(at, value)| Some((value.begins()?, at as u32)));
    let Some(mut keyed) = begins.collect::<Option<Vec<(u128, u32)>>>() else {
        let mut places: Vec<u32> = (0..values.len() as u32).collect();
        places.sort_unstable_by(|a, b| values[*a as usize].cmp(&values[*b as usize]));
        return places;
    };
    keyed.sort_unstable_by(|(a, at), (b, of)| {
        a.cmp(b).then_with(|| values[*at as usize].cmp(&values[*of as usize]))
    });
    keyed.into_iter().map(|(_, at)| at).collect()
}

impl Dictionary {
    fn hash(seed: &Seed, value: &impl Hash) -> u64 {
        let mut hasher = seed.hasher();
        value.hash(&mut hasher);
        hasher.finish()
    }

    /// The place of a value, which is stored if it is new.
    fn place(&mut self, value: Canonical<'_>) -> u32 {
        let Self { values, heap, places, seed, .. } = self;
        let hash = Self::hash(seed, &value);
        let is = |at: &u32| values[*at as usize] == value;
        match places.entry(hash, is, |at| Self::hash(seed, &values[*at as usize])) {
            Entry::Occupied(there) => *there.get(),
            Entry::Vacant(new) => {
                let at = values.len() as u32;
                new.insert(at);
                let value = value.into_owned();
                *heap += value.heap();
                values.push(value);
                at
            }
        }
    }

    /// Counts a value of a group `n` times more.
    pub(super) fn add(&mut self, group: u32, value: Canonical<'_>, n: u64) {
        let place = self.place(value);
        self.add_pair(group, place, n);
    }

    fn add_pair(&mut self, group: u32, place: u32, n: u64) {
        let Self { pairs, seed, .. } = self;
        let of =
            |pair: &Pair| Self::hash(seed, &(u64::from(pair.group) << 32 | u64::from(pair.place)));
        let new = Pair { group, place, count: n };
        match pairs.entry(of(&new), |pair| (pair.group, pair.place) == (group, place), of) {
            Entry::Occupied(mut there) => {
                let count = &mut there.get_mut().count;
                *count = count.saturating_add(n);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(new);
            }
        }
    }

    /// Adds the values of another, of which `map` has for each group the group that it is here.
    pub(super) fn merge(&mut self, other: Self, map: &[u32]) {
        let places: Vec<u32> = other.values.into_iter().map(|value| self.place(value)).collect();
        for Pair { group, place, count } in other.pairs {
            self.add_pair(map[group as usize], places[place as usize], count);
        }
    }

    /// The group, the value and the count of each pair, in no order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, Canonical<'_>, u64)> {
        self.pairs
            .iter()
            .map(|pair| (pair.group, self.values[pair.place as usize].lend(), pair.count))
    }

    /// Appends the values of groups, in this order: how many there are, then each in its order, and how often
    /// it occurs.
    pub(super) fn encode(&self, order: &[u32], groups: usize, bytes: &mut Vec<u8>) {
        const NOWHERE: u32 = u32::MAX;
        let mut rows = vec![NOWHERE; groups];
        order.iter().enumerate().for_each(|(row, group)| rows[*group as usize] = row as u32);
        // Values are compared once for all groups, and then by the places that they have.
        let in_order = in_order(&self.values);
        let mut ranks = vec![0; self.values.len()];
        in_order.iter().enumerate().for_each(|(rank, at)| ranks[*at as usize] = rank as u32);
        let pairs = self.pairs.iter().filter_map(|pair| match rows[pair.group as usize] {
            NOWHERE => None,
            row => Some((u64::from(row) << 32 | u64::from(ranks[pair.place as usize]), pair.count)),
        });
        let mut pairs: Vec<(u64, u64)> = pairs.collect();
        pairs.sort_unstable();
        let mut rest = pairs.as_slice();
        for row in 0..order.len() as u64 {
            let (own, others) = rest.split_at(rest.partition_point(|(key, _)| key >> 32 == row));
            rest = others;
            bytes.put_u64(own.len() as u64);
            for (key, count) in own {
                let place = in_order[*key as u32 as usize];
                bytes.put_canonical(&self.values[place as usize]);
                bytes.put_u64(*count);
            }
        }
    }

    /// Returns true if no group has a value.
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// How many values each group has.
    pub(super) fn sizes(&self, groups: usize) -> Vec<u64> {
        let mut sizes = vec![0; groups];
        self.pairs.iter().for_each(|pair| sizes[pair.group as usize] += 1);
        sizes
    }

    /// Of so many pieces, as a power of two, the one that a value belongs to: the same in all of a process.
    pub(super) fn piece(&self, value: &Canonical<'_>, bits: u32) -> usize {
        (u128::from(Self::hash(&self.seed, value)) << bits >> 64) as usize
    }

    /// Cuts it by the hashes of values.
    pub(super) fn divide(self, bits: u32) -> Vec<Self> {
        let mut pieces: Vec<Self> = std::iter::repeat_with(Self::default).take(1 << bits).collect();
        let mut places = Vec::with_capacity(self.values.len());
        let of = Self::default();
        for value in self.values {
            let piece = of.piece(&value, bits);
            places.push((piece, pieces[piece].place(value)));
        }
        for Pair { group, place, count } in self.pairs {
            let (piece, place) = places[place as usize];
            pieces[piece].add_pair(group, place, count);
        }
        pieces
    }

    pub(super) fn weight(&self) -> usize {
        self.values.capacity() * size_of::<Canonical<'static>>()
            + self.heap
            + self.places.allocation_size()
            + self.pairs.allocation_size()
    }
}
