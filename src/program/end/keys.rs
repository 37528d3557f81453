//! The keys of groups, and the numbers of the groups.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use creel_operators::aggregate::{Damaged, Reader, Writer};
use creel_operators::column::{Column, Data, Span};
use creel_operators::table::TextIds;
use hashbrown::HashMap;

use super::super::batch::Kind;
use super::shards::shard_of;
use crate::Result;
use crate::record::json::{write_string, write_value};

/// The numbers of groups by their keys.
#[derive(Clone)]
pub(super) enum Keys {
    /// All records are of one group.
    One,
    Texts(TextIds),
    Numbers(HashMap<i64, u32>),
}

impl Keys {
    /// No groups by keys of a kind; or the one group without a key.
    pub(super) fn new(kind: Option<Kind>) -> Self {
        match kind {
            None => Self::One,
            Some(Kind::Text | Kind::Key) => Self::Texts(TextIds::default()),
            Some(_) => Self::Numbers(HashMap::new()),
        }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One => 1,
            Self::Texts(keys) => keys.len(),
            Self::Numbers(keys) => keys.len(),
        }
    }

    /// The bytes of memory that they take.
    pub(super) fn weight(&self) -> usize {
        /// What an entry of a table takes.
        const ENTRY: usize = 32;
        match self {
            Self::One => 0,
            Self::Texts(keys) => keys.weight(),
            Self::Numbers(keys) => keys.capacity() * ENTRY,
        }
    }

    /// Has the number of the group of each record.
    pub(super) fn number(&mut self, key: &Column<'_>, groups: &mut Vec<u32>) {
        groups.clear();
        match (self, key.data()) {
            (Self::Texts(keys), Data::Texts { text, spans, .. }) => {
                keys.number_all(text, spans, groups);
            }
            (Self::Numbers(keys), Data::Integers(numbers)) => {
                groups.extend(numbers.iter().map(|number| number_of(keys, *number)));
            }
            (Self::Numbers(keys), Data::Bools(bools)) => {
                groups.extend(bools.iter().map(|met| number_of(keys, i64::from(*met))));
            }
            (Self::One | Self::Texts(_) | Self::Numbers(_), _) => {
                unreachable!("keys are of the kind that the grouping says")
            }
        }
    }

    /// Adds the keys of other groups; returns the number that each of these has here.
    pub(super) fn merge(&mut self, others: Self) -> Vec<u32> {
        match (self, others) {
            (Self::One, Self::One) => vec![0],
            (Self::Texts(keys), Self::Texts(others)) => keys.merge(&others),
            (Self::Numbers(keys), Self::Numbers(others)) => {
                let mut map = vec![0; others.len()];
                for (key, group) in others {
                    map[group as usize] = number_of(keys, key);
                }
                map
            }
            (Self::One | Self::Texts(_) | Self::Numbers(_), _) => {
                unreachable!("lanes have one grouping")
            }
        }
    }

    /// Cuts them into `2^bits` parts by their hashes, of which `cut` bits are used up; with the part of
    /// each group. Parts of all lanes have the same keys.
    pub(super) fn parts(&self, cut: u32, bits: u32) -> (Vec<u32>, Vec<Self>) {
        let part = |hash: &dyn Fn(&mut DefaultHasher)| {
            // The same for all lanes.
            let mut hasher = DefaultHasher::new();
            hash(&mut hasher);
            let hash = hasher.finish().checked_shl(cut).unwrap_or(0);
            hash.checked_shr(u64::BITS - bits).unwrap_or(0) as u32
        };
        let of_text = |text: &str| part(&|hasher| text.hash(hasher));
        self.divided(1 << bits, of_text, |number| part(&|hasher| number.hash(hasher)))
    }

    /// Cuts them into shards by a hash that is the same in every process; with the shard of each group. All
    /// of the one group without a key are in the first.
    pub(super) fn shards(&self, shards: usize) -> (Vec<u32>, Vec<Self>) {
        let of_text = |text: &str| shard_of(text.as_bytes(), shards) as u32;
        self.divided(shards, of_text, |number| shard_of(&number_bytes(number), shards) as u32)
    }

    /// The part of each group, and the keys of each of so many parts.
    fn divided(
        &self,
        parts: usize,
        of_text: impl Fn(&str) -> u32,
        of_number: impl Fn(i64) -> u32,
    ) -> (Vec<u32>, Vec<Self>) {
        match self {
            Self::One => (vec![0], (0..parts).map(|_| Self::One).collect()),
            Self::Texts(keys) => {
                let mut parts = vec![TextIds::default(); parts];
                let of_each = (0..keys.len() as u32).map(|group| {
                    let part = of_text(keys.text(group));
                    parts[part as usize].number(keys.text(group));
                    part
                });
                (of_each.collect(), parts.into_iter().map(Self::Texts).collect())
            }
            Self::Numbers(keys) => {
                let mut by_group = vec![0; keys.len()];
                keys.iter().for_each(|(key, group)| by_group[*group as usize] = *key);
                let mut parts = vec![HashMap::new(); parts];
                let of_each = by_group.into_iter().map(|key| {
                    let part = of_number(key);
                    number_of(&mut parts[part as usize], key);
                    part
                });
                (of_each.collect(), parts.into_iter().map(Self::Numbers).collect())
            }
        }
    }

    /// Appends all keys in their order, which does not depend on how groups are numbered; returns the
    /// numbers of the groups in this order.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) -> Vec<u32> {
        match self {
            Self::One => vec![0],
            Self::Texts(keys) => {
                let order = keys.sorted();
                bytes.put_u64(order.len() as u64);
                order.iter().for_each(|group| bytes.put_bytes(keys.text(*group).as_bytes()));
                order
            }
            Self::Numbers(keys) => {
                bytes.put_u64(keys.len() as u64);
                let keys = sorted(keys);
                keys.iter().for_each(|(key, _)| bytes.put_i64(*key));
                keys.into_iter().map(|(_, group)| group).collect()
            }
        }
    }

    /// Reads keys, which are numbered in their order.
    pub(super) fn decode(
        &mut self,
        kind: Option<Kind>,
        bytes: &mut Reader<'_>,
    ) -> Result<(), Damaged> {
        *self = Self::new(kind);
        match self {
            Self::One => Ok(()),
            Self::Texts(keys) => read_keys(bytes, Reader::text, |key, _| {
                keys.number(key);
            }),
            Self::Numbers(keys) => {
                let read = |bytes: &mut Reader<'_>| read_number(kind, bytes);
                read_keys(bytes, read, |key, group| {
                    keys.insert(key, group);
                })
            }
        }
    }

    /// Adds keys that were encoded; returns the number that each of them has here, in their order.
    pub(super) fn absorb(
        &mut self,
        kind: Option<Kind>,
        bytes: &mut Reader<'_>,
    ) -> Result<Vec<u32>, Damaged> {
        match self {
            Self::One => Ok(vec![0]),
            Self::Texts(keys) => {
                let (mut text, mut spans, mut numbers) = (String::new(), Vec::new(), Vec::new());
                read_keys(bytes, Reader::text, |key, _| {
                    let start = text.len();
                    text.push_str(key);
                    spans.push(Span::new(start, text.len()));
                })?;
                keys.number_all(&text, &spans, &mut numbers);
                Ok(numbers)
            }
            Self::Numbers(keys) => {
                let mut numbers = Vec::new();
                let read = |bytes: &mut Reader<'_>| read_number(kind, bytes);
                read_keys(bytes, read, |key, _| numbers.push(number_of(keys, key)))?;
                Ok(numbers)
            }
        }
    }

    /// All groups in the order of their keys.
    pub(super) fn in_order(&self) -> InOrder {
        match self {
            Self::One => InOrder { groups: vec![0], numbers: Vec::new() },
            Self::Texts(keys) => InOrder { groups: keys.sorted(), numbers: Vec::new() },
            Self::Numbers(keys) => {
                let (numbers, groups) = sorted(keys).into_iter().unzip();
                InOrder { groups, numbers }
            }
        }
    }

    /// As [`encode`](Self::encode), of some of the groups.
    pub(super) fn encode_some(&self, order: &InOrder, rows: Range<usize>, bytes: &mut Vec<u8>) {
        match self {
            Self::One => {}
            Self::Texts(keys) => {
                bytes.put_u64(rows.len() as u64);
                for at in rows {
                    if let Some(later) = order.groups.get(at + AHEAD) {
                        keys.ask_for(*later);
                    }
                    bytes.put_bytes(keys.text(order.groups[at]).as_bytes());
                }
            }
            Self::Numbers(_) => {
                bytes.put_u64(rows.len() as u64);
                order.numbers[rows].iter().for_each(|key| bytes.put_i64(*key));
            }
        }
    }

    /// Bytes that sort as the keys do, of the first of keys that were encoded as bytes that begin with these.
    pub(super) fn first_key(&self, bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
        let mut bytes = Reader::new(bytes);
        if matches!(self, Self::One) {
            return Ok(Vec::new());
        }
        let damaged = bytes.damaged("no keys");
        match (bytes.u64()?, self) {
            (0, _) => Err(damaged),
            (_, Self::Numbers(_)) => Ok(number_bytes(bytes.i64()?).to_vec()),
            _ => Ok(bytes.bytes()?.to_vec()),
        }
    }

    /// The number of the group whose key sorts as these bytes.
    pub(super) fn find(&self, key: &[u8]) -> Option<u32> {
        match self {
            Self::One => Some(0),
            Self::Texts(keys) => {
                (0..keys.len() as u32).find(|group| keys.text(*group).as_bytes() == key)
            }
            Self::Numbers(keys) => keys.get(&number_of_bytes(key)?).copied(),
        }
    }

    /// The number of the group whose key sorts as these bytes, and which is added if it is not there.
    pub(super) fn add(&mut self, key: &[u8]) -> Option<u32> {
        match self {
            Self::One => Some(0),
            Self::Texts(keys) => Some(keys.number(std::str::from_utf8(key).ok()?)),
            Self::Numbers(keys) => Some(number_of(keys, number_of_bytes(key)?)),
        }
    }

    /// Whether a key sorts before these bytes.
    pub(super) fn has_before(&self, key: &[u8]) -> bool {
        match self {
            Self::One => false,
            Self::Texts(keys) => {
                (0..keys.len() as u32).any(|group| keys.text(group).as_bytes() < key)
            }
            Self::Numbers(keys) => keys.keys().any(|number| number_bytes(*number).as_slice() < key),
        }
    }

    /// Bytes that sort as the first of all keys does.
    pub(super) fn first(&self) -> Option<Vec<u8>> {
        match self {
            Self::One => Some(Vec::new()),
            Self::Texts(keys) => {
                let texts = (0..keys.len() as u32).map(|group| keys.text(group).as_bytes());
                texts.min().map(<[u8]>::to_vec)
            }
            Self::Numbers(keys) => keys.keys().min().map(|number| number_bytes(*number).to_vec()),
        }
    }

    /// The keys before this one, or up to it, and the rest; with 0 and 1 for the groups of either.
    pub(super) fn cut(&self, at: &[u8], up_to: bool) -> (Vec<u32>, [Self; 2]) {
        let is_above = |key: &[u8]| if up_to { key > at } else { key >= at };
        match self {
            Self::One => (vec![u32::from(!up_to)], [Self::One, Self::One]),
            Self::Texts(keys) => {
                let mut halves = [TextIds::default(), TextIds::default()];
                let half = (0..keys.len() as u32).map(|group| {
                    let text = keys.text(group);
                    let half = u32::from(is_above(text.as_bytes()));
                    halves[half as usize].number(text);
                    half
                });
                (half.collect(), halves.map(Self::Texts))
            }
            Self::Numbers(keys) => {
                let mut by_group = vec![0; keys.len()];
                keys.iter().for_each(|(key, group)| by_group[*group as usize] = *key);
                let mut halves = [HashMap::new(), HashMap::new()];
                let half = by_group.into_iter().map(|key| {
                    let half = u32::from(is_above(&number_bytes(key)));
                    number_of(&mut halves[half as usize], key);
                    half
                });
                (half.collect(), halves.map(Self::Numbers))
            }
        }
    }

    /// Visits the groups in the order of their keys: with bytes that are in this order too, and the key
    /// as JSON. `ask` is given each group some groups before, so that it can ask for what will be needed.
    pub(super) fn each_sorted(
        &self,
        kind: Kind,
        ask: impl Fn(u32),
        mut visit: impl FnMut(&[u8], &str, u32) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::One => visit(&[], "null", 0),
            Self::Texts(keys) => {
                let mut spelled = String::new();
                let order = keys.sorted();
                order.iter().enumerate().try_for_each(|(at, &group)| {
                    if let Some(later) = order.get(at + AHEAD) {
                        ask(*later);
                    }
                    let key = keys.text(group);
                    spelled.clear();
                    match kind {
                        Kind::Key => write_value(key, &mut spelled),
                        _ => write_string(key, &mut spelled),
                    }
                    visit(key.as_bytes(), &spelled, group)
                })
            }
            Self::Numbers(keys) => {
                let order = sorted(keys);
                order.iter().enumerate().try_for_each(|(at, &(key, group))| {
                    if let Some((_, later)) = order.get(at + AHEAD) {
                        ask(*later);
                    }
                    let spelled = match kind {
                        Kind::Bool => (key != 0).to_string(),
                        _ => key.to_string(),
                    };
                    visit(&number_bytes(key), &spelled, group)
                })
            }
        }
    }
}

/// Groups between the one that is asked for and the one that is visited or encoded.
const AHEAD: usize = 16;

/// Groups in the order of their keys, and the keys, if they are numbers.
pub(super) struct InOrder {
    pub(super) groups: Vec<u32>,
    numbers: Vec<i64>,
}

/// Bytes that sort as numbers do.
pub(super) fn number_bytes(key: i64) -> [u8; 8] {
    (key ^ i64::MIN).to_be_bytes()
}

/// The number that sorts as bytes do.
fn number_of_bytes(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?) ^ i64::MIN)
}

/// Reads a key of numbers, or of booleans.
fn read_number(kind: Option<Kind>, bytes: &mut Reader<'_>) -> Result<i64, Damaged> {
    let damaged = bytes.damaged("no key");
    let key = bytes.i64()?;
    let fits = kind != Some(Kind::Bool) || matches!(key, 0 | 1);
    if fits { Ok(key) } else { Err(damaged) }
}

fn number_of(keys: &mut HashMap<i64, u32>, key: i64) -> u32 {
    let next = keys.len() as u32;
    *keys.entry(key).or_insert(next)
}

/// Keys and the numbers of their groups, by key.
fn sorted(keys: &HashMap<i64, u32>) -> Vec<(i64, u32)> {
    let mut keys: Vec<(i64, u32)> = keys.iter().map(|(key, group)| (*key, *group)).collect();
    keys.sort_unstable();
    keys
}

fn read_keys<'b, K: Ord + Copy>(
    bytes: &mut Reader<'b>,
    read: impl Fn(&mut Reader<'b>) -> Result<K, Damaged>,
    mut number: impl FnMut(K, u32),
) -> Result<(), Damaged> {
    let damaged = bytes.damaged("more groups than there may be");
    let groups = u32::try_from(bytes.count(1)?).map_err(|_| damaged)?;
    let mut before: Option<K> = None;
    for group in 0..groups {
        let damaged = bytes.damaged("keys that are not in order");
        let key = read(bytes)?;
        if before.replace(key).is_some_and(|before| before >= key) {
            return Err(damaged);
        }
        number(key, group);
    }
    Ok(())
}
