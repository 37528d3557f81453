//! Many blocks to one state: lanes, and the tree that merges what they hold.

use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::common::Common;
use super::dispatch::{Dispatch, Failure, Mine};
use super::merge::{Held, gathered};
use super::{BlockOf, Context, Input, Reader};
use crate::graph::{Moved, Name, Node, Outcome, Shared, caught};
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

    /// Adds what `from` has seen, which stands after what `into` has seen.
    fn merge(&self, into: &mut Self::State, from: Self::State);

    /// As `weight`, `parts`, `join`, `save` and `load` of a combiner.
    fn weight(&self, state: &Self::State) -> usize;

    /// The bytes of memory that a state holds, as `held` of a combiner.
    fn held(&self, state: &Self::State) -> usize {
        self.weight(state)
    }

    /// Spills what a state holds, of which it keeps the places, if it is one that spills by itself.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be written.
    fn spill(&self, _: &mut Self::State, _: &Budget) -> Result<bool> {
        Ok(false)
    }

    /// Why a run cannot go on whose states hold more than they may, if they have no form in bytes.
    fn unfit(&self, state: &Self::State, budget: &Budget) -> Error {
        unfit("lane", self.held(state), budget, "")
    }

    fn parts(&self, state: Self::State, bits: u32) -> Vec<Self::State>;
    fn join(&self, parts: Vec<Self::State>) -> Self::State;
    fn save(&self, state: &Self::State, bytes: &mut Vec<u8>) -> bool;
    fn load(&self, into: &mut Self::State, bytes: &[u8]) -> bool;

    /// Whether what [`settle`](Self::settle) keeps takes little memory, whatever the state does.
    fn settles(&self) -> bool {
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
    // Inputs of the lanes, and not captured by them, so that the graph drops them in time.
    let needs: Vec<_> = shared.into_iter().map(ready).collect();
    let lanes: Vec<_> = if pass.ordered() {
        let ended = Arc::new(AtomicUsize::new(usize::MAX));
        let runs = runs_of_partitions(input.partitions(), context.threads).enumerate();
        runs.map(|(n, run)| {
            let (input, pass) = (Arc::clone(&input), Arc::clone(&pass));
            let place = InOrder { n, run, ended: Arc::clone(&ended) };
            Node::new(Name::Numbered("lane", n), needs.clone(), move |context, inputs| {
                let shared = inputs.take_all();
                ordered_lane(context, &*input, &*pass, &shared, &place).map(Moved::outcome)
            })
        })
        .collect()
    } else {
        let lanes = context.threads.max(1);
        let dispatch = Arc::new(Dispatch::new(input, lanes));
        let common = Arc::new(Common::default());
        (0..lanes)
            .map(|n| {
                let (dispatch, pass) = (Arc::clone(&dispatch), Arc::clone(&pass));
                let common = Arc::clone(&common);
                Node::new(Name::Numbered("lane", n), needs.clone(), move |context, inputs| {
                    let shared = inputs.take_all();
                    shared_lane(context, &dispatch, &*pass, &shared, &common).map(Moved::outcome)
                })
            })
            .collect()
    };
    gathered(lanes, pass, needs)
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

/// A task that hands on its value, once, and keeps nothing: others keep the task.
fn ready(value: Shared) -> Arc<Node> {
    let value = Mutex::new(Some(value));
    Node::new(Name::Only("shared"), [], move |_, _| {
        let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Outcome::Value(value.unwrap_or_else(|| unreachable!("a task of a run runs once"))))
    })
}

/// A lane that takes any block.
fn shared_lane<I, P>(
    context: &Context,
    dispatch: &Dispatch<I>,
    pass: &P,
    shared: &[Shared],
    common: &Common<P::State>,
) -> Result<Held<P::State>>
where
    I: Input,
    P: Pass<BlockOf<I>>,
{
    let mut held = Held::all(pass.start(context, shared));
    let mut share = context.budget.as_deref().map(Budget::share);
    let mut mine = Mine::default();
    while let Some(block) = dispatch.next(&mut mine, &context.stop)? {
        if let Err(error) = pass.feed(context, shared, &mut held.state, block) {
            dispatch.fails(&mut mine, error)?;
            continue;
        }
        if pass.full(&held.state) {
            // What other lanes would add changes nothing.
            dispatch.end();
            dispatch.done(&mut mine)?;
            break;
        }
        let Some(share) = &mut share else { continue };
        if share.is_over(pass.held(&held.state), context.threads) {
            if !held.put_away(context, pass)? {
                common.add(pass, &mut held.state, share.budget())?;
            }
            share.is_over(pass.held(&held.state), context.threads);
        }
    }
    if let Some(share) = &share {
        common.take_into(pass, &mut held.state, share.budget());
    }
    Ok(held)
}

/// The place of a lane among others, by the order of what they read.
struct InOrder {
    n: usize,
    run: Range<usize>,
    /// The first lane whose state has no use for more, or that has failed: what stands after it has no
    /// use either.
    ended: Arc<AtomicUsize>,
}

impl InOrder {
    fn is_wanted(&self) -> bool {
        self.n <= self.ended.load(Relaxed)
    }

    fn ends(&self) {
        self.ended.fetch_min(self.n, Relaxed);
    }
}

/// A lane that takes a run of neighbouring partitions, in order.
fn ordered_lane<I, P>(
    context: &Context,
    input: &I,
    pass: &P,
    shared: &[Shared],
    place: &InOrder,
) -> Result<Held<P::State>>
where
    I: Input,
    P: Pass<BlockOf<I>>,
{
    let mut held = Held::all(pass.start(context, shared));
    let mut share = context.budget.as_deref().map(Budget::share);
    'partitions: for partition in place.run.clone() {
        let mut reader = input.open(partition);
        let mut made = 0;
        while !context.stop.is_set() && place.is_wanted() {
            if pass.full(&held.state) {
                place.ends();
                break 'partitions;
            }
            let next =
                caught("read", || context.stop.wait(pin!(reader.next())).unwrap_or(Ok(None)));
            let fed = match next {
                Ok(Some(block)) => pass.feed(context, shared, &mut held.state, block),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            if let Err(error) = fed {
                // Nothing stands before it that could be enough, or fail first.
                if place.n == 0 && !pass.full(&held.state) {
                    return Err(error);
                }
                held.fails(Failure { at: (partition, made), error });
                place.ends();
                break 'partitions;
            }
            made += 1;
            // What is put away comes back in no order.
            if let Some(share) = &mut share
                && share.is_over(pass.held(&held.state), context.threads)
            {
                return Err(pass.unfit(&held.state, share.budget()));
            }
        }
    }
    // The state is held on until it is merged.
    std::mem::forget(share);
    if context.stop.is_cancelled() { Err(Error::Cancelled) } else { Ok(held) }
}

/// Cuts partitions into runs of neighbours, four for each thread: enough that a slow one at the
/// end is a small part, few enough that merging stays cheap.
fn runs_of_partitions(partitions: usize, threads: usize) -> impl Iterator<Item = Range<usize>> {
    let runs = partitions.min(threads.max(1) * 4);
    (0..runs).map(move |n| n * partitions / runs..(n + 1) * partitions / runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_every_partition_once_and_in_order() {
        for partitions in 0..70 {
            for threads in 0..5 {
                let covered = runs_of_partitions(partitions, threads).flatten();
                assert!(covered.eq(0..partitions), "{partitions} partitions, {threads} threads");
            }
        }
    }
}
