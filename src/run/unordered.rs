//! Ends that do not look at the order of blocks: a lane has one state of all blocks that it takes.

use super::dispatch::{Dispatch, EndState, Failure, LaneCursor, Step};
use super::reduce::Pass;
use super::schedule::{Position, Schedule, Wake};
use super::shared_state::{Added, SharedState};
use super::spilled::Held;
use super::{BlockOf, Context, Input, Stop};
use crate::graph::Shared;
use crate::spill::Budget;
use crate::{Error, Result};

/// Where the first has failed so far, and of what, until that is raised.
#[derive(Debug, Default)]
pub(super) struct FirstFailure(Option<(Position, Option<Error>)>);

impl EndState for FirstFailure {
    fn record_failure<R, B>(&mut self, _: &mut Schedule<R, B>, Failure { at, error }: Failure) {
        if self.0.as_ref().is_none_or(|(first, _)| at < *first) {
            self.0 = Some((at, Some(error)));
        }
    }

    /// Raises the failure once nothing can come to one that stands before it.
    fn check_end<R, B>(&mut self, schedule: &mut Schedule<R, B>) -> Result<()> {
        let Some((_, error)) = &mut self.0 else { return Ok(()) };
        match error.take_if(|_| schedule.settled().is_some()) {
            Some(error) => {
                schedule.end();
                Err(error)
            }
            None => Ok(()),
        }
    }
}

impl<I: Input> Dispatch<I, FirstFailure> {
    /// The next block for a lane, which is done with the one that it had.
    ///
    /// `None` when nothing is left, or the run was told to end.
    ///
    /// # Errors
    ///
    /// The first failure in input order, for the lane that ends what stands before it.
    pub(super) fn block(&self, mine: &mut LaneCursor, stop: &Stop) -> Result<Option<BlockOf<I>>> {
        loop {
            match self.step(mine, stop)? {
                Some(Step::Block(_, block)) => return Ok(Some(block)),
                Some(Step::Read) => {}
                None => return Ok(None),
            }
        }
    }

    /// A lane has failed over its block.
    ///
    /// # Errors
    ///
    /// As [`block`](Self::block).
    pub(super) fn fails(&self, mine: &mut LaneCursor, error: Error) -> Result<()> {
        let at = mine.block().unwrap_or_default();
        mine.is_working = false;
        let mut state = self.lock();
        state.schedule.done(at);
        self.enter(state, Failure { at, error })
    }

    /// A lane takes no block any more; the others go on.
    ///
    /// # Errors
    ///
    /// As [`block`](Self::block).
    pub(super) fn retires(&self, mine: &mut LaneCursor) -> Result<()> {
        let mut state = self.lock();
        if let Some(at) = mine.block() {
            mine.is_working = false;
            state.schedule.done(at);
            state = self.look(state)?;
        }
        self.notify(state, Wake::All);
        Ok(())
    }

    /// A lane has all that the run comes to, unless that fails.
    ///
    /// # Errors
    ///
    /// As [`block`](Self::block).
    pub(super) fn full(&self, mine: &mut LaneCursor) -> Result<()> {
        let mut state = self.lock();
        if let Some(at) = mine.block() {
            mine.is_working = false;
            state.schedule.done(at);
        }
        if state.kept.0.is_none() {
            self.end(state);
            return Ok(());
        }
        drop(self.look(state)?);
        Ok(())
    }
}

/// A lane that takes any block.
pub(super) fn lane<I, P>(
    context: &Context,
    dispatch: &Dispatch<I, FirstFailure>,
    pass: &P,
    shared: &[Shared],
    common: &SharedState<P::State>,
) -> Result<Held<P::State>>
where
    I: Input,
    P: Pass<BlockOf<I>>,
{
    let mut held = Held::all(pass.start(context, shared));
    let mut share = context.budget.as_deref().map(Budget::share);
    let mut mine = LaneCursor::default();
    while let Some(block) = dispatch.block(&mut mine, &context.stop)? {
        if let Err(error) = pass.feed(context, shared, &mut held.state, block) {
            dispatch.fails(&mut mine, error)?;
            continue;
        }
        if pass.full(&held.state) {
            // What other lanes would add changes nothing.
            dispatch.full(&mut mine)?;
            break;
        }
        let Some(share) = &mut share else { continue };
        if share.is_over(pass.held(&held.state), pass.unused(&held.state), context.threads) {
            let goes_on = held.spill(context, pass)?
                || common.add(context, pass, &mut held.state, share.budget())? == Added::Continue;
            if !goes_on {
                dispatch.retires(&mut mine)?;
                return Ok(held);
            }
            share.is_over(pass.held(&held.state), pass.unused(&held.state), context.threads);
        }
    }
    common.take_into(pass, &mut held.state);
    Ok(held)
}
