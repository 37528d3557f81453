//! The state of a lane, and the parts of it that were spilled.

use super::{Context, Pass};
use crate::spill::{Batch, Budget, Extent};
use crate::{Error, Result};

/// The parts of a spilled state, as a power of two: a part of states of sixty times the memory fits into it.
pub(super) const SPILL_BITS: u32 = 6;

/// A state of a lane, and what the lane has spilled.
pub(crate) struct Held<S> {
    pub(crate) state: S,
    /// For each time that the lane spilled, the extents of all parts.
    pub(super) spills: Vec<Vec<Extent>>,
}

impl<S> Held<S> {
    /// A state of which nothing is spilled.
    pub(crate) fn all(state: S) -> Self {
        Self { state, spills: Vec::new() }
    }

    /// Whether the lane has spilled something.
    pub(super) fn has_spilled(&self) -> bool {
        !self.spills.is_empty()
    }

    /// Spills what a state holds, and leaves what has no form in bytes. Returns true if it holds less now.
    pub(crate) fn spill<B>(
        &mut self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
    ) -> Result<bool> {
        let Some(budget) = &context.budget else { return Ok(false) };
        let (before, empty) = (pass.held(&self.state), pass.held(&pass.emptied(&self.state)));
        // What is small beside the rest is spilled when there is more of it.
        if pass.spill(&mut self.state, budget)? && pass.held(&self.state) < before / 4 {
            return Ok(true);
        }
        let detached = pass.detach(&mut self.state);
        if pass.held(&detached) > empty || pass.weight(&detached) > 0 {
            match saved(pass, budget, pass.parts(detached, SPILL_BITS))? {
                Saved::Parts(extents) => self.spills.push(extents),
                Saved::Formless(detached) => pass.merge(&mut self.state, detached),
            }
        } else {
            pass.merge(&mut self.state, detached);
        }
        let rest = pass.held(&self.state);
        Ok(rest < before / 2 || rest <= empty)
    }
}

/// The result of writing a state.
pub(super) enum Saved<S> {
    /// The extents of its parts.
    Parts(Vec<Extent>),
    /// The state itself, as it has no form in bytes.
    Formless(S),
}

/// Writes the parts of a state; each is dropped when it is written.
pub(super) fn saved<B, P: Pass<B>>(
    pass: &P,
    budget: &Budget,
    parts: Vec<P::State>,
) -> Result<Saved<P::State>> {
    let mut parts = parts.into_iter();
    let mut batch = Batch::new(budget);
    let mut bytes = Vec::new();
    while let Some(part) = parts.next() {
        bytes.clear();
        if !pass.save(&part, &mut bytes) {
            // All parts have a form, or none.
            return Ok(Saved::Formless(pass.join(std::iter::once(part).chain(parts).collect())));
        }
        drop(part);
        batch.add(&bytes)?;
    }
    Ok(Saved::Parts(batch.finish()?))
}

/// Reads a spilled part back into a state.
pub(super) fn load<B, P: Pass<B>>(
    context: &Context,
    pass: &P,
    into: &mut P::State,
    extent: Extent,
) -> Result<()> {
    if context.stop.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let Some(budget) = &context.budget else { return Ok(()) };
    let bytes = budget.read(extent)?;
    if pass.load(into, &bytes) { Ok(()) } else { Err(budget.damaged(extent, "it is no state")) }
}
