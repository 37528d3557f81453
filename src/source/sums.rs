//! The checksum of an object that is read in several ranges, or by several readers.
//!
//! A store gives one checksum for all of an object. A reader adds up what it takes in order; where
//! readers share an object, the CRCs of their parts are joined as they end, in any order. Whoever adds
//! the last part compares the result with what the store says, before it gives the last bytes of its
//! part. Hashes cannot be joined: they are compared where one reader takes all of an object. What no
//! reader takes to its end is not compared.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::sync::OnceCell;

use super::checksum::Checksum;

/// What a store says of all of an object, and what its readers found.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// As an answer with a part told it.
    told: OnceLock<Checksum>,
    /// As it was asked for, with the version that it is of.
    asked: OnceCell<Option<(Option<String>, Checksum)>>,
    /// CRCs of the parts that were read, by start and end.
    parts: Mutex<BTreeMap<(u64, u64), u64>>,
}

impl Sums {
    /// An answer of the version that is read told this.
    pub(super) fn tell(&self, sum: Checksum) {
        // All answers of one version tell the same.
        let _ = self.told.set(sum);
    }

    /// Asks for it, once.
    pub(super) async fn ask(
        &self,
        asked: impl Future<Output = Option<(Option<String>, Checksum)>>,
    ) {
        self.asked.get_or_init(|| asked).await;
    }

    /// The checksum of the object in this version, with nothing added yet; `None` if its store told
    /// none until now.
    pub(super) fn begin(&self, version: Option<&str>) -> Option<Checksum> {
        if let Some(told) = self.told.get() {
            return Some(told.clone());
        }
        let (of, sum) = self.asked.get()?.as_ref()?;
        let [of, version] =
            [of.as_deref(), version].map(|tag| tag.map(|tag| tag.trim_matches('"')));
        (of == version && of.is_some()).then(|| sum.clone())
    }

    /// Adds the CRC of a part of an object of this size; tells what is wrong, if anything is.
    fn add(&self, part: Range<u64>, sum: &Checksum, size: u64) -> Option<String> {
        let crc = sum.crc()?;
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = parts.insert((part.start, part.end), crc);
        if before.is_some_and(|before| before != crc) {
            let part = format!("bytes {} to {}", part.start, part.end);
            return Some(format!("{part} came twice, and not the same"));
        }
        let mut whole = (0, 0);
        while whole.0 < size {
            let (start, more) = (whole.0, whole.0 + 1);
            let (&(_, end), &crc) = parts.range((start, more)..(more, 0)).next()?;
            whole = match start {
                0 => (end, crc),
                _ => (end, sum.joined(whole.1, crc, end - start)),
            };
        }
        sum.differs(whole.1)
    }
}

/// The checksum of what one reader takes of an object, from the start of its slice on.
#[derive(Debug)]
pub(super) struct Summing {
    start: u64,
    /// Where the part of the next reader begins.
    end: Option<u64>,
    state: State,
}

#[derive(Debug)]
enum State {
    Before,
    Adding(Box<Checksum>),
    Over,
}

impl Summing {
    pub(super) fn new(start: u64, end: Option<u64>) -> Self {
        Self { start, end, state: State::Before }
    }

    fn is_all(&self) -> bool {
        self.start == 0 && self.end.is_none()
    }

    /// Adds the bytes from this offset on, which follow those before. `size` is that of the object,
    /// once it is known, and `version` the one that is read. Tells what is wrong, if anything is.
    pub(super) fn add(
        &mut self,
        sums: &Sums,
        version: Option<&str>,
        size: Option<u64>,
        at: u64,
        bytes: &[u8],
    ) -> Option<String> {
        let after = at + bytes.len() as u64;
        if matches!(self.state, State::Before) && after > self.start {
            // A hash of one slice of several is that of nothing.
            let begun = sums.begin(version).filter(|sum| self.is_all() || sum.crc().is_some());
            self.state = begun.map_or(State::Over, |sum| State::Adding(Box::new(sum)));
        }
        let State::Adding(sum) = &mut self.state else { return None };
        let mut at = at.max(self.start);
        let mut rest = &bytes[bytes.len() - (after - at) as usize..];
        if let Some(end) = self.end
            && (at..after).contains(&(end - 1))
        {
            let (part, behind) = rest.split_at((end - at) as usize);
            sum.add(part);
            (at, rest) = (end, behind);
            let wrong = size.and_then(|size| sums.add(self.start..end, sum, size));
            // The first reader goes on, for what was cut in vain is read by it alone.
            if self.start > 0 || wrong.is_some() {
                self.state = State::Over;
                return wrong;
            }
        }
        sum.add(rest);
        debug_assert_eq!(at + rest.len() as u64, after, "all is added");
        if size != Some(after) {
            return None;
        }
        let State::Adding(sum) = std::mem::replace(&mut self.state, State::Over) else {
            return None;
        };
        match self.start {
            0 => sum.wrong(),
            _ => sums.add(self.start..after, &sum, after),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slices_in_any_order_and_chunks_are_those_that_were_stored_or_are_told(
            bytes in prop::collection::vec(any::<u8>(), 1..200),
            cuts in prop::collection::btree_set(1..199_u64, 0..5),
            lookback in 0..5_u64, past in 0..50_usize, chunk in 1..40_usize,
            first in 0..6_usize, flipped in prop::option::of(0..200_usize),
        ) {
            let size = bytes.len() as u64;
            let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &bytes) as u32;
            let value = format!("crc32c={}", BASE64_STANDARD.encode(crc.to_be_bytes()));
            let header = |name: &str| (name == "x-goog-hash").then(|| value.clone());
            let sums = Sums::default();
            sums.tell(Checksum::of(false, header).unwrap());
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < size).collect();
            cuts.insert(0, 0);
            let mut slices: Vec<_> = (0..cuts.len())
                .map(|i| (cuts[i], cuts.get(i + 1).copied()))
                .collect();
            let first = first % slices.len();
            slices.rotate_left(first);
            let mut came = bytes.clone();
            let flipped = flipped.filter(|at| *at < bytes.len());
            if let Some(at) = flipped {
                came[at] ^= 4;
            }
            let mut wrong = 0;
            for (start, end) in slices {
                let mut sum = Summing::new(start, end);
                let mut at = start.saturating_sub(lookback) as usize;
                let until = end.map_or(came.len(), |end| came.len().min(end as usize + past));
                while at < until {
                    let next = (at + chunk).min(until);
                    wrong += usize::from(
                        sum.add(&sums, None, Some(size), at as u64, &came[at..next]).is_some(),
                    );
                    at = next;
                }
            }
            prop_assert_eq!(wrong > 0, flipped.is_some());
        }
    }
}
