//! Many blocks to one state: lanes, and the tree that merges what they hold.

use std::sync::Arc;

use super::lanes;
use super::merge::gathered;
use super::schedule::Policy;
use super::segments::{self, Segments};
use super::shared_state::SharedState;
use super::spilled::{Held, save_each};
use super::unordered::{self, FirstFailure};
use super::{BlockOf, Context, Input};
use crate::graph::{Moved, Node, Shared};
use crate::spill::Budget;
use crate::watch::bytes;
use crate::{Error, Result};

/// What a lane does with the blocks it is given: a combiner with the operators before it.
///
/// The laws of a combiner are a pass's too: `start` is neutral, `merge` is associative and, if
/// the pass is not ordered, commutative.
pub(crate) trait Pass<B>: Send + Sync + 'static {
    /// What a lane holds.
    type State: Send + 'static;

    /// Whether a state must see its blocks in input order and be merged in it.
    fn ordered(&self) -> bool;

    /// A state that has seen nothing, of a lane that is given these values.
    fn start(&self, context: &Context, shared: &[Shared]) -> Self::State;

    /// A state that has seen nothing, of the lane that this one is of.
    fn emptied(&self, state: &Self::State) -> Self::State;

    /// Feeds the records of one block to a state.
    fn feed(
        &self,
        context: &Context,
        shared: &[Shared],
        state: &mut Self::State,
        block: B,
    ) -> Result<()>;

    /// Whether a state has no use for more blocks, so that its lane can end.
    fn full(&self, _state: &Self::State) -> bool {
        false
    }

    /// Whether a state may become [`full`](Self::full).
    fn may_fill(&self, _state: &Self::State) -> bool {
        false
    }

    /// Makes of a state that may become full one that is not, and of all that come of it, so that it can be
    /// spilled. Returns false if it cannot.
    fn give_up(&self, _state: &Self::State) -> bool {
        false
    }

    /// Adds what `from` has seen, which stands after what `into` has seen.
    fn merge(&self, into: &mut Self::State, from: Self::State);

    /// As `weight`, `parts`, `join`, `save` and `load` of a combiner.
    fn weight(&self, state: &Self::State) -> usize;

    /// What a state weighs where it may have to be merged with others: more than that is merged by parts, in
    /// the memory of a part.
    fn joint_weight(&self, state: &Self::State) -> usize {
        self.weight(state)
    }

    /// Does what can be done for a state that is fed no more, on the lane that has fed it.
    fn seal(&self, _state: &mut Self::State) {}

    /// The bytes of memory that a state holds, as `held` of a combiner.
    fn held(&self, state: &Self::State) -> usize {
        self.weight(state)
    }

    /// The bytes of memory besides, that hold nothing and are there for what comes.
    fn unused(&self, _: &Self::State) -> usize {
        0
    }

    /// Spills what a state holds, of which it keeps the places, if it is one that spills by itself. Returns
    /// true if something was spilled.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be written.
    fn spill(&self, _: &mut Self::State, _: &Budget) -> Result<bool> {
        Ok(false)
    }

    /// Moves out of a state what may be saved, if there is something of the kind; the rest stays, such as what
    /// spills by itself.
    fn detach(&self, state: &mut Self::State) -> Option<Self::State> {
        let empty = self.emptied(state);
        Some(std::mem::replace(state, empty))
    }

    /// Whether less is detached once it is known what cannot be saved.
    fn detaches_less(&self) -> bool {
        false
    }

    /// An empty state like this one, into which spilled parts are loaded.
    fn spilled(&self, state: &Self::State) -> Self::State {
        self.emptied(state)
    }

    /// Why a run cannot go on whose states hold more than they may, if they have no form in bytes.
    fn unfit(&self, _: &Context, state: &Self::State, budget: &Budget) -> Error {
        unfit("lane", self.held(state), budget, "")
    }

    fn parts(&self, state: Self::State, bits: u32) -> Vec<Self::State>;
    fn join(&self, parts: Vec<Self::State>) -> Self::State;
    fn save(&self, state: &Self::State, bytes: &mut Vec<u8>) -> bool;
    fn load(&self, into: &mut Self::State, bytes: &[u8]) -> bool;

    /// Gives the bytes of each of the [`parts`](Self::parts), in their order; or returns the state if it has no
    /// form in bytes.
    ///
    /// # Errors
    ///
    /// Those of `write`.
    fn save_parts(
        &self,
        state: Self::State,
        bits: u32,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Self::State>> {
        let parts = self.parts(state, bits);
        let left = save_each(parts, |part, bytes| self.save(part, bytes), write)?;
        Ok(left.map(|parts| self.join(parts)))
    }

    /// Cuts a state by the values of its keys into `2^bits` pieces, each with all keys. The first may be all,
    /// and is all of an aggregate that looks at the order.
    fn pieces(&self, state: Self::State, bits: u32) -> Vec<Self::State> {
        let empty: Vec<_> = (1..1 << bits).map(|_| self.emptied(&state)).collect();
        std::iter::once(state).chain(empty).collect()
    }

    /// The result of one of the [`pieces`](Self::pieces) of all states, to be merged with the others: it may
    /// take less memory than the piece.
    ///
    /// # Errors
    ///
    /// If it is written, and the temporary file cannot be.
    fn condensed(&self, _: &Context, piece: Self::State) -> Result<Self::State> {
        Ok(piece)
    }

    /// The bytes of memory that it takes to merge more into a state, and to [`settle`](Self::settle) it.
    fn merging(&self, state: &Self::State) -> usize {
        2 * self.held(state)
    }

    /// Whether a single key of it may have nearly all that it holds.
    fn grows(&self, _state: &Self::State) -> bool {
        false
    }

    /// The error for a part of all states that has to be in memory as a whole and does not fit. `state` is
    /// as much of it as was merged, and in `needs` bytes of room all could be.
    fn too_large(&self, state: &Self::State, needs: u64, budget: &Budget) -> Error {
        let least = format!("; {} would do", bytes(needs));
        unfit("lane", self.held(state), budget, &least)
    }

    /// Whether what [`settle`](Self::settle) keeps of a state takes less memory than that does.
    fn settles(&self, _: &Self::State) -> bool {
        false
    }

    /// Keeps what is wanted of a state, or of a part of it, to which no more will be added; or of what
    /// was kept of its parts, and joined.
    fn settle(&self, _: &Context, state: Self::State) -> Result<Self::State> {
        Ok(state)
    }
}

/// Runs one pass over an input, and nothing beside it, as the command does.
#[cfg(any(feature = "cli", test))]
pub(crate) fn reduce<I, P>(context: &Context, input: Arc<I>, pass: P) -> Result<P::State>
where
    I: Input,
    P: Pass<BlockOf<I>>,
{
    let reduction = reduction(context, input, Arc::new(pass), Vec::new());
    let mut states = crate::graph::run(context, &[reduction])?;
    Ok(Moved::out_of(states.remove(0)))
}

/// The tasks of a pass over an input: its lanes, and the merge of their states. The last makes
/// the [`Moved`] state of all. Lanes look at the shared values, which go with the last of them.
pub(crate) fn reduction<I, P>(
    context: &Context,
    input: Arc<I>,
    pass: Arc<P>,
    shared: Vec<Shared>,
) -> Arc<Node>
where
    I: Input,
    P: Pass<BlockOf<I>>,
{
    let needs: Vec<_> = shared.into_iter().map(lanes::ready).collect();
    let (lanes, whole) = lanes_of(context, input, &pass, needs.clone());
    gathered(lanes, pass, needs, whole)
}

/// Turns the states of lanes into the states of the whole input, in input order where that matters.
type Whole<S> = Box<dyn Fn(Vec<Held<S>>) -> Result<Vec<Held<S>>> + Send + Sync>;

/// The tasks of the lanes of a pass over an input, which look at the values of what they need. Each makes a
/// [`Moved`] state.
pub(super) fn lanes_of<I, P>(
    context: &Context,
    input: Arc<I>,
    pass: &Arc<P>,
    needs: Vec<Arc<Node>>,
) -> (Vec<Arc<Node>>, Whole<P::State>)
where
    I: Input,
    P: Pass<BlockOf<I>>,
{
    let feeding = Arc::clone(pass);
    if pass.ordered() {
        let dispatch = lanes::dispatch(context, input, Policy::Runs, Segments::default());
        let lanes = lanes::tasks(&dispatch, &needs, move |n, context, dispatch, shared| {
            segments::lane(n, context, dispatch, &*feeding, shared).map(Moved::outcome)
        });
        let whole = move |empty| {
            let segments = std::mem::take(&mut dispatch.lock().kept).whole();
            Ok(if segments.is_empty() { empty } else { segments })
        };
        return (lanes, Box::new(whole));
    }
    let dispatch = lanes::dispatch(context, input, Policy::Any, FirstFailure::default());
    let common = Arc::new(SharedState::new(dispatch.lanes()));
    let lanes = lanes::tasks(&dispatch, &needs, move |_, context, dispatch, shared| {
        unordered::lane(context, dispatch, &*feeding, shared, &common).map(Moved::outcome)
    });
    (lanes, Box::new(Ok))
}

/// The error for states that hold more than they may and cannot be spilled; `least` says what would
/// do.
pub(crate) fn unfit(what: &str, held: usize, budget: &Budget, least: &str) -> Error {
    Error::Memory {
        task: what.to_owned(),
        limit: budget.limit(),
        held: format!(
            "what one thread has combined so far takes {}, and has no form for the disk{least}",
            bytes(held as u64)
        ),
    }
}
