//! The merge of one part of all states.
//!
//! A part that does not fit beside those that other threads merge is merged when these are done, and has the
//! memory alone: no thread waits for that, so the run may have it do other work. If the part does not fit then
//! either, it is cut by its keys, and its parts are merged one after another: they are spilled before, or all is
//! read for each of them where it is little.
//! If one key has nearly all of it, it is cut by the values of this key, and of each piece only the result
//! stays in memory. A part that can be cut in neither way is an error that names the memory that would do.

use std::vec::IntoIter;

use super::spilled::{Saved, load, saved};
use super::{Context, Pass};
use crate::memory::Reservation;
use crate::spill::{Budget, Extent};
use crate::{Error, Result};

/// The parts that a part is cut into, as a power of two, and how often a part is cut by its keys.
const CUT_BITS: u32 = 4;
const MOST_CUTS: usize = 3;

/// The parts of a part that is read for each of them, as a power of two.
const READ_BITS: u32 = 2;

/// The most pieces that a part is cut into by the values of its keys, as a power of two.
const MOST_PIECES: u32 = 10;

/// A part that takes no more bytes than this fits in any memory.
const LEAST: u64 = if cfg!(test) { 64 } else { 1 << 20 };

/// A part of one key that takes less is merged in any memory.
const SMALL: u64 = 1 << 20;

/// The same part of all states.
pub(super) struct Part<S> {
    /// Those in memory.
    pub(super) states: Vec<S>,
    /// Those that were spilled, in their order. They stand before the ones in memory.
    pub(super) extents: Vec<Extent>,
    /// Which part of all it is: for each cut, the bits and the number of the part.
    pub(super) path: Vec<(u32, usize)>,
    /// How many of the cuts extents still have before them, the last ones.
    pub(super) uncut: usize,
    /// The memory of the states.
    pub(super) _reserved: Option<Reservation>,
}

/// The result of merging a part.
pub(super) enum Merged<S> {
    /// Its state, settled.
    All(S),
    /// It does not fit: the part as it was, and the error where it cannot be cut.
    TooLarge(Box<(Part<S>, Error)>),
}

impl<S> Merged<S> {
    /// The state of the whole part, which is merged now if it did not fit before: no other part is.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read or written, if the run is cancelled, and if the part has to be in
    /// memory as a whole and does not fit.
    pub(super) fn whole<B, P: Pass<B, State = S>>(self, context: &Context, pass: &P) -> Result<S> {
        match self {
            Self::All(state) => Ok(state),
            Self::TooLarge(part) => part.0.alone(context, pass),
        }
    }
}

impl<S> Part<S> {
    /// Merges it, if it fits beside the parts that other threads merge.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read, and if the run is cancelled.
    pub(super) fn merged<B, P: Pass<B, State = S>>(
        self,
        context: &Context,
        pass: &P,
    ) -> Result<Merged<S>> {
        self.fit(context, pass, largest_part(context))
    }

    /// A state of this part that has seen nothing.
    fn start<B, P: Pass<B, State = S>>(&self, pass: &P) -> S {
        self.empty(pass, &self.path)
    }

    fn empty<B, P: Pass<B, State = S>>(&self, pass: &P, path: &[(u32, usize)]) -> S {
        let Some(like) = self.states.first() else { unreachable!("there is a lane") };
        path.iter().fold(pass.spilled(like), |state, &at| part_of(pass, state, at))
    }

    /// Reads what an extent has of this part.
    fn load<B, P: Pass<B, State = S>>(
        &self,
        context: &Context,
        pass: &P,
        into: &mut S,
        extent: Extent,
    ) -> Result<()> {
        if self.uncut == 0 {
            return load(context, pass, into, extent);
        }
        let (whole, cuts) = self.path.split_at(self.path.len() - self.uncut);
        let mut loaded = self.empty(pass, whole);
        load(context, pass, &mut loaded, extent)?;
        pass.merge(into, cuts.iter().fold(loaded, |state, &at| part_of(pass, state, at)));
        Ok(())
    }

    /// Merges it, if it fits into the memory that is free or takes no more than `least` bytes.
    fn fit<B, P: Pass<B, State = S>>(
        mut self,
        context: &Context,
        pass: &P,
        least: u64,
    ) -> Result<Merged<S>> {
        let mut into = match self.extents.is_empty() {
            true => self.states.remove(0),
            false => self.start(pass),
        };
        let mut reserved = context.budget.as_deref().map(|budget| (budget, budget.reserve(0)));
        let mut loaded = 0;
        for extent in &self.extents {
            self.load(context, pass, &mut into, *extent)?;
            loaded += extent.holds() as u64;
            let needs = pass.merging(&into) as u64;
            let Some((budget, reserved)) = &mut reserved else { continue };
            let fits = reserved.try_grow(needs.saturating_sub(reserved.bytes()));
            if !fits && pass.settles(&into) && needs / 2 > least {
                let all = of_all(needs, loaded, holds(&self.extents));
                let error = pass.too_large(&into, room_of_one(all), budget);
                return Ok(Merged::TooLarge(Box::new((self, error))));
            }
        }
        for state in self.states {
            if context.stop.is_cancelled() {
                return Err(Error::Cancelled);
            }
            pass.merge(&mut into, state);
        }
        pass.settle(context, into).map(Merged::All)
    }

    /// The state of the whole part, while no other part is merged.
    fn alone<B, P: Pass<B, State = S>>(self, context: &Context, pass: &P) -> Result<S> {
        let part = match self.fit(context, pass, LEAST)? {
            Merged::All(state) => return Ok(state),
            Merged::TooLarge(part) => part.0,
        };
        // No lane reads any more.
        match context.budget.as_deref().is_some_and(|budget| budget.retire(1)) {
            true => part.alone(context, pass),
            false => part.cut(context, pass),
        }
    }

    /// Cuts a part that does not fit.
    fn cut<B, P: Pass<B, State = S>>(mut self, context: &Context, pass: &P) -> Result<S> {
        let Some(budget) = context.budget.as_deref() else {
            unreachable!("without a budget each part fits")
        };
        let bytes = holds(&self.extents);
        let extents = std::mem::take(&mut self.extents);
        let mut rest = extents.clone().into_iter();
        let into = self.load_some(context, pass, &mut rest)?;
        let left = holds(rest.as_slice());
        let needs = pass.merging(&into) as u64;
        let grows = pass.grows(&into);
        let parts = pass.parts(into, CUT_BITS);
        if self.path.len() <= MOST_CUTS && !(grows && is_stuck(pass, &parts)) {
            self.extents.extend(extents);
            return match bytes <= budget.limit() {
                true => self.by_reading(context, pass),
                false => self.by_keys(context, pass, budget, (parts, rest)),
            };
        }
        let all = of_all(needs, bytes - left, bytes);
        if !grows || all <= SMALL {
            // A key that is long.
            drop(parts);
            self.extents.extend(extents);
            return self.whole(context, pass, u64::MAX);
        }
        let pieces = all.div_ceil((budget.limit() / 4).max(1)).max(2).ilog2() + 1;
        let pieces = pass.pieces(pass.join(parts), pieces.min(MOST_PIECES));
        if is_stuck(pass, &pieces) {
            drop(pieces);
            self.extents.extend(extents);
            // `merging` counts a table that doubles, and extents may hold the same values: it is tried.
            return self.whole(context, pass, most_of_one(budget.limit()));
        }
        self.by_values(context, pass, budget, (pieces, rest))
    }

    /// Merges a part that cannot be cut, if it takes no more than `least` bytes.
    fn whole<B, P: Pass<B, State = S>>(self, context: &Context, pass: &P, least: u64) -> Result<S> {
        match self.fit(context, pass, least)? {
            Merged::All(state) => Ok(state),
            Merged::TooLarge(part) => Err(part.1),
        }
    }

    /// Merges it part by part, and reads all of it for each: a little is not written again, however long its
    /// keys are.
    fn by_reading<B, P: Pass<B, State = S>>(self, context: &Context, pass: &P) -> Result<S> {
        let extents = vec![self.extents.clone(); 1 << READ_BITS];
        let uncut = self.uncut + 1;
        self.part_by_part(context, pass, READ_BITS, (extents, uncut))
    }

    /// Cuts it by its keys, of which some are cut already, and merges part by part.
    fn by_keys<B, P: Pass<B, State = S>>(
        self,
        context: &Context,
        pass: &P,
        budget: &Budget,
        (first, rest): (Vec<S>, IntoIter<Extent>),
    ) -> Result<S> {
        let cut = |state| pass.parts(state, CUT_BITS);
        let extents = self.spill_cut(context, pass, budget, (first, rest), cut)?;
        self.part_by_part(context, pass, CUT_BITS, (extents, 0))
    }

    /// Merges its parts, whose extents are given and have so many cuts before them, one after another.
    fn part_by_part<B, P: Pass<B, State = S>>(
        self,
        context: &Context,
        pass: &P,
        bits: u32,
        (extents, uncut): (Vec<Vec<Extent>>, usize),
    ) -> Result<S> {
        let states = cut_each(self.states, 1 << bits, |state| pass.parts(state, bits));
        let merged = extents.into_iter().zip(states).enumerate().map(|(n, (extents, states))| {
            let path = [&*self.path, &[(bits, n)]].concat();
            Self { states, extents, path, uncut, _reserved: None }.alone(context, pass)
        });
        let merged = merged.collect::<Result<_>>()?;
        pass.settle(context, pass.join(merged))
    }

    /// Cuts it by the values of its keys, of which some are cut already, and merges what has to be kept of
    /// each piece.
    fn by_values<B, P: Pass<B, State = S>>(
        mut self,
        context: &Context,
        pass: &P,
        budget: &Budget,
        (first, rest): (Vec<S>, IntoIter<Extent>),
    ) -> Result<S> {
        let bits = first.len().ilog2();
        let cut = |state| pass.pieces(state, bits);
        let mut pieces = self.spill_cut(context, pass, budget, (first, rest), cut)?;
        // A value may be in a state too.
        for state in &mut self.states {
            let Some(detached) = pass.detach(state) else { continue };
            match saved(pass, budget, cut(detached))? {
                Saved::Parts(extents) => {
                    pieces.iter_mut().zip(extents).for_each(|(piece, extent)| piece.push(extent));
                }
                Saved::Formless(detached) => pass.merge(state, detached),
            }
        }
        let starts: Vec<S> = pieces.iter().map(|_| self.start(pass)).collect();
        let states = cut_each(std::mem::take(&mut self.states), 1 << bits, cut);
        let mut all: Option<S> = None;
        for ((extents, states), mut into) in pieces.into_iter().zip(states).zip(starts) {
            let (mut reserved, bytes, mut loaded) = (budget.reserve(0), holds(&extents), 0);
            for extent in extents {
                loaded += extent.holds() as u64;
                load(context, pass, &mut into, extent)?;
                let held = pass.held(&into) as u64;
                if !reserved.try_grow(held.saturating_sub(reserved.bytes())) && held > SMALL {
                    let needs = of_all(4 * held, loaded, bytes);
                    return Err(pass.too_large(&into, needs + budget.used(), budget));
                }
            }
            states.into_iter().for_each(|state| pass.merge(&mut into, state));
            let left = pass.condensed(context, into)?;
            match &mut all {
                Some(all) => pass.merge(all, left),
                none => *none = Some(left),
            }
        }
        let all = all.unwrap_or_else(|| unreachable!("there are two pieces or more"));
        pass.settle(context, all)
    }

    /// Spills what extents hold, cut in one way: first what was loaded and cut before, then the rest.
    fn spill_cut<B, P: Pass<B, State = S>>(
        &self,
        context: &Context,
        pass: &P,
        budget: &Budget,
        (mut cut_now, mut rest): (Vec<S>, IntoIter<Extent>),
        cut: impl Fn(S) -> Vec<S>,
    ) -> Result<Vec<Vec<Extent>>> {
        let mut all = vec![Vec::new(); cut_now.len()];
        loop {
            match saved(pass, budget, cut_now)? {
                Saved::Parts(extents) => {
                    all.iter_mut().zip(extents).for_each(|(part, extent)| part.push(extent));
                }
                Saved::Formless(_) => unreachable!("it was loaded from bytes"),
            }
            if rest.len() == 0 {
                return Ok(all);
            }
            cut_now = cut(self.load_some(context, pass, &mut rest)?);
        }
    }

    /// Loads as many extents as fit, and one at least, so that not many small pieces are written.
    fn load_some<B, P: Pass<B, State = S>>(
        &self,
        context: &Context,
        pass: &P,
        extents: &mut IntoIter<Extent>,
    ) -> Result<S> {
        let most = largest_part(context);
        let mut into = self.start(pass);
        while pass.held(&into) as u64 <= most
            && let Some(extent) = extents.next()
        {
            self.load(context, pass, &mut into, extent)?;
        }
        Ok(into)
    }
}

/// The bytes of some extents.
fn holds(extents: &[Extent]) -> u64 {
    extents.iter().map(|extent| extent.holds() as u64).sum()
}

/// The memory that a merge of extents of `bytes` needs, if all are like those of `loaded` bytes, which need
/// so much.
fn of_all(needs: u64, loaded: u64, bytes: u64) -> u64 {
    let all = u128::from(needs) * u128::from(bytes) / u128::from(loaded.max(1));
    u64::try_from(all).unwrap_or(u64::MAX)
}

/// Of this room, the bytes of a state that can be merged in it alone: `merging` tells twice as many.
fn most_of_one(room: u64) -> u64 {
    room / 4 * 3
}

/// The room in which a state can be merged alone, of which `merging` tells so many bytes as yet: the table or
/// list of it may double once more.
fn room_of_one(merging: u64) -> u64 {
    (merging / 3 + 1).saturating_mul(4)
}

/// Cuts states into so many parts each: those of all states for each part.
fn cut_each<S>(states: Vec<S>, parts: usize, cut: impl Fn(S) -> Vec<S>) -> Vec<Vec<S>> {
    let mut all: Vec<Vec<S>> = (0..parts).map(|_| Vec::new()).collect();
    for state in states {
        cut(state).into_iter().zip(&mut all).for_each(|(part, states)| states.push(part));
    }
    all
}

fn part_of<B, P: Pass<B>>(pass: &P, state: P::State, (bits, n): (u32, usize)) -> P::State {
    pass.parts(state, bits).swap_remove(n)
}

/// Whether one of the parts has nearly all, so that to cut like this only writes it again.
fn is_stuck<B, P: Pass<B>>(pass: &P, parts: &[P::State]) -> bool {
    let held = parts.iter().map(|part| pass.held(part));
    let all: usize = held.clone().sum();
    held.max().is_some_and(|most| most > all / 10 * 9)
}

/// The bytes of a part that is merged at once in any case, also where others have reserved all memory:
/// each thread has one, which takes about as much again when it is settled.
fn largest_part(context: &Context) -> u64 {
    let limit = context.budget.as_deref().map_or(u64::MAX, Budget::limit);
    (limit / (2 * context.threads.max(1) as u64)).max(LEAST)
}
