//! Records that an expression cannot be evaluated for: they fail the run, or are left out and counted.
//!
//! Only values of JSON can do that, whose types are not known before. The fault that is told is the
//! first in input order whatever the batches are: what stands before it goes on through the stages, and
//! if that is enough for a `take`, there was no fault.

use std::ops::ControlFlow;

use super::Records;
use super::batch::Batch;
use crate::block::Block;
use crate::error::snippet;
use crate::progress::Tally;
use crate::record::{Invalid, RawLines};
use crate::{Error, Result};

/// A record of a batch for which an expression gives nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    /// Which record of the batch.
    pub(crate) index: usize,
    /// Why; `None` if the expression says so itself, with `?`.
    pub(crate) what: Option<&'static str>,
}

/// What has become known of bad records since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Where each stands in the block's text; several that came of one record stand at one place.
    places: Vec<usize>,
    /// The first one: where in the block's text, and what is wrong.
    pub(crate) first: Option<(usize, &'static str)>,
}

impl Told {
    pub(crate) fn tell(&mut self, at: usize, what: &'static str) {
        self.places.push(at);
        self.first.get_or_insert((at, what));
    }

    /// Adds what another stage has told.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.places.append(&mut other.places);
        self.first = earlier(self.first, other.first);
    }

    /// Adds what was told of the same records by another result of theirs: a record that both left out
    /// is one.
    pub(crate) fn add_beside(&mut self, mut other: Self) {
        self.first = earlier(self.first, other.first);
        self.places.sort_unstable();
        other.places.sort_unstable();
        let (mut own, mut others) = (
            std::mem::take(&mut self.places).into_iter().peekable(),
            other.places.into_iter().peekable(),
        );
        while let Some(at) = own.peek().copied().into_iter().chain(others.peek().copied()).min() {
            own.next_if_eq(&at);
            others.next_if_eq(&at);
            self.places.push(at);
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.places.len() as u64
    }
}

/// The first of two bad records.
fn earlier(
    one: Option<(usize, &'static str)>,
    other: Option<(usize, &'static str)>,
) -> Option<(usize, &'static str)> {
    one.into_iter().chain(other).min()
}

/// How a stage deals with the records that it cannot evaluate.
#[derive(Debug)]
pub(crate) struct Failures {
    pub(crate) policy: Invalid,
    /// In the batch at hand.
    pub(crate) found: Vec<Failure>,
    pub(crate) told: Told,
}

impl Failures {
    pub(crate) fn new(policy: Invalid) -> Self {
        Self { policy, found: Vec::new(), told: Told::default() }
    }

    /// Sends on what is left of a batch without the records that failed, and without those that `keep`
    /// does not mark. `batch` is what became of records that began at `origins`.
    #[cold]
    pub(crate) fn settle(
        &mut self,
        origins: &[u32],
        batch: &mut Batch,
        keep: &mut [bool],
        next: impl FnOnce(&mut Batch) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // Stable: of two failures of a record the first to happen counts.
        self.found.sort_by_key(|failure| failure.index);
        self.found.dedup_by_key(|failure| failure.index);
        let at = |index: usize| origins.get(index).map_or(0, |&at| at as usize);
        let end = match self.policy {
            Invalid::Skip => None,
            _ => self.found.iter().find_map(|failure| Some((failure.index, failure.what?))),
        };
        for failure in self.found.drain(..) {
            keep[failure.index] = false;
            if let (Some(what), None) = (failure.what, end) {
                self.told.tell(at(failure.index), what);
            }
        }
        let Some((index, what)) = end else {
            batch.retain(keep);
            return next(batch);
        };
        batch.truncate(index);
        batch.retain(&keep[..index]);
        next(batch)?;
        self.told.tell(at(index), what);
        ControlFlow::Break(())
    }
}

/// Adds what is left of a batch to a state, without the records that failed.
#[cold]
pub(crate) fn feed_without_bad<S>(
    state: &mut S,
    failures: fn(&mut S) -> &mut Failures,
    batch: &mut Batch,
    feed: impl FnOnce(&mut S, &mut Batch) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let origins = batch.origins.clone();
    let mut keep = vec![true; batch.len()];
    let fresh = Failures::new(failures(state).policy);
    let mut found = std::mem::replace(failures(state), fresh);
    let flow = found.settle(&origins, batch, &mut keep, |batch| match batch.len() {
        0 => ControlFlow::Continue(()),
        _ => feed(state, batch),
    });
    *failures(state) = found;
    flow
}

impl Records {
    /// Fails for the bad record that was told of, or counts those that were left out.
    pub(crate) fn settle(&self, told: Told, block: &Block) -> Result<Tally> {
        let first = told.first.map(|(at, what)| (self.offset(block, at), what));
        self.settle_at(Told { first, ..told }, block)
    }

    /// The same, of a record by its place in the block itself.
    pub(crate) fn settle_at(&self, told: Told, block: &Block) -> Result<Tally> {
        let Some((at, reason)) = told.first else { return Ok(Tally::default()) };
        let (before, after) = block.bytes().split_at(at);
        let rest = RawLines::new(after, &self.delimiter).next().unwrap_or_default().len();
        let before =
            before.len() - before.iter().rev().take(40).take_while(|&&b| b != b'\n').count();
        let snippet = snippet(&block.bytes()[before..at + rest.min(80)]);
        let error = Error::Record { place: block.place(at), reason, snippet };
        if self.invalid != Invalid::Skip {
            return Err(error);
        }
        Ok(Tally { skipped: told.count(), replaced: 0, first: Some((block.order(at), error)) })
    }

    /// Where in a block stands what is at an offset of its text, in which something was replaced.
    pub(crate) fn offset(&self, block: &Block, at: usize) -> usize {
        if self.invalid == Invalid::Skip {
            return at;
        }
        let (mut made, mut stood) = (0, 0);
        for chunk in block.bytes().utf8_chunks() {
            let valid = chunk.valid().len();
            if at <= made + valid {
                break;
            }
            made += valid + char::REPLACEMENT_CHARACTER.len_utf8();
            stood += valid + chunk.invalid().len();
        }
        (stood + at.saturating_sub(made)).min(block.bytes().len())
    }
}
