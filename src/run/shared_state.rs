//! What lanes have in common whose states have no form for the disk: where they hold too much together,
//! they merge what they have, so that what is kept stands in memory once, for any number of lanes.
//!
//! Where even that has no room, lanes end one after another, and leave the memory of their blocks to it: a
//! run that one lane can do is done by any number.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Context, Pass};
use crate::Result;
use crate::memory::Reservation;
use crate::spill::Budget;

/// A state of several lanes, if they have made one, and the lanes that may add to it.
#[derive(Debug)]
pub(super) struct SharedState<S>(Mutex<Inner<S>>);

#[derive(Debug)]
struct Inner<S> {
    state: Option<(S, Reservation)>,
    /// Lanes that have not ended, as far as is known here.
    lanes: usize,
}

/// What a lane does that has added its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// It takes the next block.
    Continue,
    /// It takes no block any more, as the others need the memory of its own.
    Retire,
}

impl<S> SharedState<S> {
    /// An empty state of this number of lanes.
    pub(super) fn new(lanes: usize) -> Self {
        Self(Mutex::new(Inner { state: None, lanes }))
    }

    /// Moves what a lane's state has seen here; another that has seen nothing is left. The last lane has
    /// it all by itself.
    ///
    /// # Errors
    /// If what one lane has then is more than all states may hold.
    pub(super) fn add<B>(
        &self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
        state: &mut S,
        budget: &Budget,
    ) -> Result<Added> {
        let mut inner = self.lock();
        if inner.lanes <= 1 {
            take_into(&mut inner, pass, state);
            return match pass.held(state) as u64 > budget.limit() && !budget.retire(1) {
                true => Err(pass.unfit(context, state, budget)),
                false => Ok(Added::Continue),
            };
        }
        let empty = pass.emptied(state);
        let own = std::mem::replace(state, empty);
        let (all, mut reserved) = match inner.state.take() {
            None => (own, budget.reserve(0)),
            Some((mut all, reserved)) => {
                pass.merge(&mut all, own);
                (all, reserved)
            }
        };
        let held = pass.held(&all) as u64;
        // What the other lanes see may take as much again.
        let retires = held > budget.limit() / 2 && budget.retire(inner.lanes - 1);
        if !retires && held > budget.limit() {
            return Err(pass.unfit(context, &all, budget));
        }
        reserved.set(held);
        inner.state = Some((all, reserved));
        inner.lanes -= usize::from(retires);
        Ok(if retires { Added::Retire } else { Added::Continue })
    }

    /// Takes what is here, for a lane that ends: the last of them takes the last of it.
    pub(super) fn take_into<B>(&self, pass: &impl Pass<B, State = S>, state: &mut S) {
        let mut inner = self.lock();
        inner.lanes = inner.lanes.saturating_sub(1);
        take_into(&mut inner, pass, state);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_into<B, S>(inner: &mut Inner<S>, pass: &impl Pass<B, State = S>, state: &mut S) {
    if let Some((all, _)) = inner.state.take() {
        pass.merge(state, all);
    }
}
