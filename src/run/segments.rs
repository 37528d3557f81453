//! Ends that depend on the order of blocks: each state covers neighbouring blocks, and neighbouring states merge.
//!
//! A lane feeds the blocks that it takes one behind the other to one state. Where its next block
//! stands elsewhere, the state is published as a [`Segment`] of the input, and a new one begins. Two
//! neighbouring segments are merged by the lane that finds them, outside of the lock:
//!
//! ```text
//!   blocks    0 1 2 3 4 5 6 7 8 9
//!   lane A    aaaaa . . . a . . .      published: [0 1 2], [6]
//!   lane B    . . . bbbbb . b . .      published: [3 4 5], then [7]; [0..6] and [6..8] are merged
//! ```
//!
//! A segment is merged into the one before it if that has as many blocks at least, so that what is
//! moved is the smaller one, and if neither is large: large ones are merged in the end, part by part
//! on all threads. But there are never many segments: over [`MOST`] for each lane the shortest
//! neighbours are merged whatever they are.
//!
//! States that hold too much are spilled: first that of the lane that is over, then the largest that was
//! published. What a segment has spilled stands before its state. So before a segment that has spilled is
//! merged into the one before it, this one spills its state.
//!
//! A failure, or a full state, limits what is handed out. The last lane that feeds merges the segments
//! up to a failure; if these are enough, nobody had wanted to come as far as the failure. It does not
//! leave this to the merge of all lanes: a lane that was not started yet may wait for a thread until
//! other passes end, and a failure ends these too.

use std::collections::BTreeMap;

use super::dispatch::{Dispatch, EndState, Failure, LaneCursor, State, Step};
use super::merge::BY_PARTS;
use super::reduce::Pass;
use super::schedule::{Position, Schedule, Wake};
use super::spilled::Held;
use super::{BlockOf, Context, Input};
use crate::graph::Shared;
use crate::spill::{Budget, Share};
use crate::{Error, Result};

/// How many segments there may be for each lane, before neighbours are merged that would better wait
/// for others.
const MOST: usize = 4;

/// A state of neighbouring blocks.
pub(super) struct Segment<S> {
    first: Position,
    last: Position,
    blocks: usize,
    /// What merging looks at, and the bytes that it holds of a budget, reserved once it is published.
    weight: usize,
    held: u64,
    kept: Held<S>,
}

/// The published segments, by the first position, and the first failure.
pub(super) struct Segments<S> {
    published: BTreeMap<Position, Segment<S>>,
    failure: Option<Failure>,
    /// Lanes that may still publish a segment.
    feeding: usize,
}

impl<S> Default for Segments<S> {
    fn default() -> Self {
        Self { published: BTreeMap::new(), failure: None, feeding: 0 }
    }
}

impl<S> EndState for Segments<S> {
    fn record_failure<R, B>(&mut self, _: &mut Schedule<R, B>, failure: Failure) {
        if self.failure.as_ref().is_none_or(|first| failure.at < first.at) {
            self.failure = Some(failure);
        }
    }

    fn check_end<R, B>(&mut self, schedule: &mut Schedule<R, B>) -> Result<()> {
        if schedule.settled().is_some() {
            schedule.end();
        }
        Ok(())
    }
}

impl<S> Segments<S> {
    /// Takes out two neighbours that are to be merged.
    fn take_neighbours<R, B>(
        &mut self,
        schedule: &Schedule<R, B>,
        lanes: usize,
    ) -> Option<(Segment<S>, Segment<S>)> {
        let is_crowded = self.published.len() > MOST * lanes;
        let pairs = self.published.values().zip(self.published.values().skip(1));
        let pairs = pairs.filter(|(left, right)| {
            let is_cheap = left.blocks >= right.blocks
                && left.weight + right.weight < BY_PARTS
                && !right.kept.has_spilled();
            // Behind a failure, another state might make it look as if there was enough before.
            (is_crowded || is_cheap)
                && schedule.after(left.last) == right.first
                && schedule.is_wanted(right.first)
        });
        let shortest = pairs.min_by_key(|(left, right)| left.blocks + right.blocks);
        let (left, right) = shortest.map(|(left, right)| (left.first, right.first))?;
        self.published.remove(&left).zip(self.published.remove(&right))
    }

    /// What lanes have made, in input order.
    pub(super) fn whole(self) -> Vec<Held<S>> {
        self.published.into_values().map(|segment| segment.kept).collect()
    }

    /// Takes out the segment that holds most.
    fn take_largest(&mut self) -> Option<Segment<S>> {
        let largest = self.published.values().max_by_key(|segment| segment.held)?;
        let first = largest.first;
        self.published.remove(&first)
    }

    /// A lane feeds no more. The last gets the failure, if there is one, and the segments up to it.
    fn leave(&mut self) -> Option<(Failure, BTreeMap<Position, Segment<S>>)> {
        self.feeding -= 1;
        let failure = self.failure.take_if(|_| self.feeding == 0)?;
        self.published.split_off(&(failure.at.0, failure.at.1 + 1));
        Some((failure, std::mem::take(&mut self.published)))
    }
}

/// What a lane does.
struct Lane<'l, I: Input, P: Pass<BlockOf<I>>> {
    context: &'l Context,
    dispatch: &'l Dispatch<I, Segments<P::State>>,
    pass: &'l P,
    share: Option<Share<'l>>,
}

/// A lane that takes any block. Returns a state that has seen nothing.
pub(super) fn lane<I, P>(
    n: usize,
    context: &Context,
    dispatch: &Dispatch<I, Segments<P::State>>,
    pass: &P,
    shared: &[Shared],
) -> Result<Held<P::State>>
where
    I: Input,
    P: Pass<BlockOf<I>>,
{
    let empty = pass.start(context, shared);
    if pass.full(&empty) {
        dispatch.end(dispatch.lock());
        return Ok(Held::all(empty));
    }
    let share = context.budget.as_deref().map(Budget::share);
    let mut lane = Lane { context, dispatch, pass, share };
    dispatch.lock().kept.feeding += 1;
    let mut run: Option<Segment<P::State>> = None;
    let mut mine = LaneCursor::default();
    while let Some(step) = dispatch.step(&mut mine, &context.stop)? {
        let Step::Block(at, block) = step else { continue };
        if let Some(done) = run.take_if(|run| !lane.follows(run.last, at)) {
            lane.publish(done)?;
        }
        let mut segment = run.take().unwrap_or_else(|| Segment {
            first: at,
            last: at,
            blocks: 0,
            weight: 0,
            held: 0,
            kept: Held::all(pass.emptied(&empty)),
        });
        let fed = pass.feed(context, shared, &mut segment.kept.state, block);
        (segment.last, segment.blocks) = (at, segment.blocks + 1);
        if fed.is_ok() && !pass.full(&segment.kept.state) {
            lane.weigh(&mut segment.kept)?;
            run = Some(segment);
            continue;
        }
        mine.is_working = false;
        // Another lane may raise it, and it says where it was met.
        let named = |error: Error| error.in_task(|| (format!("lane {n}"), String::new()));
        lane.limit(segment, fed.err().map(named))?;
    }
    if let Some(done) = run {
        lane.publish(done)?;
    }
    lane.leave()?;
    Ok(Held::all(empty))
}

impl<I: Input, P: Pass<BlockOf<I>>> Lane<'_, I, P> {
    /// Whether a block stands behind another.
    fn follows(&self, last: Position, at: Position) -> bool {
        at == (last.0, last.1 + 1) || self.dispatch.lock().schedule.after(last) == at
    }

    /// Weighs the state that this lane feeds, and spills it if all states hold more than they may.
    ///
    /// # Errors
    ///
    /// If it holds too much and has no form for the disk, and if the temporary file cannot be written.
    fn weigh(&mut self, kept: &mut Held<P::State>) -> Result<()> {
        let (pass, context) = (self.pass, self.context);
        let Some(share) = &mut self.share else { return Ok(()) };
        let mut is_over =
            |state: &P::State| share.is_over(pass.held(state), pass.unused(state), context.threads);
        if !is_over(&kept.state) {
            return Ok(());
        }
        match kept.spill(context, pass)? || !is_over(&kept.state) {
            true => Ok(()),
            false => Err(pass.unfit(context, &kept.state, share.budget())),
        }
    }

    /// Publishes a segment whose last block is the last that is wanted, so far: it is full, or has
    /// failed.
    fn limit(&mut self, segment: Segment<P::State>, error: Option<Error>) -> Result<()> {
        let at = segment.last;
        let mut state = self.dispatch.lock();
        let State { schedule, kept } = &mut *state;
        schedule.limit(at);
        if let Some(error) = error {
            kept.record_failure(schedule, Failure { at, error });
        }
        drop(state);
        self.publish(segment)?;
        // Only now that it is there: lanes may find that nothing is left before it.
        let mut state = self.dispatch.lock();
        state.schedule.done(at);
        let state = self.dispatch.look(state)?;
        self.dispatch.notify(state, Wake::All);
        Ok(())
    }

    /// Feeds no more.
    ///
    /// # Errors
    ///
    /// The first failure in input order, if no other lane feeds and what stands before it is not
    /// enough.
    fn leave(&self) -> Result<()> {
        let left = self.dispatch.lock().kept.leave();
        let Some((failure, segments)) = left else { return Ok(()) };
        if segments.values().any(|segment| segment.kept.has_spilled()) {
            return Err(failure.error);
        }
        let merged = segments.into_values().reduce(|mut into, from| {
            self.pass.merge(&mut into.kept.state, from.kept.state);
            into
        });
        match merged {
            Some(enough) if self.pass.full(&enough.kept.state) => {
                self.dispatch.lock().kept.published.insert(enough.first, enough);
                Ok(())
            }
            _ => Err(failure.error),
        }
    }

    /// Publishes a segment, merges neighbours, and spills what is over the memory.
    fn publish(&mut self, mut segment: Segment<P::State>) -> Result<()> {
        self.pass.seal(&mut segment.kept.state);
        let mut segment = self.held(segment);
        self.share = self.context.budget.as_deref().map(Budget::share);
        let mut state = self.dispatch.lock();
        loop {
            state.kept.published.insert(segment.first, segment);
            let State { schedule, kept } = &mut *state;
            if let Some((left, right)) = kept.take_neighbours(schedule, self.dispatch.lanes()) {
                drop(state);
                segment = self.merged(left, right)?;
            } else if let Some(largest) = self.over(kept) {
                drop(state);
                segment = self.spilled(largest)?;
            } else {
                return Ok(());
            }
            let is_full = self.pass.full(&segment.kept.state);
            state = self.dispatch.lock();
            if is_full {
                state.schedule.limit(segment.last);
                state = self.dispatch.look(state)?;
            }
        }
    }

    /// Two neighbours as one.
    fn merged(
        &self,
        mut left: Segment<P::State>,
        right: Segment<P::State>,
    ) -> Result<Segment<P::State>> {
        if self.context.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        debug_assert!(left.last < right.first, "segments are merged in input order");
        left.kept.append(self.context, self.pass, right.kept)?;
        let merged = Segment { last: right.last, blocks: left.blocks + right.blocks, ..left };
        Ok(self.held(merged))
    }

    /// A segment without what it can spill.
    fn spilled(&self, mut segment: Segment<P::State>) -> Result<Segment<P::State>> {
        let held = segment.held;
        segment.kept.spill(self.context, self.pass)?;
        let segment = self.held(segment);
        match (segment.held < held, self.context.budget.as_deref()) {
            (false, Some(budget)) => {
                Err(self.pass.unfit(self.context, &segment.kept.state, budget))
            }
            _ => Ok(segment),
        }
    }

    /// A segment whose bytes are reserved.
    fn held(&self, mut segment: Segment<P::State>) -> Segment<P::State> {
        let held = segment.kept.reserve(self.context, self.pass);
        Segment { weight: self.pass.weight(&segment.kept.state), held, ..segment }
    }

    /// The largest segment, if all together hold more than they may, where they have their part in it.
    ///
    /// Segments that other lanes merge or spill are not counted. Those lanes look again when they have done
    /// so, and what is left here may hold nothing that could be spilled.
    fn over(&self, kept: &mut Segments<P::State>) -> Option<Segment<P::State>> {
        let budget = self.context.budget.as_deref()?;
        let held = kept.published.values().map(|segment| segment.held).sum();
        let is_over = budget.is_over_with(held, self.context.threads);
        if is_over { kept.take_largest() } else { None }
    }
}
