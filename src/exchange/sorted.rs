//! Parts to rows in order: each part is sorted by itself, several at once.

use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, PoisonError};

use creel_operators::sort::{Row, order};

use super::cut::{MOST_CUTS, cut};
use super::part::{Part, next, take};
use super::parts::Parts;
use super::ranges::Ranges;
use crate::memory::Reservation;
use crate::run::{Context, stream};
use crate::spill::Budget;
use crate::{Error, Result};

/// The largest part that is sorted as it is, in bytes, and the least that may be asked for.
const LARGEST: usize = if cfg!(test) { 300 } else { 64 << 20 };
const SMALLEST: usize = if cfg!(test) { 100 } else { 256 << 10 };

/// A part of all rows that were not sent to ranges, as they are few, is cut for the threads from here on.
const FEW: usize = if cfg!(test) { 100 } else { 512 << 10 };

/// The largest buffer that is used again.
const LARGEST_KEPT: usize = 4 << 20;

/// The buffers of a thread.
#[derive(Debug, Default)]
struct Scratch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    /// The memory of both.
    reserved: Option<Reservation>,
}

/// The rows of a part in order, encoded.
#[derive(Debug, Default)]
struct Encoded {
    bytes: Vec<u8>,
    /// Where each row ends, if not all rows of all parts are wanted.
    ends: Vec<usize>,
}

/// Hands the rows that lanes have seen to `write`, in order, as `encode` makes bytes of them; no more than
/// `limit`.
///
/// # Errors
///
/// If the temporary file cannot be read or written, if `encode` or `write` fails, and if the run is
/// cancelled.
pub(crate) fn in_order(
    lanes: Vec<Ranges>,
    has_rows: bool,
    limit: Option<u64>,
    context: &Context,
    encode: impl Fn(&[u8], &[u8], &mut Vec<u8>) -> Result<()> + Sync,
    write: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
) -> Result<()> {
    let budget = context.budget.as_deref();
    let threads = context.threads.max(1);
    let most = budget.map_or(LARGEST, |budget| {
        let share = budget.limit() / 16 / threads as u64;
        usize::try_from(share).unwrap_or(LARGEST).clamp(SMALLEST, LARGEST)
    });
    let mut left = limit.unwrap_or(u64::MAX);
    let mut parts = Ranges::parts(lanes);
    let first = if parts.len() == 1 { FEW.min(most) } else { most };
    parts.reverse();
    let scratch: Mutex<Vec<Scratch>> = Mutex::default();
    let scratch = || scratch.lock().unwrap_or_else(PoisonError::into_inner);
    let spare: Mutex<Vec<Vec<u8>>> = Mutex::default();
    let spare = || spare.lock().unwrap_or_else(PoisonError::into_inner);
    let work = |_: &Context, part: Part| {
        let popped = scratch().pop();
        let mut own = popped.unwrap_or_default();
        let mut encoded = Encoded { bytes: spare().pop().unwrap_or_default(), ends: Vec::new() };
        let is_uniform = part.is_uniform;
        own.reserve(budget, part.weight());
        part.load(budget, &mut own.bytes)?;
        if !is_uniform {
            own.index(has_rows)?;
            order(&own.bytes, &mut own.rows);
        }
        for key in own.keys(is_uniform, has_rows) {
            let behind = if has_rows { take(&own.bytes, key.end) } else { key.end..key.end };
            encode(&own.bytes[key], &own.bytes[behind], &mut encoded.bytes)?;
            if limit.is_some() {
                encoded.ends.push(encoded.bytes.len());
            }
        }
        if own.bytes.capacity() <= LARGEST_KEPT {
            own.reserve(budget, 0);
            scratch().push(own);
        }
        Ok(encoded)
    };
    while left > 0 && !parts.is_empty() {
        let mut some = Vec::new();
        let first_most = if parts.len() == 1 { first } else { most };
        while let Some(part) = parts
            .pop_if(|part| part.bytes <= first_most || part.is_uniform || part.cuts >= MOST_CUTS)
        {
            some.push(part);
        }
        if some.is_empty()
            && let Some(large) = parts.pop()
        {
            let cut = cut(large, has_rows, most.min(first_most), context)?;
            parts.extend(cut.into_iter().rev());
            continue;
        }
        let some = Arc::new(Parts::new(some.into_iter()));
        stream(context, &some, work, weigh, |mut encoded: Encoded| {
            if let Some(&end) = usize::try_from(left).ok().and_then(|n| encoded.ends.get(n - 1)) {
                write(&encoded.bytes[..end])?;
                left = 0;
                return Ok(ControlFlow::Break(()));
            }
            left -= encoded.ends.len() as u64;
            write(&encoded.bytes)?;
            encoded.bytes.clear();
            if encoded.bytes.capacity() <= LARGEST_KEPT {
                spare().push(encoded.bytes);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(())
}

fn weigh(encoded: &Encoded) -> usize {
    encoded.bytes.capacity() + encoded.ends.capacity() * size_of::<usize>()
}

impl Scratch {
    /// Reserves what the buffers take, or `bytes` if that is more.
    fn reserve(&mut self, budget: Option<&Budget>, bytes: usize) {
        let held = self.bytes.capacity() + self.rows.capacity() * size_of::<Row>();
        let held = held.max(bytes) as u64;
        match (&mut self.reserved, budget) {
            (Some(reserved), _) => reserved.set(held),
            (none, Some(budget)) => *none = Some(budget.reserve(held)),
            (None, None) => {}
        }
    }

    /// The places of the keys, in order: those of rows that were sorted, or as they stand.
    fn keys(&self, is_uniform: bool, has_rows: bool) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        let standing = std::iter::from_fn(move || {
            (is_uniform && at < self.bytes.len()).then(|| {
                let (key, end) = next(&self.bytes, at, has_rows);
                at = end;
                key
            })
        });
        let sorted = if is_uniform { &[] } else { self.rows.as_slice() };
        sorted.iter().map(|row| row.key()).chain(standing)
    }

    /// Finds the rows of the bytes.
    fn index(&mut self, has_rows: bool) -> Result<()> {
        let Self { bytes, rows, .. } = self;
        if u32::try_from(bytes.len()).is_err() {
            return Err(Error::Memory {
                task: "sort".to_owned(),
                limit: u64::from(u32::MAX),
                held: "rows that cannot be told apart take more".to_owned(),
            });
        }
        rows.clear();
        let mut at = 0;
        while at < bytes.len() {
            let (key, end) = next(bytes, at, has_rows);
            rows.push(Row::new(key.start as u32, key.len() as u32));
            at = end;
        }
        Ok(())
    }
}
