//! The state of a lane, and the parts of it that were spilled.

use super::{Context, Pass};
use crate::memory::Reservation;
use crate::spill::{Batch, Budget, Extent};
use crate::{Error, Result};

/// The parts of a spilled state, as a power of two: a part of states of sixty times the memory fits into it.
pub(super) const SPILL_BITS: u32 = 6;

/// A state of a lane, and what the lane has spilled.
pub(crate) struct Held<S> {
    pub(crate) state: S,
    /// For each time that the lane spilled, the extents of all parts.
    pub(super) spills: Vec<Vec<Extent>>,
    /// The memory of the state, where it is reserved here.
    reserved: Option<Reservation>,
}

impl<S> Held<S> {
    /// A state of which nothing is spilled.
    pub(crate) fn all(state: S) -> Self {
        Self { state, spills: Vec::new(), reserved: None }
    }

    /// Whether the lane has spilled something.
    pub(super) fn has_spilled(&self) -> bool {
        !self.spills.is_empty()
    }

    /// Reserves the bytes that its state holds, and returns how many these are.
    pub(super) fn reserve<B>(&mut self, context: &Context, pass: &impl Pass<B, State = S>) -> u64 {
        /// What is less is not worth the lock, of many small tasks.
        const LITTLE: u64 = if cfg!(test) { 1 } else { 4 << 10 };
        let held = pass.held(&self.state) as u64;
        match (&mut self.reserved, &context.budget) {
            (Some(reserved), _) => reserved.set(held),
            (none, Some(budget)) if held >= LITTLE => *none = Some(budget.reserve(held)),
            _ => {}
        }
        held
    }

    /// Reserves the bytes that its state holds, and spills it if all states hold more than they may.
    ///
    /// # Errors
    ///
    /// If it is larger than the memory of all and has no form for the disk, and if the temporary file cannot be
    /// written.
    pub(crate) fn weigh<B>(
        &mut self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
    ) -> Result<()> {
        let Some(budget) = context.budget.as_deref() else { return Ok(()) };
        let held = self.reserve(context, pass);
        if !budget.is_over_with(held, context.threads) {
            return Ok(());
        }
        // Of states that cannot be spilled, those of other tasks may be merged into this one.
        if !self.spill(context, pass)? && self.reserve(context, pass) > budget.limit() {
            return Err(pass.unfit(context, &self.state, budget));
        }
        Ok(())
    }

    /// Adds what stands behind it.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be written.
    pub(super) fn append<B>(
        &mut self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
        behind: Self,
    ) -> Result<()> {
        // What was spilled stands before the state.
        if behind.has_spilled() && pass.ordered() {
            self.spill(context, pass)?;
        }
        self.spills.extend(behind.spills);
        pass.merge(&mut self.state, behind.state);
        Ok(())
    }

    /// Spills what a state holds, and leaves what has no form in bytes. Returns true if it holds less than half
    /// now, or nothing.
    ///
    /// Where the order matters, all that has a form is spilled, however little it is: what is spilled later
    /// comes behind it. A state that may become full gives that up, so that all of the input is read, or is not
    /// spilled: it is not known to be full without what it has spilled.
    pub(crate) fn spill<B>(
        &mut self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
    ) -> Result<bool> {
        let Some(budget) = &context.budget else { return Ok(false) };
        if pass.may_fill(&self.state) && !pass.give_up(&self.state) {
            return Ok(false);
        }
        let (before, empty) = (pass.held(&self.state), pass.held(&pass.emptied(&self.state)));
        // What is small beside the rest is spilled when there is more of it.
        let spilled = pass.spill(&mut self.state, budget)?;
        if spilled && !pass.ordered() && pass.held(&self.state) < before / 4 {
            return Ok(true);
        }
        while let Some(detached) = pass.detach(&mut self.state) {
            let is_little = pass.held(&detached) <= empty && pass.weight(&detached) == 0;
            if is_little && !pass.ordered() {
                pass.merge(&mut self.state, detached);
                break;
            }
            let mut batch = Batch::new(budget);
            let left = pass.save_parts(detached, SPILL_BITS, &mut |bytes| batch.add(bytes))?;
            let Some(left) = left else {
                self.spills.push(batch.finish()?);
                break;
            };
            pass.merge(&mut self.state, left);
            if !pass.detaches_less() {
                break;
            }
        }
        let rest = pass.held(&self.state);
        if let Some(reserved) = &mut self.reserved {
            reserved.set(rest as u64);
        }
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
    let mut batch = Batch::new(budget);
    let save = |part: &P::State, bytes: &mut Vec<u8>| pass.save(part, bytes);
    match save_each(parts, save, &mut |bytes| batch.add(bytes))? {
        Some(parts) => Ok(Saved::Formless(pass.join(parts))),
        None => Ok(Saved::Parts(batch.finish()?)),
    }
}

/// Gives the bytes of each part, which is dropped then; or returns the parts if they have no form in bytes.
///
/// # Panics
///
/// If some have a form and others have none: those are gone that were written.
pub(crate) fn save_each<S>(
    parts: Vec<S>,
    save: impl Fn(&S, &mut Vec<u8>) -> bool,
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Option<Vec<S>>> {
    let (mut parts, mut bytes) = (parts.into_iter(), Vec::new());
    let all = parts.len();
    while let Some(part) = parts.next() {
        bytes.clear();
        if !save(&part, &mut bytes) {
            let is_first = parts.len() + 1 == all;
            assert!(is_first, "of a combiner's states all have a form in bytes, or none");
            return Ok(Some(std::iter::once(part).chain(parts).collect()));
        }
        drop(part);
        write(&bytes)?;
    }
    Ok(None)
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
    match budget.with_bytes(extent, |bytes| pass.load(into, bytes))? {
        true => Ok(()),
        false => Err(budget.damaged(extent, "it is no state")),
    }
}
