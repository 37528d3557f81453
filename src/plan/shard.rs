//! Shards: states that have the keys of a hash alone, and which of them belong together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::state::Stored;
use crate::{Error, Result};

/// The most shards that a run is cut into: each is a file that is open while all are written.
pub(crate) const MOST_SHARDS: usize = 256;

/// Which shard of how many a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shard {
    /// From 0.
    pub(super) number: u32,
    pub(super) of: u32,
    /// The sum of the hashes of the partitions of all runs that it is of: that of each shard is the same.
    pub(super) partitions: u64,
}

impl Shard {
    /// The shard of a run over partitions of this hash; none of one that has all keys.
    pub(super) fn of_run(number: usize, of: usize, partitions: u64) -> Option<Self> {
        (of > 1).then_some(Self { number: number as u32, of: of as u32, partitions })
    }

    /// Whether there is such a shard.
    pub(super) fn is_sound(self) -> bool {
        self.number < self.of && (2..=MOST_SHARDS).contains(&(self.of as usize))
    }

    /// As messages name it.
    pub(super) fn name(self) -> String {
        format!("shard {} of {}", self.number, self.of)
    }
}

/// What states have together: the shard that all of them are of; nothing if they have all keys, because they are whole
/// or because all shards are there.
///
/// # Errors
/// [`Error::Plan`] for states of other numbers of shards, and if some shards are missing.
pub(super) fn of_all(states: &[Stored]) -> Result<Option<Shard>> {
    let Some(first) = states.first() else { return Ok(None) };
    let other = states.iter().find(|state| of(state) != of(first));
    if let Some(other) = other {
        let shown = |state: &Stored| match state.shard {
            Some(shard) => shard.name(),
            None => "of all keys".to_owned(),
        };
        let (name, shard) = (first.name(), shown(first));
        let reason = format!(
            "{} is {}, and {name} is {shard}: they cannot be merged; run all partitions with the same --shards",
            other.name(),
            shown(other),
        );
        return Err(Error::Plan { reason });
    }
    let Some(shard) = first.shard else { return Ok(None) };
    let numbers: BTreeSet<u32> = shards(states).map(|shard| shard.number).collect();
    if numbers.len() == 1 {
        let partitions =
            shards(states).fold(0, |sum: u64, shard| sum.wrapping_add(shard.partitions));
        return Ok(Some(Shard { partitions, ..shard }));
    }
    match (0..shard.of).find(|number| !numbers.contains(number)) {
        None => Ok(None),
        Some(number) => Err(missing_shard(Shard { number, ..shard })),
    }
}

/// Checks that states of all shards are of the same partitions: also of those whose objects have no version, so that
/// nothing else tells them.
///
/// # Errors
/// [`Error::Plan`] that names a shard that is of others.
pub(super) fn check_partitions(states: &[Stored]) -> Result<()> {
    let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
    for shard in shards(states) {
        let sum = sums.entry(shard.number).or_default();
        *sum = sum.wrapping_add(shard.partitions);
    }
    let mut sums = sums.into_iter();
    let Some((first, sum)) = sums.next() else { return Ok(()) };
    match sums.find(|(_, other)| *other != sum) {
        None => Ok(()),
        Some((other, _)) => Err(Error::Plan {
            reason: format!(
                "the states of shard {other} are not of the same partitions as those of shard {first}: one is \
                 missing or there twice; give the states of the same runs of each shard"
            ),
        }),
    }
}

/// The shards of states.
fn shards(states: &[Stored]) -> impl Iterator<Item = Shard> {
    states.iter().filter_map(|state| state.shard)
}

/// How many shards a state's run was cut into.
fn of(state: &Stored) -> u32 {
    state.shard.map_or(1, |shard| shard.of)
}

/// The error for states without those of a shard.
pub(super) fn missing_shard(missing: Shard) -> Error {
    let reason = format!(
        "there is no state of {}; the answer is of all shards, so give the states of each",
        missing.name()
    );
    Error::Plan { reason }
}
