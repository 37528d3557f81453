//! What lanes have in common whose states have no form for the disk: where they hold too much together,
//! they merge what they have, so that what is kept stands in memory once, for any number of lanes.

use std::sync::{Mutex, PoisonError};

use super::Pass;
use crate::Result;
use crate::spill::Budget;

/// A state of several lanes, if they have made one, and the bytes that it holds.
#[derive(Debug)]
pub(super) struct Common<S>(Mutex<Option<(S, u64)>>);

impl<S> Default for Common<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Common<S> {
    /// Moves what a lane's state has seen here; another that has seen nothing is left.
    ///
    /// # Errors
    /// If what is here then is more than all states may hold.
    pub(super) fn add<B>(
        &self,
        pass: &impl Pass<B, State = S>,
        state: &mut S,
        budget: &Budget,
    ) -> Result<()> {
        let empty = pass.emptied(state);
        let own = std::mem::replace(state, empty);
        let mut common = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = match common.take() {
            None => own,
            Some((mut all, held)) => {
                budget.release(held);
                pass.merge(&mut all, own);
                all
            }
        };
        let held = pass.held(&all) as u64;
        if held > budget.limit() {
            return Err(pass.unfit(&all, budget));
        }
        budget.hold(held);
        *common = Some((all, held));
        Ok(())
    }

    /// Takes what is here, for a lane that ends: the last of them takes the last of it.
    pub(super) fn take_into<B>(
        &self,
        pass: &impl Pass<B, State = S>,
        state: &mut S,
        budget: &Budget,
    ) {
        let common = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((all, held)) = common {
            budget.release(held);
            pass.merge(state, all);
        }
    }
}
