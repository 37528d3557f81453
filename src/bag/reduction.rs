//! Reductions: what feeds the records of chunks to the states of a combiner, its types erased.

use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::{Combiner, Feed};

use super::broadcast::Env;
use super::chain::{Chunk, Stage};
use crate::Result;
use crate::graph::Value;
use crate::run::Context;
use crate::spill::Budget;

/// A reduction of an origin's chunks, its state erased.
pub(super) trait Reduction: Send + Sync {
    fn start(&self) -> Value;
    fn feed(&self, state: &mut Value, chunk: &mut Chunk, env: &Env<'_>) -> Result<()>;
    fn full(&self, state: &Value) -> bool;
    fn stops(&self) -> bool;
    fn give_up(&self) -> bool;
    fn merge(&self, into: &mut Value, from: Value);
    fn seal(&self, state: &mut Value);
    fn finish(&self, context: &Context, state: Value) -> Result<Value>;

    fn weight(&self, state: &Value) -> usize;
    fn held(&self, state: &Value) -> usize;
    fn parts(&self, state: Value, bits: u32) -> Vec<Value>;
    fn settle(&self, context: &Context, part: &mut Value) -> Result<()>;
    fn spill(&self, state: &mut Value, budget: &Budget) -> Result<bool>;
    fn join(&self, parts: Vec<Value>) -> Value;
    fn save(&self, state: &Value, bytes: &mut Vec<u8>) -> bool;
    fn load(&self, into: &mut Value, bytes: &[u8]) -> bool;

    /// As those of [`Feeding`].
    #[cfg(feature = "cli")]
    fn formless(&self) -> Option<&'static str>;
    #[cfg(feature = "cli")]
    fn send(&self, context: &Context, state: Value, out: &mut Pieces<'_>) -> Result<()>;
    #[cfg(feature = "cli")]
    fn receive(&self, into: &mut Value, bytes: &[u8]) -> bool;
}

/// Takes the pieces of a state that goes to another process.
#[cfg(feature = "cli")]
pub(super) type Pieces<'p> = dyn FnMut(&[u8]) -> Result<()> + 'p;

/// A reduction by a combiner: the typed side of [`Reduction`].
pub(super) trait Feeding: Send + Sync {
    type Combiner: Combiner;

    fn combiner(&self) -> &Self::Combiner;
    fn feed(&self, state: &mut State<Self>, chunk: &mut Chunk, env: &Env<'_>) -> Result<()>;

    /// Whether a state can be full.
    fn stops(&self) -> bool {
        Self::Combiner::STOPS
    }

    /// From now on no state is full, so that states can be spilled. Returns false if that is no use.
    fn give_up(&self) -> bool {
        false
    }

    /// Does what can be done for a state that is fed no more, on the lane that has fed it.
    fn seal(&self, _state: &mut State<Self>) {}

    /// Spills what a state holds, if it is one that spills by itself. Returns true if something was spilled.
    fn spill(&self, _state: &mut State<Self>, _: &Budget) -> Result<bool> {
        Ok(false)
    }

    /// Keeps what is wanted of a part, to which no more will be added.
    fn settle(&self, _: &Context, part: &mut State<Self>) -> Result<()> {
        self.combiner().complete(part);
        Ok(())
    }

    /// The type without a form in bytes because of which no state can go to another process.
    #[cfg(feature = "cli")]
    fn formless(&self) -> Option<&'static str> {
        let has_form = self.combiner().send(&State::<Self>::default(), &mut Vec::new());
        (!has_form).then(std::any::type_name::<State<Self>>)
    }

    /// Gives the pieces of a whole state that goes to another process, if states have a form.
    #[cfg(feature = "cli")]
    fn send(&self, _: &Context, state: State<Self>, out: &mut Pieces<'_>) -> Result<()> {
        /// Bytes of a state that goes in several pieces.
        const LARGE: usize = 4 << 20;
        const BITS: u32 = 5;
        let combiner = self.combiner();
        let is_large = combiner.weight(&state) >= LARGE;
        let bits = if is_large && !Self::Combiner::ORDERED { BITS } else { 0 };
        let mut bytes = Vec::new();
        // One part, too, is a state in the form that is saved.
        let parts = combiner.parts(state, bits).into_iter();
        for piece in parts.flat_map(|part| combiner.pieces(part)) {
            bytes.clear();
            combiner.send(&piece, &mut bytes);
            out(&bytes)?;
        }
        Ok(())
    }

    /// Adds a piece that another process has sent, behind what the state has seen; `false` if it is none.
    #[cfg(feature = "cli")]
    fn receive(&self, into: &mut State<Self>, bytes: &[u8]) -> bool {
        self.combiner().receive(into, bytes)
    }

    /// Turns the state of all into the value.
    fn finish(&self, _: &Context, state: State<Self>) -> Result<Value> {
        Ok(Box::new(self.combiner().finish(state)))
    }
}

pub(super) type State<F> = <<F as Feeding>::Combiner as Combiner>::State;

impl<F: Feeding> Reduction for F {
    fn start(&self) -> Value {
        Box::new(State::<F>::default())
    }

    fn feed(&self, state: &mut Value, chunk: &mut Chunk, env: &Env<'_>) -> Result<()> {
        Feeding::feed(self, known::<F>(state), chunk, env)
    }

    fn full(&self, state: &Value) -> bool {
        Feeding::stops(self)
            && state.downcast_ref().is_some_and(|state| self.combiner().full(state))
    }

    fn stops(&self) -> bool {
        Feeding::stops(self)
    }

    fn give_up(&self) -> bool {
        Feeding::give_up(self)
    }

    fn merge(&self, into: &mut Value, from: Value) {
        self.combiner().merge(known::<F>(into), taken::<F>(from));
    }

    fn seal(&self, state: &mut Value) {
        Feeding::seal(self, known::<F>(state));
    }

    fn finish(&self, context: &Context, state: Value) -> Result<Value> {
        Feeding::finish(self, context, taken::<F>(state))
    }

    fn weight(&self, state: &Value) -> usize {
        state.downcast_ref().map_or(0, |state| self.combiner().weight(state))
    }

    fn held(&self, state: &Value) -> usize {
        state.downcast_ref().map_or(0, |state| self.combiner().held(state))
    }

    fn parts(&self, state: Value, bits: u32) -> Vec<Value> {
        let parts = self.combiner().parts(taken::<F>(state), bits).into_iter();
        parts.map(|part| Box::new(part) as Value).collect()
    }

    fn settle(&self, context: &Context, part: &mut Value) -> Result<()> {
        Feeding::settle(self, context, known::<F>(part))
    }

    fn spill(&self, state: &mut Value, budget: &Budget) -> Result<bool> {
        Feeding::spill(self, known::<F>(state), budget)
    }

    fn join(&self, parts: Vec<Value>) -> Value {
        Box::new(self.combiner().join(parts.into_iter().map(taken::<F>).collect()))
    }

    fn save(&self, state: &Value, bytes: &mut Vec<u8>) -> bool {
        state.downcast_ref().is_some_and(|state| self.combiner().save(state, bytes))
    }

    fn load(&self, into: &mut Value, bytes: &[u8]) -> bool {
        self.combiner().load(known::<F>(into), bytes)
    }

    #[cfg(feature = "cli")]
    fn formless(&self) -> Option<&'static str> {
        Feeding::formless(self)
    }

    #[cfg(feature = "cli")]
    fn send(&self, context: &Context, state: Value, out: &mut Pieces<'_>) -> Result<()> {
        Feeding::send(self, context, taken::<F>(state), out)
    }

    #[cfg(feature = "cli")]
    fn receive(&self, into: &mut Value, bytes: &[u8]) -> bool {
        Feeding::receive(self, known::<F>(into), bytes)
    }
}

/// A state, in the type in which its own reduction made it.
fn known<F: Feeding>(state: &mut Value) -> &mut State<F> {
    state.downcast_mut().unwrap_or_else(|| unreachable!("a reduction is given its own states"))
}

/// The same, out of its box.
fn taken<F: Feeding>(mut state: Value) -> State<F> {
    std::mem::take(known::<F>(&mut state))
}

/// A chain of operators that ends in a combiner.
pub(super) struct Combined<R, C> {
    pub(super) stage: Arc<dyn Stage<R>>,
    pub(super) combiner: C,
}

impl<R, C: Feed<R>> Feeding for Combined<R, C> {
    type Combiner = C;

    fn combiner(&self) -> &C {
        &self.combiner
    }

    fn feed(&self, state: &mut C::State, chunk: &mut Chunk, env: &Env<'_>) -> Result<()> {
        let feed = &mut |batch: &mut Vec<R>| {
            self.combiner.feed_all(state, batch.drain(..));
            Ok(ControlFlow::Continue(()))
        };
        self.stage.run(chunk, env, feed).map(drop)
    }
}

/// The same, of records that it leaves where they are.
pub(super) struct Looking<R, C> {
    pub(super) stage: Arc<dyn Stage<R>>,
    pub(super) combiner: C,
}

impl<R, C: Combiner + for<'r> Feed<&'r R>> Feeding for Looking<R, C> {
    type Combiner = C;

    fn combiner(&self) -> &C {
        &self.combiner
    }

    fn feed(&self, state: &mut C::State, chunk: &mut Chunk, env: &Env<'_>) -> Result<()> {
        let feed = &mut |batch: &mut Vec<R>| {
            self.combiner.feed_all(state, batch.iter());
            Ok(ControlFlow::Continue(()))
        };
        self.stage.run(chunk, env, feed).map(drop)
    }
}
