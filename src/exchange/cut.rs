//! A part that is too large, cut into ranges again.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use creel_operators::sort::Splitters;

use super::part::{Chunk, Part};
use super::parts::Parts;
use super::ranges::{Cutter, Ranges, Shared, keys_of};
use crate::Result;
use crate::memory::Reservation;
use crate::run::{Context, stream};

/// Chunks and keys of each that are looked at, and the bytes that these keys may have.
const CHUNKS: usize = 64;
const KEYS: usize = 128;
const SAMPLE: usize = 2 << 20;
/// The bytes of a key that are looked at: a few keys of megabytes would make few ranges. Where these are the
/// same, whole keys are.
const PREFIX: usize = if cfg!(test) { 40 } else { 4 << 10 };
/// The stride between the chunks that are looked at, a prime.
const STRIDE: usize = 23;

/// Parts that were cut out of larger ones so often are sorted as they are.
pub(super) const MOST_CUTS: u32 = 24;

/// Cuts a part into ranges of about `most` bytes, by all threads.
pub(super) fn cut(part: Part, has_rows: bool, most: usize, context: &Context) -> Result<Vec<Part>> {
    let budget = context.budget.as_deref();
    let cuts = part.cuts + 1;
    let (mut part, mut cutter) = sample(part, has_rows, most, PREFIX, context)?;
    if matches!(&cutter, Cutter::Around(prefix) if prefix.len() == PREFIX) {
        (part, cutter) = sample(part, has_rows, most, usize::MAX, context)?;
    }
    let is_around = matches!(cutter, Cutter::Around(_));
    let shared = Arc::new(Shared::cut(has_rows, cutter, budget, context.threads));
    let share = budget.map(|budget| budget.limit() / 4 / context.threads.max(1) as u64);
    let idle: Mutex<Vec<(Ranges, Option<Reservation>)>> = Mutex::default();
    let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
    let send = |_: &Context, part: Part| {
        let popped = idle().pop();
        let (mut ranges, mut reserved) = popped
            .unwrap_or_else(|| (Ranges::cutting(&shared), budget.map(|budget| budget.reserve(0))));
        for chunk in part.chunks {
            ranges.add_chunk(&chunk.load(budget)?);
        }
        if let (Some(budget), Some(share)) = (budget, share)
            && ranges.held() as u64 > share
        {
            ranges.spill(budget)?;
        }
        let held = (ranges.held() + ranges.unused()) as u64;
        reserved.iter_mut().for_each(|reserved| reserved.set(held));
        idle().push((ranges, reserved));
        Ok(())
    };
    let chunks = part.chunks.into_iter().map(|chunk| {
        let mut part = Part::default();
        part.push(chunk);
        part
    });
    let chunks = Arc::new(Parts::new(chunks));
    stream(context, &chunks, send, |()| 0, |()| Ok(ControlFlow::Continue(())))?;
    let (lanes, _reserved): (Vec<_>, Vec<_>) = std::mem::take(&mut *idle()).into_iter().unzip();
    let mut parts = Ranges::parts(lanes);
    parts.iter_mut().for_each(|part| part.cuts = cuts);
    match parts.len() {
        3 if is_around => {
            let after = parts.pop();
            let same = parts.pop().unwrap_or_default().pieces(most);
            Ok(parts.into_iter().chain(same).chain(after).collect())
        }
        _ => Ok(parts),
    }
}

impl Part {
    /// Rows that are all the same, in parts of so many bytes.
    fn pieces(self, most: usize) -> Vec<Self> {
        let mut pieces: Vec<Self> = Vec::new();
        for chunk in self.chunks {
            match pieces.last_mut() {
                Some(last) if last.bytes + chunk.bytes() <= most => last.push(chunk),
                _ => {
                    let mut piece = Self { is_uniform: true, ..Self::default() };
                    piece.push(chunk);
                    pieces.push(piece);
                }
            }
        }
        pieces
    }
}

/// Where to cut a part, going by the first `longest` bytes of the keys of some of its rows; and the part
/// itself.
fn sample(
    part: Part,
    has_rows: bool,
    most: usize,
    longest: usize,
    context: &Context,
) -> Result<(Part, Cutter)> {
    let budget = context.budget.as_deref();
    let bits = (4 * part.weight() / most.max(1)).max(2).ilog2().clamp(1, 11);
    let step = part.chunks.len().div_ceil(CHUNKS).max(1);
    let looked: Vec<&Chunk> = part.chunks.iter().step_by(step).collect();
    let (mut sampled, mut weight) = (Vec::<Vec<u8>>::new(), 0);
    // Not one after another: where keys are so long that they are few, they are of all of the part.
    let stride = if looked.len().is_multiple_of(STRIDE) { 1 } else { STRIDE };
    for turn in 0..looked.len() {
        if weight > SAMPLE {
            break;
        }
        let bytes = looked[turn * stride % looked.len()].load(budget)?;
        let rows = keys_of(&bytes, has_rows, 1).count();
        for key in keys_of(&bytes, has_rows, rows.div_ceil(KEYS).max(1)) {
            let key = &key[..key.len().min(longest)];
            weight += key.len();
            sampled.push(key.to_vec());
        }
    }
    let mut keys: Vec<&[u8]> = sampled.iter().map(Vec::as_slice).collect();
    keys.sort_unstable();
    // Equal keys that are many would never be told apart.
    let common = keys.chunk_by(|a, b| a == b).max_by_key(|same| same.len());
    let cutter = match common {
        Some(same) if same.len() > keys.len() / 4 => Cutter::Around(same[0].to_vec()),
        _ if splitters_fail(&keys) => Cutter::Keys(firsts(&keys, 1 << bits)),
        _ => Cutter::By(Splitters::of(&mut keys, bits)),
    };
    Ok((part, cutter))
}

/// Returns true if splitters put most of the sorted keys in one range: the keys are alike in the bytes that
/// splitters compare, because a few others differ earlier. Comparing whole keys is slower, and halves any part.
fn splitters_fail(keys: &[&[u8]]) -> bool {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return false };
    let seen = same_bytes(first, last) + Splitters::BYTES;
    let head = |key: &'_ [u8]| key.len().min(seen);
    let alike = keys.chunk_by(|a, b| a[..head(a)] == b[..head(b)]).map(<[_]>::len).max();
    alike.is_some_and(|alike| alike > keys.len() / 2)
}

/// The keys that so many ranges of about as many of the sorted keys begin with.
fn firsts(keys: &[&[u8]], ranges: usize) -> Vec<Vec<u8>> {
    let mut firsts: Vec<_> =
        (1..ranges).map(|range| keys[keys.len() * range / ranges].to_vec()).collect();
    firsts.dedup();
    firsts
}

fn same_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of these keys that were cut until each has no more than 8,000 bytes, in order.
    fn cut_up(keys: &[Vec<u8>]) -> Vec<Part> {
        let mut ranges = Ranges::new(Arc::new(Shared::of_few(false)));
        // Not in their order: a sample has some of all.
        for n in 0..keys.len() {
            let key = &keys[n * 37 % keys.len()];
            ranges.add_keys(key, std::iter::once(0..key.len()));
        }
        let (mut left, mut small) = (Ranges::parts(vec![ranges]), Vec::new());
        while let Some(part) = left.pop() {
            if part.bytes <= 8000 || part.cuts >= 6 {
                small.push(part);
                continue;
            }
            let cut = cut(part, false, 8000, &Context::default()).unwrap();
            left.extend(cut.into_iter().rev());
        }
        small
    }

    #[test]
    fn parts_become_small_wherever_their_keys_differ() {
        let common = (0..1000).map(|n| format!("some/common/path/{n:04}").into_bytes());
        let around = (0..30).flat_map(|n| [format!("a{n}"), format!("z{n}")]);
        let behind: Vec<Vec<u8>> = common.chain(around.map(String::into_bytes)).collect();
        let longer: Vec<Vec<u8>> = (0..1000).map(|n| vec![b'a'; n * 7 % 1000]).collect();
        for mut keys in [behind, longer] {
            keys.sort();
            let mut sorted = Vec::new();
            for part in cut_up(&keys) {
                assert!(part.bytes <= 8000, "{} bytes are not told apart", part.bytes);
                let mut bytes = Vec::new();
                part.load(None, &mut bytes).unwrap();
                let mut own: Vec<_> = keys_of(&bytes, false, 1).map(<[u8]>::to_vec).collect();
                own.sort();
                sorted.append(&mut own);
            }
            assert_eq!(sorted, keys);
        }
    }
}
